//! One capture: what it is, its record's header and the header fields of the
//! exchange, where it stands in its WARC, checks of it, and how to cite it.

use std::borrow::Cow;
use std::sync::Mutex;

use askama::Template;

use super::moment::{Moment, clipped, size};
use super::problem::Problem;
use super::query::Query;
use super::{Site, UiResponse, html, link, listing};
use crate::http::head_length;
use crate::replay::find::{Outcome, Wanted, find};
use crate::replay::record::{Checked, Exchange, Named, Part, Verdict, check};
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::url::CanonicalUrl;
use crate::warc::Header;

/// So much of a block that isn't HTTP is shown.
const MAX_SHOWN: usize = 16 * 1024;
/// Fields of a record that are shown.
const MAX_FIELDS: usize = 200;

/// Held while a record is checked.
static CHECKING: Mutex<()> = Mutex::new(());

#[expect(clippy::struct_excessive_bools, reason = "each is a line of the page")]
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
    verdict: Verdict,
    /// Another check is under way, or a website elsewhere asked for this one.
    check_later: bool,
    /// Whether the addresses by URL and time lead to this capture, of all.
    leads_here: bool,
    shares_member: bool,
    without_request: bool,
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
    let exchange = Exchange::read(collection, &entry, false);
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
    let is_asked = !query.text("verify").is_empty();
    // A website elsewhere has no reading done, and one record at a time is enough.
    let turn = (is_asked && site.is_own)
        .then(|| CHECKING.try_lock().ok())
        .flatten();
    let checks = match &turn {
        Some(_) => Some(check(collection, site.shelf.collections(), &entry)?),
        None => None,
    };
    let leads_here = leads_here(site, collection, &entry);
    let url = CanonicalUrl::parse(&entry.url).ok();
    let linked = |link: fn(&str, _, &CanonicalUrl) -> String| {
        url.as_ref().map(|url| link(name, entry.timestamp, url))
    };
    let here = link::capture(name, &entry);
    let title = listing::title(collection, &entry)?;
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
        without_request: with.iter().all(|kind| kind != "request"),
        with,
        parts,
        broken,
        verdict: Verdict::of(checks.as_deref().unwrap_or_default()),
        check_later: is_asked && checks.is_none(),
        leads_here,
        shares_member: exchange
            .as_ref()
            .is_ok_and(|e| e.as_ref().is_some_and(|e| e.shares_member)),
        checks,
        cite: citation(
            site,
            collection,
            &entry,
            (title.as_deref(), header, leads_here),
        ),
        title,
    };
    Ok(html(200, &page))
}

/// Whether a URL and a time lead to this very capture: not so for one of two in a
/// second, for a redirect to itself, or where URLs have other schemes.
fn leads_here(site: Site<'_>, collection: &Collection, entry: &CdxjEntry) -> bool {
    let Ok(url) = CanonicalUrl::parse(&entry.url) else {
        return false;
    };
    let wanted = Wanted {
        url: &url,
        at: entry.timestamp,
        posted: None,
        may_lose_query: false,
        may_be_near: None,
        passes_loops: true,
        passes_marked: true,
    };
    match find(collection, site.shelf.collections(), wanted) {
        Ok(Outcome::Found(found)) => {
            let shown = &found.capture.entry;
            (&shown.filename, shown.offset, &shown.source)
                == (&entry.filename, entry.offset, &entry.source)
        }
        _ => false,
    }
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
    (title, header, leads_here): (Option<&str>, Option<&Header>, bool),
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
    let (name, url) = (&collection.name, one_line(&entry.url));
    let address = if leads_here {
        format!("/{name}/{}mp_/{url}", entry.timestamp)
    } else {
        link::capture(name, entry)
    };
    format!(
        "{title}{url}, captured {time}. In the web archive “{name}”, {id}payload {digest}. \
         {origin}{address}",
        time = entry.timestamp.rfc3339(),
    )
}
