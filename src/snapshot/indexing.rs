//! Index lines of every record in a set of WARCs, made by several threads.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::cdxj::{CdxjEntry, Indexing};
use super::collection::{Again, Warc};
use super::crew::{self, Crew};
use super::posted::{self, Posted};
use super::reading::{self, Needs, Work};
use super::scratch::LineSorter;
use crate::http::Head;
use crate::warc::{Extent, Header, ReadError, RecordType};

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
    /// Whether the system failed to read, so that another time may go better.
    pub by_system: bool,
}

/// Adds the index line of every record that can be read to `sorter`; gives what
/// can't be read, in the order of the WARCs. `progress` is called on this thread,
/// with the stored bytes that were read so far.
///
/// With `posted` what was answered to a body has the key of that body: for a replay
/// that is asked so. Index files of other tools mostly have the URL's own.
///
/// An error means that scratch space failed.
pub fn index<'w>(
    warcs: &'w [Warc],
    sorter: &mut LineSorter,
    posted: bool,
    mut progress: impl FnMut(u64),
) -> io::Result<Vec<Damage>> {
    let sorter = Mutex::new(sorter);
    let all = Mutex::new(Vec::new());
    let bytes = AtomicU64::new(0);
    static PLAIN: Lines = Lines { posted: false };
    static POSTED: Lines = Lines { posted: true };
    let lines = if posted { &POSTED } else { &PLAIN };
    let work = |crew: &Crew<'w>, at: usize| {
        let warc = &warcs[at];
        let mut damage = Damage {
            warc: at,
            places: 0,
            first: Vec::new(),
            by_system: false,
        };
        let (mut start, mut again) = (0, Again::of(warc));
        let add = |entry: CdxjEntry| {
            let mut sorter = sorter.lock().unwrap_or_else(PoisonError::into_inner);
            sorter.add(entry.to_string().as_bytes())
        };
        let mut pairs = Pairs::default();
        while damage.places < MOST_DAMAGE {
            let sink = |made: Made| pairs.take(made, add);
            let passed = |n| _ = bytes.fetch_add(n, Relaxed);
            let mut reader = warc.reader_at(start);
            let Err(error) = reading::read(crew, lines, warc, &mut reader, sink, passed)? else {
                break;
            };
            damage.add(error.to_string());
            // A file that the system can't read would fail at every byte.
            damage.by_system |= matches!(error, ReadError::Io { .. });
            if damage.by_system || !again.may_go_on(&error) {
                break;
            }
            match warc.next_start(error.offset().max(start) + 1) {
                Ok(Some(next)) => start = next,
                Ok(None) => break,
                Err(error) => {
                    damage.add(format!("{}: {error}", warc.path));
                    damage.by_system = true;
                    break;
                }
            }
        }
        pairs.end(add)?;
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
struct Lines {
    posted: bool,
}

/// A record that is being read.
enum Open {
    Entry(Box<Indexing>),
    Request(Header, Vec<u8>),
}

/// What came of a record.
enum Made {
    /// No index has it.
    Nothing,
    /// A line.
    Entry(Ids, CdxjEntry),
    /// A request; what it sent, if anything.
    Request(Ids, Option<Posted>),
}

/// By what a request and its answer are told to belong together.
#[derive(Debug, Default)]
struct Ids {
    own: Option<String>,
    concurrent: Vec<String>,
    url: String,
}

impl Ids {
    fn of(header: &Header) -> Self {
        Self {
            own: header.record_id().map(str::to_owned),
            concurrent: header
                .values("WARC-Concurrent-To")
                .map(str::to_owned)
                .collect(),
            url: header.target_uri().unwrap_or_default().to_owned(),
        }
    }

    /// Whether one names the other, or neither names any and the URL is the same.
    fn belong(&self, other: &Self) -> bool {
        let names = |one: &Self, other: &Self| {
            let own = other.own.as_ref();
            own.is_some_and(|own| one.concurrent.contains(own))
        };
        names(self, other)
            || names(other, self)
            || self.concurrent.is_empty() && other.concurrent.is_empty() && self.url == other.url
    }
}

impl Lines {
    fn is_request(&self, header: &Header) -> bool {
        self.posted && header.record_type() == RecordType::Request
    }
}

impl Work for Lines {
    type Open = Open;
    type Made = Made;

    fn needs(&self, header: &Header) -> Needs {
        if self.is_request(header) {
            Needs::All
        } else {
            Indexing::needs(header)
        }
    }

    fn begin(&self, _: &Warc, header: Header, _: u64) -> Open {
        if self.is_request(&header) {
            Open::Request(header, Vec::new())
        } else {
            Open::Entry(Box::new(Indexing::new(header)))
        }
    }

    fn piece(&self, open: &mut Open, piece: &[u8]) {
        match open {
            Open::Entry(indexing) => indexing.update(piece),
            Open::Request(_, block) => {
                let room = (2 * posted::READ).saturating_sub(block.len());
                block.extend_from_slice(&piece[..piece.len().min(room)]);
            }
        }
    }

    fn end(&self, warc: &Warc, open: Open, extent: &Extent) -> Made {
        match open {
            Open::Entry(indexing) => {
                let ids = if self.posted {
                    Ids::of(indexing.header())
                } else {
                    Ids::default()
                };
                let entry = indexing.finish(extent, &warc.filename);
                entry.map_or(Made::Nothing, |entry| Made::Entry(ids, entry))
            }
            Open::Request(header, block) => {
                let head = Head::parse(&block);
                let line = String::from_utf8_lossy(head.start_line);
                let method = line.split(' ').next().unwrap_or_default();
                let kind = head.value("content-type").unwrap_or_default();
                let body = &block[head.length.min(block.len())..];
                Made::Request(Ids::of(&header), Posted::of(method, &kind, body))
            }
        }
    }
}

/// So many answers wait for their requests, and requests for their answers: they
/// stand beside each other.
const WAITING: usize = 32;

/// Brings the requests of a WARC and their answers together.
#[derive(Default)]
struct Pairs {
    answers: VecDeque<(Ids, CdxjEntry)>,
    requests: VecDeque<(Ids, Posted)>,
}

impl Pairs {
    fn take(
        &mut self,
        made: Made,
        mut add: impl FnMut(CdxjEntry) -> io::Result<()>,
    ) -> io::Result<()> {
        match made {
            Made::Nothing => {}
            Made::Entry(ids, mut entry) => {
                let asked = self
                    .requests
                    .iter()
                    .position(|(request, _)| request.belong(&ids));
                if let Some((_, posted)) = asked.and_then(|at| self.requests.remove(at)) {
                    entry.surt = posted.key(&entry.url);
                    return add(entry);
                }
                // Where no requests are read nothing waits for them.
                if ids.own.is_none() && ids.url.is_empty() {
                    return add(entry);
                }
                self.answers.push_back((ids, entry));
            }
            Made::Request(ids, posted) => {
                let answer = self
                    .answers
                    .iter()
                    .position(|(answer, _)| answer.belong(&ids));
                match (answer.and_then(|at| self.answers.remove(at)), posted) {
                    (Some((_, mut entry)), posted) => {
                        if let Some(posted) = posted {
                            entry.surt = posted.key(&entry.url);
                        }
                        add(entry)?;
                    }
                    (None, Some(posted)) => self.requests.push_back((ids, posted)),
                    (None, None) => {}
                }
            }
        }
        while self.requests.len() > WAITING {
            self.requests.pop_front();
        }
        while self.answers.len() > WAITING {
            if let Some((_, entry)) = self.answers.pop_front() {
                add(entry)?;
            }
        }
        Ok(())
    }

    fn end(self, mut add: impl FnMut(CdxjEntry) -> io::Result<()>) -> io::Result<()> {
        self.answers
            .into_iter()
            .try_for_each(|(_, entry)| add(entry))
    }
}
