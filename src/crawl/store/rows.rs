//! Which row a URL has. An index by the URL itself would take as much room as all
//! URLs, and each new one would change a page of it somewhere; so rows are found by
//! 64 bits of the URL's SHA-256, and 32 more and then the row itself tell whether it
//! is the right one. How a URL stood when it was found is there too: most links to it
//! bring nothing new, which then needs no look at the row.
//!
//! The newest keys are in memory (see [`Young`]).

use std::cell::RefCell;

use rusqlite::{Connection, OptionalExtension, Row};

use super::found::LAST;
use super::young::Young;
use super::{NewUrl, Result, Store, state};
use crate::crawl::filter::Filter;
use crate::crawl::fold::long_key;
use crate::crawl::standing::{Stand, Standing};

/// `stand` has the next 32 bits of the digest, then those of [`Stand`]; rows up to
/// `up_to` have their keys on disk.
pub const SCHEMA: &str = "
CREATE TABLE url_row (key INTEGER PRIMARY KEY, row INTEGER NOT NULL, stand INTEGER NOT NULL);
CREATE TABLE swept (up_to INTEGER NOT NULL);
INSERT INTO swept VALUES (0);";

/// What was found of a URL.
pub(super) enum Found<T> {
    /// Its row has this.
    Known(T),
    /// It has no row; the key that one would have.
    New(Key),
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

/// By what a row is found.
#[derive(Clone, Copy)]
pub(super) struct Key {
    place: i64,
    check: u32,
}

impl Key {
    /// Of a URL's digest, or rather its first 128 bits: where its row is, unless
    /// another URL's is there.
    fn first(digest: u128) -> Self {
        Self {
            place: ((digest >> 64) as u64).cast_signed(),
            check: (digest >> 32) as u32,
        }
    }

    /// The place to try next: who looks for them finds two URLs with the same 64
    /// bits, but not many.
    fn next(self) -> Self {
        Self {
            place: self.place.wrapping_add(1),
            ..self
        }
    }
}

/// What stands at a place.
#[derive(Clone, Copy)]
struct Entry {
    row: i64,
    check: u32,
    stand: Stand,
}

impl Entry {
    fn stand_on_disk(self) -> i64 {
        (u64::from(self.check) << 32 | u64::from(self.stand.bits())).cast_signed()
    }

    fn from_disk(row: i64, stand: i64) -> Self {
        let stand = stand.cast_unsigned();
        Self {
            row,
            check: (stand >> 32) as u32,
            stand: Stand::from_bits(stand as u32),
        }
    }
}

/// The keys of all rows.
pub(super) struct Rows(RefCell<Keys>);

struct Keys {
    /// What isn't on disk, by its place.
    young: Young<Entry>,
    /// All places, and few others.
    filter: Filter,
}

impl Rows {
    /// Those of a store.
    pub fn open(db: &Connection, held: usize) -> Result<Self> {
        let up_to = db.query_row("SELECT up_to FROM swept", [], |row| row.get(0))?;
        let mut keys = Keys {
            young: Young::new(up_to, held),
            filter: Filter::default(),
        };
        let mut query = db.prepare("SELECT key FROM url_row")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            keys.filter.add(row.get::<_, i64>(0)?.cast_unsigned());
        }
        let mut query = db.prepare(
            "SELECT id, url, state, priority, depth, beyond FROM url WHERE id > ? ORDER BY id",
        )?;
        let mut rows = query.query([up_to])?;
        while let Some(row) = rows.next()? {
            let standing = match row.get(2)? {
                state::EXCLUDED => Standing::Excluded,
                _ => Standing::Admitted,
            };
            let priority = row.get::<_, u32>(3)? % LAST;
            let stand = Stand::of(standing, priority, row.get(4)?, row.get(5)?);
            let key = Key::first(long_key(row.get_ref(1)?.as_str()?));
            keys.learn(db, key, row.get(0)?, stand)?;
        }
        keys.young.begin();
        Ok(Self(RefCell::new(keys)))
    }

    /// Notes a new row with the key that [`Store::of_url`] told.
    pub fn add(&self, key: Key, row: i64, found: &NewUrl<'_>) {
        let standing = match found.excluded {
            Some(_) => Standing::Excluded,
            None => Standing::Admitted,
        };
        let stand = Stand::new(standing, found.path);
        self.0.borrow_mut().add(key, row, stand);
    }

    /// Writes keys into the store's transaction until few enough are in memory.
    pub fn sweep(&self, db: &Connection) -> Result<()> {
        let (swept, all_up_to) = self.0.borrow_mut().young.sweep();
        let mut insert = db.prepare_cached("INSERT INTO url_row VALUES (?, ?, ?)")?;
        for (place, entry) in swept {
            insert.execute([place, entry.row, entry.stand_on_disk()])?;
        }
        if let Some(up_to) = all_up_to {
            db.execute("UPDATE swept SET up_to = ?", [up_to])?;
        }
        Ok(())
    }

    /// Forgets what was written, which is on disk now.
    pub fn committed(&self) {
        self.0.borrow_mut().young.committed();
    }
}

impl Keys {
    /// What stands at a key's place.
    fn entry(&self, db: &Connection, key: Key) -> Result<Option<Entry>> {
        if !self.filter.may_have(key.place.cast_unsigned()) {
            return Ok(None);
        }
        if let Some(entry) = self.young.get(key.place) {
            return Ok(Some(entry));
        }
        db.prepare_cached("SELECT row, stand FROM url_row WHERE key = ?")?
            .query_row([key.place], |row| {
                Ok(Entry::from_disk(row.get(0)?, row.get(1)?))
            })
            .optional()
    }

