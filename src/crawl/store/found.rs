//! Adding what was found: a URL has one row, and the nearest way to it that is
//! known as long as it waits.

use rusqlite::{OptionalExtension, ToSql, params};

use super::rows::Found;
use super::{Result, Store, state};
use crate::crawl::imprint::Imprint;
use crate::links::Path;
use crate::url::CanonicalUrl;

/// What priorities of URLs begin at that go after all others of their host.
pub(super) const LAST: u32 = 1 << 16;

/// A URL to add.
pub struct NewUrl<'a> {
    /// The URL.
    pub url: &'a CanonicalUrl,
    /// Its host's row.
    pub host: i64,
    /// The way to it.
    pub path: &'a Path,
    /// The row of the page that names it.
    pub via: Option<i64>,
    /// What that page was like.
    pub via_imprint: Imprint,
    /// Pages of its form in a row that led to nothing else.
    pub barren: u32,
    /// Pages above it that say and name the same.
    pub nested: u32,
    /// Why it isn't to be fetched.
    pub excluded: Option<&'a str>,
}

/// What adding a URL did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is new; its row.
    New(i64),
    /// It was kept out before and is let in now; its row.
    LetIn(i64),
    /// It waits, and this way to it is nearer: its row, and its priority
    /// before.
    Nearer(i64, u32),
    /// It has been asked for, and this way to it is nearer: its row.
    Passed(i64),
    /// It was known by a way as near.
    Known,
}

/// What the store knows of a URL that is found again.
struct Known {
    id: i64,
    state: i64,
    is_final: bool,
    depth: u32,
    beyond: u32,
    priority: u32,
}

impl Store {
    /// Adds a URL that was found. One that is excluded so far is let in where
    /// this way to it is a better one.
    pub fn add(&self, found: &NewUrl<'_>) -> Result<Added> {
        let known = match self.known(found.url)? {
            Found::Known(known) => known,
            Found::New(key) => {
                let id = self.insert(found)?;
                self.rows.add(key, id, found);
                return Ok(Added::New(id));
            }
        };
        if found.excluded.is_some() {
            return Ok(Added::Known);
        }
        let nearer = found.path.depth < known.depth
            || (found.path.depth == known.depth && found.path.beyond < known.beyond);
        match known.state {
            state::EXCLUDED if known.is_final => Ok(Added::Known),
            state::EXCLUDED => {
                self.find_way(known.id, found)?;
                Ok(Added::LetIn(known.id))
            }
            // What is needed sooner is as good as nearer, but not at the price
            // of what it names.
            state::QUEUED
                if nearer
                    || (found.path.priority() < known.priority % LAST
                        && found.path.depth <= known.depth) =>
            {
                self.find_way(known.id, found)?;
                Ok(Added::Nearer(known.id, known.priority))
            }
            state::QUEUED => Ok(Added::Known),
            _ if nearer => {
                // Its record tells the way by which it was fetched; only how
                // far away it is has changed.
                self.db
                    .prepare_cached("UPDATE url SET depth = ?2, beyond = ?3 WHERE id = ?1")?
                    .execute(params![known.id, found.path.depth, found.path.beyond])?;
                Ok(Added::Passed(known.id))
            }
            _ => Ok(Added::Known),
        }
    }

