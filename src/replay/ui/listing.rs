//! Lists of pages and of captured URLs. Every list is read up to a bound, a
//! stretch at a time, so that no collection is too large for it.

use super::link;
use super::moment::{Moment, clipped};
use crate::count::counted;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::snapshot::layout::{EXTRA_PAGES, PAGES};
use crate::snapshot::pages::Page;
use crate::url::CanonicalUrl;

/// Rows of a page of a list.
pub(super) const ROWS: u64 = 50;
/// Lines of an index that one request reads.
pub(super) const MAX_LINES: u64 = 500_000;
/// Pages of the page lists that one request reads.
const MAX_PAGES: u64 = 500_000;
/// Lines and pages that are read for each letter of a search that is being typed.
pub(super) const MAX_TYPED: u64 = 20_000;
/// Titles and URLs are cut here in lists; links keep the whole.
const MAX_TEXT: usize = 300;

/// A row: a page, or a URL with captures.
pub(super) struct Row {
    /// Its title, where the collection has one.
    pub title: Option<String>,
    /// The archived URL, as it is shown.
    pub url: String,
    /// The calendar of the URL.
    pub calendar: String,
    /// The shell around the capture that the row is about.
    pub view: Option<String>,
    /// When that was captured.
    pub time: Option<Moment>,
    /// How many captures there are, where that is known.
    pub captures: Option<String>,
    /// Whether it is a seed.
    pub seed: bool,
    /// A small picture of it, where the collection has one.
    pub thumbnail: Option<String>,
    /// The archived URL, whole.
    pub whole: String,
}

impl Row {
    fn of_page(collection: &str, page: &Page) -> Self {
        let time = Moment::parse(&page.ts);
        let canonical = CanonicalUrl::parse(&page.url).ok();
        let view = time.zip(canonical.as_ref());
        Self {
            title: (page.title != page.url).then(|| clipped(&page.title, MAX_TEXT)),
            calendar: link::captures(collection, &page.url),
            view: view.map(|(time, url)| link::view(collection, time.0, url)),
            url: clipped(&page.url, MAX_TEXT),
            time,
            captures: None,
            seed: page.seed,
            thumbnail: None,
            whole: page.url.clone(),
        }
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// The page, from 1.
    pub page: u64,
    /// So many lines or pages are read for it at most.
    pub most: u64,
}

impl Wanted {
    /// A page, read as far as any request reads.
    pub(super) fn page(page: u64) -> Self {
        let most = u64::MAX;
        Self { page, most }
    }
}

/// A stretch of a list.
#[derive(Default)]
pub(super) struct Stretch {
    pub rows: Vec<Row>,
    /// There are more rows after it.
    pub more: bool,
    /// The reading stopped at its bound, so later rows may be missing.
    pub cut: bool,
}

/// A page of a list that is read from its start.
struct Window {
    wanted: Wanted,
    kept: u64,
    stretch: Stretch,
}

impl Window {
    fn new(wanted: Wanted) -> Self {
        Self {
            wanted,
            kept: 0,
            stretch: Stretch::default(),
        }
    }

    /// Counts a row of the list; whether it is within. After the last that is
    /// within, the list has more, and is done.
    fn counts(&mut self) -> bool {
        self.kept += 1;
        self.stretch.more = self.kept > self.wanted.page * ROWS;
        !self.stretch.more && self.kept > (self.wanted.page - 1) * ROWS
    }

