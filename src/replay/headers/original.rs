//! The fields of an archived answer at its own address, as the proxy sends
//! them: what a page needs stays as it was recorded.

use axum::http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};

use super::{MAX_SET_COOKIE_BYTES, Room, append, cookie_without, memento, taken};
use crate::http::Head;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Fields that don't pass.
const DROPPED: [&str; 32] = [
    // Of the connection that the capture was made on (RFC 9110 §7.6.1); how
    // the body is framed and coded here is told anew.
    "connection",
    "content-encoding",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
    "proxy-status",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Promises and orders for the live site that outlive the visit.
    "accept-ch-lifetime",
    "alt-svc",
    "alt-used",
    "clear-site-data",
    "expect-ct",
    "expect-staple",
    "http2-settings",
    "nel",
    "public-key-pins",
    "public-key-pins-report-only",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "strict-transport-security",
    // Answers change with the time that the reader chooses, so none is kept.
    "age",
    "cache-control",
    "expires",
    "pragma",
    // Of an archive that was itself archived.
    "memento-datetime",
    "accept-datetime",
];

/// The fields of an archived answer for its own address. The connection's and
/// what acts beyond the visit are left out, as are lifetimes in caches and of
/// cookies, which are over since the capture.
pub fn original(head: &Head<'_>, url: &CanonicalUrl, captured: Timestamp14) -> HeaderMap {
    let named: Vec<String> = head
        .values("connection")
        .flat_map(|names| {
            let names = names
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase());
            names.collect::<Vec<_>>()
        })
        .collect();
    let mut fields = HeaderMap::new();
    let mut room = Room::default();
    for field in &head.fields {
        let Ok(name) = HeaderName::from_bytes(field.name) else {
            continue;
        };
        if DROPPED.contains(&name.as_str()) || named.iter().any(|other| name == other.as_str()) {
            continue;
        }
        if name == SET_COOKIE {
            if let Some(cookie) = cookie_without(&[], &field.text(), captured)
                && taken(&mut room.cookies, cookie.len(), MAX_SET_COOKIE_BYTES)
            {
                append(&mut fields, SET_COOKIE, &cookie);
            }
        } else if let Ok(value) = HeaderValue::from_bytes(&field.value)
            && room.takes(&name, &field.value)
        {
            // The map refuses more than 32,768 fields.
            let _ = fields.try_append(name, value);
        }
    }
    memento(&mut fields, url.as_str(), captured);
    fields
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(head: &[u8]) -> HeaderMap {
        let url = CanonicalUrl::parse("https://example.org/a").unwrap();
        original(&Head::parse(head), &url, "20200101000000".parse().unwrap())
    }

    #[test]
    fn what_a_page_needs_passes_as_it_was_recorded() {
        let fields = of(
            b"HTTP/1.1 200 OK\r\nContent-Security-Policy: default-src 'self'\r\n\
            X-Frame-Options: DENY\r\nCross-Origin-Opener-Policy: same-origin\r\n\
            Location: https://other.example/\r\nX-Name: caf\xe9\r\nLink: </a.css>; rel=preload\r\n\
            Set-Cookie: a=b; Domain=example.org; Expires=Wed, 21 Oct 2020 07:28:00 GMT; Secure\r\n\
            Set-Cookie: c=d; Partitioned\r\n\r\n",
        );
        for (name, value) in [
            ("content-security-policy", &b"default-src 'self'"[..]),
            ("x-frame-options", b"DENY"),
            ("cross-origin-opener-policy", b"same-origin"),
            ("location", b"https://other.example/"),
            ("x-name", b"caf\xe9"),
            ("memento-datetime", b"Wed, 01 Jan 2020 00:00:00 GMT"),
        ] {
            assert_eq!(fields[name].as_bytes(), value, "{name}");
        }
        let all = |name: &str| -> Vec<String> {
            let values = fields.get_all(name).iter();
            values.map(|v| v.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(
            all("set-cookie"),
            ["a=b; Domain=example.org; Secure", "c=d; Partitioned"]
        );
        assert_eq!(
            all("link"),
            [
                "</a.css>; rel=preload",
                "<https://example.org/a>; rel=\"original\""
            ]
        );
    }

    #[test]
    fn what_acts_on_the_connection_or_beyond_the_visit_is_left_out() {
        let mut head = String::from("HTTP/1.1 200 OK\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n");
        for name in DROPPED {
            head += &format!("{}: max-age=9\r\n", name.to_uppercase());
        }
        let fields = of(format!("{head}bad name: x\r\n\r\n").as_bytes());
        let names: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["memento-datetime", "link"]);
        let long = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "x".repeat(300_000));
        assert!(!of(long.as_bytes()).contains_key("x-a"));
    }
}
