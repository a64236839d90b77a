//! Servers that mean harm are crawled beside an honest site: the crawl ends by
//! itself, in bounded memory, with every URL's end named and the honest site whole.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{crawl, lastlight, resident_peak, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

/// No connection is kept up for longer, whatever the crawler does.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most memory that the crawler may take.
const MOST_KIB: u64 = 256 * 1024;

/// Times are shorter than one would wait, and long enough for bombs to be made on
/// a busy machine; the bounds of memory are the defaults.
const SETTINGS: &str = "
[fetch]
connect_timeout = \"5s\"
retries = 0
[limits]
idle = \"10s\"
time = \"20s\"
body = \"64 MiB\"
[politeness]
delay = \"0s\"
outage = \"1s\"
";

type Behaviour = fn(&mut TcpStream, &str, &AtomicBool) -> io::Result<()>;

/// A server that does what it likes with each request, and stops when dropped.
struct Foe {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Foe {
    /// At an address of its own. `hears` says whether it waits for requests;
    /// robots.txt then allows everything.
    fn serve(at: u8, hears: bool, behaviour: Behaviour) -> Self {
        let address = IpAddr::V4(Ipv4Addr::new(127, 0, 1, at));
        let listener = TcpListener::bind((address, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = stopped.clone();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(mut stream) = stream else { continue };
                let stop = stop.clone();
                std::thread::spawn(move || {
                    let _ = stream.set_read_timeout(Some(PATIENCE));
                    let _ = stream.set_write_timeout(Some(PATIENCE));
                    let target = if hears {
                        match heard(&mut stream) {
                            Some(target) => target,
                            None => return,
                        }
                    } else {
                        String::new()
                    };
                    if target == "/robots.txt" {
                        let _ = stream.write_all(
                            b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                        );
                    } else {
                        let _ = behaviour(&mut stream, &target, &stop);
                    }
                });
            }
        });
        Self {
            address,
            stopped,
            thread: Some(thread),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Foe {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn heard(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let text = String::from_utf8_lossy(&bytes);
    text.split(' ').nth(1).map(str::to_owned)
}

/// Writes the same bytes again and again, with a pause between.
fn forever(
    stream: &mut TcpStream,
    stop: &AtomicBool,
    bytes: &[u8],
    pause: Duration,
) -> io::Result<()> {
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
        stream.write_all(bytes)?;
        std::thread::sleep(pause);
    }
    Ok(())
}

fn say(stream: &mut TcpStream, headers: &[&str], body: impl AsRef<[u8]>) -> io::Result<()> {
    let mut all = vec!["Connection: close"];
    all.extend_from_slice(headers);
    stream.write_all(&answer("200 OK", &all, body))
}

const HTML: &str = "Content-Type: text/html";
const SLOWLY: Duration = Duration::from_millis(100);
const AT_ONCE: Duration = Duration::ZERO;

/// A page's worth of zeros that says that it is far more.
fn gzip_of_zeros() -> Vec<u8> {
    use flate2::{Compression, write::GzEncoder};
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(&vec![b' '; 8 << 20]).unwrap();
    let member = member.finish().unwrap();
    // 1 GiB in all.
    member.repeat(128)
}

/// 64 MiB in 62 bytes: `<p>`, then zeros.
const BROTLI: [u8; 62] = [
    0xcf, 0xff, 0xff, 0x7f, 0x00, 0xa4, 0x01, 0x78, 0x7c, 0xe0, 0xc4, 0x69, 0x81, 0xd8, 0xde, 0xff,
    0x7b, 0xf0, 0xff, 0xff, 0x1f, 0x00, 0x09, 0x80, 0x38, 0x2c, 0x00, 0xdd, 0xfb, 0x7f, 0xfe, 0xff,
    0xff, 0x03, 0x20, 0x01, 0x10, 0x87, 0x05, 0xa0, 0x7b, 0xff, 0xcf, 0xff, 0xff, 0x7f, 0x00, 0x24,
    0x00, 0xe2, 0xb0, 0x00, 0x74, 0xef, 0xff, 0x21, 0x00, 0x10, 0x01, 0x00, 0x00, 0x00,
];

/// Each foe: what it is called, whether it hears requests, and what it does.
const FOES: &[(&str, bool, Behaviour)] = &[
    ("silence", true, |_, _, stop| {
        let begun = Instant::now();
        while !stop.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
            std::thread::sleep(SLOWLY);
        }
        Ok(())
    }),
    ("slow-head", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ")?;
        forever(stream, stop, b"a", SLOWLY)
    }),
    ("slow-body", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
        forever(stream, stop, b"a", SLOWLY)
    }),
    ("slow-chunks", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        forever(stream, stop, b"1\r\na\r\n", SLOWLY)
    }),
    ("slow-chunk-size", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        forever(stream, stop, b"0", SLOWLY)
    }),
    ("endless-body", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")?;
        forever(stream, stop, &[b'x'; 65536], AT_ONCE)
    }),
    ("endless-chunks", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        let chunk = [b"10000\r\n".to_vec(), vec![b'x'; 65536], b"\r\n".to_vec()].concat();
        forever(stream, stop, &chunk, AT_ONCE)
    }),
    ("endless-trailers", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")?;
        forever(stream, stop, &b"X-Trailer: a\r\n".repeat(1000), AT_ONCE)
    }),
    ("endless-fields", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        forever(stream, stop, &b"X-Field: a\r\n".repeat(1000), AT_ONCE)
    }),
    ("endless-status-line", true, |stream, _, stop| {
        stream.write_all(b"HTTP/1.1 200 ")?;
        forever(stream, stop, &[b'O'; 65536], AT_ONCE)
    }),
    ("endless-interim", true, |stream, _, stop| {
        forever(
            stream,
            stop,
            &b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100),
            AT_ONCE,
        )
    }),
    ("endless-blank-lines", true, |stream, _, stop| {
        forever(stream, stop, &b"\r\n".repeat(10_000), AT_ONCE)
    }),
    ("reset", false, |stream, _, _| {
        Ok(rustix::net::sockopt::set_socket_linger(
            stream,
            Some(AT_ONCE),
        )?)
    }),
    ("garbage", false, |stream, _, stop| {
        forever(stream, stop, &[0xa5; 65536], AT_ONCE)
    }),
    ("gzip-bomb", true, |stream, _, _| {
        say(stream, &[HTML, "Content-Encoding: gzip"], gzip_of_zeros())
    }),
    ("brotli-bomb", true, |stream, _, _| {
        say(stream, &[HTML, "Content-Encoding: br"], BROTLI)
    }),
    ("zstd-bomb", true, |stream, _, _| {
        let bomb = zstd::encode_all(&vec![b' '; 64 << 20][..], 1)?;
        say(stream, &[HTML, "Content-Encoding: zstd"], bomb.repeat(16))
    }),
    ("nested-codings", true, |stream, _, _| {
        use flate2::{Compression, write::GzEncoder};
        let mut body = gzip_of_zeros();
        for _ in 0..40 {
            let mut outer = GzEncoder::new(Vec::new(), Compression::best());
            outer.write_all(&body)?;
            body = outer.finish()?;
        }
        let codings = vec!["gzip"; 41].join(", ");
        say(
            stream,
            &[HTML, &format!("Content-Encoding: {codings}")],
            body,
        )
    }),
    ("redirect-loop", true, |stream, target, _| {
        let to = if target.ends_with("/a") { "b" } else { "a" };
        stream.write_all(&answer(
            "302 Found",
            &["Connection: close", &format!("Location: /x/{to}")],
            "",
        ))
    }),
    ("redirect-chain", true, |stream, target, _| {
        let at: u64 = target.rsplit('/').next().unwrap().parse().unwrap_or(0);
        stream.write_all(&answer(
            "302 Found",
            &["Connection: close", &format!("Location: /x/{}", at + 1)],
            "",
        ))
    }),
    ("refresh-chain", true, |stream, target, _| {
        let at: u64 = target.rsplit('/').next().unwrap().parse().unwrap_or(0);
        say(
            stream,
            &[HTML, &format!("Refresh: 0; url=/x/{}", at + 1)],
            "",
        )
    }),
    ("million-links", true, |stream, _, _| {
        let mut html = String::new();
        for at in 0..1_000_000 {
            html += &format!("<a href={at}>");
        }
        say(stream, &[HTML, "Link: </s>; rel=nofollow"], html)
    }),
    ("long-base", true, |stream, _, _| {
        let mut html = format!("<base href=\"/{}/\">", "b".repeat(15_000));
        for at in 0..200_000 {
            html += &format!("<a href={at}>");
        }
        say(stream, &[HTML], html)
    }),
    ("long-urls", true, |stream, _, _| {
        let mut html = String::new();
        for at in 0..300 {
            html += &format!("<a href=\"/{at}/{}\">", "u".repeat(64_000));
            html += &format!("<a href=\"/{at}/{}\">", "u".repeat(15_000));
        }
        say(stream, &[HTML], html)
    }),
    ("deep-html", true, |stream, _, _| {
        say(
            stream,
            &[HTML],
            "<div><table><svg><template>".repeat(200_000),
        )
    }),
    ("open-ends", true, |stream, target, _| {
        let filling = "x".repeat(2 << 20);
        let html = match target.len() % 4 {
            0 => format!("<!--{filling}"),
            1 => format!("<a href=\"{filling}"),
            2 => format!("<script>{filling}"),
            _ => format!("<p {filling}"),
        };
        let links = "<a href=/x/1><a href=/x/22><a href=/x/333>";
        say(stream, &[HTML], [links, &html].concat())
    }),
    ("attributes", true, |stream, _, _| {
        let many = " a=b".repeat(500_000);
        let sources = "x 1x,".repeat(200_000);
        say(
            stream,
            &[HTML],
            format!("<p{many}><img srcset=\"{sources}\">"),
        )
    }),
    ("script", true, |stream, _, _| {
        let mut script = String::new();
        for at in 0..300_000 {
            script += &format!("\"/s/{at}.js\",");
        }
        let html = format!("<script>x=[{script}]</script>");
        say(stream, &[HTML], html)
    }),
    ("json-ld", true, |stream, _, _| {
        let deep = "[".repeat(1_000_000);
        let html = format!("<script type=application/ld+json>{deep}</script>");
        say(stream, &[HTML], html)
    }),
    ("css", true, |stream, _, _| {
        let deep = "a{b:calc((".repeat(100_000);
        let imports = "@import url(x);".repeat(100_000);
        say(stream, &["Content-Type: text/css"], imports + &deep)
    }),
    ("sitemap-bomb", true, |stream, target, _| {
        let at: u64 = target.rsplit('/').next().unwrap().parse().unwrap_or(0);
        let mut xml = "<?xml version=\"1.0\"?><sitemapindex>".to_owned();
        for below in 0..3 {
            let next = at * 3 + below + 1;
            xml += &format!(
                "<sitemap><loc>http://{}/x/{next}</loc></sitemap>",
                stream.local_addr()?
            );
        }
        say(
            stream,
            &["Content-Type: application/xml"],
            xml + "</sitemapindex>",
        )
    }),
    ("entities", true, |stream, _, _| {
        let mut xml =
            "<?xml version=\"1.0\"?><!DOCTYPE urlset [<!ENTITY a0 \"aaaaaaaaaa\">".to_owned();
        for at in 1..30 {
            let below = format!("&a{};", at - 1).repeat(10);
            xml += &format!("<!ENTITY a{at} \"{below}\">");
        }
        xml += "]><urlset><url><loc>http://x/&a29;</loc></url></urlset>";
        say(stream, &["Content-Type: application/xml"], xml)
    }),
    ("cookies", true, |stream, _, _| {
        let cookies: Vec<String> = (0..200)
            .map(|at| format!("Set-Cookie: c{at}={}; Max-Age=9999", "c".repeat(4000)))
            .collect();
        let cookies: Vec<&str> = cookies.iter().map(String::as_str).collect();
        say(stream, &cookies, "")
    }),
    ("link-fields", true, |stream, target, _| {
        // Its other pages would cost the test's time and show nothing more.
        if target != "/x/0" {
            return say(stream, &[HTML], "");
        }
        let mut value = "Link: ".to_owned();
        for at in 0..20_000 {
            value += &format!("<{at}>; rel=next,");
        }
        say(stream, &[&value], "")
    }),
    ("many-hosts", true, |stream, _, _| {
        let port = stream.local_addr()?.port();
        let mut html = String::new();
        for at in 0..1000 {
            html += &format!("<img src=http://h{at}.localhost:{port}/>");
        }
        say(stream, &[HTML], html)
    }),
];

