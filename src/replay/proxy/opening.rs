//! Where and when a visit begins: at a seed of the first collection that tells
//! one, when it was last captured.

use crate::replay::shelf::Shelf;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::{Timestamp14, WarcDate};
use crate::url::CanonicalUrl;

/// Pages that are looked at.
const MAX_PAGES: usize = 500;
/// Lines of the index that are read where there is no list of pages.
const MAX_LINES: usize = 200_000;

/// The begin of a visit.
pub(super) struct Opening {
    /// The reader's time.
    pub time: Timestamp14,
    /// The page; `None` where there is none.
    pub page: Option<CanonicalUrl>,
}

/// That of a shelf. What can't be read says so where it is asked for.
pub(super) fn of(shelf: &Shelf) -> Opening {
    let each = || shelf.collections().iter();
    let opening = |of: fn(&Collection) -> Option<Opening>| each().find_map(|each| of(each));
    let found = opening(by_pages).or_else(|| opening(by_index));
    found.unwrap_or_else(|| Opening {
        time: Timestamp14::now(),
        page: None,
    })
}

/// The first seed, at the time of the newest; without seeds, the pages.
fn by_pages(collection: &Collection) -> Option<Opening> {
    let mut pages = collection.pages(MAX_PAGES).ok()?;
    if pages.iter().any(|page| page.seed) {
        pages.retain(|page| page.seed);
    }
    let times = pages
        .iter()
        .filter_map(|page| Some(WarcDate::lenient(&page.ts)?.timestamp14()));
    let time = times.max()?;
    let page = pages
        .iter()
        .find_map(|page| CanonicalUrl::parse(&page.url).ok());
    Some(Opening { time, page })
}

/// The shortest address of a page, at the time of the last capture.
fn by_index(collection: &Collection) -> Option<Opening> {
    let lines = collection.index().lines("").ok()?.take(MAX_LINES);
    let entries = lines.filter_map(|line| line.ok()?.parse::<CdxjEntry>().ok());
    let (mut time, mut page): (Option<Timestamp14>, Option<CanonicalUrl>) = (None, None);
    for entry in entries {
        let Ok(url) = CanonicalUrl::parse(&entry.url) else {
            continue;
        };
        time = time.max(Some(entry.timestamp));
        let is_page =
            entry.mime.as_deref() == Some("text/html") && entry.status_code() == Some(200);
        let is_shorter = |page: &CanonicalUrl| url.as_str().len() < page.as_str().len();
        if is_page && page.as_ref().is_none_or(is_shorter) {
            page = Some(url);
        }
    }
    Some(Opening { time: time?, page })
}
