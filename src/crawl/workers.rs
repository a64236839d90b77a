//! Worker threads turn exchanges into outcomes. What costs much, by its size or
//! by what its server sent before, goes to a thread of its own that yields to the
//! others: a hostile server's answers wait behind each other and before nobody's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fetch::Fetched;
use super::job::Outcome;
use super::process::Processing;
use super::recorder::Recorder;

/// A worker's result; the permit goes when the outcome is in the WARC.
pub type Done = (std::io::Result<Outcome>, Option<OwnedSemaphorePermit>);

/// A stored answer from this size on is heavy.
const HEAVY_BYTES: u64 = 512 * 1024;
/// What an answer may take of a worker's time without any being owed for it.
/// Ordinary pages take less than a millisecond.
const FREE: Duration = Duration::from_millis(25);
/// A server owes at most this much.
const MOST_OWED: Duration = Duration::from_secs(5);
/// Servers whose debts are remembered.
const DEBTORS: usize = 10_000;
/// KiB that may be between the lanes and the WARC at a time, of light answers
/// and of heavy ones. Each exchange counts its memory three times, for itself,
/// its record and the compressed member.
const LIGHT_KIB: u32 = 32 * 1024;
const HEAVY_KIB: u32 = 16 * 1024;

/// How much an answer asks of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Light,
    Heavy,
}

/// Where lanes hand in what they have fetched.
pub struct Desk {
    light: Queue,
    heavy: Queue,
    debts: Arc<Debts>,
}

struct Queue {
    results: mpsc::Sender<Fetched>,
    budget: Arc<Semaphore>,
    kib: u32,
}

impl Queue {
    fn new(results: mpsc::Sender<Fetched>, kib: u32) -> Self {
        Self {
            results,
            budget: Arc::new(Semaphore::new(kib as usize)),
            kib,
        }
    }
}

impl Desk {
    /// Waits until there is room for an exchange and hands it over; false where
    /// nobody takes it any more.
    pub async fn hand_in(&self, mut fetched: Fetched) -> bool {
        let queue = match self.debts.weight(&fetched) {
            Weight::Light => &self.light,
            Weight::Heavy => &self.heavy,
        };
        let kib = match &fetched.result {
            Some(Ok(exchange)) => {
                let memory = exchange.response.memory();
                memory.map_or(64, |bytes| bytes.len() / 1024 * 3) + 8
            }
            _ => 1,
        };
        let kib = u32::try_from(kib).unwrap_or(u32::MAX).min(queue.kib);
        fetched.permit = queue.budget.clone().acquire_many_owned(kib).await.ok();
        queue.results.send(fetched).is_ok()
    }
}

/// The worker time that servers have had beyond what is free. A debt goes down
/// as the server's further answers turn out to take less.
#[derive(Default)]
struct Debts(Mutex<HashMap<SocketAddr, Duration>>);

impl Debts {
    fn weight(&self, fetched: &Fetched) -> Weight {
        let Some(Ok(exchange)) = &fetched.result else {
            return Weight::Light;
        };
        let debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Behind a proxy nobody knows who it is.
        let is_owing =
            |server: Option<SocketAddr>| server.is_some_and(|server| debts.contains_key(&server));
        if exchange.response.len() >= HEAVY_BYTES || is_owing(exchange.address) {
            Weight::Heavy
        } else {
            Weight::Light
        }
    }

    fn note(&self, server: SocketAddr, spent: Duration) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = debts.get(&server).copied().unwrap_or_default();
        let owed = (owed + spent).saturating_sub(FREE).min(MOST_OWED);
        if owed.is_zero() {
            debts.remove(&server);
        } else {
            if debts.len() >= DEBTORS && !debts.contains_key(&server) {
                debts.clear();
            }
            debts.insert(server, owed);
        }
    }
}

/// The threads.
pub struct Workers {
    abandoned: Arc<AtomicBool>,
}

