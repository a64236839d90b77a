//! Which record has which payload, and what stands in the earlier snapshot. A record
//! tells the 64 bits by which its payload is found, if it is the first that has it;
//! those on disk are swept there (see [`Young`]).

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use super::young::Young;
use super::{Result, Store};
use crate::crawl::dedup::Original;
use crate::crawl::filter::Filter;
use crate::digest::Digest;
use crate::snapshot::cdxj::CdxjEntry;

/// Records up to `up_to` have their payloads on disk.
pub const SCHEMA: &str = "
CREATE TABLE payload (key INTEGER PRIMARY KEY, record INTEGER NOT NULL);
CREATE TABLE payload_swept (up_to INTEGER NOT NULL);
INSERT INTO payload_swept VALUES (0);";

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
        let up_to = db.query_row("SELECT up_to FROM payload_swept", [], |row| row.get(0))?;
        let mut young = Young::new(up_to, held);
        let filter = Filter::default();
        let mut query = db.prepare("SELECT key FROM payload")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            filter.add(row.get::<_, i64>(0)?.cast_unsigned());
        }
        let mut query = db.prepare(
            "SELECT rowid, payload FROM record WHERE rowid > ? AND payload IS NOT NULL ORDER BY rowid",
        )?;
        let mut rows = query.query([up_to])?;
        while let Some(row) = rows.next()? {
            let (record, key): (i64, i64) = (row.get(0)?, row.get(1)?);
            // Of the last round some are on disk.
            if filter.may_have(key.cast_unsigned()) && on_disk(db, key)?.is_some() {
                young.pass(record);
            } else {
                young.add(key, record, record);
                filter.add(key.cast_unsigned());
            }
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

    /// Adds the key of a record's payload that has none yet.
    pub(super) fn add(&self, key: i64, record: i64) {
        self.young().add(key, record, record);
        self.filter.add(key.cast_unsigned());
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

    /// Writes keys into the store's transaction until few enough are in memory.
    pub(super) fn sweep(&self, db: &Connection) -> Result<()> {
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO payload VALUES (?, ?)")?;
        self.young().sweep(
            |key, record| insert.execute([key, record]).map(drop),
            |up_to| set_swept(db, up_to),
        )
    }

    /// Forgets what was written, which is on disk now.
    pub(super) fn committed(&self) {
        self.young().committed();
    }

    /// Writes all of them, so that queries see them.
    fn write_all(&self, db: &Connection) -> Result<()> {
        let mut insert = db.prepare_cached("INSERT OR IGNORE INTO payload VALUES (?, ?)")?;
        let young = self.young();
        for (key, record) in young.entries() {
            insert.execute([key, record])?;
        }
        Ok(())
    }

    /// Begins anew after that: rows of records that are lost are others' later on.
    fn restart(&self, db: &Connection) -> Result<()> {
        let query = "SELECT COALESCE(MAX(rowid), 0) FROM record";
        let last = db.query_row(query, [], |row| row.get(0))?;
        set_swept(db, last)?;
        self.young().restart(last);
        Ok(())
    }
}

fn on_disk(db: &Connection, key: i64) -> Result<Option<i64>> {
    db.prepare_cached("SELECT record FROM payload WHERE key = ?")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn set_swept(db: &Connection, up_to: i64) -> Result<()> {
    db.execute("UPDATE payload_swept SET up_to = ?", [up_to])
        .map(drop)
}

/// The first 64 bits of a digest, by which its record is found.
pub(super) fn key(digest: &Digest) -> i64 {
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

    /// Has queries see all payloads; [`Self::have_lost_payloads`] must follow.
    pub(super) fn write_payloads(&self) -> Result<()> {
        self.payloads.write_all(&self.db)
    }

    /// Notes that records have been lost.
    pub(super) fn have_lost_payloads(&self) -> Result<()> {
        self.payloads.restart(&self.db)
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

    #[test]
    fn the_first_record_of_a_payload_is_found_in_memory_and_on_disk_by_workers_too() {
        const MANY: u64 = 20 * HELD as u64;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let mut store = Store::open(&path, HELD).unwrap();
        let warc = store.add_warc("1").unwrap();
        store.commit().unwrap();
        for n in 0..MANY {
            add(&store, (warc, 2 * n), n);
            // Another with the same payload, long after it.
            add(&store, (warc, 2 * n + 1), n / 2);
            if n % 7 == 0 {
                store.commit().unwrap();
                let worker = Connection::open(&path).unwrap();
                for n in (0..=n).step_by(97) {
                    let found = store.payloads.original(&worker, &digest(n)).unwrap();
                    assert_eq!(found.unwrap().record_id, format!("<urn:1-{}>", 2 * n));
                }
            }
            if n % 300 == 299 {
                store.commit().unwrap();
                drop(store);
                store = Store::open(&path, HELD).unwrap();
            }
        }
        store.commit().unwrap();
        let held = store.payloads.young().entries().len();
        let query = "SELECT COUNT(*) FROM payload";
        let on_disk: i64 = store.db.query_row(query, [], |row| row.get(0)).unwrap();
        assert_eq!((held, on_disk), (HELD, (MANY - HELD as u64).cast_signed()));
        for n in 0..MANY {
            let at = store.original_at(&digest(n)).unwrap();
            assert_eq!(at, Some(("1".into(), 2 * n * LENGTH)));
        }
        assert_eq!(store.original_at(&digest(MANY)).unwrap(), None);
    }

    #[test]
    fn payloads_of_lost_records_are_lost_in_memory_and_on_disk_and_others_take_their_rows() {
        const MANY: u64 = 3 * HELD as u64;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        let mut store = Store::open(&path, HELD).unwrap();
        let warcs = ["1", "2"].map(|name| store.add_warc(name).unwrap());
        for n in 0..MANY {
            add(&store, (warcs[0], n), n);
        }
        for n in 0..MANY {
            add(&store, (warcs[1], n), MANY + n);
        }
        store.commit().unwrap();
        let half = MANY / 2;
        store.lose(warcs[1], half * LENGTH).unwrap();
        let check = |store: &Store, back: u64| {
            for n in 0..2 * MANY {
                let is_there = n < MANY + half || n >= 2 * MANY - back;
                let at = store.original_at(&digest(n)).unwrap();
                assert_eq!(at.is_some(), is_there, "{n}");
                if let Some((filename, offset)) = at {
                    let expected = (1 + n / MANY, n % MANY * LENGTH);
                    assert_eq!((filename.parse(), offset), (Ok(expected.0), expected.1));
                }
            }
        };
        check(&store, 0);
        for n in MANY - half..MANY {
            add(&store, (warcs[1], n), MANY + n);
        }
        for reopened in [false, true] {
            if reopened {
                store.commit().unwrap();
                drop(store);
                store = Store::open(&path, HELD).unwrap();
            }
            check(&store, half);
        }
    }
}
