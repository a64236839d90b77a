//! Whose turn it is: a queue a host, its pauses, connections and robots rules.
//! In memory is only what is due soon; the store has the rest.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::fetch::Turn;
use super::job::Job;
use super::robots::{Rules, Verdict as RobotsVerdict};
use super::store::{self, Store};
use crate::config::{Politeness, RobotsPolicy};
use crate::url::HostKey;

/// URLs of one host that are held in memory.
const HELD: usize = 2000;
/// Turns that wait at a lane when there is no pause between them, so that a
/// commit doesn't leave it idle.
const AHEAD: usize = 8;

/// The row of a host.
pub type HostId = i64;

/// What robots.txt says so far.
pub enum Gate {
    /// Not asked yet.
    Unknown,
    /// On its way.
    Asked,
    /// These rules; `None` where robots.txt is ignored.
    Open(Option<Rules>),
    /// No answer: nothing may be fetched.
    Closed(String),
    /// No address that may be connected to.
    Refused(String),
}

struct Host {
    key: HostKey,
    queue: BTreeMap<(u32, i64), Job>,
    on_disk: bool,
    outstanding: HashSet<i64>,
    later: BinaryHeap<Reverse<(Instant, i64)>>,
    later_jobs: HashMap<i64, Job>,
    next_start: Instant,
    delay: Duration,
    gate: Gate,
    active: bool,
    outage: Outage,
}

/// Whether a host that answered before has gone silent.
#[derive(Default)]
struct Outage {
    has_answered: bool,
    failures: u32,
    since: Option<Instant>,
}

/// Failures in a row, without any answer between them, that make an outage.
const OUTAGE_AFTER: u32 = 5;
/// Probes of a silent host come at least this often.
const MAX_PROBE_PAUSE: Duration = Duration::from_mins(1);
/// Refusals of one host that are decided on before they are written down.
const REFUSALS: usize = 500;

/// What dispatching decided about a URL.
pub enum Decision {
    /// Ask for it.
    Turn(HostId, Turn),
    /// A line of robots.txt forbids it, or the host's address does.
    Disallowed(Job, String),
    /// robots.txt gave no answer.
    Closed(Job, String),
}

/// All hosts with work.
pub struct Frontier {
    hosts: HashMap<HostId, Host>,
    policy: Politeness,
    active: usize,
}

impl Frontier {
    /// An empty frontier.
    pub fn new(policy: Politeness) -> Self {
        Self {
            hosts: HashMap::new(),
            policy,
            active: 0,
        }
    }

    /// Makes a host known, with URLs in the store.
    pub fn add_host(&mut self, id: HostId, key: HostKey) {
        let delay = self.policy.delay.0;
        let gate = match self.policy.robots {
            RobotsPolicy::Obey => Gate::Unknown,
            RobotsPolicy::Ignore => Gate::Open(None),
        };
        let host = self.hosts.entry(id).or_insert_with(|| Host {
            key,
            queue: BTreeMap::new(),
            on_disk: true,
            outstanding: HashSet::new(),
            later: BinaryHeap::new(),
            later_jobs: HashMap::new(),
            next_start: Instant::now(),
            delay,
            gate,
            active: false,
            outage: Outage::default(),
        });
        host.on_disk = true;
    }

