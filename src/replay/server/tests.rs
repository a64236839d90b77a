//! The server over a real socket and a small WARC.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::digest::Digest;
use crate::warc::{Draft, RecordType, Version};

const EARLY: &str = "20260301000000";
const LATE: &str = "20260401000000";

/// A WARC that is put together record by record.
#[derive(Default)]
struct Archive(Vec<u8>);

impl Archive {
    fn response(self, url: &str, time: &str, head: &str, body: &[u8]) -> Self {
        self.record(&RecordType::Response, url, time, head, body, &[])
    }

    fn record(
        mut self,
        kind: &RecordType,
        url: &str,
        time: &str,
        head: &str,
        body: &[u8],
        fields: &[(&str, &str)],
    ) -> Self {
        let mut block = format!("HTTP/1.1 {}\r\n\r\n", head.replace('\n', "\r\n")).into_bytes();
        block.extend_from_slice(body);
        let date: Timestamp14 = time.parse().unwrap();
        let mut draft = Draft::new(Version::V1_1, kind, date.rfc3339().parse().unwrap())
            .field("WARC-Target-URI", url)
            .field("Content-Type", "application/http; msgtype=response");
        for (name, value) in fields {
            draft = draft.field(name, value);
        }
        if *kind == RecordType::Response {
            draft = draft.field("WARC-Payload-Digest", Digest::sha256(body));
        }
        self.0.extend(draft.record(&block));
        self
    }

    fn serve(self) -> Served {
        let directory = tempfile::tempdir().unwrap();
        let path: PathBuf = directory.path().join("Demo.warc");
        std::fs::write(&path, self.0).unwrap();
        let open = Shelf::open(&[path]).unwrap();
        let server = Server::bind(open, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let state = Arc::clone(server.state());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        runtime.spawn(server.run_until(std::future::pending()));
        Served {
            state,
            _runtime: runtime,
            _directory: directory,
        }
    }
}

struct Served {
    state: Arc<State>,
    _runtime: tokio::runtime::Runtime,
    _directory: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Served {
    fn host(&self, url: &str, time: &str) -> String {
        let url = CanonicalUrl::parse(url).unwrap();
        let origin = self
            .state
            .base
            .content_origin("demo", time.parse().unwrap(), &url.host_key());
        origin.trim_start_matches("http://").to_owned()
    }

    /// Asks for an archived URL as a reader at a time.
    fn get(&self, url: &str, time: &str, fields: &str) -> Answer {
        let parsed = CanonicalUrl::parse(url).unwrap();
        self.ask(
            "GET",
            &self.host(url, time),
            &parsed.request_target(),
            fields,
        )
    }

    fn ui(&self, target: &str) -> Answer {
        let host = format!("lastlight.localhost:{}", self.state.base.port);
        self.ask("GET", &host, target, "")
    }

    fn ask(&self, method: &str, host: &str, target: &str, fields: &str) -> Answer {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.state.base.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(
            stream,
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        )
        .unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let head = crate::http::Head::parse(&bytes);
        let body = &bytes[head.length..];
        let answer = Answer {
            status: head.status().unwrap(),
            head: String::from_utf8_lossy(&bytes[..head.length]).into_owned(),
            body: crate::http::dechunk(body)
                .filter(|_| head.is_chunked())
                .unwrap_or_else(|| body.to_vec()),
        };
        let policy = answer.field("content-security-policy");
        assert!(policy.is_some_and(|p| !p.contains("ws:") && !p.contains("https:")));
        assert_eq!(answer.field("origin-agent-cluster"), Some("?1"));
        answer
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const HTML: &str = "200 OK\nContent-Type: text/html";
const TEXT: &str = "200 OK\nContent-Type: text/plain";

#[test]
fn hosts_that_are_not_ours_are_misdirected() {
    let served = Archive::default()
        .response("http://a.example/", EARLY, HTML, b"x")
        .serve();
    for host in [
        "evil.example",
        "lastlight.localhost",
        "a.lastlight.localhost:1",
    ] {
        assert_eq!(served.ask("GET", host, "/", "").status, 421, "{host}");
    }
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    let answer = served.ask("GET", &loopback, "/c/demo/?q=1", "");
    let expected = format!("{}/c/demo/?q=1", served.state.base.ui_origin());
    assert_eq!(
        (answer.status, answer.field("location")),
        (302, Some(expected.as_str()))
    );
    let host = served.host("http://a.example/", EARLY);
    let twice = format!("Host: {host}\r\n");
    assert!(matches!(
        served.ask_lenient(&host, &twice),
        None | Some(400 | 421)
    ));
}

impl Served {
    /// Two `Host` fields may be refused before they reach us.
    fn ask_lenient(&self, host: &str, fields: &str) -> Option<u16> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.state.base.port)).ok()?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        )
        .ok()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).ok()?;
        crate::http::Head::parse(&bytes).status()
    }
}

