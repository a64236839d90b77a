//! What a store says when a crawl is over: rows in the order of the files that are
//! made of them. A reader has a connection of its own, so that several read at once.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Row};

use super::{Result, connect, state};
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::ledger::{LedgerRow, Place, State};
use crate::snapshot::records::RecordRow;

/// A URL that a sitemap lists and that wasn't captured, or only as an error.
pub struct Missing {
    /// The URL.
    pub url: String,
    /// The row's state, as a number.
    pub state: i64,
    /// Why.
    pub reason: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The sitemap that listed it first.
    pub sitemap: String,
}

/// In which order records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOrder {
    /// As they were added. WARCs are filled one after the other, so that is nearly
    /// always the order of files and offsets too; it isn't where a WARC that was cut
    /// came back whole, or where a renamed snapshot goes on with other names.
    AsAdded,
    /// By WARC and offset, at the price of sorting all of them.
    Sorted,
}

/// A connection that reads what is committed.
pub struct Reader {
    db: Connection,
}

impl Reader {
    /// Of the store at a path.
    pub fn open(path: &Path) -> Result<Self> {
        let db = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        // What is sorted takes as much again, and the rest lies in temporary files.
        db.pragma_update(None, "cache_size", -16_384)?;
        Ok(Self { db })
    }

    /// Every record with its index line. A probe's has no mark: its answer is what
    /// the site says. False where they turned out not to be in the order that was
    /// asked for, which is not looked at on.
    pub fn each_record<E: From<rusqlite::Error>>(
        &self,
        order: RecordOrder,
        mut sink: impl FnMut(RecordRow, Option<String>) -> std::result::Result<(), E>,
    ) -> std::result::Result<bool, E> {
        let order_by = match order {
            RecordOrder::AsAdded => "r.rowid",
            RecordOrder::Sorted => "w.filename, r.offset",
        };
        // A cross join has its tables read in the order in which they are written here.
        let mut query = self.db.prepare(&format!(
            "SELECT w.filename, r.offset, r.length, r.record_id, r.sha256, r.entry, m.mark
             FROM record r CROSS JOIN warc w ON w.id = r.warc
             LEFT JOIN mark m ON m.warc = r.warc AND m.offset = r.offset AND m.mark != 'probe' ORDER BY {order_by}"
        ))?;
        let mut last = (String::new(), 0);
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let record = RecordRow {
                filename: row.get(0)?,
                offset: row.get::<_, i64>(1)?.unsigned_abs(),
                length: row.get::<_, i64>(2)?.unsigned_abs(),
                record_id: row.get(3)?,
                sha256: row.get(4)?,
            };
            if (record.filename.as_str(), record.offset) < (last.0.as_str(), last.1) {
                return Ok(false);
            }
            last.1 = record.offset;
            if last.0 != record.filename {
                last.0.clone_from(&record.filename);
            }
            let entry: Option<String> = row.get(5)?;
            let mark: Option<String> = row.get(6)?;
            sink(record, entry.map(|entry| marked(entry, mark)))?;
        }
        Ok(true)
    }

    /// Every URL's final row, sorted by URL. What still waits is unreached for
    /// the reason given.
    pub fn each_ledger_row<E: From<rusqlite::Error>>(
        &self,
        unreached: &str,
        mut sink: impl FnMut(LedgerRow) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut query = self.db.prepare(
            "SELECT u.url, u.state, u.reason, u.status, u.media_type, u.bytes, u.digest, w.filename,
             u.offset, u.length, v.url, u.hops, u.time, m.mark
             FROM url u LEFT JOIN warc w ON w.id = u.warc LEFT JOIN url v ON v.id = u.via
             LEFT JOIN mark m ON m.warc = u.warc AND m.offset = u.offset ORDER BY u.url",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            sink(ledger_row(row, unreached)?)?;
        }
        Ok(())
    }

    /// Every captured page: URL, title, time, and whether it is a seed.
    pub fn each_page<E: From<rusqlite::Error>>(
        &self,
        mut sink: impl FnMut(i64, String, Option<String>, String, bool) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut query = self.db.prepare(
            "SELECT id, url, title, time, (SELECT COUNT(*) FROM seed WHERE seed.url = url.url)
             FROM url WHERE page = 1 AND state IN (1, 4) ORDER BY id",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let is_seed = row.get::<_, i64>(4)? > 0;
            sink(row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, is_seed)?;
        }
        Ok(())
    }

    /// Whether sitemaps list anything.
    pub fn has_listed(&self) -> Result<bool> {
        let query = "SELECT EXISTS (SELECT 1 FROM url WHERE listed IS NOT NULL)";
        self.db.query_row(query, [], |row| row.get(0))
    }

    /// What is listed and wasn't captured, sorted by URL.
    pub fn each_missing<E: From<rusqlite::Error>>(
        &self,
        mut sink: impl FnMut(Missing) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut query = self.db.prepare(
            "SELECT u.url, u.state, COALESCE(u.reason, ''), u.status, COALESCE(s.url, '')
             FROM url u LEFT JOIN url s ON s.id = u.listed
             WHERE u.listed IS NOT NULL AND NOT (u.state IN (1, 4) AND COALESCE(u.status, 0) < 400) ORDER BY u.url",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            sink(Missing {
                url: row.get(0)?,
                state: row.get(1)?,
                reason: row.get(2)?,
                status: row.get(3)?,
                sitemap: row.get(4)?,
            })?;
        }
        Ok(())
    }
}

