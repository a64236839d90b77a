//! Records of the committed snapshot: read, checked, taken away, and altered.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::Read;
use std::path::Path;

use super::*;
use crate::warc::Reader;

const DEMO: &str = "snapshots/demo";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn entry(collection: &Collection, url: &str) -> CdxjEntry {
    let key = CanonicalUrl::parse(url).unwrap().surt();
    let captures = collection.captures(key.as_str()).unwrap();
    captures.into_iter().find(|entry| entry.url == url).unwrap()
}

const HOME: &str = "http://inquiry.localhost:8431/";

#[test]
fn a_capture_is_found_by_url_and_time_and_by_its_place() {
    let demo = Collection::open(Path::new(DEMO)).unwrap();
    let home = entry(&demo, HOME);
    let named = |url: &str, place| {
        let (url, time) = (url.to_owned(), home.timestamp);
        let key = None;
        Named {
            url,
            time,
            key,
            place,
        }
        .entry(&demo)
        .unwrap()
    };
    assert_eq!(named(HOME, None), Some(home.clone()));
    let place = |offset| {
        Some(Place {
            file: home.filename.clone(),
            offset,
            source: None,
        })
    };
    assert_eq!(named(HOME, place(home.offset)), Some(home.clone()));
    assert_eq!(named(HOME, place(home.offset + 1)), None);
    assert_eq!(named("http://inquiry.localhost:8431/never", None), None);
    assert_eq!(named("\0 not a url", None), None);
}

#[test]
fn what_is_taken_away_is_a_warc_with_the_whole_exchange() {
    let demo = Collection::open(Path::new(DEMO)).unwrap();
    let home = entry(&demo, HOME);
    let exchange = Exchange::read(&demo, &home, true).unwrap().unwrap();
    let kinds = |parts: &[Part]| -> Vec<String> {
        let kinds = parts.iter().map(|part| part.header.record_type());
        kinds.map(|kind| kind.as_str().to_owned()).collect()
    };
    assert_eq!(kinds(&exchange.beside), ["request", "metadata"]);
    let mut stored = Stored::of(&demo, &home, &exchange).unwrap();
    assert_eq!(stored.suffix, ".warc.gz");
    let mut bytes = Vec::new();
    stored.bytes.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, stored.length);
    let mut reader = Reader::new("taken", bytes.as_slice());
    let mut read = Vec::new();
    while let Some(record) = reader.next_record().unwrap() {
        read.push(record.header.record_type().as_str().to_owned());
    }
    assert_eq!(read, ["response", "request", "metadata"]);
}

#[test]
fn an_unaltered_record_holds_in_all_that_vouches_for_it() {
    let demo = Collection::open(Path::new(DEMO)).unwrap();
    let checks = check(&demo, &[], &entry(&demo, HOME)).unwrap();
    let told: Vec<_> = checks.iter().map(|each| (each.what, each.holds)).collect();
    assert_eq!(
        told,
        [
            ("Reads to its end", Some(true)),
            ("Is what the index says", Some(true)),
            ("Block digest", Some(true)),
            ("Payload digest", Some(true)),
            ("Digest in the index", Some(true)),
            ("Row in records.csv", Some(true)),
        ]
    );
}

#[test]
fn every_changed_byte_of_a_record_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("demo");
    copy(Path::new(DEMO), &path);
    let home = entry(&Collection::open(&path).unwrap(), HOME);
    let warc = path.join("archive").join(&home.filename);
    let whole = fs::read(&warc).unwrap();
    // The gzip header's system and time escape every check sum; the others don't.
    for at in [4, 9, 20, home.length / 2, home.length - 5] {
        let mut altered = whole.clone();
        altered[usize::try_from(home.offset + at).unwrap()] ^= 4;
        fs::write(&warc, altered).unwrap();
        let checks = check(&Collection::open(&path).unwrap(), &[], &home).unwrap();
        let wrong = checks.iter().filter(|each| each.holds == Some(false));
        assert!(wrong.count() > 0, "byte {at}: {checks:?}");
    }
}

const URL: &str = "http://a.example/";

