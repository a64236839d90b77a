//! Reading WARC files of any tool, plain, gzip or Zstandard, as a stream in constant
//! memory. A reader yields one record at a time; what is irregular but
//! readable is listed in the record's [`Extent`], what is not is a
//! [`ReadError`] with the byte offset.

use std::io::{self, BufRead, Read};

use super::frame::Dictionary;
use super::member::GZIP_MAGIC;
use super::{Header, arc};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::http::MAX_HEAD_BYTES;

mod source;

use source::Decoded;

/// Why reading can't go on from here.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system failed.
    #[error("{name}: reading near byte {offset} failed: {source}")]
    Io {
        /// The file.
        name: String,
        /// Byte offset of the record in the file.
        offset: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The file or gzip member ends inside the record.
    #[error("{name}: record at byte {offset} is cut short: {missing} of {length} bytes missing")]
    Truncated {
        /// The file.
        name: String,
        /// Byte offset of the record in the file.
        offset: u64,
        /// `Content-Length` of the block.
        length: u64,
        /// How many of them aren't there.
        missing: u64,
    },
    /// The file or member ends inside the record's header.
    #[error("{name}: the header of the record at byte {offset} is cut short")]
    HeaderTruncated {
        /// The file.
        name: String,
        /// Byte offset of the record in the file.
        offset: u64,
    },
    /// The gzip data is damaged or its checksum differs.
    #[error("{name}: gzip member at byte {offset} is damaged: {reason}")]
    Gzip {
        /// The file.
        name: String,
        /// Byte offset of the member in the file.
        offset: u64,
        /// What inflating said.
        reason: String,
    },
    /// A Zstandard frame is damaged, asks for too much memory, or for a
    /// dictionary that isn't there.
    #[error("{name}: Zstandard frame at byte {offset} is damaged: {reason}")]
    Zstd {
        /// The file.
        name: String,
        /// Byte offset of the frame in the file.
        offset: u64,
        /// What inflating said.
        reason: String,
    },
    /// No record starts here.
    #[error("{name}: no WARC record at byte {offset}: it starts with {found:?}")]
    NotARecord {
        /// The file.
        name: String,
        /// Byte offset in the file.
        offset: u64,
        /// The first bytes there.
        found: String,
    },
    /// A header without end.
    #[error(
        "{name}: the header of the record at byte {offset} is longer than {MAX_HEAD_BYTES} bytes"
    )]
    HeaderTooLong {
        /// The file.
        name: String,
        /// Byte offset of the record in the file.
        offset: u64,
    },
    /// No usable `Content-Length`, so nobody knows where the record ends.
    #[error("{name}: the record at byte {offset} has no valid Content-Length")]
    NoLength {
        /// The file.
        name: String,
        /// Byte offset of the record in the file.
        offset: u64,
    },
}

impl ReadError {
    /// Where the record or member starts that could not be read.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Io { offset, .. }
            | Self::Truncated { offset, .. }
            | Self::HeaderTruncated { offset, .. }
            | Self::Gzip { offset, .. }
            | Self::Zstd { offset, .. }
            | Self::NotARecord { offset, .. }
            | Self::HeaderTooLong { offset, .. }
            | Self::NoLength { offset, .. } => *offset,
        }
    }
}

/// What is irregular about a record that was read all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Irregular {
    /// The record isn't closed by two line ends (WARC 1.1 §4).
    NoRecordEnd,
    /// So many bytes stand between the record's end and the next.
    BytesAfterRecord(u64),
    /// The record shares its gzip member with the one before (annex D.2), so
    /// an index can't address it.
    SharesMember,
}

/// Where a record stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Byte offset of the record, or of its gzip member.
    pub offset: u64,
    /// Bytes stored, compressed where the file is.
    pub length: u64,
    /// SHA-256 of the bytes as stored, where the reader was asked for it.
    pub sha256: Option<Digest>,
    /// Irregularities.
    pub irregular: Vec<Irregular>,
}

/// Where a reader is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Before a record, or at the end of the file.
    Between,
    /// Within a record.
    Within,
    /// After an error.
    Failed,
}

