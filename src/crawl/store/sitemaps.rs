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
}
