//! The frontier and ledger on disk: SQLite, one transaction a commit. It
//! stores what the frontier decides and knows no rules of its own.

mod cookies;
mod found;
pub mod marks;
pub mod payloads;
mod reader;
mod rows;
mod schema;
mod secrets;
mod sitemaps;
mod tally;
mod young;

pub use found::{Added, NewUrl};
pub use reader::{Missing, Reader, RecordOrder};
pub use schema::VERSION;
pub use sitemaps::Sitemaps;
pub use tally::Tally;

use std::cell::Cell;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, params};

use self::payloads::Payloads;
use self::rows::Rows;
use super::CrawlError;
use super::imprint::Imprint;
use super::job::{Answer, Job, Payload, StoredRecord};
use crate::links::Path;
use crate::snapshot::manifest::Counts;
use crate::snapshot::{SnapshotError, whole};
use crate::url::CanonicalUrl;

/// States of a row; the numbers are on disk.
pub mod state {
    /// Waiting or in flight.
    pub const QUEUED: i64 = 0;
    /// Its whole answer is in a WARC.
    pub const CAPTURED: i64 = 1;
    /// A rule keeps it out.
    pub const EXCLUDED: i64 = 2;
    /// No whole answer came.
    pub const FAILED: i64 = 3;
    /// Its whole answer came, and the earlier snapshot has it.
    pub const UNCHANGED: i64 = 4;
}

/// Who made a URL a seed; the numbers are on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedSource {
    /// The redirect of a seed.
    Redirect = 0,
    /// The archivist.
    Given = 1,
    /// A sitemap that the archivist named.
    Sitemap = 2,
}

/// The open store; a transaction is open at all times between `begin` and
/// `commit`.
pub struct Store {
    db: Connection,
    path: PathBuf,
    rows: Rows,
    payloads: Arc<Payloads>,
    /// Pages of the log at which it is folded into the database.
    pub log_pages: u32,
    /// Whether the log's name is on disk for certain.
    log_is_named: Cell<bool>,
}

/// How a URL ends: its [`state`], why, and after how many tries.
pub type End<'a> = (i64, Option<&'a str>, u32);

/// Where a response stands: the row of its WARC, offset and length in bytes.
pub type Place = (i64, u64, u64);

/// A result of SQLite.
pub type Result<T> = rusqlite::Result<T>;

/// Opens a connection to a store. When it is closed the log isn't folded: nobody would
/// hear of a fault.
pub fn connect(path: &FsPath, flags: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    Ok(db)
}

/// The log of a store.
fn log_of(path: &FsPath) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

