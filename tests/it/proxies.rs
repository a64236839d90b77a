//! Through proxies: what the site gets and what is recorded is the same as
//! without, and what a proxy says itself isn't taken for an answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{Run, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// A proxy that sends everything to one site, whatever it is asked for, and
/// remembers what that was. It stops when it is dropped.
struct Middleman {
    speaks: Speaks,
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone, Copy)]
enum Speaks {
    Http,
    /// Answers some requests itself: by what is asked for, and how often it was
    /// before.
    HttpItself(fn(&str, usize) -> Option<&'static str>),
    Socks5,
}

impl Middleman {
    fn start(speaks: Speaks, site: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, stopped) = (Arc::new(Mutex::default()), Arc::new(AtomicBool::new(false)));
        let (notes, told) = (asked.clone(), stopped.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if told.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), notes) = (stream, notes.clone()) else {
                    continue;
                };
                std::thread::spawn(move || {
                    let _ = stream.set_read_timeout(PATIENCE);
                    match speaks {
                        Speaks::Http => http(stream, site, &notes, login_wanted),
                        Speaks::HttpItself(own) => http(stream, site, &notes, own),
                        Speaks::Socks5 => socks(stream, site, &notes),
                    }
                });
            }
        });
        Self {
            speaks,
            address,
            asked,
            stopped,
            thread: Some(thread),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A crawl through it, with `more` of its configuration.
    fn crawl(&self, seed: &str, into: &Path, more: &str) -> Run {
        let scheme = match self.speaks {
            Speaks::Http | Speaks::HttpItself(_) => "http",
            Speaks::Socks5 => "socks5",
        };
        let address = self.address;
        let settings =
            format!("[proxy]\nurl = \"{scheme}://{address}\"\nlogin = \"me:sesame\"\n{more}");
        crawl(seed, into).config(into.parent().unwrap(), &settings)
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(bytes).unwrap())
}

fn login_wanted(asked: &str, _: usize) -> Option<&'static str> {
    let is_known = asked.contains("Proxy-Authorization: Basic bWU6c2VzYW1l\r\n");
    (!is_known).then_some("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
}

fn http(
    mut client: TcpStream,
    site: SocketAddr,
    notes: &Mutex<Vec<String>>,
    own: fn(&str, usize) -> Option<&'static str>,
) {
    let mut server: Option<TcpStream> = None;
    while let Some(asked) = head(&mut client) {
        let before = {
            let mut notes = notes.lock().unwrap();
            notes.push(asked.clone());
            let line = asked.lines().next().unwrap();
            notes.iter().filter(|note| note.starts_with(line)).count() - 1
        };
        if let Some(answer) = own(&asked, before) {
            let _ = client.write_all(answer.as_bytes());
            continue;
        }
        if asked.starts_with("CONNECT ") {
            let _ = client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n");
            return tie(client, &TcpStream::connect(site).unwrap());
        }
        // Forwarded: the target's path, without what is for the proxy.
        let (method, rest) = asked.split_once(" http://").unwrap();
        let (_, rest) = rest.split_once('/').unwrap();
        let forwarded =
            format!("{method} /{rest}").replace("Proxy-Authorization: Basic bWU6c2VzYW1l\r\n", "");
        let mut stream = server
            .take()
            .unwrap_or_else(|| TcpStream::connect(site).unwrap());
        let _ = stream.set_read_timeout(PATIENCE);
        stream.write_all(forwarded.as_bytes()).unwrap();
        let answer = head(&mut stream).unwrap();
        let length = answer
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: "))
            .unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        server = Some(stream);
        if client
            .write_all(&[answer.as_bytes(), &body].concat())
            .is_err()
        {
            return;
        }
    }
}

/// RFC 1928, with the login of RFC 1929.
fn socks(client: TcpStream, site: SocketAddr, notes: &Mutex<Vec<String>>) {
    let take = |n: usize| {
        let mut bytes = vec![0; n];
        (&client).read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let counted = || take(usize::from(*take(1)?.first()?));
    let target = || {
        take(1)?;
        counted()?;
        (&client).write_all(&[5, 2]).ok()?;
        take(1)?;
        let login = (counted()?, counted()?);
        let is_known = login == (b"me".to_vec(), b"sesame".to_vec());
        (&client).write_all(&[1, u8::from(!is_known)]).ok()?;
        let kind = take(4).filter(|_| is_known)?[3];
        let name = match kind {
            1 => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(take(4)?).ok()?).to_string(),
            3 => String::from_utf8(counted()?).ok()?,
            _ => return None,
        };
        let port = take(2)?;
        Some(format!("{name}:{}", u16::from_be_bytes([port[0], port[1]])))
    };
    let Some(target) = target() else {
        return;
    };
    notes.lock().unwrap().push(target);
    (&client)
        .write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])
        .unwrap();
    tie(client, &TcpStream::connect(site).unwrap());
}

