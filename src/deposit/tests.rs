#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{Read, Write};
use std::path::Path;

use super::*;
use crate::digest::Digest;
use crate::snapshot::cdxj;
use crate::snapshot::collection::{Collection, Kind};
use crate::snapshot::layout::*;
use crate::snapshot::ledger::{LedgerRow, LedgerWriter, Place, State};
use crate::snapshot::lock::SnapshotLock;
use crate::snapshot::manifest::{Counts, Manifest, Seal, WACZ_VERSION};
use crate::snapshot::pages::{self, Page};
use crate::snapshot::records::{RecordRow, RecordsWriter};
use crate::warc::member::Compressor;
use crate::warc::write::Draft;
use crate::warc::{Reader, RecordType, Version};

const WARC: &str = "example.warc.gz";

/// A snapshot of a site of `pages` pages, sealed.
fn sealed(root: &Path, pages: usize, complete: bool) -> Layout {
    let layout = Layout::new(root);
    for folder in layout.folders() {
        fs::create_dir_all(folder).unwrap();
    }
    SnapshotLock::acquire(&layout).unwrap();
    fs::write(layout.store(), "the frontier").unwrap();

    let (mut warc, mut compressor) = (Vec::new(), Compressor::default());
    let mut records = RecordsWriter::new(fs::File::create(layout.path(RECORDS)).unwrap()).unwrap();
    let mut rows = Vec::new();
    let date = "2026-11-22T02:28:46.123456Z";
    for n in 0..pages {
        let body = format!("<title>Page {n}</title>{}", "finding ".repeat(n % 50));
        let url = format!("http://inquiry.example/page/{n}");
        let block = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let payload = Digest::sha256(body.as_bytes());
        let draft = Draft::new(Version::V1_1, &RecordType::Response, date.parse().unwrap())
            .field("WARC-Target-URI", &url)
            .field("Content-Type", "application/http; msgtype=response")
            .field("WARC-Payload-Digest", &payload);
        let record_id = draft.id().to_owned();
        let offset = warc.len() as u64;
        compressor.member(&draft.record(block.as_bytes()), &mut warc);
        let stored = &warc[offset as usize..];
        let length = stored.len() as u64;
        let row = RecordRow {
            filename: WARC.into(),
            offset,
            length,
            record_id,
            sha256: Digest::sha256(stored).hex(),
        };
        records.add(&row).unwrap();
        rows.push(LedgerRow {
            url,
            state: State::Captured,
            reason: String::new(),
            mark: String::new(),
            status: Some(200),
            media_type: "text/html".into(),
            bytes: Some(body.len() as u64),
            payload_digest: payload.to_string(),
            place: Some(Place {
                filename: WARC.into(),
                offset,
                length,
            }),
            via: String::new(),
            // The first rows are empty, the later aren't: a table whose column
            // types are guessed from its start would be found invalid.
            hops: if n < 150 { String::new() } else { "L".into() },
            pass: 1,
            time: date.into(),
        });
    }
    fs::write(layout.archive().join(WARC), &warc).unwrap();
    let mut lines = Vec::new();
    cdxj::index_warc(&mut Reader::new(WARC, &warc[..]), WARC, |entry| {
        lines.push(format!("{entry}\n"));
    })
    .unwrap();
    lines.sort_unstable();
    fs::write(layout.path(INDEX), lines.concat()).unwrap();

    let mut counts = Counts::default();
    rows.sort_unstable_by(|a, b| a.url.cmp(&b.url));
    let mut ledger = LedgerWriter::new(fs::File::create(layout.path(LEDGER)).unwrap()).unwrap();
    for row in &rows {
        counts.add(row.state);
        ledger.add(row).unwrap();
    }
    ledger.finish().unwrap();
    let mut list = Vec::new();
    pages::write_header(&mut list, "pages", "Seeds").unwrap();
    let page = Page {
        id: "1".into(),
        url: "http://inquiry.example/page/0".into(),
        ts: date.into(),
        title: "Page 0".into(),
        seed: true,
    };
    pages::write(&mut list, &page).unwrap();
    fs::write(layout.path(PAGES), list).unwrap();
    fs::write(layout.path(CONFIG), "[crawl]\n").unwrap();
    fs::write(layout.path("reports/report.json"), "{\"pages\": 1}\n").unwrap();
    fs::write(layout.path(CRAWL_LOG), "").unwrap();
    let (root, count) = records.finish();
    seal(&layout, complete, counts, count, &root);
    layout
}

