//! Bytes of a file with their offset, and the decoded bytes of its gzip
//! members or Zstandard frames, one at a time.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::super::frame::{
    DICTIONARY_MAGIC, Dictionary, FrameDecoder, MAX_DICTIONARY, SKIPPABLE_HEADER, ZSTD_MAGIC,
    is_skippable, skippable_length,
};
use super::super::member::{Decompressor, GZIP_MAGIC, Inflated};
use crate::digest::Hasher;

/// Stored bytes that are buffered at first, and decoded ones of a member that
/// streams.
const BUFFER: usize = 64 * 1024;
/// Stored bytes that are buffered once reading goes on. A gzip member that isn't
/// longer is inflated in one piece,
const MAX_STORED: usize = 1024 * 1024;
/// if no more than this comes out.
const MAX_WHOLE: usize = 4 * 1024 * 1024;

pub(super) enum SourceError {
    Io(io::Error),
    Damaged {
        zstd: bool,
        offset: u64,
        reason: String,
    },
}

/// The stored bytes: buffered, counted, and hashed as they are used.
struct Stored<R> {
    inner: R,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    offset: u64,
    hasher: Option<Hasher>,
    /// The file has no more.
    ended: bool,
    /// Reading ahead failed. It is told when what is buffered is used up: the
    /// records in there can be read.
    failed: Option<io::Error>,
}

impl<R: Read> Stored<R> {
    fn visible(&self) -> &[u8] {
        &self.buffer[self.at..self.end]
    }

    /// The next bytes; empty at the end of the file.
    fn fill(&mut self) -> Result<&[u8], SourceError> {
        if self.at == self.end {
            self.more();
            if let Some(error) = self.failed.take() {
                return Err(SourceError::Io(error));
            }
        }
        Ok(self.visible())
    }

    /// Makes at least `n` bytes visible at once, if the file has them.
    fn peek(&mut self, n: usize) -> Result<&[u8], SourceError> {
        while self.end - self.at < n && self.more() {}
        if self.end - self.at < n
            && let Some(error) = self.failed.take()
        {
            return Err(SourceError::Io(error));
        }
        Ok(self.visible())
    }

    /// Makes as much visible as may be looked at in one piece; `false` where
    /// that isn't more than before.
    fn see_all(&mut self) -> bool {
        let before = self.end - self.at;
        while self.end - self.at < MAX_STORED && self.more() {}
        self.end - self.at > before
    }

    /// Reads once; `false` where nothing came.
    fn more(&mut self) -> bool {
        if self.ended || self.failed.is_some() {
            return false;
        }
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.at..self.end, 0);
            (self.at, self.end) = (0, self.end - self.at);
            // One who has read so much will read more.
            let wanted = (self.buffer.len() * 4).min(MAX_STORED);
            self.buffer.resize(wanted, 0);
        }
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => {
                    self.end += read;
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => self.failed = Some(error),
            }
            return false;
        }
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
    coding: Option<Coding>,
    sniffed: bool,
    member_start: u64,
    dictionary: Option<Dictionary>,
}

struct Coding {
    inflate: Inflate,
    /// Whether the member goes on.
    within: bool,
    out: Vec<u8>,
    at: usize,
    end: usize,
}

enum Inflate {
    Gzip(Gzip),
    Zstd(FrameDecoder),
}

/// A member is inflated in one piece by libdeflate, which takes half the time, or
/// where it is too long or damaged by zlib, which also tells what is wrong.
#[derive(Default)]
struct Gzip {
    whole: Decompressor,
    /// Set once the member streams.
    stream: Option<Decompress>,
}

impl Gzip {
    /// The bytes that the member takes and gives, if it is inflated in one piece.
    fn whole(
        &mut self,
        stored: &mut Stored<impl Read>,
        out: &mut Vec<u8>,
    ) -> Option<(usize, usize)> {
        // Of many small members that are read ahead the last one is cut; with a
        // rest like this it is seldom tried in vain.
        if stored.end - stored.at < stored.buffer.len() / 8 {
            stored.more();
        }
        loop {
            match self.whole.member(stored.visible(), out) {
                Inflated::Whole { used, made } => return Some((used, made)),
                Inflated::NoRoom if out.len() < MAX_WHOLE => {
                    out.resize((out.len() * 4).min(MAX_WHOLE), 0);
                }
                Inflated::Cut if stored.see_all() => {}
                Inflated::NoRoom | Inflated::Cut | Inflated::Unfit => return None,
            }
        }
    }
}

impl<R: Read> Decoded<R> {
    pub(super) fn new(inner: R, offset: u64) -> Self {
        Self {
            stored: Stored {
                inner,
                buffer: vec![0; BUFFER],
                at: 0,
                end: 0,
                offset,
                hasher: None,
                ended: false,
                failed: None,
            },
            coding: None,
            sniffed: false,
            member_start: offset,
            dictionary: None,
        }
    }

    /// The dictionary at the start of the file, where reading begins behind it.
    pub(super) fn set_dictionary(&mut self, dictionary: Option<Dictionary>) {
        self.dictionary = dictionary;
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.coding.is_some()
    }

