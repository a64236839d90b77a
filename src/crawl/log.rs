//! `logs/crawl.jsonl`: one line an event, with its time.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::snapshot::SnapshotError;
use crate::snapshot::layout::{CRAWL_LOG, Layout};
use crate::snapshot::whole;
use crate::time::WarcDate;

/// The log, appended to.
pub struct CrawlLog {
    path: PathBuf,
    file: BufWriter<File>,
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
        let is_new = file
            .metadata()
            .map_err(SnapshotError::io(&path, "opening"))?
            .len()
            == 0;
        if is_new {
            whole::sync_directory(path.parent().unwrap_or(layout.root()))?;
        }
        let mut log = Self {
            path,
            file: BufWriter::new(file),
        };
        if !is_new {
            log.write(b"\n")?;
        }
        Ok(log)
    }

    /// Writes an event with its fields, an object.
    pub fn event(&mut self, event: &str, fields: Value) -> Result<(), SnapshotError> {
        let mut line = json!({ "time": WarcDate::now().to_string(), "event": event });
        if let (Value::Object(line), Value::Object(fields)) = (&mut line, fields) {
            line.extend(fields);
        }
        self.write(format!("{line}\n").as_bytes())
    }

    /// Hands what was written to the system.
    pub fn flush(&mut self) -> Result<(), SnapshotError> {
        self.file
            .flush()
            .map_err(SnapshotError::io(&self.path, "writing"))
    }

    /// Makes what was written durable: the manifest has the log's digest.
    pub fn sync(&mut self) -> Result<(), SnapshotError> {
        self.flush()?;
        let file = self.file.get_ref();
        file.sync_all()
            .map_err(SnapshotError::io(&self.path, "syncing"))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.file
            .write_all(bytes)
            .map_err(SnapshotError::io(&self.path, "writing"))
    }
}
