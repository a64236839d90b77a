//! Bytes of a file with their offset, and the decoded bytes of its gzip
//! members one member at a time.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::member::GZIP_MAGIC;
use crate::digest::Hasher;

const BUFFER: usize = 64 * 1024;

pub(super) enum SourceError {
    Io(io::Error),
    Damaged { offset: u64, reason: String },
}

/// The stored bytes: buffered, counted, and hashed as they are used.
struct Stored<R> {
    inner: R,
    buffer: Box<[u8]>,
    at: usize,
    end: usize,
    offset: u64,
    hasher: Option<Hasher>,
}

impl<R: Read> Stored<R> {
    fn fill(&mut self) -> Result<&[u8], SourceError> {
        while self.at == self.end {
            match self.inner.read(&mut self.buffer) {
                Ok(n) => {
                    (self.at, self.end) = (0, n);
                    break;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::Io(error)),
            }
        }
        Ok(&self.buffer[self.at..self.end])
    }

    /// Makes at least `n` bytes visible at once, if the file has them.
    fn peek(&mut self, n: usize) -> Result<&[u8], SourceError> {
        while self.end - self.at < n {
            self.buffer.copy_within(self.at..self.end, 0);
            (self.at, self.end) = (0, self.end - self.at);
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::Io(error)),
            }
        }
        Ok(&self.buffer[self.at..self.end])
    }

    fn consume(&mut self, n: usize) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&self.buffer[self.at..self.at + n]);
        }
        self.at += n;
        self.offset += n as u64;
    }
}

/// The bytes of records: those of the file, or inflated from its members.
pub(super) struct Decoded<R> {
    stored: Stored<R>,
    gzip: Option<Gzip>,
    sniffed: bool,
    member_start: u64,
}

struct Gzip {
    inflate: Decompress,
    /// Whether the member goes on.
    within: bool,
    out: Box<[u8]>,
    at: usize,
    end: usize,
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(inner: R, offset: u64) -> Self {
        Self {
            stored: Stored {
                inner,
                buffer: vec![0; BUFFER].into(),
                at: 0,
                end: 0,
                offset,
                hasher: None,
            },
            gzip: None,
            sniffed: false,
            member_start: offset,
        }
    }

    pub(super) fn is_gzip(&self) -> bool {
        self.gzip.is_some()
    }

    /// Offset in the file of the next stored byte.
    pub(super) fn offset(&self) -> u64 {
        self.stored.offset
    }

    pub(super) fn member_start(&self) -> u64 {
        self.member_start
    }

    /// Hashes the stored bytes that are used from here on.
    pub(super) fn track(&mut self, hasher: Option<Hasher>) {
        self.stored.hasher = hasher;
    }

    pub(super) fn take_hasher(&mut self) -> Option<Hasher> {
        self.stored.hasher.take()
    }

    /// Steps to the next member, or to the next byte of a plain file; `false`
    /// at the end of the file.
    pub(super) fn next_member(&mut self) -> Result<bool, SourceError> {
        let offset = self.stored.offset;
        let start = self.stored.peek(GZIP_MAGIC.len())?;
        let is_gzip = start.starts_with(&GZIP_MAGIC);
        if start.is_empty() {
            return Ok(false);
        }
        if !self.sniffed {
            self.sniffed = true;
            self.gzip = is_gzip.then(|| Gzip {
                inflate: Decompress::new(false),
                within: false,
                out: vec![0; BUFFER].into(),
                at: 0,
                end: 0,
            });
        }
        self.member_start = offset;
        if let Some(gzip) = &mut self.gzip {
            if !is_gzip {
                return Err(SourceError::Damaged {
                    offset,
                    reason: format!(
                        "it starts with {start:02x?}",
                        start = &start[..start.len().min(8)]
                    ),
                });
            }
            gzip.inflate = Decompress::new_gzip(15);
            gzip.within = true;
            (gzip.at, gzip.end) = (0, 0);
        }
        Ok(true)
    }

    /// Decoded bytes; empty at the end of the member or plain file.
    pub(super) fn fill(&mut self) -> Result<&[u8], SourceError> {
        let Some(gzip) = &mut self.gzip else {
            return self.stored.fill();
        };
        while gzip.at == gzip.end && gzip.within {
            let input = self.stored.fill()?;
            let (used, made) = (gzip.inflate.total_in(), gzip.inflate.total_out());
            let at_end = input.is_empty();
            let status = gzip
                .inflate
                .decompress(input, &mut gzip.out, FlushDecompress::None);
            let used = (gzip.inflate.total_in() - used) as usize;
            let made = (gzip.inflate.total_out() - made) as usize;
            let damaged = |reason: String| SourceError::Damaged {
                offset: self.member_start,
                reason,
            };
            let status = status.map_err(|error| damaged(error.to_string()))?;
            self.stored.consume(used);
            (gzip.at, gzip.end) = (0, made);
            match status {
                Status::StreamEnd => gzip.within = false,
                _ if at_end && made == 0 => return Err(damaged("the file ends inside it".into())),
                _ if used == 0 && made == 0 && !at_end => {
                    return Err(damaged("inflating makes no progress".into()));
                }
                _ => {}
            }
        }
        Ok(&gzip.out[gzip.at..gzip.end])
    }

    /// What the last `fill` returned and wasn't used yet.
    pub(super) fn buffered(&self) -> &[u8] {
        match &self.gzip {
            Some(gzip) => &gzip.out[gzip.at..gzip.end],
            None => &self.stored.buffer[self.stored.at..self.stored.end],
        }
    }

    pub(super) fn consume(&mut self, n: usize) {
        match &mut self.gzip {
            Some(gzip) => gzip.at += n,
            None => self.stored.consume(n),
        }
    }
}
