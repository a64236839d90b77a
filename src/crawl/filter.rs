//! Which keys are certainly new, in memory of fixed size.

use std::sync::{Mutex, PoisonError};

/// A Bloom filter of 16 MiB, of which the system gives memory only as it fills.
/// With ten million keys one question in two hundred is passed on in vain.
pub struct Filter(Mutex<Vec<u64>>);

/// Bits of the filter, as a power of two.
const FILTER_BITS: u32 = 27;

impl Default for Filter {
    fn default() -> Self {
        Self(Mutex::new(vec![0; 1 << (FILTER_BITS - 6)]))
    }
}

impl Filter {
    /// Four bits of a key; digests are as good as random.
    fn bits(key: u64) -> impl Iterator<Item = (usize, u64)> {
        let second = key.rotate_left(29).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        (0..4_u64).map(move |n| {
            let bit = key.wrapping_add(second.wrapping_mul(n)) >> (64 - FILTER_BITS);
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    /// Notes a key.
    pub fn add(&self, key: u64) {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (word, bit) in Self::bits(key) {
            words[word] |= bit;
        }
    }

    /// Whether a key may have been noted; false is certain.
    pub fn may_have(&self, key: u64) -> bool {
        let words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Self::bits(key).all(|(word, bit)| words[word] & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn the_filter_forgets_nothing_and_passes_few_others() {
        let filter = Filter::default();
        let key_of = |n: u32| {
            let digest = Digest::sha256(&n.to_be_bytes());
            digest
                .bytes()
                .first_chunk()
                .map_or(0, |first| u64::from_be_bytes(*first))
        };
        for n in 0..20_000 {
            filter.add(key_of(n));
        }
        assert!((0..20_000).all(|n| filter.may_have(key_of(n))));
        let others = (20_000..60_000).filter(|&n| filter.may_have(key_of(n)));
        assert!(others.count() < 10);
    }
}
