//! After a kill: what a WARC holds beyond the last commit is read back, whole
//! exchanges are kept, and a torn tail is cut off. It changes a file only
//! after the store has the rows for what is kept, so it may itself be killed
//! at any point and begun again.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::Path as FsPath;

use super::CrawlError;
use super::job::{Job, Path, Recording, StoredRecord, Verdict};
use super::keeper::Keeper;
use super::process::{Judged, Processing};
use super::recorder::digests;
use super::store::state;
use crate::http::{Head, MAX_HEAD_BYTES};
use crate::net::Spool;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::layout::Layout;
use crate::time::WarcDate;
use crate::url::CanonicalUrl;
use crate::warc::{Header, ReadError, Reader, RecordType};

/// Makes WARCs and store agree.
pub fn recover(
    layout: &Layout,
    keeper: &mut Keeper<'_>,
    processing: &Processing,
) -> Result<(), CrawlError> {
    let known = keeper.store.warcs()?;
    let archive = layout.archive();
    let mut files: Vec<String> = Vec::new();
    for entry in fs::read_dir(&archive).map_err(SnapshotError::io(&archive, "listing"))? {
        let entry = entry.map_err(SnapshotError::io(&archive, "listing"))?;
        files.push(entry.file_name().to_string_lossy().into_owned());
    }
    files.sort_unstable();
    for filename in files {
        let path = archive.join(&filename);
        let length = fs::metadata(&path)
            .map_err(SnapshotError::io(&path, "opening"))?
            .len();
        let row = known.iter().find(|(_, name, _)| *name == filename);
        let committed = row.map_or(0, |(_, _, bytes)| *bytes);
        if row.is_some() && committed == length {
            continue;
        }
        let id = match row {
            Some((id, ..)) => *id,
            None => keeper.store.add_warc(&filename)?,
        };
        let kept = Tail {
            keeper,
            processing,
            layout,
            warc: (id, &filename),
        }
        .read_back(&path, committed)?;
        keeper.store.set_warc_bytes(id, kept)?;
        // The bytes that are kept must be durable before rows point to them.
        let file = OpenOptions::new()
            .write(true)
            .open(&path)
            .map_err(SnapshotError::io(&path, "opening"))?;
        file.sync_data()
            .map_err(SnapshotError::io(&path, "syncing"))?;
        keeper.commit()?;
        if kept < length {
            file.set_len(kept)
                .and_then(|()| file.sync_data())
                .map_err(SnapshotError::io(&path, "cutting off a torn tail of"))?;
        }
        keeper.log_line(&serde_json::json!({
            "time": WarcDate::now().to_string(), "event": "recovered", "filename": filename,
            "kept": kept - committed, "cut": length - kept,
        }))?;
    }
    remove_empty(keeper, &archive)
}

/// A file of which nothing could be kept is no WARC; its row goes with it.
fn remove_empty(keeper: &mut Keeper<'_>, archive: &FsPath) -> Result<(), CrawlError> {
    for (id, filename, bytes) in keeper.store.warcs()? {
        if bytes > 0 {
            continue;
        }
        let path = archive.join(&filename);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::io(&path, "removing the empty")(error).into());
            }
            _ => keeper.store.remove_warc(id)?,
        }
    }
    keeper.commit()
}

struct Tail<'k, 'c> {
    keeper: &'k mut Keeper<'c>,
    processing: &'k Processing,
    layout: &'k Layout,
    warc: (i64, &'k str),
}

/// An exchange whose records are being read back.
struct Pending {
    start: u64,
    header: Header,
    block: Spool,
    records: Vec<StoredRecord>,
}

impl Tail<'_, '_> {
    /// Reads from `committed` on and returns up to where the file is kept.
    fn read_back(&mut self, path: &FsPath, committed: u64) -> Result<u64, CrawlError> {
        let mut file = File::open(path).map_err(SnapshotError::io(path, "opening"))?;
        file.seek(SeekFrom::Start(committed))
            .map_err(SnapshotError::io(path, "reading"))?;
        let mut reader = Reader::at(self.warc.1, file, committed).hashing();
        let mut kept = committed;
        let mut pending: Option<Pending> = None;
        loop {
            let mut record = match reader.next_record() {
                Ok(Some(record)) => record,
                Ok(None) => return Ok(kept),
                Err(error) => return torn(error, kept),
            };
            let header = record.header.clone();
            let mut block = Spool::new(&self.layout.spool(), 1 << 20);
            let mut full = None;
            let read = record.each_piece(|piece| {
                if full.is_none() {
                    full = block.write(piece).err();
                }
            });
            if let Some(error) = full {
                return Err(CrawlError::Spool(error));
            }
            let extent = match read.and_then(|()| record.finish()) {
                Ok(extent) => extent,
                Err(error) => return torn(error, kept),
            };
            let end = extent.offset + extent.length;
            let stored = |start: u64| StoredRecord {
                id: header.record_id().unwrap_or_default().to_owned(),
                offset: extent.offset - start,
                length: extent.length,
                sha256: extent
                    .sha256
                    .as_ref()
                    .map(crate::digest::Digest::hex)
                    .unwrap_or_default(),
                entry: None,
            };
            match (header.record_type(), &mut pending) {
                (RecordType::Warcinfo, None) => {
                    let record = stored(extent.offset);
                    self.keeper
                        .store
                        .add_record(self.warc.0, extent.offset, &record, None)?;
                    kept = end;
                }
                (RecordType::Response, None) => {
                    let start = extent.offset;
                    pending = Some(Pending {
                        start,
                        records: vec![stored(start)],
                        header: header.clone(),
                        block,
                    });
                }
                (RecordType::Request, Some(exchange)) => {
                    let record = stored(exchange.start);
                    exchange.records.push(record);
                }
                (RecordType::Metadata, slot) => {
                    let Some(mut exchange) = slot.take() else {
                        return Ok(kept);
                    };
                    exchange.records.push(stored(exchange.start));
                    let mut fields = Vec::new();
                    std::io::Read::read_to_end(&mut block.reader(), &mut fields)
                        .map_err(CrawlError::Spool)?;
                    self.keep(exchange, &String::from_utf8_lossy(&fields))?;
                    kept = end;
                }
                _ => return Ok(kept),
            }
        }
    }

