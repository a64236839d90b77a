//! CDXJ lines: SURT, timestamp, and a JSON object whose values are strings,
//! to the byte what cdxj-indexer writes.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use super::reading::Needs;
use crate::digest::Algorithm;
use crate::http::{Head, HeadEnd, MAX_HEAD_BYTES};
use crate::time::{Timestamp14, WarcDate};
use crate::url::Surt;
use crate::warc::payload::PayloadHasher;
use crate::warc::{Extent, Header, RecordType};
#[cfg(test)]
use crate::warc::{ReadError, Reader, Record};

/// One capture in an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CdxjEntry {
    /// The key.
    pub surt: Surt,
    /// When it was captured.
    pub timestamp: Timestamp14,
    /// `WARC-Target-URI`.
    pub url: String,
    /// Media type as the server wrote it, without parameters; `warc/revisit`
    /// for a revisit; `None` where there is none.
    pub mime: Option<String>,
    /// The status code as text; `None` for what isn't HTTP.
    pub status: Option<String>,
    /// The labelled payload digest.
    pub digest: Option<String>,
    /// Length of the record as stored, in bytes.
    pub length: u64,
    /// Byte offset of the record in its WARC.
    pub offset: u64,
    /// Base name of the WARC.
    pub filename: String,
    /// What the capture is besides one of the site: a word of the ledger's
    /// column `mark`. Only Lastlight's snapshots say it, as the last key.
    pub mark: Option<String>,
    /// Of several collections read as one: the name of the one that has it. No file
    /// says it.
    pub source: Option<String>,
}

/// The media type by which an index tells a revisit.
pub const REVISIT: &str = "warc/revisit";

impl CdxjEntry {
    /// Whether the entry is a revisit record.
    pub fn is_revisit(&self) -> bool {
        self.mime.as_deref() == Some(REVISIT)
    }

    /// The status as a number; `None` where there is none.
    pub fn status_code(&self) -> Option<u16> {
        self.status.as_deref()?.parse().ok()
    }

    /// The entry of a response that is being recorded; its place comes when it
    /// is appended to a WARC.
    pub fn of_response(url: &str, date: WarcDate, head: &Head<'_>, digest: String) -> Self {
        Self {
            surt: Surt::of(url),
            timestamp: date.timestamp14(),
            url: url.to_owned(),
            mime: mime(head),
            status: status(head),
            digest: Some(digest),
            length: 0,
            offset: 0,
            filename: String::new(),
            mark: None,
            source: None,
        }
    }

    /// The entry of a resource that is being recorded; its place comes when it
    /// is appended to a WARC.
    pub fn of_resource(url: &str, date: WarcDate, media_type: &str, digest: String) -> Self {
        Self {
            surt: Surt::of(url),
            timestamp: date.timestamp14(),
            url: url.to_owned(),
            mime: Some(media_type.to_owned()),
            status: None,
            digest: Some(digest),
            length: 0,
            offset: 0,
            filename: String::new(),
            mark: None,
            source: None,
        }
    }

    /// The entry of a record, `None` for records that an index leaves out:
    /// requests, warcinfo, and metadata or resources of
    /// `application/warc-fields`. `http` is the head of the block, `digest` the
    /// payload digest to name, `extent` where the record stands.
    pub fn of_record(
        header: &Header,
        http: Option<&Head<'_>>,
        digest: Option<String>,
        extent: (u64, u64),
        filename: &str,
    ) -> Option<Self> {
        let record_type = header.record_type();
        let content_type = header.field("Content-Type");
        let mime = match record_type {
            RecordType::Response => http.and_then(mime),
            RecordType::Revisit => Some(REVISIT.to_owned()),
            RecordType::Resource | RecordType::Metadata => {
                if content_type.is_some_and(|kind| kind == "application/warc-fields") {
                    return None;
                }
                content_type.map(essence)
            }
            _ => return None,
        };
        let status = http
            .filter(|_| matches!(record_type, RecordType::Response | RecordType::Revisit))
            .and_then(status);
        let url = indexed_url(header)?;
        Some(Self {
            surt: Surt::of(&url),
            timestamp: header.lenient_date()?.timestamp14(),
            url,
            mime,
            status,
            digest,
            length: extent.1,
            offset: extent.0,
            filename: filename.to_owned(),
            mark: None,
            source: None,
        })
    }
}

/// The media type that a response names first, as the server wrote it.
fn mime(head: &Head<'_>) -> Option<String> {
    let field = head.fields.iter().find(|f| f.is("content-type"))?;
    // As cdxj-indexer reads it: UTF-8, or else Latin-1.
    let text = match std::str::from_utf8(&field.value) {
        Ok(text) => text.to_owned(),
        Err(_) => field.value.iter().copied().map(char::from).collect(),
    };
    Some(essence(&text))
}

