//! A crawl from its first turn to its seal: the keeper on this thread, lanes
//! on the runtime's, workers on theirs.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::sync::mpsc as turns;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::fetch::{Fetcher, Turn};
use super::frontier::HostId;
use super::job::Outcome;
use super::keeper::Keeper;
use super::outfit::Outfit;
use super::process::Processing;
use super::progress::{Control, Stop};
use super::request::Requests;
use super::scope::Scope;
use super::store::state;
use super::workers::{Done, Workers};
use super::{CrawlError, Summary, recover, seal};
use crate::config::Config;
use crate::net::{self, AddressGuard, Connector, HostPattern, Reach};
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::Layout;
use crate::url::CanonicalUrl;

/// How long a clean stop waits for answers that are on their way.
const GRACE: Duration = Duration::from_secs(10);
/// How often a stop is looked for.
const TICK: Duration = Duration::from_millis(50);
/// How long a large page and what came meanwhile have the keeper in turn.
const SLICE: Duration = Duration::from_millis(10);

/// How a run begins.
#[derive(Clone, Copy)]
pub enum Start<'s> {
    /// With these seeds.
    Fresh(&'s [CanonicalUrl]),
    /// Where the last run stopped.
    Resumed,
}

/// Crawls until nothing is left or a stop, and seals.
pub fn run(
    layout: &Layout,
    config: &Config,
    start: Start<'_>,
    outfit: Outfit,
    control: &Control,
) -> Result<Summary, CrawlError> {
    let begun = Instant::now();
    let allowed = allowed(config)?;
    let connector = Connector::new(
        AddressGuard::new(allowed),
        outfit.trust,
        outfit.proxy,
        config.fetch.connect_timeout.0,
    );
    let resuming = matches!(start, Start::Resumed);
    let mut missing = None;
    let earlier = match super::earlier(config) {
        // The site may close before the earlier snapshot is found again.
        Err(error) if resuming => {
            missing = Some(error.to_string());
            None
        }
        earlier => earlier?,
    };
    let mut keeper = Keeper::open(layout, config, earlier)?;
    keeper.import_cookies(outfit.cookies)?;
    let requests = Requests::new(config, outfit.credentials, keeper.jar.clone());
    if let Some(reason) = missing {
        keeper.log.event("warning", json!({ "reason": reason }));
    }
    if let Start::Fresh(seeds) = start {
        keeper.add_seeds(seeds)?;
        keeper.commit()?;
    }
    let all_seeds = keeper.store.seeds()?;
    if all_seeds.is_empty() {
        return Err(CrawlError::NeverBegan {
            path: layout.root().to_owned(),
        });
    }
    allow_what_is_named(config, &connector, &all_seeds);
    let scope_seeds: Vec<_> = all_seeds.iter().map(|(url, _)| url.clone()).collect();
    let scope = Arc::new(Scope::new(config, &scope_seeds)?);
    let processing = Arc::new(Processing::new(
        config,
        scope,
        layout.spool(),
        keeper.shared(),
    ));
    recover::recover(layout, &mut keeper, &processing)?;
    let software = concat!("lastlight/", env!("CARGO_PKG_VERSION"));
    keeper.log.event("started", json!({ "software": software }));
    keeper.commit()?;
    if resuming {
        keeper.requeue_failures()?;
        if keeper.progress.counts.captured > 0
            && let Some((seed, _)) = all_seeds.first()
        {
            keeper.network.remember(seed.host_key());
        }
    }
    keeper.load_hosts()?;
    control.publish(keeper.progress.clone());

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .map_err(CrawlError::Runtime)?;
    let wire = (connector, requests);
    let mut machine = Machine::start(layout, config, wire, &runtime, &processing)?;
    // Recovery mustn't use up the time that there is to fetch in.
    let fetching = Instant::now();
    let stopped = machine.crawl(&mut keeper, config, layout, control, fetching)?;
    drop(machine);
    runtime.shutdown_timeout(Duration::from_secs(1));

    keeper.progress.sealing = true;
    control.publish(keeper.progress.clone());
    keeper
        .log
        .event("ended", json!({ "reason": stopped.map(Stop::reason) }));
    keeper.keep_doubtful()?;
    keeper.commit()?;
    keeper.log.sync()?;
    seal::seal(layout, &keeper.store, stopped)?;
    let summary = summary(&keeper, stopped, begun)?;
    keeper.close()?;
    Ok(summary)
}

