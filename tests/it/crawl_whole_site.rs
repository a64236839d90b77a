//! Everything of the closing site that belongs to it is captured, byte for
//! byte, and every URL that it names ends in the ledger with a reason.

use std::collections::BTreeMap;

use url::Url;

use crate::harness::{Captured, SHORT_CALENDAR, Site, captured, crawl, lastlight, scratch};
use crate::holdings::{Record, Snapshot, records_of};
use crate::wire::{Reply, Wire, answer, page};

/// What the site sends for a URL of one of its origins, coded as asked.
fn sent(url: &str) -> lastlight::demo::site::Answer {
    let url = Url::parse(url).unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    lastlight::demo::site::Site::new("31 March 2027").answer("GET", &host, target, true)
}

#[test]
fn each_row_of_the_ledger_holds_what_the_site_sends() {
    let captured = captured();
    let records: BTreeMap<u64, Record> = captured
        .snapshot
        .records()
        .into_iter()
        .map(|record| (record.offset, record))
        .collect();
    let mut compared = 0;
    for (url, row) in captured.snapshot.ledger() {
        if row["state"] != "captured" {
            continue;
        }
        let record = &records[&row["offset"].parse().unwrap()];
        let answer = sent(&url);
        assert_eq!(record.url(), url);
        assert_eq!(record.length.to_string(), row["length"], "{url}");
        assert_eq!(
            record.field("WARC-Payload-Digest"),
            Some(row["payload_digest"].as_str())
        );
        assert_eq!(answer.status.to_string(), row["status"], "{url}");
        assert_eq!(record.entity(), answer.body, "{url}");
        assert_eq!(answer.body.len().to_string(), row["bytes"], "{url}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn pages_pictures_documents_and_the_second_origins_font_are_captured() {
    let Captured { site, snapshot, .. } = captured();
    let ledger = snapshot.ledger();
    let state = |url: &str| {
        let row = ledger
            .get(url)
            .unwrap_or_else(|| panic!("{url} has no row"));
        (row["state"].as_str(), row["status"].as_str())
    };
    for path in [
        "/",
        "/findings/4-four-days/",
        "/evidence/?page=3",
        "/evidence/HV-0310.pdf",
        "/updates/page/3/",
        "/img/charts/crew@2x.png",
        "/img/clock.svg",
        "/css/print.css",
        "/js/hearings.js",
        "/data/hearings.json",
        "/map/frame.html",
        "/notices/2021-boil-water.html",
        "/transcripts/day-2.html",
        "/findings/interim/",
        "/favicon.png",
        "/robots.txt",
    ] {
        assert_eq!(state(&site.url(path)), ("captured", "200"), "{path}");
    }
    for path in [
        "/static/valley.svg",
        "/static/vollkorn-semibold-latin.woff2",
    ] {
        assert_eq!(state(&site.asset(path)), ("captured", "200"), "{path}");
    }
    for path in ["/faq", "/interim", "/findings"] {
        assert_eq!(state(&site.url(path)), ("captured", "301"), "{path}");
    }
    // A whole answer is captured, whatever its status.
    assert_eq!(
        state(&site.url("/evidence/HV-0310-annex.pdf")),
        ("captured", "404")
    );
}

#[test]
fn what_robots_txt_keeps_out_is_excluded_with_the_line_that_says_so() {
    let Captured { site, snapshot, .. } = captured();
    let row = snapshot.row(&site.url("/private/working-notes"));
    assert_eq!(row["state"], "excluded");
    assert!(
        row["reason"].starts_with("robots: line 2"),
        "{}",
        row["reason"]
    );
    assert!(
        row["reason"].contains("Disallow: /private/"),
        "{}",
        row["reason"]
    );
    assert!(
        snapshot
            .responses(&site.url("/private/working-notes"))
            .is_empty()
    );
}

#[test]
fn an_endless_calendar_ends_and_the_ledger_names_the_trap() {
    let Captured { site, snapshot, .. } = captured();
    let ledger = snapshot.ledger();
    let months: Vec<_> = ledger
        .iter()
        .filter(|(url, _)| url.starts_with(&site.url("/calendar/")))
        .collect();
    let ends: Vec<_> = months
        .iter()
        .filter(|(_, row)| row["state"] == "excluded")
        .collect();
    assert_eq!(ends.len(), 2, "one end to the past and one to the future");
    assert!(ends.iter().all(|(_, row)| row["reason"] == "trap-barren"));
    assert!(months.len() < 40, "{}", months.len());
}

#[test]
fn the_ledger_is_closed_and_sorted() {
    let Captured {
        snapshot, crawl, ..
    } = captured();
    let rows = snapshot.rows("reports/ledger.csv");
    let urls: Vec<_> = rows.iter().map(|row| row["url"].as_str()).collect();
    assert!(
        urls.is_sorted_by(|one, other| one < other),
        "sorted, each URL once"
    );
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &rows {
        *counts.entry(row["state"].as_str()).or_default() += 1;
        let captured = row["state"] == "captured";
        assert_eq!(captured, !row["filename"].is_empty(), "{row:?}");
        assert_eq!(captured, row["reason"].is_empty(), "{row:?}");
    }
    let told = &crawl.json()["counts"];
    for state in ["captured", "unchanged", "excluded", "failed", "unreached"] {
        assert_eq!(
            told[state],
            counts.get(state).copied().unwrap_or(0),
            "{state}"
        );
    }
    assert_eq!(told["discovered"], rows.len() as u64);
    assert_eq!(snapshot.manifest()["lastlight"]["counts"], *told);
}

#[test]
fn every_link_of_every_captured_page_has_its_row() {
    let Captured { snapshot, .. } = captured();
    let ledger = snapshot.ledger();
    let link = regex::bytes::Regex::new(r##"(?:href|src|data-src|action)="([^"#]+)"##).unwrap();
    let (mut pages, mut links) = (0, 0);
    for record in snapshot.records() {
        let html = record.kind() == "response" && ledger[record.url()]["media_type"] == "text/html";
        if !html {
            continue;
        }
        pages += 1;
        let base = Url::parse(record.url()).unwrap();
        for found in link.captures_iter(&record.decoded()) {
            let text = String::from_utf8_lossy(&found[1]).replace("&amp;", "&");
            let target = base.join(&text).unwrap();
            if matches!(target.scheme(), "http" | "https") {
                assert!(
                    ledger.contains_key(target.as_str()),
                    "{base} names {target}"
                );
                links += 1;
            }
        }
    }
    assert!(pages > 60 && links > 1000, "{pages} pages, {links} links");
}

#[test]
fn each_page_is_listed_with_its_title() {
    let Captured { site, snapshot, .. } = captured();
    let lines = |path: &str| -> Vec<serde_json::Value> {
        let text = snapshot.text(path);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let (seeds, others) = (lines("pages/pages.jsonl"), lines("pages/extraPages.jsonl"));
    assert_eq!(seeds.len(), 2);
    assert_eq!(seeds[0]["format"], "json-pages-1.0");
    assert_eq!(seeds[1]["url"], site.url("/"));
    let find = |path: &str| others.iter().find(|page| page["url"] == site.url(path));
    let title = find("/findings/3-the-night/").unwrap()["title"]
        .as_str()
        .unwrap();
    assert!(title.contains("night"), "{title}");
    // A windows-1252 page that only says so itself.
    assert!(find("/notices/2021-boil-water.html").is_some());
    assert!(find("/map/frame.html").is_none(), "a frame is no page");
    assert!(
        find("/evidence/HV-0310-annex.pdf").is_none(),
        "a 404 is no page"
    );
}

#[test]
fn the_manifest_has_the_digest_of_every_file() {
    let Captured { snapshot, .. } = captured();
    let manifest = snapshot.manifest();
    assert_eq!(manifest["profile"], "data-package");
    let mut described = std::collections::BTreeSet::new();
    for resource in manifest["resources"].as_array().unwrap() {
        let path = resource["path"].as_str().unwrap();
        let bytes = snapshot.bytes(path);
        assert_eq!(resource["bytes"], bytes.len() as u64, "{path}");
        assert_eq!(
            resource["hash"],
            format!("sha256:{}", sha256(&bytes)),
            "{path}"
        );
        described.insert(snapshot.file(path));
    }
    let kept_apart =
        ["datapackage.json", "datapackage-digest.json"].map(|name| snapshot.file(name));
    for file in snapshot.contents().into_keys() {
        let state = file.starts_with(snapshot.file("state"));
        assert!(
            state || kept_apart.contains(&file) || described.contains(&file),
            "{file:?}"
        );
    }
}

#[test]
fn the_configuration_that_was_used_is_kept_with_the_captures() {
    let Captured { snapshot, .. } = captured();
    assert!(
        snapshot
            .text("metadata/config.toml")
            .contains("barren = 12")
    );
    let records = snapshot.records();
    assert_eq!(records[0].kind(), "warcinfo");
    let warcinfo = String::from_utf8(records[0].block.clone()).unwrap();
    assert!(warcinfo.contains("software: lastlight/"), "{warcinfo}");
    assert!(warcinfo.contains("robots: obey"), "{warcinfo}");
}

#[test]
fn prefix_scope_and_depth_keep_the_rest_out_but_take_what_pages_need() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("findings");
    let seed = site.url("/findings/");
    crawl(&seed, &into)
        .args(["--scope", "prefix", "--depth", "1"])
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    let row = |path: &str| {
        let row = &ledger[&site.url(path)];
        (row["state"].as_str(), row["reason"].as_str())
    };
    assert_eq!(row("/findings/1-the-valley/"), ("captured", ""));
    assert_eq!(row("/css/main.css"), ("captured", ""));
    assert_eq!(row("/updates/"), ("excluded", "out-of-scope"));
    // The sitemap of the host is read; what it lists elsewhere is told of.
    assert_eq!(row("/updates/page/2/"), ("excluded", "out-of-scope"));
}

#[test]
fn patterns_include_and_exclude() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("patterns");
    crawl(site.url("/findings/"), &into)
        .args([
            "--scope",
            "prefix",
            "--include",
            "/evidence/HV-",
            "--exclude",
            r"\.png$",
        ])
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    let reason = |path: &str| ledger[&site.url(path)]["reason"].as_str();
    assert_eq!(reason("/evidence/HV-0310.pdf"), "");
    assert_eq!(reason("/img/charts/crew.png"), "exclude-pattern");
}

#[test]
fn robots_txt_is_ignored_only_when_that_is_asked_for_and_the_choice_is_recorded() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("all");
    crawl(site.url("/"), &into)
        .config(directory.path(), SHORT_CALENDAR)
        .args(["--robots", "ignore"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(
        snapshot.row(&site.url("/private/working-notes"))["state"],
        "captured"
    );
    let warcinfo = String::from_utf8(snapshot.records()[0].block.clone()).unwrap();
    assert!(warcinfo.contains("robots: ignore"), "{warcinfo}");
}

#[test]
fn several_seeds_are_one_crawl() {
    let one = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&["/a"]))));
    let other = Wire::serve(|asked| {
        let html = &["Content-Type: text/html"];
        (asked.target == "/b/").then(|| Reply::Keep(answer("200 OK", html, "<a href=c>c</a>")))
    });
    let directory = scratch();
    let into = directory.path().join("two");
    crawl(one.url("/"), &into)
        .arg(other.url("/b/"))
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    for url in [one.url("/a"), other.url("/b/c")] {
        assert_eq!(snapshot.row(&url)["status"], "404");
    }
    assert_eq!(snapshot.text("pages/pages.jsonl").lines().count(), 3);
}

