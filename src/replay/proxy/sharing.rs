//! What lets archived origins read each other (CORS, Fetch §3.2): the crawl
//! asked without `Origin`, or for another one, so what was recorded says too
//! little or names someone else.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN, SET_COOKIE, VARY,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};

use crate::url::CanonicalUrl;

/// Whether a browser asks what it may ask.
pub(super) fn is_preflight(request: &Parts) -> bool {
    request.method == Method::OPTIONS && request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// It may.
pub(super) fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let fields = response.headers_mut();
    for (asked, allowed) in [
        (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
        (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
    ] {
        if let Some(value) = request.get(asked) {
            fields.insert(allowed, value.clone());
        }
    }
    response
}

/// Lets the origin that asks read the answer. No more than the site's public
/// captures can be read so, and no credentials are in them.
pub(super) fn fit(request: &HeaderMap, url: &CanonicalUrl, fields: &mut HeaderMap) {
    let Some(origin) = request.get(ORIGIN) else {
        return;
    };
    if origin.as_bytes() == url.host_key().to_string().as_bytes() {
        return;
    }
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let yes = HeaderValue::from_static("true");
    fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    // `*` means nothing where credentials are allowed.
    let exposed = fields.get(ACCESS_CONTROL_EXPOSE_HEADERS);
    if exposed.is_none_or(|names| names.as_bytes().contains(&b'*')) {
        let names = fields.keys().filter(|name| **name != SET_COOKIE);
        let names: Vec<&str> = names.map(HeaderName::as_str).collect();
        if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
        }
    }
    fields.append(VARY, HeaderValue::from_static("Origin"));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn fitted(origin: &'static str, recorded: &[(&'static str, &'static str)]) -> HeaderMap {
        let url = CanonicalUrl::parse("https://api.example/v1").unwrap();
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, HeaderValue::from_static(origin));
        let mut fields = HeaderMap::new();
        for (name, value) in recorded {
            fields.append(*name, HeaderValue::from_static(value));
        }
        fit(&request, &url, &mut fields);
        fields
    }

    #[test]
    fn the_origin_that_asks_may_read_whatever_was_recorded_for_others() {
        for recorded in ["*", "null", "https://other.example"] {
            let fields = fitted(
                "https://www.example",
                &[
                    ("access-control-allow-origin", recorded),
                    ("access-control-expose-headers", "x-total"),
                ],
            );
            assert_eq!(
                fields[ACCESS_CONTROL_ALLOW_ORIGIN], "https://www.example",
                "{recorded}"
            );
            assert_eq!(fields[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
            assert_eq!(fields[ACCESS_CONTROL_EXPOSE_HEADERS], "x-total");
        }
        let fields = fitted("null", &[("x-total", "9"), ("set-cookie", "a=b")]);
        assert_eq!(fields[ACCESS_CONTROL_ALLOW_ORIGIN], "null");
        let exposed = fields[ACCESS_CONTROL_EXPOSE_HEADERS].to_str().unwrap();
        assert!(exposed.contains("x-total") && !exposed.contains("set-cookie"));
    }

    #[test]
    fn a_site_that_reads_itself_gets_what_was_recorded() {
        let recorded = [("access-control-allow-origin", "https://other.example")];
        let fields = fitted("https://api.example", &recorded);
        assert_eq!(fields.len(), 1);
        assert_eq!(fields[ACCESS_CONTROL_ALLOW_ORIGIN], "https://other.example");
    }
}
