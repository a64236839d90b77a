//! Worker threads turn exchanges into outcomes. Large answers go to a thread of
//! their own, and those of servers that sent what costs far more than its size to
//! another, which rests between them: a hostile server's answers wait behind each
//! other and before nobody's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::fetch::Fetched;
use super::job::Outcome;
use super::process::Processing;
use super::recorder::Recorder;

/// A worker's result; the permit goes when the outcome is in the WARC.
pub type Done = (std::io::Result<Outcome>, Option<OwnedSemaphorePermit>);

/// A stored answer from this size on is heavy.
const HEAVY_BYTES: u64 = 512 * 1024;
/// What an answer may take of a worker's time without any being owed for it, and
/// for each MiB of it. Ordinary pages take less than a millisecond; `tests/hostile`
/// has answers that take more than they may.
const FREE: Duration = Duration::from_millis(25);
const FREE_PER_MIB: Duration = Duration::from_millis(50);
/// A server owes at most this much.
const MOST_OWED: Duration = Duration::from_secs(5);
/// Servers whose debts are remembered.
const DEBTORS: usize = 10_000;
/// KiB that may be between the lanes and the WARC at a time, of light answers, of
/// heavy ones and of those of servers that owe. Each exchange counts its memory
/// three times, for itself, its record and the compressed member.
const LIGHT_KIB: u32 = 32 * 1024;
const HEAVY_KIB: u32 = 16 * 1024;
/// After an answer of a server that owes, the thread for them rests so many times
/// as long as it worked while the others have something to do.
const REST: u32 = 24;
/// Where so many light answers wait, they come faster than they are compressed;
/// config.toml names the number.
const BACKLOG: usize = 32;
/// Whether they have is looked at after so much of the rest.
const NAP: Duration = Duration::from_millis(5);

/// How much an answer asks of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    Light,
    Heavy,
    Owing,
}

/// Where lanes hand in what they have fetched.
pub struct Desk {
    light: Queue,
    heavy: Queue,
    owing: Queue,
    debts: Arc<Debts>,
    waiting: Arc<AtomicUsize>,
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
        let weight = self.debts.weight(&fetched);
        let queue = match weight {
            Weight::Light => &self.light,
            Weight::Heavy => &self.heavy,
            Weight::Owing => &self.owing,
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
        if weight == Weight::Light {
            self.waiting.fetch_add(1, Ordering::Relaxed);
        }
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
        if is_owing(exchange.address) {
            Weight::Owing
        } else if exchange.response.len() >= HEAVY_BYTES {
            Weight::Heavy
        } else {
            Weight::Light
        }
    }

