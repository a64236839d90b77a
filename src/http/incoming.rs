//! Reads one answer from the bytes of a connection, however wrong it is, and
//! says where it ends and whether it is whole. It does no input or output: the
//! wire feeds it, and it gives the bytes to be kept, as they came.
//!
//! **What is kept where.** The kept bytes are the head and everything after
//! it, with transfer coding; a record's block is just that. Heads that came
//! before the answer (1xx) are no part of it in any reader of WARCs, and
//! neither is another answer after its end; both are handed out apart, for the
//! metadata record; where no answer follows, the heads are kept in its place. Bytes after a body that are no answer, as from a length
//! counted in characters, are kept with the body: a browser loses them.

use thiserror::Error;

use super::opening::{Opening, opening};
use super::{Chunked, Framing, Head, HeadEnd, Step};

/// Bytes that are kept of what stands apart from the answer.
const MAX_APART: usize = 16 * 1024;

/// How a connection went silent for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The server closed it in order.
    Fin,
    /// It broke: a reset.
    Broken,
    /// Nothing came for too long, or it took too long.
    Silence,
}

/// What was wrong with an answer that was read nevertheless.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Irregular {
    /// HTTP/0.9, or something that isn't HTTP.
    #[error("no status line: all of the answer is its body, as in HTTP/0.9")]
    NoHead,
    /// 1xx.
    #[error(
        "{0} bytes of interim answers (1xx) came before the answer; its metadata record has them"
    )]
    Interim(u64),
    /// Several lengths, or one that is none.
    #[error("Content-Length is no number or contradicts itself: the body went on to the close")]
    Length,
    /// Plain.
    #[error("said to be chunked, and isn't: kept as it came")]
    NotChunked,
    /// Chunks that turn into something else.
    #[error("its chunks break off into something else: kept as it came")]
    ChunksBroken,
    /// More than the length said.
    #[error("{0} bytes came after the end of the body; they are kept with it")]
    Surplus(u64),
    /// Another answer, or line ends.
    #[error("{0} bytes that aren't the answer's came after its end; its metadata record has them")]
    Stray(u64),
    /// No end to what came after the end.
    #[error("after its end the answer went on and on; the rest was not read")]
    SurplusCut,
    /// A TLS connection that ended without `close_notify`, where only the end
    /// of the connection ends the body.
    #[error("the connection ended without TLS's goodbye; more may have been meant to come")]
    NoGoodbye,
}

/// An answer that is coming.
#[derive(Debug)]
pub struct Incoming {
    method: String,
    /// The largest head.
    limit: usize,
    stage: Stage,
    /// A head that hasn't ended, or what came after the end and isn't judged.
    pending: Vec<u8>,
    end: HeadEnd,
    head_length: usize,
    headless: bool,
    keeps_alive: bool,
    interim: Apart,
    stray: Apart,
    surplus: u64,
    irregular: Vec<Irregular>,
}

#[derive(Debug)]
enum Stage {
    Head,
    /// So many bytes of the body have come; each of `stated` may be its length.
    Length {
        come: u64,
        stated: Vec<u64>,
    },
    /// Also whether the head states a length, should these be no chunks.
    Chunks {
        chunked: Box<Chunked>,
        come: u64,
        length: Option<u64>,
    },
    ToClose,
    /// What comes now is after the end.
    After(After),
    /// The head is longer than the limit.
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Undecided,
    Surplus,
    Stray,
}

#[derive(Debug, Default)]
struct Apart {
    bytes: Vec<u8>,
    length: u64,
}

impl Apart {
    fn add(&mut self, bytes: &[u8]) {
        let room = MAX_APART.saturating_sub(self.bytes.len());
        self.bytes
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len() as u64;
    }
}

impl Incoming {
    /// The answer to a request with this method; a head of more than `limit`
    /// bytes is cut off there.
    pub fn new(method: &str, limit: usize) -> Self {
        Self {
            method: method.to_owned(),
            limit: limit.min(super::MAX_HEAD_BYTES),
            stage: Stage::Head,
            pending: Vec::new(),
            end: HeadEnd::default(),
            head_length: 0,
            headless: false,
            keeps_alive: false,
            interim: Apart::default(),
            stray: Apart::default(),
            surplus: 0,
            irregular: Vec::new(),
        }
    }

    /// Takes the next bytes; gives those to be kept to `keep`.
    pub fn feed(&mut self, input: &[u8], keep: &mut dyn FnMut(&[u8])) {
        match &self.stage {
            Stage::Head => {
                self.pending.extend_from_slice(input);
                self.head(keep);
            }
            Stage::TooLong => {}
            _ => self.body(input, keep),
        }
    }

