//! Bodies as they were captured: codings, ranges, raw access, streams.

use super::*;

#[test]
fn codings_are_removed_where_they_must_be() {
    let page = b"<head></head><a href='http://b.example/'>b</a>";
    let served = Archive::default()
        .response(
            "http://a.example/page",
            EARLY,
            "200 OK\nContent-Type: text/html\nContent-Encoding: gzip",
            &gzip(page),
        )
        .response(
            "http://a.example/data",
            EARLY,
            "200 OK\nContent-Type: text/plain\nContent-Encoding: gzip",
            &gzip(b"data"),
        )
        .response(
            "http://a.example/liar",
            EARLY,
            "200 OK\nContent-Type: text/plain\nContent-Encoding: gzip\nTransfer-Encoding: chunked",
            b"neither",
        )
        .serve();
    let answer = served.get("http://a.example/page", EARLY, "Accept-Encoding: gzip\r\n");
    assert_eq!(answer.field("content-encoding"), None);
    let expected = format!("href='http://{}/'", served.host("http://b.example/", EARLY));
    assert!(answer.text().contains(&expected), "{}", answer.text());
    let answer = served.get("http://a.example/data", EARLY, "Accept-Encoding: gzip\r\n");
    assert_eq!(answer.field("content-encoding"), Some("gzip"));
    assert_eq!(answer.body, gzip(b"data"));
    let answer = served.get("http://a.example/data", EARLY, "");
    assert_eq!(
        (answer.field("content-encoding"), answer.text().as_str()),
        (None, "data")
    );
    assert_eq!(
        served.get("http://a.example/liar", EARLY, "").text(),
        "neither"
    );
}

#[test]
fn brotli_and_zstandard_are_decoded_as_gzip_is() {
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 3).unwrap();
    let page = b"<head></head><a href='http://b.example/'>b</a>";
    // What a peer's coder made of a small page.
    let brotli =
        b"\x1b\x4a\x00\xe0\x9d\x07\x76\x4c\xb0\xfe\x32\x1c\xd9\x45\xcd\x23\xe6\x06\xa7\x9e\xc6\
        \xf2\xa5\xc5\x27\x7d\xde\xe4\x1c\xe3\x80\xfd\x9a\x86\x6b\x90\xc9\x17\xdc\x63\x6c\x0d\
        \xdb\x90\x4b\x41\x64\xbe\x37\xd7\x52\x56\x69\xc3\xe2\xf9\x4c\x6b\x45\x80\xf1\xce\x7a\
        \x2b\x00";
    let html =
        |codings: &str| format!("200 OK\nContent-Type: text/html\nContent-Encoding: {codings}");
    let served = Archive::default()
        .response("http://a.example/zstd", EARLY, &html("zstd"), &zstd(page))
        .response(
            "http://a.example/both",
            EARLY,
            &html("zstd, gzip"),
            &gzip(&zstd(page)),
        )
        .response("http://a.example/br", EARLY, &html("br"), brotli)
        .response("http://a.example/unknown", EARLY, &html("dcb"), page)
        .response(
            "http://a.example/data",
            EARLY,
            "200 OK\nContent-Type: text/plain\nContent-Encoding: zstd",
            &zstd(b"data"),
        )
        .serve();
    let expected = format!("href='http://{}/'", served.host("http://b.example/", EARLY));
    for name in ["zstd", "both"] {
        let answer = served.get(&format!("http://a.example/{name}"), EARLY, "");
        assert_eq!(answer.field("content-encoding"), None, "{name}");
        assert!(answer.text().contains(&expected), "{}", answer.text());
    }
    let answer = served.get("http://a.example/br", EARLY, "");
    assert_eq!(answer.field("content-encoding"), None);
    assert!(
        answer.text().contains("<title>coding-br</title>"),
        "{}",
        answer.text()
    );
    let answer = served.get("http://a.example/unknown", EARLY, "");
    assert_eq!(answer.field("content-encoding"), Some("dcb"));
    assert_eq!(answer.body, page);
    for (accepted, coding, body) in [
        (
            "Accept-Encoding: gzip, zstd\r\n",
            Some("zstd"),
            zstd(b"data"),
        ),
        ("Accept-Encoding: gzip\r\n", None, b"data".to_vec()),
    ] {
        let answer = served.get("http://a.example/data", EARLY, accepted);
        assert_eq!(
            (answer.field("content-encoding"), answer.body.clone()),
            (coding, body)
        );
    }
}