/// Line ends that close a record (WARC 1.1 §4).
const WARC_CLOSING: u8 = 2;
/// Those that close one of an ARC.
const ARC_CLOSING: u8 = 1;

/// A stream of records.
pub struct Reader<R> {
    name: String,
    decoded: Decoded<R>,
    /// Offset of the record that is being read.
    offset: u64,
    /// Bytes of its block that weren't read yet.
    remaining: u64,
    length: u64,
    stage: Stage,
    shares_member: bool,
    /// The Zstandard frame of the next record was entered already, in search of
    /// this one's end.
    entered: bool,
    /// Whether the file is an ARC; `None` before its first record, which tells.
    is_arc: Option<bool>,
    hash: bool,
}

impl<R: Read> Reader<R> {
    /// A reader over a whole file; `name` is for messages. Whether it is gzip
    /// or Zstandard is told by its first bytes.
    pub fn new(name: impl Into<String>, inner: R) -> Self {
        Self::at(name, inner, 0)
    }

    /// A reader whose first byte stands at `offset` of the file.
    pub fn at(name: impl Into<String>, inner: R, offset: u64) -> Self {
        Self {
            name: name.into(),
            decoded: Decoded::new(inner, offset),
            offset,
            remaining: 0,
            length: 0,
            stage: Stage::Between,
            shares_member: false,
            entered: false,
            is_arc: (offset > 0).then_some(false),
            hash: false,
        }
    }

    /// With the dictionary at the start of the file, for a reader that begins
    /// behind it.
    #[must_use]
    pub fn with_dictionary(mut self, dictionary: Option<Dictionary>) -> Self {
        self.decoded.set_dictionary(dictionary);
        self
    }

    /// Whether the file is an ARC, for a reader that begins behind its first record.
    #[must_use]
    pub fn with_arc(mut self, is_arc: bool) -> Self {
        self.is_arc = Some(is_arc);
        self
    }

    /// Also hashes every record's bytes as stored.
    #[must_use]
    pub fn hashing(mut self) -> Self {
        self.hash = true;
        self
    }

    /// Byte offset in the file of what will be inflated next.
    pub fn position(&self) -> u64 {
        self.decoded.offset()
    }

