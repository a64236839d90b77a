//! `.warc.zst` on request, with and without a dictionary: everything that is
//! done with a snapshot is done with it too.

use std::path::Path;

use crate::harness::{SHORT_CALENDAR, Site, captured, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::offline_replay::{Replay, time_of};

const TRAINED: &[u8] = include_bytes!("../../src/warc/frame/trained.dictionary");

fn settings(dictionary: Option<&Path>) -> String {
    let named = dictionary.map(|path| format!("zstd_dictionary = {:?}\n", path.to_string_lossy()));
    format!("{SHORT_CALENDAR}[warc]\n{}", named.unwrap_or_default())
}

#[test]
fn a_zstandard_snapshot_is_verified_indexed_packed_and_replayed() {
    let site = Site::open();
    let directory = scratch();
    let dictionary = directory.path().join("dictionary.zstd");
    std::fs::write(&dictionary, TRAINED).unwrap();
    for (name, dictionary) in [("plain", None), ("trained", Some(dictionary.as_path()))] {
        let into = directory.path().join(name);
        crawl(site.url("/"), &into)
            .config(directory.path(), &settings(dictionary))
            .args(["--warc-compression", "zstd"])
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        let warcs = snapshot.warcs();
        assert!(
            warcs
                .iter()
                .all(|warc| warc.to_string_lossy().ends_with("-00000.warc.zst"))
        );
        let first = std::fs::read(&warcs[0]).unwrap();
        let magic: &[u8] = match dictionary {
            None => b"\x28\xb5\x2f\xfd",
            Some(_) => b"\x5d\x2a\x4d\x18",
        };
        assert!(first.starts_with(magic));
        lastlight(["verify"]).arg(&into).run().exits(0);
        lastlight(["verify"]).arg(&warcs[0]).run().exits(0);
        let index = lastlight(["index"]).arg(&warcs[0]).run().exits(0);
        assert_eq!(index.stdout, snapshot.text("indexes/index.cdxj"));
        for form in ["wacz", "bag"] {
            lastlight(["deposit", "--as", form])
                .arg(&into)
                .run()
                .exits(0);
        }
        let (wacz, bag) = (
            directory.path().join(format!("{name}.wacz")),
            directory.path().join(format!("{name}-bag")),
        );
        for path in [&wacz, &bag] {
            lastlight(["verify"]).arg(path).run().exits(0);
        }
        let replay = Replay::of(&wacz, name);
        let url = site.url("/findings/3-the-night/");
        let answer = replay.content(&url, &time_of(&snapshot, &url));
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains("The night"));
    }
}

#[test]
fn a_zstandard_crawl_that_is_killed_goes_on_though_its_dictionary_is_gone() {
    let site = Site::slow(std::time::Duration::from_millis(4));
    let directory = scratch();
    let dictionary = directory.path().join("dictionary.zstd");
    std::fs::write(&dictionary, TRAINED).unwrap();
    let into = directory.path().join("killed");
    let running = crawl(site.url("/"), &into)
        .config(directory.path(), &settings(Some(&dictionary)))
        .args(["--warc-compression", "zstd"])
        .start();
    let begun = std::time::Instant::now();
    while site.requests() < 40 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.kill();
    running.end();
    std::fs::remove_file(&dictionary).unwrap();
    // A frame that was never written to its end.
    let snapshot = Snapshot::at(&into);
    let warc = snapshot.warcs().remove(0);
    let mut bytes = std::fs::read(&warc).unwrap();
    bytes.extend_from_slice(b"\x28\xb5\x2f\xfd\x24\x05");
    std::fs::write(&warc, bytes).unwrap();
    lastlight(["resume"]).arg(&into).run().exits(0);
    lastlight(["verify"]).arg(&into).run().exits(0);
    assert_eq!(snapshot.ledger().len(), captured().snapshot.ledger().len());
}

#[test]
fn what_is_no_dictionary_is_refused_before_anything_is_made() {
    let directory = scratch();
    let dictionary = directory.path().join("words");
    std::fs::write(&dictionary, "some words").unwrap();
    let into = directory.path().join("made");
    crawl("http://127.0.0.1:9/", &into)
        .config(directory.path(), &settings(Some(&dictionary)))
        .args(["--warc-compression", "zstd"])
        .run()
        .exits(2)
        .warns("not a Zstandard dictionary");
    assert!(!into.exists());
}