    /// Notes what an answer of so many bytes took.
    fn note(&self, server: SocketAddr, bytes: u64, spent: Duration) {
        let mut debts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let owed = debts.get(&server).copied().unwrap_or_default();
        let mib = u32::try_from(bytes >> 20).unwrap_or(u32::MAX);
        let free = FREE + FREE_PER_MIB.saturating_mul(mib);
        let owed = (owed + spent).saturating_sub(free).min(MOST_OWED);
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
    shared: Arc<Shared>,
}

/// What they have in common.
struct Shared {
    processing: Arc<Processing>,
    abandoned: AtomicBool,
    debts: Arc<Debts>,
    /// Answers that were turned into outcomes, but for those of servers that owe.
    done_by_others: AtomicU64,
    /// Light answers that nobody works at yet.
    waiting: Arc<AtomicUsize>,
}

impl Shared {
    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// Waits after work that took so long, unless the others have nothing to do.
    fn rest(&self, worked: Duration) {
        let until = Instant::now() + worked * REST;
        let mut before = self.done_by_others.load(Ordering::Relaxed);
        while Instant::now() < until && !self.is_abandoned() {
            std::thread::sleep(NAP);
            let now = self.done_by_others.load(Ordering::Relaxed);
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl Workers {
    /// Starts a thread a core, the one for heavy answers and the one for servers
    /// that owe. They end when the desk is gone and what was handed in is done.
    pub fn start(
        processing: &Arc<Processing>,
    ) -> std::io::Result<(Self, Desk, mpsc::Receiver<Done>)> {
        let (done, outcomes) = mpsc::channel();
        let (light, of_light) = mpsc::channel();
        let (heavy, of_heavy) = mpsc::channel();
        let (owing, of_owing) = mpsc::channel();
        let shared = Arc::new(Shared {
            processing: processing.clone(),
            abandoned: AtomicBool::new(false),
            debts: Arc::default(),
            done_by_others: AtomicU64::new(0),
            waiting: Arc::default(),
        });
        let start = |name: String, fetched: &Arc<Mutex<mpsc::Receiver<Fetched>>>, role: Role| {
            let worker = Worker {
                fetched: fetched.clone(),
                role,
                done: done.clone(),
                shared: shared.clone(),
            };
            let thread = std::thread::Builder::new().name(name);
            thread.spawn(move || worker.work()).map(drop)
        };
        let of_light = Arc::new(Mutex::new(of_light));
        for at in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            start(format!("worker-{at}"), &of_light, Role::Light)?;
        }
        let of_heavy = Arc::new(Mutex::new(of_heavy));
        start("worker-heavy".into(), &of_heavy, Role::Heavy(owing.clone()))?;
        let of_owing = Arc::new(Mutex::new(of_owing));
        start("worker-owing".into(), &of_owing, Role::Owing)?;
        let desk = Desk {
            light: Queue::new(light, LIGHT_KIB),
            heavy: Queue::new(heavy, HEAVY_KIB),
            owing: Queue::new(owing, HEAVY_KIB),
            debts: shared.debts.clone(),
            waiting: shared.waiting.clone(),
        };
        Ok((Self { shared }, desk, outcomes))
    }

    /// Leaves undone what isn't begun. A thread that is at a long task ends
    /// with the process.
    pub fn abandon(&self) {
        self.shared.abandoned.store(true, Ordering::Relaxed);
    }
}

/// What a worker has to do with servers that owe.
enum Role {
    Light,
    /// What it was handed before its server was found to owe, it passes on.
    Heavy(mpsc::Sender<Fetched>),
    Owing,
}

struct Worker {
    fetched: Arc<Mutex<mpsc::Receiver<Fetched>>>,
    role: Role,
    done: mpsc::Sender<Done>,
    shared: Arc<Shared>,
}

impl Worker {
    fn work(&self) {
        let shared = &self.shared;
        if matches!(self.role, Role::Owing) {
            yield_to_others();
        }
        let mut recorder = Recorder::new(&shared.processing.records.series);
        loop {
            let next = self
                .fetched
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            let Ok(fetched) = next else {
                return;
            };
            if shared.is_abandoned() {
                return;
            }
            if matches!(self.role, Role::Light) {
                let waiting = shared.waiting.fetch_sub(1, Ordering::Relaxed) - 1;
                recorder.set_backlog(waiting >= BACKLOG);
            }
            if let Role::Heavy(owing) = &self.role
                && shared.debts.weight(&fetched) == Weight::Owing
            {
                if owing.send(fetched).is_err() {
                    return;
                }
                continue;
            }
            let Fetched {
                job,
                result,
                permit,
            } = fetched;
            let server = match &result {
                Some(Ok(exchange)) => exchange
                    .address
                    .map(|address| (address, exchange.response.len())),
                _ => None,
            };
            let before = spent();
            let outcome = match result {
                Some(result) => shared.processing.outcome(&mut recorder, job, result),
                None => Ok(Outcome::given_back(job)),
            };
            let spent = spent().saturating_sub(before);
            if let Some((address, bytes)) = server {
                shared.debts.note(address, bytes, spent);
            }
            if self.done.send((outcome, permit)).is_err() {
                return;
            }
            match self.role {
                Role::Owing => shared.rest(spent),
                _ => {
                    shared.done_by_others.fetch_add(1, Ordering::Relaxed);
                }
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

    fn owes(debts: &Debts, server: SocketAddr) -> bool {
        debts
            .0
            .lock()
            .is_ok_and(|debts| debts.contains_key(&server))
    }

    #[test]
    fn a_debt_is_paid_by_answers_that_take_less() {
        let debts = Debts::default();
        let server = SocketAddr::from(([192, 0, 2, 1], 80));
        let owes = || owes(&debts, server);
        debts.note(server, 8192, FREE / 10);
        assert!(!owes());
        debts.note(server, 8192, FREE * 21);
        assert!(owes());
        for _ in 0..23 {
            assert!(owes());
            debts.note(server, 8192, FREE / 10);
        }
        assert!(!owes());
        debts.note(server, 0, MOST_OWED * 100);
        for _ in 0..=MOST_OWED.as_millis() / FREE.as_millis() {
            debts.note(server, 0, Duration::ZERO);
        }
        assert!(!owes());
    }

    #[test]
    fn what_a_large_answer_takes_by_its_size_is_not_owed() {
        let debts = Debts::default();
        let server = SocketAddr::from(([192, 0, 2, 1], 80));
        let owes = || owes(&debts, server);
        debts.note(server, 10 << 20, FREE_PER_MIB * 10);
        assert!(!owes());
        debts.note(server, 1 << 20, FREE_PER_MIB * 10);
        assert!(owes());
    }

    #[test]
    fn debtors_are_bounded() {
        let debts = Debts::default();
        for port in 0..=u16::MAX {
            debts.note(SocketAddr::from(([192, 0, 2, 1], port)), 0, FREE * 2);
        }
        assert!(debts.0.lock().is_ok_and(|debts| debts.len() <= DEBTORS));
    }
}
