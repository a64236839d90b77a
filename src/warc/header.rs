//! The named fields of a record.

use std::fmt;
use std::str::FromStr;

use crate::digest::{Digest, DigestError};
use crate::http::Head;
use crate::time::{TimeError, WarcDate};

/// The version line of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// `WARC/1.0`, and the drafts before it.
    V1_0,
    /// `WARC/1.1`.
    V1_1,
}

impl Version {
    /// The first line of a record.
    pub fn line(self) -> &'static str {
        match self {
            Self::V1_0 => "WARC/1.0",
            Self::V1_1 => "WARC/1.1",
        }
    }

    /// A date as this version has it: WARC 1.0 in whole seconds.
    #[must_use]
    pub fn date(self, date: WarcDate) -> WarcDate {
        match self {
            Self::V1_0 => date.to_seconds(),
            Self::V1_1 => date,
        }
    }

    /// The URI by which a revisit names its profile in this version
    /// (WARC 1.1 §6.7, WARC 1.0 §6.7).
    pub fn profile(self, name: &str) -> String {
        match self {
            Self::V1_0 => format!("http://netpreserve.org/warc/1.0/revisit/{name}"),
            Self::V1_1 => format!("http://netpreserve.org/warc/1.1/revisit/{name}"),
        }
    }
}

/// `WARC-Type` (WARC 1.1 §6).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordType {
    /// What follows in the file, by whom and how.
    Warcinfo,
    /// A server's answer.
    Response,
    /// Content stored as a thing of its own, without protocol.
    Resource,
    /// What was sent.
    Request,
    /// About another record.
    Metadata,
    /// The same content as an earlier record.
    Revisit,
    /// Another form of a record's content.
    Conversion,
    /// The rest of a record split over files.
    Continuation,
    /// A type that the standard doesn't name; readers shall skip it.
    Other(String),
}

