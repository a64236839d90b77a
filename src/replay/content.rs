//! A capture's answer as it was received: status, header fields, and the
//! entity as a stream, transfer coding removed. Content codings are removed
//! only where the caller asks for it. Never holds more than a piece of a body.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::sync::Arc;

use super::find::Gap;
use super::resolve;
use crate::http::coding::{self, Bounds, Decoded, Held};
use crate::http::{Dechunked, Head, MAX_HEAD_BYTES, head_length};
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Collection, entry_fits};
use crate::warc::{Header, Record, RecordType};

/// One capture, ready to be answered with.
pub struct Capture {
    /// Its entry in the index: the URL and time of what is shown.
    pub entry: CdxjEntry,
    /// The head whose fields are shown; empty for a resource record.
    head: Vec<u8>,
    /// Where the body is: another record for a revisit.
    body: CdxjEntry,
    /// Set where that is in another of the open collections: which.
    elsewhere: Option<usize>,
    /// The head that tells how the body is framed and coded.
    body_head: Vec<u8>,
    /// Length of the body's block in bytes, head included.
    block_length: u64,
    /// The media type of a resource record.
    resource_type: Option<String>,
}

impl Capture {
    /// Reads the start of an entry's record, and of the one that it revisits.
    /// A gap where the record can't answer: it is no answer, isn't what the
    /// index says, or revisits what the collection doesn't hold.
    pub fn open(
        collection: &Collection,
        others: &[Arc<Collection>],
        entry: CdxjEntry,
    ) -> Result<Result<Self, Gap>, SnapshotError> {
        let Some(start) = Start::read(collection, &entry)? else {
            return Ok(Err(Gap::Unfit));
        };
        match start.header.record_type() {
            RecordType::Response => Ok(Ok(Self {
                body: entry.clone(),
                elsewhere: None,
                entry,
                body_head: start.head.clone(),
                head: start.head,
                block_length: start.block_length,
                resource_type: None,
            })),
            RecordType::Resource => Ok(Ok(Self {
                body: entry.clone(),
                elsewhere: None,
                entry,
                head: Vec::new(),
                body_head: Vec::new(),
                block_length: start.block_length,
                resource_type: start.header.field("Content-Type").map(str::to_owned),
            })),
            RecordType::Revisit => {
                let original = match resolve::original(collection, &entry, &start.header)? {
                    Some(original) => Some((None, original)),
                    None => in_others(collection, others, &entry, &start.header)?,
                };
                let Some((elsewhere, original)) = original else {
                    let target = start.header.refers_to_target_uri();
                    let is_denied = target.is_some_and(|target| collection.denies(target));
                    return Ok(Err(if is_denied {
                        Gap::Denied
                    } else {
                        Gap::Dangling
                    }));
                };
                let holder = elsewhere.map_or(collection, |at| others[at].as_ref());
                let Some(body) = Start::read(holder, &original)? else {
                    return Ok(Err(Gap::Unfit));
                };
                // A 304's own fields don't describe a body.
                let own = Head::parse(&start.head).status();
                let shows_own = own.is_some_and(|status| status != 304);
                let resource_type = match body.header.record_type() {
                    RecordType::Resource => body.header.field("Content-Type").map(str::to_owned),
                    RecordType::Response => None,
                    _ => return Ok(Err(Gap::Unfit)),
                };
                Ok(Ok(Self {
                    entry,
                    head: if shows_own {
                        start.head
                    } else {
                        body.head.clone()
                    },
                    body: original,
                    elsewhere,
                    body_head: body.head,
                    block_length: body.block_length,
                    resource_type,
                }))
            }
            _ => Ok(Err(Gap::Unfit)),
        }
    }

    /// The entry whose record has the body: another one's for a revisit.
    pub fn body_entry(&self) -> &CdxjEntry {
        &self.body
    }

    /// The answer's head; a resource record has none, so it is empty.
    pub fn head(&self) -> Head<'_> {
        Head::parse(&self.head)
    }

    /// The status; 200 for what has none.
    pub fn status(&self) -> u16 {
        self.head().status().unwrap_or(200)
    }

    /// The `Content-Type`: the last that is one, parameters included.
    pub fn content_type(&self) -> Option<String> {
        if let Some(kind) = &self.resource_type {
            return Some(kind.clone());
        }
        let head = self.head();
        let mut fields = head.fields.iter().filter(|field| field.is("content-type"));
        fields.next_back().map(|field| field.text().into_owned())
    }

    /// The media type without parameters, lower case.
    pub fn media_type(&self) -> Option<String> {
        match &self.resource_type {
            Some(kind) => {
                let essence = kind.split(';').next().unwrap_or_default();
                Some(essence.trim().to_ascii_lowercase())
            }
            None => self.head().media_type(),
        }
    }

    /// A PDF that stands here itself: its frame is outside the sandbox, so a
    /// redirect or another type must never pass for one.
    pub fn is_pdf(&self) -> bool {
        matches!(self.status(), 200..=299)
            && self.media_type().as_deref() == Some("application/pdf")
    }

    /// The content coding that the entity really has, by its first
    /// [`PROBE`](coding::PROBE) bytes: none where the head claims gzip and the bytes
    /// aren't.
    pub fn coding(&self, first: &[u8]) -> Coding {
        let names = Head::parse(&self.body_head).codings();
        match coding::held(&names, first, BOUNDS.codings) {
            Held::Plain => Coding::Identity,
            Held::Coded => Coding::Known(names),
            Held::Unknown => Coding::Other(names),
        }
    }

    /// Length of the entity in bytes, where the record tells it unread.
    pub fn entity_length(&self) -> Option<u64> {
        let head = Head::parse(&self.body_head);
        (!head.is_chunked()).then(|| {
            self.block_length
                .saturating_sub(self.body_head.len() as u64)
        })
    }

    /// Gives the entity to `reader`, content coding kept.
    /// The collections are those that it was opened with.
    pub fn entity<T>(
        &self,
        collection: &Collection,
        others: &[Arc<Collection>],
        read: impl FnOnce(&mut dyn BufRead) -> T,
    ) -> Result<T, SnapshotError> {
        let collection = self.elsewhere.map_or(collection, |at| others[at].as_ref());
        let mut reader = collection.reader_at(&self.body)?;
        let missing = || SnapshotError::Missing {
            path: collection.path.join(&self.body.filename),
        };
        let mut record = reader.next_record()?.ok_or_else(missing)?;
        record.block(self.body_head.len())?;
        if Head::parse(&self.body_head).is_chunked() {
            Ok(read(&mut Dechunked::new(record)))
        } else {
            Ok(read(&mut record))
        }
    }
}