/// An index line with its mark, as the last key.
fn marked(entry: String, mark: Option<String>) -> String {
    let Some(mark) = mark else {
        return entry;
    };
    match entry.parse::<CdxjEntry>() {
        Ok(mut entry) => {
            entry.mark = Some(mark);
            entry.to_string()
        }
        Err(_) => entry,
    }
}

fn ledger_row(row: &Row<'_>, unreached: &str) -> Result<LedgerRow> {
    let (state, reason) = match row.get::<_, i64>(1)? {
        state::CAPTURED => (State::Captured, String::new()),
        state::UNCHANGED => (State::Unchanged, String::new()),
        state::EXCLUDED => (
            State::Excluded,
            row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        ),
        state::FAILED => (
            State::Failed,
            row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        ),
        _ => (State::Unreached, unreached.to_owned()),
    };
    let text = |at: usize| {
        row.get::<_, Option<String>>(at)
            .map(Option::unwrap_or_default)
    };
    let number = |at: usize| {
        row.get::<_, Option<i64>>(at)
            .map(|n| n.map(i64::unsigned_abs))
    };
    let place = match (row.get::<_, Option<String>>(7)?, number(8)?, number(9)?) {
        (Some(filename), Some(offset), Some(length)) => Some(Place {
            filename,
            offset,
            length,
        }),
        _ => None,
    };
    Ok(LedgerRow {
        url: row.get(0)?,
        state,
        reason,
        mark: text(13)?,
        status: row.get(3)?,
        media_type: text(4)?,
        bytes: number(5)?,
        payload_digest: text(6)?,
        place,
        via: text(10)?,
        hops: row.get(11)?,
        pass: 1,
        time: text(12)?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::job::StoredRecord;
    use crate::crawl::store::Store;
    use crate::crawl::store::young::HELD;

    #[test]
    fn records_that_were_not_added_in_order_are_told_and_sorted() {
        let directory = tempfile::tempdir().unwrap();
        let in_order = [("a", 0), ("a", 7), ("b", 0), ("b", 100)];
        let cases = [
            (in_order, true),
            // A renamed snapshot's.
            ([("b", 0), ("b", 100), ("a", 0), ("a", 7)], false),
            // The first WARC's end came back.
            ([("a", 0), ("b", 0), ("b", 100), ("a", 7)], false),
        ];
        for (n, (added, is_sorted)) in cases.into_iter().enumerate() {
            let path = directory.path().join(n.to_string());
            let store = Store::open(&path, HELD).unwrap();
            let warcs = ["a", "b"].map(|name| (name, store.add_warc(name).unwrap()));
            for (name, offset) in added {
                let record = StoredRecord {
                    id: format!("<urn:{name}{offset}>"),
                    offset: 0,
                    length: 7,
                    sha256: String::new(),
                    entry: None,
                };
                let (_, warc) = warcs.into_iter().find(|(known, _)| *known == name).unwrap();
                store
                    .add_record((warc, offset), &record, None, None)
                    .unwrap();
            }
            store.commit_and_begin();
            let reader = Reader::open(&path).unwrap();
            let told = |order| {
                let mut told = Vec::new();
                let is_whole = reader.each_record(order, |row: RecordRow, _| {
                    told.push((row.filename, row.offset));
                    Ok::<_, rusqlite::Error>(())
                });
                (is_whole.unwrap(), told)
            };
            assert_eq!(told(RecordOrder::AsAdded).0, is_sorted, "{added:?}");
            let expected = in_order.map(|(name, offset)| (name.to_owned(), offset));
            assert_eq!(told(RecordOrder::Sorted), (true, expected.to_vec()));
        }
    }
}
