//! What verification says of a collection, now or as soon as it has read it.

use askama::Template;

use super::ledger::By;
use super::moment::{Moment, size};
use super::open::quoted;
use super::query::Query;
use super::summary::has_ledger;
use super::{Site, UiResponse, html, link, redirect};
use crate::replay::judging::{self, Standing};
use crate::replay::ledger::{Fate, Selection};
use crate::snapshot::collection::Collection;

#[derive(Template)]
#[template(path = "replay/ui/report.html")]
struct Page {
    collection: String,
    home: String,
    ledger: String,
    /// What is missing, by page.
    missing: String,
    has_ledger: bool,
    begin: String,
    path: String,
    verdict: Verdict,
    text: String,
    account: Option<String>,
    /// When that was found.
    time: Option<Moment>,
}

/// The verdict as lists and pages tell it.
pub(super) struct Verdict {
    /// A word for the style: `holds`, `broken`, `open`.
    pub class: &'static str,
    /// What is told.
    pub said: String,
    /// Whether it changes by itself.
    pub is_under_way: bool,
    /// Whether there is one.
    pub is_there: bool,
    /// Whether one can be had.
    pub can_be: bool,
    /// Its page.
    pub link: String,
}

impl Verdict {
    pub(super) fn of(site: Site<'_>, collection: &Collection) -> Self {
        let standing = standing(site, collection);
        let (class, said) = match &standing {
            _ if collection.is_several() => ("open", "each has its own verdict".to_owned()),
            _ if collection.is_elsewhere => {
                let said = "not verified: it isn’t on this machine";
                ("open", said.to_owned())
            }
            Standing::Unavailable | Standing::NotAsked => ("open", "not verified yet".to_owned()),
            Standing::Waiting => ("open", "waits to be verified".to_owned()),
            Standing::Reading(_, 0) => ("open", "is being verified".to_owned()),
            Standing::Reading(read, all) => {
                let (read, all) = (size(*read), size(*all));
                ("open", format!("is being verified: {read} of {all}"))
            }
            Standing::Done(judgement) => {
                let class = match judgement.holds {
                    Some(true) => "holds",
                    Some(false) => "broken",
                    None => "open",
                };
                (class, judgement.verdict.clone())
            }
        };
        Self {
            class,
            said,
            is_under_way: matches!(standing, Standing::Waiting | Standing::Reading(..)),
            is_there: matches!(standing, Standing::Done(_)),
            can_be: standing != Standing::Unavailable,
            link: link::report(&collection.name),
        }
    }
}

/// What is verified where this one is asked for: another name of the same captures
/// has their verdict, and several have none. Verification reads all bytes, and so only
/// what is on this machine.
fn judged(collection: &Collection) -> Option<&Collection> {
    let one = collection.parts().next();
    one.filter(|one| !collection.is_several() && !one.is_elsewhere)
}

fn standing(site: Site<'_>, collection: &Collection) -> Standing {
    judged(collection).map_or(Standing::Unavailable, |judged| {
        site.judging.standing(&judged.name)
    })
}

pub(super) fn page(site: Site<'_>, collection: &Collection, query: &Query) -> UiResponse {
    let name = &collection.name;
    if !query.text("begin").is_empty() {
        // A website elsewhere may lead here, but has no reading done.
        if let Some(judged) = judged(collection).filter(|_| site.is_own) {
            judging::begin(site.judging, &judged.name, &judged.path);
        }
        return redirect(link::report(name));
    }
    let (text, account, time) = match standing(site, collection) {
        // The text names URLs, and some aren't to be named, nor counted.
        Standing::Done(judgement) if collection.withholds() => {
            (String::new(), None, Some(Moment(judgement.time)))
        }
        Standing::Done(judgement) => {
            let time = Some(Moment(judgement.time));
            (judgement.text.clone(), judgement.account.clone(), time)
        }
        _ => (String::new(), None, None),
    };
    let page = Page {
        collection: name.clone(),
        home: link::collection(name),
        ledger: link::ledger(name, &Selection::default()),
        missing: {
            let fate = Fate::Missing;
            let selection = Selection {
                fate,
                ..Selection::default()
            };
            link::ledger_by(name, &selection, By::Page.word())
        },
        has_ledger: has_ledger(collection),
        begin: format!("{}?begin=1", link::report(name)),
        path: quoted(&collection.path.display().to_string()),
        verdict: Verdict::of(site, collection),
        text,
        account,
        time,
    };
    html(200, &page)
}
