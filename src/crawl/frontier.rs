//! Whose turn it is: a queue a host, its pauses, connections and robots rules.
//! In memory is only what is due soon; the store has the rest.

mod host;
mod outage;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use self::host::Host;
use self::outage::Standing;
use super::fetch::Turn;
use super::job::{Health, Job};
use super::store::{self, Store};
use crate::config::{Politeness, Robots, RobotsPolicy};
use crate::links::Hop;
use crate::robots::{Rules, Verdict as RobotsVerdict};
use crate::url::{CanonicalUrl, HostKey};

/// URLs of one host that are held in memory at most, and those of all hosts.
const HELD: usize = 2000;
const HELD_IN_ALL: usize = 32 * HELD / 2;
/// Bytes of the names of a URL that is held: longer ones, as hostile pages make
/// them, take the place of several.
const NAMES: usize = 512;
/// URLs of one host that wait for another try; with more no new one is begun.
const LATER: usize = 500;
/// Turns that wait at a lane when there is no pause between them, so that a
/// commit doesn't leave it idle.
const AHEAD: usize = 8;

/// Hosts that are held in memory; a page may name any number of others, which
/// wait in the store.
const HOSTS: usize = 20_000;
/// A host that has had no answer for so long doesn't count among those that are
/// talked to: hosts that let their visitors wait mustn't keep the others out.
const STALLED: Duration = Duration::from_secs(5);
/// How many times the hosts that are talked to there are with those at most.
const WITH_STALLED: usize = 4;

/// The row of a host.
pub type HostId = i64;

/// What robots.txt says so far.
pub enum Gate {
    /// Not asked yet.
    Unknown,
    /// On its way.
    Asked,
    /// Not asked yet, and nothing waits for it: it is ignored.
    Ignored,
    /// These rules; `None` where robots.txt is ignored.
    Open(Option<Rules>),
    /// No answer: nothing may be fetched.
    Closed(String),
    /// No address that may be connected to.
    Refused(String),
}

/// Memory for the rules of a host that isn't talked to; larger ones are read
/// back from the WARC.
const RULES: usize = 4 * 1024;

/// Refusals of one host that are decided on before they are written down.
const REFUSALS: usize = 500;

/// What dispatching decided about a URL.
pub enum Decision {
    /// Ask for it.
    Turn(HostId, Turn),
    /// A line of robots.txt forbids it, or the host's address does.
    Disallowed(Job, String),
    /// robots.txt gave no answer, or the host gives none any more.
    Closed(Job, String),
    /// The host isn't waited for any longer.
    GivenUp(HostId),
}

/// URLs of one host that are held where so many hosts have a place.
fn held(hosts: usize) -> usize {
    (HELD_IN_ALL / hosts.max(1)).clamp(50, HELD)
}

/// All hosts with work. Only those that have a place are looked at in each
/// round; the others stand in line for one.
pub struct Frontier {
    hosts: HashMap<HostId, Host>,
    policy: Politeness,
    robots: Robots,
    active: Vec<HostId>,
    line: VecDeque<HostId>,
    /// Hosts without place that have a robots.txt to be asked for again.
    later_without_place: BTreeSet<HostId>,
    /// Hosts that ask for more time than is waited for.
    postponed: BTreeSet<HostId>,
    /// URLs that lanes have.
    outstanding: usize,
    /// Whether the store has hosts with URLs that aren't held here.
    more_on_disk: bool,
}

impl Frontier {
    /// An empty frontier.
    pub fn new(policy: Politeness, robots: Robots) -> Self {
        Self {
            hosts: HashMap::new(),
            policy,
            robots,
            active: Vec::new(),
            line: VecDeque::new(),
            later_without_place: BTreeSet::new(),
            postponed: BTreeSet::new(),
            outstanding: 0,
            more_on_disk: false,
        }
    }

