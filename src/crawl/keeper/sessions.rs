//! Whether parameters that look like session ids are: answers give all pages that
//! they name the same new one; or the same page under two ids says the same, and
//! stories by their ids don't. Until two have been seen, a few are let in and the
//! rest waits outside.

use std::collections::HashSet;
use std::time::Instant;

use super::Keeper;
use super::budget::Cost;
use crate::config::Traps;
use crate::crawl::CrawlError;
use crate::crawl::fold::key;
use crate::crawl::frontier::HostId;
use crate::crawl::job::{Answer, Outcome, Verdict};
use crate::crawl::named::{NamedIds, id_of};
use crate::crawl::store::Tally;
use crate::crawl::variant::{self, SESSION_ID, Variant};

/// URLs of one page that are let in to be compared.
pub(super) const COMPARED: u64 = 3;
/// A host on which so many pages were the same under other ids, and as many more
/// for each that was another, isn't asked to prove it of each page.
const PROVEN: u64 = 10;
/// A page that so many answers name under an id as sessions' are, and fewer under
/// several, is a session's whatever it says.
const SHARED: u64 = 3;
/// Pages that scripts fill after which no comparison is waited for.
const SHELLS: u64 = 2;
/// Rows that are looked at in one piece.
const PIECE: i64 = 1000;

/// What ids in URLs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ids {
    /// Of sessions: the page is the same under each.
    Sessions,
    /// Of pages: there is another one under each.
    Pages,
    /// Too few were seen.
    Unknown,
}