#[test]
fn the_nearest_capture_answers_without_redirect() {
    let url = "http://a.example/page?q=1";
    let served = Archive::default()
        .response(url, EARLY, TEXT, b"early")
        .response(url, LATE, TEXT, b"late")
        .serve();
    for (time, body, date) in [
        ("20250101000000", "early", "Sun, 01 Mar 2026 00:00:00 GMT"),
        ("20260315000000", "early", "Sun, 01 Mar 2026 00:00:00 GMT"),
        ("20260320000000", "late", "Wed, 01 Apr 2026 00:00:00 GMT"),
    ] {
        let answer = served.get(url, time, "");
        assert_eq!((answer.status, answer.text().as_str()), (200, body));
        assert_eq!(answer.field("memento-datetime"), Some(date));
    }
    let https = served.get("https://www.a.example/page?q=1", EARLY, "");
    assert_eq!(https.text(), "early");
}

#[test]
fn a_page_answers_for_a_query_that_was_never_captured() {
    let page = "http://a.example/search.html";
    let served = Archive::default()
        .response(page, EARLY, HTML, b"<p>the form")
        .response("http://a.example/list?page=2", EARLY, HTML, b"the second")
        .response("http://a.example/list", EARLY, HTML, b"the first")
        .response(
            "http://a.example/gone",
            EARLY,
            "404 Not Found\nContent-Type: text/html",
            b"x",
        )
        .response("http://a.example/table", EARLY, TEXT, b"rows")
        .serve();
    let asked = "http://a.example/search.html?q=water";
    let answer = served.get(asked, LATE, "Sec-Fetch-Dest: iframe\r\n");
    assert!(answer.status == 200 && answer.text().contains("<p>the form"));
    assert!(
        answer
            .text()
            .contains("data-url=\"http://a.example/search.html?q=water\"")
    );
    assert_eq!(answer.field("x-lastlight-fallback"), Some("query"));
    let captured = "<http://a.example/search.html>; rel=\"original\"";
    assert_eq!(answer.field("link"), Some(captured));
    let missing = served.ui(&format!("/-/missing/demo/{LATE}")).text();
    assert!(missing.contains("search.html?q=water"), "{missing}");

    let exact = served.get(
        "http://a.example/list?page=2",
        LATE,
        "Sec-Fetch-Dest: iframe\r\n",
    );
    assert!(exact.text().contains("the second"));
    assert_eq!(exact.field("x-lastlight-fallback"), None);
    for (url, dest) in [
        (asked, "empty"),
        (asked, "script"),
        (asked, "embed"),
        ("http://a.example/gone?x", "iframe"),
        ("http://a.example/table?x", "iframe"),
        ("http://a.example/never?x", "iframe"),
    ] {
        let answer = served.get(url, LATE, &format!("Sec-Fetch-Dest: {dest}\r\n"));
        assert_eq!(answer.status, 404, "{url} as {dest}");
    }
    assert_eq!(served.get(asked, LATE, "").status, 404);

    let view = served.ui(&format!("/view/demo/{LATE}/{asked}")).text();
    assert!(
        view.contains("</time> without the query, which was not captured</span>"),
        "{view}"
    );
    assert!(view.contains("data-url=\"http://a.example/search.html?q=water\""));
    let asked = "http%3A%2F%2Fa.example%2Fsearch.html%3Fq%3Dwater";
    let around = served
        .ui(&format!("/-/around/demo/{LATE}?url={asked}"))
        .text();
    assert!(around.contains("\"without_query\":true"), "{around}");
}

