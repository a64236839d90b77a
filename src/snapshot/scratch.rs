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

/// Lines are sorted in memory up to this many bytes at a time.
const RUN_BYTES: usize = 64 * 1024 * 1024;

/// Sorts lines bytewise and drops exact duplicates, as `LC_ALL=C sort -u`
/// does, in memory bounded by one run.
pub struct LineSorter {
    run: Vec<Box<[u8]>>,
    run_bytes: usize,
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
            run: Vec::new(),
            run_bytes: 0,
            limit,
            spilled: Vec::new(),
        }
    }

    /// Adds a line, given without its line end.
    pub fn add(&mut self, line: &[u8]) -> io::Result<()> {
        self.run_bytes += line.len() + size_of::<Box<[u8]>>();
        self.run.push(line.into());
        if self.run_bytes > self.limit {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> io::Result<()> {
        self.run.sort_unstable();
        let mut writer = BufWriter::new(file()?);
        for line in self.run.drain(..) {
            writer.write_all(&line)?;
            writer.write_all(b"\n")?;
        }
        self.run_bytes = 0;
        self.spilled.push(
            writer
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?,
        );
        Ok(())
    }

    /// Writes all lines in order, each with its line end.
    pub fn write_to(mut self, out: &mut impl Write) -> io::Result<()> {
        let mut last: Option<Box<[u8]>> = None;
        let mut emit = |line: Box<[u8]>| -> io::Result<()> {
            if last.as_ref() != Some(&line) {
                out.write_all(&line)?;
                out.write_all(b"\n")?;
                last = Some(line);
            }
            Ok(())
        };
        if self.spilled.is_empty() {
            self.run.sort_unstable();
            return self.run.into_iter().try_for_each(emit);
        }
        self.spill()?;
        let mut runs = Vec::new();
        let mut heap = BinaryHeap::new();
        for (at, mut file) in self.spilled.into_iter().enumerate() {
            file.rewind()?;
            let mut run = BufReader::new(file);
            if let Some(line) = next_line(&mut run)? {
                heap.push(Reverse((line, at)));
            }
            runs.push(run);
        }
        while let Some(Reverse((line, at))) = heap.pop() {
            emit(line)?;
            if let Some(line) = next_line(&mut runs[at])? {
                heap.push(Reverse((line, at)));
            }
        }
        Ok(())
    }
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
    }
}