/// The second word of the status line, whatever it is.
fn status(head: &Head<'_>) -> Option<String> {
    let line = String::from_utf8_lossy(head.start_line);
    let (_, rest) = line.split_once(' ')?;
    let status = rest
        .trim_start()
        .split(' ')
        .next()
        .unwrap_or_default()
        .trim();
    (!status.is_empty()).then(|| status.to_owned())
}

/// The URL as an index has it. A space, which no URI may hold, would end the
/// key; warcio escapes it, so the keys agree.
pub fn indexed_url(header: &Header) -> Option<String> {
    header.target_uri().map(|url| url.replace(' ', "%20"))
}

fn essence(content_type: &str) -> String {
    let end = content_type.find(|c: char| c == ';' || c.is_ascii_whitespace());
    content_type[..end.unwrap_or(content_type.len())].to_owned()
}

impl fmt::Display for CdxjEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {{\"url\": ", self.surt.as_str(), self.timestamp)?;
        json_string(f, &self.url)?;
        let optional = [
            ("mime", &self.mime),
            ("status", &self.status),
            ("digest", &self.digest),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                write!(f, ", \"{key}\": ")?;
                json_string(f, value)?;
            }
        }
        write!(
            f,
            ", \"length\": \"{}\", \"offset\": \"{}\", \"filename\": ",
            self.length, self.offset
        )?;
        json_string(f, &self.filename)?;
        if let Some(mark) = &self.mark {
            f.write_str(", \"mark\": ")?;
            json_string(f, mark)?;
        }
        f.write_char('}')
    }
}

/// A JSON string in ASCII, escaped as Python's `json.dumps` does.
fn json_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            ' '..='~' => f.write_char(c)?,
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(f, "\\u{unit:04x}")?;
                }
            }
        }
    }
    f.write_char('"')
}

/// What is wrong with a line that should be CDXJ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a CDXJ line (SURT, 14 digits, JSON with url, length, offset, filename): {0}")]
pub struct CdxjError(String);

impl FromStr for CdxjEntry {
    type Err = CdxjError;

    fn from_str(line: &str) -> Result<Self, CdxjError> {
        let error = |what: &str| CdxjError(what.to_owned());
        let mut parts = line.trim_end().splitn(3, ' ');
        let surt = parts.next().unwrap_or_default();
        let timestamp = parts.next().ok_or_else(|| error("no timestamp"))?;
        let json = parts.next().ok_or_else(|| error("no JSON"))?;
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|e| CdxjError(e.to_string()))?;
        let text = |key: &str| match object.get(key) {
            Some(serde_json::Value::String(text)) => Some(text.clone()),
            Some(serde_json::Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let number = |key: &str| {
            text(key)
                .and_then(|value| value.parse::<u64>().ok())
                .ok_or_else(|| CdxjError(format!("no number {key:?}")))
        };
        Ok(Self {
            surt: Surt::from_index(surt),
            timestamp: timestamp
                .parse()
                .map_err(|_| error("no timestamp of 14 digits"))?,
            url: text("url").ok_or_else(|| error("no \"url\""))?,
            mime: text("mime").filter(|mime| mime != "-"),
            status: text("status").filter(|status| status != "-"),
            digest: text("digest").filter(|digest| digest != "-"),
            length: number("length")?,
            offset: number("offset")?,
            filename: text("filename").ok_or_else(|| error("no \"filename\""))?,
            mark: text("mark"),
            source: text("source"),
        })
    }
}

/// So much of a block is looked at for its HTTP head.
pub const MAX_START: usize = 64 * 1024 + MAX_HEAD_BYTES;

/// The start of an HTTP block whose bytes come piece by piece: its head, or
/// where that doesn't end, all up to [`MAX_START`].
#[derive(Debug, Default)]
pub struct BlockStart {
    bytes: Vec<u8>,
    end: HeadEnd,
    ended: bool,
}

impl BlockStart {
    /// Takes the next bytes; gives how many of them belong to it.
    pub fn update(&mut self, piece: &[u8]) -> usize {
        if self.ended {
            return 0;
        }
        let before = self.bytes.len();
        let piece = &piece[..piece.len().min(MAX_START - self.bytes.len())];
        // Most heads come in one piece, which is then not copied whole.
        let found = if self.bytes.is_empty() {
            let found = self.end.find(piece);
            let length = found.unwrap_or(piece.len());
            self.bytes.extend_from_slice(&piece[..length]);
            found
        } else {
            self.bytes.extend_from_slice(piece);
            self.end.find(&self.bytes)
        };
        if let Some(length) = found {
            self.bytes.truncate(length);
        }
        self.ended = found.is_some() || self.bytes.len() == MAX_START;
        self.bytes.len() - before
    }

