//! What belongs to a site: kinds of scope, seeds from everywhere, sitemaps,
//! redirects and frames that leave it, and the shortest way that counts.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::harness::{Run, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Asked, Reply, Wire, answer, page};

fn html(body: &str) -> Reply {
    let html = &["Content-Type: text/html"];
    Reply::Keep(answer("200 OK", html, body))
}

fn moved(to: &str) -> Reply {
    Reply::Keep(answer("302 Found", &[&format!("Location: {to}")], ""))
}

/// A crawl that may talk to every server of the test.
fn everywhere(seed: &str, into: &Path) -> Run {
    crawl(seed, into).args(["--allow-address", "127.0.0.0/8"])
}

/// State and reason of a URL; empty where it was never found.
fn outcome(snapshot: &Snapshot, url: &str) -> String {
    let row = snapshot.ledger().remove(url);
    row.map(|row| {
        format!("{} {}", row["state"], row["reason"])
            .trim()
            .to_owned()
    })
    .unwrap_or_default()
}

#[test]
fn redirects_and_frames_leave_the_scope_for_one_page_with_all_it_needs() {
    let other = Wire::serve(|asked| match asked.target.as_str() {
        "/moved" | "/frame" => Some(html("<a href=/deeper>x</a><img src=/i.png>")),
        "/i.png" => Some(html("")),
        _ => None,
    });
    let to = other.url("");
    let site = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(html(&format!(
            "<a href=/gone>x</a><iframe src={to}/frame></iframe><a href={to}/linked>x</a>"
        ))),
        "/gone" => Some(moved(&format!("{to}/moved"))),
        _ => None,
    });
    let directory = scratch();
    let into = directory.path().join("s");
    everywhere(&site.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    for path in ["/moved", "/frame", "/i.png"] {
        assert_eq!(outcome(&snapshot, &other.url(path)), "captured", "{path}");
    }
    for path in ["/deeper", "/linked"] {
        assert_eq!(
            outcome(&snapshot, &other.url(path)),
            "excluded out-of-scope",
            "{path}"
        );
    }
}

#[test]
fn each_kind_of_scope_takes_what_it_says() {
    let site = Wire::serve(|asked| {
        let host = String::from_utf8_lossy(&asked.bytes).into_owned();
        let port = host
            .split("localhost:")
            .nth(1)?
            .split("\r\n")
            .next()?
            .to_owned();
        let names = [
            "http://a.town.localhost:",
            "http://town.localhost:",
            "http://b.city.localhost:",
        ];
        let mut links = "<a href=/below/x>x</a><a href=/beside>x</a>".to_owned();
        for name in names {
            let _ = write!(links, "<a href={name}{port}/below/y>x</a>");
        }
        Some(html(&links))
    });
    let at = |host: &str, path: &str| format!("http://{host}:{}{path}", site.port());
    let seed = at("a.town.localhost", "/below/");
    let expected = [
        ("page", [false, false, false, false]),
        ("prefix", [true, false, false, false]),
        ("host", [true, true, false, false]),
        ("domain", [true, true, true, false]),
        ("any", [true, true, true, true]),
        ("custom", [true, false, false, true]),
    ];
    for (kind, taken) in expected {
        let directory = scratch();
        let into = directory.path().join("s");
        everywhere(&seed, &into)
            .args(["--scope", kind, "--depth", "2"])
            .config(
                directory.path(),
                &if kind == "custom" {
                    format!(
                        "[crawl]\nsurts = [\"+http://(localhost,city,\", \"+http://(localhost,town,a,:{})/below/x\"]\n",
                        site.port()
                    )
                } else {
                    String::new()
                },
            )
            .run()
            .exits(0);
        let snapshot = Snapshot::at(&into);
        let urls = [
            at("a.town.localhost", "/below/x"),
            at("a.town.localhost", "/beside"),
            at("town.localhost", "/below/y"),
            at("b.city.localhost", "/below/y"),
        ];
        let found = urls.map(|url| outcome(&snapshot, &url) == "captured");
        assert_eq!(found, taken, "{kind}");
        assert_eq!(outcome(&snapshot, &seed), "captured");
    }
}

