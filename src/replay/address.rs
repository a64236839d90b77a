//! Where things are in a replay: every archived origin has a host name of its
//! own below `lastlight.localhost`, so that the browser keeps archived sites
//! apart from each other and from the interface. Only names are made and read
//! here; nothing is looked up in an archive.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::BASE32_NOPAD;

use crate::digest::Digest;
use crate::time::Timestamp14;
use crate::url::{CanonicalUrl, HostKey};

/// The host of the interface, and the suffix of all archived origins. Names
/// below `localhost` are loopback without a resolver (RFC 6761 §6.3), and a
/// secure context.
pub const UI_HOST: &str = "lastlight.localhost";

/// The longest label of a host name (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// So many hashed origins are remembered; only archives with a great many odd
/// host names come near it, and forgotten ones come back with their page.
const MAX_HASHED: usize = 65_536;

/// What a `Host` field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostParts {
    /// The interface.
    Ui,
    /// The listener by address or as `localhost`: a person typed it, and is
    /// led to the interface.
    Loopback,
    /// An archived origin as a reader sees it.
    Content(Visit),
    /// A hashed origin that this process hasn't named: a bookmark from before
    /// a restart.
    Forgotten {
        /// The time of the reader.
        timestamp: Timestamp14,
        /// The collection's name.
        collection: String,
    },
}

/// An archived origin, seen by a reader at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The archived origin.
    pub origin: HostKey,
    /// The time that the reader chose; captures are the nearest to it.
    pub timestamp: Timestamp14,
    /// The collection's name.
    pub collection: String,
}

/// The addresses of one server.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its TCP port.
    pub port: u16,
    /// Origins whose label is a hash.
    hashed: Arc<Mutex<HashMap<String, HostKey>>>,
    /// The origin of path mode, where that is the reader's.
    one_host: Option<String>,
    /// What nobody else knows.
    secret: Arc<str>,
}

impl Base {
    /// The addresses of the server on this port.
    pub fn new(port: u16) -> Self {
        Self {
            port,
            hashed: Arc::default(),
            one_host: None,
            secret: uuid::Uuid::new_v4().to_string().into(),
        }
    }

    /// The same server as a reader sees it who names it by `host`, a value of
    /// `Host`: interface and captures at one origin.
    #[must_use]
    pub fn at_one_host(&self, host: &str) -> Self {
        Self {
            one_host: Some(format!("http://{}", host.to_ascii_lowercase())),
            ..self.clone()
        }
    }

    /// What stands behind a collection's name in the addresses that its own pages
    /// are given in path mode. There they have no origin by which to tell them from
    /// what other websites frame; that they know this does.
    pub fn token(&self, collection: &str) -> String {
        let digest = Digest::sha256(format!("{}/{collection}", self.secret).as_bytes());
        let hash = BASE32_NOPAD.encode(digest.bytes()).to_ascii_lowercase();
        hash[..26].to_owned()
    }

    /// The origin of path mode; `None` where archived origins have names.
    pub fn one_host(&self) -> Option<&str> {
        self.one_host.as_deref()
    }

    /// `:8080`; empty for the default port, which browsers leave out.
    fn port_suffix(&self) -> String {
        if self.port == 80 {
            String::new()
        } else {
            format!(":{}", self.port)
        }
    }

    /// The interface's origin: `http://lastlight.localhost:8080`.
    pub fn ui_origin(&self) -> String {
        if let Some(origin) = &self.one_host {
            return origin.clone();
        }
        format!("http://{UI_HOST}{}", self.port_suffix())
    }

    /// The source expression of a Content-Security-Policy that matches every
    /// content origin, and not the interface: `http://*.lastlight.localhost:8080`.
    pub fn content_source(&self) -> String {
        format!("http://*.{UI_HOST}{}", self.port_suffix())
    }

    /// The page of the interface that shows a URL with the banner around it.
    pub fn view_url(&self, collection: &str, timestamp: Timestamp14, url: &str) -> String {
        format!("{}/view/{collection}/{timestamp}/{url}", self.ui_origin())
    }

    /// The origin at which an archived origin is replayed.
    pub fn content_origin(
        &self,
        collection: &str,
        timestamp: Timestamp14,
        origin: &HostKey,
    ) -> String {
        let label = self.label(origin);
        let port = self.port_suffix();
        format!("http://{label}.{timestamp}.{collection}.{UI_HOST}{port}")
    }

