//! Checks one record anew: that it reads to its end, that its bytes are those
//! whose digests it states, that it is the one that index and list of records mean.

use std::sync::Arc;

use super::before;
use crate::digest::{Digest, Hasher};
use crate::replay::content::Capture;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Collection, Warc, entry_fits};
use crate::snapshot::layout::RECORDS;
use crate::snapshot::records;
use crate::warc::payload::PayloadHasher;
use crate::warc::{Extent, Header, Irregular, ReadError, RecordType};

/// Rows of the list of records that are read for one of them.
const MAX_ROWS: usize = 5_000_000;

/// What came of one check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub what: &'static str,
    /// Whether it is as it should be; `None` where nothing tells.
    pub holds: Option<bool>,
    /// The value, or what is wrong.
    pub said: String,
    /// Whether it would tell of altered bytes.
    pub vouches: bool,
}

impl Checked {
    fn new(what: &'static str, holds: Option<bool>, said: impl Into<String>) -> Self {
        Self {
            what,
            holds,
            said: said.into(),
            vouches: false,
        }
    }

    fn vouching(self) -> Self {
        Self {
            vouches: true,
            ..self
        }
    }
}

/// What the checks of a record come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A digest or the list of records vouches for its bytes, and nothing contradicts.
    Holds,
    /// It can be read, and nothing tells whether its bytes are those that were captured.
    Unvouched,
    /// Something isn't as it should be.
    Altered,
}

impl Verdict {
    /// That of a record's checks.
    pub fn of(checks: &[Checked]) -> Self {
        let vouches = |each: &Checked| each.vouches && each.holds == Some(true);
        if checks.iter().any(|each| each.holds == Some(false)) {
            Self::Altered
        } else if checks.iter().any(vouches) {
            Self::Holds
        } else {
            Self::Unvouched
        }
    }
}

const WHOLE: &str = "Reads to its end";

/// Reads a record to its end and says of each thing that vouches for it whether it
/// does. A record that can't be read is a finding, no error.
pub fn check(
    collection: &Collection,
    others: &[Arc<Collection>],
    entry: &CdxjEntry,
) -> Result<Vec<Checked>, SnapshotError> {
    let warc = collection.warc_of(entry)?;
    let failed = |said: String| Ok(vec![Checked::new(WHOLE, Some(false), said)]);
    let before = match before(warc, entry) {
        Ok(Some(before)) => before,
        Ok(None) => {
            let said = "the record that the index names isn't there".to_owned();
            return failed(said);
        }
        Err(error) => return failed(error.to_string()),
    };
    match read(warc, entry, before) {
        Ok(Some((hashers, header, extent))) => {
            let mut checked = vec![whole(&extent), place(entry, &header, &extent, before)];
            checked.extend(hashers.finish(&header, entry));
            if header.record_type() == RecordType::Revisit {
                checked.push(repeated(collection, others, entry, &header));
            }
            checked.push(listed(collection, entry, &extent)?);
            Ok(checked)
        }
        Ok(None) => failed("no record begins there".to_owned()),
        Err(error) => failed(error.to_string()),
    }
}

/// Reads one record whole.
fn read(
    warc: &Warc,
    entry: &CdxjEntry,
    before: usize,
) -> Result<Option<(Hashers, Header, Extent)>, ReadError> {
    let mut reader = warc.reader_at(entry.offset).hashing();
    for _ in 0..before {
        reader.next_record()?;
    }
    let Some(mut record) = reader.next_record()? else {
        return Ok(None);
    };
    let mut hashers = Hashers::new(&record.header, entry);
    record.each_piece(|piece| hashers.update(piece))?;
    let (header, extent) = record.finish_with_header()?;
    Ok(Some((hashers, header, extent)))
}

fn whole(extent: &Extent) -> Checked {
    let mut said = format!("{} bytes as stored", extent.length);
    for irregular in &extent.irregular {
        said += match irregular {
            Irregular::NoRecordEnd => "; without the line ends that close a record",
            Irregular::BytesAfterRecord(_) => "; bytes that are no record follow it",
            Irregular::SharesMember => "; other records are in the same gzip member",
        };
    }
    Checked::new(WHOLE, Some(true), said)
}

fn place(entry: &CdxjEntry, header: &Header, extent: &Extent, before: usize) -> Checked {
    // Of several records in a member the index names the first one's place.
    let length_fits = entry.length == 0 || entry.length == extent.length || before > 0;
    let said = match (entry_fits(entry, header), length_fits) {
        (true, true) => "URL and time are the record's".to_owned(),
        (true, false) => format!("the index says {} bytes", entry.length),
        (false, _) => "the index names another URL or time".to_owned(),
    };
    let holds = entry_fits(entry, header) && length_fits;
    Checked::new("Is what the index says", Some(holds), said)
}

/// The digests of one block as it is read: those that the record states, and the one
/// that the index does.
struct Hashers {
    block: Option<(Digest, Hasher)>,
    payload: Option<(Digest, PayloadHasher)>,
    index: Option<(Digest, PayloadHasher)>,
}

