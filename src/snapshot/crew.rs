//! Threads that share work on files: each takes a file, cuts jobs from it, and
//! does what others have cut when there is no file left. So many small files and
//! one large one keep all of them busy. What comes of jobs is given back in
//! order, so that nobody can tell how many threads there were.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How often the calling thread is woken meanwhile.
const IDLE: Duration = Duration::from_millis(100);
/// More threads than this would wait for the disk.
const MOST_THREADS: usize = 16;

/// As many threads as the machine runs at once, and one for very little to read.
pub fn threads(bytes: u64) -> usize {
    let machine = thread::available_parallelism().map_or(1, |n| n.get().min(MOST_THREADS));
    if bytes < LITTLE { 1 } else { machine }
}

/// Bytes that one thread reads in the time in which another is made.
const LITTLE: u64 = 64 * 1024;

/// Jobs that wait, for each thread: enough to do while whoever cuts them is kept
/// from it.
const WAITING: usize = 6;

type Job<'env> = Box<dyn FnOnce() + Send + 'env>;

/// The threads at work.
pub struct Crew<'env> {
    threads: usize,
    state: Mutex<State<'env>>,
    changed: Condvar,
}

struct State<'env> {
    /// Jobs that nobody has begun.
    waiting: VecDeque<Job<'env>>,
    /// Files whose jobs aren't all cut and done.
    open: usize,
    /// A thread panicked, so what others wait for may never come.
    broken: bool,
}

/// Calls `work` once for each number below `files`, on several threads, and `idle`
/// on this one again and again until all is done. An error keeps files that
/// weren't begun from being so; the one of the lowest number is returned.
pub fn run<'env>(
    threads: usize,
    files: usize,
    mut idle: impl FnMut(),
    work: impl Fn(&Crew<'env>, usize) -> io::Result<()> + Sync,
) -> io::Result<()> {
    let crew = Crew {
        threads,
        state: Mutex::new(State {
            waiting: VecDeque::new(),
            open: files,
            broken: false,
        }),
        changed: Condvar::new(),
    };
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let failed = Mutex::new(None::<(usize, io::Error)>);
    let one = |running: mpsc::Sender<()>| {
        let _guard = Guard(&crew);
        loop {
            let file = next.fetch_add(1, Relaxed);
            if file >= files {
                break;
            }
            if !stop.load(Relaxed)
                && let Err(error) = work(&crew, file)
            {
                stop.store(true, Relaxed);
                let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
                if failed.as_ref().is_none_or(|(other, _)| file < *other) {
                    *failed = Some((file, error));
                }
            }
            crew.lock().open -= 1;
            crew.changed.notify_all();
        }
        crew.help();
        drop(running);
    };
    thread::scope(|scope| {
        // Each thread holds a sender until it ends.
        let (running, ended) = mpsc::channel();
        for _ in 0..threads {
            let running = running.clone();
            scope.spawn(|| one(running));
        }
        drop(running);
        while ended.recv_timeout(IDLE) == Err(RecvTimeoutError::Timeout) {
            idle();
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.map_or(Ok(()), |(_, error)| Err(error))
}

impl<'env> Crew<'env> {
    fn lock(&self) -> MutexGuard<'_, State<'env>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State<'env>>) -> MutexGuard<'s, State<'env>> {
        assert!(!state.broken, "a thread of the crew has panicked");
        let state = self.changed.wait(state);
        state.unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs until there are no more files.
    fn help(&self) {
        let mut state = self.lock();
        while state.open > 0 {
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                self.run(job);
                state = self.lock();
            } else {
                state = self.wait(state);
            }
        }
    }

    fn run(&self, job: Job<'env>) {
        job();
        // Whoever looks whether it is done holds the lock until it waits.
        drop(self.lock());
        self.changed.notify_all();
    }

    /// Leaves a job to the others, or does it where they have enough to do.
    fn offer(&self, job: Job<'env>) {
        let mut state = self.lock();
        if self.threads > 1 && state.waiting.len() < WAITING * self.threads {
            state.waiting.push_back(job);
            drop(state);
            self.changed.notify_all();
        } else {
            drop(state);
            job();
        }
    }
}

struct Guard<'c, 'env>(&'c Crew<'env>);

impl Drop for Guard<'_, '_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().broken = true;
            self.0.changed.notify_all();
        }
    }
}

