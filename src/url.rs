//! URLs as the frontier knows them. A [`CanonicalUrl`] is what a browser would
//! request, without its fragment and credentials; two links are one URL when
//! their canonical forms are equal. Lookup keys of archives are [`Surt`]s.

pub mod surt;

pub use surt::Surt;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The longest URL that is taken, in bytes; what is longer is a trap or junk,
/// and no peer's index reads it.
pub const MAX_URL_BYTES: usize = 32 * 1024;

/// Why a text is not a URL that can be captured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text isn't a URL by the WHATWG URL standard.
    #[error("{text:?} is not a URL: {reason}")]
    Unparsable {
        /// The text as given.
        text: String,
        /// The parser's reason.
        reason: String,
    },
    /// A scheme other than http or https.
    #[error("{text:?} has the scheme {scheme:?}; only http and https can be captured")]
    Scheme {
        /// The text as given.
        text: String,
        /// Its scheme.
        scheme: String,
    },
    /// A seed with a login, which would be dropped. It isn't repeated.
    #[error("a login stands before {host:?}, in an address where it would be written down")]
    Login {
        /// What comes after it.
        host: String,
    },
    /// Longer than [`MAX_URL_BYTES`].
    #[error("a URL of {length} bytes is longer than the {MAX_URL_BYTES} that are taken")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
}

/// An absolute http or https URL in the WHATWG serialisation, without fragment
/// and without user name and password (credentials come from the
/// configuration, and must not end up in records or ledgers).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CanonicalUrl(::url::Url);

impl CanonicalUrl {
    /// Canonicalises an already parsed URL.
    pub fn of(mut url: ::url::Url) -> Result<Self, UrlError> {
        let scheme = url.scheme();
        if !matches!(scheme, "http" | "https") || url.host().is_none() {
            return Err(UrlError::Scheme {
                text: clip(url.as_str()),
                scheme: scheme.to_owned(),
            });
        }
        if url.as_str().len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong {
                length: url.as_str().len(),
            });
        }
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            // Only a URL without a host refuses these, and this one has a host.
            let _ = url.set_username("");
            let _ = url.set_password(None);
        }
        Ok(Self(url))
    }

    /// Parses an absolute URL.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong { length: text.len() });
        }
        let url = ::url::Url::parse(text).map_err(|error| UrlError::Unparsable {
            text: clip(text),
            reason: error.to_string(),
        })?;
        Self::of(url)
    }

    /// Parses what a person types as a seed, as [`Self::parse_typed`] does. A
    /// login in it is refused: who gives one wants to be let in, and without it
    /// another page would be captured than is meant.
    pub fn parse_seed(text: &str) -> Result<Self, UrlError> {
        match host_after_login(text) {
            Some(host) => Err(UrlError::Login { host: clip(host) }),
            None => Self::parse_typed(text),
        }
    }

    /// Parses what a person types: `example.org/news` means
    /// `http://example.org/news`, as in every browser's address bar before
    /// HTTPS upgrades; the site's own redirect leads to HTTPS.
    pub fn parse_typed(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let has_scheme = text.split_once(':').is_some_and(|(scheme, rest)| {
            rest.starts_with("//")
                || (!scheme.contains('.')
                    && !scheme.is_empty()
                    && !rest.starts_with(|c: char| c.is_ascii_digit()))
        });
        if has_scheme {
            Self::parse(text)
        } else {
            Self::parse(&format!("http://{text}"))
        }
    }

    /// Resolves a reference, such as a `Location` value, against this URL.
    pub fn join(&self, reference: &str) -> Result<Self, UrlError> {
        if reference.len() > MAX_URL_BYTES {
            return Err(UrlError::TooLong {
                length: reference.len(),
            });
        }
        let url = self
            .0
            .join(reference.trim())
            .map_err(|error| UrlError::Unparsable {
                text: clip(reference),
                reason: error.to_string(),
            })?;
        Self::of(url)
    }

    /// The serialisation.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parsed URL.
    pub fn url(&self) -> &::url::Url {
        &self.0
    }

    /// `http` or `https`.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host without port: lower case, punycode, IPv6 in brackets.
    pub fn host(&self) -> &str {
        self.0.host_str().expect("a canonical URL has a host")
    }

    /// Where its requests go.
    pub fn host_key(&self) -> HostKey {
        HostKey {
            https: self.is_https(),
            host: self.host().to_owned(),
            port: self
                .0
                .port_or_known_default()
                .expect("http and https have default ports"),
        }
    }

    /// Path and query as they stand in the request line.
    pub fn request_target(&self) -> String {
        match self.0.query() {
            Some(query) => format!("{}?{query}", self.0.path()),
            None => self.0.path().to_owned(),
        }
    }

    /// The value of the `Host` field: the port only where it isn't the default.
    pub fn host_field(&self) -> String {
        match self.0.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    /// The key of its captures in an index.
    pub fn surt(&self) -> Surt {
        Surt::of(self.as_str())
    }
}

