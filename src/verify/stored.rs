//! records.csv: every record's bytes as stored, hashed without inflating, so
//! that damage to one record hides no other and no bit of a gzip header
//! escapes. The rows must cover each WARC from its first byte to its last.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::join::Joins;
use super::target::Target;
use super::{Findings, Meter};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Warc;
use crate::snapshot::container::Region;
use crate::snapshot::layout::{MANIFEST, RECORDS};
use crate::snapshot::records::{self, RecordRow, RecordsWriter};
use crate::warc::frame::{DICTIONARY_MAGIC, SKIPPABLE_HEADER, skippable_length};

/// After so many rows that don't parse the file isn't read on.
const MOST_MALFORMED: u64 = 1000;

/// Checks the rows; gives the findings and their number.
pub(super) fn check(target: &Target, meter: &Meter) -> (Findings, u64) {
    let mut findings = Findings::default();
    if !target.has_rows() {
        if target.is_ours() {
            let message = "nothing vouches for single records";
            findings.error("records-missing", target.location(RECORDS), message);
        }
        return (findings, 0);
    }
    let rows = Rows {
        target,
        meter,
        findings: &mut findings,
        warcs: target
            .warcs
            .iter()
            .map(|warc| (warc.filename.as_str(), warc))
            .collect(),
        current: None,
        done: BTreeSet::new(),
        unknown: BTreeSet::new(),
        buffer: vec![0; 256 * 1024],
    };
    let count = rows.read();
    (findings, count)
}

/// Takes every row, to be compared with the records that were read.
pub(super) fn gather(target: &Target, joins: &mut Joins) -> Result<(), SnapshotError> {
    let Some(container) = &target.container else {
        return Ok(());
    };
    // What can't be read is told by the check of fixity.
    let Ok(file) = container.open(RECORDS) else {
        return Ok(());
    };
    let mut malformed = 0;
    for row in records::read(Path::new(RECORDS), file) {
        match row {
            Ok(row) => joins
                .row(&row)
                .map_err(SnapshotError::io(&target.path, "sorting in scratch space"))?,
            Err(_) => malformed += 1,
        }
        if malformed == MOST_MALFORMED {
            break;
        }
    }
    Ok(())
}

struct Rows<'a> {
    target: &'a Target,
    meter: &'a Meter,
    findings: &'a mut Findings,
    warcs: BTreeMap<&'a str, &'a Warc>,
    current: Option<Tiling<'a>>,
    done: BTreeSet<String>,
    unknown: BTreeSet<String>,
    buffer: Vec<u8>,
}

/// How far the rows cover the WARC that they are at.
struct Tiling<'a> {
    warc: &'a Warc,
    covered: u64,
    /// Rows that begin past its end.
    lost: u64,
}

