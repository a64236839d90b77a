//! Each exchange is told whole: what was asked and answered, by which way, and
//! what it is.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::{Record, Snapshot};
use crate::wire::{Reply, Wire, answer, page};

fn of<'r>(records: &'r [Record], kind: &str, url: &str) -> &'r Record {
    let mut found = records
        .iter()
        .filter(|record| record.kind() == kind && record.url() == url);
    let record = found.next().unwrap_or_else(|| panic!("no {kind} of {url}"));
    assert!(found.next().is_none(), "more than one {kind} of {url}");
    record
}

fn site() -> Wire {
    Wire::serve(|asked| {
        let reply = match asked.target.as_str() {
            "/" => page(&["/style.css", "/picture", "/page"]),
            "/page" => {
                let links: Vec<String> = (0..20).map(|n| format!("/gone/{n}")).collect();
                page(&links.iter().map(String::as_str).collect::<Vec<_>>())
            }
            "/style.css" => answer(
                "200 OK",
                &["Content-Type: text/plain"],
                "@import url(/a.css);",
            ),
            "/picture" => answer("200 OK", &[], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            _ => return None,
        };
        Some(Reply::Keep(reply))
    })
}

#[test]
fn an_exchange_has_a_record_for_each_side_and_one_about_it() {
    let (wire, directory) = (site(), scratch());
    let into = directory.path().join("told");
    crawl(wire.url("/"), &into)
        .config(directory.path(), "[warc]\noutlinks = 5\n")
        .run()
        .exits(0);
    let records = Snapshot::at(&into).records();
    let warcinfo = records.iter().find(|r| r.kind() == "warcinfo").unwrap();
    let id = warcinfo.field("WARC-Record-ID").unwrap();
    for record in records.iter().filter(|r| r.kind() != "warcinfo") {
        assert_eq!(record.field("WARC-Warcinfo-ID"), Some(id), "{record:?}");
    }
    let url = wire.url("/page");
    let response = of(&records, "response", &url);
    let (request, metadata) = (
        of(&records, "request", &url),
        of(&records, "metadata", &url),
    );
    for other in [request, metadata] {
        assert_eq!(
            other.field("WARC-Concurrent-To"),
            response.field("WARC-Record-ID")
        );
    }
    assert_eq!(response.all("WARC-Protocol"), ["http/1.1"]);
    assert_eq!(request.all("WARC-Protocol"), ["http/1.1"]);
    assert_eq!(response.field("WARC-IP-Address"), Some("127.0.0.1"));
    let text = String::from_utf8_lossy(&metadata.block);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("fetchTimeMs: ")));
    assert!(lines.contains(&"hopsFromSeed: L"));
    assert!(lines.contains(&&*format!("via: {}", wire.url("/"))));
    let outlinks: Vec<&&str> = lines
        .iter()
        .filter(|l| l.starts_with("outlink: "))
        .collect();
    assert_eq!(outlinks.len(), 5);
    assert_eq!(
        **outlinks[0],
        format!("outlink: {} L =NAVLINK_MISC", wire.url("/gone/0"))
    );
    assert!(lines.contains(&"outlinksLeftOut: 15"), "{text}");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn the_type_that_the_bytes_show_stands_beside_the_one_that_was_named() {
    let (wire, directory) = (site(), scratch());
    let into = directory.path().join("types");
    crawl(wire.url("/"), &into).run().exits(0);
    let records = Snapshot::at(&into).records();
    for (path, identified) in [
        ("/", Some("text/html")),
        ("/style.css", Some("text/css")),
        ("/picture", Some("image/png")),
        ("/gone/1", None),
    ] {
        let record = of(&records, "response", &wire.url(path));
        let found = record.field("WARC-Identified-Payload-Type");
        assert_eq!(found, identified, "{path}");
    }
}

