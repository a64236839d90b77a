//! Path mode, Memento and the CDX server, at one host name.

use super::*;

const MIDDLE: &str = "20260315000000";

fn served() -> Served {
    let page = "<!doctype html><title>x</title><base href=/dir/>\
        <link rel=stylesheet href=/s.css><script src=https://cdn.example/a.js></script>\
        <img src=../i.png srcset='/j.png 2x'><iframe src=//b.example/f></iframe>\
        <a href=next>n</a><a href='?q=1'>q</a><a href=http://c.example/#part>c</a>";
    let page = page.as_bytes();
    Archive::default()
        .response("http://a.example/", EARLY, HTML, page)
        .response("http://a.example/", MIDDLE, HTML, b"second")
        .response("http://a.example/", LATE, HTML, b"third")
        .response(
            "http://a.example/s.css",
            EARLY,
            "200 OK\nContent-Type: text/css",
            b"a{b:url(/i.png)}",
        )
        .response(
            "http://a.example/moved",
            EARLY,
            "301 Moved\nContent-Type: text/html\nSet-Cookie: a=b\nLocation: /s.css",
            b"",
        )
        .response(
            "http://a.example/twice",
            EARLY,
            "200 OK\nContent-Type: application/pdf\nContent-Type: text/html",
            b"<p>x",
        )
        .response(
            "http://a.example/p.pdf",
            EARLY,
            "200 OK\nContent-Type: application/pdf",
            b"%PDF-1.4",
        )
        .response(
            "http://a.example/d.svg",
            EARLY,
            "200 OK\nContent-Type: image/svg+xml",
            b"<svg/>",
        )
        .serve()
}

impl Served {
    fn loopback(&self) -> String {
        format!("127.0.0.1:{}", self.state.base.port)
    }

    fn path(&self, target: &str, fields: &str) -> Answer {
        self.ask("GET", &self.loopback(), target, fields)
    }
}

#[test]
fn every_reference_of_a_page_leads_to_a_path_with_the_modifier_of_its_role() {
    let served = served();
    let start = format!("http://{}/demo/2026010100000", served.loopback());
    let answer = served.path("/demo/20260101000000mp_/http://a.example/", "");
    let text = answer.text();
    for there in [
        "0mp_/http://a.example/dir/",
        "0cs_/http://a.example/s.css",
        "0js_/https://cdn.example/a.js",
        "0im_/http://a.example/i.png",
        "0im_/http://a.example/j.png 2x",
        "0if_/http://b.example/f",
        "0mp_/http://c.example/#part",
    ] {
        assert!(
            text.contains(&format!("{start}{there}")),
            "{there} in {text}"
        );
    }
    assert!(
        text.contains("href=next") && text.contains("href='?q=1'"),
        "{text}"
    );
    let runtime = format!("data-time=\"{EARLY}\" data-path=\"{start}0\"></script>");
    assert!(text.contains(&runtime), "{text}");
    assert_eq!(served.path("/-/runtime.js", "").text(), RUNTIME);
    let sheet = served.path("/demo/2026cs_/http://a.example/s.css", "");
    assert_eq!(
        sheet.text(),
        format!("a{{b:url({start}0im_/http://a.example/i.png)}}")
    );
}

#[test]
fn pages_in_paths_have_no_origin_and_reach_their_own_collection_alone() {
    let served = served();
    let answer = served.path("/demo/2026mp_/http://a.example/", "");
    let policy = answer.field("content-security-policy").unwrap();
    let below = format!("http://{}/demo/", served.loopback());
    assert!(policy.starts_with("sandbox allow-scripts allow-forms allow-modals;"));
    assert!(
        policy.contains(&format!("connect-src {below} data: blob:;")),
        "{policy}"
    );
    assert!(!policy.contains("allow-same-origin"));
    let svg = served.path("/demo/2026mp_/http://a.example/d.svg", "");
    assert!(
        svg.field("content-security-policy")
            .unwrap()
            .ends_with("script-src 'none'")
    );
    // Browsers show a PDF in no sandbox, so it is sent as nothing else.
    let pdf = served.path("/demo/2026pd_/http://a.example/p.pdf", "");
    let policy = pdf.field("content-security-policy").unwrap();
    assert!(!policy.contains("sandbox"));
    assert_eq!(pdf.field("content-type"), Some("application/pdf"));
    for other in [
        "2026pd_/http://a.example/",
        "2026mp_/http://a.example/p.pdf",
    ] {
        let answer = served.path(&format!("/demo/{other}"), "");
        let policy = answer.field("content-security-policy").unwrap();
        assert!(
            policy.starts_with("sandbox") || answer.status == 404,
            "{other}"
        );
    }
    let twice = served.path("/demo/2026mp_/http://a.example/twice", "");
    assert_eq!(
        twice.head.to_lowercase().matches("\ncontent-type:").count(),
        1
    );
    for (site, dest, status) in [
        ("cross-site", "script", 403),
        ("same-site", "image", 403),
        ("same-origin", "script", 200),
        ("cross-site", "document", 302),
    ] {
        let fields = format!("Sec-Fetch-Site: {site}\r\nSec-Fetch-Dest: {dest}\r\n");
        let answer = served.path("/demo/2026js_/http://a.example/s.css", &fields);
        assert_eq!(answer.status, status, "{site} {dest}");
    }
    assert_eq!(pdf.field("x-content-type-options"), Some("nosniff"));
    let moved = served.path("/demo/2026js_/http://a.example/moved", "");
    assert_eq!(moved.status, 301);
    let to = format!("{below}20260101000000js_/http://a.example/s.css");
    assert_eq!(moved.field("location"), Some(&*to));
    assert_eq!(moved.field("set-cookie"), None);
    let alone = served.path(
        "/demo/2026mp_/http://a.example/",
        "Sec-Fetch-Dest: document\r\n",
    );
    let view = format!(
        "http://{}/view/demo/20260101000000/http://a.example/",
        served.loopback()
    );
    assert_eq!((alone.status, alone.field("location")), (302, Some(&*view)));
}

