//! Checks one record anew: that it reads to its end, that its bytes are those
//! whose digests it states, that it is the one that index and list of records mean.

use std::sync::Arc;

use crate::digest::{Digest, Hasher};
use crate::replay::content::Capture;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Collection, entry_fits};
use crate::snapshot::layout::RECORDS;
use crate::snapshot::records;
use crate::warc::payload::PayloadHasher;
use crate::warc::{Extent, Header, RecordType};

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
}

impl Checked {
    fn new(what: &'static str, holds: Option<bool>, said: impl Into<String>) -> Self {
        Self {
            what,
            holds,
            said: said.into(),
        }
    }
}

/// Reads a record to its end and says of each thing that vouches for it whether it
/// does. A record that can't be read is a finding, no error.
pub fn check(
    collection: &Collection,
    others: &[Arc<Collection>],
    entry: &CdxjEntry,
) -> Result<Vec<Checked>, SnapshotError> {
    const WHOLE: &str = "Reads to its end";
    let warc = collection.warc_of(entry)?;
    let mut reader = warc.reader_at(entry.offset).hashing();
    let mut record = match reader.next_record() {
        Ok(Some(record)) => record,
        Ok(None) => {
            return Ok(vec![Checked::new(
                WHOLE,
                Some(false),
                "no record begins there",
            )]);
        }
        Err(error) => return Ok(vec![Checked::new(WHOLE, Some(false), error.to_string())]),
    };
    let mut hashers = Hashers::new(&record.header);
    if let Err(error) = record.each_piece(|piece| hashers.update(piece)) {
        return Ok(vec![Checked::new(WHOLE, Some(false), error.to_string())]);
    }
    let (header, extent) = match record.finish_with_header() {
        Ok(read) => read,
        Err(error) => return Ok(vec![Checked::new(WHOLE, Some(false), error.to_string())]),
    };
    let bytes = format!("{} bytes as stored", extent.length);
    let mut checked = vec![
        Checked::new(WHOLE, Some(extent.irregular.is_empty()), bytes),
        place(entry, &header, &extent),
    ];
    checked.extend(hashers.finish(&header, entry));
    if header.record_type() == RecordType::Revisit {
        checked.push(repeated(collection, others, entry));
    }
    checked.push(listed(collection, entry, &extent)?);
    Ok(checked)
}

fn place(entry: &CdxjEntry, header: &Header, extent: &Extent) -> Checked {
    let length_fits = entry.length == 0 || entry.length == extent.length;
    let said = match (entry_fits(entry, header), length_fits) {
        (true, true) => "URL, time and length are the record's".to_owned(),
        (true, false) => format!("the index says {} bytes", entry.length),
        (false, _) => "the index names another URL or time".to_owned(),
    };
    let holds = entry_fits(entry, header) && length_fits;
    Checked::new("Is what the index says", Some(holds), said)
}

/// The digests of one block as it is read.
struct Hashers {
    block: Option<(Digest, Hasher)>,
    payload: Option<(Digest, PayloadHasher)>,
}

impl Hashers {
    fn new(header: &Header) -> Self {
        let block = header.block_digest().and_then(Result::ok);
        let payload = header.payload_digest().and_then(Result::ok);
        // What a revisit states is the payload of another record.
        let payload = payload.filter(|_| header.record_type() != RecordType::Revisit);
        Self {
            block: block.map(|stated| {
                let hasher = Hasher::new(stated.algorithm());
                (stated, hasher)
            }),
            payload: payload.map(|stated| {
                let hasher = if header.is_http() {
                    PayloadHasher::new(stated.algorithm())
                } else {
                    PayloadHasher::headless(stated.algorithm())
                };
                (stated, hasher)
            }),
        }
    }

    fn update(&mut self, piece: &[u8]) {
        if let Some((_, hasher)) = &mut self.block {
            hasher.update(piece);
        }
        if let Some((_, hasher)) = &mut self.payload {
            hasher.update(piece);
        }
    }

    fn finish(self, header: &Header, entry: &CdxjEntry) -> Vec<Checked> {
        let block = match self.block {
            Some((stated, hasher)) => compared("Block digest", &stated, &[&hasher.finish()]),
            None => Checked::new(
                "Block digest",
                None,
                "the record states none that is known here",
            ),
        };
        let payload = match self.payload {
            Some((stated, hasher)) => {
                let digests = hasher.finish();
                // Older tools count the chunks' framing in.
                compared(
                    "Payload digest",
                    &stated,
                    &[&digests.entity, &digests.received],
                )
            }
            None if header.record_type() == RecordType::Revisit => Checked::new(
                "Payload digest",
                None,
                "a revisit has no payload of its own",
            ),
            None => Checked::new(
                "Payload digest",
                None,
                "the record states none that is known here",
            ),
        };
        let in_index =
            header
                .payload_digest()
                .and_then(Result::ok)
                .zip((entry.digest.as_deref()).and_then(|text| {
                    text.parse()
                        .or_else(|_| format!("sha1:{text}").parse())
                        .ok()
                }));
        let index = in_index.filter(|(a, b): &(Digest, Digest)| a.algorithm() == b.algorithm());
        let index = match index {
            Some((stated, index)) => compared("Digest in the index", &index, &[&stated]),
            None => Checked::new("Digest in the index", None, "not the same kind of digest"),
        };
        vec![block, payload, index]
    }
}

fn compared(what: &'static str, stated: &Digest, computed: &[&Digest]) -> Checked {
    let holds = computed.contains(&stated);
    let said = if holds {
        stated.to_string()
    } else {
        format!("{stated} is stated, and the bytes have {}", computed[0])
    };
    Checked::new(what, Some(holds), said)
}

/// Whether what a revisit repeats is there and can be read.
fn repeated(collection: &Collection, others: &[Arc<Collection>], entry: &CdxjEntry) -> Checked {
    const WHAT: &str = "What it repeats";
    match Capture::open(collection, others, entry.clone()) {
        Ok(Ok(capture)) => {
            let body = capture.body_entry();
            let time = body.timestamp.rfc3339();
            Checked::new(
                WHAT,
                Some(true),
                format!("the capture of {} at {time}", body.url),
            )
        }
        Ok(Err(gap)) => Checked::new(WHAT, Some(false), gap.text()),
        Err(error) => Checked::new(WHAT, Some(false), error.to_string()),
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
        return Ok(Checked::new(WHAT, Some(holds), said));
    }
    Ok(Checked::new(
        WHAT,
        Some(false),
        "the list doesn't have this record",
    ))
}
