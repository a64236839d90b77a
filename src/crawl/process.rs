//! What a worker thread makes of one try: digests, records, links and a
//! verdict. Nothing here waits for network or disk, but for spooled bodies.

use std::sync::Arc;
use std::time::Duration;

use super::dedup::{Dedup, Original};
use super::found::Found;
use super::identify::identify;
use super::job::{Answer, Health, Job, Outcome, Recording, Redirect, RobotsOutcome, Verdict};
use super::judge;
use super::marks::{Imprints, Look, Looks, Mark, challenge, soft_404};
use super::named::Named;
use super::payload_start::payload_start;
use super::recorder::{self, Digests, Findings, RecordContext, Recorder, digests, head_bytes};
use super::scope::Scope;
use super::warcs::Series;
use crate::config::{self, Config, Limits, Nofollow};
use crate::http::Head;
use crate::http::coding::Bounds;
use crate::links::Hop;
use crate::links::{self, is_robots};
use crate::net::{self, CertificateVerdict, Exchange, NetError, Spool, Truncated};
use crate::robots::{Robots, meta};
use crate::scan::{Format, Kind};
use crate::time::{WarcDate, lenient_seconds};
use crate::url::CanonicalUrl;

/// The product token that robots.txt files may name (RFC 9309 §2.2.1).
pub const PRODUCT_TOKEN: &str = "lastlight";

/// Answers up to this size tell by their time how busy the host is; of larger
/// ones the line has its part.
const MODERATE: u64 = 256 * 1024;
/// Redirects of robots.txt that are followed (RFC 9309 §2.3.1.2).
const MAX_ROBOTS_REDIRECTS: u32 = 5;
/// What of a robots.txt is read (RFC 9309 §2.5: at least 500 KiB).
const ROBOTS_BOUNDS: Bounds = Bounds {
    bytes: 4 << 20,
    ratio: 2000,
    codings: 4,
};

/// What processing needs beside the exchange; one a crawl.
pub struct Processing {
    /// What belongs to the site.
    pub scope: Arc<Scope>,
    /// What records have in common.
    pub records: RecordContext,
    /// Tries after the first.
    pub retries: u32,
    /// What one answer may cost.
    pub limits: Limits,
    /// The longest Retry-After that a robots.txt is waited for.
    pub max_wait: Duration,
    /// What nofollow does.
    pub nofollow: Nofollow,
    /// Payloads that are stored already.
    pub dedup: Arc<Dedup>,
    /// What hosts' missing pages look like.
    pub looks: Arc<Looks>,
    marks: config::Marks,
    traps: config::Traps,
}

/// What the keeper shares with the workers.
#[derive(Clone)]
pub struct Shared {
    /// The WARCs of this run.
    pub series: Arc<Series>,
    /// Payloads that are stored already.
    pub dedup: Arc<Dedup>,
    /// What hosts' missing pages look like.
    pub looks: Arc<Looks>,
}

impl Processing {
    /// For a configuration.
    pub fn new(
        config: &Config,
        scope: Arc<Scope>,
        spool: std::path::PathBuf,
        shared: Shared,
    ) -> Self {
        Self {
            scope,
            records: RecordContext {
                series: shared.series,
                spool,
                outlinks: config.warc.outlinks as usize,
                hosts: recorder::Hosts::default(),
            },
            retries: config.fetch.retries,
            limits: config.limits.clone(),
            dedup: shared.dedup,
            looks: shared.looks,
            marks: config.marks.clone(),
            traps: config.traps.clone(),
            max_wait: config.politeness.max_retry_after.0,
            nofollow: config.robots.nofollow,
        }
    }

    /// Turns one try into its outcome. An I/O error is our disk's.
    pub fn outcome(
        &self,
        recorder: &mut Recorder,
        job: Job,
        result: Result<Exchange, NetError>,
    ) -> std::io::Result<Outcome> {
        let result = match result {
            // The host isn't to blame: the next would be asked in vain too.
            Err(NetError::Connect { source, .. }) if net::is_out_of_files(&source) => {
                return Err(source);
            }
            result => result,
        };
        if job.is_probe {
            return Ok(probed(job, &result));
        }
        match result {
            Ok(exchange) => self.answered(recorder, job, &exchange),
            Err(NetError::Spool(error)) => Err(error),
            Err(error) => Ok(self.unanswered(job, &error)),
        }
    }

