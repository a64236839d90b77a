//! Which row a URL has. An index by the URL itself would take as much room as all
//! URLs, and each new one would change a page of it somewhere; so rows are found by
//! 64 bits of the URL's SHA-256, and the row tells whether it is the right one.
//!
//! The newest keys are in memory. They go to disk in the order of the keys, a
//! stretch of it with each commit, round after round: so many go to each page that
//! is written that a URL costs the same however many there are. What is in memory is
//! made again from the last rows when the store is opened.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};

use super::{Result, Store};
use crate::crawl::filter::Filter;
use crate::crawl::fold::key;

/// `up_to` of `swept`: rows up to this one have their keys on disk.
pub const SCHEMA: &str = "
CREATE TABLE url_row (key INTEGER PRIMARY KEY, row INTEGER NOT NULL);
CREATE TABLE swept (up_to INTEGER NOT NULL);
INSERT INTO swept VALUES (0);";

/// Keys that are held in memory; in tests so few that others are on disk.
const HELD: usize = if cfg!(test) { 100 } else { 400_000 };

/// What was found of a URL.
pub(super) enum Found<T> {
    /// Its row has this.
    Known(T),
    /// It has no row; the key that one would have.
    New(i64),
}

impl<T> Found<T> {
    /// What the row has, if there is one.
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(row) => Some(row),
            Self::New(_) => None,
        }
    }
}

/// The keys of all rows.
pub(super) struct Rows(RefCell<Keys>);

struct Keys {
    /// Keys that aren't on disk, with their rows.
    young: BTreeMap<i64, i64>,
    /// All keys, and few others.
    filter: Filter,
    /// How far this round has come.
    at: i64,
    /// The last row when it began.
    begun_with: i64,
    /// The last row.
    last: i64,
}

impl Rows {
    /// Those of a store.
    pub fn open(db: &Connection) -> Result<Self> {
        let mut keys = Keys {
            young: BTreeMap::new(),
            filter: Filter::default(),
            at: i64::MIN,
            begun_with: 0,
            last: 0,
        };
        let mut query = db.prepare("SELECT key FROM url_row")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            keys.filter.add(row.get::<_, i64>(0)?.cast_unsigned());
        }
        let mut query =
            db.prepare("SELECT id, url FROM url WHERE id > (SELECT up_to FROM swept) ORDER BY id")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            keys.learn(db, row.get(0)?, row.get_ref(1)?.as_str()?)?;
        }
        keys.begun_with = keys.last;
        Ok(Self(RefCell::new(keys)))
    }

    /// Notes a new row with the key that [`Store::of_url`] told.
    pub fn add(&self, key: i64, row: i64) {
        self.0.borrow_mut().add(key, row);
    }

    /// Writes keys into the store's transaction until few enough are in memory.
    pub fn sweep(&self, db: &Connection) -> Result<()> {
        self.0.borrow_mut().sweep(db)
    }
}

impl Keys {
    /// The row with a key.
    fn row(&self, db: &Connection, key: i64) -> Result<Option<i64>> {
        if !self.filter.may_have(key.cast_unsigned()) {
            return Ok(None);
        }
        if let Some(row) = self.young.get(&key) {
            return Ok(Some(*row));
        }
        db.prepare_cached("SELECT row FROM url_row WHERE key = ?")?
            .query_row([key], |row| row.get(0))
            .optional()
    }

    fn add(&mut self, key: i64, row: i64) {
        self.young.insert(key, row);
        self.filter.add(key.cast_unsigned());
        self.last = self.last.max(row);
    }

    /// Takes in a row that the store has already, in order.
    fn learn(&mut self, db: &Connection, row: i64, url: &str) -> Result<()> {
        let mut key = first_key(url);
        self.last = row;
        while let Some(other) = self.row(db, key)? {
            if other == row {
                return Ok(());
            }
            key = next_key(key);
        }
        self.add(key, row);
        Ok(())
    }

    fn sweep(&mut self, db: &Connection) -> Result<()> {
        let mut insert = db.prepare_cached("INSERT INTO url_row VALUES (?, ?)")?;
        while let Some(many) = self.young.len().checked_sub(HELD).filter(|many| *many > 0) {
            let next = self.young.range(self.at..).take(many);
            let next: Vec<(i64, i64)> = next.map(|(key, row)| (*key, *row)).collect();
            for &(key, row) in &next {
                insert.execute([key, row])?;
                self.young.remove(&key);
                self.at = key;
            }
            if next.len() < many {
                db.execute("UPDATE swept SET up_to = ?", [self.begun_with])?;
                (self.at, self.begun_with) = (i64::MIN, self.last);
            }
        }
        Ok(())
    }
}

