//! A payload is stored once, and what refers to it is as good as itself: its
//! own head, its place in the ledger, its replay.

use std::path::Path;

use crate::harness::{Run, crawl, lastlight, scratch};
use crate::holdings::{Record, Snapshot};
use crate::offline_replay::{Replay, time_of};
use crate::wire::{Asked, Reply, Wire, answer, page};

fn long(text: &str) -> String {
    format!(
        "<!doctype html><title>{text}</title>{}",
        format!("<p>{text}</p>").repeat(200)
    )
}

/// Two pages with one payload and different heads, the second found well after
/// the first is stored; and what must never be a
/// revisit although its payload is known.
fn twins(asked: &Asked) -> Option<Reply> {
    let html = "Content-Type: text/html";
    let twin = long("twin") + "<a href=next>x</a>";
    let reply = match asked.target.as_str() {
        "/" => page(&["/a/one", "/empty-1", "/small-1", "/later"]),
        "/later" => {
            std::thread::sleep(std::time::Duration::from_millis(100));
            page(&["/b/two", "/missing", "/empty-2", "/small-2", "/zz-cut"])
        }
        "/a/one" => answer("200 OK", &[html, "X-Which: one"], &twin),
        "/b/two" => answer("200 Yes", &[html, "X-Which: two"], &twin),
        "/missing" => answer("404 Not Found", &[html], &twin),
        "/empty-1" | "/empty-2" => answer("200 OK", &[html], ""),
        "/small-1" | "/small-2" => answer("200 OK", &[html], "small"),
        "/zz-cut" => {
            let mut cut = answer("200 OK", &[html], &twin);
            // It says more than comes.
            let text = String::from_utf8(cut).unwrap();
            let length = format!("Content-Length: {}", twin.len());
            cut = text.replace(&length, "Content-Length: 999999").into_bytes();
            return Some(Reply::Close(cut));
        }
        _ => return None,
    };
    Some(Reply::Keep(reply))
}

fn serially(run: Run) -> Run {
    run.args(["--connections", "1"])
}

fn of(snapshot: &Snapshot, kind: &str, url: &str) -> Vec<Record> {
    let mut records = snapshot.records();
    records.retain(|record| record.kind() == kind && record.url() == url);
    records
}

