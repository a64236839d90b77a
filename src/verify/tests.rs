#![expect(clippy::unwrap_used, reason = "tests")]

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

#[test]
fn any_one_bit_of_any_file_is_found_and_in_a_warc_its_record_is_named() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let rows = fs::read_to_string(layout.path(RECORDS)).unwrap();
    let records: Vec<(u64, u64, String)> = rows
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            let number = |at: usize| columns[at].parse().unwrap();
            (number(1), number(2), columns[3].to_owned())
        })
        .collect();
    for path in crate::snapshot::manifest::files_below(root.path()).unwrap() {
        let file = layout.path(&path);
        let good = fs::read(&file).unwrap();
        // What only a digest guards is tried at one bit a byte.
        let every_bit = path == WARC || path.starts_with("datapackage-digest");
        let bits = (0..good.len() * 8).filter(|bit| every_bit || bit % 8 == bit / 8 % 8);
        for bit in bits {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &bad).unwrap();
            let report = verify(root.path(), &fixity_only(), &mut |_| ()).unwrap();
            let mut errors = report
                .findings
                .kept()
                .iter()
                .filter(|finding| finding.severity == Severity::Error);
            if path == WARC {
                let at = bit as u64 / 8;
                let (offset, _, id) = records
                    .iter()
                    .find(|(offset, length, _)| (*offset..offset + length).contains(&at))
                    .unwrap();
                assert!(
                    errors.any(|finding| finding.rule == "record-altered"
                        && finding.location.path == path
                        && finding.location.offset == Some(*offset)
                        && finding.location.record_id.as_ref() == Some(id)),
                    "bit {bit} of {path}"
                );
            } else {
                let named = |finding: &Finding| {
                    finding.location.path == path
                        || (path.starts_with("datapackage")
                            && finding.location.path.starts_with("datapackage"))
                };
                assert!(errors.any(named), "bit {bit} of {path}");
            }
        }
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(check(root.path()).verdict(), Verdict::IntactUnsigned);
}

#[test]
fn every_cut_of_a_warc_names_the_first_record_that_it_cuts() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(WARC);
    let good = fs::read(&file).unwrap();
    let rows = fs::read_to_string(root.path().join(RECORDS)).unwrap();
    let ends: Vec<(u64, u64)> = rows
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            let number = |at: usize| columns[at].parse::<u64>().unwrap();
            (number(1), number(1) + number(2))
        })
        .collect();
    for cut in 0..good.len() {
        fs::write(&file, &good[..cut]).unwrap();
        let report = check(root.path());
        let first = report
            .findings
            .kept()
            .iter()
            .find(|finding| finding.rule == "record-truncated")
            .unwrap();
        let (offset, _) = ends.iter().find(|(_, end)| *end > cut as u64).unwrap();
        assert_eq!(first.location.offset, Some(*offset), "cut at {cut}");
        assert_eq!(first.location.path, WARC);
    }
}

#[test]
fn missing_extra_and_altered_files_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::write(root.path().join("reports/extra.txt"), "x").unwrap();
    fs::remove_file(root.path().join(PAGES)).unwrap();
    fs::write(root.path().join("state/lock"), "never deposited").unwrap();
    let report = check(root.path());
    let found: Vec<_> = report
        .findings
        .kept()
        .iter()
        .map(|finding| (finding.rule, finding.location.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [("file-missing", PAGES), ("file-extra", "reports/extra.txt")]
    );
}

#[test]
fn rows_that_leave_bytes_out_or_overlap_are_errors() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(RECORDS);
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n")
    };
    for (text, rule) in [
        (without(3), "records-gap"),
        (without(5), "records-gap"),
        (format!("{good}{}\n", lines[2]), "records-overlap"),
        (lines[0].to_owned(), "records-gap"),
    ] {
        fs::write(&file, text).unwrap();
        reseal_files(root.path());
        let found = rules(&check(root.path()));
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
        assert!(
            found.contains(&(Severity::Error, "record-root")),
            "{found:?}"
        );
    }
}

