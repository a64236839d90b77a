//! One TCP or TLS connection to a host, opened within a time and only to
//! admitted addresses.

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::guard::LOOPBACK;
use super::proxy::Forward;
use super::trust::{self, Opening};
use super::{AddressGuard, NetError, Proxy, TlsSession, Trust};
use crate::http::Head;
use crate::time::WarcDate;
use crate::url::HostKey;

/// Addresses of one host that are tried at most; a name may have thousands.
const MOST_ADDRESSES: usize = 8;
/// How long an address is tried alone (RFC 8305 §8).
const HEAD_START: Duration = Duration::from_millis(250);
/// How long a look for the network waits.
const LOOK: Duration = Duration::from_secs(10);

/// Answers for a name and a port.
type LookUp = Box<dyn Fn(String, u16) -> Answering + Send + Sync>;
type Answering = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// What opening connections needs; one a crawl.
pub struct Connector {
    guard: AddressGuard,
    look_up: LookUp,
    trust: Trust,
    proxy: Option<Proxy>,
    connect_timeout: Duration,
}

/// What looking up a host's name gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// When it was begun.
    pub at: WarcDate,
    /// The addresses in the resolver's order.
    pub addresses: Vec<IpAddr>,
}

/// An open connection.
pub struct Connection {
    stream: Stream,
    /// The address connected to; `None` through a proxy, which alone knows it.
    pub address: Option<SocketAddr>,
    /// The TLS session, for https.
    pub tls: Option<TlsSession>,
    /// Exchanges done on it.
    pub exchanges: u64,
    /// The look-up of the host's name, where it had to be.
    pub lookup: Option<Arc<Lookup>>,
    /// The proxy between, without login.
    pub proxy: Option<String>,
    forward: Option<Forward>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<Opening>>),
}

impl Connector {
    /// Opens connections to what `guard` admits, through `proxy` where there is
    /// one.
    pub fn new(
        guard: AddressGuard,
        trust: Trust,
        proxy: Option<Proxy>,
        connect_timeout: Duration,
    ) -> Self {
        Self {
            guard,
            look_up: Box::new(system_look_up),
            trust,
            proxy,
            connect_timeout,
        }
    }