    fn is_done(&self) -> bool {
        self.stretch.more || self.stretch.cut
    }
}

/// The pages of a collection with their titles, seeds first, those that
/// `keep_page` takes. Where there is no list of pages, the captured URLs of keys and
/// first captures that `keep_url` takes; of several collections, those of the ones
/// without a list after the pages of the others.
/// Also tells whether no collection has a list.
pub(super) fn pages_or_urls(
    collection: &Collection,
    wanted: Wanted,
    keep_page: impl Fn(&Page) -> bool,
    keep_url: impl Fn(&str, &CdxjEntry) -> bool,
) -> Result<(Stretch, bool), SnapshotError> {
    let mut window = Window::new(wanted);
    let mut left = wanted.most.min(MAX_PAGES);
    let mut unlisted = Vec::new();
    let mut parts = 0;
    for part in collection.parts() {
        parts += 1;
        if !add_pages(part, &collection.name, &mut window, &mut left, &keep_page)? {
            unlisted.push(part);
        }
    }
    let none_has = unlisted.len() == parts;
    for part in unlisted {
        if window.is_done() {
            break;
        }
        add_urls(part, &collection.name, "", &mut window, &keep_url)?;
    }
    Ok((window.stretch, none_has))
}

/// Pages that are looked through for the title of one capture.
const MAX_TITLES: u64 = 50_000;

/// The title that the lists of pages have of a capture: of that URL at that time.
pub(super) fn title(
    collection: &Collection,
    entry: &CdxjEntry,
) -> Result<Option<String>, SnapshotError> {
    let mut window = Window::new(Wanted::page(1));
    let mut left = MAX_TITLES;
    for part in collection.parts() {
        let is_it = |page: &Page| {
            let time = Moment::parse(&page.ts).map(|time| time.0);
            page.url == entry.url && time == Some(entry.timestamp)
        };
        add_pages(part, &collection.name, &mut window, &mut left, is_it)?;
    }
    let mut rows = window.stretch.rows.into_iter();
    Ok(rows.find_map(|row| row.title))
}

/// Whether there is a list of pages.
fn add_pages(
    part: &Collection,
    name: &str,
    window: &mut Window,
    left: &mut u64,
    keep: impl Fn(&Page) -> bool,
) -> Result<bool, SnapshotError> {
    let mut lists = Vec::new();
    for list in [PAGES, EXTRA_PAGES] {
        lists.extend(part.page_list(list)?);
    }
    let mut has_any = false;
    for found in lists.into_iter().flatten() {
        let found = found.map_err(SnapshotError::io(&part.path, "reading the pages"))?;
        has_any = true;
        if window.is_done() {
            break;
        }
        if *left == 0 {
            window.stretch.cut = true;
            break;
        }
        *left -= 1;
        if keep(&found) && window.counts() {
            window.stretch.rows.push(Row::of_page(name, &found));
        }
    }
    Ok(has_any)
}

/// The captured URLs whose index lines start with `prefix`, those of keys and
/// first captures that `keep` takes, each with its number of captures.
pub(super) fn urls(
    collection: &Collection,
    prefix: &str,
    wanted: Wanted,
    keep: impl Fn(&str, &CdxjEntry) -> bool,
) -> Result<Stretch, SnapshotError> {
    let mut window = Window::new(wanted);
    add_urls(collection, &collection.name, prefix, &mut window, keep)?;
    Ok(window.stretch)
}

fn add_urls(
    collection: &Collection,
    name: &str,
    prefix: &str,
    window: &mut Window,
    keep: impl Fn(&str, &CdxjEntry) -> bool,
) -> Result<(), SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let mut key = String::new();
    let mut group: Option<Group> = None;
    let lines = collection.index().lines(prefix).map_err(failed())?;
    for (read, line) in (0u64..).zip(lines) {
        let line = line.map_err(failed())?;
        if read == window.wanted.most.min(MAX_LINES) {
            window.stretch.cut = true;
            break;
        }
        let Some((line_key, rest)) = line.split_once(' ') else {
            continue;
        };
        if line_key == key {
            if let Some(group) = &mut group {
                group.add(rest);
            }
            continue;
        }
        line_key.clone_into(&mut key);
        window
            .stretch
            .rows
            .extend(group.take().map(|done| done.row(name)));
        let Ok(entry) = line.parse::<CdxjEntry>() else {
            continue;
        };
        if keep(line_key, &entry) {
            if window.counts() {
                group = Some(Group::new(entry));
            } else if window.is_done() {
                break;
            }
        }
    }
    window.stretch.rows.extend(group.map(|done| done.row(name)));
    Ok(())
}

/// The captures under one key.
struct Group {
    first: CdxjEntry,
    last: Moment,
    captures: u64,
}

impl Group {
    fn new(first: CdxjEntry) -> Self {
        Self {
            last: Moment(first.timestamp),
            first,
            captures: 1,
        }
    }

    fn add(&mut self, rest: &str) {
        self.captures += 1;
        let digits = rest.split(' ').next().unwrap_or_default();
        if let Ok(timestamp) = digits.parse() {
            self.last = Moment(timestamp);
        }
    }

    fn row(self, collection: &str) -> Row {
        let url = &self.first.url;
        let canonical = CanonicalUrl::parse(url).ok();
        // What was answered to a POST isn't found by its URL, and has only its page.
        let is_posted = self.first.surt.as_str().contains("__wb_method=");
        let canonical = canonical.filter(|_| !is_posted);
        Row {
            title: None,
            calendar: if is_posted {
                link::capture(collection, &self.first)
            } else {
                link::captures(collection, url)
            },
            view: canonical.map(|canonical| link::view(collection, self.last.0, &canonical)),
            url: clipped(url, MAX_TEXT),
            time: Some(self.last),
            captures: Some(counted(self.captures, "capture")),
            seed: false,
            thumbnail: None,
            whole: url.clone(),
        }
    }
}