fn tie(client: TcpStream, server: &TcpStream) {
    let (mut up_from, mut up_to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (mut down_from, mut down_to) = (server.try_clone().unwrap(), client);
    let up = std::thread::spawn(move || {
        let _ = std::io::copy(&mut up_from, &mut up_to);
        let _ = up_to.shutdown(std::net::Shutdown::Write);
    });
    let _ = std::io::copy(&mut down_from, &mut down_to);
    let _ = down_to.shutdown(std::net::Shutdown::Both);
    let _ = up.join();
}

fn site() -> Wire {
    Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&["/next?q=1"]))))
}

fn address(wire: &Wire) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, wire.port()))
}

/// `site.example` doesn't resolve: only the proxy knows where it is.
const SEED: &str = "http://site.example:8099/";

#[test]
fn an_http_proxy_forwards_and_the_record_is_what_the_site_gets() {
    let site = site();
    let proxy = Middleman::start(Speaks::Http, address(&site));
    let directory = scratch();
    let into = directory.path().join("forwarded");
    proxy.crawl(SEED, &into, "").run().exits(0);
    let asked = proxy.asked();
    assert!(
        asked
            .iter()
            .all(|asked| asked.starts_with("GET http://site.example:8099/")),
        "{asked:?}"
    );
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&format!("{SEED}next?q=1"))["status"], "404");
    let records = snapshot.records();
    let of = |kind: &str| {
        records
            .iter()
            .find(|r| r.kind() == kind && r.url() == SEED)
            .unwrap()
    };
    let request = String::from_utf8(of("request").block.clone()).unwrap();
    assert_eq!(
        request.as_bytes(),
        site.asked()[0].bytes,
        "what the site got"
    );
    assert!(
        request.starts_with("GET / HTTP/1.1\r\nHost: site.example:8099\r\n"),
        "{request}"
    );
    assert_eq!(
        of("response").field("WARC-IP-Address"),
        None,
        "the proxy alone knows it"
    );
    let metadata = String::from_utf8(of("metadata").block.clone()).unwrap();
    assert!(
        metadata.contains(&format!("proxy: http://{}", proxy.address)),
        "{metadata}"
    );
    assert!(!snapshot.text("metadata/config.toml").contains("sesame"));
    lastlight(["verify"]).arg(&into).run().exits(0);
    lastlight(["deposit", "--as", "wacz"])
        .arg(&into)
        .run()
        .exits(0);
}

#[test]
fn a_proxy_that_wants_a_login_is_named_and_its_refusal_is_no_capture() {
    let site = site();
    let proxy = Middleman::start(Speaks::Http, address(&site));
    for seed in [SEED, "https://site.example:8099/"] {
        let directory = scratch();
        let into = directory.path().join("refused");
        let settings = format!(
            "[proxy]\nurl = \"http://{}\"\n[fetch]\nretries = 0\n",
            proxy.address
        );
        crawl(seed, &into)
            .config(directory.path(), &settings)
            .run()
            .exits(1);
        let row = Snapshot::at(&into).row(&format!("{seed}robots.txt"));
        assert_eq!(row["state"], "failed");
        assert!(
            row["reason"].starts_with("proxy: ") && row["reason"].contains("407"),
            "{row:?}"
        );
    }
    assert!(site.asked().is_empty());
}

#[test]
fn a_tunnel_carries_tls_to_the_site_itself() {
    let authority = crate::tls::authority();
    let site = Wire::serve_tls(authority.server.clone(), |asked| {
        (asked.target == "/").then(|| Reply::Keep(page(&["/next"])))
    });
    for (speaks, scheme) in [(Speaks::Http, "http"), (Speaks::Socks5, "socks5")] {
        let proxy = Middleman::start(speaks, address(&site));
        let into = authority.directory.path().join(scheme);
        let seed = format!("https://localhost:{}/", site.port());
        proxy
            .crawl(&seed, &into, "")
            .env("SSL_CERT_FILE", &authority.file)
            .run()
            .exits(0);
        assert!(
            proxy.asked()[0].contains(&format!("localhost:{}", site.port())),
            "{:?}",
            proxy.asked()
        );
        let record = Snapshot::at(&into).response(&seed);
        assert_eq!(record.block, page(&["/next"]));
        assert_eq!(record.all("WARC-Protocol"), ["http/1.1", "tls/1.3"]);
    }
}

#[test]
fn a_socks_proxy_looks_the_name_up_and_some_hosts_are_reached_directly() {
    let (site, beside) = (site(), site());
    let proxy = Middleman::start(Speaks::Socks5, address(&site));
    let directory = scratch();
    let into = directory.path().join("socks");
    proxy
        .crawl(SEED, &into, "direct = [\"127.0.0.0/8\"]\n")
        .arg(beside.url("/"))
        .run()
        .exits(0);
    assert_eq!(names(&proxy), ["site.example:8099"]);
    assert_eq!((site.times("/"), beside.times("/")), (1, 1));
}

