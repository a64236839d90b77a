//! Verification: whether every byte is as it was sealed, every record reads
//! and has the digest it states, and index, ledger and pages say what the
//! records say, and whether each URL that a stored answer names has its row in
//! the ledger. Broken archives are normal input: what is wrong becomes a
//! [`Finding`]; an error means that we could not look. Nothing is written
//! beside what is verified. Memory doesn't grow with the number of records:
//! what must be compared across files is sorted in scratch files.

mod account;
mod bag;
mod closure;
mod finding;
mod fixity;
mod index;
mod join;
mod judge;
mod ledger;
mod missing;
mod pages;
mod records;
mod resync;
mod revisits;
mod stored;
mod target;
mod zip_structure;
mod zipped;

pub use account::{Account, Coverage, Host, Page as MissingOfPage, Reason};
pub use closure::Closed;
pub use finding::{Finding, Findings, KEPT_PER_RULE, Location, Severity};
pub use ledger::MALFORMED as LEDGER_MALFORMED;
pub use missing::MissingList;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::config::Limits;
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Kind;
use crate::snapshot::layout::{LEDGER, RECORDS};
use crate::snapshot::manifest::Seal;
use target::Target;

/// One of the things that are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// Every file against the manifests, every record's stored bytes against
    /// records.csv.
    Fixity,
    /// Every record read, its fields and digests.
    Records,
    /// The index against the records.
    Index,
    /// The ledger against the records.
    Ledger,
    /// The page lists against the records.
    Pages,
    /// What stored answers name against the ledger.
    Links,
}

impl Check {
    /// Every check, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Fixity,
        Self::Records,
        Self::Index,
        Self::Ledger,
        Self::Pages,
        Self::Links,
    ];

    /// The word on the command line and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixity => "fixity",
            Self::Records => "records",
            Self::Index => "index",
            Self::Ledger => "ledger",
            Self::Pages => "pages",
            Self::Links => "links",
        }
    }

    /// The check of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.as_str() == name)
    }
}

/// What became of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was done; its findings are in the report.
    Done,
    /// There is nothing of the kind; the reason says what is missing.
    NotApplicable(&'static str),
    /// The caller asked for others only.
    NotAsked,
}

/// What to check.
#[derive(Debug, Clone)]
pub struct Options {
    /// The checks to do.
    pub checks: Vec<Check>,
    /// Whether all that is missing is listed.
    pub list_missing: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checks: Check::ALL.to_vec(),
            list_missing: false,
        }
    }
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read, counting each pass over a file.
    pub bytes: u64,
    /// Bytes that will be read.
    pub total: u64,
}

/// The whole judgement in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No error was found. Nobody signed, so a consistent rewrite of
    /// everything would not show.
    IntactUnsigned,
    /// The records read, and nothing says what their bytes were: neither they nor any
    /// manifest bring a digest.
    Unproven,
    /// A crawl that isn't sealed: its records read, and nothing vouches for
    /// their number or for any other file.
    Unsealed,
    /// No check that was asked for applies, so nothing can be said.
    NothingChecked,
    /// Nothing is seen to be altered, but records break the standard in what
    /// names or dates them.
    Irregular,
    /// Nothing is seen to be altered, but stored answers name URLs that the
    /// ledger has no row of.
    NotClosed,
    /// Bytes, records or files are altered, lost or contradict each other.
    Altered,
}

impl Verdict {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IntactUnsigned => "intact-unsigned",
            Self::Unproven => "unproven",
            Self::Unsealed => "unsealed",
            Self::NothingChecked => "nothing-checked",
            Self::Irregular => "irregular",
            Self::NotClosed => "not-closed",
            Self::Altered => "altered",
        }
    }
}

