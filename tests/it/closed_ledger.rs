//! The ledger is closed: whatever a stored answer names has its row, `verify`
//! proves it offline, and what is missing is told by reason and page.

use std::path::Path;

use lastlight::snapshot::layout::{LEDGER, Layout};
use lastlight::snapshot::ledger::{self, LedgerWriter};
use lastlight::snapshot::manifest::{Counts, Manifest};
use serde_json::Value;

use crate::harness::{Run, copy, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Asked, Reply, Wire, answer, page};

/// Two directories with the same page, a style sheet that is compressed to
/// chunks, a link that is out of scope, a server that fails, and a sitemap.
fn site(asked: &Asked) -> Option<Reply> {
    let host = asked.field("host").unwrap();
    let twin = format!("<!doctype html>{}<a href=next>x</a>", "<p>twin".repeat(200));
    let html = "Content-Type: text/html";
    let reply = match asked.target.as_str() {
        "/" => page(&["/a/twin", "/later", "http://elsewhere.example/x"]),
        "/later" => {
            std::thread::sleep(std::time::Duration::from_millis(100));
            answer(
                "200 OK",
                &[html],
                "<link rel=stylesheet href=s.css><a href=/b/twin>b</a><a href=/broken>c</a>",
            )
        }
        "/a/twin" => answer("200 OK", &[html], &twin),
        "/b/twin" => answer("200 OK", &[html, "X-Which: two"], &twin),
        "/a/next" | "/b/next" => answer("404 Not Found", &[html], "none"),
        "/s.css" => {
            let css = "a{background:url(i.png)}";
            let body = format!("{:x}\r\n{css}\r\n0\r\n\r\n", css.len());
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nTransfer-Encoding: chunked";
            format!("{head}\r\n\r\n{body}").into_bytes()
        }
        "/i.png" => answer("200 OK", &["Content-Type: image/png"], "png"),
        "/broken" => answer("500 Sorry", &[html], "<a href=/from-broken>x</a>"),
        "/robots.txt" => answer(
            "200 OK",
            &["Content-Type: text/plain"],
            format!("Sitemap: http://{host}/map.xml\n"),
        ),
        "/map.xml" => answer(
            "200 OK",
            &["Content-Type: application/xml"],
            format!(
                "<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\
                 <url><loc>http://{host}/later</loc></url>\
                 <url><loc>http://{host}/a/next</loc></url></urlset>"
            ),
        ),
        _ => return None,
    };
    Some(Reply::Keep(reply))
}

fn crawled(wire: &Wire, directory: &Path) -> Run {
    crawl(wire.url("/"), &directory.join("site"))
        .args(["--connections", "1"])
        .config(directory, "[fetch]\nretries = 0\n")
}

fn verified(path: &Path, exit: i32) -> Value {
    let ran = lastlight(["verify", "--json"]).arg(path).run().exits(exit);
    ran.json()["reports"][0].clone()
}

/// Takes the row of a URL out of a ledger, and seals what is left so that
/// nothing but what is captured can tell.
fn without_row(snapshot: &Path, url: &str) {
    let layout = Layout::new(snapshot);
    let text = std::fs::read(layout.path(LEDGER)).unwrap();
    let rows = ledger::read(Path::new("ledger"), &text[..]);
    let mut rows: Vec<_> = rows.map(Result::unwrap).collect();
    let before = rows.len();
    rows.retain(|row| row.url != url);
    assert_eq!(rows.len() + 1, before, "{url} had no row");
    let (mut out, mut counts) = (Vec::new(), Counts::default());
    let mut writer = LedgerWriter::new(&mut out).unwrap();
    for row in &rows {
        counts.add(row.state);
        writer.add(row).unwrap();
    }
    writer.finish().unwrap();
    std::fs::write(layout.path(LEDGER), out).unwrap();
    let text = std::fs::read(layout.path("datapackage.json")).unwrap();
    let mut manifest: Manifest = serde_json::from_slice(&text).unwrap();
    manifest.resources = Manifest::describe(&layout).unwrap();
    manifest.lastlight.as_mut().unwrap().counts = counts;
    manifest.write(&layout).unwrap();
}

