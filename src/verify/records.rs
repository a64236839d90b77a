//! Every record read: its fields against the standard's rules, its digests
//! recomputed. After damage it goes on with the next record that reads.

use std::io;

use super::closure::{Closure, Sides};
use super::finding::clip;
use super::join::{Beyond, Joins};
use super::resync::Starts;
use super::revisits::Revisits;
use super::target::Target;
use super::{Findings, Location, Meter, Progress, Severity};
use crate::digest::{Algorithm, Digest, DigestError, Hasher};
use crate::http::{Head, MAX_HEAD_BYTES, head_length};
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Again, Warc};
use crate::snapshot::container::RegionReader;
use crate::warc::payload::{PayloadDigests, PayloadHasher};
use crate::warc::rules::{self, Strength};
use crate::warc::{Extent, Header, Irregular, ReadError, Reader, Record, RecordType};

/// So many damaged places in a WARC are passed over before it is given up.
const MOST_DAMAGE: u64 = 10_000;
/// The start of a block in which its HTTP head is looked for first.
const HEAD: usize = 64 * 1024;

/// What was read.
#[derive(Default)]
pub(super) struct Read {
    pub(super) warcs: u64,
    pub(super) records: u64,
    pub(super) digests: u64,
}

/// Reads every WARC. An error means that scratch space failed.
pub(super) fn check(
    target: &Target,
    joins: &mut Joins,
    (revisits, links): (Option<&mut Revisits>, Option<&mut Closure<'_>>),
    findings: &mut Findings,
    meter: &Meter,
    progress: &mut dyn FnMut(Progress),
) -> io::Result<Read> {
    let mut pass = Pass {
        target,
        joins,
        revisits,
        links,
        findings,
        meter,
        progress,
        read: Read::default(),
    };
    for warc in &target.warcs {
        pass.warc(warc)?;
        pass.read.warcs += 1;
    }
    Ok(pass.read)
}

struct Pass<'a, 't> {
    target: &'a Target,
    joins: &'a mut Joins,
    revisits: Option<&'a mut Revisits>,
    links: Option<&'a mut Closure<'t>>,
    findings: &'a mut Findings,
    meter: &'a Meter,
    progress: &'a mut dyn FnMut(Progress),
    read: Read,
}

impl Pass<'_, '_> {
    fn warc(&mut self, warc: &Warc) -> io::Result<()> {
        let mut starts = Starts::new(self.target, warc);
        let (mut start, mut damage) = (0, 0);
        let mut again = Again::of(warc);
        if warc.region().is_empty() {
            let location = self.target.location(&warc.path);
            let message = "an empty file holds no record";
            self.findings
                .add(Severity::Warning, "warc-empty", None, location, message);
        }
        loop {
            let mut reader = warc.reader_at(start);
            let Err(error) = self.read_on(&mut reader, warc)? else {
                return Ok(());
            };
            damage += 1;
            self.joins.damaged(&warc.filename);
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
            self.damaged(warc, failed_at, &error, next);
            match next {
                Some(next) => start = next,
                None => return Ok(()),
            }
        }
    }

    fn damaged(&mut self, warc: &Warc, at: u64, error: &ReadError, next: Option<u64>) {
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
        self.findings
            .add(severity, rule, section, location, format!("{told}{ending}"));
    }

    /// Reads records up to the end or the first that doesn't read.
    fn read_on(
        &mut self,
        reader: &mut Reader<RegionReader>,
        warc: &Warc,
    ) -> io::Result<Result<(), ReadError>> {
        loop {
            match reader.next_record() {
                Ok(Some(record)) => match self.record(record, warc)? {
                    Ok(()) => {}
                    Err(error) => return Ok(Err(error)),
                },
                Ok(None) => return Ok(Ok(())),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    fn record(
        &mut self,
        mut record: Record<'_, RegionReader>,
        warc: &Warc,
    ) -> io::Result<Result<(), ReadError>> {
        let header = record.header.clone();
        let record_type = header.record_type();
        let location = self
            .target
            .location(&warc.path)
            .at(record.offset())
            .record(header.record_id())
            .url(header.target_uri());
        let mut digesting = Digesting::new(&header, &record_type, self.joins.wants_digests());
        let mut start = Vec::new();
        let mut kept = None;
        let read = (|| {
            if header.is_http() {
                start = record.block(HEAD)?;
                if start.len() == HEAD && head_length(&start).is_none() {
                    start.extend(record.block(MAX_HEAD_BYTES)?);
                }
                digesting.update(&start);
            }
            kept = self.links.as_ref().and_then(|l| l.keep(&header, &start));
            record.each_piece(|piece| {
                digesting.update(piece);
                if let Some(kept) = &mut kept {
                    kept.add(piece);
                }
            })?;
            record.finish()
        })();
        let extent = match read {
            Ok(extent) => extent,
            Err(error) => return Ok(Err(error)),
        };
        for violation in rules::violations(&header) {
            let severity = match violation.strength {
                Strength::Must => Severity::Error,
                Strength::Should => Severity::Warning,
            };
            self.findings.add(
                severity,
                violation.rule,
                violation.section,
                location.clone(),
                violation.message,
            );
        }
        self.irregular(&extent, &location);
        let computed = digesting.finish();
        self.digests(&header, &computed, &location);
        if let Some(revisits) = &mut self.revisits {
            revisits.record(&header, &location)?;
        }

        let head = (!start.is_empty()).then(|| Head::parse(&start));
        let digest = header
            .field("WARC-Payload-Digest")
            .map(str::to_owned)
            .or_else(|| computed.fallback.as_ref().map(Digest::to_string));
        let place = (extent.offset, extent.length);
        let entry = CdxjEntry::of_record(&header, head.as_ref(), digest, place, &warc.filename);
        let entity = computed.payload.as_ref().filter(|_| header.is_http());
        let media_type = || head.as_ref().and_then(Head::media_type).unwrap_or_default();
        let beyond = Beyond {
            extent: place,
            filename: &warc.filename,
            id: header.record_id().unwrap_or_default(),
            entity: entity.map(|payload| (payload.entity_length, media_type())),
            truncated: header.field("WARC-Truncated").is_some(),
        };
        self.joins.record(&record_type, entry.as_ref(), beyond)?;
        if let (Some(links), Some(revisits)) = (&mut self.links, &mut self.revisits) {
            let joins = &mut *self.joins;
            let sides = Sides { joins, revisits };
            links.record(&header, kept, (&warc.filename, extent.offset), sides)?;
        }

        self.read.records += 1;
        self.meter.read(extent.length);
        self.meter
            .records
            .store(self.read.records, std::sync::atomic::Ordering::Relaxed);
        if self.read.records.is_multiple_of(256) {
            (self.progress)(self.meter.progress());
        }
        Ok(Ok(()))
    }

    fn irregular(&mut self, extent: &Extent, location: &Location) {
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
            self.findings
                .add(severity, rule, section, location.clone(), message);
        }
    }

    fn digests(&mut self, header: &Header, computed: &Computed, location: &Location) {
        if let Some(stated) = self.stated(header.block_digest(), "WARC 1.1 §5.8", location)
            && let Some(found) = &computed.block
        {
            self.read.digests += 1;
            let of_nothing = Hasher::new(stated.algorithm()).finish();
            if *found != stated
                && stated == of_nothing
                && header.record_type() == RecordType::Revisit
            {
                let message = "its block digest is that of no bytes, as wget writes on revisits";
                self.warning(
                    "block-digest-of-nothing",
                    "WARC 1.1 §5.8",
                    location,
                    message,
                );
            } else if *found != stated {
                let message = format!("its block's digest is {found}, and it says {stated}");
                self.mismatch("block-digest", "WARC 1.1 §5.8", location, message);
            }
        }
        let Some(stated) = self.stated(header.payload_digest(), "WARC 1.1 §5.9", location) else {
            return;
        };
        let Some(found) = &computed.payload else {
            return;
        };
        self.read.digests += 1;
        if found.broken_chunks {
            let message = "it says chunked, and its chunks don't read to the end";
            self.note("chunks-broken", "WARC 1.1 §5.9", location, message);
        }
        if found.entity == stated {
            return;
        }
        if found.received == stated {
            let message = "its payload digest counts the chunk framing in, as older tools do";
            self.note(
                "payload-digest-as-received",
                "WARC 1.1 §5.9",
                location,
                message,
            );
        } else if header.field("WARC-Truncated").is_some() {
            let message = "the record is truncated, and its digest may be of the whole payload";
            self.note(
                "payload-digest-truncated",
                "WARC 1.1 §5.15",
                location,
                message,
            );
        } else {
            let message = format!(
                "its payload's digest is {}, and it says {stated}",
                found.entity
            );
            self.mismatch("payload-digest", "WARC 1.1 §5.9", location, message);
        }
    }

    /// A stated digest that can be compared; what can't is told.
    fn stated(
        &mut self,
        digest: Option<Result<Digest, DigestError>>,
        section: &'static str,
        location: &Location,
    ) -> Option<Digest> {
        match digest? {
            Ok(digest) => Some(digest),
            Err(error @ DigestError::UnknownAlgorithm(_)) => {
                self.note("digest-unknown", section, location, error.to_string());
                None
            }
            Err(error) => {
                self.warning("digest-malformed", section, location, &error.to_string());
                None
            }
        }
    }

    fn mismatch(
        &mut self,
        rule: &'static str,
        section: &'static str,
        location: &Location,
        message: String,
    ) {
        self.findings
            .add(Severity::Error, rule, section, location.clone(), message);
    }

    fn warning(
        &mut self,
        rule: &'static str,
        section: &'static str,
        location: &Location,
        message: &str,
    ) {
        self.findings
            .add(Severity::Warning, rule, section, location.clone(), message);
    }

    fn note(
        &mut self,
        rule: &'static str,
        section: &'static str,
        location: &Location,
        message: impl Into<String>,
    ) {
        let message = clip(&message.into());
        self.findings
            .add(Severity::Note, rule, section, location.clone(), message);
    }
}

/// The digests of one record while its block goes by.
struct Digesting {
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
    fn new(header: &Header, record_type: &RecordType, for_index: bool) -> Self {
        let algorithm = |digest: Option<Result<Digest, DigestError>>| {
            digest.and_then(Result::ok).map(|d| d.algorithm())
        };
        let block = algorithm(header.block_digest());
        let stated = algorithm(header.payload_digest());
        let of = |algorithm| {
            if header.is_http() {
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
            Some(_) if stated == block && !header.is_http() => Payload::Block,
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
