//! Through proxies: what the site gets and what is recorded is the same as
//! without, and a proxy's own refusal isn't taken for an answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(10));

/// A proxy that sends everything to one site, whatever it is asked for, and
/// remembers what that was. It stops when it is dropped.
struct Middleman {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Clone, Copy)]
enum Speaks {
    Http,
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
                        Speaks::Http => http(stream, site, &notes),
                        Speaks::Socks5 => socks(stream, site, &notes),
                    }
                });
            }
        });
        Self {
            address,
            asked,
            stopped,
            thread: Some(thread),
        }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
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

fn http(mut client: TcpStream, site: SocketAddr, notes: &Mutex<Vec<String>>) {
    let mut server: Option<TcpStream> = None;
    while let Some(asked) = head(&mut client) {
        notes.lock().unwrap().push(asked.clone());
        if !asked.contains("Proxy-Authorization: Basic bWU6c2VzYW1l\r\n") {
            let refusal =
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
            let _ = client.write_all(refusal);
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
fn socks(mut client: TcpStream, site: SocketAddr, notes: &Mutex<Vec<String>>) {
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        client.read_exact(&mut bytes).ok().map(|()| bytes)
    };
    let mut greet = || {
        let start = take(2)?;
        take(usize::from(start[1])).map(drop)
    };
    if greet().is_none() {
        return;
    }
    client.write_all(&[5, 2]).unwrap();
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        client.read_exact(&mut bytes).unwrap();
        bytes
    };
    let user = take(2);
    let user = take(usize::from(user[1]));
    let password = take(1);
    let password = take(usize::from(password[0]));
    let is_known = user == b"me" && password == b"sesame";
    client.write_all(&[1, u8::from(!is_known)]).unwrap();
    if !is_known {
        return;
    }
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        client.read_exact(&mut bytes).unwrap();
        bytes
    };
    let start = take(4);
    let target = match start[3] {
        1 => take(4)
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join("."),
        3 => {
            let length = take(1);
            String::from_utf8(take(usize::from(length[0]))).unwrap()
        }
        _ => return,
    };
    let port = take(2);
    let port = u16::from_be_bytes([port[0], port[1]]);
    notes.lock().unwrap().push(format!("{target}:{port}"));
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
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
    let settings = format!(
        "[proxy]\nurl = \"http://{}\"\nlogin = \"me:sesame\"\n",
        proxy.address
    );
    crawl(SEED, &into)
        .config(directory.path(), &settings)
        .run()
        .exits(0);
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
        let settings = format!(
            "[proxy]\nurl = \"{scheme}://{}\"\nlogin = \"me:sesame\"\n",
            proxy.address
        );
        let seed = format!("https://localhost:{}/", site.port());
        crawl(&seed, &into)
            .env("SSL_CERT_FILE", &authority.file)
            .config(authority.directory.path(), &settings)
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
    let settings = format!(
        "[proxy]\nurl = \"socks5://{}\"\nlogin = \"me:sesame\"\ndirect = [\"127.0.0.0/8\"]\n",
        proxy.address
    );
    let into = directory.path().join("socks");
    crawl(SEED, &into)
        .config(directory.path(), &settings)
        .arg(beside.url("/"))
        .run()
        .exits(0);
    assert!(
        proxy
            .asked()
            .iter()
            .all(|asked| asked == "site.example:8099"),
        "{:?}",
        proxy.asked()
    );
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
    let settings = format!(
        "[proxy]\nurl = \"socks5://{}\"\nlogin = \"me:sesame\"\n",
        proxy.address
    );
    crawl(SEED, &into)
        .config(directory.path(), &settings)
        .args(["--include", "^http://"])
        .run()
        .exits(0);
    assert!(
        proxy
            .asked()
            .iter()
            .all(|asked| asked == "site.example:8099"),
        "{:?}",
        proxy.asked()
    );
    let row = Snapshot::at(&into).row("http://10.0.0.1/");
    assert_eq!(row["state"], "excluded");
    assert!(row["reason"].starts_with("address:"), "{row:?}");
}
