//! The way from a seed to a URL, as metadata records and the ledger tell it.

/// How one URL leads to another, a letter each as Heritrix writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hop {
    /// `L`: a link that a reader follows.
    Link,
    /// `E`: what a page needs to be shown.
    Embed,
    /// `R`: a redirect.
    Redirect,
    /// `P`: what must be known first: robots.txt.
    Prerequisite,
    /// `X`: a URL-like string in a script, which may be none.
    Speculative,
    /// `M`: a sitemap that robots.txt or another sitemap names.
    Manifest,
}

impl Hop {
    /// Its letter.
    pub fn letter(self) -> char {
        match self {
            Self::Link => 'L',
            Self::Embed => 'E',
            Self::Redirect => 'R',
            Self::Prerequisite => 'P',
            Self::Manifest => 'M',
            Self::Speculative => 'X',
        }
    }
}

/// The way from a seed: the last hops, and how many links it has in all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path {
    /// The letters; of a long way the last fifty, after their number and `+`.
    pub hops: String,
    /// Links among all hops.
    pub depth: u32,
    /// Links since the last page within the scope; 0 within it.
    pub beyond: u32,
}

impl Path {
    /// The way that a metadata record tells.
    pub fn from_hops(hops: &str) -> Self {
        let (before, letters) = hops.split_once('+').unwrap_or(("0", hops));
        let links = letters.bytes().filter(|&b| b == b'L').count() as u32;
        Self {
            hops: hops.to_owned(),
            depth: before.parse::<u32>().unwrap_or(0).saturating_add(links),
            beyond: 0,
        }
    }

    /// The way with one more hop.
    #[must_use]
    pub fn then(&self, hop: Hop) -> Self {
        const KEPT: usize = 50;
        let (before, letters) = self.hops.split_once('+').unwrap_or(("0", &self.hops));
        let mut dropped: usize = before.parse().unwrap_or(0);
        let mut letters = letters.to_owned();
        letters.push(hop.letter());
        if letters.len() > KEPT {
            letters.remove(0);
            dropped += 1;
        }
        let hops = if dropped > 0 {
            format!("{dropped}+{letters}")
        } else {
            letters
        };
        Self {
            hops,
            depth: self.depth.saturating_add(u32::from(hop == Hop::Link)),
            beyond: self.beyond,
        }
    }

    /// Whether the last hop that isn't a redirect is this one.
    pub fn ends_with(&self, hop: Hop) -> bool {
        self.hops.trim_end_matches('R').ends_with(hop.letter())
    }

    /// Embeds and redirects since the last link or seed.
    pub fn embeds(&self) -> usize {
        self.hops
            .chars()
            .rev()
            .take_while(|c| matches!(c, 'E' | 'R'))
            .filter(|&c| c == 'E')
            .count()
    }

    /// Redirects at its end.
    pub fn redirects(&self) -> usize {
        self.hops.chars().rev().take_while(|&c| c == 'R').count()
    }

    /// Sitemaps at its end, each named by the one before.
    pub fn sitemaps(&self) -> usize {
        self.hops
            .chars()
            .rev()
            .take_while(|c| matches!(c, 'M' | 'R'))
            .filter(|&c| c == 'M')
            .count()
    }

    /// A seed, or where a seed's redirects lead.
    pub fn is_seed(&self) -> bool {
        self.hops.chars().all(|c| c == 'R')
    }

    /// Lower goes first: what must be known, what a page needs, seeds, then
    /// pages by their distance.
    pub fn priority(&self) -> u32 {
        if self.ends_with(Hop::Prerequisite) {
            0
        } else if self.ends_with(Hop::Embed) {
            1
        } else if self.is_seed() {
            2
        } else if self.ends_with(Hop::Manifest) {
            // After the pages that the seeds name: where both name a page, the
            // ledger tells the page that links to it.
            4
        } else {
            2 + self.depth.min(1000)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_way_keeps_its_end_and_its_length() {
        let mut path = Path::default();
        for _ in 0..70 {
            path = path.then(Hop::Link);
        }
        path = path.then(Hop::Embed);
        assert_eq!(path.hops, format!("21+{}E", "L".repeat(49)));
        assert_eq!(path.depth, 70);
        assert!(path.ends_with(Hop::Embed) && !path.is_seed());
    }

    #[test]
    fn what_a_page_needs_goes_before_the_next_page() {
        let seed = Path::default();
        let link = seed.then(Hop::Link);
        let order = [
            seed.then(Hop::Prerequisite),
            link.then(Hop::Link).then(Hop::Embed).then(Hop::Redirect),
            seed.clone(),
            link.clone(),
            link.then(Hop::Link),
        ];
        assert!(order.is_sorted_by_key(Path::priority));
    }
}