fn seal(layout: &Layout, complete: bool, counts: Counts, records: u64, root: &Digest) {
    let manifest = Manifest {
        profile: "data-package".into(),
        wacz_version: WACZ_VERSION.into(),
        title: "The inquiry\nand its findings".into(),
        created: "2026-11-22T02:30:01Z".into(),
        software: "Lastlight".into(),
        main_page_url: "http://inquiry.example/page/0".into(),
        main_page_date: "2026-11-22T02:28:46Z".into(),
        resources: Manifest::describe(layout).unwrap(),
        lastlight: Some(Seal {
            complete,
            counts,
            records,
            record_root: root.to_string(),
            refers_to: Vec::new(),
            credentials: None,
        }),
    };
    manifest.write(layout).unwrap();
}

fn quiet(_: u64, _: u64) {}

/// Every index line with the stored bytes of its record.
fn captures(path: &Path) -> Vec<(String, Vec<u8>)> {
    let collection = Collection::open(path).unwrap();
    let entries = collection.index().lines("").unwrap();
    entries
        .map(|line| {
            let line = line.unwrap();
            let entry: cdxj::CdxjEntry = line.parse().unwrap();
            let warc = collection.warc(&entry.filename).unwrap();
            let mut bytes = Vec::new();
            let mut part = warc.region().part(entry.offset, entry.length);
            part.read_to_end(&mut bytes).unwrap();
            (line.clone(), bytes)
        })
        .collect()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn zip_entries(path: &Path) -> Vec<(String, zip::CompressionMethod, Vec<u8>)> {
    let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut entry = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let name = entry.name().unwrap().into_owned();
            (name, entry.compression(), content)
        })
        .collect()
}

#[test]
fn both_packages_have_the_captures_and_bytes_of_the_snapshot() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 40, true);
    let expected = captures(layout.root());
    assert_eq!(expected.len(), 40);
    let (mut last, mut total) = (0, 0);
    let told = |done: u64, of: u64| (last, total) = (done, of);
    let file = wacz(&layout, place.path(), told).unwrap();
    assert!(total > 0 && last == total);
    let bag = bag(&layout, place.path(), quiet).unwrap();
    for (deposited, kind) in [(&file, Kind::Wacz), (&bag, Kind::Bag)] {
        assert_eq!(Collection::open(&deposited.path).unwrap().kind, Some(kind));
        assert_eq!(captures(&deposited.path), expected);
        assert_eq!(deposited.complete, Some(true));
    }
    let names = names(place.path());
    assert_eq!(names, ["inquiry", "inquiry-bag", "inquiry.wacz"]);
}

