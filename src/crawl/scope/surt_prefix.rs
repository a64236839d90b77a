//! SURT prefixes as Heritrix's seed and scope files have them:
//! `http://(org,example,)/news` means everything of that host below `/news`,
//! `http://(org,example,` its subdomains too; https is meant where http is.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::url::{CanonicalUrl, UrlError};

/// Prefixes, none of which begins with another.
#[derive(Debug, Default)]
pub struct SurtPrefixes(BTreeSet<String>);

impl SurtPrefixes {
    /// Adds a prefix.
    pub fn add(&mut self, prefix: String) {
        if self.covers(&prefix) {
            return;
        }
        let longer = self.0.range(prefix.clone()..);
        let longer: Vec<String> = longer
            .take_while(|other| other.starts_with(&prefix))
            .cloned()
            .collect();
        for other in longer {
            self.0.remove(&other);
        }
        self.0.insert(prefix);
    }

    /// Whether a URL begins with one of them.
    pub fn has(&self, url: &CanonicalUrl) -> bool {
        !self.0.is_empty() && self.covers(&surt(url))
    }

    /// As none begins with another, only the last one up to `surt` can be its
    /// start.
    fn covers(&self, surt: &str) -> bool {
        let mut up_to = self
            .0
            .range::<str, _>((std::ops::Bound::Unbounded, std::ops::Bound::Included(surt)));
        up_to
            .next_back()
            .is_some_and(|last| surt.starts_with(last.as_str()))
    }
}

/// Whether a pattern is a SURT prefix rather than a regular expression: no
/// regular expression begins with `+`, and none for URLs has a group that
/// begins with a label and a comma.
pub fn is_surt(pattern: &str) -> bool {
    if pattern.starts_with('+') {
        return true;
    }
    let Some(("http" | "https", rest)) = pattern.split_once("://(") else {
        return false;
    };
    let label = rest.split(',').next().unwrap_or_default();
    rest.len() > label.len()
        && !label.is_empty()
        && label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// The prefix that a text means: one as it stands, or the one of a URL or
/// host, which ends at its last slash; a host alone means its subdomains too.
pub fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text).trim_start();
    if let Err(error @ UrlError::Login { .. }) = CanonicalUrl::parse_seed(text) {
        return Err(error.to_string());
    }
    let bare = ["http://", "https://"]
        .iter()
        .find_map(|scheme| {
            text.get(..scheme.len())?
                .eq_ignore_ascii_case(scheme)
                .then(|| &text[scheme.len()..])
        })
        .unwrap_or(text);
    if let Some(reversed) = bare.strip_prefix('(') {
        let end = reversed.find(')').unwrap_or(reversed.len());
        if reversed[..end].is_empty() || reversed[..end].contains(['/', ' ']) {
            return Err(format!("{text:?} has no host in its parentheses"));
        }
        let host = reversed[..end].to_ascii_lowercase();
        return Ok(format!("http://({host}{}", &reversed[end..]));
    }
    if bare.contains("://") {
        return Err(format!("{text:?} is neither http nor https"));
    }
    let url = CanonicalUrl::parse(&format!("http://{bare}")).map_err(|error| error.to_string())?;
    let mut surt = surt(&url);
    let end = if bare.contains('/') {
        surt.rfind('/').map_or(surt.len(), |at| at + 1)
    } else {
        surt.find(')').unwrap_or(surt.len())
    };
    surt.truncate(end);
    Ok(surt)
}

/// A URL with its host's labels from the top level down.
fn surt(url: &CanonicalUrl) -> String {
    let mut surt = String::with_capacity(url.as_str().len() + 4);
    surt.push_str("http://(");
    let host = url.host().trim_end_matches('.');
    if matches!(url.url().host(), Some(::url::Host::Domain(_))) {
        for label in host.rsplit('.') {
            surt.push_str(label);
            surt.push(',');
        }
    } else {
        surt.push_str(host);
    }
    if let Some(port) = url.url().port() {
        let _ = write!(surt, ":{port}");
    }
    surt.push(')');
    surt + &url.request_target()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn has(prefixes: &[&str], url: &str) -> bool {
        let mut set = SurtPrefixes::default();
        for text in prefixes {
            set.add(prefix(text).unwrap());
        }
        set.has(&CanonicalUrl::parse(url).unwrap())
    }

    #[test]
    fn prefixes_are_read_as_heritrix_reads_them() {
        for (text, expected) in [
            ("+http://(org,example,)/news", "http://(org,example,)/news"),
            ("https://(ORG,Example,", "http://(org,example,"),
            ("(org,example,www,)/", "http://(org,example,www,)/"),
            ("+example.org", "http://(org,example,"),
            ("+http://www.example.org/", "http://(org,example,www,)/"),
            ("+https://example.org/a/b.html", "http://(org,example,)/a/"),
            ("example.org:8080/x/", "http://(org,example,:8080)/x/"),
            ("http://10.1.2.3/a/", "http://(10.1.2.3)/a/"),
        ] {
            assert_eq!(prefix(text).unwrap(), expected, "{text}");
        }
        for text in ["+", "+ftp://example.org/", "()", "http://(a b,"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_takes_what_begins_with_it_under_http_and_https() {
        let host = ["http://(org,example,)/news"];
        assert!(has(&host, "https://example.org/news/1?x"));
        assert!(has(&host, "http://example.org/newsletter"));
        assert!(!has(&host, "http://example.org/other"));
        assert!(!has(&host, "http://www.example.org/news"));
        let below = [
            "http://(org,example,",
            "http://(org,example,)/a",
            "http://(net,",
        ];
        assert!(has(&below, "http://a.b.example.org/x"));
        assert!(has(&below, "http://x.net/"));
        assert!(!has(&below, "http://examples.org/"));
    }

    #[test]
    fn regular_expressions_are_told_from_surts() {
        for surt in [
            "+http://example.org/",
            "http://(org,example,)/",
            "https://(org,",
        ] {
            assert!(is_surt(surt), "{surt}");
        }
        for regex in [
            "^http://friend",
            "http://(www|blog).example",
            "-draft",
            "http://(www)",
            "(a,b)",
            "http://(,",
        ] {
            assert!(!is_surt(regex), "{regex}");
        }
    }
}
