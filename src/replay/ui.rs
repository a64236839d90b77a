//! The interface. A bare shell until the pages are merged.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};

use super::server::State;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// A request to the interface's host.
pub struct UiRequest {
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// The query, without `?`.
    pub query: Option<String>,
    /// Whether only the head is asked for.
    pub head: bool,
}

/// Answers a request to the interface.
#[expect(clippy::unused_async, reason = "the pages read the index")]
pub async fn route(state: &Arc<State>, request: UiRequest) -> Response<Body> {
    let shown = request.path.strip_prefix("/view/").and_then(|rest| {
        let (collection, rest) = rest.split_once('/')?;
        let (time, url) = rest.split_once('/')?;
        let query = request.query.as_ref().map(|query| format!("?{query}"));
        let url = CanonicalUrl::parse(&format!("{url}{}", query.unwrap_or_default())).ok()?;
        let time: Timestamp14 = time.parse().ok()?;
        Some(state.base.content_url(collection, time, &url))
    });
    let (status, page) = match shown {
        Some(address) => {
            let address = address.replace('&', "&amp;").replace('"', "%22");
            let frame = format!(
                "<!doctype html><title>Lastlight</title><iframe width=\"1000\" height=\"700\" \
                 sandbox=\"allow-scripts allow-same-origin allow-forms allow-modals\" \
                 src=\"{address}\"></iframe>"
            );
            (StatusCode::OK, frame)
        }
        None => (StatusCode::NOT_FOUND, "<!doctype html>".to_owned()),
    };
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}
