//! With the site gone, its captures answer: over HTTP on loopback, from the
//! snapshot and from its packages, and never from anywhere else.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::{Captured, Running, cache_home, captured, lastlight, scratch};
use crate::holdings::Snapshot;

/// `lastlight replay` of one path.
pub struct Replay {
    running: Running,
    port: u16,
    collection: String,
}

pub struct Answer {
    pub status: u16,
    head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (field, value) = line.split_once(": ")?;
            field.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Replay {
    pub fn of(path: &Path, collection: &str) -> Self {
        Self::of_all(&[path], collection)
    }

    /// Of several paths; the collection is the one that is asked.
    pub fn of_all(paths: &[&Path], collection: &str) -> Self {
        Self::with_cache(paths, collection, &cache_home())
    }

    /// As [`Replay::of_all`], with a directory for indexes of its own.
    fn with_cache(paths: &[&Path], collection: &str, cache: &Path) -> Self {
        Self::with(&[], paths, collection, cache)
    }

    fn with(arguments: &[&str], paths: &[&Path], collection: &str, cache: &Path) -> Self {
        // Another server may take the port before it does, and answer there instead.
        let mut tries = 0..5;
        loop {
            tries.next().expect("a port that nobody takes");
            let replay = Self::at(free_port(), arguments, paths, collection, cache);
            if let Some(replay) = replay {
                return replay;
            }
        }
    }

    /// At a port, unless that is taken.
    fn at(
        port: u16,
        arguments: &[&str],
        paths: &[&Path],
        collection: &str,
        cache: &Path,
    ) -> Option<Self> {
        let running = lastlight(["replay", "--listen", &format!("127.0.0.1:{port}")])
            .args(arguments)
            .args(paths)
            .env("XDG_CACHE_HOME", cache)
            .start();
        let mut replay = Self {
            running,
            port,
            collection: collection.to_owned(),
        };
        let begun = Instant::now();
        while !replay.is_there() {
            if replay.running.has_ended() {
                let ended = replay.running.end();
                assert!(ended.stderr.contains("in use"), "the replay ended: {ended}");
                return None;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "the replay doesn't listen"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(replay)
    }

    /// Whether it is this that answers at its port.
    fn is_there(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else {
            return false;
        };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
        let host = format!("nobody.example:{}", self.port);
        let asked = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let mut answer = Vec::new();
        let told = stream
            .write_all(asked.as_bytes())
            .and_then(|()| stream.read_to_end(&mut answer));
        // Only it says so (RFC 9110 §15.5.20) of a host that isn't its own.
        told.is_ok() && answer.starts_with(b"HTTP/1.1 421 ")
    }

    /// Asks by a Host header, with the connection closed after the answer.
    pub fn ask(&self, host: &str, target: &str) -> Answer {
        self.ask_for("iframe", host, target)
    }

    /// As a browser asks for what it needs as `destination` (Sec-Fetch-Dest).
    fn ask_for(&self, destination: &str, host: &str, target: &str) -> Answer {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(stream, "GET {target} HTTP/1.1\r\nHost: {host}\r\nSec-Fetch-Dest: {destination}\r\nConnection: close\r\n\r\n").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = bytes.split_off(end + 4);
        if head
            .to_ascii_lowercase()
            .contains("transfer-encoding: chunked")
        {
            body = dechunked(&body);
        }
        Answer { status, head, body }
    }

    /// Asks the interface.
    pub fn interface(&self, target: &str) -> Answer {
        self.ask(&format!("lastlight.localhost:{}", self.port), target)
    }

    /// Asks for an archived URL at its own origin, at a time, as a frame does.
    pub fn content(&self, url: &str, time: &str) -> Answer {
        self.content_for("iframe", url, time)
    }

    /// Asks for what an archived page needs.
    fn content_for(&self, destination: &str, url: &str, time: &str) -> Answer {
        let parsed = url::Url::parse(url).unwrap();
        let host = parsed
            .host_str()
            .unwrap()
            .replace('-', "--")
            .replace('.', "-");
        let scheme = if parsed.scheme() == "https" { "s" } else { "h" };
        let port = parsed
            .port()
            .map(|port| port.to_string())
            .unwrap_or_default();
        let host = format!(
            "{scheme}{port}-{host}.{time}.{}.lastlight.localhost:{}",
            self.collection, self.port
        );
        self.ask_for(destination, &host, &parsed[url::Position::BeforePath..])
    }

    /// The raw capture nearest to a time.
    pub fn raw(&self, url: &str, time: &str) -> Answer {
        self.interface(&format!("/{}/{time}id_/{url}", self.collection))
    }
}

/// One that nobody has at the moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[(end + 2 + size + 2).min(rest.len())..];
    }
    body
}

/// When a URL was captured, as 14 digits.
pub fn time_of(snapshot: &Snapshot, url: &str) -> String {
    snapshot.row(url)["time"]
        .chars()
        .filter(char::is_ascii_digit)
        .take(14)
        .collect()
}

fn replay() -> (Replay, String) {
    let Captured { site, snapshot, .. } = captured();
    let time = time_of(snapshot, &site.url("/"));
    (Replay::of(snapshot.path(), "closing"), time)
}

#[test]
fn each_page_is_shown_at_an_origin_of_its_own() {
    let (replay, time) = replay();
    let site = &captured().site;
    let before = site.requests();
    for (path, text) in [
        ("/", "Harrow Vale"),
        ("/findings/3-the-night/", "The night"),
        ("/transcripts/day-2.html", "transcript"),
        ("/evidence/?page=3", "Evidence library"),
    ] {
        let answer = replay.content(&site.url(path), &time);
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.text().to_lowercase().contains(&text.to_lowercase()),
            "{path}"
        );
        assert!(answer.field("Content-Security-Policy").is_some(), "{path}");
        assert!(answer.field("Memento-Datetime").is_some(), "{path}");
        // Absolute links lead to the replay, not to the live site.
        let live = format!("href=\"{}", site.url("/findings/"));
        assert!(!answer.text().contains(&live), "{path}");
    }
    let font = site.asset("/static/vollkorn-semibold-latin.woff2");
    let font = replay.content_for("font", &font, &time);
    assert_eq!((font.status, font.body.len()), (200, 10908));
    assert_eq!(
        site.requests(),
        before,
        "nothing was asked of the live site"
    );
}

