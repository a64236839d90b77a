//! Keys that come in no order, held in memory (a memtable, as log-structured stores call
//! it) until they go to disk: in the order of the keys, a stretch of it with each commit,
//! round after round. So many go to each page that is written that a key costs much the
//! same however many there are. What is in memory is made again when the store is opened,
//! from the rows after the last up to which a round has told that all are on disk.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Keys that are held in tests: so few that others are on disk.
#[cfg(test)]
pub const HELD: usize = 100;

/// The keys with what stands at each.
pub struct Young<V> {
    /// How many are held between two commits.
    held: usize,
    entries: BTreeMap<i64, V>,
    /// Those that the open transaction writes: others may ask before it is committed.
    written: Vec<i64>,
    /// How far this round has come.
    at: Bound<i64>,
    /// The last row when it began.
    begun_with: i64,
    /// The last row.
    last: i64,
}

impl<V: Copy> Young<V> {
    /// Where the keys of all rows up to one are on disk.
    pub fn new(up_to: i64, held: usize) -> Self {
        Self {
            held,
            entries: BTreeMap::new(),
            written: Vec::new(),
            at: Bound::Unbounded,
            begun_with: up_to,
            last: up_to,
        }
    }

    /// What stands at a key.
    pub fn get(&self, key: i64) -> Option<V> {
        self.entries.get(&key).copied()
    }

    /// Adds the key of a new row.
    pub fn add(&mut self, key: i64, value: V, row: i64) {
        self.entries.insert(key, value);
        self.last = self.last.max(row);
    }

    /// Forgets a key that is on disk already.
    pub fn forget(&mut self, key: i64) {
        self.entries.remove(&key);
    }

    /// Notes a row whose key is on disk.
    pub fn pass(&mut self, row: i64) {
        self.last = self.last.max(row);
    }

    /// Begins the first round after the store was opened.
    pub fn begin(&mut self) {
        self.begun_with = self.last;
    }

    /// Has none, where the keys of all rows up to one are on disk.
    pub fn restart(&mut self, up_to: i64) {
        *self = Self::new(up_to, self.held);
    }

    /// All that are held.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = (i64, V)> {
        self.entries.iter().map(|(key, value)| (*key, *value))
    }

    /// What the open transaction is to write, so that only so many are left as are held,
    /// and up to which row all are on disk then, where a round has ended. They can be had
    /// from here until [`Self::committed`]: others ask meanwhile.
    pub fn sweep(&mut self) -> (Vec<(i64, V)>, Option<i64>) {
        debug_assert!(self.written.is_empty(), "the last transaction is open");
        let many = self.entries.len().saturating_sub(self.held);
        let mut swept = Vec::with_capacity(many);
        let mut all_up_to = None;
        while swept.len() < many {
            let rest = self.entries.range((self.at, Bound::Unbounded));
            let next = rest.take(many - swept.len());
            swept.extend(next.map(|(key, value)| (*key, *value)));
            if let Some((key, _)) = swept.last() {
                self.at = Bound::Excluded(*key);
            }
            if swept.len() < many {
                all_up_to = Some(self.begun_with);
                (self.at, self.begun_with) = (Bound::Unbounded, self.last);
            }
        }
        self.written.extend(swept.iter().map(|(key, _)| key));
        (swept, all_up_to)
    }

    /// Forgets what was written, which is on disk now.
    pub fn committed(&mut self) {
        for key in self.written.drain(..) {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Keys in no order.
    fn key(row: i64) -> i64 {
        row.wrapping_mul(0x5851_f42d_4c95_7f2d)
    }

    #[test]
    fn what_a_round_says_is_on_disk_is_there_and_each_key_is_written_once() {
        let mut young = Young::new(0, HELD);
        let mut disk = BTreeSet::new();
        let mut all_up_to = 0;
        for row in 1..=20 * HELD as i64 {
            young.add(key(row), row, row);
            if row % 7 > 0 {
                continue;
            }
            let (written, all) = young.sweep();
            for &(key, row) in &written {
                // Until that is committed it can be had from here.
                assert_eq!(young.get(key), Some(row));
                assert!(disk.insert(row), "{row} is written twice");
            }
            if let Some(up_to) = all {
                assert!(up_to >= all_up_to && (1..=up_to).all(|row| disk.contains(&row)));
                all_up_to = up_to;
            }
            young.committed();
            assert!(young.entries().len() <= HELD);
            assert!((1..=row).all(|row| disk.contains(&row) != young.get(key(row)).is_some()));
        }
        assert!(all_up_to > 15 * HELD as i64, "{all_up_to}");
    }
}
