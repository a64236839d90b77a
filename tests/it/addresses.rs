//! A page can't make the crawler reach into the archivist's own network.

use std::net::{Ipv4Addr, TcpListener};

use crate::harness::{crawl, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

/// Everything that a site names is in scope.
const WIDE: &str = "[crawl]\ninclude = [\".\"]\n[fetch]\nretries = 0\n";

fn neighbour(address: Ipv4Addr) -> Wire {
    Wire::serve_at(address, |_| {
        Some(Reply::Keep(answer(
            "200 OK",
            &["Content-Type: image/png"],
            "secret",
        )))
    })
}

/// A site on 127.0.0.1 whose page shows a picture of another address, and is
/// redirected there too.
fn site_and_neighbour() -> (Wire, Wire, String) {
    let neighbour = neighbour(Ipv4Addr::new(127, 0, 0, 2));
    let picture = neighbour.url("/camera.png");
    let shown = picture.clone();
    let site = Wire::serve(move |asked| {
        let html = format!("<img src=\"{shown}\"><img src=\"/moved.png\">");
        match asked.target.as_str() {
            "/" => Some(Reply::Keep(answer(
                "200 OK",
                &["Content-Type: text/html"],
                html,
            ))),
            "/moved.png" => {
                let to = format!("Location: {shown}?moved");
                Some(Reply::Keep(answer("302 Found", &[&to], "")))
            }
            _ => None,
        }
    });
    (site, neighbour, picture)
}

#[track_caller]
fn is_excluded(snapshot: &Snapshot, url: &str, reason: &str) {
    let row = snapshot.row(url);
    assert_eq!(row["state"], "excluded", "{row:?}");
    assert!(row["reason"].starts_with(reason), "{row:?}");
}

#[test]
fn a_private_address_that_no_seed_names_is_excluded_and_never_connected_to() {
    let (site, neighbour, picture) = site_and_neighbour();
    let directory = scratch();
    let into = directory.path().join("guarded");
    crawl(site.url("/"), &into)
        .config(directory.path(), "[fetch]\nretries = 0\n")
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    for url in [picture.clone(), format!("{picture}?moved")] {
        is_excluded(&snapshot, &url, "address: ");
    }
    assert!(neighbour.asked().is_empty() && !neighbour.was_reached());
}

#[test]
fn a_private_address_is_taken_where_its_network_is_allowed() {
    let (site, neighbour, picture) = site_and_neighbour();
    let directory = scratch();
    let into = directory.path().join("allowed");
    crawl(site.url("/"), &into)
        .args(["--allow-address", "127.0.0.2/32"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.response(&picture).entity(), b"secret");
    assert_eq!(
        snapshot.row(&format!("{picture}?moved"))["state"],
        "captured"
    );
    assert!(neighbour.was_reached());
}

#[test]
fn whatever_names_a_private_address_and_however_it_is_spelled_nothing_connects() {
    let neighbour = neighbour(Ipv4Addr::new(127, 0, 0, 2));
    let port = neighbour.port();
    let spellings = [
        "127.0.0.2",
        "127.2",
        "2130706434",
        "0x7f000002",
        "0177.0.0.2",
        "127.0.0.2.",
        "%31%32%37.0.0.2",
        "public.example@127.0.0.2",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "[::127.0.0.2]",
        "[64:ff9b::7f00:2]",
        "[2002:7f00:2::1]",
    ];
    let links: Vec<String> = spellings
        .iter()
        .enumerate()
        .map(|(at, host)| format!("<a href=\"//{host}:{port}/link-{at}\">x</a>"))
        .collect();
    let links = links.concat();
    let inside = neighbour.url("");
    let site = Wire::serve(move |asked| {
        let html = |text: &str| answer("200 OK", &["Content-Type: text/html"], text);
        let redirect = |to: &str| answer("302 Found", &[&format!("Location: {inside}{to}")], "");
        let bytes = match asked.target.as_str() {
            "/robots.txt" => answer(
                "200 OK",
                &["Content-Type: text/plain"],
                format!("Sitemap: {inside}/map-of-robots\nSitemap: /sitemap.xml\n"),
            ),
            "/sitemap.xml" => answer(
                "200 OK",
                &["Content-Type: application/xml"],
                format!("<urlset><url><loc>{inside}/of-sitemap</loc></url></urlset>"),
            ),
            "/" => html(&format!(
                "{links}<a href=/redirect>r</a><img src=/picture><link rel=stylesheet href=/s.css>\
                 <iframe src=\"{inside}/frame\"></iframe><meta http-equiv=refresh content=\"9;url={inside}/refresh\">"
            )),
            "/redirect" => redirect("/of-link"),
            "/picture" => redirect("/of-picture"),
            "/s.css" => answer(
                "200 OK",
                &[
                    "Content-Type: text/css",
                    &format!("Link: <{inside}/field>; rel=next"),
                ],
                format!("@import url({inside}/import.css)"),
            ),
            _ => return None,
        };
        Some(Reply::Keep(bytes))
    });
    let directory = scratch();
    let into = directory.path().join("guarded");
    crawl(site.url("/"), &into)
        .config(directory.path(), WIDE)
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();
    let refused: Vec<&str> = ledger
        .iter()
        .filter(|(_, row)| row["state"] == "excluded" && row["reason"].starts_with("address: "))
        .map(|(url, _)| url.as_str())
        .collect();
    for named in [
        "map-of-robots",
        "of-sitemap",
        "of-link",
        "of-picture",
        "frame",
        "refresh",
        "field",
        "import.css",
    ] {
        let url = neighbour.url(&format!("/{named}"));
        assert!(refused.contains(&url.as_str()), "{named}: {ledger:?}");
    }
    for (at, host) in spellings.iter().enumerate() {
        let link = format!("/link-{at}");
        assert!(refused.iter().any(|url| url.ends_with(&link)), "{host}");
    }
    assert!(!neighbour.was_reached());
}

#[test]
fn a_robots_txt_that_redirects_to_a_private_address_opens_nothing_and_closes_nothing() {
    let neighbour = neighbour(Ipv4Addr::new(127, 0, 0, 2));
    let inside = neighbour.url("/robots.txt");
    let location = format!("Location: {inside}");
    let site = Wire::serve(move |asked| {
        let html = answer(
            "200 OK",
            &["Content-Type: text/html"],
            "<a href=/page>x</a>",
        );
        Some(Reply::Keep(match asked.target.as_str() {
            "/robots.txt" => answer("301 Moved Permanently", &[&location], ""),
            "/" => html,
            "/page" => answer("200 OK", &[], "here"),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("guarded");
    crawl(site.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    is_excluded(&snapshot, &inside, "address: ");
    assert_eq!(snapshot.row(&site.url("/page"))["state"], "captured");
    assert!(!neighbour.was_reached());
}

#[test]
fn a_seed_opens_neither_other_ports_nor_other_addresses() {
    // What listens beside the site, such as a database's own interface.
    let beside = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    beside.set_nonblocking(true).unwrap();
    let beside_url = format!("http://{}/_stats", beside.local_addr().unwrap());
    let shown = beside_url.clone();
    let site = Wire::serve(move |asked| {
        let request = String::from_utf8_lossy(&asked.bytes);
        let host = request.lines().find_map(|line| line.strip_prefix("Host: "));
        let port = host.unwrap().rsplit(':').next().unwrap();
        let html = format!(
            "<img src=\"{shown}\"><img src=\"http://localhost:{port}/same-server\">\
             <img src=\"http://mail.example:25/x\"><img src=\"http://127.0.0.1:6667/y\">"
        );
        Some(Reply::Keep(match asked.target.as_str() {
            "/" => answer("200 OK", &["Content-Type: text/html"], html),
            "/same-server" => answer("200 OK", &["Content-Type: image/png"], "x"),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("guarded");
    crawl(site.url("/"), &into)
        .config(directory.path(), WIDE)
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    is_excluded(&snapshot, &beside_url, "address: ");
    is_excluded(&snapshot, "http://mail.example:25/x", "bad-port: ");
    is_excluded(&snapshot, "http://127.0.0.1:6667/y", "bad-port: ");
    let same = format!("http://localhost:{}/same-server", site.port());
    assert_eq!(snapshot.row(&same)["state"], "captured");
    assert!(beside.accept().is_err());
}

#[test]
fn a_seed_that_another_scheme_has_is_refused_by_name() {
    let directory = scratch();
    for seed in [
        "file:///etc/passwd",
        "ftp://ftp.example/pub/",
        "javascript:alert(1)",
    ] {
        let scheme = seed.split(':').next().unwrap();
        crawl(seed, &directory.path().join("none"))
            .run()
            .exits(2)
            .warns(&format!("the scheme {scheme:?}"));
    }
}

#[test]
fn a_redirect_to_another_scheme_is_named_and_not_followed() {
    let site = Wire::serve(|asked| {
        let to = |location: &str| answer("302 Found", &[&format!("Location: {location}")], "");
        Some(Reply::Keep(match asked.target.as_str() {
            "/" => answer(
                "200 OK",
                &["Content-Type: text/html"],
                "<a href=/file>1</a><a href=/ftp>2</a><a href=mailto:a@b.example>3</a><a href=javascript:x()>4</a>\
                 <a href=ftp://ftp.example/>5</a><img src=data:image/png,x><img src=file:///etc/passwd>",
            ),
            "/file" => to("file:///etc/passwd"),
            "/ftp" => to("ftp://ftp.example/pub/"),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("schemes");
    crawl(site.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    let log = snapshot.text("logs/crawl.jsonl");
    for (path, scheme) in [("/file", "file"), ("/ftp", "ftp")] {
        let told = log
            .lines()
            .find(|line| line.contains("irregular") && line.contains(&format!("{path}\"")));
        let told = told.unwrap_or_default();
        assert!(told.contains(&format!("scheme \\\"{scheme}\\\"")), "{log}");
        assert_eq!(snapshot.row(&site.url(path))["state"], "captured");
    }
    // What isn't fetched over HTTP is no URL of the ledger.
    assert!(snapshot.ledger().keys().all(|url| url.starts_with("http")));
}