#[test]
fn a_wacz_lists_and_fixes_every_file_in_it() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 3, false);
    let deposited = wacz(&layout, place.path(), quiet).unwrap();
    let bytes = fs::read(&deposited.path).unwrap();
    assert_eq!(deposited.sha256, Digest::sha256(&bytes));
    assert_eq!(deposited.bytes, bytes.len() as u64);
    assert_eq!(deposited.complete, Some(false));

    let entries = zip_entries(&deposited.path);
    assert_eq!(deposited.files, entries.len() as u64);
    let content = |name: &str| &entries.iter().find(|entry| entry.0 == name).unwrap().2;
    let json = content(MANIFEST);
    let manifest: Manifest = serde_json::from_slice(json).unwrap();
    let sealed: Manifest =
        serde_json::from_slice(&fs::read(layout.path(MANIFEST)).unwrap()).unwrap();
    assert_eq!(manifest.lastlight, sealed.lastlight);
    let listed: Vec<&str> = manifest.resources.iter().map(|r| r.path.as_str()).collect();
    let mut packed: Vec<&str> = entries.iter().map(|entry| entry.0.as_str()).collect();
    packed.retain(|path| *path != MANIFEST && *path != MANIFEST_DIGEST);
    packed.sort_unstable();
    assert_eq!(listed, packed);
    assert!(!packed.iter().any(|path| path.starts_with("state/")));
    for resource in &manifest.resources {
        let content = content(&resource.path);
        assert_eq!(resource.hash, Digest::sha256(content).to_string());
        assert_eq!(resource.bytes, content.len() as u64);
    }
    for resource in &sealed.resources {
        let kept = manifest.resources.contains(resource);
        assert_eq!(kept, resource.path != INDEX, "{}", resource.path);
    }
    assert!(listed.contains(&"indexes/index.cdx.gz"));
    assert!(listed.contains(&"indexes/index.idx"));
    let digest: serde_json::Value = serde_json::from_slice(content(MANIFEST_DIGEST)).unwrap();
    assert_eq!(digest["hash"], Digest::sha256(json).to_string());
    for (name, method, _) in &entries {
        let in_place = name.starts_with("archive/") || name.starts_with("indexes/");
        assert_eq!(
            *method == zip::CompressionMethod::Stored,
            in_place,
            "{name}"
        );
    }
}

#[test]
fn the_compressed_index_is_the_index_and_its_keys_find_each_block() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 2500, true);
    let deposited = wacz(&layout, place.path(), quiet).unwrap();
    let entries = zip_entries(&deposited.path);
    let content = |name: &str| &entries.iter().find(|entry| entry.0 == name).unwrap().2;
    let (blocks, keys) = (
        content("indexes/index.cdx.gz"),
        content("indexes/index.idx"),
    );
    let keys = std::str::from_utf8(keys).unwrap();
    let (meta, keys) = keys.split_once('\n').unwrap();
    assert_eq!(
        meta,
        r#"!meta 0 {"format": "cdxj-gzip-1.0", "filename": "index.cdx.gz"}"#
    );
    let mut whole = Vec::new();
    let mut next = 0;
    for line in keys.lines() {
        let (key, json) = line.split_once(" {").unwrap();
        let place: serde_json::Value = serde_json::from_str(&format!("{{{json}")).unwrap();
        let number = |name: &str| usize::try_from(place[name].as_u64().unwrap()).unwrap();
        let (offset, length) = (number("offset"), number("length"));
        assert_eq!(offset, next);
        next += length;
        let member = &blocks[offset..next];
        assert_eq!(place["digest"], Digest::sha256(member).to_string());
        let mut block = String::new();
        flate2::read::GzDecoder::new(member)
            .read_to_string(&mut block)
            .unwrap();
        assert!(block.starts_with(&format!("{key} {{")), "{key}");
        assert!(block.lines().count() <= 1024);
        whole.extend_from_slice(block.as_bytes());
    }
    assert_eq!(next, blocks.len());
    assert_eq!(keys.lines().count(), 3);
    assert_eq!(whole, fs::read(layout.path(INDEX)).unwrap());
}

#[test]
fn a_compressed_index_of_another_tool_is_packed_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 2, true);
    fs::write(layout.path("indexes/index.cdx.gz"), "theirs").unwrap();
    let mut manifest: Manifest =
        serde_json::from_slice(&fs::read(layout.path(MANIFEST)).unwrap()).unwrap();
    manifest.resources = Manifest::describe(&layout).unwrap();
    manifest.write(&layout).unwrap();
    let deposited = wacz(&layout, place.path(), quiet).unwrap();
    let entries = zip_entries(&deposited.path);
    let content = |name: &str| &entries.iter().find(|entry| entry.0 == name).unwrap().2;
    assert_eq!(content("indexes/index.cdx.gz"), b"theirs");
    assert_eq!(*content(INDEX), fs::read(layout.path(INDEX)).unwrap());
}

