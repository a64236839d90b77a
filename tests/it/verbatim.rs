//! What came off the wire stands in the WARC as it came, and what went out too.

use std::io::Write;
use std::time::Duration;

use crate::harness::{Seeded, crawl, lastlight, resident_peak, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Asked, Reply, Wire, answer, page};

/// Answers that no well-behaved server would send, by path.
fn odd_answers() -> Vec<(&'static str, Vec<u8>, bool)> {
    let gzip = {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        coder.write_all(b"<p>coded as it came</p>").unwrap();
        answer(
            "200 OK",
            &["Content-Type: text/html", "Content-Encoding: gzip"],
            coder.finish().unwrap(),
        )
    };
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "/case",
            text(
                "HTTP/1.1 200 Fine, thanks\r\ncOnTeNt-LeNgTh: 2\r\nx-ODD:no space\r\nX-Odd :\tspace before \r\n\r\nhi",
            ),
            true,
        ),
        (
            "/twice",
            text(
                "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nSet-Cookie: a=1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\ntwo",
            ),
            true,
        ),
        (
            "/folded",
            text(
                "HTTP/1.1 200 OK\r\nX-Long: one\r\n  two\r\n\tthree\r\nContent-Length: 4\r\n\r\nfold",
            ),
            true,
        ),
        (
            "/chunks",
            text(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n00005;name=\"v;w\"\r\nhello\r\n6  \r\n world\r\n0;last\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
            ),
            true,
        ),
        (
            "/line-feeds",
            text("HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 5\n\nplain"),
            true,
        ),
        (
            "/chunks-by-line-feeds",
            text("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n"),
            true,
        ),
        ("/gzip", gzip, true),
        (
            "/to-the-close",
            text("HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end\n\n"),
            false,
        ),
        (
            "/no-reason",
            text("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n"),
            true,
        ),
        (
            "/bytes",
            answer(
                "200 OK",
                &["Content-Type: image/png", "X-Latin: caf\u{e9}"],
                [0, 255, 13, 10, 13, 10, 0x1f, 0x8b],
            ),
            true,
        ),
        (
            "/not-chunks",
            text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nthis is no chunk\r\n"),
            false,
        ),
        (
            "/bad-length",
            text("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nas much as came"),
            false,
        ),
        (
            "/nothing",
            text("HTTP/1.1 204 No Content\r\nX-Empty:\r\n\r\n"),
            true,
        ),
    ]
}

fn serve_odd_answers() -> Wire {
    Wire::serve(|asked| {
        let odd = odd_answers();
        if asked.target == "/" {
            let links: Vec<&str> = odd.iter().map(|(path, ..)| *path).collect();
            return Some(Reply::Keep(page(&links)));
        }
        let (_, bytes, keep) = odd.into_iter().find(|(path, ..)| *path == asked.target)?;
        Some(if keep {
            Reply::Keep(bytes)
        } else {
            Reply::Close(bytes)
        })
    })
}