#[test]
fn revisits_show_their_own_fields_and_the_earlier_body() {
    let (url, other) = ("http://a.example/", "http://a.example/copy");
    let body = b"the same";
    let digest = Digest::sha256(body).to_string();
    let own = "200 OK\nContent-Type: text/plain\nX-Visit: second";
    let chunked = b"8\r\nthe same\r\n0\r\n\r\n";
    let head = "200 OK\nTransfer-Encoding: chunked\nContent-Type: text/html";
    let named: &[(&str, &str)] = &[
        ("WARC-Refers-To-Target-URI", url),
        ("WARC-Refers-To-Date", "2026-03-01T00:00:00Z"),
    ];
    let by_digest: &[(&str, &str)] = &[("WARC-Payload-Digest", &digest)];
    let served = Archive::default()
        .response(url, EARLY, head, chunked)
        .record(&RecordType::Revisit, url, LATE, own, b"", named)
        .response("http://b.example/", EARLY, TEXT, body)
        .record(&RecordType::Revisit, other, LATE, own, b"", by_digest)
        .record(
            &RecordType::Revisit,
            "http://a.example/unchanged",
            LATE,
            "304 Not Modified\nX-Visit: third",
            b"",
            named,
        )
        .serve();
    for url in [url, other] {
        let answer = served.get(url, LATE, "");
        assert_eq!((answer.status, answer.text().as_str()), (200, "the same"));
        assert_eq!(answer.field("x-archive-orig-x-visit"), Some("second"));
        assert_eq!(answer.field("content-type"), Some("text/plain"));
    }
    let answer = served.get("http://a.example/unchanged", LATE, "");
    assert_eq!(
        (answer.status, answer.text().contains("the same")),
        (200, true)
    );
}

