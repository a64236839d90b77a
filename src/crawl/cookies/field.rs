//! The `Set-Cookie` field (RFC 6265bis §5.6 and §5.7): read as browsers read
//! it, never failing; a cookie that may not be kept is `None`.

use super::{Cookie, Key};
use crate::time::lenient_seconds;
use crate::url::CanonicalUrl;

/// Bytes of an attribute that is read (§5.6, step 5).
const MAX_ATTRIBUTE: usize = 1024;
/// The longest that a cookie lives: 400 days (§5.5).
const MAX_LIFE: i64 = 400 * 86_400;

/// The cookie that a field's value sets at a URL.
pub(super) fn parse(value: &[u8], url: &CanonicalUrl, now: i64, longest: usize) -> Option<Cookie> {
    let is_control = |b: &u8| b.is_ascii_control() && *b != b'\t';
    if value.iter().any(is_control) {
        return None;
    }
    let mut parts = value.split(|&b| b == b';');
    let pair = parts.next()?;
    let (name, text) = match pair.iter().position(|&b| b == b'=') {
        Some(at) => (&pair[..at], &pair[at + 1..]),
        None => (&pair[..0], pair),
    };
    let (name, text) = (name.trim_ascii(), text.trim_ascii());
    if name.len() + text.len() > longest || name.is_empty() && text.is_empty() {
        return None;
    }
    let attributes = Attributes::read(parts, now);
    let (domain, host_only) = domain(attributes.domain.as_deref(), url.host())?;
    if attributes.secure && !url.is_https() {
        return None;
    }
    let path = attributes
        .path
        .unwrap_or_else(|| default_path(url.url().path()).to_owned());
    let cookie = Cookie {
        key: Key {
            domain,
            host_only,
            path,
            name: name.to_owned(),
        },
        value: text.to_owned(),
        secure: attributes.secure,
        http_only: attributes.http_only,
        expires: attributes.max_age.or(attributes.expires),
        secret: false,
    };
    keeps_its_promise(&cookie).then_some(cookie)
}

/// A name's prefix promises how the cookie was set (§4.1.3).
fn keeps_its_promise(cookie: &Cookie) -> bool {
    let starts = |prefix: &[u8]| {
        let start = cookie.key.name.get(..prefix.len());
        // A cookie without name could be mistaken for one with the prefix.
        let unnamed = cookie.value.get(..prefix.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
            || cookie.key.name.is_empty()
                && unnamed.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let named = !cookie.key.name.is_empty();
    if starts(b"__Host-") {
        return named && cookie.secure && cookie.key.host_only && cookie.key.path == "/";
    }
    !starts(b"__Secure-") || (named && cookie.secure)
}

#[derive(Default)]
struct Attributes {
    domain: Option<String>,
    path: Option<String>,
    expires: Option<i64>,
    max_age: Option<i64>,
    secure: bool,
    http_only: bool,
}

impl Attributes {
    /// The last of each kind counts.
    fn read<'v>(parts: impl Iterator<Item = &'v [u8]>, now: i64) -> Self {
        let mut attributes = Self::default();
        for part in parts {
            let (name, value) = match part.iter().position(|&b| b == b'=') {
                Some(at) => (&part[..at], &part[at + 1..]),
                None => (part, &part[..0]),
            };
            let (name, value) = (name.trim_ascii(), value.trim_ascii());
            if value.len() > MAX_ATTRIBUTE {
                continue;
            }
            let text = || String::from_utf8_lossy(value).into_owned();
            let is = |kind: &str| name.eq_ignore_ascii_case(kind.as_bytes());
            if is("expires") {
                let seconds = lenient_seconds(&text());
                attributes.expires = seconds
                    .map(|seconds| seconds.min(now + MAX_LIFE))
                    .or(attributes.expires);
            } else if is("max-age") {
                attributes.max_age = max_age(value, now).or(attributes.max_age);
            } else if is("domain") {
                attributes.domain = Some(text());
            } else if is("path") {
                attributes.path = Some(text()).filter(|path| path.starts_with('/'));
            } else if is("secure") {
                attributes.secure = true;
            } else if is("httponly") {
                attributes.http_only = true;
            }
        }
        attributes
    }
}

fn max_age(value: &[u8], now: i64) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if digits.len() < value.len() {
        return Some(i64::MIN);
    }
    let seconds = str::from_utf8(digits).ok()?.parse().unwrap_or(MAX_LIFE);
    if seconds == 0 {
        return Some(i64::MIN);
    }
    Some(now + seconds.min(MAX_LIFE))
}

/// The domain that a cookie is for, and whether only that host gets it; `None`
/// where the attribute names another's, or one under which everybody may
/// register.
fn domain(attribute: Option<&str>, host: &str) -> Option<(String, bool)> {
    let own = || Some((host.to_owned(), true));
    let attribute = attribute.unwrap_or_default();
    let attribute = attribute.strip_prefix('.').unwrap_or(attribute);
    if attribute.is_empty() {
        return own();
    }
    let domain = match url::Host::parse(attribute).ok()? {
        url::Host::Domain(domain) => domain,
        address => return (address.to_string() == host).then(own)?,
    };
    if is_public_suffix(&domain) {
        return (domain == host).then(own)?;
    }
    let matches = domain == host
        || (!is_address(host)
            && host
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.ends_with('.')));
    matches.then_some((domain, false))
}

fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain) == Some(domain)
}

fn is_address(host: &str) -> bool {
    host.starts_with('[') || host.parse::<std::net::Ipv4Addr>().is_ok()
}

/// A host and the domains above it, whose cookies it may get.
pub(super) fn domains_of(host: &str) -> impl Iterator<Item = &str> {
    let above = if is_address(host) { None } else { Some(host) };
    let above = std::iter::successors(above, |domain| domain.split_once('.').map(|(_, up)| up));
    std::iter::once(host).chain(above.skip(1))
}

/// §5.1.4.
pub(super) fn path_matches(path: &str, cookie: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// The directory of a path (§5.1.4).
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}
