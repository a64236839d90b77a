//! A hash that is the same in every build and run (FNV-1a, 64 bits), for what is
//! compared with what the store keeps. It isn't for tables: whoever chooses the
//! input can make two alike.

use std::hash::{Hash, Hasher};

/// Folds bytes into a number.
pub struct Fold(u64);

impl Default for Fold {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// The number, mixed so that its upper bits depend on all bytes.
    fn finish(&self) -> u64 {
        let mut hash = self.0;
        hash ^= hash >> 29;
        hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^ hash >> 32
    }
}

/// One value, folded.
pub fn fold(value: impl Hash) -> u64 {
    let mut fold = Fold::default();
    value.hash(&mut fold);
    fold.finish()
}
