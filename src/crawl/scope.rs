//! What belongs to the site, and what is a trap. Each refusal has a reason
//! that the ledger names.

use std::sync::RwLock;

use regex::RegexSet;

use super::job::{Hop, Path};
use crate::config::{Config, Limit, ScopeKind, Traps};
use crate::url::CanonicalUrl;

/// Redirects in a row that are followed.
const MAX_REDIRECTS: usize = 20;
/// Requisites of requisites (a style sheet's imports' fonts) that are followed.
const MAX_EMBEDS: usize = 8;

/// A pattern of the configuration that isn't a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("crawl.{key}: {reason}")]
pub struct PatternError {
    key: &'static str,
    reason: String,
}

/// The rules of one crawl.
pub struct Scope {
    kind: ScopeKind,
    include: RegexSet,
    exclude: RegexSet,
    depth: Limit<u32>,
    requisites: bool,
    traps: Traps,
    seeds: RwLock<Vec<CanonicalUrl>>,
}

impl Scope {
    /// The rules of a configuration, for these seeds.
    pub fn new(config: &Config, seeds: &[CanonicalUrl]) -> Result<Self, PatternError> {
        let set = |key, patterns: &[String]| {
            RegexSet::new(patterns).map_err(|error| PatternError {
                key,
                reason: error.to_string(),
            })
        };
        Ok(Self {
            kind: config.crawl.scope,
            include: set("include", &config.crawl.include)?,
            exclude: set("exclude", &config.crawl.exclude)?,
            depth: config.crawl.depth,
            requisites: config.crawl.requisites,
            traps: config.traps.clone(),
            seeds: RwLock::new(seeds.to_vec()),
        })
    }

    /// Whether a URL reached by this way is to be fetched; else why not.
    pub fn refusal(&self, url: &CanonicalUrl, path: &Path) -> Option<&'static str> {
        if self.exclude.is_match(url.as_str()) {
            return Some("exclude-pattern");
        }
        if path.redirects() > MAX_REDIRECTS {
            return Some("trap-redirects");
        }
        if let Some(trap) = self.trap(url) {
            return Some(trap);
        }
        let requisite =
            self.requisites && path.ends_with(Hop::Embed) && path.embeds() <= MAX_EMBEDS;
        if requisite || self.include.is_match(url.as_str()) {
            return None;
        }
        if !self.belongs(url) {
            return Some("out-of-scope");
        }
        if self.depth.is_below(path.depth) {
            return Some("depth");
        }
        None
    }

    /// Whether a URL is on the site itself.
    pub fn belongs(&self, url: &CanonicalUrl) -> bool {
        let seeds = self
            .seeds
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        seeds.iter().any(|seed| match self.kind {
            ScopeKind::Host => same_host(seed, url),
            ScopeKind::Prefix => {
                same_host(seed, url) && url.url().path().starts_with(directory(seed))
            }
        })
    }

    /// Makes a URL a seed, as where a seed's redirect leads is what the
    /// archivist means.
    pub fn add_seed(&self, url: CanonicalUrl) {
        self.seeds
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .push(url);
    }

    fn trap(&self, url: &CanonicalUrl) -> Option<&'static str> {
        let segments: Vec<&str> = url
            .url()
            .path()
            .split('/')
            .filter(|s| !s.is_empty())
            .collect();
        if segments.len() > self.traps.path_segments as usize {
            return Some("trap-path-too-deep");
        }
        let most = segments
            .iter()
            .map(|segment| segments.iter().filter(|other| *other == segment).count())
            .max();
        if most.unwrap_or(0) > self.traps.repeated_segments as usize {
            return Some("trap-repeated-segments");
        }
        None
    }
}

/// One host under http and https, with and without `www.`, is one site; other
/// ports are other servers.
fn same_host(seed: &CanonicalUrl, url: &CanonicalUrl) -> bool {
    let bare = |url: &CanonicalUrl| {
        url.host()
            .strip_prefix("www.")
            .unwrap_or(url.host())
            .to_owned()
    };
    seed.url().port() == url.url().port() && bare(seed) == bare(url)
}

