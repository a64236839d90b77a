//! Every record of every WARC read, by several threads, and judged. After damage
//! reading goes on with the next record that reads.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::closure::{Closure, Sides, Waiting};
use super::finding::InOrder;
use super::join::{Beyond, Joins};
use super::judge::{Judge, Judged};
use super::resync::Starts;
use super::revisits::Revisits;
use super::target::Target;
use super::{Findings, Meter, Progress, Severity};
use crate::snapshot::collection::{Again, Warc};
use crate::snapshot::crew::{self, Crew};
use crate::snapshot::reading;
use crate::warc::ReadError;

/// So many damaged places in a WARC are passed over before it is given up.
const MOST_DAMAGE: u64 = 10_000;

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) warcs: u64,
    pub(super) records: u64,
    pub(super) digests: u64,
}

/// Reads every WARC, on several threads. An error means that scratch space failed.
pub(super) fn check(
    target: &Target,
    joins: &mut Joins,
    (revisits, links): (Option<&mut Revisits>, Option<&mut Closure<'_>>),
    findings: &mut Findings,
    meter: &Meter,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Read> {
    let judge = Judge {
        target,
        for_index: joins.wants_digests(),
        entries: joins.wants_entries(),
        links: links.is_some(),
    };
    let pass = Pass {
        target,
        meter,
        told: Mutex::new(Told {
            joins,
            revisits,
            links,
            findings: InOrder::default(),
            read: Read::default(),
        }),
    };
    let bytes = target.warcs.iter().map(|warc| warc.region().len()).sum();
    crew::run(
        crew::threads(bytes),
        target.warcs.len(),
        || progress(meter.progress()),
        |crew, at| pass.warc(crew, &judge, at),
    )?;
    let told = pass.told.into_inner();
    let told = told.unwrap_or_else(PoisonError::into_inner);
    findings.extend(told.findings.all());
    Ok(told.read)
}

/// All WARCs, each by one thread that reads it and tells what the judge said.
struct Pass<'a, 't> {
    target: &'a Target,
    meter: &'a Meter,
    told: Mutex<Told<'a, 't>>,
}

/// What was found of all records so far; its parts don't mind their order.
struct Told<'a, 't> {
    joins: &'a mut Joins,
    revisits: Option<&'a mut Revisits>,
    links: Option<&'a mut Closure<'t>>,
    findings: InOrder,
    read: Read,
}

impl Told<'_, '_> {
    /// Takes a record; `waiting` is of its WARC.
    fn take(
        &mut self,
        judged: Judged,
        warc: &Warc,
        waiting: &mut Option<Waiting>,
    ) -> io::Result<()> {
        self.read.records += 1;
        self.read.digests += judged.digests;
        if let (Some(revisits), Some(said)) = (&mut self.revisits, &judged.of_payload) {
            revisits.take(said)?;
        }
        let beyond = Beyond {
            extent: judged.extent,
            filename: &warc.filename,
            id: judged.header.record_id().unwrap_or_default(),
            entity: judged.entity.clone(),
            truncated: judged.header.field("WARC-Truncated").is_some(),
        };
        let record_type = judged.header.record_type();
        self.joins
            .record(&record_type, judged.entry.as_ref(), beyond)?;
        if let (Some(links), Some(revisits), Some(kept)) =
            (&mut self.links, &mut self.revisits, judged.kept)
        {
            let joins = &mut *self.joins;
            let sides = Sides { joins, revisits };
            let place = (warc.filename.as_str(), judged.extent.0);
            links.record(&judged.header, kept, place, waiting, sides)?;
        }
        Ok(())
    }
}

impl<'t> Pass<'_, 't> {
    fn told<T>(&self, tell: impl FnOnce(&mut Told<'_, 't>) -> T) -> T {
        tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn warc<'env>(&self, crew: &Crew<'env>, judge: &'env Judge<'env>, at: usize) -> io::Result<()> {
        let warc = &judge.target.warcs[at];
        let mut findings = Findings::default();
        let mut starts = Starts::new(self.target, warc);
        let (mut start, mut damage) = (0, 0);
        let mut again = Again::of(warc);
        let mut waiting = None;
        if warc.region().is_empty() {
            let location = self.target.location(&warc.path);
            let message = "an empty file holds no record";
            findings.add(Severity::Warning, "warc-empty", None, location, message);
        }
        loop {
            let sink = |mut judged: Judged| {
                findings.extend(std::mem::take(&mut judged.findings));
                self.told(|told| told.take(judged, warc, &mut waiting))
            };
            let mut reader = warc.reader_at(start);
            let passed = |bytes| self.meter.read(bytes);
            let Err(error) = reading::read(crew, judge, warc, &mut reader, sink, passed)? else {
                break;
            };
            damage += 1;
            self.told(|told| told.joins.damaged(&warc.filename));
            let failed_at = error.offset().max(start);
            // A file that the system can't read isn't read on: it would fail
            // at every byte.
            let go_on = !matches!(error, ReadError::Io { .. })
                && damage < MOST_DAMAGE
                && again.may_go_on(&error);
            let next = if go_on {
                starts.next(failed_at + 1).unwrap_or_default()
            } else {
                None
            };
            self.damaged(warc, failed_at, &error, next, &mut findings);
            match next {
                Some(next) => start = next,
                None => break,
            }
        }
        self.told(|told| {
            told.read.warcs += 1;
            if let Some(links) = &mut told.links {
                links.forget(&mut waiting);
            }
            told.findings.add(at, findings);
        });
        Ok(())
    }

    fn damaged(
        &self,
        warc: &Warc,
        at: u64,
        error: &ReadError,
        next: Option<u64>,
        findings: &mut Findings,
    ) {
        let rule = match error {
            ReadError::Io { .. } => "file-unreadable",
            ReadError::Truncated { .. } | ReadError::HeaderTruncated { .. } => "record-truncated",
            ReadError::Gzip { .. } => "gzip-damaged",
            ReadError::Zstd { .. } => "zstd-damaged",
            ReadError::NotARecord { .. } => "not-a-record",
            ReadError::HeaderTooLong { .. } => "header-too-long",
            ReadError::NoLength { .. } => "record-length",
        };
        let cut = matches!(
            error,
            ReadError::Truncated { .. }
                | ReadError::HeaderTruncated { .. }
                | ReadError::Gzip { .. }
                | ReadError::Zstd { .. }
        );
        let (severity, ending) = match next {
            Some(next) => (Severity::Error, format!("; reading goes on at byte {next}")),
            None if cut && self.target.is_unsealed() => (
                Severity::Warning,
                "; the crawl stopped while writing it, and resuming it puts that right".to_owned(),
            ),
            None => (Severity::Error, "; no record reads after it".to_owned()),
        };
        let section = match error {
            ReadError::NoLength { .. } => Some("WARC 1.1 §5.3"),
            ReadError::NotARecord { .. } | ReadError::HeaderTooLong { .. } => Some("WARC 1.1 §4"),
            _ => None,
        };
        let location = self.target.location(&warc.path).at(at);
        // The location names the file already.
        let told = error.to_string();
        let told = told
            .strip_prefix(&warc.path)
            .and_then(|told| told.strip_prefix(": "))
            .unwrap_or(&told);
        findings.add(severity, rule, section, location, format!("{told}{ending}"));
    }
}
