//! The tables, and the version of their form: a store that another version of
//! the program made is never written to, nor guessed at.

use std::path::Path;

use rusqlite::Connection;

use super::{Result, cookies, payloads, rows, secrets};
use crate::crawl::CrawlError;

/// The version that is written; it changes with the tables and with what their
/// rows mean. 0 is that of stores before there were versions.
pub const VERSION: i64 = 3;

const TABLES: &str = "
CREATE TABLE host (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE);
CREATE TABLE seed (url TEXT NOT NULL, given INTEGER NOT NULL);
CREATE TABLE url (
  id INTEGER PRIMARY KEY, url TEXT NOT NULL, host INTEGER NOT NULL,
  state INTEGER NOT NULL, reason TEXT, priority INTEGER NOT NULL,
  via INTEGER, via_bytes INTEGER NOT NULL DEFAULT 0, via_others INTEGER NOT NULL DEFAULT 0, hops TEXT NOT NULL, depth INTEGER NOT NULL,
  barren INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0,
  status INTEGER, media_type TEXT, bytes INTEGER, digest TEXT, time TEXT,
  warc INTEGER, offset INTEGER, length INTEGER, title TEXT, page INTEGER NOT NULL DEFAULT 0,
  beyond INTEGER NOT NULL DEFAULT 0, nested INTEGER NOT NULL DEFAULT 0, via_words INTEGER NOT NULL DEFAULT 0,
  via_below INTEGER NOT NULL DEFAULT 0, via_figures INTEGER NOT NULL DEFAULT 0, listed INTEGER, again INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue ON url (host, priority, id) WHERE state = 0;
CREATE INDEX seed_url ON seed (url);
CREATE TABLE tally (kind INTEGER NOT NULL, key INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;
CREATE TABLE warc (id INTEGER PRIMARY KEY, filename TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL);
CREATE TABLE record (
  warc INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,
  record_id TEXT NOT NULL, sha256 TEXT NOT NULL, entry TEXT, date TEXT
);
CREATE TABLE revisit (
  warc INTEGER NOT NULL, offset INTEGER NOT NULL, key INTEGER NOT NULL, earlier TEXT, PRIMARY KEY (warc, offset)
) WITHOUT ROWID;
CREATE TABLE earlier (manifest TEXT PRIMARY KEY, name TEXT NOT NULL, revisits INTEGER NOT NULL);
CREATE TABLE mark (
  warc INTEGER NOT NULL, offset INTEGER NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (warc, offset)
) WITHOUT ROWID;
CREATE TABLE probe (url INTEGER PRIMARY KEY, host INTEGER NOT NULL);
CREATE TABLE look (host INTEGER PRIMARY KEY, look BLOB NOT NULL);
CREATE TABLE unjudged (
  host INTEGER NOT NULL, url INTEGER NOT NULL, warc INTEGER NOT NULL, offset INTEGER NOT NULL,
  known INTEGER NOT NULL, imprints BLOB NOT NULL
);
CREATE INDEX unjudged_host ON unjudged (host);";

/// The version of a store, which must be this one's; `None` where it has no
/// tables yet.
pub fn version_of(db: &Connection, path: &Path) -> std::result::Result<Option<i64>, CrawlError> {
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: i64 = db.query_row("SELECT COUNT(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if found == 0 && tables == 0 {
        return Ok(None);
    }
    if found != VERSION {
        return Err(CrawlError::OtherVersion {
            path: path.to_owned(),
            found,
        });
    }
    Ok(Some(found))
}

/// Makes the tables, all or none.
pub fn make(db: &Connection) -> Result<()> {
    db.execute_batch("BEGIN IMMEDIATE")?;
    for tables in [
        TABLES,
        rows::SCHEMA,
        payloads::SCHEMA,
        cookies::SCHEMA,
        secrets::SCHEMA,
    ] {
        db.execute_batch(tables)?;
    }
    db.pragma_update(None, "user_version", VERSION)?;
    db.execute_batch("COMMIT")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::store::Store;
    use crate::crawl::store::young::HELD;

    #[test]
    fn a_store_of_another_version_is_refused_and_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        for version in [0, VERSION + 1] {
            let _ = std::fs::remove_file(&path);
            let db = Connection::open(&path).unwrap();
            db.execute_batch("CREATE TABLE url (id INTEGER)").unwrap();
            db.pragma_update(None, "user_version", version).unwrap();
            db.close().unwrap();
            let before = std::fs::read(&path).unwrap();
            for refused in [
                Store::open(&path, HELD).map(drop),
                Store::check_version(&path),
            ] {
                let Err(CrawlError::OtherVersion { found, .. }) = refused else {
                    panic!("version {version} is taken");
                };
                assert_eq!(found, version);
            }
            assert_eq!(std::fs::read(&path).unwrap(), before);
        }
    }

    #[test]
    fn a_store_of_ones_own_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("crawl.sqlite");
        // A crawl that was killed at once may leave an empty file.
        std::fs::write(&path, "").unwrap();
        Store::check_version(&path).unwrap();
        Store::open(&path, HELD).unwrap().close().unwrap();
        Store::check_version(&path).unwrap();
        Store::open(&path, HELD).unwrap();
    }
}
