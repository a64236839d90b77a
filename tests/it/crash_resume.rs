//! However a crawl stopped, `resume` ends with the URLs and payloads of a crawl
//! that nothing interrupted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::harness::{
    Ran, Run, Running, SHORT_CALENDAR, Seeded, Site, captured, crawl, lastlight, scratch,
};
use crate::holdings::Snapshot;
use crate::wire::{Reply, Wire, page};

/// The closing site answering slowly, and what a whole crawl of it gives.
struct Bench {
    site: Site,
    directory: tempfile::TempDir,
    whole: BTreeMap<String, [String; 4]>,
}

impl Bench {
    fn new() -> Self {
        let site = Site::open();
        let directory = scratch();
        let into = directory.path().join("whole");
        let settings = directory.path();
        crawl(site.url("/"), &into)
            .config(settings, SHORT_CALENDAR)
            .run()
            .exits(0);
        let whole = Snapshot::at(&into).outcome();
        assert!(whole.len() > 100);
        // The same port again, so that every URL and payload is the same.
        let port = site.port();
        drop(site);
        let site = Site::at(Some(port), Duration::from_millis(8));
        Self {
            site,
            directory,
            whole,
        }
    }

    fn crawl(&self, name: &str) -> (Run, Snapshot) {
        let into = self.directory.path().join(name);
        let run = crawl(self.site.url("/"), &into)
            .config(self.directory.path(), SHORT_CALENDAR)
            .arg("--quiet");
        (run, Snapshot::at(&into))
    }

    /// Resumes, and asserts that nothing tells it from a whole crawl.
    #[track_caller]
    fn completes(&self, snapshot: &Snapshot) {
        resume(snapshot).exits(0);
        let outcome = snapshot.outcome();
        for (url, expected) in &self.whole {
            assert_eq!(outcome.get(url), Some(expected), "{url}");
        }
        assert_eq!(outcome.len(), self.whole.len(), "no other URLs");
        assert_eq!(snapshot.manifest()["lastlight"]["complete"], true);
        verify(snapshot).exits(0);
    }
}

fn resume(snapshot: &Snapshot) -> Ran {
    lastlight(["resume"]).arg(snapshot.path()).run()
}

fn verify(snapshot: &Snapshot) -> Ran {
    lastlight(["verify"]).arg(snapshot.path()).run()
}