    /// Makes a host known, with URLs in the store; where there are too many,
    /// it stays there until others are done.
    pub fn add_host(&mut self, id: HostId, key: HostKey) {
        if self.hosts.len() >= HOSTS && !self.hosts.contains_key(&id) {
            if !self.more_on_disk {
                // What robots.txt says is read back from the WARC if they return.
                self.hosts.retain(|_, host| host.active || !host.is_idle());
            }
            if self.hosts.len() >= HOSTS / 2 {
                self.more_on_disk = true;
                return;
            }
        }
        self.admit_host(id, key);
    }

    /// Makes hosts known that have URLs waiting in the store.
    pub fn load_hosts(&mut self, store: &Store) -> store::Result<()> {
        self.more_on_disk = false;
        self.hosts.retain(|_, host| host.active || !host.is_idle());
        store.each_waiting_host(|id, key| {
            if let Ok(url) = CanonicalUrl::parse(key) {
                self.add_host(id, url.host_key());
            }
            !self.more_on_disk
        })
    }

    /// Makes a host known however many there are.
    pub fn admit_host(&mut self, id: HostId, key: HostKey) {
        let delay = self.policy.delay.0;
        let gate = match self.policy.robots {
            RobotsPolicy::Obey => Gate::Unknown,
            RobotsPolicy::Ignore => Gate::Ignored,
        };
        let host = self.hosts.entry(id);
        let host = host.or_insert_with(|| Host::new(key, delay, gate));
        host.on_disk = true;
        host.stand_in_line(id, &mut self.line);
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
        if !host.active || !in_order || job.names() > NAMES {
            host.on_disk = true;
            host.stand_in_line(id, &mut self.line);
            return;
        }
        host.queue.insert(place, job);
        if host.queue.len() > held(self.active.len()) {
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
    pub fn retry(&mut self, id: HostId, job: Job, pause: Duration) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        if !host.active && job.as_robots.is_some() {
            self.later_without_place.insert(id);
        }
        host.put_back(Instant::now() + pause, job);
        host.stand_in_line(id, &mut self.line);
    }

    /// Leaves a URL in the store, where it has been put behind all others of its
    /// host.
    pub fn put_last(&mut self, id: HostId) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.on_disk = true;
            host.stand_in_line(id, &mut self.line);
        }
    }

    /// Heeds a host that asks to be left alone for so long.
    pub fn asked_to_wait(&mut self, id: HostId, pause: Duration) {
        self.hold(id, Instant::now() + pause);
    }

    /// Heeds what lanes have heard of a host: where they gave a turn back, the
    /// next one mustn't come back at once too.
    pub fn heed_lanes(&mut self, id: HostId) {
        if let Some(until) = self.hosts.get(&id).map(|host| host.pace.earliest()) {
            self.hold(id, until);
        }
    }

    /// The time that the network was gone is no outage of any host.
    pub fn network_is_back(&mut self) {
        let now = Instant::now();
        for host in self.hosts.values_mut() {
            host.outage.hold(now);
        }
    }

    fn hold(&mut self, id: HostId, until: Instant) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        host.pause(until);
        if until > Instant::now() + self.policy.max_retry_after.0 {
            host.postponed = host.postponed.max(Some(until));
            host.outage.hold(until);
        }
    }

    /// Leaves a host alone for a while.
    pub fn pause(&mut self, id: HostId, pause: Duration) {
        if let Some(host) = self.hosts.get_mut(&id) {
            host.pause(Instant::now() + pause);
        }
    }

    /// Notes whether a host answered. `Some` means that it has gone silent: its
    /// URLs wait so long, and the tries don't count.
    ///
    /// A host that says itself that it is busy gets a pause that doubles with
    /// each such answer in a row. Either is given up when it has gone on for
    /// longer than is waited, until something that was on its way is answered.
    pub fn note(&mut self, id: HostId, health: Health) -> Option<Duration> {
        let patience = self.policy.outage.0;
        let host = self.hosts.get_mut(&id)?;
        if health == Health::Well {
            host.last_answer = Instant::now();
            host.outage.answered();
            return None;
        }
        host.outage.failed(patience);
        if health == Health::Busy {
            host.pause(Instant::now() + host.outage.busy_pause());
        }
        if host.outage.standing() != Standing::Out {
            return None;
        }
        let pause = host.outage.probe_pause();
        host.pause(Instant::now() + pause);
        Some(pause)
    }

    /// Notes that a URL's try is over.
    pub fn finished(&mut self, id: HostId, job: i64) {
        if let Some(host) = self.hosts.get_mut(&id) {
            self.outstanding -= usize::from(host.outstanding.remove(&job));
        }
    }

    /// Hosts whose robots.txt must be asked for; each is told once. Where its
    /// rules are ignored, nothing waits for it.
    pub fn wanting_robots(&mut self) -> Vec<(HostId, HostKey)> {
        let mut wanting = Vec::new();
        for &id in &self.active {
            let Some(host) = self.hosts.get_mut(&id) else {
                continue;
            };
            host.gate = match host.gate {
                Gate::Unknown => Gate::Asked,
                Gate::Ignored => Gate::Open(None),
                _ => continue,
            };
            wanting.push((id, host.key.clone()));
        }
        wanting
    }

    /// Notes how long an answer took. The pause follows the average of the last
    /// few; without a configured pause there is none.
    pub fn took(&mut self, id: HostId, elapsed: Duration) {
        let policy = &self.policy;
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        if policy.delay.0.is_zero() {
            return;
        }
        let average = host.took.map_or(elapsed, |took| (took * 3 + elapsed) / 4);
        host.took = Some(average);
        let seconds = (average.as_secs_f64() * policy.adaptive.max(0.0))
            .min(policy.max_adaptive_delay.0.as_secs_f64());
        host.adaptive = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    }

    /// Hosts whose rules are so old that robots.txt is asked for again; each is
    /// told once. The rules stay in force meanwhile.
    pub fn aged_robots(&mut self) -> Vec<(HostId, HostKey)> {
        let now = Instant::now();
        let mut aged = Vec::new();
        for &id in &self.active {
            if let Some(host) = self.hosts.get_mut(&id)
                && host.rules_due.is_some_and(|due| due <= now)
            {
                host.rules_due = None;
                aged.push((id, host.key.clone()));
            }
        }
        aged
    }

    /// The rules of a host, where it has some.
    pub fn rules(&self, id: HostId) -> Option<&Rules> {
        match &self.hosts.get(&id)?.gate {
            Gate::Open(rules) => rules.as_ref(),
            _ => None,
        }
    }

    /// Keeps a host's rules although robots.txt can't be had again, and asks
    /// for it now and then. False where there are none, or none that aren't too
    /// old.
    pub fn keep_rules(&mut self, id: HostId) -> bool {
        /// A day has so many parts.
        const PARTS: u32 = 24;
        let (refetch, stale) = (self.robots.refetch.0, self.robots.stale.0);
        let Some(host) = self.hosts.get_mut(&id) else {
            return false;
        };
        let in_force = matches!(host.gate, Gate::Open(Some(_)))
            && host
                .rules_since
                .is_some_and(|since| since.elapsed() <= stale);
        if in_force {
            let pause = (refetch / PARTS).max(Duration::from_secs(1));
            host.rules_due = Some(Instant::now() + pause);
        }
        in_force
    }

    /// Sets what robots.txt says, and how long ago it said so; a `Crawl-delay`
    /// longer than the pause wins, unless there is to be no pause at all.
    pub fn open(&mut self, id: HostId, gate: Gate, age: Duration) {
        let Some(host) = self.hosts.get_mut(&id) else {
            return;
        };
        (host.rules_since, host.rules_due) = (None, None);
        if let Gate::Open(Some(rules)) = &gate {
            let now = Instant::now();
            host.rules_since = Some(now.checked_sub(age).unwrap_or(now));
            let left = self.robots.refetch.0.saturating_sub(age);
            host.rules_due = Some(now + left);
            let asked = rules.crawl_delay().unwrap_or_default();
            let usual = self.policy.delay.0;
            if !usual.is_zero() {
                host.delay = usual.max(asked.min(self.policy.max_crawl_delay.0));
            }
        }
        // Rules come from an answer, of this run or an earlier one.
        if matches!(gate, Gate::Open(Some(_))) {
            host.outage.has_answered();
        }
        host.gate = gate;
    }

    /// Whether the host has answered, in this run or before.
    pub fn has_answered(&self, id: HostId) -> bool {
        let host = self.hosts.get(&id);
        host.is_some_and(|host| host.outage.has_ever_answered())
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
        if host.outstanding.contains(&job.id) {
            return None;
        }
        if let Some(later) = host.later_jobs.get_mut(&job.id) {
            later.as_robots = later.as_robots.or(job.as_robots);
            return None;
        }
        self.outstanding += 1;
        Some(host.turn(job, Instant::now()))
    }

    /// Decides on every URL whose turn has come. `Err` is the store's.
    pub fn dispatch(&mut self, store: &Store, decisions: &mut Vec<Decision>) -> store::Result<()> {
        let now = Instant::now();
        self.activate(store, now)?;
        self.robots_without_place(now, decisions);
        let connections = self.policy.connections.max(1) as usize;
        let patience = self.policy.outage;
        let held = held(self.active.len());
        for &id in &self.active {
            let Some(host) = self.hosts.get_mut(&id) else {
                continue;
            };
            if host.is_postponed(now) {
                continue;
            }
            match host.outage.standing() {
                Standing::Up => {}
                // Whether it's the host or just some URLs is told by one that it
                // has answered before.
                Standing::Out => {
                    if host.outstanding.is_empty() && host.next_start <= now {
                        let probe = host.probe();
                        self.outstanding += 1;
                        decisions.push(Decision::Turn(id, host.turn(probe, now)));
                    }
                    continue;
                }
                Standing::GivenUp => {
                    host.give_up(id, patience, (store, held), decisions)?;
                    continue;
                }
            }

            let most = connections * if host.delay.is_zero() { AHEAD } else { 1 };
            let mut refusals = 0;
            // Refused URLs wait in the store until the caller has settled them:
            // it must do so before more are read from there.
            while host.outstanding.len() < most && refusals < REFUSALS {
                if matches!(host.gate, Gate::Unknown | Gate::Asked) {
                    // Only robots.txt itself passes, when its second try is due.
                    if let Some(job) = host.due_robots(now) {
                        self.outstanding += 1;
                        decisions.push(Decision::Turn(id, host.turn(job, now)));
                    }
                    break;
                }
                let Some(job) = host.next(id, store, now, held, refusals == 0)? else {
                    break;
                };
                let decision = match &host.gate {
                    // What another host's rules are doesn't hang on this one's.
                    _ if job.as_robots.is_some() => Decision::Turn(id, host.turn(job, now)),
                    Gate::Closed(reason) => Decision::Closed(job, reason.clone()),
                    Gate::Refused(reason) => Decision::Disallowed(job, reason.clone()),
                    Gate::Open(Some(_))
                        if self.robots.requisites == RobotsPolicy::Ignore
                            && job.path.ends_with(Hop::Embed) =>
                    {
                        Decision::Turn(id, host.turn(job, now))
                    }
                    Gate::Open(Some(rules)) => match rules.verdict(&job.url.request_target()) {
                        RobotsVerdict::Allowed => Decision::Turn(id, host.turn(job, now)),
                        RobotsVerdict::Disallowed { line, rule } => {
                            let reason = format!("robots: line {line}, {rule}");
                            Decision::Disallowed(job, reason)
                        }
                    },
                    _ => Decision::Turn(id, host.turn(job, now)),
                };
                let refused = !matches!(decision, Decision::Turn(..));
                refusals += usize::from(refused);
                self.outstanding += usize::from(!refused);
                decisions.push(decision);
            }
        }
        Ok(())
    }

    /// A robots.txt that other hosts wait for doesn't wait for a place.
    fn robots_without_place(&mut self, now: Instant, decisions: &mut Vec<Decision>) {
        let mut outstanding = 0;
        self.later_without_place.retain(|&id| {
            let Some(host) = self.hosts.get_mut(&id).filter(|host| !host.active) else {
                return false;
            };
            while !host.is_postponed(now)
                && let Some(job) = host.due_robots(now)
            {
                outstanding += 1;
                decisions.push(Decision::Turn(id, host.turn(job, now)));
            }
            host.later_jobs.values().any(|job| job.as_robots.is_some())
        });
        self.outstanding += outstanding;
    }

    /// Lets hosts in up to the number that is talked to at a time, and out
    /// when they have nothing left, or let us wait while others stand in line.
    fn activate(&mut self, store: &Store, now: Instant) -> store::Result<()> {
        if self.more_on_disk && self.line.len() < HOSTS / 4 {
            self.load_hosts(store)?;
        }
        let over = |id: &HostId| {
            self.hosts
                .get(id)
                .is_none_or(|host| !host.is_postponed(now))
        };
        let over: Vec<HostId> = self.postponed.iter().copied().filter(over).collect();
        for id in over {
            self.postponed.remove(&id);
            if let Some(host) = self.hosts.get_mut(&id) {
                host.stand_in_line(id, &mut self.line);
            }
        }
        let others_wait = !self.line.is_empty();
        let mut stalled = 0;
        self.active.retain(|&id| {
            let Some(host) = self.hosts.get_mut(&id) else {
                return false;
            };
            let is_stalled = now.saturating_duration_since(host.last_answer) > STALLED;
            let is_idle = host.is_idle();
            let rests = host.is_postponed(now) && host.outstanding.is_empty();
            if is_idle || rests || (is_stalled && others_wait && host.outstanding.is_empty()) {
                host.active = false;
                host.on_disk |= !host.queue.is_empty();
                host.queue.clear();
                if let Gate::Open(Some(rules)) = &host.gate
                    && rules.memory() > RULES
                {
                    host.gate = Gate::Unknown;
                }
                if rests && !is_idle {
                    self.postponed.insert(id);
                } else if !is_idle {
                    host.stand_in_line(id, &mut self.line);
                    self.later_without_place.insert(id);
                }
                return false;
            }
            stalled += usize::from(is_stalled);
            true
        });
        let most = self.policy.hosts.max(1) as usize;
        while self.active.len() - stalled < most
            && self.active.len() < most * WITH_STALLED
            && let Some(id) = self.line.pop_front()
        {
            let Some(host) = self.hosts.get_mut(&id) else {
                continue;
            };
            host.in_line = false;
            if host.is_postponed(now) && !host.active {
                self.postponed.insert(id);
            } else if !host.active && !host.is_idle() {
                host.active = true;
                host.last_answer = now;
                self.active.push(id);
            }
        }
        Ok(())
    }

    /// Whether nothing is waiting, in flight or due later, but for hosts that
    /// ask for more time than is waited for.
    pub fn is_done(&self) -> bool {
        let worth_waiting = Instant::now() + self.policy.max_retry_after.0;
        let is_too_long = |id: &HostId| {
            let host = self.hosts.get(id);
            host.is_none_or(|host| host.is_idle() || host.is_postponed(worth_waiting))
        };
        // Where nothing is on its way, a gate may wait for a robots.txt that is
        // with a host that asks to be left alone.
        let is_postponed = self.is_postponed();
        let is_idle = |id: &HostId| {
            let host = self.hosts.get(id);
            host.is_none_or(|host| host.is_idle() || is_postponed && host.waits_elsewhere())
        };
        self.outstanding == 0
            && !self.more_on_disk
            && self.active.iter().all(is_idle)
            && self.line.iter().all(is_idle)
            && self.postponed.iter().all(is_too_long)
    }

    /// Whether a host with work asks to be left alone.
    pub fn is_postponed(&self) -> bool {
        let mut hosts = self.postponed.iter().filter_map(|id| self.hosts.get(id));
        hosts.any(|host| !host.is_idle())
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
        let hosts = self.active.iter().filter_map(|id| self.hosts.get(id));
        hosts.map(|host| &host.key)
    }
}