    /// The next record, or `None` at the end of the file. A record that the
    /// caller left half read is read past first. After an error the stream is
    /// at its end.
    pub fn next_record(&mut self) -> Result<Option<Record<'_, R>>, ReadError> {
        if self.stage == Stage::Failed {
            return Ok(None);
        }
        if let Err(error) = self.advance() {
            return Err(self.fail(error));
        }
        if self.stage == Stage::Between {
            return Ok(None);
        }
        let header = match self.header() {
            Ok(header) => header,
            Err(error) => return Err(self.fail(error)),
        };
        Ok(header.map(|header| Record {
            header,
            reader: self,
        }))
    }

    fn fail(&mut self, error: ReadError) -> ReadError {
        self.stage = Stage::Failed;
        error
    }

    /// Goes to the start of the next record; the stage says whether there is one.
    fn advance(&mut self) -> Result<(), ReadError> {
        if self.stage == Stage::Within {
            self.close()?;
        }
        if std::mem::take(&mut self.entered) {
            self.offset = self.decoded.member_start();
        } else if !self.shares_member {
            if !self
                .decoded
                .next_member()
                .map_err(|e| self.source_error(e))?
            {
                return Ok(());
            }
            self.offset = self.decoded.member_start();
            self.decoded
                .track(self.hash.then(|| Hasher::new(Algorithm::Sha256)));
        }
        self.stage = Stage::Within;
        Ok(())
    }

    fn header(&mut self) -> Result<Option<Header>, ReadError> {
        let mut bytes = Vec::with_capacity(1024);
        let mut line_start = 0;
        loop {
            let decoded = match self.decoded.fill() {
                Ok(decoded) => decoded,
                Err(error) => return Err(self.source_error(error)),
            };
            if decoded.is_empty() && !bytes.is_empty() && self.goes_on()? {
                continue;
            }
            let decoded = self.decoded.buffered();
            if decoded.is_empty() {
                if bytes.iter().all(u8::is_ascii_whitespace) && !self.shares_member {
                    // Blank lines at the end of a plain file, or an empty member.
                    self.stage = Stage::Between;
                    return self.next_after_blank();
                }
                return Err(self.header_truncated(&bytes));
            }
            let line_end = decoded.iter().position(|&b| b == b'\n');
            let take = line_end.map_or(decoded.len(), |at| at + 1);
            bytes.extend_from_slice(&decoded[..take]);
            self.decoded.consume(take);
            if line_end.is_some() {
                let line = bytes[line_start..].trim_ascii();
                if line.is_empty() && line_start > 0 {
                    break;
                }
                if line.is_empty() {
                    bytes.clear();
                    continue;
                }
                let is_warc = starts_like_a_record(line);
                if line_start == 0 && self.is_arc_line(line) {
                    return match arc::Line::parse(line) {
                        Some(line) => self.arc_header(&line, bytes.len()).map(Some),
                        None => Err(self.not_a_record(&bytes)),
                    };
                }
                if line_start == 0 && !is_warc {
                    return Err(self.not_a_record(&bytes));
                }
                line_start = bytes.len();
            } else if bytes.len() >= 5
                && line_start == 0
                && !starts_like_a_record(&bytes)
                && !(self.is_arc_line(&bytes) && arc::Line::may_begin(&bytes))
            {
                return Err(self.not_a_record(&bytes));
            }
            if bytes.len() > MAX_HEAD_BYTES {
                return Err(ReadError::HeaderTooLong {
                    name: self.name.clone(),
                    offset: self.offset,
                });
            }
        }
        let Some(header) = Header::parse(&bytes) else {
            return Err(self.not_a_record(&bytes));
        };
        let Some(length) = header.content_length() else {
            return Err(ReadError::NoLength {
                name: self.name.clone(),
                offset: self.offset,
            });
        };
        self.length = length;
        self.remaining = length;
        self.is_arc = Some(false);
        Ok(Some(header))
    }

    fn reads_arc(&self) -> bool {
        self.is_arc == Some(true)
    }

    /// Whether a line must be one of an ARC: the file is one, or begins as one.
    fn is_arc_line(&self, line: &[u8]) -> bool {
        const FILE: &[u8] = b"filedesc:";
        self.is_arc.unwrap_or_else(|| {
            line[..line.len().min(FILE.len())] == FILE[..line.len().min(FILE.len())]
        })
    }

    /// The header of an ARC record; whether it is an answer is told by its content.
    /// `read` is the length of its line, which was just consumed.
    fn arc_header(&mut self, line: &arc::Line, read: usize) -> Result<Header, ReadError> {
        if !self.decoded.is_compressed() {
            // Blank lines before it are of the record before.
            self.offset = self.decoded.offset() - read as u64;
        }
        let start = match self.decoded.fill() {
            Ok(start) => &start[..start.len().min(5)],
            Err(error) => return Err(self.source_error(error)),
        };
        // At the end of a buffer there may be less to tell it by.
        let is_http = line.length >= 5 && !start.is_empty() && b"HTTP/".starts_with(start);
        self.length = line.length;
        self.remaining = line.length;
        self.is_arc = Some(true);
        Ok(Header::of_arc(&line.fields(is_http)))
    }

    /// A member without a record (some tools pad with empty ones) is passed over.
    fn next_after_blank(&mut self) -> Result<Option<Header>, ReadError> {
        self.advance()?;
        match self.stage {
            Stage::Within => self.header(),
            _ => Ok(None),
        }
    }

    /// Reads to the end of the open record.
    fn close(&mut self) -> Result<Extent, ReadError> {
        self.stage = Stage::Between;
        while self.remaining > 0 {
            let available = self.fill_block()?.len();
            self.consume_block(available);
        }
        let mut irregular = Vec::new();
        if self.shares_member {
            irregular.push(Irregular::SharesMember);
        }
        let closed = self.record_end()?;
        if !closed && !self.reads_arc() {
            irregular.push(Irregular::NoRecordEnd);
        }
        self.shares_member = false;
        if self.entered {
            return Ok(Extent {
                offset: self.offset,
                length: self.decoded.member_start() - self.offset,
                sha256: None,
                irregular,
            });
        }
        if self.decoded.is_compressed() {
            let stray = self.member_rest()?;
            if stray > 0 {
                irregular.push(Irregular::BytesAfterRecord(stray));
            }
        }
        let (end, hasher) = (self.decoded.offset(), self.decoded.take_hasher());
        Ok(Extent {
            offset: self.offset,
            length: end - self.offset,
            sha256: hasher.map(Hasher::finish),
            irregular,
        })
    }

    /// Reads the two line ends that close a record; bare LFs count too.
    fn record_end(&mut self) -> Result<bool, ReadError> {
        let (mut line_ends, mut bytes) = (0_u8, 0);
        let closing = if self.reads_arc() {
            ARC_CLOSING
        } else {
            WARC_CLOSING
        };
        while line_ends < closing && bytes < 4 {
            let next = match self.decoded.fill() {
                Ok(decoded) => decoded.first().copied(),
                Err(error) => return Err(self.source_error(error)),
            };
            if next.is_none() && self.decoded.may_continue() {
                if self.goes_on()? {
                    continue;
                }
                self.entered = !self.decoded.buffered().is_empty();
                break;
            }
            match next {
                Some(b'\n') => line_ends += 1,
                Some(b'\r') => {}
                _ => break,
            }
            bytes += 1;
            self.decoded.consume(1);
        }
        Ok(line_ends == closing)
    }

    /// What is left in the member after its record: nothing, stray bytes, or
    /// another record. Returns the number of stray bytes.
    fn member_rest(&mut self) -> Result<u64, ReadError> {
        let mut stray = 0;
        loop {
            let decoded = match self.decoded.fill() {
                Ok(decoded) => decoded,
                Err(error) => return Err(self.source_error(error)),
            };
            if decoded.is_empty() {
                return Ok(stray);
            }
            if self.is_arc == Some(true) {
                let Some(blank) = decoded.iter().position(|b| !b.is_ascii_whitespace()) else {
                    let all = decoded.len();
                    self.decoded.consume(all);
                    continue;
                };
                // Another record, or what can't be read as one and is an error.
                self.decoded.consume(blank);
                self.shares_member = true;
                return Ok(stray);
            }
            if starts_like_a_record(decoded) {
                self.shares_member = true;
                return Ok(stray);
            }
            let skip = decoded[1..]
                .iter()
                .position(|&b| b == b'W')
                .map_or(decoded.len(), |at| at + 1);
            stray += skip as u64;
            self.decoded.consume(skip);
        }
    }

    /// Whether the record goes on in the next Zstandard frame. One that begins
    /// another record ends this one, however much of it is missing.
    fn goes_on(&mut self) -> Result<bool, ReadError> {
        while self.decoded.may_continue() {
            match self.decoded.next_member() {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.source_error(error)),
            }
            let decoded = match self.decoded.fill() {
                Ok(decoded) => decoded,
                Err(error) => return Err(self.source_error(error)),
            };
            if !decoded.is_empty() {
                return Ok(!starts_like_a_record(decoded));
            }
        }
        Ok(false)
    }

    fn fill_block(&mut self) -> Result<&[u8], ReadError> {
        let limit = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        let empty = match self.decoded.fill() {
            Ok(decoded) => decoded.is_empty(),
            Err(error) => return Err(self.source_error(error)),
        };
        if empty && !self.goes_on()? {
            return Err(ReadError::Truncated {
                name: self.name.clone(),
                offset: self.offset,
                length: self.length,
                missing: self.remaining,
            });
        }
        let buffered = self.decoded.buffered();
        Ok(&buffered[..buffered.len().min(limit)])
    }

    fn consume_block(&mut self, n: usize) {
        self.decoded.consume(n);
        self.remaining -= n as u64;
    }

    fn source_error(&self, error: source::SourceError) -> ReadError {
        match error {
            source::SourceError::Io(source) => ReadError::Io {
                name: self.name.clone(),
                offset: self.decoded.member_start(),
                source,
            },
            source::SourceError::Damaged {
                zstd: true,
                offset,
                reason,
            } => ReadError::Zstd {
                name: self.name.clone(),
                offset,
                reason,
            },
            source::SourceError::Damaged { offset, reason, .. } => ReadError::Gzip {
                name: self.name.clone(),
                offset,
                reason,
            },
        }
    }

    fn header_truncated(&self, bytes: &[u8]) -> ReadError {
        if starts_like_a_record(bytes) || b"WARC/".starts_with(bytes) {
            ReadError::HeaderTruncated {
                name: self.name.clone(),
                offset: self.offset,
            }
        } else {
            self.not_a_record(bytes)
        }
    }

    fn not_a_record(&self, bytes: &[u8]) -> ReadError {
        let found = String::from_utf8_lossy(&bytes[..bytes.len().min(32)]).into_owned();
        ReadError::NotARecord {
            name: self.name.clone(),
            offset: self.offset,
            found,
        }
    }
}

