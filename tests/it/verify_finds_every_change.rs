//! A change of any bit of a snapshot makes `verify` exit with 1 and name the
//! file, and in a WARC the record.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Seeded, captured, copy, lastlight, scratch};
use crate::holdings::{Snapshot, records_of};

/// A copy of the closing site's snapshot, to be damaged.
struct Copied {
    snapshot: Snapshot,
    _directory: tempfile::TempDir,
}

fn copied() -> Copied {
    let directory = scratch();
    let path = copy(captured().snapshot.path(), &directory.path().join("copy"));
    Copied {
        snapshot: Snapshot::at(&path),
        _directory: directory,
    }
}

impl Copied {
    /// The errors that are found, with paths relative to the snapshot.
    #[track_caller]
    fn errors(&self) -> Vec<Value> {
        let ran = lastlight(["verify", "--json"])
            .arg(self.snapshot.path())
            .run()
            .exits(1);
        let findings = ran.json()["reports"][0]["findings"].clone();
        let errors = findings.as_array().unwrap().iter();
        errors
            .filter(|finding| finding["severity"] == "error")
            .cloned()
            .collect()
    }

    /// Asserts that an error names this file, and this record of it.
    #[track_caller]
    fn tells(&self, path: &str, offset: Option<u64>) {
        let errors = self.errors();
        let named = errors.iter().any(|error| {
            error["path"]
                .as_str()
                .is_some_and(|named| named.ends_with(path))
                && (offset.is_none() || error["offset"].as_u64() == offset)
        });
        assert!(named, "nobody names {path} at {offset:?}: {errors:#?}");
    }

    fn warc(&self) -> (PathBuf, String) {
        let path = self.snapshot.warcs().remove(0);
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (path, name)
    }
}

#[test]
fn an_untouched_copy_is_intact() {
    let copied = copied();
    lastlight(["verify"])
        .arg(copied.snapshot.path())
        .run()
        .exits(0)
        .says("intact (unsigned)");
}

#[test]
fn any_bit_of_a_warc_is_found_with_its_record() {
    let copied = copied();
    let (path, name) = copied.warc();
    let whole = fs::read(&path).unwrap();
    let records = records_of(&whole);
    let mut numbers = Seeded(1);
    let mut places: Vec<(u64, u8)> = (0..24)
        .map(|_| (numbers.below(whole.len() as u64), numbers.below(8) as u8))
        .collect();
    // What no CRC sees: flags, time, operating system of a gzip header.
    let second = records[1].offset;
    places.extend([4, 5, 8, 9].map(|at| (second + at, 0)));
    // The last bits of a member: its CRC and its length.
    let end = records[2].offset + records[2].length;
    places.extend([(end - 1, 7), (end - 5, 3)]);
    for (at, bit) in places {
        let record = records
            .iter()
            .rev()
            .find(|record| record.offset <= at)
            .unwrap();
        let mut flipped = whole.clone();
        flipped[at as usize] ^= 1 << bit;
        fs::write(&path, flipped).unwrap();
        copied.tells(&name, Some(record.offset));
    }
    fs::write(&path, whole).unwrap();
    lastlight(["verify"])
        .arg(copied.snapshot.path())
        .run()
        .exits(0);
}

#[test]
fn a_warc_that_is_cut_is_found_with_the_record_that_is_cut() {
    let copied = copied();
    let (path, name) = copied.warc();
    let whole = fs::read(&path).unwrap();
    let last = records_of(&whole).pop().unwrap();
    for cut in [1, 8, 60, last.length - 1] {
        fs::write(&path, &whole[..whole.len() - cut as usize]).unwrap();
        copied.tells(&name, Some(last.offset));
    }
    // Cut between two records, so that what is left is well-formed.
    fs::write(&path, &whole[..last.offset as usize]).unwrap();
    copied.tells(&name, None);
    fs::write(&path, b"").unwrap();
    copied.tells(&name, None);
}

