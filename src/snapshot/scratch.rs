//! Scratch files of readers, outside every snapshot, and a sorter of lines in
//! bounded memory on top of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// An unnamed file in the system's temporary directory; it goes with its
/// handle, however the process ends.
pub fn file() -> io::Result<File> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    loop {
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let name = format!("lastlight-{}-{serial}", std::process::id());
        let path = std::env::temp_dir().join(name);
        match OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
        {
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Lines are sorted in memory up to this many bytes at a time, with 16 more for
/// each: verification has three sorters at once.
const RUN_BYTES: usize = 24 * 1024 * 1024;
/// Sorted runs that are merged at a time; each is an open file.
const MERGED: usize = 64;

/// Sorts lines bytewise and drops exact duplicates, as `LC_ALL=C sort -u`
/// does, in memory bounded by one run.
pub struct LineSorter {
    text: Vec<u8>,
    lines: Vec<(usize, u32)>,
    limit: usize,
    spilled: Vec<File>,
}

impl Default for LineSorter {
    fn default() -> Self {
        Self::with_limit(RUN_BYTES)
    }
}

impl LineSorter {
    fn with_limit(limit: usize) -> Self {
        Self {
            text: Vec::new(),
            lines: Vec::new(),
            limit,
            spilled: Vec::new(),
        }
    }

    /// Adds a line, given without its line end.
    pub fn add(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u32::try_from(line.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let size = |lines: usize, bytes: usize| bytes + lines * size_of::<(usize, u32)>();
        if size(self.lines.len() + 1, self.text.len() + line.len()) > self.limit
            && !self.lines.is_empty()
        {
            self.spill()?;
        }
        self.lines.push((self.text.len(), length));
        self.text.extend_from_slice(line);
        Ok(())
    }

    /// Gives the lines of the run in order, and empties it.
    fn drain(&mut self, mut sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let text = &self.text;
        let line = |&(at, length): &(usize, u32)| &text[at..at + length as usize];
        self.lines.sort_unstable_by(|a, b| line(a).cmp(line(b)));
        self.lines.iter().map(line).try_for_each(&mut sink)?;
        self.lines.clear();
        self.text.clear();
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        let mut writer = BufWriter::new(file()?);
        self.drain(|line| {
            writer.write_all(line)?;
            writer.write_all(b"\n")
        })?;
        self.spilled.push(finished(writer)?);
        if self.spilled.len() == MERGED {
            let mut writer = BufWriter::new(file()?);
            merge(std::mem::take(&mut self.spilled), &mut writer)?;
            self.spilled.push(finished(writer)?);
        }
        Ok(())
    }

    /// Writes all lines in order, each with its line end.
    pub fn write_to(mut self, out: &mut impl Write) -> io::Result<()> {
        if !self.spilled.is_empty() {
            self.spill()?;
            (self.text, self.lines) = (Vec::new(), Vec::new());
            return merge(self.spilled, out);
        }
        let mut distinct = Distinct::new(out);
        self.drain(|line| distinct.write(line))
    }
}

impl LineSorter {
    /// Gives all lines in order, without their line ends.
    pub fn each_line(self, sink: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        self.write_to(&mut LineSink {
            line: Vec::new(),
            sink,
        })
    }
}

/// Cuts into lines what is written.
struct LineSink<F> {
    line: Vec<u8>,
    sink: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Write for LineSink<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = bytes.iter().position(|&b| b == b'\n');
        self.line
            .extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_some() {
            (self.sink)(&self.line)?;
            self.line.clear();
        }
        Ok(end.map_or(bytes.len(), |end| end + 1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn finished(writer: BufWriter<File>) -> io::Result<File> {
    writer.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Writes lines, each that is equal to the one before left out.
struct Distinct<'w, W> {
    out: &'w mut W,
    last: Option<Vec<u8>>,
}

impl<'w, W: Write> Distinct<'w, W> {
    fn new(out: &'w mut W) -> Self {
        Self { out, last: None }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.last.as_deref() == Some(line) {
            return Ok(());
        }
        let last = self.last.get_or_insert_default();
        last.clear();
        last.extend_from_slice(line);
        self.out.write_all(line)?;
        self.out.write_all(b"\n")
    }
}

/// Merges sorted runs.
fn merge(files: Vec<File>, out: &mut impl Write) -> io::Result<()> {
    let mut distinct = Distinct::new(out);
    let mut runs = Vec::new();
    let mut heap = BinaryHeap::new();
    for (at, mut file) in files.into_iter().enumerate() {
        file.rewind()?;
        let mut run = BufReader::new(file);
        if let Some(line) = next_line(&mut run)? {
            heap.push(Reverse((line, at)));
        }
        runs.push(run);
    }
    while let Some(Reverse((line, at))) = heap.pop() {
        distinct.write(&line)?;
        if let Some(line) = next_line(&mut runs[at])? {
            heap.push(Reverse((line, at)));
        }
    }
    Ok(())
}

fn next_line(run: &mut impl BufRead) -> io::Result<Option<Box<[u8]>>> {
    let mut line = Vec::new();
    if run.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    line.pop();
    Ok(Some(line.into()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn spilled_and_unspilled_lines_come_out_in_one_order() {
        let lines: Vec<String> = (0..1000u64)
            .map(|n| format!("{:03} é", n * 7919 % 500))
            .collect();
        let sorted = |limit| {
            let mut sorter = LineSorter::with_limit(limit);
            for line in &lines {
                sorter.add(line.as_bytes()).unwrap();
            }
            let mut out = Vec::new();
            sorter.write_to(&mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let whole = sorted(usize::MAX);
        assert_eq!(whole.lines().count(), 500);
        assert!(whole.lines().is_sorted());
        assert_eq!(whole, sorted(1000));
        // More runs than are merged at a time, one of them a merged one.
        assert_eq!(whole, sorted(100));
        assert_eq!(whole, sorted(0));
    }
}
