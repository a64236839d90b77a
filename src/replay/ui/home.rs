//! The home page: what is on the shelf, and a search over all of it.

use askama::Template;

use super::listing::Stretch;
use super::problem::Problem;
use super::query::Query;
use super::report::Verdict;
use super::search::{self, Asked};
use super::summary::Summary;
use super::{Site, UiResponse, html, link, thumbnail};

#[derive(Template)]
#[template(path = "replay/ui/home.html")]
struct Page {
    asked: Asked,
    searched: bool,
    nothing: bool,
    collections: Vec<(Result<Summary, Broken>, Verdict)>,
    found: Vec<Found>,
}

/// What a search found in a collection.
struct Found {
    title: String,
    all: String,
    stretch: Stretch,
}

/// A collection that can't be read.
struct Broken {
    name: String,
    said: String,
}

pub(super) fn page(site: Site<'_>, query: &Query) -> Result<UiResponse, Problem> {
    let asked = Asked::of(query);
    let shelf = site.shelf.collections();
    let each = shelf.iter().map(AsRef::as_ref);
    let summaries = site.shelf.all().into_iter().chain(each).map(|collection| {
        let summary = Summary::of(collection).map_err(|error| Broken {
            name: collection.name.clone(),
            said: error.to_string(),
        });
        (summary, Verdict::of(site, collection))
    });
    let collections: Vec<_> = summaries.collect();
    let searched = !asked.text.is_empty();
    let mut found = Vec::new();
    if searched {
        // What all have together each one has.
        let own = &collections[collections.len() - shelf.len()..];
        for (collection, (summary, _)) in shelf.iter().zip(own) {
            let mut stretch = search::find(collection, &asked, 1)?;
            thumbnail::add(collection, &mut stretch.rows)?;
            if !stretch.rows.is_empty() {
                let title = summary.as_ref().map_or(&collection.name, |s| &s.title);
                found.push(Found {
                    title: title.clone(),
                    all: link::search(&collection.name, &asked.text, asked.how.word()),
                    stretch,
                });
            }
        }
    }
    let page = Page {
        nothing: found.is_empty(),
        asked,
        searched,
        collections,
        found,
    };
    Ok(html(200, &page))
}