#[test]
fn raw_access_gives_the_bytes_as_captured() {
    let body = gzip(b"<a href='http://b.example/'>");
    let chunked = [
        format!("{:x}\r\n", body.len()).as_bytes(),
        &body,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let head = "404 Gone\nContent-Type: text/html; charset=x\nContent-Encoding: gzip\n\
                Transfer-Encoding: chunked\nSet-Cookie: a=b";
    let url = "http://a.example/x?y=1";
    let served = Archive::default()
        .response(url, EARLY, head, &chunked)
        .serve();
    for target in [
        format!("/demo/2026id_/{url}"),
        format!("/demo/{EARLY}id_/http:/a.example/x?y=1"),
    ] {
        let answer = served.ui(&target);
        assert_eq!((answer.status, &answer.body), (404, &body), "{target}");
        assert_eq!(answer.field("content-encoding"), Some("gzip"));
        assert_eq!(answer.field("content-type"), Some("text/html; charset=x"));
        assert_eq!(answer.field("set-cookie"), None);
        assert!(
            answer
                .field("content-security-policy")
                .unwrap()
                .starts_with("sandbox; default-src 'none'")
        );
    }
    assert_eq!(served.ui("/demo/2026id_/http://b.example/").status, 404);
}

#[test]
fn ranges_sharing_workers_and_cookies() {
    let served = Archive::default()
        .response("http://a.example/v", EARLY, TEXT, b"0123456789")
        .response(
            "http://a.example/c",
            EARLY,
            "200 OK\nContent-Type: text/plain\nTransfer-Encoding: chunked\n\
             Set-Cookie: a=b; domain=a.example; Path=/",
            b"4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
        )
        .serve();
    for url in ["http://a.example/v", "http://a.example/c"] {
        let part = served.get(url, EARLY, "Range: bytes=2-5\r\n");
        assert_eq!((part.status, part.text().as_str()), (206, "2345"), "{url}");
        assert_eq!(part.field("content-range"), Some("bytes 2-5/10"));
        assert_eq!(served.get(url, EARLY, "Range: bytes=10-\r\n").status, 416);
    }
    let cookie = served.get("http://a.example/c", EARLY, "");
    assert_eq!(cookie.field("set-cookie"), Some("a=b; Path=/"));
    let origin = format!("http://{}", served.host("https://b.example/", EARLY));
    let shared = served.get(
        "http://a.example/v",
        EARLY,
        &format!("Origin: {origin}\r\n"),
    );
    assert_eq!(
        shared.field("access-control-allow-origin"),
        Some(origin.as_str())
    );
    let elsewhere = format!("http://{}", served.host("https://b.example/", LATE));
    let refused = served.get(
        "http://a.example/v",
        EARLY,
        &format!("Origin: {elsewhere}\r\n"),
    );
    assert_eq!(refused.field("access-control-allow-origin"), None);
    let worker = served.get("http://a.example/v", EARLY, "Service-Worker: script\r\n");
    assert_eq!(worker.status, 403);
    let jar = format!("Cookie: {}\r\n", "a=b; ".repeat(4_000));
    let full = served.get("http://a.example/v", EARLY, &jar);
    assert_eq!(
        (full.status, full.field("clear-site-data")),
        (431, Some("\"cookies\""))
    );
}

#[test]
fn a_large_body_is_streamed_whole() {
    let body: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let chunked = [
        format!("{:x}\r\n", body.len()).as_bytes(),
        &body,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let head = "200 OK\nContent-Type: video/mp4";
    let served = Archive::default()
        .response("http://a.example/v", EARLY, head, &body)
        .response(
            "http://a.example/c",
            EARLY,
            &format!("{head}\nTransfer-Encoding: chunked"),
            &chunked,
        )
        .serve();
    let known = served.get("http://a.example/v", EARLY, "");
    assert_eq!(known.field("content-length"), Some("3000000"));
    assert_eq!(known.body, body);
    assert_eq!(served.get("http://a.example/c", EARLY, "").body, body);
}

#[test]
fn a_flood_of_cookies_is_told_to_end() {
    let served = Archive::default()
        .response("http://a.example/", EARLY, "200 OK", b"x")
        .serve();
    let ui = format!("lastlight.localhost:{}", served.state.base.port);
    let some = format!("Cookie: {}\r\n", "c=v; ".repeat(5_000));
    let answer = served.ask("GET", &ui, "/", &some);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("clear-site-data"), Some("\"cookies\""));
    // More than the HTTP library takes.
    let many = format!("Cookie: {}\r\n", "c".repeat(700_000));
    for host in [ui, served.host("http://a.example/", EARLY)] {
        let answer = served.ask("GET", &host, "/", &many);
        assert_eq!(answer.status, 431);
        assert_eq!(answer.field("clear-site-data"), Some("\"cookies\""));
        assert!(answer.text().ends_with("again.\n"), "{}", answer.text());
    }
}

#[test]
fn readers_that_take_nothing_leave_the_interface_alone() {
    let body = vec![b'x'; 8 << 20];
    let served = Archive::default()
        .response(
            "http://a.example/big",
            EARLY,
            "200 OK\nContent-Type: video/mp4",
            &body,
        )
        .serve();
    let host = served.host("http://a.example/big", EARLY);
    let slow: Vec<TcpStream> = (0..100)
        .map(|_| {
            let at = (Ipv4Addr::LOCALHOST, served.state.base.port);
            let mut stream = TcpStream::connect(at).unwrap();
            write!(stream, "GET /big HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(served.ui("/").status, 200);
    assert_eq!(served.state.places.available_permits(), 0);
    drop(slow);
    assert_eq!(
        served.get("http://a.example/big", EARLY, "").body.len(),
        body.len()
    );
}

#[test]
fn what_was_answered_to_a_body_is_found_by_that_body() {
    let mut archive = Archive::default();
    for (body, answer) in [("a=1", "one"), ("a=2", "two")] {
        archive = archive.response("http://a.example/form", EARLY, HTML, answer.as_bytes());
        let request = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\n{body}"
        );
        archive = archive.request("http://a.example/form", EARLY, "POST /form", &request);
    }
    archive = archive.response("http://a.example/form", EARLY, HTML, b"the form");
    let served = archive
        .request("http://a.example/form", EARLY, "GET /form", "\r\n")
        .serve();
    let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n";
    let host = served.host("http://a.example/", EARLY);
    let post = |host: &str, target: &str, body: &str| {
        // The body goes behind the blank line that ends the fields.
        let fields = format!("{form}Sec-Fetch-Dest: empty\r\n\r\n{body}");
        let answer = served.ask("POST", host, target, &fields);
        (answer.status, answer.text())
    };
    assert_eq!(post(&host, "/form", "a=1"), (200, "one".to_owned()));
    assert_eq!(post(&host, "/form", "a=2"), (200, "two".to_owned()));
    assert_eq!(post(&host, "/form", "a=3").0, 404);
    let path = format!("/demo/{EARLY}mp_/http://a.example/form");
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    assert_eq!(post(&loopback, &path, "a=2"), (200, "two".to_owned()));
    let shown = served.get("http://a.example/form", EARLY, "Sec-Fetch-Dest: empty\r\n");
    assert_eq!(shown.text(), "the form");
}

#[test]
fn playlists_lead_to_the_replay_and_offer_what_was_captured() {
    let hls = "200 OK\nContent-Type: application/vnd.apple.mpegurl\nETag: \"x\"";
    let list = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttps://b.example/low.m3u8\n\
        #EXT-X-STREAM-INF:BANDWIDTH=2\nhttps://b.example/high.m3u8\n";
    let served = Archive::default()
        .response("http://a.example/main.m3u8", EARLY, hls, list.as_bytes())
        .response(
            "https://b.example/low.m3u8",
            EARLY,
            hls,
            b"#EXTM3U\n/1.ts\n",
        )
        .serve();
    let answer = served.get("http://a.example/main.m3u8", EARLY, "");
    let low = format!("http://{}", served.host("https://b.example/", EARLY));
    let expected = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{low}/low.m3u8\n");
    assert_eq!(answer.text(), expected);
    assert_eq!(answer.field("etag"), None);
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    let path = format!("/demo/{EARLY}mp_/https://b.example/low.m3u8");
    let answer = served.ask("GET", &loopback, &path, "");
    let own = format!("http://{loopback}/demo/{EARLY}mp_/https://b.example");
    assert_eq!(answer.text(), format!("#EXTM3U\n{own}/1.ts\n"));
    let raw = served.ui(&format!("/demo/{EARLY}id_/http://a.example/main.m3u8"));
    assert_eq!(raw.text(), list);
}
