//! One request and its answer, byte for byte as they went over the wire.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::connection::no_answer;
use super::{Connection, Lookup, NetError, Spool, TlsSession};
use crate::http::{Close, Head, Incoming, Irregular};
use crate::time::WarcDate;

/// How long an end that is probably never sent is waited for: the line after
/// the last chunk, the close after an answer that announced it.
const LINGER: Duration = Duration::from_millis(100);
const LAST_LINE: Duration = Duration::from_secs(2);
/// What comes after the end of an answer is read for so long and so far.
const AFTER_TIME: Duration = Duration::from_secs(10);
const AFTER_BYTES: u64 = 16 * 1024 * 1024;
/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// Bounds of one answer.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest silence.
    pub idle: Duration,
    /// The longest answer in time.
    pub whole: Duration,
    /// Bytes a second that it must bring on average, once `rate_after` is over.
    pub rate: u64,
    /// So long an answer may be as slow as it likes.
    pub rate_after: Duration,
    /// The largest head in bytes.
    pub head: usize,
    /// The largest answer in bytes.
    pub bytes: u64,
    /// Bytes kept in memory.
    pub memory: usize,
}

impl Limits {
    /// When an answer that has brought so many bytes is too slow.
    fn slow_at(&self, received: u64) -> Duration {
        let earned = received.checked_div(self.rate).unwrap_or(u64::MAX);
        // A century, as clocks overflow beyond.
        let earned = Duration::from_secs(earned.min(100 * 365 * 24 * 3600));
        earned.max(self.rate_after)
    }
}

/// Why an answer is not whole (WARC 1.1 §5.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truncated {
    /// The connection ended before the body did.
    Disconnect,
    /// It took too long.
    Time,
    /// It came too slowly.
    Rate,
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
            Self::Time | Self::Rate | Self::Silence => "time",
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
    /// Whether the answer has no head, as in HTTP/0.9.
    pub headless: bool,
    /// The first of what came before the answer: heads of interim ones (1xx).
    pub interim: Vec<u8>,
    /// The first of what came after the end of the answer and isn't part of it.
    pub stray: Vec<u8>,
    /// What was wrong with the answer.
    pub irregular: Vec<Irregular>,
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
    /// cut is an [`Exchange`] with `truncated`; an error means that not a byte
    /// of an answer came. `spool` is the directory for what doesn't fit memory.
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
        let mut response = Spool::new(spool, limits.memory);
        let mut reading = Reading {
            connection: self,
            incoming: Incoming::new(method, limits.head),
            response: &mut response,
            buffer: Vec::with_capacity(PIECE),
            limits,
            begun: Instant::now(),
            received: 0,
            goodbye: true,
        };
        let end = reading.answer(host).await?;
        let found = reading.incoming.finish();
        if self.proxy.is_some() {
            let mut head = Vec::new();
            let mut start = response.reader().take(found.head_length as u64);
            start.read_to_end(&mut head).map_err(NetError::Spool)?;
            if let Some(refusal) = self.proxy_refusal(host, &Head::parse(&head)) {
                return Err(refusal);
            }
        }
        let (address, tls, proxy) = (self.address, self.tls.clone(), self.proxy.clone());
        let lookup = self.lookup.clone();
        Ok(Exchange {
            request,
            response,
            head_length: found.head_length,
            headless: found.headless,
            interim: found.interim,
            stray: found.stray,
            irregular: found.irregular,
            truncated: end.truncated,
            started,
            elapsed: clock.elapsed(),
            address,
            tls,
            lookup,
            proxy,
            reusable: end.reusable,
            secrets: Vec::new(),
        })
    }
}

struct Reading<'c> {
    connection: &'c mut Connection,
    incoming: Incoming,
    response: &'c mut Spool,
    /// Received and not yet read.
    buffer: Vec<u8>,
    limits: &'c Limits,
    begun: Instant,
    received: u64,
    /// The connection didn't end without TLS's `close_notify`.
    goodbye: bool,
}

struct End {
    truncated: Option<Truncated>,
    /// The connection takes another request.
    reusable: bool,
}

enum Received {
    Bytes,
    End,
    Cut(Truncated, Option<io::Error>),
}

/// Whether all that was given to be kept was kept.
enum Kept {
    All,
    /// The largest answer is reached.
    Full,
}

