//! All captures of one URL: a timeline, a calendar and a table. For a URL that
//! was not captured, what is known of it instead.

use std::collections::HashMap;

use askama::Template;

use super::calendar::Calendar;
use super::ledger::{self, Word};
use super::listing::{self, Stretch, Wanted};
use super::moment::{Moment, clipped, size};
use super::problem::Problem;
use super::query::{Paging, Query};
use super::search;
use super::{UiResponse, html, link};
use crate::count::counted;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::url::CanonicalUrl;

/// So many captures of one URL are laid out; a URL captured every hour for two
/// years has fewer.
const MAX_CAPTURES: usize = 20_000;
/// Rows of a page of the table.
const ROWS: usize = 100;
/// URLs named for one that was not captured.
const NEAREST: usize = 10;
/// Each look for neighbours is a few reads; a URL has few folders unless it is
/// a trap.
const MAX_FOLDERS: usize = 8;

#[derive(Template)]
#[template(path = "replay/ui/captures.html")]
struct Page {
    collection: String,
    home: String,
    /// The URL as asked for.
    url: String,
    shown: String,
    total: String,
    first: Moment,
    last: Moment,
    calendar: Calendar,
    /// The day that the table is of, and the address of the whole table.
    day: Option<(String, String)>,
    rows: Vec<Row>,
    paging: Paging,
    cut: bool,
}

/// A capture in the table.
struct Row {
    time: Moment,
    view: Option<String>,
    raw: Option<String>,
    capture: String,
    status: String,
    media_type: String,
    revisit: bool,
    /// The payload is that of the capture before.
    unchanged: bool,
    digest: String,
    digest_start: String,
    size: String,
    filename: String,
    offset: u64,
    /// Of several collections the one that has it: its name and address.
    source: Option<(String, String)>,
    /// The archived URL, where it is spelled differently from the one asked for.
    spelling: Option<String>,
}

pub(super) fn page(collection: &Collection, query: &Query) -> Result<UiResponse, Problem> {
    let asked = query.text("url");
    if asked.is_empty() {
        return Err(Problem::NoUrl(String::new()));
    }
    if CanonicalUrl::parse_typed(asked).is_ok_and(|url| collection.denies(url.as_str())) {
        return Err(Problem::Denied);
    }
    let (entries, cut) = of_url(collection, asked)?;
    let moments: Vec<Moment> = entries.iter().map(|e| Moment(e.timestamp)).collect();
    let here = link::captures(&collection.name, asked);
    let alone = |at: usize| {
        let url = CanonicalUrl::parse(&entries[at].url).ok()?;
        Some(link::view(&collection.name, entries[at].timestamp, &url))
    };
    let year = query.text("year").parse().ok();
    let day = Some(query.text("day")).filter(|day| day.len() == 8);
    let year = year.or_else(|| day.and_then(|day| day.get(..4)?.parse().ok()));
    let Some(calendar) = Calendar::new(&moments, year, &here, alone) else {
        return not_captured(collection, asked, 200);
    };
    let on_day = |entry: &CdxjEntry| day.is_none_or(|d| entry.timestamp.to_string().starts_with(d));
    let rows = rows(collection, asked, &entries);
    let mut rows: Vec<Row> = rows
        .zip(&entries)
        .filter(|(_, entry)| on_day(entry))
        .map(|(row, _)| row)
        .collect();
    let day = day.filter(|_| !rows.is_empty()).and(rows.first());
    let day = day.map(|row| (row.time.date(), format!("{here}#captures")));
    // Newest first, as the reader of a list looks for the last version.
    rows.reverse();
    let page = query.page();
    let start = usize::try_from(page - 1)
        .unwrap_or(usize::MAX)
        .saturating_mul(ROWS);
    let more = rows.len() > start.saturating_add(ROWS);
    let list = match query.text("day") {
        "" => here.clone(),
        day => format!(
            "{here}&day={}",
            day.chars().filter(char::is_ascii_digit).collect::<String>()
        ),
    };
    let page = Page {
        collection: collection.name.clone(),
        home: link::collection(&collection.name),
        url: asked.to_owned(),
        shown: clipped(asked, 500),
        total: counted(entries.len() as u64, "capture"),
        first: moments[0],
        last: moments[moments.len() - 1],
        calendar,
        day,
        rows: rows.into_iter().skip(start).take(ROWS).collect(),
        paging: Paging::new(&list, page, more),
        cut,
    };
    Ok(html(200, &page))
}

/// The captures of a URL, oldest first, and whether there are more than these.
fn of_url(collection: &Collection, url: &str) -> Result<(Vec<CdxjEntry>, bool), SnapshotError> {
    let key = search::key_of(url);
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let lines = collection.index().lines(&format!("{} ", key.as_str()));
    let mut entries = Vec::new();
    for line in lines.map_err(failed())? {
        if entries.len() == MAX_CAPTURES {
            return Ok((entries, true));
        }
        entries.extend(line.map_err(failed())?.parse::<CdxjEntry>());
    }
    // Another tool's index may not be sorted beyond its keys.
    entries.sort_by_key(|entry| entry.timestamp);
    Ok((entries, false))
}