#[test]
fn damage_to_one_record_hides_no_other() {
    let records: Vec<Vec<u8>> = std::iter::once(warcinfo())
        .chain(URLS.iter().map(|url| response(url, url.as_bytes())))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let mut compressor = Compressor::default();
    for (name, gzip) in [("x.warc.gz", true), ("x.warc", false)] {
        let mut file = Vec::new();
        let mut second = 0;
        for (at, record) in records.iter().enumerate() {
            if at == 1 {
                second = file.len();
            }
            if gzip {
                compressor.member(record, &mut file);
            } else {
                file.extend_from_slice(record);
            }
        }
        let path = directory.path().join(name);
        file[second] ^= 0x10;
        fs::write(&path, &file).unwrap();
        let report = check(&path);
        assert_eq!(report.records, 2, "{name}: {:?}", report.findings.kept());
        assert_eq!(report.findings.count(Severity::Error), 1);
        let finding = &report.findings.kept()[0];
        assert_eq!(finding.location.offset, Some(second as u64));
        assert!(
            finding.message.contains("reading goes on"),
            "{}",
            finding.message
        );
        assert_eq!(report.verdict(), Verdict::Altered);
    }
}

#[test]
fn an_index_that_says_something_else_is_told() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(INDEX);
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    for (text, rule) in [
        (format!("{}\n", lines[0]), "index-missing"),
        (format!("{}\n{}\n", lines[1], lines[0]), "index-order"),
        (
            good.replace("\"status\": \"200\"", "\"status\": \"404\""),
            "index-differs",
        ),
        (
            good.replace("\"offset\": \"", "\"offset\": \"1"),
            "index-dangling",
        ),
        (
            good.replace("20261122022846 {", "20261122022847 {"),
            "index-differs",
        ),
        (format!("{good}zz\n"), "index-line"),
    ] {
        fs::write(&file, text).unwrap();
        reseal_files(root.path());
        let found = rules(&check(root.path()));
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
    }
}

#[test]
fn a_ledger_that_says_something_else_is_told() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let file = fs::read(layout.path(LEDGER)).unwrap();
    let rows: Vec<LedgerRow> = crate::snapshot::ledger::read(Path::new("l"), &file[..])
        .collect::<Result<_, _>>()
        .unwrap();
    let changed = |change: fn(&mut LedgerRow)| {
        let mut rows = rows.clone();
        change(&mut rows[0]);
        rows
    };
    for (rows, rule) in [
        (rows[..1].to_vec(), "ledger-missing"),
        (rows.iter().rev().cloned().collect(), "ledger-order"),
        (changed(|row| row.place = None), "ledger-dangling"),
        (
            changed(|row| row.place.as_mut().unwrap().offset += 1),
            "ledger-dangling",
        ),
        (
            changed(|row| row.place.as_mut().unwrap().length += 1),
            "ledger-differs",
        ),
        (
            changed(|row| row.payload_digest = Digest::sha256(b"").to_string()),
            "ledger-differs",
        ),
        (changed(|row| row.state = State::Failed), "ledger-counts"),
    ] {
        write_ledger(&layout, &rows);
        reseal_files(root.path());
        let found = rules_of(root.path());
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
    }
}

fn rules_of(path: &Path) -> Vec<(Severity, &'static str)> {
    rules(&check(path))
}

#[test]
fn an_honest_failure_of_the_site_is_a_note() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let file = fs::read(layout.path(LEDGER)).unwrap();
    let mut rows: Vec<LedgerRow> = crate::snapshot::ledger::read(Path::new("l"), &file[..])
        .collect::<Result<_, _>>()
        .unwrap();
    let mut failed = rows[0].clone();
    failed.url = "http://z.example/".into();
    failed.state = State::Failed;
    failed.place = None;
    failed.reason = "no answer".into();
    rows.push(failed);
    write_ledger(&layout, &rows);
    let mut manifest = Holdings::of(root.path())
        .unwrap()
        .container
        .unwrap()
        .manifest()
        .unwrap()
        .unwrap();
    let seal = manifest.lastlight.as_mut().unwrap();
    seal.counts.add(State::Failed);
    manifest.write(&layout).unwrap();
    reseal_files(root.path());
    let report = check(root.path());
    assert_eq!(rules(&report), [(Severity::Note, "url-failed")]);
    assert_eq!(report.verdict(), Verdict::IntactUnsigned);
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

