//! Records as Lastlight writes them.

use std::fmt::Write as _;

use uuid::Uuid;

use super::{RecordType, Version};
use crate::digest::Digest;
use crate::time::WarcDate;

/// A record that is being put together: its fields in the order in which they
/// are added, then its block.
pub struct Draft {
    text: String,
    id: String,
}

impl Draft {
    /// Begins a record with a fresh `WARC-Record-ID`. WARC 1.0 has dates in
    /// whole seconds.
    pub fn new(version: Version, record_type: &RecordType, date: WarcDate) -> Self {
        Self::with_id(version, record_type, date, &fresh_id())
    }

    /// Begins a record whose id other records already name.
    pub fn with_id(version: Version, record_type: &RecordType, date: WarcDate, id: &str) -> Self {
        /// Most headers fit.
        const USUAL: usize = 1024;
        let date = version.date(date);
        let mut text = String::with_capacity(USUAL);
        let _ = write!(
            text,
            "{}\r\nWARC-Type: {record_type}\r\nWARC-Record-ID: {id}\r\nWARC-Date: {date}\r\n",
            version.line()
        );
        Self {
            text,
            id: id.to_owned(),
        }
    }

    /// The record's id, angle brackets included.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds a named field. Line breaks in the value would end the field, so
    /// they become spaces.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        let start = self.text.len() + name.len() + 2;
        let _ = write!(self.text, "{name}: {value}");
        if self.text[start..].contains(['\r', '\n']) {
            let clean = self.text[start..].replace(['\r', '\n'], " ");
            self.text.truncate(start);
            self.text += &clean;
        }
        self.text += "\r\n";
        self
    }

    /// The header up to and including its blank line, for a block of
    /// `length` bytes with this digest.
    pub fn header(self, block_digest: &Digest, length: u64) -> Vec<u8> {
        let mut draft = self
            .field("WARC-Block-Digest", block_digest)
            .field("Content-Length", length);
        draft.text += "\r\n";
        draft.text.into_bytes()
    }

    /// The whole record around a block that is in memory.
    pub fn record(self, block: &[u8]) -> Vec<u8> {
        let digest = Digest::sha256(block);
        let mut record = self.header(&digest, block.len() as u64);
        record.reserve_exact(block.len() + RECORD_END.len());
        record.extend_from_slice(block);
        record.extend_from_slice(RECORD_END);
        record
    }
}

/// Two line ends close every record (WARC 1.1 §4).
pub const RECORD_END: &[u8] = b"\r\n\r\n";

/// A new `WARC-Record-ID`.
pub fn fresh_id() -> String {
    format!("<urn:uuid:{}>", Uuid::new_v4())
}

/// A block of `application/warc-fields`, as warcinfo and metadata records have.
pub fn warc_fields<'a>(fields: impl IntoIterator<Item = (&'a str, String)>) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.extend_from_slice(name.as_bytes());
        block.extend_from_slice(b": ");
        let clean = value.bytes().map(|byte| match byte {
            b'\r' | b'\n' => b' ',
            byte => byte,
        });
        block.extend(clean);
        block.extend_from_slice(b"\r\n");
    }
    block
}
