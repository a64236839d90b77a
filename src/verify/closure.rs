//! Link closure: every stored answer is scanned again, by the code and the
//! limits of the crawl that stored it, and each URL that it names goes to the
//! join with the ledger. A crawl makes a row for all of them, also for those
//! that its scope, a trap or a limit keeps out, so nothing is judged here.
//!
//! What an answer was asked for tells how it is read, and stands in the metadata
//! record that ends its exchange: until then the answer waits. One that is cut,
//! or that says that the server can't answer now, is asked for again and
//! isn't held against the ledger; nor is a challenge page, which the crawl
//! doesn't follow.

mod scanning;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::Scope;

use self::scanning::{Answer, Scanned, Scanning};
use super::join::Joins;
use super::target::Target;
use crate::config::{Config, Limits};
use crate::http::{Dechunked, Head, MAX_HEAD_BYTES};
use crate::links::{self, Hop, Path as Way};
use crate::net::Spool;
use crate::snapshot::cdxj::BlockStart;
use crate::snapshot::collection::Warc;
use crate::snapshot::layout::CONFIG;
use crate::url::CanonicalUrl;
use crate::warc::{Header, ReadError, RecordType};

/// Bytes of an answer that wait in memory; more of them wait in a file.
const IN_MEMORY: usize = 1 << 20;
/// Bytes of a metadata record that are read.
const METADATA: u64 = 256 * 1024;

/// What was scanned.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Closed {
    /// Answers whose links were looked for.
    pub answers: u64,
    /// Answers whose payload is in an earlier snapshot, or whose exchange isn't
    /// whole: nothing was looked for.
    pub unread: u64,
    /// URLs that they name, each once.
    pub named: u64,
    /// Those of them that the ledger has no row of.
    pub without_row: u64,
}

/// The configuration of the crawl, as sealing left it; a reason where there is
/// none that can be read.
pub(super) fn limits(target: &Target) -> Result<Limits, &'static str> {
    /// A longer one isn't ours.
    const LONGEST: u64 = 4 << 20;
    let container = target.container.as_ref().filter(|_| target.has(CONFIG));
    let container = container.ok_or("there is no configuration to say what was scanned")?;
    let mut text = String::new();
    let read = container.open(CONFIG).ok();
    read.and_then(|file| file.take(LONGEST).read_to_string(&mut text).ok())
        .ok_or("its configuration can't be read")?;
    let config = Config::over_defaults(Path::new(CONFIG), &text)
        .map_err(|_| "its configuration is none that this version knows")?;
    // A snapshot must not say how much memory its verification takes.
    let (told, most) = (config.limits, Config::defaults().limits);
    Ok(Limits {
        decoded: told.decoded.min(most.decoded),
        links: told.links.min(most.links),
        sitemap_entries: told.sitemap_entries.min(most.sitemap_entries),
        ..told
    })
}

/// Looks for what stored answers name.
pub(super) struct Closure<'t> {
    target: &'t Target,
    scanning: Scanning,
    seen: Seen,
    closed: Closed,
}

/// The answer of a WARC whose metadata is still to come.
pub(super) struct Waiting {
    record_id: String,
    answer: Answer,
    /// The payload digest of a revisit, whose payload stands elsewhere.
    revisited: Option<String>,
}

/// A revisit, to be scanned once its payload is found.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Revisit {
    url: String,
    hops: String,
    via: Option<String>,
    /// A character a byte.
    head: String,
    filename: String,
    offset: u64,
}

/// A record's block, as far as it is needed here.
pub(super) struct Kept {
    spool: Spool,
    /// Of an HTTP message, its head.
    head: Vec<u8>,
    status: Option<u16>,
    goes_on: bool,
    failed: Option<io::Error>,
}

impl Kept {
    /// Begins to keep the block of a record, where it is an answer or tells of
    /// one. `start` is the start of an HTTP message, with its whole head.
    pub(super) fn of(header: &Header, start: &BlockStart) -> Option<Self> {
        let start = start.bytes();
        let kept = |goes_on| Self {
            spool: Spool::new(&std::env::temp_dir(), IN_MEMORY),
            head: Vec::new(),
            status: None,
            goes_on,
            failed: None,
        };
        match header.record_type() {
            RecordType::Metadata => Some(kept(true)),
            RecordType::Response | RecordType::Revisit if header.is_http() => {
                let url = CanonicalUrl::parse(header.target_uri()?).ok()?;
                let head = Head::parse(start);
                let mut kept = kept(true);
                let goes_on = links::may_name(&url, &head);
                kept.add(if goes_on {
                    start
                } else {
                    &start[..head.length]
                });
                Some(Self {
                    head: start[..head.length].to_vec(),
                    status: head.status(),
                    goes_on,
                    ..kept
                })
            }
            // An answer without head (HTTP/0.9).
            RecordType::Resource => {
                let url = header.target_uri()?;
                url.starts_with("http").then(|| kept(true))
            }
            _ => None,
        }
    }

