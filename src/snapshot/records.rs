//! `metadata/records.csv`: every record in order, with the SHA-256 of its
//! bytes as stored. Gzip headers and padding bits escape every CRC; this is
//! what finds a change of any bit and names its record.

use std::io::{Read, Write};
use std::path::Path;

use super::{SnapshotError, table};
use crate::digest::Digest;

/// The header line.
pub const HEADER: &str = "filename,offset,length,record_id,sha256";

/// One row: a record and its stored bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Base name of the WARC.
    pub filename: String,
    /// Byte offset in it.
    pub offset: u64,
    /// Bytes stored.
    pub length: u64,
    /// `WARC-Record-ID`, angle brackets included.
    pub record_id: String,
    /// SHA-256 of the stored bytes, lower-case hex.
    pub sha256: String,
}

impl RecordRow {
    /// The row as a line of the file, without line end. No column can hold a
    /// comma or quote: file names and ids are ours.
    pub fn line(&self) -> String {
        let Self {
            filename,
            offset,
            length,
            record_id,
            sha256,
        } = self;
        format!("{filename},{offset},{length},{record_id},{sha256}")
    }
}

/// Writes the rows of a file as they come and computes the record root: the
/// RFC 9162 Merkle tree hash over the lines.
pub struct RecordsWriter<W> {
    out: W,
    tree: super::merkle::MerkleTree,
}

impl<W: Write> RecordsWriter<W> {
    /// Begins the file with its header.
    pub fn new(mut out: W) -> std::io::Result<Self> {
        writeln!(out, "{HEADER}")?;
        Ok(Self {
            out,
            tree: super::merkle::MerkleTree::default(),
        })
    }

    /// Adds a row.
    pub fn add(&mut self, row: &RecordRow) -> std::io::Result<()> {
        let line = row.line();
        self.tree.add(line.as_bytes());
        writeln!(self.out, "{line}")
    }

    /// The root over all rows, and their number.
    pub fn finish(self) -> (Digest, u64) {
        (self.tree.root(), self.tree.len())
    }
}

/// Reads the rows of a file; `path` is for messages.
pub fn read(
    path: &Path,
    file: impl Read,
) -> impl Iterator<Item = Result<RecordRow, SnapshotError>> {
    table::rows(path, file, |row| {
        let column = |at: usize| row.get(at).unwrap_or_default().to_owned();
        let number = |at: usize, name: &str| {
            let parsed = column(at).parse();
            parsed.map_err(|_| format!("column {name} is not a number"))
        };
        if row.len() != 5 {
            return Err(format!("5 columns expected, {} found", row.len()));
        }
        Ok(RecordRow {
            filename: column(0),
            offset: number(1, "offset")?,
            length: number(2, "length")?,
            record_id: column(3),
            sha256: column(4),
        })
    })
}
