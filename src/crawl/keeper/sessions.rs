//! Whether parameters that look like session ids are: the same page under two
//! ids says the same, and stories by their ids don't. Until two have been seen,
//! a few are let in and the rest waits outside.

use std::time::Instant;

use super::Keeper;
use super::budget::Cost;
use super::tallies::key;
use crate::config::Traps;
use crate::crawl::CrawlError;
use crate::crawl::frontier::HostId;
use crate::crawl::job::{Answer, Outcome, Verdict};
use crate::crawl::store::Tally;
use crate::crawl::variant::{self, SESSION_ID, Variant};

/// URLs of one page that are let in to be compared.
pub(super) const COMPARED: u64 = 3;
/// A host on which so many pages were the same under other ids, and none was
/// another, isn't asked to prove it of each page.
const PROVEN: u64 = 10;
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
    /// What the ids of a variant are, as far as it is known.
    pub(super) fn ids(&mut self, variant: &Variant, host: HostId) -> Result<Ids, CrawlError> {
        if !variant.is_guess {
            return Ok(Ids::Sessions);
        }
        let store = &self.store;
        let mut count = |kind, key| self.tallies.of(store, kind, key);
        let key = key(&variant.key);
        let (same, other) = (count(Tally::SameById, key)?, count(Tally::OtherById, key)?);
        if same + other > 0 {
            let ids = if other >= same {
                Ids::Pages
            } else {
                Ids::Sessions
            };
            return Ok(ids);
        }
        let host = host.cast_unsigned();
        let is_proven =
            count(Tally::SameById, host)? >= PROVEN && count(Tally::OtherById, host)? == 0;
        Ok(if is_proven {
            Ids::Sessions
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
        for variant in variants.iter().filter(|variant| variant.is_guess) {
            let (look, figures) = (look(outcome, answer, &self.config.traps), answer.figures);
            let (store, key) = (&self.store, key(&variant.key));
            let last = self.tallies.of(store, Tally::LookById, key)?;
            let last_figures = self.tallies.of(store, Tally::FiguresById, key)?;
            self.tallies.set(store, Tally::LookById, key, look)?;
            self.tallies.set(store, Tally::FiguresById, key, figures)?;
            if last == 0 {
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
