#![expect(clippy::unwrap_used, reason = "tests")]
use std::time::Duration;

use rusqlite::Connection;

use super::sessions::Ids;
use super::*;
use crate::crawl::form::Form;
use crate::crawl::imprint::Imprint;
use crate::crawl::job::{Answer, Job, Link, Redirect, Verdict};
use crate::crawl::judge::key;
use crate::crawl::named::Named;
use crate::crawl::store::Tally;
use crate::crawl::store::state;
use crate::crawl::variant;
use crate::crawl::variant::SESSION_ID;
use crate::links::{Hop, Path};
use crate::url::CanonicalUrl;

const LINKS: u32 = 5000;

fn url(path: &str) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap()
}

/// A page of a host that names so much.
pub(in crate::crawl) fn page(keeper: &mut Keeper<'_>, path: &str, links: u32) -> Outcome {
    let way = Path::default().then(Hop::Link);
    keeper.add(&way, None, &url(path), None).unwrap();
    let (id, _) = keeper.store.find(url(path).as_str()).unwrap().unwrap();
    let job = Job {
        id,
        url: url(path),
        path: way,
        via: None,
        via_imprint: Imprint::default(),
        barren: 0,
        nested: 0,
        tries: 0,
        as_robots: None,
        is_probe: false,
    };
    let links = (0..links).map(|n| {
        let url = url(&format!("{path}/{n}"));
        Link {
            key: key(&url),
            form: Form::of(&url),
            url,
            hop: Hop::Link,
            is_below: false,
            beyond: 0,
            is_listed: false,
            is_seed: false,
            excluded: None,
        }
    });
    Outcome {
        given_back: false,
        verdict: Verdict::Captured,
        answer: Some(Answer::default()),
        named: Named::of(&job.url, links.collect(), &keeper.config.traps),
        ..Outcome::given_back(job)
    }
}

/// URLs that are captured, and all, as a process sees them that comes after a
/// kill.
fn durable(layout: &Layout) -> (u32, u32) {
    let db = Connection::open(layout.store()).unwrap();
    let query = "SELECT COALESCE(SUM(state = 1), 0), COUNT(*) FROM url";
    db.query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
}

fn with_keeper(test: impl FnOnce(&Layout, &mut Keeper<'_>)) {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    for folder in layout.folders() {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mut config = Config::defaults();
    config.storage.commit_every.0 = Duration::ZERO;
    let mut keeper = Keeper::open(&layout, &config, None).unwrap();
    keeper.commit().unwrap();
    test(&layout, &mut keeper);
}

#[test]
fn a_large_page_keeps_nobody_waiting_and_is_durable_only_with_all_that_it_names() {
    with_keeper(|layout, keeper| {
        let large = page(keeper, "/large", LINKS);
        assert!(large.is_large());
        keeper.absorb(large).unwrap();
        let mut slices = 0;
        while keeper.has_in_hand() {
            slices += 1;
            assert!(!keeper.commit_is_due());
            // Another page is taken in meanwhile.
            let other = page(keeper, &format!("/other/{slices}"), 1);
            keeper.absorb(other).unwrap();
            assert_eq!(durable(layout), (0, 0));
            keeper
                .go_on(Instant::now() + Duration::from_millis(2))
                .unwrap();
        }
        assert!(slices > 3, "{slices}");
        assert!(keeper.commit_is_due());
        keeper.commit().unwrap();
        assert_eq!(durable(layout), (1 + slices, 1 + LINKS + 2 * slices));
    });
}

#[test]
fn a_commit_and_the_next_large_page_finish_the_one_in_hand() {
    with_keeper(|layout, keeper| {
        for path in ["/one", "/two"] {
            let large = page(keeper, path, LINKS);
            keeper.absorb(large).unwrap();
        }
        keeper.commit().unwrap();
        assert!(!keeper.has_in_hand());
        assert_eq!(durable(layout), (2, 2 * (1 + LINKS)));
    });
}

#[test]
fn a_robots_txt_that_is_asked_for_again_is_not_asked_for_as_a_redirect_too() {
    with_keeper(|_, keeper| {
        let mut robots = page(keeper, "/robots.txt", 0);
        let answer = robots.answer.as_mut().unwrap();
        answer.status = Some(302);
        let job = robots.job.clone();
        keeper.absorb(robots).unwrap();
        let redirect = Redirect {
            target: job.url.clone(),
            sets_cookie: true,
        };
        let counts = |keeper: &Keeper<'_>| {
            let (_, state) = keeper.store.find(job.url.as_str()).unwrap().unwrap();
            let counts = &keeper.progress.counts;
            (state, counts.captured, counts.unreached)
        };
        keeper.refetching.insert(job.id);
        keeper.follow_loop(&job, &redirect).unwrap();
        assert_eq!(counts(keeper), (state::CAPTURED, 1, 0));
        keeper.refetching.remove(&job.id);
        keeper.follow_loop(&job, &redirect).unwrap();
        assert_eq!(counts(keeper), (state::QUEUED, 0, 1));
    });
}

