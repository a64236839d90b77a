//! URLs that this run has added already, so that most links need no look into
//! the store. Bounded: what is forgotten, the store knows.

use std::hash::{Hash, Hasher};

use super::generations::Generations;
use crate::links::Path;

/// How a URL stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// In the queue, or past it.
    Admitted = 0,
    /// Kept out by a rule that another way to it may not break.
    Excluded = 1,
    /// Kept out by a budget, which another link to it doesn't change.
    Spent = 2,
}

/// The set.
#[derive(Default)]
pub struct Seen(Generations<Entry>);

/// 96 bits of the URL's digest, by which it is known, and 32 that tell how it
/// stands and how near the way to it is.
#[derive(Clone, Copy)]
struct Entry(u128);

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.0 >> 32 == other.0 >> 32
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64((self.0 >> 64) as u64);
    }
}

impl Entry {
    fn new(key: u128, standing: Standing, path: &Path) -> Self {
        let priority = u128::from(path.priority().min(0x7ff));
        let depth = u128::from(path.depth.min(0x7fff));
        let beyond = u128::from(path.beyond.min(0xf));
        let low = (standing as u128) << 30 | priority << 19 | depth << 4 | beyond;
        Self(key >> 32 << 32 | low)
    }

    fn standing(self) -> u128 {
        self.0 >> 30 & 3
    }

    fn is_nearer_than(self, other: Self) -> bool {
        let fields = |entry: Self| (entry.0 >> 19 & 0x7ff, entry.0 >> 4 & 0x7fff, entry.0 & 0xf);
        let (own, other) = (fields(self), fields(other));
        own.0 < other.0 || own.1 < other.1 || own.2 < other.2
    }
}

impl Seen {
    /// Whether the store may learn something from a URL that stands so, found
    /// by this way; it is remembered.
    pub fn is_news(&mut self, key: u128, standing: Standing, path: &Path) -> bool {
        let entry = Entry::new(key, standing, path);
        if let Some(known) = self.0.get(&entry) {
            let is_news = standing == Standing::Admitted
                && match known.standing() {
                    1 => true,
                    // A budget keeps out no requisite, which is nearer than a link.
                    _ => entry.is_nearer_than(known),
                };
            if !is_news {
                return false;
            }
        }
        self.0.replace(entry);
        true
    }

    /// Notes that a budget keeps a URL out.
    pub fn spend(&mut self, key: u128, path: &Path) {
        self.0.replace(Entry::new(key, Standing::Spent, path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::links::Hop;

    #[test]
    fn only_what_is_new_nearer_or_let_in_is_news() {
        let mut seen = Seen::default();
        let near = Path::default().then(Hop::Link);
        let far = near.then(Hop::Link);
        let key = u128::MAX / 3;
        let mut news = |key, standing, path| seen.is_news(key, standing, path);
        assert!(news(key, Standing::Excluded, &near));
        assert!(!news(key, Standing::Excluded, &near));
        assert!(news(key, Standing::Admitted, &far));
        assert!(!news(key, Standing::Admitted, &far));
        assert!(!news(key, Standing::Excluded, &near));
        assert!(news(key, Standing::Admitted, &near));
        assert!(!news(key, Standing::Admitted, &far));
        assert!(news(key ^ 1 << 32, Standing::Admitted, &far), "another URL");
        seen.spend(key, &near);
        assert!(!seen.is_news(key, Standing::Admitted, &far));
        let embed = far.then(Hop::Embed);
        assert!(seen.is_news(key, Standing::Admitted, &embed));
    }
}