#[test]
fn addresses_that_are_not_public_are_refused_through_a_proxy_too() {
    let site = Wire::serve(|asked| {
        let links = [
            "http://10.0.0.1/",
            "http://169.254.169.254/latest",
            "http://2130706433/",
        ];
        (asked.target == "/").then(|| Reply::Keep(page(&links)))
    });
    let proxy = Middleman::start(Speaks::Socks5, address(&site));
    let directory = scratch();
    let into = directory.path().join("guarded");
    proxy
        .crawl(SEED, &into, "")
        .args(["--include", "^http://"])
        .run()
        .exits(0);
    assert_eq!(names(&proxy), ["site.example:8099"]);
    let row = Snapshot::at(&into).row("http://10.0.0.1/");
    assert_eq!(row["state"], "excluded");
    assert!(row["reason"].starts_with("address:"), "{row:?}");
}

/// What a SOCKS proxy was asked for, each once.
fn names(proxy: &Middleman) -> Vec<String> {
    let mut names = proxy.asked();
    names.sort();
    names.dedup();
    names
}

#[test]
fn names_that_cannot_be_public_are_refused_through_a_proxy() {
    let own = [
        "http://wiki/",
        "http://wiki.internal/",
        "http://files.internal/",
        "http://printer.local/",
        "http://nas.home.arpa/",
        "http://db.corp/",
    ];
    let site = Wire::serve(move |asked| {
        let links = [&own[..], &["http://www.public.org/"]].concat();
        (asked.target == "/").then(|| Reply::Keep(page(&links)))
    });
    let proxy = Middleman::start(Speaks::Socks5, address(&site));
    let directory = scratch();
    let into = directory.path().join("names");
    proxy
        .crawl(SEED, &into, "[address]\nallow = [\"wiki.internal\"]\n")
        .args(["--include", "^http://", "--max-urls", "9"])
        .run();
    let asked = ["site.example:8099", "wiki.internal:80", "www.public.org:80"];
    assert_eq!(names(&proxy), asked);
    let snapshot = Snapshot::at(&into);
    for url in own.iter().filter(|url| **url != "http://wiki.internal/") {
        let row = snapshot.row(url);
        assert_eq!(row["state"], "excluded");
        assert!(row["reason"].starts_with("address:"), "{row:?}");
    }
}

#[test]
fn what_a_proxy_says_of_robots_txt_opens_nothing() {
    let site = site();
    let denied = |asked: &str, _: usize| {
        asked.contains("/robots.txt").then_some(
            "HTTP/1.1 403 Forbidden\r\nServer: squid/5.7\r\nX-Squid-Error: ERR_ACCESS_DENIED 0\r\n\
             Via: 1.1 mine (squid/5.7)\r\nContent-Length: 2\r\n\r\nno",
        )
    };
    let proxy = Middleman::start(Speaks::HttpItself(denied), address(&site));
    let directory = scratch();
    let into = directory.path().join("denied");
    proxy
        .crawl(SEED, &into, "[fetch]\nretries = 0\n")
        .run()
        .exits(1);
    let snapshot = Snapshot::at(&into);
    let row = snapshot.row(&format!("{SEED}robots.txt"));
    assert_eq!(row["state"], "failed");
    assert!(row["reason"].contains("ERR_ACCESS_DENIED"), "{row:?}");
    assert_eq!(snapshot.row(SEED)["state"], "failed");
    assert_eq!(site.times("/"), 0);
}

#[test]
fn a_proxys_error_page_is_tried_again_and_never_captured() {
    let site = site();
    let once = |asked: &str, before: usize| {
        (asked.contains("/next") && before == 0).then_some(
            "HTTP/1.1 504 Gateway Timeout\r\nProxy-Status: mine; error=connection_timeout\r\n\
             Content-Length: 10\r\n\r\nproxy page",
        )
    };
    let proxy = Middleman::start(Speaks::HttpItself(once), address(&site));
    let directory = scratch();
    let into = directory.path().join("once");
    proxy.crawl(SEED, &into, "").run().exits(0);
    let snapshot = Snapshot::at(&into);
    let next = format!("{SEED}next?q=1");
    assert_eq!(snapshot.row(&next)["status"], "404");
    let records = snapshot.records();
    assert!(
        records.iter().all(|record| {
            let block = String::from_utf8_lossy(&record.block);
            record.url() != next || !block.contains("proxy page")
        }),
        "the proxy's page is recorded"
    );
    assert!(
        snapshot
            .text("logs/crawl.jsonl")
            .contains("connection_timeout")
    );
}