    /// The address at which an archived URL is replayed; the same path and
    /// query at the content origin.
    pub fn content_url(
        &self,
        collection: &str,
        timestamp: Timestamp14,
        url: &CanonicalUrl,
    ) -> String {
        let origin = self.content_origin(collection, timestamp, &url.host_key());
        origin + &url.request_target()
    }

    /// Reads a `Host` field, or the host and port of a URL. `None` for any
    /// name or port but ours: another site's name that was made to resolve to
    /// this machine, for one.
    pub fn parse_host(&self, host: &str) -> Option<HostParts> {
        let host = host.to_ascii_lowercase();
        let name = host.strip_suffix(&self.port_suffix())?;
        if name == UI_HOST {
            return Some(HostParts::Ui);
        }
        if name == "localhost" || is_loopback(name) {
            return Some(HostParts::Loopback);
        }
        let name = name.strip_suffix(UI_HOST)?.strip_suffix('.')?;
        let mut labels = name.split('.');
        let (label, timestamp, collection) = (labels.next()?, labels.next()?, labels.next()?);
        if labels.next().is_some() || !is_collection(collection) {
            return None;
        }
        let timestamp = timestamp.parse().ok()?;
        let collection = collection.to_owned();
        if label.starts_with("x-") {
            let hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
            return Some(match hashed.get(label) {
                Some(origin) => HostParts::Content(Visit {
                    origin: origin.clone(),
                    timestamp,
                    collection,
                }),
                None => HostParts::Forgotten {
                    timestamp,
                    collection,
                },
            });
        }
        let origin = decode(label)?;
        // One origin has one name, or the browser would see two.
        (encode(&origin).as_deref() == Some(label)).then_some(HostParts::Content(Visit {
            origin,
            timestamp,
            collection,
        }))
    }

