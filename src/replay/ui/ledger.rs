//! The ledger: what became of every URL that was discovered, by state, by reason
//! and by the page that named it.

mod groups;

pub(super) use groups::By;

use askama::Template;

use super::moment::{Moment, clipped, size};
use super::problem::Problem;
use super::query::{Paging, Query};
use super::{UiResponse, html, link};
use crate::count::{Kept, grouped};
use crate::replay::ledger::{self, Fate, Selection};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::snapshot::ledger::{LedgerRow, State};
use crate::snapshot::manifest::Counts;
use groups::{Group, Groups};

/// Rows of a page.
const ROWS: u64 = 100;
/// Rows that one request reads.
const MAX_ROWS: u64 = 2_000_000;

#[derive(Template)]
#[template(path = "replay/ui/ledger.html")]
struct Page {
    collection: String,
    home: String,
    exists: bool,
    /// Whether it is several collections read as one.
    several: bool,
    fates: Vec<Choice>,
    ways: Vec<Choice>,
    selection: Selection,
    by: By,
    /// The same for any reason and page, where those of one are shown.
    any: String,
    /// The calendar of that page.
    via_link: String,
    withholds: bool,
    file: String,
    rows: Vec<Row>,
    groups: Kept<Group>,
    paging: Paging,
    /// Why not all of it was read.
    unread: Option<String>,
}

/// One of several views of the ledger.
struct Choice {
    name: &'static str,
    /// How many rows, where that is known.
    count: Option<String>,
    link: String,
    chosen: bool,
}

/// A row of the ledger as it is shown.
pub(super) struct Row {
    pub url: String,
    pub calendar: String,
    pub state: &'static str,
    pub reason: String,
    /// The rows with this reason.
    pub reason_link: String,
    pub mark: String,
    pub status: String,
    pub media_type: String,
    pub size: String,
    pub via: String,
    pub via_link: String,
    /// The rows that this page named first.
    pub named_link: String,
    pub hops: String,
    pub time: Option<Moment>,
}

impl Row {
    pub(super) fn of(collection: &str, row: &LedgerRow) -> Self {
        let same_reason = Selection {
            fate: Fate::One(row.state),
            reason: Some(row.reason.clone()),
            ..Selection::default()
        };
        let same_page = Selection {
            via: Some(row.via.clone()),
            ..Selection::default()
        };
        Self {
            url: clipped(&row.url, 300),
            calendar: link::captures(collection, &row.url),
            state: row.state.as_str(),
            reason: clipped(&row.reason, 300),
            reason_link: link::ledger(collection, &same_reason),
            mark: clipped(&row.mark, 60),
            status: row.status.map(|code| code.to_string()).unwrap_or_default(),
            media_type: clipped(&row.media_type, 80),
            size: row.bytes.map(size).unwrap_or_default(),
            via: clipped(&row.via, 300),
            named_link: link::ledger(collection, &same_page),
            via_link: link::captures(collection, &row.via),
            hops: clipped(&row.hops, 40),
            time: Moment::parse(&row.time),
        }
    }
}

pub(super) fn page(collection: &Collection, query: &Query) -> Result<UiResponse, Problem> {
    let name = &collection.name;
    let selection = Selection::of(|parameter| query.given(parameter)).ok_or(Problem::NoPage)?;
    let (by, page) = (By::parse(query.text("by")), query.page());
    let rows = ledger::rows(collection)?;
    let exists = rows.is_some();
    let mut reading = Reading::new(collection, &selection, by);
    let failed = || SnapshotError::io(&collection.path, "sorting in scratch space");
    reading
        .read(rows.into_iter().flatten(), page)
        .map_err(failed())?;
    let groups = std::mem::take(&mut reading.groups);
    let groups = groups.finish(name, &selection).map_err(failed())?;
    let counts = reading.is_counted().then_some(reading.counts);
    let fates = Fate::choices().map(|fate| {
        let other = Selection {
            fate,
            ..selection.clone()
        };
        Choice {
            name: match fate {
                Fate::All => "all",
                Fate::Missing => "failed or unreached",
                Fate::One(state) => state.as_str(),
            },
            count: counts.map(|counts| grouped(number(&counts, fate))),
            link: link::ledger_by(name, &other, by.word()),
            chosen: fate == selection.fate,
        }
    });
    let ways = By::ALL.map(|way| Choice {
        name: way.name(),
        count: None,
        link: link::ledger_by(name, &selection, way.word()),
        chosen: way == by,
    });
    let any = Selection {
        reason: None,
        via: None,
        ..selection.clone()
    };
    let here = link::ledger_by(name, &selection, by.word());
    let page = Page {
        collection: name.clone(),
        home: link::collection(name),
        exists,
        several: collection.is_several(),
        fates: fates.collect(),
        ways: ways.into(),
        by,
        any: link::ledger_by(name, &any, by.word()),
        via_link: link::captures(name, selection.via.as_deref().unwrap_or_default()),
        withholds: collection.withholds(),
        file: link::ledger_file(name, &selection),
        paging: Paging::new(&here, page, reading.more),
        unread: reading.unread(),
        rows: reading.shown,
        groups,
        selection,
    };
    Ok(html(if exists { 200 } else { 404 }, &page))
}

