#![expect(clippy::unwrap_used, reason = "tests")]
use std::collections::HashSet;

use super::*;
use crate::config::Config;
use crate::crawl::store::{Added, NewUrl, state};
use crate::links::Path;
use crate::robots::Robots as RobotsTxt;

const HOST: &str = "http://a.example";
const HOURS: Duration = Duration::from_hours(2);

struct Bench {
    store: Store,
    frontier: Frontier,
    host: HostId,
    _directory: tempfile::TempDir,
}

impl Bench {
    /// A host with so many pages, and a robots.txt that says this.
    fn new(pages: usize, robots: &str, change: impl FnOnce(&mut Politeness)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("crawl.sqlite"), 100).unwrap();
        let config = Config::defaults();
        let mut policy = config.politeness.clone();
        policy.delay.0 = Duration::ZERO;
        change(&mut policy);
        let mut frontier = Frontier::new(policy, config.robots.clone());
        let host = store.host(HOST).unwrap();
        for page in 0..pages {
            add(&store, host, &format!("/{page}"));
        }
        frontier.add_host(host, url("/").host_key());
        let rules = RobotsTxt::parse(robots.as_bytes()).rules_for("lastlight");
        frontier.open(host, Gate::Open(Some(rules)), Duration::ZERO);
        Self {
            store,
            frontier,
            host,
            _directory: directory,
        }
    }

    fn dispatch(&mut self) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.frontier.dispatch(&self.store, &mut decisions).unwrap();
        decisions
    }

    fn turns(&mut self) -> Vec<Turn> {
        let decisions = self.dispatch().into_iter();
        let turns = decisions.filter_map(|decision| match decision {
            Decision::Turn(_, turn) => Some(turn),
            _ => None,
        });
        turns.collect()
    }

    /// The host's pause is over and it is probed, which tells this.
    fn probed(&mut self, health: Health) {
        let host = self.frontier.hosts.get_mut(&self.host).unwrap();
        host.next_start = Instant::now();
        let turns = self.turns();
        assert_eq!(turns.len(), 1);
        assert!(turns[0].job.is_probe);
        self.frontier.finished(self.host, turns[0].job.id);
        self.frontier.note(self.host, health);
    }

    fn fails(&mut self, times: usize) {
        for _ in 0..times {
            self.frontier.note(self.host, Health::Silent);
        }
    }
}

fn url(path: &str) -> CanonicalUrl {
    CanonicalUrl::parse(&format!("{HOST}{path}")).unwrap()
}