impl Hashers {
    fn new(header: &Header, entry: &CdxjEntry) -> Self {
        let block = header.block_digest().and_then(Result::ok);
        // What a revisit states is the payload of another record.
        let is_own = header.record_type() != RecordType::Revisit;
        let payload = header.payload_digest().and_then(Result::ok);
        let in_index = digest_of(entry);
        let hasher = |stated: Digest| {
            let hasher = if header.is_http() {
                PayloadHasher::new(stated.algorithm())
            } else {
                PayloadHasher::headless(stated.algorithm())
            };
            (stated, hasher)
        };
        Self {
            block: block.map(|stated| {
                let hasher = Hasher::new(stated.algorithm());
                (stated, hasher)
            }),
            payload: payload.filter(|_| is_own).map(hasher),
            index: in_index.filter(|_| is_own).map(hasher),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        if let Some((_, hasher)) = &mut self.block {
            hasher.update(piece);
        }
        for (_, hasher) in [&mut self.payload, &mut self.index].into_iter().flatten() {
            hasher.update(piece);
        }
    }

    fn finish(self, header: &Header, entry: &CdxjEntry) -> Vec<Checked> {
        let block = match self.block {
            Some((stated, hasher)) => compared("Block digest", &stated, &[&hasher.finish()]),
            None => unstated("Block digest"),
        };
        let of_payload = |what, digests: Option<(Digest, PayloadHasher)>| match digests {
            Some((stated, hasher)) => {
                let digests = hasher.finish();
                // Older tools count the chunks' framing in.
                compared(what, &stated, &[&digests.entity, &digests.received])
            }
            None => unstated(what),
        };
        const INDEX: &str = "Digest in the index";
        if header.record_type() != RecordType::Revisit {
            let payload = of_payload("Payload digest", self.payload);
            let index = of_payload(INDEX, self.index);
            // An index that was made from the record vouches for nothing.
            let is_copy = payload.holds.is_none();
            let index = if is_copy {
                Checked {
                    vouches: false,
                    ..index
                }
            } else {
                index
            };
            return vec![block, payload, index];
        }
        let none = "a revisit has no payload of its own";
        let stated = header.payload_digest().and_then(Result::ok);
        let both = stated.zip(digest_of(entry));
        let index = match both.filter(|(a, b)| a.algorithm() == b.algorithm()) {
            Some((stated, index)) => Checked {
                vouches: false,
                ..compared(INDEX, &index, &[&stated])
            },
            None => Checked::new(INDEX, None, none),
        };
        vec![block, Checked::new("Payload digest", None, none), index]
    }
}

/// Other tools' indexes leave the label out where it is sha1.
fn digest_of(entry: &CdxjEntry) -> Option<Digest> {
    let text = entry.digest.as_deref()?;
    let labelled = text.parse().or_else(|_| format!("sha1:{text}").parse());
    labelled.ok()
}

fn unstated(what: &'static str) -> Checked {
    Checked::new(what, None, "none is stated of a kind that is known here")
}

fn compared(what: &'static str, stated: &Digest, computed: &[&Digest]) -> Checked {
    let holds = computed.contains(&stated);
    let said = if holds {
        stated.to_string()
    } else {
        format!("{stated} is stated, and the bytes have {}", computed[0])
    };
    Checked::new(what, Some(holds), said).vouching()
}

/// Whether what a revisit repeats is there, can be read, and is what the record means.
fn repeated(
    collection: &Collection,
    others: &[Arc<Collection>],
    entry: &CdxjEntry,
    header: &Header,
) -> Checked {
    const WHAT: &str = "What it repeats";
    let body = match Capture::open(collection, others, entry.clone()) {
        Ok(Ok(capture)) => capture.body_entry().clone(),
        Ok(Err(gap)) => return Checked::new(WHAT, Some(false), gap.text()),
        Err(error) => return Checked::new(WHAT, Some(false), error.to_string()),
    };
    let time = body.timestamp.rfc3339();
    let said = format!("the capture of {} at {time}", body.url);
    let stated = header.payload_digest().and_then(Result::ok);
    let is_stated = stated.zip(digest_of(&body)).map(|(a, b)| a == b);
    let target = header
        .refers_to_target_uri()
        .map(|target| target == body.url);
    let holds = match (is_stated, target) {
        (Some(is_stated), _) => Some(is_stated),
        (None, Some(true)) => Some(true),
        // By the digest in the index alone, or by none: it may be another's.
        (None, _) => None,
    };
    match holds {
        Some(true) => Checked::new(WHAT, holds, said),
        Some(false) => Checked::new(WHAT, holds, format!("{said}, which has another digest")),
        None => Checked::new(
            WHAT,
            holds,
            format!("shown is {said}; the record names another or none"),
        ),
    }
}

/// Whether the list of records, which the manifest vouches for, has the stored bytes.
fn listed(
    collection: &Collection,
    entry: &CdxjEntry,
    extent: &Extent,
) -> Result<Checked, SnapshotError> {
    const WHAT: &str = "Row in records.csv";
    let none = |said: &str| Ok(Checked::new(WHAT, None, said));
    let holder = collection.holder(entry)?;
    let file = match holder.container().map(|container| container.open(RECORDS)) {
        None | Some(Err(SnapshotError::Missing { .. })) => return none("there is no such list"),
        Some(opened) => opened?,
    };
    let base = entry.filename.rsplit('/').next().unwrap_or_default();
    for (read, row) in records::read(&holder.path, file).enumerate() {
        if read == MAX_ROWS {
            return none(
                "the list is too long to be read for one record; verify the whole instead",
            );
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => return Ok(Checked::new(WHAT, Some(false), error.to_string())),
        };
        if row.offset != entry.offset || row.filename != base {
            continue;
        }
        let stored = extent.sha256.as_ref().map(Digest::hex).unwrap_or_default();
        let holds = row.sha256 == stored && row.length == extent.length;
        let said = if holds {
            format!("sha256 {stored} of the bytes as stored")
        } else {
            format!(
                "the list says sha256 {}, and the stored bytes have {stored}",
                row.sha256
            )
        };
        return Ok(Checked::new(WHAT, Some(holds), said).vouching());
    }
    Ok(Checked::new(
        WHAT,
        Some(false),
        "the list doesn't have this record",
    ))
}
