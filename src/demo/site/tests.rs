//! Walks the whole site as a crawler would.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use url::Url;

use super::*;

const START: &str = "http://inquiry.localhost:8000/";
const BROKEN: &str = "http://inquiry.localhost:8000/evidence/HV-0310-annex.pdf";

fn ask(site: &Site, url: &Url) -> Answer {
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    site.answer("GET", &host, target, false)
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    let field = answer.headers.iter().find(|(known, _)| known == name)?;
    Some(&field.1)
}

/// Values of the given attributes, and what stands in `url(...)`.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for attribute in [" href=\"", " src=\"", " data-src=\"", "<loc>", "@import \""] {
        for part in text.split(attribute).skip(1) {
            links.push(part.split(['"', '<']).next().unwrap().to_owned());
        }
    }
    for part in text.split(" srcset=\"").skip(1) {
        for candidate in part.split('"').next().unwrap().split(',') {
            links.push(candidate.split_whitespace().next().unwrap().to_owned());
        }
    }
    for part in text.split("url(").skip(1) {
        let link = part.split(')').next().unwrap();
        links.push(link.trim_matches(['"', '\'']).to_owned());
    }
    links
        .iter()
        .map(|link| link.replace("&amp;", "&"))
        .collect()
}

/// Everything that can be reached on the two origins, but for the calendar
/// beyond its first page.
fn walk(site: &Site) -> BTreeMap<Url, Answer> {
    let mut answers = BTreeMap::new();
    let mut queue = vec![Url::parse(START).unwrap()];
    while let Some(url) = queue.pop() {
        if answers.contains_key(&url) {
            continue;
        }
        let answer = ask(site, &url);
        let mut found: Vec<String> = header(&answer, "Location")
            .map(str::to_owned)
            .into_iter()
            .collect();
        let media_type = header(&answer, "Content-Type").unwrap();
        if ["html", "css", "xml"]
            .iter()
            .any(|kind| media_type.contains(kind))
        {
            found.extend(links(&String::from_utf8_lossy(&answer.body)));
        }
        for link in found {
            let mut link = url.join(&link).unwrap();
            link.set_fragment(None);
            let ours = link
                .host_str()
                .is_some_and(|host| host.ends_with("inquiry.localhost"));
            let calendar =
                link.path().starts_with("/calendar/") && link.path() != "/calendar/2026/11";
            if ours && !calendar {
                queue.push(link);
            }
        }
        answers.insert(url, answer);
    }
    answers
}

#[test]
fn every_link_answers_but_the_one_known_to_be_broken() {
    let site = Site::new("31 March 2027");
    let answers = walk(&site);
    for (url, answer) in &answers {
        if url.as_str() == BROKEN {
            assert_eq!(answer.status, 404);
            assert!(
                header(answer, "Content-Type")
                    .unwrap()
                    .starts_with("text/html")
            );
        } else {
            assert!(
                matches!(answer.status, 200..=302),
                "{} {url}",
                answer.status
            );
        }
    }
    assert!(answers.keys().any(|url| url.as_str() == BROKEN));
    assert!(
        answers
            .keys()
            .any(|url| url.path() == "/private/working-notes")
    );
    let total: usize = answers.values().map(|answer| answer.body.len()).sum();
    assert!(total < 600_000, "{total}");
}

#[test]
fn there_are_about_forty_pages_and_each_tells_the_closing_date() {
    let site = Site::new("31 March 2027");
    let mut pages = 0;
    for (url, answer) in walk(&site) {
        let text = String::from_utf8_lossy(&answer.body);
        let media_type = header(&answer, "Content-Type").unwrap();
        assert!(
            !media_type.starts_with("text/") || !text.contains("{{"),
            "{url}"
        );
        if answer.status == 200 && media_type.starts_with("text/html") {
            pages += 1;
            assert!(text.contains("closes on 31 March 2027"), "{url}");
        }
    }
    assert_eq!(pages, 46);
}

#[test]
fn the_sitemap_names_a_page_that_nothing_links_to_and_each_page_once() {
    let site = Site::new("31 March 2027");
    let paths = site.paths();
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), paths.len());
    let sitemap = ask(
        &site,
        &Url::parse(START).unwrap().join("sitemap.xml").unwrap(),
    );
    let sitemap = String::from_utf8(sitemap.body).unwrap();
    assert!(sitemap.contains("http://inquiry.localhost:8000/findings/method/"));
    for (url, answer) in walk(&site) {
        if matches!(url.path(), "/sitemap.xml" | "/findings/method/") {
            continue;
        }
        let text = String::from_utf8_lossy(&answer.body);
        assert!(
            !links(&text).iter().any(|link| link.contains("method")),
            "{url}"
        );
    }
}

