//! By the proxy, every archived host answers at its own addresses, by TLS too,
//! with the bytes and fields that were recorded, and nothing is fetched.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lastlight::time::Timestamp14;
use lastlight::warc::{Draft, RecordType, Version};
use rustix::process::{Pid, Signal};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{cache_home, lastlight, scratch};

/// Brotli of `<p>packed</p>`, as a stored block (RFC 7932 §9.2).
const BROTLI: &[u8] = b"\x0b\x06\x80<p>packed</p>\x03";

/// `lastlight replay --proxy 0`.
struct Proxy {
    child: std::process::Child,
    interface: u16,
    port: u16,
    said: String,
    authority: Option<Arc<ClientConfig>>,
    directory: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: bytes[end + 4..].to_vec(),
        }
    }
}

/// A WARC of responses: URL, time, status line and fields, body.
fn warc(path: &Path, captures: &[(&str, &str, &str, &[u8])]) -> PathBuf {
    let mut bytes = Vec::new();
    for (url, time, head, body) in captures {
        let head = head.replace('\n', "\r\n");
        let mut block = format!("HTTP/1.1 {head}\r\n\r\n").into_bytes();
        block.extend_from_slice(body);
        let time: Timestamp14 = time.parse().unwrap();
        let date = time.rfc3339().parse().unwrap();
        let draft = Draft::new(Version::V1_1, &RecordType::Response, date)
            .field("WARC-Target-URI", url)
            .field("Content-Type", "application/http; msgtype=response");
        bytes.extend(draft.record(&block));
    }
    std::fs::write(path, bytes).unwrap();
    path.to_owned()
}

const HTML: &str = "200 OK\nContent-Type: text/html";

impl Proxy {
    fn of(captures: &[(&str, &str, &str, &[u8])]) -> Self {
        let directory = scratch();
        let path = warc(&directory.path().join("one.warc"), captures);
        Self::of_paths(directory, &[path])
    }

    fn of_paths(directory: tempfile::TempDir, paths: &[PathBuf]) -> Self {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_lastlight"))
            .args(["replay", "--listen", "127.0.0.1:0", "--proxy", "0"])
            .args(paths)
            .env("XDG_CACHE_HOME", cache_home())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut said = Vec::new();
        // It tells everything at once, and the last line is that of curl.
        let begun = Instant::now();
        while !String::from_utf8_lossy(&said).contains("--cacert") {
            let mut piece = [0; 4_096];
            let n = stdout.read(&mut piece).unwrap();
            assert!(n > 0 && begun.elapsed() < Duration::from_secs(20));
            said.extend_from_slice(&piece[..n]);
        }
        let said = String::from_utf8(said).unwrap();
        let number = |before: &str| -> u16 {
            let rest = said.split_once(before).unwrap().1;
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
            rest[..end].parse().unwrap()
        };
        let (interface, port) = (
            number("lastlight.localhost:"),
            number("the proxy 127.0.0.1:"),
        );
        let mut proxy = Self {
            child,
            interface,
            port,
            said,
            authority: None,
            directory,
        };
        let pem = proxy.get("http://lastlight.invalid/ca.pem", "").body;
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(&pem).unwrap())
            .unwrap();
        let trusting = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        proxy.authority = Some(Arc::new(trusting));
        proxy
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    /// Sends bytes, and reads to the end.
    fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        let mut bytes = Vec::new();
        // A refused connection may be reset once its answer is sent.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    }

    fn get(&self, url: &str, fields: &str) -> Answer {
        self.ask("GET", url, fields, "")
    }

    /// Asks by the whole URL.
    fn ask(&self, method: &str, url: &str, fields: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {url} HTTP/1.1\r\nHost: ignored.example\r\nConnection: close\r\n{fields}\r\n{body}"
        );
        Answer::of(&self.exchange(request.as_bytes()))
    }

    /// Asks through a tunnel, and checks the certificate.
    fn secure(&self, host: &str, path: &str, fields: &str) -> Answer {
        let mut stream = self.connect();
        write!(
            stream,
            "CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n"
        )
        .unwrap();
        let mut established = Vec::new();
        while !established.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            established.push(byte[0]);
        }
        assert!(established.starts_with(b"HTTP/1.1 200 "));
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned()).unwrap();
        let config = Arc::clone(self.authority.as_ref().unwrap());
        let tls = ClientConnection::new(config, name).unwrap();
        let mut stream = StreamOwned::new(tls, stream);
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n"
        )
        .unwrap();
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        Answer::of(&bytes)
    }
}