impl Reading<'_> {
    /// Receives bytes into the buffer, after a silence of `patience` at most.
    async fn more(&mut self, patience: Duration) -> Received {
        self.buffer.clear();
        let (now, limits) = (Instant::now(), self.limits);
        let bounds = [
            (now + patience, Truncated::Silence),
            (self.begun + limits.whole, Truncated::Time),
            (self.begun + limits.slow_at(self.received), Truncated::Rate),
        ];
        let (until, reason) = bounds
            .into_iter()
            .min_by_key(|(until, _)| *until)
            .unwrap_or(bounds[0]);
        match timeout_at(until.into(), self.connection.read_buf(&mut self.buffer)).await {
            Err(_) => Received::Cut(reason, None),
            Ok(Ok(0)) => Received::End,
            Ok(Ok(n)) => {
                self.received += n as u64;
                Received::Bytes
            }
            // A TLS peer that closes without notice, as many do.
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.goodbye = false;
                Received::End
            }
            Ok(Err(error)) => Received::Cut(Truncated::Disconnect, Some(error)),
        }
    }

    /// Reads the answer to its end and beyond. Heads of interim answers are
    /// passed over.
    async fn answer(&mut self, host: &str) -> Result<End, NetError> {
        loop {
            let patience = if self.incoming.only_lacks_its_end() {
                LAST_LINE.min(self.limits.idle)
            } else {
                self.limits.idle
            };
            let (close, reason, error) = match self.more(patience).await {
                Received::Bytes => {
                    if let Kept::Full = self.feed()? {
                        return Ok(cut(Truncated::Length));
                    }
                    if self.incoming.is_too_long() {
                        return Ok(cut(Truncated::Length));
                    }
                    if self.incoming.has_ended() {
                        return self.after().await;
                    }
                    continue;
                }
                Received::End => (Close::Fin, Truncated::Disconnect, None),
                Received::Cut(Truncated::Disconnect, error) => {
                    (Close::Broken, Truncated::Disconnect, error)
                }
                Received::Cut(reason, _) => (Close::Silence, reason, None),
            };
            if self.incoming.is_empty() {
                return Err(self.nothing(host, reason, error));
            }
            if !self.goodbye && self.incoming.goes_to_the_close() {
                self.incoming.note(Irregular::NoGoodbye);
            }
            let (whole, kept) = self.keep(|incoming, keep| incoming.close(close, keep))?;
            let truncated = match kept {
                Kept::Full => Some(Truncated::Length),
                Kept::All => (!whole).then_some(reason),
            };
            return Ok(End {
                truncated,
                reusable: false,
            });
        }
    }

    /// The answer has ended: whatever else the server has said belongs to it
    /// or to nothing, as nothing else was asked for.
    async fn after(&mut self) -> Result<End, NetError> {
        let (begun, received) = (Instant::now(), self.received);
        let mut reusable = self.incoming.keeps_alive();
        loop {
            reusable &= !self.incoming.has_surplus();
            let patience = if reusable { Duration::ZERO } else { LINGER };
            match self.more(patience).await {
                Received::Bytes | Received::Cut(Truncated::Silence, _) => {}
                Received::End | Received::Cut(..) => reusable = false,
            }
            if self.buffer.is_empty() {
                break;
            }
            let full = matches!(self.feed()?, Kept::Full);
            if full || begun.elapsed() > AFTER_TIME || self.received - received > AFTER_BYTES {
                self.incoming.note(Irregular::SurplusCut);
                reusable = false;
                break;
            }
        }
        self.keep(|incoming, keep| incoming.close(Close::Fin, keep))?;
        Ok(End {
            truncated: None,
            reusable,
        })
    }

    /// Gives what was received to the answer.
    fn feed(&mut self) -> Result<Kept, NetError> {
        let buffer = std::mem::take(&mut self.buffer);
        let kept = self.keep(|incoming, keep| incoming.feed(&buffer, keep));
        self.buffer = buffer;
        kept.map(|((), kept)| kept)
    }

    fn keep<T>(
        &mut self,
        read: impl FnOnce(&mut Incoming, &mut dyn FnMut(&[u8])) -> T,
    ) -> Result<(T, Kept), NetError> {
        let (response, limit) = (&mut *self.response, self.limits.bytes);
        let (mut failed, mut kept) = (None, Kept::All);
        let value = read(&mut self.incoming, &mut |bytes| {
            let room = limit.saturating_sub(response.len());
            let room = usize::try_from(room).unwrap_or(usize::MAX);
            if bytes.len() > room {
                kept = Kept::Full;
            }
            if failed.is_none() {
                failed = response.write(&bytes[..bytes.len().min(room)]).err();
            }
        });
        match failed {
            Some(error) => Err(NetError::Spool(error)),
            None => Ok((value, kept)),
        }
    }

    /// Why nothing at all came.
    fn nothing(&self, host: &str, reason: Truncated, error: Option<io::Error>) -> NetError {
        if reason != Truncated::Disconnect {
            return silence(host, "an answer", self.limits);
        }
        let source = error.unwrap_or_else(|| {
            let reason = "the connection was closed without an answer";
            io::Error::new(io::ErrorKind::UnexpectedEof, reason)
        });
        no_answer(host, source)
    }
}