    fn unanswered(&self, job: Job, error: &NetError) -> Outcome {
        let reason = error.to_string();
        let verdict = match error {
            NetError::Refused { .. } | NetError::NotPublic { .. } | NetError::BadPort { .. } => {
                Verdict::Excluded(reason.clone())
            }
            NetError::Tls {
                is_lasting: true, ..
            } => Verdict::Failed(reason.clone()),
            _ if job.tries < self.retries => Verdict::Retry(backoff(job.tries), reason.clone()),
            _ => Verdict::Failed(reason.clone()),
        };
        let health = match error {
            // The host wasn't asked. Where the proxy gives no way to anything,
            // URLs wait as for a host that is silent.
            NetError::Proxy {
                is_denial: true, ..
            } => Health::Untold,
            // A name that stands for another address than before may be the word of
            // a router that lost its line: see `Keeper::heed_host`.
            NetError::NotPublic { .. }
            | NetError::BadPort { .. }
            | NetError::Tls {
                is_lasting: true, ..
            } => Health::Well,
            _ => Health::Silent,
        };
        let robots = match (job.as_robots, &verdict) {
            (None, _) | (_, Verdict::Retry(..)) => None,
            (Some(_), Verdict::Excluded(_)) => Some(RobotsOutcome::Refused(reason)),
            (Some(_), _) => Some(RobotsOutcome::Unavailable(reason)),
        };
        Outcome {
            verdict,
            robots,
            health,
            ..Outcome::of(job)
        }
    }

    fn answered(
        &self,
        recorder: &mut Recorder,
        job: Job,
        exchange: &Exchange,
    ) -> std::io::Result<Outcome> {
        let head_bytes = head_bytes(exchange)?;
        let head = Head::parse(&head_bytes);
        let status = head.status();
        let busy = status.is_some_and(is_busy);
        let host_pause = if busy { retry_after(&head) } else { None };
        let start = payload_start(&head, &exchange.response, self.looked_at(status));
        let length = exchange.response.len() - exchange.head_length as u64;
        let challenge = self.challenge(&job, &head, &start, length);
        // A site whose robots.txt is to be had only in hours is closed for now.
        let too_long = host_pause.is_some_and(|pause| pause > self.max_wait);
        let last_try = job.tries >= self.retries || (too_long && job.as_robots.is_some());
        let elapsed = (exchange.truncated.is_none() && exchange.response.len() <= MODERATE)
            .then_some(exchange.elapsed);
        let bad_certificate = bad_certificate(exchange);
        if busy && !last_try && challenge.is_none() {
            let reason = format!("status-{}", status.unwrap_or(0));
            let pause = host_pause.unwrap_or(Duration::ZERO).max(backoff(job.tries));
            return Ok(Outcome {
                verdict: Verdict::Retry(pause, reason),
                health: Health::of(status),
                heard: exchange.truncated.is_none(),
                host_pause,
                elapsed,
                bad_certificate,
                ..Outcome::of(job)
            });
        }
        let digests = digests(&exchange.response, exchange.headless)?;
        let mut found = match challenge {
            Some(_) => Found::default(),
            None => self.scanned(&job, &head, &exchange.response),
        };
        let wire = exchange.irregular.iter().map(ToString::to_string);
        found.named.notes.splice(0..0, wire);
        let is_whole = exchange.truncated.is_none() && challenge.is_none();
        let may_be_original = is_whole && self.is_payload_of_its_own(&job.url, &head, &digests);
        let original = may_be_original
            .then(|| {
                let payload = &digests.payload.entity;
                self.dedup.original(payload, job.url.as_str())
            })
            .flatten()
            // One that was asked for later was only answered sooner.
            .filter(|original| {
                let asked = self.records.series.version.date(exchange.started);
                original
                    .date
                    .parse()
                    .is_ok_and(|date: WarcDate| date <= asked)
            });
        let findings = Findings {
            digests: &digests,
            original: original.as_ref(),
            may_be_original,
            identified: identify(&start),
            links: &found.named.links,
            notes: challenge
                .map(|vendor| ("challenge", vendor.to_owned()))
                .into_iter()
                .collect(),
        };
        let recording = recorder.record(&self.records, &job, exchange, &head, &findings)?;
        let verdict = if let Some(truncated) = exchange.truncated {
            let reason = format!("cut: {}", truncated.as_str());
            // What is too long or too slow would be so again.
            if is_cut(exchange) && !last_try {
                Verdict::Retry(backoff(job.tries), reason)
            } else {
                Verdict::Failed(reason)
            }
        } else if let Some(vendor) = challenge {
            Verdict::Failed(format!("challenge: {vendor}"))
        } else if busy {
            Verdict::Failed(format!("status-{}", status.unwrap_or(0)))
        } else if let Some(reason) = not_http(exchange) {
            Verdict::Failed(reason.into())
        } else {
            Verdict::of_whole(original.as_ref(), &job.url)
        };
        let judged = Judged {
            verdict,
            recording,
            digests: &digests,
            host_pause,
            is_challenge: challenge.is_some(),
        };
        let started = exchange.started;
        let is_cut = is_cut(exchange);
        let outcome = self.understood(job, &head, &exchange.response, started, found, judged);
        Ok(Outcome {
            elapsed,
            bad_certificate,
            heard: exchange.truncated.is_none(),
            is_cut,
            health: if is_cut {
                Health::Untold
            } else {
                outcome.health
            },
            ..outcome
        })
    }

