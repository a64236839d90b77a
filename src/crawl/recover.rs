//! After a kill: what a WARC holds beyond the last commit is read back, whole
//! exchanges are kept, and a torn tail is cut off. It changes a file only
//! after the store has the rows for what is kept, so it may itself be killed
//! at any point and begun again.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::path::Path as FsPath;

use serde_json::json;

use super::CrawlError;
use super::circumstances::SECRETS;
use super::found::Found;
use super::job::{Job, Payload, Recording, StoredRecord, Verdict};
use super::keeper::Keeper;
use super::keeper::read_back::payload_of;
use super::process::{Judged, Processing, is_busy};
use super::recorder::digests;
use super::store::state;
use super::warcs;
use crate::http::{Head, MAX_HEAD_BYTES};
use crate::links::Path;
use crate::net::Spool;
use crate::snapshot::cdxj::{CdxjEntry, REVISIT};
use crate::snapshot::layout::Layout;
use crate::snapshot::{SnapshotError, whole};
use crate::url::CanonicalUrl;
use crate::warc::{Header, ReadError, RecordType};

/// Makes WARCs and store agree. Files that the crawl didn't make are left
/// alone.
pub fn recover(
    layout: &Layout,
    keeper: &mut Keeper<'_>,
    processing: &Processing,
) -> Result<(), CrawlError> {
    let known = keeper.store.warcs()?;
    let archive = layout.archive();
    let mut files: BTreeMap<String, Option<(i64, u64)>> = BTreeMap::new();
    for entry in fs::read_dir(&archive).map_err(SnapshotError::io(&archive, "listing"))? {
        let entry = entry.map_err(SnapshotError::io(&archive, "listing"))?;
        let filename = entry.file_name().to_string_lossy().into_owned();
        if warcs::is_ours(&layout.name(), &filename) {
            files.insert(filename, None);
        }
    }
    for (id, filename, committed) in known {
        files.insert(filename, Some((id, committed)));
    }
    // Whoever made a file may have failed to make its name durable.
    whole::sync_directory(&archive)?;
    for (filename, row) in files {
        let path = archive.join(&filename);
        let length = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(SnapshotError::io(&path, "opening")(error).into()),
        };
        match row {
            // There is none, or nothing in it: its row goes, and the file if it is there.
            Some((_, 0)) if length == 0 => {}
            // Its torn end may have been cut a moment before the last run was killed.
            Some((_, committed)) if committed == length => whole::sync(&path)?,
            Some((id, committed)) if committed > length => {
                shortened(keeper, id, &path, (committed, length))?;
            }
            row => {
                let (id, committed) = match row {
                    Some(row) => row,
                    None => (keeper.store.add_warc(&filename)?, 0),
                };
                lengthened(layout, keeper, processing, (id, &path), (committed, length))?;
            }
        }
    }
    remove_empty(keeper, &archive)
}

/// Bytes that were durable are gone: a bad copy, or somebody's hand. What they
/// held is fetched again.
fn shortened(
    keeper: &mut Keeper<'_>,
    id: i64,
    path: &FsPath,
    (committed, length): (u64, u64),
) -> Result<(), CrawlError> {
    let (urls, end) = keeper.store.lose(id, length)?;
    keeper.store.set_warc_bytes(id, end)?;
    keeper.progress.counts = keeper.store.counts()?;
    keeper.progress.notes += 1;
    let fields = json!({ "filename": path.file_name().map(|n| n.to_string_lossy()),
        "missing": committed - length, "fetched_again": urls });
    keeper.log.event("lost", fields);
    keeper.commit()?;
    if length > end {
        cut(path, end)?;
    }
    Ok(())
}