    /// Whom to trust over https.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The rule on addresses.
    pub fn guard(&self) -> &AddressGuard {
        &self.guard
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

    /// Looks whether the network reaches a host, or the proxy before it. Nothing is
    /// said on the connection.
    pub async fn reach(&self, host: &HostKey) -> Reach {
        let limit = self.connect_timeout.min(LOOK);
        if let Some(proxy) = self.proxy_for(host) {
            return match timeout(limit, proxy.open(host)).await {
                Ok(
                    Ok(_)
                    | Err(NetError::Proxy {
                        is_denial: true, ..
                    }),
                ) => Reach::There,
                _ => Reach::Silent,
            };
        }
        let addresses = match timeout(limit, self.admitted(host)).await {
            Ok(Ok((addresses, _))) => addresses,
            Ok(Err(NetError::Dns { reason, .. })) if is_no_such_name(&reason) => {
                return Reach::Silent;
            }
            // It answered from an address that could be connected to. A name that
            // now stands for one of a private network is what routers and portals
            // say that have lost the line behind them.
            // And without files nothing is reached.
            Ok(Err(NetError::Refused { .. } | NetError::Connect { .. })) => {
                return Reach::NoNetwork;
            }
            // Nobody could be asked, or who is to answer for this name doesn't.
            Ok(Err(NetError::Dns { .. })) | Err(_) => {
                return if self.are_names_answered(host, limit).await {
                    Reach::There
                } else {
                    Reach::NoNetwork
                };
            }
            Ok(Err(_)) => return Reach::There,
        };
        match timeout(limit, first_to_answer(addresses)).await {
            Ok(Ok(_)) => Reach::There,
            Ok(Err(error)) => Reach::of(&error),
            Err(_) => Reach::Silent,
        }
    }

    /// Whether names can be looked up: somebody says that a made-up one beside the
    /// host's isn't there, or anything else of it.
    async fn are_names_answered(&self, host: &HostKey, limit: Duration) -> bool {
        let top = host.host().rsplit('.').next().unwrap_or_default();
        let made_up = uuid::Uuid::new_v4().simple();
        let asked = (self.look_up)(format!("lastlight-{made_up}.{top}"), 80);
        match timeout(limit, asked).await {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => is_no_such_name(&error.to_string()),
            Err(_) => false,
        }
    }

    fn proxy_for(&self, host: &HostKey) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.serves(host))
    }

    async fn connect_untimed(&self, host: &HostKey) -> Result<Connection, NetError> {
        if let Some(proxy) = self.proxy_for(host) {
            return self.connect_through(proxy, host).await;
        }
        let (addresses, lookup) = self.admitted(host).await?;
        let stream = first_to_answer(addresses)
            .await
            .map_err(|source| NetError::Connect {
                host: host.to_string(),
                source,
            })?;
        let address = stream.peer_addr().map_err(|source| NetError::Connect {
            host: host.to_string(),
            source,
        })?;
        let mut connection = self.handshake(host, Some(address), stream).await?;
        connection.lookup = lookup;
        Ok(connection)
    }

    /// The addresses of a host that may be connected to, and the look-up that
    /// gave them. The connection goes to
    /// one of these very addresses: the name isn't looked up again in between,
    /// when it might have another answer.
    async fn admitted(
        &self,
        host: &HostKey,
    ) -> Result<(Vec<SocketAddr>, Option<Arc<Lookup>>), NetError> {
        if !self.guard.admits_port(host) {
            return Err(NetError::BadPort {
                host: host.to_string(),
                port: host.port(),
            });
        }
        let at = WarcDate::now();
        let mut addresses = match self.resolve(host).await {
            Err(error) => return Err(no_more_files(host).unwrap_or(error)),
            Ok(addresses) => addresses,
        };
        let lookup = lookup(host, at, &addresses);
        let first = addresses.first().map(SocketAddr::ip);
        addresses.retain(|address| self.guard.admits(host, address.ip()));
        match first {
            Some(address) if addresses.is_empty() => Err(NetError::Refused {
                host: host.to_string(),
                address,
            }),
            _ => Ok((addresses, lookup)),
        }
    }

    /// Addresses that a URL names are guarded as without proxy; what a name
    /// stands for is known to the proxy alone, whose network that is. So names
    /// that can only belong to that network are refused.
    async fn connect_through(&self, proxy: &Proxy, host: &HostKey) -> Result<Connection, NetError> {
        if host.literal_address().is_some() || host.is_localhost() {
            self.admitted(host).await?;
        } else if !self.guard.admits_port(host) {
            return Err(NetError::BadPort {
                host: host.to_string(),
                port: host.port(),
            });
        } else if !self.guard.admits_name(host) {
            return Err(NetError::NotPublic {
                host: host.to_string(),
            });
        }
        let (stream, forward) = proxy.open(host).await?;
        let mut connection = self.handshake(host, None, stream).await?;
        connection.proxy = Some(proxy.to_string());
        connection.forward = forward;
        Ok(connection)
    }

    async fn handshake(
        &self,
        host: &HostKey,
        address: Option<SocketAddr>,
        stream: TcpStream,
    ) -> Result<Connection, NetError> {
        // Requests are one write each: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        let (stream, tls) = if host.is_https() {
            let (stream, session) = self.trust.handshake(host, stream).await?;
            (Stream::Tls(Box::new(stream)), Some(session))
        } else {
            (Stream::Plain(stream), None)
        };
        Ok(Connection {
            stream,
            address,
            tls,
            exchanges: 0,
            lookup: None,
            proxy: None,
            forward: None,
        })
    }

    async fn resolve(&self, host: &HostKey) -> Result<Vec<SocketAddr>, NetError> {
        if let Some(address) = host.literal_address() {
            return Ok(vec![SocketAddr::new(address, host.port())]);
        }
        if host.is_localhost() {
            let loopback = LOOPBACK.map(|address| SocketAddr::new(address, host.port()));
            return Ok(loopback.into());
        }
        let dns = |reason: String| NetError::Dns {
            host: host.host().to_owned(),
            reason,
        };
        let found = (self.look_up)(host.host().to_owned(), host.port()).await;
        let addresses = found.map_err(|error| {
            if super::is_out_of_files(&error) {
                NetError::Connect {
                    host: host.to_string(),
                    source: error,
                }
            } else {
                dns(error.to_string())
            }
        })?;
        if addresses.is_empty() {
            return Err(dns("the name has no address".into()));
        }
        Ok(addresses)
    }
}

