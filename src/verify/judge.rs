//! What there is to say of one record: its fields against the standard's rules,
//! its digests recomputed, what index and ledger should have of it.

use super::closure::Kept;
use super::finding::clip;
use super::revisits::SaidOfPayload;
use super::target::Target;
use super::{Findings, Location, Severity};
use crate::digest::{Algorithm, Digest, DigestError, Hasher};
use crate::http::Head;
use crate::snapshot::cdxj::{BlockStart, CdxjEntry};
use crate::snapshot::collection::Warc;
use crate::snapshot::reading::{Needs, Work};
use crate::warc::payload::{PayloadDigests, PayloadHasher};
use crate::warc::rules::{self, Strength};
use crate::warc::{Extent, Header, Irregular, RecordType};

/// Judges single records, on any thread.
pub(super) struct Judge<'a> {
    pub(super) target: &'a Target,
    /// Whether a payload digest is computed for records that state none.
    pub(super) for_index: bool,
    /// Whether it is told what an index has of records;
    pub(super) entries: bool,
    /// and what answers hold, to be scanned for links.
    pub(super) links: bool,
}

/// A record that goes by.
pub(super) struct Judging {
    header: Header,
    offset: u64,
    digesting: Digesting,
    /// Of an HTTP block.
    start: BlockStart,
    kept: Keeping,
}

/// What is kept of a block for the scan.
enum Keeping {
    /// The head of an HTTP block tells.
    Undecided,
    Decided(Option<Kept>),
}

/// What there is to say of a record.
pub(super) struct Judged {
    pub(super) header: Header,
    pub(super) findings: Findings,
    /// Digests that were recomputed.
    pub(super) digests: u64,
    /// Its line in an index.
    pub(super) entry: Option<CdxjEntry>,
    pub(super) of_payload: Option<SaidOfPayload>,
    pub(super) kept: Option<Kept>,
    pub(super) extent: (u64, u64),
    /// Length and media type of the entity of an HTTP message.
    pub(super) entity: Option<(u64, String)>,
}

impl Judging {
    /// Decides what is kept, where that isn't done, and gives it.
    fn decide(&mut self) -> Option<Kept> {
        match std::mem::replace(&mut self.kept, Keeping::Decided(None)) {
            Keeping::Undecided => Kept::of(&self.header, &self.start),
            Keeping::Decided(kept) => kept,
        }
    }
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
            kept: match (self.links, header.is_http()) {
                (false, _) => Keeping::Decided(None),
                (true, true) => Keeping::Undecided,
                (true, false) => Keeping::Decided(Kept::of(&header, &BlockStart::default())),
            },
            header,
        }
    }

    fn piece(&self, judging: &mut Judging, piece: &[u8]) {
        let mut body = piece;
        if (self.entries || self.links) && judging.digesting.is_http {
            let used = judging.start.update(piece);
            body = &piece[used..];
        }
        if matches!(judging.kept, Keeping::Undecided) && judging.start.is_over() {
            judging.kept = Keeping::Decided(judging.decide());
        }
        if let Keeping::Decided(Some(kept)) = &mut judging.kept {
            kept.add(body);
        }
        judging.digesting.update(piece);
    }

    fn end(&self, warc: &Warc, mut judging: Judging, extent: &Extent) -> Judged {
        let kept = judging.decide();
        let Judging {
            header,
            offset,
            digesting,
            start,
            ..
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
        let path = self.target.location(&warc.path).path;
        Judged {
            of_payload: SaidOfPayload::of(&header, &path, offset),
            kept,
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
        if header.is_arc() {
            // The standard is of WARC.
            if header.record_type() == RecordType::Warcinfo {
                let message = "an ARC file has no digests: whether it was changed can't be told";
                self.findings.add(
                    Severity::Note,
                    "no-digests",
                    None,
                    (self.location)(),
                    message,
                );
            }
            return;
        }
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
