//! What an answer names, judged by the rules of scope and traps: every URL
//! once. Runs on worker threads and knows nothing of what came before; what
//! depends on that is the keeper's.

use super::job::{Hop, Job, Link};
use super::scope::{Scope, shape};
use crate::digest::Digest;
use crate::url::CanonicalUrl;

/// Judges what was found: every URL once, an embed before a link to the same.
pub fn judge(found: Vec<(CanonicalUrl, Hop)>, job: &Job, scope: &Scope) -> Vec<Link> {
    let mut best: Vec<Link> = Vec::with_capacity(found.len());
    let mut seen = std::collections::HashMap::with_capacity(found.len());
    for (url, hop) in found {
        let key = key(&url);
        let path = job.path.then(hop);
        let excluded = scope.refusal(&url, &path);
        match seen.entry(key) {
            std::collections::hash_map::Entry::Occupied(at) => {
                let link: &mut Link = &mut best[*at.get()];
                let better = path.priority() < job.path.then(link.hop).priority();
                if (link.excluded.is_some() && excluded.is_none())
                    || (better && link.excluded.is_some() == excluded.is_some())
                {
                    link.hop = hop;
                    link.excluded = excluded;
                }
            }
            std::collections::hash_map::Entry::Vacant(slot) => {
                slot.insert(best.len());
                best.push(Link {
                    shape: shape(&url),
                    url,
                    hop,
                    key,
                    excluded,
                });
            }
        }
    }
    best
}

/// 128 bits of a URL's SHA-256: two URLs never share them.
pub fn key(url: &CanonicalUrl) -> u128 {
    let digest = Digest::sha256(url.as_str().as_bytes());
    let first = digest.bytes()[..16]
        .try_into()
        .expect("SHA-256 has 32 bytes");
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;
    use crate::crawl::job::Path;

    #[test]
    fn a_url_that_is_link_and_requisite_is_a_requisite() {
        let page = CanonicalUrl::parse("http://a.example/").unwrap();
        let scope = Scope::new(&Config::defaults(), std::slice::from_ref(&page)).unwrap();
        let image = CanonicalUrl::parse("http://cdn.example/i.png").unwrap();
        let job = Job {
            id: 1,
            url: page,
            path: Path::default(),
            via: None,
            via_imprint: crate::crawl::job::Imprint::default(),
            barren: 0,
            tries: 0,
            as_robots: None,
            is_probe: false,
        };
        let found = vec![(image.clone(), Hop::Link), (image, Hop::Embed)];
        let links = judge(found, &job, &scope);
        assert_eq!(links.len(), 1);
        assert_eq!((links[0].hop, links[0].excluded), (Hop::Embed, None));
    }
}
