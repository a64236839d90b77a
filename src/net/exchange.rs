//! One request and its answer, byte for byte as they went over the wire.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::connection::no_answer;
use super::{Connection, Lookup, NetError, Spool, TlsSession};
use crate::http::{Chunked, Framing, Head, MAX_HEAD_BYTES, Step, head_length};
use crate::time::WarcDate;

/// Bounds of one answer.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest silence.
    pub idle: Duration,
    /// The longest answer in time.
    pub whole: Duration,
    /// The largest answer in bytes.
    pub bytes: u64,
    /// Bytes kept in memory.
    pub memory: usize,
}

/// Why an answer is not whole (WARC 1.1 §5.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncated {
    /// The connection ended before the body did.
    Disconnect,
    /// It took too long.
    Time,
    /// Nothing came for too long.
    Silence,
    /// It was too long.
    Length,
}

impl Truncated {
    /// The value of `WARC-Truncated`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Time | Self::Silence => "time",
            Self::Length => "length",
        }
    }
}

/// What went over the wire.
#[derive(Debug)]
pub struct Exchange {
    /// The request as sent.
    pub request: Vec<u8>,
    /// The answer as received: head, then body with its transfer coding.
    pub response: Spool,
    /// Length of the answer's head in bytes.
    pub head_length: usize,
    /// Set if the answer isn't whole.
    pub truncated: Option<Truncated>,
    /// When the request was begun.
    pub started: WarcDate,
    /// Until the last byte.
    pub elapsed: Duration,
    /// The server's address; `None` through a proxy.
    pub address: Option<SocketAddr>,
    /// The proxy between, without login.
    pub proxy: Option<String>,
    /// The TLS session, for https.
    pub tls: Option<TlsSession>,
    /// The look-up of the host's name, where it had to be.
    pub lookup: Option<Arc<Lookup>>,
    /// Whether the connection takes another request.
    pub reusable: bool,
    /// Fields of the request that carry configured secrets, and `set-cookie` for
    /// an answer to them that sets a cookie.
    pub secrets: Vec<String>,
}

impl Connection {
    /// Sends a request and reads its answer to the end. What arrived before a
    /// cut is an [`Exchange`] with `truncated`; an error means that not even a
    /// head came. `spool` is the directory for what doesn't fit memory.
    pub async fn exchange(
        &mut self,
        host: &str,
        method: &str,
        request: Vec<u8>,
        limits: &Limits,
        spool: &Path,
    ) -> Result<Exchange, NetError> {
        let (started, clock) = (WarcDate::now(), Instant::now());
        self.exchanges += 1;
        let sent = self.on_the_wire(&request);
        timeout(limits.idle, self.write_all(&sent))
            .await
            .map_err(|_| silence(host, "sending", limits))?
            .map_err(|error| no_answer(host, error))?;
        let deadline = tokio::time::Instant::now() + limits.whole;
        let mut reading = Reading {
            connection: self,
            buffer: Vec::with_capacity(16 * 1024),
            limits,
            deadline,
        };
        let head_length = reading.head(host).await?;
        let head = Head::parse(&reading.buffer[..head_length]);
        let framing = head.framing(method);
        let keeps_alive = head.keeps_alive();
        let cut_head = head_length == reading.buffer.len()
            && head.status().is_some()
            && crate::http::head_length(&reading.buffer).is_none();
        if let Some(refusal) = reading.connection.proxy_refusal(host, head.status()) {
            return Err(refusal);
        }
        let mut response = Spool::new(spool, limits.memory);
        let end = reading.body(head_length, framing, &mut response).await?;
        let (address, tls, proxy) = (self.address, self.tls.clone(), self.proxy.clone());
        let lookup = self.lookup.clone();
        Ok(Exchange {
            request,
            response,
            head_length,
            truncated: if cut_head {
                Some(Truncated::Disconnect)
            } else {
                end.truncated
            },
            started,
            elapsed: clock.elapsed(),
            address,
            tls,
            lookup,
            proxy,
            reusable: keeps_alive && end.clean,
            secrets: Vec::new(),
        })
    }
}

struct Reading<'c> {
    connection: &'c mut Connection,
    /// Received and not yet given to the spool.
    buffer: Vec<u8>,
    limits: &'c Limits,
    deadline: tokio::time::Instant,
}

struct End {
    truncated: Option<Truncated>,
    /// The body ended by its framing, and nothing came after it.
    clean: bool,
}

enum Received {
    Bytes,
    End,
    Cut(Truncated, Option<io::Error>),
}

