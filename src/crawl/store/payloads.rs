//! Which record has which payload, and what stands in the earlier snapshot. Of records
//! with the same payload the first is found, by 64 bits of the digest. The keys of the
//! newest are in memory, and in a table in order of time, by which they are known again
//! when the store is opened; others have been swept to where they are looked up (see
//! [`Young`]).

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::young::Young;
use super::{Result, Store};
use crate::crawl::dedup::Original;
use crate::crawl::filter::Filter;
use crate::digest::Digest;
use crate::snapshot::cdxj::CdxjEntry;

/// The keys on disk, and those of the last rounds: all that aren't there yet.
pub const SCHEMA: &str = "
CREATE TABLE payload (key INTEGER PRIMARY KEY, record INTEGER NOT NULL);
CREATE TABLE young_payload (record INTEGER PRIMARY KEY, key INTEGER NOT NULL);";

/// Where a record stands: its WARC's base name, and byte offset.
pub type At = (String, u64);

/// The payloads that records have. The keeper adds, and workers ask by connections of
/// their own.
pub struct Payloads {
    /// Rows of records whose payloads aren't on disk, by key.
    young: Mutex<Young<i64>>,
    /// All keys, and few others.
    filter: Filter,
}

impl Payloads {
    /// Those of a store.
    pub(super) fn open(db: &Connection, held: usize) -> Result<Self> {
        let mut young = Young::new(0, held);
        let filter = Filter::default();
        let mut query = db.prepare("SELECT record, key FROM young_payload")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (record, key): (i64, i64) = (row.get(0)?, row.get(1)?);
            young.add(key, record, record);
            filter.add(key.cast_unsigned());
        }
        let mut query = db.prepare("SELECT key FROM payload")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let key: i64 = row.get(0)?;
            young.forget(key);
            filter.add(key.cast_unsigned());
        }
        young.begin();
        Ok(Self {
            young: Mutex::new(young),
            filter,
        })
    }

    fn young(&self) -> MutexGuard<'_, Young<i64>> {
        self.young.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record may have a payload; false is certain.
    pub fn may_have(&self, digest: &Digest) -> bool {
        self.filter.may_have(key(digest).cast_unsigned())
    }

    /// The row of the record with a payload, as a connection sees it.
    fn record(&self, db: &Connection, key: i64) -> Result<Option<i64>> {
        if !self.filter.may_have(key.cast_unsigned()) {
            return Ok(None);
        }
        // What is young no more has been committed before.
        let young = self.young().get(key);
        match young {
            None => on_disk(db, key),
            record => Ok(record),
        }
    }

    /// Adds the payload of a record, which has no key yet.
    pub(super) fn add(&self, db: &Connection, digest: &Digest, record: i64) -> Result<()> {
        let key = key(digest);
        db.prepare_cached("INSERT INTO young_payload VALUES (?, ?)")?
            .execute([record, key])?;
        self.young().add(key, record, record);
        self.filter.add(key.cast_unsigned());
        Ok(())
    }

    /// The record with a payload, as a connection sees it. Its whole digest is
    /// compared.
    pub fn original(&self, db: &Connection, digest: &Digest) -> Result<Option<Original>> {
        let Some(record) = self.record(db, key(digest))? else {
            return Ok(None);
        };
        let found = db
            .prepare_cached("SELECT record_id, entry, date FROM record WHERE rowid = ?")?
            .query_row([record], |row| {
                let (entry, date): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
                Ok((row.get::<_, String>(0)?, entry, date))
            })
            .optional()?;
        Ok(found.and_then(|(record_id, entry, date)| {
            let entry: CdxjEntry = entry?.parse().ok()?;
            let same = entry.digest.as_deref()? == digest.to_string();
            same.then_some(Original {
                record_id,
                url: entry.url,
                date: date?,
                is_earlier: false,
            })
        }))
    }

    /// Writes keys into the store's transaction until few enough are in memory. Workers
    /// may ask meanwhile.
    pub(super) fn sweep(&self, db: &Connection) -> Result<()> {
        let (swept, all_up_to) = self.young().sweep();
        write(db, swept)?;
        if let Some(up_to) = all_up_to {
            db.execute("DELETE FROM young_payload WHERE record <= ?", [up_to])?;
        }
        Ok(())
    }

    /// Forgets what was written, which is on disk now.
    pub(super) fn committed(&self) {
        self.young().committed();
    }

    /// Writes all of them, so that queries see them, and begins anew: rows of records
    /// that are lost are others' later on.
    fn write_all(&self, db: &Connection) -> Result<()> {
        let mut young = self.young();
        write(db, young.entries())?;
        db.execute("DELETE FROM young_payload", [])?;
        young.restart(0);
        Ok(())
    }
}

