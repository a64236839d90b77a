//! Cookies between two runs of one crawl. They live in `state/`, which is
//! never deposited.

use rusqlite::params;

use super::{Result, Store};
use crate::crawl::cookies::{Cookie, Key};
use crate::digest::Digest;

pub(super) const SCHEMA: &str = "
CREATE TABLE cookie (
  domain TEXT NOT NULL, host_only INTEGER NOT NULL, path TEXT NOT NULL, name BLOB NOT NULL,
  value BLOB NOT NULL, secure INTEGER NOT NULL, http_only INTEGER NOT NULL, expires INTEGER,
  secret INTEGER NOT NULL, set_at INTEGER NOT NULL, PRIMARY KEY (domain, host_only, path, name)
);
CREATE TABLE IF NOT EXISTS imported_cookie (
  domain TEXT NOT NULL, host_only INTEGER NOT NULL, path TEXT NOT NULL, name BLOB NOT NULL,
  digest BLOB NOT NULL, PRIMARY KEY (domain, host_only, path, name)
);";

impl Store {
    /// Writes what became of cookies.
    pub fn keep_cookies(&self, changes: &[(Key, Option<Cookie>)]) -> Result<()> {
        for (key, cookie) in changes {
            match cookie {
                Some(cookie) => self
                    .db
                    .prepare_cached(
                        "INSERT OR REPLACE INTO cookie VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, unixepoch())",
                    )?
                    .execute(params![
                        key.domain,
                        key.host_only,
                        key.path,
                        key.name,
                        cookie.value,
                        cookie.secure,
                        cookie.http_only,
                        cookie.expires,
                        cookie.secret
                    ])?,
                None => self
                    .db
                    .prepare_cached(
                        "DELETE FROM cookie WHERE domain = ? AND host_only = ? AND path = ? AND name = ?",
                    )?
                    .execute(params![key.domain, key.host_only, key.path, key.name])?,
            };
        }
        Ok(())
    }

    /// Whether a cookie of a file written at `written` is news to the crawl, and
    /// notes that it was offered. It isn't where the same was imported before:
    /// the site has renewed or removed it since, or left it as it is. Nor where
    /// the site has set another one later than the file was written.
    pub fn imports(&self, cookie: &Cookie, written: i64) -> Result<bool> {
        let key = &cookie.key;
        let expires = cookie.expires.map(i64::to_be_bytes).unwrap_or_default();
        let marks = [u8::from(cookie.secure), u8::from(cookie.http_only)];
        let digest = Digest::sha256(&[&expires, &marks[..], &cookie.value].concat());
        let offered = self
            .db
            .prepare_cached(
                "INSERT INTO imported_cookie VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET digest = ?5 WHERE digest <> ?5",
            )?
            .execute(params![
                key.domain,
                key.host_only,
                key.path,
                key.name,
                digest.bytes()
            ])?;
        if offered == 0 {
            return Ok(false);
        }
        let is_newer_here = self
            .db
            .prepare_cached(
                "SELECT 1 FROM cookie WHERE domain = ? AND host_only = ? AND path = ? AND name = ?
                 AND set_at >= ?",
            )?
            .exists(params![
                key.domain,
                key.host_only,
                key.path,
                key.name,
                written
            ])?;
        Ok(!is_newer_here)
    }

    /// The cookies of earlier runs, the oldest first.
    pub fn cookies(&self) -> Result<Vec<Cookie>> {
        let mut query = self.db.prepare(
            "SELECT domain, host_only, path, name, value, secure, http_only, expires, secret
             FROM cookie ORDER BY rowid",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Cookie {
                key: Key {
                    domain: row.get(0)?,
                    host_only: row.get(1)?,
                    path: row.get(2)?,
                    name: row.get(3)?,
                },
                value: row.get(4)?,
                secure: row.get(5)?,
                http_only: row.get(6)?,
                expires: row.get(7)?,
                secret: row.get(8)?,
            })
        })?;
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::store::young::HELD;

    fn cookie(value: &str) -> Cookie {
        Cookie {
            key: Key {
                domain: "a.example".into(),
                host_only: true,
                path: "/".into(),
                name: b"sid".to_vec(),
            },
            value: value.into(),
            secure: false,
            http_only: false,
            expires: None,
            secret: true,
        }
    }

    #[test]
    fn an_import_is_news_once_and_gives_way_to_what_came_later() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("crawl.sqlite"), HELD).unwrap();
        let keep = |value: Option<&str>| {
            let cookie = value.map(cookie);
            store
                .keep_cookies(&[(self::cookie("").key, cookie)])
                .unwrap();
        };
        let (past, future) = (1_000_000_000, 9_000_000_000);
        assert!(store.imports(&cookie("old"), past).unwrap());
        keep(Some("renewed"));
        assert!(!store.imports(&cookie("old"), past).unwrap());
        assert!(
            !store.imports(&cookie("old"), future).unwrap(),
            "a copy of the file is as old as the file"
        );
        keep(None);
        assert!(
            !store.imports(&cookie("old"), future).unwrap(),
            "the site removed it"
        );
        assert!(store.imports(&cookie("new login"), past).unwrap());
        keep(Some("renewed"));
        assert!(!store.imports(&cookie("another file"), past).unwrap());
        assert!(store.imports(&cookie("newest login"), future).unwrap());
    }
}
