//! Which capture answers a request: the nearest to the reader's time, of the
//! URL itself before its variants, and where a revisit's body is.

use crate::digest::{Digest, Hasher};
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::{Timestamp14, WarcDate};
use crate::url::{CanonicalUrl, Surt};
use crate::warc::Header;

/// The captures that may answer for `url` at a time, best first: the URL as it
/// was asked for before those that only share its key (`http` for `https`,
/// `www`, letter case), then by distance in time, then answers before
/// redirects and errors. Partial answers and bare 304s come last, but for
/// what isn't the site's: challenges and pages that only say "not found".
pub fn candidates(
    collection: &Collection,
    url: &CanonicalUrl,
    at: Timestamp14,
) -> Result<Vec<CdxjEntry>, SnapshotError> {
    with_key(collection, &url.surt(), url, at)
}

/// As [`candidates`], of those that have a key of their own: what was answered to a
/// body.
pub fn with_key(
    collection: &Collection,
    key: &Surt,
    url: &CanonicalUrl,
    at: Timestamp14,
) -> Result<Vec<CdxjEntry>, SnapshotError> {
    let mut entries = collection.captures(key.as_str())?;
    entries.sort_by_cached_key(|entry| {
        (
            rank(entry, url),
            entry.timestamp.distance(at),
            status_rank(entry),
        )
    });
    Ok(entries)
}

/// What comes before nearness in time: a lower rank is shown at any time.
pub fn rank(entry: &CdxjEntry, url: &CanonicalUrl) -> (bool, bool, u8) {
    (entry.mark.is_some(), is_partial(entry), kinship(entry, url))
}

/// The URL without its query, and its pages, best first: what stands for a
/// page whose query was never captured. The scripts of a search page, say, read
/// the query that the reader typed. `None` where there is no such page.
pub fn without_query(
    collection: &Collection,
    url: &CanonicalUrl,
    at: Timestamp14,
) -> Result<Option<(CanonicalUrl, Vec<CdxjEntry>)>, SnapshotError> {
    let Some(plain) = plain(url) else {
        return Ok(None);
    };
    let mut pages = candidates(collection, &plain, at)?;
    pages.retain(is_page);
    Ok((!pages.is_empty()).then_some((plain, pages)))
}

/// A URL without its query; `None` where it has none.
pub fn plain(url: &CanonicalUrl) -> Option<CanonicalUrl> {
    let mut plain = url.url().clone();
    plain.query()?;
    plain.set_query(None);
    CanonicalUrl::of(plain).ok()
}

/// Whether a capture is a page, as far as the index tells; of a revisit it
/// doesn't.
pub fn is_page(entry: &CdxjEntry) -> bool {
    let mime = entry.mime.as_deref().unwrap_or_default();
    let is_html = ["text/html", "application/xhtml+xml"]
        .iter()
        .any(|html| mime.eq_ignore_ascii_case(html));
    entry.is_revisit() || is_html && matches!(entry.status_code(), Some(200..=299) | None)
}

/// 0 for the URL itself, 1 for its other scheme, 2 for what only shares the key.
fn kinship(entry: &CdxjEntry, url: &CanonicalUrl) -> u8 {
    if entry.url == url.as_str() {
        return 0;
    }
    let without_scheme = |url: &CanonicalUrl| {
        let text = url.as_str();
        text.split_once("://").map(|(_, rest)| rest.to_owned())
    };
    match CanonicalUrl::parse(&entry.url) {
        Ok(captured) if captured == *url => 0,
        Ok(captured) if without_scheme(&captured) == without_scheme(url) => 1,
        _ => 2,
    }
}

fn is_partial(entry: &CdxjEntry) -> bool {
    match entry.status_code() {
        Some(206) => true,
        Some(304) => !entry.is_revisit(),
        _ => false,
    }
}

fn status_rank(entry: &CdxjEntry) -> u8 {
    match entry.status_code() {
        Some(200..=299 | 304) | None => 0,
        Some(300..=399) => 1,
        Some(_) => 2,
    }
}

/// The capture whose body a revisit stands for: by what the record says that
/// it refers to, else by payload digest, in captures of the same URL first.
/// `None` where the collection doesn't hold it.
pub fn original(
    collection: &Collection,
    revisit: &CdxjEntry,
    header: &Header,
) -> Result<Option<CdxjEntry>, SnapshotError> {
    let digest = header
        .payload_digest()
        .and_then(Result::ok)
        .or_else(|| digest_of(revisit).filter(|digest| !is_of_nothing(digest)));
    // A digest of another algorithm says nothing.
    let contradicts = |entry: &CdxjEntry| {
        digest_of(entry)
            .zip(digest.as_ref())
            .is_some_and(|(a, b)| a.algorithm() == b.algorithm() && a != *b)
    };
    let target = header.refers_to_target_uri().unwrap_or(&revisit.url);
    let date = header
        .field("WARC-Refers-To-Date")
        .and_then(|date| date.parse::<WarcDate>().ok())
        .map(WarcDate::timestamp14);
    if let Some(date) = date {
        let captures = collection.captures(Surt::of(target).as_str())?;
        let mut named = captures
            .into_iter()
            .filter(|e| !e.is_revisit() && e.timestamp == date && !contradicts(e))
            .collect::<Vec<_>>();
        // Of several collections its own one is nearest.
        named.sort_by_key(|entry| (entry.url != target, entry.source != revisit.source));
        if let Some(entry) = named.into_iter().next() {
            return Ok(Some(entry));
        }
    }
    let Some(digest) = digest else {
        return Ok(None);
    };
    let equal =
        |entry: &CdxjEntry| !entry.is_revisit() && digest_of(entry).as_ref() == Some(&digest);
    for key in [Surt::of(target), revisit.surt.clone()] {
        let captures = collection.captures(key.as_str())?;
        let nearest = captures
            .into_iter()
            .filter(equal)
            .min_by_key(|entry| entry.timestamp.distance(revisit.timestamp));
        if nearest.is_some() {
            return Ok(nearest);
        }
    }
    by_digest(collection, revisit, equal)
}

/// Reads the whole index: the last resort for revisits that don't say what
/// they refer to.
fn by_digest(
    collection: &Collection,
    revisit: &CdxjEntry,
    equal: impl Fn(&CdxjEntry) -> bool,
) -> Result<Option<CdxjEntry>, SnapshotError> {
    // The index spells a digest as the record does, so most lines are told
    // apart without being parsed.
    let Some(spelled) = revisit.digest.as_deref() else {
        return Ok(None);
    };
    let value = spelled.rsplit(':').next().unwrap_or(spelled);
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    for line in collection.index().lines("").map_err(failed())? {
        let line = line.map_err(failed())?;
        if line.contains(value)
            && let Ok(entry) = line.parse::<CdxjEntry>()
            && equal(&entry)
        {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// Whether a digest is that of no bytes: an index that was made from revisits
/// without one has it, and it would name any capture without a body.
fn is_of_nothing(digest: &Digest) -> bool {
    *digest == Hasher::new(digest.algorithm()).finish()
}

/// Other tools' indexes leave the label out where it is sha1.
fn digest_of(entry: &CdxjEntry) -> Option<Digest> {
    let text = entry.digest.as_deref()?;
    text.parse()
        .or_else(|_| format!("sha1:{text}").parse())
        .ok()
}