    /// Bytes of a payload by which it is told what it is.
    fn looked_at(&self, status: Option<u16>) -> usize {
        match status {
            _ if !self.marks.challenges => 4 * 1024,
            Some(200) => 16 * 1024,
            _ => challenge::LOOKED_AT,
        }
    }

    /// The vendor whose challenge page an answer is. What robots.txt is
    /// answered with is read by its rules alone.
    fn challenge(
        &self,
        job: &Job,
        head: &Head<'_>,
        start: &[u8],
        length: u64,
    ) -> Option<&'static str> {
        let is_robots = job.as_robots.is_some() || is_robots(&job.url);
        if !self.marks.challenges || is_robots {
            return None;
        }
        challenge::recognise(head, start, length)
    }

    /// As [`Self::challenge`], of an answer that is read back.
    pub fn recovered_challenge(
        &self,
        job: &Job,
        head: &Head<'_>,
        response: &Spool,
    ) -> Option<&'static str> {
        let start = payload_start(head, response, self.looked_at(head.status()));
        let length = response.len().saturating_sub(head.length as u64);
        self.challenge(job, head, &start, length)
    }

    /// Whether an answer's payload may be stored once for several URLs. That
    /// of robots.txt is read back from its own record.
    pub fn is_payload_of_its_own(
        &self,
        url: &CanonicalUrl,
        head: &Head<'_>,
        digests: &Digests,
    ) -> bool {
        head.status() == Some(200)
            && !digests.payload.broken_chunks
            && self.dedup.takes(digests.payload.entity_length)
            && !is_robots(url)
    }

    /// What an answer names. Whatever a page does to the scanner, its record is
    /// kept.
    pub fn scanned(&self, job: &Job, head: &Head<'_>, response: &Spool) -> Found {
        let scanned = std::panic::catch_unwind(|| Found::of(job, head, response, &self.limits));
        scanned.unwrap_or_else(|_| Found::failed())
    }

    /// Takes in what an answer says and names. Recovery calls it too, with bytes
    /// that are already in a WARC.
    pub fn understood(
        &self,
        job: Job,
        head: &Head<'_>,
        response: &Spool,
        started: crate::time::WarcDate,
        mut found: Found,
        judged: Judged<'_>,
    ) -> Outcome {
        let status = head.status();
        let notes = std::mem::take(&mut found.named.notes);
        let (soft_404, imprints) = self.looks_missing(&job, head, response, &found, &judged);
        let mark = match (judged.is_challenge, soft_404) {
            (true, _) => Some(Mark::Challenge),
            (_, true) => Some(Mark::Soft404),
            _ => None,
        };
        let is_html = found.named.format == Some(Format::Html) && status == Some(200);
        let mut answer = Answer {
            status,
            media_type: if head.length == 0 {
                headless_type(response)
            } else {
                head.media_type().unwrap_or_default()
            },
            bytes: judged.digests.payload.entity_length,
            digest: judged.digests.payload.entity.to_string(),
            time: started.timestamp14().rfc3339(),
            is_page: is_html && !job.path.ends_with(Hop::Embed) && mark.is_none(),
            title: found.named.title.clone(),
            mark,
            imprints,
            words: found.words,
            figures: found.figures,
            text: found.text,
            is_shell: found.is_shell,
            below: 0,
        };
        let robots = match (job.as_robots, &judged.verdict) {
            (None, _) | (_, Verdict::Retry(..)) => None,
            (Some(behind), verdict) => Some(robots(&job, behind, verdict, head, response)),
        };
        let new_seed = self.new_seed(&job, &found);
        let redirect = redirect(head, &found);
        let index_wishes = meta::wishes(head, found.robots.as_deref());
        let is_sitemap = found.named.is_sitemap();
        let mut named = judge::judge(found.named.links, is_sitemap, &job, &self.scope);
        answer.below = named.below;
        if self.nofollow == Nofollow::Leave && meta::is_nofollow(index_wishes.as_deref()) {
            for link in named.links.iter_mut().filter(|link| link.hop == Hop::Link) {
                link.excluded.get_or_insert("nofollow");
            }
        }
        Outcome {
            verdict: judged.verdict,
            answer: Some(answer),
            recording: judged.recording,
            named: Named::of(&job.url, named.links, &self.traps),
            notes,
            redirect,
            new_seed,
            robots,
            health: if judged.is_challenge {
                Health::Well
            } else {
                Health::of(status)
            },
            host_pause: judged.host_pause,
            index_wishes,
            ..Outcome::of(job)
        }
    }

    /// Whether an answer is one of its host's missing pages; while nobody knows
    /// what those look like, what it looks like.
    fn looks_missing(
        &self,
        job: &Job,
        head: &Head<'_>,
        response: &Spool,
        found: &Found,
        judged: &Judged<'_>,
    ) -> (bool, Option<Imprints>) {
        let is_whole = matches!(judged.verdict, Verdict::Captured | Verdict::Unchanged);
        if !self.marks.soft_404 || !is_whole || is_robots(&job.url) {
            return (false, None);
        }
        let look = self.looks.of(&job.host());
        if look.as_deref() == Some(&Look::Plain)
            || (look.is_none() && job.path.ends_with(Hop::Embed))
        {
            return (false, None);
        }
        let is_page = found.named.format == Some(Format::Html) && head.status() == Some(200);
        let page = is_page.then(|| payload_start(head, response, soft_404::LOOKED_AT));
        let imprints = Imprints::of(&job.url, head, page.as_deref());
        match (look, imprints) {
            (Some(look), Some(imprints)) => (!job.path.is_seed() && look.is_like(&imprints), None),
            (None, imprints) => (false, imprints),
            _ => (false, None),
        }
    }

    /// Where a seed redirects is what the archivist means by it: the scope
    /// grows, before the links are judged.
    fn new_seed(&self, job: &Job, found: &Found) -> Option<CanonicalUrl> {
        let (target, _) = found
            .named
            .links
            .iter()
            .find(|(_, hop)| *hop == Hop::Redirect)?;
        let leaves = job.path.is_seed() && !self.scope.belongs(target);
        leaves.then(|| {
            self.scope.add_seed(target);
            target.clone()
        })
    }
}

