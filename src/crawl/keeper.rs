//! The one thread that writes: it appends records, makes them durable, counts
//! them, and gives out turns. Order of writes: append the whole exchange, sync
//! the WARC, commit the store; only then is a URL captured.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

mod alarm;
mod budget;
mod discover;
mod gate;
mod generations;
mod marking;
pub(super) mod read_back;
mod seen;
mod sessions;
mod settle;
mod tallies;
#[cfg(test)]
pub(super) mod tests;
mod turns;

use super::CrawlError;
use super::cookies::{Import, Jar};
use super::dedup::{Dedup, Earlier, Original};
use super::frontier::{Decision, Frontier, HostId};
use super::job::{Outcome, Recording, StoredRecord};
use super::log::CrawlLog;
use super::marks::Looks;
use super::network::{Blame, Network};
use super::process::Shared;
use super::progress::Progress;
use super::recorder::Recorder;
use super::store::Store;
use super::warcinfo;
use super::warcs::{self, Series, WarcFile};
use crate::config::{Config, CookiePolicy};
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::layout::Layout;
use crate::time::Timestamp14;
use crate::url::HostKey;
use discover::InHand;
use seen::Seen;
use tallies::Tallies;

/// Hosts whose rows are remembered.
const HOSTS: usize = 100_000;

/// The writer's state.
pub struct Keeper<'c> {
    layout: &'c Layout,
    config: &'c Config,
    pub(super) store: Store,
    pub(super) frontier: Frontier,
    pub(super) network: Network,
    /// Tries without answer of which it isn't known whether the network is to blame.
    doubtful: Vec<Outcome>,
    warc: Option<WarcFile>,
    recorder: Recorder,
    seen: Seen,
    tallies: Tallies,
    /// What a large page names and isn't added yet.
    in_hand: Option<InHand>,
    /// Redirects that set a cookie.
    cookie_setters: HashSet<u128>,
    /// Whether ids were found to be of pages that had been taken for sessions'.
    ids_are_news: bool,
    /// Up to which row those were let in, where there is more to look at.
    let_in_up_to: Option<i64>,
    /// Whether a nearer way was found to what had been asked for.
    depths_are_stale: bool,
    hosts: HashMap<HostKey, HostId>,
    pub(super) log: CrawlLog,
    pub(super) progress: Progress,
    /// The crawl's cookies, unless it has none.
    pub(super) jar: Option<Arc<Jar>>,
    /// Decisions that came up beside dispatching.
    pub(super) pending: Vec<Decision>,
    /// Hosts whose gates wait for a URL's answer, with the redirects behind it.
    robots_waiting: HashMap<i64, Vec<(HostId, u32)>>,
    /// Rows of robots.txt that are asked for again. They stay captured until
    /// there is another whole answer.
    refetching: HashSet<i64>,
    /// Hosts whose bad certificate was told.
    bad_certificates: HashSet<HostId>,
    /// When this run began, as answers tell their time.
    begun: String,
    /// URLs that earlier runs had captured.
    captured_before: u64,
    last_commit: Instant,
    pub(super) series: Arc<Series>,
    pub(super) dedup: Arc<Dedup>,
    looks: Arc<Looks>,
    /// Probes that wait for an answer, with their hosts.
    probes: HashMap<i64, HostId>,
    /// Challenges in a row, by host.
    challenges: HashMap<HostId, u32>,
}

impl<'c> Keeper<'c> {
    /// Opens the store of a snapshot whose lock is held.
    pub fn open(
        layout: &'c Layout,
        config: &'c Config,
        earlier: Option<Earlier>,
    ) -> Result<Self, CrawlError> {
        let mut store = Store::open(&layout.store(), config.storage.held_keys as usize)?;
        store.log_pages = config.storage.log_pages;
        if let Some(earlier) = &earlier {
            store.set_earlier(&earlier.manifest.to_string(), &earlier.name())?;
        }
        let dedup = Dedup::open(&config.dedup, &layout.store(), store.payloads(), earlier)?;
        let looks = Looks::default();
        for (host, look) in marking::known_hosts(store.looks()?) {
            looks.learn(host, look);
        }
        let log = CrawlLog::open(layout)?;
        let jar = match config.cookies.policy {
            CookiePolicy::Session => {
                let jar = Jar::new(config);
                jar.fill(store.cookies()?);
                Some(Arc::new(jar))
            }
            CookiePolicy::Off => None,
        };
        let progress = Progress {
            counts: store.counts()?,
            ..Progress::default()
        };
        let probes = store.probes()?.into_iter().collect();
        let series = Arc::new(Series::new(config, layout)?);
        Ok(Self {
            layout,
            config,
            store,
            frontier: Frontier::new(config.politeness.clone(), config.robots.clone()),
            network: Network::default(),
            doubtful: Vec::new(),
            warc: None,
            recorder: Recorder::new(&series),
            seen: Seen::default(),
            tallies: Tallies::default(),
            in_hand: None,
            cookie_setters: HashSet::new(),
            ids_are_news: progress.counts.excluded > 0,
            let_in_up_to: None,
            // What an earlier run found of it isn't known.
            depths_are_stale: progress.counts.discovered > 0,
            hosts: HashMap::new(),
            log,
            begun: Timestamp14::now().rfc3339(),
            captured_before: progress.counts.captured + progress.counts.unchanged,
            progress,
            jar,
            pending: Vec::new(),
            robots_waiting: HashMap::new(),
            refetching: HashSet::new(),
            bad_certificates: HashSet::new(),
            last_commit: Instant::now(),
            series,
            dedup: Arc::new(dedup),
            looks: Arc::new(looks),
            probes,
            challenges: HashMap::new(),
        })
    }

