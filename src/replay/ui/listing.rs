//! Lists of pages and of captured URLs. Every list is read up to a bound, a
//! stretch at a time, so that no collection is too large for it.

use super::link;
use super::moment::{Moment, clipped};
use crate::count::counted;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::snapshot::layout::{EXTRA_PAGES, PAGES};
use crate::snapshot::pages::{self, Page};
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

/// A stretch of a list.
#[derive(Default)]
pub(super) struct Stretch {
    pub rows: Vec<Row>,
    /// There are more rows after it.
    pub more: bool,
    /// The reading stopped at its bound, so later rows may be missing.
    pub cut: bool,
}

/// The pages of a collection with their titles, seeds first, those that `keep`
/// takes; at most so many are read. `None` where the collection has no list of pages.
pub(super) fn pages(
    collection: &Collection,
    (page, most): (u64, u64),
    keep: impl Fn(&Page) -> bool,
) -> Result<Option<Stretch>, SnapshotError> {
    let Some(container) = collection.container() else {
        return Ok(None);
    };
    let mut lists = Vec::new();
    for list in [PAGES, EXTRA_PAGES] {
        match container.open(list) {
            Ok(file) => lists.push(pages::read(file)),
            Err(SnapshotError::Missing { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    let mut stretch = Stretch::default();
    let (mut read, mut kept) = (0, 0);
    for found in lists.into_iter().flatten() {
        let found = found.map_err(SnapshotError::io(&collection.path, "reading the pages"))?;
        if read == most.min(MAX_PAGES) {
            stretch.cut = true;
            break;
        }
        read += 1;
        if !keep(&found) {
            continue;
        }
        kept += 1;
        if kept > page * ROWS {
            stretch.more = true;
            break;
        }
        if kept > (page - 1) * ROWS {
            stretch.rows.push(Row::of_page(&collection.name, &found));
        }
    }
    Ok((read > 0).then_some(stretch))
}

/// The captured URLs whose index lines start with `prefix`, those of keys and
/// first captures that `keep` takes, each with its number of captures. At most so
/// many lines are read.
pub(super) fn urls(
    collection: &Collection,
    prefix: &str,
    (page, most): (u64, u64),
    keep: impl Fn(&str, &CdxjEntry) -> bool,
) -> Result<Stretch, SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let mut stretch = Stretch::default();
    let mut kept = 0;
    let mut key = String::new();
    let mut group: Option<Group> = None;
    let lines = collection.index().lines(prefix).map_err(failed())?;
    for (read, line) in (0u64..).zip(lines) {
        let line = line.map_err(failed())?;
        if read == most.min(MAX_LINES) {
            stretch.cut = true;
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
        if let Some(done) = group.take() {
            stretch.rows.push(done.row(&collection.name));
        }
        let Ok(entry) = line.parse::<CdxjEntry>() else {
            continue;
        };
        if !keep(line_key, &entry) {
            continue;
        }
        kept += 1;
        if kept > page * ROWS {
            stretch.more = true;
            break;
        }
        if kept > (page - 1) * ROWS {
            group = Some(Group::new(entry));
        }
    }
    if let Some(done) = group {
        stretch.rows.push(done.row(&collection.name));
    }
    Ok(stretch)
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
        Row {
            title: None,
            calendar: link::captures(collection, url),
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