/// Bytes beyond the last commit: whole exchanges are kept.
fn lengthened(
    layout: &Layout,
    keeper: &mut Keeper<'_>,
    processing: &Processing,
    (id, path): (i64, &FsPath),
    (committed, length): (u64, u64),
) -> Result<(), CrawlError> {
    let filename = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    // The bytes that are kept must be durable before rows point to them; and what the
    // system gives back later must be what is looked at now, also where the last sync
    // failed and the disk holds something else.
    whole::write_again(path, committed..length)?;
    let tail = Tail {
        keeper,
        processing,
        layout,
        warc: (id, &filename),
    };
    let kept = tail.read_back(path, committed)?;
    keeper.store.set_warc_bytes(id, kept)?;
    let fields = json!({ "filename": filename, "kept": kept - committed, "cut": length - kept });
    keeper.log.event("recovered", fields);
    keeper.commit()?;
    if kept < length {
        cut(path, kept)?;
    }
    Ok(())
}

fn cut(path: &FsPath, length: u64) -> Result<(), CrawlError> {
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(length).and_then(|()| file.sync_data()))
        .map_err(SnapshotError::io(path, "cutting off a torn tail of"))?;
    Ok(())
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
    whole::sync_directory(archive)?;
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
    /// Fields of the request that may hold secrets.
    suspects: Vec<String>,
}

impl Tail<'_, '_> {
    /// Reads from `committed` on and returns up to where the file is kept.
    fn read_back(mut self, path: &FsPath, committed: u64) -> Result<u64, CrawlError> {
        let mut reader = self.keeper.reader_at(self.warc.1, committed)?.hashing();
        let mut kept = committed;
        let mut pending: Option<Pending> = None;
        loop {
            let mut record = match reader.next_record() {
                Ok(Some(record)) => record,
                Err(ReadError::Io { .. }) => return Err(reading(path)),
                Ok(None) | Err(_) => return self.keep_partial(pending, kept),
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
                Err(ReadError::Io { .. }) => return Err(reading(path)),
                Err(_) => return self.keep_partial(pending, kept),
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
                    self.keeper.store.add_record(
                        (self.warc.0, extent.offset),
                        &record,
                        None,
                        None,
                    )?;
                    kept = end;
                }
                // One of a URL that is fetched is an answer without head
                // (HTTP/0.9); others are about a host.
                (RecordType::Resource, None) if !is_answer(&header) => {
                    let mut record = stored(extent.offset);
                    record.entry = resource_entry(&header);
                    self.keep_resource(extent.offset, &record)?;
                    kept = end;
                }
                (RecordType::Response | RecordType::Revisit | RecordType::Resource, None) => {
                    let start = extent.offset;
                    pending = Some(Pending {
                        start,
                        records: vec![stored(start)],
                        header: header.clone(),
                        block,
                        suspects: Vec::new(),
                    });
                }
                (RecordType::Request, Some(exchange)) => {
                    let record = stored(exchange.start);
                    exchange.records.push(record);
                    exchange.suspects = suspects(&block).map_err(CrawlError::Spool)?;
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
                _ => return self.keep_partial(pending, kept),
            }
        }
    }

    /// A response that is whole is kept, even where its request or metadata
    /// isn't: the site may be gone when it would be asked again.
    fn keep_partial(&mut self, pending: Option<Pending>, kept: u64) -> Result<u64, CrawlError> {
        let Some(exchange) = pending else {
            return Ok(kept);
        };
        let end = exchange
            .records
            .last()
            .map_or(0, |record| record.offset + record.length);
        let end = exchange.start + end;
        // Nobody says any more whether what was sent was a secret.
        let suspects = exchange.suspects.join(", ");
        let metadata = if suspects.is_empty() {
            String::new()
        } else {
            format!("{SECRETS}: {suspects}\n")
        };
        self.keep(exchange, &metadata)?;
        Ok(end)
    }

    /// Keeps a record that stands by itself.
    fn keep_resource(&mut self, at: u64, record: &StoredRecord) -> Result<(), CrawlError> {
        let line = record.entry.as_ref().map(|entry| {
            let mut entry = entry.clone();
            entry.offset = at;
            entry.length = record.length;
            self.warc.1.clone_into(&mut entry.filename);
            entry.to_string()
        });
        let store = &self.keeper.store;
        store.add_record((self.warc.0, at), record, line.as_deref(), None)?;
        Ok(())
    }

