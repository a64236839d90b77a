//! Marks of records, and what is learned of hosts' missing pages.

use rusqlite::{OptionalExtension, params};

use super::{Result, Store};
use crate::crawl::marks::{Imprints, Look, Mark};

/// An answer that waits for its host's probe.
pub struct Unjudged {
    /// Its URL's row.
    pub url: i64,
    /// Its record: row of the WARC, byte offset.
    pub place: (i64, u64),
    /// Whether it is certainly a page that is there.
    pub is_known: bool,
    /// What it looks like.
    pub imprints: Imprints,
}

/// A host of which a sitemap lists pages that look like its missing ones.
pub struct Disputed {
    /// Its row.
    pub host: i64,
    /// One such page.
    pub url: String,
    /// How many there are.
    pub missing: u64,
    /// Pages of the host that sitemaps list and that were captured.
    pub listed: u64,
}

impl Disputed {
    /// Whether they are so many that the look is that of pages which are there. A
    /// few entries of a sitemap may be out of date.
    pub fn is_no_look(&self) -> bool {
        let many = self.missing > 1 && self.missing * 10 > self.listed;
        many || self.missing * 2 >= self.listed
    }
}

/// Pages that are marked as missing.
#[derive(Debug, Clone, Copy)]
pub enum Marked {
    /// All of a host.
    All,
    /// Those that a sitemap lists.
    Listed,
}

