//! Budgets: what one host, path, page or calendar may cost. What was let in is
//! counted in the store, so that a crawl that goes on goes on counting.

use super::Keeper;
use super::sessions::{COMPARED, Ids};
use crate::config::Traps;
use crate::crawl::CrawlError;
use crate::crawl::fold::key;
use crate::crawl::form::Form;
use crate::crawl::frontier::HostId;
use crate::crawl::job::{Job, Link, Outcome, Verdict};
use crate::crawl::store::Tally;
use crate::crawl::variant::{self, Variant};
use crate::links::Hop;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// What letting a URL in would cost.
pub struct Cost {
    host: HostId,
    is_requisite: bool,
    variants: Vec<Variant>,
    /// Set and path of the names of its parameters.
    names: Option<(u64, u64)>,
    query_path: Option<u64>,
    /// Set where a page of a calendar leads on in it: the calendar, and
    /// whether the date is far ahead.
    dates: Option<(u64, bool)>,
    /// Set where a page that says nothing new leads on: the sequence.
    barren: Option<u64>,
    /// Set where a page under an id leads on by another: the page without it.
    chain: Option<u64>,
}

/// What part of `traps.barren` in a row is nothing to wonder at: the pages of a
/// large site may be alike in words and links and still all different.
const NEAR: u32 = 6;

impl Cost {
    /// Of a link to a URL, whatever names it.
    pub fn of_link(url: &CanonicalUrl, host: HostId, traps: &Traps) -> Self {
        let names = variant::names(url);
        let query_path = names.as_ref().map(|(_, path)| key(path));
        Self {
            host,
            is_requisite: false,
            variants: variant::variants(url, traps),
            names: names
                .filter(|(names, _)| names.contains('&'))
                .map(|(names, path)| (key(&names), key(path))),
            query_path,
            dates: None,
            barren: None,
            chain: None,
        }
    }

    /// Of a link that a page of a form names, after so many that said the same.
    pub fn of(link: &Link, own: Form, barren: u32, host: HostId, traps: &Traps) -> Self {
        let is_requisite = !matches!(link.hop, Hop::Link | Hop::Redirect | Hop::Speculative);
        let mut cost = Self {
            host,
            is_requisite,
            variants: Vec::new(),
            names: None,
            query_path: None,
            dates: None,
            barren: None,
            chain: None,
        };
        // A sitemap's list is what the site's owner takes for its pages.
        if is_requisite || link.is_listed {
            return cost;
        }
        cost = Self::of_link(&link.url, host, traps);
        if link.hop == Hop::Link && own.leads_on_to(link.form) {
            // Pages that are near each other may well be alike; a sequence goes on.
            let goes_on = barren > traps.barren / NEAR;
            cost.barren = goes_on.then(|| own.sequence());
            cost.dates = own.date.and(link.form.date).map(|date| {
                let months_ahead = (traps.future.0.as_secs() / (86_400 * 30)) as u32;
                (own.sequence(), date.month > this_month() + months_ahead)
            });
        }
        cost
    }

    /// Notes the page that is led on to by a lone id, if it is, unless it costs
    /// nothing.
    pub fn leads_on_by_id(&mut self, page: Option<u64>) {
        self.chain = page.filter(|_| !self.variants.is_empty());
    }
}

/// Counted from year 0.
fn this_month() -> u32 {
    let now = Timestamp14::now().to_string();
    let number = |range| now.get(range).and_then(|n: &str| n.parse::<u32>().ok());
    number(0..4).unwrap_or(0) * 12 + number(4..6).unwrap_or(1) - 1
}