fn number(counts: &Counts, fate: Fate) -> u64 {
    let states = State::ALL.into_iter().filter(|&state| fate.has(state));
    states.map(|state| counts.of(state)).sum()
}

/// What comes of reading a ledger for one page of the interface.
struct Reading<'a> {
    collection: &'a str,
    selection: &'a Selection,
    by: By,
    shown: Vec<Row>,
    more: bool,
    cut: bool,
    /// Why the ledger can't be read to its end.
    broken: Option<String>,
    /// Of the rows with these words, whatever became of them.
    counts: Counts,
    groups: Groups,
}

impl<'a> Reading<'a> {
    fn new(collection: &'a Collection, selection: &'a Selection, by: By) -> Self {
        Self {
            collection: &collection.name,
            selection,
            by,
            shown: Vec::new(),
            more: false,
            cut: false,
            broken: None,
            counts: Counts::default(),
            groups: Groups::default(),
        }
    }

    /// Takes the rows of a page of the list, and counts all.
    fn read(
        &mut self,
        rows: impl Iterator<Item = Result<LedgerRow, SnapshotError>>,
        page: u64,
    ) -> std::io::Result<()> {
        let mut found = 0;
        for (read, row) in (0u64..).zip(rows) {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    self.broken = Some(error.to_string());
                    break;
                }
            };
            if read == MAX_ROWS {
                self.cut = true;
                break;
            }
            if !self.selection.has_words(&row) {
                continue;
            }
            self.counts.add(row.state);
            if !self.selection.fate.has(row.state) {
                continue;
            }
            if self.by != By::Url {
                self.groups.add(self.by, &row)?;
                continue;
            }
            found += 1;
            if found > page * ROWS {
                self.more = true;
            } else if found > (page - 1) * ROWS {
                self.shown.push(Row::of(self.collection, &row));
            }
        }
        Ok(())
    }

    fn unread(&self) -> Option<String> {
        let is_long =
            "The ledger is long, and only its first part was read; the file has all of it.";
        let broken = self.broken.as_ref();
        let broken = broken.map(|why| format!("The ledger can’t be read to its end: {why}"));
        broken.or_else(|| self.cut.then(|| is_long.to_owned()))
    }

    fn is_counted(&self) -> bool {
        self.broken.is_none() && !self.cut
    }
}

/// What the ledger says of a URL.
pub(super) enum Word {
    /// There is no ledger.
    NoLedger,
    /// The URL isn't in it: it was never discovered.
    Unknown,
    /// Only its first rows were read, and the URL isn't among them.
    NotReached(String),
    /// It has a row.
    Row(Box<Row>),
}

/// Looks for the first of the spellings of a URL that the ledger has; of several
/// collections, in the ledger of each.
pub(super) fn word_on(collection: &Collection, urls: &[String]) -> Result<Word, SnapshotError> {
    let mut said = Word::NoLedger;
    for part in collection.parts() {
        match word_of(part, urls)? {
            Word::Row(row) => return Ok(Word::Row(row)),
            Word::NoLedger => {}
            // That a ledger can't be searched is worth more than that another can.
            other if !matches!(said, Word::NotReached(_)) => said = other,
            _ => {}
        }
    }
    Ok(said)
}

fn word_of(collection: &Collection, urls: &[String]) -> Result<Word, SnapshotError> {
    let Some(rows) = ledger::rows(collection)? else {
        return Ok(Word::NoLedger);
    };
    let Some(last) = urls.iter().max() else {
        return Ok(Word::Unknown);
    };
    for (read, row) in (0u64..).zip(rows) {
        if read == MAX_ROWS {
            let said = format!("its first {} rows don’t have the URL", grouped(MAX_ROWS));
            return Ok(Word::NotReached(said));
        }
        let row = match row {
            Ok(row) => row,
            Err(error) => return Ok(Word::NotReached(error.to_string())),
        };
        if urls.contains(&row.url) {
            return Ok(Word::Row(Box::new(Row::of(&collection.name, &row))));
        }
        // Rows are sorted by URL.
        if row.url > *last {
            break;
        }
    }
    Ok(Word::Unknown)
}