/// The directory of a seed: `/a/b.html` and `/a/` mean `/a/`.
fn directory(seed: &CanonicalUrl) -> &str {
    let path = seed.url().path();
    &path[..=path.rfind('/').unwrap_or(0)]
}

/// Equal for URLs that differ only in numbers; pages of a calendar share it.
pub fn shape(url: &CanonicalUrl) -> u64 {
    use std::hash::{DefaultHasher, Hasher};
    let mut hasher = DefaultHasher::new();
    let mut in_number = false;
    for byte in url.as_str().bytes() {
        let digit = byte.is_ascii_digit();
        if !(digit && in_number) {
            hasher.write_u8(if digit { b'0' } else { byte });
        }
        in_number = digit;
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn scope(change: impl FnOnce(&mut Config)) -> Scope {
        let mut config = Config::defaults();
        change(&mut config);
        Scope::new(&config, &[url("http://site.example/docs/index.html")]).unwrap()
    }

    #[test]
    fn host_takes_the_host_and_prefix_the_directory() {
        let link = Path::default().then(Hop::Link);
        for (kind, inside, outside) in [
            (
                ScopeKind::Host,
                "https://www.site.example/x",
                "http://other.example/docs/",
            ),
            (
                ScopeKind::Prefix,
                "http://site.example/docs/a/b?c",
                "http://site.example/blog/",
            ),
        ] {
            let scope = scope(|config| config.crawl.scope = kind);
            assert_eq!(scope.refusal(&url(inside), &link), None);
            assert_eq!(scope.refusal(&url(outside), &link), Some("out-of-scope"));
        }
        let scope = scope(|_| ());
        assert_eq!(
            scope.refusal(&url("http://site.example:81/"), &link),
            Some("out-of-scope")
        );
    }

    #[test]
    fn requisites_are_taken_from_any_host_but_not_their_links() {
        let scope = scope(|_| ());
        let embed = Path::default().then(Hop::Link).then(Hop::Embed);
        let font = url("https://cdn.example/font.woff2");
        assert_eq!(scope.refusal(&font, &embed), None);
        assert_eq!(scope.refusal(&font, &embed.then(Hop::Redirect)), None);
        assert_eq!(
            scope.refusal(&font, &embed.then(Hop::Link)),
            Some("out-of-scope")
        );
    }

    #[test]
    fn patterns_depth_and_traps_are_named() {
        let scope = scope(|config| {
            config.crawl.depth = Limit::At(1);
            config.crawl.include = vec![r"^http://friend\.example/".into()];
            config.crawl.exclude = vec!["logout".into()];
        });
        let link = Path::default().then(Hop::Link);
        let deep = link.then(Hop::Link);
        assert_eq!(
            scope.refusal(&url("http://site.example/a"), &deep),
            Some("depth")
        );
        assert_eq!(scope.refusal(&url("http://friend.example/a"), &link), None);
        assert_eq!(
            scope.refusal(&url("http://site.example/logout"), &link),
            Some("exclude-pattern")
        );
        let repeated = url("http://site.example/a/b/a/b/a/b/a/b/");
        assert_eq!(
            scope.refusal(&repeated, &link),
            Some("trap-repeated-segments")
        );
        let deep = url(&format!("http://site.example/{}", "x/y/z/".repeat(20)));
        assert_eq!(scope.refusal(&deep, &link), Some("trap-path-too-deep"));
    }

    #[test]
    fn a_shape_forgets_numbers_only() {
        let shape = |text| super::shape(&url(text));
        assert_eq!(
            shape("http://a.example/cal/2026/11"),
            shape("http://a.example/cal/1/2")
        );
        assert_ne!(
            shape("http://a.example/cal/2026/11"),
            shape("http://a.example/cal/2026/x")
        );
    }
}
