//! What the hosts of archived origins answer.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};

use super::{
    MAX_COOKIE_BYTES, RUNTIME, SHARED_WORKER, State, cookie_bytes, is_of_another_website, is_read,
    not_allowed, on_thread, redirect, referrer, script, status, target,
};
use crate::replay::address::{Base, Visit};
use crate::replay::answer::{self, Asked, Form, no_collection};
use crate::replay::missing::Told;
use crate::replay::rewrite::RESERVED;
use crate::snapshot::posted::Posted;
use crate::url::CanonicalUrl;

pub(super) async fn answer(state: &Arc<State>, visit: &Visit, request: &Parts) -> Response<Body> {
    let fields = &request.headers;
    if cookie_bytes(fields) > MAX_COOKIE_BYTES {
        return too_many_cookies();
    }
    if request.method == Method::OPTIONS {
        return preflight(fields);
    }
    if fields
        .get("service-worker")
        .is_some_and(|value| value == "script")
    {
        let text = "Service workers aren't replayed\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    if state.shelf.get(&visit.collection).is_none() {
        return no_collection(&state.base, &visit.collection).map(Body::from);
    }
    if is_of_another_website(&state.base, fields) {
        let text = "Archived content is for the replay's own pages\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let (path, query) = target(request);
    let whole = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    if let Some(own) = whole.strip_prefix(RESERVED) {
        return reserved(state, visit, own, request).await;
    }
    let Ok(url) = CanonicalUrl::parse(&format!("{}{whole}", visit.origin)) else {
        return status(StatusCode::BAD_REQUEST, "not a URL that can be captured\n");
    };
    let referrer = referrer(&state.base, fields);
    if !is_read(&request.method) && request.extensions.get::<Posted>().is_none() {
        let (name, at) = (&visit.collection, visit.timestamp);
        let method = request.method.as_str().to_ascii_lowercase();
        state.missing.count(
            name,
            at,
            Told {
                url: url.as_str(),
                referrer: referrer.as_deref(),
                kind: &method,
            },
        );
        return not_allowed();
    }
    if fields
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest == "document")
    {
        let view = state
            .base
            .view_url(&visit.collection, visit.timestamp, url.as_str());
        return redirect(&view);
    }
    let visit = visit.clone();
    let asked = asked(visit, url, Form::Replayed, referrer, request);
    archived(state, &state.base, asked).await
}

/// Replay's own things at a content origin.
async fn reserved(state: &Arc<State>, visit: &Visit, own: &str, request: &Parts) -> Response<Body> {
    if !is_read(&request.method) {
        return not_allowed();
    }
    if own == "runtime.js" {
        return script(RUNTIME);
    }
    if own.split('?').next() == Some("worker.js") {
        return script(SHARED_WORKER);
    }
    if let Some(url) = own.strip_prefix("to/") {
        return match CanonicalUrl::parse(url) {
            Ok(url) => redirect(
                &state
                    .base
                    .content_url(&visit.collection, visit.timestamp, &url),
            ),
            Err(_) => status(StatusCode::BAD_REQUEST, "not a URL that can be captured\n"),
        };
    }
    let file = [("pdf/", Form::Pdf), ("file/", Form::File)]
        .into_iter()
        .find_map(|(start, form)| Some((form, own.strip_prefix(start)?)));
    let file = file.and_then(|(form, rest)| {
        let url = CanonicalUrl::parse(&format!("{}/{rest}", visit.origin)).ok()?;
        Some((form, url))
    });
    let Some((form, url)) = file else {
        return status(StatusCode::NOT_FOUND, "nothing of the replay is here\n");
    };
    let is_alone = request
        .headers
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest == "document");
    if is_alone && form == Form::File {
        let (name, at) = (&visit.collection, visit.timestamp);
        return redirect(&state.base.view_url(name, at, url.as_str()));
    }
    let asked = asked(visit.clone(), url, form, None, request);
    archived(state, &state.base, asked).await
}

pub(super) fn asked(
    visit: Visit,
    url: CanonicalUrl,
    form: Form,
    referrer: Option<String>,
    request: &Parts,
) -> Asked {
    let text = |name: &str| {
        let value = request.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Asked {
        visit,
        url,
        form,
        dest: text("sec-fetch-dest").unwrap_or_default(),
        range: text("range"),
        accepts: text("accept-encoding").unwrap_or_default(),
        referrer,
        posted: request.extensions.get::<Posted>().cloned(),
        paths: None,
    }
}

pub(super) async fn archived(state: &Arc<State>, base: &Base, asked: Asked) -> Response<Body> {
    let base = base.clone();
    let answers = move |state: &State, outlet| answer::answer(state, &base, &asked, outlet);
    on_thread(state, answers).await
}

/// Whether a request comes from the same visit: what one archived site shares
/// with another stays within one collection at one time.
fn is_same_visit(base: &Base, visit: &Visit, origin: &str) -> bool {
    base.archived_url(origin).is_some_and(|(other, _)| {
        other.collection == visit.collection && other.timestamp == visit.timestamp
    })
}

/// Lets archived origins of one visit read each other, as their servers may
/// have let them: what was captured says so for one origin only, and not for
/// the one that replays it.
pub(super) fn allow_sharing(
    base: &Base,
    visit: &Visit,
    request: &HeaderMap,
    fields: &mut HeaderMap,
) {
    fields.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(ORIGIN) else {
        return;
    };
    let Ok(text) = origin.to_str() else {
        return;
    };
    if is_same_visit(base, visit, text) {
        let yes = HeaderValue::from_static("true");
        // With credentials no wildcard stands for all.
        let names: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        let all = HeaderValue::from_str(&names.join(", "));
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        if let Ok(all) = all {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, all);
        }
    }
}

pub(super) fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let fields = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH");
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

fn too_many_cookies() -> Response<Body> {
    status(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Archived pages had set too many cookies; they are cleared. Load the page again.\n",
    )
}
