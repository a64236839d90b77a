//! The shell: a banner outside the archived page, and the page in a frame of
//! another origin. Without JavaScript the frame still works; with it the banner
//! follows the reader from page to page.

use askama::Template;

use super::directions;
use super::moment::{Moment, clipped};
use super::problem::Problem;
use super::{Site, UiResponse, captures, html, link, redirect};
use crate::replay::path_mode::{Modifier, Paths};
use crate::snapshot::cdxj::CdxjEntry;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

#[derive(Template)]
#[template(path = "replay/ui/view.html")]
struct Page {
    collection: String,
    home: String,
    /// The reader's time, constant for the visit.
    time: Timestamp14,
    url: String,
    shown: String,
    captured: Moment,
    /// Whether the capture is of the page without the query, which has none.
    without_query: bool,
    /// The rules by which the capture of a near URL is shown.
    near: Option<String>,
    /// Set where the frame has a page of ours instead, as the capture isn't the site's.
    kept_out: Option<directions::KeptOut>,
    position: u64,
    count: u64,
    previous: Option<String>,
    next: Option<String>,
    calendar: String,
    raw: String,
    /// The page of the capture.
    details: String,
    /// Where it is opened at its original address.
    open: String,
    frame: String,
    /// Whether it is path mode, in which pages have no origin.
    one_host: bool,
    /// Chromium's PDF viewer fails in a sandboxed frame. The address below
    /// answers with PDF and nothing else, so nothing that runs is let out.
    pdf: bool,
}

/// `rest` is `<collection>/<timestamp>/<url>`, as it came; the query of the
/// request is that of the archived URL.
pub(super) fn page(site: Site<'_>, rest: &str, query: Option<&str>) -> Result<UiResponse, Problem> {
    let mut parts = rest.splitn(3, '/');
    let (name, digits) = (parts.next().unwrap_or_default(), parts.next());
    let collection = site.collection(name)?;
    let (digits, asked) = digits.zip(parts.next()).ok_or(Problem::NoPage)?;
    let time = Timestamp14::from_prefix(digits).map_err(|_| Problem::NoPage)?;
    let asked = query.map_or(asked.to_owned(), |query| format!("{asked}?{query}"));
    let url =
        CanonicalUrl::parse_typed(&asked).map_err(|_| Problem::NoUrl(clipped(&asked, 200)))?;
    if digits.len() != 14 || !asked.contains("://") {
        return Ok(redirect(link::view(name, time, &url)));
    }
    if collection.denies(url.as_str()) {
        return Err(Problem::Denied);
    }
    let Some(shown) = directions::shown(collection, site.shelf.collections(), &url, time)? else {
        return captures::not_captured(collection, url.as_str(), 404);
    };
    let pdf = shown.pdf;
    let frame = if let Some(origin) = site.base.one_host() {
        let paths = Paths {
            origin: origin.to_owned(),
            collection: format!("{name}~{}", site.base.token(name)),
            timestamp: time,
            modifier: if pdf { Modifier::Pdf } else { Modifier::Page },
        };
        paths.address_alike(url.as_str())
    } else if pdf {
        let origin = site.base.content_origin(name, time, &url.host_key());
        format!("{origin}/.lastlight/pdf{}", url.request_target())
    } else {
        site.base.content_url(name, time, &url)
    };
    let at = |entry: &CdxjEntry| directions::view_of(name, entry);
    let page = Page {
        collection: name.to_owned(),
        home: link::collection(name),
        time,
        shown: clipped(url.as_str(), 200),
        captured: Moment(shown.entry.timestamp),
        without_query: shown.is_without_query(),
        near: shown.near(),
        kept_out: shown.kept_out,
        position: shown.position,
        count: shown.count,
        previous: shown.previous.as_ref().and_then(at),
        next: shown.next.as_ref().and_then(at),
        calendar: link::captures(name, shown.url.as_str()),
        raw: link::raw(name, shown.entry.timestamp, &shown.url),
        details: link::capture(name, &shown.entry),
        open: link::open(name, time, &url),
        frame,
        one_host: site.base.one_host().is_some(),
        pdf,
        url: url.as_str().to_owned(),
    };
    Ok(html(200, &page))
}