/// Writes keys to where they are looked up. Where one is there, its record is the first.
fn write(db: &Connection, keys: impl IntoIterator<Item = (i64, i64)>) -> Result<()> {
    let mut insert = db.prepare_cached("INSERT OR IGNORE INTO payload VALUES (?, ?)")?;
    for (key, record) in keys {
        insert.execute([key, record])?;
    }
    Ok(())
}

fn on_disk(db: &Connection, key: i64) -> Result<Option<i64>> {
    db.prepare_cached("SELECT record FROM payload WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()
}

/// The first 64 bits of a digest, by which its record is found.
fn key(digest: &Digest) -> i64 {
    let first = digest.bytes().first_chunk::<8>();
    first.map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

impl Store {
    /// The record with a payload.
    pub fn original(&self, digest: &Digest) -> Result<Option<Original>> {
        self.payloads.original(&self.db, digest)
    }

    /// Whether a record has a payload by the bits by which it is found.
    pub(super) fn has_payload(&self, digest: &Digest) -> Result<bool> {
        let record = self.payloads.record(&self.db, key(digest))?;
        Ok(record.is_some())
    }

    /// Where the record with a payload stands.
    pub fn original_at(&self, digest: &Digest) -> Result<Option<At>> {
        if self.original(digest)?.is_none() {
            return Ok(None);
        }
        let Some(record) = self.payloads.record(&self.db, key(digest))? else {
            return Ok(None);
        };
        self.db
            .prepare_cached(
                "SELECT w.filename, r.offset FROM record r JOIN warc w ON w.id = r.warc WHERE r.rowid = ?",
            )?
            .query_row([record], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })
            .optional()
    }

    /// Has queries see all payloads.
    pub(super) fn write_payloads(&self) -> Result<()> {
        self.payloads.write_all(&self.db)
    }

    /// Forgets payloads of records that are lost.
    pub(super) fn lose_payloads(&self, warc: i64, length: u64) -> Result<()> {
        self.db
            .execute(
                "DELETE FROM payload WHERE record IN
                 (SELECT rowid FROM record WHERE warc = ? AND offset + length > ?)",
                params![warc, length as i64],
            )
            .map(drop)
    }

    /// Notes the snapshot that revisits refer to from now on.
    pub fn set_earlier(&self, manifest: &str, name: &str) -> Result<()> {
        self.db
            .execute(
                "INSERT INTO earlier VALUES (?, ?, 0) ON CONFLICT DO UPDATE SET name = excluded.name",
                [manifest, name],
            )
            .map(drop)
    }

    /// Notes that the record at a place is a revisit: of a record of this crawl
    /// with the same payload, or of one in the earlier snapshot with this
    /// manifest.
    pub fn add_revisit(
        &self,
        (warc, offset): (i64, u64),
        payload: &Digest,
        earlier: Option<&str>,
    ) -> Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO revisit VALUES (?, ?, ?, ?)")?
            .execute(params![warc, offset as i64, key(payload), earlier])?;
        if let Some(manifest) = earlier {
            self.db
                .prepare_cached("UPDATE earlier SET revisits = revisits + 1 WHERE manifest = ?")?
                .execute([manifest])?;
        }
        Ok(())
    }

    /// Forgets revisits that are lost: they refer to no earlier snapshot any
    /// more.
    pub(super) fn lose_revisits(&self, warc: i64, length: u64) -> Result<()> {
        let lost = "warc = ?1 AND offset IN
             (SELECT offset FROM record WHERE warc = ?1 AND offset + length > ?2)";
        let count = format!(
            "UPDATE earlier SET revisits = MAX(0, revisits -
             (SELECT COUNT(*) FROM revisit WHERE {lost} AND earlier = earlier.manifest))"
        );
        let forget = format!("DELETE FROM revisit WHERE {lost}");
        for query in [count, forget] {
            self.db.execute(&query, params![warc, length as i64])?;
        }
        Ok(())
    }

    /// Puts URLs back whose revisits refer to payloads that are lost; how many.
    pub(super) fn requeue_revisits(&self, warc: i64, length: u64) -> Result<usize> {
        self.db.execute(
            "UPDATE url SET state = 0, reason = NULL, warc = NULL, offset = NULL, length = NULL, tries = 0
             WHERE (warc, offset) IN (SELECT warc, offset FROM revisit WHERE earlier IS NULL AND key IN
             (SELECT p.key FROM payload p JOIN record r ON r.rowid = p.record
              WHERE r.warc = ? AND r.offset + r.length > ?))",
            params![warc, length as i64],
        )
    }

    /// The snapshots that revisits refer to: digest of the manifest, name and
    /// number of revisits.
    pub fn earlier(&self) -> Result<Vec<(String, String, u64)>> {
        let mut query = self.db.prepare(
            "SELECT manifest, name, revisits FROM earlier WHERE revisits > 0 ORDER BY name, manifest",
        )?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, i64>(2)?.unsigned_abs(),
            ))
        })?;
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::collections::BTreeMap;

    use super::*;
    use crate::crawl::imprint::Imprint;
    use crate::crawl::job::{Answer, Payload, StoredRecord};
    use crate::crawl::store::young::HELD;
    use crate::crawl::store::{Added, NewUrl, state};
    use crate::links::Path;
    use crate::time::WarcDate;
    use crate::url::CanonicalUrl;

    const LENGTH: u64 = 100;

    /// Captures a URL whose record stands at a place, and may have a payload.
    fn capture(store: &Store, path: &str, place: (i64, u64), state: i64, payload: Option<&Digest>) {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        let found = NewUrl {
            url: &url,
            host: 1,
            path: &Path::default(),
            via: None,
            via_imprint: Imprint::default(),
            barren: 0,
            nested: 0,
            excluded: None,
        };
        let Added::New(id) = store.add(&found).unwrap() else {
            panic!("{path} is new");
        };
        let record = StoredRecord {
            id: format!("<urn:{path}>"),
            offset: 0,
            length: LENGTH,
            sha256: String::new(),
            entry: None,
        };
        let payload = payload.map(|digest| Payload {
            digest: digest.clone(),
            date: "2026".into(),
        });
        let payload = payload.as_ref();
        store
            .add_record((place.0, place.1), &record, None, payload)
            .unwrap();
        let at = Some((place.0, place.1, LENGTH));
        let end = Some((state, None, 1));
        store.answered(id, &Answer::default(), at, end).unwrap();
    }

    #[test]
    fn what_revisits_a_lost_record_is_lost_too_and_what_revisits_another_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("crawl.sqlite"), HELD).unwrap();
        let (first, second) = (store.add_warc("1").unwrap(), store.add_warc("2").unwrap());
        store.set_earlier("manifest", "name").unwrap();
        let [kept, lost, of_earlier] = [b"kept", b"lost", b"prev"].map(|text| Digest::sha256(text));
        let captured = state::CAPTURED;
        capture(&store, "/kept", (first, 0), captured, Some(&kept));
        capture(&store, "/lost", (first, 100), captured, Some(&lost));
        capture(
            &store,
            "/lost-revisit",
            (first, 200),
            state::UNCHANGED,
            None,
        );
        store
            .add_revisit((first, 200), &of_earlier, Some("manifest"))
            .unwrap();
        for (at, path, payload, earlier) in [
            (0, "/of-kept", &kept, None),
            (100, "/of-lost", &lost, None),
            (200, "/of-earlier", &of_earlier, Some("manifest")),
            // The same payload, but the earlier snapshot's.
            (300, "/unchanged", &lost, Some("manifest")),
        ] {
            capture(&store, path, (second, at), captured, None);
            store.add_revisit((second, at), payload, earlier).unwrap();
        }
        assert_eq!(store.earlier().unwrap()[0].2, 3);
        assert_eq!(store.lose(first, 150).unwrap(), (3, LENGTH));
        let waits = |path: &str| {
            let found = store.find(&format!("http://a.example{path}")).unwrap();
            found.unwrap().1 == state::QUEUED
        };
        for path in ["/lost", "/lost-revisit", "/of-lost"] {
            assert!(waits(path), "{path}");
        }
        for path in ["/kept", "/of-kept", "/of-earlier", "/unchanged"] {
            assert!(!waits(path), "{path}");
        }
        assert_eq!(store.earlier().unwrap()[0].2, 2);
    }
    fn digest(n: u64) -> Digest {
        Digest::sha256(&n.to_be_bytes())
    }

    fn add(store: &Store, (warc, n): (i64, u64), payload: u64) {
        let record = StoredRecord {
            id: format!("<urn:{warc}-{n}>"),
            offset: 0,
            length: LENGTH,
            sha256: String::new(),
            entry: None,
        };
        let payload = Payload {
            digest: digest(payload),
            date: "2026".into(),
        };
        let url = format!("http://a.example/{n}");
        let digest = payload.digest.to_string();
        let mut entry = CdxjEntry::of_resource(&url, WarcDate::now(), "text/plain", digest);
        "file".clone_into(&mut entry.filename);
        store
            .add_record(
                (warc, n * LENGTH),
                &record,
                Some(&entry.to_string()),
                Some(&payload),
            )
            .unwrap();
    }

    fn count(store: &Store, table: &str) -> i64 {
        let query = format!("SELECT COUNT(*) FROM {table}");
        store.db.query_row(&query, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_first_record_of_a_payload_is_found_in_memory_and_on_disk_by_workers_too() {
        const MANY: u64 = 20 * HELD as u64;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let mut store = Store::open(&path, HELD).unwrap();
        let warc = store.add_warc("1").unwrap();
        store.commit_and_begin();
        let add_both = |store: &Store, n: u64| {
            add(store, (warc, 2 * n), n);
            // Another with the same payload, long after it.
            add(store, (warc, 2 * n + 1), n / 2);
        };
        let mut committed = 0;
        for n in 0..MANY {
            add_both(&store, n);
            if n % 7 == 0 {
                let worker = Connection::open(&path).unwrap();
                let finds_all = |up_to| {
                    for n in (0..up_to).step_by(97) {
                        let found = store.payloads.original(&worker, &digest(n)).unwrap();
                        assert_eq!(found.unwrap().record_id, format!("<urn:1-{}>", 2 * n));
                    }
                };
                // What is swept and not committed yet can be had all the same.
                store.payloads.sweep(&store.db).unwrap();
                finds_all(committed);
                store.db.execute_batch("COMMIT; BEGIN IMMEDIATE").unwrap();
                finds_all(n + 1);
                store.payloads.committed();
                finds_all(n + 1);
                committed = n + 1;
            }
            if n % 300 == 299 {
                // A kill: what wasn't committed is lost, and comes again.
                drop(store);
                store = Store::open(&path, HELD).unwrap();
                (committed..=n).for_each(|n| add_both(&store, n));
            }
        }
        store.commit_and_begin();
        let held = store.payloads.young().entries().len();
        assert_eq!(held, HELD);
        assert_eq!(count(&store, "payload"), (MANY - HELD as u64).cast_signed());
        // Those of the last rounds.
        let young = count(&store, "young_payload");
        assert!((HELD as i64..4 * HELD as i64).contains(&young), "{young}");
        for n in 0..MANY {
            let at = store.original_at(&digest(n)).unwrap();
            assert_eq!(at, Some(("1".into(), 2 * n * LENGTH)));
        }
        assert_eq!(store.original_at(&digest(MANY)).unwrap(), None);
    }

    #[test]
    fn payloads_of_lost_records_are_lost_and_their_rows_are_others() {
        const MANY: u64 = 6 * HELD as u64;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let mut store = Store::open(&path, HELD).unwrap();
        let warcs = ["1", "2"].map(|name| store.add_warc(name).unwrap());
        let mut expected = BTreeMap::new();
        let add = |store: &Store,
                   expected: &mut BTreeMap<u64, (usize, u64)>,
                   at: (usize, u64),
                   payload| {
            add(store, (warcs[at.0], at.1), payload);
            expected.insert(payload, at);
            if payload % 7 == 0 {
                store.commit_and_begin();
            }
        };
        for n in 0..2 * MANY {
            let at = ((n / MANY) as usize, n % MANY);
            add(&store, &mut expected, at, n);
        }
        let check = |store: &Store, expected: &BTreeMap<u64, (usize, u64)>| {
            for n in 0..4 * MANY {
                let at = expected.get(&n);
                let at = at.map(|(warc, n)| ((warc + 1).to_string(), n * LENGTH));
                assert_eq!(store.original_at(&digest(n)).unwrap(), at, "{n}");
            }
        };
        check(&store, &expected);
        let mut next = 2 * MANY;
        for (warc, kept) in [(1, 0), (0, MANY / 3), (0, MANY / 6)] {
            store.lose(warcs[warc], kept * LENGTH).unwrap();
            expected.retain(|_, at: &mut (usize, u64)| at.0 != warc || at.1 < kept);
            check(&store, &expected);
            // Fewer than were lost, with other payloads, and one that is back.
            for n in kept..kept + MANY / 4 {
                let payload = if n == kept {
                    warc as u64 * MANY + kept
                } else {
                    next
                };
                next += 1;
                add(&store, &mut expected, (warc, n), payload);
            }
            check(&store, &expected);
            store.commit_and_begin();
            drop(store);
            store = Store::open(&path, HELD).unwrap();
            check(&store, &expected);
        }
    }
}