#[test]
fn only_pages_of_the_collection_read_across_origins() {
    let served = served();
    let base = &served.state.base;
    let host = served.loopback();
    let own = format!("demo~{}", base.token("demo"));
    let target = |collection: &str| format!("/{collection}/2026mp_/http://a.example/s.css");
    let allowed = |collection: &str, origin: &str| {
        let answer = served.path(&target(collection), &format!("Origin: {origin}\r\n"));
        let allowed = answer.field("access-control-allow-origin");
        (answer.status, allowed.map(str::to_owned))
    };
    assert_eq!(allowed(&own, "null"), (200, Some("null".to_owned())));
    assert_eq!(allowed(&own, "http://evil.example"), (200, None));
    assert_eq!(allowed("demo", "null"), (200, None));
    assert_eq!(allowed("demo~guessed", "null").0, 302);
    let of_other = format!("demo~{}", base.token("other"));
    assert_eq!(allowed(&of_other, "null").1, None);
    let first = served.ask("OPTIONS", &host, &target(&own), "Origin: null\r\n");
    assert_eq!(
        (first.status, first.field("access-control-allow-origin")),
        (204, Some("null"))
    );
    let page = served.path(&format!("/{own}/2026mp_/http://a.example/"), "");
    let script = format!("http://{host}/{own}/20260101000000js_/https://cdn.example/a.js");
    assert!(page.text().contains(&script));
    // What others are told of has no token in it.
    assert!(!page.field("link").unwrap().contains('~'));
    for (target, status) in [
        ("/demo/cdx?url=a.example".to_owned(), 405),
        (target("demo"), 204),
    ] {
        assert_eq!(served.ask("OPTIONS", &host, &target, "").status, status);
    }
    assert_eq!(served.ask("POST", &host, &target("demo"), "").status, 404);
    assert_eq!(served.ask("DELETE", &host, &target("demo"), "").status, 405);
}

#[test]
fn the_interface_at_an_address_is_for_readers_of_path_mode() {
    let served = served();
    let own = "Sec-Fetch-Site: same-origin\r\n";
    let safari = "User-Agent: Mozilla/5.0 (Macintosh) AppleWebKit/605 Version/17 Safari/605\r\n";
    let chrome = "User-Agent: Mozilla/5.0 AppleWebKit/537 Chrome/140 Safari/537\r\n";
    assert_eq!(served.path("/c/demo/", own).status, 200);
    assert_eq!(served.path("/", safari).status, 200);
    assert_eq!(served.path("/", chrome).status, 302);
    let view = served.path("/view/demo/20260101000000/http://a.example/", "");
    let text = view.text();
    let frame = format!(
        "src=\"http://{}/demo~{}/20260101000000mp_/http://a.example/\"",
        served.loopback(),
        served.state.base.token("demo")
    );
    assert!(
        text.contains(&frame) && !text.contains("allow-same-origin"),
        "{text}"
    );
    let policy = view.field("content-security-policy").unwrap();
    assert!(policy.contains(&format!("frame-src http://{};", served.loopback())));
    // At the interface's own name captures have origins of their own.
    let named = served
        .ui("/view/demo/20260101000000/http://a.example/")
        .text();
    assert!(named.contains("allow-same-origin") && !named.contains("mp_"));
}