#[test]
fn raw_access_gives_the_bytes_as_captured() {
    let (replay, time) = replay();
    let Captured { site, snapshot, .. } = captured();
    let urls = [
        site.url("/"),
        site.url("/css/main.css"),
        site.url("/findings/"),
        site.url("/transcripts/day-2.html"),
        site.url("/notices/2021-boil-water.html"),
        site.url("/evidence/HV-0310.pdf"),
        site.url("/img/charts/crew@2x.png"),
        site.asset("/static/vollkorn-semibold-latin.woff2"),
    ];
    for url in urls {
        let answer = replay.raw(&url, &time);
        assert_eq!(answer.status, 200, "{url}");
        assert!(answer.body == snapshot.response(&url).entity(), "{url}");
        assert!(answer.field("Content-Security-Policy").is_some(), "{url}");
    }
}

#[test]
fn the_nearest_capture_answers_whatever_time_is_asked_for() {
    let (replay, time) = replay();
    let url = captured().site.url("/letter/");
    for asked in ["19990101000000", "20991231235959", &time, &time[..4]] {
        let answer = replay.raw(&url, asked);
        let answer = match answer.status {
            300..400 => {
                let to = answer.field("Location").unwrap();
                let target = to
                    .split_once("lastlight.localhost")
                    .map_or(to, |(_, rest)| &rest[rest.find('/').unwrap()..]);
                replay.interface(target)
            }
            _ => answer,
        };
        assert_eq!(answer.status, 200, "{asked}");
        assert!(answer.text().contains("open letter") || answer.text().contains("Open letter"));
    }
    assert_eq!(replay.content(&url, "19990101000000").status, 200);
}