/// Jobs of one file, whose results come in the order in which they were given.
pub struct Lane<'c, 'env, T> {
    crew: &'c Crew<'env>,
    slots: VecDeque<Arc<Mutex<Option<T>>>>,
}

impl<'c, 'env, T: Send + 'env> Lane<'c, 'env, T> {
    /// None given yet.
    pub fn new(crew: &'c Crew<'env>) -> Self {
        Self {
            crew,
            slots: VecDeque::new(),
        }
    }

    /// Gives a job. What it needs and makes stays in memory until it is taken.
    pub fn give(&mut self, job: impl FnOnce() -> T + Send + 'env) {
        let slot = Arc::new(Mutex::new(None));
        self.slots.push_back(slot.clone());
        self.crew.offer(Box::new(move || {
            let made = job();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        }));
    }

    /// Whether so many results are outstanding that the first should be awaited.
    pub fn is_full(&self) -> bool {
        self.slots.len() > 2 * WAITING * self.crew.threads
    }

    /// The next result if it is there.
    pub fn ready(&mut self) -> Option<T> {
        let made = taken(self.slots.front()?)?;
        self.slots.pop_front();
        Some(made)
    }

    /// The next result; `None` where all were taken. Meanwhile other jobs are
    /// done.
    pub fn await_next(&mut self) -> Option<T> {
        let slot = self.slots.pop_front()?;
        loop {
            let mut state = self.crew.lock();
            if let Some(made) = taken(&slot) {
                return Some(made);
            }
            if let Some(job) = state.waiting.pop_front() {
                drop(state);
                self.crew.run(job);
            } else {
                state = self.crew.wait(state);
                drop(state);
            }
        }
    }
}

fn taken<T>(slot: &Mutex<Option<T>>) -> Option<T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn results_come_in_order_for_any_number_of_threads_and_files() {
        for threads in [1, 2, 5] {
            for files in [0, 1, 2, 17] {
                let all = Mutex::new(vec![Vec::new(); files]);
                let done = run(
                    threads,
                    files,
                    || (),
                    |crew, file| {
                        let mut lane = Lane::new(crew);
                        let mut found = Vec::new();
                        for n in 0..200 {
                            lane.give(move || {
                                if n % 7 == file % 7 {
                                    thread::yield_now();
                                }
                                n
                            });
                            found.extend(lane.ready());
                            if lane.is_full() {
                                found.extend(lane.await_next());
                            }
                            assert!(!lane.is_full());
                        }
                        while let Some(n) = lane.await_next() {
                            found.push(n);
                        }
                        all.lock().unwrap()[file] = found;
                        Ok(())
                    },
                );
                done.unwrap();
                let expected: Vec<usize> = (0..200).collect();
                let all = all.into_inner().unwrap();
                assert!(all.iter().all(|found| *found == expected));
            }
        }
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let work = |_: &Crew<'_>, file| {
            begun.fetch_add(1, Relaxed);
            Err(io::Error::other(format!("file {file}")))
        };
        let error = run(2, 1000, || (), work).unwrap_err();
        assert_eq!(error.to_string(), "file 0");
        assert!(begun.into_inner() <= 2);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_in_a_job_is_passed_on_and_nobody_waits_for_ever() {
        let work = |crew: &Crew<'_>, _| {
            let mut lane = Lane::new(crew);
            for n in 0..100 {
                lane.give(move || assert!(n < 50));
            }
            while lane.await_next().is_some() {}
            Ok(())
        };
        let _ = run(2, 1, || (), work);
    }
}
