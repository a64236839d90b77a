#![expect(clippy::unwrap_used, reason = "tests")]

mod closed;
mod fixity;
mod joined;
mod packages;
mod threads;

use std::fs;
use std::path::Path;

use super::*;
use crate::digest::{Algorithm, Digest};
use crate::snapshot::cdxj;
use crate::snapshot::collection::Holdings;
use crate::snapshot::layout::{CONFIG, CRAWL_LOG, EXTRA_PAGES, INDEX, LEDGER, Layout, PAGES};
use crate::snapshot::ledger::{LedgerRow, LedgerWriter, Place, State};
use crate::snapshot::manifest::{Counts, Manifest, WACZ_VERSION};
use crate::snapshot::pages::{self, Page};
use crate::snapshot::records::{RecordRow, RecordsWriter};
use crate::snapshot::scratch::LineSorter;
use crate::time::WarcDate;
use crate::warc::member::Compressor;
use crate::warc::{Draft, RecordType, Version, write};

const URLS: [&str; 2] = ["http://a.example/", "http://a.example/missing"];
const WARC: &str = "archive/a.warc.gz";

fn warcinfo() -> Vec<u8> {
    let block = write::warc_fields([("software", "test".to_owned())]);
    Draft::new(Version::V1_1, &RecordType::Warcinfo, date())
        .field("Content-Type", "application/warc-fields")
        .record(&block)
}

fn date() -> WarcDate {
    "2026-11-22T02:28:46Z".parse().unwrap()
}

fn response(url: &str, payload: &[u8]) -> Vec<u8> {
    let mut block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n".to_vec();
    block.extend_from_slice(payload);
    Draft::new(Version::V1_1, &RecordType::Response, date())
        .field("WARC-Target-URI", url)
        .field("Content-Type", "application/http; msgtype=response")
        .field("WARC-Payload-Digest", Digest::sha256(payload))
        .record(&block)
}

