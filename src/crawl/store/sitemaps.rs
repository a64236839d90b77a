//! What sitemaps list, and what became of it.

use serde::Serialize;

use super::{Result, Store};
use crate::url::CanonicalUrl;

/// URLs that sitemaps list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sitemaps {
    /// All of them, each once.
    pub listed: u64,
    /// Those that were captured with a status below 400.
    pub captured: u64,
    /// The others.
    pub missing: u64,
}

/// A URL that a sitemap lists and that wasn't captured, or only as an error.
pub struct Missing {
    /// The URL.
    pub url: String,
    /// The row's state, as a number.
    pub state: i64,
    /// Why.
    pub reason: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The sitemap that listed it first.
    pub sitemap: String,
}

impl Store {
    /// Notes that a sitemap lists a URL.
    pub fn list(&self, url: &CanonicalUrl, sitemap: i64) -> Result<()> {
        let Some((id, _)) = self.find(url.as_str())? else {
            return Ok(());
        };
        self.db
            .prepare_cached("UPDATE url SET listed = ?2 WHERE id = ?1 AND listed IS NULL")?
            .execute([id, sitemap])
            .map(drop)
    }

    /// How many URLs sitemaps list.
    pub fn sitemaps(&self) -> Result<Sitemaps> {
        self.db.query_row(
            "SELECT COUNT(*), COALESCE(SUM(state IN (1, 4) AND COALESCE(status, 0) < 400), 0)
             FROM url WHERE listed IS NOT NULL",
            [],
            |row| {
                let listed = row.get::<_, i64>(0)?.unsigned_abs();
                let captured = row.get::<_, i64>(1)?.unsigned_abs();
                Ok(Sitemaps {
                    listed,
                    captured,
                    missing: listed - captured,
                })
            },
        )
    }

    /// What is listed and wasn't captured, sorted by URL.
    pub fn each_missing<E: From<rusqlite::Error>>(
        &self,
        mut sink: impl FnMut(Missing) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut query = self.db.prepare(
            "SELECT u.url, u.state, COALESCE(u.reason, ''), u.status, COALESCE(s.url, '')
             FROM url u LEFT JOIN url s ON s.id = u.listed
             WHERE u.listed IS NOT NULL AND NOT (u.state IN (1, 4) AND COALESCE(u.status, 0) < 400) ORDER BY u.url",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            sink(Missing {
                url: row.get(0)?,
                state: row.get(1)?,
                reason: row.get(2)?,
                status: row.get(3)?,
                sitemap: row.get(4)?,
            })?;
        }
        Ok(())
    }
}
