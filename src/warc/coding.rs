//! How records are compressed in a WARC that is written: each its own gzip
//! member, or its own Zstandard frame.

use std::io::{self, Read, Write};

use super::frame::{Dictionary, FrameCompressor};
use super::member::{Compressor, Levels, PayloadKind};

/// The compression of a WARC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coding {
    /// `.warc.gz` (WARC 1.1 annex D).
    Gzip(Levels),
    /// `.warc.zst`.
    Zstd {
        /// From 1 to 19.
        level: i32,
        /// What all records share.
        dictionary: Option<Dictionary>,
    },
}

impl Coding {
    /// The end of a file's name.
    pub fn suffix(&self) -> &'static str {
        match self {
            Self::Gzip(_) => ".warc.gz",
            Self::Zstd { .. } => ".warc.zst",
        }
    }

    /// What stands before a file's first record.
    pub fn preamble(&self) -> Vec<u8> {
        match self {
            Self::Zstd {
                dictionary: Some(dictionary),
                ..
            } => dictionary.frame(),
            _ => Vec::new(),
        }
    }
}

/// Compresses records, one after the other; reused, and never shared.
pub enum Coder {
    /// Into gzip members.
    Gzip(Compressor),
    /// Into Zstandard frames.
    Zstd(FrameCompressor),
}

impl Coder {
    /// For a file's compression.
    pub fn new(coding: &Coding) -> Self {
        match coding {
            Coding::Gzip(levels) => Self::Gzip(Compressor::new(*levels)),
            Coding::Zstd { level, dictionary } => {
                Self::Zstd(FrameCompressor::new(*level, dictionary.clone()))
            }
        }
    }

    /// Says whether more records wait than can be compressed in time. Zstandard is
    /// fast at its usual level.
    pub fn set_backlog(&mut self, has_backlog: bool) {
        if let Self::Gzip(compressor) = self {
            compressor.has_backlog = has_backlog;
        }
    }

    /// Appends a record that is whole in memory to `out`.
    pub fn record(&mut self, record: &[u8], payload: PayloadKind, out: &mut Vec<u8>) {
        match self {
            Self::Gzip(compressor) => compressor.member_of(record, payload, out),
            Self::Zstd(compressor) => compressor.frame(record, out),
        }
    }

    /// Copies a record of `length` bytes into `out`.
    pub fn stream<W: Write>(
        &self,
        record: impl Read,
        length: u64,
        payload: PayloadKind,
        out: W,
    ) -> io::Result<W> {
        match self {
            Self::Gzip(compressor) => compressor.stream(record, payload, out),
            Self::Zstd(compressor) => compressor.stream(record, length, out),
        }
    }
}