#[test]
fn a_full_warc_is_followed_by_the_next() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("rotated");
    let settings = format!("{SHORT_CALENDAR}[warc]\nrotate = \"40 KB\"\n");
    crawl(site.url("/"), &into)
        .config(directory.path(), &settings)
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert!(snapshot.warcs().len() > 3, "{:?}", snapshot.warcs());
    for warc in snapshot.warcs() {
        let records = records_of(&std::fs::read(&warc).unwrap());
        let name = warc.file_name().unwrap().to_str().unwrap();
        assert_eq!(records[0].kind(), "warcinfo");
        assert_eq!(records[0].field("WARC-Filename"), Some(name));
    }
    assert_eq!(
        without_ports(&snapshot, &site),
        without_ports(&captured().snapshot, &captured().site)
    );
    lastlight(["verify"])
        .arg(&into)
        .run()
        .exits(0)
        .says("intact");
}

/// State and payload-independent outcome of each URL, for crawls of two sites
/// that differ in their ports.
fn without_ports(snapshot: &Snapshot, site: &Site) -> BTreeMap<String, String> {
    let port = site.port().to_string();
    let outcome = snapshot.outcome().into_iter();
    outcome
        .map(|(url, [state, ..])| (url.replace(&port, "PORT"), state))
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
}