/// The redirect of an answer, and whether it sets a cookie.
fn redirect(head: &Head<'_>, found: &Found) -> Option<Redirect> {
    let (target, _) = found
        .named
        .links
        .iter()
        .find(|(_, hop)| *hop == Hop::Redirect)?;
    let is_redirect = (300..400).contains(&head.status()?);
    is_redirect.then(|| Redirect {
        target: target.clone(),
        sets_cookie: head.value("set-cookie").is_some(),
    })
}

/// A verdict with what it rests on.
pub struct Judged<'d> {
    /// What happens to the URL.
    pub verdict: Verdict,
    /// Its records.
    pub recording: Recording,
    /// Its digests.
    pub digests: &'d Digests,
    /// How long the host is to be left alone.
    pub host_pause: Option<Duration>,
    /// Whether it is a challenge page.
    pub is_challenge: bool,
}

impl Verdict {
    /// Of a whole answer: unchanged where the earlier snapshot has the URL with
    /// the same payload.
    pub fn of_whole(original: Option<&Original>, url: &CanonicalUrl) -> Self {
        match original {
            Some(original) if original.is_earlier && original.url == url.as_str() => {
                Self::Unchanged
            }
            _ => Self::Captured,
        }
    }
}

impl Outcome {
    /// A turn that wasn't taken.
    pub fn given_back(job: Job) -> Self {
        Self {
            given_back: true,
            ..Self::of(job)
        }
    }

    /// An outcome without answer.
    fn of(job: Job) -> Self {
        Self {
            job,
            verdict: Verdict::Captured,
            answer: None,
            recording: Recording::default(),
            named: Named::default(),
            notes: Vec::new(),
            redirect: None,
            new_seed: None,
            robots: None,
            host_pause: None,
            health: Health::Well,
            heard: false,
            is_cut: false,
            given_back: false,
            elapsed: None,
            bad_certificate: None,
            index_wishes: None,
        }
    }
}

/// Whether an answer was cut, by the host or on the way from it.
fn is_cut(exchange: &Exchange) -> bool {
    matches!(
        exchange.truncated,
        Some(Truncated::Disconnect | Truncated::Silence)
    )
}