#[test]
fn extra_hops_take_linked_pages_and_no_more() {
    let other = Wire::serve(|_| Some(html("<a href=/second>x</a>")));
    let to = other.url("/first");
    let site = Wire::serve(move |_| Some(Reply::Keep(page(&[&to]))));
    let directory = scratch();
    let into = directory.path().join("s");
    everywhere(&site.url("/"), &into)
        .args(["--extra-hops", "1"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(outcome(&snapshot, &other.url("/first")), "captured");
    assert_eq!(
        outcome(&snapshot, &other.url("/second")),
        "excluded out-of-scope"
    );
}

#[test]
fn surt_prefixes_include_and_exclude() {
    let site = Wire::serve(|asked| {
        (asked.target == "/").then(|| Reply::Keep(page(&["/in/1", "/in/not/2", "/out"])))
    });
    let directory = scratch();
    let into = directory.path().join("s");
    let port = site.port();
    crawl(site.url("/"), &into)
        .args(["--scope", "custom"])
        .args(["--include", &format!("http://(127.0.0.1:{port})/in/")])
        .args(["--include", &format!("+http://127.0.0.1:{port}/in/")])
        .args(["--exclude", &format!("+http://127.0.0.1:{port}/in/not/")])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(outcome(&snapshot, &site.url("/in/1")), "captured");
    assert_eq!(
        outcome(&snapshot, &site.url("/in/not/2")),
        "excluded exclude-pattern"
    );
    assert_eq!(
        outcome(&snapshot, &site.url("/out")),
        "excluded out-of-scope"
    );
}

#[test]
fn a_thousand_seeds_come_from_a_file_and_others_from_standard_input() {
    let site =
        Wire::serve(|asked| (asked.target.starts_with("/p/")).then(|| html("<a href=/q>x</a>")));
    let directory = scratch();
    let list = directory.path().join("list.txt");
    let mut text = "# all pages\r\n".to_owned();
    for n in 0..1000 {
        let _ = write!(text, "{}\r\n", site.url(&format!("/p/{n}")));
    }
    let _ = writeln!(text, "-http://127.0.0.1:{}/q", site.port());
    std::fs::write(&list, text).unwrap();
    let into = directory.path().join("s");
    let ran = lastlight(["crawl", "--delay", "0", "--json", "--seeds"])
        .arg(&list)
        .arg("--into")
        .arg(&into)
        .run()
        .exits(0);
    assert_eq!(ran.json()["counts"]["failed"], 0);
    let snapshot = Snapshot::at(&into);
    let captured = snapshot
        .ledger()
        .into_iter()
        .filter(|(url, row)| url.starts_with(&site.url("/p/")) && row["state"] == "captured");
    assert_eq!(captured.count(), 1000);
    assert_eq!(
        outcome(&snapshot, &site.url("/q")),
        "excluded exclude-pattern"
    );

    let into = directory.path().join("stdin");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lastlight"))
        .args(["crawl", "-", "--delay", "0", "--into"])
        .arg(&into)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(site.url("/p/5").as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
    assert_eq!(outcome(&Snapshot::at(&into), &site.url("/p/5")), "captured");
}

#[test]
fn a_wrong_seed_is_named_by_its_line_and_nothing_is_made() {
    let directory = scratch();
    let list = directory.path().join("list.txt");
    std::fs::write(&list, "http://a.example/\n\nftp://b.example/\n").unwrap();
    let into = directory.path().join("s");
    lastlight(["crawl", "--seeds"])
        .arg(&list)
        .arg("--into")
        .arg(&into)
        .run()
        .exits(2)
        .warns("list.txt, line 3: ");
    assert!(!into.exists());
    std::fs::write(&list, "# none\n").unwrap();
    lastlight(["crawl", "--seeds"])
        .arg(&list)
        .run()
        .exits(2)
        .warns("there are no seeds");
    lastlight(["crawl", "http://a.example/", "--scope", "moon"])
        .run()
        .exits(2)
        .warns("domain");
    lastlight([
        "crawl",
        "http://a.example/",
        "--exclude",
        "+ftp://x/",
        "--into",
    ])
    .arg(&into)
    .run()
    .exits(2)
    .warns("crawl.exclude");
}

#[test]
fn a_sitemaps_pages_are_seeds_and_what_is_missing_is_reported() {
    fn serve(asked: &Asked, base: &str) -> Option<Reply> {
        let xml = &["Content-Type: application/xml"];
        let urlset = |paths: &[&str]| {
            let mut map = "<?xml version=\"1.0\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">".to_owned();
            for path in paths {
                let _ = write!(map, "<url><loc>{base}{path}</loc></url>");
            }
            Reply::Keep(answer("200 OK", xml, map + "</urlset>"))
        };
        match asked.target.as_str() {
            "/map.xml" => Some(urlset(&["/one", "/two", "/lost", "/private/x"])),
            "/sitemap.xml" => Some(urlset(&["/three"])),
            "/robots.txt" => Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/plain"],
                format!("User-agent: *\nDisallow: /private/\nSitemap: {base}/map.xml\n"),
            ))),
            "/" | "/one" | "/two" | "/three" => Some(html("<a href=/linked>x</a>")),
            "/linked" => Some(html("<a href=/deeper>x</a>")),
            _ => None,
        }
    }
    let site = Wire::serve(|asked| {
        let text = String::from_utf8_lossy(&asked.bytes).into_owned();
        let host = text
            .split("Host: ")
            .nth(1)?
            .split("\r\n")
            .next()?
            .to_owned();
        serve(asked, &format!("http://{host}"))
    });
    let directory = scratch();
    for (name, args, listed) in [
        (
            "auto",
            vec![site.url("/"), "--sitemap".into(), "auto".into()],
            5,
        ),
        ("seed", vec![site.url("/map.xml")], 4),
        ("named", vec!["--sitemap".into(), site.url("/map.xml")], 4),
    ] {
        let into = directory.path().join(name);
        let ran = lastlight(["crawl", "--delay", "0", "--depth", "1", "--json", "--into"])
            .arg(&into)
            .args(args)
            .run()
            .exits(0);
        let sitemaps = ran.json()["sitemaps"].clone();
        assert_eq!(sitemaps["listed"], listed, "{name}");
        assert_eq!(sitemaps["missing"], 2, "{name}");
        assert_eq!(sitemaps["captured"], listed - 2, "{name}");
        let snapshot = Snapshot::at(&into);
        // A listed page is a seed: what it links to is one link away.
        assert_eq!(
            outcome(&snapshot, &site.url("/linked")),
            "captured",
            "{name}"
        );
        assert_eq!(
            outcome(&snapshot, &site.url("/deeper")),
            "excluded depth",
            "{name}"
        );
        let missing = snapshot.rows("reports/sitemaps.csv");
        assert_eq!(missing[0]["url"], site.url("/lost"));
        assert_eq!(
            (missing[0]["state"].as_str(), missing[0]["status"].as_str()),
            ("captured", "404")
        );
        assert_eq!(missing[1]["url"], site.url("/private/x"));
        assert!(
            missing[1]["reason"].starts_with("robots: line 2"),
            "{missing:?}"
        );
        assert_eq!(missing[0]["sitemap"], site.url("/map.xml"));
        assert_eq!(missing.len(), 2);
        let pages = snapshot.text("pages/pages.jsonl");
        assert!(pages.contains(&site.url("/one")), "{pages}");
        lastlight(["verify"]).arg(&into).run().exits(0);
    }
}

