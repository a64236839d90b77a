//! Payloads that need not be stored again: which record an answer may refer to
//! as a revisit. Workers ask; the keeper tells what was appended. A record is
//! named only once it stands in a WARC before the revisit, or in the earlier
//! snapshot. Memory doesn't grow with the crawl: the store knows all payloads,
//! and a filter of fixed size keeps most questions from it.

mod earlier;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags};

pub use earlier::{Earlier, EarlierError};

use super::CrawlError;
use super::store::connect;
use super::store::payloads::Payloads;
use crate::config;
use crate::digest::Digest;

/// A record whose payload another record may refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Original {
    /// `WARC-Record-ID`.
    pub record_id: String,
    /// `WARC-Target-URI`.
    pub url: String,
    /// `WARC-Date` as the record has it.
    pub date: String,
    /// Whether it is in the earlier snapshot.
    pub is_earlier: bool,
}

/// The payloads that are known.
pub struct Dedup {
    within: bool,
    min_bytes: u64,
    payloads: Arc<Payloads>,
    recent: Mutex<Recent>,
    /// A connection of the workers' own: it sees what is committed.
    committed: Mutex<Connection>,
    /// The snapshot before this one.
    pub earlier: Option<Earlier>,
}

impl Dedup {
    /// For a store that is open already. An earlier snapshot that can't be used
    /// is an error of the caller's, who may go on without.
    pub fn open(
        settings: &config::Dedup,
        store: &Path,
        payloads: Arc<Payloads>,
        earlier: Option<Earlier>,
    ) -> Result<Self, CrawlError> {
        let committed = connect(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        committed.execute_batch("PRAGMA cache_size = -4096")?;
        Ok(Self {
            within: settings.payloads,
            min_bytes: settings.min_bytes.0.max(1),
            payloads,
            recent: Mutex::default(),
            committed: Mutex::new(committed),
            earlier,
        })
    }

    /// Whether a payload of this length is worth a revisit.
    pub fn takes(&self, bytes: u64) -> bool {
        bytes >= self.min_bytes && (self.within || self.earlier.is_some())
    }

    /// The record that a URL's answer with this payload may refer to: its own
    /// in the earlier snapshot before any other in this crawl, and that before
    /// others in the earlier one.
    pub fn original(&self, digest: &Digest, url: &str) -> Option<Original> {
        let earlier = self
            .earlier
            .as_ref()
            .and_then(|earlier| earlier.original(digest, url));
        if earlier.as_ref().is_some_and(|original| original.url == url) {
            return earlier;
        }
        self.in_this_crawl(digest).or(earlier)
    }

    fn in_this_crawl(&self, digest: &Digest) -> Option<Original> {
        if !self.within || !self.payloads.may_have(digest) {
            return None;
        }
        if let Some(original) = locked(&self.recent).of(digest) {
            return Some(original);
        }
        let found = self.payloads.original(&locked(&self.committed), digest);
        // A store that can't be asked costs a second copy, not the capture.
        found.unwrap_or_else(|error| {
            tracing::warn!("state/crawl.sqlite: looking for a payload: {error}");
            None
        })
    }

    /// Notes a record that was appended.
    pub fn appended(&self, digest: &Digest, original: Original) {
        if self.within {
            locked(&self.recent).add(digest, original);
        }
    }

    /// What was appended before can be found in the store from now on.
    pub fn committed(&self) {
        locked(&self.recent).grow_old();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Records of the last two commits.
#[derive(Default)]
struct Recent {
    young: HashMap<Digest, Arc<Original>>,
    old: HashMap<Digest, Arc<Original>>,
}

/// What is appended between two commits is far less; beyond it a payload is
/// stored twice.
const MOST_RECENT: usize = 50_000;

impl Recent {
    fn of(&self, digest: &Digest) -> Option<Original> {
        let found = self.young.get(digest).or_else(|| self.old.get(digest));
        found.map(|original| Original::clone(original))
    }

    fn add(&mut self, digest: &Digest, original: Original) {
        if self.young.len() < MOST_RECENT {
            self.young.insert(digest.clone(), Arc::new(original));
        }
    }

    fn grow_old(&mut self) {
        self.old = std::mem::take(&mut self.young);
    }
}