    /// Whether a record may go on in the next member: in Zstandard's frames.
    pub(super) fn may_continue(&self) -> bool {
        matches!(
            self.coding,
            Some(Coding {
                inflate: Inflate::Zstd(_),
                ..
            })
        )
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
        if !self.sniffed || self.may_continue() {
            self.pass_skippable()?;
        }
        let offset = self.stored.offset;
        let start = self.stored.peek(ZSTD_MAGIC.len())?;
        let (is_gzip, is_zstd) = (
            start.starts_with(&GZIP_MAGIC),
            start.starts_with(&ZSTD_MAGIC),
        );
        if start.is_empty() {
            return Ok(false);
        }
        let first: Vec<u8> = start.iter().take(ZSTD_MAGIC.len()).copied().collect();
        if !self.sniffed {
            self.sniffed = true;
            let inflate = match (is_gzip, is_zstd) {
                (true, _) => Some(Inflate::Gzip(Gzip::default())),
                (_, true) => {
                    let decoder = FrameDecoder::new(self.dictionary.as_ref());
                    Some(Inflate::Zstd(decoder.map_err(SourceError::Io)?))
                }
                _ => None,
            };
            self.coding = inflate.map(|inflate| Coding {
                inflate,
                within: false,
                out: vec![0; BUFFER],
                at: 0,
                end: 0,
            });
        }
        self.member_start = offset;
        if let Some(coding) = &mut self.coding {
            let fits = match &mut coding.inflate {
                Inflate::Gzip(gzip) => {
                    gzip.stream = None;
                    is_gzip
                }
                Inflate::Zstd(decoder) => {
                    decoder.restart().map_err(SourceError::Io)?;
                    is_zstd
                }
            };
            if !fits {
                return Err(SourceError::Damaged {
                    zstd: matches!(coding.inflate, Inflate::Zstd(_)),
                    offset,
                    reason: format!("it starts with {first:02x?}"),
                });
            }
            coding.within = true;
            (coding.at, coding.end) = (0, 0);
        }
        Ok(true)
    }

    /// Passes over frames that hold no records. The dictionary is one of them.
    fn pass_skippable(&mut self) -> Result<(), SourceError> {
        loop {
            let offset = self.stored.offset;
            let header = self.stored.peek(SKIPPABLE_HEADER)?;
            if !is_skippable(header) {
                return Ok(());
            }
            let damaged = |reason: String| SourceError::Damaged {
                zstd: true,
                offset,
                reason,
            };
            if header.len() < SKIPPABLE_HEADER {
                return Err(damaged("the file ends inside it".into()));
            }
            let length = skippable_length(header);
            let is_dictionary = offset == 0 && header.starts_with(&DICTIONARY_MAGIC);
            if is_dictionary && length > MAX_DICTIONARY {
                let reason = format!("a dictionary of {length} bytes; {MAX_DICTIONARY} are taken");
                return Err(damaged(reason));
            }
            self.stored.consume(SKIPPABLE_HEADER);
            let (mut left, mut data) = (length, Vec::new());
            while left > 0 {
                let bytes = self.stored.fill()?;
                if bytes.is_empty() {
                    return Err(damaged("the file ends inside it".into()));
                }
                let take = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if is_dictionary {
                    data.extend_from_slice(&bytes[..take]);
                }
                self.stored.consume(take);
                left -= take as u64;
            }
            if is_dictionary {
                let dictionary = Dictionary::of_frame(&data);
                self.dictionary = Some(dictionary.map_err(|error| damaged(error.to_string()))?);
            }
        }
    }

    /// Decoded bytes; empty at the end of the member or plain file.
    pub(super) fn fill(&mut self) -> Result<&[u8], SourceError> {
        let Some(coding) = &mut self.coding else {
            return self.stored.fill();
        };
        while coding.at == coding.end && coding.within {
            if let Inflate::Gzip(gzip) = &mut coding.inflate
                && gzip.stream.is_none()
                && let Some((used, made)) = gzip.whole(&mut self.stored, &mut coding.out)
            {
                self.stored.consume(used);
                (coding.at, coding.end) = (0, made);
                coding.within = false;
                break;
            }
            let out = &mut coding.out[..BUFFER];
            let input = self.stored.fill()?;
            let at_end = input.is_empty();
            let zstd = matches!(coding.inflate, Inflate::Zstd(_));
            let damaged = |reason: String| SourceError::Damaged {
                zstd,
                offset: self.member_start,
                reason,
            };
            let (used, made, ended) = match &mut coding.inflate {
                Inflate::Gzip(gzip) => {
                    let inflate = gzip.stream.get_or_insert_with(|| Decompress::new_gzip(15));
                    let (used, made) = (inflate.total_in(), inflate.total_out());
                    let status = inflate.decompress(input, out, FlushDecompress::None);
                    let used = (inflate.total_in() - used) as usize;
                    let made = (inflate.total_out() - made) as usize;
                    let status = status.map_err(|error| damaged(error.to_string()))?;
                    (used, made, status == Status::StreamEnd)
                }
                Inflate::Zstd(decoder) => {
                    let step = decoder.step(input, out);
                    let step = step.map_err(|error| damaged(error.to_string()))?;
                    (step.used, step.made, step.ended)
                }
            };
            self.stored.consume(used);
            (coding.at, coding.end) = (0, made);
            if ended {
                coding.within = false;
            } else if at_end && made == 0 {
                return Err(damaged("the file ends inside it".into()));
            } else if used == 0 && made == 0 {
                return Err(damaged("inflating makes no progress".into()));
            }
        }
        Ok(&coding.out[coding.at..coding.end])
    }

    /// What the last `fill` returned and wasn't used yet.
    pub(super) fn buffered(&self) -> &[u8] {
        match &self.coding {
            Some(coding) => &coding.out[coding.at..coding.end],
            None => self.stored.visible(),
        }
    }

    pub(super) fn consume(&mut self, n: usize) {
        match &mut self.coding {
            Some(coding) => coding.at += n,
            None => self.stored.consume(n),
        }
    }
}
