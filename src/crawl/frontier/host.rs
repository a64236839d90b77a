//! One host: its queue, what is on its way, its second tries and its pauses.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outage::Outage;
use super::{Decision, Gate, HostId, LATER, NAMES, REFUSALS};
use crate::config::Span;
use crate::crawl::fetch::Turn;
use crate::crawl::imprint::Imprint;
use crate::crawl::job::Job;
use crate::crawl::pace::Pace;
use crate::crawl::store::{self, Store};
use crate::links::Path;
use crate::url::HostKey;

/// A host with work, or that had some.
pub struct Host {
    pub key: HostKey,
    pub queue: BTreeMap<(u32, i64), Job>,
    pub on_disk: bool,
    pub outstanding: HashSet<i64>,
    later: BinaryHeap<Reverse<(Instant, i64)>>,
    pub later_jobs: HashMap<i64, Job>,
    pub next_start: Instant,
    /// The configured pause, or Crawl-delay.
    pub delay: Duration,
    /// The pause that the host's answering time asks for.
    pub adaptive: Duration,
    /// What turns that are given out already keep to.
    pub pace: Arc<Pace>,
    /// How long answers took lately.
    pub took: Option<Duration>,
    /// It asks to be left alone until then, which is too long to wait.
    pub postponed: Option<Instant>,
    pub gate: Gate,
    /// When the rules were had, and when they are asked for again.
    pub rules_since: Option<Instant>,
    pub rules_due: Option<Instant>,
    pub active: bool,
    pub in_line: bool,
    /// When it last answered, or was given its place.
    pub last_answer: Instant,
    pub outage: Outage,
}

impl Host {
    /// A host with URLs in the store.
    pub fn new(key: HostKey, delay: Duration, gate: Gate) -> Self {
        Self {
            key,
            queue: BTreeMap::new(),
            on_disk: true,
            outstanding: HashSet::new(),
            later: BinaryHeap::new(),
            later_jobs: HashMap::new(),
            next_start: Instant::now(),
            delay,
            adaptive: Duration::ZERO,
            pace: Arc::new(Pace::new()),
            took: None,
            postponed: None,
            gate,
            rules_since: None,
            rules_due: None,
            active: false,
            in_line: false,
            last_answer: Instant::now(),
            outage: Outage::default(),
        }
    }

    pub fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && !self.on_disk
            && self.outstanding.is_empty()
            && self.later.is_empty()
    }

    /// Whether it only waits for a robots.txt that another host has.
    pub fn waits_elsewhere(&self) -> bool {
        matches!(self.gate, Gate::Asked) && self.outstanding.is_empty() && self.later.is_empty()
    }

    pub fn stand_in_line(&mut self, id: HostId, line: &mut VecDeque<HostId>) {
        if !self.active && !self.in_line {
            self.in_line = true;
            line.push_back(id);
        }
    }

    pub fn pause(&mut self, until: Instant) {
        self.next_start = self.next_start.max(until);
        self.pace.hold(until);
    }

    pub fn is_postponed(&self, now: Instant) -> bool {
        self.postponed.is_some_and(|until| until > now)
    }

    pub fn turn(&mut self, job: Job, now: Instant) -> Turn {
        let not_before = self.next_start.max(now);
        self.next_start = not_before + self.delay.max(self.adaptive);
        self.outstanding.insert(job.id);
        Turn {
            job,
            not_before,
            pace: self.pace.clone(),
        }
    }

    /// Asks for robots.txt just to see whether the host answers.
    pub fn probe(&self) -> Job {
        /// No row has it.
        const NO_ROW: i64 = -1;
        Job {
            id: NO_ROW,
            url: self.key.robots_url(),
            path: Path::default(),
            via: None,
            via_imprint: Imprint::default(),
            barren: 0,
            nested: 0,
            tries: 0,
            as_robots: None,
            is_probe: true,
        }
    }

    /// A URL whose second try is due.
    pub fn due(&mut self, now: Instant) -> Option<Job> {
        let Reverse((due, job)) = self.later.peek().copied()?;
        if due > now {
            return None;
        }
        self.later.pop();
        self.later_jobs.remove(&job)
    }

    /// What is read as a robots.txt and whose second try is due.
    pub fn due_robots(&mut self, now: Instant) -> Option<Job> {
        let jobs = &self.later_jobs;
        let is_robots = |id: &i64| jobs.get(id).is_some_and(|job| job.as_robots.is_some());
        let due = self.later.iter().filter(|Reverse((due, _))| *due <= now);
        let id = due.map(|&Reverse((_, id))| id).find(is_robots)?;
        self.later.retain(|&Reverse((_, job))| job != id);
        self.later_jobs.remove(&id)
    }

    /// Keeps a URL for another try.
    pub fn put_back(&mut self, due: Instant, job: Job) {
        self.later.push(Reverse((due, job.id)));
        self.later_jobs.insert(job.id, job);
    }

    /// Anything that waits, whether it is due or not.
    fn any(
        &mut self,
        id: HostId,
        store: &Store,
        held: usize,
        may_read: bool,
    ) -> store::Result<Option<Job>> {
        match self.later.pop() {
            Some(Reverse((_, job))) => Ok(self.later_jobs.remove(&job)),
            None => self.first(id, store, held, may_read),
        }
    }

    /// Lets go of what waits, as it isn't waited for any longer.
    pub fn give_up(
        &mut self,
        id: HostId,
        patience: Span,
        (store, held): (&Store, usize),
        decisions: &mut Vec<Decision>,
    ) -> store::Result<()> {
        for refusals in 0..REFUSALS {
            let Some(job) = self.any(id, store, held, refusals == 0)? else {
                break;
            };
            if self.outage.is_news() {
                decisions.push(Decision::GivenUp(id));
            }
            let reason = format!("no-answer: the host gave none, or 429 or 503, for {patience}");
            decisions.push(Decision::Closed(job, reason));
        }
        Ok(())
    }

    /// The next URL: one whose second try is due, else the first in the queue.
    pub fn next(
        &mut self,
        id: HostId,
        store: &Store,
        now: Instant,
        held: usize,
        may_read: bool,
    ) -> store::Result<Option<Job>> {
        if let Some(job) = self.due(now) {
            return Ok(Some(job));
        }
        if self.later_jobs.len() >= LATER {
            return Ok(None);
        }
        self.first(id, store, held, may_read)
    }

    /// The first in the queue. Where none is held, so many are read from the
    /// store, if that may be read.
    fn first(
        &mut self,
        id: HostId,
        store: &Store,
        held: usize,
        may_read: bool,
    ) -> store::Result<Option<Job>> {
        if self.queue.is_empty() && self.on_disk && may_read {
            let mut names = 0;
            self.on_disk = false;
            store.each_waiting(id, |priority, job| {
                if self.outstanding.contains(&job.id) || self.later_jobs.contains_key(&job.id) {
                    return true;
                }
                if self.queue.len() >= held || names > held * NAMES {
                    self.on_disk = true;
                    return false;
                }
                names += job.names();
                self.queue.insert((priority, job.id), job);
                true
            })?;
        }
        Ok(self.queue.pop_first().map(|(_, job)| job))
    }
}