#[test]
fn a_revisit_keeps_its_own_http_head_and_names_its_original() {
    let (wire, directory) = (Wire::serve(twins), scratch());
    let into = directory.path().join("twins");
    serially(crawl(wire.url("/"), &into))
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run()
        .exits(1);
    let snapshot = Snapshot::at(&into);
    let original = snapshot.response(&wire.url("/a/one"));
    let revisit = &of(&snapshot, "revisit", &wire.url("/b/two"))[0];
    assert!(snapshot.responses(&wire.url("/b/two")).is_empty());
    let head = String::from_utf8(revisit.block.clone()).unwrap();
    assert!(head.starts_with("HTTP/1.1 200 Yes\r\n") && head.ends_with("\r\n\r\n"));
    assert!(head.contains("X-Which: two\r\n"));
    for (field, of_original) in [
        ("WARC-Refers-To", "WARC-Record-ID"),
        ("WARC-Refers-To-Target-URI", "WARC-Target-URI"),
        ("WARC-Refers-To-Date", "WARC-Date"),
        ("WARC-Payload-Digest", "WARC-Payload-Digest"),
    ] {
        assert_eq!(revisit.field(field), original.field(of_original), "{field}");
    }
    assert_eq!(
        revisit.field("WARC-Profile"),
        Some("http://netpreserve.org/warc/1.1/revisit/identical-payload-digest")
    );
    // The ledger points to it, and what the page names was followed.
    let row = snapshot.row(&wire.url("/b/two"));
    assert_eq!((&*row["state"], &*row["status"]), ("captured", "200"));
    assert_eq!(row["offset"], revisit.offset.to_string());
    assert_eq!(snapshot.row(&wire.url("/b/next"))["status"], "404");
    // Nothing else became one.
    let revisits = snapshot
        .records()
        .into_iter()
        .filter(|r| r.kind() == "revisit");
    assert_eq!(revisits.count(), 1);
    let index = snapshot.text("indexes/index.cdxj");
    assert_eq!(index.matches("\"mime\": \"warc/revisit\"").count(), 1);
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_revisit_is_replayed_with_its_own_head_and_the_originals_body() {
    let (wire, directory) = (Wire::serve(twins), scratch());
    let into = directory.path().join("shown");
    serially(crawl(wire.url("/"), &into))
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run();
    let snapshot = Snapshot::at(&into);
    let replay = Replay::of(&into, "shown");
    let url = wire.url("/b/two");
    let raw = replay.raw(&url, &time_of(&snapshot, &url));
    assert_eq!(raw.status, 200);
    assert_eq!(raw.text(), long("twin") + "<a href=next>x</a>");
}

#[test]
fn dedup_may_be_turned_off_and_has_a_least_size() {
    let directory = scratch();
    for (name, settings, revisits) in [
        ("off", "[dedup]\npayloads = false\n", 0),
        ("large", "[dedup]\nmin_bytes = \"1 MiB\"\n", 0),
        ("small", "[dedup]\nmin_bytes = \"1 B\"\n", 2),
    ] {
        let wire = Wire::serve(twins);
        let into = directory.path().join(name);
        serially(crawl(wire.url("/"), &into))
            .config(
                directory.path(),
                &format!("{settings}[fetch]\nretries = 0\n"),
            )
            .run();
        let records = Snapshot::at(&into).records();
        let found = records.iter().filter(|r| r.kind() == "revisit").count();
        assert_eq!(found, revisits, "{name}");
        lastlight(["verify"]).arg(&into).run().exits(0);
    }
}

#[test]
fn a_payload_is_known_again_after_a_stop_and_a_kill() {
    let directory = scratch();
    let wire = Wire::serve(|asked| {
        let number = asked.target.trim_start_matches('/');
        match (asked.target.as_str(), number.parse::<u32>()) {
            ("/", _) => {
                let links: Vec<String> = (0..60).map(|n| format!("/{n}")).collect();
                let links: Vec<&str> = links.iter().map(String::as_str).collect();
                Some(Reply::Keep(page(&links)))
            }
            (_, Ok(n)) => {
                std::thread::sleep(std::time::Duration::from_millis(4));
                let body = long(&format!("kind {}", n % 3)) + "<a href=/end>x</a>";
                Some(Reply::Keep(answer(
                    "200 OK",
                    &["Content-Type: text/html"],
                    body,
                )))
            }
            _ => None,
        }
    });
    let into = directory.path().join("again");
    serially(crawl(wire.url("/"), &into))
        .args(["--max-urls", "12"])
        .run()
        .exits(3);
    for _ in 0..2 {
        let running = lastlight(["resume"]).arg(&into).start();
        std::thread::sleep(std::time::Duration::from_millis(120));
        running.kill();
        running.end();
        lastlight(["verify"]).arg(&into).run();
    }
    let mut runs = 0;
    while lastlight(["resume"]).arg(&into).run().code == Some(3) {
        runs += 1;
        assert!(runs < 20);
    }
    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();
    let captured = ledger.values().filter(|row| row["state"] == "captured");
    assert!(captured.count() >= 60);
    for n in 0..3 {
        let digest = &snapshot.row(&wire.url(&format!("/{n}")))["payload_digest"];
        let whole = snapshot.records().into_iter().filter(|record| {
            record.kind() == "response" && record.field("WARC-Payload-Digest") == Some(digest)
        });
        assert_eq!(whole.count(), 1, "the payload of kind {n} is stored once");
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}

/// A site of which one page changes from pass to pass, and one page is new.
fn passes(wire: impl Fn() -> u32 + Send + Sync + 'static) -> Wire {
    Wire::serve(move |asked| {
        let pass = wire();
        let html = "Content-Type: text/html";
        let reply = match asked.target.as_str() {
            "/" => page(&["/same", "/changes", "/moved"]),
            "/same" => answer("200 OK", &[html, &format!("X-Pass: {pass}")], long("same")),
            "/changes" => answer("200 OK", &[html], long(&format!("pass {pass}"))),
            "/moved" if pass > 1 => answer("200 OK", &[html], long("pass 1")),
            _ => return None,
        };
        Some(Reply::Keep(reply))
    })
}

fn two_passes(directory: &Path) -> (Wire, Snapshot, Snapshot) {
    static PASS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    let pass = || PASS.load(std::sync::atomic::Ordering::SeqCst);
    PASS.store(1, std::sync::atomic::Ordering::SeqCst);
    let wire = passes(pass);
    let (first, second) = (directory.join("first"), directory.join("second"));
    serially(crawl(wire.url("/"), &first)).run().exits(0);
    PASS.store(2, std::sync::atomic::Ordering::SeqCst);
    lastlight(["deposit", "--as", "wacz"])
        .arg(&first)
        .run()
        .exits(0);
    serially(crawl(wire.url("/"), &second))
        .arg("--dedup-against")
        .arg(directory.join("first.wacz"))
        .run()
        .exits(0);
    (wire, Snapshot::at(&first), Snapshot::at(&second))
}

#[test]
fn what_an_earlier_snapshot_has_is_referred_to_and_told() {
    let directory = scratch();
    let (wire, first, second) = two_passes(directory.path());
    // The same URL with the same payload is unchanged; another URL is captured.
    let same = wire.url("/same");
    assert_eq!(second.row(&same)["state"], "unchanged");
    assert_eq!(second.row(&wire.url("/moved"))["state"], "captured");
    assert_eq!(second.row(&wire.url("/changes"))["state"], "captured");
    assert_eq!(second.responses(&wire.url("/changes")).len(), 1);
    let revisit = &of(&second, "revisit", &same)[0];
    let original = first.response(&same);
    assert_eq!(
        revisit.field("WARC-Refers-To"),
        original.field("WARC-Record-ID")
    );
    assert!(String::from_utf8_lossy(&revisit.block).contains("X-Pass: 2"));
    let moved = &of(&second, "revisit", &wire.url("/moved"))[0];
    assert_eq!(
        moved.field("WARC-Refers-To-Target-URI"),
        Some(&*wire.url("/changes"))
    );
    let told = &second.manifest()["lastlight"]["refers_to"][0];
    assert_eq!(told["name"], "first.wacz");
    assert_eq!(told["revisits"], 2);
    let counts = &second.manifest()["lastlight"]["counts"];
    assert_eq!(counts["unchanged"], 1);
    // That the payloads are elsewhere is a note, and the deposit says so.
    let verified = lastlight(["verify", "--json"])
        .arg(second.path())
        .run()
        .exits(0);
    assert!(verified.stdout.contains("revisit-elsewhere"), "{verified}");
    lastlight(["deposit", "--as", "bag"])
        .arg(second.path())
        .run()
        .exits(0);
    let about = std::fs::read_to_string(directory.path().join("second-bag/bag-info.txt")).unwrap();
    assert!(about.contains("snapshot first.wacz"), "{about}");
}

#[test]
fn an_earlier_snapshots_payload_is_replayed_where_both_are_open() {
    let directory = scratch();
    let (wire, first, second) = two_passes(directory.path());
    let same = wire.url("/same");
    let time = time_of(&second, &same);
    let both = Replay::of_all(&[second.path(), first.path()], "second");
    let answer = both.raw(&same, &time);
    assert_eq!((answer.status, answer.text()), (200, long("same")));
    let alone = Replay::of(second.path(), "second");
    let answer = alone.content(&same, &time);
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("first.wacz"), "{}", answer.text());
}

#[test]
fn what_is_no_earlier_snapshot_is_refused_before_anything_is_made() {
    let directory = scratch();
    let wire = Wire::serve(|_| None);
    std::fs::write(directory.path().join("x.warc"), "WARC/1.1\r\n").unwrap();
    for (name, reason) in [("nowhere", "nowhere"), ("x.warc", "not a sealed snapshot")] {
        let into = directory.path().join("made");
        crawl(wire.url("/"), &into)
            .arg("--dedup-against")
            .arg(directory.path().join(name))
            .run()
            .exits(2)
            .warns(reason);
        assert!(!into.exists() && !wire.was_reached());
    }
}

#[test]
fn a_revisit_whose_original_is_gone_is_found_by_verify() {
    let (wire, directory) = (Wire::serve(twins), scratch());
    let into = directory.path().join("whole");
    serially(crawl(wire.url("/"), &into))
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run();
    // The revisit alone, in a WARC of its own.
    let snapshot = Snapshot::at(&into);
    let revisit = &of(&snapshot, "revisit", &wire.url("/b/two"))[0];
    let bytes = std::fs::read(&snapshot.warcs()[0]).unwrap();
    let (start, end) = (
        revisit.offset as usize,
        (revisit.offset + revisit.length) as usize,
    );
    let alone = directory.path().join("alone.warc.gz");
    std::fs::write(&alone, &bytes[start..end]).unwrap();
    let verified = lastlight(["verify", "--json"]).arg(&alone).run();
    assert!(verified.stdout.contains("revisit-dangling"), "{verified}");
    let whole = lastlight(["verify", "--json"])
        .arg(&snapshot.warcs()[0])
        .run();
    assert!(!whole.stdout.contains("revisit-dangling"), "{whole}");
}

#[test]
fn a_revisit_whose_original_was_damaged_is_fetched_again() {
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/fails" if asked.before == 0 => Some(Reply::Close(answer("500 No", &[], "no"))),
        "/fails" => Some(Reply::Keep(answer("200 OK", &[], "now"))),
        _ => twins(asked),
    });
    let directory = scratch();
    let into = directory.path().join("damaged");
    // Keys of payloads are on disk but for one.
    let settings = "[fetch]\nretries = 0\n[warc]\nrotate = \"1 KiB\"\n[storage]\nheld_keys = 1\n";
    serially(crawl(wire.url("/"), &into))
        .arg(wire.url("/fails"))
        .config(directory.path(), settings)
        .run()
        .exits(1);
    let snapshot = Snapshot::at(&into);
    let is_in = |row: &crate::holdings::Row| row["filename"].clone();
    let original = is_in(&snapshot.row(&wire.url("/a/one")));
    let revisit = is_in(&snapshot.row(&wire.url("/b/two")));
    assert_ne!(original, revisit, "the test needs them apart");
    std::fs::remove_file(snapshot.file("archive").join(original)).unwrap();
    let asked = wire.times("/b/two");
    lastlight(["resume"]).arg(&into).run();
    assert_eq!(wire.times("/b/two"), asked + 1);
    // The payload is stored once more at least, and shown for both.
    let twins = ["/a/one", "/b/two"].map(|path| wire.url(path));
    assert!(twins.iter().any(|url| !snapshot.responses(url).is_empty()));
    let replay = Replay::of(&into, "damaged");
    for url in twins {
        let time = time_of(&snapshot, &url);
        assert!(replay.raw(&url, &time).text().contains("<p>twin</p>"));
    }
}