fn add(store: &Store, host: HostId, path: &str) -> i64 {
    let found = NewUrl {
        url: &url(path),
        host,
        path: &Path::default().then(Hop::Link),
        via: None,
        via_imprint: crate::crawl::imprint::Imprint::default(),
        barren: 0,
        nested: 0,
        excluded: None,
    };
    match store.add(&found).unwrap() {
        Added::New(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_turn_that_is_given_back_is_not_given_out_again_at_once() {
    let mut bench = Bench::new(3, "", |policy| policy.connections = 1);
    let turns = bench.turns();
    assert_eq!(turns.len(), 3);
    // A lane hears of it before the frontier does.
    turns[0].pace.hold(Instant::now() + HOURS);
    for turn in turns {
        bench.frontier.finished(bench.host, turn.job.id);
        bench.frontier.heed_lanes(bench.host);
        bench.frontier.retry(bench.host, turn.job, Duration::ZERO);
    }
    assert!(bench.dispatch().is_empty());
    assert!(bench.dispatch().is_empty());
    assert!(bench.frontier.is_done() && bench.frontier.is_postponed());
}

#[test]
fn a_host_that_asks_for_hours_gets_them_whatever_became_of_the_url() {
    let mut bench = Bench::new(30, "", |policy| policy.connections = 1);
    let turns = bench.turns();
    for turn in &turns {
        bench.frontier.finished(bench.host, turn.job.id);
        bench
            .store
            .settle(turn.job.id, (state::FAILED, Some("status-503"), 1))
            .unwrap();
    }
    bench.frontier.asked_to_wait(bench.host, HOURS);
    assert!(bench.dispatch().is_empty());
    assert!(bench.frontier.is_done() && bench.frontier.is_postponed());
}

#[test]
fn what_is_read_as_a_robots_txt_passes_a_gate_that_forbids_it() {
    let mut bench = Bench::new(1, "User-agent: *\nDisallow: /\n", |_| {});
    let Some(Decision::Disallowed(mut job, _)) = bench.dispatch().pop() else {
        panic!("/0 is disallowed");
    };
    job.as_robots = Some(1);
    bench.frontier.retry(bench.host, job, Duration::ZERO);
    assert_eq!(bench.turns().len(), 1);
}

#[test]
fn a_url_on_its_second_try_is_read_as_a_robots_txt_if_a_gate_has_come_to_wait_for_it() {
    let mut bench = Bench::new(1, "", |_| {});
    let mut job = bench.turns().remove(0).job;
    bench.frontier.finished(bench.host, job.id);
    bench
        .frontier
        .retry(bench.host, job.clone(), Duration::ZERO);
    job.as_robots = Some(1);
    assert!(bench.frontier.robots_turn(bench.host, job).is_none());
    assert_eq!(bench.turns().remove(0).job.as_robots, Some(1));
}

#[test]
fn a_page_does_not_pass_a_gate_that_is_not_open_on_its_second_try_either() {
    let mut bench = Bench::new(2, "", |_| {});
    let mut turns = bench.turns();
    let (page, mut robots) = (turns.remove(0).job, turns.remove(0).job);
    for job in [&page, &robots] {
        bench.frontier.finished(bench.host, job.id);
    }
    bench.frontier.open(bench.host, Gate::Asked, Duration::ZERO);
    robots.as_robots = Some(0);
    let robots_row = robots.id;
    bench.frontier.retry(bench.host, page, Duration::ZERO);
    bench.frontier.retry(bench.host, robots, Duration::ZERO);
    let turns = bench.turns();
    let rows: Vec<i64> = turns.iter().map(|turn| turn.job.id).collect();
    assert_eq!(rows, [robots_row]);
}

#[test]
fn a_url_is_refused_once_although_the_store_still_has_it_waiting() {
    let robots = "User-agent: *\nDisallow: /\nAllow: /0\n";
    let mut bench = Bench::new(HELD + 600, robots, |_| {});
    let mut refused = HashSet::new();
    loop {
        let mut any = false;
        for decision in bench.dispatch() {
            if let Decision::Disallowed(job, reason) = decision {
                any = true;
                assert!(refused.insert(job.id), "{} twice", job.url);
                bench
                    .store
                    .settle(job.id, (state::EXCLUDED, Some(&reason), 0))
                    .unwrap();
            }
        }
        if !any {
            break;
        }
    }
    assert_eq!(refused.len(), HELD + 599);
}

#[test]
fn a_host_that_stays_silent_is_given_up_and_taken_up_again_when_it_answers() {
    let mut bench = Bench::new(600, "", |policy| {
        policy.outage.0 = Duration::from_millis(20);
        policy.connections = 1;
        policy.delay.0 = Duration::from_millis(1);
    });
    let first = bench.turns().remove(0).job;
    bench.frontier.finished(bench.host, first.id);
    bench.frontier.note(bench.host, Health::Well);
    bench.fails(5);
    // It is waited for so long, and what waits for another try isn't asked for.
    bench.frontier.retry(bench.host, first.clone(), HOURS);
    let decisions = bench.dispatch();
    assert!(!decisions.iter().any(|d| matches!(d, Decision::Closed(..))));
    std::thread::sleep(Duration::from_millis(30));
    // That time has passed tells nothing: it is probed once more.
    bench.probed(Health::Silent);
    let decisions = bench.dispatch();
    assert!(matches!(decisions[0], Decision::GivenUp(host) if host == bench.host));
    let mut closed = HashSet::new();
    for decision in decisions.into_iter().skip(1) {
        let Decision::Closed(job, reason) = decision else {
            panic!("only refusals");
        };
        assert!(reason.starts_with("no-answer: "), "{reason}");
        assert!(closed.insert(job.id));
        bench
            .store
            .settle(job.id, (state::FAILED, Some(&reason), 0))
            .unwrap();
    }
    assert!(closed.contains(&first.id));
    // Told once; and what was on its way is answered after all.
    let again = bench.dispatch();
    assert!(again.iter().all(|d| matches!(d, Decision::Closed(..))));
    let last = add(&bench.store, bench.host, "/last");
    bench.frontier.add_host(bench.host, url("/").host_key());
    for decision in again {
        if let Decision::Closed(job, _) = decision {
            bench
                .store
                .settle(job.id, (state::FAILED, None, 0))
                .unwrap();
        }
    }
    bench.frontier.note(bench.host, Health::Well);
    bench
        .frontier
        .open(bench.host, Gate::Open(None), Duration::ZERO);
    let outstanding: Vec<i64> = bench.turns().iter().map(|turn| turn.job.id).collect();
    assert_eq!(outstanding, [last]);
}

#[test]
fn time_that_a_host_asked_for_is_no_outage_of_it() {
    let mut bench = Bench::new(20, "", |policy| {
        policy.outage.0 = Duration::from_millis(40);
        policy.max_retry_after.0 = Duration::from_millis(50);
    });
    let turns = bench.turns();
    assert!(turns.len() > 5);
    for turn in turns {
        bench.frontier.finished(bench.host, turn.job.id);
        let asked = Duration::from_millis(100);
        bench.frontier.asked_to_wait(bench.host, asked);
        bench.frontier.note(bench.host, Health::Busy);
        bench.frontier.put_last(bench.host);
    }
    assert!(bench.dispatch().is_empty());
    std::thread::sleep(Duration::from_millis(110));
    // Not answered either, but the outage has only begun.
    bench.probed(Health::Silent);
    assert!(bench.dispatch().is_empty());
    bench.probed(Health::Well);
    let turns = bench.turns();
    assert!(!turns.is_empty() && turns.iter().all(|turn| !turn.job.is_probe));
    for turn in turns {
        bench.frontier.finished(bench.host, turn.job.id);
    }
    // One that it didn't ask for is one.
    bench.fails(5);
    std::thread::sleep(Duration::from_millis(50));
    bench.probed(Health::Silent);
    assert!(matches!(bench.dispatch()[0], Decision::GivenUp(_)));
}

#[test]
fn a_url_that_asks_for_hours_comes_after_all_others_of_its_host() {
    let mut bench = Bench::new(2, "", |policy| {
        policy.connections = 1;
        policy.delay.0 = Duration::from_millis(1);
        policy.max_retry_after.0 = Duration::from_millis(20);
    });
    let first = bench.turns().remove(0).job;
    bench.store.put_last(first.id).unwrap();
    bench.store.put_last(first.id).unwrap();
    bench.frontier.finished(bench.host, first.id);
    let asked = Duration::from_millis(40);
    bench.frontier.asked_to_wait(bench.host, asked);
    bench.frontier.put_last(bench.host);
    assert!(bench.dispatch().is_empty() && bench.frontier.is_postponed());
    // What is found meanwhile goes before it too, and finding it again by a way
    // as near changes nothing.
    add(&bench.store, bench.host, "/found");
    let path = Path::default().then(Hop::Link);
    let again = NewUrl {
        url: &first.url,
        host: bench.host,
        path: &path,
        via: None,
        via_imprint: crate::crawl::imprint::Imprint::default(),
        barren: 0,
        nested: 0,
        excluded: None,
    };
    assert_eq!(bench.store.add(&again).unwrap(), Added::Known);
    std::thread::sleep(Duration::from_millis(50));
    let mut asked = Vec::new();
    for _ in 0..3 {
        let job = bench.turns().remove(0).job;
        bench.frontier.finished(bench.host, job.id);
        bench
            .store
            .settle(job.id, (state::CAPTURED, None, 1))
            .unwrap();
        asked.push(job.url.to_string());
    }
    assert_eq!(
        asked,
        ["/1", "/found", "/0"].map(|path| format!("{HOST}{path}"))
    );
}