#[test]
fn one_snapshot_gives_one_wacz_byte_for_byte() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 20, true);
    let first = wacz(&layout, &place.path().join("a"), quiet).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let second = wacz(&layout, &place.path().join("b"), quiet).unwrap();
    assert_eq!(
        fs::read(first.path).unwrap(),
        fs::read(second.path).unwrap()
    );
}

#[test]
fn rfc8493_the_tag_files_fix_the_payload_and_each_other() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 5, false);
    let deposited = bag(&layout, place.path(), quiet).unwrap();
    let root = &deposited.path;
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    assert_eq!(
        read("bagit.txt"),
        "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    );
    let about = read("bag-info.txt");
    assert!(about.contains(&format!("Payload-Oxum: {}\n", deposited.oxum())));
    assert!(about.contains("External-Description: The inquiry and its findings\n"));
    assert!(about.contains("ended early"));
    let mut payload = crate::snapshot::manifest::files_below(&root.join("data")).unwrap();
    for path in &mut payload {
        *path = format!("data/{path}");
    }
    assert!(payload.contains(&"data/datapackage.json".into()));
    assert!(!payload.iter().any(|path| path.starts_with("data/state")));
    let tags = [
        "bag-info.txt",
        "bagit.txt",
        "manifest-sha256.txt",
        "manifest-sha512.txt",
    ];
    for (manifest, files) in [
        ("manifest-sha256.txt", payload.clone()),
        ("manifest-sha512.txt", payload),
        ("tagmanifest-sha256.txt", tags.map(String::from).to_vec()),
        ("tagmanifest-sha512.txt", tags.map(String::from).to_vec()),
    ] {
        let text = read(manifest);
        let mut named: Vec<String> = Vec::new();
        for line in text.lines() {
            let (hex, path) = line.split_once("  ").unwrap();
            named.push(path.into());
            if manifest.contains("256") {
                let content = fs::read(root.join(path)).unwrap();
                assert_eq!(hex, Digest::sha256(&content).hex(), "{path}");
            } else {
                assert_eq!(hex.len(), 128);
            }
        }
        named.sort_unstable();
        assert_eq!(named, files, "{manifest}");
    }
    let tagmanifest = read("tagmanifest-sha256.txt");
    assert_eq!(deposited.sha256, Digest::sha256(tagmanifest.as_bytes()));
}

type Pack = fn(&Layout, &Path) -> Result<Deposited, DepositError>;

const FORMS: [Pack; 2] = [
    |layout, into| wacz(layout, into, quiet),
    |layout, into| bag(layout, into, quiet),
];

/// Packs what `spoil` made of a snapshot; gives the errors, and asserts that
/// nothing else is left.
fn refused(spoil: impl Fn(&Layout)) -> Vec<DepositError> {
    FORMS
        .iter()
        .map(|pack| {
            let place = tempfile::tempdir().unwrap();
            let layout = sealed(&place.path().join("inquiry"), 5, true);
            spoil(&layout);
            let out = place.path().join("out");
            let error = pack(&layout, &out).unwrap_err();
            assert!(!out.exists() || names(&out).is_empty(), "{:?}", names(&out));
            error
        })
        .collect()
}

fn ends(path: &Path, with: &str) -> bool {
    path.ends_with(with)
}

#[test]
fn an_unsealed_snapshot_is_refused() {
    for error in refused(|layout| fs::remove_file(layout.path(MANIFEST)).unwrap()) {
        assert!(matches!(error, DepositError::Unsealed { .. }), "{error}");
    }
}