fn rows<'a>(
    collection: &'a Collection,
    asked: &'a str,
    entries: &'a [CdxjEntry],
) -> impl Iterator<Item = Row> + 'a {
    // An index doesn't tell the media type of a revisit; the capture that it
    // repeats does.
    let mut media_types: HashMap<&str, &str> = HashMap::new();
    let mut before: Option<&str> = None;
    let asked = CanonicalUrl::parse_typed(asked).map_or(asked.to_owned(), |url| url.to_string());
    entries.iter().map(move |entry| {
        let digest = entry.digest.as_deref().unwrap_or_default();
        let revisit = entry.is_revisit();
        let media_type = if revisit {
            media_types.get(digest).copied().unwrap_or_default()
        } else {
            let media_type = entry.mime.as_deref().unwrap_or_default();
            media_types.insert(digest, media_type);
            media_type
        };
        let unchanged = !digest.is_empty() && before == Some(digest);
        before = Some(digest);
        let url = CanonicalUrl::parse(&entry.url).ok();
        let linked = |link: fn(&str, _, &CanonicalUrl) -> String| {
            let url = url.as_ref()?;
            Some(link(&collection.name, entry.timestamp, url))
        };
        let value = digest.split_once(':').map_or(digest, |(_, value)| value);
        Row {
            time: Moment(entry.timestamp),
            view: match (&entry.mark, &collection.unfiltered) {
                // In the collection itself it isn't shown.
                (Some(_), Some(name)) => {
                    let url = url.as_ref();
                    url.map(|url| link::view(name, entry.timestamp, url))
                }
                _ => linked(link::view),
            },
            raw: linked(link::raw),
            capture: link::capture(&collection.name, entry),
            status: {
                let status = clipped(entry.status.as_deref().unwrap_or_default(), 12);
                match &entry.mark {
                    Some(mark) => format!("{status} {}", clipped(mark, 20)),
                    None => status,
                }
            },
            media_type: clipped(media_type, 80),
            revisit,
            unchanged,
            digest: clipped(digest, 200),
            digest_start: value.chars().take(12).collect(),
            size: size(entry.length),
            filename: clipped(&entry.filename, 200),
            offset: entry.offset,
            source: entry
                .source
                .as_ref()
                .filter(|_| collection.is_several())
                .map(|source| (source.clone(), link::captures(source, &asked))),
            spelling: (entry.url != asked).then(|| clipped(&entry.url, 300)),
        }
    })
}

#[derive(Template)]
#[template(path = "replay/ui/missing.html")]
struct Missing {
    collection: String,
    home: String,
    url: String,
    shown: String,
    word: Word,
    nearest: Stretch,
}

/// The page of a URL without captures: what the ledger says, and what was
/// captured near it.
pub(super) fn not_captured(
    collection: &Collection,
    asked: &str,
    status: u16,
) -> Result<UiResponse, Problem> {
    let mut spellings = Vec::new();
    if let Ok(url) = CanonicalUrl::parse_typed(asked) {
        let other = if url.is_https() { "http" } else { "https" };
        let rest = url.as_str().split_once(':').map_or("", |(_, rest)| rest);
        spellings.push(format!("{other}:{rest}"));
        spellings.push(url.as_str().to_owned());
    }
    let page = Missing {
        collection: collection.name.clone(),
        home: link::collection(&collection.name),
        url: asked.to_owned(),
        shown: clipped(asked, 500),
        word: ledger::word_on(collection, &spellings)?,
        nearest: nearest(collection, asked)?,
    };
    Ok(html(status, &page))
}

/// Captured URLs that begin as this one does, the longest beginning that has
/// any: its folder, the folder above, and so on up to the host.
fn nearest(collection: &Collection, asked: &str) -> Result<Stretch, SnapshotError> {
    let Ok(url) = CanonicalUrl::parse_typed(asked) else {
        return Ok(Stretch::default());
    };
    let base = url.as_str();
    let host_end = base.find("://").map_or(0, |at| at + 3);
    let path = base.split('?').next().unwrap_or(base);
    let mut folders = vec![path];
    folders.extend(path.rmatch_indices('/').map(|(at, _)| &path[..=at]));
    folders.retain(|folder| folder.len() > host_end);
    let shallow = folders.len().saturating_sub(MAX_FOLDERS);
    let mut found = Stretch::default();
    for folder in folders.into_iter().skip(shallow) {
        found = search::beginning(collection, folder, Wanted::page(1))?;
        if !found.rows.is_empty() {
            break;
        }
    }
    if found.rows.is_empty() {
        found = search::on_host(collection, &url.host_field(), Wanted::page(1))?;
    }
    found.rows.truncate(NEAREST);
    Ok(found)
}

// The table's bound is the list's: neither is longer than a request can read.
const _: () = assert!(MAX_CAPTURES as u64 <= listing::MAX_LINES);