fn request(url: &str) -> Vec<u8> {
    Draft::new(Version::V1_1, &RecordType::Request, date())
        .field("WARC-Target-URI", url)
        .field("Content-Type", "application/http; msgtype=request")
        .record(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
}

/// A snapshot of two captures, as sealing leaves it.
fn sealed(root: &Path) {
    let layout = Layout::new(root);
    for folder in layout.folders() {
        fs::create_dir_all(folder).unwrap();
    }
    let mut warc = Vec::new();
    let mut compressor = Compressor::default();
    compressor.member(&warcinfo(), &mut warc);
    for url in URLS {
        compressor.member(&response(url, url.as_bytes()), &mut warc);
        compressor.member(&request(url), &mut warc);
    }
    fs::write(layout.path(WARC), &warc).unwrap();
    seal(&layout);
}

fn seal(layout: &Layout) {
    let _ = fs::remove_file(layout.path("datapackage.json"));
    let mut records = RecordsWriter::new(Vec::new()).unwrap();
    let mut file = Vec::new();
    let mut index = LineSorter::default();
    let mut ledger = Vec::new();
    let mut counts = Counts::default();
    let mut count = 0;
    for warc in Holdings::of(layout.root()).unwrap().warcs {
        let mut reader = warc.reader().hashing();
        while let Some(record) = reader.next_record().unwrap() {
            let id = record.header.record_id().unwrap().to_owned();
            let (entry, extent) = cdxj::index_record(record, &warc.filename).unwrap();
            let row = RecordRow {
                filename: warc.filename.clone(),
                offset: extent.offset,
                length: extent.length,
                record_id: id,
                sha256: extent.sha256.unwrap().hex(),
            };
            records.add(&row).unwrap();
            file.push(row.line());
            count += 1;
            let Some(entry) = entry else { continue };
            index.add(entry.to_string().as_bytes()).unwrap();
            counts.add(State::Captured);
            ledger.push(captured(&entry));
        }
    }
    let (root, rows) = records.finish();
    assert_eq!(rows, count);
    let rows = file.join("\n");
    let header = crate::snapshot::records::HEADER;
    fs::write(layout.path(RECORDS), format!("{header}\n{rows}\n")).unwrap();
    let mut lines = Vec::new();
    index.write_to(&mut lines).unwrap();
    fs::write(layout.path(INDEX), lines).unwrap();
    write_ledger(layout, &ledger);
    let mut list = Vec::new();
    pages::write_header(&mut list, "pages", "Seed pages").unwrap();
    let page = Page {
        id: "1".into(),
        url: URLS[0].into(),
        ts: "2026-11-22T02:28:46Z".into(),
        title: "A".into(),
        seed: true,
    };
    pages::write(&mut list, &page).unwrap();
    fs::write(layout.path(PAGES), list).unwrap();
    let mut list = Vec::new();
    pages::write_header(&mut list, "extraPages", "Other pages").unwrap();
    fs::write(layout.path(EXTRA_PAGES), list).unwrap();
    fs::write(layout.path(CRAWL_LOG), "").unwrap();
    fs::write(layout.path(CONFIG), "[crawl]\n").unwrap();
    write_manifest(layout, counts, count, root.to_string());
}

fn captured(entry: &cdxj::CdxjEntry) -> LedgerRow {
    LedgerRow {
        url: entry.url.clone(),
        state: State::Captured,
        reason: String::new(),
        mark: String::new(),
        status: Some(200),
        media_type: "text/html".into(),
        bytes: Some(entry.url.len() as u64),
        payload_digest: entry.digest.clone().unwrap(),
        place: Some(Place {
            filename: entry.filename.clone(),
            offset: entry.offset,
            length: entry.length,
        }),
        via: String::new(),
        hops: String::new(),
        pass: 1,
        time: "2026-11-22T02:28:46Z".into(),
    }
}

fn write_ledger(layout: &Layout, rows: &[LedgerRow]) {
    let mut file = Vec::new();
    let mut writer = LedgerWriter::new(&mut file).unwrap();
    for row in rows {
        writer.add(row).unwrap();
    }
    writer.finish().unwrap();
    fs::write(layout.path(LEDGER), file).unwrap();
}

fn write_manifest(layout: &Layout, counts: Counts, records: u64, record_root: String) {
    let manifest = Manifest {
        profile: "data-package".into(),
        wacz_version: WACZ_VERSION.into(),
        title: "a.example".into(),
        created: "2026-11-22T02:30:00Z".into(),
        software: "lastlight".into(),
        main_page_url: URLS[0].into(),
        main_page_date: String::new(),
        resources: Manifest::describe(layout).unwrap(),
        lastlight: Some(Seal {
            complete: true,
            counts,
            records,
            record_root,
            refers_to: Vec::new(),
            credentials: None,
        }),
    };
    manifest.write(layout).unwrap();
}

fn check(path: &Path) -> Report {
    verify(path, &Options::default(), &mut |_| ()).unwrap()
}

fn fixity_only() -> Options {
    Options {
        checks: vec![Check::Fixity],
        ..Options::default()
    }
}

fn rules(report: &Report) -> Vec<(Severity, &'static str)> {
    let counts = report.findings.counts();
    counts.map(|(severity, rule, _)| (severity, rule)).collect()
}

/// Describes the files anew, as someone would who rewrites a snapshot.
fn reseal_files(root: &Path) {
    let layout = Layout::new(root);
    let manifest = Holdings::of(root).unwrap().container.unwrap().manifest();
    let mut manifest = manifest.unwrap().unwrap();
    manifest.resources = Manifest::describe(&layout).unwrap();
    manifest.write(&layout).unwrap();
}

#[test]
fn a_sealed_snapshot_is_intact_in_every_check() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let report = check(root.path());
    assert_eq!(rules(&report), [], "{:?}", report.findings.kept());
    assert_eq!(report.verdict(), Verdict::IntactUnsigned);
    assert!(
        report
            .checks
            .iter()
            .all(|(_, outcome)| *outcome == Outcome::Done)
    );
    assert_eq!((report.records, report.rows), (5, 5));
    assert_eq!(
        (report.index_lines, report.ledger_rows, report.pages),
        (2, 2, 1)
    );
    assert!(report.files >= 6);
}

fn rules_of(path: &Path) -> Vec<(Severity, &'static str)> {
    rules(&check(path))
}

#[test]
fn an_unsealed_snapshot_is_read_by_scanning_and_its_torn_tail_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::remove_file(root.path().join("datapackage.json")).unwrap();
    fs::remove_file(root.path().join("datapackage-digest.json")).unwrap();
    fs::write(Layout::new(root.path()).store(), "").unwrap();
    let report = check(root.path());
    assert_eq!(rules(&report), [(Severity::Note, "unsealed")]);
    assert_eq!(report.verdict(), Verdict::Unsealed);
    assert_eq!(report.records, 5);
    let file = root.path().join(WARC);
    let good = fs::read(&file).unwrap();
    fs::write(&file, &good[..good.len() - 3]).unwrap();
    let report = check(root.path());
    assert_eq!(report.records, 4);
    assert_eq!(report.findings.count(Severity::Error), 0);
    assert_eq!(report.findings.count(Severity::Warning), 1);
}

