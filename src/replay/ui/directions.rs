//! The way from a URL and a time to a capture: `/go`, and the captures before
//! and after one that the shell's script asks for.

use super::listing::MAX_LINES;
use super::moment::Moment;
use super::problem::Problem;
use super::query::Query;
use super::search::key_of;
use super::{Site, UiResponse, link, redirect};
use crate::replay::resolve;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// The capture nearest to a time, among all captures of a URL.
pub(super) struct Nearest {
    pub entry: CdxjEntry,
    /// The last capture before it.
    pub previous: Option<Timestamp14>,
    /// The first capture after it.
    pub next: Option<Timestamp14>,
    /// Its place among the times of captures, from 1.
    pub position: u64,
    /// How many times there are.
    pub count: u64,
}

/// Finds the capture nearest to a time; without one, the last.
pub(super) fn nearest(
    collection: &Collection,
    url: &str,
    time: Option<Timestamp14>,
) -> Result<Option<Nearest>, SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let lines = collection
        .index()
        .lines(&format!("{} ", key_of(url).as_str()));
    let mut best: Option<Nearest> = None;
    let (mut count, mut before) = (0, None);
    for (read, line) in (0u64..).zip(lines.map_err(failed())?) {
        let line = line.map_err(failed())?;
        if read == MAX_LINES {
            break;
        }
        let Ok(entry) = line.parse::<CdxjEntry>() else {
            continue;
        };
        let at = entry.timestamp;
        if before == Some(at) {
            continue;
        }
        count += 1;
        let nearer = match (&best, time) {
            (Some(best), Some(time)) => at.distance(time) < best.entry.timestamp.distance(time),
            _ => true,
        };
        if nearer {
            best = Some(Nearest {
                entry,
                previous: before,
                next: None,
                position: count,
                count,
            });
        } else if let Some(best) = &mut best
            && best.next.is_none()
        {
            best.next = Some(at);
        }
        before = Some(at);
    }
    if let Some(best) = &mut best {
        best.count = count;
    }
    Ok(best)
}

/// What the replay shows for a URL: its own nearest capture, or that of the
/// page without the query, where none of the query was captured. The URL is
/// the one that was captured.
pub(super) fn shown(
    collection: &Collection,
    url: &CanonicalUrl,
    time: Timestamp14,
) -> Result<Option<(CanonicalUrl, Nearest)>, SnapshotError> {
    if let Some(found) = nearest(collection, url.as_str(), Some(time))? {
        return Ok(Some((url.clone(), found)));
    }
    let Some(plain) = resolve::plain(url) else {
        return Ok(None);
    };
    let found = nearest(collection, plain.as_str(), Some(time))?;
    let found = found.filter(|found| resolve::is_page(&found.entry));
    Ok(found.map(|found| (plain, found)))
}

/// Leads to the shell around the nearest capture, or to what is known of a URL
/// that was not captured.
pub(super) fn go(site: Site<'_>, query: &Query) -> Result<UiResponse, Problem> {
    let (asked, name) = (query.text("url"), query.text("collection"));
    let time = Timestamp14::from_prefix(query.text("ts")).ok();
    let named = match name {
        "" => None,
        name => Some(site.collection(name)?),
    };
    let Ok(url) = CanonicalUrl::parse_seed(asked) else {
        return Ok(redirect(match named {
            Some(collection) => link::search(&collection.name, asked, "any"),
            None => link::search_all(asked, "any"),
        }));
    };
    let shelf = site.shelf.collections();
    let among = shelf
        .iter()
        .filter(|each| named.is_none_or(|named| named.name == each.name));
    for collection in among {
        if let Some(found) = nearest(collection, url.as_str(), time)? {
            // A key stands for http and https alike; the capture knows which.
            let archived = CanonicalUrl::parse(&found.entry.url).unwrap_or(url);
            let time = time.unwrap_or(found.entry.timestamp);
            return Ok(redirect(link::view(&collection.name, time, &archived)));
        }
    }
    let only = if shelf.len() == 1 {
        shelf.first()
    } else {
        None
    };
    Ok(redirect(match named.or(only) {
        Some(collection) => link::captures(&collection.name, url.as_str()),
        None => link::search_all(url.as_str(), "any"),
    }))
}

/// `/-/around/<collection>/<timestamp14>?url=…`: the capture nearest to a time
/// and its neighbours, as JSON.
pub(super) fn json(site: Site<'_>, rest: &str, query: &Query) -> Result<UiResponse, Problem> {
    let (name, digits) = rest.split_once('/').ok_or(Problem::NoPage)?;
    let collection = site.collection(name)?;
    let time: Timestamp14 = digits.parse().map_err(|_| Problem::NoPage)?;
    let asked = query.text("url");
    let url = CanonicalUrl::parse(asked).map_err(|_| Problem::NoUrl(asked.to_owned()))?;
    let view = |at: Option<Timestamp14>| at.map(|at| link::view(name, at, &url));
    let answer = match shown(collection, &url, time)? {
        None => serde_json::json!({
            "captured": false,
            "calendar": link::captures(name, url.as_str()),
        }),
        Some((captured, found)) => {
            let moment = Moment(found.entry.timestamp);
            serde_json::json!({
                "captured": true,
                "without_query": captured != url,
                "timestamp": moment.0.to_string(),
                "datetime": moment.0.rfc3339(),
                "text": moment.text(),
                "position": found.position,
                "count": found.count,
                "previous": view(found.previous),
                "next": view(found.next),
                "calendar": link::captures(name, captured.as_str()),
                "raw": link::raw(name, moment.0, &captured),
            })
        }
    };
    Ok(UiResponse {
        status: 200,
        content_type: "application/json",
        location: None,
        body: answer.to_string().into_bytes(),
    })
}