#[test]
fn redirects_lead_to_replay_and_loops_are_passed_over() {
    let moved = "301 Moved\nLocation: https://a.example/new?x=1";
    let upgrade = "301 Moved\nLocation: https://a.example/old";
    let served = Archive::default()
        .response("http://a.example/", EARLY, moved, b"")
        .response("http://a.example/old", EARLY, upgrade, b"")
        .response(
            "http://a.example/rel",
            EARLY,
            "302 Found\nLocation: /x",
            b"",
        )
        .serve();
    let answer = served.get("http://a.example/", LATE, "");
    let expected = format!("http://{}/new?x=1", served.host("https://a.example/", LATE));
    assert_eq!(
        (answer.status, answer.field("location")),
        (301, Some(expected.as_str()))
    );
    let relative = served.get("http://a.example/rel", LATE, "");
    assert_eq!(relative.field("location"), Some("/x"));
    assert_eq!(served.get("http://a.example/old", LATE, "").status, 301);
    assert_eq!(served.get("https://a.example/old", LATE, "").status, 404);
}

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
fn pages_are_rewritten_and_relative_urls_stay() {
    let page = "<!doctype html><html><head><title>x</title>\
        <meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">\
        <link rel=preconnect href=https://cdn.example>\
        <link rel=stylesheet integrity=sha256-x href=https://cdn.example/a.css>\
        <style>b{background:url(https://cdn.example/b.png)}</style></head>\
        <body><a href=/rel>r</a><img src='http://a.example/i.png?a=1&amp;b=2' srcset='x.png 2x'>\
        <iframe srcdoc='<a href=&quot;https://c.example/&quot;>c</a>'></iframe>";
    let served = Archive::default()
        .response("http://a.example/", EARLY, HTML, page.as_bytes())
        .response(
            "http://a.example/a.css",
            EARLY,
            "200 OK\nContent-Type: text/css",
            b"@import 'https://cdn.example/c.css';a{b:url(d.png)}",
        )
        .serve();
    let cdn = served.host("https://cdn.example/", LATE);
    let own = served.host("http://a.example/", LATE);
    let other = served.host("https://c.example/", LATE);
    let text = served
        .get("http://a.example/", LATE, "Sec-Fetch-Dest: iframe\r\n")
        .text();
    for there in [
        format!("href=http://{cdn}/a.css"),
        format!("url(http://{cdn}/b.png)"),
        format!("src='http://{own}/i.png?a=1&amp;b=2'"),
        "href=/rel".to_owned(),
        "srcset='x.png 2x'".to_owned(),
        format!("http://{other}/"),
        format!(
            "<script src=\"http://{own}/.lastlight/runtime.js\" \
             data-url=\"http://a.example/\" data-time=\"{EARLY}\"></script>"
        ),
    ] {
        assert!(text.contains(&there), "{there} in {text}");
    }
    for gone in ["Security-Policy", "preconnect", "integrity", "https://cdn"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    let sheet = served.get("http://a.example/a.css", LATE, "Sec-Fetch-Dest: style\r\n");
    assert_eq!(
        sheet.text(),
        format!("@import 'http://{cdn}/c.css';a{{b:url(d.png)}}")
    );
    let runtime = served.ask("GET", &own, "/.lastlight/runtime.js", "");
    assert_eq!(runtime.text(), RUNTIME);
    // A script gets the markup that it fetches, without the runtime in it.
    let fetched = served
        .get("http://a.example/", LATE, "Sec-Fetch-Dest: empty\r\n")
        .text();
    assert!(!fetched.contains("runtime.js") && fetched.contains(&cdn));
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
fn what_is_missing_is_told_and_counted() {
    let served = Archive::default()
        .response("http://a.example/", EARLY, HTML, b"x")
        .serve();
    let page = format!(
        "Referer: http://{}/\r\n",
        served.host("http://a.example/", EARLY)
    );
    let fields = format!("Sec-Fetch-Dest: image\r\n{page}");
    let answer = served.get("https://b.example/no.png?a<b", EARLY, &fields);
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("https://b.example/no.png?a%3Cb"));
    let host = served.host("http://a.example/", EARLY);
    assert_eq!(served.ask("POST", &host, "/form", "").status, 405);
    let list: serde_json::Value =
        serde_json::from_slice(&served.ui(&format!("/-/missing/demo/{EARLY}")).body).unwrap();
    assert_eq!(list["total"], 2);
    assert_eq!(list["urls"][0]["url"], "https://b.example/no.png?a%3Cb");
    assert_eq!(list["urls"][0]["referrer"], "http://a.example/");
    assert_eq!(list["urls"][0]["kind"], "image");
    let of_page = format!("/-/missing/demo/{EARLY}?page=http%3A%2F%2Fa.example%2F");
    let list: serde_json::Value = serde_json::from_slice(&served.ui(&of_page).body).unwrap();
    assert_eq!(list["total"], 1);
    assert_eq!(served.ui("/-/missing/other/20260301000000").status, 404);
}

#[test]
fn documents_are_shown_in_the_shell_and_pdfs_outside_the_sandbox() {
    let served = Archive::default()
        .response("http://a.example/p?q", EARLY, HTML, b"x")
        .response(
            "http://a.example/d.pdf",
            EARLY,
            "200 OK\nContent-Type: application/pdf",
            b"%PDF-",
        )
        .response(
            "http://a.example/z",
            EARLY,
            "200 OK\nContent-Type: application/zip",
            b"PK",
        )
        .serve();
    let answer = served.get("http://a.example/p?q", LATE, "Sec-Fetch-Dest: document\r\n");
    let expected = format!(
        "{}/view/demo/{LATE}/http://a.example/p?q",
        served.state.base.ui_origin()
    );
    assert_eq!(
        (answer.status, answer.field("location")),
        (302, Some(expected.as_str()))
    );
    let frame = "Sec-Fetch-Dest: iframe\r\n";
    let notice = served.get("http://a.example/d.pdf", LATE, frame).text();
    assert!(notice.contains("\"lastlight\":\"pdf\""), "{notice}");
    let notice = served.get("http://a.example/z", LATE, frame).text();
    assert!(notice.contains("\"lastlight\":\"download\""), "{notice}");
    let host = served.host("http://a.example/", LATE);
    let pdf = served.ask("GET", &host, "/.lastlight/pdf/d.pdf", frame);
    assert_eq!(pdf.text(), "%PDF-");
    let page = served.ask("GET", &host, "/.lastlight/pdf/p?q", frame);
    assert_eq!(page.status, 404);
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
fn what_is_no_page_has_one_around_it_in_the_frame() {
    let served = Archive::default()
        .response(
            "http://a.example/t",
            EARLY,
            "200 OK\nContent-Type: text/plain",
            b"<text>",
        )
        .response(
            "http://a.example/i",
            EARLY,
            "200 OK\nContent-Type: image/svg+xml",
            b"<svg/>",
        )
        .response(
            "http://a.example/o",
            EARLY,
            "200 OK\nContent-Type: application/octet-stream",
            b"<!doctype html>o",
        )
        .response("http://a.example/n", EARLY, "200 OK", b"<!doctype html>n")
        .serve();
    let frame = "Sec-Fetch-Dest: iframe\r\n";
    let answer = served.get("http://a.example/t", EARLY, frame);
    assert!(
        answer.text().contains("src=\"/.lastlight/file/t\""),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("\"lastlight\":\"page\""));
    let host = served.host("http://a.example/t", EARLY);
    let file = served.ask("GET", &host, "/.lastlight/file/t", frame);
    assert_eq!(file.text(), "<text>");
    let policy = file.field("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'none'"), "{policy}");
    let answer = served.get("http://a.example/i", EARLY, frame);
    assert!(
        answer.text().contains("<img src=\"/i\""),
        "{}",
        answer.text()
    );
    let answer = served.get("http://a.example/i", EARLY, "Sec-Fetch-Dest: image\r\n");
    assert_eq!(answer.text(), "<svg/>");
    for page in ["o", "n"] {
        let answer = served.get(&format!("http://a.example/{page}"), EARLY, frame);
        assert_eq!(answer.field("content-type"), Some("text/html"));
        assert!(answer.text().contains("runtime.js"), "{}", answer.text());
        let file = served.ask("GET", &host, &format!("/.lastlight/file/{page}"), frame);
        assert_eq!(file.status, 404);
    }
}

#[test]
fn the_banner_tells_of_the_capture_that_answers() {
    let moved = "301 Moved\nLocation: https://a.example/p";
    let itself = "301 Moved\nLocation: /self";
    let served = Archive::default()
        .response("http://a.example/p", EARLY, moved, b"")
        .response(
            "https://a.example/p",
            LATE,
            "200 OK\nContent-Type: text/html",
            b"p",
        )
        .response("http://a.example/self", EARLY, itself, b"")
        .serve();
    let at = "20260302000000";
    let answer = served.get("https://a.example/p", at, "");
    assert_eq!(answer.status, 200);
    let around = served
        .ui(&format!("/-/around/demo/{at}?url=https://a.example/p"))
        .text();
    assert!(
        around.contains(&format!("\"timestamp\":\"{LATE}\"")),
        "{around}"
    );
    let answer = served.get("http://a.example/self", EARLY, "");
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("redirect to itself"),
        "{}",
        answer.text()
    );
    let raw = served.ui(&format!("/demo/{EARLY}id_/http://a.example/self"));
    assert_eq!(raw.status, 301);
}

#[test]
fn a_folder_may_hold_two_files_of_one_name() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["x", "y"] {
        let url = format!("http://{name}.example/");
        let head = "200 OK\nContent-Type: text/plain";
        let archive = Archive::default().response(&url, EARLY, head, name.as_bytes());
        std::fs::create_dir(directory.path().join(name)).unwrap();
        std::fs::write(directory.path().join(name).join("a.warc"), archive.0).unwrap();
    }
    let shelf = Shelf::open(&[directory.path()]).unwrap();
    let collection = &shelf.collections()[0];
    for name in ["x", "y"] {
        let url = CanonicalUrl::parse(&format!("http://{name}.example/")).unwrap();
        let entries = collection.captures(url.surt().as_str()).unwrap();
        let mut reader = collection.reader_at(&entries[0]).unwrap();
        let record = reader.next_record().unwrap().unwrap();
        assert_eq!(record.header.field("WARC-Target-URI"), Some(url.as_str()));
    }
}
