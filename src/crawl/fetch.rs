//! Lanes: each takes a host's URLs one after the other over its own
//! connection, which it keeps while the server does.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;

use super::job::Job;
use super::pace::Pace;
use super::process;
use super::request::Requests;
use super::workers::Desk;
use crate::config::Config;
use crate::net::{Connection, Connector, Exchange, Limits, NetError, Reach};
use crate::url::HostKey;

/// A URL with the earliest time at which it may be asked for.
pub struct Turn {
    /// What to ask for.
    pub job: Job,
    /// Not before.
    pub not_before: Instant,
    /// Nor before the host's pause is over.
    pub pace: Arc<Pace>,
}

impl Turn {
    /// Waits until it may be taken, however often the host asks for more time
    /// meanwhile. False if that is more than `most`: the turn is given back.
    async fn comes(&self, most: Duration) -> bool {
        loop {
            let (now, asked) = (Instant::now(), self.pace.earliest());
            if asked > now + most {
                return false;
            }
            let earliest = self.not_before.max(asked);
            if earliest <= now {
                return true;
            }
            tokio::time::sleep_until(earliest.into()).await;
        }
    }
}

/// A try on its way to a worker. The permit bounds how much is on its way.
pub struct Fetched {
    /// What was asked for.
    pub job: Job,
    /// The exchange, or why there was none; `None` where the turn is given back.
    pub result: Option<Result<Exchange, NetError>>,
    /// Released when the outcome is in the WARC.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// What lanes share.
pub struct Fetcher {
    connector: Connector,
    limits: Limits,
    spool: PathBuf,
    requests: Requests,
    max_wait: Duration,
    /// Exchanges that are being received.
    receiving: AtomicUsize,
    desk: Desk,
    stopping: watch::Receiver<bool>,
}

/// Bytes of answers that are held in memory while they are received, of all
/// lanes together; what is more waits on disk. A half of it goes to each new
/// one's equal share.
const RECEIVING: usize = 16 * 1024 * 1024;

/// An answer may be slow for so long (`limits.min_rate`).
const RATE_AFTER: Duration = Duration::from_mins(1);

impl Fetcher {
    /// For a configuration; finished tries go to `desk`.
    pub fn new(
        config: &Config,
        connector: Connector,
        requests: Requests,
        spool: PathBuf,
        desk: Desk,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let (fetch, limits) = (&config.fetch, &config.limits);
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
            requests,
            max_wait: config.politeness.max_retry_after.0,
            receiving: AtomicUsize::new(0),
            desk,
            stopping,
        }
    }

    /// Looks whether the network reaches one of these hosts.
    pub async fn reach(self: Arc<Self>, hosts: &[HostKey]) -> Reach {
        let mut looks = JoinSet::new();
        for host in hosts {
            let (fetcher, host) = (self.clone(), host.clone());
            looks.spawn(async move { fetcher.connector.reach(&host).await });
        }
        let found = looks.join_all().await;
        let first = [Reach::There, Reach::NoNetwork];
        let first = first.into_iter().find(|reach| found.contains(reach));
        first.unwrap_or(Reach::Silent)
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
                comes = turn.comes(self.max_wait) => if !comes {
                    let fetched = Fetched { job: turn.job, result: None, permit: None };
                    if !self.desk.hand_in(fetched).await {
                        return;
                    }
                    continue;
                }
            }
            let receiving = self.receiving.fetch_add(1, Ordering::Relaxed) + 1;
            let limits = Limits {
                memory: self.limits.memory.min(RECEIVING / 2 / receiving),
                ..self.limits
            };
            let result = self.ask(&host, &turn.job, &limits, &mut connection).await;
            self.receiving.fetch_sub(1, Ordering::Relaxed);
            // Turns that are given out already mustn't go on before the frontier
            // has heard of it.
            if let Some(pause) = result.as_ref().ok().and_then(process::pause_asked_for) {
                turn.pace.hold(Instant::now() + pause);
            }
            let fetched = Fetched {
                job: turn.job,
                result: Some(result),
                permit: None,
            };
            if !self.desk.hand_in(fetched).await {
                return;
            }
        }
    }

    /// One exchange, with what it says of cookies taken in.
    async fn ask(
        &self,
        host: &HostKey,
        job: &Job,
        limits: &Limits,
        kept: &mut Option<Connection>,
    ) -> Result<Exchange, NetError> {
        let request = self.requests.of(job);
        let mut exchange = self.exchange(host, request.bytes, limits, kept).await?;
        self.requests
            .answered(&job.url, request.secrets, &mut exchange);
        Ok(exchange)
    }

    /// One exchange. A kept connection on which the server has said something
    /// or closed meanwhile is replaced, and an answer on it that can't belong to
    /// this request is asked for again.
    async fn exchange(
        &self,
        host: &HostKey,
        request: Vec<u8>,
        limits: &Limits,
        kept: &mut Option<Connection>,
    ) -> Result<Exchange, NetError> {
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
