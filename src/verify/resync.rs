//! Finding the next record after one that can't be read.

use std::io;
use std::path::Path;

use super::target::Target;
use crate::snapshot::collection::Warc;
use crate::snapshot::layout::RECORDS;
use crate::snapshot::records;

/// Where records begin in one WARC.
pub(super) struct Starts<'a> {
    target: &'a Target,
    warc: &'a Warc,
    /// What records.csv says, in order; read when first needed.
    known: Option<Vec<u64>>,
}

/// So many starts are remembered; a gigabyte of records has some 200,000.
const MOST_KNOWN: usize = 4_000_000;

impl<'a> Starts<'a> {
    pub(super) fn new(target: &'a Target, warc: &'a Warc) -> Self {
        Self {
            target,
            warc,
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
        self.warc.next_start(from)
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