/// Waits until a crawl has asked for so many URLs.
fn wait_for_requests(site: &Site, requests: u64, running: &mut Running) {
    let (begun, before) = (Instant::now(), site.requests());
    while site.requests() < before + requests {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the crawl asks for nothing"
        );
        assert!(
            !running.has_ended(),
            "the crawl ended before it could be interrupted"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn ctrl_c_seals_what_there_is_and_resume_completes_it() {
    let bench = Bench::new();
    let (run, snapshot) = bench.crawl("interrupted");
    let mut running = run.start();
    wait_for_requests(&bench.site, 30, &mut running);
    running.interrupt();
    running.end().exits(3);
    assert_eq!(snapshot.manifest()["lastlight"]["complete"], false);
    let unreached = snapshot.outcome();
    let unreached = unreached
        .values()
        .filter(|[state, ..]| state == "unreached");
    let mut waiting = 0;
    for [_, reason, ..] in unreached {
        assert_eq!(reason, "interrupted");
        waiting += 1;
    }
    assert!(waiting > 0);
    verify(&snapshot).exits(0);
    bench.completes(&snapshot);
}

#[test]
fn an_interrupted_crawl_says_how_to_go_on() {
    let site = Site::slow(Duration::from_millis(20));
    let directory = scratch();
    let into = directory.path().join("told");
    let mut running = crawl(site.url("/"), &into).start();
    wait_for_requests(&site, 5, &mut running);
    running.interrupt();
    let next = format!("lastlight resume {}", into.display());
    running.end().exits(3).says("interrupted").says(&next);
}

#[test]
fn a_crawl_killed_at_any_moment_is_completed_by_resume() {
    let bench = Bench::new();
    let mut numbers = Seeded(20_261_122);
    for round in 0..10 {
        let (run, snapshot) = bench.crawl(&format!("killed-{round}"));
        let mut running = run.start();
        wait_for_requests(&bench.site, 1 + numbers.below(110), &mut running);
        // Within a request, a write or a commit, wherever it happens to be.
        std::thread::sleep(Duration::from_micros(numbers.below(8000)));
        running.kill();
        assert_eq!(running.end().code, None);
        // What is durable stands the test before anything is mended.
        verify(&snapshot);
        bench.completes(&snapshot);
    }
}

#[test]
fn a_resume_may_itself_be_killed() {
    let bench = Bench::new();
    let mut numbers = Seeded(5);
    let (run, snapshot) = bench.crawl("killed-again");
    let mut running = run.start();
    wait_for_requests(&bench.site, 20, &mut running);
    running.kill();
    running.end();
    for _ in 0..4 {
        let running = lastlight(["resume", "--quiet"])
            .arg(snapshot.path())
            .start();
        std::thread::sleep(Duration::from_millis(20 + numbers.below(120)));
        running.kill();
        running.end();
    }
    bench.completes(&snapshot);
}

#[test]
fn a_crawl_killed_before_its_first_request_is_resumed_or_says_that_it_never_began() {
    let bench = Bench::new();
    for millis in [0, 2, 4, 8, 12, 16, 24, 32] {
        let (run, snapshot) = bench.crawl(&format!("young-{millis}"));
        let running = run.start();
        std::thread::sleep(Duration::from_millis(millis));
        running.kill();
        running.end();
        let resumed = resume(&snapshot);
        match resumed.code {
            Some(0) => assert_eq!(snapshot.outcome(), bench.whole, "after {millis} ms"),
            // Nothing was there to go on with: it says so and makes nothing up.
            Some(2) => {
                assert!(!snapshot.file("datapackage.json").exists(), "{resumed}");
                assert!(resumed.stderr.contains("young"), "{resumed}");
            }
            _ => panic!("{resumed}"),
        }
    }
}

#[test]
fn a_torn_tail_is_cut_off_and_fetched_again() {
    let bench = Bench::new();
    let (run, snapshot) = bench.crawl("torn");
    let mut running = run.start();
    wait_for_requests(&bench.site, 40, &mut running);
    running.kill();
    running.end();
    // A write that never came to its end.
    let warc = snapshot.warcs().remove(0);
    let mut bytes = std::fs::read(&warc).unwrap();
    let tail = bytes[..bytes.len().min(700)].to_vec();
    bytes.extend_from_slice(&tail[..tail.len() / 2]);
    std::fs::write(&warc, bytes).unwrap();
    bench.completes(&snapshot);
}

#[test]
fn a_warc_that_was_cut_and_came_back_whole_is_sealed_with_its_records_in_order() {
    let site = Site::open();
    let directory = scratch();
    let into = directory.path().join("came-back");
    let settings = format!("{SHORT_CALENDAR}\n[warc]\nrotate = \"20 kB\"\n");
    crawl(site.url("/"), &into)
        .config(directory.path(), &settings)
        .args(["--max-urls", "25"])
        .run()
        .exits(3);
    let snapshot = Snapshot::at(&into);
    let warcs = snapshot.warcs();
    assert!(warcs.len() > 2, "later WARCs have records");
    // As where a backup is copied back in two goes.
    let whole = std::fs::read(&warcs[0]).unwrap();
    std::fs::write(&warcs[0], &whole[..whole.len() / 2]).unwrap();
    resume(&snapshot).exits(3);
    verify(&snapshot).exits(0);
    std::fs::write(&warcs[0], &whole).unwrap();
    resume(&snapshot);
    verify(&snapshot).exits(0);
}

#[test]
fn a_second_process_is_locked_out_and_touches_nothing() {
    let site = Site::slow(Duration::from_millis(20));
    let directory = scratch();
    let into = directory.path().join("locked");
    let mut running = crawl(site.url("/"), &into)
        .config(directory.path(), SHORT_CALENDAR)
        .start();
    wait_for_requests(&site, 5, &mut running);
    let contents = || Snapshot::at(&into).contents();
    running.pause();
    // What it had asked for has been answered by then.
    std::thread::sleep(Duration::from_millis(300));
    let (requests, before) = (site.requests(), contents());
    lastlight(["resume"])
        .arg(&into)
        .run()
        .exits(5)
        .warns("another process");
    crawl(site.url("/"), &into)
        .run()
        .exits(5)
        .warns("another process");
    lastlight(["deposit", "--as", "wacz"])
        .arg(&into)
        .run()
        .exits(5);
    assert_eq!(site.requests(), requests);
    assert!(contents() == before, "something was touched");
    running.go_on();
    running.end().exits(0);
    let snapshot = Snapshot::at(&into);
    assert!(
        !directory.path().join("locked.wacz").exists(),
        "an unsealed snapshot isn't packed"
    );
    assert_eq!(snapshot.ledger().len(), captured().snapshot.ledger().len());
    verify(&snapshot).exits(0);
}

#[test]
fn resuming_a_complete_snapshot_says_so_and_changes_nothing() {
    let snapshot = &captured().snapshot;
    let (before, requests) = (snapshot.contents(), captured().site.requests());
    resume(snapshot).exits(0).says("complete already");
    let json = lastlight(["resume", "--json"])
        .arg(snapshot.path())
        .run()
        .exits(0)
        .json();
    assert_eq!(
        (json["complete"].as_bool(), json["exit"].as_u64()),
        (Some(true), Some(0))
    );
    assert!(snapshot.contents() == before);
    assert_eq!(captured().site.requests(), requests);
}

#[test]
fn a_number_of_urls_stops_a_crawl_that_resume_goes_on_with() {
    let bench = Bench::new();
    let (run, snapshot) = bench.crawl("few");
    run.args(["--max-urls", "15"]).run().exits(3);
    let outcome = snapshot.outcome();
    let captured = outcome
        .values()
        .filter(|[state, ..]| state == "captured")
        .count();
    assert!((15..30).contains(&captured), "{captured}");
    assert!(outcome.values().any(|[_, reason, ..]| reason == "max-urls"));
    verify(&snapshot).exits(0);
    // Each run may capture so many.
    let mut runs = 1;
    loop {
        let ran = resume(&snapshot);
        runs += 1;
        match ran.code {
            Some(3) if runs < 20 => {}
            Some(0) => break,
            _ => panic!("{ran}"),
        }
    }
    assert_eq!(snapshot.outcome(), bench.whole);
}

#[test]
fn a_time_limit_stops_a_crawl_that_resume_goes_on_with() {
    let bench = Bench::new();
    let (run, snapshot) = bench.crawl("short");
    run.args(["--time-limit", "200ms"]).run().exits(3);
    assert!(
        snapshot
            .outcome()
            .values()
            .any(|[_, reason, ..]| reason == "time-limit")
    );
    verify(&snapshot).exits(0);
    let mut runs = 1;
    while resume(&snapshot).code == Some(3) {
        runs += 1;
        assert!(runs < 30, "no progress");
    }
    assert_eq!(snapshot.outcome(), bench.whole);
}

#[test]
fn a_crawl_that_may_open_no_more_files_stops_and_goes_on() {
    let bench = Bench::new();
    let (run, snapshot) = bench.crawl("out-of-files");
    run.args(["--connections", "40"])
        .open_files(32)
        .run()
        .exits(3)
        .warns("no more files may be opened")
        .warns("ulimit -n");
    bench.completes(&snapshot);
}

#[test]
fn a_disk_that_is_nearly_full_stops_a_crawl_and_says_what_to_do() {
    let directory = scratch();
    let wire = Wire::serve(|asked| {
        std::thread::sleep(Duration::from_millis(300));
        let next = format!("{}x", asked.target);
        (next.len() < 12).then(|| Reply::Keep(page(&[&next])))
    });
    let what_to_do = "Nothing captured is lost: make room.";
    for quiet in [false, true] {
        let into = directory.path().join(quiet.to_string());
        let mut run = crawl(wire.url("/"), &into)
            .config(directory.path(), "[storage]\nmin_free = \"1000000 GB\"\n");
        if quiet {
            run = run.arg("--quiet");
        }
        let ran = run.run().exits(3);
        if quiet {
            ran.warns(what_to_do).warns("lastlight resume");
        } else {
            ran.says(what_to_do).says("lastlight resume");
        }
        let ledger = Snapshot::at(&into).ledger();
        let reasons = ledger.values().map(|row| row["reason"].as_str());
        assert_eq!(
            reasons
                .filter(|reason| *reason == "disk-nearly-full")
                .count(),
            1
        );
    }
}