    /// Whether nothing that comes will be of it.
    pub fn is_over(&self) -> bool {
        self.ended
    }

    /// Its bytes so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The head; `None` where nothing came.
    pub fn head(&self) -> Option<Head<'_>> {
        let length = self.bytes.len();
        (length > 0).then(|| Head::of_length(&self.bytes, length))
    }
}

/// A record on the way into an index. A payload digest that it doesn't state is
/// computed as cdxj-indexer does: SHA-1 over the payload.
pub struct Indexing {
    header: Header,
    start: BlockStart,
    computed: Option<PayloadHasher>,
}

impl Indexing {
    /// What is needed of a record's block.
    pub fn needs(header: &Header) -> Needs {
        let may_be_indexed = matches!(
            header.record_type(),
            RecordType::Response
                | RecordType::Revisit
                | RecordType::Resource
                | RecordType::Metadata
        );
        if !may_be_indexed {
            Needs::Nothing
        } else if header.field("WARC-Payload-Digest").is_none() {
            Needs::All
        } else if header.is_http() {
            Needs::Head
        } else {
            Needs::Nothing
        }
    }

    /// Its header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// A record begins.
    pub fn new(header: Header) -> Self {
        let hasher = if header.is_http() {
            PayloadHasher::new
        } else {
            PayloadHasher::headless
        };
        Self {
            computed: (Self::needs(&header) == Needs::All).then(|| hasher(Algorithm::Sha1)),
            header,
            start: BlockStart::default(),
        }
    }

    /// The next bytes of its block.
    pub fn update(&mut self, piece: &[u8]) {
        if self.header.is_http() {
            self.start.update(piece);
        }
        if let Some(hasher) = &mut self.computed {
            hasher.update(piece);
        }
    }

    /// The entry, if an index has the record.
    pub fn finish(self, extent: &Extent, filename: &str) -> Option<CdxjEntry> {
        let stated = self.header.field("WARC-Payload-Digest").map(str::to_owned);
        let computed = self.computed.map(PayloadHasher::finish);
        let digest = stated.or_else(|| computed.map(|digests| digests.entity.to_string()));
        let place = (extent.offset, extent.length);
        CdxjEntry::of_record(
            &self.header,
            self.start.head().as_ref(),
            digest,
            place,
            filename,
        )
    }
}

/// Reads past a record and gives its index entry, if an index has it.
#[cfg(test)]
pub(crate) fn index_record<R: std::io::Read>(
    mut record: Record<'_, R>,
    filename: &str,
) -> Result<(Option<CdxjEntry>, Extent), ReadError> {
    let mut indexing = Indexing::new(record.header.clone());
    record.each_piece(|piece| indexing.update(piece))?;
    let extent = record.finish()?;
    Ok((indexing.finish(&extent, filename), extent))
}

/// Gives the index entry of every record of a WARC that an index has, in file
/// order. Stops with the error where the file can't be read further.
#[cfg(test)]
pub(crate) fn index_warc<R: std::io::Read>(
    reader: &mut Reader<R>,
    filename: &str,
    mut sink: impl FnMut(CdxjEntry),
) -> Result<(), ReadError> {
    while let Some(record) = reader.next_record()? {
        if let (Some(entry), _) = index_record(record, filename)? {
            sink(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_went() {
        let entry = CdxjEntry {
            surt: Surt::of("http://example.org/é \"q\""),
            timestamp: "20261122022846".parse().unwrap(),
            url: "http://example.org/é \"q\" 🎈".into(),
            mime: None,
            status: Some("200".into()),
            digest: Some("sha256:00".into()),
            length: 12,
            offset: 34,
            filename: "a.warc.gz".into(),
            mark: None,
            source: None,
        };
        let line = entry.to_string();
        assert!(line.is_ascii() || !entry.surt.as_str().is_ascii());
        assert!(
            line.contains(r#""url": "http://example.org/\u00e9 \"q\" \ud83c\udf88""#),
            "{line}"
        );
    }

    #[test]
    fn numbers_and_dashes_of_other_tools_are_read() {
        let line = r#"org,example)/ 20200101000000 {"url":"http://example.org/","mime":"-","length":12,"offset":"0","filename":"x.warc"}"#;
        let entry: CdxjEntry = line.parse().unwrap();
        assert_eq!((entry.length, entry.mime), (12, None));
        assert!("org,example)/ 2020 {}".parse::<CdxjEntry>().is_err());
        assert!("".parse::<CdxjEntry>().is_err());
    }
}
