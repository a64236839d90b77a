//! The page of a collection: what it is, its pages, and a search in it.

use askama::Template;

use super::listing::{self, Stretch};
use super::problem::Problem;
use super::query::{Paging, Query};
use super::report::Verdict;
use super::search::{self, Asked};
use super::summary::Summary;
use super::{Site, UiResponse, html, link, thumbnail};
use crate::snapshot::collection::Collection;

#[derive(Template)]
#[template(path = "replay/ui/collection.html")]
struct Page {
    summary: Summary,
    asked: Asked,
    searched: bool,
    /// The list is of URLs in the index, since there are no titles.
    untitled: bool,
    stretch: Stretch,
    paging: Paging,
    all: String,
    ledger: String,
    verdict: Verdict,
}

pub(super) fn page(
    site: Site<'_>,
    collection: &Collection,
    query: &Query,
) -> Result<UiResponse, Problem> {
    let asked = Asked::of(query);
    let page = query.page();
    let searched = !asked.text.is_empty();
    let mut untitled = false;
    let stretch = if searched {
        search::find(collection, &asked, page)?
    } else if let Some(stretch) = listing::pages(collection, (page, u64::MAX), |_| true)? {
        stretch
    } else {
        untitled = true;
        listing::urls(collection, "", (page, u64::MAX), |_, entry| {
            let mime = entry.mime.as_deref().unwrap_or_default();
            let is_html = mime.eq_ignore_ascii_case("text/html")
                || mime.eq_ignore_ascii_case("application/xhtml+xml");
            is_html && entry.status.as_deref() == Some("200")
        })?
    };
    let here = link::search(&collection.name, &asked.text, asked.how.word());
    let mut stretch = stretch;
    thumbnail::add(collection, &mut stretch.rows)?;
    let page = Page {
        summary: Summary::of(collection)?,
        paging: Paging::new(&here, page, stretch.more),
        asked,
        searched,
        untitled,
        stretch,
        all: link::collection(&collection.name),
        ledger: link::ledger(&collection.name, "", ""),
        verdict: Verdict::of(site, &collection.name),
    };
    Ok(html(200, &page))
}