    /// The block goes on with this.
    pub(super) fn add(&mut self, piece: &[u8]) {
        if self.goes_on && self.failed.is_none() {
            self.failed = self.spool.write(piece).err();
        }
    }
}

impl<'t> Closure<'t> {
    /// Starts its threads, which end with it.
    pub(super) fn new<'scope>(
        target: &'t Target,
        limits: &Limits,
        scope: &'scope Scope<'scope, '_>,
    ) -> Self {
        Self {
            target,
            scanning: Scanning::start(limits, scope),
            seen: Seen::default(),
            closed: Closed::default(),
        }
    }

    /// Takes a record that was read to its end, with what was kept of it, and the
    /// answer of its WARC that waits.
    pub(super) fn record(
        &mut self,
        header: &Header,
        mut kept: Kept,
        (filename, offset): (&str, u64),
        waiting: &mut Option<Waiting>,
        sides: Sides<'_>,
    ) -> io::Result<()> {
        if let Some(error) = kept.failed.take() {
            return Err(error);
        }
        if header.record_type() == RecordType::Metadata {
            let told = header.field("WARC-Concurrent-To");
            return match waiting.take_if(|waiting| Some(waiting.record_id.as_str()) == told) {
                Some(waiting) => self.understood(waiting, &kept.spool, sides),
                None => Ok(()),
            };
        }
        self.forget(waiting);
        let url = header.target_uri().map(CanonicalUrl::parse);
        let (Some(Ok(url)), Some(record_id)) = (url, header.record_id()) else {
            return Ok(());
        };
        let is_revisit = header.record_type() == RecordType::Revisit;
        let is_settled = kept
            .status
            .is_none_or(|status| status != 429 && status < 500);
        let is_cut = !is_revisit && header.field("WARC-Truncated").is_some();
        if !is_settled || is_cut {
            return Ok(());
        }
        let revisited = header.payload_digest().and_then(Result::ok);
        *waiting = Some(Waiting {
            record_id: record_id.to_owned(),
            answer: Answer {
                url,
                path: Way::default(),
                via: None,
                head: kept.head,
                spool: kept.spool,
                filename: filename.to_owned(),
                offset,
            },
            revisited: revisited
                .filter(|_| is_revisit && !is_not_modified(header))
                .map(|digest| super::revisits::named(&digest)),
        });
        Ok(())
    }

    /// Takes what the metadata of an answer says of it.
    fn understood(
        &mut self,
        waiting: Waiting,
        metadata: &Spool,
        sides: Sides<'_>,
    ) -> io::Result<()> {
        let mut text = Vec::new();
        metadata.reader().take(METADATA).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if field("challenge").is_some() {
            return Ok(());
        }
        let Sides { joins, revisits } = sides;
        let mut answer = waiting.answer;
        let hops = field("hopsFromSeed").unwrap_or_default();
        let via = field("via").map(str::to_owned);
        if let Some(digest) = waiting.revisited {
            let revisit = Revisit {
                url: answer.url.to_string(),
                hops: hops.to_owned(),
                via,
                head: answer.head.iter().copied().map(char::from).collect(),
                filename: answer.filename,
                offset: answer.offset,
            };
            return revisits.scan(&digest, revisit);
        }
        answer.path = Way::from_hops(hops);
        answer.via = via;
        self.scan(answer, joins)
    }

    /// Takes a revisit whose payload stands at a place, or nowhere here.
    pub(super) fn revisit(
        &mut self,
        revisit: Revisit,
        original: Option<(&str, u64)>,
        joins: &mut Joins,
    ) -> io::Result<()> {
        let url = CanonicalUrl::parse(&revisit.url).ok();
        let original = original.and_then(|(path, offset)| {
            let mut warcs = self.target.warcs.iter();
            let warc = warcs.find(|warc| self.target.location(&warc.path).path == path)?;
            Some((warc, offset))
        });
        let (Some(url), Some((warc, offset))) = (url, original) else {
            self.closed.unread += 1;
            return Ok(());
        };
        let head: Vec<u8> = revisit.head.chars().map(|c| c as u8).collect();
        let mut spool = Spool::new(&std::env::temp_dir(), IN_MEMORY);
        spool.write(&head)?;
        let may_name = links::may_name(&url, &Head::parse(&head));
        if may_name && add_entity(warc, offset, &Head::parse(&head), &mut spool)?.is_none() {
            self.closed.unread += 1;
            return Ok(());
        }
        let answer = Answer {
            url,
            path: Way::from_hops(&revisit.hops),
            via: revisit.via,
            head,
            spool,
            filename: revisit.filename,
            offset: revisit.offset,
        };
        self.scan(answer, joins)
    }

    fn scan(&mut self, answer: Answer, joins: &mut Joins) -> io::Result<()> {
        self.closed.answers += 1;
        self.scanning.take(answer);
        while let Some(scanned) = self.scanning.done() {
            self.seen.tell(&scanned, joins)?;
        }
        Ok(())
    }

    /// The exchange of an answer that waits isn't whole.
    pub(super) fn forget(&mut self, waiting: &mut Option<Waiting>) {
        self.closed.unread += u64::from(waiting.take().is_some());
    }

    /// Waits for what is still being scanned.
    pub(super) fn finish(mut self, joins: &mut Joins) -> io::Result<Closed> {
        for scanned in self.scanning.rest() {
            self.seen.tell(&scanned, joins)?;
        }
        Ok(self.closed)
    }
}