fn starts_like_a_record(bytes: &[u8]) -> bool {
    bytes.len() >= 5 && bytes[..5].eq_ignore_ascii_case(b"WARC/")
}

/// Whether a file that starts so is gzip.
pub fn is_gzip(first_bytes: &[u8]) -> bool {
    first_bytes.starts_with(&GZIP_MAGIC)
}

/// One record: its header, and its block as a stream.
pub struct Record<'r, R: Read> {
    /// The named fields.
    pub header: Header,
    reader: &'r mut Reader<R>,
}

impl<R: Read> Record<'_, R> {
    /// Byte offset of the record, or of its gzip member, in the file.
    pub fn offset(&self) -> u64 {
        self.reader.offset
    }

    /// Byte offset in the file of what will be inflated next.
    pub fn position(&self) -> u64 {
        self.reader.position()
    }

    /// Bytes of the block that weren't read yet.
    pub fn remaining(&self) -> u64 {
        self.reader.remaining
    }

    /// Reads the block into memory, at most `limit` bytes of it.
    pub fn block(&mut self, limit: usize) -> Result<Vec<u8>, ReadError> {
        let mut block = Vec::new();
        self.append_to(&mut block, limit)?;
        Ok(block)
    }

    /// Appends what is left of the block, at most `limit` bytes of it.
    pub fn append_to(&mut self, bytes: &mut Vec<u8>, limit: usize) -> Result<(), ReadError> {
        let mut left = limit;
        while left > 0 && self.reader.remaining > 0 {
            let available = self.reader.fill_block()?;
            let take = available.len().min(left);
            bytes.extend_from_slice(&available[..take]);
            self.reader.consume_block(take);
            left -= take;
        }
        Ok(())
    }

    /// Gives the rest of the block to `sink`, piece by piece.
    pub fn each_piece(&mut self, mut sink: impl FnMut(&[u8])) -> Result<(), ReadError> {
        while self.reader.remaining > 0 {
            let available = self.reader.fill_block()?;
            sink(available);
            let n = available.len();
            self.reader.consume_block(n);
        }
        Ok(())
    }

    /// Reads past the rest of the record and says where it stood.
    pub fn finish(self) -> Result<Extent, ReadError> {
        self.finish_with_header().map(|(_, extent)| extent)
    }

    /// The same, and gives the header.
    pub fn finish_with_header(self) -> Result<(Header, Extent), ReadError> {
        match self.reader.close() {
            Ok(extent) => Ok((self.header, extent)),
            Err(error) => Err(self.reader.fail(error)),
        }
    }
}

impl<R: Read> Read for Record<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buffer.len());
        buffer[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: Read> BufRead for Record<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.reader.remaining == 0 {
            return Ok(&[]);
        }
        self.reader.fill_block().map_err(|error| match error {
            ReadError::Io { source, .. } => source,
            other => io::Error::new(io::ErrorKind::InvalidData, other),
        })
    }

    fn consume(&mut self, n: usize) {
        self.reader.consume_block(n);
    }
}

#[cfg(test)]
mod tests;
