//! Traps are bounded and named, and what a real site has isn't cut: one crawl
//! of a site with every trap beside archives, lists and documents that look
//! like them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::harness::{Seeded, crawl, lastlight, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

/// Small budgets, so that the crawl is short.
const BUDGETS: &str = "[traps]\nbarren = 8\nbarren_pages = 40\nfar_dates = 20\nfacets = 12\nnested = 2\n\
    [limits]\nredirects = 5\n[budget]\npath_queries = 90\n";

/// Words that no other number gives.
fn words(seed: u64, count: usize) -> String {
    let mut numbers = Seeded(seed.wrapping_mul(7919) + 1);
    let mut text = String::new();
    for _ in 0..count {
        for _ in 0..7 {
            text.push(char::from(b'a' + numbers.below(26) as u8));
        }
        text.push(' ');
    }
    text
}

fn html(body: &str) -> Reply {
    let page = format!(
        "<!doctype html><title>Town</title><nav>{}</nav>{body}",
        words(0, 80)
    );
    Reply::Keep(answer("200 OK", &["Content-Type: text/html"], page))
}

fn links(links: &[String]) -> Reply {
    let mut body = String::new();
    for link in links {
        let _ = write!(body, "<a href=\"{link}\">x</a> ");
    }
    html(&body)
}

fn moved(to: &str, more: &[&str]) -> Reply {
    let location = format!("Location: {to}");
    let mut fields = vec![location.as_str()];
    fields.extend_from_slice(more);
    Reply::Keep(answer("302 Found", &fields, ""))
}

/// The months beside one.
fn beside(year: u32, month: u32) -> [(u32, u32); 2] {
    let at = year * 12 + month - 1;
    [at - 1, at + 1].map(|at| (at / 12, at % 12 + 1))
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or(0)
}

/// What a real site has.
fn legitimate(path: &str, query: &str) -> Option<Reply> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    Some(match segments.as_slice() {
        // An archive of months, only linked from one to the next, with a post each.
        ["archive", year, month] => {
            let at = number(year) * 12 + number(month) - 1;
            let mut body = format!(
                "<a href=/archive/{year}/{month}/post-{}/>{}</a>",
                at,
                words(u64::from(at), 30)
            );
            if at > 2016 * 12 {
                let (year, month) = beside(number(year), number(month))[0];
                let _ = write!(body, "<a href=/archive/{year}/{month:02}/>before</a>");
            }
            html(&body)
        }
        ["archive", _, _, post] => html(&words(post.len() as u64 + 1, 100)),
        // Pages of a list, only linked from one to the next, with entries that
        // have nothing but numbers.
        ["list"] => {
            let page = number(query.trim_start_matches("page="));
            let mut all: Vec<String> = (0..5).map(|n| format!("/item/{}", page * 5 + n)).collect();
            if page < 40 {
                all.push(format!("/list?page={}", page + 1));
            }
            links(&all)
        }
        ["item", n] => html(&format!("Item {n}")),
        // A diary: a day a page, each named only by the next.
        ["diary", n] => {
            let at = number(n);
            let next = format!("<a href=/diary/{}>next</a>", at + 1);
            html(&format!(
                "{}{}",
                words(5000 + u64::from(at), 60),
                if at < 60 { next } else { String::new() }
            ))
        }
        // Tables, each named only by the next, that differ in their figures alone.
        ["statistics", n] => {
            let at = number(n);
            let mut figures = Seeded(u64::from(at) + 1);
            let mut body = "<table>".to_owned();
            for place in ["North", "South", "East", "West"].repeat(3) {
                let _ = write!(
                    body,
                    "<tr><td>{place}<td>{}",
                    1_000_000 + figures.below(9_000_000)
                );
            }
            if at < 40 {
                let _ = write!(body, "</table><a href=/statistics/{}>next</a>", at + 1);
            }
            html(&body)
        }
        // Stories whose parameters are called as views and sessions are.
        ["reports" | "orders" | "prints"] => html(query),
        ["news"] => html(&words(
            query.bytes().fold(7, |seed: u64, byte| {
                seed.wrapping_mul(31).wrapping_add(u64::from(byte))
            }),
            60,
        )),
        ["en", "latest", "en", "intro"] | ["x", "x", "x"] => html("documents"),
        ["story"] => html(&words(
            900 + u64::from(number(query.trim_start_matches("id="))),
            40,
        )),
        ["entry"] => html(&format!(
            "a story<a href=\"/entry?replytocom={}\">reply</a>",
            query.len()
        )),
        _ => return None,
    })
}