    /// Adds a URL that the store has just taken.
    pub fn push(&mut self, id: HostId, job: Job) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let place = (job.path.priority(), job.id);
        let worst = host.queue.last_key_value().map(|(key, _)| *key);
        // What stands on disk was found earlier: only something better than
        // all that is held may pass it.
        let in_order = !host.on_disk || worst.is_some_and(|worst| place < worst);
        if !host.active || !in_order {
            host.on_disk = true;
            return;
        }
        host.queue.insert(place, job);
        if host.queue.len() > HELD {
            host.queue.pop_last();
            host.on_disk = true;
        }
    }

    /// Notes that a nearer way to a URL that waits was found; whether it is
    /// being asked for already.
    pub fn nearer(&mut self, id: HostId, before: u32, job: Job) -> bool {
        let Some(host) = self.hosts.get_mut(&id) else {
            return false;
        };
        if host.outstanding.contains(&job.id) {
            return true;
        }
        if let Some(later) = host.later_jobs.get_mut(&job.id) {
            later.path = job.path;
            return false;
        }
        host.queue.remove(&(before, job.id));
        self.push(id, job);
        false
    }

    /// Puts a URL back for another try.
    pub fn retry(&mut self, id: HostId, job: Job, pause: Duration, whole_host: bool) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        let due = Instant::now() + pause;
        if whole_host {
            host.next_start = host.next_start.max(due);
        }
        host.later.push(Reverse((due, job.id)));
        host.later_jobs.insert(job.id, job);
    }

    /// Leaves a host alone for a while.
    pub fn pause(&mut self, id: HostId, pause: Duration) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.next_start = host.next_start.max(Instant::now() + pause);
        }
    }

    /// Notes whether a host answered. `Some` means that it has gone silent: its
    /// URLs wait so long, and the tries don't count.
    pub fn note(&mut self, id: HostId, silent: bool) -> Option<Duration> {
        let limit = self.policy.outage.0;
        let host = self.hosts.get_mut(&id)?;
        let outage = &mut host.outage;
        if !silent {
            *outage = Outage {
                has_answered: true,
                ..Outage::default()
            };
            return None;
        }
        outage.failures = outage.failures.saturating_add(1);
        if !outage.has_answered || outage.failures < OUTAGE_AFTER {
            return None;
        }
        let since = *outage.since.get_or_insert_with(Instant::now);
        if since.elapsed() > limit {
            return None;
        }
        let pause = Duration::from_secs(2).saturating_mul(outage.failures - OUTAGE_AFTER + 1);
        let pause = pause.min(MAX_PROBE_PAUSE);
        host.next_start = host.next_start.max(Instant::now() + pause);
        Some(pause)
    }

    /// Notes that a URL's try is over.
    pub fn finished(&mut self, id: HostId, job: i64) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.outstanding.remove(&job);
        }
    }

    /// Hosts whose robots.txt must be asked for; each is told once.
    pub fn wanting_robots(&mut self) -> Vec<(HostId, HostKey)> {
        let unknown = |host: &&mut Host| host.active && matches!(host.gate, Gate::Unknown);
        let mut wanting = Vec::new();
        for (&id, host) in &mut self.hosts {
            if unknown(&host) {
                host.gate = Gate::Asked;
                wanting.push((id, host.key.clone()));
            }
        }
        wanting
    }

    /// Sets what robots.txt says; a `Crawl-delay` longer than the pause wins.
    pub fn open(&mut self, id: HostId, gate: Gate) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        if let Gate::Open(Some(rules)) = &gate
            && let Some(asked) = rules.crawl_delay()
        {
            host.delay = host.delay.max(asked.min(self.policy.max_crawl_delay.0));
        }
        // Rules come from an answer, of this run or an earlier one.
        host.outage.has_answered |= matches!(gate, Gate::Open(Some(_)));
        host.gate = gate;
    }

    /// Whether the host is known.
    pub fn knows(&self, id: HostId) -> bool {
        self.hosts.contains_key(&id)
    }

    /// A turn that passes the gate, for what is read as a robots.txt; `None`
    /// where the URL is on its way already.
    pub fn robots_turn(&mut self, id: HostId, job: Job) -> Option<Turn> {
        let host = self.hosts.get_mut(&id)?;
        host.queue.retain(|_, queued| queued.id != job.id);
        let on_its_way =
            host.outstanding.contains(&job.id) || host.later_jobs.contains_key(&job.id);
        (!on_its_way).then(|| host.turn(job, Instant::now()))
    }

    /// Decides on every URL whose turn has come. `Err` is the store's.
    pub fn dispatch(&mut self, store: &Store, decisions: &mut Vec<Decision>) -> store::Result<()> {
        self.activate();
        let now = Instant::now();
        let connections = self.policy.connections.max(1) as usize;
        let patience = self.policy.outage.0;
        for (&id, host) in &mut self.hosts {
            if !host.active {
                // A robots.txt that other hosts wait for doesn't wait for a place.
                if let Some(job) = host.due(now) {
                    decisions.push(Decision::Turn(id, host.turn(job, now)));
                }
                continue;
            }
            if host
                .outage
                .since
                .is_some_and(|since| since.elapsed() <= patience)
            {
                // Whether it's the host or just some URLs is told by one that it
                // has answered before.
                if host.outstanding.is_empty() && host.next_start <= now {
                    let probe = host.probe();
                    decisions.push(Decision::Turn(id, host.turn(probe, now)));
                }
                continue;
            }

            let most = connections * if host.delay.is_zero() { AHEAD } else { 1 };
            let mut refusals = 0;
            // Refused URLs wait in the store until the caller has settled them:
            // it must do so before more are read from there.
            while host.outstanding.len() < most && refusals < REFUSALS {
                if matches!(host.gate, Gate::Unknown | Gate::Asked) {
                    // Only robots.txt itself passes, when its second try is due.
                    if let Some(job) = host.due(now) {
                        decisions.push(Decision::Turn(id, host.turn(job, now)));
                    }
                    break;
                }
                let Some(job) = host.next(id, store, now)? else {
                    break;
                };
                let decision = match &host.gate {
                    Gate::Closed(reason) => Decision::Closed(job, reason.clone()),
                    Gate::Refused(reason) => Decision::Disallowed(job, reason.clone()),
                    Gate::Open(Some(rules)) => match rules.verdict(&job.url.request_target()) {
                        RobotsVerdict::Allowed => Decision::Turn(id, host.turn(job, now)),
                        RobotsVerdict::Disallowed { line, rule } => {
                            let reason = format!("robots: line {line}, {rule}");
                            Decision::Disallowed(job, reason)
                        }
                    },
                    _ => Decision::Turn(id, host.turn(job, now)),
                };
                refusals += usize::from(!matches!(decision, Decision::Turn(..)));
                decisions.push(decision);
            }
        }
        Ok(())
    }

    /// Lets hosts in up to the number that is talked to at a time, and out
    /// when they have nothing left.
    fn activate(&mut self) {
        let idle: Vec<HostId> = self
            .hosts
            .iter()
            .filter(|(_, host)| host.active && host.is_idle())
            .map(|(&id, _)| id)
            .collect();
        for id in idle {
            if let Some(host) = self.hosts.get_mut(&id) {
                host.active = false;
                self.active -= 1;
            }
        }
        let most = self.policy.hosts.max(1) as usize;
        if self.active >= most {
            return;
        }
        for host in self
            .hosts
            .values_mut()
            .filter(|host| !host.active && !host.is_idle())
        {
            if self.active >= most {
                break;
            }
            host.active = true;
            self.active += 1;
        }
    }

    /// Whether nothing is waiting, in flight or due later.
    pub fn is_done(&self) -> bool {
        self.hosts.values().all(Host::is_idle)
    }

    /// The key of a host.
    pub fn key(&self, id: HostId) -> Option<HostKey> {
        self.hosts.get(&id).map(|host| host.key.clone())
    }

    /// Whether a host has lanes to serve.
    pub fn is_active(&self, id: HostId) -> bool {
        self.hosts.get(&id).is_some_and(|host| host.active)
    }

    /// The hosts that are talked to.
    pub fn active_hosts(&self) -> impl Iterator<Item = &HostKey> {
        self.hosts
            .values()
            .filter(|host| host.active)
            .map(|host| &host.key)
    }
}

