//! What belongs to the site, and which URLs are traps by themselves. Each
//! refusal has a reason that the ledger names. It knows one URL and the way to
//! it; what depends on other URLs is the keeper's.

mod segments;
mod site;
mod surt_prefix;

use regex::RegexSet;

use crate::config::{Config, Limit, Traps};
use crate::links::{Hop, Path};
use crate::url::CanonicalUrl;
use site::Site;
use surt_prefix::SurtPrefixes;

/// A pattern of the configuration that is neither a regular expression nor a
/// SURT prefix, or a sitemap that is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("crawl.{key}: {reason}")]
pub struct PatternError {
    key: &'static str,
    reason: String,
}

/// The rules of one crawl.
pub struct Scope {
    site: Site,
    include: Patterns,
    exclude: Patterns,
    depth: Limit<u32>,
    extra_hops: u32,
    requisites: bool,
    sitemaps_are_seeds: bool,
    redirects: usize,
    embeds: usize,
    sitemap_depth: usize,
    url_bytes: u64,
    traps: Traps,
}

/// Regular expressions and SURT prefixes.
struct Patterns {
    regexes: RegexSet,
    surts: SurtPrefixes,
}

impl Patterns {
    fn has(&self, url: &CanonicalUrl) -> bool {
        self.regexes.is_match(url.as_str()) || self.surts.has(url)
    }
}

impl Scope {
    /// The rules of a configuration, for these seeds.
    pub fn new(config: &Config, seeds: &[CanonicalUrl]) -> Result<Self, PatternError> {
        let crawl = &config.crawl;
        for sitemap in crawl.named_sitemaps() {
            CanonicalUrl::parse_seed(sitemap).map_err(|error| PatternError {
                key: "sitemaps",
                reason: error.to_string(),
            })?;
        }
        let mut include = patterns("include", &crawl.include)?;
        let mut exclude = patterns("exclude", &crawl.exclude)?;
        for line in &crawl.surts {
            let (side, text) = match line.trim().strip_prefix('-') {
                Some(text) => (&mut exclude, text),
                None => (&mut include, line.as_str()),
            };
            side.surts.add(surt("surts", text)?);
        }
        Ok(Self {
            site: Site::new(crawl.scope, seeds),
            include,
            exclude,
            depth: crawl.depth,
            extra_hops: crawl.extra_hops,
            requisites: crawl.requisites,
            sitemaps_are_seeds: crawl.wants_sitemaps(),
            redirects: config.limits.redirects as usize,
            embeds: config.limits.embeds as usize,
            sitemap_depth: config.limits.sitemap_depth as usize,
            url_bytes: config.limits.url.0,
            traps: config.traps.clone(),
        })
    }

    /// How far a URL that a page names is beyond the scope: links since the
    /// last page within it, and no less than one.
    pub fn beyond(&self, from: &Path, url: &CanonicalUrl, hop: Hop) -> u32 {
        if self.belongs(url) {
            return 0;
        }
        let links = u32::from(matches!(hop, Hop::Link | Hop::Speculative));
        from.beyond.saturating_add(links).max(1)
    }

