//! The connections of readers: one that stands still is closed, and a request
//! that is larger than the HTTP library takes is answered so that the browser
//! can ask again.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

/// A connection on which nothing moved for so long is closed.
const IDLE: Duration = Duration::from_mins(2);
/// What a reader still sends after its answer is read for so long, or its
/// answer could be lost.
const LINGER: Duration = Duration::from_secs(2);
/// The library reads requests of at least so many bytes before it refuses one
/// as too large.
const LARGE: usize = 128 * 1024;
/// How the library's own refusal begins; it says nothing of what to do.
const REFUSAL: &[u8] = b"HTTP/1.1 431 ";
/// The refusal with the cure: it is cookies that grow so large, and the
/// browser sends them until it is told to forget them. They are those of
/// archived sites alone, as the interface has none.
const CURE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\
    Clear-Site-Data: \"cookies\"\r\nContent-Security-Policy: default-src 'none'\r\n\
    Content-Type: text/plain; charset=utf-8\r\nCache-Control: no-store\r\n\
    Origin-Agent-Cluster: ?1\r\nConnection: close\r\nContent-Length: 80\r\n\r\n\
    Archived pages had set too many cookies; they are cleared. Load the page \
    again.\n";

/// Accepts [`Connection`]s.
pub struct Connections(pub TcpListener);

impl Listener for Connections {
    type Io = Connection<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection<TcpStream>, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (Connection::new(stream), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One reader's connection, whatever carries its bytes.
pub struct Connection<S> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    /// Bytes read since anything was written.
    unanswered: usize,
    /// What is left of the cure to be sent.
    cure: &'static [u8],
    /// Whether its own end is closed, and it waits for the reader's.
    lingers: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Watches a stream.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            deadline: Box::pin(sleep(IDLE)),
            unanswered: 0,
            cure: &[],
            lingers: false,
        }
    }

    /// Something moved, or the time is over, or it is to be waited.
    fn watched<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.deadline.as_mut().reset(Instant::now() + IDLE);
            return polled;
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_cure(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.cure.is_empty() {
            let polled = Pin::new(&mut self.stream).poll_write(context, self.cure);
            let n = ready!(self.watched(context, polled))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.cure = &self.cure[n..];
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.unanswered += buffer.filled().len() - before;
        self.watched(context, polled)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_cure(context))?;
        // Answers of ours never follow so large a request.
        if self.unanswered >= LARGE && bytes.starts_with(REFUSAL) {
            self.unanswered = 0;
            self.cure = CURE;
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.unanswered = 0;
        }
        self.watched(context, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_cure(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.lingers {
            ready!(self.poll_cure(context))?;
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            self.lingers = true;
            self.deadline.as_mut().reset(Instant::now() + LINGER);
        }
        let mut rest = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut rest);
            match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
            if self.deadline.is_elapsed() {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Ok(()))
    }
}
