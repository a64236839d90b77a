//! Rows of the ledger by what they have in common, in memory that doesn't grow with them.

use std::io;

use crate::count::{Kept, grouped};
use crate::replay::ledger::{Fate, Selection};
use crate::replay::ui::link;
use crate::replay::ui::moment::clipped;
use crate::snapshot::ledger::{LedgerRow, State};
use crate::snapshot::scratch::LineSorter;

/// What a line of the list stands for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::replay::ui) enum By {
    /// A URL.
    #[default]
    Url,
    /// All URLs for which a reason is given.
    Reason,
    /// All URLs that a page named first.
    Page,
}

impl By {
    pub(super) const ALL: [Self; 3] = [Self::Url, Self::Reason, Self::Page];

    /// The word in addresses.
    pub(in crate::replay::ui) fn word(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Reason => "reason",
            Self::Page => "page",
        }
    }

    pub(super) fn parse(word: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|by| by.word() == word).unwrap_or_default()
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Url => "each URL",
            Self::Reason => "by reason",
            Self::Page => "by page that names it first",
        }
    }
}

/// Rows that have something in common.
pub(super) struct Group {
    /// The state, where they are those with one reason.
    pub(super) state: &'static str,
    /// Reason or page; empty where there is none.
    pub(super) name: String,
    pub(super) urls: u64,
    /// The rows.
    pub(super) link: String,
}

impl Group {
    pub(super) fn urls(&self) -> String {
        grouped(self.urls)
    }
}

/// Collects what rows have in common.
#[derive(Default)]
pub(super) struct Groups {
    lines: LineSorter,
    rows: u64,
}

impl Groups {
    /// Adds a row. The rows of one gathering are by reason, or by page.
    pub(super) fn add(&mut self, by: By, row: &LedgerRow) -> io::Result<()> {
        // Lines that are equal would be one.
        self.rows += 1;
        let common = match by {
            By::Page => (None, &row.via, self.rows),
            By::Reason | By::Url => (Some(row.state.as_str()), &row.reason, self.rows),
        };
        let line = serde_json::to_vec(&common).expect("strings are JSON");
        self.lines.add(&line)
    }

    /// The largest groups of a selection of rows.
    pub(super) fn finish(self, collection: &str, selection: &Selection) -> io::Result<Kept<Group>> {
        let mut groups = Kept::default();
        let mut leave = |common: Common, urls| {
            let group = group(collection, selection, common, urls);
            groups.add(group, |group| group.urls);
        };
        let mut open: Option<(Common, u64)> = None;
        self.lines.each_line(|line| {
            let (state, name, _): (Option<String>, String, u64) =
                serde_json::from_slice(line).expect("written by `add`");
            let common = (state, name);
            match &mut open {
                Some((known, urls)) if *known == common => *urls += 1,
                _ => {
                    if let Some((known, urls)) = open.replace((common, 1)) {
                        leave(known, urls);
                    }
                }
            }
            Ok(())
        })?;
        if let Some((known, urls)) = open {
            leave(known, urls);
        }
        Ok(groups)
    }
}

/// The state and reason of rows, or the page that named them.
type Common = (Option<String>, String);

fn group(collection: &str, selection: &Selection, (state, name): Common, urls: u64) -> Group {
    let mut rows = selection.clone();
    let state: Option<State> = state.and_then(|state| state.parse().ok());
    let named = clipped(&name, 300);
    match state {
        Some(state) => (rows.fate, rows.reason) = (Fate::One(state), Some(name)),
        None => rows.via = Some(name),
    }
    Group {
        state: state.map_or("", State::as_str),
        name: named,
        urls,
        link: link::ledger(collection, &rows),
    }
}
