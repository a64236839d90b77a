//! The page of a collection: what it is, its pages, and a search in it.

use askama::Template;

use super::listing::{self, Stretch, Wanted};
use super::problem::Problem;
use super::query::{Paging, Query};
use super::report::Verdict;
use super::search::{self, Asked};
use super::summary::Summary;
use super::{Site, UiResponse, html, link, thumbnail};
use crate::replay::ledger::Selection;
use crate::snapshot::cdxj::CdxjEntry;
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
    let (mut stretch, untitled) = if searched {
        (search::find(collection, &asked, page)?, false)
    } else {
        let is_page = |_: &str, entry: &CdxjEntry| {
            let mime = entry.mime.as_deref().unwrap_or_default();
            let is_html = mime.eq_ignore_ascii_case("text/html")
                || mime.eq_ignore_ascii_case("application/xhtml+xml");
            is_html && entry.status.as_deref() == Some("200")
        };
        listing::pages_or_urls(collection, Wanted::page(page), |_| true, is_page)?
    };
    thumbnail::add(collection, &mut stretch.rows)?;
    let here = link::search(&collection.name, &asked.text, asked.how.word());
    let page = Page {
        summary: Summary::of(collection)?,
        paging: Paging::new(&here, page, stretch.more),
        asked,
        searched,
        untitled,
        stretch,
        all: link::collection(&collection.name),
        ledger: link::ledger(&collection.name, &Selection::default()),
        verdict: Verdict::of(site, collection),
    };
    Ok(html(200, &page))
}
