//! The list of what is missing: every URL that failed or wasn't reached, by the
//! page that named it first.

use std::io;
use std::path::Path;

use super::account::{Account, Accounting, Missing};
use crate::snapshot::{SnapshotError, whole};

/// The columns in order.
const COLUMNS: [&str; 4] = ["page", "url", "state", "reason"];

/// Finishes an account and writes its list whole to `into`, as CSV (RFC 4180) sorted by
/// page and URL; `page` is empty for seeds and for what robots.txt names.
pub(super) fn write(accounting: Accounting, into: &Path) -> Result<Account, SnapshotError> {
    let mut account = None;
    whole::write(into, |out| {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        writer.write_record(COLUMNS)?;
        account = Some(accounting.finish(|missing| {
            let Missing {
                via,
                url,
                state,
                reason,
            } = missing;
            writer
                .write_record([via, url, state, reason])
                .map_err(io::Error::from)
        })?);
        writer.flush()
    })?;
    Ok(account.expect("the list was written"))
}
