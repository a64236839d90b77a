//! The connections of the proxy: plain ones, and tunnels by CONNECT (RFC 9110
//! §9.3.6), which end here: whatever host they name, this server answers.
//! Nothing is ever connected to.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::authority::Authority;
use crate::http::head_length;
use crate::replay::connection::Connection;
use crate::url::{CanonicalUrl, HostKey};

/// So many connections are open at once; a browser has 32 to a proxy.
const CONNECTIONS: usize = 256;
/// A connection on which nothing comes for so long is closed; browsers open
/// some ahead.
const IDLE: Duration = Duration::from_mins(2);
/// A tunnel is there after so long, or isn't.
const OPENING: Duration = Duration::from_secs(20);
/// A longer head of a CONNECT request is refused.
const MAX_CONNECT_HEAD: usize = 16 * 1024;

const CONNECT: &[u8] = b"CONNECT ";
/// The first byte of a TLS handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// How the requests of a connection name what they ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Each by its whole URL.
    Plain,
    /// By path; the tunnel is to this origin.
    Tunnel(HostKey),
}

/// Accepts connections and opens their tunnels.
pub struct Tunnels {
    opened: mpsc::Receiver<(Connection<Stream>, Via)>,
    accepting: AbortHandle,
}

impl Tunnels {
    /// Begins to accept; ends when it is dropped.
    pub fn new(listener: TcpListener, authority: Arc<Authority>) -> Self {
        let (sender, opened) = mpsc::channel(1);
        let accepting = tokio::spawn(accept(listener, authority, sender));
        Self {
            opened,
            accepting: accepting.abort_handle(),
        }
    }
}

impl Drop for Tunnels {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Listener for Tunnels {
    type Io = Connection<Stream>;
    type Addr = Via;

    async fn accept(&mut self) -> (Self::Io, Via) {
        match self.opened.recv().await {
            Some(opened) => opened,
            // The accepting task ends only when this is dropped.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<Via> {
        Ok(Via::Plain)
    }
}

async fn accept(
    mut listener: TcpListener,
    authority: Arc<Authority>,
    opened: mpsc::Sender<(Connection<Stream>, Via)>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let (stream, _): (TcpStream, SocketAddr) = Listener::accept(&mut listener).await;
        let (authority, opened) = (Arc::clone(&authority), opened.clone());
        tokio::spawn(async move {
            // A connection that doesn't become one has nobody to tell.
            if let Ok((carrier, via)) = open(stream, &authority).await {
                let stream = Stream {
                    carrier,
                    _place: place,
                };
                let _ = opened.send((Connection::new(stream), via)).await;
            }
        });
    }
}

async fn open(stream: TcpStream, authority: &Authority) -> io::Result<(Carrier, Via)> {
    let mut stream = Ahead {
        stream,
        read: Vec::new(),
        taken: 0,
    };
    timeout(IDLE, stream.more()).await??;
    let opening = async {
        while CONNECT.starts_with(&stream.read) && stream.read != CONNECT {
            stream.more().await?;
        }
        if !stream.read.starts_with(CONNECT) {
            return Ok((Carrier::Plain(stream), Via::Plain));
        }
        tunnel(stream, authority).await
    };
    timeout(OPENING, opening).await?
}

async fn tunnel(mut stream: Ahead, authority: &Authority) -> io::Result<(Carrier, Via)> {
    let length = loop {
        if let Some(length) = head_length(&stream.read) {
            break length;
        }
        if stream.read.len() > MAX_CONNECT_HEAD {
            return refuse(stream, "431 Request Header Fields Too Large").await;
        }
        stream.more().await?;
    };
    let mut words = stream.read[CONNECT.len()..length].split(u8::is_ascii_whitespace);
    let target = words.next().unwrap_or_default().to_owned();
    stream.read.drain(..length);
    let origin = |scheme: &str| origin(scheme, &target);
    let Some((secure, plain)) = origin("https").zip(origin("http")) else {
        return refuse(stream, "400 Bad Request").await;
    };
    let established = b"HTTP/1.1 200 Connection Established\r\n\r\n";
    stream.stream.write_all(established).await?;
    if stream.read.is_empty() {
        stream.more().await?;
    }
    // `ws:` goes through a tunnel too, without TLS.
    if stream.read[0] != HANDSHAKE {
        return Ok((Carrier::Plain(stream), Via::Tunnel(plain)));
    }
    let config = authority.config(&secure).map_err(io::Error::other)?;
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    Ok((Carrier::Tls(Box::new(stream)), Via::Tunnel(secure)))
}

/// The origin that a `host:port` names; `None` for anything else.
fn origin(scheme: &str, target: &[u8]) -> Option<HostKey> {
    let target = std::str::from_utf8(target).ok()?;
    let (_, port) = target.rsplit_once(':')?;
    let is_authority = !target.contains(['/', '\\', '?', '#', '@', '%'])
        && target.bytes().all(|b| b.is_ascii_graphic())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    let url = CanonicalUrl::parse(&format!("{scheme}://{target}/"));
    url.ok().filter(|_| is_authority).map(|url| url.host_key())
}

async fn refuse<T>(mut stream: Ahead, status: &str) -> io::Result<T> {
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.stream.write_all(answer.as_bytes()).await?;
    stream.stream.shutdown().await?;
    Err(io::ErrorKind::InvalidData.into())
}

/// A stream of which some bytes were read ahead.
pub struct Ahead {
    stream: TcpStream,
    read: Vec<u8>,
    taken: usize,
}

impl Ahead {
    /// Reads what comes next; an error at the end.
    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Ahead {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let waiting = &this.read[this.taken..];
        if waiting.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let n = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..n]);
        this.taken += n;
        if this.taken == this.read.len() {
            (this.read, this.taken) = (Vec::new(), 0);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Ahead {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// What carries the requests, and its place among the connections.
pub struct Stream {
    carrier: Carrier,
    _place: OwnedSemaphorePermit,
}

enum Carrier {
    Plain(Ahead),
    Tls(Box<TlsStream<Ahead>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Carrier::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Carrier::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_flush(context),
            Carrier::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.carrier {
            Carrier::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Carrier::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tunnel_is_to_a_host_and_port_and_nothing_else() {
        for (target, expected) in [
            ("example.org:443", Some("https://example.org")),
            ("EXAMPLE.org:8443", Some("https://example.org:8443")),
            ("[::1]:443", Some("https://[::1]")),
            ("127.1:80", Some("https://127.0.0.1:80")),
            ("", None),
            ("example.org", None),
            (":443", None),
            ("example.org:", None),
            ("example.org:0", None),
            ("example.org:65536", None),
            ("example.org:-1", None),
            ("https://example.org:443", None),
            ("user@example.org:443", None),
            ("example.org/a:443", None),
            ("exa mple.org:443", None),
            ("a%2fb:443", None),
            ("[::1:443", None),
            ("[zz]:443", None),
            ("\u{e9}.example:443", None),
            ("a\0b:443", None),
        ] {
            let found = origin("https", target.as_bytes()).map(|origin| origin.to_string());
            assert_eq!(found.as_deref(), expected, "{target}");
        }
        assert_eq!(origin("https", b"\xff\xfe:443"), None);
        let long = format!("{}:443", "a".repeat(100_000));
        let _ = origin("https", long.as_bytes());
    }
}
