//! The header fields of an archived answer as replay sends them: a few pass,
//! some are mapped to replay's addresses, and the others go under another
//! name, where they can be read and do nothing.

mod original;

pub use original::original;

use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, LAST_MODIFIED, LINK, LOCATION, REFRESH, SET_COOKIE,
};

use super::way::Way;
use crate::http::{Field, Head};
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Fields that describe the entity and pass as they came.
const PASSED: [HeaderName; 5] = [
    CONTENT_DISPOSITION,
    CONTENT_LANGUAGE,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
];

/// Fields of the connection that the capture was made on: nobody misses them.
const DROPPED: [&str; 5] = [
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "trailer",
];

/// What the fields are mapped with.
pub struct Mapping<'a> {
    /// Where addresses lead.
    pub way: Way<'a>,
    /// The URL that was asked for.
    pub url: &'a CanonicalUrl,
    /// When the answer was captured.
    pub captured: Timestamp14,
}

impl Mapping<'_> {
    /// The fields of an archived answer for a content origin.
    pub fn fields(&self, head: &Head<'_>) -> HeaderMap {
        let mut fields = HeaderMap::new();
        let mut room = Room::default();
        for field in &head.fields {
            if field.is("location") {
                room.pass(&mut fields, LOCATION, &self.location(&field.text()));
            } else if field.is("refresh") {
                if let Some(refresh) = self.refresh(&field.text()) {
                    room.pass(&mut fields, REFRESH, &refresh);
                }
            } else if field.is("set-cookie") {
                if let Some(cookie) = cookie(&field.text(), self.captured)
                    && taken(&mut room.cookies, cookie.len(), MAX_SET_COOKIE_BYTES)
                {
                    append(&mut fields, SET_COOKIE, &cookie);
                }
            } else if let Some(name) = PASSED.iter().find(|name| field.is(name.as_str())) {
                room.pass(&mut fields, name.clone(), &field.text());
            } else {
                room.rename(&mut fields, field);
            }
        }
        memento(&mut fields, self.url.as_str(), self.captured);
        fields
    }

    /// A reference stays as it is where it resolves to the right place so.
    pub fn location(&self, reference: &str) -> String {
        if self.way.stays(reference) {
            return reference.to_owned();
        }
        self.address_of(reference)
            .unwrap_or_else(|| reference.to_owned())
    }

    /// Where a reference leads at replay; `None` where it isn't http or https.
    fn address_of(&self, reference: &str) -> Option<String> {
        let url = self.url.url().join(reference.trim()).ok()?;
        self.way.address(url, None)
    }

    fn refresh(&self, value: &str) -> Option<String> {
        let Some((delay, target)) = value.split_once([';', ',']) else {
            return Some(value.to_owned());
        };
        let target = target.trim();
        let reference = match target.split_at_checked(3) {
            Some((url, rest)) if url.eq_ignore_ascii_case("url") => rest
                .trim_start()
                .strip_prefix('=')
                .map_or(target, str::trim_start),
            _ => target,
        };
        let reference = reference.trim_matches(['"', '\'']);
        self.address_of(reference)
            .map(|address| format!("{delay}; url={address}"))
    }
}

/// Whether a reference names a host or a scheme of its own, or may do so to a
/// lenient parser.
pub fn is_absolute(reference: &str) -> bool {
    let reference = reference.trim_start_matches(|c: char| c <= ' ');
    let mut chars = reference.chars();
    match chars.next() {
        None | Some('?' | '#') => false,
        Some('/') => match chars.next() {
            None => false,
            Some(c) => matches!(c, '/' | '\\' | '&') || c < ' ',
        },
        Some(_) => reference
            .chars()
            .take_while(|c| !matches!(c, '/' | '?' | '#'))
            .any(|c| matches!(c, ':' | '\\' | '&') || c < ' '),
    }
}

/// The raw fields of an archived answer, for `id_`.
pub fn raw(head: &Head<'_>, url: &CanonicalUrl, captured: Timestamp14) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let mut room = Room::default();
    for field in &head.fields {
        let passed = PASSED.iter().find(|name| field.is(name.as_str()));
        if let Some(name) = passed {
            room.pass(&mut fields, name.clone(), &field.text());
        } else if field.is("content-encoding") {
            room.pass(&mut fields, CONTENT_ENCODING, &field.text());
        } else {
            room.rename(&mut fields, field);
        }
    }
    memento(&mut fields, url.as_str(), captured);
    fields
}

