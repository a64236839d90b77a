//! The snapshot of the demo that stands in the repository: whoever clones it
//! can verify, index and replay it, and a change of format shows here.

use std::path::{Path, PathBuf};

use crate::harness::{copy, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::offline_replay::{Replay, time_of};

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots/demo")
}

#[test]
fn the_committed_snapshot_verifies_and_nothing_is_written_into_it() {
    let snapshot = Snapshot::at(&committed());
    let before = snapshot.contents();
    lastlight(["verify"])
        .arg(snapshot.path())
        .run()
        .exits(0)
        .says("intact (unsigned)");
    let index = lastlight(["index"])
        .arg(snapshot.path())
        .run()
        .exits(0)
        .stdout;
    assert!(index == snapshot.text("indexes/index.cdxj"));
    assert!(snapshot.contents() == before);
    let size: usize = before.values().map(Vec::len).sum();
    assert!(size < 2_000_000, "{size} bytes");
}

#[test]
fn the_committed_snapshot_is_read_by_a_reader_of_its_own() {
    let snapshot = Snapshot::at(&committed());
    let rows = snapshot.rows("metadata/records.csv");
    let records = snapshot.records();
    let ids: Vec<_> = records
        .iter()
        .map(|record| record.field("WARC-Record-ID"))
        .collect();
    let listed: Vec<_> = rows
        .iter()
        .map(|row| Some(row["record_id"].as_str()))
        .collect();
    assert_eq!(ids, listed);
    assert_eq!(snapshot.manifest()["lastlight"]["complete"], true);
}

#[test]
fn the_committed_snapshot_replays() {
    let snapshot = Snapshot::at(&committed());
    let directory = scratch();
    // A copy: the working tree may be read-only, or a reader might lock it.
    let path = copy(snapshot.path(), &directory.path().join("demo"));
    let replay = Replay::of(&path, "demo");
    let mut shown = 0;
    for (url, row) in snapshot.ledger() {
        if row["state"] != "captured" || row["status"] != "200" {
            continue;
        }
        let time = time_of(&snapshot, &url);
        let answer = replay.raw(&url, &time);
        assert_eq!(answer.status, 200, "{url}");
        assert!(answer.body == snapshot.response(&url).entity(), "{url}");
        assert_eq!(replay.content(&url, &time).status, 200, "{url}");
        shown += 1;
    }
    assert!(shown > 80, "{shown}");
}