#[test]
fn a_shorter_way_that_is_found_later_counts() {
    let other = Wire::serve(|asked| {
        Some(html(match asked.target.as_str() {
            "/1" => "<a href=/2>x</a>",
            "/2" => "<a href=/3>x</a>",
            "/3" => "<a href=/4>x</a>",
            "/4" => "<a href=/5>x</a>",
            _ => "",
        }))
    });
    let to = other.url("");
    let site = Wire::serve(move |asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&[&format!("{to}/1"), "/slow"]))),
        "/slow" => {
            std::thread::sleep(Duration::from_secs(2));
            Some(Reply::Keep(page(&[&format!("{to}/3")])))
        }
        _ => None,
    });
    let directory = scratch();
    let into = directory.path().join("s");
    everywhere(&site.url("/"), &into)
        .args(["--scope", "any", "--depth", "3"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    // By the long way the fourth page is 4 links away, by the short one 3.
    assert_eq!(outcome(&snapshot, &other.url("/4")), "captured");
    assert_eq!(outcome(&snapshot, &other.url("/5")), "excluded depth");
}

#[test]
fn a_url_that_is_too_long_is_named() {
    let site = Wire::serve(|asked| {
        let long = format!("/{}", "x".repeat(20_000));
        (asked.target == "/").then(|| Reply::Keep(page(&[&long, "/short"])))
    });
    let directory = scratch();
    let into = directory.path().join("s");
    crawl(site.url("/"), &into).run().exits(0);
    let long = site.url(&format!("/{}", "x".repeat(20_000)));
    assert_eq!(
        outcome(&Snapshot::at(&into), &long),
        "excluded url-too-long"
    );
}
