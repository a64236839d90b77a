//! Marks: challenges slow their host down, and each host that serves pages is
//! asked once for one that can't exist.

use std::time::Duration;

use serde_json::json;

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::frontier::{Gate, HostId};
use crate::crawl::job::{Job, Outcome, Verdict};
use crate::crawl::marks::{Imprints, Look, Mark};
use crate::crawl::named::Named;
use crate::crawl::store::marks::{Marked, Unjudged};
use crate::crawl::store::state;
use crate::digest::Digest;
use crate::links::{Hop, Path};
use crate::url::{CanonicalUrl, HostKey};

/// Answers of a host that may wait for its probe; later ones go unmarked.
const MOST_UNJUDGED: u32 = 2000;
/// A host is probed when so many of its answers wait.
const PROBED_AT: u32 = 2;
/// The longest pause after a challenge.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

impl Keeper<'_> {
    /// Sees to the marks of an answer, before its row is written.
    pub(super) fn mark(
        &mut self,
        outcome: &mut Outcome,
        host: HostId,
        place: Option<(i64, u64, u64)>,
    ) -> Result<(), CrawlError> {
        let Some(place) = place.map(|(warc, offset, _)| (warc, offset)) else {
            return Ok(());
        };
        if matches!(outcome.verdict, Verdict::Retry(..)) {
            return Ok(());
        }
        let Some(answer) = &mut outcome.answer else {
            return Ok(());
        };
        let imprints = answer.imprints.take();
        if self.probes.contains_key(&outcome.job.id) {
            answer.mark = answer.mark.or(Some(Mark::Probe));
            answer.is_page = false;
            outcome.named = Named::default();
            self.store.mark(place, answer.mark.unwrap_or(Mark::Probe))?;
            // One that failed is asked for again by the next run.
            if matches!(outcome.verdict, Verdict::Captured | Verdict::Unchanged) {
                self.probes.remove(&outcome.job.id);
                self.learn(host, &outcome.job.host(), imprints)?;
            }
            return Ok(());
        }
        if let Some(mark) = answer.mark {
            self.store.mark(place, mark)?;
        }
        if let Some(imprints) = imprints {
            let is_known = outcome.job.path.is_seed();
            let waiting = Unjudged {
                url: outcome.job.id,
                place,
                is_known,
                imprints,
            };
            if self.wait_for_probe(host, &outcome.job, waiting)? {
                answer.mark = Some(Mark::Soft404);
                answer.is_page = false;
                self.store.mark(place, Mark::Soft404)?;
            }
        }
        Ok(())
    }

    /// A probe that a rule keeps out teaches nothing. One that failed may still
    /// teach something when the crawl is resumed, and until then its host's
    /// answers wait.
    pub(super) fn end_probe(&mut self, job: &Job, state: i64) -> Result<(), CrawlError> {
        match self.probes.remove(&job.id) {
            Some(host) if state != state::FAILED => self.learn(host, &job.host(), None),
            _ => Ok(()),
        }
    }

    /// Keeps an answer until its host's probe is answered. True where that is
    /// so already, and the answer is like it.
    fn wait_for_probe(
        &mut self,
        host: HostId,
        job: &Job,
        mut answer: Unjudged,
    ) -> Result<bool, CrawlError> {
        let key = job.host();
        // Between a worker's question and this answer it may have been learned.
        if let Some(look) = self.store.look(host)? {
            let is_missing = !answer.is_known && look.is_like(&answer.imprints);
            self.looks.learn(key, look);
            return Ok(is_missing);
        }
        let waiting = self.store.count_unjudged(host)?;
        if waiting >= MOST_UNJUDGED {
            return Ok(false);
        }
        // The first page of a host is taken for one that is there: somebody
        // links to it, and nothing is marked where all look like it.
        answer.is_known |= waiting == 0;
        self.store.add_unjudged(host, &answer)?;
        if waiting + 1 == PROBED_AT {
            self.probe(host, &key)?;
        }
        Ok(false)
    }

    /// Asks for a URL that can't exist, in its turn and as robots.txt allows.
    /// It is the same in every pass over a host.
    fn probe(&mut self, host: HostId, key: &HostKey) -> Result<(), CrawlError> {
        let unlikely = Digest::sha256(format!("probe {}", key.host()).as_bytes()).hex();
        let path = format!("/lastlight-probe-{}", &unlikely[..16]);
        let Ok(url) = key.robots_url().join(&path) else {
            return Ok(());
        };
        let way = Path::default().then(Hop::Prerequisite);
        self.add(&way, None, &url, None)?;
        if let Some((id, _)) = self.store.find(url.as_str())? {
            self.store.add_probe(id, host)?;
            self.probes.insert(id, host);
        }
        Ok(())
    }

    /// Takes in what a probe taught, and judges what waited for it.
    fn learn(
        &mut self,
        host: HostId,
        key: &HostKey,
        probe: Option<Imprints>,
    ) -> Result<(), CrawlError> {
        let waiting = self.store.unjudged(host)?;
        let known: Vec<Imprints> = waiting
            .iter()
            .filter(|answer| answer.is_known)
            .map(|answer| answer.imprints.clone())
            .collect();
        let look = Look::learned(probe, &known);
        for answer in waiting.iter().filter(|answer| !answer.is_known) {
            if look.is_like(&answer.imprints) {
                self.is_missing(answer)?;
            }
        }
        let learned = match look {
            Look::Plain => "nothing",
            Look::Like(Imprints::Page(_)) => "a page",
            Look::Like(Imprints::Redirect(_)) => "a redirect",
        };
        let fields = json!({ "host": key.to_string(), "missing_pages_are_told_by": learned });
        self.log.event("probed", fields);
        self.store.learned(host, &look)?;
        self.looks.learn(key.clone(), look);
        Ok(())
    }

    /// What a sitemap lists is taken for what is there; where such pages look like
    /// the host's missing ones, and aren't a few entries that are out of date, those
    /// can't be told.
    pub(in crate::crawl) fn believe_sitemaps(&mut self) -> Result<(), CrawlError> {
        for disputed in self.store.listed_as_missing()? {
            let (host, is_no_look) = (disputed.host, disputed.is_no_look());
            let which = if is_no_look {
                Marked::All
            } else {
                Marked::Listed
            };
            let (restored, pages) = self.store.forget_soft_404(host, which, &self.begun)?;
            self.progress.pages += pages;
            if !is_no_look {
                continue;
            }
            self.store.learned(host, &Look::Plain)?;
            if let Ok(url) = CanonicalUrl::parse(&disputed.url) {
                let key = url.host_key();
                let fields = json!({ "host": key.to_string(), "missing_pages_are_told_by": "nothing",
                    "listed": url.as_str(), "restored": restored });
                self.log.event("probed", fields);
                self.looks.learn(key, Look::Plain);
            }
        }
        Ok(())
    }

    fn is_missing(&mut self, answer: &Unjudged) -> Result<(), CrawlError> {
        self.store.mark(answer.place, Mark::Soft404)?;
        // What an earlier run counted isn't this one's.
        if let Some(time) = self.store.is_no_page(answer.url)?
            && time >= self.begun
        {
            self.progress.pages = self.progress.pages.saturating_sub(1);
        }
        Ok(())
    }

    /// A host that answers with challenges is asked more and more slowly, and
    /// in the end no more.
    pub(super) fn count_challenges(&mut self, outcome: &Outcome, host: HostId) {
        let mark = outcome.answer.as_ref().and_then(|answer| answer.mark);
        if mark != Some(Mark::Challenge) {
            if matches!(outcome.verdict, Verdict::Captured | Verdict::Unchanged)
                && outcome.job.as_robots.is_none()
            {
                self.challenges.remove(&host);
            }
            return;
        }
        let streak = self.challenges.entry(host).or_default();
        *streak += 1;
        let streak = *streak;
        let limit = self.config.marks.challenge_limit.value();
        if limit.is_some_and(|limit| streak >= limit) {
            let reason = format!("challenge: {streak} requests in a row were answered by one");
            self.frontier
                .open(host, Gate::Closed(reason), Duration::ZERO);
        } else if streak > 1 {
            let pause = Duration::from_secs(1) * 2_u32.saturating_pow(streak - 2);
            self.frontier.pause(host, pause.min(LONGEST_PAUSE));
        }
    }
}

/// Every host that has taught something.
pub(super) fn known_hosts(looks: Vec<(String, Look)>) -> impl Iterator<Item = (HostKey, Look)> {
    looks.into_iter().filter_map(|(key, look)| {
        let url = CanonicalUrl::parse(&key).ok()?;
        Some((url.host_key(), look))
    })
}
