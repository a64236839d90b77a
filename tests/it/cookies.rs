//! Cookies: kept for a crawl, sent back as a browser would, within bounds; a
//! site that shows itself only to who brings its cookie is captured.

use crate::harness::{crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Asked, Reply, Wire, answer, page};

fn cookie(asked: &Asked) -> String {
    asked.field("cookie").unwrap_or_default()
}

#[test]
fn what_the_site_sets_is_sent_back_and_may_be_deposited() {
    let site = Wire::serve(|asked| {
        Some(Reply::Keep(match asked.target.as_str() {
            "/" => {
                let mut bytes = page(&["/a/x", "/b"]);
                let at = bytes.windows(2).position(|w| w == b"\r\n").unwrap();
                let fields = b"\r\nSet-Cookie: all=1\r\nset-cookie: deep=2; Path=/a\r\nSet-Cookie: s=3; Secure";
                bytes.splice(at..at, fields.iter().copied());
                bytes
            }
            "/a/x" | "/b" => answer("200 OK", &[], "x"),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("cookies");
    crawl(site.url("/"), &into).run().exits(0);
    let asked = site.asked();
    let of = |target: &str| asked.iter().find(|asked| asked.target == target).unwrap();
    assert_eq!(cookie(of("/")), "");
    assert_eq!(cookie(of("/a/x")), "deep=2; all=1");
    assert_eq!(cookie(of("/b")), "all=1");
    lastlight(["deposit", "--as", "wacz"])
        .arg(&into)
        .run()
        .exits(0);

    crawl(site.url("/"), &into.with_extension("off"))
        .config(directory.path(), "[cookies]\npolicy = \"off\"\n")
        .run()
        .exits(0);
    let asked = site.asked();
    assert!(
        asked[asked.len() - 2..]
            .iter()
            .all(|asked| cookie(asked).is_empty())
    );
}

#[test]
fn a_page_behind_a_redirect_to_itself_is_captured_with_its_cookie() {
    let site = Wire::serve(|asked| {
        let seen = cookie(asked).contains("seen=1");
        Some(Reply::Keep(match (asked.target.as_str(), seen) {
            ("/", true) => page(&["/wall"]),
            ("/", false) => answer("302 Found", &["Location: /", "Set-Cookie: seen=1"], ""),
            // Through another URL and back.
            ("/wall", _) if cookie(asked).contains("gate=1") => answer("200 OK", &[], "behind"),
            ("/wall", _) => answer("302 Found", &["Location: /gate"], ""),
            ("/gate", _) => answer("302 Found", &["Location: /wall", "Set-Cookie: gate=1"], ""),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("wall");
    crawl(site.url("/"), &into).run().exits(0);
    let snapshot = Snapshot::at(&into);
    assert_eq!(snapshot.row(&site.url("/"))["status"], "200");
    assert_eq!(snapshot.row(&site.url("/wall"))["status"], "200");
    let wall = snapshot.responses(&site.url("/wall"));
    assert_eq!(wall.last().unwrap().entity(), b"behind");
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_site_that_sets_cookies_for_ever_is_asked_a_few_times() {
    let site = Wire::serve(|asked| {
        let name = asked.target.trim_start_matches('/');
        let count = format!("Set-Cookie: {name}={}", asked.before);
        Some(Reply::Keep(match asked.target.as_str() {
            "/" => page(&["/self", "/ping"]),
            "/self" => answer("302 Found", &["Location: /self", &count], ""),
            "/ping" => answer("302 Found", &["Location: /pong", &count], ""),
            "/pong" => answer("302 Found", &["Location: /ping", &count], ""),
            _ => return None,
        }))
    });
    let directory = scratch();
    let into = directory.path().join("loops");
    crawl(site.url("/"), &into).run();
    for target in ["/self", "/ping", "/pong"] {
        assert!(
            (1..=6).contains(&site.times(target)),
            "{target}: {}",
            site.times(target)
        );
    }
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_crawl_that_goes_on_keeps_what_the_site_made_of_imported_cookies() {
    // The site renews one cookie and removes the other.
    let site = Wire::serve(|asked| {
        let fields = ["Set-Cookie: sid=renewed", "Set-Cookie: gone=; Max-Age=0"];
        Some(Reply::Keep(match asked.target.as_str() {
            "/robots.txt" => answer("404 Not Found", &[], ""),
            "/" => {
                let mut bytes = page(&["/member"]);
                let at = bytes.windows(2).position(|w| w == b"\r\n").unwrap();
                let fields = format!("\r\n{}", fields.join("\r\n"));
                bytes.splice(at..at, fields.into_bytes());
                bytes
            }
            "/member" => answer("200 OK", &[], cookie(asked)),
            _ => return None,
        }))
    });
    let directory = scratch();
    let file = directory.path().join("cookies.txt");
    let line = |name: &str| format!("127.0.0.1\tFALSE\t/\tFALSE\t0\t{name}\tgiven\n");
    std::fs::write(&file, line("sid") + &line("gone")).unwrap();
    let settings = format!("[cookies]\nfile = \"{}\"\n", file.display());
    let into = directory.path().join("renewed");
    crawl(site.url("/"), &into)
        .config(directory.path(), &settings)
        .args(["--max-urls", "2", "--connections", "1"])
        .run()
        .exits(3);
    assert_eq!(site.times("/member"), 0);
    // Written again, as by a copy, with a cookie that is new.
    std::fs::write(&file, line("sid") + &line("gone") + &line("more")).unwrap();
    lastlight(["resume"])
        .arg(&into)
        .arg("--config")
        .arg(directory.path().join("settings.toml"))
        .run();
    let member = Snapshot::at(&into).response(&site.url("/member"));
    assert_eq!(
        String::from_utf8_lossy(&member.entity()),
        "sid=renewed; more=given"
    );
}

#[test]
fn imported_cookies_without_room_are_counted() {
    let site = Wire::serve(|asked| (asked.target == "/").then(|| Reply::Keep(page(&[]))));
    let directory = scratch();
    let file = directory.path().join("cookies.txt");
    let lines = (0..5).map(|n| format!("127.0.0.1\tFALSE\t/\tFALSE\t0\tn{n}\tv\n"));
    std::fs::write(&file, lines.collect::<String>()).unwrap();
    let into = directory.path().join("many");
    crawl(site.url("/"), &into)
        .config(directory.path(), "[limits]\ncookies = 2\n")
        .arg("--cookies")
        .arg(&file)
        .run()
        .exits(0)
        .warns("cookies.file 3 weren't taken");
    assert!(
        Snapshot::at(&into)
            .text("logs/crawl.jsonl")
            .contains("cookies-without-room")
    );
}

#[test]
fn imported_cookies_are_sent_and_keep_the_records_from_being_deposited() {
    let site = Wire::serve(|asked| match asked.target.as_str() {
        "/" => Some(Reply::Keep(page(&["/member"]))),
        "/member" => Some(Reply::Keep(answer("200 OK", &[], cookie(asked)))),
        _ => None,
    });
    let directory = scratch();
    let file = directory.path().join("cookies.txt");
    std::fs::write(
        &file,
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/member\tFALSE\t0\tsid\thush\n",
    )
    .unwrap();
    let into = directory.path().join("imported");
    let run = |into: &std::path::Path| crawl(site.url("/"), into).arg("--cookies").arg(&file);
    run(&into)
        .args(["--max-urls", "1", "--connections", "1"])
        .run()
        .exits(3);
    std::fs::remove_file(&file).unwrap();
    lastlight(["resume"]).arg(&into).run().exits(3);
    lastlight(["resume"]).arg(&into).run();
    let snapshot = Snapshot::at(&into);
    let member = snapshot.response(&site.url("/member"));
    assert_eq!(member.entity(), b"sid=hush", "kept between the runs");
    lastlight(["deposit", "--as", "bag"])
        .arg(&into)
        .run()
        .exits(2)
        .warns("cookie");
    std::fs::write(&file, "127.0.0.1 FALSE / hush\n").unwrap();
    let refused = run(&directory.path().join("never"))
        .run()
        .exits(2)
        .warns("line 1");
    assert!(!refused.stderr.contains("hush"), "{refused}");
}
