//! Lanes: each takes a host's URLs one after the other over its own
//! connection, which it keeps while the server does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, watch};

use super::job::Job;
use super::workers::Desk;
use crate::config::Config;
use crate::net::{Connection, Connector, Exchange, Limits, NetError};
use crate::url::HostKey;

/// A URL with the earliest time at which it may be asked for.
pub struct Turn {
    /// What to ask for.
    pub job: Job,
    /// Not before.
    pub not_before: Instant,
}

/// A try on its way to a worker. The permit bounds how much is on its way.
pub struct Fetched {
    /// What was asked for.
    pub job: Job,
    /// The exchange, or why there was none.
    pub result: Result<Exchange, NetError>,
    /// Released when the outcome is in the WARC.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// What lanes share.
pub struct Fetcher {
    connector: Connector,
    limits: Limits,
    spool: PathBuf,
    user_agent: String,
    accept_encoding: String,
    /// Exchanges that are being received.
    receiving: AtomicUsize,
    desk: Desk,
    stopping: watch::Receiver<bool>,
}

/// Bytes of answers that are held in memory while they are received, of all
/// lanes together; what is more waits on disk. A half of it goes to each new
/// one's equal share.
const RECEIVING: usize = 32 * 1024 * 1024;

/// An answer may be slow for so long (`limits.min_rate`).
const RATE_AFTER: Duration = Duration::from_mins(1);

impl Fetcher {
    /// For a configuration; finished tries go to `desk`.
    pub fn new(
        config: &Config,
        connector: Connector,
        spool: PathBuf,
        desk: Desk,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (fetch, limits) = (&config.fetch, &config.limits);
        // A line end within a field would begin another field.
        let field = |value: &str| value.replace(|c: char| c.is_control(), " ");
        Self {
            connector,
            limits: Limits {
                idle: limits.idle.0,
                whole: limits.time.0,
                rate: limits.min_rate.0,
                rate_after: RATE_AFTER,
                head: usize::try_from(limits.head.0).unwrap_or(usize::MAX),
                bytes: limits.body.value().map_or(u64::MAX, |size| size.0),
                memory: usize::try_from(fetch.spool_above.0)
                    .unwrap_or(usize::MAX)
                    .min(8 << 20),
            },
            spool,
            user_agent: field(&fetch.user_agent),
            accept_encoding: field(&fetch.accept_encoding),
            receiving: AtomicUsize::new(0),
            desk,
            stopping,
        }
    }

    /// Takes turns until there are no more.
    pub async fn lane(
        self: Arc<Self>,
        host: HostKey,
        turns: Arc<Mutex<mpsc::UnboundedReceiver<Turn>>>,
    ) {
        let mut connection: Option<Connection> = None;
        loop {
            let Some(turn) = turns.lock().await.recv().await else {
                return;
            };
            tokio::select! {
                biased;
                () = stopped(self.stopping.clone()) => return,
                () = tokio::time::sleep_until(turn.not_before.into()) => {}
            }
            let receiving = self.receiving.fetch_add(1, Ordering::Relaxed) + 1;
            let limits = Limits {
                memory: self.limits.memory.min(RECEIVING / 2 / receiving),
                ..self.limits
            };
            let result = self.ask(&host, &turn.job, &limits, &mut connection).await;
            self.receiving.fetch_sub(1, Ordering::Relaxed);
            let fetched = Fetched {
                job: turn.job,
                result,
                permit: None,
            };
            if !self.desk.hand_in(fetched).await {
                return;
            }
        }
    }

    /// One exchange. A kept connection on which the server has said something
    /// or closed meanwhile is replaced, and an answer on it that can't belong to
    /// this request is asked for again.
    async fn ask(
        &self,
        host: &HostKey,
        job: &Job,
        limits: &Limits,
        kept: &mut Option<Connection>,
    ) -> Result<Exchange, NetError> {
        let request = self.request(job);
        let name = host.to_string();
        if let Some(mut connection) = kept.take().filter(Connection::is_quiet) {
            let again = connection.exchange(&name, "GET", request.clone(), limits, &self.spool);
            match again.await {
                Ok(exchange) if is_stray(&exchange) => {}
                Ok(exchange) => {
                    if exchange.reusable {
                        *kept = Some(connection);
                    }
                    return Ok(exchange);
                }
                Err(NetError::NoAnswer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut connection = self.connector.connect(host).await?;
        let exchange = connection
            .exchange(&name, "GET", request, limits, &self.spool)
            .await?;
        if exchange.reusable {
            *kept = Some(connection);
        }
        Ok(exchange)
    }

    fn request(&self, job: &Job) -> Vec<u8> {
        let (target, host) = (job.url.request_target(), job.url.host_field());
        let mut request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {}\r\nAccept: */*\r\n",
            self.user_agent
        );
        if !self.accept_encoding.is_empty() {
            request += &format!("Accept-Encoding: {}\r\n", self.accept_encoding);
        }
        // As browsers do by default: no referrer from https to http, and only
        // the origin to other hosts.
        if let Some(via) = job
            .via
            .as_deref()
            .and_then(|via| via.parse::<crate::url::CanonicalUrl>().ok())
        {
            let (from, to) = (via.host_key(), job.url.host_key());
            if from == to {
                request += &format!("Referer: {via}\r\n");
            } else if !from.is_https() || to.is_https() {
                request += &format!("Referer: {from}/\r\n");
            }
        }
        request += "\r\n";
        request.into_bytes()
    }
}

/// Whether an answer on a kept connection is rather the rest of an earlier one,
/// or the server's word that it waited too long (408).
fn is_stray(exchange: &Exchange) -> bool {
    let start = exchange.response.memory().unwrap_or(b"HTTP/");
    let head = crate::http::Head::parse(&start[..exchange.head_length.min(start.len())]);
    exchange.headless || !start.starts_with(b"HTTP/") || head.status() == Some(408)
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    // A sender that is gone means the same as a stop.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