    fn insert(&self, found: &NewUrl<'_>) -> Result<i64> {
        let sql = "INSERT INTO url (url, host, state, reason, priority, via, via_bytes, hops, depth, barren,
             via_others, beyond, nested, via_words, via_below, via_figures)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
        self.write(sql, &found.url.as_str(), found)?;
        Ok(self.db.last_insert_rowid())
    }

    /// Puts a URL into the queue, or lets it wait there, by this way.
    fn find_way(&self, id: i64, found: &NewUrl<'_>) -> Result<()> {
        let sql = "UPDATE url SET state = ?3, reason = ?4, priority = ?5, via = ?6, via_bytes = ?7, hops = ?8,
             depth = ?9, barren = ?10, via_others = ?11, beyond = ?12, nested = ?13, via_words = ?14,
             via_below = ?15, via_figures = ?16 WHERE id = ?1";
        self.write(sql, &id, found)
    }

    /// Runs a statement that writes what was found into a row: its first
    /// parameter tells which.
    fn write(&self, sql: &str, row: &dyn ToSql, found: &NewUrl<'_>) -> Result<()> {
        let state = if found.excluded.is_some() {
            state::EXCLUDED
        } else {
            state::QUEUED
        };
        self.db
            .prepare_cached(sql)?
            .execute(params![
                row,
                found.host,
                state,
                found.excluded,
                found.path.priority(),
                found.via,
                found.via_imprint.bytes as i64,
                found.path.hops,
                found.path.depth,
                found.barren,
                found.via_imprint.others.cast_signed(),
                found.path.beyond,
                found.nested,
                found.via_imprint.words.cast_signed(),
                found.via_imprint.below.cast_signed(),
                found.via_imprint.figures.cast_signed()
            ])
            .map(drop)
    }

    fn known(&self, url: &CanonicalUrl) -> Result<Found<Known>> {
        let query = "SELECT url, id, state, COALESCE(reason LIKE 'robots%' OR reason = 'budget-host-bytes', 0), depth,
             beyond, priority FROM url WHERE id = ?";
        self.of_url(url.as_str(), query, |row| {
            Ok(Known {
                id: row.get(1)?,
                state: row.get(2)?,
                is_final: row.get(3)?,
                depth: row.get(4)?,
                beyond: row.get(5)?,
                priority: row.get(6)?,
            })
        })
    }

    /// Corrects the depth of every URL whose page has come nearer, and puts
    /// those into the queue that were too deep and aren't any more; how many.
    pub fn settle_depths(&self, limit: u32) -> Result<u64> {
        loop {
            let changed = self.db.execute(
                "UPDATE url SET depth = page.depth + (url.hops LIKE '%L') FROM url AS page
                 WHERE page.id = url.via AND url.depth > page.depth + (url.hops LIKE '%L')",
                [],
            )?;
            if changed == 0 {
                break;
            }
        }
        let let_in = self.db.execute(
            "UPDATE url SET state = 0, reason = NULL, priority = 2 + MIN(depth, 1000)
             WHERE state = 2 AND reason = 'depth' AND depth <= ?",
            [limit],
        )?;
        Ok(let_in as u64)
    }

    /// Puts a captured redirect back into the queue, unless that was done so
    /// often; its id if it was.
    pub fn ask_again(&self, url: &CanonicalUrl, most: u32) -> Result<Option<i64>> {
        let Some((id, _)) = self.find(url.as_str())? else {
            return Ok(None);
        };
        self.db
            .prepare_cached(
                "UPDATE url SET state = 0, again = again + 1, tries = 0 WHERE id = ?1 AND state = 1
                 AND status BETWEEN 300 AND 399 AND again < ?2 RETURNING id",
            )?
            .query_row(params![id, most], |row| row.get(0))
            .optional()
    }

    /// Puts a URL behind all others of its host, in later runs too.
    pub fn put_last(&self, id: i64) -> Result<()> {
        self.db
            .prepare_cached(
                "UPDATE url SET priority = priority + ?2 WHERE id = ?1 AND priority < ?2",
            )?
            .execute(params![id, LAST])
            .map(drop)
    }

    /// Whether a URL was put there.
    pub fn goes_last(&self, id: i64) -> Result<bool> {
        self.db
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM url WHERE id = ? AND priority >= ?)")?
            .query_row(params![id, LAST], |row| row.get(0))
    }

    /// The last row.
    pub fn last_row(&self) -> Result<i64> {
        self.db
            .prepare_cached("SELECT COALESCE(MAX(id), 0) FROM url")?
            .query_row([], |row| row.get(0))
    }

    /// What is kept out for a reason, of the rows after one and up to another,
    /// with their hosts' rows.
    pub fn excluded_for(
        &self,
        reason: &str,
        (after, last): (i64, i64),
    ) -> Result<Vec<(i64, i64, CanonicalUrl)>> {
        let mut query = self.db.prepare_cached(
            "SELECT id, host, url FROM url WHERE id > ? AND id <= ? AND state = 2 AND reason = ? ORDER BY id",
        )?;
        let rows = query.query_map(params![after, last, reason], |row| {
            let url = super::stored_url(&row.get::<_, String>(2)?);
            Ok((row.get(0)?, row.get(1)?, url))
        })?;
        rows.collect()
    }

    /// Puts what was kept out into the queue, by the way that is known.
    pub fn let_in(&self, id: i64) -> Result<()> {
        self.db
            .prepare_cached("UPDATE url SET state = 0, reason = NULL WHERE id = ? AND state = 2")?
            .execute([id])
            .map(drop)
    }

    /// Whether a URL has a row that isn't excluded.
    pub fn is_wanted(&self, url: &CanonicalUrl) -> Result<bool> {
        let found = self.find(url.as_str())?;
        Ok(found.is_some_and(|(_, state)| state != state::EXCLUDED))
    }
}