/// The C library doesn't tell that it couldn't ask for want of files: it says that there
/// is no such name. A look-up needs some at once; others may have given back theirs since.
fn no_more_files(host: &HostKey) -> Option<NetError> {
    let opened: std::io::Result<Vec<_>> = (0..LOOK_UP_FILES)
        .map(|_| std::fs::File::open("/dev/null"))
        .collect();
    let source = opened.err()?;
    super::is_out_of_files(&source).then(|| NetError::Connect {
        host: host.to_string(),
        source,
    })
}

/// Files that a look-up may have open, and as many again for others that end meanwhile.
const LOOK_UP_FILES: usize = 8;

/// Asks the system's resolver.
fn system_look_up(name: String, port: u16) -> Answering {
    Box::pin(async move { Ok(lookup_host((name, port)).await?.collect()) })
}

/// What a look for a host finds; what says most of the network comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Somebody there takes or refuses connections.
    There,
    /// Nobody answers, or its name is gone: it may be the host or the network.
    Silent,
    /// This machine has no way to it, or can't look up names.
    NoNetwork,
}

impl Reach {
    fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{
            AddrNotAvailable, ConnectionAborted, ConnectionRefused, ConnectionReset, NetworkDown,
            NetworkUnreachable,
        };
        match error.kind() {
            ConnectionRefused | ConnectionReset | ConnectionAborted => Self::There,
            NetworkDown | NetworkUnreachable | AddrNotAvailable => Self::NoNetwork,
            _ => Self::Silent,
        }
    }
}

/// Whether a failed look-up says that there is no such name, in the words of the C
/// libraries; it may also say that nobody could be asked.
fn is_no_such_name(reason: &str) -> bool {
    ["not known", "No address", "does not resolve", "no address"]
        .iter()
        .any(|words| reason.contains(words))
}

/// Connects to the address that answers first. The next is tried when one has
/// failed, or has been silent for a moment (RFC 8305 §5): one that swallows
/// packets mustn't use up the time of the others.
async fn first_to_answer(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut untried = addresses.into_iter().take(MOST_ADDRESSES).peekable();
    let mut tries = JoinSet::new();
    let mut failure: Option<io::Error> = None;
    let mut fail = |error: io::Error| {
        failure = Some(match failure.take() {
            Some(before) => more_telling(before, error),
            None => error,
        });
    };
    loop {
        if let Some(address) = untried.next() {
            tries.spawn(TcpStream::connect(address));
        }
        let ended = tokio::select! {
            ended = tries.join_next() => ended,
            () = tokio::time::sleep(HEAD_START), if untried.peek().is_some() => continue,
        };
        match ended {
            Some(Ok(Ok(stream))) => return Ok(stream),
            Some(Ok(Err(error))) => fail(error),
            Some(Err(ended)) => fail(ended.into()),
            None => {}
        }
        if tries.is_empty() && untried.peek().is_none() {
            return Err(failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()));
        }
    }
}

/// Of two failures the one that tells more of the network: that one address has no
/// way to it says little where another refused. Of two alike the first.
fn more_telling(before: io::Error, error: io::Error) -> io::Error {
    if Reach::of(&error) < Reach::of(&before) {
        error
    } else {
        before
    }
}