#[test]
fn payload_digests_over_the_chunk_framing_are_taken_and_noted() {
    let body = b"2\r\nhi\r\n0\r\n\r\n";
    let mut block = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    block.extend_from_slice(body);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.warc");
    for (payload, expected) in [
        (&b"hi"[..], vec![]),
        (body, vec![(Severity::Note, "payload-digest-as-received")]),
        (b"other", vec![(Severity::Error, "payload-digest")]),
    ] {
        let record = Draft::new(Version::V1_1, &RecordType::Response, date())
            .field("WARC-Target-URI", URLS[0])
            .field("Content-Type", "application/http; msgtype=response")
            .field("WARC-Payload-Digest", Digest::sha256(payload))
            .record(&block);
        fs::write(&path, record).unwrap();
        assert_eq!(rules_of(&path), expected);
    }
}

/// A bag around a snapshot, as bagit.py writes it.
fn bag(root: &Path) {
    let payload = root.join("data");
    fs::create_dir_all(&payload).unwrap();
    sealed(&payload);
    fs::remove_dir_all(payload.join("state")).unwrap();
    let line = |algorithm, path: &str| {
        let file = fs::read(root.join(path)).unwrap();
        let mut hasher = crate::digest::Hasher::new(algorithm);
        hasher.update(&file);
        format!("{}  {path}\n", hasher.finish().hex())
    };
    let files = crate::snapshot::manifest::files_below(root).unwrap();
    let octets: u64 = files
        .iter()
        .map(|f| fs::metadata(root.join(f)).unwrap().len())
        .sum();
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    fs::write(root.join("bagit.txt"), declaration).unwrap();
    let oxum = format!("Payload-Oxum: {octets}.{}\n", files.len());
    fs::write(root.join("bag-info.txt"), oxum).unwrap();
    let algorithms = [Algorithm::Sha256, Algorithm::Sha512];
    for algorithm in algorithms {
        let manifest: String = files.iter().map(|f| line(algorithm, f)).collect();
        fs::write(
            root.join(format!("manifest-{}.txt", algorithm.label())),
            manifest,
        )
        .unwrap();
    }
    let tags = [
        "bag-info.txt",
        "bagit.txt",
        "manifest-sha256.txt",
        "manifest-sha512.txt",
    ];
    for algorithm in algorithms {
        let manifest: String = tags.iter().map(|f| line(algorithm, f)).collect();
        fs::write(
            root.join(format!("tagmanifest-{}.txt", algorithm.label())),
            manifest,
        )
        .unwrap();
    }
}

/// A WACZ of the snapshot, WARCs stored.
fn wacz(snapshot: &Path, path: &Path) {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    for file in crate::snapshot::manifest::files_below(snapshot).unwrap() {
        let method = if file.starts_with("archive/") || file.starts_with("indexes/") {
            zip::CompressionMethod::Stored
        } else {
            zip::CompressionMethod::Deflated
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        zip.start_file(&file, options).unwrap();
        zip.write_all(&fs::read(snapshot.join(file)).unwrap())
            .unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn only_the_checks_asked_for_are_done() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let options = Options {
        checks: vec![Check::Ledger],
        ..Options::default()
    };
    let report = verify(root.path(), &options, &mut |_| ()).unwrap();
    let done: Vec<Check> = report
        .checks
        .iter()
        .filter(|(_, outcome)| *outcome == Outcome::Done)
        .map(|(check, _)| *check)
        .collect();
    assert_eq!(done, [Check::Ledger]);
    assert_eq!(
        (report.files, report.ledger_rows, report.index_lines),
        (0, 2, 0)
    );
}

#[test]
fn what_claims_to_be_an_archive_and_is_none_is_a_finding() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.warc.gz");
    fs::write(&path, "<html>").unwrap();
    assert_eq!(rules_of(&path), [(Severity::Error, "archive-unreadable")]);
    let other = directory.path().join("x.html");
    fs::write(&other, "<html>").unwrap();
    assert!(verify(&other, &Options::default(), &mut |_| ()).is_err());
}

#[test]
fn wgets_revisits_with_the_block_digest_of_nothing_are_no_error() {
    let block = b"HTTP/1.1 200 OK\r\n\r\n";
    let text = format!(
        "WARC/1.0\r\nWARC-Type: revisit\r\nWARC-Record-ID: <urn:uuid:1>\r\n\
         WARC-Date: 2026-11-22T02:28:46Z\r\nWARC-Target-URI: <http://a.example/>\r\n\
         WARC-Profile: <http://netpreserve.org/warc/1.0/revisit/identical-payload-digest>\r\n\
         WARC-Block-Digest: sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ\r\n\
         Content-Type: application/http;msgtype=response\r\nContent-Length: {}\r\n\r\n",
        block.len()
    );
    let record = [text.as_bytes(), block, b"\r\n\r\n"].concat();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.warc");
    fs::write(&path, record).unwrap();
    assert_eq!(
        rules_of(&path),
        [(Severity::Warning, "block-digest-of-nothing")]
    );
}

fn errors(report: &Report) -> Vec<&'static str> {
    let errors = rules(report).into_iter();
    errors
        .filter(|(severity, _)| *severity == Severity::Error)
        .map(|(_, rule)| rule)
        .collect()
}