impl Store {
    /// Opens or makes the store of a snapshot and begins a transaction. One of
    /// another version is left as it is. Of the keys of URLs and of payloads so many are
    /// held in memory.
    pub fn open(path: &FsPath, held: usize) -> std::result::Result<Self, CrawlError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let db = connect(path, flags)?;
        let found = schema::version_of(&db, path)?;
        db.set_prepared_statement_cache_capacity(64);
        let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            // SQLite tells of its fault only so.
            let why = format!("its log can't be begun: the journal is {mode}");
            let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR);
            return Err(rusqlite::Error::SqliteFailure(code, Some(why)).into());
        }
        // FULL: a commit is on disk when it returns, which the crash contract
        // rests on. Of the checkpoints that SQLite makes by itself nobody hears the faults.
        db.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 0;",
        )?;
        if found.is_none() {
            schema::make(&db)?;
        }
        db.execute_batch("BEGIN IMMEDIATE")?;
        let rows = Rows::open(&db, held)?;
        let payloads = Arc::new(Payloads::open(&db, held)?);
        Ok(Self {
            db,
            path: path.to_owned(),
            rows,
            payloads,
            log_pages: 8000,
            log_is_named: Cell::new(false),
        })
    }

    /// Has what the store's log holds on disk, before SQLite takes it for that: it
    /// writes to the database by it.
    pub fn write_log_again(path: &FsPath) -> std::result::Result<(), CrawlError> {
        let log = log_of(path);
        match std::fs::metadata(&log) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            found => {
                let found = found.map_err(SnapshotError::io(&log, "opening"))?;
                Ok(whole::write_again(&log, 0..found.len())?)
            }
        }
    }

    /// Fails where the store of a snapshot is of another version.
    pub fn check_version(path: &FsPath) -> std::result::Result<(), CrawlError> {
        let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        schema::version_of(&db, path).map(drop)
    }

    /// Makes everything since the last commit durable. [`Self::begin`] is to follow.
    pub fn commit(&self) -> std::result::Result<(), CrawlError> {
        // Where SQLite took everything back by itself, nothing may be written but by a
        // transaction, and the commit fails.
        if !self.db.is_autocommit() {
            self.rows.sweep(&self.db)?;
            self.payloads.sweep(&self.db)?;
        }
        self.db.execute_batch("COMMIT")?;
        self.rows.committed();
        self.payloads.committed();
        Ok(self.name_log()?)
    }

    /// Begins the next transaction, and before that folds the log into the database where
    /// it has grown. What fails here takes nothing back of what was committed.
    pub fn begin(&self) -> Result<()> {
        if self.pages_of_log()? >= i64::from(self.log_pages) {
            self.fold("PASSIVE")?;
        }
        self.db.execute_batch("BEGIN IMMEDIATE")
    }

    /// Both, for tests.
    #[cfg(test)]
    pub fn commit_and_begin(&self) {
        let done = self.commit().and_then(|()| Ok(self.begin()?));
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Has the log's name on disk: SQLite syncs the directory once, and goes on where
    /// that fails.
    fn name_log(&self) -> std::result::Result<(), SnapshotError> {
        if !self.log_is_named.get() && log_of(&self.path).exists() {
            whole::sync_directory(self.path.parent().unwrap_or(FsPath::new(".")))?;
            self.log_is_named.set(true);
        }
        Ok(())
    }

    /// Pages that the log has, whether or not they are folded into the database.
    fn pages_of_log(&self) -> Result<i64> {
        let count = "PRAGMA wal_checkpoint(NOOP)";
        self.db.query_row(count, [], |row| row.get(1))
    }

    /// Folds the log into the database file; whether no reader was in the way. After a fault it
    /// must not be tried again in this process: what the sync covered may be lost, and is
    /// taken for written (the log has it, and the next process reads that from its start).
    fn fold(&self, how: &str) -> Result<bool> {
        let fold = format!("PRAGMA wal_checkpoint({how})");
        let busy: i64 = self.db.query_row(&fold, [], |row| row.get(0))?;
        Ok(busy == 0)
    }

    /// The payloads, which workers ask for.
    pub fn payloads(&self) -> Arc<Payloads> {
        self.payloads.clone()
    }

    /// Ends the last transaction and folds the log into the database file.
    pub fn close(self) -> Result<()> {
        self.db.execute_batch("COMMIT")?;
        if !self.fold("TRUNCATE")? {
            tracing::warn!(
                "another program reads {0}: what {0}-wal holds stays there",
                self.path.display()
            );
        }
        self.db.close().map_err(|(_, error)| error)
    }

    /// Has the cache smaller from now on: what reads the store next has caches of its
    /// own.
    pub fn rest(&self) -> Result<()> {
        self.db.pragma_update(None, "cache_size", -16_384)
    }

    /// Adds a seed.
    pub fn add_seed(&self, url: &CanonicalUrl, source: SeedSource) -> Result<()> {
        self.db
            .prepare_cached("INSERT INTO seed VALUES (?, ?)")?
            .execute(params![url.as_str(), source as i64])
            .map(drop)
    }

    /// The seeds that the scope rests on, in order, each with whether it was
    /// given.
    pub fn seeds(&self) -> Result<Vec<(CanonicalUrl, bool)>> {
        let mut query = self
            .db
            .prepare("SELECT url, given FROM seed WHERE given < 2 ORDER BY rowid")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
        rows.map(|row| row.map(|(url, given)| (stored_url(&url), given)))
            .collect()
    }

    /// The row of a host, made if it is new.
    pub fn host(&self, key: &str) -> Result<i64> {
        self.db
            .prepare_cached(
                "INSERT INTO host (key) VALUES (?) ON CONFLICT DO UPDATE SET key = key RETURNING id",
            )?
            .query_row([key], |row| row.get(0))
    }

    /// Every host that has URLs waiting, as long as `sink` takes them.
    pub fn each_waiting_host(&self, mut sink: impl FnMut(i64, &str) -> bool) -> Result<()> {
        let mut query = self.db.prepare_cached(
            "SELECT id, key FROM host WHERE EXISTS (SELECT 1 FROM url WHERE url.host = host.id AND state = 0)",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            if !sink(row.get(0)?, row.get_ref(1)?.as_str()?) {
                break;
            }
        }
        Ok(())
    }

    /// The waiting URLs of a host in order of priority, as long as `sink` takes
    /// them.
    pub fn each_waiting(&self, host: i64, mut sink: impl FnMut(u32, Job) -> bool) -> Result<()> {
        let mut query = self.db.prepare_cached(
            "SELECT u.id, u.url, v.url, u.via_bytes, u.hops, u.depth, u.barren, u.tries, u.priority, u.via_others,
             u.beyond, u.nested, u.via_words, u.via_below, u.via_figures FROM url u LEFT JOIN url v ON v.id = u.via
             WHERE u.host = ? AND u.state = 0 ORDER BY u.priority, u.id",
        )?;
        let rows = query.query_map([host], |row| {
            let job = Job {
                id: row.get(0)?,
                url: stored_url(&row.get::<_, String>(1)?),
                path: Path {
                    hops: row.get(4)?,
                    depth: row.get(5)?,
                    beyond: row.get(10)?,
                },
                via: row.get(2)?,
                via_imprint: Imprint {
                    bytes: row.get::<_, i64>(3)?.unsigned_abs(),
                    others: row.get::<_, i64>(9)?.cast_unsigned(),
                    words: row.get::<_, i64>(12)?.cast_unsigned(),
                    below: row.get::<_, i64>(13)?.cast_unsigned(),
                    figures: row.get::<_, i64>(14)?.cast_unsigned(),
                },
                barren: row.get(6)?,
                nested: row.get(11)?,
                tries: row.get(7)?,
                as_robots: None,
                is_probe: false,
            };
            Ok((row.get(8)?, job))
        })?;
        for row in rows {
            let (priority, job) = row?;
            if !sink(priority, job) {
                break;
            }
        }
        Ok(())
    }

    /// Writes what became of a URL.
    pub fn settle(&self, id: i64, (state, reason, tries): End<'_>) -> Result<()> {
        self.db
            .prepare_cached("UPDATE url SET state = ?2, reason = ?3, tries = ?4 WHERE id = ?1")?
            .execute(params![id, state, reason, tries])
            .map(drop)
    }

    /// Writes what an answer said, where its response stands, and how the URL ends
    /// by it, all at once: the row grows, and one that grows twice is moved twice.
    pub fn answered(
        &self,
        id: i64,
        answer: &Answer,
        place: Option<Place>,
        end: Option<End<'_>>,
    ) -> Result<()> {
        self.db
            .prepare_cached(
                "UPDATE url SET status = ?2, media_type = ?3, bytes = ?4, digest = ?5, time = ?6, title = ?7,
                 page = ?8, warc = COALESCE(?9, warc), offset = COALESCE(?10, offset),
                 length = COALESCE(?11, length), state = COALESCE(?12, state),
                 reason = IIF(?12 IS NULL, reason, ?13), tries = COALESCE(?14, tries) WHERE id = ?1",
            )?
            .execute(params![
                id,
                answer.status,
                answer.media_type,
                answer.bytes as i64,
                answer.digest,
                answer.time,
                answer.title,
                answer.is_page,
                place.map(|p| p.0),
                place.map(|p| p.1 as i64),
                place.map(|p| p.2 as i64),
                end.map(|(state, ..)| state),
                end.and_then(|(_, reason, _)| reason),
                end.map(|(.., tries)| tries)
            ])
            .map(drop)
    }

    /// Adds a WARC file.
    pub fn add_warc(&self, filename: &str) -> Result<i64> {
        self.db.execute(
            "INSERT INTO warc (filename, bytes) VALUES (?, 0)",
            [filename],
        )?;
        Ok(self.db.last_insert_rowid())
    }

    /// Forgets records of a WARC that don't lie within its first `length`
    /// bytes, and puts the URLs whose responses they were back, and those whose
    /// revisits have lost their original. Returns how many URLs, and where the
    /// records that remain end.
    pub fn lose(&self, id: i64, length: u64) -> Result<(usize, u64)> {
        let bounds = params![id, length as i64];
        self.write_payloads()?;
        self.lose_revisits(id, length)?;
        let bereft = self.requeue_revisits(id, length)?;
        self.lose_payloads(id, length)?;
        self.lose_marks(id, length)?;
        self.db.execute(
            "DELETE FROM record WHERE warc = ? AND offset + length > ?",
            bounds,
        )?;
        let urls = self.db.execute(
            "UPDATE url SET state = 0, reason = NULL, warc = NULL, offset = NULL, length = NULL, tries = 0
             WHERE warc = ? AND offset + length > ?",
            bounds,
        )?;
        self.lose_secrets(id, length)?;
        let end: Option<i64> = self.db.query_row(
            "SELECT MAX(offset + length) FROM record WHERE warc = ?",
            [id],
            |row| row.get(0),
        )?;
        Ok((urls + bereft, end.unwrap_or(0).unsigned_abs()))
    }

    /// Forgets a WARC that holds nothing.
    pub fn remove_warc(&self, id: i64) -> Result<()> {
        self.db
            .execute("DELETE FROM warc WHERE id = ?", [id])
            .map(drop)
    }

    /// Sets the page that named a URL, where it isn't known.
    pub fn set_via(&self, id: i64, via: i64) -> Result<()> {
        self.db
            .execute(
                "UPDATE url SET via = ?2 WHERE id = ?1 AND via IS NULL",
                [id, via],
            )
            .map(drop)
    }

    /// The length up to which a WARC's bytes are durable and accounted for.
    pub fn set_warc_bytes(&self, id: i64, bytes: u64) -> Result<()> {
        self.db
            .prepare_cached("UPDATE warc SET bytes = ?2 WHERE id = ?1")?
            .execute(params![id, bytes as i64])
            .map(drop)
    }

    /// Every WARC with its row and committed length.
    pub fn warcs(&self) -> Result<Vec<(i64, String, u64)>> {
        let mut query = self
            .db
            .prepare("SELECT id, filename, bytes FROM warc ORDER BY id")?;
        let rows = query.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get::<_, i64>(2)?.unsigned_abs(),
            ))
        })?;
        rows.collect()
    }

    /// Adds a record that stands at an offset of a WARC, with the payload that others
    /// may refer to. The first record that has it keeps it.
    pub fn add_record(
        &self,
        (warc, offset): (i64, u64),
        record: &StoredRecord,
        entry: Option<&str>,
        payload: Option<&Payload>,
    ) -> Result<()> {
        let payload = match payload {
            Some(payload) if !self.has_payload(&payload.digest)? => Some(payload),
            _ => None,
        };
        self.db
            .prepare_cached("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)")?
            .execute(params![
                warc,
                offset as i64,
                record.length as i64,
                record.id,
                record.sha256,
                entry,
                payload.map(|payload| &payload.date)
            ])?;
        if let Some(payload) = payload {
            let record = self.db.last_insert_rowid();
            self.payloads.add(&self.db, &payload.digest, record)?;
        }
        Ok(())
    }

    /// URLs by state; what waits counts as unreached.
    pub fn counts(&self) -> Result<Counts> {
        let mut counts = Counts::default();
        let mut query = self
            .db
            .prepare("SELECT state, COUNT(*) FROM url GROUP BY state")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let n = row.get::<_, i64>(1)?.unsigned_abs();
            counts.discovered += n;
            *match row.get(0)? {
                state::CAPTURED => &mut counts.captured,
                state::EXCLUDED => &mut counts.excluded,
                state::FAILED => &mut counts.failed,
                state::UNCHANGED => &mut counts.unchanged,
                _ => &mut counts.unreached,
            } += n;
        }
        Ok(counts)
    }

    /// Seeds that are excluded or failed, with the reason; those of sitemaps
    /// have a report of their own.
    pub fn missed_seeds(&self) -> Result<Vec<(String, String)>> {
        let mut missed = Vec::new();
        for (seed, _) in self.seeds()? {
            let query = "SELECT url, state, COALESCE(reason, '') FROM url WHERE id = ?";
            let found = self.of_url(seed.as_str(), query, |row| Ok((row.get(1)?, row.get(2)?)))?;
            if let Some((state::EXCLUDED | state::FAILED, reason)) = found.known() {
                missed.push((seed.to_string(), reason));
            }
        }
        Ok(missed)
    }

    /// How many URLs have each reason, among those in a state; most first.
    pub fn reasons(&self, state: i64) -> Result<Vec<(String, u64, String)>> {
        let mut query = self.db.prepare(
            "SELECT CASE WHEN instr(reason, ':') > 0 THEN substr(reason, 1, instr(reason, ':') - 1) ELSE reason END
             AS word, COUNT(*) AS n, MIN(url) FROM url WHERE state = ? GROUP BY word ORDER BY n DESC, word",
        )?;
        let rows = query.query_map([state], |row| {
            let word: Option<String> = row.get(0)?;
            Ok((
                word.unwrap_or_default(),
                row.get::<_, i64>(1)?.unsigned_abs(),
                row.get(2)?,
            ))
        })?;
        rows.collect()
    }

    /// How long ago a URL's answer came; nothing where there was none.
    pub fn age(&self, id: i64) -> Result<std::time::Duration> {
        let time: Option<String> = self
            .db
            .prepare_cached("SELECT time FROM url WHERE id = ?")?
            .query_row([id], |row| row.get(0))?;
        let time = time.and_then(|time| time.parse::<jiff::Timestamp>().ok());
        let age = time.map_or(0, |time| {
            jiff::Timestamp::now().duration_since(time).as_secs()
        });
        Ok(std::time::Duration::from_secs(
            u64::try_from(age).unwrap_or(0),
        ))
    }

    /// The reason that a URL was settled with.
    pub fn reason(&self, id: i64) -> Result<Option<String>> {
        self.db
            .prepare_cached("SELECT reason FROM url WHERE id = ?")?
            .query_row([id], |row| row.get(0))
    }

    /// How many pages before a URL repeated each other, in a row and below each
    /// other, and what the last was like.
    pub fn barrenness(&self, id: i64) -> Result<(u32, u32, Imprint)> {
        self.db
            .prepare_cached(
                "SELECT barren, nested, via_bytes, via_others, via_words, via_below, via_figures FROM url WHERE id = ?",
            )?
            .query_row([id], |row| {
                let imprint = Imprint {
                    bytes: row.get::<_, i64>(2)?.unsigned_abs(),
                    others: row.get::<_, i64>(3)?.cast_unsigned(),
                    words: row.get::<_, i64>(4)?.cast_unsigned(),
                    below: row.get::<_, i64>(5)?.cast_unsigned(),
                    figures: row.get::<_, i64>(6)?.cast_unsigned(),
                };
                Ok((row.get(0)?, row.get(1)?, imprint))
            })
    }

    /// The way to a URL, as its row tells it.
    pub fn path(&self, id: i64) -> Result<Path> {
        self.db
            .prepare_cached("SELECT hops, depth, beyond FROM url WHERE id = ?")?
            .query_row([id], |row| {
                Ok(Path {
                    hops: row.get(0)?,
                    depth: row.get(1)?,
                    beyond: row.get(2)?,
                })
            })
    }

    /// Puts back what failed for a reason that may have passed: no network, a
    /// busy server, a cut answer. Returns how many.
    pub fn requeue_failures(&self) -> Result<usize> {
        self.db.execute(
            "UPDATE url SET state = 0, tries = 0 WHERE state = 3 AND (reason LIKE 'dns:%' OR
             reason LIKE 'connect:%' OR reason LIKE 'timeout:%' OR reason LIKE 'no-answer:%' OR
             reason LIKE 'tls:%' OR reason LIKE 'proxy:%' OR reason LIKE 'cut:%' OR
             reason LIKE 'status-%' OR reason LIKE 'robots.txt:%' OR reason LIKE 'challenge:%')",
            [],
        )
    }

    /// The row of a URL: its id and state.
    pub fn find(&self, url: &str) -> Result<Option<(i64, i64)>> {
        let query = "SELECT url, id, state FROM url WHERE id = ?";
        let found = self.of_url(url, query, |row| Ok((row.get(1)?, row.get(2)?)))?;
        Ok(found.known())
    }

    /// Where the response of a captured URL stands, with its status.
    pub fn place(&self, url: &str) -> Result<Option<(String, u64, Option<u16>)>> {
        let query = "SELECT u.url, w.filename, u.offset, u.status FROM url u LEFT JOIN warc w ON w.id = u.warc
             WHERE u.id = ?";
        let found = self.of_url(url, query, |row| {
            let Some(filename) = row.get(1)? else {
                return Ok(None);
            };
            let offset = row.get::<_, i64>(2)?.unsigned_abs();
            Ok(Some((filename, offset, row.get(3)?)))
        })?;
        Ok(found.known().flatten())
    }
}

/// URLs in the store were canonical when they went in.
fn stored_url(text: &str) -> CanonicalUrl {
    CanonicalUrl::parse(text).expect("the store holds canonical URLs")
}