/// What verification found out.
#[derive(Debug, Clone)]
pub struct Report {
    /// What was verified.
    pub path: PathBuf,
    /// What it is; `None` where it is too damaged to tell.
    pub kind: Option<Kind>,
    /// What the last sealing said, where a Lastlight snapshot is sealed.
    pub seal: Option<Seal>,
    /// Whether there is a manifest.
    pub sealed: bool,
    /// What became of each check.
    pub checks: Vec<(Check, Outcome)>,
    /// Files whose bytes were compared with a manifest.
    pub files: u64,
    /// Rows of records.csv whose bytes were compared.
    pub rows: u64,
    /// WARC files read.
    pub warcs: u64,
    /// Records read whole.
    pub records: u64,
    /// Digests in records that were recomputed.
    pub digests: u64,
    /// Index lines compared with their records.
    pub index_lines: u64,
    /// Ledger rows compared with their records.
    pub ledger_rows: u64,
    /// Pages looked up.
    pub pages: u64,
    /// What became of all URLs, where there is a ledger.
    pub account: Option<Account>,
    /// All that is missing, where that was asked for and there is a ledger.
    pub missing: Option<MissingList>,
    /// Bytes read, counting each pass over a file.
    pub bytes: u64,
    /// All findings.
    pub findings: Findings,
}

impl Report {
    fn new(path: &Path, kind: Option<Kind>) -> Self {
        Self {
            path: path.to_owned(),
            kind,
            seal: None,
            sealed: false,
            checks: Vec::new(),
            files: 0,
            rows: 0,
            warcs: 0,
            records: 0,
            digests: 0,
            index_lines: 0,
            ledger_rows: 0,
            pages: 0,
            account: None,
            missing: None,
            bytes: 0,
            findings: Findings::default(),
        }
    }

    /// Whether records were looked at, and neither they nor a manifest had any digest.
    fn brings_no_digest(&self) -> bool {
        let looked = (Check::Records, Outcome::Done);
        let compared = self.digests + self.files + self.rows;
        self.checks.contains(&looked) && self.records > 0 && compared == 0
    }

    /// The judgement.
    pub fn verdict(&self) -> Verdict {
        let done = self.checks.iter().any(|(_, o)| *o == Outcome::Done);
        let mut verdict = match self.kind {
            _ if !done => Verdict::NothingChecked,
            Some(Kind::Snapshot) if !self.sealed => Verdict::Unsealed,
            _ if self.brings_no_digest() => Verdict::Unproven,
            _ => Verdict::IntactUnsigned,
        };
        for (severity, rule, _) in self.findings.counts() {
            match severity {
                Severity::Error if rule == LINK_WITHOUT_ROW => verdict = Verdict::NotClosed,
                Severity::Error if rule.starts_with("field-") => {
                    if verdict != Verdict::NotClosed {
                        verdict = Verdict::Irregular;
                    }
                }
                Severity::Error => return Verdict::Altered,
                Severity::Warning | Severity::Note => {}
            }
        }
        verdict
    }
}

/// Bytes read so far by every thread.
#[derive(Default)]
struct Meter {
    bytes: AtomicU64,
    total: AtomicU64,
}