#[test]
fn what_was_sealed_is_known_without_its_manifest_archive_or_declaration() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::rename(root.path().join("archive"), root.path().join("Archive")).unwrap();
    let report = check(root.path());
    assert_eq!(report.kind, Some(Kind::Snapshot));
    assert!(errors(&report).contains(&"file-missing"));

    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::remove_file(root.path().join("datapackage.json")).unwrap();
    fs::remove_file(root.path().join("datapackage-digest.json")).unwrap();
    assert_eq!(errors(&check(root.path())), ["manifest-missing"]);

    let root = tempfile::tempdir().unwrap();
    bag(root.path());
    fs::remove_file(root.path().join("bagit.txt")).unwrap();
    let report = check(root.path());
    assert_eq!(report.kind, Some(Kind::Bag));
    assert!(errors(&report).contains(&"bag-declaration"));
}

#[test]
fn a_folder_of_snapshots_is_refused_by_name_and_one_of_links_is_followed() {
    let root = tempfile::tempdir().unwrap();
    sealed(&root.path().join("inner"));
    let error = verify(root.path(), &Options::default(), &mut |_| ()).unwrap_err();
    assert!(matches!(error, SnapshotError::Unknown { .. }));
    assert!(error.to_string().contains("inner"), "{error}");

    let stage = tempfile::tempdir().unwrap();
    let warc = root.path().join("inner").join(WARC);
    std::os::unix::fs::symlink(&warc, stage.path().join("a.warc.gz")).unwrap();
    fs::write(stage.path().join("b.warc.xz"), "x").unwrap();
    let report = check(stage.path());
    assert_eq!(report.warcs, 1);
    assert_eq!(rules(&report), [(Severity::Warning, "file-skipped")]);
}

#[test]
fn records_without_any_digest_are_not_called_intact() {
    let record = |digest: &str| {
        let block = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        format!(
            "WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{}>\r\n\
             WARC-Date: 2026-03-01T12:00:00Z\r\nWARC-Target-URI: http://a.example/\r\n{digest}\
             Content-Type: application/http; msgtype=response\r\nContent-Length: {}\r\n\r\n{block}\r\n\r\n",
            uuid::Uuid::new_v4(),
            block.len(),
        )
    };
    let payload = format!("WARC-Payload-Digest: {}\r\n", Digest::sha256(b"hi"));
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("lone.warc");
    for (records, verdict) in [
        (record("") + &record(""), Verdict::Unproven),
        (record("") + &record(&payload), Verdict::IntactUnsigned),
    ] {
        fs::write(&path, records).unwrap();
        let report = check(&path);
        assert_eq!(report.verdict(), verdict, "{:?}", report.findings);
    }
}

#[test]
fn nothing_captured_and_nothing_checked_are_not_intact() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("archive")).unwrap();
    assert_eq!(errors(&check(root.path())), ["warc-missing"]);

    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let warc = root.path().join(WARC);
    let report = verify(&warc, &fixity_only(), &mut |_| ()).unwrap();
    assert_eq!(report.verdict(), Verdict::NothingChecked);
    fs::remove_file(root.path().join(LEDGER)).unwrap();
    reseal_files(root.path());
    let only = Options {
        checks: vec![Check::Ledger],
        ..Options::default()
    };
    let report = verify(root.path(), &only, &mut |_| ()).unwrap();
    assert_eq!(errors(&report), ["file-missing"]);
}
