//! The WARC files of a crawl: appended to, never overwritten, begun anew when
//! they have grown to their size.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::job::Piece;

/// The file that records are appended to.
pub struct WarcFile {
    /// Base name.
    pub filename: String,
    /// Its row in the store.
    pub id: i64,
    file: File,
    path: PathBuf,
    written: u64,
    synced: u64,
}

impl WarcFile {
    /// Creates a file that must not exist yet.
    pub fn create(archive: &Path, filename: String, id: i64) -> io::Result<Self> {
        let path = archive.join(&filename);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)?;
        // The name must be durable before a row may point into the file.
        File::open(archive)?.sync_all()?;
        Ok(Self {
            filename,
            id,
            file,
            path,
            written: 0,
            synced: 0,
        })
    }

    /// Appends the pieces of one exchange and returns where it begins.
    pub fn append(&mut self, pieces: Vec<Piece>) -> io::Result<u64> {
        let start = self.written;
        for piece in pieces {
            self.written += match piece {
                Piece::Memory(bytes) => {
                    self.file.write_all(&bytes)?;
                    bytes.len() as u64
                }
                Piece::Spooled(mut member) => io::copy(&mut member, &mut self.file)?,
            };
        }
        Ok(start)
    }

    /// Makes what was appended durable; returns the file's length.
    pub fn sync(&mut self) -> io::Result<u64> {
        if self.synced < self.written {
            self.file.sync_data()?;
            self.synced = self.written;
        }
        Ok(self.written)
    }

    /// Bytes appended.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The base name of the file with this number: the snapshot's name in letters
/// that every tool and table takes.
pub fn filename(snapshot: &str, serial: usize) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let letters = snapshot.chars().map(|c| if allowed(c) { c } else { '_' });
    let stem: String = letters.take(150).collect();
    format!("{stem}-{serial:05}.warc.gz")
}

/// Whether a file of `archive/` is one that [`filename`] named for a snapshot
/// of this name.
pub fn is_ours(snapshot: &str, file: &str) -> bool {
    let first = filename(snapshot, 0);
    let stem = first.trim_end_matches("00000.warc.gz");
    let serial = file
        .strip_prefix(stem)
        .and_then(|rest| rest.strip_suffix(".warc.gz"));
    serial.is_some_and(|serial| serial.len() >= 5 && serial.bytes().all(|b| b.is_ascii_digit()))
}
