//! Scanning takes longer than reading, so it has threads of its own. What waits
//! for them is bounded, and so is what they found and nobody took yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, available_parallelism};

use crate::config::Limits;
use crate::http::Head;
use crate::links::{self, Hop, Path};
use crate::net::Spool;
use crate::url::CanonicalUrl;

/// Answers that wait; each has a megabyte in memory at most.
const WAITING: usize = 16;

/// A stored answer, and how it was asked for.
pub(super) struct Answer {
    pub(super) url: CanonicalUrl,
    pub(super) path: Path,
    pub(super) via: Option<String>,
    pub(super) head: Vec<u8>,
    pub(super) spool: Spool,
    /// Its WARC.
    pub(super) filename: String,
    /// Where its record starts there.
    pub(super) offset: u64,
}

/// What an answer names.
pub(super) struct Scanned {
    pub(super) url: String,
    pub(super) filename: String,
    pub(super) offset: u64,
    pub(super) is_sitemap: bool,
    pub(super) named: Vec<(CanonicalUrl, Hop)>,
}

/// The threads that scan.
pub(super) struct Scanning {
    answers: SyncSender<Answer>,
    scanned: Receiver<Scanned>,
}

impl Scanning {
    pub(super) fn start<'scope>(limits: &Limits, scope: &'scope Scope<'scope, '_>) -> Self {
        let (answers, waiting) = sync_channel(WAITING);
        let (found, scanned) = channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..available_parallelism().map_or(1, usize::from) {
            let (waiting, found, limits) = (Arc::clone(&waiting), found.clone(), limits.clone());
            scope.spawn(move || work(&waiting, &found, &limits));
        }
        Self { answers, scanned }
    }

    /// Has an answer scanned.
    pub(super) fn take(&self, answer: Answer) {
        self.answers
            .send(answer)
            .expect("the threads wait until the sender is dropped");
    }

    /// What is scanned already.
    pub(super) fn done(&self) -> Option<Scanned> {
        self.scanned.try_recv().ok()
    }

    /// What is left, until all of it is scanned.
    pub(super) fn rest(self) -> impl Iterator<Item = Scanned> {
        drop(self.answers);
        self.scanned.into_iter()
    }
}

fn work(waiting: &Mutex<Receiver<Answer>>, found: &Sender<Scanned>, limits: &Limits) {
    let next = || {
        let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.recv().ok()
    };
    while let Some(answer) = next() {
        // As in the crawl, whose row it would be: nothing in it was followed.
        let scanned = catch_unwind(AssertUnwindSafe(|| scan(&answer, limits)));
        let scanned = scanned.unwrap_or_default();
        let told = found.send(Scanned {
            url: answer.url.to_string(),
            filename: answer.filename,
            offset: answer.offset,
            is_sitemap: scanned.is_sitemap(),
            named: scanned.links,
        });
        if told.is_err() {
            return;
        }
    }
}

fn scan(answer: &Answer, limits: &Limits) -> links::Found {
    let way = (&answer.path, answer.via.as_deref());
    let head = Head::parse(&answer.head);
    links::find(&answer.url, way, &head, &answer.spool, limits, |_| ())
}