    fn head(&mut self, keep: &mut dyn FnMut(&[u8])) {
        loop {
            match opening(&self.pending, false) {
                Opening::Undecided if self.pending.len() < self.limit => return,
                Opening::Headless => return self.headless(keep),
                Opening::Undecided | Opening::Headed => {}
            }
            let Some(length) = self.end.find(&self.pending) else {
                if self.pending.len() >= self.limit {
                    self.too_long(keep);
                }
                return;
            };
            let head = Head::parse(&self.pending[..length]);
            let is_interim = head
                .status()
                .is_some_and(|s| (100..200).contains(&s) && s != 101);
            if !is_interim {
                if length > self.limit {
                    return self.too_long(keep);
                }
                self.stage = stage(&head, &self.method);
                self.keeps_alive = head.keeps_alive();
                if head.framing(&self.method) == Framing::UntilClose
                    && head.codings_of("transfer-encoding").is_empty()
                    && head.values("content-length").next().is_some()
                {
                    self.irregular.push(Irregular::Length);
                }
                drop(head);
                let pending = std::mem::take(&mut self.pending);
                keep(&pending[..length]);
                self.head_length = length;
                return self.body(&pending[length..], keep);
            }
            drop(head);
            self.interim.add(&self.pending[..length]);
            self.pending.drain(..length);
            self.end = HeadEnd::default();
            if self.interim.length > self.limit as u64 {
                return self.too_long(keep);
            }
        }
    }

    fn headless(&mut self, keep: &mut dyn FnMut(&[u8])) {
        self.headless = true;
        self.irregular.push(Irregular::NoHead);
        self.stage = Stage::ToClose;
        keep(&std::mem::take(&mut self.pending));
    }

    fn too_long(&mut self, keep: &mut dyn FnMut(&[u8])) {
        self.stage = Stage::TooLong;
        self.pending.truncate(self.limit);
        self.head_length = self.pending.len();
        keep(&std::mem::take(&mut self.pending));
    }

    fn body(&mut self, input: &[u8], keep: &mut dyn FnMut(&[u8])) {
        let mut rest = input;
        match &mut self.stage {
            Stage::Head | Stage::TooLong => {}
            Stage::ToClose => keep(rest),
            Stage::Length { come, stated } => {
                let length = stated.iter().copied().max().unwrap_or(0);
                let left = usize::try_from(length - *come).unwrap_or(usize::MAX);
                let (body, after) = rest.split_at(left.min(rest.len()));
                keep(body);
                *come += body.len() as u64;
                if *come == length {
                    self.stage = Stage::After(After::Undecided);
                    self.after(after, keep);
                }
            }
            Stage::Chunks {
                chunked,
                come,
                length,
            } => match chunked.feed(rest, |_| ()) {
                Step::More => {
                    keep(rest);
                    *come += rest.len() as u64;
                }
                Step::Done { used } => {
                    keep(&rest[..used]);
                    rest = &rest[used..];
                    self.stage = Stage::After(After::Undecided);
                    self.after(rest, keep);
                }
                Step::Invalid { .. } => {
                    let broken = chunked.has_begun();
                    self.irregular.push(if broken {
                        Irregular::ChunksBroken
                    } else {
                        Irregular::NotChunked
                    });
                    self.stage = match *length {
                        Some(length) if !broken && length >= *come => Stage::Length {
                            come: *come,
                            stated: vec![length],
                        },
                        _ => Stage::ToClose,
                    };
                    self.body(rest, keep);
                }
            },
            Stage::After(_) => self.after(rest, keep),
        }
    }

    fn after(&mut self, input: &[u8], keep: &mut dyn FnMut(&[u8])) {
        if input.is_empty() {
            return;
        }
        if self.stage_after() == After::Undecided {
            self.pending.extend_from_slice(input);
            let said = self.pending.trim_ascii_start();
            let decided = if said.len() < 5 && b"HTTP/".starts_with(said) {
                (self.pending.len() > MAX_APART).then_some(After::Surplus)
            } else if said.starts_with(b"HTTP/") {
                Some(After::Stray)
            } else {
                Some(After::Surplus)
            };
            if let Some(decided) = decided {
                self.stage = Stage::After(decided);
                let pending = std::mem::take(&mut self.pending);
                self.after(&pending, keep);
            }
        } else if self.stage_after() == After::Surplus {
            self.surplus += input.len() as u64;
            keep(input);
        } else {
            self.stray.add(input);
        }
    }

    fn stage_after(&self) -> After {
        match self.stage {
            Stage::After(after) => after,
            _ => After::Undecided,
        }
    }

    /// Whether the answer has ended by its own framing; what comes then is
    /// after the end.
    pub fn has_ended(&self) -> bool {
        matches!(self.stage, Stage::After(_))
    }

    /// Whether the server would take another request.
    pub fn keeps_alive(&self) -> bool {
        self.keeps_alive
    }

    /// Whether something came after the end.
    pub fn has_surplus(&self) -> bool {
        self.surplus > 0 || self.stray.length > 0 || self.has_ended() && !self.pending.is_empty()
    }

