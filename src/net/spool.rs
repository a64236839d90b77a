//! An answer while it is received: in memory, or in a file once it's large.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that grow, in bounded memory.
#[derive(Debug)]
pub struct Spool {
    memory: Vec<u8>,
    limit: usize,
    file: Option<File>,
    length: u64,
    directory: PathBuf,
}

impl Spool {
    /// An empty spool that moves to an unnamed file in `directory` when it
    /// grows past `limit` bytes.
    pub fn new(directory: &Path, limit: usize) -> Self {
        Self {
            memory: Vec::new(),
            limit,
            file: None,
            length: 0,
            directory: directory.to_owned(),
        }
    }

    /// Appends bytes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        if let Some(file) = &mut self.file {
            return file.write_all(bytes);
        }
        self.memory.extend_from_slice(bytes);
        if self.memory.len() > self.limit {
            let mut file = unnamed_file(&self.directory)?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        Ok(())
    }

    /// Bytes held.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All bytes, where they are in memory.
    pub fn memory(&self) -> Option<&[u8]> {
        self.file.is_none().then_some(&self.memory)
    }

    /// A stream over all bytes; any number may read at once.
    pub fn reader(&self) -> SpoolReader<'_> {
        self.reader_at(0)
    }

    /// A stream over the bytes from `at` on.
    pub fn reader_at(&self, at: u64) -> SpoolReader<'_> {
        SpoolReader { spool: self, at }
    }
}

/// A stream over a [`Spool`].
#[derive(Debug)]
pub struct SpoolReader<'s> {
    spool: &'s Spool,
    at: u64,
}

impl Read for SpoolReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match &self.spool.file {
            Some(file) => file.read_at(buffer, self.at)?,
            None => {
                let at = usize::try_from(self.at)
                    .unwrap_or(usize::MAX)
                    .min(self.spool.memory.len());
                (&self.spool.memory[at..]).read(buffer)?
            }
        };
        self.at += n as u64;
        Ok(n)
    }
}

/// A file without name: it goes with its handle, so a kill leaves nothing.
pub fn unnamed_file(directory: &Path) -> io::Result<File> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{}-{serial}", std::process::id()));
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path);
        match created {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            // A process with this number was killed between the two steps.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_was_written_is_read_from_memory_and_from_disk() {
        let directory = tempfile::tempdir().unwrap();
        for limit in [0, 10, 1000] {
            let mut spool = Spool::new(directory.path(), limit);
            for piece in [&b"one "[..], b"", b"two ", b"three four five"] {
                spool.write(piece).unwrap();
            }
            let mut text = String::new();
            spool.reader().read_to_string(&mut text).unwrap();
            assert_eq!(text, "one two three four five");
            assert_eq!(spool.memory().is_some(), limit == 1000);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
