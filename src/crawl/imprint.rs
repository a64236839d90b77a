//! What two pages of an endless sequence have in common: their length, their
//! words and figures, and what they name. Nothing in it depends on the order in which
//! pages were fetched.

/// The imprint of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imprint {
    /// Length of the payload in bytes.
    pub bytes: u64,
    /// The URLs that it names besides those of its own form, folded into one
    /// number.
    pub others: u64,
    /// What it names below its own directory, relative to it, folded; 0 where
    /// it names nothing there.
    pub below: u64,
    /// Its words, sketched.
    pub words: u64,
    /// Its figures, sketched; see [`super::figures`].
    pub figures: u64,
}

impl Imprint {
    /// Whether a page after one with this imprint brings nothing new: it names
    /// the same and says the same.
    pub fn is_repeated_by(self, next: Self) -> bool {
        self.others == next.others && self.says_the_same_as(next)
    }

    /// Whether a page below one with this imprint is the same page again.
    pub fn is_nested_in(self, next: Self) -> bool {
        self.below != 0 && self.below == next.below && self.says_the_same_as(next)
    }

    /// About as long, and in about the same words; the name of a month may
    /// differ, and its neighbours'; so may a count of visitors and the time that
    /// the page took to make.
    pub fn says_the_same_as(self, next: Self) -> bool {
        const DIFFERENT: u32 = 3;
        next.bytes.abs_diff(self.bytes) <= self.bytes / 10
            && (self.words ^ next.words).count_ones() <= DIFFERENT
            && (self.figures ^ next.figures).count_ones() <= OTHER_FIGURES
    }
}

/// Bits of two sketches of figures that may differ where nothing does but a
/// count of visitors, a time and the like: three numbers, of which each is in one
/// and not in the other.
pub const OTHER_FIGURES: u32 = 6;

/// Bytes of a page that are read.
pub const READ: usize = 256 * 1024;

/// A sketch of the words of a text: the more words two texts share, the fewer
/// bits differ. Numbers aren't words, nor is their order part of it.
pub fn words(text: &[u8]) -> u64 {
    /// The bit by which small letters differ from capitals, in each byte.
    const SMALL: u64 = 0x2020_2020_2020_2020;
    let mut sketch = Sketch::default();
    let text = &text[..text.len().min(READ)];
    let mut word = |word: &[u8]| {
        if word.len() >= 2 {
            sketch.add_with(word, SMALL);
        }
    };
    let mut start = 0;
    for (at, &byte) in text.iter().enumerate() {
        if !IS_LETTER[usize::from(byte)] {
            word(&text[start..at]);
            start = at + 1;
        }
    }
    word(&text[start..]);
    sketch.bits()
}

/// Letters of ASCII, and every byte of the others.
const IS_LETTER: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = byte.is_ascii_alphabetic() || byte >= 0x80;
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

/// A set in 64 bits: one-permutation min-wise hashing, one bit a bucket.
pub struct Sketch([u64; 64]);

impl Default for Sketch {
    fn default() -> Self {
        Self([u64::MAX; 64])
    }
}

impl Sketch {
    /// Adds an element.
    pub fn add(&mut self, element: &[u8]) {
        self.add_with(element, 0);
    }

    /// Adds an element with some bits of each eight of its bytes set.
    fn add_with(&mut self, element: &[u8], set: u64) {
        let (eights, last) = element.as_chunks::<8>();
        let mut hash = element.len() as u64;
        for eight in eights {
            hash = Self::mixed(hash, u64::from_le_bytes(*eight) | set);
        }
        if !last.is_empty() {
            hash = Self::mixed(hash, little_endian(last) | set);
        }
        // Mixed so that the upper bits depend on all letters.
        hash = hash.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash ^= hash >> 32;
        let bucket = &mut self.0[(hash >> 58) as usize];
        *bucket = (*bucket).min(hash & (u64::MAX >> 6));
    }

    fn mixed(hash: u64, bytes: u64) -> u64 {
        let hash = (hash ^ bytes).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^ (hash >> 29)
    }

    /// The sketch; 0 where nothing was added.
    pub fn bits(&self) -> u64 {
        let bits = self.0.iter().enumerate();
        let bits = bits.filter(|(_, hash)| **hash != u64::MAX);
        bits.fold(0, |sketch, (at, hash)| {
            sketch | u64::from(hash.count_ones() & 1) << at
        })
    }
}

/// Up to seven bytes as a number, the first one lowest. Most words are that short,
/// and a copy of so few bytes is a call.
fn little_endian(bytes: &[u8]) -> u64 {
    let pair = |at: usize| u64::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
    let four = |at: usize| pair(at) | pair(at + 2) << 16;
    match bytes.len() {
        0 => 0,
        1 => u64::from(bytes[0]),
        2 => pair(0),
        3 => pair(0) | u64::from(bytes[2]) << 16,
        // Two that overlap; where they do they say the same.
        length => four(0) | four(length - 4) << (8 * (length - 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_number_that_they_are_with_zeros_behind() {
        let bytes: [u8; 7] = [0x81, 2, 0x73, 4, 0xf5, 6, 0x97];
        for length in 0..=7 {
            let mut eight = [0; 8];
            eight[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(little_endian(&bytes[..length]), u64::from_le_bytes(eight));
        }
    }

    /// A page of a site whose pages share most of their words.
    fn page(own: &str) -> u64 {
        let shared: Vec<String> = (0..200_u32).map(|n| spelled(n + 1000)).collect();
        let shared = shared.join("</p>\n<p class=w>");
        words(format!("{shared}{own}").as_bytes())
    }

    fn spelled(mut n: u32) -> String {
        let mut text = String::new();
        while n > 0 {
            text.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
        }
        text + "ish"
    }

    #[test]
    fn months_of_an_empty_calendar_say_the_same() {
        const MONTHS: [&str; 6] = ["January", "February", "March", "April", "May", "June"];
        for at in 1..4 {
            let month = |at: usize| {
                let [before, name, after] = [MONTHS[at - 1], MONTHS[at], MONTHS[at + 1]];
                page(&format!(
                    "{name} 2031 | {before} 2031 | {after} 2031 1 2 3 4"
                ))
            };
            assert!((month(at) ^ month(at + 1)).count_ones() <= 3);
        }
    }

    #[test]
    fn entries_of_a_diary_do_not() {
        let entry = |n: u32| {
            let own: String = (0..40).map(|w| spelled(5_000 + n * 40 + w) + " ").collect();
            page(&own)
        };
        let in_a_row = (0..100).filter(|n| (entry(*n) ^ entry(n + 1)).count_ones() <= 3);
        assert!(in_a_row.count() < 60);
    }

    #[test]
    fn a_page_is_repeated_only_by_one_that_names_and_says_the_same() {
        let page = Imprint {
            bytes: 1000,
            others: 7,
            below: 9,
            words: 0b1111,
            figures: 0b1111,
        };
        assert!(page.is_repeated_by(Imprint {
            bytes: 1050,
            ..page
        }));
        assert!(!page.is_repeated_by(Imprint {
            bytes: 1200,
            ..page
        }));
        assert!(!page.is_repeated_by(Imprint { others: 8, ..page }));
        assert!(!page.is_repeated_by(Imprint {
            words: 0b1111_0000_0000,
            ..page
        }));
        assert!(!page.is_repeated_by(Imprint {
            figures: 0xfff_0000,
            ..page
        }));
        assert!(page.is_nested_in(Imprint { others: 8, ..page }));
        assert!(!Imprint { below: 0, ..page }.is_nested_in(Imprint { below: 0, ..page }));
    }
}