/// What a look-up gave; an address or `localhost` isn't looked up.
fn lookup(host: &HostKey, at: WarcDate, addresses: &[SocketAddr]) -> Option<Arc<Lookup>> {
    if host.literal_address().is_some() || host.is_localhost() {
        return None;
    }
    let mut found: Vec<IpAddr> = Vec::new();
    for address in addresses {
        let address = address.ip();
        if !found.contains(&address) {
            found.push(address);
        }
    }
    Some(Arc::new(Lookup {
        at,
        addresses: found,
    }))
}

impl Connection {
    /// A request as it goes over this connection: to a proxy that forwards it,
    /// it is worded otherwise than the host gets it.
    pub(super) fn on_the_wire<'r>(&self, request: &'r [u8]) -> Cow<'r, [u8]> {
        match &self.forward {
            Some(forward) => forward.on_the_wire(request),
            None => Cow::Borrowed(request),
        }
    }

    /// A proxy's own refusal isn't an answer of the host.
    pub(super) fn proxy_refusal(&self, host: &str, head: &Head<'_>) -> Option<NetError> {
        self.forward.as_ref()?.refusal(host, head)
    }

    /// Whether nothing has come since the last answer. What comes between two
    /// exchanges (the rest of a body longer than its length, a 408, an end)
    /// belongs to no request: such a connection must not be used again.
    pub fn is_quiet(&self) -> bool {
        let tcp = match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.get_ref().0.stream,
        };
        let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
        let peeked = rustix::net::recv(tcp, &mut [0_u8; 1][..], flags);
        peeked.is_err_and(|errno| errno == rustix::io::Errno::AGAIN)
    }
}