/// What says which capture an answer is (RFC 7089 §2.1).
fn memento(fields: &mut HeaderMap, url: &str, captured: Timestamp14) {
    let datetime = HeaderName::from_static("memento-datetime");
    append(fields, datetime, &captured.http_date());
    append(fields, LINK, &format!("<{url}>; rel=\"original\""));
}

/// Cookies of one answer take at most so many bytes: browsers send them back
/// with every request.
const MAX_SET_COOKIE_BYTES: usize = 8 * 1024;

/// Original fields take at most so many bytes of an answer: browsers refuse
/// answers with much more.
const MAX_ORIGINAL_BYTES: usize = 32 * 1024;

/// Fields that pass take at most so many bytes: browsers refuse an answer with
/// a head of 256 KiB. What is left out stands in the record.
pub const MAX_PASSED_BYTES: usize = 128 * 1024;

/// Bytes that were taken of each bound, so that no head is refused.
#[derive(Default)]
struct Room {
    passed: usize,
    original: usize,
    cookies: usize,
}

impl Room {
    fn pass(&mut self, fields: &mut HeaderMap, name: HeaderName, value: &str) {
        if self.takes(&name, value.as_bytes()) {
            if name == CONTENT_TYPE {
                // Of several the last is the type; which of two a reader takes must
                // not be its choice.
                fields.remove(CONTENT_TYPE);
            }
            append(fields, name, value);
        }
    }

    fn takes(&mut self, name: &HeaderName, value: &[u8]) -> bool {
        let length = name.as_str().len() + value.len();
        taken(&mut self.passed, length, MAX_PASSED_BYTES)
    }

    fn rename(&mut self, fields: &mut HeaderMap, field: &Field<'_>) {
        if DROPPED.iter().any(|name| field.is(name)) {
            return;
        }
        let mut name = b"x-archive-orig-".to_vec();
        name.extend_from_slice(field.name);
        if !field.name.is_empty()
            && let Ok(name) = HeaderName::from_bytes(&name)
            && taken(
                &mut self.original,
                name.as_str().len() + field.value.len(),
                MAX_ORIGINAL_BYTES,
            )
        {
            append(fields, name, &field.text());
        }
    }
}

/// Takes so many bytes, if there is room for them.
fn taken(used: &mut usize, length: usize, most: usize) -> bool {
    let fits = *used + length <= most;
    *used += if fits { length } else { 0 };
    fits
}

/// A value that HTTP can't carry is left out.
fn append(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        // The map refuses more than 32,768 fields; an answer never has as many.
        let _ = fields.try_append(name, value);
    }
}

/// A `Set-Cookie` value for the content origin. `Domain` would name a host
/// that isn't ours, or reach other archived sites and the interface. A cookie
/// that was to outlive the capture lives for the session: its date is past.
/// `None` where there is no cookie in it.
pub fn cookie(value: &str, captured: Timestamp14) -> Option<String> {
    cookie_without(&["domain", "partitioned"], value, captured)
}

/// A `Set-Cookie` value without attributes of these names, and without a date
/// that was to come when it was captured.
fn cookie_without(dropped: &[&str], value: &str, captured: Timestamp14) -> Option<String> {
    let mut parts = value.split(';');
    let pair = parts.next()?.trim();
    if pair.is_empty() {
        return None;
    }
    let mut out = pair.to_owned();
    for attribute in parts {
        let attribute = attribute.trim();
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let kept = match name.trim().to_ascii_lowercase().as_str() {
            "" => false,
            "expires" => deletes(value, captured),
            name => !dropped.contains(&name),
        };
        if kept {
            out.push_str("; ");
            out.push_str(attribute);
        }
    }
    Some(out)
}

