//! Cookies between two runs of one crawl. They live in `state/`, which is
//! never deposited.

use rusqlite::params;

use super::{Result, Store};
use crate::crawl::cookies::{Cookie, Key};

pub(super) const SCHEMA: &str = "
CREATE TABLE cookie (
  domain TEXT NOT NULL, host_only INTEGER NOT NULL, path TEXT NOT NULL, name BLOB NOT NULL,
  value BLOB NOT NULL, secure INTEGER NOT NULL, http_only INTEGER NOT NULL, expires INTEGER,
  secret INTEGER NOT NULL, PRIMARY KEY (domain, host_only, path, name)
);";

impl Store {
    /// Writes what became of cookies.
    pub fn keep_cookies(&self, changes: &[(Key, Option<Cookie>)]) -> Result<()> {
        for (key, cookie) in changes {
            match cookie {
                Some(cookie) => self
                    .db
                    .prepare_cached(
                        "INSERT OR REPLACE INTO cookie VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
