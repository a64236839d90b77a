//! `reports/sitemaps.csv`: what sitemaps list and the crawl didn't capture, or
//! only as an error.

use super::{Inner, file};
use crate::crawl::CrawlError;
use crate::crawl::store::{Missing, Reader, state};
use crate::snapshot::layout::{Layout, SITEMAPS};
use crate::snapshot::ledger::State;

/// Writes the report, if any sitemap listed anything.
pub fn write(layout: &Layout, reader: &Reader, unreached: &str) -> Result<(), CrawlError> {
    if !reader.has_listed()? {
        return Ok(());
    }
    file(layout, SITEMAPS, |out| {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        let written = |result: csv::Result<()>| result.map_err(std::io::Error::from);
        written(writer.write_record(["url", "state", "reason", "status", "sitemap"]))?;
        reader.each_missing(|missing| -> Result<(), Inner> {
            let status = missing.status.map(|status| status.to_string());
            let (state, reason) = outcome(&missing, unreached);
            written(writer.write_record([
                missing.url.as_str(),
                state.as_str(),
                reason,
                status.as_deref().unwrap_or_default(),
                missing.sitemap.as_str(),
            ]))?;
            Ok(())
        })?;
        Ok(writer.flush()?)
    })
}

fn outcome<'m>(missing: &'m Missing, unreached: &'m str) -> (State, &'m str) {
    match missing.state {
        state::CAPTURED => (State::Captured, ""),
        state::UNCHANGED => (State::Unchanged, ""),
        state::EXCLUDED => (State::Excluded, &missing.reason),
        state::FAILED => (State::Failed, &missing.reason),
        _ => (State::Unreached, unreached),
    }
}
