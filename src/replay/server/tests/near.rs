//! Near captures, where the URL itself was never captured.

use super::*;

const SCRIPT: &str = "200 OK\nContent-Type: application/javascript";
const JSON: &str = "200 OK\nContent-Type: application/json";

fn near(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status, answer.field("x-lastlight-fallback"))
}

#[test]
fn a_cache_buster_finds_the_nearest_capture_and_is_told() {
    let captured = |n: u32| format!("http://a.example/api?_={n}&id=5");
    let served = Archive::default()
        .response(&captured(1), EARLY, JSON, b"[1]")
        .response(&captured(2), LATE, JSON, b"[2]")
        .response("http://a.example/api?_=3&id=6", LATE, JSON, b"[6]")
        .serve();
    let asked = "http://a.example/api?id=5&_=99";
    let referrer = format!("http://{}/", served.host("http://a.example/", EARLY));
    let fields = format!("Sec-Fetch-Dest: empty\r\nReferer: {referrer}\r\n");
    let answer = served.get(asked, EARLY, &fields);
    assert_eq!(answer.text(), "[1]");
    assert_eq!(near(&answer), (200, Some("cache-buster")));
    assert_eq!(answer.field("x-lastlight-captured"), Some(&*captured(1)));
    assert_eq!(served.get(asked, LATE, "").text(), "[2]");
    assert_eq!(
        served.get("http://a.example/api?id=7&_=1", LATE, "").status,
        404
    );
    // Itself, where it is there, and nothing is told.
    let exact = served.get(&captured(2), LATE, "");
    assert_eq!(near(&exact), (200, None));
    let list = served.ui(&format!("/-/missing/demo/{EARLY}")).text();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(
        (&list["total"], &list["near"]["total"]),
        (&0.into(), &1.into())
    );
    let told = &list["near"]["urls"][0];
    assert_eq!(told["rules"], "cache-buster");
    assert_eq!(told["captured"], captured(1));
    assert_eq!(told["referrer"], "http://a.example/");
}

#[test]
fn the_bytes_of_a_url_are_never_those_of_another() {
    let served = Archive::default()
        .response("http://a.example/x?_=1", EARLY, JSON, b"[1]")
        .serve();
    let raw = served.ui(&format!("/demo/{EARLY}id_/http://a.example/x?_=2"));
    assert_eq!(raw.status, 404);
    let loopback = format!("127.0.0.1:{}", served.state.base.port);
    let gate = served.ask("GET", &loopback, "/demo/http://a.example/x?_=2", "");
    assert_eq!(gate.status, 404);
    let path = format!("/demo/{EARLY}mp_/http://a.example/x?_=2");
    assert_eq!(
        near(&served.ask("GET", &loopback, &path, "")),
        (200, Some("cache-buster"))
    );
}

#[test]
fn jsonp_calls_the_function_that_the_page_asked_for() {
    let served = Archive::default()
        .response(
            "http://a.example/p?callback=cb1&q=1",
            EARLY,
            SCRIPT,
            b"cb1({\"cb1\": 1})",
        )
        .response(
            "http://a.example/z?callback=cb1",
            EARLY,
            "200 OK\nContent-Type: text/javascript\nContent-Encoding: gzip",
            &gzip(b"/**/cb1(2)"),
        )
        .response(
            "http://a.example/no?callback=cb1",
            EARLY,
            SCRIPT,
            b"alert(1)",
        )
        .serve();
    let script = "Sec-Fetch-Dest: script\r\nAccept-Encoding: gzip\r\n";
    let answer = served.get("http://a.example/p?callback=jQuery_2&q=1", EARLY, script);
    assert_eq!(answer.text(), "jQuery_2({\"cb1\": 1})");
    assert_eq!(near(&answer), (200, Some("callback")));
    let coded = served.get("http://a.example/z?callback=x.y", EARLY, script);
    assert_eq!(
        (coded.text().as_str(), coded.field("content-encoding")),
        ("/**/x.y(2)", None)
    );
    // What doesn't call it isn't JSONP, and data isn't a script.
    for (url, fields) in [
        ("http://a.example/no?callback=cb2", script),
        ("http://a.example/p?callback=cb2&q=2", script),
        (
            "http://a.example/p?callback=cb2&q=1",
            "Sec-Fetch-Dest: image\r\n",
        ),
        ("http://a.example/p?q=1", script),
    ] {
        assert_eq!(served.get(url, EARLY, fields).status, 404, "{url}");
    }
}

#[test]
fn what_is_no_style_does_not_stand_for_one_and_errors_stand_for_nothing() {
    let served = Archive::default()
        .response("http://a.example/s.css?v=1", EARLY, HTML, b"not found")
        .response(
            "http://a.example/t.css?v=1",
            EARLY,
            "200 OK\nContent-Type: text/css",
            b"a{}",
        )
        .response(
            "http://a.example/e?_=1",
            EARLY,
            "404 Gone\nContent-Type: text/html",
            b"gone",
        )
        .response(
            "http://a.example/r?_=1",
            EARLY,
            "302 Found\nLocation: /",
            b"",
        )
        .serve();
    let style = "Sec-Fetch-Dest: style\r\n";
    assert_eq!(
        served
            .get("http://a.example/s.css?v=2", EARLY, style)
            .status,
        404
    );
    let version = served.get("http://a.example/t.css?v=2", EARLY, style);
    assert_eq!(near(&version), (200, Some("version")));
    for url in ["http://a.example/e?_=2", "http://a.example/r?_=2"] {
        assert_eq!(near(&served.get(url, EARLY, "")), (404, None), "{url}");
    }
}

#[test]
fn the_banner_names_the_rule_of_the_page() {
    let served = Archive::default()
        .response("http://a.example/post", EARLY, HTML, b"<title>x</title>")
        .serve();
    let view = served.ui(&format!(
        "/view/demo/{EARLY}/http://a.example/post?utm_source=mail"
    ));
    assert_eq!(view.status, 200);
    assert!(
        view.text().contains("at a near address (campaign)"),
        "{}",
        view.text()
    );
    let around = format!("/-/around/demo/{EARLY}?url=http%3A%2F%2Fa.example%2Fpost%3Ffbclid%3D1");
    assert!(served.ui(&around).text().contains("\"near\":\"campaign\""));
}

#[test]
fn a_site_of_a_million_queries_costs_a_thousand_lines() {
    let mut archive = Archive::default();
    for n in 0..1_200 {
        let url = format!("http://a.example/q?a={n:05}");
        archive = archive.response(&url, EARLY, TEXT, b"x");
    }
    let archive = archive.response("http://a.example/q?utm_source=x&z=1", EARLY, HTML, b"z");
    let served = archive.serve();
    // Past the bound, where only reading everything would find it.
    assert_eq!(served.get("http://a.example/q?z=1", EARLY, "").status, 404);
    let asked = "http://a.example/q?utm_source=y&z=1";
    assert_eq!(near(&served.get(asked, EARLY, "")), (200, Some("campaign")));
}
