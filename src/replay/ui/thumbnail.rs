//! Pictures of pages, where whoever captured them made some: resource records at
//! `urn:thumbnail:<url>` and `urn:view:<url>`, as browser-based crawlers write them.

use std::io::Read;

use super::listing::Row;
use super::moment::Moment;
use super::problem::Problem;
use super::query::Query;
use super::{Site, UiResponse, link};
use crate::replay::content::Capture;
use crate::replay::record::Named;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::url::Surt;

/// The names under which they stand, the smallest first.
const NAMES: [&str; 2] = ["urn:thumbnail:", "urn:view:"];
/// So many pictures of one URL are looked through.
const MAX_PICTURES: usize = 200;
/// A larger picture isn't shown in a list.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Gives the rows of a list their pictures.
pub(super) fn add(collection: &Collection, rows: &mut [Row]) -> Result<(), SnapshotError> {
    let names = NAMES.into_iter();
    let mut there = Vec::new();
    for name in names {
        if first(collection, name)?.is_some() {
            there.push(name);
        }
    }
    for row in rows {
        for name in &there {
            let key = Surt::of(&format!("{name}{}", row.whole));
            if let Some(entry) = nearest(collection, &key, row.time)? {
                row.thumbnail = Some(link::picture(&collection.name, &entry));
                break;
            }
        }
    }
    Ok(())
}

/// The picture of a URL that was made nearest to a time.
fn nearest(
    collection: &Collection,
    key: &Surt,
    time: Option<Moment>,
) -> Result<Option<CdxjEntry>, SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let lines = collection.index().lines(&format!("{} ", key.as_str()));
    let lines = lines.map_err(failed())?.take(MAX_PICTURES);
    let mut found: Option<CdxjEntry> = None;
    for line in lines {
        let Some(entry) = collection.entry(&line.map_err(failed())?) else {
            continue;
        };
        let far = |entry: &CdxjEntry| time.map(|time| entry.timestamp.distance(time.0));
        let is_nearer = found.as_ref().is_none_or(|found| far(&entry) < far(found));
        if is_picture(&entry) && is_nearer {
            found = Some(entry);
        }
    }
    Ok(found)
}

/// The first line of the index that starts so.
fn first(collection: &Collection, prefix: &str) -> Result<Option<CdxjEntry>, SnapshotError> {
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let mut lines = collection.index().lines(prefix).map_err(failed())?;
    let line = lines.next().transpose().map_err(failed())?;
    Ok(line.and_then(|line| line.parse().ok()))
}

fn is_picture(entry: &CdxjEntry) -> bool {
    let mime = entry.mime.as_deref().unwrap_or_default();
    mime.starts_with("image/") && entry.length <= MAX_BYTES
}

/// Answers with a picture. What isn't one by its first bytes is none, whatever
/// its record says: nothing else of an archive is at the interface's address.
pub(super) fn picture(
    site: Site<'_>,
    collection: &Collection,
    query: &Query,
) -> Result<UiResponse, Problem> {
    let named = Named::of(|name| query.text(name).to_owned()).ok_or(Problem::NoPage)?;
    if !NAMES.iter().any(|name| named.url.starts_with(name)) {
        return Err(Problem::NoPage);
    }
    let entry = named.entry(collection)?.ok_or(Problem::NoPage)?;
    let others = site.shelf.collections();
    let capture = Capture::open(collection, others, entry)?.map_err(|_| Problem::NoPage)?;
    let mut body = Vec::new();
    capture
        .entity(collection, others, |entity| {
            entity.take(MAX_BYTES + 1).read_to_end(&mut body)
        })?
        .map_err(SnapshotError::io(&collection.path, "reading a picture"))?;
    if body.len() as u64 > MAX_BYTES {
        return Err(Problem::NoPage);
    }
    let content_type = kind(&body).ok_or(Problem::NoPage)?;
    Ok(UiResponse {
        status: 200,
        content_type,
        location: None,
        body,
    })
}

fn kind(body: &[u8]) -> Option<&'static str> {
    match body {
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some("image/webp"),
        _ => None,
    }
}