impl RecordType {
    /// The field's value.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Warcinfo => "warcinfo",
            Self::Response => "response",
            Self::Resource => "resource",
            Self::Request => "request",
            Self::Metadata => "metadata",
            Self::Revisit => "revisit",
            Self::Conversion => "conversion",
            Self::Continuation => "continuation",
            Self::Other(name) => name,
        }
    }

    fn parse(text: &str) -> Self {
        const NAMED: [RecordType; 8] = [
            RecordType::Warcinfo,
            RecordType::Response,
            RecordType::Resource,
            RecordType::Request,
            RecordType::Metadata,
            RecordType::Revisit,
            RecordType::Conversion,
            RecordType::Continuation,
        ];
        let text = text.trim();
        NAMED
            .into_iter()
            .find(|named| named.as_str().eq_ignore_ascii_case(text))
            .unwrap_or_else(|| Self::Other(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands in the place of a version line for an ARC record.
const ARC: &str = "ARC";

/// The version line and named fields of a record, in order, as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    version: Version,
    record_type: RecordType,
    /// The version line, then name and value of each field, without anything
    /// between them.
    text: String,
    version_line: usize,
    /// Where each name begins and ends, and where its value ends.
    fields: Vec<(usize, usize, usize)>,
}

impl Header {
    /// Parses a header from its version line to its blank line. `None` where
    /// the first line isn't a version line.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let head = Head::of_length(bytes, bytes.len());
        let mut text = String::with_capacity(bytes.len());
        text.push_str(String::from_utf8_lossy(head.start_line).trim());
        let number = text
            .get(..5)
            .filter(|l| l.eq_ignore_ascii_case("WARC/"))
            .map(|_| &text[5..])?;
        let version = match number {
            "1.1" => Version::V1_1,
            _ => Version::V1_0,
        };
        let version_line = text.len();
        let mut fields = Vec::with_capacity(head.fields.len());
        for field in &head.fields {
            let start = text.len();
            text.push_str(&String::from_utf8_lossy(field.name));
            let name_end = text.len();
            text.push_str(&field.text());
            fields.push((start, name_end, text.len()));
        }
        let mut header = Self {
            version,
            record_type: RecordType::Other(String::new()),
            text,
            version_line,
            fields,
        };
        header.record_type = RecordType::parse(header.field("WARC-Type").unwrap_or_default());
        Some(header)
    }

    /// The header of an ARC record, as that of a WARC record of the same.
    pub(super) fn of_arc(fields: &[(&'static str, String)]) -> Self {
        let mut text = String::from(ARC);
        let mut places = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let start = text.len();
            text.push_str(name);
            let name_end = text.len();
            text.push_str(value);
            places.push((start, name_end, text.len()));
        }
        let mut header = Self {
            version: Version::V1_0,
            record_type: RecordType::Other(String::new()),
            text,
            version_line: ARC.len(),
            fields: places,
        };
        header.record_type = RecordType::parse(header.field("WARC-Type").unwrap_or_default());
        header
    }

    /// Whether the record is of an ARC file, which has no ids and no digests.
    pub fn is_arc(&self) -> bool {
        self.version_line() == ARC
    }

    /// The version that the record claims; drafts and unknown numbers read as 1.0.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The version line as it came.
    pub fn version_line(&self) -> &str {
        &self.text[..self.version_line]
    }

    /// Its size in memory, in bytes.
    pub fn size(&self) -> usize {
        self.text.capacity() + size_of_val(&self.fields[..])
    }

    /// Name and value of every field, as they came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let text = &self.text;
        let of =
            |&(start, end, stop): &(usize, usize, usize)| (&text[start..end], &text[end..stop]);
        self.fields.iter().map(of)
    }

    /// The value of the first field of this name; names ignore case.
    pub fn field<'s>(&'s self, name: &'s str) -> Option<&'s str> {
        self.values(name).next()
    }

    /// The values of all fields of this name.
    pub fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.fields
            .iter()
            .filter(move |(start, end, _)| self.text[*start..*end].eq_ignore_ascii_case(name))
            .map(|&(_, start, end)| &self.text[start..end])
    }

    /// `WARC-Type`.
    pub fn record_type(&self) -> RecordType {
        self.record_type.clone()
    }

    /// `WARC-Record-ID`, angle brackets included.
    pub fn record_id(&self) -> Option<&str> {
        self.field("WARC-Record-ID")
    }

    /// `WARC-Target-URI`, without the angle brackets that WARC 1.0's grammar
    /// asked for and wget writes.
    pub fn target_uri(&self) -> Option<&str> {
        self.field("WARC-Target-URI").map(without_brackets)
    }

    /// `WARC-Refers-To-Target-URI`, likewise.
    pub fn refers_to_target_uri(&self) -> Option<&str> {
        self.field("WARC-Refers-To-Target-URI")
            .map(without_brackets)
    }

    /// `WARC-Date`; `None` where the field is missing.
    pub fn date(&self) -> Option<Result<WarcDate, TimeError>> {
        self.field("WARC-Date").map(WarcDate::from_str)
    }

    /// `WARC-Date` in whatever form; `None` where there is none to make out.
    pub fn lenient_date(&self) -> Option<WarcDate> {
        self.field("WARC-Date").and_then(WarcDate::lenient)
    }

    /// `Content-Length` of the block in bytes.
    pub fn content_length(&self) -> Option<u64> {
        let value = self.field("Content-Length")?.trim();
        let digits = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| value.parse().ok()).flatten()
    }

    /// `WARC-Block-Digest`.
    pub fn block_digest(&self) -> Option<Result<Digest, DigestError>> {
        self.field("WARC-Block-Digest").map(Digest::from_str)
    }

    /// `WARC-Payload-Digest`.
    pub fn payload_digest(&self) -> Option<Result<Digest, DigestError>> {
        self.field("WARC-Payload-Digest").map(Digest::from_str)
    }

    /// Whether the block is an HTTP message: `application/http`, or a type
    /// that tools leave out on records of http URLs.
    pub fn is_http(&self) -> bool {
        let record_type = self.record_type();
        if !matches!(
            record_type,
            RecordType::Response | RecordType::Request | RecordType::Revisit
        ) {
            return false;
        }
        match self.field("Content-Type") {
            Some(kind) => {
                let http = "application/http";
                let start = kind.trim().get(..http.len());
                start.is_some_and(|start| start.eq_ignore_ascii_case(http))
            }
            None => self.target_uri().is_some_and(|uri| {
                let uri = uri.get(..5).unwrap_or_default();
                uri.eq_ignore_ascii_case("http:") || uri.eq_ignore_ascii_case("https")
            }),
        }
    }
}

fn without_brackets(uri: &str) -> &str {
    uri.strip_prefix('<')
        .and_then(|uri| uri.strip_suffix('>'))
        .unwrap_or(uri)
}