/// Whether a host that had gone silent answers again.
fn probed(job: Job, result: &Result<Exchange, NetError>) -> Outcome {
    let health = |exchange: &Exchange| {
        let bytes = head_bytes(exchange).unwrap_or_default();
        match Head::parse(&bytes).status() {
            None => Health::Silent,
            status => Health::of(status),
        }
    };
    Outcome {
        health: result.as_ref().map_or(Health::Silent, health),
        ..Outcome::of(job)
    }
}

/// 1, 4, 16 … seconds.
pub(super) fn backoff(tries: u32) -> Duration {
    Duration::from_secs(4u64.saturating_pow(tries.min(5)))
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(head: &Head<'_>) -> Option<Duration> {
    /// No host waits for longer than a year.
    const YEAR: u64 = 366 * 86_400;
    let value = head.value("retry-after")?;
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().unwrap_or(YEAR)
    } else {
        let wait = lenient_seconds(value)? - jiff::Timestamp::now().as_second();
        u64::try_from(wait).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds.min(YEAR)))
}

/// How long a host that says that it has too much to do is to be left alone at
/// least.
pub(super) fn pause_asked_for(exchange: &Exchange) -> Option<Duration> {
    let bytes = head_bytes(exchange).ok()?;
    let head = Head::parse(&bytes);
    matches!(head.status(), Some(429 | 503))
        .then(|| retry_after(&head).unwrap_or(Duration::from_secs(1)))
}

fn bad_certificate(exchange: &Exchange) -> Option<String> {
    match &exchange.tls.as_ref()?.verdict {
        CertificateVerdict::Valid => None,
        CertificateVerdict::Invalid(reason) => Some(reason.clone()),
    }
}

/// An answer that begins with the SETTINGS frame of HTTP/2 (RFC 9113 §3.4)
/// comes from a server that speaks nothing else.
fn not_http(exchange: &Exchange) -> Option<&'static str> {
    let start = exchange.response.memory().unwrap_or_default();
    (exchange.headless && matches!(start, [0, 0, _, 4, _, 0, 0, 0, 0, ..]))
        .then_some("not-http: the server speaks only HTTP/2, which is not spoken here")
}

/// Whether a status says that the server can't answer now. Codes beyond the
/// standard's, such as 999, are answers.
pub fn is_busy(status: u16) -> bool {
    status == 429 || (500..600).contains(&status)
}

/// The media type of an answer that has no head to name it, by its first bytes.
pub fn headless_type(response: &Spool) -> String {
    use std::io::Read;
    let mut first = Vec::new();
    // What can't be read here can't be read later either, and is told there.
    let _ = response.reader().take(1024).read_to_end(&mut first);
    if Kind::sniff("", None, &first) == Some(Kind::Html) {
        return "text/html".into();
    }
    if let Some(kind) = infer::get(&first) {
        return kind.mime_type().into();
    }
    let is_text = !first.iter().any(|b| matches!(b, 0..=8 | 14..=26 | 28..=31));
    let known = if is_text {
        "text/plain"
    } else {
        "application/octet-stream"
    };
    known.into()
}

/// What an answer to robots.txt means (RFC 9309 §2.3.1).
fn robots(
    job: &Job,
    behind: u32,
    verdict: &Verdict,
    head: &Head<'_>,
    response: &Spool,
) -> RobotsOutcome {
    if let Verdict::Failed(reason) | Verdict::Excluded(reason) = verdict {
        return RobotsOutcome::Unavailable(reason.clone());
    }
    robots_rules(&job.url, behind, head, response)
}

/// The rules in an answer to robots.txt that was whole; `behind` redirects led
/// to it.
pub fn robots_rules(
    url: &CanonicalUrl,
    behind: u32,
    head: &Head<'_>,
    response: &Spool,
) -> RobotsOutcome {
    let robots = match head.status() {
        // An answer without head (HTTP/0.9) has no status either.
        Some(200..=299) | None => {
            let entity = links::entity(head, response, ROBOTS_BOUNDS);
            Robots::parse(&entity.map(|(text, _)| text).unwrap_or_default())
        }
        Some(300..=399) if behind < MAX_ROBOTS_REDIRECTS => match links::redirect(url, head) {
            Some(target) => return RobotsOutcome::Redirect(target),
            None => Robots::allow_all(),
        },
        _ => Robots::allow_all(),
    };
    RobotsOutcome::Rules(robots.rules_for(PRODUCT_TOKEN))
}
