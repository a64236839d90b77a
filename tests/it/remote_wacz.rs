//! A WACZ on a web server is replayed in place, by ranges: little of it is asked
//! for, and only while it stays the same file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::harness::{Seeded, captured, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::offline_replay::{Replay, time_of};
use crate::wire::{Asked, Reply, Wire, answer, page};

/// A snapshot's WACZ.
fn deposited(snapshot: &Path) -> Vec<u8> {
    let directory = scratch();
    lastlight(["deposit", "--as", "wacz"])
        .arg(snapshot)
        .arg("--into")
        .arg(directory.path())
        .run()
        .exits(0);
    std::fs::read(directory.path().join("closing.wacz")).unwrap()
}

/// The closing site's WACZ, made larger by noise behind it.
fn larger_wacz() -> Vec<u8> {
    let directory = scratch();
    let path = directory.path().join("closing.wacz");
    std::fs::write(&path, deposited(captured().snapshot.path())).unwrap();
    let mut random = Seeded(7);
    let noise: Vec<u8> = (0..24 * 1024 * 1024)
        .map(|_| random.below(256) as u8)
        .collect();
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let mut zip = zip::ZipWriter::new_append(file).unwrap();
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("noise.bin", stored).unwrap();
    std::io::Write::write_all(&mut zip, &noise).unwrap();
    zip.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn range(asked: &Asked) -> Option<(usize, usize)> {
    let field = asked.field("Range")?;
    let (first, last) = field.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

fn part(wacz: &[u8], asked: &Asked, etag: &str) -> Vec<u8> {
    let (first, last) = range(asked).unwrap();
    let last = last.min(wacz.len() - 1);
    let range = format!("Content-Range: bytes {first}-{last}/{}", wacz.len());
    let etag = format!("ETag: {etag}");
    answer("206 Partial Content", &[&range, &etag], &wacz[first..=last])
}

#[test]
fn a_page_of_a_large_wacz_costs_a_small_part_of_it() {
    let wacz = larger_wacz();
    let size = wacz.len() as u64;
    let sent = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&sent);
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/old/closing.wacz" => {
            let to = ["Location: /held/closing.wacz?key=1"];
            Some(Reply::Keep(answer("302 Found", &to, "")))
        }
        "/held/closing.wacz?key=1" => {
            let part = part(&wacz, asked, "\"one\"");
            count.fetch_add(part.len() as u64, Ordering::Relaxed);
            Some(Reply::Keep(part))
        }
        _ => None,
    });
    let url = wire.url("/old/closing.wacz");
    let home = captured().site.url("/");
    let time = time_of(&captured().snapshot, &home);
    let replay = Replay::of(Path::new(&url), "closing");
    let shown = replay.content(&home, &time);
    assert_eq!(shown.status, 200, "{}", shown.text());
    assert!(shown.text().contains("Harrow Vale"), "{}", shown.text());
    let local = Replay::of(captured().snapshot.path(), "closing");
    let raw = |replay: &Replay| replay.raw(&home, &time).body;
    assert!(raw(&replay) == raw(&local));
    let report = replay.interface("/c/closing/report");
    assert_eq!(report.status, 200);
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > 0 && sent < size / 4, "{sent} of {size}");
    let whole = wire.asked().iter().any(|asked| range(asked).is_none());
    assert!(!whole, "asked for without a range");
}

fn fails(wire: &Wire, says: &str) {
    lastlight(["replay", "--listen", "127.0.0.1:0"])
        .arg(wire.url("/closing.wacz"))
        .run()
        .exits(4)
        .warns(says);
}