    /// Whether nothing of an answer has come, nor one before it.
    pub fn is_empty(&self) -> bool {
        matches!(self.stage, Stage::Head) && self.pending.is_empty() && self.interim.length == 0
    }

    /// Whether the head is too long, or the answers before the answer are.
    pub fn is_too_long(&self) -> bool {
        matches!(self.stage, Stage::TooLong)
    }

    /// Whether the body is there and only an end that may never come is missing.
    pub fn only_lacks_its_end(&self) -> bool {
        matches!(&self.stage, Stage::Chunks { chunked, .. } if chunked.is_whole())
    }

    /// Whether only the end of the connection ends the body.
    pub fn goes_to_the_close(&self) -> bool {
        matches!(self.stage, Stage::ToClose)
    }

    /// The connection ended. Gives what is left to `keep`, and says whether
    /// the answer is whole.
    pub fn close(&mut self, how: Close, keep: &mut dyn FnMut(&[u8])) -> bool {
        match &self.stage {
            Stage::Head if self.pending.is_empty() && self.interim.length > 0 => {
                self.only_interim(keep);
                false
            }
            Stage::Head => {
                if opening(&self.pending, true) == Opening::Headless {
                    self.headless(keep);
                    return how == Close::Fin;
                }
                let pending = std::mem::take(&mut self.pending);
                self.head_length = pending.len();
                keep(&pending);
                false
            }
            Stage::TooLong => false,
            Stage::Length { come, stated } => stated.len() > 1 && stated.contains(come),
            Stage::Chunks { chunked, .. } => {
                let plain = chunked.was_never_chunked();
                let whole = chunked.is_whole() || plain && how == Close::Fin;
                if plain {
                    self.irregular.push(Irregular::NotChunked);
                }
                whole
            }
            // Chunks say where they end, and these didn't (RFC 9112 §8).
            Stage::ToClose => how == Close::Fin && !self.broke_off(),
            Stage::After(_) => {
                // Line ends alone are no body's; anything else may be.
                let pending = std::mem::take(&mut self.pending);
                let after = if pending.trim_ascii().is_empty() {
                    After::Stray
                } else {
                    After::Surplus
                };
                if self.stage_after() == After::Undecided {
                    self.stage = Stage::After(after);
                    self.after(&pending, keep);
                }
                true
            }
        }
    }

    /// No answer came after those before it: they are all that there is, and
    /// the first one's head stands for the answer's.
    fn only_interim(&mut self, keep: &mut dyn FnMut(&[u8])) {
        let heads = std::mem::take(&mut self.interim).bytes;
        let first = HeadEnd::default().find(&heads);
        self.head_length = first.unwrap_or(heads.len());
        keep(&heads);
    }

    fn broke_off(&self) -> bool {
        self.irregular.contains(&Irregular::ChunksBroken)
    }

    /// Notes something that only the wire knows.
    pub fn note(&mut self, irregular: Irregular) {
        self.irregular.push(irregular);
    }

    /// What is known once the answer is read.
    pub fn finish(self) -> Finished {
        let mut irregular = self.irregular;
        for (length, note) in [
            (self.interim.length, Irregular::Interim as fn(u64) -> _),
            (self.surplus, Irregular::Surplus),
            (self.stray.length, Irregular::Stray),
        ] {
            if length > 0 {
                irregular.push(note(length));
            }
        }
        Finished {
            head_length: self.head_length,
            headless: self.headless,
            interim: self.interim.bytes,
            stray: self.stray.bytes,
            irregular,
        }
    }
}

/// What was learnt of an answer.
#[derive(Debug, Default)]
pub struct Finished {
    /// Bytes of the head, at the start of what was kept.
    pub head_length: usize,
    /// Whether there is no head, as in HTTP/0.9.
    pub headless: bool,
    /// The first of the bytes that came before the answer: heads of 1xx.
    pub interim: Vec<u8>,
    /// The first of the bytes after the end that aren't the answer's.
    pub stray: Vec<u8>,
    /// What was wrong.
    pub irregular: Vec<Irregular>,
}

fn stage(head: &Head<'_>, method: &str) -> Stage {
    let length = |stated: Vec<u64>| match stated.iter().max() {
        Some(0) => Stage::After(After::Undecided),
        _ => Stage::Length { come: 0, stated },
    };
    match head.framing(method) {
        Framing::None => Stage::After(After::Undecided),
        Framing::Length(n) => length(vec![n]),
        Framing::Chunked => Stage::Chunks {
            chunked: Box::default(),
            come: 0,
            length: match head.lengths().as_slice() {
                [one] => Some(*one),
                _ => None,
            },
        },
        Framing::UntilClose => {
            let mut stated = head.lengths();
            stated.sort_unstable();
            stated.dedup();
            let contradict = stated.len() > 1 && head.codings_of("transfer-encoding").is_empty();
            if contradict {
                length(stated)
            } else {
                Stage::ToClose
            }
        }
    }
}

#[cfg(test)]
mod tests;
