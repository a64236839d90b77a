//! Pages as a reader sees them: rewritten, in the shell, with a page of ours around or
//! in place of what is none.

use super::*;

#[test]
fn pages_are_rewritten_and_relative_urls_stay() {
    let page = "<!doctype html><html><head><title>x</title>\
        <meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">\
        <link rel=preconnect href=https://cdn.example>\
        <link rel=stylesheet integrity=sha256-x href=https://cdn.example/a.css>\
        <style>b{background:url(https://cdn.example/b.png)}</style></head>\
        <body><a href=/rel>r</a><img src='http://a.example/i.png?a=1&amp;b=2' srcset='x.png 2x'>\
        <iframe srcdoc='<a href=&quot;https://c.example/&quot;>c</a>'></iframe>";
    let served = Archive::default()
        .response("http://a.example/", EARLY, HTML, page.as_bytes())
        .response(
            "http://a.example/a.css",
            EARLY,
            "200 OK\nContent-Type: text/css",
            b"@import 'https://cdn.example/c.css';a{b:url(d.png)}",
        )
        .serve();
    let cdn = served.host("https://cdn.example/", LATE);
    let own = served.host("http://a.example/", LATE);
    let other = served.host("https://c.example/", LATE);
    let text = served
        .get("http://a.example/", LATE, "Sec-Fetch-Dest: iframe\r\n")
        .text();
    for there in [
        format!("href=http://{cdn}/a.css"),
        format!("url(http://{cdn}/b.png)"),
        format!("src='http://{own}/i.png?a=1&amp;b=2'"),
        "href=/rel".to_owned(),
        "srcset='x.png 2x'".to_owned(),
        format!("http://{other}/"),
        format!(
            "<script src=\"http://{own}/.lastlight/runtime.js\" \
             data-url=\"http://a.example/\" data-time=\"{EARLY}\"></script>"
        ),
    ] {
        assert!(text.contains(&there), "{there} in {text}");
    }
    for gone in ["Security-Policy", "preconnect", "integrity", "https://cdn"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    let sheet = served.get("http://a.example/a.css", LATE, "Sec-Fetch-Dest: style\r\n");
    assert_eq!(
        sheet.text(),
        format!("@import 'http://{cdn}/c.css';a{{b:url(d.png)}}")
    );
    let runtime = served.ask("GET", &own, "/.lastlight/runtime.js", "");
    assert_eq!(runtime.text(), RUNTIME);
    // A script gets the markup that it fetches, without the runtime in it.
    let fetched = served
        .get("http://a.example/", LATE, "Sec-Fetch-Dest: empty\r\n")
        .text();
    assert!(!fetched.contains("runtime.js") && fetched.contains(&cdn));
}

#[test]
fn what_is_missing_is_told_and_counted() {
    let served = Archive::default()
        .response("http://a.example/", EARLY, HTML, b"x")
        .serve();
    let page = format!(
        "Referer: http://{}/\r\n",
        served.host("http://a.example/", EARLY)
    );
    let fields = format!("Sec-Fetch-Dest: image\r\n{page}");
    let answer = served.get("https://b.example/no.png?a<b", EARLY, &fields);
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("https://b.example/no.png?a%3Cb"));
    let host = served.host("http://a.example/", EARLY);
    assert_eq!(served.ask("POST", &host, "/form", "").status, 404);
    let list: serde_json::Value =
        serde_json::from_slice(&served.ui(&format!("/-/missing/demo/{EARLY}")).body).unwrap();
    assert_eq!(list["total"], 2);
    assert_eq!(list["urls"][0]["url"], "https://b.example/no.png?a%3Cb");
    assert_eq!(list["urls"][0]["referrer"], "http://a.example/");
    assert_eq!(list["urls"][0]["kind"], "image");
    assert_eq!(list["urls"][1]["kind"], "post");
    assert_eq!(served.ask("DELETE", &host, "/form", "").status, 405);
    let of_page = format!("/-/missing/demo/{EARLY}?page=http%3A%2F%2Fa.example%2F");
    let list: serde_json::Value = serde_json::from_slice(&served.ui(&of_page).body).unwrap();
    assert_eq!(list["total"], 1);
    assert_eq!(served.ui("/-/missing/other/20260301000000").status, 404);
}

#[test]
fn documents_are_shown_in_the_shell_and_pdfs_outside_the_sandbox() {
    let served = Archive::default()
        .response("http://a.example/p?q", EARLY, HTML, b"x")
        .response(
            "http://a.example/d.pdf",
            EARLY,
            "200 OK\nContent-Type: application/pdf",
            b"%PDF-",
        )
        .response(
            "http://a.example/z",
            EARLY,
            "200 OK\nContent-Type: application/zip",
            b"PK",
        )
        .serve();
    let answer = served.get("http://a.example/p?q", LATE, "Sec-Fetch-Dest: document\r\n");
    let expected = format!(
        "{}/view/demo/{LATE}/http://a.example/p?q",
        served.state.base.ui_origin()
    );
    assert_eq!(
        (answer.status, answer.field("location")),
        (302, Some(expected.as_str()))
    );
    let frame = "Sec-Fetch-Dest: iframe\r\n";
    let notice = served.get("http://a.example/d.pdf", LATE, frame).text();
    assert!(notice.contains("\"lastlight\":\"pdf\""), "{notice}");
    let notice = served.get("http://a.example/z", LATE, frame).text();
    assert!(notice.contains("\"lastlight\":\"download\""), "{notice}");
    let host = served.host("http://a.example/", LATE);
    let pdf = served.ask("GET", &host, "/.lastlight/pdf/d.pdf", frame);
    assert_eq!(pdf.text(), "%PDF-");
    let page = served.ask("GET", &host, "/.lastlight/pdf/p?q", frame);
    assert_eq!(page.status, 404);
}

#[test]
fn what_is_no_page_has_one_around_it_in_the_frame() {
    let served = Archive::default()
        .response(
            "http://a.example/t",
            EARLY,
            "200 OK\nContent-Type: text/plain",
            b"<text>",
        )
        .response(
            "http://a.example/i",
            EARLY,
            "200 OK\nContent-Type: image/svg+xml",
            b"<svg/>",
        )
        .response(
            "http://a.example/o",
            EARLY,
            "200 OK\nContent-Type: application/octet-stream",
            b"<!doctype html>o",
        )
        .response("http://a.example/n", EARLY, "200 OK", b"<!doctype html>n")
        .serve();
    let frame = "Sec-Fetch-Dest: iframe\r\n";
    let answer = served.get("http://a.example/t", EARLY, frame);
    assert!(
        answer.text().contains("src=\"/.lastlight/file/t\""),
        "{}",
        answer.text()
    );
    assert!(answer.text().contains("\"lastlight\":\"page\""));
    let host = served.host("http://a.example/t", EARLY);
    let file = served.ask("GET", &host, "/.lastlight/file/t", frame);
    assert_eq!(file.text(), "<text>");
    let policy = file.field("content-security-policy").unwrap();
    assert!(policy.contains("script-src 'none'"), "{policy}");
    let answer = served.get("http://a.example/i", EARLY, frame);
    assert!(
        answer.text().contains("<img src=\"/i\""),
        "{}",
        answer.text()
    );
    let answer = served.get("http://a.example/i", EARLY, "Sec-Fetch-Dest: image\r\n");
    assert_eq!(answer.text(), "<svg/>");
    for page in ["o", "n"] {
        let answer = served.get(&format!("http://a.example/{page}"), EARLY, frame);
        assert_eq!(answer.field("content-type"), Some("text/html"));
        assert!(answer.text().contains("runtime.js"), "{}", answer.text());
        let file = served.ask("GET", &host, &format!("/.lastlight/file/{page}"), frame);
        assert_eq!(file.status, 404);
    }
}

#[test]
fn the_banner_tells_of_the_capture_that_answers() {
    let moved = "301 Moved\nLocation: https://a.example/p";
    let itself = "301 Moved\nLocation: /self";
    let served = Archive::default()
        .response("http://a.example/p", EARLY, moved, b"")
        .response(
            "https://a.example/p",
            LATE,
            "200 OK\nContent-Type: text/html",
            b"p",
        )
        .response("http://a.example/self", EARLY, itself, b"")
        .serve();
    let at = "20260302000000";
    let answer = served.get("https://a.example/p", at, "");
    assert_eq!(answer.status, 200);
    let around = served
        .ui(&format!("/-/around/demo/{at}?url=https://a.example/p"))
        .text();
    assert!(
        around.contains(&format!("\"timestamp\":\"{LATE}\"")),
        "{around}"
    );
    let answer = served.get("http://a.example/self", EARLY, "");
    assert_eq!(answer.status, 404);
    assert!(
        answer.text().contains("redirect to itself"),
        "{}",
        answer.text()
    );
    let raw = served.ui(&format!("/demo/{EARLY}id_/http://a.example/self"));
    assert_eq!(raw.status, 301);
}