#[test]
fn servers_that_give_no_ranges_or_wrong_ones_are_told_of() {
    let body = vec![b'x'; 3_000_000];
    let whole = body.clone();
    let wire = Wire::serve(move |_| Some(Reply::Close(answer("200 OK", &[], &whole))));
    fails(&wire, "gives no ranges");
    let wire = Wire::serve(|_| None);
    fails(&wire, "status 404");
    let wire = Wire::serve(|_| Some(Reply::Keep(answer("401 Unauthorized", &[], ""))));
    fails(&wire, "login");
    let wire = Wire::serve(move |_| {
        let field = ["Content-Range: bytes 5-104/1000"];
        Some(Reply::Keep(answer(
            "206 Partial Content",
            &field,
            &body[..100],
        )))
    });
    fails(&wire, "another range");
    let wire = Wire::serve(|_| {
        Some(Reply::Keep(answer(
            "302 Found",
            &["Location: /closing.wacz"],
            "",
        )))
    });
    fails(&wire, "redirect");
    assert_eq!(wire.asked().len(), 6, "one and five redirects");
    let wire = Wire::serve(|_| Some(Reply::Reset(Vec::new())));
    fails(&wire, "no-answer");
    assert_eq!(wire.asked().len(), 3, "one and two tries more");
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_mixed_with_what_it_was() {
    let mut random = Seeded(11);
    let mut noise = || -> Vec<u8> { (0..700_000).map(|_| random.below(256) as u8).collect() };
    let files: Vec<Vec<u8>> = (0..6).map(|_| noise()).collect();
    let held = files.clone();
    let live = Wire::serve(move |asked| {
        if asked.target == "/" {
            let links = ["0", "1", "2", "3", "4", "5"].map(|number| format!("/{number}.bin"));
            return Some(Reply::Keep(page(&links.each_ref().map(String::as_str))));
        }
        let number: usize = asked.target[1..].strip_suffix(".bin")?.parse().ok()?;
        let kind = ["Content-Type: application/octet-stream"];
        Some(Reply::Keep(answer("200 OK", &kind, files.get(number)?)))
    });
    let directory = scratch();
    let into = directory.path().join("closing");
    crawl(live.url("/"), &into).run().exits(0);
    let wacz = deposited(&into);

    let changed = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&changed);
    let wire = Wire::serve(move |asked| {
        let changed = now.load(Ordering::Relaxed);
        let etag = if changed { "\"two\"" } else { "\"one\"" };
        Some(Reply::Keep(part(&wacz, asked, etag)))
    });
    let url = wire.url("/closing.wacz");
    let replay = Replay::of(Path::new(&url), "closing");
    let snapshot = Snapshot::at(&into);
    let time = time_of(&snapshot, &live.url("/"));
    // As they came to stand in the file: of those in the middle nothing is read with
    // the first one, nor with the end, where the file's directory is.
    let mut numbers: Vec<usize> = (0..6).collect();
    let url = |number: usize| live.url(&format!("/{number}.bin"));
    numbers.sort_by_key(|&number| snapshot.response(&url(number)).offset);
    let before = replay.raw(&url(numbers[0]), &time);
    assert_eq!((before.status, before.body.len()), (200, 700_000));
    changed.store(true, Ordering::Relaxed);
    // An answer that has begun breaks off; one that hasn't says why.
    for &number in &numbers[2..4] {
        let after = replay.raw(&url(number), &time);
        if after.status == 200 {
            assert!(after.body.len() < 700_000, "{number} is whole");
            assert!(held[number].starts_with(&after.body), "{number} is mixed");
        } else {
            assert!(after.status >= 500, "{}", after.status);
            assert!(after.text().contains("was changed"), "{}", after.text());
        }
    }
    let asked = wire.asked();
    let last = asked.last().unwrap();
    assert_eq!(last.field("If-Range").as_deref(), Some("\"one\""));
}

#[test]
fn commands_that_read_everything_take_no_url() {
    for command in [&["verify"][..], &["deposit", "--as", "wacz"], &["index"]] {
        lastlight(command)
            .arg("https://example.org/closing.wacz")
            .run()
            .exits(2)
            .warns("only `lastlight replay` reads a WACZ by HTTP");
    }
}

#[test]
fn over_https_the_server_must_be_one_that_the_system_trusts() {
    let authority = crate::tls::authority();
    let wire = Wire::serve_tls(authority.server.clone(), |_| None);
    let replay = || {
        let url = format!("https://localhost:{}/closing.wacz", wire.port());
        lastlight(["replay", "--listen", "127.0.0.1:0", &url])
    };
    replay().run().exits(4).warns("tls: https://localhost");
    assert!(wire.asked().is_empty());
    let trusting = replay().env("SSL_CERT_FILE", &authority.file);
    trusting.run().exits(4).warns("status 404");
    assert_eq!(wire.asked().len(), 1);
}