impl fmt::Display for CanonicalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CanonicalUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// A server as politeness and connections see it: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostKey {
    https: bool,
    host: String,
    port: u16,
}

impl HostKey {
    /// Whether its connections speak TLS.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host: lower case, punycode, IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address, where the host is an IP literal.
    pub fn literal_address(&self) -> Option<IpAddr> {
        self.host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(&self.host)
            .parse()
            .ok()
    }

    /// Whether the name is `localhost` or below it, which is loopback
    /// whatever a resolver says (RFC 6761 §6.3).
    pub fn is_localhost(&self) -> bool {
        let host = self.host.trim_end_matches('.');
        host == "localhost" || host.ends_with(".localhost")
    }

    /// The URL of its robots.txt.
    pub fn robots_url(&self) -> CanonicalUrl {
        let url = format!("{self}/robots.txt");
        CanonicalUrl::parse(&url).expect("a host key came out of a URL")
    }
}

impl fmt::Display for HostKey {
    /// The origin: `https://example.org`, with the port unless it's the default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.https {
            ("https", 443)
        } else {
            ("http", 80)
        };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

/// What follows a login in the authority of an address, whether or not the
/// rest of it is one.
fn host_after_login(text: &str) -> Option<&str> {
    let text = text.trim();
    let is_scheme = |scheme: &str| {
        scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let rest = match text.split_once(':') {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("mailto") => return None,
        Some((scheme, rest)) if is_scheme(scheme) && rest.starts_with(['/', '\\']) => rest,
        Some((scheme, rest))
            if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
        {
            rest
        }
        _ => text,
    };
    let authority = rest.trim_start_matches(['/', '\\']);
    let authority = authority.split(['/', '\\', '?', '#']).next()?;
    authority.rsplit_once('@').map(|(_, host)| host)
}

fn clip(text: &str) -> String {
    let end = text
        .char_indices()
        .map(|(at, _)| at)
        .find(|&at| at >= 200)
        .unwrap_or(text.len());
    text[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragment_credentials_case_and_default_port_do_not_make_another_url() {
        let url = CanonicalUrl::parse("HTTP://user:pw@Example.ORG:80/a/../b?q=1#top");
        assert_eq!(
            url.map(|u| u.to_string()),
            Ok("http://example.org/b?q=1".into())
        );
    }

    #[test]
    fn other_schemes_are_refused_by_name() {
        assert!(matches!(
            CanonicalUrl::parse("mailto:a@b.example"),
            Err(UrlError::Scheme { scheme, .. }) if scheme == "mailto"
        ));
    }

    #[test]
    fn a_typed_seed_needs_no_scheme() {
        for (typed, url) in [
            ("example.org", "http://example.org/"),
            ("localhost:8080/x", "http://localhost:8080/x"),
            ("https://example.org/a", "https://example.org/a"),
        ] {
            assert_eq!(
                CanonicalUrl::parse_seed(typed).map(|u| u.to_string()),
                Ok(url.into())
            );
        }
        assert!(CanonicalUrl::parse_seed("ftp://example.org/").is_err());
        assert!(CanonicalUrl::parse_seed("").is_err());
    }

    #[test]
    fn a_seed_with_a_login_is_refused_and_not_repeated() {
        for typed in [
            "https://me:hush@a.example/x",
            "https://hush@a.example",
            "me:hush@a.example/x",
            "hush@a.example",
            "http:me:hush@a.example",
            "HTTP:\\\\me:hush@a.example\\x",
            "https:///me:hush@a.example",
            " https://me:hu@hush@a.example",
            "https://me:hush@a .example/",
            "https://me:hush@",
            "ftp://me:hush@a.example/",
        ] {
            let error = CanonicalUrl::parse_seed(typed).map_err(|error| error.to_string());
            let error = error.err().unwrap_or_default();
            assert!(
                error.contains("login") && !error.contains("hush"),
                "{typed}: {error}"
            );
        }
        for typed in [
            "https://a.example/@me",
            "a.example/x@y",
            "https://a.example?q=me:x@y",
            "a.example:81/#me@x",
        ] {
            assert!(CanonicalUrl::parse_seed(typed).is_ok(), "{typed}");
        }
        assert!(matches!(
            CanonicalUrl::parse_seed("mailto:a@b.example"),
            Err(UrlError::Scheme { .. })
        ));
        assert!(CanonicalUrl::parse_typed("https://me:pw@a.example/").is_ok());
    }

    #[test]
    fn host_keys_tell_schemes_and_ports_apart() {
        let key = |url: &str| CanonicalUrl::parse(url).map(|u| u.host_key().to_string());
        assert_eq!(key("https://a.example/x"), Ok("https://a.example".into()));
        assert_eq!(
            key("http://a.example:8080/x"),
            Ok("http://a.example:8080".into())
        );
        assert_eq!(key("http://[::1]:81/"), Ok("http://[::1]:81".into()));
    }
}