#[test]
fn redirects_and_errors_are_replayed_as_they_were() {
    let (replay, time) = replay();
    let site = &captured().site;
    let moved = replay.content(&site.url("/faq"), &time);
    assert_eq!(moved.status, 301);
    let to = moved.field("Location").unwrap();
    assert!(to.ends_with("/questions/"), "{to}");
    assert!(!to.contains("http://inquiry"), "{to}");
    assert_eq!(
        replay
            .content(&site.url("/evidence/HV-0310-annex.pdf"), &time)
            .status,
        404
    );
}

#[test]
fn what_was_not_captured_is_told_and_counted() {
    let (replay, time) = replay();
    let url = captured().site.url("/private/working-notes");
    let answer = replay.content(&url, &time);
    assert_eq!(answer.status, 404);
    assert!(answer.field("Memento-Datetime").is_none());
    let list = replay.interface(&format!("/-/missing/{}/{time}", replay.collection));
    assert_eq!(list.status, 200);
    assert!(list.text().contains(&url), "{}", list.text());
}

#[test]
fn other_host_names_are_refused() {
    let (replay, _) = replay();
    for host in [
        "example.org",
        "inquiry.localhost",
        "evil.example:80",
        "localhost.evil.example",
    ] {
        assert_eq!(replay.ask(host, "/").status, 421, "{host}");
    }
}

#[test]
fn the_interface_lists_the_collection_its_pages_and_its_ledger() {
    let (replay, _) = replay();
    let home = replay.interface("/");
    assert_eq!(home.status, 200);
    assert!(home.text().contains("closing"), "{}", home.text());
}

#[test]
fn ctrl_c_ends_the_replay_with_exit_0() {
    let (replay, _) = replay();
    assert_eq!(replay.interface("/").status, 200);
    replay.running.interrupt();
    replay.running.end().exits(0).says("until Ctrl-C");
}

#[test]
fn packages_replay_the_same_bytes_without_unpacking() {
    let Captured { site, snapshot, .. } = captured();
    let directory = scratch();
    let time = time_of(snapshot, &site.url("/"));
    for (form, name) in [("wacz", "closing.wacz"), ("bag", "closing-bag")] {
        lastlight(["deposit", "--as", form])
            .arg(snapshot.path())
            .arg("--into")
            .arg(directory.path())
            .run()
            .exits(0);
        let package = directory.path().join(name);
        let collection = name.trim_end_matches(".wacz");
        let replay = Replay::of(&package, collection);
        let url = site.url("/evidence/HV-0310.pdf");
        let answer = replay.raw(&url, &time);
        assert_eq!(answer.status, 200, "{name}");
        assert!(answer.body == snapshot.response(&url).entity(), "{name}");
        assert_eq!(
            replay.content(&site.url("/letter/"), &time).status,
            200,
            "{name}"
        );
    }
}

#[test]
fn an_index_that_must_be_made_is_kept_outside_of_the_collection() {
    let Captured { site, snapshot, .. } = captured();
    let directory = scratch();
    let warcs = directory.path().join("warcs");
    std::fs::create_dir(&warcs).unwrap();
    for warc in std::fs::read_dir(snapshot.path().join("archive")).unwrap() {
        let warc = warc.unwrap();
        let copy = warcs.join(warc.file_name());
        std::fs::copy(warc.path(), &copy).unwrap();
        let file = std::fs::File::options().write(true).open(copy).unwrap();
        let past = std::time::SystemTime::now() - Duration::from_mins(1);
        file.set_modified(past).unwrap();
    }
    let names = |path: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(path).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned());
        names.collect()
    };
    let before = names(&warcs);
    let cache = directory.path().join("cache");
    let url = site.url("/letter/");
    let ask = |cache: &Path| {
        let replay = Replay::with_cache(&[&warcs], "warcs", cache);
        assert_eq!(replay.raw(&url, "2026").status, 200);
    };
    ask(&cache);
    let kept = names(&cache.join("lastlight"));
    assert_eq!(kept.len(), 1, "{kept:?}");
    ask(&cache);
    assert_eq!(names(&cache.join("lastlight")), kept);
    assert_eq!(names(&warcs), before);
    // Where nothing can be written it does without.
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    ask(&file);
}

