//! What belongs to the site by itself: the seeds with the pages, directories,
//! hosts or domains that they stand for. A look-up costs the same however many
//! seeds there are.

use std::collections::{HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

use crate::config::ScopeKind;
use crate::url::CanonicalUrl;

/// The seeds, indexed by what the kind of scope asks for.
pub struct Site {
    kind: ScopeKind,
    places: RwLock<Places>,
}

#[derive(Default)]
struct Places {
    /// By host: the directories, or pages, of its seeds.
    hosts: HashMap<String, HashSet<String>>,
    /// Registrable domains.
    domains: HashSet<String>,
}

impl Site {
    /// The site that these seeds stand for.
    pub fn new(kind: ScopeKind, seeds: &[CanonicalUrl]) -> Self {
        let site = Self {
            kind,
            places: RwLock::default(),
        };
        for seed in seeds {
            site.add(seed);
        }
        site
    }

    /// Adds a seed.
    pub fn add(&self, seed: &CanonicalUrl) {
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        if self.kind == ScopeKind::Domain {
            places.domains.insert(domain(seed).to_owned());
        }
        let below = places.hosts.entry(host(seed)).or_default();
        match self.kind {
            ScopeKind::Page => {
                below.insert(seed.request_target());
            }
            ScopeKind::Prefix => {
                below.insert(directory(seed).to_owned());
            }
            _ => {}
        }
    }

    /// Whether a URL belongs to it.
    pub fn has(&self, url: &CanonicalUrl) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let below = || places.hosts.get(&host(url));
        match self.kind {
            ScopeKind::Any => true,
            ScopeKind::Custom => false,
            ScopeKind::Host => below().is_some(),
            ScopeKind::Domain => places.domains.contains(domain(url)),
            ScopeKind::Page => below().is_some_and(|pages| pages.contains(&url.request_target())),
            ScopeKind::Prefix => below().is_some_and(|directories| {
                let path = url.url().path();
                let mut slashes = path.match_indices('/');
                slashes.any(|(at, _)| directories.contains(&path[..=at]))
            }),
        }
    }

    /// Whether a URL is on a host that has a seed, or belongs to the site.
    pub fn has_host_of(&self, url: &CanonicalUrl) -> bool {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let known = places.hosts.contains_key(&host(url));
        drop(places);
        known || self.has(url)
    }
}

/// One host under http and https, with and without `www.`, is one site; other
/// ports are other servers.
fn host(url: &CanonicalUrl) -> String {
    let name = url.host().trim_end_matches('.');
    let name = name.strip_prefix("www.").unwrap_or(name);
    match url.url().port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    }
}

/// The registrable domain: one label below a suffix of the public suffix list,
/// below the last label where the list doesn't know it. An address, and a host
/// that is itself a suffix, stand for themselves.
fn domain(url: &CanonicalUrl) -> &str {
    let is_name = matches!(url.url().host(), Some(::url::Host::Domain(_)));
    domain_of(url.host(), is_name)
}

/// As [`domain`], of a host that is a name or an address.
pub fn domain_of(host: &str, is_name: bool) -> &str {
    let host = host.trim_end_matches('.');
    let domain = if is_name { psl::domain_str(host) } else { None };
    domain.unwrap_or(host)
}

/// The directory of a seed: `/a/b.html` and `/a/` mean `/a/`.
fn directory(seed: &CanonicalUrl) -> &str {
    let path = seed.url().path();
    &path[..=path.rfind('/').unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn check(kind: ScopeKind, seed: &str, inside: &[&str], outside: &[&str]) {
        let site = Site::new(kind, &[url(seed)]);
        for text in inside {
            assert!(site.has(&url(text)), "{kind:?} of {seed} has {text}");
        }
        for text in outside {
            assert!(!site.has(&url(text)), "{kind:?} of {seed} hasn't {text}");
        }
    }

    #[test]
    fn each_kind_takes_what_it_says() {
        let seed = "http://www.site.example/docs/index.html";
        check(
            ScopeKind::Page,
            seed,
            &[seed, "https://site.example/docs/index.html"],
            &[
                "http://www.site.example/docs/",
                "http://www.site.example/docs/index.html?x",
            ],
        );
        check(
            ScopeKind::Prefix,
            seed,
            &[
                "http://site.example/docs/a/b?c",
                "https://www.site.example/docs/",
            ],
            &[
                "http://site.example/doc",
                "http://site.example/",
                "http://a.site.example/docs/",
            ],
        );
        check(
            ScopeKind::Host,
            seed,
            &["https://site.example./x"],
            &["http://a.site.example/", "http://site.example:81/"],
        );
        check(
            ScopeKind::Domain,
            seed,
            &["https://a.b.site.example/x", "http://site.example:81/"],
            &["http://other.example/", "http://notsite.example/"],
        );
        check(ScopeKind::Any, seed, &["http://other.example/"], &[]);
        check(ScopeKind::Custom, seed, &[], &[seed]);
    }

    #[test]
    fn a_domain_ends_at_its_public_suffix_and_an_address_is_its_own() {
        let domain = |seed, inside: &[&str], outside: &[&str]| {
            check(ScopeKind::Domain, seed, inside, outside);
        };
        domain(
            "http://news.council.co.uk/",
            &["http://council.co.uk/"],
            &["http://other.co.uk/"],
        );
        domain(
            "http://ann.github.io/",
            &["http://x.ann.github.io/"],
            &["http://bob.github.io/", "http://github.io/"],
        );
        domain("http://co.uk/", &["http://co.uk/x"], &["http://a.co.uk/"]);
        domain(
            "http://a.b.intranet/",
            &["http://c.b.intranet/"],
            &["http://c.intranet/"],
        );
        domain(
            "http://localhost/",
            &["http://localhost/x"],
            &["http://a.localhost/"],
        );
        domain(
            "http://10.1.2.3/",
            &["http://10.1.2.3/x"],
            &["http://9.1.2.3/"],
        );
        domain(
            "http://[2001:db8::1]/",
            &["http://[2001:db8::1]/x"],
            &["http://[2001:db8::2]/"],
        );
    }

    #[test]
    fn a_hundred_thousand_seeds_are_looked_up_at_once() {
        let seeds: Vec<_> = (0..100_000)
            .map(|n| url(&format!("http://site{}.example/{n}/x", n % 1000)))
            .collect();
        let site = Site::new(ScopeKind::Prefix, &seeds);
        let begun = std::time::Instant::now();
        for n in 0..10_000 {
            assert!(site.has(&url(&format!("http://site{}.example/{n}/y/z", n % 1000))));
            assert!(!site.has(&url(&format!("http://site{}.example/x{n}/y", n % 1000))));
        }
        // Linear in the seeds it would take minutes.
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }
}