#[test]
fn an_honest_crawl_is_closed_and_its_account_says_what_is_missing() {
    let (wire, directory) = (Wire::serve(site), scratch());
    crawled(&wire, directory.path()).run().exits(1);
    let path = directory.path().join("site");
    let report = verified(&path, 0);
    let account = &report["account"];
    let rows = Snapshot::at(&path).ledger().len();
    assert_eq!(account["closed"], true);
    assert_eq!(account["counts"]["discovered"], rows);
    assert_eq!(account["links"]["without_row"], 0);
    assert_eq!(account["links"]["unread"], 0);
    let sentence = account["sentence"].as_str().unwrap();
    let start = format!("{rows} URLs discovered; each is accounted for: ");
    assert!(sentence.starts_with(&start), "{sentence}");
    assert_eq!(report["verdict"], "intact-unsigned");

    let reasons: Vec<_> = account["reasons"]["largest"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let reason = |state: &str, why: &str| {
        let is = |r: &&&Value| r["state"] == state && r["reason"] == why;
        reasons.iter().find(is).map(|r| r["urls"].as_u64().unwrap())
    };
    assert_eq!(reason("excluded", "out-of-scope"), Some(1));
    assert_eq!(reason("failed", "status-500"), Some(1));
    let page = &account["pages"]["largest"][0];
    assert_eq!(page["page"], wire.url("/later").as_str());
    assert_eq!(page["some"][0], wire.url("/broken").as_str());
    let host = &account["hosts"]["largest"][0];
    assert_eq!(
        (&host["urls"], &host["reasons"][0][0]),
        (&1.into(), &"status-500".into())
    );
    let sitemaps = &account["sitemaps"];
    assert_eq!(
        (&sitemaps["listed"], &sitemaps["captured"]),
        (&2.into(), &1.into())
    );
    assert_eq!(sitemaps["others"]["error status"], 1);
    lastlight(["verify"])
        .arg(&path)
        .run()
        .exits(0)
        .says(sentence)
        .says("hosts that gave trouble");
}

#[test]
fn a_url_that_lost_its_row_is_named_with_the_page_that_names_it() {
    let (wire, directory) = (Wire::serve(site), scratch());
    crawled(&wire, directory.path()).run().exits(1);
    let kept = directory.path().join("site");
    for (lost, page) in [
        ("http://elsewhere.example/x".to_owned(), "/"),
        (wire.url("/broken"), "/later"),
        (wire.url("/i.png"), "/s.css"),
        // Its own relative link, although its payload stands elsewhere.
        (wire.url("/b/next"), "/b/twin"),
        (wire.url("/map.xml"), "/robots.txt"),
    ] {
        let path = copy(&kept, &directory.path().join("doctored"));
        without_row(&path, &lost);
        let report = verified(&path, 1);
        let findings = report["findings"].as_array().unwrap();
        let found: Vec<_> = findings
            .iter()
            .filter(|finding| finding["rule"] == "link-without-row")
            .collect();
        assert_eq!(found.len(), 1, "{lost}: {findings:#?}");
        assert_eq!(found[0]["severity"], "error");
        assert_eq!(found[0]["url"], wire.url(page).as_str());
        let message = found[0]["message"].as_str().unwrap();
        assert!(message.contains(&format!("names {lost},")), "{message}");
        assert_eq!(report["account"]["closed"], false);
        assert_eq!(report["account"]["links"]["without_row"], 1);
        if lost.contains("elsewhere") {
            assert_eq!(report["verdict"], "not-closed");
        }
        std::fs::remove_dir_all(path).unwrap();
    }
}

#[test]
fn a_crawl_that_was_stopped_is_closed_too() {
    let (wire, directory) = (Wire::serve(site), scratch());
    crawled(&wire, directory.path())
        .args(["--max-urls", "3"])
        .run()
        .exits(3);
    let account = &verified(&directory.path().join("site"), 0)["account"];
    assert_eq!(account["closed"], true);
    assert!(account["counts"]["unreached"].as_u64().unwrap() > 0);
}

#[test]
fn packages_are_closed_and_a_bare_warc_says_that_it_cannot_be() {
    let (wire, directory) = (Wire::serve(site), scratch());
    crawled(&wire, directory.path()).run().exits(1);
    let path = directory.path().join("site");
    for kind in ["bag", "wacz"] {
        let into = directory.path().join(kind);
        std::fs::create_dir(&into).unwrap();
        let ran = lastlight(["deposit", "--json", "--as", kind])
            .arg(&path)
            .arg("--into")
            .arg(&into)
            .run()
            .exits(0);
        let package = std::fs::read_dir(&into).unwrap().next().unwrap().unwrap();
        let report = verified(&package.path(), 0);
        assert_eq!(report["account"]["closed"], true, "{}", ran.stdout);
    }
    let warc = Snapshot::at(&path).warcs().remove(0);
    lastlight(["verify"])
        .arg(warc)
        .run()
        .exits(0)
        .says("links    not applicable: there is no ledger of a Lastlight crawl");
    // One check alone gathers what it needs.
    lastlight(["verify", "--only", "links"])
        .arg(&path)
        .run()
        .exits(0)
        .says("each is accounted for");
}
