//! Lookups in a sorted CDXJ by positioned reads: no scan, no memory map, a
//! gigabyte of index opens at once.

use std::io::{self, BufRead, BufReader};
use std::ops::Range;

use super::cdxj::CdxjEntry;
use super::container::Region;

/// A longer line is no CDXJ.
const MAX_LINE: usize = 1024 * 1024;

/// A bytewise sorted CDXJ file.
#[derive(Debug, Clone)]
pub struct Index {
    region: Region,
}

impl Index {
    /// An index over sorted lines.
    pub fn new(region: Region) -> Self {
        Self { region }
    }

    /// The lines that start with `prefix`, in order.
    pub fn lines(&self, prefix: &str) -> io::Result<Lines> {
        let start = self.lower_bound(prefix.as_bytes())?;
        Ok(Lines {
            reader: BufReader::with_capacity(16 * 1024, self.region.from(start)),
            prefix: prefix.as_bytes().to_owned(),
        })
    }

    /// Where the lines that start with `prefix` stand, in bytes of the file.
    pub fn span(&self, prefix: &str) -> io::Result<Range<u64>> {
        let start = self.lower_bound(prefix.as_bytes())?;
        let mut after = prefix.as_bytes().to_owned();
        while let Some(last) = after.pop() {
            if last < u8::MAX {
                after.push(last + 1);
                return Ok(start..self.lower_bound(&after)?);
            }
        }
        Ok(start..self.region.len())
    }

    /// The lines that begin within a part of the file, in order. Parts that
    /// follow upon each other give every line once.
    pub fn lines_within(&self, part: Range<u64>) -> io::Result<Part> {
        let start = match part.start {
            0 => 0,
            // The line that a part begins in is that of the part before it.
            start => self.line_after(start, 0)?.0,
        };
        Ok(Part {
            reader: BufReader::with_capacity(16 * 1024, self.region.from(start)),
            left: part.end.saturating_sub(start),
        })
    }

    /// Every capture whose key is exactly `surt`, oldest first. Lines that
    /// aren't CDXJ are passed over; `verify` reports them.
    pub fn captures(&self, surt: &str) -> io::Result<Vec<CdxjEntry>> {
        let lines = self.lines(&format!("{surt} "))?;
        lines
            .filter_map(|line| match line {
                Ok(line) => line.parse().ok().map(Ok),
                Err(error) => Some(Err(error)),
            })
            .collect()
    }

    /// Offset of the first line that isn't less than `key`.
    fn lower_bound(&self, key: &[u8]) -> io::Result<u64> {
        // Invariant: the answer is a line start in low..=high.
        let (mut low, mut high) = (0, self.region.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let (start, line) = self.line_after(middle, low)?;
            if start >= high {
                // No line starts in middle..high: look below.
                let (start, line) = self.line_after(low, low)?;
                if line.as_slice() >= key {
                    return Ok(start);
                }
                // Lines in low..middle are few: walk them.
                low = start + line.len() as u64 + 1;
                continue;
            }
            if line.as_slice() < key {
                low = start + line.len() as u64 + 1;
            } else {
                high = start;
            }
        }
        Ok(low.min(self.region.len()))
    }

    /// The first line that starts at or after `at`, where `line_start` is a
    /// known line start at or before it.
    fn line_after(&self, at: u64, line_start: u64) -> io::Result<(u64, Vec<u8>)> {
        let from = if at == line_start { at } else { at - 1 };
        let mut reader = BufReader::with_capacity(2048, self.region.from(from));
        let mut start = at;
        if at != line_start {
            let mut skipped = Vec::new();
            start = from + read_line(&mut reader, &mut skipped)? as u64;
        }
        let mut line = Vec::new();
        read_line(&mut reader, &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        Ok((start, line))
    }
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<usize> {
    let n = io::Read::take(&mut *reader, MAX_LINE as u64).read_until(b'\n', line)?;
    if n == MAX_LINE {
        let reason = "a line of the index is longer than 1 MiB";
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    Ok(n)
}

/// Lines of an index that begin within a part of its file.
pub struct Part {
    reader: BufReader<super::container::RegionReader>,
    /// Bytes in which a line may still begin.
    left: u64,
}

impl Iterator for Part {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let mut line = Vec::new();
        match read_line(&mut self.reader, &mut line) {
            Ok(0) => None,
            Ok(read) => {
                self.left = self.left.saturating_sub(read as u64);
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                Some(Ok(String::from_utf8_lossy(&line).into_owned()))
            }
            Err(error) => {
                self.left = 0;
                Some(Err(error))
            }
        }
    }
}

/// Lines of an index from a position on, while they have a prefix.
pub struct Lines {
    reader: BufReader<super::container::RegionReader>,
    prefix: Vec<u8>,
}

impl Iterator for Lines {
    type Item = io::Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut line = Vec::new();
        match read_line(&mut self.reader, &mut line) {
            Ok(0) => None,
            Ok(_) if !line.starts_with(&self.prefix) => None,
            Ok(_) => {
                if line.last() == Some(&b'\n') {
                    line.pop();
                }
                Some(Ok(String::from_utf8_lossy(&line).into_owned()))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::snapshot::scratch;
    use std::io::Write;

    fn index(lines: &[String]) -> Index {
        let mut file = scratch::file().unwrap();
        for line in lines {
            writeln!(file, "{line}").unwrap();
        }
        Index::new(Region::whole(file).unwrap())
    }

    #[test]
    fn every_prefix_finds_its_lines_and_no_others() {
        for count in 0..40u32 {
            let mut lines: Vec<String> = (0..count)
                .map(|n| format!("k{:02} {}", n / 3, "x".repeat((n * 7 % 50) as usize)))
                .collect();
            lines.sort();
            lines.dedup();
            let index = index(&lines);
            for key in 0..15 {
                let prefix = format!("k{key:02} ");
                let found: Vec<String> = index
                    .lines(&prefix)
                    .unwrap()
                    .collect::<Result<_, _>>()
                    .unwrap();
                let expected: Vec<String> = lines
                    .iter()
                    .filter(|l| l.starts_with(&prefix))
                    .cloned()
                    .collect();
                assert_eq!(found, expected, "{prefix} among {count}");
                let span = index.span(&prefix).unwrap();
                for step in [1, 7, 64, 1000] {
                    let mut parted = Vec::new();
                    let mut at = span.start;
                    while at < span.end {
                        let end = (at + step).min(span.end);
                        let part = index.lines_within(at..end).unwrap();
                        parted.extend(part.map(Result::unwrap));
                        at = end;
                    }
                    assert_eq!(parted, expected, "{prefix} among {count} by {step}");
                }
            }
            let all = index.lines("").unwrap().count();
            assert_eq!(all, lines.len());
        }
    }
}
