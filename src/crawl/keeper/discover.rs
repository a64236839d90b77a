//! Discovery: what answers name becomes rows of the ledger, each once, by the
//! nearest way.

use std::collections::HashSet;
use std::time::Instant;

use super::Keeper;
use super::budget::Cost;
use crate::config::ScopeKind;
use crate::crawl::CrawlError;
use crate::crawl::form::Form;
use crate::crawl::imprint::Imprint;
use crate::crawl::job::{Job, Link, Outcome, Redirect};
use crate::crawl::judge::key;
use crate::crawl::named::NamedIds;
use crate::crawl::standing::{Stand, Standing};
use crate::crawl::store::{Added, NewUrl, SeedSource};
use crate::links::{Hop, Path};
use crate::url::CanonicalUrl;

/// The page that names a URL.
#[derive(Clone, Copy)]
pub(in crate::crawl) struct Via<'j> {
    job: &'j Job,
    imprint: Imprint,
    barren: u32,
    nested: u32,
    ids: &'j NamedIds,
}

/// What an answer names and isn't added yet.
pub(super) struct InHand {
    job: Job,
    imprint: Imprint,
    barren: u32,
    nested: u32,
    is_same: bool,
    own: Form,
    ids: NamedIds,
    others: std::vec::IntoIter<Link>,
    /// Those of the answer's own form.
    alike: std::vec::IntoIter<Link>,
}

impl InHand {
    /// The next of them, with the pages in a row that led to nothing else.
    fn next(&mut self) -> Option<(Link, u32)> {
        let others = self.others.next().map(|link| (link, 0));
        others.or_else(|| Some((self.alike.next()?, self.barren)))
    }
}

impl Outcome {
    /// Whether it names so much that adding it at once would keep others waiting.
    pub fn is_large(&self) -> bool {
        /// About ten milliseconds' worth.
        const MANY: usize = 1000;
        self.named.len() > MANY
    }
}