#[test]
fn a_url_that_is_asked_for_again_is_not_compared_with_itself() {
    with_keeper(|_, keeper| {
        let mut asked = |path: &str| {
            let mut outcome = page(keeper, path, 0);
            let answer = outcome.answer.as_mut().unwrap();
            (answer.status, answer.text) = (Some(200), 7);
            let host = keeper.host(&outcome.job.host()).unwrap();
            keeper.compare_ids(host, &outcome).unwrap();
            let variants = variant::variants(&outcome.job.url, &keeper.config.traps);
            keeper.ids(&variants[0], host).unwrap()
        };
        let one = "/a?sid=0123456789abcdef0123456789abcdef";
        assert_eq!(asked(one), Ids::Unknown);
        assert_eq!(asked(one), Ids::Unknown);
        let other = one.replace("0123", "4567");
        assert_eq!(asked(&other), Ids::Sessions);
    });
}

#[test]
fn what_was_taken_for_sessions_is_let_in_bit_by_bit() {
    const ROWS: u64 = 3500;
    with_keeper(|_, keeper| {
        let way = Path::default().then(Hop::Link);
        for n in 0..ROWS {
            let url = url(&format!("/{n}"));
            keeper.add(&way, None, &url, Some(SESSION_ID)).unwrap();
        }
        keeper.ids_are_news = true;
        let mut pieces = 0;
        while keeper.let_in_what_isnt_of_sessions(Instant::now()).unwrap() {
            pieces += 1;
            let counts = &keeper.progress.counts;
            assert_eq!(counts.unreached + counts.excluded, ROWS);
            assert_eq!(keeper.is_letting_in(), counts.excluded > 0);
        }
        assert_eq!(pieces, 4);
        assert_eq!(keeper.store.counts().unwrap().unreached, ROWS);
    });
}

#[test]
fn one_page_of_its_own_does_not_unsettle_what_a_host_has_proven() {
    with_keeper(|_, keeper| {
        let host = keeper.host(&url("/").host_key()).unwrap();
        let key = host.cast_unsigned();
        let mut set = |kind, to| keeper.tallies.set(&keeper.store, kind, key, to).unwrap();
        set(Tally::SameById, 20);
        set(Tally::OtherById, 1);
        let new = url("/b?sid=0123456789abcdef0123456789abcdef");
        let variants = variant::variants(&new, &keeper.config.traps);
        assert_eq!(keeper.ids(&variants[0], host).unwrap(), Ids::Sessions);
        let mut set = |kind, to| keeper.tallies.set(&keeper.store, kind, key, to).unwrap();
        set(Tally::OtherById, 2);
        assert_eq!(keeper.ids(&variants[0], host).unwrap(), Ids::Unknown);
    });
}