/// Whether an `Expires` date was past when the answer was captured.
fn deletes(date: &str, captured: Timestamp14) -> bool {
    let date = date.trim().replace('-', " ");
    jiff::fmt::rfc2822::parse(&date)
        .is_ok_and(|date| date.timestamp().as_second() <= captured.unix_seconds())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::replay::address::{Base, Visit};

    const HEAD: &[u8] = b"HTTP/1.1 301 Moved\r\nContent-Type: text/html\r\n\
        Location: https://www.example.org/new#part\r\nX-Frame-Options: DENY\r\n\
        Content-Security-Policy: default-src 'none'\r\nStrict-Transport-Security: max-age=1\r\n\
        Set-Cookie: a=b; Domain=.example.org; Path=/; Secure; Expires=Wed, 21 Oct 2035 07:28:00 GMT\r\n\
        Set-Cookie: gone=; Expires=Thu, 01-Jan-1970 00:00:00 GMT\r\n\
        Refresh: 5; URL='/next'\r\nTransfer-Encoding: chunked\r\nbad name: x\r\n\r\n";

    fn fields(url: &str) -> HeaderMap {
        mapped(url, HEAD)
    }

    fn mapped(url: &str, head: &[u8]) -> HeaderMap {
        let base = Base::new(8080);
        let url = CanonicalUrl::parse(url).unwrap();
        let time = "20260322101500".parse().unwrap();
        let visit = Visit {
            origin: url.host_key(),
            timestamp: time,
            collection: "demo".into(),
        };
        let mapping = Mapping {
            way: Way::Origins(&base, &visit),
            url: &url,
            captured: time,
        };
        mapping.fields(&Head::parse(head))
    }

    #[test]
    fn a_head_that_no_browser_takes_is_passed_without_its_largest_fields() {
        let long = "x".repeat(100_000);
        let mut head =
            format!("HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Disposition: {long}\r\n");
        head += &format!("ETag: {long}\r\nContent-Type: text/html\r\n");
        head += &"Set-Cookie: a=b\r\nLocation: /a\r\nX-Short: y\r\n".repeat(10_000);
        head += "Last-Modified: now\r\n\r\n";
        let fields = mapped("https://www.example.org/", head.as_bytes());
        let bytes: usize = fields.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        assert!(bytes < 200 * 1024, "{bytes}");
        assert_eq!(fields["content-type"], "text/html");
        assert_eq!(fields["x-archive-orig-x-short"], "y");
        assert!(fields.contains_key("content-disposition") && !fields.contains_key("etag"));
        assert!(fields.contains_key("memento-datetime"));
        let url = CanonicalUrl::parse("https://www.example.org/").unwrap();
        let time = "20260322101500".parse().unwrap();
        let raw = raw(&Head::parse(head.as_bytes()), &url, time);
        let bytes: usize = raw.iter().map(|(n, v)| n.as_str().len() + v.len()).sum();
        assert!(
            bytes < 200 * 1024 && raw.contains_key("content-type"),
            "{bytes}"
        );
    }

    #[test]
    fn fields_pass_are_mapped_or_renamed() {
        let fields = fields("http://example.org/old");
        let one = |name: &str| {
            fields
                .get(name)
                .map(|v| v.to_str().unwrap().to_owned())
                .unwrap_or_default()
        };
        assert_eq!(
            one("location"),
            "http://s-www-example-org.20260322101500.demo.lastlight.localhost:8080/new#part"
        );
        assert_eq!(
            one("refresh"),
            "5; url=http://h-example-org.20260322101500.demo.lastlight.localhost:8080/next"
        );
        assert_eq!(one("x-archive-orig-x-frame-options"), "DENY");
        assert_eq!(
            one("x-archive-orig-content-security-policy"),
            "default-src 'none'"
        );
        assert_eq!(one("memento-datetime"), "Sun, 22 Mar 2026 10:15:00 GMT");
        assert_eq!(one("link"), "<http://example.org/old>; rel=\"original\"");
        for absent in [
            "x-frame-options",
            "content-security-policy",
            "strict-transport-security",
            "transfer-encoding",
        ] {
            assert!(!fields.contains_key(absent), "{absent}");
        }
        let cookies: Vec<_> = fields.get_all("set-cookie").iter().collect();
        assert_eq!(
            cookies,
            [
                "a=b; Path=/; Secure",
                "gone=; Expires=Thu, 01-Jan-1970 00:00:00 GMT"
            ]
        );
    }

    #[test]
    fn only_what_is_surely_relative_stays() {
        for relative in ["", "a/b:c", "/a//b", "?x=http://y", "#a:b", "./a", "a"] {
            assert!(!is_absolute(relative), "{relative}");
        }
        for absolute in [
            "http://a/",
            "//a/b",
            "/\\a",
            " https:b",
            "ht\ntp://a",
            "h&#116;tp://a",
            "\\\\a",
            "/&#47;a",
            "/\t/a",
        ] {
            assert!(is_absolute(absolute), "{absolute}");
        }
    }
}
