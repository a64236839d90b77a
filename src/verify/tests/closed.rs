//! What stored answers name is held against the ledger.

use super::*;

const PAGE: &[u8] = b"<a href=/missing>m</a><img src=/lost.png>";
const LOST: &str = "http://a.example/lost.png";

/// An answer to the first URL, and the metadata of its exchange if it has any.
fn exchange(head: &str, fields: &[(&str, &str)], metadata: Option<&str>) -> Vec<u8> {
    let block = [head.as_bytes(), b"\r\n\r\n", PAGE].concat();
    let mut response = Draft::new(Version::V1_1, &RecordType::Response, date())
        .field("WARC-Target-URI", URLS[0])
        .field("Content-Type", "application/http; msgtype=response")
        .field("WARC-Payload-Digest", Digest::sha256(PAGE));
    for (name, value) in fields {
        response = response.field(name, value);
    }
    let response = response.record(&block);
    let mut warc = Vec::new();
    let mut compressor = Compressor::default();
    compressor.member(&response, &mut warc);
    if let Some(text) = metadata {
        let text_of = String::from_utf8_lossy(&response).into_owned();
        let id = text_of
            .lines()
            .find_map(|line| line.strip_prefix("WARC-Record-ID: "));
        let metadata = Draft::new(Version::V1_1, &RecordType::Metadata, date())
            .field("WARC-Target-URI", URLS[0])
            .field("Content-Type", "application/warc-fields")
            .field("WARC-Concurrent-To", id.unwrap())
            .record(text.as_bytes());
        compressor.member(&metadata, &mut warc);
    }
    warc
}

/// The links check over a snapshot with this exchange before the others, and
/// what it found.
fn closed(warc: &[u8]) -> (Closed, Vec<&'static str>) {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    fs::write(layout.path("archive/0.warc.gz"), warc).unwrap();
    reseal_files(root.path());
    let container = Holdings::of(root.path()).unwrap().container.unwrap();
    let mut manifest = container.manifest().unwrap().unwrap();
    manifest.software = concat!("lastlight/", env!("CARGO_PKG_VERSION")).into();
    manifest.write(&layout).unwrap();
    let options = Options {
        checks: vec![Check::Links],
        ..Options::default()
    };
    let report = verify(root.path(), &options, &mut |_| ()).unwrap();
    let closed = report.account.as_ref().unwrap().links.unwrap();
    for finding in report.findings.kept() {
        assert!(finding.message.contains(LOST), "{finding:?}");
        assert_eq!(finding.location.url.as_deref(), Some(URLS[0]));
    }
    (closed, errors(&report))
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html";

#[test]
fn what_a_whole_answer_names_must_have_a_row() {
    let (closed, errors) = closed(&exchange(OK, &[], Some("hopsFromSeed: \r\n")));
    assert_eq!(errors, ["link-without-row"]);
    let expected = Closed {
        answers: 1,
        // The others have no metadata.
        unread: 2,
        named: 2,
        without_row: 1,
    };
    assert_eq!(closed, expected);
}

#[test]
fn what_the_crawl_did_not_follow_is_not_asked_for() {
    let hops = Some("hopsFromSeed: \r\n");
    for (what, warc) in [
        (
            "cut",
            exchange(OK, &[("WARC-Truncated", "disconnect")], hops),
        ),
        (
            "challenge",
            exchange(OK, &[], Some("hopsFromSeed: \r\nchallenge: x\r\n")),
        ),
        (
            "busy",
            exchange("HTTP/1.1 503 Busy\r\nContent-Type: text/html", &[], hops),
        ),
        (
            "no page",
            exchange("HTTP/1.1 200 OK\r\nContent-Type: image/png", &[], hops),
        ),
        ("no metadata", exchange(OK, &[], None)),
    ] {
        let (closed, errors) = closed(&warc);
        assert_eq!((closed.named, errors.as_slice()), (0, &[][..]), "{what}");
    }
}

#[test]
fn fields_of_a_head_name_urls_too() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nLink: </lost.png>; rel=icon";
    let (closed, errors) = closed(&exchange(head, &[], Some("hopsFromSeed: \r\n")));
    assert_eq!((closed.named, errors), (1, vec!["link-without-row"]));
}

#[test]
fn another_versions_scanner_may_have_found_less() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let warc = exchange(OK, &[], Some("hopsFromSeed: \r\n"));
    fs::write(layout.path("archive/0.warc.gz"), warc).unwrap();
    reseal_files(root.path());
    let options = Options {
        checks: vec![Check::Links],
        ..Options::default()
    };
    let report = verify(root.path(), &options, &mut |_| ()).unwrap();
    assert_eq!(rules(&report), [(Severity::Warning, "link-without-row")]);
    assert_eq!(report.verdict(), Verdict::IntactUnsigned);
    let sentence = report.account.unwrap().sentence();
    assert!(sentence.contains("NOT all that was found"), "{sentence}");
}

#[test]
fn a_snapshot_without_the_crawls_configuration_is_not_checked() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let outcome = |report: &Report| {
        let links = report
            .checks
            .iter()
            .find(|(check, _)| *check == Check::Links);
        links.unwrap().1
    };
    fs::write(root.path().join(CONFIG), "[future]\nkey = 1\n").unwrap();
    let told = "its configuration is none that this version knows";
    assert_eq!(outcome(&check(root.path())), Outcome::NotApplicable(told));
    fs::remove_file(root.path().join(CONFIG)).unwrap();
    let told = "there is no configuration to say what was scanned";
    assert_eq!(outcome(&check(root.path())), Outcome::NotApplicable(told));
    fs::remove_file(root.path().join(LEDGER)).unwrap();
    let told = "there is no ledger of a Lastlight crawl to be closed";
    assert_eq!(outcome(&check(root.path())), Outcome::NotApplicable(told));
}
