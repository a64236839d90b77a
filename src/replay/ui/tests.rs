//! The interface over a small collection: what it answers, what it leads to,
//! and that nothing from an archive becomes markup.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{UiRequest, UiResponse, answer};
use crate::replay::address::Base;
use crate::replay::judging::{Judgement, Judging};
use crate::replay::opener::Opener;
use crate::replay::shelf::Shelf;
use crate::snapshot::ledger::{LedgerRow, LedgerWriter, State};
use crate::snapshot::pages::{self, Page};
use crate::warc::member::Compressor;
use crate::warc::{Draft, RecordType, Version};

const HOSTILE: &str = "<script>alert('t')</script> \"quoted\" & <b>";
const HOSTILE_URL: &str =
    "http://example.org/x?a=%22%3E%3Cscript%3E&b='\"><img src=x onerror=alert(1)>";

const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 13, 10, 26, 10, 0];

/// URL, time, media type, status; a revisit has no media type.
const CAPTURES: &[(&str, &str, Option<&str>, u16)] = &[
    (
        "http://example.org/",
        "2024-05-01T10:00:00Z",
        Some("text/html"),
        200,
    ),
    (
        "http://example.org/",
        "2026-03-22T10:15:00Z",
        Some("text/html"),
        200,
    ),
    ("http://example.org/", "2026-03-22T18:00:00Z", None, 200),
    (
        "https://example.org/",
        "2026-04-02T00:00:00Z",
        Some("text/html"),
        200,
    ),
    (
        "http://example.org/blog/one",
        "2026-03-22T10:16:00Z",
        Some("text/html"),
        200,
    ),
    (
        "http://example.org/blogger",
        "2026-03-22T10:16:30Z",
        Some("text/html"),
        200,
    ),
    (
        "http://example.org/report.pdf?v=1",
        "2026-03-22T10:17:00Z",
        Some("application/pdf"),
        200,
    ),
    (
        "http://files.example.org/a.png",
        "2026-03-22T10:18:00Z",
        Some("image/png"),
        200,
    ),
    (
        "http://other.example/gone",
        "2026-03-22T10:19:00Z",
        Some("text/html"),
        404,
    ),
    (HOSTILE_URL, "2026-03-22T10:20:00Z", Some("text/html"), 200),
];

