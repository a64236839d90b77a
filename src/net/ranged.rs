//! A file on a web server, read by ranges (RFC 9110 §14): never whole, and only as
//! long as it stays the same file.

use std::io::{self, Read};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{AddressGuard, Connection, Connector, Exchange, Limits, NetError, Trust, TrustError};
use crate::config::Config;
use crate::http::{Dechunked, Head};
use crate::url::{CanonicalUrl, HostKey};

/// One request, from connecting to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tries after the first, where the connection breaks or the server is busy.
const RETRIES: u32 = 2;
const REDIRECTS: usize = 5;
const MOST_HEAD: usize = 64 * 1024;
/// Connections kept between requests.
const IDLE: usize = 4;

/// Why a range could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RangeError {
    /// No whole answer came.
    #[error("{0}; try again, or download the file")]
    Net(#[from] NetError),
    /// The request took too long.
    #[error("timeout: no whole answer within {PATIENCE:?}; try again, or download the file")]
    Timeout,
    /// The answer ended early.
    #[error("the answer broke off; try again, or download the file")]
    Cut,
    /// The system's roots.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The server won't.
    #[error("the server answers with status {status}{}", hint(*.status))]
    Status {
        /// The status.
        status: u16,
    },
    /// The server sends everything.
    #[error(
        "the server gives no ranges (status 200 where 206 is due), so the file can't be read in \
         place: download it first"
    )]
    NoRanges,
    /// Another range, or another length.
    #[error("the server sends another range than was asked for: {0}; download the file")]
    Wrong(String),
    /// It isn't the file that was opened.
    #[error("the file was changed at the server since it was opened ({0}): start again")]
    Changed(String),
    /// A redirect that isn't followed.
    #[error("a redirect isn't followed: {0}; give the URL that it leads to")]
    Redirect(String),
}

fn hint(status: u16) -> &'static str {
    match status {
        401 | 403 | 407 => ": it wants a login or forbids it, and none is sent; download the file",
        404 | 410 => ": there is no such file; check the URL",
        416 => ": the file is empty or shorter than was said",
        _ => "; try again later, or download the file",
    }
}

/// By what a change is told.
#[derive(Debug, Clone, PartialEq, Eq)]
struct State {
    length: u64,
    etag: Option<String>,
    modified: Option<String>,
}

impl State {
    /// The value of `If-Range`; a weak tag is none (RFC 9110 §13.1.5).
    fn condition(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|tag| tag.starts_with('"'));
        strong.or(self.modified.as_deref())
    }

    fn changes_to(&self, now: &Self) -> Option<String> {
        let show = |tag: &Option<String>| tag.clone().unwrap_or_else(|| "none".to_owned());
        if self.length != now.length {
            Some(format!("length {}, now {}", self.length, now.length))
        } else if self.etag != now.etag {
            Some(format!(
                "ETag {}, now {}",
                show(&self.etag),
                show(&now.etag)
            ))
        } else if self.modified != now.modified {
            let (then, now) = (show(&self.modified), show(&now.modified));
            Some(format!("Last-Modified {then}, now {now}"))
        } else {
            None
        }
    }
}

/// The file.
pub struct Ranged {
    named: CanonicalUrl,
    /// Where redirects led last.
    at: Mutex<CanonicalUrl>,
    /// For the host that the user named: any address, as it was named on purpose.
    there: Connector,
    /// For hosts that redirects name: public addresses alone.
    elsewhere: Connector,
    user_agent: String,
    idle: Mutex<Vec<(HostKey, Connection)>>,
    state: Option<State>,
}

impl std::fmt::Debug for Ranged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Ranged").field(&self.named).finish()
    }
}

