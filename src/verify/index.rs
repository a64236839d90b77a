//! The index: its lines parse and stand in bytewise order, so that a binary
//! search finds them. What they say is compared with the records afterwards.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::MultiGzDecoder;

use super::join::Joins;
use super::target::Target;
use super::{Findings, Severity};
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::url::Surt;

/// A longer line is no CDXJ.
const LONGEST: u64 = 1024 * 1024;

/// Takes every line of every index file; gives their number.
pub(super) fn gather(
    target: &Target,
    joins: &mut Joins,
    findings: &mut Findings,
) -> Result<u64, SnapshotError> {
    let mut lines = 0;
    let Some(container) = &target.container else {
        return Ok(0);
    };
    for path in &target.indexes {
        let file = container.open(path)?;
        let file: Box<dyn Read> = if path.strip_suffix(".gz").is_some() {
            Box::new(MultiGzDecoder::new(BufReader::new(file)))
        } else {
            file
        };
        let mut index = IndexFile {
            target,
            path,
            joins,
            findings,
            number: 0,
            previous: Vec::new(),
        };
        lines += index
            .read(BufReader::with_capacity(256 * 1024, file))
            .map_err(SnapshotError::io(&target.path, "sorting in scratch space"))?;
    }
    Ok(lines)
}

struct IndexFile<'a> {
    target: &'a Target,
    path: &'a str,
    joins: &'a mut Joins,
    findings: &'a mut Findings,
    /// Of the line, from 1.
    number: u64,
    previous: Vec<u8>,
}

impl IndexFile<'_> {
    /// Gives the number of entries. An error means that scratch space failed.
    fn read(&mut self, mut file: impl BufRead) -> io::Result<u64> {
        let (mut line, mut entries) = (Vec::new(), 0);
        loop {
            line.clear();
            self.number += 1;
            match file.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
                Ok(0) => return Ok(entries),
                Ok(n) if n as u64 == LONGEST => {
                    self.error("index-line", "longer than 1 MiB");
                    return Ok(entries);
                }
                Ok(_) => {}
                Err(error) => {
                    self.error("file-unreadable", &error.to_string());
                    return Ok(entries);
                }
            }
            if line < self.previous {
                self.error("index-order", "it should stand before the line above it");
            }
            if line == self.previous && self.target.is_ours() {
                self.error("index-duplicate", "it stands twice");
            }
            if let Some(entry) = self.entry(&line) {
                self.joins.index(&entry)?;
                entries += 1;
            }
            std::mem::swap(&mut self.previous, &mut line);
        }
    }

    fn entry(&mut self, line: &[u8]) -> Option<CdxjEntry> {
        // The first line of a compressed index, and the header of a CDX file.
        if line.starts_with(b"!") || line.starts_with(b" CDX") {
            return None;
        }
        let text = String::from_utf8_lossy(line);
        let entry: CdxjEntry = match text.parse() {
            Ok(entry) => entry,
            Err(error) => {
                self.error("index-line", &format!("{error}"));
                return None;
            }
        };
        let key = Surt::of(&entry.url);
        if self.target.is_ours() && entry.surt != key {
            let message = format!(
                "its key is {:?}, and that of its URL is {:?}",
                entry.surt.as_str(),
                key.as_str()
            );
            self.error("index-key", &message);
        }
        Some(entry)
    }

    fn error(&mut self, rule: &'static str, message: &str) {
        let location = self.target.location(self.path);
        let message = super::finding::clip(&format!("line {}: {message}", self.number));
        self.findings
            .add(Severity::Error, rule, None, location, message);
    }
}
