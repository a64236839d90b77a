//! What a crawl tells while it runs, and how it is told to stop. The command
//! line draws it; nothing is printed here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::snapshot::ledger::ASKED_TO_WAIT;
use crate::snapshot::manifest::Counts;

/// Figures of a running crawl.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// URLs by state; `unreached` are those that wait.
    pub counts: Counts,
    /// Captured pages.
    pub pages: u64,
    /// Bytes received from servers.
    pub received: u64,
    /// Bytes of the WARCs.
    pub stored: u64,
    /// Irregularities that the crawl log tells.
    pub notes: u64,
    /// What the archivist must know, in sentences; a few of them.
    pub alarms: Vec<String>,
    /// Tries that gave no whole answer.
    pub errors: u64,
    /// Hosts that are talked to, a few of them.
    pub hosts: Vec<String>,
    /// The last trouble, in a line.
    pub last_error: Option<String>,
    /// Set while the crawl winds down.
    pub stopping: Option<Stop>,
    /// Set while the snapshot is sealed.
    pub sealing: bool,
}

/// Why a crawl stopped early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Ctrl-C or a signal.
    Interrupted,
    /// `crawl.max_urls` was reached.
    MaxUrls,
    /// `crawl.time_limit` was reached.
    TimeLimit,
    /// Less than `storage.min_free` is free.
    DiskNearlyFull,
    /// The hosts that are left ask for more time than
    /// `politeness.max_retry_after`.
    AskedToWait,
    /// Nobody has answered for longer than `politeness.outage`, nor could a host
    /// be connected to that did before.
    NoNetwork,
}

impl Stop {
    /// The reason of unreached URLs in the ledger.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::MaxUrls => "max-urls",
            Self::TimeLimit => "time-limit",
            Self::DiskNearlyFull => "disk-nearly-full",
            Self::AskedToWait => ASKED_TO_WAIT,
            Self::NoNetwork => "no-network",
        }
    }

    /// What is to be done before the crawl can go on, where nobody asked for the stop.
    pub fn what_to_do(self) -> Option<&'static str> {
        match self {
            Self::Interrupted | Self::MaxUrls | Self::TimeLimit => None,
            Self::DiskNearlyFull => Some(
                "The disk is nearly full (storage.min_free). Nothing captured is lost: make room.",
            ),
            Self::AskedToWait => Some(
                "The hosts that are left ask to be left alone for longer than politeness.max_retry_after: wait.",
            ),
            Self::NoNetwork => Some("Nobody answered any more: see to the network."),
        }
    }
}

/// Shared by the crawl and whoever watches it.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    progress: Mutex<Progress>,
}

impl Control {
    /// Asks the crawl to stop cleanly.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The latest figures.
    pub fn progress(&self) -> Progress {
        self.progress
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn publish(&self, progress: Progress) {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
    }
}
