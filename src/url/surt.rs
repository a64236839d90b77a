//! The key of an index line: one URL's many spellings, folded into one string that sorts a
//! site's pages together. It reproduces the keys that cdxj-indexer writes (`tests/surt.rs` compares
//! some thousands), never resolves anything, and never fails; the index and the replay call it.

mod escape;
mod host;
mod path;
mod query;

use std::{borrow::Cow, fmt};

/// A Sort-friendly URI Reordering Transform: the host's labels from the top level down, a closing
/// parenthesis, then the path and the sorted query, such as `example,inquiry)/minutes?a=1&b=2`.
///
/// Scheme, user, `www`, default port, fragment, letter case and session ids are dropped, so a key
/// stands for every URL that an archive takes to be the same page; it can't be turned back into
/// one. A key holds no space, tab or line break.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Surt(String);

impl Surt {
    /// The key of `url`, in time linear in its length but for the sorting of its query.
    ///
    /// A URL without a host (`urn:`, `dns:`, `mailto:`) keeps its scheme and its order. One whose
    /// port is no port, and a `filedesc` of ARC, are their own keys.
    pub fn of(url: &str) -> Self {
        let url = tidy(url);
        if url.starts_with("filedesc") {
            return Self(url.into_owned());
        }
        Self(key(&url).unwrap_or_else(|| url.into_owned()))
    }

    /// Takes a key as an index has it, whoever made it.
    pub fn from_index(key: &str) -> Self {
        Self(key.to_owned())
    }

    /// The key as an index line spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Surt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Surt {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Without what would break an index line: white space around is dropped, stray tabs and line
/// breaks within too, and a space is escaped.
fn tidy(url: &str) -> Cow<'_, str> {
    let url = url.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c));
    if !url.contains([' ', '\t', '\r', '\n']) {
        return Cow::Borrowed(url);
    }
    let mut tidied = String::with_capacity(url.len() + 8);
    for c in url.chars() {
        match c {
            ' ' => tidied.push_str("%20"),
            '\t' | '\r' | '\n' => {}
            _ => tidied.push(c),
        }
    }
    Cow::Owned(tidied)
}

/// The key of a tidy URL; none if its port isn't one.
fn key(url: &str) -> Option<String> {
    let mut parts = Parts::of(url)?;
    parts.find_host_in_path();
    let host = host::canonical(parts.host);
    let query = parts.query.map(query::canonical).unwrap_or_default();

    let mut key = String::with_capacity(url.len() + 8);
    let path = if host.is_empty() {
        key.push_str(parts.scheme);
        key.push(':');
        path::opaque(parts.path)
    } else {
        host::push_reversed(&mut key, &host);
        if let Some(port) = parts.port.filter(|&port| !parts.is_default(port)) {
            key.push(':');
            key.push_str(&port.to_string());
        }
        key.push(')');
        path::canonical(parts.path)
    };
    key.push_str(&path);
    if !query.is_empty() {
        if path.is_empty() {
            key.push('/');
        }
        key.push('?');
        key.push_str(&query);
    }
    Some(key)
}

/// A URL taken apart far more leniently than the URL standard does, since keys must agree on
/// whatever stands in an old archive.
struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    /// None for port 0 too, which peers take for none.
    port: Option<u16>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// None if the port isn't a number below 65,536.
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = split_scheme(url);
        let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
        let (rest, query) = match rest.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = match rest.strip_prefix("//") {
            _ if scheme.is_empty() => split_at_slash(rest),
            Some(rest) => split_at_slash(rest),
            None => ("", rest),
        };
        let (host, port) = split_authority(authority)?;
        Some(Self {
            scheme: if scheme.is_empty() { "http" } else { scheme },
            host,
            port,
            path,
            query,
        })
    }

    /// `http:/host/path` and `http:////host/path` are slips for `http://host/path`.
    fn find_host_in_path(&mut self) {
        if !self.host.is_empty() || self.path.is_empty() || default_port(self.scheme).is_none() {
            return;
        }
        let rest = self.path.trim_start_matches('/');
        (self.host, self.path) = split_at_slash(rest);
        if self.path.is_empty() {
            self.path = "/";
        }
    }

    fn is_default(&self, port: u16) -> bool {
        default_port(&self.scheme.to_ascii_lowercase()) == Some(port)
    }
}

