//! Several collections as one: beside each there is `all`.

use super::*;

const MIDDLE: &str = "20260315000000";
const PAGE: &str = "http://a.example/page";

fn served() -> Served {
    let payload = Digest::sha256(b"shared body");
    let early = Archive::default()
        .response(PAGE, EARLY, HTML, b"early")
        .response("http://a.example/shared", EARLY, TEXT, b"shared body")
        .response("http://a.example/one", EARLY, HTML, b"one");
    let late = Archive::default()
        .response(PAGE, LATE, HTML, b"late")
        .response("http://b.example/two", LATE, HTML, b"two")
        .record(
            &RecordType::Revisit,
            "http://a.example/shared",
            LATE,
            TEXT,
            b"",
            &[
                ("WARC-Profile", PROFILE),
                ("WARC-Payload-Digest", &payload.to_string()),
            ],
        )
        .request(
            "http://a.example/form",
            LATE,
            "POST /form",
            "Content-Type: application/x-www-form-urlencoded\r\n\r\nq=1",
        )
        .response("http://a.example/form", LATE, TEXT, b"answered");
    let other = Archive::default()
        .response(PAGE, MIDDLE, HTML, b"middle")
        .response(PAGE, LATE, HTML, b"late too");
    Archive::serve_all([("early", early), ("late", late), ("All", other)], "all-2")
}

const PROFILE: &str = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest";

impl Served {
    fn loopback_path(&self, target: &str) -> Answer {
        let host = format!("127.0.0.1:{}", self.state.base.port);
        self.ask("GET", &host, target, "")
    }
}

#[test]
fn the_nearest_capture_of_all_collections_answers_and_says_where_it_is_from() {
    let served = served();
    for (time, body, source) in [
        ("20250101000000", "early", "early"),
        ("20260314000000", "middle", "all"),
        ("20270101000000", "late", "late"),
    ] {
        let answer = served.get(PAGE, time, "");
        assert_eq!((answer.status, answer.text().contains(body)), (200, true));
        assert_eq!(answer.field("x-lastlight-collection"), Some(source));
        let raw = served.ui(&format!("/all-2/{time}id_/{PAGE}"));
        assert_eq!(raw.text(), body);
        assert_eq!(raw.field("x-lastlight-collection"), Some(source));
    }
    // Each one by itself answers as it did.
    let alone = served.ui(&format!("/early/20270101000000id_/{PAGE}"));
    assert_eq!(alone.text(), "early");
    assert_eq!(alone.field("x-lastlight-collection"), None);
}

#[test]
fn a_revisit_is_resolved_in_another_collection() {
    let served = served();
    let answer = served.get("http://a.example/shared", LATE, "");
    assert_eq!(answer.text(), "shared body");
    assert_eq!(answer.field("x-lastlight-collection"), Some("late"));
}

#[test]
fn what_was_answered_to_a_body_is_found_in_any_collection() {
    let served = served();
    let host = served.host("http://a.example/form", EARLY);
    let ask = |body: &str| {
        let fields = format!(
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        served.ask("POST", &host, "/form", &fields)
    };
    assert_eq!(ask("q=1").text(), "answered");
    assert_eq!(ask("q=2").status, 404);
}

#[test]
fn lines_and_mementos_of_all_are_merged_in_order() {
    let served = served();
    let cdx = served.loopback_path("/all-2/cdx?url=a.example/page");
    let text = cdx.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines.is_sorted_by_key(|line| line.split(' ').nth(1)));
    let sources = served.loopback_path("/all-2/cdx?url=a.example/page&fl=source&output=text");
    let sources = sources.text();
    assert!(sources.starts_with("early\nall\n"), "{sources}");
    // Two of one time, as their lines sort.
    assert!(sources.ends_with("late\nall\n") || sources.ends_with("all\nlate\n"));
    let nearest = served.loopback_path(
        "/all-2/cdx?url=a.example/page&closest=20260316&limit=1&fl=timestamp&output=text",
    );
    assert_eq!(nearest.text(), format!("{MIDDLE}\n"));
    let map = served.loopback_path(&format!("/all-2/timemap/link/{PAGE}"));
    let mementos = map.text().matches("memento\"; datetime").count();
    assert_eq!(mementos, 3, "one a time: {}", map.text());
    let gate = served.ask(
        "GET",
        &format!("127.0.0.1:{}", served.state.base.port),
        &format!("/all-2/{PAGE}"),
        "Accept-Datetime: Sun, 15 Mar 2026 00:00:01 GMT\r\n",
    );
    let to = gate.field("location").unwrap();
    assert!(to.contains(&format!("/all-2/{MIDDLE}mp_/")), "{to}");
    // Alone, an index is as it stands in the file.
    let alone = served.loopback_path("/early/cdx?url=a.example/page");
    assert!(!alone.text().contains("source"), "{}", alone.text());
}

#[test]
fn the_interface_has_all_beside_each() {
    let served = served();
    let home = served.ui("/").text();
    for name in ["early", "late", "all", "all-2"] {
        assert!(home.contains(&format!("href=\"/c/{name}/\"")), "{name}");
    }
    let pages = served.ui("/c/all-2/").text();
    for url in ["http://a.example/one", "http://b.example/two", PAGE] {
        assert!(pages.contains(&format!(">{url}<")), "{url}");
    }
    let found = served.ui("/c/all-2/?q=two&how=words").text();
    assert!(found.contains(">http://b.example/two<"), "{found}");
    let captures = served.ui(&format!("/c/all-2/captures?url={PAGE}")).text();
    assert!(captures.contains("4 captures"), "{captures}");
    for name in ["early", "late", "all"] {
        let link = format!("<a href=\"/c/{name}/captures?url=");
        assert!(captures.contains(&link), "{name}");
    }
    let missing = served.ui("/c/all-2/captures?url=http://a.example/none");
    assert!(missing.text().contains("Not captured"));
    assert_eq!(served.get("http://a.example/none", EARLY, "").status, 404);
    let list = served.ui(&format!("/-/missing/all-2/{EARLY}")).text();
    assert!(list.contains("http://a.example/none"), "{list}");
    let go = served.ui(&format!("/go?url={PAGE}"));
    assert!(go.field("location").unwrap().starts_with("/view/all-2/"));
}