#[test]
fn a_snapshot_changed_after_sealing_is_refused_by_the_files_name() {
    let warc = format!("archive/{WARC}");
    let flip = |layout: &Layout| {
        let mut bytes = fs::read(layout.path(&warc)).unwrap();
        // The gzip header's time: no CRC covers it.
        bytes[4] ^= 1;
        fs::write(layout.path(&warc), bytes).unwrap();
    };
    for error in refused(flip) {
        assert!(matches!(&error, DepositError::Altered { path, .. } if ends(path, WARC)));
    }
    let append = |layout: &Layout| {
        let mut file = fs::File::options()
            .append(true)
            .open(layout.path(INDEX))
            .unwrap();
        file.write_all(b"x").unwrap();
    };
    for error in refused(append) {
        assert!(matches!(&error, DepositError::Length { path, .. } if ends(path, INDEX)));
    }
    let cut = |layout: &Layout| fs::write(layout.path(LEDGER), "url").unwrap();
    for error in refused(cut) {
        assert!(
            matches!(&error, DepositError::Length { path, found: 3, .. } if ends(path, LEDGER))
        );
    }
    for error in refused(|layout| fs::remove_file(layout.path(PAGES)).unwrap()) {
        assert!(matches!(&error, DepositError::Missing { path } if ends(path, PAGES)));
    }
    for error in refused(|layout| fs::write(layout.path("logs/stray"), "").unwrap()) {
        assert!(matches!(&error, DepositError::Unlisted { path } if ends(path, "logs/stray")));
    }
    let edit = |layout: &Layout| {
        let json = fs::read_to_string(layout.path(MANIFEST)).unwrap();
        let json = json.replace("\"complete\": true", "\"complete\": false");
        fs::write(layout.path(MANIFEST), json).unwrap();
    };
    for error in refused(edit) {
        assert!(matches!(&error, DepositError::Altered { path, .. } if ends(path, MANIFEST)));
    }
}

#[test]
fn a_link_in_place_of_a_file_is_refused() {
    let link = |layout: &Layout| {
        let away = layout.root().with_file_name("away");
        fs::rename(layout.path(LEDGER), &away).unwrap();
        std::os::unix::fs::symlink(away, layout.path(LEDGER)).unwrap();
    };
    for error in refused(link) {
        assert!(matches!(&error, DepositError::Missing { path } if ends(path, LEDGER)));
    }
}

#[test]
fn a_manifest_cannot_lead_out_of_the_snapshot() {
    let lead = |layout: &Layout| {
        fs::write(layout.root().with_file_name("secret"), "").unwrap();
        let json = fs::read_to_string(layout.path(MANIFEST)).unwrap();
        fs::write(layout.path(MANIFEST), json.replace(LEDGER, "../secret")).unwrap();
        fs::remove_file(layout.path(MANIFEST_DIGEST)).unwrap();
    };
    for error in refused(lead) {
        assert!(matches!(&error, DepositError::Missing { path } if ends(path, "../secret")));
    }
}

#[test]
fn a_snapshot_that_is_written_to_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 1, true);
    let lock = SnapshotLock::acquire(&layout).unwrap();
    let error = wacz(&layout, place.path(), quiet).unwrap_err();
    assert!(matches!(error, DepositError::Lock(LockError::Held { .. })));
    drop(lock);
    wacz(&layout, place.path(), quiet).unwrap();
}

#[test]
fn nothing_is_overwritten() {
    for (pack, name) in FORMS.iter().zip(["inquiry.wacz", "inquiry-bag"]) {
        let place = tempfile::tempdir().unwrap();
        let layout = sealed(&place.path().join("inquiry"), 1, true);
        let target = place.path().join(name);
        fs::create_dir(&target).unwrap();
        let error = pack(&layout, place.path()).unwrap_err();
        assert!(matches!(&error, DepositError::Exists { path } if *path == target));
        fs::remove_dir(&target).unwrap();
        // A directory of the user's own that has the name of a part.
        let part = place.path().join(format!(".{name}.lastlight-part"));
        fs::create_dir(&part).unwrap();
        fs::write(part.join("thesis.txt"), "mine").unwrap();
        let error = pack(&layout, place.path()).unwrap_err();
        assert!(matches!(&error, DepositError::Exists { path } if *path == part));
        assert_eq!(names(&part), ["thesis.txt"]);
        fs::remove_dir_all(&part).unwrap();
        pack(&layout, place.path()).unwrap();
    }
}

