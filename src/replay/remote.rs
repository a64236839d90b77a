//! WACZs on web servers, read in place: blocks by range requests, the last used kept
//! in memory. This is all that a replay ever asks of a network.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use tokio::runtime::Runtime;

use crate::net::{RangeError, Ranged};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::snapshot::container::ReadAt;
use crate::url::CanonicalUrl;

/// Bytes that are asked for at once.
const BLOCK: u64 = 256 * 1024;
/// Blocks kept, of all files together: 64 MiB.
const KEPT: usize = 256;

type Block = Result<Arc<[u8]>, Arc<RangeError>>;
type Slot = Arc<OnceLock<Block>>;
/// A file's number and the block's.
type Key = (usize, u64);

/// The blocks in memory. A slot without a value is being read by a thread; the
/// others wait for it.
#[derive(Debug, Default)]
struct Blocks {
    /// By when it was last asked for.
    slots: Mutex<HashMap<Key, (u64, Slot)>>,
    clock: AtomicU64,
}

impl Blocks {
    fn slot(&self, key: Key) -> Slot {
        let now = self.clock.fetch_add(1, Ordering::Relaxed);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((used, slot)) = slots.get_mut(&key) {
            *used = now;
            return Arc::clone(slot);
        }
        if slots.len() >= KEPT {
            let oldest = slots.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                slots.remove(&key);
            }
        }
        let slot = Arc::default();
        slots.insert(key, (now, Arc::clone(&slot)));
        slot
    }

    /// A block that could not be read is asked for again another time.
    fn forget(&self, key: Key, failed: &Slot) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots
            .get(&key)
            .is_some_and(|(_, slot)| Arc::ptr_eq(slot, failed))
        {
            slots.remove(&key);
        }
    }
}

/// A thread that speaks to servers, whoever waits for it.
#[derive(Debug)]
struct Line(Option<Runtime>);

impl Line {
    fn new() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(1).thread_name("remote");
        Ok(Self(Some(builder.enable_all().build()?)))
    }

    /// Waits for work on that thread. It may be called from any thread.
    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (tell, told) = mpsc::sync_channel(1);
        self.0.as_ref()?.spawn(async move {
            let _ = tell.send(work.await);
        });
        told.recv().ok()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Waiting isn't allowed on a thread of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// The files that one replay reads from servers.
#[derive(Debug, Default)]
pub struct Remotes {
    blocks: Arc<Blocks>,
    line: Option<Arc<Line>>,
    files: usize,
}

impl Remotes {
    /// Opens the WACZ at a URL.
    pub fn open(&mut self, url: &Path) -> Result<Collection, SnapshotError> {
        let failed = || SnapshotError::io(url, "reading it by HTTP");
        let text = url.to_string_lossy();
        let parsed = CanonicalUrl::parse_seed(&text);
        let parsed = parsed.map_err(|error| failed()(io::Error::other(error)))?;
        let line = match &self.line {
            Some(line) => Arc::clone(line),
            None => Arc::clone(self.line.insert(Arc::new(Line::new().map_err(failed())?))),
        };
        let opened = line.wait(async move { Ranged::open(parsed, BLOCK).await });
        let (file, start) = opened
            .ok_or_else(gone)
            .and_then(|opened| opened.map_err(io::Error::from))
            .map_err(failed())?;
        let number = self.files;
        self.files += 1;
        let _ = self.blocks.slot((number, 0)).set(Ok(start.into()));
        let remote = Remote {
            number,
            size: file.len(),
            file: Arc::new(file),
            line,
            blocks: Arc::clone(&self.blocks),
        };
        Collection::elsewhere(&text, Arc::new(remote))
    }
}

/// A file that is read so.
#[derive(Debug)]
struct Remote {
    number: usize,
    size: u64,
    file: Arc<Ranged>,
    line: Arc<Line>,
    blocks: Arc<Blocks>,
}

// What a panic would leave is a connection that isn't kept.
impl std::panic::RefUnwindSafe for Remote {}

impl ReadAt for Remote {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let key = (self.number, offset / BLOCK);
        let slot = self.blocks.slot(key);
        let mut is_lost = false;
        let block = slot.get_or_init(|| {
            let file = Arc::clone(&self.file);
            let read = async move { file.read(key.1 * BLOCK, BLOCK).await };
            let read = self.line.wait(read).unwrap_or_else(|| {
                is_lost = true;
                Err(RangeError::Cut)
            });
            read.map(Into::into).map_err(Arc::new)
        });
        match block {
            Ok(bytes) => {
                let rest = bytes.get((offset % BLOCK) as usize..).unwrap_or_default();
                let n = rest.len().min(buffer.len());
                buffer[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
            Err(error) => {
                self.blocks.forget(key, &slot);
                Err(if is_lost {
                    gone()
                } else {
                    io::Error::other(Arc::clone(error))
                })
            }
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread that reads from servers has ended")
}