/// Pages whose parameters are called as those that sort and print are.
fn named_as_views() -> Vec<String> {
    let mut all = Vec::new();
    for n in 0..9 {
        all.push(format!("/reports?dir={}", words(n, 1).trim()));
        all.push(format!("/orders?order=123{n}"));
        all.push(format!("/prints?print=linocut-{n}"));
    }
    all
}

/// Stories by an identifier that looks as a session's does.
fn stories() -> Vec<String> {
    let id = |n: u128| format!("/news?sid={:032x}", n * 0x9e37_79b9_7f4a_7c15_f39c);
    let short = |n: u128| format!("/news?s={n}");
    (1..30).flat_map(|n| [id(n), short(n)]).collect()
}

/// What never ends.
fn trap(path: &str, query: &str, before: usize, cookie: bool) -> Option<Reply> {
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    Some(match segments.as_slice() {
        ["calendar", year, month] | ["calendar", year, month, _] => {
            let (year, month) = (number(year), number(month));
            let mut all: Vec<String> = beside(year, month)
                .map(|(y, m)| format!("/calendar/{y}/{m:02}/"))
                .into();
            all.extend((1..=28).map(|day| format!("/calendar/{year}/{month:02}/{day:02}/")));
            all.push(format!("/calendar/{year}/{month:02}/?view=list"));
            links(&all)
        }
        ["agenda"] => {
            let month = query.rsplit('=').next()?;
            let (year, month) = month.split_once('-')?;
            let all = beside(number(year), number(month));
            links(&all.map(|(y, m)| format!("/agenda?month={y}-{m:02}")))
        }
        ["counter"] => {
            let offset = number(query.trim_start_matches("offset="));
            links(&[format!("/counter?offset={}", offset + 20)])
        }
        ["tickets" | "prices"] => {
            let id = |n: usize| {
                format!(
                    "{:032x}",
                    (before * 31 + n + query.len()) as u128 * 0x9e37_79b9_7f4a_7c15
                )
            };
            links(&[
                format!("/tickets?PHPSESSID={}", id(1)),
                format!("/prices?PHPSESSID={}", id(2)),
            ])
        }
        // The same with a parameter that may be a story's.
        ["lobby" | "hall"] => {
            let visit = query.bytes().fold(1, |seed: u128, byte| {
                seed.wrapping_mul(31).wrapping_add(u128::from(byte))
            });
            let id = |n: u128| (visit + n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            links(&[
                format!("/lobby?sid={:032x}", id(1)),
                format!("/hall?sid={:032x}", id(2)),
            ])
        }
        ["shop" | "finder"] => {
            let (names, values): (&[&str], &[&str]) = if segments[0] == "shop" {
                (
                    &["size", "colour", "brand", "room", "price"],
                    &["a", "b", "c"],
                )
            } else {
                (&["red", "new", "cheap", "big", "soft", "local"], &["yes"])
            };
            let mut all = Vec::new();
            let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
            for name in names {
                for value in values {
                    let mut kept: Vec<String> = pairs
                        .iter()
                        .filter(|pair| !pair.starts_with(*name))
                        .map(|pair| (*pair).to_owned())
                        .collect();
                    kept.push(format!("{name}={value}"));
                    all.push(format!("{path}?{}", kept.join("&")));
                }
            }
            links(&all)
        }
        ["rooms", ..] => html("<a href=attic/>x</a><a href=cellar/>x</a><a href=hall/>x</a>"),
        ["again", ..] => html(&format!(
            "<a href=again/>x</a>{}",
            words(path.len() as u64, 60)
        )),
        ["hop", n] => moved(&format!("/hop/{}", number(n) + 1), &[]),
        ["round"] => moved("/round-again", &[]),
        ["round-again"] => moved("/round", &[]),
        ["gate"] if before == 0 && !cookie => moved("/gate", &["Set-Cookie: seen=1"]),
        ["gate"] => html("behind the gate"),
        ["wall"] => moved("/wall", &["Set-Cookie: seen=1"]),
        _ => return None,
    })
}

fn site() -> Wire {
    Wire::serve(|asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        if path == "/" {
            let mut all: Vec<String> = [
                "/archive/2025/12/",
                "/list?page=0",
                "/diary/1",
                "/en/latest/en/intro",
                "/x/x/x",
                "/entry",
                "/calendar/2026/01/",
                "/agenda?month=2026-01",
                "/counter?offset=0",
                "/tickets",
                "/prices",
                "/lobby",
                "/hall",
                "/shop",
                "/finder",
                "/rooms/",
                "/again/",
                "/hop/1",
                "/round",
                "/gate",
                "/wall",
            ]
            .map(str::to_owned)
            .into();
            all.extend((0..30).map(|n| format!("/story?id={n}")));
            all.extend(named_as_views());
            all.extend(stories());
            all.push("/statistics/1".to_owned());
            return Some(links(&all));
        }
        let cookie = String::from_utf8_lossy(&asked.bytes).contains("\r\nCookie:");
        legitimate(path, query).or_else(|| trap(path, query, asked.before, cookie))
    })
}