impl Host {
    fn is_idle(&self) -> bool {
        self.queue.is_empty()
            && !self.on_disk
            && self.outstanding.is_empty()
            && self.later.is_empty()
    }

    fn turn(&mut self, job: Job, now: Instant) -> Turn {
        let not_before = self.next_start.max(now);
        self.next_start = not_before + self.delay;
        self.outstanding.insert(job.id);
        Turn { job, not_before }
    }

    /// Asks for robots.txt just to see whether the host answers.
    fn probe(&self) -> Job {
        /// No row has it.
        const NO_ROW: i64 = -1;
        Job {
            id: NO_ROW,
            url: self.key.robots_url(),
            path: super::job::Path::default(),
            via: None,
            via_imprint: super::imprint::Imprint::default(),
            barren: 0,
            nested: 0,
            tries: 0,
            as_robots: None,
            is_probe: true,
        }
    }

    /// A URL whose second try is due.
    fn due(&mut self, now: Instant) -> Option<Job> {
        let Reverse((due, job)) = self.later.peek().copied()?;
        if due > now {
            return None;
        }
        self.later.pop();
        self.later_jobs.remove(&job)
    }

    /// The next URL: one whose second try is due, else the first in the queue.
    fn next(&mut self, id: HostId, store: &Store, now: Instant) -> store::Result<Option<Job>> {
        if let Some(job) = self.due(now) {
            return Ok(Some(job));
        }
        if self.queue.is_empty() && self.on_disk {
            let taken = self.outstanding.len() + self.later_jobs.len();
            let jobs = store.waiting(id, HELD + taken)?;
            self.on_disk = jobs.len() == HELD + taken;
            for (priority, job) in jobs {
                if !self.outstanding.contains(&job.id) && !self.later_jobs.contains_key(&job.id) {
                    self.queue.insert((priority, job.id), job);
                }
            }
        }
        Ok(self.queue.pop_first().map(|(_, job)| job))
    }
}
