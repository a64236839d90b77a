//! One capture: what it is, its record's header and the header fields of the
//! exchange, where it stands in its WARC, checks of it, and how to cite it.

use std::borrow::Cow;

use askama::Template;

use super::moment::{Moment, clipped, size};
use super::problem::Problem;
use super::query::Query;
use super::{Site, UiResponse, html, link, listing};
use crate::http::head_length;
use crate::replay::record::{Checked, Exchange, Named, Part, check};
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::url::CanonicalUrl;
use crate::warc::Header;

/// So much of a block that isn't HTTP is shown.
const MAX_SHOWN: usize = 16 * 1024;
/// Fields of a record that are shown.
const MAX_FIELDS: usize = 200;

#[derive(Template)]
#[template(path = "replay/ui/capture.html")]
struct Page {
    collection: String,
    home: String,
    title: Option<String>,
    url: String,
    calendar: String,
    time: Moment,
    view: Option<String>,
    raw: Option<String>,
    record: String,
    verify: String,
    status: String,
    mark: String,
    media_type: String,
    is_revisit: bool,
    digest: String,
    filename: String,
    offset: u64,
    length: String,
    with: Vec<String>,
    parts: Vec<Shown>,
    broken: Option<String>,
    checks: Option<Vec<Checked>>,
    holds: bool,
    cite: String,
}

/// A record as it is shown.
struct Shown {
    kind: String,
    fields: Vec<(String, String)>,
    /// The head of an HTTP message, or the start of another text.
    text: Option<String>,
    text_is_cut: bool,
    what: &'static str,
}

pub(super) fn page(
    site: Site<'_>,
    collection: &Collection,
    query: &Query,
) -> Result<UiResponse, Problem> {
    let named = Named::of(|name| query.text(name).to_owned()).ok_or(Problem::NoPage)?;
    let Some(entry) = named.entry(collection)? else {
        return super::captures::not_captured(collection, &named.url, 404);
    };
    let name = &collection.name;
    let exchange = Exchange::read(collection, &entry);
    let (parts, with, broken) = match &exchange {
        Ok(Some(exchange)) => {
            let mut parts = vec![Shown::of(&exchange.record)];
            parts.extend(exchange.beside.iter().map(Shown::of));
            let with = exchange.beside.iter().map(kind).collect();
            (parts, with, None)
        }
        Ok(None) => (
            Vec::new(),
            Vec::new(),
            Some("no record begins there".to_owned()),
        ),
        Err(error) => (Vec::new(), Vec::new(), Some(error.to_string())),
    };
    let checks = match query.text("verify") {
        "" => None,
        _ => Some(check(collection, site.shelf.collections(), &entry)?),
    };
    let url = CanonicalUrl::parse(&entry.url).ok();
    let linked = |link: fn(&str, _, &CanonicalUrl) -> String| {
        url.as_ref().map(|url| link(name, entry.timestamp, url))
    };
    let here = link::capture(name, &entry);
    let title = listing::title(collection, &entry.url)?;
    let header = exchange
        .as_ref()
        .ok()
        .and_then(Option::as_ref)
        .map(|e| &e.record.header);
    let page = Page {
        collection: name.clone(),
        home: link::collection(name),
        url: clipped(&entry.url, 500),
        calendar: link::captures(name, &entry.url),
        time: Moment(entry.timestamp),
        view: linked(link::view),
        raw: linked(link::raw),
        record: link::record(name, &entry),
        verify: format!("{here}&verify=1#checks"),
        status: clipped(entry.status.as_deref().unwrap_or_default(), 12),
        mark: clipped(entry.mark.as_deref().unwrap_or_default(), 40),
        media_type: clipped(entry.mime.as_deref().unwrap_or_default(), 80),
        is_revisit: entry.is_revisit(),
        digest: clipped(entry.digest.as_deref().unwrap_or_default(), 200),
        filename: clipped(&entry.filename, 300),
        offset: entry.offset,
        length: size(entry.length),
        with,
        parts,
        broken,
        holds: checks
            .iter()
            .flatten()
            .all(|check| check.holds != Some(false)),
        checks,
        cite: citation(site, collection, &entry, title.as_deref(), header),
        title,
    };
    Ok(html(200, &page))
}

fn kind(part: &Part) -> String {
    clipped(part.header.record_type().as_str(), 40)
}

impl Shown {
    fn of(part: &Part) -> Self {
        let fields = part.header.fields().take(MAX_FIELDS);
        let fields = fields.map(|(name, value)| (clipped(name, 100), clipped(value, 2_000)));
        let is_fields = (part.header.field("Content-Type"))
            .is_some_and(|kind| kind.starts_with("application/warc-fields"));
        let (what, text, text_is_cut) = if part.header.is_http() {
            let length = head_length(&part.start).unwrap_or(part.start.len());
            let is_cut = length == part.start.len() && part.is_cut;
            (
                "Header fields of the message",
                Some(&part.start[..length]),
                is_cut,
            )
        } else if is_fields {
            let length = part.start.len().min(MAX_SHOWN);
            let is_cut = part.is_cut || length < part.start.len();
            ("Its fields", Some(&part.start[..length]), is_cut)
        } else {
            ("", None, false)
        };
        Self {
            kind: kind(part),
            fields: fields.collect(),
            text: text.map(|text| String::from_utf8_lossy(text).trim_end().to_owned()),
            text_is_cut,
            what,
        }
    }
}

/// What names the capture for good: URL, time, record and digest. The address
/// is this replay's, and only the rest of it holds elsewhere.
fn citation(
    site: Site<'_>,
    collection: &Collection,
    entry: &CdxjEntry,
    title: Option<&str>,
    header: Option<&Header>,
) -> String {
    let one_line = |text: &str| -> String {
        let printed = text.chars().map(|c| if c.is_control() { ' ' } else { c });
        printed.take(2_000).collect()
    };
    let title = title.map_or(String::new(), |title| format!("“{}”. ", one_line(title)));
    let id = header.and_then(Header::record_id).map(one_line);
    let id = id.map_or(String::new(), |id| format!("WARC record {id}, "));
    let stated = header.and_then(|header| header.field("WARC-Payload-Digest"));
    let digest = stated.map_or(
        entry
            .digest
            .as_deref()
            .map_or(Cow::Borrowed("no digest"), Cow::Borrowed),
        |stated| Cow::Owned(one_line(stated)),
    );
    let origin = site
        .base
        .one_host()
        .map_or_else(|| site.base.ui_origin(), str::to_owned);
    format!(
        "{title}{url}, captured {time}. In the web archive “{name}”, {id}payload {digest}. \
         {origin}/{name}/{stamp}mp_/{url}",
        url = one_line(&entry.url),
        time = entry.timestamp.rfc3339(),
        name = collection.name,
        stamp = entry.timestamp,
    )
}