#[test]
fn a_time_gate_leads_to_the_memento_nearest_to_the_time() {
    let served = served();
    let host = served.loopback();
    let memento = |time: &str| format!("http://{host}/demo/{time}mp_/http://a.example/");
    for (date, expected) in [
        ("Thu, 01 Jan 2015 00:00:00 GMT", EARLY),
        ("Sun, 15 Mar 2026 01:00:00 GMT", MIDDLE),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LATE),
    ] {
        for gate in [
            "/demo/http://a.example/",
            "/demo/timegate/http://a.example/",
            "/demo/mp_/http://a.example/",
        ] {
            let answer = served.path(gate, &format!("Accept-Datetime: {date}\r\n"));
            assert_eq!(
                (answer.status, answer.field("location")),
                (302, Some(&*memento(expected)))
            );
            assert_eq!(answer.field("vary"), Some("accept-datetime"));
            assert_eq!(answer.field("memento-datetime"), None);
            assert!(
                answer
                    .field("link")
                    .unwrap()
                    .starts_with("<http://a.example/>; rel=\"original\"")
            );
        }
    }
    let newest = served.path("/demo/http://a.example/", "");
    assert_eq!(newest.field("location"), Some(&*memento(LATE)));
    let bad = served.path("/demo/http://a.example/", "Accept-Datetime: yesterday\r\n");
    assert_eq!(bad.status, 400);
    assert_eq!(served.path("/demo/http://none.example/", "").status, 404);
}

#[test]
fn a_memento_names_those_around_it() {
    let served = served();
    let host = served.loopback();
    let answer = served.path("/demo/20260315mp_/http://a.example/", "");
    assert_eq!(
        answer.field("memento-datetime"),
        Some("Sun, 15 Mar 2026 00:00:00 GMT")
    );
    let own = format!("http://{host}/demo/{MIDDLE}mp_/http://a.example/");
    assert_eq!(answer.field("content-location"), Some(&*own));
    let links = answer.field("link").unwrap();
    for link in [
        "<http://a.example/>; rel=\"original\"".to_owned(),
        format!("<http://{host}/demo/timegate/http://a.example/>; rel=\"timegate\""),
        format!(
            "<http://{host}/demo/timemap/link/http://a.example/>; rel=\"timemap\"; type=\"application/link-format\""
        ),
        format!(
            "<http://{host}/demo/{EARLY}mp_/http://a.example/>; rel=\"first prev memento\"; datetime=\"Sun, 01 Mar 2026 00:00:00 GMT\""
        ),
        format!("<{own}>; rel=\"memento\"; datetime=\"Sun, 15 Mar 2026 00:00:00 GMT\""),
        format!(
            "<http://{host}/demo/{LATE}mp_/http://a.example/>; rel=\"next last memento\"; datetime=\"Wed, 01 Apr 2026 00:00:00 GMT\""
        ),
    ] {
        assert!(links.contains(&link), "{link} in {links}");
    }
    let raw = served.path(&format!("/demo/{LATE}id_/http://a.example/"), "");
    assert!(raw.field("link").unwrap().contains("rel=\"last memento\""));
    assert_eq!(raw.text(), "third");
}

#[test]
fn time_maps_list_every_memento_in_each_format() {
    let served = served();
    let link = served.path("/demo/timemap/link/http://a.example/", "");
    assert_eq!(link.field("content-type"), Some("application/link-format"));
    let text = link.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 6, "{text}");
    assert!(
        lines[2].contains("rel=\"self\"; type=\"application/link-format\"; from=\"Sun, 01 Mar")
    );
    assert!(
        lines[3].contains("rel=\"first memento\"") && lines[5].contains("rel=\"last memento\"")
    );
    let json = served.path("/demo/timemap/json/http://a.example/", "");
    let value: serde_json::Value = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(value["mementos"]["list"].as_array().unwrap().len(), 3);
    assert_eq!(value["mementos"]["last"], value["mementos"]["list"][2]);
    assert_eq!(value["original_uri"], "http://a.example/");
    assert!(
        value["timemap_uri"]["cdxj_format"]
            .as_str()
            .unwrap()
            .contains("/timemap/cdxj/")
    );
    let cdxj = served.path("/demo/timemap/cdxj/http://a.example/", "");
    let cdx = served.path("/demo/cdx?url=http://a.example/", "");
    assert_eq!(cdxj.text(), cdx.text());
    assert_eq!(cdx.text().lines().count(), 3);
    assert_eq!(
        served
            .path("/demo/timemap/link/http://none.example/", "")
            .status,
        404
    );
    let refused = served.path("/demo/cdx?limit=1", "");
    assert_eq!(
        (refused.status, &*refused.text()),
        (400, "{\"message\":\"The \\\"url\\\" param is required\"}")
    );
}
