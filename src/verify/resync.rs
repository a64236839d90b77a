//! Finding the next record after one that can't be read.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::GzDecoder;

use super::target::Target;
use crate::snapshot::collection::Warc;
use crate::snapshot::container::Region;
use crate::snapshot::layout::RECORDS;
use crate::snapshot::records;
use crate::warc::member::GZIP_MAGIC;

/// Where records begin in one WARC.
pub(super) struct Starts<'a> {
    target: &'a Target,
    warc: &'a Warc,
    gzip: bool,
    /// What records.csv says, in order; read when first needed.
    known: Option<Vec<u64>>,
}

/// So many starts are remembered; a gigabyte of records has some 200,000.
const MOST_KNOWN: usize = 4_000_000;

impl<'a> Starts<'a> {
    pub(super) fn new(target: &'a Target, warc: &'a Warc) -> Self {
        let mut magic = [0; GZIP_MAGIC.len()];
        let gzip = warc.filename.to_ascii_lowercase().ends_with(".gz")
            || (warc.region().read_at(0, &mut magic).is_ok() && magic == GZIP_MAGIC);
        Self {
            target,
            warc,
            gzip,
            known: None,
        }
    }

    /// The first start at or after `from`: the one that records.csv names, or
    /// else the next bytes that look like one.
    pub(super) fn next(&mut self, from: u64) -> io::Result<Option<u64>> {
        let known = self
            .known
            .get_or_insert_with(|| known(self.target, self.warc));
        let at = known.partition_point(|&start| start < from);
        if let Some(&start) = known.get(at) {
            return Ok(Some(start));
        }
        if !known.is_empty() && known.len() < MOST_KNOWN {
            return Ok(None);
        }
        search(self.warc.region(), from, self.gzip)
    }
}

fn known(target: &Target, warc: &Warc) -> Vec<u64> {
    let Some(container) = target.container.as_ref().filter(|_| target.has_rows()) else {
        return Vec::new();
    };
    let Ok(file) = container.open(RECORDS) else {
        return Vec::new();
    };
    let rows = records::read(Path::new(RECORDS), file).filter_map(Result::ok);
    let mut starts: Vec<u64> = rows
        .filter(|row| row.filename == warc.filename && row.offset < warc.region().len())
        .map(|row| row.offset)
        .take(MOST_KNOWN)
        .collect();
    starts.sort_unstable();
    starts
}

/// Looks for a gzip member that inflates to a record, or for a version line.
fn search(region: &Region, from: u64, gzip: bool) -> io::Result<Option<u64>> {
    const WINDOW: usize = 256 * 1024;
    let mark: &[u8] = if gzip { &GZIP_MAGIC } else { b"WARC/1." };
    let mut buffer = vec![0; WINDOW];
    let mut at = from;
    while at < region.len() {
        let mut filled = 0;
        while filled < WINDOW {
            match region.read_at(at + filled as u64, &mut buffer[filled..])? {
                0 => break,
                n => filled += n,
            }
        }
        let window = &buffer[..filled];
        for found in positions(window, mark) {
            let place = at + found as u64;
            let good = if gzip {
                inflates_to_a_record(region, place)
            } else {
                found == 0 || window[found - 1] == b'\n'
            };
            if good {
                return Ok(Some(place));
            }
        }
        if filled < WINDOW {
            break;
        }
        // A mark may lie across the windows' border; a byte more shows the
        // line end before it.
        at += (WINDOW - mark.len()) as u64;
    }
    Ok(None)
}

fn positions<'w>(window: &'w [u8], mark: &'w [u8]) -> impl Iterator<Item = usize> + 'w {
    window
        .windows(mark.len())
        .enumerate()
        .filter(move |(_, bytes)| *bytes == mark)
        .map(|(at, _)| at)
}

fn inflates_to_a_record(region: &Region, at: u64) -> bool {
    let mut start = [0; 5];
    GzDecoder::new(region.part(at, 64 * 1024))
        .read_exact(&mut start)
        .is_ok()
        && start.eq_ignore_ascii_case(b"WARC/")
}