#[test]
fn what_a_killed_run_left_is_taken_over_but_a_running_one_is_not() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 1, true);
    let (file, directory) = (
        place.path().join(".inquiry.wacz.lastlight-part"),
        place.path().join(".inquiry-bag.lastlight-part"),
    );
    fs::write(&file, vec![0; 1_000_000]).unwrap();
    fs::create_dir_all(directory.join("data/old")).unwrap();
    fs::write(directory.join("bagit.txt"), "").unwrap();
    fs::write(directory.join("data/old/file"), "").unwrap();
    for (pack, part) in FORMS.iter().zip([&file, &directory]) {
        let running = fs::File::open(part).unwrap();
        running.lock().unwrap();
        let error = pack(&layout, place.path()).unwrap_err();
        assert!(matches!(&error, DepositError::Busy { path } if path == part));
        assert!(part.exists());
        drop(running);
        let deposited = pack(&layout, place.path()).unwrap();
        assert_eq!(captures(&deposited.path).len(), 1);
        assert!(!part.exists());
    }
    assert!(!place.path().join("inquiry-bag/data/old").exists());
}

#[test]
fn a_package_inside_its_snapshot_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 1, true);
    let inside = layout.path("archive/deposits");
    let error = wacz(&layout, &inside, quiet).unwrap_err();
    assert!(matches!(error, DepositError::Inside { .. }));
    assert!(!inside.exists());
    let dotted = Layout::new(layout.archive().join(".."));
    assert_eq!(beside(&dotted), fs::canonicalize(place.path()).unwrap());
    let deposited = wacz(&dotted, &beside(&dotted), quiet).unwrap();
    assert_eq!(deposited.path.file_name().unwrap(), "inquiry.wacz");
}

#[test]
fn packing_leaves_the_snapshot_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 1, true);
    let listing = || -> Vec<(String, Vec<u8>)> {
        let files = crate::snapshot::manifest::files_below(layout.root()).unwrap();
        let read = |path: String| (path.clone(), fs::read(layout.path(&path)).unwrap());
        files.into_iter().map(read).collect()
    };
    let before = listing();
    for pack in FORMS {
        pack(&layout, &place.path().join("out")).unwrap();
    }
    assert_eq!(listing(), before);
}

#[test]
fn a_snapshot_without_captures_is_packed() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 0, false);
    for pack in FORMS {
        let deposited = pack(&layout, place.path()).unwrap();
        assert_eq!(captures(&deposited.path), []);
    }
}

#[test]
fn what_is_not_accepted_gets_no_name_and_a_foreign_part_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 2, true);
    let foreign = place.path().join("inquiry.wacz.part");
    fs::write(&foreign, "precious").unwrap();
    let into = place.path();
    let reject = |path: &Path| {
        assert!(path.exists());
        Err(DepositError::Rejected {
            path: path.to_owned(),
            reason: "no".into(),
        })
    };
    for error in [
        wacz_if(&layout, into, quiet, reject).unwrap_err(),
        bag_if(&layout, into, quiet, reject).unwrap_err(),
    ] {
        assert!(matches!(error, DepositError::Rejected { .. }), "{error}");
    }
    wacz(&layout, into, quiet).unwrap();
    assert_eq!(fs::read(&foreign).unwrap(), b"precious");
    assert_eq!(fs::read_dir(into).unwrap().count(), 3);
}

#[test]
fn a_link_into_the_snapshot_is_seen_before_anything_is_made() {
    let place = tempfile::tempdir().unwrap();
    let layout = sealed(&place.path().join("inquiry"), 2, true);
    let link = place.path().join("link");
    std::os::unix::fs::symlink(layout.path("reports"), &link).unwrap();
    let error = wacz(&layout, &link.join("x"), quiet).unwrap_err();
    assert!(matches!(error, DepositError::Inside { .. }), "{error}");
    assert!(!layout.path("reports/x").exists());
}
