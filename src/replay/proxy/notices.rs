//! The pages that stand at an original address where no capture does. They
//! hold no script: they would be one of the site's.

use askama::Template;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};

use super::answer::Wish;
use super::picker;
use crate::replay::answer::DENIED;
use crate::replay::find::Gap;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::{CanonicalUrl, Surt};

/// So many addresses near one that is missing are named.
const MAX_NEAR: usize = 8;
/// Lines of the index that are read for them, at each place.
const MAX_LINES: usize = 400;
/// A longer URL isn't named.
const MAX_NAMED: usize = 500;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; \
                      base-uri 'none'";

#[derive(Template)]
#[template(path = "replay/proxy/notice.html")]
struct Page<'a> {
    heading: &'a str,
    text: &'a str,
    url: &'a str,
    time: String,
    near: Vec<String>,
    view: Option<String>,
    picker: String,
}

/// The answer for a URL that no collection has.
pub(super) fn missing(collection: Option<&Collection>, wish: &Wish) -> Response<Vec<u8>> {
    let near = collection
        .filter(|_| wish.for_reader)
        .map_or_else(Vec::new, |collection| nearest(collection, &wish.asked.url));
    let text = "No collection that is open has a capture of this address. Nothing was fetched \
                from the live web.";
    page(
        wish,
        StatusCode::NOT_FOUND,
        "Not in this archive",
        text,
        near,
        None,
    )
}

/// The answer for one whose captures can't be shown; `view` is where the interface
/// shows what is kept from replay by its mark.
pub(super) fn withheld(
    wish: &Wish,
    gap: Gap,
    captured: Timestamp14,
    view: Option<String>,
) -> Response<Vec<u8>> {
    let text = format!("Captured {}. {}", captured.http_date(), gap.text());
    let heading = gap.marked_as().unwrap_or("This capture can't be shown");
    let view = gap.marked_as().and(view);
    page(
        wish,
        StatusCode::NOT_FOUND,
        heading,
        &text,
        Vec::new(),
        view,
    )
}

/// The answer for a URL that the operator withholds.
pub(super) fn denied(wish: &Wish) -> Response<Vec<u8>> {
    let status = StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS;
    page(wish, status, "Withheld", DENIED, Vec::new(), None)
}

/// The answer where reading failed.
pub(super) fn unreadable(wish: &Wish, error: &SnapshotError) -> Response<Vec<u8>> {
    tracing::warn!("{}: {error}", wish.asked.url);
    let text = format!("{error}. `lastlight verify` says more.");
    let heading = "The capture can't be read";
    page(
        wish,
        StatusCode::BAD_GATEWAY,
        heading,
        &text,
        Vec::new(),
        None,
    )
}

fn page(
    wish: &Wish,
    status: StatusCode,
    heading: &str,
    text: &str,
    near: Vec<String>,
    view: Option<String>,
) -> Response<Vec<u8>> {
    let url = wish.asked.url.as_str();
    let time = wish.asked.visit.timestamp.http_date();
    // What a page asks for is read by nobody, or by a script.
    let (kind, body) = if wish.for_reader {
        let page = Page {
            heading,
            text,
            url,
            time,
            near,
            view,
            picker: picker::address_of(url),
        };
        let body = page.render().expect("pages format into memory");
        ("text/html; charset=utf-8", body)
    } else {
        let body = format!("{heading}: {url} at {time}. {text}\n");
        ("text/plain; charset=utf-8", body)
    };
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    fields.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

/// Captured addresses like one that isn't: with another query or a longer
/// path, else in its folder, else on its host.
fn nearest(collection: &Collection, url: &CanonicalUrl) -> Vec<String> {
    let mut plain = url.url().clone();
    plain.set_query(None);
    let folder = plain.join("./").ok();
    let root = plain.join("/").ok();
    let mut found = Vec::new();
    for place in [Some(plain), folder, root].into_iter().flatten() {
        let key = Surt::of(place.as_str());
        let Ok(lines) = collection.index().lines(key.as_str()) else {
            continue;
        };
        let entries = lines.take(MAX_LINES).filter_map(|line| {
            let entry: CdxjEntry = line.ok()?.parse().ok()?;
            Some(entry.url)
        });
        for near in entries {
            let is_url = near.starts_with("http") && near.len() <= MAX_NAMED;
            if is_url && found.len() < MAX_NEAR && near != url.as_str() && !found.contains(&near) {
                found.push(near);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    found
}