fn summary(
    keeper: &Keeper<'_>,
    stopped: Option<Stop>,
    begun: Instant,
) -> Result<Summary, CrawlError> {
    Ok(Summary {
        complete: stopped.is_none(),
        stopped,
        counts: keeper.store.counts()?,
        pages: keeper.progress.pages,
        notes: keeper.progress.notes,
        marked: keeper.store.marked()?,
        alarms: keeper.progress.alarms.clone(),
        bytes: keeper
            .store
            .warcs()?
            .iter()
            .map(|(_, _, bytes)| bytes)
            .sum(),
        seconds: begun.elapsed().as_secs_f64(),
        missed_seeds: keeper.store.missed_seeds()?,
        failed: keeper.store.reasons(state::FAILED)?,
        excluded: keeper.store.reasons(state::EXCLUDED)?,
        sitemaps: keeper.store.sitemaps()?,
    })
}

/// Lets the hosts be connected to that the archivist names, by a seed or a
/// sitemap, wherever they are. Where a site redirects, the archivist hasn't
/// named.
fn allow_what_is_named(config: &Config, connector: &Connector, seeds: &[(CanonicalUrl, bool)]) {
    let given = seeds.iter().filter(|(_, given)| *given);
    let sitemaps = config.crawl.named_sitemaps();
    let sitemaps = sitemaps.filter_map(|url| CanonicalUrl::parse_seed(url).ok());
    for host in given
        .map(|(seed, _)| seed.host_key())
        .chain(sitemaps.map(|url| url.host_key()))
    {
        connector.guard().allow_seed(&host);
    }
}

/// The networks and names that may be asked for although they aren't public.
pub fn allowed(config: &Config) -> Result<Vec<HostPattern>, CrawlError> {
    let allowed = config.address.allow.iter().map(|text| Ok(text.parse()?));
    allowed.collect()
}

/// The time between two pieces of a large page. Where other answers come, those
/// have 19 of 20 parts of the keeper: a server that sends nothing but large pages
/// costs the others no more.
struct Rest {
    until: Instant,
    others_came: bool,
}

impl Rest {
    fn after(piece: Duration) -> Self {
        Self {
            until: Instant::now() + piece * 19,
            others_came: false,
        }
    }

    fn others_came(&mut self) {
        self.others_came = true;
    }

    /// How long answers are waited for before the next piece.
    fn before_more(&self) -> Duration {
        /// Nobody else seems to be there.
        const SHORT: Duration = Duration::from_millis(1);
        if self.others_came {
            self.until.saturating_duration_since(Instant::now())
        } else {
            SHORT
        }
    }

    /// Whether it is time for the next piece, where no answer came just now or one
    /// did.
    fn is_over(&self, is_idle: bool) -> bool {
        (is_idle && !self.others_came) || Instant::now() >= self.until
    }
}

/// The threads of a running crawl.
struct Machine {
    fetcher: Option<Arc<Fetcher>>,
    runtime: tokio::runtime::Handle,
    lanes: HashMap<HostId, turns::UnboundedSender<Turn>>,
    connections: usize,
    outcomes: mpsc::Receiver<Done>,
    /// Large pages that wait until the one in hand is done and durable.
    waiting: VecDeque<Done>,
    /// The room that the page in hand takes.
    in_hand: Option<OwnedSemaphorePermit>,
    rest: Rest,
    /// What a look for the network finds.
    looked: Option<mpsc::Receiver<Reach>>,
    stop_lanes: watch::Sender<bool>,
    workers: Workers,
    /// How long a stop waits.
    grace: Duration,
}

impl Machine {
    fn start(
        layout: &Layout,
        config: &Config,
        (connector, requests): (Connector, Requests),
        runtime: &Runtime,
        processing: &Arc<Processing>,
    ) -> Result<Self, CrawlError> {
        let (workers, desk, outcomes) = Workers::start(processing).map_err(CrawlError::Runtime)?;
        let (stop_lanes, stopping) = watch::channel(false);
        Ok(Self {
            fetcher: Some(Arc::new(Fetcher::new(
                config,
                connector,
                requests,
                layout.spool(),
                desk,
                stopping,
            ))),
            runtime: runtime.handle().clone(),
            lanes: HashMap::new(),
            connections: config.politeness.connections.max(1) as usize,
            outcomes,
            waiting: VecDeque::new(),
            in_hand: None,
            rest: Rest::after(Duration::ZERO),
            looked: None,
            stop_lanes,
            workers,
            grace: GRACE,
        })
    }

