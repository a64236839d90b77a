//! The way from a URL and a time to a capture: `/go`, and the captures before
//! and after one that the shell's script asks for.

use std::sync::Arc;

use super::listing::MAX_LINES;
use super::moment::Moment;
use super::problem::Problem;
use super::query::Query;
use super::search::key_of;
use super::{Site, UiResponse, link, redirect};
use crate::replay::find::{Instead, Outcome, Wanted, find};
use crate::replay::resolve;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// The capture nearest to a time; without one, the last.
fn nearest(
    collection: &Collection,
    url: &str,
    time: Option<Timestamp14>,
) -> Result<Option<CdxjEntry>, SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let lines = collection
        .index()
        .lines(&format!("{} ", key_of(url).as_str()));
    let mut best: Option<CdxjEntry> = None;
    for (read, line) in (0u64..).zip(lines.map_err(failed())?) {
        let line = line.map_err(failed())?;
        if read == MAX_LINES {
            break;
        }
        let Ok(entry) = line.parse::<CdxjEntry>() else {
            continue;
        };
        let is_nearer = match (&best, time) {
            (Some(best), Some(time)) => {
                entry.timestamp.distance(time) < best.timestamp.distance(time)
            }
            (Some(best), None) => entry.timestamp > best.timestamp,
            (None, _) => true,
        };
        if is_nearer {
            best = Some(entry);
        }
    }
    Ok(best)
}

/// What the replay shows for a URL, found as its answer is.
pub(super) struct Shown {
    /// The URL that was captured.
    pub url: CanonicalUrl,
    /// Set where that is another than the one asked for.
    pub instead: Option<Instead>,
    /// The capture.
    pub entry: CdxjEntry,
    /// The last capture before it, with its own spelling of the URL: another
    /// one's would be passed over for those of this spelling.
    pub previous: Option<CdxjEntry>,
    /// The first capture after it.
    pub next: Option<CdxjEntry>,
    /// Its place among the times of captures, from 1.
    pub position: u64,
    /// How many times there are.
    pub count: u64,
    /// Whether it goes into a frame without sandbox.
    pub pdf: bool,
    /// What it is and where it is shown, where its mark keeps it from replay.
    pub kept_out: Option<KeptOut>,
}

/// A capture that its mark keeps from replay.
pub(super) struct KeptOut {
    /// What it is.
    pub what: &'static str,
    /// The view of it all the same.
    pub view: String,
}

impl Shown {
    /// Whether the capture is of the page without the query, which has none.
    pub(super) fn is_without_query(&self) -> bool {
        matches!(self.instead, Some(Instead::WithoutQuery(_)))
    }

    /// The rules by which a near capture is shown.
    pub(super) fn near(&self) -> Option<String> {
        match &self.instead {
            Some(Instead::Near(near)) => Some(near.names()),
            _ => None,
        }
    }
}

/// Where a neighbour is shown.
pub(super) fn view_of(collection: &str, entry: &CdxjEntry) -> Option<String> {
    let url = CanonicalUrl::parse(&entry.url).ok()?;
    Some(link::view(collection, entry.timestamp, &url))
}

/// Finds what the replay shows; a capture that can't be shown is told of too.
pub(super) fn shown(
    collection: &Collection,
    others: &[Arc<Collection>],
    url: &CanonicalUrl,
    time: Timestamp14,
) -> Result<Option<Shown>, SnapshotError> {
    let wanted = Wanted {
        url,
        at: time,
        posted: None,
        may_lose_query: true,
        may_be_near: Some("iframe"),
        passes_loops: true,
        passes_marked: true,
    };
    let mut kept_out = None;
    let (entry, instead, pdf) = match find(collection, others, wanted) {
        Ok(Outcome::Found(found)) => {
            let pdf = found.capture.is_pdf();
            (found.capture.entry, found.instead, pdf)
        }
        Ok(Outcome::Gap(gap, entry)) => {
            let unfiltered = collection.unfiltered.as_ref();
            kept_out = gap.marked_as().zip(unfiltered).map(|(what, name)| KeptOut {
                what,
                view: link::view(name, entry.timestamp, url),
            });
            (*entry, None, false)
        }
        Ok(Outcome::Nothing | Outcome::Denied) => return Ok(None),
        // The answer says what can't be read.
        Err(error) => {
            let mut candidates = resolve::candidates(collection, url, time)?.into_iter();
            (candidates.next().ok_or(error)?, None, false)
        }
    };
    let captured_url = instead.as_ref().map_or(url, Instead::url).clone();
    let alike = resolve::rank(&entry, &captured_url);
    let is_alike = |other: &CdxjEntry| resolve::rank(other, &captured_url) == alike;
    let mut captures = resolve::candidates(collection, &captured_url, time)?;
    // A redirect of another spelling mostly leads to this one.
    captures
        .retain(|other| is_alike(other) || !matches!(other.status_code(), Some(206 | 300..=399)));
    captures.sort_by_key(|other| (other.timestamp, !is_alike(other)));
    captures.dedup_by_key(|other| other.timestamp);
    let place = captures.partition_point(|other| other.timestamp < entry.timestamp);
    let at = |place: usize| captures.get(place).cloned();
    Ok(Some(Shown {
        previous: place.checked_sub(1).and_then(at),
        next: at(place + 1),
        position: place as u64 + 1,
        count: captures.len() as u64,
        url: captured_url,
        instead,
        entry,
        pdf,
        kept_out,
    }))
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
    let Ok(url) = CanonicalUrl::parse_typed(asked) else {
        return Ok(redirect(match named {
            Some(collection) => link::search(&collection.name, asked, "any"),
            None => link::search_all(asked, "any"),
        }));
    };
    let Some(collection) = named.or(site.shelf.whole()) else {
        return Ok(redirect(link::search_all(url.as_str(), "any")));
    };
    Ok(redirect(match nearest(collection, url.as_str(), time)? {
        Some(found) => {
            // A key stands for http and https alike; the capture knows which.
            let archived = CanonicalUrl::parse(&found.url).unwrap_or(url);
            let time = time.unwrap_or(found.timestamp);
            link::view(&collection.name, time, &archived)
        }
        None if named.is_none() && collection.is_several() => link::search_all(url.as_str(), "any"),
        None => link::captures(&collection.name, url.as_str()),
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
    let view = |entry: Option<CdxjEntry>| entry.and_then(|entry| view_of(name, &entry));
    let answer = match shown(collection, site.shelf.collections(), &url, time)? {
        None => serde_json::json!({
            "captured": false,
            "denied": collection.denies(url.as_str()),
            "calendar": link::captures(name, url.as_str()),
        }),
        Some(shown) => {
            let moment = Moment(shown.entry.timestamp);
            serde_json::json!({
                "captured": true,
                "without_query": shown.is_without_query(),
                "near": shown.near(),
                "kept_out": shown.kept_out.map(|out| (out.what, out.view)),
                "timestamp": moment.0.to_string(),
                "datetime": moment.0.rfc3339(),
                "text": moment.text(),
                "position": shown.position,
                "count": shown.count,
                "previous": view(shown.previous),
                "next": view(shown.next),
                "calendar": link::captures(name, shown.url.as_str()),
                "raw": link::raw(name, moment.0, &shown.url),
                "details": link::capture(name, &shown.entry),
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