fn warc() -> Vec<u8> {
    let (mut compressor, mut file) = (Compressor::default(), Vec::new());
    for (url, time, media_type, status) in CAPTURES {
        let kind = if media_type.is_some() {
            RecordType::Response
        } else {
            RecordType::Revisit
        };
        let media_type = media_type.unwrap_or("text/html");
        let block = format!("HTTP/1.1 {status} OK\r\nContent-Type: {media_type}\r\n\r\n");
        let record = Draft::new(Version::V1_1, &kind, time.parse().unwrap())
            .field("WARC-Target-URI", url)
            .field(
                "WARC-Payload-Digest",
                "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            )
            .field("Content-Type", "application/http; msgtype=response")
            .record(block.as_bytes());
        compressor.member(&record, &mut file);
    }
    // As browser-based crawlers write them; the second is no picture.
    for (url, body) in [
        ("urn:thumbnail:http://example.org/", PNG),
        ("urn:view:http://example.org/finding/7", b"<script>"),
    ] {
        let date = "2026-03-22T10:30:00Z".parse().unwrap();
        let record = Draft::new(Version::V1_1, &RecordType::Resource, date)
            .field("WARC-Target-URI", url)
            .field("Content-Type", "image/png")
            .record(body);
        compressor.member(&record, &mut file);
    }
    file
}

fn ledger_row(url: &str, state: State, reason: &str) -> LedgerRow {
    LedgerRow {
        url: url.to_owned(),
        state,
        reason: reason.to_owned(),
        mark: String::new(),
        status: None,
        media_type: String::new(),
        bytes: None,
        payload_digest: String::new(),
        place: None,
        via: "http://example.org/".to_owned(),
        hops: "L".to_owned(),
        pass: 1,
        time: "2026-03-22T10:21:00Z".to_owned(),
    }
}

fn snapshot(root: &Path) {
    for folder in ["archive", "pages", "reports"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("archive/a.warc.gz"), warc()).unwrap();
    let mut list = Vec::new();
    pages::write_header(&mut list, "pages", "Seeds").unwrap();
    let mut page = |url: &str, title: &str, seed| {
        let page = Page {
            id: "x".into(),
            url: url.into(),
            ts: "2026-03-22T10:15:00Z".into(),
            title: title.into(),
            seed,
        };
        pages::write(&mut list, &page).unwrap();
    };
    page("http://example.org/", "The Inquiry", true);
    page(HOSTILE_URL, HOSTILE, false);
    page("javascript:alert(1)", "A script", false);
    for number in 0..120 {
        page(
            &format!("http://example.org/finding/{number}"),
            &format!("Finding {number}"),
            false,
        );
    }
    fs::write(root.join("pages/pages.jsonl"), list).unwrap();
    let file = fs::File::create(root.join("reports/ledger.csv")).unwrap();
    let mut ledger = LedgerWriter::new(file).unwrap();
    ledger
        .add(&ledger_row("http://example.org/", State::Captured, ""))
        .unwrap();
    ledger
        .add(&ledger_row(
            "http://example.org/blog/kept-out",
            State::Excluded,
            "robots: Disallow: /blog/kept",
        ))
        .unwrap();
    for number in 0..250 {
        let url = format!("http://example.org/late/{number:03}");
        ledger
            .add(&ledger_row(&url, State::Unreached, "time-limit <b>"))
            .unwrap();
    }
    ledger.finish().unwrap();
    let manifest = serde_json::json!({
        "profile": "data-package", "title": "The Inquiry, before it closes",
        "created": "2026-04-02T00:00:00Z", "software": "Lastlight", "resources": [],
        "lastlight": {"complete": false, "records": 10, "record_root": "", "counts": {
            "discovered": 1252, "captured": 1000, "unchanged": 0, "excluded": 1, "failed": 1, "unreached": 250}},
    });
    fs::write(root.join("datapackage.json"), manifest.to_string()).unwrap();
}

struct Fixture {
    shelf: Shelf,
    judging: Arc<Judging>,
    opener: Opener,
    base: Base,
    _directory: tempfile::TempDir,
}

impl Fixture {
    /// A snapshot `demo` and a lone WARC `lone`.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let demo = directory.path().join("demo");
        snapshot(&demo);
        let lone = directory.path().join("lone.warc.gz");
        fs::write(&lone, warc()).unwrap();
        Self {
            shelf: Shelf::open(&[demo, lone]).unwrap(),
            judging: Arc::default(),
            opener: Opener::default(),
            base: Base::new(8080),
            _directory: directory,
        }
    }

    fn answer(&self, address: &str) -> UiResponse {
        let (path, query) = match address.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (address, None),
        };
        let path = path.to_owned();
        let base = self.base.clone();
        let of_run = (&self.judging, &self.opener);
        let asked = UiRequest {
            path,
            query,
            posted: false,
            is_own: true,
            base,
        };
        answer(&self.shelf, of_run, &asked)
    }

    fn page(&self, address: &str) -> String {
        let answer = self.answer(address);
        assert_eq!(answer.status, 200, "{address}");
        String::from_utf8(answer.body).unwrap()
    }

    fn location(&self, address: &str) -> String {
        let answer = self.answer(address);
        assert_eq!(answer.status, 302, "{address}");
        answer.location.unwrap()
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn the_shelf_is_told_on_the_home_page() {
    let page = Fixture::new().page("/");
    assert!(page.contains("The Inquiry, before it closes"));
    assert!(page.contains("href=\"/c/demo/\"") && page.contains("href=\"/c/lone/\""));
    assert!(page.contains("ended early") && page.contains("250 unreached"));
    assert!(
        page.contains("<time datetime=\"2024-05-01\">1 May 2024</time>"),
        "{page}"
    );
}

#[test]
fn seeds_stand_first_and_every_page_of_the_list_is_reached() {
    let fixture = Fixture::new();
    let first = fixture.page("/c/demo/");
    assert!(first.find("The Inquiry</a>").unwrap() < first.find("Finding 0<").unwrap());
    assert!(first.contains("Page 1") && !first.contains("Finding 119<"));
    assert!(fixture.page("/c/demo/?page=3").contains("Finding 119<"));
    for beyond in ["4", "18446744073709551615", "0", "-1", "x", ""] {
        fixture.page(&format!("/c/demo/?page={beyond}"));
    }
    assert!(
        fixture
            .page("/c/demo/?page=4")
            .contains("There is no page here")
    );
    // Without a list of pages the index tells them, without titles.
    assert!(
        fixture
            .page("/c/lone/")
            .contains("http://example.org/blog/one")
    );
}

#[test]
fn nothing_from_an_archive_becomes_markup() {
    let fixture = Fixture::new();
    let url = encoded(HOSTILE_URL);
    for address in [
        "/c/demo/".to_owned(),
        "/?q=script".to_owned(),
        format!("/?q={}", encoded(HOSTILE)),
        format!("/c/demo/?q={}&how=words", encoded(HOSTILE)),
        format!("/c/demo/?q={url}&how=prefix"),
        format!("/c/demo/captures?url={url}"),
        format!("/c/demo/capture?url={url}&time=20260322102000"),
        format!("/c/demo/capture?url={url}&time=20260322102000&verify=1"),
        format!("/c/demo/captures?url={url}%22%3E%3Cscript%3E"),
        format!("/c/demo/ledger?state=unreached&q={}", encoded("\"><script>")),
        "/c/demo/ledger?state=%22%3E%3Cscript%3E".to_owned(),
        "/view/demo/20260322102000/http://example.org/x?a=%22%3E%3Cscript%3E&b='\"><img src=x onerror=alert(1)>".to_owned(),
        format!("/c/%3Cscript%3E/<script>alert(1)</script>?q={url}"),
        "/c/<img src=x onerror=alert(1)>/".to_owned(),
    ] {
        let body = String::from_utf8(fixture.answer(&address).body).unwrap();
        let ours = body
            .replace("<script src=\"/-/ui.js\" defer></script>", "")
            .replace("<script src=\"/-/search.js\" defer></script>", "");
        assert!(!ours.contains("<script"), "{address}: {ours}");
        assert!(!ours.contains("<img src=x") && !ours.contains("<b>\n"), "{address}");
        assert!(!ours.contains("time-limit <b>"), "{address}");
        for attribute in ["href=\"", "src=\"", "action=\""] {
            for (at, _) in ours.match_indices(attribute) {
                let value = &ours[at + attribute.len()..];
                let inside = value.starts_with('/') && !value.starts_with("//");
                let content = value.starts_with("http://s-") || value.starts_with("http://h-");
                assert!(inside || content || value.starts_with('#'), "{address}: {value:.60}");
            }
        }
        assert!(!ours.contains(" style=") && !ours.contains(" onclick="), "{address}");
    }
}

#[test]
fn a_search_finds_by_url_prefix_host_and_words() {
    let fixture = Fixture::new();
    let search =
        |text: &str, how: &str| fixture.page(&format!("/c/demo/?q={}&how={how}", encoded(text)));
    let found = search("example.org/blog/", "prefix");
    assert!(found.contains("/blog/one") && !found.contains("example.org/blogger"));
    assert!(search("example.org/blog", "prefix").contains("example.org/blogger"));
    let found = search("http://example.org", "exact");
    assert!(found.contains("4 captures") && !found.contains("/blog/one"));
    let found = search("example.org", "host");
    assert!(found.contains("files.example.org/a.png") && !found.contains("other.example/gone"));
    let found = search("finding 77", "any");
    assert!(found.contains("Finding 77<") && !found.contains("Finding 7<"));
    assert!(search("no such words", "any").contains("Nothing was found"));
    assert!(
        fixture
            .page("/?q=inquiry")
            .contains("In The Inquiry, before it closes")
    );
}

#[test]
fn the_calendar_leads_to_captures() {
    let fixture = Fixture::new();
    let page = fixture.page("/c/demo/captures?url=http%3A%2F%2Fexample.org%2F");
    assert!(page.contains("4 captures"));
    // The day with one capture leads to it, the day with two to both.
    assert!(page.contains("href=\"/view/demo/20260402000000/https://example.org/\""));
    assert!(
        page.contains("captures?url=http%3A%2F%2Fexample.org%2F&#38;day=20260322#captures"),
        "{page}"
    );
    assert!(page.contains(">revisit<") && page.contains("as before"));
    assert!(page.contains("href=\"/demo/20260322101500id_/http://example.org/\""));
    assert!(page.contains("a.warc.gz") && page.contains("at 0"));
    let year = fixture.page("/c/demo/captures?url=example.org&year=2024");
    assert!(year.contains("May 2024") && !year.contains("May 2026"));
    let day = fixture.page("/c/demo/captures?url=example.org&day=20260322");
    assert!(day.contains("Captures of 22 March 2026") && day.contains("20260322180000id_"));
    assert!(!day.contains("20240501100000id_"));
}

#[test]
fn a_capture_has_a_page_of_its_own() {
    let fixture = Fixture::new();
    let calendar = fixture.page("/c/demo/captures?url=http%3A%2F%2Fexample.org%2F");
    let at = "capture?url=http%3A%2F%2Fexample.org%2F&#38;time=20260322101500&#38;file=a.warc.gz";
    assert!(calendar.contains(at), "{calendar}");
    let address = "/c/demo/capture?url=http%3A%2F%2Fexample.org%2F&time=20260322101500";
    let page = fixture.page(address);
    assert!(page.contains("<h1>The Inquiry</h1>") && page.contains("WARC-Record-ID"));
    assert!(page.contains("HTTP/1.1 200 OK"), "{page}");
    let cite = "http://lastlight.localhost:8080/demo/20260322101500mp_/http://example.org/";
    assert!(page.contains(cite), "{page}");
    assert!(page.contains("“The Inquiry”. http://example.org/, captured 2026-03-22T10:15:00Z"));
    assert!(!page.contains("nothing is altered"));
    let checked = fixture.page(&format!("{address}&verify=1"));
    assert!(
        checked.contains("Verified: nothing is altered"),
        "{checked}"
    );
    // A revisit whose content isn't there.
    let revisit = fixture.page("/c/demo/capture?url=example.org&time=20260322180000&verify=1");
    assert!(revisit.contains("What it repeats"), "{revisit}");
    let never =
        fixture.answer("/c/demo/capture?url=http%3A%2F%2Fexample.org%2F&time=20200101000000");
    assert_eq!(never.status, 404);
    assert_eq!(fixture.answer("/c/demo/capture?url=x&time=y").status, 404);
}

#[test]
fn a_capture_is_opened_at_its_address_by_the_button_alone() {
    let fixture = Fixture::new();
    let address = "/c/demo/open?url=http%3A%2F%2Fexample.org%2F&time=20260322101500";
    let page = fixture.page(address);
    assert!(!page.contains("<button>") && page.contains("--open http://example.org/"));
    let (opened, heard) = std::sync::mpsc::channel();
    fixture
        .opener
        .appoint(Box::new(move |collection, url, time| {
            opened.send(format!("{collection} {url} {time}")).unwrap();
            Err("no <display>".to_owned())
        }));
    assert!(fixture.page(address).contains("<button>"));
    assert!(heard.try_recv().is_err());
    let (path, query) = address.split_once('?').unwrap();
    let pressed = UiRequest {
        path: path.to_owned(),
        query: Some(query.to_owned()),
        posted: true,
        is_own: true,
        base: fixture.base.clone(),
    };
    let answer = answer(
        &fixture.shelf,
        (&fixture.judging, &fixture.opener),
        &pressed,
    );
    assert_eq!(answer.status, 503);
    assert_eq!(
        heard.recv().unwrap(),
        "demo http://example.org/ 20260322101500"
    );
    assert!(
        String::from_utf8(answer.body)
            .unwrap()
            .contains("no &#60;display&#62;")
    );
}

#[test]
fn pages_have_the_pictures_that_were_made_of_them() {
    let fixture = Fixture::new();
    let page = fixture.page("/c/demo/");
    let picture = |name: &str| {
        let at = page.find(&format!("/c/demo/picture?url={}", encoded(name)))?;
        Some(page[at..].split('"').next()?.replace("&#38;", "&"))
    };
    let answer = fixture.answer(&picture("urn:thumbnail:http://example.org/").unwrap());
    assert_eq!((answer.content_type, &*answer.body), ("image/png", PNG));
    // It says that it is a picture, and isn't.
    let other = picture("urn:view:http://example.org/finding/7").unwrap();
    assert_eq!(fixture.answer(&other).status, 404);
    // Nothing else of the archive is there.
    let page = "/c/demo/picture?url=http%3A%2F%2Fexample.org%2F&time=20260322101500";
    assert_eq!(fixture.answer(page).status, 404);
}

#[test]
fn a_search_that_is_being_typed_is_the_same_page() {
    let fixture = Fixture::new();
    let typed = fixture.page("/c/demo/?q=finding+77&typed=1");
    assert!(typed.contains("id=\"found\"") && typed.contains("Finding 77<"));
    assert!(
        fixture
            .page("/?q=finding+77&typed=1")
            .contains("Finding 77<")
    );
}

#[test]
fn a_collection_is_verified_when_a_reader_of_the_interface_asks() {
    let fixture = Fixture::new();
    assert!(fixture.page("/c/demo/report").contains("not verified yet"));
    fixture.judging.appoint(Box::new(|path, _| Judgement {
        holds: Some(false),
        verdict: "ALTERED: <1> record".to_owned(),
        account: Some("1,252 URLs discovered".to_owned()),
        text: format!("{}: <b>", path.display()),
        time: "20260401000000".parse().unwrap(),
    }));
    assert_eq!(fixture.location("/c/demo/report?begin=1"), "/c/demo/report");
    let begun = std::time::Instant::now();
    while !fixture
        .page("/c/demo/report")
        .contains("ALTERED: &#60;1&#62; record")
    {
        assert!(begun.elapsed().as_secs() < 20);
    }
    let page = fixture.page("/c/demo/report");
    assert!(page.contains("1,252 URLs discovered") && page.contains(": &#60;b&#62;"));
    assert!(fixture.page("/").contains("class=\"verdict broken\""));
    assert!(fixture.page("/c/demo/").contains("ALTERED"));
    // Nobody else has been asked for.
    assert!(fixture.page("/c/lone/report").contains("not verified yet"));
    let (path, query) = ("/c/lone/report".to_owned(), Some("begin=1".to_owned()));
    let base = fixture.base.clone();
    let foreign = UiRequest {
        path,
        query,
        posted: false,
        is_own: false,
        base,
    };
    answer(
        &fixture.shelf,
        (&fixture.judging, &fixture.opener),
        &foreign,
    );
    assert!(fixture.page("/c/lone/report").contains("not verified yet"));
}

#[test]
fn a_url_without_captures_is_told_with_its_reason() {
    let fixture = Fixture::new();
    let page = fixture.page("/c/demo/captures?url=https%3A%2F%2Fexample.org%2Fblog%2Fkept-out");
    assert!(page.contains("Not captured") && page.contains("excluded"));
    assert!(page.contains("robots: Disallow: /blog/kept"));
    // The nearest: the same folder.
    assert!(page.contains("/blog/one") && !page.contains("example.org/blogger"));
    let page = fixture.page("/c/demo/captures?url=http%3A%2F%2Fexample.org%2Fnever");
    assert!(page.contains("never came upon a link"));
    let page = fixture.page("/c/lone/captures?url=http%3A%2F%2Fexample.org%2Fnever");
    assert!(page.contains("has no ledger"));
    let shown = fixture.answer("/view/demo/20260322101500/http://example.org/never");
    assert_eq!(shown.status, 404);
}

#[test]
fn the_ledger_is_filtered_and_paged() {
    let fixture = Fixture::new();
    let page = fixture.page("/c/demo/ledger?state=unreached&page=3");
    assert!(page.contains("/late/249") && !page.contains("/late/199") && !page.contains("Next →"));
    let page = fixture.page("/c/demo/ledger?state=excluded");
    assert!(page.contains("kept-out") && !page.contains("/late/000"));
    assert!(
        fixture
            .page("/c/demo/ledger?q=late%2F007")
            .contains("/late/007")
    );
    let page = fixture.page("/c/demo/ledger?q=Disallow");
    let link = format!(
        "state=excluded&q=&reason={}",
        encoded("robots: Disallow: /blog/kept")
    );
    assert!(page.contains("kept-out") && !page.contains("/late/"));
    assert!(page.contains(&link.replace('&', "&#38;")), "{page}");
    assert_eq!(fixture.answer("/c/lone/ledger").status, 404);
}

#[test]
fn the_ledger_counts_what_is_filtered_and_tells_it_by_reason_and_page() {
    let fixture = Fixture::new();
    let via = encoded("http://example.org/");
    // As the ledger has them, whatever the manifest says.
    let page = fixture.page("/c/demo/ledger");
    assert!(page.contains("<b>252</b> all") && page.contains("<b>250</b> failed or unreached"));
    for some in ["q=late", &format!("via={via}&q=late")] {
        let page = fixture.page(&format!("/c/demo/ledger?{some}"));
        assert!(page.contains("<b>250</b> all") && page.contains("<b>250</b> failed or unreached"));
        assert!(page.contains("<b>0</b> excluded") && page.contains("Next →"));
    }
    let page = fixture.page(&format!(
        "/c/demo/ledger?via={}",
        encoded("http://b.example/")
    ));
    assert!(page.contains("<b>0</b> all") && page.contains("No row"));
    // What a group's link shows is the group, whatever else has its words.
    let page = fixture.page("/c/demo/ledger?by=reason&q=e");
    let link = format!(
        "state=excluded&q=e&reason={}",
        encoded("robots: Disallow: /blog/kept")
    );
    assert!(
        page.contains(&link.replace('&', "&#38;")) && page.contains(">250<"),
        "{page}"
    );
    let page = fixture.page(&format!("/c/demo/ledger?{link}"));
    assert!(page.contains("<b>1</b> excluded") && page.contains("Only those for which"));
    let none = fixture.page("/c/demo/ledger?reason=");
    assert!(none.contains("<b>1</b> all") && none.contains("<b>1</b> captured"));
    let none = fixture.page("/c/demo/ledger?via=");
    assert!(none.contains("<b>0</b> all") && none.contains("no page named"));
    let page = fixture.page("/c/demo/ledger?by=page&state=missing");
    let rows = format!("state=missing&q=&via={via}").replace('&', "&#38;");
    assert!(page.contains(&rows) && page.contains(">250<") && !page.contains(">251<"));
    assert_eq!(fixture.answer("/c/demo/ledger?state=lost").status, 404);
    assert!(
        fixture
            .page("/c/demo/ledger?page=9")
            .contains("has no such page")
    );
    let file = format!("/c/demo/ledger.csv?state=missing&q=late&via={via}");
    let page = fixture.page(&file.replace(".csv", ""));
    assert!(page.contains(&file.replace('&', "&#38;")), "{page}");
}

#[test]
fn the_shell_frames_the_content_origin() {
    let fixture = Fixture::new();
    let page = fixture.page("/view/demo/20260322120000/http://example.org/");
    let frame = "src=\"http://h-example-org.20260322120000.demo.lastlight.localhost:8080/\"";
    assert!(page.contains(frame), "{page}");
    assert!(page.contains("sandbox=\"allow-scripts allow-same-origin allow-forms allow-modals\""));
    // The banner tells the time of the capture, not the reader's.
    assert!(page.contains("22 March 2026, 10:15:00 UTC") && page.contains("2 of 4"));
    assert!(page.contains("href=\"/view/demo/20240501100000/http://example.org/\""));
    assert!(page.contains("href=\"/view/demo/20260322180000/http://example.org/\""));
    let pdf = fixture.page("/view/demo/20260322120000/http://example.org/report.pdf?v=1");
    let frame = "20260322120000.demo.lastlight.localhost:8080/.lastlight/pdf/report.pdf?v=1\"";
    assert!(pdf.contains(frame) && !pdf.contains("sandbox"));
}

#[test]
fn captures_around_a_time_are_told_to_the_script() {
    let fixture = Fixture::new();
    let address = "/-/around/demo/20260322120000?url=http%3A%2F%2Fexample.org%2F";
    let answer: serde_json::Value = serde_json::from_str(&fixture.page(address)).unwrap();
    assert_eq!(answer["timestamp"], "20260322101500");
    assert_eq!(
        answer["previous"],
        "/view/demo/20240501100000/http://example.org/"
    );
    assert_eq!(
        (&answer["position"], &answer["count"]),
        (&2.into(), &4.into())
    );
    let address = "/-/around/demo/20260322120000?url=http%3A%2F%2Fexample.org%2Fnever";
    let answer: serde_json::Value = serde_json::from_str(&fixture.page(address)).unwrap();
    assert_eq!(answer["captured"], false);
}

#[test]
fn go_leads_to_the_nearest_capture() {
    let fixture = Fixture::new();
    for (address, location) in [
        (
            "/go?url=example.org&collection=demo",
            "/view/demo/20260402000000/https://example.org/",
        ),
        (
            "/go?url=example.org&collection=demo&ts=20240101000000",
            "/view/demo/20240101000000/http://example.org/",
        ),
        (
            "/go?url=https%3A%2F%2Fother.example%2Fgone",
            "/view/all/20260322101900/http://other.example/gone",
        ),
        (
            "/go?url=example.org%2Fnever&collection=demo",
            "/c/demo/captures?url=http%3A%2F%2Fexample.org%2Fnever",
        ),
        (
            "/go?url=javascript%3Aalert(1)&collection=demo",
            "/c/demo/?q=javascript%3Aalert%281%29&how=any",
        ),
        (
            "/go?url=%2F%2Fevil.example%2F",
            "/?q=http%3A%2F%2Fevil.example%2F&how=any",
        ),
        ("/go", "/?q=&how=any"),
        (
            "/view/demo/2026/example.org/blog/one",
            "/view/demo/20260101000000/http://example.org/blog/one",
        ),
    ] {
        assert_eq!(fixture.location(address), location, "{address}");
    }
}

#[test]
fn hostile_requests_are_answered_with_a_page() {
    let fixture = Fixture::new();
    let long = "x".repeat(70_000);
    for (address, status) in [
        ("", 200),
        ("/c", 404),
        ("/c/", 404),
        ("/c/nowhere/", 404),
        ("/c/demo/nothing", 404),
        ("/c/../../etc/passwd", 404),
        ("/-/../ui.rs", 404),
        ("/-/ui.css", 200),
        ("/-/around/demo", 404),
        ("/-/around/demo/2026?url=x", 404),
        ("/view/demo", 404),
        ("/view/demo/2026", 404),
        ("/view/demo/20261399000000/http://example.org/", 404),
        ("/view/demo/20260322120000/javascript:alert(1)", 400),
        ("/view/demo/20260322120000/http://", 400),
        ("/view/demo/20260322120000/%00%ff", 400),
        ("/c/demo/captures", 400),
        (
            "/c/demo/captures?url=%ff%00&year=99999&day=2026%C3%A9%C3%A9&page=7",
            200,
        ),
        (
            "/c/demo/captures?url=example.org&year=-5&day=%C3%A9%C3%A9%C3%A9%C3%A9&page=9999",
            200,
        ),
        ("/c/demo/?q=%00%ff&how=host", 200),
        ("/c/demo/?q=%C3%A9%2F&how=prefix", 200),
        (&format!("/?q={long}"), 414),
        (&format!("/c/demo/captures?url={}", &long[..60_000]), 200),
    ] {
        let answer = fixture.answer(address);
        assert_eq!(answer.status, status, "{address:.80}");
        assert!(!answer.body.is_empty());
    }
}