/// A collection of one WARC, whose records are given with what each has beyond the
/// least; the index is made from it, unless a line is given.
fn collection(directory: &Path, warc: &[u8], line: Option<&str>) -> Collection {
    let root = directory.join("one");
    for folder in ["archive", "indexes"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("archive/a.warc"), warc).unwrap();
    if let Some(line) = line {
        fs::write(root.join("indexes/index.cdxj"), format!("{line}\n")).unwrap();
        fs::write(
            root.join("datapackage.json"),
            r#"{"profile": "data-package", "resources": []}"#,
        )
        .unwrap();
    }
    Collection::open(&root).unwrap()
}

/// A record without any digest.
fn bare(kind: &str, body: &str) -> Vec<u8> {
    let block = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}");
    let length = block.len();
    format!(
        "WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{kind}>\r\n\
         WARC-Date: 2020-01-01T00:00:00Z\r\nWARC-Target-URI: {URL}\r\n\
         Content-Type: application/http; msgtype={kind}\r\nContent-Length: {length}\r\n\r\n\
         {block}\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn bytes_for_which_nothing_vouches_are_not_called_unaltered() {
    let directory = tempfile::tempdir().unwrap();
    let one = collection(directory.path(), &bare("response", "as it was"), None);
    let checks = check(&one, &[], &entry(&one, URL)).unwrap();
    assert_eq!(Verdict::of(&checks), Verdict::Unvouched, "{checks:?}");
    let demo = Collection::open(Path::new(DEMO)).unwrap();
    let checks = check(&demo, &[], &entry(&demo, HOME)).unwrap();
    assert_eq!(Verdict::of(&checks), Verdict::Holds);
}

#[test]
fn an_index_that_states_another_digest_contradicts_a_record_that_states_none() {
    let directory = tempfile::tempdir().unwrap();
    let warc = bare("response", "not as it was");
    let line = format!(
        r#"example,a)/ 20200101000000 {{"url": "{URL}", "mime": "text/html", "status": "200", "digest": "sha1:2FWHXYVZUBDPS4XWDVBSPZBZHVXJTKP3", "length": "{}", "offset": "0", "filename": "a.warc"}}"#,
        warc.len()
    );
    let one = collection(directory.path(), &warc, Some(&line));
    let checks = check(&one, &[], &entry(&one, URL)).unwrap();
    assert_eq!(Verdict::of(&checks), Verdict::Altered, "{checks:?}");
}

#[test]
fn of_several_records_in_one_member_that_of_the_capture_is_meant() {
    use std::io::Write;
    let directory = tempfile::tempdir().unwrap();
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let both = [bare("request", "ask"), bare("response", "answer")].concat();
    member.write_all(&both).unwrap();
    let line = format!(
        r#"example,a)/ 20200101000000 {{"url": "{URL}", "status": "200", "length": "0", "offset": "0", "filename": "a.warc"}}"#
    );
    let one = collection(directory.path(), &member.finish().unwrap(), Some(&line));
    let exchange = Exchange::read(&one, &entry(&one, URL), false)
        .unwrap()
        .unwrap();
    assert_eq!(
        exchange.record.header.record_id(),
        Some("<urn:uuid:response>")
    );
    assert!(exchange.shares_member);
    // The first of several shares it too.
    let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let both = [bare("response", "answer"), bare("request", "ask")].concat();
    member.write_all(&both).unwrap();
    let other = tempfile::tempdir().unwrap();
    let first = collection(other.path(), &member.finish().unwrap(), Some(&line));
    let read = Exchange::read(&first, &entry(&first, URL), true)
        .unwrap()
        .unwrap();
    assert!(read.shares_member);
    // Under a name that doesn't say so.
    let stored = Stored::of(&one, &entry(&one, URL), &exchange).unwrap();
    assert_eq!(stored.suffix, ".warc.gz");
}

#[test]
fn a_length_that_the_index_has_wrong_cuts_no_download() {
    let directory = tempfile::tempdir().unwrap();
    let warc = bare("response", "the whole of it");
    let line = format!(
        r#"example,a)/ 20200101000000 {{"url": "{URL}", "status": "200", "length": "60", "offset": "0", "filename": "a.warc"}}"#
    );
    let one = collection(directory.path(), &warc, Some(&line));
    let exchange = Exchange::read(&one, &entry(&one, URL), true)
        .unwrap()
        .unwrap();
    let mut bytes = Vec::new();
    let mut stored = Stored::of(&one, &entry(&one, URL), &exchange).unwrap();
    stored.bytes.read_to_end(&mut bytes).unwrap();
    assert_eq!(bytes, warc);
}
