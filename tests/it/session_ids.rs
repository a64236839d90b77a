//! Ids that look like sessions' are told from stories' by what names them: a
//! session's site gives all its pages a new one with each answer, whatever they
//! say, and no story is lost by having one.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::{Seeded, crawl, scratch};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, answer};

/// What an MD5 looks like.
fn md5(n: u64) -> String {
    let id = u128::from(n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    format!("{id:032x}")
}

/// A quote that no other number gives.
fn quote(seed: u64) -> String {
    let mut numbers = Seeded(seed.wrapping_mul(7919) + 1);
    let mut text = "<nav>".to_owned() + &"the boards of a town ".repeat(10) + "</nav>";
    for _ in 0..20 {
        for _ in 0..7 {
            text.push(char::from(b'a' + numbers.below(26) as u8));
        }
        text.push(' ');
    }
    text
}

fn html(links: &[String], body: &str) -> Reply {
    let mut page = format!("<!doctype html><title>Town</title>{body}");
    for link in links {
        let _ = write!(page, "<a href=\"{link}\">x</a> ");
    }
    Reply::Keep(answer("200 OK", &["Content-Type: text/html"], page))
}

const BOARDS: [&str; 5] = ["/board", "/members", "/faq", "/topic", "/search"];

#[test]
fn a_new_id_with_each_answer_is_a_sessions_whatever_the_pages_say() {
    let answers = AtomicU64::new(0);
    let site = Wire::serve(move |asked| {
        if asked.target.contains("robots") || asked.target.contains("probe") {
            return None;
        }
        let n = answers.fetch_add(1, Ordering::Relaxed);
        let named = BOARDS.map(|path| format!("{path}?sid={}", md5(n)));
        Some(html(&named, &quote(n)))
    });
    let directory = scratch();
    let into = directory.path().join("s");
    crawl(site.url("/"), &into)
        .args(["--connections", "4", "--max-urls", "400"])
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    for path in BOARDS {
        let of = |state: &str| {
            let rows = ledger.iter().filter(|(url, row)| {
                url.starts_with(&site.url(&format!("{path}?"))) && row["state"] == state
            });
            rows.count()
        };
        assert!(
            (1..20).contains(&of("captured")),
            "{path}: {}",
            of("captured")
        );
    }
    let cut = ledger.values().filter(|row| row["state"] == "excluded");
    let reasons: Vec<&str> = cut.map(|row| row["reason"].as_str()).collect();
    assert!(!reasons.is_empty());
    assert!(reasons.iter().all(|reason| *reason == "trap-session-id"));
}

#[test]
fn an_endless_chain_of_ids_has_a_budget_and_a_list_of_stories_has_none() {
    let answers = AtomicU64::new(0);
    let site = Wire::serve(move |asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        let news = |n| format!("/news?sid={}", md5(n));
        Some(match path {
            // A list, stories that name their neighbours, their prints and comments.
            "/" => {
                let mut all: Vec<String> = (0..60).map(news).collect();
                all.push("/lounge".to_owned());
                html(&all, "")
            }
            "/news" => {
                let at = (0..60).find(|n| query == format!("sid={}", md5(*n)))?;
                let own = ["print", "comments"].map(|path| format!("/{path}?{query}"));
                let next = [
                    news((at + 1) % 60),
                    format!("/comments?sid={}", md5((at + 1) % 60)),
                ];
                html(&[own.as_slice(), &next].concat(), &quote(at))
            }
            "/print" | "/comments" => {
                let seed = query.bytes().chain(path.bytes());
                let seed = seed.fold(7_u64, |seed, byte| seed.wrapping_mul(31) + u64::from(byte));
                html(&[format!("/news?{query}")], &quote(seed >> 8))
            }
            "/lounge" => {
                let n = 1000 + answers.fetch_add(1, Ordering::Relaxed);
                html(&[format!("/lounge?sid={}", md5(n))], &quote(n))
            }
            _ => return None,
        })
    });
    let directory = scratch();
    let into = directory.path().join("s");
    crawl(site.url("/"), &into)
        .config(directory.path(), "[traps]\nendless_ids = 12\n")
        .args(["--connections", "4", "--max-urls", "600"])
        .run()
        .exits(0);
    let ledger = Snapshot::at(&into).ledger();
    for path in ["/news", "/print", "/comments"] {
        for n in 0..60 {
            let url = site.url(&format!("{path}?sid={}", md5(n)));
            assert_eq!(
                ledger[&url]["state"], "captured",
                "{url}: {:?}",
                ledger[&url]
            );
        }
    }
    let cut: Vec<_> = ledger
        .iter()
        .filter(|(_, row)| row["state"] == "excluded")
        .collect();
    assert_eq!(cut.len(), 1, "{cut:?}");
    assert!(cut[0].0.contains("/lounge"));
    assert_eq!(cut[0].1["reason"], "trap-endless-ids");
}

#[test]
fn stories_that_a_script_fills_are_all_captured() {
    for one_by_one in [false, true] {
        let site = Wire::serve(move |asked| {
            let (path, _) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
            let story = |n| format!("/story?sid={}", md5(n));
            let day = path.strip_prefix("/day/").and_then(|n| n.parse().ok());
            Some(match (path, day) {
                ("/", _) if one_by_one => html(
                    &(0..20).map(|n| format!("/day/{n}")).collect::<Vec<_>>(),
                    &quote(1),
                ),
                ("/", _) => html(&(0..20).map(story).collect::<Vec<_>>(), &quote(1)),
                (_, Some(n)) => html(&[story(n)], &quote(n)),
                ("/story", _) => html(&[], "<div id=root></div><script src=/app.js></script>"),
                _ => return None,
            })
        });
        let directory = scratch();
        let into = directory.path().join("s");
        crawl(site.url("/"), &into).run().exits(0);
        let ledger = Snapshot::at(&into).ledger();
        for n in 0..20 {
            let row = &ledger[&site.url(&format!("/story?sid={}", md5(n)))];
            assert_eq!(row["state"], "captured", "{row:?}");
        }
    }
}
