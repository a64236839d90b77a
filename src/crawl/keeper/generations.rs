//! A set of bounded size that forgets what wasn't asked for in a long time: what
//! every page names again is in it, however many URLs a site has.

use std::collections::HashSet;
use std::hash::Hash;

/// Entries of one generation: a table of 2^18 places that is full to 7/8.
const GENERATION: usize = (1 << 18) / 8 * 7;

/// Two generations, of which the older goes when the younger is full.
pub struct Generations<T> {
    young: HashSet<T>,
    old: HashSet<T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self {
            young: HashSet::new(),
            old: HashSet::new(),
        }
    }
}

impl<T: Copy + Eq + Hash> Generations<T> {
    /// The entry that equals this one, if it is remembered; if so, it is for
    /// longer.
    pub fn get(&mut self, entry: &T) -> Option<T> {
        if let Some(known) = self.young.get(entry) {
            return Some(*known);
        }
        let known = *self.old.get(entry)?;
        self.replace(known);
        Some(known)
    }

    /// Remembers an entry in place of one that equals it.
    pub fn replace(&mut self, entry: T) {
        if self.young.len() >= GENERATION {
            // The table of the old generation is filled anew.
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.replace(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_again_and_again_stays_and_the_rest_goes() {
        let mut seen = Generations::default();
        assert_eq!(seen.get(&0), None);
        seen.replace(0);
        for key in 1..1_000_000 {
            seen.replace(key);
            if key % 1000 == 0 {
                assert_eq!(seen.get(&0), Some(0));
            }
        }
        assert_eq!((seen.get(&1), seen.get(&999_999)), (None, Some(999_999)));
        assert!(seen.young.len() + seen.old.len() <= 2 * GENERATION);
    }
}
