//! The ledger: what became of every URL that was discovered, by state.

use std::io::{self, Read};

use askama::Template;

use super::moment::{Moment, clipped, size};
use super::problem::Problem;
use super::query::{Paging, Query};
use super::{UiResponse, html, link};
use crate::count::grouped;
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::snapshot::layout::LEDGER;
use crate::snapshot::ledger::{self, LedgerRow, State};

/// Rows of a page.
const ROWS: u64 = 100;
/// Rows that one request reads.
const MAX_ROWS: u64 = 2_000_000;
/// A longer row is no row of a ledger: a URL has at most 32 KiB.
const MAX_ROW_BYTES: u64 = 1024 * 1024;

#[derive(Template)]
#[template(path = "replay/ui/ledger.html")]
struct Page {
    collection: String,
    home: String,
    exists: bool,
    /// Whether it is several collections read as one.
    several: bool,
    states: Vec<StateLink>,
    state: &'static str,
    text: String,
    rows: Vec<Row>,
    paging: Paging,
    cut: bool,
    broken: Option<String>,
}

struct StateLink {
    name: &'static str,
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
    pub hops: String,
    pub time: Option<Moment>,
}

impl Row {
    pub(super) fn of(collection: &str, row: &LedgerRow) -> Self {
        let start: String = row.reason.chars().take(300).collect();
        Self {
            url: clipped(&row.url, 300),
            calendar: link::captures(collection, &row.url),
            state: row.state.as_str(),
            reason: clipped(&row.reason, 300),
            reason_link: link::ledger(collection, row.state.as_str(), &start),
            mark: clipped(&row.mark, 60),
            status: row.status.map(|code| code.to_string()).unwrap_or_default(),
            media_type: clipped(&row.media_type, 80),
            size: row.bytes.map(size).unwrap_or_default(),
            via: clipped(&row.via, 300),
            via_link: link::captures(collection, &row.via),
            hops: clipped(&row.hops, 40),
            time: Moment::parse(&row.time),
        }
    }
}

pub(super) fn page(collection: &Collection, query: &Query) -> Result<UiResponse, Problem> {
    let state: Option<State> = query.text("state").parse().ok();
    let word = state.map_or("", State::as_str);
    let (text, page) = (query.text("q"), query.page());
    let rows = open(collection)?;
    let exists = rows.is_some();
    let list = List::read(&collection.name, rows, state, text, page);
    let states = std::iter::once(("", state.is_none()))
        .chain(State::ALL.map(|each| (each.as_str(), state == Some(each))))
        .map(|(name, chosen)| StateLink {
            name: if name.is_empty() { "all" } else { name },
            link: link::ledger(&collection.name, name, text),
            chosen,
        });
    let page = Page {
        collection: collection.name.clone(),
        home: link::collection(&collection.name),
        exists,
        several: collection.is_several(),
        states: states.collect(),
        state: word,
        text: text.to_owned(),
        paging: Paging::new(&link::ledger(&collection.name, word, text), page, list.more),
        rows: list.rows,
        cut: list.cut,
        broken: list.broken,
    };
    Ok(html(if exists { 200 } else { 404 }, &page))
}

#[derive(Default)]
struct List {
    rows: Vec<Row>,
    more: bool,
    cut: bool,
    /// Why the ledger can't be read to its end.
    broken: Option<String>,
}

impl List {
    fn read(
        collection: &str,
        rows: Option<impl Iterator<Item = Result<LedgerRow, SnapshotError>>>,
        state: Option<State>,
        text: &str,
        page: u64,
    ) -> Self {
        let mut list = Self::default();
        let mut kept = 0;
        for (read, row) in (0u64..).zip(rows.into_iter().flatten()) {
            let row = match row {
                Ok(row) => row,
                Err(error) => {
                    list.broken = Some(error.to_string());
                    break;
                }
            };
            if read == MAX_ROWS {
                list.cut = true;
                break;
            }
            let has_text = row.url.contains(text) || row.reason.contains(text);
            if state.is_some_and(|state| state != row.state) || !has_text {
                continue;
            }
            kept += 1;
            if kept > page * ROWS {
                list.more = true;
                break;
            }
            if kept > (page - 1) * ROWS {
                list.rows.push(Row::of(collection, &row));
            }
        }
        list
    }
}

/// The rows of a collection's ledger, read as they are asked for; `None` where
/// it has none.
fn open(
    collection: &Collection,
) -> Result<Option<impl Iterator<Item = Result<LedgerRow, SnapshotError>>>, SnapshotError> {
    let Some(container) = collection.container() else {
        return Ok(None);
    };
    let file = match container.open(LEDGER) {
        Ok(file) => file,
        Err(SnapshotError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bounded = io::BufReader::with_capacity(64 * 1024, BoundedRows::new(file));
    let rows = ledger::read(&collection.path, bounded);
    Ok(Some(rows.filter_map(|row| match row {
        Ok(row) if collection.denies(&row.url) => None,
        // That it is linked from there tells of what is withheld.
        Ok(row) if collection.denies(&row.via) => Some(Ok(LedgerRow {
            via: String::new(),
            ..row
        })),
        row => Some(row),
    })))
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
    let Some(rows) = open(collection)? else {
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

/// Passes a CSV file through and fails at a row that is longer than any true
/// one, which the CSV reader would collect in memory.
struct BoundedRows<R> {
    file: R,
    row_bytes: u64,
    quoted: bool,
}

impl<R> BoundedRows<R> {
    fn new(file: R) -> Self {
        Self {
            file,
            row_bytes: 0,
            quoted: false,
        }
    }
}

impl<R: Read> Read for BoundedRows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        for &byte in &buffer[..n] {
            self.row_bytes += 1;
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.row_bytes = 0,
                _ => {}
            }
            if self.row_bytes > MAX_ROW_BYTES {
                let reason = "a row of the ledger is longer than 1 MiB";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_of_any_number_pass_and_one_without_end_does_not() {
        let rows = "a,\"x\ny\"\r\n".repeat(300_000);
        let mut through = Vec::new();
        BoundedRows::new(rows.as_bytes())
            .read_to_end(&mut through)
            .unwrap();
        assert_eq!(through, rows.as_bytes());
        for endless in [io::repeat(b'x'), io::repeat(b'\t')] {
            let mut file = b"url\r\n\"\n".chain(endless);
            let error = io::copy(&mut BoundedRows::new(&mut file), &mut io::sink());
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let newlines = b"\"".chain(io::repeat(b'\n'));
        assert!(io::copy(&mut BoundedRows::new(newlines), &mut io::sink()).is_err());
    }
}
