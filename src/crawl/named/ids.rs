//! The ids in the links of one answer that look like sessions'. A session's id is
//! that of all pages which an answer names, and the next answer has another; a
//! story's id is its own, though it may be read, printed and answered by it.

use std::collections::{BTreeSet, HashMap};

use crate::config::Traps;
use crate::crawl::fold::key;
use crate::crawl::job::Link;
use crate::crawl::variant;
use crate::links::Hop;
use crate::url::CanonicalUrl;

/// What ids an answer names. Pages are URLs without their ids, as numbers.
#[derive(Debug, Default)]
pub struct NamedIds {
    /// All but its own.
    pub others: BTreeSet<u64>,
    /// Pages that it names under several.
    pub several: BTreeSet<u64>,
    /// The one id that two pages at least have in it, and no other, where its own
    /// is not named; and those pages.
    pub sharing: Option<(u64, Vec<u64>)>,
    /// Pages that it leads on to from its own id by one other, with that.
    pub chained: HashMap<u64, u64>,
}

impl NamedIds {
    /// Of the links in the answer to a URL.
    pub fn of<'l>(
        url: &CanonicalUrl,
        links: impl Iterator<Item = &'l Link>,
        traps: &Traps,
    ) -> Self {
        let mut by_page: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        let mut by_id: HashMap<u64, BTreeSet<u64>> = HashMap::new();
        let is_read = |link: &&Link| {
            link.excluded.is_none()
                && !link.is_listed
                && matches!(link.hop, Hop::Link | Hop::Redirect | Hop::Speculative)
        };
        for link in links.filter(is_read) {
            if let Some(id) = id_of(&link.url, traps)
                && let Some(page) = page_of(&link.url, traps)
            {
                by_page.entry(page).or_default().insert(id);
                by_id.entry(id).or_default().insert(page);
            }
        }
        let mut ids = Self::default();
        let several = by_page.iter().filter(|(_, ids)| ids.len() > 1);
        ids.several.extend(several.map(|(page, _)| page));
        let own = id_of(url, traps);
        // What has no id itself is none of endlessly many.
        if let Some(own) = own {
            // A story may name the next with its comments; it names its own as well.
            let mut shared = by_id.iter().filter(|(_, pages)| pages.len() > 1);
            if let (Some((&id, pages)), None) = (shared.next(), shared.next())
                && !by_id.contains_key(&own)
                && pages.is_disjoint(&ids.several)
            {
                ids.sharing = Some((id, pages.iter().copied().collect()));
            }
            for (&page, of_page) in &by_page {
                let mut others = of_page.iter().filter(|id| **id != own);
                if let (Some(&id), None) = (others.next(), others.next()) {
                    ids.chained.insert(page, id);
                }
            }
        }
        ids.others = by_id.into_keys().filter(|id| Some(*id) != own).collect();
        ids
    }

    /// The page that a link leads on to by another id, alone in its answer and
    /// new with it.
    pub fn chain(&self, url: &CanonicalUrl, traps: &Traps) -> Option<u64> {
        if self.chained.is_empty() {
            return None;
        }
        page_of(url, traps).filter(|page| self.chained.contains_key(page))
    }
}

/// The id in a URL that may be a session's, as a number; it is its host's.
pub fn id_of(url: &CanonicalUrl, traps: &Traps) -> Option<u64> {
    let id = variant::guessed_id(url, traps)?;
    Some(key(&format!("{} {id}", url.host_key())).max(1))
}

fn page_of(url: &CanonicalUrl, traps: &Traps) -> Option<u64> {
    let variants = variant::variants(url, traps);
    let guess = variants.iter().find(|variant| variant.is_guess)?;
    Some(key(&guess.key))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;
    use crate::crawl::form::Form;

    /// Which ids of an answer are shared, of several on a page, and lead on.
    fn told(own: &str, links: &[&str]) -> (bool, usize, usize) {
        let url = |path: &str| CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        let links = links.iter().map(|path| Link {
            key: crate::crawl::judge::key(&url(path)),
            form: Form::of(&url(path)),
            url: url(path),
            hop: Hop::Link,
            is_below: false,
            beyond: 0,
            is_listed: false,
            is_seed: false,
            excluded: None,
        });
        let links: Vec<Link> = links.collect();
        let ids = NamedIds::of(&url(own), links.iter(), &Config::defaults().traps);
        (ids.sharing.is_some(), ids.several.len(), ids.chained.len())
    }

    #[test]
    fn only_an_id_that_all_pages_have_and_that_is_new_is_shared() {
        let at = |path: &str, id: u8| format!("{path}?sid={id:02}aaaaaaaaaaaaaaaaaa");
        let told = |own: &str, links: &[String]| {
            let links: Vec<&str> = links.iter().map(String::as_str).collect();
            told(own, &links)
        };
        let story = at("/story", 1);
        for (own, links, expected) in [
            // A session's page.
            (
                &story,
                vec![at("/a", 2), at("/b", 2), at("/story", 2)],
                (true, 0, 3),
            ),
            // With a story of another kind beside.
            (
                &story,
                vec![at("/a", 2), at("/b", 2), at("/news", 3)],
                (true, 0, 3),
            ),
            // A story with its print and comments.
            (
                &story,
                vec![at("/print", 1), at("/comments", 1)],
                (false, 0, 0),
            ),
            // The next story, with its comments.
            (
                &story,
                vec![at("/print", 1), at("/story", 2), at("/comments", 2)],
                (false, 0, 2),
            ),
            (&story, vec![at("/story", 2)], (false, 0, 1)),
            // A list of stories.
            (
                &"/".to_owned(),
                vec![at("/story", 1), at("/story", 2), at("/print", 2)],
                (false, 1, 0),
            ),
            // A page that lists one.
            (
                &"/today".to_owned(),
                vec![at("/story", 1), at("/comments", 1)],
                (false, 0, 0),
            ),
            (
                &story,
                vec!["/story?sid=1".into(), "/other?sid=1".into()],
                (false, 0, 0),
            ),
        ] {
            assert_eq!(told(own, &links), expected, "{own} {links:?}");
        }
    }
}