#[test]
fn every_trap_is_bounded_and_named_and_nothing_else_is_cut() {
    let site = site();
    let directory = scratch();
    let into = directory.path().join("s");
    crawl(site.url("/"), &into)
        .config(directory.path(), BUDGETS)
        .args(["--connections", "8"])
        .run()
        .exits(0);
    let snapshot = Snapshot::at(&into);
    let ledger = snapshot.ledger();

    let mut expected: Vec<String> = Vec::new();
    for at in 2016 * 12..=2025 * 12 + 11 {
        let (year, month) = (at / 12, at % 12 + 1);
        expected.push(format!("/archive/{year}/{month:02}/"));
        expected.push(format!("/archive/{year}/{month:02}/post-{at}/"));
    }
    expected.extend((0..=40).map(|n| format!("/list?page={n}")));
    expected.extend((0..205).map(|n| format!("/item/{n}")));
    expected.extend((1..=60).map(|n| format!("/diary/{n}")));
    expected.extend((0..30).map(|n| format!("/story?id={n}")));
    expected.extend(["/en/latest/en/intro", "/x/x/x", "/entry", "/gate"].map(str::to_owned));
    expected.extend((1..=40).map(|n| format!("/statistics/{n}")));
    expected.extend(named_as_views());
    expected.extend(stories());
    for path in expected {
        let row = &ledger[&site.url(&path)];
        assert_eq!(
            (row["state"].as_str(), row["status"].as_str()),
            ("captured", "200"),
            "{path}: {row:?}"
        );
    }

    // Captured URLs, and the traps that cut the rest, by part of the site.
    let mut parts: BTreeMap<&str, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for (url, row) in &ledger {
        let path = url.strip_prefix(&site.url("/")).unwrap();
        let part = path.split(['/', '?']).next().unwrap();
        let (captured, traps) = parts.entry(part).or_default();
        match row["state"].as_str() {
            "captured" => *captured += 1,
            "excluded" => *traps.entry(row["reason"].as_str()).or_default() += 1,
            state => panic!("{url} is {state}"),
        }
    }
    for (part, most, trap) in [
        // The first month and its neighbours with what they name, then the budget
        // of the sequence.
        ("calendar", 40 + 3 * 32, "trap-barren"),
        ("agenda", 40 + 3 + 2, "trap-barren"),
        ("counter", 8 + 3, "trap-barren"),
        ("tickets", 1, "trap-session-id"),
        ("prices", 1, "trap-session-id"),
        // The page, and those by which it is seen that it's always the same.
        ("lobby", 1 + 3, "trap-session-id"),
        ("hall", 1 + 3, "trap-session-id"),
        ("shop", 90 + 1, "trap-query-permutation"),
        ("finder", 1 + 6 + 12, "trap-facets"),
        ("shop", 90 + 1, "budget-path-queries"),
        ("rooms", 1 + 3 + 9, "trap-same-content"),
        ("again", 4, "trap-repeated-segments"),
        ("hop", 6, "trap-redirects"),
        ("entry", 1, "trap-parameter: replytocom"),
    ] {
        let (captured, traps) = &parts[part];
        assert!(
            *captured <= most && *captured > 0,
            "{part}: {captured} captured, {traps:?}"
        );
        assert!(traps.contains_key(trap), "{part}: {traps:?}");
    }
    for part in [
        "archive",
        "list",
        "item",
        "diary",
        "story",
        "en",
        "x",
        "statistics",
        "reports",
        "orders",
        "prints",
        "news",
    ] {
        assert_eq!(parts[part].1, BTreeMap::new(), "{part}");
    }
    // A redirect with a cookie to itself is asked for again, and not for ever.
    assert_eq!(site.times("/wall"), 3);
    assert_eq!(site.times("/round"), 1);
    assert!(
        snapshot
            .text("logs/crawl.jsonl")
            .contains("trap-cookie-loop")
    );
    lastlight(["verify"]).arg(&into).run().exits(0);
}

