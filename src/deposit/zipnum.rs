//! The compressed index that WACZ players look for: CDXJ in gzip members of
//! some hundred lines each (`index.cdx.gz`), and the key, offset and length of
//! every member (`index.idx`), as py-wacz writes them.

use std::io::{self, Write};
use std::path::Path;

use super::DepositError;
use super::source::malformed;
use crate::digest::Digest;
use crate::snapshot::layout::INDEX;
use crate::warc::member::Compressor;

/// The compressed CDXJ, relative to the package.
pub(super) const BLOCKS: &str = "indexes/index.cdx.gz";
/// The keys of its members.
pub(super) const KEYS: &str = "indexes/index.idx";

/// Lines a member, as in py-wacz.
const BLOCK_LINES: u32 = 1024;
/// A member of long lines ends earlier, so that memory stays bounded.
const BLOCK_BYTES: usize = 4 * 1024 * 1024;
/// A longer line is no CDXJ.
const MAX_LINE: usize = 1024 * 1024;

/// Turns a sorted CDXJ, as it comes, into blocks and keys.
pub(super) struct ZipNum<K> {
    keys: K,
    compressor: Compressor,
    block: Vec<u8>,
    /// Whole lines in `block`.
    lines: u32,
    /// Where the last line of `block` begins.
    line_start: usize,
    /// Bytes of all members so far.
    offset: u64,
}

impl<K: Write> ZipNum<K> {
    /// Nothing compressed yet; the keys go to `keys`.
    pub(super) fn new(keys: K) -> Self {
        Self {
            keys,
            compressor: Compressor::default(),
            block: Vec::new(),
            lines: 0,
            line_start: 0,
            offset: 0,
        }
    }

    /// Takes a piece of the CDXJ, cut anywhere, and hands each member that is
    /// full to `sink`.
    pub(super) fn push(
        &mut self,
        piece: &[u8],
        mut sink: impl FnMut(&[u8]) -> Result<(), DepositError>,
    ) -> Result<(), DepositError> {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            self.block.extend_from_slice(part);
            if self.block.len() - self.line_start > MAX_LINE {
                let reason = "a line of the index is longer than 1 MiB".to_owned();
                return Err(malformed(Path::new(INDEX), 0, reason).into());
            }
            if part.ends_with(b"\n") {
                self.lines += 1;
                self.line_start = self.block.len();
                if self.lines == BLOCK_LINES || self.block.len() >= BLOCK_BYTES {
                    self.flush(&mut sink)?;
                }
            }
        }
        Ok(())
    }

    /// Hands the last member to `sink`, and gives the keys back.
    pub(super) fn finish(
        mut self,
        mut sink: impl FnMut(&[u8]) -> Result<(), DepositError>,
    ) -> Result<K, DepositError> {
        // Of an empty index there is a member too: no bytes at all are no gzip.
        if !self.block.is_empty() || self.offset == 0 {
            self.flush(&mut sink)?;
        }
        Ok(self.keys)
    }

    fn flush(
        &mut self,
        sink: &mut impl FnMut(&[u8]) -> Result<(), DepositError>,
    ) -> Result<(), DepositError> {
        let mut member = Vec::new();
        self.compressor.member(&self.block, &mut member);
        self.write_key(&member)
            .map_err(DepositError::write(Path::new(KEYS), "writing"))?;
        sink(&member)?;
        self.offset += member.len() as u64;
        self.block.clear();
        self.lines = 0;
        self.line_start = 0;
        Ok(())
    }

    /// The key is SURT and timestamp of the first line. (Where a SURT holds a
    /// brace, py-wacz cuts it there; players compare whole keys.)
    fn write_key(&mut self, member: &[u8]) -> io::Result<()> {
        if self.offset == 0 {
            let meta = r#"!meta 0 {"format": "cdxj-gzip-1.0", "filename": "index.cdx.gz"}"#;
            writeln!(self.keys, "{meta}")?;
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let line = self.block.split(|&byte| byte == b'\n').next();
        let line = line.unwrap_or_default();
        let mut spaces = line.iter().enumerate().filter(|(_, byte)| **byte == b' ');
        let key = &line[..spaces.nth(1).map_or(line.len(), |(at, _)| at)];
        self.keys.write_all(key)?;
        writeln!(
            self.keys,
            r#" {{"offset": {}, "length": {}, "digest": "{}"}}"#,
            self.offset,
            member.len(),
            Digest::sha256(member)
        )
    }
}