    /// Adds cookies that the archivist gave, but for those that are older than
    /// what the crawl knows of them.
    pub fn import_cookies(&mut self, import: Import) -> Result<(), CrawlError> {
        let Some(jar) = &self.jar else {
            return Ok(());
        };
        let mut news = Vec::new();
        for cookie in import.cookies {
            if self.store.imports(&cookie, import.written)? {
                news.push(cookie);
            }
        }
        let without_room = jar.fill(news);
        if without_room == 0 {
            return Ok(());
        }
        self.alarm(
            "cookies-without-room",
            format!(
                "of the cookies in cookies.file {without_room} weren't taken: limits.cookies \
                 ({}) and cookies.memory ({}) have no room for them",
                self.config.limits.cookies, self.config.cookies.memory
            ),
        );
        Ok(())
    }

    /// What the workers are given.
    pub fn shared(&self) -> Shared {
        Shared {
            series: self.series.clone(),
            dedup: self.dedup.clone(),
            looks: self.looks.clone(),
        }
    }

    /// Puts the hosts of all waiting URLs into the frontier.
    pub fn load_hosts(&mut self) -> Result<(), CrawlError> {
        Ok(self.frontier.load_hosts(&self.store)?)
    }

    /// Puts back what failed for a reason that may have passed.
    pub fn requeue_failures(&mut self) -> Result<(), CrawlError> {
        if self.store.requeue_failures()? > 0 {
            self.progress.counts = self.store.counts()?;
        }
        Ok(())
    }

    /// Takes in one outcome: its records, its row, and what it names.
    pub fn absorb(&mut self, mut outcome: Outcome) -> Result<(), CrawlError> {
        if outcome.heard {
            let news = self.network.answered(&outcome.job.host(), Instant::now());
            self.network_news(news)?;
        } else if outcome.may_be_of_network()
            && !outcome.job.is_probe
            && self.network.failed(Instant::now()) == Blame::InDoubt
        {
            self.doubtful.push(outcome);
            return Ok(());
        }
        let place = self.append(&mut outcome)?;
        self.settle(outcome, place)
    }

    /// Keeps the records of tries about which the crawl ends in doubt; their URLs
    /// wait for the next run.
    pub fn keep_doubtful(&mut self) -> Result<(), CrawlError> {
        for mut outcome in std::mem::take(&mut self.doubtful) {
            self.append(&mut outcome)?;
        }
        Ok(())
    }

    /// As [`Self::absorb`], for an exchange that a WARC already
    /// holds. One whose URL doesn't wait any more adds just its records.
    pub fn absorb_recovered(
        &mut self,
        outcome: Outcome,
        warc: (i64, &str),
        offset: u64,
        waits: bool,
    ) -> Result<(), CrawlError> {
        let place = self.add_records(&outcome, warc.0, warc.1, offset)?;
        if waits {
            self.settle(outcome, place)?;
            // The next exchange may be of what this one names.
            self.add_the_rest()?;
        }
        Ok(())
    }

    /// The row of a host.
    fn host(&mut self, key: &HostKey) -> Result<HostId, CrawlError> {
        if let Some(&id) = self.hosts.get(key) {
            return Ok(id);
        }
        if self.hosts.len() > HOSTS {
            self.hosts.clear();
        }
        let id = self.store.host(&key.to_string())?;
        self.hosts.insert(key.clone(), id);
        Ok(id)
    }

    /// Appends the records of an exchange and writes their rows; returns
    /// where the response stands.
    fn append(&mut self, outcome: &mut Outcome) -> Result<Option<(i64, u64, u64)>, CrawlError> {
        if outcome.recording.records.is_empty() {
            return Ok(None);
        }
        let pieces = std::mem::take(&mut outcome.recording.pieces);
        let mut warc = match self.warc.take() {
            Some(warc) if warc.written() < self.config.warc.rotate.0 => warc,
            full => {
                self.finish_warc(full)?;
                self.begin_warc()?
            }
        };
        let offset = warc
            .append(pieces)
            .map_err(SnapshotError::io(warc.path(), "appending to"))?;
        let place = self.add_records(outcome, warc.id, &warc.filename, offset);
        self.progress.stored += outcome.recording.length();
        self.warc = Some(warc);
        place
    }