#[test]
fn rows_of_the_ledger_are_taken_away_as_they_stand_there() {
    let Captured { snapshot, site, .. } = captured();
    let replay = Replay::of(snapshot.path(), "closing");
    let own = std::fs::read(snapshot.path().join("reports/ledger.csv")).unwrap();
    let whole = replay.interface("/c/closing/ledger.csv");
    assert_eq!((whole.status, whole.body == own), (200, true));
    let named = whole.field("Content-Disposition").unwrap();
    assert_eq!(named, "attachment; filename=\"closing-ledger.csv\"");
    let own = String::from_utf8(own).unwrap();
    // Pages and the sitemap race for who names it first.
    let start = snapshot.row(&site.url("/letter/"))["via"].clone();
    let via = url::form_urlencoded::byte_serialize(start.as_bytes()).collect::<String>();
    let of_page = format!("state=captured&via={via}&q=letter");
    let of_start = |line: &&str| {
        let is_of_it = line.contains(&format!(",{start},")) && line.contains(",captured,");
        line.starts_with("url,") || is_of_it && line.contains("letter")
    };
    let expected: Vec<&str> = own.split_inclusive("\r\n").filter(of_start).collect();
    assert!(expected.len() > 1, "{own}");
    let some = replay.interface(&format!("/c/closing/ledger.csv?{of_page}"));
    assert_eq!(some.text(), expected.concat());
    assert_eq!(replay.interface("/c/none/ledger.csv").status, 404);
}

#[test]
fn what_the_list_of_deny_names_is_withheld_and_its_bytes_are_kept() {
    let Captured { site, snapshot, .. } = captured();
    let directory = scratch();
    let list = directory.path().join("withheld.txt");
    let (letter, findings) = (site.url("/letter/"), site.url("/findings/"));
    std::fs::write(
        &list,
        format!("# asked for by letter\n{letter}\n{findings}*\n"),
    )
    .unwrap();
    let time = time_of(snapshot, &letter);
    let deny = ["--deny", list.to_str().unwrap()];
    let replay = Replay::with(&deny, &[snapshot.path()], "closing", &cache_home());
    for url in [&letter, &findings, &site.url("/findings/3-the-night/")] {
        assert_eq!(replay.content(url, &time).status, 451, "{url}");
        assert_eq!(replay.raw(url, &time).status, 451, "{url}");
    }
    assert_eq!(replay.content(&site.url("/"), &time).status, 200);
    for page in 1..4 {
        for list in [
            "",
            "ledger",
            "ledger?q=letter",
            "ledger?by=page",
            "?q=letter&how=words",
        ] {
            let mark = if list.contains('?') { '&' } else { '?' };
            let shown = replay.interface(&format!("/c/closing/{list}{mark}page={page}"));
            let text = shown.text();
            assert!(!text.contains("/letter/<"), "{list}: {text}");
            assert!(!text.contains("/findings/"), "{list}: {text}");
        }
    }
    let file = replay.interface("/c/closing/ledger.csv").text();
    assert!(
        !file.contains("/letter/,")
            && !file.contains("/findings/")
            && file.contains(&letter[..letter.len() - 8])
    );
    let lone = Replay::of(snapshot.path(), "closing");
    assert!(
        lone.interface("/c/closing/ledger?q=letter")
            .text()
            .contains("/letter/<")
    );
    assert_eq!(lone.raw(&letter, &time).status, 200);

    std::fs::write(&list, "https://a.example/\n\nnot a url\n").unwrap();
    let wrong = lastlight(["replay"]).args(deny).arg(snapshot.path()).run();
    wrong.exits(2).warns("line 3").warns("not a url");
    let wrong = lastlight(["replay", "--deny", "/nowhere"])
        .arg(snapshot.path())
        .run();
    wrong.exits(2).warns("/nowhere");
}

#[test]
fn a_port_that_is_taken_exits_with_4() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    lastlight(["replay", "--listen", &address])
        .arg(captured().snapshot.path())
        .run()
        .exits(4)
        .warns("--listen");
}