impl Ranged {
    /// Asks for the first `length` bytes, and gives them with the file.
    pub async fn open(url: CanonicalUrl, length: u64) -> Result<(Self, Vec<u8>), RangeError> {
        let config = Config::defaults();
        let everywhere = ["0.0.0.0/0", "::/0"];
        let everywhere = everywhere.iter().filter_map(|net| net.parse().ok());
        let guard = AddressGuard::new(everywhere.collect());
        guard.allow_seed(&url.host_key());
        let connector = |guard| -> Result<Connector, TrustError> {
            let trust = Trust::load(&config.tls)?;
            Ok(Connector::new(guard, trust, None, PATIENCE))
        };
        let mut file = Self {
            at: Mutex::new(url.clone()),
            there: connector(guard)?,
            elsewhere: connector(AddressGuard::default())?,
            named: url,
            user_agent: config.user_agent(),
            idle: Mutex::default(),
            state: None,
        };
        let (state, bytes) = file.retried(0, length).await?;
        file.state = Some(state);
        Ok((file, bytes))
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.state.as_ref().map_or(0, |state| state.length)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads `length` bytes from an offset, fewer only at the end.
    pub async fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>, RangeError> {
        Ok(self.retried(offset, length).await?.1)
    }

    async fn retried(&self, offset: u64, length: u64) -> Result<(State, Vec<u8>), RangeError> {
        let mut tries = 0;
        loop {
            let outcome = timeout(PATIENCE, self.once(offset, length)).await;
            let error = match outcome.unwrap_or(Err(RangeError::Timeout)) {
                Ok(read) => return Ok(read),
                Err(error) => error,
            };
            let is_passing = match &error {
                RangeError::Net(NetError::Tls { is_lasting, .. }) => !is_lasting,
                RangeError::Net(NetError::Connect { .. } | NetError::NoAnswer { .. })
                | RangeError::Cut => true,
                RangeError::Status { status } => matches!(status, 429 | 500 | 502 | 503 | 504),
                _ => false,
            };
            if !is_passing || tries >= RETRIES {
                return Err(error);
            }
            tries += 1;
            sleep(Duration::from_millis(300) * tries).await;
        }
    }

    /// Asks where redirects led last; where that is over, where the user named it.
    async fn once(&self, offset: u64, length: u64) -> Result<(State, Vec<u8>), RangeError> {
        let at = lock(&self.at).clone();
        let is_named = at == self.named;
        match self.follow(at, offset, length).await {
            Err(RangeError::Status {
                status: 400..=410, ..
            }) if !is_named => self.follow(self.named.clone(), offset, length).await,
            other => other,
        }
    }

    async fn follow(
        &self,
        mut url: CanonicalUrl,
        offset: u64,
        length: u64,
    ) -> Result<(State, Vec<u8>), RangeError> {
        for _ in 0..=REDIRECTS {
            let exchange = self.ask(&url, offset, length).await?;
            let mut bytes = Vec::new();
            let mut reader = exchange.response.reader();
            reader.read_to_end(&mut bytes).map_err(NetError::Spool)?;
            let head = Head::of_length(&bytes, exchange.head_length);
            let status = head.status().unwrap_or(0);
            if matches!(status, 301 | 302 | 303 | 307 | 308) {
                let to = head.value("location").unwrap_or_default();
                let next = url.join(&to);
                let next = next.map_err(|error| RangeError::Redirect(error.to_string()))?;
                if url.is_https() && !next.is_https() {
                    return Err(RangeError::Redirect(format!("from https to {next}")));
                }
                url = next;
                continue;
            }
            let found = self.taken(&head, status, &exchange, &bytes, (offset, length))?;
            *lock(&self.at) = url;
            return Ok(found);
        }
        Err(RangeError::Redirect(format!(
            "the {}th, to {url}",
            REDIRECTS + 1
        )))
    }

    /// The range that an answer brings.
    fn taken(
        &self,
        head: &Head<'_>,
        status: u16,
        exchange: &Exchange,
        bytes: &[u8],
        (offset, length): (u64, u64),
    ) -> Result<(State, Vec<u8>), RangeError> {
        let field = |name: &str| head.value(name).map(std::borrow::Cow::into_owned);
        let mut now = State {
            length: self.len(),
            etag: field("etag"),
            modified: field("last-modified"),
        };
        if status == 200 {
            return Err(match &self.state {
                None => RangeError::NoRanges,
                // It gave ranges before.
                Some(then) => RangeError::Changed(
                    then.changes_to(&now)
                        .unwrap_or_else(|| "it gives no ranges now".to_owned()),
                ),
            });
        }
        if status != 206 {
            return Err(RangeError::Status { status });
        }
        let wrong = |what: &str| RangeError::Wrong(what.to_owned());
        let stated = field("content-range").unwrap_or_default();
        let range = content_range(&stated).ok_or_else(|| {
            RangeError::Wrong(format!(
                "Content-Range {stated:?}, without the file's length"
            ))
        })?;
        now.length = range.2;
        if let Some(change) = self.state.as_ref().and_then(|then| then.changes_to(&now)) {
            return Err(RangeError::Changed(change));
        }
        let wanted = length.min(range.2.saturating_sub(offset));
        if range.0 != offset || range.1.checked_sub(offset) != wanted.checked_sub(1) {
            return Err(RangeError::Wrong(format!("Content-Range {stated:?}")));
        }
        if !head.content_codings().is_empty() {
            return Err(wrong("a compressed one"));
        }
        let body = bytes.get(exchange.head_length..).unwrap_or_default();
        let mut plain = Vec::new();
        if head.is_chunked() {
            let mut stream = Dechunked::new(body).take(wanted + 1);
            stream.read_to_end(&mut plain).map_err(NetError::Spool)?;
        } else {
            plain.extend_from_slice(body);
        }
        if plain.len() as u64 == wanted {
            Ok((now, plain))
        } else if exchange.truncated.is_some() && (plain.len() as u64) < wanted {
            Err(RangeError::Cut)
        } else {
            Err(wrong("a body of another length than its Content-Range"))
        }
    }

    async fn ask(
        &self,
        url: &CanonicalUrl,
        offset: u64,
        length: u64,
    ) -> Result<Exchange, RangeError> {
        let host = url.host_key();
        let last = offset.saturating_add(length.saturating_sub(1));
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: {}\r\nAccept: */*\r\n\
             Accept-Encoding: identity\r\nRange: bytes={offset}-{last}\r\n",
            url.request_target(),
            url.host_field(),
            self.user_agent
        );
        if let Some(condition) = self.state.as_ref().and_then(State::condition) {
            request += &format!("If-Range: {condition}\r\n");
        }
        request += "\r\n";
        // A chunk has a line of its own, and may be small.
        let most = MOST_HEAD + 4 * length as usize;
        let limits = Limits {
            idle: PATIENCE,
            whole: PATIENCE,
            rate: 0,
            rate_after: PATIENCE,
            head: MOST_HEAD,
            bytes: most as u64,
            memory: 2 * most,
        };
        let kept = {
            let mut idle = lock(&self.idle);
            let at = idle.iter().position(|(of, _)| *of == host);
            at.map(|at| idle.swap_remove(at).1)
        };
        if let Some(connection) = kept {
            let again = request.clone().into_bytes();
            // A kept connection may have been closed meanwhile.
            if let Ok(exchange) = self.talk(connection, &host, again, &limits).await {
                return Ok(exchange);
            }
        }
        let is_named = host == self.named.host_key();
        let connector = if is_named {
            &self.there
        } else {
            &self.elsewhere
        };
        let connection = connector.connect(&host).await?;
        self.talk(connection, &host, request.into_bytes(), &limits)
            .await
    }

    async fn talk(
        &self,
        mut connection: Connection,
        host: &HostKey,
        request: Vec<u8>,
        limits: &Limits,
    ) -> Result<Exchange, RangeError> {
        let name = host.to_string();
        // What is received fits memory, so the directory isn't used.
        let exchange = connection.exchange(&name, "GET", request, limits, Path::new("/"));
        let exchange = exchange.await?;
        let mut idle = lock(&self.idle);
        if exchange.reusable && idle.len() < IDLE {
            idle.push((host.clone(), connection));
        }
        Ok(exchange)
    }
}

/// First byte, last byte and length of `bytes 0-9/100`.
fn content_range(value: &str) -> Option<(u64, u64, u64)> {
    let (unit, rest) = value.trim().split_once(' ')?;
    let (range, length) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| text.trim().parse::<u64>().ok();
    let found = (number(first)?, number(last)?, number(length)?);
    let fits = found.0 <= found.1 && found.1 < found.2;
    (unit.eq_ignore_ascii_case("bytes") && fits).then_some(found)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl From<RangeError> for io::Error {
    fn from(error: RangeError) -> Self {
        Self::other(error)
    }
}
