//! A capture's record as it stands in its WARC: its header, the start of its
//! block, the records of the same exchange behind it, what checking it anew
//! says, and its stored bytes for taking away.

mod check;
#[cfg(test)]
mod tests;

pub use check::{Checked, Verdict, check};

use std::io::{Cursor, Read};

use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Collection, Warc, entry_fits};
use crate::time::Timestamp14;
use crate::url::{CanonicalUrl, Surt};
use crate::warc::read::is_gzip;
use crate::warc::{Header, RecordType};

/// So much of a block is shown.
const START: usize = 64 * 1024;
/// So many records of an exchange are looked for behind the first.
const BESIDE: usize = 4;
/// So many records of one gzip member are looked through.
const IN_MEMBER: usize = 1_000;
/// How Zstandard frames begin (RFC 8878 §3.1.1).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A longer record isn't read for its end alone.
const MAX_BESIDE: u64 = 4 * 1024 * 1024;

/// Lines of one URL and second that are looked through.
const MAX_LINES: usize = 10_000;

/// Where a record is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Name of the WARC, as the index has it.
    pub file: String,
    /// Byte offset in it.
    pub offset: u64,
    /// The collection, where several are read as one.
    pub source: Option<String>,
}

impl Place {
    fn is_of(&self, entry: &CdxjEntry) -> bool {
        self.offset == entry.offset && self.file == entry.filename && self.source == entry.source
    }
}

/// Which capture is meant, as addresses name it.
#[derive(Debug, Clone)]
pub struct Named {
    /// The archived URL, as it was captured or typed.
    pub url: String,
    /// When it was captured.
    pub time: Timestamp14,
    /// The key of its line, where the URL alone isn't that: what was sent with a POST
    /// is part of it.
    pub key: Option<Surt>,
    /// Where its record is, where one second has several.
    pub place: Option<Place>,
}

impl Named {
    /// Reads it from the parameters `url`, `time`, `file`, `offset` and `source`.
    pub fn of(parameter: impl Fn(&str) -> String) -> Option<Self> {
        let file = parameter("file");
        let offset = parameter("offset").parse().ok();
        Some(Self {
            url: Some(parameter("url")).filter(|url| !url.is_empty())?,
            time: parameter("time").parse().ok()?,
            key: Some(parameter("key"))
                .filter(|key| !key.is_empty() && !key.contains(' '))
                .map(|key| Surt::from_index(&key)),
            place: offset.filter(|_| !file.is_empty()).map(|offset| Place {
                file,
                offset,
                source: Some(parameter("source")).filter(|source| !source.is_empty()),
            }),
        })
    }

    /// Its line in the index.
    pub fn entry(&self, collection: &Collection) -> Result<Option<CdxjEntry>, SnapshotError> {
        let of_url = || match CanonicalUrl::parse_typed(&self.url) {
            Ok(url) => url.surt(),
            Err(_) => Surt::of(&self.url),
        };
        let key = self.key.clone().unwrap_or_else(of_url);
        let failed = || SnapshotError::io(&collection.path, "reading the index");
        let prefix = format!("{} {} ", key.as_str(), self.time);
        let lines = collection.index().lines(&prefix).map_err(failed())?;
        let mut other = None;
        for line in lines.take(MAX_LINES) {
            let Some(entry) = collection.entry(&line.map_err(failed())?) else {
                continue;
            };
            let is_it = match &self.place {
                Some(place) => place.is_of(&entry),
                None => entry.url == self.url,
            };
            if is_it {
                return Ok(Some(entry));
            }
            // Another spelling of the URL.
            if self.place.is_none() {
                other = other.or(Some(entry));
            }
        }
        Ok(other)
    }
}

/// One record.
#[derive(Debug)]
pub struct Part {
    /// Its named fields.
    pub header: Header,
    /// The first bytes of its block.
    pub start: Vec<u8>,
    /// Whether the block goes on.
    pub is_cut: bool,
}

/// A capture's record and those of its exchange that stand right behind it.
#[derive(Debug)]
pub struct Exchange {
    /// The one that the index names.
    pub record: Part,
    /// Request, metadata and the like, in the order of the file.
    pub beside: Vec<Part>,
    /// Whether records of others stand in the same gzip member.
    pub shares_member: bool,
    /// Where their stored bytes begin and end in the WARC.
    pub stored: std::ops::Range<u64>,
}