    /// Looks for the network where it may be gone.
    fn look(&mut self, keeper: &mut Keeper<'_>) -> Result<(), CrawlError> {
        if let Some(looked) = &self.looked
            && let Ok(found) = looked.try_recv()
        {
            self.looked = None;
            let news = keeper.network.looked(found, Instant::now());
            keeper.network_news(news)?;
        }
        if let Some(fetcher) = &self.fetcher
            && let Some(hosts) = keeper.network.look(Instant::now())
        {
            let (tell, looked) = mpsc::channel();
            let (fetcher, hosts) = (fetcher.clone(), hosts.to_vec());
            self.runtime.spawn(async move {
                let _ = tell.send(fetcher.reach(&hosts).await);
            });
            self.looked = Some(looked);
        }
        Ok(())
    }

    /// The keeper's loop.
    fn crawl(
        &mut self,
        keeper: &mut Keeper<'_>,
        config: &Config,
        layout: &Layout,
        control: &Control,
        begun: Instant,
    ) -> Result<Option<Stop>, CrawlError> {
        let mut stopped = None;
        let mut deadline: Option<Instant> = None;
        let mut last_count = Instant::now();
        loop {
            if stopped.is_none() {
                stopped = reason_to_stop(keeper, config, layout, control, begun, &mut last_count)?;
                if stopped.is_some() {
                    keeper.progress.stopping = stopped;
                    deadline = Some(Instant::now() + self.grace);
                    self.wind_down();
                } else {
                    if keeper.is_letting_in() {
                        keeper.let_in_what_isnt_of_sessions(Instant::now() + SLICE)?;
                    }
                    self.look(keeper)?;
                    if !keeper.network.is_away() {
                        self.dispatch(keeper)?;
                    }
                    if keeper.frontier.is_done()
                        && keeper.pending.is_empty()
                        && !keeper.has_in_hand()
                        && !keeper.let_in_what_is_nearer()?
                        && !keeper.let_in_what_isnt_of_sessions(Instant::now() + SLICE)?
                    {
                        keeper.believe_sitemaps()?;
                        keeper.commit()?;
                        return Ok(keeper.frontier.is_postponed().then_some(Stop::AskedToWait));
                    }
                }
            }
            // However much there is to take in, a stop doesn't wait for it.
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                break;
            }
            let is_busy = stopped.is_none() && keeper.is_letting_in();
            match self.take_in(keeper, if is_busy { Duration::ZERO } else { TICK }) {
                // Lanes and workers are gone: nothing is on its way any more.
                Err(Idle::Disconnected) if stopped.is_some() => break,
                Err(Idle::Disconnected) => {
                    let reason = std::io::Error::other("all worker threads have ended");
                    return Err(CrawlError::Runtime(reason));
                }
                Err(Idle::Failed(error)) => return Err(error),
                Ok(()) | Err(Idle::Timeout) => {}
            }
            if keeper.commit_is_due() {
                keeper.commit()?;
                keeper.progress.hosts = keeper
                    .frontier
                    .active_hosts()
                    .take(4)
                    .map(ToString::to_string)
                    .collect();
                control.publish(keeper.progress.clone());
            }
        }
        self.workers.abandon();
        // Nothing of these is in a WARC yet: their URLs wait for the next run.
        self.waiting.clear();
        keeper.believe_sitemaps()?;
        keeper.commit()?;
        Ok(stopped)
    }

    /// Takes in what workers have done, and goes on with a large page in
    /// between: nobody waits until it is done but the next such page. Where there
    /// is nothing, waits for so long.
    fn take_in(&mut self, keeper: &mut Keeper<'_>, tick: Duration) -> Result<(), Idle> {
        let tick = if keeper.has_in_hand() {
            self.rest.before_more().min(tick)
        } else if self.waiting.is_empty() {
            tick
        } else {
            Duration::ZERO
        };
        let mut is_idle = true;
        match self.outcomes.recv_timeout(tick) {
            Ok(done) => {
                is_idle = false;
                self.rest.others_came();
                let begun = Instant::now();
                self.absorb_or_keep(keeper, done)?;
                while !(keeper.commit_is_due() || keeper.has_in_hand() && begun.elapsed() > SLICE)
                    && let Ok(done) = self.outcomes.try_recv()
                {
                    self.absorb_or_keep(keeper, done)?;
                }
            }
            Err(RecvTimeoutError::Disconnected)
                if !keeper.has_in_hand() && self.waiting.is_empty() =>
            {
                return Err(Idle::Disconnected);
            }
            Err(_) => {}
        }
        if keeper.has_in_hand() {
            if self.rest.is_over(is_idle) {
                let begun = Instant::now();
                keeper.go_on(begun + SLICE)?;
                self.rest = Rest::after(begun.elapsed());
            }
            is_idle = false;
        }
        if !keeper.has_in_hand() {
            self.in_hand = None;
            // What is done is durable before the next is begun.
            if !keeper.commit_is_due()
                && let Some(done) = self.waiting.pop_front()
            {
                self.absorb(keeper, done)?;
                is_idle = false;
            }
        }
        if is_idle { Err(Idle::Timeout) } else { Ok(()) }
    }

    fn absorb_or_keep(&mut self, keeper: &mut Keeper<'_>, done: Done) -> Result<(), CrawlError> {
        let is_large = done.0.as_ref().is_ok_and(Outcome::is_large);
        if is_large && (keeper.has_in_hand() || !self.waiting.is_empty()) {
            self.waiting.push_back(done);
            return Ok(());
        }
        self.absorb(keeper, done)
    }

    fn absorb(
        &mut self,
        keeper: &mut Keeper<'_>,
        (outcome, permit): Done,
    ) -> Result<(), CrawlError> {
        let outcome = outcome.map_err(|error| {
            if net::is_out_of_files(&error) {
                CrawlError::OutOfFiles(error)
            } else {
                CrawlError::Spool(error)
            }
        })?;
        let is_large = outcome.is_large();
        let begun = Instant::now();
        keeper.absorb(outcome)?;
        if is_large {
            self.in_hand = permit;
            self.rest = Rest::after(begun.elapsed());
        }
        Ok(())
    }

    /// Gives out every turn that has come.
    fn dispatch(&mut self, keeper: &mut Keeper<'_>) -> Result<(), CrawlError> {
        for (host, turn) in keeper.turns()? {
            self.give(host, turn, keeper);
        }
        let frontier = &keeper.frontier;
        self.lanes.retain(|&host, _| frontier.is_active(host));
        Ok(())
    }

    fn give(&mut self, host: HostId, turn: Turn, keeper: &Keeper<'_>) {
        let Some(fetcher) = &self.fetcher else {
            return;
        };
        let lane = self.lanes.entry(host).or_insert_with(|| {
            let (give, take) = turns::unbounded_channel();
            let take = Arc::new(tokio::sync::Mutex::new(take));
            let key = keeper.frontier.key(host).unwrap_or_else(|| turn.job.host());
            for _ in 0..self.connections {
                self.runtime
                    .spawn(fetcher.clone().lane(key.clone(), take.clone()));
            }
            give
        });
        // The frontier bounds what is outstanding; a lane ends only when the
        // crawl does, and then the turn is taken up when it is resumed.
        let _ = lane.send(turn);
    }

    /// Ends the lanes once their current answer is in.
    fn wind_down(&mut self) {
        let _ = self.stop_lanes.send(true);
        self.lanes.clear();
        self.fetcher = None;
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Workers end when the lanes do; a lane that hangs in a slow answer
        // ends with the runtime, so they aren't waited for.
        self.wind_down();
        self.workers.abandon();
    }
}

