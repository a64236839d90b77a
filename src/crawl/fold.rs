//! Numbers for what is compared with what the store keeps: the same in every build
//! and run. A fold (FNV-1a, 64 bits) isn't for tables, since whoever chooses the
//! input can make two alike; a key is.

use std::hash::{Hash, Hasher};

use crate::digest::Digest;

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

/// The key of what a text stands for: 64 bits of its SHA-256.
pub fn key(text: &str) -> u64 {
    (long_key(text) >> 64) as u64
}

/// 128 bits of a text's SHA-256, of which the first 64 are its key.
pub fn long_key(text: &str) -> u128 {
    let digest = Digest::sha256(text.as_bytes());
    let first = digest.bytes()[..16]
        .try_into()
        .expect("SHA-256 has 32 bytes");
    u128::from_be_bytes(first)
}