impl Exchange {
    /// Reads the records at an entry of the index. Bodies aren't read to their
    /// ends, but where `whole` says so: an index may be wrong about them. `None` where
    /// no record of the entry begins there.
    pub fn read(
        collection: &Collection,
        entry: &CdxjEntry,
        whole: bool,
    ) -> Result<Option<Self>, SnapshotError> {
        let warc = collection.warc_of(entry)?;
        let Some(before) = before(warc, entry)? else {
            return Ok(None);
        };
        let mut reader = warc.reader_at(entry.offset);
        for _ in 0..before {
            reader.next_record()?;
        }
        let Some(mut found) = reader.next_record()? else {
            return Ok(None);
        };
        let start = found.block(START)?;
        let is_cut = found.remaining() > 0;
        let header = found.header.clone();
        let mut shares_member = before > 0;
        // An index need not say how long records are.
        let end = if entry.length > 0 && !whole {
            entry.offset.saturating_add(entry.length)
        } else {
            let extent = found.finish()?;
            // What can't be read further on is no record of the member.
            let next = reader.next_record().ok().flatten();
            shares_member |= next.is_some_and(|next| next.offset() == entry.offset);
            extent.offset + extent.length
        };
        let record = Part {
            header,
            start,
            is_cut,
        };
        let (beside, end) = beside(warc, &record.header, end);
        Ok(Some(Self {
            record,
            beside,
            shares_member,
            stored: entry.offset..end.min(warc.region().len()),
        }))
    }
}

/// How many records stand before that of an entry in what the index names as its
/// place: none, but for gzip members with several. `None` where it isn't there.
fn before(warc: &Warc, entry: &CdxjEntry) -> Result<Option<usize>, SnapshotError> {
    let mut reader = warc.reader_at(entry.offset);
    for number in 0..IN_MEMBER {
        let Some(record) = reader.next_record()? else {
            return Ok(None);
        };
        if record.offset() != entry.offset {
            return Ok(None);
        }
        let is_capture = !matches!(
            record.header.record_type(),
            RecordType::Request | RecordType::Warcinfo | RecordType::Continuation
        );
        if is_capture && entry_fits(entry, &record.header) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

/// The records behind an offset that were made together with another, and
/// where they end. What can't be read is none of them.
fn beside(warc: &Warc, of: &Header, mut end: u64) -> (Vec<Part>, u64) {
    let mut parts = Vec::new();
    let Some(id) = of.record_id() else {
        return (parts, end);
    };
    let mut reader = warc.reader_at(end);
    while parts.len() < BESIDE {
        let Ok(Some(mut record)) = reader.next_record() else {
            break;
        };
        let is_of_it = record
            .header
            .values("WARC-Concurrent-To")
            .any(|to| to == id)
            || record.header.record_type() == RecordType::Metadata
                && record.header.field("WARC-Refers-To") == Some(id)
            || (record.header.record_id())
                .is_some_and(|own| of.values("WARC-Concurrent-To").any(|to| to == own));
        if !is_of_it || record.remaining() > MAX_BESIDE {
            break;
        }
        let Ok(start) = record.block(START) else {
            break;
        };
        let is_cut = record.remaining() > 0;
        let Ok((header, extent)) = record.finish_with_header() else {
            break;
        };
        end = extent.offset + extent.length;
        parts.push(Part {
            header,
            start,
            is_cut,
        });
    }
    (parts, end)
}

/// Stored bytes of a WARC, which are a WARC by themselves.
pub struct Stored {
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
    /// How many.
    pub length: u64,
    /// `.warc.gz` and the like.
    pub suffix: &'static str,
}

impl Stored {
    /// Those of an exchange that was read whole. Zstandard frames that need a
    /// dictionary have it before them, as at the start of their own file, and records
    /// of an ARC the first one, without which it is none.
    pub fn of(
        collection: &Collection,
        entry: &CdxjEntry,
        exchange: &Exchange,
    ) -> Result<Self, SnapshotError> {
        let warc = collection.warc_of(entry)?;
        let range = exchange.stored.clone();
        let length = range.end.saturating_sub(range.start);
        let mut first = [0; 4];
        let read = warc.region().read_at(range.start, &mut first);
        read.map_err(SnapshotError::io(&collection.path, "reading a record"))?;
        let is_arc = exchange.record.header.is_arc();
        let (is_gzip, is_zstd) = (is_gzip(&first), first == ZSTD_MAGIC);
        let suffix = match (is_arc, is_gzip) {
            (true, true) => ".arc.gz",
            (true, false) => ".arc",
            (false, true) => ".warc.gz",
            (false, false) if is_zstd => ".warc.zst",
            (false, false) => ".warc",
        };
        let mut preamble: Box<dyn Read + Send> = Box::new(std::io::empty());
        let mut before = 0;
        if range.start > 0 && is_arc {
            let mut reader = warc.reader();
            if let Some(first) = reader.next_record()? {
                before = first.finish()?.length;
                preamble = Box::new(warc.region().part(0, before));
            }
        } else if let Some(dictionary) = warc.dictionary().filter(|_| range.start > 0 && is_zstd) {
            let frame = dictionary.frame();
            before = frame.len() as u64;
            preamble = Box::new(Cursor::new(frame));
        }
        let part = warc.region().part(range.start, length);
        Ok(Self {
            length: before + length,
            bytes: Box::new(preamble.chain(part)),
            suffix,
        })
    }
}