    /// Writes the rows of records that stand at `offset` of a WARC.
    fn add_records(
        &mut self,
        outcome: &Outcome,
        warc: i64,
        filename: &str,
        offset: u64,
    ) -> Result<Option<(i64, u64, u64)>, CrawlError> {
        for (n, record) in outcome.recording.records.iter().enumerate() {
            let at = offset + record.offset;
            let line = record.entry.as_ref().map(|entry| {
                let mut entry = entry.clone();
                entry.offset = at;
                entry.length = record.length;
                filename.clone_into(&mut entry.filename);
                entry.to_string()
            });
            let payload = outcome.recording.payload.as_ref().filter(|_| n == 0);
            self.store
                .add_record((warc, at), record, line.as_deref(), payload)?;
            if let Some(payload) = payload {
                let original = Original {
                    record_id: record.id.clone(),
                    url: outcome.job.url.to_string(),
                    date: payload.date.clone(),
                    is_earlier: false,
                };
                self.dedup.appended(&payload.digest, original);
            }
        }
        let entry = |record: &StoredRecord| record.entry.clone().filter(CdxjEntry::is_revisit);
        if let Some(first) = outcome.recording.records.first()
            && let Some(Ok(payload)) = entry(first).and_then(|e| e.digest.map(|d| d.parse()))
        {
            let earlier = self.dedup.earlier.as_ref().map(|e| e.manifest.to_string());
            let earlier = earlier.filter(|_| outcome.recording.is_of_earlier);
            self.store
                .add_revisit((warc, offset + first.offset), &payload, earlier.as_deref())?;
        }
        let secrets = &outcome.recording.secrets;
        if !secrets.is_empty() {
            let url = outcome.job.url.as_str();
            self.store.add_secrets(warc, offset, secrets, url)?;
        }
        let response = outcome.recording.records.first();
        Ok(response.map(|response| (warc, offset + response.offset, response.length)))
    }

    /// Begins the next WARC with its warcinfo record.
    fn begin_warc(&mut self) -> Result<WarcFile, CrawlError> {
        let archive = self.layout.archive();
        let mut serial = self.store.warcs()?.len();
        // A file that was made and never committed keeps its name.
        let name = self.layout.name();
        let series = self.series.clone();
        while archive
            .join(warcs::filename(&name, serial, &series.coding))
            .exists()
        {
            serial += 1;
        }
        let filename = warcs::filename(&name, serial, &series.coding);
        let path = archive.join(&filename);
        let id = self.store.add_warc(&filename)?;
        let preamble = series.coding.preamble();
        let mut warc = WarcFile::create(&archive, filename, id, &preamble)
            .map_err(SnapshotError::io(&path, "creating"))?;
        let record_id = series.next_warcinfo_id();
        let record = warcinfo::record(self.config, series.version, &warc.filename, &record_id);
        let mut recording = Recording::default();
        self.recorder.add_small(&mut recording, &record_id, &record);
        let records = std::mem::take(&mut recording.records);
        let offset = warc
            .append(recording.pieces)
            .map_err(SnapshotError::io(&path, "appending to"))?;
        for record in &records {
            self.store
                .add_record((id, offset + record.offset), record, None, None)?;
            self.progress.stored += record.length;
        }
        Ok(warc)
    }

    fn finish_warc(&mut self, warc: Option<WarcFile>) -> Result<(), CrawlError> {
        if let Some(mut warc) = warc {
            let bytes = warc
                .sync()
                .map_err(SnapshotError::io(warc.path(), "syncing"))?;
            self.store.set_warc_bytes(warc.id, bytes)?;
        }
        Ok(())
    }

    /// URLs that this run has captured.
    pub fn captured_now(&self) -> u64 {
        let counts = &self.progress.counts;
        (counts.captured + counts.unchanged).saturating_sub(self.captured_before)
    }

    /// Whether the next commit is due; a page that is in hand is finished first.
    pub fn commit_is_due(&self) -> bool {
        !self.has_in_hand() && self.last_commit.elapsed() >= self.config.storage.commit_every.0
    }

    /// Makes everything durable: the WARC first, then the rows that point
    /// into it, and what captured pages name.
    pub fn commit(&mut self) -> Result<(), CrawlError> {
        self.add_the_rest()?;
        if let Some(warc) = &mut self.warc {
            let bytes = warc
                .sync()
                .map_err(SnapshotError::io(warc.path(), "syncing"))?;
            self.store.set_warc_bytes(warc.id, bytes)?;
        }
        self.tallies.write(&self.store)?;
        if let Some(jar) = &self.jar {
            self.store.keep_cookies(&jar.changes())?;
        }
        self.store.commit()?;
        self.dedup.committed();
        self.log.flush()?;
        self.store.begin()?;
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Ends writing: the last commit, and the store folded into one file.
    pub fn close(mut self) -> Result<(), CrawlError> {
        self.commit()?;
        self.store.close()?;
        Ok(())
    }
}