/// Where what is found goes.
pub(super) struct Sides<'s> {
    pub(super) joins: &'s mut Joins,
    pub(super) revisits: &'s mut super::revisits::Revisits,
}

/// URLs that were named lately: most pages of a site name the same, and one of
/// them is enough. A table that forgets, so that it doesn't grow. Which page is
/// named in a finding doesn't depend on whose came first: one of an earlier WARC is
/// let through.
struct Seen {
    /// Of each URL a number that nobody can choose, at its place, and the WARC.
    marks: Vec<(u64, u32)>,
    /// The WARCs by number, in the order in which they came.
    warcs: Vec<String>,
    state: RandomState,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            marks: vec![(0, 0); 1 << 20],
            warcs: Vec::new(),
            state: RandomState::new(),
        }
    }
}

impl Seen {
    fn is_new(&mut self, url: &str, is_listed: bool, warc: u32) -> bool {
        let mark = self.state.hash_one((url, is_listed));
        let place = &mut self.marks[mark as usize & ((1 << 20) - 1)];
        let is_known = place.0 == mark && {
            let name = |warc: u32| self.warcs.get(warc as usize);
            name(place.1) <= name(warc)
        };
        if !is_known {
            *place = (mark, warc);
        }
        !is_known
    }

    /// The number of a WARC.
    fn number(&mut self, filename: &str) -> u32 {
        let known = self.warcs.iter().rposition(|known| known == filename);
        let number = known.unwrap_or_else(|| {
            self.warcs.push(filename.to_owned());
            self.warcs.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    fn tell(&mut self, scanned: &Scanned, joins: &mut Joins) -> io::Result<()> {
        let warc = self.number(&scanned.filename);
        for (url, hop) in &scanned.named {
            let is_listed = scanned.is_sitemap && *hop != Hop::Manifest;
            if self.is_new(url.as_str(), is_listed, warc) {
                let place = (scanned.filename.as_str(), scanned.offset);
                joins.named(url.as_str(), &scanned.url, place, is_listed)?;
            }
        }
        Ok(())
    }
}

/// Whether a revisit says that the server did: it had no payload to store.
fn is_not_modified(header: &Header) -> bool {
    header
        .field("WARC-Profile")
        .is_some_and(|profile| profile.ends_with("/server-not-modified"))
}

fn head_of(spool: &Spool) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let reader = spool.reader();
    reader.take(MAX_HEAD_BYTES as u64).read_to_end(&mut bytes)?;
    bytes.truncate(Head::parse(&bytes).length);
    Ok(bytes)
}

/// Adds the payload of the record at a place to the head of a revisit, framed
/// as that says. `None` where it can't be read, which the check of records
/// tells.
fn add_entity(
    warc: &Warc,
    offset: u64,
    head: &Head<'_>,
    spool: &mut Spool,
) -> io::Result<Option<()>> {
    let mut reader = warc.reader_at(offset);
    let Ok(Some(mut record)) = reader.next_record() else {
        return Ok(None);
    };
    let mut block = Spool::new(&std::env::temp_dir(), IN_MEMORY);
    let mut failed = None;
    let read = record.each_piece(|piece| {
        if failed.is_none() {
            failed = block.write(piece).err();
        }
    });
    match (read, failed) {
        (_, Some(error)) => return Err(error),
        (Err(ReadError::Io { source, .. }), _) => return Err(source),
        (Err(_), _) => return Ok(None),
        (Ok(()), None) => {}
    }
    let own_head = if record.header.is_http() {
        head_of(&block)?
    } else {
        Vec::new()
    };
    let body = io::BufReader::new(block.reader_at(own_head.len() as u64));
    let mut body: Box<dyn Read> = if Head::parse(&own_head).is_chunked() {
        Box::new(Dechunked::new(body))
    } else {
        Box::new(body)
    };
    let mut piece = vec![0; 64 * 1024];
    loop {
        let n = body.read(&mut piece)?;
        if head.is_chunked() {
            let mut chunk = Vec::with_capacity(n + 16);
            write!(chunk, "{n:x}\r\n")?;
            chunk.extend_from_slice(&piece[..n]);
            chunk.extend_from_slice(b"\r\n");
            spool.write(&chunk)?;
        } else {
            spool.write(&piece[..n])?;
        }
        if n == 0 {
            return Ok(Some(()));
        }
    }
}
