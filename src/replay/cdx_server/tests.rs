//! Queries to a small index.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};

use super::Query;
use super::lines::{self, Answered};
use super::query::Refused;
use crate::snapshot::container::Region;
use crate::snapshot::index::Index;
use crate::snapshot::scratch;

fn index() -> Index {
    let mut lines = Vec::new();
    for (key, url, time, mime, status) in [
        (
            "example,a)/",
            "http://a.example/",
            "20260101000000",
            "text/html",
            "200",
        ),
        (
            "example,a)/",
            "http://a.example/",
            "20260301000000",
            "text/html",
            "200",
        ),
        (
            "example,a)/",
            "https://a.example/",
            "20260501000000",
            "text/html",
            "301",
        ),
        (
            "example,a)/dir",
            "http://a.example/dir/",
            "20260101000000",
            "text/html",
            "200",
        ),
        (
            "example,a)/dir/s.css",
            "http://a.example/dir/s.css",
            "20260101000000",
            "text/css",
            "200",
        ),
        (
            "example,a)/dir2",
            "http://a.example/dir2",
            "20260101000000",
            "text/html",
            "404",
        ),
        (
            "example,a,b)/",
            "http://b.a.example/",
            "20260101000000",
            "text/html",
            "200",
        ),
        (
            "example,a-b)/",
            "http://a-b.example/",
            "20260101000000",
            "text/html",
            "200",
        ),
        (
            "example,a:8080)/",
            "http://a.example:8080/",
            "20260101000000",
            "text/html",
            "200",
        ),
    ] {
        lines.push(format!(
            "{key} {time} {{\"url\": \"{url}\", \"mime\": \"{mime}\", \"status\": \"{status}\"}}"
        ));
    }
    lines.sort();
    let mut file = scratch::file().unwrap();
    for line in lines {
        writeln!(file, "{line}").unwrap();
    }
    Index::new(Region::whole(file).unwrap())
}

fn answer(query: &str) -> String {
    let query = Query::parse(query).unwrap();
    let lines = lines::of(&index(), &query).unwrap();
    let mut text = String::new();
    Answered::new(query, lines)
        .read_to_string(&mut text)
        .unwrap();
    text
}

