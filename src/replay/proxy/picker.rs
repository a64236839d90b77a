//! The time picker: pages at a host that no site can have (RFC 2606 §2), seen
//! through the proxy alone. Only its own forms change the time: they carry a
//! word of this run that no archived page can read, no page frames them, and
//! what a browser says of who asks is heeded.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use url::form_urlencoded;

use super::Shared;
use crate::replay::server::status;
use crate::replay::ui;
use crate::snapshot::SnapshotError;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;
use std::sync::Arc;

/// The host of the picker.
pub const HOST: &str = "lastlight.invalid";

/// Captures that are listed; the latest.
const MAX_LISTED: usize = 500;
/// Pages to begin with, of each collection.
const MAX_PAGES: usize = 20;
/// A form is shorter.
const MAX_FORM: usize = 64 * 1024;

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action http: https:; \
                      frame-ancestors 'none'; base-uri 'none'";

/// The address of a page of the picker.
pub(super) fn address(path: &str) -> String {
    // Without TLS: whoever doesn't trust the authority yet gets it here.
    format!("http://{HOST}{path}")
}

/// The page that lists the captures of a URL.
pub(super) fn address_of(url: &str) -> String {
    let query: String = form_urlencoded::byte_serialize(url.as_bytes()).collect();
    address(&format!("/?url={query}"))
}

#[derive(Template)]
#[template(path = "replay/proxy/picker.html")]
struct Page<'a> {
    style: &'static str,
    token: &'a str,
    time: String,
    machine: String,
    said: Option<&'a str>,
    url: Option<&'a str>,
    captures: Vec<Capture>,
    more: usize,
    pages: Vec<Begin>,
    interface: String,
    several: bool,
    collections: String,
}

struct Capture {
    time: String,
    digits: String,
    url: String,
    status: String,
    media_type: String,
    collection: String,
    chosen: bool,
}

struct Begin {
    title: String,
    url: String,
    captures: String,
    collection: String,
}

