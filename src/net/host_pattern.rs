//! Hosts as the configuration names them: one, a domain with all below it, or a
//! network. What could never match is refused, with what to write instead.

use std::net::IpAddr;
use std::str::FromStr;

use super::Cidr;
use crate::url::HostKey;

/// Which hosts are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// The host of this name, at any port.
    Host(String),
    /// A domain with all below it; without a leading dot.
    Below(String),
    /// Hosts that are written as an address of this network.
    Network(Cidr),
}

/// A text that matches no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {instead}")]
pub struct HostPatternError {
    what: String,
    instead: String,
}

const FORMS: &str = "is no host such as intranet.example, domain with all below it such as \
                     .example, or network such as 10.0.0.0/8, fd00::/8 or 192.168.1.7";

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let refused = |instead: String| HostPatternError {
            what: shown(text),
            instead,
        };
        let wanted = text.trim().to_ascii_lowercase();
        if let Some((_, rest)) = wanted.split_once("://") {
            let host = rest.rsplit('@').next().unwrap_or(rest);
            let host = host.split(['/', '?', '#']).next().unwrap_or(host);
            let host = without_port(host).unwrap_or(host);
            return Err(refused(format!("is a URL: write the host alone, {host:?}")));
        }
        let bare = wanted.trim_matches(['[', ']']);
        if let Ok(network) = bare.parse() {
            return Ok(Self::Network(network));
        }
        if let Some(domain) = wanted.strip_prefix("*.") {
            return Err(refused(format!(
                "has a wildcard: \".{domain}\" is the domain with all below it"
            )));
        }
        if let Some(host) = without_port(&wanted) {
            return Err(refused(format!(
                "has a port, and any port is meant: write {host:?}"
            )));
        }
        let (name, below) = match wanted.strip_prefix('.') {
            Some(domain) => (domain, true),
            None => (wanted.as_str(), false),
        };
        // What the URL parser makes of a name is what hosts are compared by.
        match url::Host::parse(name.trim_end_matches('.')) {
            Ok(url::Host::Domain(name)) if below && !name.contains('*') => Ok(Self::Below(name)),
            Ok(url::Host::Domain(name)) if !name.contains('*') => Ok(Self::Host(name)),
            Ok(url::Host::Ipv4(address)) if !below => Ok(Self::Network(address.into())),
            _ => Err(refused(FORMS.to_owned())),
        }
    }
}

impl HostPattern {
    /// Whether a host is meant, as a URL writes it.
    pub fn matches(&self, host: &HostKey) -> bool {
        let name = host.host().trim_end_matches('.');
        match self {
            Self::Host(host) => host == name,
            Self::Below(domain) => name
                .strip_suffix(domain.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Self::Network(_) => host
                .literal_address()
                .is_some_and(|address| self.contains(address)),
        }
    }

    /// Whether an address is in the network that is meant.
    pub fn contains(&self, address: IpAddr) -> bool {
        matches!(self, Self::Network(network) if network.contains(address))
    }
}

/// The host before a port.
fn without_port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    let is_port = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let is_whole = !host.contains(':') || host.ends_with(']');
    (is_port && is_whole).then_some(host)
}

/// The text, unless a login may stand in it.
fn shown(text: &str) -> String {
    if text.contains('@') {
        "a text with an @".to_owned()
    } else {
        format!("{text:?}")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url::CanonicalUrl;

    fn matches(pattern: &str, url: &str) -> bool {
        let pattern: HostPattern = pattern.parse().unwrap();
        pattern.matches(&CanonicalUrl::parse(url).unwrap().host_key())
    }

    #[test]
    fn a_host_a_domain_and_a_network_are_told_apart() {
        for (pattern, url) in [
            ("a.example", "http://a.example:8080/"),
            (" A.Example. ", "https://a.example./"),
            ("m\u{fc}nchen.example", "http://xn--mnchen-3ya.example/"),
            (".b.example", "http://b.example/"),
            (".b.example", "http://x.y.b.example/"),
            ("10.0.0.0/8", "http://10.1.2.3/"),
            ("127.1", "http://127.0.0.1/"),
            ("[::1]", "http://[::1]:81/"),
            ("fd00::/8", "http://[fd00::7]/"),
        ] {
            assert!(matches(pattern, url), "{pattern} {url}");
        }
        for (pattern, url) in [
            ("a.example", "http://x.a.example/"),
            (".b.example", "http://cb.example/"),
            ("10.0.0.0/8", "http://11.1.2.3/"),
            ("10.0.0.0/8", "http://ten.example/"),
        ] {
            assert!(!matches(pattern, url), "{pattern} {url}");
        }
    }

    #[test]
    fn what_never_matches_is_refused_with_what_to_write() {
        for (pattern, instead) in [
            ("intranet.example:8080", "write \"intranet.example\""),
            ("[::1]:80", "write \"[::1]\""),
            ("*.example", "\".example\""),
            ("https://wiki.example:81/x", "\"wiki.example\""),
            ("https://me:hush@wiki.example/x", "\"wiki.example\""),
            ("me:hush@wiki.example", "is no host"),
            ("wiki.*.example", "is no host"),
            ("10.0.0.0/99", "is no host"),
            ("wiki.example/x", "is no host"),
            (".10.0.0.1", "is no host"),
            ("a b", "is no host"),
            (".", "is no host"),
            ("", "is no host"),
        ] {
            let error = pattern.parse::<HostPattern>().unwrap_err().to_string();
            assert!(error.contains(instead), "{pattern}: {error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