impl Rows<'_> {
    fn read(mut self) -> u64 {
        let Some(container) = &self.target.container else {
            return 0;
        };
        let location = || self.target.location(RECORDS);
        let file = match container.open(RECORDS) {
            Ok(file) => file,
            Err(error) => {
                self.findings
                    .error("file-unreadable", location(), error.to_string());
                return 0;
            }
        };
        let mut root = RecordsWriter::new(io::sink()).expect("a sink takes everything");
        let mut malformed = 0;
        for row in records::read(Path::new(&location().path), file) {
            match row {
                Ok(row) => {
                    root.add(&row).expect("a sink takes everything");
                    self.row(&row);
                }
                Err(error) => {
                    let location = self.target.location(RECORDS);
                    self.findings
                        .error("records-malformed", location, error.to_string());
                    malformed += 1;
                    if malformed == MOST_MALFORMED {
                        break;
                    }
                }
            }
        }
        self.leave();
        for warc in &self.target.warcs {
            if !self.done.contains(&warc.filename) {
                let location = self.target.location(&warc.path);
                let message = "no row of records.csv covers it";
                self.findings.error("records-gap", location, message);
            }
        }
        let (root, count) = root.finish();
        self.compare_root(&root, count);
        count
    }

    fn compare_root(&mut self, root: &Digest, count: u64) {
        let manifest = self.target.manifest.as_ref();
        let Some(seal) = manifest.and_then(|manifest| manifest.lastlight.as_ref()) else {
            return;
        };
        if seal.record_root != root.to_string() || seal.records != count {
            let message = format!(
                "{count} rows with the root {root}, and the manifest says {} with {}",
                seal.records, seal.record_root
            );
            let location = self.target.location(MANIFEST);
            self.findings.error("record-root", location, message);
        }
    }

    fn row(&mut self, row: &RecordRow) {
        if self
            .current
            .as_ref()
            .is_none_or(|at| at.warc.filename != row.filename)
        {
            self.leave();
            let Some(&warc) = self.warcs.get(row.filename.as_str()) else {
                if self.unknown.len() < 1000 && self.unknown.insert(row.filename.clone()) {
                    let location = self.target.location(&format!("archive/{}", row.filename));
                    let message = "records.csv names records in it, and it is gone";
                    self.findings.error("file-missing", location, message);
                }
                return;
            };
            if self.done.contains(&row.filename) {
                let location = self.target.location(&warc.path).at(row.offset);
                let message = "its rows in records.csv don't stand together";
                self.findings.error("records-order", location, message);
            }
            self.done.insert(row.filename.clone());
            self.current = Some(Tiling {
                covered: before_records(warc),
                warc,
                lost: 0,
            });
        }
        let tiling = self.current.as_mut().expect("set above");
        let location = self
            .target
            .location(&tiling.warc.path)
            .at(row.offset)
            .record(Some(&row.record_id));
        if row.offset > tiling.covered {
            let message = format!(
                "no row of records.csv covers the {} bytes before it",
                row.offset - tiling.covered
            );
            self.findings
                .error("records-gap", location.clone(), message);
        } else if row.offset < tiling.covered {
            let message = format!(
                "it overlaps the record before by {} bytes",
                tiling.covered - row.offset
            );
            self.findings
                .error("records-overlap", location.clone(), message);
        }
        let end = row.offset.saturating_add(row.length);
        tiling.covered = tiling.covered.max(end);
        let size = tiling.warc.region().len();
        if end > size {
            tiling.lost += 1;
            // The first names the place; the rest are told when the file is left.
            if tiling.lost == 1 {
                let message = format!(
                    "the file ends at byte {size}: {} of the record's {} bytes are missing",
                    end - size.max(row.offset),
                    row.length
                );
                self.findings.error("record-truncated", location, message);
            }
            return;
        }
        let region = tiling.warc.region();
        match hash(region, row.offset, row.length, &mut self.buffer, self.meter) {
            Ok(found) if found.hex() == row.sha256 => {}
            Ok(found) => {
                let message = format!(
                    "its stored bytes are not those that were written: {}, and records.csv says {}",
                    found.hex(),
                    super::finding::clip(&row.sha256)
                );
                self.findings.error("record-altered", location, message);
            }
            Err(error) => {
                self.findings
                    .error("file-unreadable", location, error.to_string());
            }
        }
    }

    /// Ends the WARC that the rows were at.
    fn leave(&mut self) {
        let Some(tiling) = self.current.take() else {
            return;
        };
        let size = tiling.warc.region().len();
        let location = self.target.location(&tiling.warc.path);
        if tiling.lost > 1 {
            let message = format!("{} more records are missing after that", tiling.lost - 1);
            self.findings
                .error("record-truncated", location.at(size), message);
        } else if tiling.covered < size {
            let message = format!(
                "no row of records.csv covers the last {} bytes",
                size - tiling.covered
            );
            self.findings
                .error("records-gap", location.at(tiling.covered), message);
        }
    }
}

/// Bytes of a `.warc.zst` before its first record: the dictionary's frame. The
/// manifest vouches for it, as no record could be read without.
fn before_records(warc: &Warc) -> u64 {
    let mut header = [0; SKIPPABLE_HEADER];
    match warc.region().read_at(0, &mut header) {
        Ok(SKIPPABLE_HEADER) if header.starts_with(&DICTIONARY_MAGIC) => {
            SKIPPABLE_HEADER as u64 + skippable_length(&header)
        }
        _ => 0,
    }
}

fn hash(
    region: &Region,
    offset: u64,
    length: u64,
    buffer: &mut [u8],
    meter: &Meter,
) -> io::Result<Digest> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let (mut at, end) = (offset, offset + length);
    while at < end {
        let want = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        match region.read_at(at, &mut buffer[..want]) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                at += n as u64;
                meter.read(n as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finish())
}
