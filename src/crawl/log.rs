//! `logs/crawl.jsonl`: one line an event, with its time. Lines wait for the commit of what
//! they tell: a URL that the log calls captured is one.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::snapshot::SnapshotError;
use crate::snapshot::layout::{CRAWL_LOG, Layout};
use crate::snapshot::whole;
use crate::time::WarcDate;

/// The log, appended to.
pub struct CrawlLog {
    path: PathBuf,
    file: File,
    /// Lines that aren't handed to the system.
    pending: Vec<u8>,
}

impl CrawlLog {
    /// Opens the log of a snapshot. A line that a kill left unfinished is
    /// ended first.
    pub fn open(layout: &Layout) -> Result<Self, SnapshotError> {
        let path = layout.path(CRAWL_LOG);
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .map_err(SnapshotError::io(&path, "opening"))?;
        let length = file
            .metadata()
            .map_err(SnapshotError::io(&path, "opening"))?
            .len();
        let is_new = length == 0;
        whole::sync_directory(path.parent().unwrap_or(layout.root()))?;
        if !is_new {
            // Its last sync may have failed, and the manifest will have its digest.
            whole::write_again(&path, 0..length)?;
        }
        let mut log = Self {
            path,
            file,
            pending: Vec::new(),
        };
        if !is_new {
            log.pending.push(b'\n');
            log.flush()?;
        }
        Ok(log)
    }

    /// Writes an event with its fields, an object.
    pub fn event(&mut self, event: &str, fields: Value) {
        let mut line = json!({ "time": WarcDate::now().to_string(), "event": event });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        self.pending.extend_from_slice(line.to_string().as_bytes());
        self.pending.push(b'\n');
    }

    /// Hands what was written to the system, when what it tells is committed.
    pub fn flush(&mut self) -> Result<(), SnapshotError> {
        let pending = std::mem::take(&mut self.pending);
        self.file
            .write_all(&pending)
            .map_err(SnapshotError::io(&self.path, "writing"))
    }

    /// Makes what was written durable: the manifest has the log's digest.
    pub fn sync(&mut self) -> Result<(), SnapshotError> {
        self.flush()?;
        self.file
            .sync_all()
            .map_err(SnapshotError::io(&self.path, "syncing"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_written_when_they_are_flushed_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let layout = Layout::new(directory.path());
        for folder in layout.folders() {
            fs::create_dir_all(folder).unwrap();
        }
        let text = || fs::read_to_string(layout.path(CRAWL_LOG)).unwrap();
        let mut log = CrawlLog::open(&layout).unwrap();
        for n in 0..10_000 {
            log.event(
                "captured",
                json!({ "url": format!("http://a.example/{n}") }),
            );
        }
        assert_eq!(text(), "");
        log.flush().unwrap();
        assert_eq!(text().lines().count(), 10_000);
        // An end without commit.
        log.event("captured", json!({ "url": "http://a.example/" }));
        drop(log);
        assert_eq!(text().lines().count(), 10_000);
    }
}