impl Keeper<'_> {
    /// Adds what the archivist named: seeds, and sitemaps whose pages are
    /// seeds.
    pub fn add_seeds(&mut self, seeds: &[CanonicalUrl]) -> Result<(), CrawlError> {
        for seed in seeds {
            self.store.add_seed(seed, SeedSource::Given)?;
            self.add(&Path::default(), None, seed, None)?;
        }
        let way = Path::default().then(Hop::Manifest);
        for sitemap in self.config.crawl.named_sitemaps() {
            if let Ok(url) = CanonicalUrl::parse_seed(sitemap) {
                self.add(&way, None, &url, None)?;
            }
        }
        if self.config.crawl.wants_sitemaps() && self.config.crawl.scope != ScopeKind::Page {
            for host in seeds
                .iter()
                .map(CanonicalUrl::host_key)
                .collect::<HashSet<_>>()
            {
                if let Ok(url) = CanonicalUrl::parse(&format!("{host}/sitemap.xml")) {
                    self.add(&way, None, &url, None)?;
                }
            }
        }
        Ok(())
    }

    /// Adds what an answer names: at once where that is little, else it comes to
    /// hand and is added bit by bit.
    pub(super) fn add_links(&mut self, outcome: Outcome) -> Result<(), CrawlError> {
        let is_large = outcome.is_large();
        let Some(named) = self.judged(outcome)? else {
            return Ok(());
        };
        if !is_large {
            return self.add_some(named, None).map(drop);
        }
        self.add_the_rest()?;
        self.in_hand = Some(named);
        Ok(())
    }

    /// Goes on with what came to hand until this time. Nothing is committed
    /// before all of it is added: a captured page's links are rows.
    pub fn go_on(&mut self, until: Instant) -> Result<(), CrawlError> {
        if let Some(named) = self.in_hand.take() {
            self.in_hand = self.add_some(named, Some(until))?;
        }
        Ok(())
    }

    /// Whether a page's links aren't all added.
    pub fn has_in_hand(&self) -> bool {
        self.in_hand.is_some()
    }

    pub(super) fn add_the_rest(&mut self) -> Result<(), CrawlError> {
        match self.in_hand.take() {
            Some(named) => self.add_some(named, None).map(drop),
            None => Ok(()),
        }
    }

    /// Judges what an answer names by what came before it. A page that names
    /// nothing but what the page before it named, and pages of its own form, may
    /// be one of an endless sequence: how many came in a row goes with the links.
    fn judged(&mut self, outcome: Outcome) -> Result<Option<InHand>, CrawlError> {
        let Some(answer) = outcome.answer else {
            return Ok(None);
        };
        let (job, mut named) = (&outcome.job, outcome.named);
        let own = Form::of(&job.url);
        let imprint = Imprint {
            bytes: answer.bytes,
            others: named.folded,
            below: answer.below,
            words: answer.words,
            figures: answer.figures,
        };
        let (nested, is_same) = self.nested(job, imprint)?;
        let barren = barren(job, own, imprint);
        let host = self.host(&job.host())?;
        self.count_ids(host, &mut named.ids)?;
        Ok(Some(InHand {
            imprint,
            barren,
            nested,
            is_same,
            own,
            ids: named.ids,
            others: named.others.into_iter(),
            alike: named.alike.into_iter(),
            job: outcome.job,
        }))
    }

    /// Adds links until a time; what is left of them then.
    fn add_some(
        &mut self,
        mut named: InHand,
        until: Option<Instant>,
    ) -> Result<Option<InHand>, CrawlError> {
        while let Some((mut link, barren)) = named.next() {
            if link.excluded.is_none() && !link.is_listed && link.hop == Hop::Link {
                if barren > self.config.traps.barren {
                    link.excluded = Some("trap-barren");
                } else if named.is_same && link.is_below {
                    link.excluded = Some("trap-same-content");
                }
            }
            let via = Via {
                job: &named.job,
                imprint: named.imprint,
                barren,
                nested: named.nested,
                ids: &named.ids,
            };
            self.add_link(via, &link, named.own)?;
            if until.is_some_and(|until| Instant::now() >= until) {
                return Ok(Some(named));
            }
        }
        Ok(None)
    }

    fn add_link(&mut self, via: Via<'_>, link: &Link, own: Form) -> Result<(), CrawlError> {
        let mut path = via.job.path.then(link.hop);
        path.beyond = link.beyond;
        if link.is_seed {
            path.depth = 0;
        }
        let standing = match link.excluded {
            Some(_) => Standing::Excluded,
            None => Standing::Admitted,
        };
        let stand = Stand::new(standing, &path);
        let store = &self.store;
        let is_news = self
            .seen
            .is_news(link.key, stand, || store.stand(link.key))?;
        // No budget keeps out what a sitemap lists.
        if is_news || (link.is_listed && link.excluded.is_none()) {
            self.add_news(via, link, own, &path)?;
        }
        if link.is_listed {
            self.store.list(&link.url, via.job.id)?;
        }
        Ok(())
    }

    fn add_news(
        &mut self,
        via: Via<'_>,
        link: &Link,
        own: Form,
        path: &Path,
    ) -> Result<(), CrawlError> {
        if link.excluded.is_some() {
            return self
                .add(path, Some(via), &link.url, link.excluded)
                .map(drop);
        }
        let host = self.host(&link.url.host_key())?;
        let traps = &self.config.traps;
        let mut cost = Cost::of(link, own, via.barren, host, traps);
        cost.leads_on_by_id(via.ids.chain(&link.url, traps));
        if let Some(reason) = self.budget(&cost)? {
            self.seen.set(link.key, Stand::new(Standing::Spent, path));
            return self
                .add(path, Some(via), &link.url, Some(&reason))
                .map(drop);
        }
        let added = self.add(path, Some(via), &link.url, None)?;
        if matches!(added, Added::New(_) | Added::LetIn(_)) {
            self.spend(&cost)?;
        }
        if link.is_seed && added != Added::Known {
            self.store.add_seed(&link.url, SeedSource::Sitemap)?;
        }
        Ok(())
    }

    /// Adds a URL to the store, and to the frontier if it is let in.
    pub(in crate::crawl) fn add(
        &mut self,
        path: &Path,
        via: Option<Via<'_>>,
        url: &CanonicalUrl,
        excluded: Option<&str>,
    ) -> Result<Added, CrawlError> {
        let host_key = url.host_key();
        let host = self.host(&host_key)?;
        let found = NewUrl {
            url,
            host,
            path,
            via: via.map(|via| via.job.id),
            via_imprint: via.map(|via| via.imprint).unwrap_or_default(),
            barren: via.map_or(0, |via| via.barren),
            nested: via.map_or(0, |via| via.nested),
            excluded,
        };
        let added = self.store.add(&found)?;
        let job = |id| Job {
            id,
            url: url.clone(),
            path: path.clone(),
            via: via.map(|via| via.job.url.to_string()),
            via_imprint: found.via_imprint,
            barren: found.barren,
            nested: found.nested,
            tries: 0,
            as_robots: None,
            is_probe: false,
        };
        let counts = &mut self.progress.counts;
        let id = match added {
            Added::Known => return Ok(added),
            Added::Nearer(id, before) => {
                // What is being asked for names its links by the longer way.
                self.depths_are_stale |= self.frontier.nearer(host, before, job(id));
                return Ok(added);
            }
            Added::Passed(_) => {
                self.depths_are_stale = true;
                return Ok(added);
            }
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
            self.frontier.add_host(host, host_key);
        }
        self.frontier.push(host, job(id));
        Ok(added)
    }

    /// Lets in what was too deep by a way that turned out not to be the
    /// shortest; whether anything was.
    pub(in crate::crawl) fn let_in_what_is_nearer(&mut self) -> Result<bool, CrawlError> {
        let Some(limit) = self.config.crawl.depth.value() else {
            return Ok(false);
        };
        if !std::mem::take(&mut self.depths_are_stale) {
            return Ok(false);
        }
        let let_in = self.store.settle_depths(limit)?;
        let counts = &mut self.progress.counts;
        counts.excluded -= let_in;
        counts.unreached += let_in;
        if let_in > 0 {
            self.load_hosts()?;
        }
        Ok(let_in > 0)
    }

    /// A redirect that sets a cookie may lead back to where it is wanted: what
    /// it leads to is asked for again, with the cookie, a few times.
    pub(super) fn follow_loop(&mut self, job: &Job, redirect: &Redirect) -> Result<(), CrawlError> {
        /// Redirects with a cookie that are remembered.
        const REMEMBERED: usize = 10_000;
        if redirect.sets_cookie {
            if self.cookie_setters.len() >= REMEMBERED {
                self.cookie_setters.clear();
            }
            self.cookie_setters.insert(key(&job.url));
        }
        let target = &redirect.target;
        let came_from_it = *target == job.url || job.path.redirects() > 0;
        let with_cookie = redirect.sets_cookie || self.cookie_setters.contains(&key(target));
        if !came_from_it || !with_cookie {
            return Ok(());
        }
        // A robots.txt that is asked for again already stays captured meanwhile.
        let known = self.store.find(target.as_str())?;
        if known.is_some_and(|(id, _)| self.refetching.contains(&id)) {
            return Ok(());
        }
        if self
            .store
            .ask_again(target, self.config.traps.cookie_loops)?
            .is_some()
        {
            self.progress.counts.captured -= 1;
            self.progress.counts.unreached += 1;
            let host_key = target.host_key();
            let host = self.host(&host_key)?;
            self.frontier.add_host(host, host_key);
            return Ok(());
        }
        if known.is_some() {
            let note = "trap-cookie-loop: the redirect leads back here, with its cookie too";
            let fields = serde_json::json!({ "url": target.as_str(), "note": note });
            self.log.event("irregular", fields);
        }
        Ok(())
    }
}

/// How many pages in a row, this one included, named and said the same. The
/// days of a calendar aren't like its months, but go on from them.
fn barren(job: &Job, own: Form, imprint: Imprint) -> u32 {
    if job.via_imprint.is_repeated_by(imprint) {
        return job.barren + 1;
    }
    if job.barren == 0 || job.via_imprint.others != imprint.others {
        return 0;
    }
    let via = job
        .via
        .as_deref()
        .and_then(|via| CanonicalUrl::parse(via).ok());
    let goes_on = via.is_some_and(|via| {
        let via = Form::of(&via);
        via.leads_on_to(own) && via.shape != own.shape
    });
    if goes_on { job.barren } else { 0 }
}
