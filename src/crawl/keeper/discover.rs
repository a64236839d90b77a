//! Discovery: what answers name becomes rows of the ledger, each once.

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::job::{Hop, Imprint, Job, Link, Outcome, Path};
use crate::crawl::scope::shape;
use crate::crawl::store::{Added, NewUrl};
use crate::url::CanonicalUrl;

impl Keeper<'_> {
    /// Adds what an answer names. A page that names nothing but what the page
    /// before it named, and pages of its own shape, may be one of an endless
    /// sequence: how many came in a row goes with the links.
    pub(super) fn add_links(&mut self, outcome: Outcome) -> Result<(), CrawlError> {
        let Some(answer) = outcome.answer else {
            return Ok(());
        };
        let job = &outcome.job;
        let own = shape(&job.url);
        let (alike, others): (Vec<Link>, Vec<Link>) = outcome
            .links
            .into_iter()
            .partition(|link| link.hop == Hop::Link && link.shape == own);
        let admitted = others.iter().filter(|link| link.excluded.is_none());
        let imprint = Imprint {
            bytes: answer.bytes,
            others: admitted.fold(0, |folded, link| folded ^ (link.key >> 64) as u64),
        };
        for link in &others {
            self.add_link(job, link, imprint, 0)?;
        }
        let barren = if job.via_imprint.is_repeated_by(imprint) {
            job.barren + 1
        } else {
            0
        };
        for mut link in alike {
            if barren > self.config.traps.barren && link.excluded.is_none() {
                link.excluded = Some("trap-barren");
            }
            self.add_link(job, &link, imprint, barren)?;
        }
        Ok(())
    }

    fn add_link(
        &mut self,
        job: &Job,
        link: &Link,
        imprint: Imprint,
        barren: u32,
    ) -> Result<Added, CrawlError> {
        let admitted = link.key & !1;
        let key = if link.excluded.is_some() {
            admitted | 1
        } else {
            admitted
        };
        if self.seen.get(&admitted).is_some() || self.seen.get(&key).is_some() {
            return Ok(Added::Known);
        }
        self.seen.replace(key);
        let path = job.path.then(link.hop);
        let via = Some((job, imprint));
        let added = self.add(&path, via, &link.url, link.excluded, barren)?;
        Ok(added)
    }

    /// Adds a URL to the store, and to the frontier if it is let in.
    pub(in crate::crawl) fn add(
        &mut self,
        path: &Path,
        via: Option<(&Job, Imprint)>,
        url: &CanonicalUrl,
        excluded: Option<&str>,
        barren: u32,
    ) -> Result<Added, CrawlError> {
        let key = url.host_key();
        let host = self.host(&key)?;
        let via_imprint = via.map_or(Imprint::default(), |(_, imprint)| imprint);
        let added = self.store.add(&NewUrl {
            url,
            host,
            path,
            via: via.map(|(job, _)| job.id),
            via_imprint,
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
                via_imprint,
                barren,
                tries: 0,
                as_robots: None,
                is_probe: false,
            },
        );
        Ok(added)
    }
}