/// The `url` and `timestamp` of each line, in pieces.
fn found(query: &str) -> Vec<String> {
    let text = answer(&format!("{query}&output=text&fl=url,timestamp"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn each_match_type_finds_its_lines_and_no_others() {
    assert_eq!(found("url=a.example/").len(), 3);
    assert_eq!(
        found("url=http://a.example/dir/*"),
        ["http://a.example/dir/s.css 20260101000000"]
    );
    assert_eq!(found("url=a.example/dir*").len(), 3);
    assert_eq!(found("url=a.example&matchType=host").len(), 6);
    let domain = found("url=*.a.example");
    assert_eq!(domain.len(), 8);
    assert_eq!(domain[6], "http://b.a.example/ 20260101000000");
    assert!(found("url=http://c.example/").is_empty());
}

#[test]
fn times_are_prefixes_and_both_ends_belong() {
    assert_eq!(found("url=a.example&from=2026&to=2026").len(), 3);
    assert_eq!(found("url=a.example&from=202602").len(), 2);
    assert_eq!(found("url=a.example&to=202603").len(), 2);
    assert_eq!(
        found("url=a.example&from=20260301000000&to=20260301000000").len(),
        1
    );
}

#[test]
fn lines_are_sorted_and_limited() {
    let times = |query: &str| -> Vec<String> {
        let found = found(query).into_iter();
        found
            .map(|line| line.split(' ').nth(1).unwrap()[4..6].to_owned())
            .collect()
    };
    assert_eq!(times("url=a.example&limit=2"), ["01", "03"]);
    assert_eq!(times("url=a.example&sort=reverse&limit=2"), ["05", "03"]);
    assert_eq!(times("url=a.example&closest=20260310"), ["03", "05", "01"]);
    assert_eq!(times("url=a.example&closest=20260310&limit=1"), ["03"]);
    assert_eq!(times("url=a.example&sort=reverse&limit=0"), [""; 0]);
}

#[test]
fn filters_are_parts_values_or_expressions() {
    let count = |filter: &str| found(&format!("url=a.example/*&filter={filter}")).len();
    assert_eq!(count("mime:text/h"), 5);
    assert_eq!(count("!mime:text/h"), 1);
    assert_eq!(count("%3Dmime:text/css"), 1);
    assert_eq!(count("%3Dmime:text"), 0);
    assert_eq!(count("mime:css"), 1);
    assert_eq!(count("!mime:css"), 5);
    assert_eq!(count("~mime:css"), 0);
    assert_eq!(count("~mime:.*css"), 1);
    assert_eq!(count("~statuscode:[34]"), 2);
    assert_eq!(count("dir2"), 1);
    assert_eq!(
        found("url=a.example/*&filter=~mime:.*html&filter=status:200").len(),
        3
    );
}

#[test]
fn collapsing_leaves_the_first_of_lines_alike() {
    assert_eq!(found("url=a.example&collapse=timestamp:4").len(), 1);
    assert_eq!(found("url=a.example&collapse=timestamp:6").len(), 3);
    assert_eq!(found("url=a.example&collapse=status").len(), 2);
    assert_eq!(found("url=a.example/*&collapse=urlkey").len(), 4);
    assert_eq!(found("url=a.example&collapse=status&sort=reverse").len(), 2);
}

#[test]
fn lines_are_written_as_they_are_asked_for() {
    let whole = answer("url=a.example&limit=1");
    assert_eq!(
        whole,
        "example,a)/ 20260101000000 {\"url\": \"http://a.example/\", \"mime\": \"text/html\", \"status\": \"200\"}\n"
    );
    assert_eq!(
        answer("url=a.example&limit=1&fl=status,original"),
        "example,a)/ 20260101000000 {\"status\": \"200\", \"url\": \"http://a.example/\"}\n"
    );
    assert_eq!(
        answer("url=a.example&limit=1&output=json"),
        "{\"urlkey\": \"example,a)/\", \"timestamp\": \"20260101000000\", \
         \"url\": \"http://a.example/\", \"mime\": \"text/html\", \"status\": \"200\"}\n"
    );
    assert_eq!(
        answer("url=a.example&limit=1&output=json&fl=timestamp,nothing"),
        "{\"timestamp\": \"20260101000000\"}\n"
    );
    assert_eq!(
        answer("url=a.example&limit=1&output=text&fl=timestamp,nothing,status"),
        "20260101000000 - 200\n"
    );
}

#[test]
fn pages_give_every_line_once() {
    let query = Query::parse("url=a.example/*&pageSize=1").unwrap();
    let pages = query.pages(&index()).unwrap();
    assert_eq!((pages.count, pages.blocks), (1, 1));
    assert_eq!(found("url=a.example/*&page=0").len(), 6);
    assert!(found("url=a.example/*&page=1").is_empty());
}

#[test]
fn what_cannot_be_understood_is_refused() {
    assert_eq!(Query::parse("limit=1").unwrap_err(), Refused::NoUrl);
    for bad in [
        "limit=x",
        "limit=-1",
        "matchType=all",
        "sort=up",
        "sort=closest",
        "closest=20x",
        "from=x",
        "output=xml",
        "filter=~mime:(",
        "collapse=timestamp:x",
        "page=x",
        "pageSize=x",
        "filter=~url:(a{1000}){1000}",
    ] {
        let refused = Query::parse(&format!("url=a.example&{bad}")).unwrap_err();
        assert!(matches!(refused, Refused::Value(..)), "{bad}");
    }
    let long = format!("url={}", "a".repeat(40_000));
    assert_eq!(Query::parse(&long).unwrap_err(), Refused::TooMuch);
}
