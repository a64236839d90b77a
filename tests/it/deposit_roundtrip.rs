//! What goes into a package comes out of it: a WACZ and a bag verify, hold the
//! snapshot's files byte for byte, and index to the same captures.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::harness::{Site, captured, copy, crawl, lastlight, scratch};

fn deposit(form: &str, snapshot: &Path, into: &Path) -> crate::harness::Ran {
    lastlight(["deposit", "--as", form])
        .arg(snapshot)
        .arg("--into")
        .arg(into)
        .run()
}

fn index(path: &Path) -> String {
    lastlight(["index"]).arg(path).run().exits(0).stdout
}

#[test]
fn a_wacz_verifies_and_holds_the_snapshot_to_the_byte() {
    let directory = scratch();
    let snapshot = &captured().snapshot;
    deposit("wacz", snapshot.path(), directory.path())
        .exits(0)
        .says("closing.wacz");
    let path = directory.path().join("closing.wacz");
    lastlight(["verify"])
        .arg(&path)
        .run()
        .exits(0)
        .says("intact");
    let mut zip = zip::ZipArchive::new(fs::File::open(&path).unwrap()).unwrap();
    for (file, bytes) in snapshot.contents() {
        let name = file
            .strip_prefix(snapshot.path())
            .unwrap()
            .to_str()
            .unwrap();
        if !name.starts_with("archive/")
            && !name.starts_with("pages/")
            && !name.starts_with("reports/")
        {
            continue;
        }
        let mut entry = zip.by_name(name).unwrap();
        let stored = entry.compression() == zip::CompressionMethod::Stored;
        assert!(
            stored || !name.starts_with("archive/"),
            "{name} is compressed twice"
        );
        let mut packed = Vec::new();
        entry.read_to_end(&mut packed).unwrap();
        assert!(packed == bytes, "{name}");
    }
    let names: Vec<_> = zip
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert!(
        names.iter().all(|name| !name.starts_with("state/")),
        "{names:?}"
    );
}

#[test]
fn a_bag_verifies_and_holds_the_snapshot_to_the_byte() {
    let directory = scratch();
    let snapshot = &captured().snapshot;
    deposit("bag", snapshot.path(), directory.path())
        .exits(0)
        .says("closing-bag");
    let bag = directory.path().join("closing-bag");
    lastlight(["verify"])
        .arg(&bag)
        .run()
        .exits(0)
        .says("intact");
    for (file, bytes) in snapshot.contents() {
        let name = file.strip_prefix(snapshot.path()).unwrap();
        let packed = bag.join("data").join(name);
        if name.starts_with("state") {
            assert!(!packed.exists(), "{packed:?}");
        } else {
            assert!(fs::read(&packed).unwrap() == bytes, "{packed:?}");
        }
    }
    let declaration = fs::read_to_string(bag.join("bagit.txt")).unwrap();
    assert_eq!(
        declaration,
        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    );
}

#[test]
fn snapshot_wacz_bag_and_warc_have_one_index() {
    let directory = scratch();
    let snapshot = &captured().snapshot;
    deposit("wacz", snapshot.path(), directory.path()).exits(0);
    deposit("bag", snapshot.path(), directory.path()).exits(0);
    let sealed = snapshot.text("indexes/index.cdxj");
    assert_eq!(index(snapshot.path()), sealed);
    assert_eq!(index(&snapshot.warcs()[0]), sealed);
    assert_eq!(index(&directory.path().join("closing.wacz")), sealed);
    assert_eq!(index(&directory.path().join("closing-bag")), sealed);
    assert!(sealed.is_ascii() && sealed.lines().count() > 100);
    assert!(sealed.lines().is_sorted());
}

#[test]
fn a_changed_bit_of_a_package_is_found() {
    let directory = scratch();
    let snapshot = &captured().snapshot;
    deposit("wacz", snapshot.path(), directory.path()).exits(0);
    deposit("bag", snapshot.path(), directory.path()).exits(0);
    let wacz = directory.path().join("closing.wacz");
    let warc = directory
        .path()
        .join("closing-bag/data/archive/closing-00000.warc.gz");
    for (package, changed) in [
        (&wacz, &wacz),
        (&directory.path().join("closing-bag"), &warc),
    ] {
        let mut bytes = fs::read(changed).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        fs::write(changed, bytes).unwrap();
        lastlight(["verify"])
            .arg(package)
            .run()
            .exits(1)
            .says("ALTERED");
    }
}

#[test]
fn a_package_is_never_replaced_and_an_altered_snapshot_never_packed() {
    let directory = scratch();
    let snapshot = &captured().snapshot;
    let taken = directory.path().join("closing.wacz");
    fs::write(&taken, "another's").unwrap();
    let ran = deposit("wacz", snapshot.path(), directory.path());
    assert!(matches!(ran.code, Some(2 | 4)), "{ran}");
    assert_eq!(fs::read(&taken).unwrap(), b"another's");

    let altered = copy(snapshot.path(), &directory.path().join("altered"));
    let ledger = altered.join("reports/ledger.csv");
    let edited = fs::read_to_string(&ledger)
        .unwrap()
        .replacen("robots", "robotz", 1);
    fs::write(&ledger, edited).unwrap();
    deposit("wacz", &altered, directory.path())
        .exits(1)
        .warns("ledger.csv");
    assert!(!directory.path().join("altered.wacz").exists());
}

#[test]
fn a_snapshot_that_is_not_sealed_is_not_packed() {
    let site = Site::slow(std::time::Duration::from_millis(20));
    let directory = scratch();
    let into = directory.path().join("open");
    let running = crawl(site.url("/"), &into).start();
    while site.requests() < 5 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    running.kill();
    running.end();
    let ran = deposit("bag", &into, directory.path());
    assert!(ran.code != Some(0), "{ran}");
    assert!(ran.stderr.contains("seal"), "{ran}");
    assert!(!directory.path().join("open-bag").exists());
}