fn split_at_slash(text: &str) -> (&str, &str) {
    text.split_at(text.find('/').unwrap_or(text.len()))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

/// The scheme and what follows its colon; an empty scheme if the URL starts with its host. Of
/// `http://https://`, a common slip of forms, the last counts.
fn split_scheme(url: &str) -> (&str, &str) {
    let Some((mut scheme, mut rest)) = url.split_once(':').filter(|(name, _)| is_scheme(name))
    else {
        return ("", url);
    };
    while default_port(scheme).is_some()
        && let Some((name, inner)) = rest.strip_prefix("//").and_then(|r| r.split_once(':'))
        && default_port(name).is_some()
        && inner.starts_with("//")
    {
        (scheme, rest) = (name, inner);
    }
    (scheme, rest)
}

/// RFC 3986 §3.1.
fn is_scheme(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

/// Host, without the brackets of an IPv6 address, and port; none if that isn't a port.
fn split_authority(authority: &str) -> Option<(&str, Option<u16>)> {
    // A colon without a port, or several, is none.
    let authority = authority.trim_end_matches(':');
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    let (host, port) = match host.split_once('[') {
        Some((_, bracketed)) => {
            let (host, after) = bracketed.split_once(']').unwrap_or((bracketed, ""));
            (host, after.split_once(':').map_or("", |(_, port)| port))
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = port.trim_start_matches('0');
    if digits.is_empty() {
        return Some((host, None));
    }
    Some((host, Some(digits.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn surt(url: &str) -> String {
        Surt::of(url).to_string()
    }

    #[test]
    fn a_host_is_found_where_slips_put_it() {
        for url in [
            "inquiry.example/a",
            "//inquiry.example/a",
            "http:inquiry.example/a",
            "http:/inquiry.example/a",
            "https:////inquiry.example/a",
            "http://https://http://inquiry.example/a",
            "http://:80/inquiry.example/a",
            "http://a:b@c@inquiry.example/a",
        ] {
            assert_eq!(surt(url), "example,inquiry)/a", "{url}");
        }
        assert_eq!(surt("HTTP:/inquiry.example/a"), "HTTP:/inquiry.example/a");
        assert_eq!(surt("https://:80/a"), "a:80)/");
        assert_eq!(surt("http:@a"), "@a)/");
    }

    #[test]
    fn a_url_without_a_host_keeps_its_scheme() {
        for (url, key) in [
            ("", "http:"),
            ("#a", "http:"),
            ("?a", "http:/?a"),
            ("::", "http:"),
            ("///", "http:/"),
            ("../a", "http:/a"),
            ("http://///", "http:/"),
            ("foo:////bar/baz", "foo://bar/baz"),
            ("foo:?b&a", "foo:/?a&b"),
            ("FOO:Bar/A", "FOO:bar/a"),
            ("foo://:80/a", "foo:/a"),
            ("urn:a/../b//", "urn:a/../b/"),
            ("localhost:8080/a", "localhost:8080/a"),
        ] {
            assert_eq!(surt(url), key, "{url}");
        }
    }

    #[test]
    fn a_bad_port_makes_the_url_its_own_key() {
        for port in ["80a", "65536", "-80", "+80", "8_0", "80:80", "\u{661}"] {
            let url = format!("http://I.example:{port}/?b&a");
            assert_eq!(surt(&url), url);
        }
        assert_eq!(surt("http://i.example: 80/"), "http://i.example:%2080/");
        assert_eq!(surt("http://i.example:000080/"), "example,i)/");
        assert_eq!(surt("http://i.example:0/"), "example,i)/");
    }

    proptest! {
        #[test]
        fn any_text_has_a_key_that_an_index_line_can_hold(url in any::<String>()) {
            prop_assert!(!surt(&url).contains([' ', '\t', '\r', '\n']));
        }

        #[test]
        fn text_like_a_url_has_a_key_that_an_index_line_can_hold(
            url in "(http:|urn:)?/{0,3}([a-z0-9.:@%\\[\\]é\u{2100} ]{0,12}/){0,3}(\\(|[%2f5.]{0,9}|\\?|&|=|sid|#){0,9}"
        ) {
            prop_assert!(!surt(&url).contains([' ', '\t', '\r', '\n']));
        }

        #[test]
        fn case_and_fragment_of_a_web_address_do_not_matter(
            rest in "[a-z0-9]{1,9}\\.[a-z]{2,5}(/[a-z0-9]{0,5}){0,4}(\\?[a-z&=]{0,12})?"
        ) {
            let plain = surt(&format!("http://{rest}"));
            let shouted = format!("HTTP://WWW.{}#x", rest.to_uppercase());
            prop_assert_eq!(plain, surt(&shouted));
        }
    }
}
