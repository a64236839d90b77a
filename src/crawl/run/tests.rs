#![expect(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::crawl::credentials::Credentials;
use crate::crawl::keeper::tests::page;
use crate::net::Trust;

/// Pages that wait, each with as many links, when a stop comes.
const PAGES: usize = 12;
const LINKS: u32 = 3000;

#[test]
fn a_stop_leaves_for_the_next_run_what_is_not_taken_in_within_its_grace() {
    let directory = tempfile::tempdir().unwrap();
    let layout = Layout::new(directory.path());
    for folder in layout.folders() {
        std::fs::create_dir_all(folder).unwrap();
    }
    let config = Config::defaults();
    let mut keeper = Keeper::open(&layout, &config, None).unwrap();
    let scope = Arc::new(Scope::new(&config, &[]).unwrap());
    let shared = keeper.shared();
    let processing = Arc::new(Processing::new(&config, scope, layout.spool(), shared));
    let runtime = Runtime::new().unwrap();
    let trust = Trust::load(&config.tls).unwrap();
    let guard = AddressGuard::new(Vec::new());
    let connector = Connector::new(guard, trust, None, config.fetch.connect_timeout.0);
    let requests = Requests::new(&config, Credentials::default(), None);
    let wire = (connector, requests);
    let mut machine = Machine::start(&layout, &config, wire, &runtime, &processing).unwrap();
    // A worker that isn't done yet keeps its end.
    let (done, outcomes) = mpsc::channel();
    machine.outcomes = outcomes;
    for n in 0..PAGES {
        let page = page(&mut keeper, &format!("/large/{n}"), LINKS);
        assert!(page.is_large());
        done.send((Ok(page), None)).unwrap();
    }
    let control = Control::default();
    control.stop();
    machine.grace = Duration::from_millis(1);
    let stopped = machine.crawl(&mut keeper, &config, &layout, &control, Instant::now());
    assert_eq!(stopped.unwrap(), Some(Stop::Interrupted));
    assert!(!keeper.has_in_hand());
    let counts = keeper.store.counts().unwrap();
    assert_eq!(counts, keeper.progress.counts);
    let captured = usize::try_from(counts.captured).unwrap();
    assert!(captured < PAGES / 2, "{captured}");
    // All that a captured page names, and the pages that weren't taken in.
    let named = captured * LINKS as usize;
    let waiting = usize::try_from(counts.unreached).unwrap();
    assert_eq!(waiting, named + PAGES - captured);
}