    /// Whether a URL reached by this way, of which `hop` is the last, is to be
    /// fetched; else why not.
    pub fn refusal(&self, url: &CanonicalUrl, path: &Path, hop: Hop) -> Option<&'static str> {
        if let Some(reason) = self.barred(url, path) {
            return Some(reason);
        }
        let requisite =
            self.requisites && path.ends_with(Hop::Embed) && path.embeds() <= self.embeds;
        if requisite || self.include.has(url) {
            return None;
        }
        // Whatever redirects was let in, and an answer without what it stands
        // for isn't whole; what that names is judged by itself.
        let may_leave = match hop {
            Hop::Redirect => !path.ends_with(Hop::Embed),
            Hop::Link => path.beyond <= self.extra_hops,
            _ => false,
        };
        if !may_leave && !self.belongs(url) {
            return Some("out-of-scope");
        }
        if self.depth.is_below(path.depth) {
            return Some("depth");
        }
        None
    }

    /// Whether a URL is kept out whatever it would be to the site.
    fn barred(&self, url: &CanonicalUrl, path: &Path) -> Option<&'static str> {
        if self.exclude.has(url) {
            Some("exclude-pattern")
        } else if url.as_str().len() as u64 > self.url_bytes {
            Some("url-too-long")
        } else if path.redirects() > self.redirects {
            Some("trap-redirects")
        } else {
            segments::trap(url, &self.traps)
        }
    }

    /// As [`Self::refusal`], for a page that a sitemap lists whose pages are
    /// seeds.
    pub fn seed_refusal(&self, url: &CanonicalUrl, path: &Path) -> Option<&'static str> {
        self.barred(url, path)
    }

    /// As [`Self::refusal`], for a sitemap that robots.txt of the site's or
    /// another sitemap names: it is read wherever it is, since it tells of the
    /// site's pages.
    pub fn sitemap_refusal(
        &self,
        from: &CanonicalUrl,
        url: &CanonicalUrl,
        path: &Path,
    ) -> Option<&'static str> {
        if let Some(reason) = self.barred(url, path) {
            return Some(reason);
        }
        if path.sitemaps() > self.sitemap_depth + 1 {
            return Some("sitemap-depth");
        }
        let named_by_sitemap = path.sitemaps() > 1;
        let of_the_site = named_by_sitemap || self.site.has_host_of(from);
        (!of_the_site && !self.belongs(url) && !self.include.has(url)).then_some("out-of-scope")
    }

    /// Whether what a sitemap lists are seeds: the archivist named it, or all
    /// that robots.txt and sitemaps tell of. Only pages of the site can be; a
    /// sitemap may list anything.
    pub fn lists_seeds(&self, sitemap: &Path) -> bool {
        let named = sitemap.hops.bytes().all(|b| matches!(b, b'M' | b'R'));
        let told = sitemap
            .hops
            .bytes()
            .all(|b| matches!(b, b'P' | b'M' | b'R'));
        named || (told && self.sitemaps_are_seeds)
    }

    /// Whether a page that such a sitemap lists is one of the site's.
    pub fn may_be_seed(&self, sitemap: &CanonicalUrl, url: &CanonicalUrl) -> bool {
        sitemap.host() == url.host() || self.site.has_host_of(url)
    }

    /// Whether a URL is on the site itself.
    pub fn belongs(&self, url: &CanonicalUrl) -> bool {
        self.site.has(url) || self.include.has(url)
    }

    /// Makes a URL a seed, as where a seed's redirect leads is what the
    /// archivist means.
    pub fn add_seed(&self, url: &CanonicalUrl) {
        self.site.add(url);
    }
}

/// The SURT prefix that a text means, which may begin with `+`.
pub fn surt_prefix(text: &str) -> Result<String, String> {
    surt_prefix::prefix(text)
}

/// The patterns of a key.
fn patterns(key: &'static str, texts: &[String]) -> Result<Patterns, PatternError> {
    let (given, regexes): (Vec<&String>, Vec<&String>) =
        texts.iter().partition(|text| surt_prefix::is_surt(text));
    let regexes = RegexSet::new(regexes).map_err(|error| PatternError {
        key,
        reason: error.to_string(),
    })?;
    let mut surts = SurtPrefixes::default();
    for text in given {
        surts.add(surt(key, text)?);
    }
    Ok(Patterns { regexes, surts })
}