    /// The archived URL that an address of ours replays.
    pub fn archived_url(&self, address: &str) -> Option<(Visit, CanonicalUrl)> {
        let rest = address.strip_prefix("http://")?;
        let (host, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let HostParts::Content(visit) = self.parse_host(host)? else {
            return None;
        };
        let url = CanonicalUrl::parse(&format!("{}{target}", visit.origin)).ok()?;
        Some((visit, url))
    }

    fn label(&self, origin: &HostKey) -> String {
        encode(origin).unwrap_or_else(|| {
            let digest = Digest::sha256(origin.to_string().as_bytes());
            let hash = BASE32_NOPAD.encode(digest.bytes()).to_ascii_lowercase();
            let label = format!("x-{hash}");
            let mut hashed = self.hashed.lock().unwrap_or_else(PoisonError::into_inner);
            if hashed.len() >= MAX_HASHED {
                hashed.clear();
            }
            hashed.insert(label.clone(), origin.clone());
            label
        })
    }
}

/// Whether a text can be the name of a collection in an address.
pub fn is_collection(name: &str) -> bool {
    (1..=MAX_LABEL).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn is_loopback(name: &str) -> bool {
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
    bare.unwrap_or(name)
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

/// The readable label of an origin: `s` or `h`, the port if it isn't the
/// scheme's, `-`, and the host with `-` doubled and `.` as `-`. `None` where
/// that doesn't decode back, or is no label of a host name.
fn encode(origin: &HostKey) -> Option<String> {
    let (scheme, default) = if origin.is_https() {
        ('s', 443)
    } else {
        ('h', 80)
    };
    let mut label = String::from(scheme);
    if origin.port() != default {
        let _ = write!(label, "{}", origin.port());
    }
    label.push('-');
    for c in origin.host().chars() {
        match c {
            '-' => label.push_str("--"),
            '.' => label.push('-'),
            'a'..='z' | '0'..='9' | '_' => label.push(c),
            _ => return None,
        }
    }
    let fits = label.len() <= MAX_LABEL && !label.ends_with('-');
    (fits && decode(&label).as_ref() == Some(origin)).then_some(label)
}

fn decode(label: &str) -> Option<HostKey> {
    let (start, name) = label.split_once('-')?;
    let (scheme, port) = match start.split_at_checked(1)? {
        ("s", port) => ("https", port),
        ("h", port) => ("http", port),
        _ => return None,
    };
    if !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut url = format!("{scheme}://");
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        rest = if let Some(after) = rest.strip_prefix("--") {
            url.push('-');
            after
        } else {
            url.push(if c == '-' { '.' } else { c });
            &rest[c.len_utf8()..]
        };
    }
    if !port.is_empty() {
        let _ = write!(url, ":{port}");
    }
    CanonicalUrl::parse(&url).ok().map(|url| url.host_key())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn time() -> Timestamp14 {
        "20260322101500".parse().unwrap()
    }

    #[test]
    fn origins_have_readable_names() {
        let base = Base::new(8080);
        for (archived, address) in [
            ("https://www.example.org/a?b=c", "s-www-example-org"),
            ("http://example.org:8081/", "h8081-example-org"),
            ("https://a-b.example/", "s-a--b-example"),
            ("http://127.0.0.1:9/x", "h9-127-0-0-1"),
            (
                "https://xn--bcher-kva.example/",
                "s-xn----bcher--kva-example",
            ),
        ] {
            let archived = url(archived);
            let expected = format!(
                "http://{address}.20260322101500.demo.lastlight.localhost:8080{}",
                archived.request_target()
            );
            assert_eq!(base.content_url("demo", time(), &archived), expected);
        }
        assert_eq!(Base::new(80).ui_origin(), "http://lastlight.localhost");
    }

    #[test]
    fn every_origin_comes_back_from_its_name() {
        let base = Base::new(8080);
        let long = format!("https://{}.example/", "a".repeat(60));
        for text in [
            "https://example.org/",
            "https://a--b.c-d.example:8443/x?y",
            "http://a-.b.example/",
            "http://a.-b.example/",
            "http://example.org./",
            "http://[::1]:8080/",
            "http://under_score.example/",
            "http://o'neil.example/",
            "http://x/",
            &long,
        ] {
            let archived = url(text);
            let address = base.content_url("demo-2", time(), &archived);
            let host = address[7..].split('/').next().unwrap();
            assert!(host.split('.').all(|label| label.len() <= 63), "{host}");
            let (visit, back) = base.archived_url(&address).unwrap();
            assert_eq!(
                (visit.collection.as_str(), visit.timestamp),
                ("demo-2", time())
            );
            assert_eq!(back, archived, "{address}");
        }
    }

    #[test]
    fn names_that_differ_only_by_a_hyphen_are_told_apart() {
        let base = Base::new(1);
        let names: std::collections::HashSet<String> = [
            "http://a-.b/",
            "http://a.-b/",
            "http://a--b/",
            "http://a.b/",
            "http://a-b/",
        ]
        .iter()
        .map(|text| base.content_url("c", time(), &url(text)))
        .collect();
        assert_eq!(names.len(), 5);
    }

    #[test]
    fn other_hosts_are_refused() {
        let base = Base::new(8080);
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "lastlight.localhost",
            "lastlight.localhost:81",
            "x.lastlight.localhost:8080",
            "20260322101500.demo.lastlight.localhost:8080",
            "evillastlight.localhost:8080",
            "s443-example-org.20260322101500.demo.lastlight.localhost:8080",
            "s-example-org.20261322101500.demo.lastlight.localhost:8080",
            "s-example-org.20260322101500.de_mo.lastlight.localhost:8080",
            "a.s-example-org.20260322101500.demo.lastlight.localhost:8080",
            "s-.20260322101500.demo.lastlight.localhost:8080",
            "é-x.20260322101500.demo.lastlight.localhost:8080",
            "10.0.0.1:8080",
        ] {
            assert_eq!(base.parse_host(host), None, "{host}");
        }
        assert_eq!(
            base.parse_host("LastLight.localhost:8080"),
            Some(HostParts::Ui)
        );
        for host in ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"] {
            assert_eq!(base.parse_host(host), Some(HostParts::Loopback), "{host}");
        }
    }

    #[test]
    fn a_hash_of_another_run_is_told_as_forgotten() {
        let address = Base::new(8080).content_url("demo", time(), &url("http://[::1]/"));
        let host = address[7..].trim_end_matches('/');
        assert!(matches!(
            Base::new(8080).parse_host(host),
            Some(HostParts::Forgotten { collection, .. }) if collection == "demo"
        ));
    }
}
