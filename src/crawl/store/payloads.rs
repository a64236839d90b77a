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

    /// Counts a revisit that refers to it.
    pub fn count_earlier(&self, manifest: &str) -> Result<()> {
        self.db
            .prepare_cached("UPDATE earlier SET revisits = revisits + 1 WHERE manifest = ?")?
            .execute([manifest])
            .map(drop)
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
