//! Verification of the collections while they are read: on a thread of its own,
//! one collection at a time, so that a reader sees what vouches for what is shown.
//! Who judges is given from outside.

use std::collections::{HashMap, VecDeque};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use crate::time::Timestamp14;

/// What verification came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Whether nothing is altered and nothing contradicts the rest; `None` where nothing
    /// vouches for it.
    pub holds: Option<bool>,
    /// The verdict in a line.
    pub verdict: String,
    /// What became of all URLs, in a sentence, where a ledger tells.
    pub account: Option<String>,
    /// The whole report, as a text.
    pub text: String,
    /// When it was done.
    pub time: Timestamp14,
}

/// Bytes read, and bytes that will be.
pub type Progress<'p> = &'p mut dyn FnMut(u64, u64);

/// Verifies what is at a path.
pub type Judge = Box<dyn Fn(&Path, Progress<'_>) -> Judgement + Send + Sync>;

/// How far it is with a collection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nobody can judge here.
    #[default]
    Unavailable,
    /// It wasn't asked for.
    NotAsked,
    /// Others are before it.
    Waiting,
    /// Bytes read of all.
    Reading(u64, u64),
    /// Done.
    Done(Arc<Judgement>),
}

/// The judgements of one replay.
#[derive(Default)]
pub struct Judging {
    judge: OnceLock<Judge>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    standings: HashMap<String, Standing>,
    waiting: VecDeque<(String, PathBuf)>,
    works: bool,
}

impl Judging {
    /// Says who judges; the first is kept.
    pub fn appoint(&self, judge: Judge) {
        let _ = self.judge.set(judge);
    }

    /// How far it is with a collection.
    pub fn standing(&self, collection: &str) -> Standing {
        if self.judge.get().is_none() {
            return Standing::Unavailable;
        }
        let state = lock(&self.state);
        let known = state.standings.get(collection).cloned();
        known.unwrap_or(Standing::NotAsked)
    }

    /// Whether a collection has nobody at it and no judgement.
    fn is_idle(state: &State, collection: &str) -> bool {
        !matches!(
            state.standings.get(collection),
            Some(Standing::Waiting | Standing::Reading(..))
        )
    }
}

/// Has a collection judged, also once more; nothing where that is under way.
pub fn begin(judging: &Arc<Judging>, collection: &str, path: &Path) {
    if judging.judge.get().is_none() {
        return;
    }
    let mut state = lock(&judging.state);
    if !Judging::is_idle(&state, collection) {
        return;
    }
    let name = collection.to_owned();
    state.standings.insert(name.clone(), Standing::Waiting);
    state.waiting.push_back((name, path.to_owned()));
    if state.works {
        return;
    }
    let own = Arc::clone(judging);
    let started = thread::Builder::new()
        .name("judge".to_owned())
        .spawn(move || work(&own));
    state.works = started.is_ok();
    if !state.works {
        state.waiting.clear();
        state.standings.remove(collection);
    }
}

fn work(judging: &Judging) {
    let Some(judge) = judging.judge.get() else {
        return;
    };
    loop {
        let next = {
            let mut state = lock(&judging.state);
            let next = state.waiting.pop_front();
            state.works = next.is_some();
            next
        };
        let Some((name, path)) = next else {
            return;
        };
        let tell = |standing: Standing| {
            lock(&judging.state)
                .standings
                .insert(name.clone(), standing);
        };
        tell(Standing::Reading(0, 0));
        let mut progress = |read, all| tell(Standing::Reading(read, all));
        // A fault of one keeps no other waiting.
        let judged = panic::catch_unwind(AssertUnwindSafe(|| judge(&path, &mut progress)));
        let judgement = judged.unwrap_or_else(|_| Judgement {
            holds: Some(false),
            verdict: "verification failed".to_owned(),
            account: None,
            text: "The program failed while it read this collection.".to_owned(),
            time: Timestamp14::now(),
        });
        tell(Standing::Done(Arc::new(judgement)));
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    fn judgement(path: &Path) -> Judgement {
        Judgement {
            holds: Some(true),
            verdict: path.display().to_string(),
            account: None,
            text: String::new(),
            time: "20260101000000".parse().unwrap(),
        }
    }

    fn until(judging: &Judging, name: &str, wanted: impl Fn(&Standing) -> bool) -> Standing {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            let standing = judging.standing(name);
            if wanted(&standing) {
                return standing;
            }
            thread::sleep(Duration::from_millis(1));
        }
        panic!("{name} is still {:?}", judging.standing(name));
    }

    #[test]
    fn collections_are_judged_one_after_the_other_and_again() {
        let judging = Arc::new(Judging::default());
        begin(&judging, "a", Path::new("/a"));
        assert_eq!(judging.standing("a"), Standing::Unavailable);
        let (let_go, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        judging.appoint(Box::new(move |path, progress| {
            progress(1, 2);
            held.lock().unwrap().recv().unwrap();
            judgement(path)
        }));
        assert_eq!(judging.standing("a"), Standing::NotAsked);
        begin(&judging, "a", Path::new("/a"));
        begin(&judging, "b", Path::new("/b"));
        begin(&judging, "a", Path::new("/a"));
        until(&judging, "a", |s| *s == Standing::Reading(1, 2));
        assert_eq!(judging.standing("b"), Standing::Waiting);
        for _ in 0..2 {
            let_go.send(()).unwrap();
        }
        let done = until(&judging, "b", |s| matches!(s, Standing::Done(_)));
        assert_eq!(done, Standing::Done(Arc::new(judgement(Path::new("/b")))));
        begin(&judging, "a", Path::new("/a"));
        until(&judging, "a", |s| *s == Standing::Reading(1, 2));
        let_go.send(()).unwrap();
        until(&judging, "a", |s| matches!(s, Standing::Done(_)));
    }
}