fn surt(key: &'static str, text: &str) -> Result<String, PatternError> {
    surt_prefix::prefix(text).map_err(|reason| PatternError { key, reason })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::ScopeKind;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn scope(change: impl FnOnce(&mut Config)) -> Scope {
        let mut config = Config::defaults();
        change(&mut config);
        Scope::new(&config, &[url("http://site.example/docs/index.html")]).unwrap()
    }

    /// Judges a URL that the page at the end of a way names.
    fn judge(scope: &Scope, from: &Path, hop: Hop, text: &str) -> Option<&'static str> {
        let url = url(text);
        let mut path = from.then(hop);
        path.beyond = scope.beyond(from, &url, hop);
        scope.refusal(&url, &path, hop)
    }

    #[test]
    fn requisites_are_taken_from_any_host_but_not_their_links() {
        let scope = scope(|_| ());
        let page = Path::default().then(Hop::Link);
        let font = "https://cdn.example/font.woff2";
        assert_eq!(judge(&scope, &page, Hop::Embed, font), None);
        let embed = page.then(Hop::Embed);
        assert_eq!(judge(&scope, &embed, Hop::Redirect, font), None);
        assert_eq!(judge(&scope, &embed, Hop::Link, font), Some("out-of-scope"));
        let mut deep = page;
        for _ in 0..8 {
            deep = deep.then(Hop::Embed);
        }
        assert_eq!(judge(&scope, &deep, Hop::Embed, font), Some("out-of-scope"));
    }

    #[test]
    fn a_redirect_may_leave_the_scope_for_one_page() {
        let scope = scope(|_| ());
        let page = Path::default().then(Hop::Link);
        let other = "http://other.example/moved";
        assert_eq!(judge(&scope, &page, Hop::Redirect, other), None);
        let mut moved = page.then(Hop::Redirect);
        moved.beyond = 1;
        assert_eq!(
            judge(&scope, &moved, Hop::Link, "http://other.example/x"),
            Some("out-of-scope")
        );
        assert_eq!(
            judge(&scope, &moved, Hop::Embed, "http://other.example/i.png"),
            None
        );
        assert_eq!(
            judge(&scope, &moved, Hop::Link, "http://site.example/back"),
            None
        );
    }

    #[test]
    fn extra_hops_are_links_beyond_the_scope() {
        let scope = scope(|config| config.crawl.extra_hops = 1);
        let page = Path::default().then(Hop::Link);
        assert_eq!(
            judge(&scope, &page, Hop::Link, "http://other.example/a"),
            None
        );
        assert_eq!(
            judge(&scope, &page, Hop::Speculative, "http://other.example/a"),
            Some("out-of-scope")
        );
        let mut beyond = page.then(Hop::Link);
        beyond.beyond = 1;
        assert_eq!(
            judge(&scope, &beyond, Hop::Link, "http://other.example/b"),
            Some("out-of-scope")
        );
        // Back on the site, the count begins anew.
        assert_eq!(
            scope.beyond(&beyond, &url("http://site.example/x"), Hop::Link),
            0
        );
    }

    #[test]
    fn patterns_surts_depth_and_traps_are_named() {
        let scope = scope(|config| {
            config.crawl.depth = Limit::At(1);
            config.crawl.include = vec![
                r"^http://friend\.example/".into(),
                "http://(example,ally,)/x".into(),
            ];
            config.crawl.exclude = vec!["logout".into(), "+http://site.example/old/".into()];
            config.crawl.surts = vec![
                "+http://(example,third,".into(),
                "- http://(example,site,)/bin".into(),
            ];
        });
        let seed = Path::default();
        let link = seed.then(Hop::Link);
        for (from, text, reason) in [
            (&link, "http://site.example/a", Some("depth")),
            (&seed, "http://friend.example/a", None),
            (&seed, "https://ally.example/x/1", None),
            (&seed, "https://ally.example/y", Some("out-of-scope")),
            (&seed, "http://sub.third.example/", None),
            (&seed, "http://site.example/logout", Some("exclude-pattern")),
            (&seed, "https://site.example/old/1", Some("exclude-pattern")),
            (&seed, "https://site.example/bin/1", Some("exclude-pattern")),
            (
                &seed,
                "http://site.example/a/a/a/a",
                Some("trap-repeated-segments"),
            ),
        ] {
            assert_eq!(judge(&scope, from, Hop::Link, text), reason, "{text}");
        }
        let long = format!("http://site.example/?{}", "x".repeat(17 * 1024));
        assert_eq!(judge(&scope, &seed, Hop::Link, &long), Some("url-too-long"));
    }

    #[test]
    fn a_custom_scope_is_what_the_patterns_say() {
        let scope = scope(|config| {
            config.crawl.scope = ScopeKind::Custom;
            config.crawl.surts = vec!["+http://(example,site,)/news/".into()];
        });
        let seed = Path::default();
        assert_eq!(
            judge(&scope, &seed, Hop::Link, "https://site.example/news/1"),
            None
        );
        assert_eq!(
            judge(&scope, &seed, Hop::Link, "http://site.example/docs/"),
            Some("out-of-scope")
        );
    }

    #[test]
    fn redirects_in_a_row_end() {
        let scope = scope(|config| config.limits.redirects = 3);
        let mut path = Path::default().then(Hop::Link);
        for n in 0..5 {
            let reason = judge(&scope, &path, Hop::Redirect, "http://site.example/r");
            assert_eq!(reason, (n >= 3).then_some("trap-redirects"), "{n}");
            path = path.then(Hop::Redirect);
        }
    }

    #[test]
    fn sitemaps_are_read_from_the_sites_robots_to_their_depth() {
        let scope = scope(|config| {
            config.crawl.scope = ScopeKind::Prefix;
            config.limits.sitemap_depth = 1;
        });
        let robots = Path::default().then(Hop::Prerequisite);
        let (site, cdn) = (
            url("http://site.example/robots.txt"),
            url("http://cdn.example/robots.txt"),
        );
        let map = url("http://cdn.example/sitemap.xml");
        let first = robots.then(Hop::Manifest);
        assert_eq!(scope.sitemap_refusal(&site, &map, &first), None);
        assert_eq!(
            scope.sitemap_refusal(&cdn, &map, &first),
            Some("out-of-scope")
        );
        let second = first.then(Hop::Manifest);
        assert_eq!(scope.sitemap_refusal(&map, &map, &second), None);
        assert_eq!(
            scope.sitemap_refusal(&map, &map, &second.then(Hop::Manifest)),
            Some("sitemap-depth")
        );
    }

    #[test]
    fn a_bad_pattern_names_its_key() {
        let error = |change: fn(&mut Config)| {
            let mut config = Config::defaults();
            change(&mut config);
            Scope::new(&config, &[]).err().unwrap().to_string()
        };
        assert!(error(|c| c.crawl.include = vec!["(".into()]).starts_with("crawl.include: "));
        assert!(
            error(|c| c.crawl.exclude = vec!["+ftp://x/".into()]).starts_with("crawl.exclude: ")
        );
        assert!(error(|c| c.crawl.surts = vec!["+".into()]).starts_with("crawl.surts: "));
    }
}
