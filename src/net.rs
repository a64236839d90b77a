//! The wire: connections that are guarded, traced and read verbatim. It knows
//! HTTP's framing and nothing of records, scope or politeness.

pub mod connection;
pub mod exchange;
pub mod guard;
pub mod host_pattern;
pub mod proxy;
pub mod ranged;
pub mod spool;
pub mod trust;

pub use connection::{Connection, Connector, Lookup, Reach};
pub use exchange::{Exchange, Limits, Truncated};
pub use guard::{AddressGuard, Cidr};
pub use host_pattern::{HostPattern, HostPatternError};
pub use proxy::{Proxy, ProxyError};
pub use ranged::{RangeError, Ranged};
pub use spool::Spool;
pub use trust::{CertificateVerdict, TlsSession, Trust, TrustError};

use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// Why no answer came. The first word of each message is the ledger's reason.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The name doesn't resolve.
    #[error("dns: {host} does not resolve: {reason}")]
    Dns {
        /// The host.
        host: String,
        /// The resolver's reason.
        reason: String,
    },
    /// Every address of the host is refused.
    #[error("address: {host} is at {address}, which is not public, nor allowed by address.allow")]
    Refused {
        /// The host.
        host: String,
        /// Its first address.
        address: IpAddr,
    },
    /// The name can't be public, and a proxy would look it up in its own network.
    #[error(
        "address: {host} is no public name, and what it stands for is known to the proxy alone; \
         address.allow may name it"
    )]
    NotPublic {
        /// The host.
        host: String,
    },
    /// The port belongs to another protocol.
    #[error("bad-port: {host}: port {port} belongs to another protocol than HTTP")]
    BadPort {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// No TCP connection.
    #[error("connect: {host}: {source}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The TLS handshake failed.
    #[error("tls: {host}: {reason}")]
    Tls {
        /// The host.
        host: String,
        /// The reason.
        reason: String,
        /// Whether it would fail again: the fault is in what the server is, not
        /// in the network.
        is_lasting: bool,
    },
    /// The proxy gave no way to the host.
    #[error("proxy: {host}: through {proxy}: {reason}")]
    Proxy {
        /// The host.
        host: String,
        /// The proxy, without login.
        proxy: String,
        /// The reason.
        reason: String,
        /// Whether it won't have this very request; else there is no way for now.
        is_denial: bool,
    },
    /// Nothing came within the time.
    #[error("timeout: {host}: nothing within {limit:?} ({what})")]
    Timeout {
        /// The host.
        host: String,
        /// What was waited for.
        what: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The connection ended before a byte of the answer.
    #[error("no-answer: {host}: {source}")]
    NoAnswer {
        /// The host.
        host: String,
        /// How it ended.
        source: io::Error,
    },
    /// The spool's disk failed: our fault, not the site's.
    #[error("spool: {0}")]
    Spool(io::Error),
}

/// Whether the process or the system may open no more files.
pub fn is_out_of_files(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let number = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| number == Some(errno.raw_os_error()))
}