impl Meter {
    fn read(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    fn progress(&self) -> Progress {
        Progress {
            bytes: self.bytes.load(Relaxed),
            total: self.total.load(Relaxed),
        }
    }
}

/// Verifies a snapshot (sealed or not), a WARC, a WACZ in place, a bag, or a
/// folder of WARCs. `progress` is called from the calling thread only.
///
/// An error means that the path can't be looked at (it isn't there, is nothing
/// of the kind, or scratch space is missing).
pub fn verify(
    path: &Path,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, SnapshotError> {
    let target = match Target::open(path) {
        Ok(target) => target,
        Err(error) => return beyond_opening(path, error),
    };
    let mut report = Report::new(path, Some(target.kind));
    report.sealed = target.manifest.is_some();
    report.seal = target.manifest.as_ref().and_then(|m| m.lastlight.clone());
    report.findings.extend(target.findings.clone());
    let mut limits = None;
    report.checks = Check::ALL
        .into_iter()
        .map(|check| (check, outcome(check, &target, options, &mut limits)))
        .collect();
    let applies = |check| report.checks.contains(&(check, Outcome::Done));

    let meter = Meter::default();
    let warc_bytes: u64 = target.warcs.iter().map(|warc| warc.region().len()).sum();
    let fixity = applies(Check::Fixity);
    let reads = Check::ALL[1..].iter().any(|&check| applies(check));
    let passes = 2 * u64::from(fixity) + u64::from(reads);
    meter.total.store(warc_bytes * passes, Relaxed);

    let (target, meter) = (&target, &meter);
    let wanted = join::Wanted {
        index: applies(Check::Index),
        ledger: applies(Check::Ledger),
        pages: applies(Check::Pages),
        links: applies(Check::Links).then(|| target.weight_of_links()),
    };
    let report_records = applies(Check::Records);
    thread::scope(|scope| {
        // Each thread holds a sender until it ends.
        let (running, ended) = mpsc::channel::<()>();
        let files = fixity.then(|| {
            let running = running.clone();
            scope.spawn(move || (fixity::check(target, meter), drop(running)).0)
        });
        let rows = fixity.then(|| {
            let running = running.clone();
            scope.spawn(move || (stored::check(target, meter), drop(running)).0)
        });
        drop(running);
        if reads {
            let wanted = (wanted, report_records, limits);
            let list = options.list_missing;
            records_and_joins(&mut report, target, (wanted, list), meter, progress)?;
        }
        while ended.recv_timeout(Duration::from_millis(50)) == Err(RecvTimeoutError::Timeout) {
            progress(meter.progress());
        }
        let mut stored_findings = Findings::default();
        if let Some(files) = files {
            let (findings, count) = files.join().unwrap_or_else(|panic| resume_unwind(panic));
            stored_findings.extend(findings);
            report.files = count;
        }
        if let Some(rows) = rows {
            let (findings, count) = rows.join().unwrap_or_else(|panic| resume_unwind(panic));
            stored_findings.extend(findings);
            report.rows = count;
        }
        // What the stored bytes say comes first: it names the file and record.
        stored_findings.extend(std::mem::take(&mut report.findings));
        report.findings = stored_findings;
        Ok::<(), SnapshotError>(())
    })?;
    report.bytes = meter.bytes.load(Relaxed);
    progress(meter.progress());
    Ok(report)
}

/// The rule of a URL that a stored answer names and that has no row.
const LINK_WITHOUT_ROW: &str = "link-without-row";

/// Reads all records, and compares index, ledger and pages with them.
fn records_and_joins(
    report: &mut Report,
    target: &Target,
    ((wanted, report_records, limits), list): ((join::Wanted, bool, Option<Limits>), bool),
    meter: &Meter,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SnapshotError> {
    let rows = report_records && target.has_rows();
    let mut joins = join::Joins::new(target, wanted, rows);
    let mut findings = Findings::default();
    let sorting = || SnapshotError::io(&report.path, "sorting in scratch space");
    let needs_revisits = report_records || limits.is_some();
    let mut revisits = needs_revisits.then(|| revisits::Revisits::new(target));
    let (read, mut closed) = thread::scope(|scope| {
        let mut links = limits
            .as_ref()
            .map(|limits| closure::Closure::new(target, limits, scope));
        let read = records::check(
            target,
            &mut joins,
            (revisits.as_mut(), links.as_mut()),
            &mut findings,
            meter,
            progress,
        )?;
        let mut of_revisits = Findings::default();
        if let Some(revisits) = revisits {
            revisits.compare(&mut of_revisits, |revisit, original| match &mut links {
                Some(links) => links.revisit(revisit, original, &mut joins),
                None => Ok(()),
            })?;
        }
        findings.extend(of_revisits);
        let closed = links.map(|links| links.finish(&mut joins)).transpose()?;
        Ok((read, closed))
    })
    .map_err(sorting())?;
    (report.warcs, report.records, report.digests) = (read.warcs, read.records, read.digests);
    if report_records {
        report.findings.extend(findings);
    }
    let mut findings = Findings::default();
    if wanted.index {
        report.index_lines = index::gather(target, &mut joins, &mut findings)?;
    }
    let mut account = None;
    if wanted.ledger || wanted.links.is_some() {
        let (mut accounting, mut of_ledger) = (account::Accounting::default(), Findings::default());
        report.ledger_rows = ledger::gather(target, &mut joins, &mut accounting, &mut of_ledger)?;
        account = Some(if list {
            let (account, missing) = MissingList::finish(accounting).map_err(sorting())?;
            report.missing = Some(missing);
            account
        } else {
            accounting.finish(|_| Ok(())).map_err(sorting())?
        });
        // What can't be read is in no account.
        findings.extend(if wanted.ledger {
            of_ledger
        } else {
            of_ledger.of_rule(ledger::MALFORMED)
        });
    }
    if wanted.pages {
        report.pages = pages::gather(target, &mut joins, &mut findings)?;
    }
    if rows {
        stored::gather(target, &mut joins)?;
    }
    let links = joins.compare(&mut findings).map_err(sorting())?;
    if let (Some(account), Some(closed)) = (&mut account, &mut closed) {
        (closed.named, closed.without_row) = (links.named, links.without_row);
        account.links = Some(*closed);
        account.sitemaps = Some(links.sitemaps).filter(|sitemaps| sitemaps.listed > 0);
    }
    report.account = account;
    report.findings.extend(findings);
    Ok(())
}

/// What can be said about a check before doing it.
/// `limits` is filled in for the check of links.
fn outcome(
    check: Check,
    target: &Target,
    options: &Options,
    limits: &mut Option<Limits>,
) -> Outcome {
    if !options.checks.contains(&check) {
        return Outcome::NotAsked;
    }
    match check {
        Check::Fixity if target.kind == Kind::Warc => {
            Outcome::NotApplicable("a lone WARC has no manifest")
        }
        Check::Fixity if target.kind == Kind::Folder => {
            Outcome::NotApplicable("a folder of WARCs has no manifest")
        }
        Check::Fixity | Check::Index | Check::Ledger | Check::Pages | Check::Links
            if target.is_unsealed() =>
        {
            Outcome::NotApplicable("not sealed yet")
        }
        Check::Records if target.warcs.is_empty() => Outcome::NotApplicable("there is no WARC"),
        Check::Index if target.indexes.is_empty() => Outcome::NotApplicable("there is no index"),
        Check::Ledger if !target.has(LEDGER) => Outcome::NotApplicable("there is no ledger"),
        Check::Links if !target.is_ours() || !target.has(LEDGER) => {
            Outcome::NotApplicable("there is no ledger of a Lastlight crawl to be closed")
        }
        Check::Links => match closure::limits(target) {
            Ok(told) => {
                *limits = Some(told);
                Outcome::Done
            }
            Err(why) => Outcome::NotApplicable(why),
        },
        Check::Pages if !target.has_pages() => Outcome::NotApplicable("there is no page list"),
        _ => Outcome::Done,
    }
}

impl Target {
    /// How much a URL without a row weighs: another version's scanner may have
    /// found less.
    fn weight_of_links(&self) -> Severity {
        let ours = concat!("lastlight/", env!("CARGO_PKG_VERSION"));
        let manifest = self.manifest.as_ref();
        if manifest.is_some_and(|manifest| manifest.software == ours) {
            Severity::Error
        } else {
            Severity::Warning
        }
    }

    /// Whether records.csv vouches for the WARCs.
    fn has_rows(&self) -> bool {
        !self.is_unsealed() && self.has(RECORDS)
    }
}

/// A file that calls itself an archive and can't be opened as one is damaged;
/// anything else is a mistake of who named it.
fn beyond_opening(path: &Path, error: SnapshotError) -> Result<Report, SnapshotError> {
    let name = path.to_string_lossy().to_ascii_lowercase();
    let is_file = path.is_file();
    let claims = [".warc", ".warc.gz", ".warc.zst", ".wacz"]
        .iter()
        .any(|suffix| is_file && name.ends_with(suffix));
    let rule = match &error {
        SnapshotError::Zip { .. } => "zip-unreadable",
        SnapshotError::Unknown { .. } if claims => "archive-unreadable",
        SnapshotError::Io {
            path: at, source, ..
        } if source.kind() == std::io::ErrorKind::NotFound && at != path => "file-missing",
        _ => return Err(error),
    };
    let mut report = Report::new(path, None);
    let location = Location::file(path.to_string_lossy());
    report.findings.error(rule, location, error.to_string());
    report.checks = Check::ALL
        .map(|check| (check, Outcome::NotApplicable("it can't be opened")))
        .to_vec();
    Ok(report)
}

#[cfg(test)]
mod tests;
