//! What an answer names, sorted by its worker: the keeper, which all answers wait
//! for, only compares it with what came before.

mod ids;

use std::collections::HashSet;

use super::form::Form;
use super::job::Link;
use crate::config::Traps;
use crate::links::Hop;
use crate::url::CanonicalUrl;

pub use ids::{NamedIds, id_of};

/// What an answer names.
#[derive(Debug, Default)]
pub struct Named {
    /// What the links don't have in common with the answer's URL.
    pub others: Vec<Link>,
    /// Those that are of the answer's own form.
    pub alike: Vec<Link>,
    /// What it names besides pages of its own form, folded into one number.
    pub folded: u64,
    /// What in them looks like session ids.
    pub ids: NamedIds,
}

impl Named {
    /// Of the links in the answer to a URL.
    pub fn of(url: &CanonicalUrl, links: Vec<Link>, traps: &Traps) -> Self {
        let own = Form::of(url);
        let is_alike = |link: &Link| link.hop == Hop::Link && own.leads_on_to(link.form);
        // The months of a calendar name its days, and each other.
        let is_counted = |link: &&Link| !is_alike(link) || link.form.date.is_some();
        let counted = links.iter().filter(is_counted);
        let folded = folded(counted.filter(|link| link.excluded.is_none()));
        let ids = NamedIds::of(url, links.iter(), traps);
        let (alike, others) = links.into_iter().partition(is_alike);
        Self {
            others,
            alike,
            folded,
            ids,
        }
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.others.len() + self.alike.len()
    }
}

/// What a page names, folded into one number, whatever the order. Dates count
/// once a form: each month names other days.
fn folded<'l>(links: impl Iterator<Item = &'l Link>) -> u64 {
    let mut forms = HashSet::new();
    links.fold(0, |folded, link| {
        if link.hop == Hop::Link && link.form.date.is_some() {
            let is_first = forms.insert(link.form.key);
            folded ^ if is_first { link.form.key } else { 0 }
        } else {
            folded ^ (link.key >> 64) as u64
        }
    })
}
