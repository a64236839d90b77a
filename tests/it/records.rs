//! Each exchange is told whole: what was asked and answered, by which way, and
//! what it is.

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::{Record, Snapshot};
use crate::wire::{Reply, Wire, answer, page};

fn of<'r>(records: &'r [Record], kind: &str, url: &str) -> &'r Record {
    let mut found = records
        .iter()
        .filter(|record| record.kind() == kind && record.url() == url);
    let record = found.next().unwrap_or_else(|| panic!("no {kind} of {url}"));
    assert!(found.next().is_none(), "more than one {kind} of {url}");
    record
}

fn site() -> Wire {
    Wire::serve(|asked| {
        let reply = match asked.target.as_str() {
            "/" => page(&["/style.css", "/picture", "/page"]),
            "/page" => {
                let links: Vec<String> = (0..20).map(|n| format!("/gone/{n}")).collect();
                page(&links.iter().map(String::as_str).collect::<Vec<_>>())
            }
            "/style.css" => answer(
                "200 OK",
                &["Content-Type: text/plain"],
                "@import url(/a.css);",
            ),
            "/picture" => answer("200 OK", &[], b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            _ => return None,
        };
        Some(Reply::Keep(reply))
    })
}

#[test]
fn an_exchange_has_a_record_for_each_side_and_one_about_it() {
    let (wire, directory) = (site(), scratch());
    let into = directory.path().join("told");
    crawl(wire.url("/"), &into)
        .config(directory.path(), "[warc]\noutlinks = 5\n")
        .run()
        .exits(0);
    let records = Snapshot::at(&into).records();
    let warcinfo = records.iter().find(|r| r.kind() == "warcinfo").unwrap();
    let id = warcinfo.field("WARC-Record-ID").unwrap();
    for record in records.iter().filter(|r| r.kind() != "warcinfo") {
        assert_eq!(record.field("WARC-Warcinfo-ID"), Some(id), "{record:?}");
    }
    let url = wire.url("/page");
    let response = of(&records, "response", &url);
    let (request, metadata) = (
        of(&records, "request", &url),
        of(&records, "metadata", &url),
    );
    for other in [request, metadata] {
        assert_eq!(
            other.field("WARC-Concurrent-To"),
            response.field("WARC-Record-ID")
        );
    }
    assert_eq!(response.all("WARC-Protocol"), ["http/1.1"]);
    assert_eq!(request.all("WARC-Protocol"), ["http/1.1"]);
    assert_eq!(response.field("WARC-IP-Address"), Some("127.0.0.1"));
    let text = String::from_utf8_lossy(&metadata.block);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.iter().any(|line| line.starts_with("fetchTimeMs: ")));
    assert!(lines.contains(&"hopsFromSeed: L"));
    assert!(lines.contains(&&*format!("via: {}", wire.url("/"))));
    let outlinks: Vec<&&str> = lines
        .iter()
        .filter(|l| l.starts_with("outlink: "))
        .collect();
    assert_eq!(outlinks.len(), 5);
    assert_eq!(
        **outlinks[0],
        format!("outlink: {} L =NAVLINK_MISC", wire.url("/gone/0"))
    );
    assert!(lines.contains(&"outlinksLeftOut: 15"), "{text}");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn the_type_that_the_bytes_show_stands_beside_the_one_that_was_named() {
    let (wire, directory) = (site(), scratch());
    let into = directory.path().join("types");
    crawl(wire.url("/"), &into).run().exits(0);
    let records = Snapshot::at(&into).records();
    for (path, identified) in [
        ("/", Some("text/html")),
        ("/style.css", Some("text/css")),
        ("/picture", Some("image/png")),
        ("/gone/1", None),
    ] {
        let record = of(&records, "response", &wire.url(path));
        let found = record.field("WARC-Identified-Payload-Type");
        assert_eq!(found, identified, "{path}");
    }
}

#[test]
fn warc_1_0_has_whole_seconds_and_its_own_profile() {
    let directory = scratch();
    let text = "the same text on two pages ".repeat(100);
    let wire = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/one", "/later"]))),
        "/later" => {
            std::thread::sleep(std::time::Duration::from_millis(100));
            Some(Reply::Keep(page(&["/two"])))
        }
        "/one" | "/two" => Some(Reply::Keep(answer("200 OK", &[], &text))),
        _ => None,
    });
    let into = directory.path().join("old");
    crawl(wire.url("/"), &into)
        .args(["--warc-version", "1.0", "--connections", "1"])
        .run()
        .exits(0);
    let records = Snapshot::at(&into).records();
    let revisit = of(&records, "revisit", &wire.url("/two"));
    assert_eq!(
        revisit.field("WARC-Profile"),
        Some("http://netpreserve.org/warc/1.0/revisit/identical-payload-digest")
    );
    let original = of(&records, "response", &wire.url("/one"));
    assert_eq!(
        revisit.field("WARC-Refers-To-Date"),
        original.field("WARC-Date")
    );
    for record in &records {
        let date = record.field("WARC-Date").unwrap();
        assert_eq!(date.len(), "2026-11-22T02:28:46Z".len(), "{date}");
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}