/// The rest of what may go wrong before there is an answer: over TLS, and in
/// robots.txt itself.
fn endless_robots(stream: &mut TcpStream, stop: &AtomicBool) -> io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nUser-agent: *\n")?;
    forever(stream, stop, &b"Disallow: /none\n".repeat(1000), AT_ONCE)
}

/// How some of them end: state, and how the reason begins.
const ENDS: &[(&str, &str, &str)] = &[
    ("silence", "failed", "timeout: "),
    ("slow-body", "failed", "cut: time"),
    ("slow-chunks", "failed", "cut: time"),
    ("slow-chunk-size", "failed", "cut: "),
    ("endless-body", "failed", "cut: length"),
    ("endless-chunks", "failed", "cut: length"),
    ("reset", "failed", ""),
    ("redirect-loop", "captured", ""),
    ("gzip-bomb", "captured", ""),
    ("brotli-bomb", "captured", ""),
    ("zstd-bomb", "captured", ""),
    ("nested-codings", "captured", ""),
    ("million-links", "captured", ""),
    ("long-base", "captured", ""),
    ("tls-silence", "failed", ""),
    ("tls-garbage", "failed", ""),
];

/// A thousand words that no other page has: pages that say the same over and
/// over would be a trap.
fn words(page: usize) -> String {
    let word = |n: usize| {
        let digits = n.to_string();
        let letters = digits.bytes().map(|digit| char::from(digit - b'0' + b'a'));
        letters.chain([' ']).collect::<String>()
    };
    (0..1000).map(|at| word(page * 1000 + at)).collect()
}

