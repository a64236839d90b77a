//! The entity of a chunked body as a stream. Never holds more than a piece of
//! the body and one line.

use std::io::{self, BufRead, Read};

use super::{Chunked, Step};

/// Removes the chunked transfer coding from a stream. What claims to be
/// chunked and isn't comes through as it is, as some tools store bodies
/// de-chunked under their original head; where chunks break off into something
/// else, the rest comes as it stands there. A cut body gives what came of it.
#[derive(Debug)]
pub struct Dechunked<R> {
    inner: R,
    chunked: Chunked,
    out: Vec<u8>,
    at: usize,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Chunks,
    Plain,
    Done,
}

impl<R: BufRead> Dechunked<R> {
    /// The entity of the body that `inner` gives.
    pub fn new(inner: R) -> Self {
        Self {
            inner,
            chunked: Chunked::default(),
            out: Vec::new(),
            at: 0,
            state: State::Chunks,
        }
    }

    /// Takes the next piece of the body; `out` is empty before it.
    fn take(&mut self) -> io::Result<()> {
        let input = self.inner.fill_buf()?;
        let taken = input.len();
        if taken == 0 {
            if self.state == State::Chunks && self.chunked.was_never_chunked() {
                self.out.extend_from_slice(self.chunked.line());
            }
            self.state = State::Done;
            return Ok(());
        }
        if self.state == State::Plain {
            self.out.extend_from_slice(input);
        } else {
            let out = &mut self.out;
            match self
                .chunked
                .feed(input, |piece| out.extend_from_slice(piece))
            {
                Step::More => {}
                Step::Done { .. } => self.state = State::Done,
                Step::Invalid { used } => {
                    out.extend_from_slice(self.chunked.line());
                    out.extend_from_slice(&input[used..]);
                    self.state = State::Plain;
                }
            }
        }
        self.inner.consume(taken);
        Ok(())
    }
}

impl<R: BufRead> BufRead for Dechunked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.at == self.out.len() && self.state != State::Done {
            self.out.clear();
            self.at = 0;
            self.take()?;
        }
        Ok(&self.out[self.at..])
    }

    fn consume(&mut self, n: usize) {
        self.at = (self.at + n).min(self.out.len());
    }
}

impl<R: BufRead> Read for Dechunked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let n = available.len().min(buffer.len());
        buffer[..n].copy_from_slice(&available[..n]);
        self.consume(n);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// The entity, read through buffers of every size.
    fn entity(body: &str) -> String {
        let mut texts: Vec<String> = (1..=body.len().max(1))
            .map(|size| {
                let mut text = String::new();
                let buffered = io::BufReader::with_capacity(size, body.as_bytes());
                Dechunked::new(buffered).read_to_string(&mut text).unwrap();
                text
            })
            .collect();
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        texts.remove(0)
    }

    #[test]
    fn chunks_give_their_data_and_nothing_after_the_last() {
        assert_eq!(
            entity("3\r\nabc\r\n2\r\nde\r\n0\r\nX: 1\r\n\r\nfg"),
            "abcde"
        );
        assert_eq!(entity("0\r\n\r\n"), "");
        assert_eq!(entity(""), "");
    }

    #[test]
    fn what_is_not_chunked_comes_as_it_is() {
        assert_eq!(entity("<p>plain\r\n"), "<p>plain\r\n");
        assert_eq!(entity("no line end"), "no line end");
        assert_eq!(
            entity("\r\n<p>blank line first\n"),
            "\r\n<p>blank line first\n"
        );
    }

    #[test]
    fn what_breaks_off_or_is_cut_gives_what_came() {
        assert_eq!(entity("3\r\nabc\r\nplain\r\n"), "abcplain\r\n");
        assert_eq!(entity("3\r\nabcdef ghi\n"), "abcdef ghi\n");
        assert_eq!(entity("5\r\nabc"), "abc");
        assert_eq!(entity("3\r\nabc\r\n1"), "abc");
    }
}
