//! Every record of a WARC, read and inflated by one thread while others work on
//! what it has read. Small records are handed over some at a time, a large one
//! piece by piece, so memory doesn't grow with either.

use std::io::{self, Read};
use std::ops::Range;

use super::cdxj::MAX_START;
use super::collection::Warc;
use super::crew::{Crew, Lane};
use crate::http::head_length;
use crate::warc::{Extent, Header, ReadError, Reader, Record};

/// Bytes of blocks and headers in one job, if it is of more than one record.
const JOB_BYTES: usize = 256 * 1024;
/// Records in one job.
const JOB_RECORDS: usize = 64;
/// What is needed of a record is handed over in pieces if it is larger.
const LARGE: u64 = 1024 * 1024;
/// The start of a block in which its HTTP head is looked for first.
const HEAD: usize = 16 * 1024;
/// Buffers that are kept for the next jobs.
const SPARE: usize = 8;

/// How much of a block is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Not a byte.
    Nothing,
    /// Its start, with the HTTP head if one ends within bounds.
    Head,
    /// All of it.
    All,
}

/// What is done with each record, by any thread.
pub trait Work: Sync {
    /// A record that is being read.
    type Open: Send;
    /// What came of it.
    type Made: Send;

    /// What is needed of the record's block.
    fn needs(&self, header: &Header) -> Needs;
    /// A record begins.
    fn begin(&self, warc: &Warc, header: Header, offset: u64) -> Self::Open;
    /// The next bytes of its block.
    fn piece(&self, open: &mut Self::Open, piece: &[u8]);
    /// It ended, and was read whole.
    fn end(&self, warc: &Warc, open: Self::Open, extent: &Extent) -> Self::Made;
}

/// Small records that are worked on in one job.
#[derive(Default)]
struct Batch {
    records: Vec<(Header, Range<usize>, Extent)>,
    blocks: Vec<u8>,
    headers: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.records.len() >= JOB_RECORDS || self.blocks.len() + self.headers >= JOB_BYTES
    }
}

/// What came of a job, and its buffer, to be filled again.
struct Done<M> {
    made: Vec<M>,
    blocks: Vec<u8>,
}

/// Reads a WARC's records from where the reader is to the end, or to the first
/// that doesn't read. What comes of them is given to `sink` in order, on this
/// thread, and `passed` is told of stored bytes as they are used.
///
/// The outer error is that of `sink`.
pub fn read<'env, W: Work>(
    crew: &Crew<'env>,
    work: &'env W,
    warc: &'env Warc,
    reader: &mut Reader<impl Read>,
    sink: impl FnMut(W::Made) -> io::Result<()>,
    passed: impl FnMut(u64),
) -> io::Result<Result<(), ReadError>> {
    let mut reading = Reading {
        crew,
        work,
        warc,
        lane: Lane::new(crew),
        spare: Vec::new(),
        sink,
        passed,
        position: reader.position(),
    };
    let mut batch = Batch::default();
    let ended = loop {
        let record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let needs = work.needs(&record.header);
        let read = if needs == Needs::All && record.remaining() > LARGE {
            let before = std::mem::replace(&mut batch, reading.batch());
            reading.hand_over(before)?;
            reading.large(record)
        } else {
            small(record, needs, &mut batch)
        };
        if let Err(error) = read {
            break Err(error);
        }
        reading.meter(reader.position());
        if batch.is_full() {
            let full = std::mem::replace(&mut batch, reading.batch());
            reading.hand_over(full)?;
        }
    };
    reading.hand_over(batch)?;
    while let Some(done) = reading.lane.await_next() {
        reading.take(done)?;
    }
    Ok(ended)
}