impl Reading<'_> {
    /// Receives more bytes into the buffer.
    async fn more(&mut self) -> Received {
        self.buffer.reserve(16 * 1024);
        let deadline = self
            .deadline
            .min(tokio::time::Instant::now() + self.limits.idle);
        match timeout_at(deadline, self.connection.read_buf(&mut self.buffer)).await {
            Err(_) if tokio::time::Instant::now() >= self.deadline => {
                Received::Cut(Truncated::Time, None)
            }
            Err(_) => Received::Cut(Truncated::Silence, None),
            Ok(Ok(0)) => Received::End,
            Ok(Ok(_)) => Received::Bytes,
            // A TLS peer that closes without notice, as many do.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Received::End,
            Ok(Err(error)) => Received::Cut(Truncated::Disconnect, Some(error)),
        }
    }

    /// Reads the final head; interim ones (1xx) are passed over. Where the
    /// connection closes without a blank line, all that came is the head: a
    /// head that was cut, or an answer of HTTP/0.9, which has none.
    async fn head(&mut self, host: &str) -> Result<usize, NetError> {
        loop {
            if let Some(length) = head_length(&self.buffer) {
                let interim = Head::parse(&self.buffer[..length])
                    .status()
                    .is_some_and(|status| (100..200).contains(&status) && status != 101);
                if !interim && length <= MAX_HEAD_BYTES {
                    return Ok(length);
                }
                if !interim {
                    return Err(too_long(host));
                }
                self.buffer.drain(..length);
                continue;
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(too_long(host));
            }
            let ended = match self.more().await {
                Received::Bytes => continue,
                Received::Cut(Truncated::Time | Truncated::Silence, _) => {
                    return Err(silence(host, "an answer", self.limits));
                }
                Received::Cut(_, error) => error,
                Received::End => None,
            };
            if !self.buffer.is_empty() {
                return Ok(self.buffer.len());
            }
            let source = ended.unwrap_or_else(|| {
                let reason = "the connection was closed without an answer";
                io::Error::new(io::ErrorKind::UnexpectedEof, reason)
            });
            return Err(no_answer(host, source));
        }
    }

    /// Reads the body to its end and gives head and body to the spool.
    async fn body(
        &mut self,
        head_length: usize,
        framing: Framing,
        response: &mut Spool,
    ) -> Result<End, NetError> {
        response
            .write(&self.buffer[..head_length])
            .map_err(NetError::Spool)?;
        self.buffer.drain(..head_length);
        let mut framing = framing;
        let mut chunked = Chunked::default();
        let mut left = match framing {
            Framing::Length(length) => length,
            Framing::None => 0,
            _ => u64::MAX,
        };
        loop {
            let mut take = usize::try_from(left)
                .unwrap_or(usize::MAX)
                .min(self.buffer.len());
            let mut done = left == take as u64;
            if framing == Framing::Chunked {
                match chunked.feed(&self.buffer, |_| ()) {
                    Step::More => {}
                    Step::Done { used } => (take, done) = (used, true),
                    // Not chunks, whatever the head says: keep all that comes.
                    Step::Invalid => framing = Framing::UntilClose,
                }
            }
            let room = self.limits.bytes.saturating_sub(response.len());
            if take as u64 > room {
                let room = usize::try_from(room).unwrap_or(usize::MAX);
                response
                    .write(&self.buffer[..room])
                    .map_err(NetError::Spool)?;
                return Ok(cut(Truncated::Length));
            }
            response
                .write(&self.buffer[..take])
                .map_err(NetError::Spool)?;
            left = left.saturating_sub(take as u64);
            if done {
                let clean = take == self.buffer.len();
                return Ok(End {
                    truncated: None,
                    clean,
                });
            }
            self.buffer.clear();
            match self.more().await {
                Received::Bytes => {}
                Received::Cut(reason, _) => return Ok(cut(reason)),
                Received::End => {
                    let whole = match framing {
                        Framing::UntilClose => true,
                        Framing::Chunked => chunked.is_whole() || chunked.was_never_chunked(),
                        Framing::Length(_) | Framing::None => false,
                    };
                    let truncated = (!whole).then_some(Truncated::Disconnect);
                    return Ok(End {
                        truncated,
                        clean: false,
                    });
                }
            }
        }
    }
}

fn too_long(host: &str) -> NetError {
    NetError::HeadTooLong {
        host: host.to_owned(),
        limit: MAX_HEAD_BYTES,
    }
}

fn cut(reason: Truncated) -> End {
    End {
        truncated: Some(reason),
        clean: false,
    }
}

fn silence(host: &str, what: &'static str, limits: &Limits) -> NetError {
    NetError::Timeout {
        host: host.to_owned(),
        what,
        limit: limits.idle,
    }
}