impl Keeper<'_> {
    /// Counts what the ids that an answer names tell of the pages that have them.
    /// What a list named before is led on to by none.
    pub(super) fn count_ids(&mut self, host: HostId, ids: &mut NamedIds) -> Result<(), CrawlError> {
        let (store, host) = (&self.store, host.cast_unsigned());
        if let Some((id, pages)) = &ids.sharing
            && self.tallies.of(store, Tally::IdNamed, *id)? == 0
        {
            for &page in pages.iter().chain([&host]) {
                self.tallies.add(store, Tally::SharedIds, page, 1)?;
            }
        }
        if !ids.several.is_empty() {
            for &page in ids.several.iter().chain([&host]) {
                self.tallies.add(store, Tally::SeveralIds, page, 1)?;
            }
            self.ids_are_news = true;
        }
        let mut new = HashSet::new();
        for &id in &ids.others {
            if self.tallies.of(store, Tally::IdNamed, id)? == 0 {
                self.tallies.set(store, Tally::IdNamed, id, 1)?;
                new.insert(id);
            }
        }
        ids.chained.retain(|_, id| new.contains(id));
        Ok(())
    }

    /// What the ids of a variant are, as far as it is known.
    pub(super) fn ids(&mut self, variant: &Variant, host: HostId) -> Result<Ids, CrawlError> {
        if !variant.is_guess {
            return Ok(Ids::Sessions);
        }
        let store = &self.store;
        let mut count = |kind, key| self.tallies.of(store, kind, key);
        let (key, host) = (key(&variant.key), host.cast_unsigned());
        let shared = (
            count(Tally::SharedIds, key)?,
            count(Tally::SeveralIds, key)?,
        );
        if shared.0 >= SHARED && shared.0 > shared.1 {
            return Ok(Ids::Sessions);
        }
        let host_shares = count(Tally::SharedIds, host)?;
        if shared.1 == 0 && is_proven(host_shares, count(Tally::SeveralIds, host)?) {
            return Ok(Ids::Sessions);
        }
        let (same, other) = (count(Tally::SameById, key)?, count(Tally::OtherById, key)?);
        if same + other > 0 {
            let ids = if other >= same {
                Ids::Pages
            } else {
                Ids::Sessions
            };
            return Ok(ids);
        }
        // Pages that scripts fill can't be compared: what names them decides.
        let are_shells = count(Tally::ShellsById, key)? >= SHELLS;
        let host_same = count(Tally::SameById, host)?;
        Ok(if are_shells && shared.1 > 0 {
            Ids::Pages
        } else if is_proven(host_same, count(Tally::OtherById, host)?) {
            Ids::Sessions
        } else if are_shells {
            Ids::Pages
        } else {
            Ids::Unknown
        })
    }

    /// Compares an answer with the last one that had another id.
    pub(super) fn compare_ids(
        &mut self,
        host: HostId,
        outcome: &Outcome,
    ) -> Result<(), CrawlError> {
        let Some(answer) = &outcome.answer else {
            return Ok(());
        };
        let is_whole = matches!(outcome.verdict, Verdict::Captured | Verdict::Unchanged);
        if !is_whole || answer.status.is_none_or(|status| status >= 400) {
            return Ok(());
        }
        let variants = variant::variants(&outcome.job.url, &self.config.traps);
        let id = id_of(&outcome.job.url, &self.config.traps).unwrap_or_default();
        for variant in variants.iter().filter(|variant| variant.is_guess) {
            let (store, key) = (&self.store, key(&variant.key));
            if answer.is_shell && outcome.redirect.is_none() {
                self.tallies.add(store, Tally::ShellsById, key, 1)?;
                self.ids_are_news = true;
                continue;
            }
            let (look, figures) = (look(outcome, answer, &self.config.traps), answer.figures);
            let last = self.tallies.of(store, Tally::LookById, key)?;
            let last_figures = self.tallies.of(store, Tally::FiguresById, key)?;
            let last_id = self.tallies.of(store, Tally::LastId, key)?;
            self.tallies.set(store, Tally::LookById, key, look)?;
            self.tallies.set(store, Tally::FiguresById, key, figures)?;
            self.tallies.set(store, Tally::LastId, key, id)?;
            // A URL that was asked for again is the same under its one id.
            if last == 0 || last_id == id {
                continue;
            }
            let is_same = last == look && figures_agree(last_figures, figures);
            let kind = if is_same {
                Tally::SameById
            } else {
                Tally::OtherById
            };
            self.tallies.add(store, kind, key, 1)?;
            self.tallies.add(store, kind, host.cast_unsigned(), 1)?;
            self.ids_are_news |= !is_same;
        }
        Ok(())
    }

    /// Lets in, until this time, what was taken for pages under other session ids
    /// and may be pages of their own; whether anything was, or there is more to
    /// look at.
    pub(in crate::crawl) fn let_in_what_isnt_of_sessions(
        &mut self,
        until: Instant,
    ) -> Result<bool, CrawlError> {
        let mut after = match self.let_in_up_to.take() {
            Some(row) => row,
            None if std::mem::take(&mut self.ids_are_news) => 0,
            None => return Ok(false),
        };
        let end = self.store.last_row()?;
        let mut let_in = 0;
        while after < end {
            let last = after.saturating_add(PIECE);
            for (id, host, url) in self.store.excluded_for(SESSION_ID, (after, last))? {
                let cost = Cost::of_link(&url, host, &self.config.traps);
                if self.budget(&cost)?.is_none() {
                    self.store.let_in(id)?;
                    self.spend(&cost)?;
                    let_in += 1;
                }
            }
            after = last;
            if Instant::now() >= until {
                break;
            }
        }
        self.let_in_up_to = (after < end).then_some(after);
        let counts = &mut self.progress.counts;
        counts.excluded -= let_in;
        counts.unreached += let_in;
        if let_in > 0 {
            self.load_hosts()?;
        }
        Ok(let_in > 0 || self.is_letting_in())
    }

    /// Whether more is to be looked at.
    pub(in crate::crawl) fn is_letting_in(&self) -> bool {
        self.let_in_up_to.is_some()
    }
}

fn is_proven(for_sessions: u64, against: u64) -> bool {
    for_sessions >= PROVEN.saturating_mul(against.saturating_add(1))
}

/// What an answer says, whatever the session: never 0.
fn look(outcome: &Outcome, answer: &Answer, traps: &Traps) -> u64 {
    let look = match &outcome.redirect {
        Some(redirect) => key(&variant::without_sessions(&redirect.target, traps)),
        None if answer.text != 0 => answer.text,
        None => key(&answer.digest),
    };
    look.max(1)
}

fn figures_agree(one: u64, other: u64) -> bool {
    (one ^ other).count_ones() <= crate::crawl::imprint::OTHER_FIGURES
}