#[test]
fn bytes_after_the_last_record_are_found() {
    let copied = copied();
    let (path, name) = copied.warc();
    let mut longer = fs::read(&path).unwrap();
    let first = records_of(&longer)[0].length as usize;
    let again = longer[..first].to_vec();
    longer.extend(again);
    fs::write(&path, longer).unwrap();
    copied.tells(&name, None);
}

#[test]
fn each_file_that_is_deleted_is_found() {
    let captured = captured();
    for resource in captured.snapshot.manifest()["resources"]
        .as_array()
        .unwrap()
    {
        let copied = copied();
        let path = resource["path"].as_str().unwrap();
        fs::remove_file(copied.snapshot.file(path)).unwrap();
        copied.tells(path, None);
    }
}

#[test]
fn each_file_that_is_edited_is_found() {
    let captured = captured();
    let copied = copied();
    let mut numbers = Seeded(2);
    for resource in captured.snapshot.manifest()["resources"]
        .as_array()
        .unwrap()
    {
        let path = resource["path"].as_str().unwrap();
        let whole = copied.snapshot.bytes(path);
        let mut edited = whole.clone();
        let at = numbers.below(edited.len() as u64) as usize;
        edited[at] ^= 1;
        fs::write(copied.snapshot.file(path), edited).unwrap();
        copied.tells(path, None);
        fs::write(copied.snapshot.file(path), whole).unwrap();
    }
}

#[test]
fn an_edited_manifest_is_found() {
    let copied = copied();
    let text = copied.snapshot.text("datapackage.json");
    let edited = text.replacen("\"complete\": true", "\"complete\": false", 1);
    assert_ne!(text, edited);
    fs::write(copied.snapshot.file("datapackage.json"), edited).unwrap();
    copied.tells("datapackage.json", None);
}

#[test]
fn a_row_that_is_taken_out_of_the_ledger_is_found_though_the_manifest_agrees() {
    let copied = copied();
    let url = captured().site.url("/letter/");
    let ledger = copied.snapshot.text("reports/ledger.csv");
    let kept = ledger
        .split_inclusive("\r\n")
        .filter(|row| !row.starts_with(&format!("{url},")));
    let edited: String = kept.collect();
    assert_ne!(ledger, edited);
    rewrite(&copied.snapshot, "reports/ledger.csv", edited.as_bytes());
    let errors = copied.errors();
    assert!(
        errors.iter().any(|error| error["url"] == url.as_str()),
        "{errors:#?}"
    );
}

#[test]
fn a_capture_that_is_called_failed_is_found_though_the_manifest_agrees() {
    let copied = copied();
    let url = captured().site.url("/letter/");
    let ledger = copied.snapshot.text("reports/ledger.csv");
    let edited = ledger.replacen(
        &format!("{url},captured,,"),
        &format!("{url},excluded,robots,"),
        1,
    );
    assert_ne!(ledger, edited);
    rewrite(&copied.snapshot, "reports/ledger.csv", edited.as_bytes());
    assert!(!copied.errors().is_empty());
}

/// Replaces a file and makes manifest and digest agree with it, as a forger
/// without regard for the other files would.
fn rewrite(snapshot: &Snapshot, path: &str, bytes: &[u8]) {
    use sha2::Digest as _;
    let hash = |bytes: &[u8]| {
        format!(
            "sha256:{}",
            data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
        )
    };
    let old = snapshot.bytes(path);
    fs::write(snapshot.file(path), bytes).unwrap();
    let manifest = snapshot.text("datapackage.json");
    let edited = manifest.replace(&hash(&old), &hash(bytes)).replace(
        &format!("\"bytes\": {}", old.len()),
        &format!("\"bytes\": {}", bytes.len()),
    );
    fs::write(snapshot.file("datapackage.json"), &edited).unwrap();
    let digest = snapshot.text("datapackage-digest.json");
    let digest = digest.replace(&hash(manifest.as_bytes()), &hash(edited.as_bytes()));
    fs::write(snapshot.file("datapackage-digest.json"), digest).unwrap();
    lastlight(["verify", "--only", "fixity"])
        .arg(snapshot.path())
        .run()
        .exits(0);
}