#[test]
fn any_one_bit_of_a_bags_tag_files_is_found() {
    let root = tempfile::tempdir().unwrap();
    bag(root.path());
    let report = check(root.path());
    assert_eq!(rules(&report), [], "{:?}", report.findings.kept());
    let fixity = fixity_only();
    for path in crate::snapshot::manifest::files_below(root.path()).unwrap() {
        if path.starts_with("data/") {
            continue;
        }
        let file = root.path().join(&path);
        let good = fs::read(&file).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &bad).unwrap();
            let report = verify(root.path(), &fixity, &mut |_| ()).unwrap();
            assert_eq!(report.verdict(), Verdict::Altered, "bit {bit} of {path}");
        }
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn a_bag_that_must_be_fetched_or_lost_payload_is_refused() {
    let root = tempfile::tempdir().unwrap();
    bag(root.path());
    fs::write(
        root.path().join("fetch.txt"),
        "http://a.example/ 1 data/x\n",
    )
    .unwrap();
    fs::write(root.path().join("data/more"), "x").unwrap();
    let found = rules_of(root.path());
    for rule in ["bag-fetch", "bag-oxum", "file-extra"] {
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
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
fn a_wacz_is_verified_in_place_and_no_flipped_bit_panics_or_passes_in_a_file() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::remove_dir_all(root.path().join("state")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wacz");
    wacz(root.path(), &path);
    let report = check(&path);
    assert_eq!(rules(&report), [], "{:?}", report.findings.kept());
    assert_eq!((report.records, report.rows), (5, 5));
    let good = fs::read(&path).unwrap();
    let warc = fs::read(root.path().join(WARC)).unwrap();
    let start = good.windows(warc.len()).position(|w| w == warc).unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        fs::write(&path, &bad).unwrap();
        match verify(&path, &Options::default(), &mut |_| ()) {
            Ok(report) if (start..start + warc.len()).contains(&byte) => {
                let found = rules(&report);
                assert!(
                    found.contains(&(Severity::Error, "record-altered")),
                    "byte {byte}"
                );
                assert!(found.contains(&(Severity::Error, "zip-crc")), "byte {byte}");
            }
            Ok(_) => {}
            Err(error) => panic!("byte {byte}: {error}"),
        }
    }
}

#[test]
fn only_the_checks_asked_for_are_done() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let options = Options {
        checks: vec![Check::Ledger],
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
fn links_in_a_snapshot_are_errors_and_a_socket_is_no_file() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    std::os::unix::fs::symlink("/", root.path().join("pages/extra")).unwrap();
    assert_eq!(errors(&check(root.path())), ["file-special"]);
    let socket = root.path().join("x.warc");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = verify(&socket, &Options::default(), &mut |_| ()).unwrap_err();
    assert!(matches!(error, SnapshotError::Unknown { .. }), "{error}");
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
    };
    let report = verify(root.path(), &only, &mut |_| ()).unwrap();
    assert_eq!(errors(&report), ["file-missing"]);
}

/// Rewrites a file of the snapshot, with a manifest made to fit.
fn rewritten(file: &str, edit: impl Fn(String) -> String) -> Vec<&'static str> {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let path = root.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let edited = edit(text.clone());
    assert_ne!(text, edited);
    fs::write(path, edited).unwrap();
    reseal_files(root.path());
    errors(&check(root.path()))
}

