//! The ledger: its header, its order, and its counts against the manifest's.
//! Its captures are compared with the records afterwards.

use std::io::Read;
use std::path::Path;

use super::account::Accounting;
use super::join::Joins;
use super::target::Target;
use super::{Findings, Location, Severity};
use crate::snapshot::SnapshotError;
use crate::snapshot::container::Container;
use crate::snapshot::layout::{LEDGER, MANIFEST};
use crate::snapshot::ledger::{self, COLUMNS, LedgerRow, State};
use crate::snapshot::manifest::Counts;

/// The rule of rows that can't be read.
pub const MALFORMED: &str = "ledger-malformed";
/// After so many rows that don't parse the file isn't read on.
const MOST_MALFORMED: u64 = 1000;

/// Takes every row; gives their number.
pub(super) fn gather(
    target: &Target,
    joins: &mut Joins,
    account: &mut Accounting,
    findings: &mut Findings,
) -> Result<u64, SnapshotError> {
    let Some(container) = &target.container else {
        return Ok(0);
    };
    let location = || target.location(LEDGER);
    if !header_is_right(container)? {
        let message = format!("its first line must be {}", COLUMNS.join(","));
        findings.error(MALFORMED, location(), message);
    }
    let mut counts = Counts::default();
    let (mut rows, mut malformed) = (0, 0);
    let mut previous: Option<String> = None;
    for row in ledger::read(Path::new(&location().path), container.open(LEDGER)?) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                findings.error(MALFORMED, location(), error.to_string());
                malformed += 1;
                if malformed == MOST_MALFORMED {
                    break;
                }
                continue;
            }
        };
        rows += 1;
        counts.add(row.state);
        if previous
            .as_ref()
            .is_some_and(|previous| *previous >= row.url)
        {
            let message = "it should stand before the row above it, or stands twice";
            let location = location().url(Some(&row.url));
            findings.error("ledger-order", location, message);
        }
        state(&row, location(), findings);
        account
            .row(&row)
            .and_then(|()| joins.ledger(&row))
            .map_err(SnapshotError::io(&target.path, "sorting in scratch space"))?;
        previous = Some(row.url);
    }
    let manifest = target.manifest.as_ref();
    if let Some(seal) = manifest.and_then(|manifest| manifest.lastlight.as_ref())
        && seal.counts != counts
    {
        let message = format!(
            "the manifest counts {:?}, the ledger {counts:?}",
            seal.counts
        );
        findings.error("ledger-counts", target.location(MANIFEST), message);
    }
    Ok(rows)
}

fn header_is_right(container: &Container) -> Result<bool, SnapshotError> {
    let expected = COLUMNS.join(",") + "\r\n";
    let mut found = Vec::new();
    let file = container.open(LEDGER)?;
    // What can't be read is told by the reader of rows.
    let _ = file.take(expected.len() as u64).read_to_end(&mut found);
    Ok(found == expected.as_bytes())
}

/// A capture has its place, and what failed is told again: the archivist saw
/// it, the next reader should.
fn state(row: &LedgerRow, location: Location, findings: &mut Findings) {
    let location = location.url(Some(&row.url));
    match row.state {
        State::Captured | State::Unchanged if row.place.is_none() => {
            let message = format!("{}, and no record is named", row.state);
            findings.error("ledger-dangling", location, message);
        }
        State::Failed | State::Unreached => {
            let rule = if row.state == State::Failed {
                "url-failed"
            } else {
                "url-unreached"
            };
            let message = format!("{}: {}", row.state, super::finding::clip(&row.reason));
            findings.add(Severity::Note, rule, None, location, message);
        }
        State::Captured | State::Unchanged | State::Excluded => {}
    }
}