#[test]
fn a_site_answers_at_its_own_addresses_with_its_own_bytes_and_fields() {
    let head = "200 OK\nContent-Type: text/html\nContent-Security-Policy: default-src 'self'\n\
        X-Frame-Options: DENY\nStrict-Transport-Security: max-age=9\nAlt-Svc: h3=\":443\"\n\
        Set-Cookie: a=b; Domain=example.org\nTransfer-Encoding: chunked";
    let body = b"3\r\n<a \r\n1f\r\nhref=https://example.org/>x</a>\r\n0\r\n\r\n";
    let proxy = Proxy::of(&[("https://example.org/", "20260301000000", head, body)]);
    // By TLS, and by http though it was captured by https.
    for answer in [
        proxy.secure("example.org", "/", ""),
        proxy.get("http://example.org/", ""),
    ] {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), "<a href=https://example.org/>x</a>");
        for (name, value) in [
            ("content-security-policy", Some("default-src 'self'")),
            ("x-frame-options", Some("DENY")),
            ("set-cookie", Some("a=b; Domain=example.org")),
            ("memento-datetime", Some("Sun, 01 Mar 2026 00:00:00 GMT")),
            ("cache-control", Some("no-store")),
            ("strict-transport-security", None),
            ("alt-svc", None),
        ] {
            assert_eq!(answer.field(name), value, "{name}");
        }
    }
    let missing = proxy.secure("[::1]", "/", "Accept: text/html\r\n");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("https://[::1]/"));
    assert!(proxy.secure("127.0.0.1", "/", "").status == 404);
}

#[test]
fn what_is_missing_is_said_with_what_is_near_and_counted() {
    let proxy = Proxy::of(&[
        ("http://a.example/list?page=1", "20260301000000", HTML, b"1"),
        ("http://a.example/other", "20260301000000", HTML, b"2"),
    ]);
    let page = proxy.get(
        "http://a.example/list?page=%22%3E2",
        "Accept: text/html\r\n",
    );
    assert_eq!(page.status, 404);
    let text = page.text();
    assert!(text.contains("http://a.example/list?page=%22%3E2") && text.contains("01 Mar 2026"));
    assert!(text.contains("<a href=\"http://a.example/list?page=1\">"));
    assert!(!text.contains("a.example/other") && !text.contains("<script"));
    // What a page asks for is told in short.
    let image = proxy.get(
        "http://a.example/x.png",
        "Referer: http://a.example/list\r\n",
    );
    assert_eq!(
        image.field("content-type"),
        Some("text/plain; charset=utf-8")
    );
    for (method, status) in [("POST", 404), ("DELETE", 405), ("OPTIONS", 405)] {
        let origin = "Origin: http://a.example\r\n";
        let answer = proxy.ask(method, "http://a.example/list", origin, "");
        assert_eq!(answer.status, status, "{method}");
    }
    // What a browser asks for itself is nothing that an archive lacks.
    let own = "Sec-Fetch-Site: none\r\nSec-Fetch-Dest: empty\r\n";
    assert_eq!(proxy.get("http://update.example/", own).status, 404);
    let own = proxy.ask("POST", "http://update.example/", "", "");
    assert_eq!(own.status, 404);
    let socket = "Upgrade: websocket\r\n";
    assert_eq!(proxy.get("http://a.example/ws", socket).status, 403);
    let worker = "Service-Worker: script\r\n";
    assert_eq!(proxy.get("http://a.example/other", worker).status, 403);
    let list = format!(
        "http://lastlight.localhost:{}/-/missing/one/20260301000000",
        proxy.interface
    );
    let list: serde_json::Value = serde_json::from_slice(&proxy.get(&list, "").body).unwrap();
    assert_eq!(list["total"], 6, "{list}");
    assert_eq!(list["urls"][1]["referrer"], "http://a.example/list");
}

