//! URLs that this run has met lately, so that most links need no look into the
//! store. Bounded: what is forgotten, the store knows.

use std::hash::{Hash, Hasher};

use super::generations::Generations;
use crate::crawl::standing::Stand;

/// The set.
#[derive(Default)]
pub struct Seen(Generations<Entry>);

/// 96 bits of the URL's digest, by which it is known, and the 32 of how it stands.
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
    fn new(key: u128, stand: Stand) -> Self {
        Self(key >> 32 << 32 | u128::from(stand.bits()))
    }

    fn stand(self) -> Stand {
        Stand::from_bits(self.0 as u32)
    }
}

impl Seen {
    /// Whether the store may learn something from a URL that stands so; it is
    /// remembered. Of one that isn't, `stored` tells how it stands.
    pub fn is_news<E>(
        &mut self,
        key: u128,
        stand: Stand,
        stored: impl FnOnce() -> Result<Option<Stand>, E>,
    ) -> Result<bool, E> {
        let (known, is_remembered) = match self.0.get(&Entry::new(key, stand)) {
            Some(known) => (Some(known.stand()), true),
            None => (stored()?, false),
        };
        match known {
            Some(known) if !stand.is_news_to(known) => {
                if !is_remembered {
                    self.0.replace(Entry::new(key, known));
                }
                Ok(false)
            }
            _ => {
                self.0.replace(Entry::new(key, stand));
                Ok(true)
            }
        }
    }

    /// Notes how a URL stands now.
    pub fn set(&mut self, key: u128, stand: Stand) {
        self.0.replace(Entry::new(key, stand));
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::crawl::standing::Standing;
    use crate::links::{Hop, Path};

    fn is_news(seen: &mut Seen, key: u128, stand: Stand, stored: Option<Stand>) -> bool {
        seen.is_news(key, stand, || Ok::<_, Infallible>(stored))
            .unwrap_or_else(|never| match never {})
    }

    #[test]
    fn only_what_is_new_nearer_or_let_in_is_news() {
        let mut seen = Seen::default();
        let near = Path::default().then(Hop::Link);
        let far = near.then(Hop::Link);
        let key = u128::MAX / 3;
        let mut news =
            |key, standing, path: &Path| is_news(&mut seen, key, Stand::new(standing, path), None);
        assert!(news(key, Standing::Excluded, &near));
        assert!(!news(key, Standing::Excluded, &near));
        assert!(news(key, Standing::Admitted, &far));
        assert!(!news(key, Standing::Admitted, &far));
        assert!(!news(key, Standing::Excluded, &near));
        assert!(news(key, Standing::Admitted, &near));
        assert!(!news(key, Standing::Admitted, &far));
        assert!(news(key ^ 1 << 32, Standing::Admitted, &far), "another URL");
        seen.set(key, Stand::new(Standing::Spent, &near));
        let mut news =
            |path: &Path| is_news(&mut seen, key, Stand::new(Standing::Admitted, path), None);
        assert!(!news(&far));
        assert!(news(&far.then(Hop::Embed)));
    }

    #[test]
    fn what_is_forgotten_is_news_only_where_the_store_does_not_know_better() {
        let near = Path::default().then(Hop::Link);
        let far = near.then(Hop::Link);
        let stand = |path: &Path| Stand::new(Standing::Admitted, path);
        let mut seen = Seen::default();
        assert!(!is_news(&mut seen, 1, stand(&far), Some(stand(&near))));
        // What the store said is remembered.
        assert!(!is_news(&mut seen, 1, stand(&near), None));
        assert!(is_news(&mut seen, 1 << 32, stand(&near), Some(stand(&far))));
        let excluded = Stand::new(Standing::Excluded, &near);
        assert!(is_news(&mut seen, 2 << 32, stand(&far), Some(excluded)));
    }
}