#[test]
fn two_runs_give_the_same_bytes() {
    assert_eq!(
        walk(&Site::new("31 March 2027")),
        walk(&Site::new("31 March 2027"))
    );
}

#[test]
fn redirects_go_where_they_say() {
    let site = Site::new("31 March 2027");
    let step = |path: &str| {
        let answer = site.answer("GET", "127.0.0.1:80", path, false);
        (
            answer.status,
            header(&answer, "Location").map(str::to_owned),
        )
    };
    let to = |status, location: &str| (status, Some(location.to_owned()));
    assert_eq!(step("/findings"), to(301, "http://127.0.0.1:80/findings/"));
    assert_eq!(step("/open-letter"), to(302, "/letter/"));
    assert_eq!(step("/interim"), to(301, "/interim-report"));
    assert_eq!(step("/interim-report"), to(302, "findings/interim/"));
    assert_eq!(step("/findings/interim/"), (200, None));
    assert_eq!(step("/private"), (404, None));
}

#[test]
fn hosts_tell_the_origins_apart() {
    let site = Site::new("31 March 2027");
    let status = |host: &str, path: &str| site.answer("GET", host, path, false).status;
    assert_eq!(status("inquiry.localhost:1", "/static/valley.svg"), 404);
    assert_eq!(
        status("assets.inquiry.localhost:1", "/static/valley.svg"),
        200
    );
    assert_eq!(status("assets.inquiry.localhost:1", "/"), 404);
    assert_eq!(status("localhost:1", "/static/valley.svg"), 200);
    assert_eq!(status("LOCALHOST:1", "/"), 200);
    assert_eq!(status("inquiry.example:1", "/"), 421);
    assert_eq!(status("127.0.0.1:1\" onload=\"", "/"), 421);
    let css = |host: &str| {
        String::from_utf8(site.answer("GET", host, "/css/type.css", false).body).unwrap()
    };
    assert!(css("127.0.0.1:7").contains("\"http://localhost:7/static/vollkorn"));
    assert!(css("localhost:7").contains("\"http://assets.inquiry.localhost:7/static/vollkorn"));
}

#[test]
fn codings_and_charsets_are_as_announced() {
    let site = Site::new("31 March 2027");
    let ask = |path: &str, gzip| site.answer("GET", "127.0.0.1:80", path, gzip);
    let coded = ask("/findings/", true);
    assert_eq!(header(&coded, "Content-Encoding"), Some("gzip"));
    assert!(coded.body.starts_with(&[0x1f, 0x8b]));
    assert_eq!(header(&ask("/findings/", false), "Content-Encoding"), None);
    assert!(ask("/transcripts/day-1.html", true).chunked);
    let both = ask("/transcripts/day-2.html", true);
    assert!(both.chunked && header(&both, "Content-Encoding").is_some());

    let notice = ask("/notices/2021-boil-water.html", true);
    assert_eq!(header(&notice, "Content-Type"), Some("text/html"));
    assert!(notice.body.windows(5).any(|part| part == b"Caf\xe9 "));
    assert!(notice.body.contains(&0x96) && notice.body.contains(&0x93));
    let (text, bad) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&notice.body);
    assert!(!bad && text.contains("£2") && !text.contains("&#8"));
}

#[test]
fn odd_requests_are_refused_without_harm() {
    let site = Site::new("31 March 2027");
    let status =
        |method: &str, target: &str| site.answer(method, "localhost:1", target, true).status;
    assert_eq!(status("POST", "/"), 405);
    assert_eq!(status("GET", "*"), 400);
    assert_eq!(status("GET", ""), 400);
    for target in [
        "//",
        "/..",
        "/evidence/?page=0",
        "/evidence/?page=99",
        "/evidence/?page=x",
        "/updates/page/0/",
        "/updates/page/1/",
        "/updates/page/18446744073709551616/",
        "/%00",
        "/é",
    ] {
        assert_eq!(status("GET", target), 404, "{target}");
    }
}

#[test]
fn a_query_is_escaped_where_a_page_repeats_it() {
    let site = Site::new("<31 March 2027>");
    let answer = site.answer("GET", "localhost:1", "/evidence/?page=2&\"><b>", false);
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 200);
    assert!(text.contains("/evidence/?page=2&amp;&quot;&gt;&lt;b&gt;\">"));
    assert!(text.contains("closes on &lt;31 March 2027&gt;") && !text.contains("<b>"));
}

#[test]
fn a_closed_site_answers_everything_with_its_notice() {
    let site = Site::new("31 March 2027");
    site.close();
    for path in ["/", "/findings/", "/evidence/HV-0012.pdf", "/nowhere"] {
        let answer = site.answer("GET", "inquiry.localhost:1", path, false);
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8_lossy(&answer.body).contains("has closed"));
    }
}