    /// Takes a whole exchange in as if it had just been fetched.
    fn keep(&mut self, exchange: Pending, metadata: &str) -> Result<(), CrawlError> {
        let field = |name: &str| {
            metadata
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let header = &exchange.header;
        let uri = header.target_uri().unwrap_or_default();
        let (Ok(url), Some(Ok(date))) = (CanonicalUrl::parse(uri), header.date()) else {
            return Ok(());
        };
        let path = Path::from_hops(field("hopsFromSeed").unwrap_or_default());
        let Some((job, waits)) = self.keeper.recovered_job(&url, &path, field("via"))? else {
            return Ok(());
        };
        let is_revisit = header.record_type() == RecordType::Revisit;
        let original = match payload_of(header).filter(|_| is_revisit) {
            Some(digest) => self.keeper.original_block(&digest, url.as_str())?,
            None => None,
        };
        let headless = header.record_type() == RecordType::Resource;
        let own_head = head_of(&exchange.block, headless)?;
        let head = Head::parse(&own_head);
        // What a revisit's page names stands in its original.
        let body = original.as_ref().unwrap_or(&exchange.block);
        let body_head = head_of(body, headless)?;
        let digests = digests(body, headless).map_err(CrawlError::Spool)?;
        let mut records = exchange.records;
        if let Some(response) = records.first_mut() {
            let digest = header.field("WARC-Payload-Digest").filter(|_| is_revisit);
            let digest = digest.map_or_else(|| digests.payload.entity.to_string(), str::to_owned);
            let mut entry = CdxjEntry::of_response(url.as_str(), date, &head, digest);
            if is_revisit {
                entry.mime = Some(REVISIT.to_owned());
            } else if headless {
                entry.mime = header.field("Content-Type").map(str::to_owned);
            }
            response.entry = Some(entry);
        }
        let status = head.status().unwrap_or(0);
        let truncated = header.field("WARC-Truncated").filter(|_| !is_revisit);
        let challenge = match truncated {
            None => self.processing.recovered_challenge(&job, &head, body),
            Some(_) => None,
        };
        let verdict = match truncated {
            // As when it was fetched, a cut answer is asked for again.
            Some("disconnect") => {
                Verdict::Retry(std::time::Duration::ZERO, "cut: disconnect".into())
            }
            Some(reason) => Verdict::Failed(format!("cut: {reason}")),
            None if is_revisit && original.is_none() => {
                let reason = "the record that it revisits can't be read";
                Verdict::Retry(std::time::Duration::ZERO, reason.into())
            }
            None if challenge.is_some() => {
                Verdict::Failed(format!("challenge: {}", challenge.unwrap_or_default()))
            }
            None if is_busy(status) => Verdict::Failed(format!("status-{status}")),
            None => self.whole(header, &url, is_revisit)?,
        };
        let may_be_original = matches!(verdict, Verdict::Captured)
            && !is_revisit
            && self.processing.is_payload_of_its_own(&url, &head, &digests);
        let payload = may_be_original.then(|| Payload {
            digest: digests.payload.entity.clone(),
            date: header.field("WARC-Date").unwrap_or_default().to_owned(),
        });
        let found = match challenge {
            Some(_) => Found::default(),
            None => self
                .processing
                .scanned(&job, &Head::parse(&body_head), body),
        };
        let is_of_earlier = is_revisit && !self.is_of_this_crawl(header)?;
        let judged = Judged {
            verdict,
            recording: Recording {
                pieces: Vec::new(),
                records,
                payload,
                is_of_earlier,
                secrets: field(SECRETS)
                    .map(|names| names.split(", ").map(str::to_owned).collect())
                    .unwrap_or_default(),
            },
            digests: &digests,
            host_pause: None,
            is_challenge: challenge.is_some(),
        };
        let outcome = self
            .processing
            .understood(job, &head, body, date, found, judged);
        self.keeper
            .absorb_recovered(outcome, self.warc, exchange.start, waits)
    }

    fn is_of_this_crawl(&self, header: &Header) -> Result<bool, CrawlError> {
        let original = match payload_of(header) {
            Some(digest) => self.keeper.store.original(&digest)?,
            None => None,
        };
        Ok(original.is_some_and(|original| {
            Some(original.record_id.as_str()) == header.field("WARC-Refers-To")
        }))
    }

    /// A whole answer is unchanged where it revisits its own URL in the earlier
    /// snapshot.
    fn whole(
        &self,
        header: &Header,
        url: &CanonicalUrl,
        is_revisit: bool,
    ) -> Result<Verdict, CrawlError> {
        let of_itself = header.refers_to_target_uri() == Some(url.as_str());
        let is_unchanged = is_revisit && of_itself && !self.is_of_this_crawl(header)?;
        Ok(if is_unchanged {
            Verdict::Unchanged
        } else {
            Verdict::Captured
        })
    }
}

/// Whether a record is of a URL that is fetched, and not about a host.
fn is_answer(header: &Header) -> bool {
    header
        .target_uri()
        .is_some_and(|url| url.starts_with("http"))
}

fn head_of(block: &Spool, headless: bool) -> Result<Vec<u8>, CrawlError> {
    let mut bytes = Vec::new();
    if headless {
        return Ok(bytes);
    }
    block
        .reader()
        .take(MAX_HEAD_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(CrawlError::Spool)?;
    bytes.truncate(Head::parse(&bytes).length);
    Ok(bytes)
}

/// The index entry of a record about a host.
fn resource_entry(header: &Header) -> Option<CdxjEntry> {
    let url = header.target_uri()?;
    let media_type = header.field("Content-Type")?;
    let digest = header.field("WARC-Payload-Digest")?.to_owned();
    let date = header.date()?.ok()?;
    Some(CdxjEntry::of_resource(url, date, media_type, digest))
}

/// The fields of a request that may hold secrets.
fn suspects(request: &Spool) -> std::io::Result<Vec<String>> {
    const FIELDS: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
    let mut bytes = Vec::new();
    let reader = request.reader();
    std::io::Read::read_to_end(
        &mut std::io::Read::take(reader, MAX_HEAD_BYTES as u64),
        &mut bytes,
    )?;
    let head = Head::parse(&bytes);
    let is_there = |name: &&str| head.fields.iter().any(|field| field.is(name));
    Ok(FIELDS
        .iter()
        .filter(|name| is_there(name))
        .map(|name| (*name).to_owned())
        .collect())
}

/// A failing disk isn't a torn tail: nothing may be cut because of it.
fn reading(path: &FsPath) -> CrawlError {
    let source = std::io::Error::other("the disk gave an error");
    SnapshotError::io(path, "reading back")(source).into()
}

impl Keeper<'_> {
    /// The job of an exchange that is read back, and whether its URL still
    /// waits for an answer.
    fn recovered_job(
        &mut self,
        url: &CanonicalUrl,
        path: &Path,
        via: Option<&str>,
    ) -> Result<Option<(Job, bool)>, CrawlError> {
        self.add(path, None, url, None)?;
        let Some((id, found)) = self.store.find(url.as_str())? else {
            return Ok(None);
        };
        if let Some(via) = via
            && let Some((via, _)) = self.store.find(via)?
        {
            self.store.set_via(id, via)?;
        }
        let path = self.store.path(id)?;
        // Whoever named it was read back before it, so its row knows how
        // barren the way was: without that a trap would begin anew.
        let (barren, nested, via_imprint) = self.store.barrenness(id)?;
        let job = Job {
            id,
            url: url.clone(),
            path,
            via: via.map(str::to_owned),
            via_imprint,
            barren,
            nested,
            tries: 0,
            as_robots: None,
            is_probe: false,
        };
        Ok(Some((job, found == state::QUEUED)))
    }
}
