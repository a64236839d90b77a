//! What becomes of a URL after a try, and what the try tells of its host.

use std::time::Duration;

use serde_json::json;

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::frontier::HostId;
use crate::crawl::job::{Answer, Health, Job, Outcome, RobotsOutcome, Verdict};
use crate::crawl::process::backoff;
use crate::crawl::store::{self, SeedSource, state};
use crate::url::CanonicalUrl;

/// How long a URL waits at least that wasn't answered for want of a network.
const WHILE_GONE: Duration = Duration::from_secs(1);

impl Keeper<'_> {
    pub(super) fn settle(
        &mut self,
        mut outcome: Outcome,
        place: Option<store::Place>,
    ) -> Result<(), CrawlError> {
        let host = self.host(&outcome.job.host())?;
        self.frontier.finished(host, outcome.job.id);
        if outcome.given_back || outcome.job.is_probe {
            self.frontier.heed_lanes(host);
            if !outcome.given_back {
                self.frontier.note(host, outcome.health);
            } else if !outcome.job.is_probe {
                self.frontier.retry(host, outcome.job, Duration::ZERO);
            }
            return Ok(());
        }
        let asked = outcome.host_pause.unwrap_or_default();
        let silent = self.heed_host(&mut outcome, host, asked);
        // Else it would be the first to be asked for when the time is over, and
        // might say the same again before the host is asked for anything else.
        let goes_last = asked > self.config.politeness.max_retry_after.0;
        if goes_last {
            self.store.put_last(outcome.job.id)?;
        }
        self.mark(&mut outcome, host, place)?;
        self.count_challenges(&outcome, host);
        let job = &outcome.job;
        let captured = matches!(outcome.verdict, Verdict::Captured | Verdict::Unchanged);
        let stays = self.refetching.contains(&job.id) && !captured;
        let answer = outcome.answer.as_ref().filter(|_| !stays);
        if let Some(answer) = answer {
            self.progress.pages += u64::from(answer.is_page && captured);
            self.progress.received += answer.bytes;
        }
        self.write_log(&outcome);
        if let Some(seed) = &outcome.new_seed {
            self.store.add_seed(seed, SeedSource::Redirect)?;
        }
        let job = &outcome.job;
        let (state, reason) = match &outcome.verdict {
            Verdict::Captured => (state::CAPTURED, None),
            Verdict::Unchanged => (state::UNCHANGED, None),
            Verdict::Failed(reason) => (state::FAILED, Some(reason.as_str())),
            Verdict::Excluded(reason) => (state::EXCLUDED, Some(reason.as_str())),
            Verdict::Retry(pause, reason) => {
                if let Some(answer) = answer {
                    self.store.answered(job.id, answer, place, None)?;
                }
                let mut again = job.clone();
                again.tries += u32::from(!silent);
                self.try_again(host, again, (*pause, reason), goes_last)?;
                (state::QUEUED, None)
            }
        };
        if state != state::QUEUED {
            let answer = answer.map(|answer| (answer, place));
            self.end(job, (state, reason, job.tries + 1), answer)?;
            self.open_gates(job.id, &job.url, outcome.robots.as_ref())?;
        }
        self.account(host, &outcome)?;
        self.add_links(outcome)
    }

    /// Takes in what an outcome tells of its host, which may ask for some time.
    /// True if the host has gone silent: that takes no try away.
    fn heed_host(&mut self, outcome: &mut Outcome, host: HostId, asked: Duration) -> bool {
        if let Some(elapsed) = outcome.elapsed {
            self.frontier.took(host, elapsed);
        }
        if let Some(reason) = &outcome.bad_certificate {
            self.bad_certificate(host, reason);
        }
        if outcome.may_be_of_network()
            && self.network.is_gone()
            && let Verdict::Retry(_, reason) | Verdict::Failed(reason) | Verdict::Excluded(reason) =
                &outcome.verdict
        {
            outcome.verdict = Verdict::Retry(WHILE_GONE, reason.clone());
            outcome.robots = None;
            return true;
        }
        // A name that stood for another address before: the site's rows don't end
        // for what one resolver says now.
        if outcome.health == Health::Silent
            && self.frontier.has_answered(host)
            && let Verdict::Excluded(reason) = &outcome.verdict
        {
            let (reason, tries) = (reason.clone(), outcome.job.tries);
            if tries < self.config.fetch.retries {
                outcome.robots = None;
                outcome.verdict = Verdict::Retry(backoff(tries), reason);
            } else {
                let robots = outcome.robots.take();
                outcome.robots = robots.map(|_| RobotsOutcome::Unavailable(reason.clone()));
                outcome.verdict = Verdict::Failed(reason);
            }
        }
        // Whatever becomes of the URL, the host is left alone.
        if let Some(pause) = outcome.host_pause {
            self.frontier.asked_to_wait(host, pause);
        }
        if outcome.health != Health::Untold
            && let Some(pause) = self.frontier.note(host, outcome.health)
            && let Verdict::Retry(_, reason) | Verdict::Failed(reason) = &outcome.verdict
        {
            outcome.verdict = Verdict::Retry(pause.max(asked), reason.clone());
            outcome.robots = None;
            return true;
        }
        false
    }

    fn try_again(
        &mut self,
        host: HostId,
        mut again: Job,
        (pause, reason): (Duration, &str),
        goes_last: bool,
    ) -> Result<(), CrawlError> {
        self.trouble(&again.url, reason);
        // A gate may have come to wait for it meanwhile.
        let waiting = self.robots_waiting.get(&again.id);
        let behind = waiting.and_then(|gates| gates.first());
        again.as_robots = again.as_robots.or(behind.map(|&(_, behind)| behind));
        if !self.refetching.contains(&again.id) {
            self.store
                .settle(again.id, (state::QUEUED, Some(reason), again.tries))?;
        }
        if goes_last && again.as_robots.is_none() {
            self.frontier.put_last(host);
        } else {
            self.frontier.retry(host, again, pause);
        }
        Ok(())
    }

    /// Writes how a URL ends for now, and with which answer. What is captured already
    /// stays so, with its first answer if there is no other.
    fn end(
        &mut self,
        job: &Job,
        end @ (state, reason, _): store::End<'_>,
        answer: Option<(&Answer, Option<store::Place>)>,
    ) -> Result<(), CrawlError> {
        if state == state::FAILED {
            self.trouble(&job.url, reason.unwrap_or_default());
        }
        self.end_probe(job, state)?;
        if self.refetching.remove(&job.id) {
            if let Some((answer, place)) = answer {
                self.store.answered(job.id, answer, place, None)?;
            }
            return Ok(());
        }
        let counts = &mut self.progress.counts;
        counts.unreached -= 1;
        *match state {
            state::CAPTURED => &mut counts.captured,
            state::UNCHANGED => &mut counts.unchanged,
            state::FAILED => &mut counts.failed,
            _ => &mut counts.excluded,
        } += 1;
        match answer {
            Some((answer, place)) => self.store.answered(job.id, answer, place, Some(end))?,
            None => self.store.settle(job.id, end)?,
        }
        Ok(())
    }

    fn trouble(&mut self, url: &CanonicalUrl, reason: &str) {
        self.progress.errors += 1;
        self.progress.last_error = Some(format!("{url}: {reason}"));
    }

    /// Writes what became of a URL to the crawl log.
    fn write_log(&mut self, outcome: &Outcome) {
        let (event, reason) = match &outcome.verdict {
            Verdict::Captured => ("captured", None),
            Verdict::Unchanged => ("unchanged", None),
            Verdict::Failed(reason) => ("failed", Some(reason)),
            Verdict::Excluded(reason) => ("excluded", Some(reason)),
            Verdict::Retry(_, reason) => ("retry", Some(reason)),
        };
        let answer = outcome.answer.as_ref();
        for note in &outcome.notes {
            self.progress.notes += 1;
            let fields = json!({ "url": outcome.job.url.as_str(), "note": note });
            self.log.event("irregular", fields);
        }
        let fields = json!({
            "url": outcome.job.url.as_str(),
            "status": answer.and_then(|a| a.status),
            "bytes": answer.map(|a| a.bytes),
            "reason": reason,
            "robots": outcome.index_wishes,
        });
        self.log.event(event, fields);
    }

    /// Settles a URL that is kept out at its turn, unless a gate waits for it.
    pub fn refuse(&mut self, job: &Job, state: i64, reason: &str) -> Result<(), CrawlError> {
        if job.as_robots.is_none() && self.ask_as_robots(job)? {
            return Ok(());
        }
        self.end(job, (state, Some(reason), job.tries), None)?;
        let (event, robots) = if state == state::FAILED {
            ("failed", RobotsOutcome::Unavailable(reason.to_owned()))
        } else {
            ("excluded", RobotsOutcome::Refused(reason.to_owned()))
        };
        let fields = json!({ "url": job.url.as_str(), "reason": reason });
        self.log.event(event, fields);
        self.open_gates(job.id, &job.url, Some(&robots))
    }
}
