//! One TCP or TLS connection to a host, opened within a time and only to
//! admitted addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_rustls::{TlsConnector, rustls};

use super::{AddressGuard, NetError};
use crate::url::HostKey;

/// What opening connections needs; one a crawl.
pub struct Connector {
    guard: AddressGuard,
    tls: TlsConnector,
    connect_timeout: Duration,
}

/// What the TLS handshake agreed on, as WARC fields name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSession {
    /// `tls/1.2` or `tls/1.3`, a value of `WARC-Protocol`.
    pub protocol: &'static str,
    /// The cipher suite by its IANA name.
    pub cipher_suite: String,
}

/// An open connection.
pub struct Connection {
    stream: Stream,
    /// The address connected to.
    pub address: SocketAddr,
    /// The TLS session, for https.
    pub tls: Option<TlsSession>,
    /// Exchanges done on it.
    pub exchanges: u64,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// Trusts the system's certificate roots and those in `extra_roots` (PEM
    /// certificates of a test or an institution, in DER).
    pub fn new(guard: AddressGuard, connect_timeout: Duration) -> Self {
        let mut roots = RootCertStore::empty();
        // A root that doesn't parse is the system's matter; the others count.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring speaks TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            guard,
            tls: TlsConnector::from(Arc::new(config)),
            connect_timeout,
        }
    }

    /// The rule on addresses.
    pub fn guard(&self) -> &AddressGuard {
        &self.guard
    }

    /// Allows the addresses that a seed's host has now.
    pub async fn admit_seed(&self, host: &HostKey) -> Result<(), NetError> {
        for address in self.resolve(host).await? {
            self.guard.allow_seed(address.ip());
        }
        Ok(())
    }

    /// Opens a connection to the first address of the host that answers.
    pub async fn connect(&self, host: &HostKey) -> Result<Connection, NetError> {
        let limit = self.connect_timeout;
        match timeout(limit, self.connect_untimed(host)).await {
            Ok(result) => result,
            Err(_) => Err(NetError::Timeout {
                host: host.to_string(),
                what: "connecting",
                limit,
            }),
        }
    }

    async fn connect_untimed(&self, host: &HostKey) -> Result<Connection, NetError> {
        let addresses = self.resolve(host).await?;
        let admitted: Vec<_> = addresses
            .iter()
            .filter(|a| self.guard.admits(a.ip()))
            .collect();
        if let (Some(first), true) = (addresses.first(), admitted.is_empty()) {
            return Err(NetError::Refused {
                host: host.to_string(),
                address: first.ip(),
            });
        }
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        // One address that swallows packets must not use up the time of the others.
        let share = self.connect_timeout / u32::try_from(admitted.len()).unwrap_or(u32::MAX).max(1);
        for &&address in &admitted {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.handshake(host, address, stream).await,
                Ok(Err(error)) => failure = error,
                Err(_) => failure = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(NetError::Connect {
            host: host.to_string(),
            source: failure,
        })
    }

    async fn handshake(
        &self,
        host: &HostKey,
        address: SocketAddr,
        stream: TcpStream,
    ) -> Result<Connection, NetError> {
        // Requests are one write each: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let (stream, tls) = if host.is_https() {
            let tls_error = |reason: String| NetError::Tls {
                host: host.to_string(),
                reason,
            };
            let bare = host
                .host()
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let name = ServerName::try_from(bare).map_err(|e| tls_error(e.to_string()))?;
            let stream = self
                .tls
                .connect(name, stream)
                .await
                .map_err(|error| tls_error(error.to_string()))?;
            let session = session(stream.get_ref().1);
            (Stream::Tls(Box::new(stream)), Some(session))
        } else {
            (Stream::Plain(stream), None)
        };
        Ok(Connection {
            stream,
            address,
            tls,
            exchanges: 0,
        })
    }

    async fn resolve(&self, host: &HostKey) -> Result<Vec<SocketAddr>, NetError> {
        if let Some(address) = host.literal_address() {
            return Ok(vec![SocketAddr::new(address, host.port())]);
        }
        if host.is_localhost() {
            let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
            return Ok(vec![SocketAddr::new(loopback, host.port())]);
        }
        let dns = |reason: String| NetError::Dns {
            host: host.host().to_owned(),
            reason,
        };
        let found = lookup_host((host.host(), host.port()))
            .await
            .map_err(|e| dns(e.to_string()))?;
        let addresses: Vec<_> = found.collect();
        if addresses.is_empty() {
            return Err(dns("the name has no address".into()));
        }
        Ok(addresses)
    }
}

fn session(connection: &rustls::ClientConnection) -> TlsSession {
    let protocol = match connection.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_2) => "tls/1.2",
        _ => "tls/1.3",
    };
    let suite = connection
        .negotiated_cipher_suite()
        .map(|suite| suite.suite());
    let name = suite.and_then(|suite| suite.as_str()).unwrap_or_default();
    TlsSession {
        protocol,
        // rustls names TLS 1.3 suites TLS13_…; IANA's name has TLS_.
        cipher_suite: name.replacen("TLS13_", "TLS_", 1),
    }
}

impl Connection {
    /// Whether nothing has come since the last answer. What comes between two
    /// exchanges (the rest of a body longer than its length, a 408, an end)
    /// belongs to no request: such a connection must not be used again.
    pub fn is_quiet(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_ref().0,
        };
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(tcp, &mut [0_u8; 1][..], flags);
        peeked.is_err_and(|errno| errno == rustix::io::Errno::AGAIN)
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