#[test]
fn the_time_is_that_of_the_request_or_of_the_picker() {
    let url = "http://a.example/";
    let proxy = Proxy::of(&[
        (url, "20200101000000", HTML, b"early"),
        (url, "20240101000000", HTML, b"late"),
    ]);
    let text = |fields: &str| proxy.get(url, fields).text();
    assert_eq!(text(""), "late");
    assert_eq!(
        text("Accept-Datetime: Tue, 11 Sep 2001 20:35:00 GMT\r\n"),
        "early"
    );
    let wrong = proxy.get(url, "Accept-Datetime: yesterday\r\n");
    assert_eq!(wrong.status, 400);
    let picker = proxy
        .get("http://lastlight.invalid/?url=a.example", "")
        .text();
    assert!(picker.contains("01 Jan 2020") && picker.contains("01 Jan 2024"));
    let token = picker.split_once("name=\"token\" value=\"").unwrap().1;
    let token = &token[..token.find('"').unwrap()];
    let set = |token: &str, fields: &str| {
        let body = format!("token={token}&time=2019&url=http%3A%2F%2Fa.example%2F");
        let length = format!("Content-Length: {}\r\n{fields}", body.len());
        proxy.ask("POST", "http://lastlight.invalid/time", &length, &body)
    };
    // None of these is a form of the picker's own page.
    for (token, fields) in [
        ("", ""),
        ("guess", ""),
        (token, "Origin: http://a.example\r\n"),
        (token, "Origin: null\r\n"),
        (token, "Sec-Fetch-Site: cross-site\r\n"),
    ] {
        assert_eq!(set(token, fields).status, 403, "{token} {fields}");
    }
    for get in ["/time?token=x&time=2019", "/?time=2019"] {
        let url = format!("http://lastlight.invalid{get}");
        assert_ne!(proxy.get(&url, "").status, 303);
    }
    assert_eq!(text(""), "late");
    let done = set(token, "Origin: http://lastlight.invalid\r\n");
    assert_eq!((done.status, done.field("location")), (303, Some(url)));
    assert_eq!(text(""), "early");
    // By TLS too, and framed by nobody.
    let secure = proxy.secure("lastlight.invalid", "/", "");
    assert_eq!(secure.field("x-frame-options"), Some("DENY"));
    assert!(secure.text().contains("01 Jan 2019"));
}

#[test]
fn origins_read_each_other_as_they_did() {
    let head = "200 OK\nContent-Type: application/json\nAccess-Control-Allow-Origin: null";
    let proxy = Proxy::of(&[("https://api.example/", "20260301000000", head, b"{}")]);
    let asked = "Origin: https://www.example\r\n";
    let answer = proxy.secure("api.example", "/", asked);
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://www.example")
    );
    let may = format!(
        "{asked}Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n"
    );
    let answer = proxy.ask("OPTIONS", "http://api.example/", &may, "");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.field("access-control-allow-methods"), Some("PUT"));
    assert_eq!(answer.field("access-control-allow-headers"), Some("x-a"));
    assert_eq!(
        answer.field("access-control-allow-origin"),
        Some("https://www.example")
    );
}