#[test]
fn hostile_servers_are_told_by_name_and_the_honest_site_among_them_is_whole() {
    const PAGES: usize = 300;
    let foes: Vec<(&str, Foe)> = FOES
        .iter()
        .zip(10..)
        .map(|(&(name, hears, behaviour), at)| (name, Foe::serve(at, hears, behaviour)))
        .collect();
    // What follows doesn't hear: all that it gets are bytes of TLS, or the
    // request for robots.txt itself.
    let tls_silence = Foe::serve(200, false, FOES[0].2);
    let tls_garbage = Foe::serve(201, false, |stream, _, stop| {
        forever(stream, stop, &[0xa5; 4096], AT_ONCE)
    });
    let robots = Foe::serve(202, false, |stream, _, stop| {
        let _ = heard(stream);
        endless_robots(stream, stop)
    });
    let mut bad: Vec<(&str, String)> = foes
        .iter()
        .map(|(name, foe)| (*name, foe.url("/x/0")))
        .collect();
    bad.push((
        "tls-silence",
        tls_silence.url("/").replace("http:", "https:"),
    ));
    bad.push((
        "tls-garbage",
        tls_garbage.url("/").replace("http:", "https:"),
    ));
    bad.push(("endless-robots", robots.url("/")));

    let shown: Vec<String> = bad
        .iter()
        .map(|(_, url)| format!("<iframe src=\"{url}\"></iframe>"))
        .collect();
    let shown = shown.concat();
    let site = Wire::serve(move |asked| {
        let html = match asked.target.as_str() {
            "/" => shown.clone() + "<a href=/0>pages</a>",
            target => {
                let at: usize = target[1..].parse().ok()?;
                if at >= PAGES {
                    return None;
                }
                format!(
                    "<title>{at}</title><a href=/{}>next</a><p>{}",
                    at + 1,
                    words(at)
                )
            }
        };
        Some(Reply::Keep(answer("200 OK", &[HTML], html)))
    });
    let directory = scratch();
    let into = directory.path().join("hostile");
    let mut running = crawl(site.url("/"), &into)
        .args(["--allow-address", "127.0.0.0/8"])
        .config(directory.path(), SETTINGS)
        .patient(Duration::from_mins(8))
        .start();
    let mut peak = 0;
    while !running.has_ended() {
        peak = peak.max(resident_peak(running.pid()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    // Some failed, and that is said.
    running.end().exits(1);
    assert!(peak > 1024 && peak < MOST_KIB, "{peak} KiB");

    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();
    for at in 0..PAGES {
        let url = site.url(&format!("/{at}"));
        assert_eq!(ledger[&url]["state"], "captured", "{url}");
    }
    for row in ledger.values() {
        let (state, reason) = (&row["state"], &row["reason"]);
        assert!(
            state == "captured" || (state != "unreached" && !reason.is_empty()),
            "{row:?}"
        );
    }
    for &(name, state, reason) in ENDS {
        let (_, url) = bad.iter().find(|(bad, _)| *bad == name).unwrap();
        let row = &ledger[url];
        assert_eq!(row["state"], state, "{name}: {row:?}");
        assert!(row["reason"].starts_with(reason), "{name}: {row:?}");
    }
    lastlight(["verify"])
        .arg(&into)
        .patient(Duration::from_mins(4))
        .run()
        .exits(0);
}