#[test]
fn the_ledger_says_what_the_records_say() {
    for (from, to) in [
        (",200,", ",404,"),
        (",200,", ",,"),
        ("text/html,17,", "text/html,18,"),
        ("text/html,17,", "text/html,,"),
        ("text/html", "text/plain"),
        ("02:28:46Z", "02:28:47Z"),
    ] {
        let found = rewritten(LEDGER, |text| text.replacen(from, to, 1));
        assert_eq!(found, ["ledger-differs"], "{from} as {to}");
    }
    for state in ["failed", "excluded", "unreached", "unchanged"] {
        let found = rewritten(LEDGER, |text| text.replacen("captured", state, 1));
        assert_eq!(found, ["ledger-counts", "ledger-differs"], "{state}");
    }
}

#[test]
fn rows_pages_and_index_lines_are_held_against_the_records() {
    let id = |text: String| {
        let at = text.find("urn:uuid:").unwrap() + 9;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let found = rewritten(RECORDS, id);
    assert_eq!(found, ["record-root", "records-differ"]);
    let found = rewritten(PAGES, |text| text.replace("http://a.", "http://b."));
    assert_eq!(found, ["page-missing"]);
    let found = rewritten(EXTRA_PAGES, |text| text + "nonsense\n");
    assert_eq!(found, ["page-line"]);
    let twice = |text: String| {
        let (first, _) = text.split_once('\n').unwrap();
        format!("{first}\n{text}")
    };
    assert_eq!(rewritten(INDEX, twice), ["index-duplicate"]);
}

#[test]
fn thousands_of_records_longer_than_the_file_are_given_up_soon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.warc");
    let record = "WARC/1.1\r\nContent-Length: 99999999999\r\n\r\n";
    fs::write(&path, record.repeat(100_000)).unwrap();
    let report = check(&path);
    assert_eq!(report.verdict(), Verdict::Altered);
    assert!(report.findings.count(Severity::Error) < 20);
}

#[test]
fn a_manifest_of_files_without_path_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let bomb = format!(
        "{{\"profile\": \"\", \"resources\": [{}",
        "{\"path\":\"\"},".repeat(2000)
    );
    fs::write(root.path().join("datapackage.json"), bomb).unwrap();
    let report = check(root.path());
    assert!(report.findings.kept()[..].iter().any(|finding| {
        finding.rule == "manifest-malformed" && finding.message.contains("more files")
    }));
}

#[test]
fn a_zip_has_no_byte_beside_its_entries_and_no_name_twice() {
    use std::io::Write as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wacz");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for name in ["aa", "bb"] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap();
    let good = fs::read(&path).unwrap();
    let told = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let found = zip_structure::irregular(&fs::File::open(&path).unwrap()).unwrap();
        let told: Vec<String> = found.into_iter().map(|found| found.message).collect();
        told.join("; ")
    };
    assert_eq!(told(&good), "");
    assert!(told(&[&good[..], b"more"].concat()).contains("end record"));
    assert!(told(&[b"more", &good[..]].concat()).contains("4 bytes at byte 0"));
    let twice: Vec<u8> = good
        .iter()
        .map(|&b| if b == b'b' { b'a' } else { b })
        .collect();
    assert!(told(&twice).contains("more than once"));
}

#[test]
fn a_bag_of_loose_warcs_is_checked_and_its_warcs_are_read() {
    let root = tempfile::tempdir().unwrap();
    let warc = response(URLS[0], b"x");
    fs::create_dir(root.path().join("data")).unwrap();
    fs::write(root.path().join("data/a.warc"), &warc).unwrap();
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    fs::write(root.path().join("bagit.txt"), declaration).unwrap();
    let line = format!("{}  data/a.warc\n", Digest::sha256(&warc).hex());
    fs::write(root.path().join("manifest-sha256.txt"), line).unwrap();
    let report = check(root.path());
    assert_eq!(errors(&report), [""; 0]);
    assert_eq!(report.records, 1);
    let named = Location::file("a\nb").to_string();
    assert_eq!(named, "a\\nb");
}