#[test]
fn warc_1_0_has_whole_seconds_and_its_own_profile() {
    let directory = scratch();
    let text = "the same text on two pages ".repeat(100);
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/one", "/later"]))),
        "/later" => {
            std::thread::sleep(std::time::Duration::from_millis(100));
            Some(Reply::Keep(page(&["/two"])))
        }
        "/one" | "/two" => Some(Reply::Keep(answer("200 OK", &[], &text))),
        _ => None,
    });
    let into = directory.path().join("old");
    crawl(wire.url("/"), &into)
        .args(["--warc-version", "1.0", "--connections", "1"])
        .run()
        .exits(0);
    let records = Snapshot::at(&into).records();
    let revisit = of(&records, "revisit", &wire.url("/two"));
    assert_eq!(
        revisit.field("WARC-Profile"),
        Some("http://netpreserve.org/warc/1.0/revisit/identical-payload-digest")
    );
    let original = of(&records, "response", &wire.url("/one"));
    assert_eq!(
        revisit.field("WARC-Refers-To-Date"),
        original.field("WARC-Date")
    );
    for record in &records {
        let date = record.field("WARC-Date").unwrap();
        assert_eq!(date.len(), "2026-11-22T02:28:46Z".len(), "{date}");
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}

/// Pages that are answered when 64 of them have been asked for, so that their answers
/// come at once.
fn site_that_answers_at_once() -> Wire {
    const AT_ONCE: usize = 64;
    const PAGES: usize = 192;
    let asked = (Mutex::new(0_usize), Condvar::new());
    Wire::serve(move |request| {
        if request.target == "/" {
            let links: Vec<String> = (0..PAGES).map(|n| format!("/page/{n}")).collect();
            let links: Vec<&str> = links.iter().map(String::as_str).collect();
            return Some(Reply::Keep(page(&links)));
        }
        let number: usize = request.target.strip_prefix("/page/")?.parse().ok()?;
        let (count, changed) = &asked;
        let mut count = count.lock().unwrap();
        *count += 1;
        changed.notify_all();
        let round = count.div_ceil(AT_ONCE) * AT_ONCE;
        let enough = Duration::from_secs(10);
        let _ = changed.wait_timeout_while(count, enough, |count| *count < round);
        let words = (0..20_000_usize).map(|n| format!("{} ", n.wrapping_mul(number * 7919 + 31)));
        let text = ["Content-Type: text/plain"];
        Some(Reply::Keep(answer(
            "200 OK",
            &text,
            words.collect::<String>(),
        )))
    })
}

#[test]
fn answers_that_wait_for_a_processor_are_compressed_at_another_level() {
    let wire = site_that_answers_at_once();
    let directory = scratch();
    let mut outcomes = Vec::new();
    for (backlog, fast) in [(1, true), (6, false)] {
        let into = directory.path().join(backlog.to_string());
        let settings =
            format!("[politeness]\nconnections = 64\n[warc]\nlevel_backlog = {backlog}\n");
        crawl(wire.url("/"), &into)
            .config(directory.path(), &settings)
            .on_one_processor()
            .run()
            .exits(0);
        lastlight(["verify".as_ref(), into.as_os_str()])
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        let [warc] = &snapshot.warcs()[..] else {
            panic!("one WARC is enough");
        };
        let warc = std::fs::read(warc).unwrap();
        // RFC 1952 2.3.1: XFL is 4 where the compressor used its fastest algorithm.
        let fastest = |record: &Record| warc[record.offset as usize + 8] == 4;
        let records = snapshot.records();
        let pages = records
            .iter()
            .filter(|record| record.kind() == "response" && record.url().contains("/page/"));
        let (fastest, others): (Vec<_>, Vec<_>) = pages.partition(|record| fastest(record));
        assert_eq!(fastest.len() + others.len(), 192);
        assert_eq!(!fastest.is_empty(), fast, "{} of level 1", fastest.len());
        // The last of each round don't wait.
        assert!(!others.is_empty());
        outcomes.push(snapshot.outcome());
    }
    assert_eq!(outcomes[0], outcomes[1]);
}
