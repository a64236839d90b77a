//! Which record has which payload, and what stands in the earlier snapshot.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use crate::crawl::dedup::{self, Original};
use crate::digest::Digest;

/// Where a record stands: its WARC's base name, and byte offset.
pub type At = (String, u64);

impl Store {
    /// Notes that a record, by its row, has a payload. The first record keeps
    /// it.
    pub fn add_payload(&self, digest: &Digest, record: i64, date: &str) -> Result<()> {
        self.db
            .prepare_cached("INSERT OR IGNORE INTO payload VALUES (?, ?, ?)")?
            .execute(params![dedup::key(digest).cast_signed(), record, date])
            .map(drop)
    }

    /// The record with a payload.
    pub fn original(&self, digest: &Digest) -> Result<Option<Original>> {
        dedup::of_store(&self.db, digest)
    }

    /// Where the record with a payload stands.
    pub fn original_at(&self, digest: &Digest) -> Result<Option<At>> {
        if self.original(digest)?.is_none() {
            return Ok(None);
        }
        self.db
            .prepare_cached(
                "SELECT w.filename, r.offset FROM payload p JOIN record r ON r.rowid = p.record
                 JOIN warc w ON w.id = r.warc WHERE p.key = ?",
            )?
            .query_row([dedup::key(digest).cast_signed()], |row| {
                Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
            })
            .optional()
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
        let key = dedup::key(payload).cast_signed();
        self.db
            .prepare_cached("INSERT OR REPLACE INTO revisit VALUES (?, ?, ?, ?)")?
            .execute(params![warc, offset as i64, key, earlier])?;
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
    use crate::crawl::job::{Answer, StoredRecord};
    use crate::crawl::store::{Added, NewUrl, state};
    use crate::links::Path;
    use crate::url::CanonicalUrl;

    const LENGTH: u64 = 100;

    /// A captured URL whose record stands at a place.
    fn captured(store: &Store, path: &str, place: (i64, u64), state: i64) -> (i64, i64) {
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
        let row = store.add_record(place.0, place.1, &record, None).unwrap();
        let at = Some((place.0, place.1, LENGTH));
        let end = Some((state, None, 1));
        store.answered(id, &Answer::default(), at, end).unwrap();
        (id, row)
    }

    #[test]
    fn what_revisits_a_lost_record_is_lost_too_and_what_revisits_another_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("crawl.sqlite")).unwrap();
        let (first, second) = (store.add_warc("1").unwrap(), store.add_warc("2").unwrap());
        store.set_earlier("manifest", "name").unwrap();
        let [kept, lost, of_earlier] = [b"kept", b"lost", b"prev"].map(|text| Digest::sha256(text));
        let (_, row) = captured(&store, "/kept", (first, 0), state::CAPTURED);
        store.add_payload(&kept, row, "2026").unwrap();
        let (_, row) = captured(&store, "/lost", (first, 100), state::CAPTURED);
        store.add_payload(&lost, row, "2026").unwrap();
        captured(&store, "/lost-revisit", (first, 200), state::UNCHANGED);
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
            captured(&store, path, (second, at), state::CAPTURED);
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
}
