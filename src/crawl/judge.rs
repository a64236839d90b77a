//! What an answer names, judged by the rules of scope and traps: every URL
//! once. Runs on worker threads and knows nothing of what came before; what
//! depends on that is the keeper's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::fold::{fold, long_key};
use super::form::Form;
use super::job::{Job, Link};
use super::scope::Scope;
use crate::links::{Hop, Path};
use crate::url::CanonicalUrl;

/// What an answer names, judged.
#[derive(Debug, Default)]
pub struct Judged {
    /// Every URL once, an embed before a link to the same.
    pub links: Vec<Link>,
    /// What it names below its own directory, relative to it, folded.
    pub below: u64,
}

/// Judges what was found in the answer of a job, a sitemap or not.
pub fn judge(
    found: Vec<(CanonicalUrl, Hop)>,
    is_sitemap: bool,
    job: &Job,
    scope: &Scope,
) -> Judged {
    let mut judged = Judged::default();
    let mut page = Page::new(job, scope, is_sitemap);
    let best = &mut judged.links;
    let mut seen = HashMap::with_capacity(found.len());
    for (url, hop) in found {
        let key = key(&url);
        let link = page.judge(url, hop, key);
        match seen.entry(key) {
            Entry::Occupied(at) => {
                let known: &mut Link = &mut best[*at.get()];
                let nearer = page.way(link.hop).priority() < page.way(known.hop).priority();
                if (known.excluded.is_some() && link.excluded.is_none())
                    || (nearer && known.excluded.is_some() == link.excluded.is_some())
                {
                    *known = link;
                }
            }
            Entry::Vacant(slot) => {
                slot.insert(best.len());
                if let Some(rest) = page.below(&link.url) {
                    judged.below ^= fold(rest);
                }
                best.push(link);
            }
        }
    }
    judged
}

/// The answer that names things.
struct Page<'j> {
    job: &'j Job,
    scope: &'j Scope,
    is_sitemap: bool,
    lists_seeds: bool,
    directory: &'j str,
    ways: Vec<(Hop, Path)>,
}

impl<'j> Page<'j> {
    fn new(job: &'j Job, scope: &'j Scope, is_sitemap: bool) -> Self {
        let text = job.url.as_str();
        let path = text.split('?').next().unwrap_or(text);
        Self {
            job,
            scope,
            is_sitemap,
            lists_seeds: is_sitemap && scope.lists_seeds(&job.path),
            directory: path.rfind('/').map_or(path, |at| &path[..=at]),
            ways: Vec::new(),
        }
    }

    /// The way to what it names by a kind of hop.
    fn way(&mut self, hop: Hop) -> &mut Path {
        let at = match self.ways.iter().position(|(known, _)| *known == hop) {
            Some(at) => at,
            None => {
                self.ways.push((hop, self.job.path.then(hop)));
                self.ways.len() - 1
            }
        };
        &mut self.ways[at].1
    }

    /// The rest of a URL below its directory.
    fn below<'u>(&self, url: &'u CanonicalUrl) -> Option<&'u str> {
        let rest = url.as_str().strip_prefix(self.directory)?;
        (!rest.is_empty()).then_some(rest)
    }

    fn judge(&mut self, url: CanonicalUrl, hop: Hop, key: u128) -> Link {
        let (job, scope) = (self.job, self.scope);
        let beyond = scope.beyond(&job.path, &url, hop);
        let is_listed = self.is_sitemap && hop != Hop::Manifest;
        let is_seed = self.lists_seeds && hop == Hop::Link && scope.may_be_seed(&job.url, &url);
        let way = self.way(hop);
        way.beyond = beyond;
        let excluded = if is_seed {
            scope.seed_refusal(&url, way)
        } else if hop == Hop::Manifest {
            scope.sitemap_refusal(&job.url, &url, way)
        } else {
            scope.refusal(&url, way, hop)
        };
        Link {
            form: Form::of(&url),
            is_below: self.below(&url).is_some(),
            beyond,
            is_listed,
            is_seed,
            url,
            hop,
            key,
            excluded,
        }
    }
}

/// 128 bits of a URL's SHA-256: two URLs never share them.
pub fn key(url: &CanonicalUrl) -> u128 {
    long_key(url.as_str())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;

    fn url(text: &str) -> CanonicalUrl {
        CanonicalUrl::parse(text).unwrap()
    }

    fn judged(page: &str, way: Path, is_sitemap: bool, found: &[(&str, Hop)]) -> Judged {
        let scope = Scope::new(&Config::defaults(), &[url("http://a.example/")]).unwrap();
        let job = Job {
            id: 1,
            url: url(page),
            path: way,
            via: None,
            via_imprint: crate::crawl::imprint::Imprint::default(),
            barren: 0,
            nested: 0,
            tries: 0,
            as_robots: None,
            is_probe: false,
        };
        let found = found.iter().map(|(text, hop)| (url(text), *hop));
        judge(found.collect(), is_sitemap, &job, &scope)
    }

    #[test]
    fn a_url_that_is_link_and_requisite_is_a_requisite() {
        let image = "http://cdn.example/i.png";
        let found = [(image, Hop::Link), (image, Hop::Embed)];
        let links = judged("http://a.example/", Path::default(), false, &found).links;
        assert_eq!(links.len(), 1);
        assert_eq!((links[0].hop, links[0].excluded), (Hop::Embed, None));
    }

    #[test]
    fn pages_of_a_seeds_sitemap_are_seeds_and_others_are_links() {
        let found = [
            ("http://a.example/x", Hop::Link),
            ("http://b.example/", Hop::Link),
        ];
        let seed = judged("http://a.example/map.xml", Path::default(), true, &found).links;
        assert!(seed[0].is_seed && seed[0].is_listed && seed[0].excluded.is_none());
        assert!(!seed[1].is_seed && seed[1].is_listed);
        assert_eq!(seed[1].excluded, Some("out-of-scope"));
        let way = Path::default().then(Hop::Prerequisite).then(Hop::Manifest);
        let told = judged("http://a.example/map.xml", way, true, &found).links;
        assert!(!told[0].is_seed && told[0].is_listed);
    }

    #[test]
    fn what_a_page_names_below_itself_is_the_same_at_every_depth() {
        let at = |directory: &str| {
            let links =
                ["x/", "y/", "../z"].map(|rest| format!("http://a.example{directory}{rest}"));
            let found = links.each_ref().map(|link| (link.as_str(), Hop::Link));
            judged(
                &format!("http://a.example{directory}"),
                Path::default(),
                false,
                &found,
            )
            .below
        };
        assert_eq!(at("/a/"), at("/a/b/c/"));
        assert_ne!(at("/a/"), 0);
    }
}