#[test]
fn a_calendar_far_ahead_has_a_budget_of_its_own() {
    let site = Wire::serve(|asked| {
        // Each month says something else, so only the date tells the trap.
        let path = asked.target.strip_prefix("/events/").unwrap_or("2026/01/");
        let (year, month) = path.trim_end_matches('/').split_once('/')?;
        let (year, month) = beside(number(year), number(month))[1];
        let own = words(u64::from(year * 12 + month), 60);
        Some(html(&format!(
            "<a href=/events/{year}/{month:02}/>next</a>{own}"
        )))
    });
    let directory = scratch();
    let into = directory.path().join("s");
    crawl(site.url("/"), &into)
        .config(directory.path(), BUDGETS)
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    let cut: Vec<_> = ledger
        .values()
        .filter(|row| row["state"] == "excluded")
        .collect();
    assert_eq!(cut.len(), 1);
    assert_eq!(cut[0]["reason"], "trap-calendar");
    // As many as the budget has, beside those that aren't far.
    assert!(ledger.len() > 20 + 12, "{}", ledger.len());
}

#[test]
fn budgets_of_a_host_are_kept_and_go_on_after_an_interruption() {
    let site = Wire::serve(|asked| match asked.target.as_str() {
        "/" => Some(links(
            &(0..50).map(|n| format!("/p/{n}")).collect::<Vec<_>>(),
        )),
        target if target.starts_with("/p/") => Some(links(&[format!("{target}/x")])),
        _ => None,
    });
    let directory = scratch();
    let into = directory.path().join("urls");
    let stopped = crawl(site.url("/"), &into)
        .config(directory.path(), "[budget]\nhost_urls = 60\n")
        .args(["--max-urls", "20"])
        .run();
    assert_eq!(stopped.code, Some(3), "{stopped}");
    lastlight(["resume"]).arg(&into).run().exits(3);
    for _ in 0..10 {
        if lastlight(["resume"]).arg(&into).run().code == Some(0) {
            break;
        }
    }
    let ledger = Snapshot::at(&into).ledger();
    let spent = ledger
        .values()
        .filter(|row| row["reason"] == "budget-host-urls")
        .count();
    // 50 pages and 10 of the 50 that they name, each of which names another.
    assert_eq!(spent, 40 + 10);
    assert_eq!(
        ledger
            .values()
            .filter(|row| row["state"] == "captured" && !row["url"].contains("-probe-"))
            .count(),
        62
    );

    let into = directory.path().join("bytes");
    crawl(site.url("/"), &into)
        .config(directory.path(), "[budget]\nhost_bytes = \"10 kB\"\n")
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    let spent = ledger
        .values()
        .filter(|row| row["reason"] == "budget-host-bytes")
        .count();
    assert!(spent > 20, "{spent}");
}
