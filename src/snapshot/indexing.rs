//! Index lines of every record in a set of WARCs, made by several threads.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::cdxj::Indexing;
use super::collection::{Again, Warc};
use super::crew::{self, Crew};
use super::reading::{self, Needs, Work};
use super::scratch::LineSorter;
use crate::warc::{Extent, Header, ReadError};

/// Damages of one file after which it isn't read on.
const MOST_DAMAGE: u64 = 10_000;
/// So many of them are told.
const TOLD: usize = 20;

/// What could not be read of a WARC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// Which of the WARCs.
    pub warc: usize,
    /// At how many places.
    pub places: u64,
    /// The first of them, in sentences that name the file.
    pub first: Vec<String>,
}

/// Adds the index line of every record that can be read to `sorter`; gives what
/// can't be read, in the order of the WARCs. `progress` is called on this thread,
/// with the stored bytes that were read so far.
///
/// An error means that scratch space failed.
pub fn index<'w>(
    warcs: &'w [Warc],
    sorter: &mut LineSorter,
    mut progress: impl FnMut(u64),
) -> io::Result<Vec<Damage>> {
    let sorter = Mutex::new(sorter);
    let all = Mutex::new(Vec::new());
    let bytes = AtomicU64::new(0);
    let work = |crew: &Crew<'w>, at: usize| {
        let warc = &warcs[at];
        let mut damage = Damage {
            warc: at,
            places: 0,
            first: Vec::new(),
        };
        let (mut start, mut again) = (0, Again::of(warc));
        while damage.places < MOST_DAMAGE {
            let sink = |line: Option<String>| match line {
                Some(line) => {
                    let mut sorter = sorter.lock().unwrap_or_else(PoisonError::into_inner);
                    sorter.add(line.as_bytes())
                }
                None => Ok(()),
            };
            let passed = |n| _ = bytes.fetch_add(n, Relaxed);
            let mut reader = warc.reader_at(start);
            let Err(error) = reading::read(crew, &Lines, warc, &mut reader, sink, passed)? else {
                break;
            };
            damage.add(error.to_string());
            // A file that the system can't read would fail at every byte.
            if matches!(error, ReadError::Io { .. }) || !again.may_go_on(&error) {
                break;
            }
            match warc.next_start(error.offset().max(start) + 1) {
                Ok(Some(next)) => start = next,
                Ok(None) => break,
                Err(error) => {
                    damage.add(format!("{}: {error}", warc.path));
                    break;
                }
            }
        }
        if damage.places > 0 {
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.push(damage);
        }
        Ok(())
    };
    let threads = crew::threads(warcs.iter().map(|warc| warc.region().len()).sum());
    crew::run(threads, warcs.len(), || progress(bytes.load(Relaxed)), work)?;
    let mut all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    all.sort_unstable_by_key(|damage| damage.warc);
    Ok(all)
}

impl Damage {
    fn add(&mut self, sentence: String) {
        self.places += 1;
        if self.first.len() < TOLD {
            self.first.push(sentence);
        }
    }
}

/// The line of each record.
struct Lines;

impl Work for Lines {
    type Open = Indexing;
    type Made = Option<String>;

    fn needs(&self, header: &Header) -> Needs {
        Indexing::needs(header)
    }

    fn begin(&self, _: &Warc, header: Header, _: u64) -> Indexing {
        Indexing::new(header)
    }

    fn piece(&self, indexing: &mut Indexing, piece: &[u8]) {
        indexing.update(piece);
    }

    fn end(&self, warc: &Warc, indexing: Indexing, extent: &Extent) -> Option<String> {
        let entry = indexing.finish(extent, &warc.filename);
        entry.map(|entry| entry.to_string())
    }
}