/// An error before the answer, as what it is: a refusal within TLS may come
/// that late.
pub(super) fn no_answer(host: &str, source: io::Error) -> NetError {
    match trust::later_refusal(&source) {
        Some(reason) => NetError::Tls {
            host: host.to_owned(),
            reason,
            is_lasting: true,
        },
        None => NetError::NoAnswer {
            host: host.to_owned(),
            source,
        },
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::url::CanonicalUrl;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::net::TcpListener;

    #[test]
    fn an_address_without_a_way_to_it_says_nothing_where_another_says_something() {
        use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
        let of = |kinds: &[io::ErrorKind]| {
            let failures = kinds.iter().map(|kind| io::Error::from(*kind));
            Reach::of(&failures.reduce(more_telling).unwrap())
        };
        assert_eq!(of(&[NetworkUnreachable, HostUnreachable]), Reach::Silent);
        assert_eq!(of(&[HostUnreachable, NetworkUnreachable]), Reach::Silent);
        assert_eq!(of(&[NetworkUnreachable, ConnectionRefused]), Reach::There);
        assert_eq!(of(&[NetworkUnreachable; 2]), Reach::NoNetwork);
    }

    /// Looks every name up as the next of these answers; the last stays.
    fn answering(guard: AddressGuard, answers: &[&[&str]]) -> (Connector, Arc<AtomicUsize>) {
        let answers: Vec<Vec<std::net::IpAddr>> = answers
            .iter()
            .map(|answer| answer.iter().map(|text| text.parse().unwrap()).collect())
            .collect();
        let asked = Arc::new(AtomicUsize::new(0));
        let trust = Trust::load(&crate::config::Config::defaults().tls).unwrap();
        let mut connector = Connector::new(guard, trust, None, Duration::from_secs(5));
        let count = asked.clone();
        connector.look_up = Box::new(move |_, port| {
            let at = count.fetch_add(1, Ordering::Relaxed).min(answers.len() - 1);
            let found = answers[at].iter().map(|&ip| SocketAddr::new(ip, port));
            let found = Ok(found.collect());
            Box::pin(async move { found })
        });
        (connector, asked)
    }

    fn host(name: &str, port: u16) -> HostKey {
        let url = format!("http://{name}:{port}/");
        CanonicalUrl::parse(&url).unwrap().host_key()
    }

    fn allowing(network: &str) -> AddressGuard {
        AddressGuard::new(vec![network.parse().unwrap()])
    }

    #[tokio::test]
    async fn the_address_that_was_checked_is_the_one_connected_to() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = good.local_addr().unwrap().port();
        let inside = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
        // An attacker's name: first the answer that passes, ever after the one
        // that it is all about.
        let (connector, asked) =
            answering(allowing("127.0.0.1/32"), &[&["127.0.0.1"], &["127.0.0.2"]]);
        let name = host("rebinding.example", port);
        let connection = connector.connect(&name).await.unwrap();
        assert_eq!(connection.address, Some(good.local_addr().unwrap()));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let refused = connector.connect(&name).await.err().unwrap();
        assert!(matches!(refused, NetError::Refused { .. }), "{refused}");
        let reached = timeout(Duration::from_millis(100), inside.accept()).await;
        assert!(reached.is_err());
    }

    #[tokio::test]
    async fn of_mixed_answers_only_what_is_admitted_is_tried() {
        let inside = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = inside.local_addr().unwrap().port();
        let (connector, _) = answering(
            allowing("127.0.0.3/32"),
            &[&["127.0.0.2", "127.0.0.3", "10.0.0.1"]],
        );
        // The admitted address has no server: the others aren't fallen back to.
        let failed = connector.connect(&host("mixed.example", port)).await;
        let failed = failed.err().unwrap();
        assert!(matches!(failed, NetError::Connect { .. }), "{failed}");
        let reached = timeout(Duration::from_millis(100), inside.accept()).await;
        assert!(reached.is_err());
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_seeds_address_is_refused() {
        let seed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = seed.local_addr().unwrap().port();
        let guard = AddressGuard::default();
        guard.allow_seed(&host("127.0.0.1", port));
        let (connector, _) = answering(guard, &[&["127.0.0.1"]]);
        assert!(connector.connect(&host("127.0.0.1", port)).await.is_ok());
        for name in ["rebound.example", "127.0.0.1.nip.io", "localhost.example"] {
            let refused = connector.connect(&host(name, port)).await.err().unwrap();
            assert!(matches!(refused, NetError::Refused { .. }), "{refused}");
        }
    }

    #[tokio::test]
    async fn the_next_address_is_tried_where_one_refuses_or_swallows() {
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = good.local_addr().unwrap().port();
        let (connector, _) = answering(allowing("127.0.0.0/8"), &[&["127.0.0.9", "127.0.0.1"]]);
        let name = host("two.example", port);
        let connection = connector.connect(&name).await.unwrap();
        assert_eq!(connection.address, Some(good.local_addr().unwrap()));

        // A full backlog swallows what comes.
        let deaf = tokio::net::TcpSocket::new_v4().unwrap();
        deaf.bind(SocketAddr::from(([127, 0, 0, 8], port))).unwrap();
        let deaf = deaf.listen(1).unwrap();
        let mut filling = Vec::new();
        for _ in 0..4 {
            let fill = TcpStream::connect(deaf.local_addr().unwrap());
            filling.push(timeout(Duration::from_millis(50), fill).await);
        }
        let (connector, _) = answering(allowing("127.0.0.0/8"), &[&["127.0.0.8", "127.0.0.1"]]);
        let clock = std::time::Instant::now();
        let connection = connector.connect(&name).await.unwrap();
        assert_eq!(connection.address, Some(good.local_addr().unwrap()));
        assert!(clock.elapsed() < Duration::from_secs(2));
    }

    #[tokio::test]
    async fn a_port_of_another_protocol_is_not_even_looked_up() {
        let (connector, asked) = answering(AddressGuard::default(), &[&["93.184.216.34"]]);
        let refused = connector.connect(&host("mail.example", 25)).await;
        let refused = refused.err().unwrap();
        assert!(refused.to_string().starts_with("bad-port: "), "{refused}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}