/// The capture that a revisit stands for, in the first of the other collections
/// that has it.
fn in_others(
    collection: &Collection,
    others: &[Arc<Collection>],
    entry: &CdxjEntry,
    header: &Header,
) -> Result<Option<(Option<usize>, CdxjEntry)>, SnapshotError> {
    // All together were asked already.
    if collection.is_several() {
        return Ok(None);
    }
    for (at, other) in others.iter().enumerate() {
        if std::ptr::eq(other.as_ref(), collection) {
            continue;
        }
        if let Some(original) = resolve::original(other, entry, header)? {
            return Ok(Some((Some(at), original)));
        }
    }
    Ok(None)
}

/// Nothing is kept of what is decoded here, so that only codings upon each
/// other are bounded.
const BOUNDS: Bounds = Bounds {
    bytes: u64::MAX,
    ratio: u32::MAX,
    codings: 4,
};

/// The content coding of an entity (RFC 9110 §8.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// Those of these names, in the order in which they were applied.
    Known(Vec<String>),
    /// What isn't decoded here, as the field spells it.
    Other(Vec<String>),
}

impl Coding {
    /// The names in `Content-Encoding` and `Accept-Encoding`.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Self::Identity => Vec::new(),
            Self::Other(names) => names.iter().map(String::as_str).collect(),
            Self::Known(names) => names
                .iter()
                .map(|name| name.strip_prefix("x-").unwrap_or(name))
                .collect(),
        }
    }

    /// The decoded stream; `None` for codings that aren't decoded here.
    pub fn decoded<'r>(&self, entity: &'r mut dyn BufRead) -> Option<Box<dyn Read + 'r>> {
        match self {
            Self::Identity => Some(Box::new(entity)),
            Self::Known(names) => Some(Box::new(Decoded::new(entity, names, BOUNDS))),
            Self::Other(_) => None,
        }
    }
}

/// The start of a record: its header, and the HTTP head of its block.
struct Start {
    header: Header,
    head: Vec<u8>,
    block_length: u64,
}

impl Start {
    fn read(collection: &Collection, entry: &CdxjEntry) -> Result<Option<Self>, SnapshotError> {
        let mut reader = collection.reader_at(entry)?;
        let Some(mut record) = reader.next_record()? else {
            return Ok(None);
        };
        if !entry_fits(entry, &record.header) {
            return Ok(None);
        }
        let head = if record.header.is_http() {
            read_head(&mut record)?
        } else {
            Vec::new()
        };
        let block_length = record.header.content_length().unwrap_or_default();
        Ok(Some(Self {
            header: record.header,
            head,
            block_length,
        }))
    }
}

/// A block without the end of a head is a head as a whole, as everywhere.
fn read_head<R: Read>(record: &mut Record<'_, R>) -> Result<Vec<u8>, SnapshotError> {
    let mut head = record.block(8 * 1024)?;
    loop {
        if let Some(length) = head_length(&head) {
            head.truncate(length);
            return Ok(head);
        }
        let more = record.block(head.len().max(1))?;
        if more.is_empty() || head.len() >= MAX_HEAD_BYTES {
            return Ok(head);
        }
        head.extend_from_slice(&more);
    }
}

/// Reads up to `limit` bytes ahead, and gives them back with the rest.
pub fn peek<R: BufRead>(mut entity: R, limit: usize) -> (Vec<u8>, Peeked<R>) {
    let mut first = Vec::new();
    // A body that can't be read is empty here and fails where it is read on.
    let _ = (&mut entity).take(limit as u64).read_to_end(&mut first);
    let rest = Cursor::new(first.clone()).chain(entity);
    (first, rest)
}

/// What [`peek`] gives back.
pub type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// Reads up to `limit` bytes; whether that was all. A stream that fails or is
/// damaged ends where it does: what there is of a page is worth showing.
pub fn read_up_to(stream: &mut dyn Read, limit: usize) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut stream = BufReader::new(stream);
    let read = stream.by_ref().take(limit as u64).read_to_end(&mut bytes);
    let whole =
        read.is_err() || bytes.len() < limit || stream.fill_buf().is_ok_and(<[u8]>::is_empty);
    (bytes, whole)
}
