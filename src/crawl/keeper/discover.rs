//! Discovery: what answers name becomes rows of the ledger, each once.

use super::{Keeper, SEEN};
use crate::crawl::CrawlError;
use crate::crawl::job::{Hop, Job, Link, Outcome, Path};
use crate::crawl::scope::shape;
use crate::crawl::store::{Added, NewUrl};
use crate::url::CanonicalUrl;

impl Keeper<'_> {
    /// Adds what an answer names. Links of the page's own shape come last:
    /// whether they lead anywhere new is told by the others.
    pub(super) fn add_links(&mut self, outcome: Outcome) -> Result<(), CrawlError> {
        let Some(answer) = outcome.answer else {
            return Ok(());
        };
        let job = &outcome.job;
        let own = shape(&job.url);
        let mut leads_on = false;
        let mut alike = Vec::new();
        for link in outcome.links {
            if link.hop == Hop::Link && link.shape == own {
                alike.push(link);
                continue;
            }
            let added = self.add_link(job, &link, answer.bytes, 0)?;
            leads_on |= link.excluded.is_none() && matches!(added, Added::New(_));
        }
        let same_size = answer.bytes.abs_diff(job.via_bytes) <= job.via_bytes / 10;
        let barren = if leads_on || !same_size {
            0
        } else {
            job.barren + 1
        };
        for mut link in alike {
            if barren > self.config.traps.barren && link.excluded.is_none() {
                link.excluded = Some("trap-barren");
            }
            self.add_link(job, &link, answer.bytes, barren)?;
        }
        Ok(())
    }

    fn add_link(
        &mut self,
        job: &Job,
        link: &Link,
        bytes: u64,
        barren: u32,
    ) -> Result<Added, CrawlError> {
        let admitted = link.key & !1;
        let key = if link.excluded.is_some() {
            admitted | 1
        } else {
            admitted
        };
        if self.seen.contains(&admitted) || !self.seen.insert(key) {
            return Ok(Added::Known);
        }
        if self.seen.len() > SEEN {
            self.seen.clear();
        }
        let path = job.path.then(link.hop);
        let via = Some((job, bytes));
        let added = self.add(&path, via, &link.url, link.excluded, barren)?;
        Ok(added)
    }

    /// Adds a URL to the store, and to the frontier if it is let in.
    pub(in crate::crawl) fn add(
        &mut self,
        path: &Path,
        via: Option<(&Job, u64)>,
        url: &CanonicalUrl,
        excluded: Option<&str>,
        barren: u32,
    ) -> Result<Added, CrawlError> {
        let key = url.host_key();
        let host = self.host(&key)?;
        let via_bytes = via.map_or(0, |(_, bytes)| bytes);
        let added = self.store.add(&NewUrl {
            url,
            host,
            path,
            via: via.map(|(job, _)| job.id),
            via_bytes: i64::try_from(via_bytes).unwrap_or(i64::MAX),
            barren,
            excluded,
        })?;
        let counts = &mut self.progress.counts;
        let id = match added {
            Added::Known => return Ok(added),
            Added::New(id) => {
                counts.discovered += 1;
                if excluded.is_some() {
                    counts.excluded += 1;
                    return Ok(added);
                }
                id
            }
            Added::LetIn(id) => {
                counts.excluded -= 1;
                id
            }
        };
        counts.unreached += 1;
        if !self.frontier.knows(host) {
            self.frontier.add_host(host, key);
        }
        self.frontier.push(
            host,
            Job {
                id,
                url: url.clone(),
                path: path.clone(),
                via: via.map(|(job, _)| job.url.to_string()),
                via_bytes,
                barren,
                tries: 0,
                as_robots: None,
                is_probe: false,
            },
        );
        Ok(added)
    }
}