#[test]
fn a_response_block_is_what_the_server_sent_to_the_byte() {
    let wire = serve_odd_answers();
    let directory = scratch();
    let into = directory.path().join("odd");
    crawl(wire.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    for (path, bytes, _) in odd_answers() {
        let record = snapshot.response(&wire.url(path));
        assert_eq!(
            String::from_utf8_lossy(&record.block),
            String::from_utf8_lossy(&bytes),
            "{path}"
        );
        assert_eq!(record.block, bytes, "{path}");
        assert_eq!(record.field("WARC-Truncated"), None, "{path}");
        assert_eq!(record.field("WARC-IP-Address"), Some("127.0.0.1"));
        let digest = format!("sha256:{}", sha256(&bytes));
        assert_eq!(record.field("WARC-Block-Digest"), Some(&*digest), "{path}");
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_payload_digest_is_over_the_content_without_its_chunks() {
    let wire = serve_odd_answers();
    let directory = scratch();
    let into = directory.path().join("odd");
    crawl(wire.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    for (path, content) in [
        ("/chunks", &b"hello world"[..]),
        ("/chunks-by-line-feeds", b"abc"),
        ("/case", b"hi"),
        ("/to-the-close", b"until the end\n\n"),
        ("/no-reason", b""),
        // What isn't chunked is digested as it came.
        ("/not-chunks", b"this is no chunk\r\n"),
    ] {
        let record = snapshot.response(&wire.url(path));
        let digest = format!("sha256:{}", sha256(content));
        assert_eq!(
            record.field("WARC-Payload-Digest"),
            Some(&*digest),
            "{path}"
        );
        assert_eq!(
            snapshot.row(&wire.url(path))["payload_digest"],
            digest,
            "{path}"
        );
        assert_eq!(
            snapshot.row(&wire.url(path))["bytes"],
            content.len().to_string(),
            "{path}"
        );
    }
}

#[test]
fn a_request_block_is_what_the_server_received() {
    let wire = serve_odd_answers();
    let directory = scratch();
    let into = directory.path().join("odd");
    crawl(wire.url("/"), &into).run().exits(0);
    let records = Snapshot::at(&into).records();
    for Asked { target, bytes, .. } in wire.asked() {
        let url = wire.url(&target);
        let of_url = |kind: &str| {
            let record = records
                .iter()
                .find(|record| record.kind() == kind && record.url() == url);
            record.unwrap_or_else(|| panic!("no {kind} of {url}"))
        };
        let (request, response) = (of_url("request"), of_url("response"));
        assert_eq!(request.block, bytes, "{url}");
        assert_eq!(
            request.field("WARC-Concurrent-To"),
            response.field("WARC-Record-ID")
        );
        assert_eq!(request.field("WARC-Date"), response.field("WARC-Date"));
    }
}

#[test]
fn a_connection_is_kept_for_the_next_request() {
    let links: Vec<String> = (0..20).map(|n| format!("/{n}")).collect();
    let wire = Wire::serve(move |asked| {
        let links: Vec<&str> = links.iter().map(String::as_str).collect();
        (asked.target == "/").then(|| Reply::Keep(page(&links)))
    });
    let directory = scratch();
    crawl(wire.url("/"), &directory.path().join("kept"))
        .args(["--connections", "1"])
        .run()
        .exits(0);
    let asked = wire.asked();
    assert_eq!(asked.len(), 21);
    assert!(
        asked
            .iter()
            .all(|one| one.connection == asked[0].connection),
        "one connection"
    );
}

#[test]
fn a_server_that_closes_a_kept_connection_is_asked_again_on_another() {
    // Says nothing of closing, as servers do whose patience ends.
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/" => Some(Reply::Close(page(&["/a", "/b", "/c"]))),
        _ => Some(Reply::Close(answer("200 OK", &[], "x"))),
    });
    let directory = scratch();
    let into = directory.path().join("closing");
    crawl(wire.url("/"), &into)
        .args(["--connections", "1"])
        .run()
        .exits(0);
    assert_eq!(Snapshot::at(&into).response(&wire.url("/c")).entity(), b"x");
}

#[test]
fn redirects_are_recorded_and_followed() {
    let wire = Wire::serve(|asked| {
        let to = |status: &str, target: &str| {
            Some(Reply::Keep(answer(
                status,
                &[&format!("Location: {target}")],
                "moved",
            )))
        };
        match asked.target.as_str() {
            "/" => to("301 Moved Permanently", "/b"),
            "/b" => to("307 Temporary Redirect", "c?d#e"),
            "/c?d" => Some(Reply::Keep(page(&["/loop"]))),
            "/loop" => to("302 Found", "/loop"),
            _ => None,
        }
    });
    let directory = scratch();
    let into = directory.path().join("redirects");
    crawl(wire.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    let status = |path: &str| snapshot.row(&wire.url(path))["status"].clone();
    assert_eq!(
        (&*status("/"), &*status("/b"), &*status("/c?d")),
        ("301", "307", "200")
    );
    assert_eq!(status("/loop"), "302");
    assert_eq!(wire.times("/loop"), 1, "a URL is asked for once");
    assert_eq!(snapshot.row(&wire.url("/c?d"))["hops"], "RR");
    assert_eq!(snapshot.row(&wire.url("/c?d"))["via"], wire.url("/b"));
}

#[test]
fn bodies_that_do_not_fit_memory_are_stored_whole() {
    let mut numbers = Seeded(7);
    let mut noise = |length: usize| -> Vec<u8> {
        (0..length.div_ceil(8))
            .flat_map(|_| numbers.below(u64::MAX).to_le_bytes())
            .take(length)
            .collect()
    };
    let bodies = [
        noise((1 << 20) - 1000),
        noise((1 << 20) + 1),
        noise(3_000_017),
        b"even ".repeat(400_000),
    ];
    let served = bodies.clone();
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/0", "/1", "/2", "/3"]))),
        path => {
            let body = served.get(path[1..].parse::<usize>().ok()?)?;
            Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: application/octet-stream"],
                body,
            )))
        }
    });
    let directory = scratch();
    let into = directory.path().join("large");
    crawl(wire.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    for (at, body) in bodies.iter().enumerate() {
        let record = snapshot.response(&wire.url(&format!("/{at}")));
        assert!(
            record.entity() == *body,
            "body {at} of {} bytes",
            body.len()
        );
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
    let spool = std::fs::read_dir(snapshot.file("state")).unwrap();
    let left: Vec<_> = spool
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.ends_with("spool"))
        .collect();
    assert!(
        left.iter()
            .all(|path| std::fs::read_dir(path).unwrap().count() == 0)
    );
}

#[test]
fn a_body_of_30_mb_takes_no_more_memory_than_its_share() {
    const SIZE: usize = 30 << 20;
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/film", "/film?again"]))),
        "/film" | "/film?again" => {
            let body: Vec<u8> = (0..SIZE)
                .map(|at| (at / 3) as u8 ^ (at >> 11) as u8)
                .collect();
            Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: video/mp4"],
                body,
            )))
        }
        _ => None,
    });
    let directory = scratch();
    let into = directory.path().join("film");
    let mut running = crawl(wire.url("/"), &into).start();
    let mut peak = 0;
    while !running.has_ended() {
        peak = peak.max(resident_peak(running.pid()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    running.end().exits(0);
    assert!(peak > 1024 && peak < 60 * 1024, "{peak} KiB");
    assert_eq!(
        Snapshot::at(&into).row(&wire.url("/film"))["bytes"],
        SIZE.to_string()
    );
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}