/// Answers a request for the picker's host.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    url: &CanonicalUrl,
    request: &Parts,
    body: Body,
) -> Response<Body> {
    let mut response = match (&request.method, url.url().path()) {
        (&Method::GET | &Method::HEAD, "/") => {
            let asked = url.url().query_pairs().find(|(name, _)| name == "url");
            let asked = asked.map(|(_, url)| url.trim().to_owned());
            let asked = asked.filter(|url| !url.is_empty());
            shown(shared, asked, None).await
        }
        (&Method::GET | &Method::HEAD, "/ca.pem") => certificate(shared),
        (&Method::POST, "/time") => set(shared, &request.headers, body).await,
        (&Method::GET | &Method::HEAD, _) => status(StatusCode::NOT_FOUND, "no such page\n"),
        _ => {
            let mut response = status(StatusCode::METHOD_NOT_ALLOWED, "not allowed\n");
            let allowed = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allowed);
            response
        }
    };
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        // With none at all a form would be of the origin `null`.
        (REFERRER_POLICY, "same-origin"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

fn certificate(shared: &Shared) -> Response<Body> {
    let mut response = Response::new(Body::from(shared.authority.pem()));
    let kind = HeaderValue::from_static("application/x-x509-ca-cert");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The page, with the captures of a URL where one is given.
async fn shown(
    shared: &Arc<Shared>,
    asked: Option<String>,
    said: Option<&'static str>,
) -> Response<Body> {
    let shared = Arc::clone(shared);
    let page = tokio::task::spawn_blocking(move || page(&shared, asked.as_deref(), said)).await;
    match page {
        Ok(Ok(body)) => {
            let mut response = Response::new(Body::from(body));
            if said.is_some() {
                *response.status_mut() = StatusCode::BAD_REQUEST;
            }
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, html);
            response
        }
        Ok(Err(error)) => {
            let mut response = status(StatusCode::BAD_GATEWAY, "");
            *response.body_mut() = Body::from(format!("{error}\n"));
            response
        }
        Err(_) => status(StatusCode::INTERNAL_SERVER_ERROR, "the page failed\n"),
    }
}

fn page(shared: &Shared, asked: Option<&str>, said: Option<&str>) -> Result<String, SnapshotError> {
    let collections = shared.state.shelf.collections();
    let now = shared.time();
    let url = asked.and_then(|asked| CanonicalUrl::parse_typed(asked).ok());
    let (mut captures, mut pages) = (Vec::new(), Vec::new());
    for collection in collections {
        if let Some(url) = &url {
            for entry in collection.captures(url.surt().as_str())? {
                captures.push((entry.timestamp, &collection.name, entry));
            }
        } else if asked.is_none() {
            let listed = collection.pages(MAX_PAGES)?.into_iter();
            pages.extend(listed.map(|page| Begin {
                captures: address_of(&page.url),
                title: page.title,
                url: page.url,
                collection: collection.name.clone(),
            }));
        }
    }
    // An address that isn't one of the web's, in a list of another tool.
    pages.retain(|page: &Begin| CanonicalUrl::parse(&page.url).is_ok());
    captures.sort_by_key(|capture| capture.0);
    let more = captures.len().saturating_sub(MAX_LISTED);
    let nearest = captures.iter().map(|c| c.0.distance(now)).min();
    let captures = captures.into_iter().skip(more).map(|(time, name, entry)| {
        let is_chosen = Some(time.distance(now)) == nearest;
        Capture {
            time: time.http_date(),
            digits: time.to_string(),
            status: entry.status.clone().unwrap_or_default(),
            media_type: entry.mime.clone().unwrap_or_default(),
            collection: name.clone(),
            chosen: is_chosen,
            url: entry.url,
        }
    });
    let names: Vec<&str> = collections.iter().map(|c| c.name.as_str()).collect();
    let page = Page {
        style: ui::STYLE,
        token: &shared.token,
        time: now.http_date(),
        machine: now.rfc3339(),
        said: said.or((asked.is_some() && url.is_none()).then_some("That is no address.")),
        url: url.as_ref().map(CanonicalUrl::as_str),
        captures: captures.collect(),
        more,
        pages,
        interface: format!("{}/", shared.state.base.ui_origin()),
        several: names.len() > 1,
        collections: names.join(", "),
    };
    Ok(page.render().expect("pages format into memory"))
}

/// Sets the time, and leads to the page that it was set for.
async fn set(shared: &Arc<Shared>, fields: &HeaderMap, body: Body) -> Response<Body> {
    let Ok(body) = to_bytes(body, MAX_FORM).await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long\n");
    };
    let value = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(&body);
        let found = pairs.find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.into_owned())
    };
    let is_own = is_own_form(fields) && value("token").as_ref() == Some(&shared.token);
    if !is_own {
        let text = "The form isn't of this run's own page; open that again.\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let url = value("url");
    let Some(time) = value("time").and_then(|text| typed(&text)) else {
        let said = "That is no time such as 2026-11-26 11:04.";
        return shown(shared, url, Some(said)).await;
    };
    shared.set_time(time);
    let url = url.and_then(|url| CanonicalUrl::parse(&url).ok());
    let target = url.map_or_else(|| "/".to_owned(), |url| url.to_string());
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(target) = HeaderValue::from_str(&target) {
        response.headers_mut().insert(LOCATION, target);
    }
    response
}

/// What the browser says of who sends a form: this host, or nothing.
fn is_own_form(fields: &HeaderMap) -> bool {
    let own = [format!("http://{HOST}"), format!("https://{HOST}")];
    let origin = fields
        .get(ORIGIN)
        .is_none_or(|origin| own.iter().any(|own| origin == own));
    let site = fields.get("sec-fetch-site");
    origin && site.is_none_or(|site| site == "same-origin")
}

/// A time as a person types it, as far as it matters: its digits.
fn typed(text: &str) -> Option<Timestamp14> {
    let is_date = |c: char| c.is_ascii_digit() || "-:T Z/.".contains(c);
    if !text.trim().chars().all(is_date) {
        return None;
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
    Timestamp14::from_prefix(&digits).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_type_them() {
        for (text, expected) in [
            ("2026", Some("20260101000000")),
            (" 2026-11-26 ", Some("20261126000000")),
            ("2026-11-26T11:04", Some("20261126110400")),
            ("2026-11-26T11:04:20Z", Some("20261126110420")),
            ("20261126110420", Some("20261126110420")),
            ("", None),
            ("yesterday", None),
            ("2026-13-01", None),
            ("99", None),
        ] {
            let found = typed(text).map(|time| time.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