    /// Takes a whole exchange in as if it had just been fetched.
    fn keep(&mut self, exchange: Pending, metadata: &str) -> Result<(), CrawlError> {
        let field = |name: &str| {
            metadata
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let uri = exchange.header.target_uri().unwrap_or_default();
        let (Ok(url), Some(Ok(date))) = (CanonicalUrl::parse(uri), exchange.header.date()) else {
            return Ok(());
        };
        let path = Path::from_hops(field("hopsFromSeed").unwrap_or_default());
        let Some(job) = self.keeper.recovered_job(&url, &path, field("via"))? else {
            return Ok(());
        };
        let mut head_bytes = Vec::new();
        let reader = exchange.block.reader();
        std::io::Read::read_to_end(
            &mut std::io::Read::take(reader, MAX_HEAD_BYTES as u64),
            &mut head_bytes,
        )
        .map_err(CrawlError::Spool)?;
        let head = Head::parse(&head_bytes);
        let digests = digests(&exchange.block).map_err(CrawlError::Spool)?;
        let mut records = exchange.records;
        if let Some(response) = records.first_mut() {
            let digest = digests.payload.entity.to_string();
            response.entry = Some(CdxjEntry::of_response(url.as_str(), date, &head, digest));
        }
        let status = head.status().unwrap_or(0);
        let verdict = match exchange.header.field("WARC-Truncated") {
            // As when it was fetched, a cut answer is asked for again.
            Some("disconnect") => {
                Verdict::Retry(std::time::Duration::ZERO, "cut: disconnect".into())
            }
            Some(reason) => Verdict::Failed(format!("cut: {reason}")),
            None if status == 429 || status >= 500 => Verdict::Failed(format!("status-{status}")),
            None => Verdict::Captured,
        };
        let judged = Judged {
            verdict,
            recording: Recording {
                pieces: Vec::new(),
                records,
            },
            digests: &digests,
            host_pause: None,
        };
        let outcome = self
            .processing
            .understood(job, &head, &exchange.block, date, judged);
        self.keeper
            .absorb_recovered(outcome, self.warc, exchange.start)
    }
}

/// Damage ends what is kept; a failing disk doesn't.
fn torn(error: ReadError, kept: u64) -> Result<u64, CrawlError> {
    match error {
        ReadError::Io { .. } => Err(SnapshotError::from(error).into()),
        _ => Ok(kept),
    }
}

impl Keeper<'_> {
    /// The job of an exchange that is read back; `None` where the store has
    /// its URL settled already.
    fn recovered_job(
        &mut self,
        url: &CanonicalUrl,
        path: &Path,
        via: Option<&str>,
    ) -> Result<Option<Job>, CrawlError> {
        self.add(path, None, url, None, 0)?;
        let Some((id, found)) = self.store.find(url.as_str())? else {
            return Ok(None);
        };
        if let Some(via) = via
            && let Some((via, _)) = self.store.find(via)?
        {
            self.store.set_via(id, via)?;
        }
        // Whoever named it was read back before it, so its row knows how
        // barren the way was: without that a trap would begin anew.
        let (barren, via_bytes) = self.store.barrenness(id)?;
        Ok((found == state::QUEUED).then(|| Job {
            id,
            url: url.clone(),
            path: path.clone(),
            via: via.map(str::to_owned),
            via_bytes,
            barren,
            tries: 0,
            as_robots: None,
        }))
    }
}