impl Workers {
    /// Starts a thread a core and the one for heavy answers. They end when the
    /// desk is gone and what was handed in is done.
    pub fn start(
        processing: &Arc<Processing>,
    ) -> std::io::Result<(Self, Desk, mpsc::Receiver<Done>)> {
        let (done, outcomes) = mpsc::channel();
        let (light, of_lanes) = mpsc::channel();
        let (heavy, of_hostile) = mpsc::channel();
        let abandoned = Arc::new(AtomicBool::new(false));
        let debts = Arc::new(Debts::default());
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let of_lanes = Arc::new(Mutex::new(of_lanes));
        let of_hostile = Arc::new(Mutex::new(of_hostile));
        for at in 0..=threads {
            let worker = Worker {
                fetched: if at < threads { &of_lanes } else { &of_hostile }.clone(),
                done: done.clone(),
                processing: processing.clone(),
                abandoned: abandoned.clone(),
                debts: debts.clone(),
            };
            let is_heavy = at == threads;
            let name = if is_heavy {
                "worker-heavy".into()
            } else {
                format!("worker-{at}")
            };
            std::thread::Builder::new().name(name).spawn(move || {
                if is_heavy {
                    yield_to_others();
                }
                worker.work();
            })?;
        }
        let desk = Desk {
            light: Queue::new(light, LIGHT_KIB),
            heavy: Queue::new(heavy, HEAVY_KIB),
            debts,
        };
        Ok((Self { abandoned }, desk, outcomes))
    }

    /// Leaves undone what isn't begun. A thread that is at a long task ends
    /// with the process.
    pub fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

struct Worker {
    fetched: Arc<Mutex<mpsc::Receiver<Fetched>>>,
    done: mpsc::Sender<Done>,
    processing: Arc<Processing>,
    abandoned: Arc<AtomicBool>,
    debts: Arc<Debts>,
}

impl Worker {
    fn work(&self) {
        let mut recorder = Recorder::new(&self.processing.records.series);
        loop {
            let next = self
                .fetched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(Fetched {
                job,
                result,
                permit,
            }) = next
            else {
                return;
            };
            if self.abandoned.load(Ordering::Relaxed) {
                return;
            }
            let server = match &result {
                Some(Ok(exchange)) => exchange.address,
                _ => None,
            };
            let before = spent();
            let outcome = match result {
                Some(result) => self.processing.outcome(&mut recorder, job, result),
                None => Ok(Outcome::given_back(job)),
            };
            if let Some(server) = server {
                self.debts.note(server, spent().saturating_sub(before));
            }
            if self.done.send((outcome, permit)).is_err() {
                return;
            }
        }
    }
}

/// The processor time that this thread has had, whoever else was at work.
fn spent() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Lets this thread have the time that the others leave.
fn yield_to_others() {
    // Linux keeps the number a thread; elsewhere it is the process's, and this
    // thread has its turn as the others have.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(15);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_by_answers_that_take_less() {
        let debts = Debts::default();
        let server = SocketAddr::from(([192, 0, 2, 1], 80));
        let owes = || {
            debts
                .0
                .lock()
                .is_ok_and(|debts| debts.contains_key(&server))
        };
        debts.note(server, FREE / 10);
        assert!(!owes());
        debts.note(server, FREE * 21);
        assert!(owes());
        for _ in 0..23 {
            assert!(owes());
            debts.note(server, FREE / 10);
        }
        assert!(!owes());
        debts.note(server, MOST_OWED * 100);
        for _ in 0..=MOST_OWED.as_millis() / FREE.as_millis() {
            debts.note(server, Duration::ZERO);
        }
        assert!(!owes());
    }

    #[test]
    fn debtors_are_bounded() {
        let debts = Debts::default();
        for port in 0..=u16::MAX {
            debts.note(SocketAddr::from(([192, 0, 2, 1], port)), FREE * 2);
        }
        assert!(debts.0.lock().is_ok_and(|debts| debts.len() <= DEBTORS));
    }
}
