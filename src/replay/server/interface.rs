//! What the interface's host answers, and the listener by its address.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    CONTENT_TYPE, HeaderMap, HeaderValue, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};

use super::{
    RUNTIME, State, download, is_of_another_website, is_read, ledger, not_allowed, paths, record,
    redirect, script, status, target,
};
use crate::count::counted;
use crate::replay::address::Base;
use crate::replay::ui::{self, UiRequest};
use crate::replay::way::RUNTIME as RUNTIME_PATH;
use crate::snapshot::collection::Collection;
use crate::snapshot::posted::Posted;
use crate::time::Timestamp14;

/// `base` is the server as the reader names it.
pub(super) async fn answer(state: &Arc<State>, base: &Base, request: &Parts) -> Response<Body> {
    // Nothing there changes anything but a button of its own, so no other method
    // and no `Origin` is let in.
    let (path, query) = target(request);
    let asked = paths::Asked::of(state, base, &path, query.as_deref());
    // A page of path mode may ask whether it may ask.
    let is_archived = asked.is_some();
    let asks_first = request.method == Method::OPTIONS && is_archived;
    let is_posted = is_archived && request.extensions.get::<Posted>().is_some();
    let is_pressed = is_button(base, &path, request);
    if !is_read(&request.method) && !asks_first && !is_posted && !is_pressed {
        return not_allowed();
    }
    // Path mode has rules of its own; its pages have no origin, and get the runtime.
    let is_open = is_archived || path == RUNTIME_PATH;
    if !is_open && is_of_another_website(base, &request.headers) {
        let text = "The interface is for its own pages\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let mut response = if let Some(rest) = path.strip_prefix("/-/missing/") {
        missing_list(state, rest, query.as_deref())
    } else if let Some(rest) = path.strip_prefix("/-/times/") {
        times(state, rest, query.as_deref())
    } else if path == RUNTIME_PATH {
        script(RUNTIME)
    } else if let Some(asked) = asked {
        asked.answer(state, request).await
    } else if let Some(name) = download::collection(&path, "record") {
        record::download(state, name, query.as_deref()).await
    } else if let Some(name) = download::collection(&path, "ledger.csv") {
        ledger::download(state, name, query.as_deref()).await
    } else {
        let asked = UiRequest {
            path,
            query,
            posted: is_pressed,
            is_own: is_own(&request.headers),
            base: base.clone(),
        };
        ui::route(state, asked).await
    };
    let fields = response.headers_mut();
    // Archived pages can set cookies for this host, so it has none of its own.
    fields.remove(SET_COOKIE);
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    if !is_archived {
        let no_referrer = HeaderValue::from_static("no-referrer");
        fields.insert(REFERRER_POLICY, no_referrer);
    }
    response
}

/// Whether the button of the page was pressed that opens a browser. Where a POST
/// comes from, browsers say in `Origin`, and no archived page has the interface's.
fn is_button(base: &Base, path: &str, request: &Parts) -> bool {
    let origin = request.headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let own = base
        .one_host()
        .map_or_else(|| base.ui_origin(), str::to_owned);
    request.method == Method::POST
        && path.starts_with("/c/")
        && path.ends_with("/open")
        && origin == Some(own.as_bytes())
        && is_own(&request.headers)
}

/// Whether no website elsewhere made the request; only browsers tell.
fn is_own(fields: &HeaderMap) -> bool {
    let site = fields.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// The listener by its address: path mode is there, for tools and for readers
/// whose browser knows no names below `localhost`; others are led to the
/// interface.
pub(super) async fn on_loopback(
    state: &Arc<State>,
    base: &Base,
    request: &Parts,
) -> Response<Body> {
    let (path, query) = target(request);
    let is_path_mode = paths::is_of_path_mode(state, base, &path, query.as_deref());
    if is_path_mode || paths::is_reader_of_path_mode(&request.headers) {
        return answer(state, base, request).await;
    }
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    redirect(&format!("{}{path}{query}", state.base.ui_origin()))
}

/// The visit that `<collection>/<timestamp14>` names.
fn visit_of<'s>(state: &'s State, rest: &str) -> Option<(&'s Collection, Timestamp14)> {
    let (name, time) = rest.split_once('/')?;
    Some((state.shelf.get(name)?, time.parse().ok()?))
}

/// The page that a query names.
fn page_of(query: Option<&str>) -> Option<String> {
    ::url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "page")
        .map(|(_, page)| page.into_owned())
}

/// When the parts of a page were captured, for the banner.
fn times(state: &State, rest: &str, query: Option<&str>) -> Response<Body> {
    let place = visit_of(state, rest).zip(page_of(query));
    let Some(((collection, visit), page)) = place else {
        return status(StatusCode::NOT_FOUND, "no such visit\n");
    };
    let told = match state.spread.of(&collection.name, visit, &page) {
        Some(times) => serde_json::json!({
            "text": times.text(),
            "detail": format!(
                "{}, from {} to {}",
                counted(times.parts, "part"),
                times.first.rfc3339(),
                times.last.rfc3339()
            ),
        }),
        // Nothing of that page was served.
        None => serde_json::json!({}),
    };
    let mut response = Response::new(Body::from(told.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn missing_list(state: &State, rest: &str, query: Option<&str>) -> Response<Body> {
    let Some((collection, timestamp)) = visit_of(state, rest) else {
        return status(StatusCode::NOT_FOUND, "no such visit\n");
    };
    let page = page_of(query);
    let list = state
        .missing
        .list(&collection.name, timestamp, page.as_deref());
    let json = serde_json::to_vec(&list).expect("a list of texts and numbers is JSON");
    let mut response = Response::new(Body::from(json));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
