//! records.csv against the records as they were read.

use std::collections::BTreeSet;

use super::{Comparison, Extents};
use crate::verify::{Location, finding};

/// Goes through the rows of records.csv and the records, by place.
pub(super) struct Rows<'f> {
    pub(super) comparison: Comparison<'f>,
    pub(super) damaged: BTreeSet<String>,
    /// A row for which no record was seen yet.
    pub(super) row: Option<Extents>,
}

impl Rows<'_> {
    pub(super) fn line(&mut self, line: &[u8]) {
        let said: Extents = serde_json::from_slice(line).expect("written by `line`");
        if !said.read {
            self.leave();
            self.row = Some(said);
            return;
        }
        let here = self
            .row
            .take_if(|row| row.offset == said.offset && row.filename == said.filename);
        let location = self.location(&said);
        let message = match here {
            None => {
                self.leave();
                "no row of records.csv begins here".to_owned()
            }
            Some(row) if row.length != said.length => format!(
                "records.csv says {} bytes, the record has {}",
                row.length, said.length
            ),
            Some(row) if row.id != said.id => {
                format!("records.csv says {}", finding::clip(&row.id))
            }
            Some(_) => return,
        };
        self.comparison
            .findings
            .error("records-differ", location, message);
    }

    /// Ends the place of the row.
    pub(super) fn leave(&mut self) {
        let Some(row) = self.row.take() else {
            return;
        };
        // What became of records that don't read is told already.
        let known = self
            .comparison
            .warcs
            .iter()
            .any(|(name, _)| *name == row.filename);
        if !known || self.damaged.contains(&row.filename) {
            return;
        }
        let location = self.location(&row);
        let message = "records.csv says that a record begins here, and none does";
        self.comparison
            .findings
            .error("records-differ", location, message);
    }

    fn location(&self, of: &Extents) -> Location {
        let offset = of.offset.parse().unwrap_or_default();
        let mut location = self.comparison.location(&of.filename, offset, "");
        location.url = None;
        location.record(Some(&of.id))
    }
}