/// Why nothing was taken in.
enum Idle {
    /// There was nothing.
    Timeout,
    /// There is nobody left to give anything.
    Disconnected,
    /// Taking it in failed.
    Failed(CrawlError),
}

impl From<CrawlError> for Idle {
    fn from(error: CrawlError) -> Self {
        Self::Failed(error)
    }
}

fn reason_to_stop(
    keeper: &Keeper<'_>,
    config: &Config,
    layout: &Layout,
    control: &Control,
    begun: Instant,
    last_count: &mut Instant,
) -> Result<Option<Stop>, CrawlError> {
    if control.is_stopped() {
        return Ok(Some(Stop::Interrupted));
    }
    let captured = keeper.captured_now();
    if config
        .crawl
        .max_urls
        .value()
        .is_some_and(|most| captured >= most)
    {
        return Ok(Some(Stop::MaxUrls));
    }
    if config
        .crawl
        .time_limit
        .value()
        .is_some_and(|most| begun.elapsed() >= most.0)
    {
        return Ok(Some(Stop::TimeLimit));
    }
    let patience = config.politeness.outage.0;
    if keeper.network.is_gone_for(patience, Instant::now()) {
        return Ok(Some(Stop::NoNetwork));
    }
    if last_count.elapsed() > Duration::from_secs(1) {
        *last_count = Instant::now();
        let root = layout.root();
        let disk = rustix::fs::statvfs(root)
            .map_err(|errno| SnapshotError::io(root, "asking for free space")(errno.into()))?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < config.storage.min_free.0 {
            return Ok(Some(Stop::DiskNearlyFull));
        }
    }
    Ok(None)
}
