//! Counts that budgets go by, on disk so that a crawl that goes on has them.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};

/// What is counted; the numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tally {
    /// URLs of a host.
    HostUrls = 1,
    /// Bytes from a host.
    HostBytes = 2,
    /// Different queries of a path.
    PathQueries = 3,
    /// Whether a set of parameter names is known on its path.
    Names = 4,
    /// Sets of parameter names on a path.
    Facets = 5,
    /// Variants of a page that were let in.
    Variants = 6,
    /// Variants of a page that gave no page.
    VariantsLost = 7,
    /// URLs of a host with a date far ahead.
    FarDates = 8,
    /// URLs of a calendar.
    Dates = 9,
    /// Pages of a host that are the one above them again.
    Nested = 10,
    /// URLs of a sequence that pages name which say nothing new.
    Barren = 11,
    /// Pages that were the same under another session id.
    SameById = 12,
    /// Pages that were others under another such id.
    OtherById = 13,
    /// What the last page under such an id said, as a number.
    LookById = 14,
    /// Its figures, likewise.
    FiguresById = 15,
    /// The id it was under, likewise.
    LastId = 16,
    /// Pages under such an id that only a script fills.
    ShellsById = 17,
    /// Whether an id was named.
    IdNamed = 18,
    /// Answers that name a page under an id that is new, the only one in them and
    /// other pages' too.
    SharedIds = 19,
    /// Answers that name a page under several ids.
    SeveralIds = 20,
    /// URLs of a page that pages under an id lead on to, each by one other that is
    /// new.
    IdChain = 21,
}

impl Store {
    /// A count.
    pub fn tally(&self, kind: Tally, key: u64) -> Result<u64> {
        let count: Option<i64> = self
            .db
            .prepare_cached("SELECT count FROM tally WHERE kind = ? AND key = ?")?
            .query_row(params![kind as i64, key.cast_signed()], |row| row.get(0))
            .optional()?;
        Ok(count.unwrap_or(0).cast_unsigned())
    }

    /// Sets a count.
    pub fn set_tally(&self, kind: Tally, key: u64, count: u64) -> Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO tally VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = ?3",
            )?
            .execute(params![kind as i64, key.cast_signed(), count.cast_signed()])
            .map(drop)
    }
}