/// The key of a URL's row, unless another URL's has it.
fn first_key(url: &str) -> i64 {
    key(url).cast_signed()
}

/// The key to try after one that another URL's row has: the same 64 bits can be
/// found for two URLs by who looks for them, but not for many.
fn next_key(key: i64) -> i64 {
    key.wrapping_add(1)
}

impl Store {
    /// Reads from the row of a URL. The query's parameter is the row's number, its
    /// first column the URL.
    pub(super) fn of_url<T>(
        &self,
        url: &str,
        query: &str,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Found<T>> {
        let keys = self.rows.0.borrow();
        let mut key = first_key(url);
        while let Some(row) = keys.row(&self.db, key)? {
            let found = self.db.prepare_cached(query)?.query_row([row], |row| {
                if row.get_ref(0)?.as_str()? == url {
                    read(row).map(Some)
                } else {
                    Ok(None)
                }
            })?;
            if let Some(found) = found {
                return Ok(Found::Known(found));
            }
            key = next_key(key);
        }
        Ok(Found::New(key))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::imprint::Imprint;
    use crate::crawl::store::{Added, NewUrl};
    use crate::links::Path;
    use crate::url::CanonicalUrl;

    const MANY: i64 = 20 * HELD as i64;

    fn url(n: i64) -> CanonicalUrl {
        CanonicalUrl::parse(&format!("http://a.example/{n}")).unwrap()
    }

    fn add(store: &Store, url: &CanonicalUrl) -> Added {
        let found = NewUrl {
            url,
            host: 1,
            path: &Path::default(),
            via: None,
            via_imprint: Imprint::default(),
            barren: 0,
            nested: 0,
            excluded: None,
        };
        store.add(&found).unwrap()
    }

    fn on_disk(store: &Store) -> i64 {
        let query = "SELECT COUNT(*) FROM url_row";
        store.db.query_row(query, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_url_has_one_row_whether_its_key_is_in_memory_or_on_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let mut store = Store::open(&path).unwrap();
        for n in 0..MANY {
            assert_eq!(add(&store, &url(n)), Added::New(n + 1));
            if n % 7 == 0 {
                store.commit().unwrap();
            }
            if n % 300 == 299 {
                // A kill: what wasn't committed is found again.
                drop(store);
                store = Store::open(&path).unwrap();
                let last = store.last_row().unwrap();
                (last..=n).for_each(|n| assert_eq!(add(&store, &url(n)), Added::New(n + 1)));
            }
        }
        store.commit().unwrap();
        let held = store.rows.0.borrow().young.len();
        assert_eq!((held, on_disk(&store)), (HELD, MANY - HELD as i64));
        for n in 0..MANY {
            assert_eq!(add(&store, &url(n)), Added::Known);
            let found = store.find(url(n).as_str()).unwrap();
            assert_eq!(found.map(|(row, _)| row), Some(n + 1));
        }
        assert_eq!(store.find(url(MANY).as_str()).unwrap(), None);
        assert_eq!(store.last_row().unwrap(), MANY);
    }

    #[test]
    fn a_url_whose_key_is_anothers_has_its_own_row_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let store = Store::open(&path).unwrap();
        let (one, two) = (url(1), url(2));
        assert_eq!(add(&store, &one), Added::New(1));
        // As if the keys of both were the same.
        store.rows.0.borrow_mut().young.clear();
        store.rows.add(first_key(two.as_str()), 1);
        assert_eq!(add(&store, &two), Added::New(2));
        assert_eq!(add(&store, &two), Added::Known);
        let row = |url: &CanonicalUrl| store.find(url.as_str()).unwrap().map(|(row, _)| row);
        assert_eq!((row(&one), row(&two)), (None, Some(2)));
    }

    #[test]
    fn what_is_on_disk_already_is_not_held_again_when_a_store_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let store = Store::open(&path).unwrap();
        for n in 0..MANY {
            add(&store, &url(n));
            store.commit().unwrap();
        }
        store.close().unwrap();
        let store = Store::open(&path).unwrap();
        let held = store.rows.0.borrow().young.len();
        assert_eq!((held, on_disk(&store)), (HELD, MANY - HELD as i64));
        let swept: i64 = store
            .db
            .query_row("SELECT up_to FROM swept", [], |row| row.get(0))
            .unwrap();
        assert!(swept > MANY - 4 * HELD as i64, "{swept}");
    }
}
