//! A snapshot on disk, the only meeting point of those who write it (crawl,
//! deposit) and those who read it (verify, replay). Readers write nothing into
//! it and work on read-only media.

pub mod cdxj;
pub mod collection;
pub mod container;
pub mod crew;
pub mod denied;
pub mod index;
pub mod index_cache;
pub mod indexing;
pub mod layout;
pub mod ledger;
pub mod lock;
pub mod manifest;
pub mod merkle;
pub mod pages;
pub mod posted;
pub mod reading;
pub mod records;
mod resync;
pub mod scratch;
mod table;
pub mod whole;

use std::io;
use std::path::{Path, PathBuf};

/// Why a snapshot, or a file of one, can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The operating system failed.
    #[error("{path}: {doing} failed: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// Neither snapshot, WARC, WACZ nor bag.
    #[error("{path}: {reason}; a snapshot, WARC (plain, .gz or .zst), WACZ or bag is expected")]
    Unknown {
        /// The path given.
        path: PathBuf,
        /// What was found there.
        reason: String,
    },
    /// A URL where only what is on this machine is read.
    #[error("{path}: a URL; only `lastlight replay` reads a WACZ by HTTP: download it first")]
    Url {
        /// The URL.
        path: PathBuf,
    },
    /// A WACZ elsewhere that would have to be read through.
    #[error(
        "{path}: it brings no index, and would have to be read whole over the network: \
         download it first, or let it be packed with its index"
    )]
    Unindexed {
        /// Its URL.
        path: PathBuf,
    },
    /// A WACZ that can't be opened as ZIP.
    #[error("{path}: not a readable ZIP file: {reason}")]
    Zip {
        /// The WACZ.
        path: PathBuf,
        /// What the ZIP reader said.
        reason: String,
    },
    /// A file of the snapshot that doesn't parse.
    #[error("{path}, line {line}: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// A file that should be there.
    #[error("{path}: not in the snapshot")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A WARC of the collection can't be read.
    #[error(transparent)]
    Warc(#[from] crate::warc::ReadError),
}

impl SnapshotError {
    /// Wraps a system error with where and what.
    pub fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }
}
