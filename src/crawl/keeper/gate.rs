//! robots.txt before anything else of a host: asked for once, or read back
//! from our own WARC when a crawl goes on.

use std::time::Duration;

use serde_json::json;

use super::Keeper;
use crate::config::RobotsPolicy;
use crate::crawl::CrawlError;
use crate::crawl::frontier::{Decision, Gate, HostId};
use crate::crawl::job::{Job, RobotsOutcome};
use crate::crawl::process::{PRODUCT_TOKEN, robots_rules};
use crate::crawl::store::state;
use crate::http::{Head, MAX_HEAD_BYTES};
use crate::links::{Hop, Path};
use crate::net::Spool;
use crate::robots::{Robots, Rules, Verdict as RobotsVerdict};
use crate::snapshot::SnapshotError;
use crate::url::CanonicalUrl;

impl Keeper<'_> {
    /// Sees to the robots.txt of every host that needs it.
    pub fn ask_robots(&mut self) -> Result<(), CrawlError> {
        for (id, key) in self.frontier.wanting_robots() {
            self.robots_turn(id, key.robots_url(), 0)?;
        }
        for (id, key) in self.frontier.aged_robots() {
            self.robots_turn(id, key.robots_url(), 0)?;
        }
        Ok(())
    }

    /// Opens the gates that wait for a URL whose last try is over.
    pub(super) fn open_gates(
        &mut self,
        row: i64,
        url: &CanonicalUrl,
        robots: Option<&RobotsOutcome>,
    ) -> Result<(), CrawlError> {
        let Some(waiting) = self.robots_waiting.remove(&row) else {
            return Ok(());
        };
        for (host, behind) in waiting {
            // A page that was fetched as such may turn out to be somebody's
            // robots.txt; then it is read back.
            let robots = match robots {
                Some(robots) => Some(robots.clone()),
                None => self.recorded_robots(url, behind)?,
            };
            self.open_gate(host, behind, robots, Duration::ZERO)?;
        }
        Ok(())
    }

    /// Asks for a URL that is kept out at its turn, if a gate has come to wait
    /// for it: it is read as a robots.txt then, which nothing keeps out.
    pub(super) fn ask_as_robots(&mut self, job: &Job) -> Result<bool, CrawlError> {
        let waiting = self.robots_waiting.get(&job.id);
        let Some(&(_, behind)) = waiting.and_then(|gates| gates.first()) else {
            return Ok(false);
        };
        let job = Job {
            as_robots: Some(behind),
            ..job.clone()
        };
        let host = self.host(&job.host())?;
        if let Some(turn) = self.frontier.robots_turn(host, job) {
            self.pending.push(Decision::Turn(host, turn));
        }
        Ok(true)
    }

    fn obeys(&self) -> bool {
        self.config.politeness.robots == RobotsPolicy::Obey
    }

    fn open_gate(
        &mut self,
        host: HostId,
        behind: u32,
        robots: Option<RobotsOutcome>,
        age: Duration,
    ) -> Result<(), CrawlError> {
        match robots {
            Some(RobotsOutcome::Redirect(target)) => self.robots_turn(host, target, behind + 1)?,
            // It is captured, and what it says changes nothing.
            _ if !self.obeys() => {}
            Some(RobotsOutcome::Rules(rules)) => {
                self.tell_change(host, &rules);
                self.frontier.open(host, Gate::Open(Some(rules)), age);
            }
            Some(RobotsOutcome::Unavailable(reason)) => self.unavailable(host, &reason),
            // A robots.txt that redirects to where nothing may be fetched is one
            // that can't be had (RFC 9309 §2.3.1.2): the host itself is reachable.
            Some(RobotsOutcome::Refused(_)) if behind > 0 => {
                let rules = Robots::allow_all().rules_for(PRODUCT_TOKEN);
                self.frontier.open(host, Gate::Open(Some(rules)), age);
            }
            Some(RobotsOutcome::Refused(reason)) => {
                self.frontier.open(host, Gate::Refused(reason), age);
            }
            None => self.frontier.open(host, Gate::Open(None), age),
        }
        Ok(())
    }

    /// What robots.txt said before stays in force for a while (RFC 9309
    /// §2.3.1.4), but never silently: a site that closes its robots.txt would
    /// otherwise end its own capture, and nobody would know why.
    fn unavailable(&mut self, host: HostId, reason: &str) {
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        let stale = self.config.robots.stale;
        if self.frontier.keep_rules(host) {
            return self.alarm(
                "robots-unavailable",
                format!(
                    "robots.txt of {name} can't be had again ({reason}); what it said before \
                     stays in force until it is {stale} old"
                ),
            );
        }
        self.alarm(
            "robots-unavailable",
            format!("robots.txt of {name} can't be had ({reason}): nothing there may be fetched"),
        );
        let reason = format!("robots.txt: not to be had, so nothing may be fetched: {reason}");
        self.frontier
            .open(host, Gate::Closed(reason), Duration::ZERO);
    }

    /// Tells when rules aren't what they were.
    fn tell_change(&mut self, host: HostId, rules: &Rules) {
        let Some(before) = self.frontier.rules(host).filter(|before| *before != rules) else {
            return;
        };
        let closes = rules.verdict("/") != RobotsVerdict::Allowed
            && before.verdict("/") == RobotsVerdict::Allowed;
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        if closes {
            return self.alarm(
                "robots-changed",
                format!("robots.txt of {name} has changed and forbids its first page now"),
            );
        }
        self.progress.notes += 1;
        let fields = json!({ "host": name });
        self.log.event("robots-changed", fields);
    }

    /// Asks for a URL on behalf of a gate, or lets the gate wait where it is
    /// being asked for already.
    fn robots_turn(
        &mut self,
        gate: HostId,
        url: CanonicalUrl,
        behind: u32,
    ) -> Result<(), CrawlError> {
        // What waits already keeps its own way: it may be a seed.
        if !matches!(self.store.find(url.as_str())?, Some((_, state::QUEUED))) {
            self.add(&Path::default().then(Hop::Prerequisite), None, &url, None)?;
        }
        let Some((id, mut state)) = self.store.find(url.as_str())? else {
            return Ok(());
        };
        let mut age = Duration::ZERO;
        if state == state::CAPTURED && !self.refetching.contains(&id) {
            age = self.store.age(id)?;
            if age >= self.config.robots.refetch.0 {
                // What is known is in force until there is news.
                if self.obeys()
                    && self.frontier.rules(gate).is_none()
                    && let Some(RobotsOutcome::Rules(rules)) = self.recorded_robots(&url, behind)?
                {
                    self.frontier.open(gate, Gate::Open(Some(rules)), age);
                }
                self.refetching.insert(id);
            }
        }
        if self.refetching.contains(&id) {
            state = state::QUEUED;
        }
        // Nothing waits for it, and it asked for hours before: it has its turn
        // after the host's pages.
        if state == state::QUEUED && !self.obeys() && self.store.goes_last(id)? {
            return Ok(());
        }
        match state {
            state::QUEUED => {
                let waiting = self.robots_waiting.entry(id).or_default();
                waiting.push((gate, behind));
                let path = self.store.path(id)?;
                let own_host = self.host(&url.host_key())?;
                // It is waited for, however many hosts there are.
                if !self.frontier.knows(own_host) {
                    self.frontier.admit_host(own_host, url.host_key());
                }
                let job = Job {
                    id,
                    url,
                    path,
                    via: None,
                    via_imprint: crate::crawl::imprint::Imprint::default(),
                    barren: 0,
                    nested: 0,
                    tries: 0,
                    as_robots: Some(behind),
                    is_probe: false,
                };
                if let Some(turn) = self.frontier.robots_turn(own_host, job) {
                    self.pending.push(Decision::Turn(own_host, turn));
                }
                Ok(())
            }
            state::CAPTURED | state::UNCHANGED => {
                let robots = self.recorded_robots(&url, behind)?;
                self.open_gate(gate, behind, robots, age)
            }
            state => {
                let reason = self.store.reason(id)?.unwrap_or_default();
                let robots = match state {
                    state::EXCLUDED => RobotsOutcome::Refused(reason),
                    _ => RobotsOutcome::Unavailable(reason),
                };
                self.open_gate(gate, behind, Some(robots), age)
            }
        }
    }

    /// What the robots.txt in our WARC says.
    fn recorded_robots(
        &mut self,
        url: &CanonicalUrl,
        behind: u32,
    ) -> Result<Option<RobotsOutcome>, CrawlError> {
        let Some((filename, offset, _)) = self.store.place(url.as_str())? else {
            return Ok(None);
        };
        let limit = MAX_HEAD_BYTES + crate::robots::READ_LIMIT * 4;
        let Some(block) = self.answer_at(&filename, offset, limit)? else {
            let reason = "its record can't be read back".to_owned();
            return Ok(Some(RobotsOutcome::Unavailable(reason)));
        };
        let spool = self.layout.spool();
        let mut response = Spool::new(&spool, usize::MAX);
        response
            .write(&block)
            .map_err(SnapshotError::io(&spool, "writing"))?;
        let head = Head::parse(&block);
        // One without status is an answer without head (HTTP/0.9).
        let head = head
            .status()
            .map_or_else(|| Head::parse(&[]), |_| head.clone());
        Ok(Some(robots_rules(url, behind, &head, &response)))
    }
}