impl Keeper<'_> {
    /// The budget that a URL would break.
    pub(super) fn budget(&mut self, cost: &Cost) -> Result<Option<String>, CrawlError> {
        for variant in &cost.variants {
            if self.has_enough_of(variant, cost.host)? {
                return Ok(Some(variant.trap.clone()));
            }
        }
        let (traps, budget) = (&self.config.traps, &self.config.budget);
        let store = &self.store;
        let mut count = |kind, key| self.tallies.of(store, kind, key);
        if let Some((names, path)) = cost.names
            && count(Tally::Names, names)? == 0
            && count(Tally::Facets, path)? >= u64::from(traps.facets)
        {
            return Ok(Some("trap-facets".into()));
        }
        let host = cost.host.cast_unsigned();
        if let Some((calendar, is_far)) = cost.dates
            && (is_far && count(Tally::FarDates, host)? >= u64::from(traps.far_dates)
                || count(Tally::Dates, calendar ^ host)? >= u64::from(traps.dates))
        {
            return Ok(Some("trap-calendar".into()));
        }
        if let Some(sequence) = cost.barren
            && count(Tally::Barren, sequence ^ host)? >= u64::from(traps.barren_pages)
        {
            return Ok(Some("trap-barren".into()));
        }
        if let Some(page) = cost.chain
            && count(Tally::IdChain, page)? >= u64::from(traps.endless_ids)
        {
            return Ok(Some("trap-endless-ids".into()));
        }
        if let (Some(path), Some(most)) = (cost.query_path, budget.path_queries.value())
            && count(Tally::PathQueries, path)? >= most
        {
            return Ok(Some("budget-path-queries".into()));
        }
        if let Some(most) = budget.host_urls.value() {
            let most = most.saturating_mul(if cost.is_requisite { 2 } else { 1 });
            if count(Tally::HostUrls, host)? >= most {
                return Ok(Some("budget-host-urls".into()));
            }
        }
        if self.is_spent(cost.host)? {
            return Ok(Some("budget-host-bytes".into()));
        }
        Ok(None)
    }

    /// Whether a page and its variants that were let in are all that is taken.
    /// One that gave no page makes room for another, as often as one is taken.
    fn has_enough_of(&mut self, variant: &Variant, host: HostId) -> Result<bool, CrawlError> {
        let key = key(&variant.key);
        let taken = self.tallies.of(&self.store, Tally::Variants, key)?;
        match self.ids(variant, host)? {
            Ids::Pages => return Ok(false),
            Ids::Unknown => {
                let lost = self.tallies.of(&self.store, Tally::VariantsLost, key)?;
                return Ok(taken >= COMPARED + lost.min(COMPARED));
            }
            Ids::Sessions => {}
        }
        let page_is_known = match &variant.page {
            Some(page) => self.store.is_wanted(page)?,
            None => false,
        };
        let most = u64::from(variant.most) + 1;
        if taken + u64::from(page_is_known) < most {
            return Ok(false);
        }
        let lost = self.tallies.of(&self.store, Tally::VariantsLost, key)?;
        Ok(page_is_known || taken >= most + lost.min(most))
    }

    /// Counts a URL that was let in.
    pub(super) fn spend(&mut self, cost: &Cost) -> Result<(), CrawlError> {
        let store = &self.store;
        let host = cost.host.cast_unsigned();
        let mut add = |kind, key| self.tallies.add(store, kind, key, 1);
        for variant in &cost.variants {
            add(Tally::Variants, key(&variant.key))?;
        }
        if let Some(path) = cost.query_path {
            add(Tally::PathQueries, path)?;
        }
        if let Some(sequence) = cost.barren {
            add(Tally::Barren, sequence ^ host)?;
        }
        if let Some(page) = cost.chain {
            add(Tally::IdChain, page)?;
        }
        if let Some((calendar, is_far)) = cost.dates {
            add(Tally::Dates, calendar ^ host)?;
            if is_far {
                add(Tally::FarDates, host)?;
            }
        }
        if self.config.budget.host_urls.value().is_some() {
            add(Tally::HostUrls, host)?;
        }
        if let Some((names, path)) = cost.names
            && self.tallies.of(store, Tally::Names, names)? == 0
        {
            self.tallies.add(store, Tally::Names, names, 1)?;
            self.tallies.add(store, Tally::Facets, path, 1)?;
        }
        Ok(())
    }

    /// Counts what a URL's last answer cost, and what it was worth as a
    /// variant; and asks again for what a redirect with a cookie leads back to.
    pub(super) fn account(&mut self, host: HostId, outcome: &Outcome) -> Result<(), CrawlError> {
        if matches!(outcome.verdict, Verdict::Retry(..)) {
            return Ok(());
        }
        let (store, answer) = (&self.store, outcome.answer.as_ref());
        if self.config.budget.host_bytes.value().is_some() {
            let bytes = answer.map_or(0, |answer| answer.bytes);
            self.tallies
                .add(store, Tally::HostBytes, host.cast_unsigned(), bytes)?;
        }
        let status = answer.and_then(|answer| answer.status);
        if status.is_none_or(|status| status >= 400) {
            for variant in variant::variants(&outcome.job.url, &self.config.traps) {
                self.tallies
                    .add(store, Tally::VariantsLost, key(&variant.key), 1)?;
                self.ids_are_news |= variant.is_guess;
            }
        }
        self.compare_ids(host, outcome)?;
        if let (Some(redirect), Verdict::Captured) = (&outcome.redirect, &outcome.verdict) {
            self.follow_loop(&outcome.job, redirect)?;
        }
        Ok(())
    }

    /// Whether a URL may still be asked for; robots.txt always may.
    pub(in crate::crawl) fn may_ask(
        &mut self,
        host: HostId,
        job: &Job,
    ) -> Result<bool, CrawlError> {
        let is_exempt = job.is_probe || job.as_robots.is_some();
        Ok(is_exempt || !self.is_spent(host)?)
    }

    /// Whether a host has sent as much as it may.
    fn is_spent(&mut self, host: HostId) -> Result<bool, CrawlError> {
        let Some(most) = self.config.budget.host_bytes.value() else {
            return Ok(false);
        };
        let sent = self
            .tallies
            .of(&self.store, Tally::HostBytes, host.cast_unsigned())?;
        Ok(sent >= most.0)
    }

    /// How many pages in a row, this one included, are the page above them
    /// again; and whether what it names below itself would be the same.
    pub(super) fn nested(
        &mut self,
        job: &Job,
        imprint: crate::crawl::imprint::Imprint,
    ) -> Result<(u32, bool), CrawlError> {
        let is_below = |via: &str| {
            let (above, own) = (directory(via), directory(job.url.as_str()));
            own.len() > above.len() && own.starts_with(above)
        };
        let is_nested =
            job.via_imprint.is_nested_in(imprint) && job.via.as_deref().is_some_and(is_below);
        if !is_nested {
            return Ok((0, false));
        }
        let host = self.host(&job.host())?.cast_unsigned();
        self.tallies.add(&self.store, Tally::Nested, host, 1)?;
        let in_all = self.tallies.of(&self.store, Tally::Nested, host)?;
        let traps = &self.config.traps;
        let nested = job.nested + 1;
        Ok((
            nested,
            nested >= traps.nested || in_all >= u64::from(traps.nested_pages),
        ))
    }
}

/// A URL up to its path's last slash.
fn directory(url: &str) -> &str {
    let path = url.split('?').next().unwrap_or(url);
    path.rfind('/').map_or(path, |at| &path[..=at])
}