    fn add(&mut self, key: Key, row: i64, stand: Stand) {
        let check = key.check;
        self.young.add(key.place, Entry { row, check, stand }, row);
        self.filter.add(key.place.cast_unsigned());
    }

    /// Takes in a row that the store has already, in order.
    fn learn(&mut self, db: &Connection, mut key: Key, row: i64, stand: Stand) -> Result<()> {
        self.young.pass(row);
        while let Some(other) = self.entry(db, key)? {
            if other.row == row {
                return Ok(());
            }
            key = key.next();
        }
        self.add(key, row, stand);
        Ok(())
    }
}

impl Store {
    /// How a URL stood when it was found, by the first 128 bits of its digest, of
    /// which 96 are compared. By now there may be a nearer way to it, or it may have
    /// been let in.
    pub fn stand(&self, digest: u128) -> Result<Option<Stand>> {
        let keys = self.rows.0.borrow();
        let mut key = Key::first(digest);
        while let Some(entry) = keys.entry(&self.db, key)? {
            if entry.check == key.check {
                return Ok(Some(entry.stand));
            }
            key = key.next();
        }
        Ok(None)
    }

    /// Reads from the row of a URL. The query's parameter is the row's number, its
    /// first column the URL.
    pub(super) fn of_url<T>(
        &self,
        url: &str,
        query: &str,
        read: impl Fn(&Row<'_>) -> Result<T>,
    ) -> Result<Found<T>> {
        let keys = self.rows.0.borrow();
        let mut key = Key::first(long_key(url));
        while let Some(entry) = keys.entry(&self.db, key)? {
            if entry.check == key.check {
                let mut query = self.db.prepare_cached(query)?;
                let found = query.query_row([entry.row], |row| {
                    if row.get_ref(0)?.as_str()? == url {
                        read(row).map(Some)
                    } else {
                        Ok(None)
                    }
                })?;
                if let Some(found) = found {
                    return Ok(Found::Known(found));
                }
            }
            key = key.next();
        }
        Ok(Found::New(key))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::imprint::Imprint;
    use crate::crawl::store::young::HELD;
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
        let mut store = Store::open(&path, HELD).unwrap();
        for n in 0..MANY {
            assert_eq!(add(&store, &url(n)), Added::New(n + 1));
            if n % 7 == 0 {
                store.commit_and_begin();
            }
            if n % 300 == 299 {
                // A kill: what wasn't committed is found again.
                drop(store);
                store = Store::open(&path, HELD).unwrap();
                let last = store.last_row().unwrap();
                (last..=n).for_each(|n| assert_eq!(add(&store, &url(n)), Added::New(n + 1)));
            }
        }
        store.commit_and_begin();
        let held = store.rows.0.borrow().young.entries().len();
        assert_eq!((held, on_disk(&store)), (HELD, MANY - HELD as i64));
        for n in 0..MANY {
            assert_eq!(add(&store, &url(n)), Added::Known);
            let found = store.find(url(n).as_str()).unwrap();
            assert_eq!(found.map(|(row, _)| row), Some(n + 1));
            let stand = store.stand(long_key(url(n).as_str())).unwrap();
            assert_eq!(
                stand,
                Some(Stand::new(Standing::Admitted, &Path::default()))
            );
        }
        assert_eq!(store.find(url(MANY).as_str()).unwrap(), None);
        assert_eq!(store.last_row().unwrap(), MANY);
    }

    #[test]
    fn a_url_whose_key_is_anothers_has_its_own_row_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let store = Store::open(&path, HELD).unwrap();
        let (one, two) = (url(1), url(2));
        assert_eq!(add(&store, &one), Added::New(1));
        // As if the keys of both were the same, in 64 bits or in 96.
        for (others_check, row_of_two) in [(1, 2), (0, 3)] {
            let key = Key::first(long_key(two.as_str()));
            let key = Key {
                check: key.check ^ others_check,
                ..key
            };
            let mut keys = store.rows.0.borrow_mut();
            keys.young.restart(0);
            keys.add(key, 1, Stand::new(Standing::Admitted, &Path::default()));
            drop(keys);
            assert_eq!(add(&store, &two), Added::New(row_of_two));
            assert_eq!(add(&store, &two), Added::Known);
            let row = |url: &CanonicalUrl| store.find(url.as_str()).unwrap().map(|(row, _)| row);
            assert_eq!((row(&one), row(&two)), (None, Some(row_of_two)));
        }
    }

    #[test]
    fn what_is_on_disk_already_is_not_held_again_when_a_store_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let store = Store::open(&path, HELD).unwrap();
        for n in 0..MANY {
            add(&store, &url(n));
            store.commit_and_begin();
        }
        store.close().unwrap();
        let store = Store::open(&path, HELD).unwrap();
        let held = store.rows.0.borrow().young.entries().len();
        assert_eq!((held, on_disk(&store)), (HELD, MANY - HELD as i64));
        let swept: i64 = store
            .db
            .query_row("SELECT up_to FROM swept", [], |row| row.get(0))
            .unwrap();
        assert!(swept > MANY - 4 * HELD as i64, "{swept}");
    }
}