fn cut(reason: Truncated) -> End {
    End {
        truncated: Some(reason),
        reusable: false,
    }
}

fn silence(host: &str, what: &'static str, limits: &Limits) -> NetError {
    NetError::Timeout {
        host: host.to_owned(),
        what,
        limit: limits.idle,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use std::io::Write;
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::config::Config;
    use crate::net::trust::Trust;
    use crate::net::{AddressGuard, Connector};
    use crate::url::CanonicalUrl;

    const LIMITS: Limits = Limits {
        idle: Duration::from_secs(5),
        whole: Duration::from_mins(1),
        rate: 0,
        rate_after: Duration::from_millis(300),
        head: 64 * 1024,
        bytes: u64::MAX,
        memory: 1 << 20,
    };

    /// Asks a server that sends these bytes at once, then one every 20 ms.
    fn drip(first: &'static [u8], limits: Limits) -> Exchange {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(first);
            for _ in 0..500 {
                std::thread::sleep(Duration::from_millis(20));
                if stream.write_all(b"x").is_err() {
                    return;
                }
            }
        });
        let url = CanonicalUrl::parse(&format!("http://127.0.0.1:{port}/")).unwrap();
        let guard = AddressGuard::default();
        guard.allow_seed(&url.host_key());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let exchange = runtime.block_on(async {
            let trust = Trust::load(&Config::defaults().tls).unwrap();
            let connector = Connector::new(guard, trust, None, Duration::from_secs(5));
            let mut connection = connector.connect(&url.host_key()).await.unwrap();
            let request = b"GET / HTTP/1.1\r\n\r\n".to_vec();
            let spool = std::env::temp_dir();
            let answer = connection.exchange("a", "GET", request, &limits, &spool);
            answer.await.unwrap()
        });
        drop(runtime);
        server.join().unwrap();
        exchange
    }

    #[test]
    fn an_answer_that_drips_is_cut_when_it_falls_behind_its_rate() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        let exchange = drip(
            head,
            Limits {
                rate: 4000,
                ..LIMITS
            },
        );
        assert_eq!(exchange.truncated, Some(Truncated::Rate));
        assert!(exchange.elapsed < Duration::from_secs(3), "{exchange:?}");
        let kept = exchange.response.memory().unwrap();
        assert!(kept.starts_with(head) && kept.len() > head.len());
    }

    #[test]
    fn a_head_that_drips_is_cut_and_kept() {
        let head = b"HTTP/1.1 200 OK\r\nX: ";
        let exchange = drip(
            head,
            Limits {
                rate: 4000,
                ..LIMITS
            },
        );
        assert_eq!(exchange.truncated, Some(Truncated::Rate));
        assert!(exchange.response.memory().unwrap().starts_with(head));
    }

    #[test]
    fn the_whole_time_ends_an_answer_that_keeps_its_rate() {
        let head = b"HTTP/1.1 200 OK\r\n\r\n";
        let whole = Duration::from_millis(500);
        let exchange = drip(
            head,
            Limits {
                rate: 1,
                whole,
                ..LIMITS
            },
        );
        assert_eq!(exchange.truncated, Some(Truncated::Time));
    }

    #[test]
    fn a_rate_of_nothing_is_no_bound() {
        assert!(LIMITS.slow_at(0) > Duration::from_secs(1 << 30));
        let limits = Limits { rate: 64, ..LIMITS };
        assert_eq!(limits.slow_at(0), LIMITS.rate_after);
        assert_eq!(limits.slow_at(6400), Duration::from_secs(100));
    }
}