/// Puts a record with the others.
fn small<R: Read>(
    mut record: Record<'_, R>,
    needs: Needs,
    batch: &mut Batch,
) -> Result<(), ReadError> {
    let blocks = &mut batch.blocks;
    let start = blocks.len();
    let read = match needs {
        Needs::Nothing => Ok(()),
        Needs::All => record.append_to(blocks, usize::MAX),
        Needs::Head => record.append_to(blocks, HEAD).and_then(|()| {
            if head_length(&blocks[start..]).is_some() {
                return Ok(());
            }
            record.append_to(blocks, MAX_START - HEAD)
        }),
    };
    match read.and_then(|()| record.finish_with_header()) {
        Ok((header, extent)) => {
            batch.headers += header.size();
            batch
                .records
                .push((header, start..batch.blocks.len(), extent));
            Ok(())
        }
        Err(error) => {
            batch.blocks.truncate(start);
            Err(error)
        }
    }
}

struct Reading<'c, 'env, W: Work, S, P> {
    crew: &'c Crew<'env>,
    work: &'env W,
    warc: &'env Warc,
    lane: Lane<'c, 'env, Done<W::Made>>,
    spare: Vec<Vec<u8>>,
    sink: S,
    passed: P,
    position: u64,
}

impl<W, S, P> Reading<'_, '_, W, S, P>
where
    W: Work,
    S: FnMut(W::Made) -> io::Result<()>,
    P: FnMut(u64),
{
    fn meter(&mut self, position: u64) {
        (self.passed)(position - self.position);
        self.position = position;
    }

    /// Gives a batch away, and takes what came of those before it: no more of that
    /// waits than a lane holds, whatever the records are like.
    fn hand_over(&mut self, batch: Batch) -> io::Result<()> {
        if !batch.records.is_empty() {
            self.give(batch);
        }
        while let Some(done) = self.lane.ready() {
            self.take(done)?;
        }
        while self.lane.is_full()
            && let Some(done) = self.lane.await_next()
        {
            self.take(done)?;
        }
        Ok(())
    }

    fn give(&mut self, batch: Batch) {
        let (work, warc) = (self.work, self.warc);
        self.lane.give(move || {
            let Batch {
                records,
                mut blocks,
                ..
            } = batch;
            let made = records
                .into_iter()
                .map(|(header, block, extent)| {
                    let mut open = work.begin(warc, header, extent.offset);
                    work.piece(&mut open, &blocks[block]);
                    work.end(warc, open, &extent)
                })
                .collect();
            blocks.clear();
            Done { made, blocks }
        });
    }

    fn take(&mut self, done: Done<W::Made>) -> io::Result<()> {
        if done.blocks.capacity() > 0 && self.spare.len() < SPARE {
            self.spare.push(done.blocks);
        }
        done.made.into_iter().try_for_each(&mut self.sink)
    }

    fn batch(&mut self) -> Batch {
        Batch {
            blocks: self.spare.pop().unwrap_or_default(),
            ..Batch::default()
        }
    }

    /// Works on one piece of a record while the next is inflated.
    fn large<R: Read>(&mut self, mut record: Record<'_, R>) -> Result<(), ReadError> {
        let (work, warc) = (self.work, self.warc);
        let open = work.begin(warc, record.header.clone(), record.offset());
        // One job at a time: each needs what the one before has made.
        let mut lane = Lane::new(self.crew);
        let mut idle = Some((open, Vec::new()));
        let mut piece = Vec::new();
        while record.remaining() > 0 {
            record.append_to(&mut piece, JOB_BYTES)?;
            self.meter(record.position());
            if let Some((mut open, spare)) = lane.await_next().or_else(|| idle.take()) {
                lane.give(move || {
                    work.piece(&mut open, &piece);
                    piece.clear();
                    (open, piece)
                });
                piece = spare;
            }
        }
        let extent = record.finish()?;
        if let Some((open, _)) = lane.await_next().or(idle) {
            self.lane.give(move || Done {
                made: vec![work.end(warc, open, &extent)],
                blocks: Vec::new(),
            });
        }
        Ok(())
    }
}