#[test]
fn ranges_and_codings_are_as_the_browser_takes_them() {
    let coded = "200 OK\nContent-Type: text/html\nContent-Encoding: br\nContent-Range: bytes 0-1/9";
    let film = "200 OK\nContent-Type: video/mp4";
    let proxy = Proxy::of(&[
        ("http://a.example/coded", "20260301000000", coded, BROTLI),
        (
            "http://a.example/film",
            "20260301000000",
            film,
            b"0123456789",
        ),
    ]);
    let kept = proxy.get("http://a.example/coded", "Accept-Encoding: gzip, br\r\n");
    assert_eq!(kept.field("content-encoding"), Some("br"));
    assert_eq!(kept.field("content-range"), None);
    assert_eq!(kept.body, BROTLI);
    let decoded = proxy.get("http://a.example/coded", "Accept-Encoding: gzip\r\n");
    assert_eq!(decoded.field("content-encoding"), None);
    assert_eq!(decoded.text(), "<p>packed</p>");
    let part = proxy.get("http://a.example/film", "Range: bytes=2-4\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "234"));
    assert_eq!(part.field("content-range"), Some("bytes 2-4/10"));
    let head = proxy.ask("HEAD", "http://a.example/film", "", "");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn of_several_collections_the_capture_nearest_to_the_time_answers() {
    let directory = scratch();
    let captures = |name: &str, captures| warc(&directory.path().join(name), captures);
    let paths = [
        captures(
            "b.warc",
            &[("http://a.example/", "20200101000000", HTML, b"first")],
        ),
        captures(
            "a.warc",
            &[
                ("http://a.example/", "20260101000000", HTML, b"second"),
                ("http://a.example/only", "20260101000000", HTML, b"only"),
            ],
        ),
    ];
    let proxy = Proxy::of_paths(directory, &paths);
    for (date, body, source) in [
        ("Wed, 01 Jan 2020 00:00:00 GMT", "first", "b"),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "second", "a"),
    ] {
        let at = format!("Accept-Datetime: {date}\r\n");
        let answer = proxy.get("http://a.example/", &at);
        assert_eq!(answer.text(), body);
        assert_eq!(answer.field("x-lastlight-collection"), Some(source));
    }
    assert_eq!(proxy.get("http://a.example/only", "").text(), "only");
    assert!(proxy.said.contains("nearest to the time"), "{}", proxy.said);
    assert!(
        proxy.said.contains("all of them together"),
        "{}",
        proxy.said
    );
}

#[test]
fn what_is_no_request_to_a_proxy_is_refused_and_the_proxy_stays() {
    let proxy = Proxy::of(&[("http://a.example/", "20260301000000", HTML, b"page")]);
    for (request, status) in [
        (
            &b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"[..],
            400,
        ),
        (
            b"GET ftp://a.example/ HTTP/1.1\r\nConnection: close\r\n\r\n",
            400,
        ),
        (b"CONNECT a.example HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT a.example:0 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT \xff\xfe:443 HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT  HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT user@a.example:443 HTTP/1.1\r\n\r\n", 400),
    ] {
        let answer = Answer::of(&proxy.exchange(request));
        assert_eq!(
            answer.status,
            status,
            "{}",
            String::from_utf8_lossy(request)
        );
    }
    let endless = [b"CONNECT ".to_vec(), vec![b'a'; 100_000]].concat();
    assert_eq!(Answer::of(&proxy.exchange(&endless)).status, 431);
    // A tunnel that speaks neither TLS nor HTTP, and one with plain HTTP.
    let tunnel = |rest: &[u8]| {
        let head = b"CONNECT a.example:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        String::from_utf8_lossy(&proxy.exchange(&[head, rest.to_vec()].concat())).into_owned()
    };
    assert!(tunnel(b"\x16\x03\x01\x00\x05hello").starts_with("HTTP/1.1 200 Connection"));
    assert!(tunnel(b"\0\0\0\0\r\n\r\n").contains("400 Bad Request"));
    let plain = tunnel(b"GET / HTTP/1.1\r\nHost: b.example\r\nConnection: close\r\n\r\n");
    assert!(plain.ends_with("page"), "{plain}");
    assert_eq!(proxy.get("http://a.example/", "").text(), "page");
}

#[test]
fn the_authority_is_of_one_run_and_its_key_stands_nowhere() {
    let captures: &[(&str, &str, &str, &[u8])] =
        &[("http://a.example/", "20260301000000", HTML, b"page")];
    let (one, other) = (Proxy::of(captures), Proxy::of(captures));
    let pem = |proxy: &Proxy| proxy.get("http://lastlight.invalid/ca.pem", "").text();
    assert_ne!(pem(&one), pem(&other));
    assert!(!pem(&one).contains("PRIVATE"));
    // Nothing but the WARC is where it runs.
    let written = std::fs::read_dir(one.directory.path()).unwrap().count();
    assert_eq!(written, 1);
}

#[test]
fn the_first_page_opens_in_the_browser_that_is_named_and_ends_with_it() {
    let directory = scratch();
    let path = warc(
        &directory.path().join("one.warc"),
        &[
            ("http://a.example/deep/page", "20260301000000", HTML, b"x"),
            ("http://a.example/", "20260301000000", HTML, b"x"),
        ],
    );
    // A browser that notes how it was called, and whose window is closed at once.
    let (browser, called) = (
        directory.path().join("headless"),
        directory.path().join("called"),
    );
    let script = format!(
        "#!/bin/sh\nfor a; do echo \"$a\"; done > {}\n",
        called.display()
    );
    std::fs::write(&browser, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&browser, mode).unwrap();
    let open = |url: &[&str]| {
        lastlight(["replay", "--listen", "127.0.0.1:0"])
            .arg(&path)
            .arg("--open")
            .args(url)
            .env("LASTLIGHT_CHROMIUM", &browser)
            .run()
            .exits(0)
            .says("in the browser that opens now");
        std::fs::read_to_string(&called).unwrap()
    };
    let alone = open(&[]);
    assert!(alone.ends_with("--\nhttp://a.example/\n"), "{alone}");
    assert!(
        alone.contains("--proxy-server=http://127.0.0.1:"),
        "{alone}"
    );
    let named = open(&["b.example/x"]);
    assert!(named.ends_with("--\nhttp://b.example/x\n"), "{named}");
    let profile = named
        .lines()
        .find_map(|line| line.strip_prefix("--user-data-dir="));
    assert!(!Path::new(profile.unwrap()).exists());
    lastlight(["replay", "x.warc", "--open"])
        .arg(&path)
        .run()
        .exits(2)
        .warns("Put the paths before --open");
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    lastlight(["replay", "--listen", "127.0.0.1:0", "--proxy", &port])
        .arg(&path)
        .run()
        .exits(4)
        .warns("Name another port with --proxy");
}

#[test]
fn a_signal_ends_it() {
    let proxy = Proxy::of(&[("http://a.example/", "20260301000000", HTML, b"page")]);
    let pid = Pid::from_child(&proxy.child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let mut proxy = proxy;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = proxy.child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(0));
}
