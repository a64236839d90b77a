//! Which exchanges carry configured secrets: what the seal says of them keeps
//! them from being deposited by accident.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{Result, Store};
use crate::snapshot::manifest::CredentialsSent;

pub(super) const SCHEMA: &str = "
CREATE TABLE secret (
  warc INTEGER NOT NULL, offset INTEGER NOT NULL, fields TEXT NOT NULL, url TEXT NOT NULL
);";

impl Store {
    /// Notes that the exchange at `offset` of a WARC carries secrets in these
    /// fields.
    pub fn add_secrets(&self, warc: i64, offset: u64, fields: &[String], url: &str) -> Result<()> {
        self.db
            .prepare_cached("INSERT INTO secret VALUES (?, ?, ?, ?)")?
            .execute(params![warc, offset as i64, fields.join(", "), url])
            .map(drop)
    }

    /// Forgets those of exchanges that a WARC lost.
    pub(super) fn lose_secrets(&self, warc: i64, length: u64) -> Result<()> {
        self.db
            .execute(
                "DELETE FROM secret WHERE warc = ? AND offset >= ?",
                params![warc, length as i64],
            )
            .map(drop)
    }

    /// All of them, for the seal.
    pub fn credentials_sent(&self) -> Result<Option<CredentialsSent>> {
        let (exchanges, example): (i64, Option<String>) =
            self.db
                .query_row("SELECT COUNT(*), MIN(url) FROM secret", [], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
        let Some(example) = example else {
            return Ok(None);
        };
        let mut query = self.db.prepare("SELECT DISTINCT fields FROM secret")?;
        let mut fields = BTreeSet::new();
        for list in query.query_map([], |row| row.get::<_, String>(0))? {
            fields.extend(list?.split(", ").map(str::to_owned));
        }
        Ok(Some(CredentialsSent {
            exchanges: exchanges.unsigned_abs(),
            fields: fields.into_iter().collect(),
            example,
        }))
    }
}
