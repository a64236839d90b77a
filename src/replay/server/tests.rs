//! The server over a real socket and a small WARC.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;
mod denied;
mod near;
mod pages;
mod paths;
mod several;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::digest::Digest;
use crate::replay::shelf::Settings;
use crate::replay::way::RUNTIME as RUNTIME_PATH;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;
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

    fn request(mut self, url: &str, time: &str, line: &str, rest: &str) -> Self {
        let date: Timestamp14 = time.parse().unwrap();
        let date = date.rfc3339().parse().unwrap();
        let block = format!("{line} HTTP/1.1\r\n{rest}");
        let draft = Draft::new(Version::V1_1, &RecordType::Request, date)
            .field("WARC-Target-URI", url)
            .field("Content-Type", "application/http; msgtype=request");
        self.0.extend(draft.record(block.as_bytes()));
        self
    }

    fn serve(self) -> Served {
        Self::serve_all([("Demo", self)], "demo")
    }

    /// Serves several, each with its name; `collection` is the one that is asked.
    fn serve_all<const N: usize>(archives: [(&str, Self); N], collection: &str) -> Served {
        Self::serve_with(archives, collection, &Settings::default())
    }

    fn serve_with<const N: usize>(
        archives: [(&str, Self); N],
        collection: &str,
        settings: &Settings,
    ) -> Served {
        let directory = tempfile::tempdir().unwrap();
        let paths = archives.map(|(name, archive)| {
            let path: PathBuf = directory.path().join(format!("{name}.warc"));
            std::fs::write(&path, archive.0).unwrap();
            path
        });
        let open = Shelf::with(&paths, settings).unwrap();
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
            collection: collection.to_owned(),
            _runtime: runtime,
            _directory: directory,
        }
    }
}

struct Served {
    state: Arc<State>,
    collection: String,
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
        let origin = self.state.base.content_origin(
            &self.collection,
            time.parse().unwrap(),
            &url.host_key(),
        );
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
fn another_website_gets_nothing_of_the_archive_to_show_or_to_probe() {
    let served = Archive::default()
        .response("http://a.example/i.png", EARLY, "200 OK", b"x")
        .serve();
    let own = format!("http://{}/page", served.host("http://a.example/", EARLY));
    for (site, dest, referrer, status) in [
        ("cross-site", "image", "", 403),
        ("cross-site", "image", "http://evil.example/", 403),
        ("cross-site", "empty", "", 403),
        ("cross-site", "iframe", "http://evil.example/", 403),
        // A sandboxed frame of an archived page.
        ("cross-site", "image", &own, 200),
        ("same-site", "image", "", 200),
        ("same-origin", "image", "", 200),
        ("none", "image", "", 200),
        // A link to it leads to the shell.
        ("cross-site", "document", "http://evil.example/", 302),
    ] {
        let referrer = match referrer {
            "" => String::new(),
            referrer => format!("Referer: {referrer}\r\n"),
        };
        let fields = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Dest: {dest}\r\n{referrer}");
        let answer = served.get("http://a.example/i.png", EARLY, &fields);
        assert_eq!(answer.status, status, "{site} {dest} {referrer}");
    }
    let ui = format!("lastlight.localhost:{}", served.state.base.port);
    let foreign = "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n";
    for (target, status) in [("/", 403), ("/c/demo/", 403), (RUNTIME_PATH, 200)] {
        let answer = served.ask("GET", &ui, target, foreign);
        assert_eq!(answer.status, status, "{target}");
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
