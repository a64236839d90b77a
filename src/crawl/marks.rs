//! Answers that aren't what the site has to say: challenge pages, pages that
//! only say "not found", and the probe by which those are learned. They are
//! recorded like all others; the mark is for the ledger and for replay.

pub mod challenge;
pub mod soft_404;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use soft_404::{Imprints, Look};

use crate::url::HostKey;

/// What an answer is besides a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A captcha or a bot wall stood before the site.
    Challenge,
    /// A page that says "not found" without the status.
    Soft404,
    /// Asked for by us, to see what a missing page looks like.
    Probe,
}

impl Mark {
    /// The word in the ledger and the index.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::Soft404 => "soft-404",
            Self::Probe => "probe",
        }
    }
}

/// So many hosts' missing pages are remembered; the others' pages wait for a
/// probe of their own again.
const MOST_HOSTS: usize = 100_000;

/// What is known of hosts' missing pages: the keeper learns it, workers ask.
#[derive(Default)]
pub struct Looks(RwLock<HashMap<HostKey, Arc<Look>>>);

impl Looks {
    /// What a host's missing pages look like, once that is known.
    pub fn of(&self, host: &HostKey) -> Option<Arc<Look>> {
        let looks = self.0.read().unwrap_or_else(PoisonError::into_inner);
        looks.get(host).cloned()
    }

    /// Notes what was learned.
    pub fn learn(&self, host: HostKey, look: Look) {
        let mut looks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if looks.len() > MOST_HOSTS {
            looks.clear();
        }
        looks.insert(host, Arc::new(look));
    }
}