impl Store {
    /// Marks the record at a place.
    pub fn mark(&self, (warc, offset): (i64, u64), mark: Mark) -> Result<()> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)")?
            .execute(params![warc, offset as i64, mark.as_str()])
            .map(drop)
    }

    /// Forgets marks of records that are lost.
    pub(super) fn lose_marks(&self, warc: i64, length: u64) -> Result<()> {
        for table in ["mark", "unjudged"] {
            let query = format!(
                "DELETE FROM {table} WHERE warc = ?1 AND offset IN
                 (SELECT offset FROM record WHERE warc = ?1 AND offset + length > ?2)"
            );
            self.db.execute(&query, params![warc, length as i64])?;
        }
        Ok(())
    }

    /// Notes a URL that is asked for to learn from.
    pub fn add_probe(&self, url: i64, host: i64) -> Result<()> {
        self.db
            .execute("INSERT OR REPLACE INTO probe VALUES (?, ?)", [url, host])
            .map(drop)
    }

    /// Probes whose hosts haven't taught anything yet: rows of URL and host.
    pub fn probes(&self) -> Result<Vec<(i64, i64)>> {
        let mut query = self
            .db
            .prepare("SELECT url, host FROM probe WHERE host NOT IN (SELECT host FROM look)")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// Every host's key with what was learned of it.
    pub fn looks(&self) -> Result<Vec<(String, Look)>> {
        let mut query = self.db.prepare(
            "SELECT host.key, look.look FROM look JOIN host ON host.id = look.host LIMIT 100000",
        )?;
        let rows = query.query_map([], |row| {
            Ok((row.get(0)?, Look::from_bytes(&row.get::<_, Vec<u8>>(1)?)))
        })?;
        rows.collect()
    }

    /// What was learned of a host.
    pub fn look(&self, host: i64) -> Result<Option<Look>> {
        self.db
            .prepare_cached("SELECT look FROM look WHERE host = ?")?
            .query_row([host], |row| {
                Ok(Look::from_bytes(&row.get::<_, Vec<u8>>(0)?))
            })
            .optional()
    }

    /// Keeps what was learned of a host; what waited for it is judged.
    pub fn learned(&self, host: i64, look: &Look) -> Result<()> {
        self.db.execute(
            "INSERT OR REPLACE INTO look VALUES (?, ?)",
            params![host, look.to_bytes()],
        )?;
        self.db
            .execute("DELETE FROM unjudged WHERE host = ?", [host])
            .map(drop)
    }

    /// Adds an answer that waits.
    pub fn add_unjudged(&self, host: i64, answer: &Unjudged) -> Result<()> {
        self.db
            .prepare_cached("INSERT INTO unjudged VALUES (?, ?, ?, ?, ?, ?)")?
            .execute(params![
                host,
                answer.url,
                answer.place.0,
                answer.place.1 as i64,
                answer.is_known,
                answer.imprints.to_bytes()
            ])
            .map(drop)
    }

    /// How many answers of a host wait.
    pub fn count_unjudged(&self, host: i64) -> Result<u32> {
        self.db
            .prepare_cached("SELECT COUNT(*) FROM unjudged WHERE host = ?")?
            .query_row([host], |row| row.get(0))
    }

    /// The answers of a host that wait.
    pub fn unjudged(&self, host: i64) -> Result<Vec<Unjudged>> {
        let mut query = self.db.prepare(
            "SELECT url, warc, offset, known, imprints FROM unjudged WHERE host = ? ORDER BY rowid",
        )?;
        let rows = query.query_map([host], |row| {
            let bytes: Vec<u8> = row.get(4)?;
            Ok(Imprints::from_bytes(&bytes).map(|imprints| {
                (
                    imprints,
                    row.get(0),
                    row.get(1),
                    row.get::<_, i64>(2),
                    row.get(3),
                )
            }))
        })?;
        let mut waiting = Vec::new();
        for row in rows {
            if let Some((imprints, url, warc, offset, is_known)) = row? {
                waiting.push(Unjudged {
                    url: url?,
                    place: (warc?, offset?.unsigned_abs()),
                    is_known: is_known?,
                    imprints,
                });
            }
        }
        Ok(waiting)
    }

    /// How many records have each mark; probes are ours and don't count.
    pub fn marked(&self) -> Result<Vec<(String, u64)>> {
        let mut query = self.db.prepare(
            "SELECT mark, COUNT(*) FROM mark WHERE mark != 'probe' GROUP BY mark ORDER BY mark",
        )?;
        let rows = query.query_map([], |row| {
            Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        rows.collect()
    }

    /// Hosts that have pages which a sitemap lists and which were taken for
    /// missing ones.
    pub fn listed_as_missing(&self) -> Result<Vec<Disputed>> {
        let mut query = self.db.prepare(
            "SELECT url.host, MIN(url.url), COUNT(*), (SELECT COUNT(*) FROM url o WHERE o.host = url.host
               AND o.listed IS NOT NULL AND o.state IN (1, 4) AND o.status < 400)
             FROM mark JOIN url ON url.warc = mark.warc AND url.offset = mark.offset
             WHERE mark.mark = 'soft-404' AND url.listed IS NOT NULL GROUP BY url.host",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Disputed {
                host: row.get(0)?,
                url: row.get(1)?,
                missing: row.get::<_, i64>(2)?.unsigned_abs(),
                listed: row.get::<_, i64>(3)?.unsigned_abs(),
            })
        })?;
        rows.collect()
    }

    /// Takes the marks of missing pages off a host, or off those of its pages
    /// that are listed; how many, and how many pages there are again that were
    /// asked for since a time.
    pub fn forget_soft_404(&self, host: i64, of: Marked, since: &str) -> Result<(usize, u64)> {
        let which = match of {
            Marked::All => "host = ?1",
            Marked::Listed => "host = ?1 AND listed IS NOT NULL",
        };
        let mut restore = self.db.prepare(&format!(
            "UPDATE url SET page = 1 WHERE {which} AND status = 200 AND state IN (1, 4)
             AND rtrim(hops, 'R') NOT LIKE '%E' AND (warc, offset) IN
             (SELECT warc, offset FROM mark WHERE mark = 'soft-404') RETURNING COALESCE(time, '') >= ?2",
        ))?;
        let mut pages = 0;
        for is_since in restore.query_map(params![host, since], |row| row.get::<_, bool>(0))? {
            pages += u64::from(is_since?);
        }
        let marks = format!(
            "DELETE FROM mark WHERE mark = 'soft-404'
             AND (warc, offset) IN (SELECT warc, offset FROM url WHERE {which})"
        );
        Ok((self.db.execute(&marks, [host])?, pages))
    }

    /// A URL whose page is none; the time of its answer, if it was taken for one.
    pub fn is_no_page(&self, url: i64) -> Result<Option<String>> {
        let time: Option<Option<String>> = self
            .db
            .prepare_cached("UPDATE url SET page = 0 WHERE id = ? AND page = 1 RETURNING time")?
            .query_row([url], |row| row.get(0))
            .optional()?;
        Ok(time.map(Option::unwrap_or_default))
    }
}
