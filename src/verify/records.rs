//! Every record read: its fields against the standard's rules, its digests
//! recomputed. After damage it goes on with the next record that reads.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

use super::finding::{InOrder, clip};
use super::join::{Beyond, Joins};
use super::resync::Starts;
use super::revisits::{Revisits, SaidOfPayload};
use super::target::Target;
use super::{Findings, Location, Meter, Progress, Severity};
use crate::digest::{Algorithm, Digest, DigestError, Hasher};
use crate::http::Head;
use crate::snapshot::cdxj::{BlockStart, CdxjEntry};
use crate::snapshot::collection::{Again, Warc};
use crate::snapshot::crew::{self, Crew};
use crate::snapshot::reading::{self, Needs, Work};
use crate::warc::payload::{PayloadDigests, PayloadHasher};
use crate::warc::rules::{self, Strength};
use crate::warc::{Extent, Header, Irregular, ReadError, RecordType};

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
    revisits: Option<&mut Revisits>,
    findings: &mut Findings,
    meter: &Meter,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Read> {
    let judge = Judge {
        target,
        for_index: joins.wants_digests(),
        entries: joins.wants_entries(),
        payloads: revisits.is_some(),
    };
    let pass = Pass {
        target,
        meter,
        told: Mutex::new(Told {
            joins,
            revisits,
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
struct Pass<'a> {
    target: &'a Target,
    meter: &'a Meter,
    told: Mutex<Told<'a>>,
}

/// What was found of all records so far; its parts don't mind their order.
struct Told<'a> {
    joins: &'a mut Joins,
    revisits: Option<&'a mut Revisits>,
    findings: InOrder,
    read: Read,
}

impl Told<'_> {
    fn take(&mut self, judged: &Judged, warc: &Warc) -> io::Result<()> {
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
            .record(&record_type, judged.entry.as_ref(), beyond)
    }
}

impl Pass<'_> {
    fn told<T>(&self, tell: impl FnOnce(&mut Told<'_>) -> T) -> T {
        tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn warc<'env>(&self, crew: &Crew<'env>, judge: &'env Judge<'env>, at: usize) -> io::Result<()> {
        let warc = &judge.target.warcs[at];
        let mut findings = Findings::default();
        let mut starts = Starts::new(self.target, warc);
        let (mut start, mut damage) = (0, 0);
        let mut again = Again::of(warc);
        if warc.region().is_empty() {
            let location = self.target.location(&warc.path);
            let message = "an empty file holds no record";
            findings.add(Severity::Warning, "warc-empty", None, location, message);
        }
        loop {
            let sink = |mut judged: Judged| {
                findings.extend(std::mem::take(&mut judged.findings));
                self.meter.records.fetch_add(1, Relaxed);
                self.told(|told| told.take(&judged, warc))
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

/// Judges single records, on any thread.
struct Judge<'a> {
    target: &'a Target,
    /// Whether a payload digest is computed for records that state none.
    for_index: bool,
    /// Whether it is told what an index has of records,
    entries: bool,
    /// and what records say of their payloads.
    payloads: bool,
}

/// A record that goes by.
struct Judging {
    header: Header,
    offset: u64,
    digesting: Digesting,
    /// Of an HTTP block.
    start: BlockStart,
}

/// What there is to say of a record.
struct Judged {
    header: Header,
    findings: Findings,
    /// Digests that were recomputed.
    digests: u64,
    /// Its line in an index.
    entry: Option<CdxjEntry>,
    of_payload: Option<SaidOfPayload>,
    extent: (u64, u64),
    /// Length and media type of the entity of an HTTP message.
    entity: Option<(u64, String)>,
}

impl Work for Judge<'_> {
    type Open = Judging;
    type Made = Judged;

    fn needs(&self, _: &Header) -> Needs {
        Needs::All
    }

    fn begin(&self, _: &Warc, header: Header, offset: u64) -> Judging {
        Judging {
            offset,
            digesting: Digesting::new(&header, self.for_index),
            start: BlockStart::default(),
            header,
        }
    }

    fn piece(&self, judging: &mut Judging, piece: &[u8]) {
        if self.entries && judging.digesting.is_http {
            judging.start.update(piece);
        }
        judging.digesting.update(piece);
    }

    fn end(&self, warc: &Warc, judging: Judging, extent: &Extent) -> Judged {
        let Judging {
            header,
            offset,
            digesting,
            start,
        } = judging;
        let is_http = digesting.is_http;
        let computed = digesting.finish();
        let location = || {
            self.target
                .location(&warc.path)
                .at(offset)
                .record(header.record_id())
                .url(header.target_uri())
        };
        let mut telling = Telling {
            location: &location,
            findings: Findings::default(),
            digests: 0,
        };
        telling.violations(&header);
        telling.irregular(extent);
        telling.digests(&header, &computed);
        let Telling {
            findings, digests, ..
        } = telling;

        let place = (extent.offset, extent.length);
        let (mut entry, mut entity) = (None, None);
        if self.entries {
            let head = start.head();
            let digest = header
                .field("WARC-Payload-Digest")
                .map(str::to_owned)
                .or_else(|| computed.fallback.as_ref().map(Digest::to_string));
            entry = CdxjEntry::of_record(&header, head.as_ref(), digest, place, &warc.filename);
            let media_type = || head.as_ref().and_then(Head::media_type).unwrap_or_default();
            let payload = computed.payload.as_ref().filter(|_| is_http);
            entity = payload.map(|payload| (payload.entity_length, media_type()));
        }
        let path = || self.target.location(&warc.path).path;
        let of_payload = self
            .payloads
            .then(|| SaidOfPayload::of(&header, &path(), offset));
        Judged {
            of_payload: of_payload.flatten(),
            entity,
            findings,
            digests,
            entry,
            extent: place,
            header,
        }
    }
}

/// What is wrong with one record.
struct Telling<'a> {
    location: &'a dyn Fn() -> Location,
    findings: Findings,
    digests: u64,
}

impl Telling<'_> {
    fn violations(&mut self, header: &Header) {
        for violation in rules::violations(header) {
            let severity = match violation.strength {
                Strength::Must => Severity::Error,
                Strength::Should => Severity::Warning,
            };
            self.tell(
                severity,
                violation.rule,
                violation.section,
                violation.message,
            );
        }
    }

    fn irregular(&mut self, extent: &Extent) {
        for irregular in &extent.irregular {
            let (severity, rule, section, message) = match irregular {
                Irregular::NoRecordEnd => (
                    Severity::Error,
                    "record-end",
                    "WARC 1.1 §4",
                    "it isn't closed by two line ends".to_owned(),
                ),
                Irregular::BytesAfterRecord(bytes) => (
                    Severity::Warning,
                    "bytes-after-record",
                    "WARC 1.1 §4",
                    format!("{bytes} bytes after it belong to no record"),
                ),
                Irregular::SharesMember => (
                    Severity::Warning,
                    "shared-member",
                    "WARC 1.1 annex D.2",
                    "it shares its gzip member with the record before, so no index can address it"
                        .to_owned(),
                ),
            };
            self.tell(severity, rule, section, message);
        }
    }

    fn digests(&mut self, header: &Header, computed: &Computed) {
        if let Some(stated) = self.stated(header.block_digest(), "WARC 1.1 §5.8")
            && let Some(found) = &computed.block
        {
            self.digests += 1;
            let of_nothing = Hasher::new(stated.algorithm()).finish();
            if *found != stated
                && stated == of_nothing
                && header.record_type() == RecordType::Revisit
            {
                let message = "its block digest is that of no bytes, as wget writes on revisits";
                self.warning("block-digest-of-nothing", "WARC 1.1 §5.8", message);
            } else if *found != stated {
                let message = format!("its block's digest is {found}, and it says {stated}");
                self.mismatch("block-digest", "WARC 1.1 §5.8", message);
            }
        }
        let Some(stated) = self.stated(header.payload_digest(), "WARC 1.1 §5.9") else {
            return;
        };
        let Some(found) = &computed.payload else {
            return;
        };
        self.digests += 1;
        if found.broken_chunks {
            let message = "it says chunked, and its chunks don't read to the end";
            self.note("chunks-broken", "WARC 1.1 §5.9", message);
        }
        if found.entity == stated {
            return;
        }
        if found.received == stated {
            let message = "its payload digest counts the chunk framing in, as older tools do";
            self.note("payload-digest-as-received", "WARC 1.1 §5.9", message);
        } else if header.field("WARC-Truncated").is_some() {
            let message = "the record is truncated, and its digest may be of the whole payload";
            self.note("payload-digest-truncated", "WARC 1.1 §5.15", message);
        } else {
            let message = format!(
                "its payload's digest is {}, and it says {stated}",
                found.entity
            );
            self.mismatch("payload-digest", "WARC 1.1 §5.9", message);
        }
    }

    /// A stated digest that can be compared; what can't is told.
    fn stated(
        &mut self,
        digest: Option<Result<Digest, DigestError>>,
        section: &'static str,
    ) -> Option<Digest> {
        match digest? {
            Ok(digest) => Some(digest),
            Err(error @ DigestError::UnknownAlgorithm(_)) => {
                self.note("digest-unknown", section, error.to_string());
                None
            }
            Err(error) => {
                self.warning("digest-malformed", section, &error.to_string());
                None
            }
        }
    }

    fn mismatch(&mut self, rule: &'static str, section: &'static str, message: String) {
        self.tell(Severity::Error, rule, section, message);
    }

    fn warning(&mut self, rule: &'static str, section: &'static str, message: &str) {
        self.tell(Severity::Warning, rule, section, message);
    }

    fn note(&mut self, rule: &'static str, section: &'static str, message: impl Into<String>) {
        self.tell(Severity::Note, rule, section, clip(&message.into()));
    }

    fn tell(
        &mut self,
        severity: Severity,
        rule: &'static str,
        section: &'static str,
        message: impl Into<String>,
    ) {
        self.findings
            .add(severity, rule, section, (self.location)(), message);
    }
}

/// The digests of one record while its block goes by.
struct Digesting {
    is_http: bool,
    block: Option<Hasher>,
    payload: Payload,
    /// What cdxj-indexer puts into an index for a record that states no
    /// payload digest.
    fallback: Option<Payload>,
}

enum Payload {
    /// There is none, or it isn't in the record.
    None,
    /// The block is the payload, and so is its digest.
    Block,
    Whole(Hasher),
    Http(Box<PayloadHasher>),
}

/// What came out.
struct Computed {
    block: Option<Digest>,
    payload: Option<PayloadDigests>,
    fallback: Option<Digest>,
}

impl Digesting {
    fn new(header: &Header, for_index: bool) -> Self {
        let (record_type, is_http) = (header.record_type(), header.is_http());
        let algorithm = |digest: Option<Result<Digest, DigestError>>| {
            digest.and_then(Result::ok).map(|d| d.algorithm())
        };
        let block = algorithm(header.block_digest());
        let stated = algorithm(header.payload_digest());
        let of = |algorithm| {
            if is_http {
                Payload::Http(Box::new(PayloadHasher::new(algorithm)))
            } else {
                Payload::Whole(Hasher::new(algorithm))
            }
        };
        // A revisit names the payload of the record that it stands for, a
        // segment that of all segments.
        let elsewhere = matches!(record_type, RecordType::Revisit | RecordType::Continuation)
            || header.field("WARC-Segment-Number").is_some();
        let payload = match stated {
            None => Payload::None,
            Some(_) if elsewhere => Payload::None,
            Some(_) if stated == block && !is_http => Payload::Block,
            Some(algorithm) => of(algorithm),
        };
        let indexed = matches!(
            record_type,
            RecordType::Response
                | RecordType::Revisit
                | RecordType::Resource
                | RecordType::Metadata
        );
        let unstated = header.field("WARC-Payload-Digest").is_none();
        Self {
            is_http,
            block: block.map(Hasher::new),
            payload,
            fallback: (for_index && indexed && unstated).then(|| of(Algorithm::Sha1)),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        if let Some(block) = &mut self.block {
            block.update(piece);
        }
        self.payload.update(piece);
        if let Some(fallback) = &mut self.fallback {
            fallback.update(piece);
        }
    }

    fn finish(self) -> Computed {
        let block = self.block.map(Hasher::finish);
        Computed {
            payload: self.payload.finish(block.as_ref()),
            fallback: self
                .fallback
                .and_then(|fallback| fallback.finish(None))
                .map(|digests| digests.entity),
            block,
        }
    }
}

impl Payload {
    fn update(&mut self, piece: &[u8]) {
        match self {
            Self::None | Self::Block => {}
            Self::Whole(hasher) => hasher.update(piece),
            Self::Http(hasher) => hasher.update(piece),
        }
    }

    fn finish(self, block: Option<&Digest>) -> Option<PayloadDigests> {
        let whole = |digest: Digest| PayloadDigests {
            entity: digest.clone(),
            received: digest,
            entity_length: 0,
            broken_chunks: false,
        };
        match self {
            Self::None => None,
            Self::Block => block.cloned().map(whole),
            Self::Whole(hasher) => Some(whole(hasher.finish())),
            Self::Http(hasher) => Some(hasher.finish()),
        }
    }
}
