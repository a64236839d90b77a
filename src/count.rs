//! Counts as people read them.

use serde::Serialize;

/// Entries of a list that are kept.
pub const KEPT: usize = 100;

/// A number with its thousands apart: `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with the word for what is counted: `1 capture`, `2 captures`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// The largest entries of a list, by their number of URLs.
#[derive(Debug, Clone, Serialize)]
pub struct Kept<T> {
    /// Up to [`KEPT`] of them, the largest first.
    pub largest: Vec<T>,
    /// How many more there are.
    pub more: u64,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self {
            largest: Vec::new(),
            more: 0,
        }
    }
}

impl<T> Kept<T> {
    /// Adds an entry; `urls` tells how many it stands for.
    pub fn add(&mut self, entry: T, urls: impl Fn(&T) -> u64) {
        // Of equals the first one stays first.
        let largest = &self.largest;
        let at = largest.partition_point(|other| urls(other) >= urls(&entry));
        self.largest.insert(at, entry);
        if self.largest.len() > KEPT {
            self.largest.pop();
            self.more += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart_and_one_has_no_plural() {
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(counted(1, "capture"), "1 capture");
        assert_eq!(counted(2000, "capture"), "2,000 captures");
    }

    #[test]
    fn lists_keep_the_largest_and_count_the_rest() {
        let mut kept = Kept::default();
        for urls in 0..KEPT as u64 + 3 {
            kept.add(urls, |urls| *urls);
        }
        assert_eq!((kept.largest.len(), kept.more), (KEPT, 3));
        assert_eq!(
            (kept.largest[0], kept.largest[KEPT - 1]),
            (KEPT as u64 + 2, 3)
        );
    }
}
