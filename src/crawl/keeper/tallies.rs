//! Counts of budgets, in memory between two commits. Bounded: what is written
//! down may be forgotten and is read again.

use std::collections::HashMap;

use crate::crawl::store::{Result, Store, Tally};

/// Counts that are held in memory.
const MOST: usize = 200_000;

/// The counts.
#[derive(Default)]
pub struct Tallies {
    known: HashMap<(Tally, u64), Count>,
}

struct Count {
    count: u64,
    is_written: bool,
}

impl Tallies {
    /// A count.
    pub fn of(&mut self, store: &Store, kind: Tally, key: u64) -> Result<u64> {
        Ok(self.entry(store, kind, key)?.count)
    }

    /// Adds to a count.
    pub fn add(&mut self, store: &Store, kind: Tally, key: u64, by: u64) -> Result<()> {
        let entry = self.entry(store, kind, key)?;
        entry.count = entry.count.saturating_add(by);
        entry.is_written = false;
        Ok(())
    }

    /// Sets what isn't a count.
    pub fn set(&mut self, store: &Store, kind: Tally, key: u64, to: u64) -> Result<()> {
        let entry = self.entry(store, kind, key)?;
        entry.count = to;
        entry.is_written = false;
        Ok(())
    }

    fn entry(&mut self, store: &Store, kind: Tally, key: u64) -> Result<&mut Count> {
        if self.known.len() >= MOST {
            self.write(store)?;
            self.known.clear();
        }
        let slot = match self.known.entry((kind, key)) {
            std::collections::hash_map::Entry::Occupied(known) => return Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(slot) => slot,
        };
        let count = store.tally(kind, key)?;
        Ok(slot.insert(Count {
            count,
            is_written: true,
        }))
    }

    /// Writes what has changed into the store's transaction.
    pub fn write(&mut self, store: &Store) -> Result<()> {
        for (&(kind, key), entry) in &mut self.known {
            if !entry.is_written {
                store.set_tally(kind, key, entry.count)?;
                entry.is_written = true;
            }
        }
        Ok(())
    }
}
