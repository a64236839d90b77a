//! The chunked transfer coding (RFC 9112 §7.1), read as it comes: sizes may be
//! padded or carry extensions, lines may end with a bare LF, the line end after
//! a chunk's data may be missing, and blank lines may stand before a size.

/// The longest line of a chunk size or trailer that is taken.
const MAX_LINE_BYTES: usize = 64 * 1024;
/// All trailer lines together.
const MAX_TRAILER_BYTES: usize = 1024 * 1024;

/// What became of the bytes that were fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All were used and the body goes on.
    More,
    /// The body ended; so many of the fed bytes belong to it.
    Done {
        /// Bytes of the input that were used.
        used: usize,
    },
    /// What came is not the chunked coding, or not any more.
    Invalid {
        /// Bytes of the input up to the end of the line that is no size;
        /// [`Chunked::line`] is that line.
        used: usize,
    },
}

#[derive(Debug)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    DataEndLf,
    Trailer,
    Done,
    Invalid,
}

/// A decoder that is fed bytes as they arrive.
#[derive(Debug)]
pub struct Chunked {
    state: State,
    line: Vec<u8>,
    trailer_bytes: usize,
    any_chunk: bool,
}

impl Default for Chunked {
    fn default() -> Self {
        Self {
            state: State::Size,
            line: Vec::new(),
            trailer_bytes: 0,
            any_chunk: false,
        }
    }
}

impl Chunked {
    /// Reads `input`, giving the data of chunks to `data`.
    pub fn feed(&mut self, input: &[u8], mut data: impl FnMut(&[u8])) -> Step {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            match self.state {
                State::Done => return Step::Done { used: at },
                State::Invalid => return Step::Invalid { used: at },
                _ if rest.is_empty() => return Step::More,
                State::Data(left) => {
                    let take = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    data(&rest[..take]);
                    at += take;
                    self.state = match left - take as u64 {
                        0 => State::DataEnd,
                        left => State::Data(left),
                    };
                }
                State::DataEnd | State::DataEndLf => {
                    let awaits_cr = matches!(self.state, State::DataEnd);
                    at += usize::from(rest[0] == b'\n' || awaits_cr && rest[0] == b'\r');
                    self.state = if awaits_cr && rest[0] == b'\r' {
                        State::DataEndLf
                    } else {
                        State::Size
                    };
                }
                State::Size | State::Trailer => {
                    let end = rest.iter().position(|&b| b == b'\n');
                    self.line
                        .extend_from_slice(&rest[..end.map_or(rest.len(), |end| end + 1)]);
                    at += end.map_or(rest.len(), |end| end + 1);
                    if self.line.len() > MAX_LINE_BYTES {
                        self.state = match self.state {
                            State::Trailer => State::Done,
                            _ => State::Invalid,
                        };
                    } else if end.is_some() {
                        self.state = self.after_line();
                        if !matches!(self.state, State::Invalid) {
                            self.line.clear();
                        }
                    }
                }
            }
        }
    }

    fn after_line(&mut self) -> State {
        let line = self.line.trim_ascii_end();
        match self.state {
            State::Size if line.is_empty() && self.any_chunk => State::Size,
            State::Size => match size(line) {
                Some(0) => State::Trailer,
                Some(size) => {
                    self.any_chunk = true;
                    State::Data(size)
                }
                None => State::Invalid,
            },
            State::Trailer if line.is_empty() => State::Done,
            State::Trailer if self.trailer_bytes + line.len() <= MAX_TRAILER_BYTES => {
                self.trailer_bytes += line.len();
                State::Trailer
            }
            // Trailers without end are none.
            State::Trailer => State::Done,
            _ => State::Invalid,
        }
    }

    /// The line that is being read, or the one that is no size, with its line
    /// end if that has come.
    pub fn line(&self) -> &[u8] {
        &self.line
    }

    /// Whether a chunk with data has come.
    pub fn has_begun(&self) -> bool {
        self.any_chunk
    }

    /// Whether the empty chunk has come: from there on only trailers may be
    /// missing, and the entity is whole.
    pub fn is_whole(&self) -> bool {
        matches!(self.state, State::Trailer | State::Done)
    }

    /// Whether no chunk has come and what came can't begin one: the head said
    /// chunked, and the body is plain.
    pub fn was_never_chunked(&self) -> bool {
        let begins_a_size = self
            .line
            .iter()
            .all(|b| b.is_ascii_hexdigit() || b.is_ascii_whitespace());
        !self.any_chunk && matches!(self.state, State::Size | State::Invalid) && !begins_a_size
    }

    /// Whether the bytes were found not to be chunks.
    pub fn is_invalid(&self) -> bool {
        matches!(self.state, State::Invalid)
    }
}

fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|&b| b == b';').next()?.trim_ascii();
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.starts_with('+') {
        return None;
    }
    u64::from_str_radix(digits, 16).ok()
}

/// The entity of a whole chunked body; `None` where the body isn't one, or is
/// cut before its empty chunk.
pub fn dechunk(body: &[u8]) -> Option<Vec<u8>> {
    let mut entity = Vec::with_capacity(body.len());
    let mut chunked = Chunked::default();
    chunked.feed(body, |data| entity.extend_from_slice(data));
    chunked.is_whole().then_some(entity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"4;ext=1\r\nWiki\r\n 05 \nxpedi\n000\r\nTrailer: x\r\n\r\nnext";

    #[test]
    fn chunks_with_extensions_padding_and_bare_lf_are_read() {
        assert_eq!(dechunk(BODY).as_deref(), Some(&b"Wikixpedi"[..]));
        let mut chunked = Chunked::default();
        assert_eq!(
            chunked.feed(BODY, |_| ()),
            Step::Done {
                used: BODY.len() - 4
            }
        );
    }

    #[test]
    fn one_byte_at_a_time_gives_the_same() {
        let (mut chunked, mut entity) = (Chunked::default(), Vec::new());
        let mut used = 0;
        for byte in BODY {
            match chunked.feed(&[*byte], |data| entity.extend_from_slice(data)) {
                Step::More => used += 1,
                Step::Done { used: last } => {
                    used += last;
                    break;
                }
                Step::Invalid { .. } => break,
            }
        }
        assert_eq!(
            (entity.as_slice(), used),
            (&b"Wikixpedi"[..], BODY.len() - 4)
        );
    }

    #[test]
    fn every_cut_before_the_empty_chunk_is_no_whole_body() {
        let whole = BODY.len() - b"Trailer: x\r\n\r\nnext".len();
        for end in 0..whole {
            assert_eq!(dechunk(&BODY[..end]), None, "cut at {end}");
        }
        assert!(dechunk(&BODY[..whole]).is_some());
    }

    #[test]
    fn text_that_claims_to_be_chunked_is_told_apart() {
        let mut chunked = Chunked::default();
        assert_eq!(
            chunked.feed(b"<html>\r\n<body>", |_| ()),
            Step::Invalid { used: 8 }
        );
        assert_eq!(chunked.line(), b"<html>\r\n");
        assert_eq!(dechunk(b"ffffffffffffffffff\r\n"), None);
        assert_eq!(dechunk(b"+5\r\nabcde\r\n0\r\n\r\n"), None);
    }
}
