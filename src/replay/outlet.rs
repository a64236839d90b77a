//! How a body that is read on a blocking thread gets to the connection, piece
//! by piece as the reader takes it.

use std::io::{self, Read};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use http_body::Frame;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Bodies are sent in pieces of so many bytes; shorter ones in one.
const PIECE: usize = 128 * 1024;
/// So many pieces wait for a slow reader.
const WAITING: usize = 2;
/// A reader that takes no piece for so long is left: each holds a thread, and
/// a place among the few that are answered at once. A browser that comes back
/// to a film asks for the rest of it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the answer to one request goes.
pub struct Outlet(oneshot::Sender<Response<Body>>);

impl Outlet {
    /// An outlet, and what waits at its end.
    pub fn new() -> (Self, oneshot::Receiver<Response<Body>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers with a body that is in memory; what is large goes piece by
    /// piece too, so that its reader keeps its place until it has it.
    pub fn whole(self, response: Response<Vec<u8>>) {
        let (parts, body) = response.into_parts();
        if body.len() < PIECE {
            return self.small(Response::from_parts(parts, body));
        }
        let length = body.len() as u64;
        self.stream(
            Response::from_parts(parts, ()),
            Some(length),
            &mut body.as_slice(),
        );
    }

    fn small(self, response: Response<Vec<u8>>) {
        // A reader that went away needs no answer.
        let _ = self.0.send(response.map(Body::from));
    }

    /// Answers with everything that `body` gives; `length` is how much that
    /// should be, where it is known. A stream that fails ends where it fails:
    /// what there is of a capture is worth showing. Returns when the last
    /// piece is taken, or the reader went away or stands still. Runs on a
    /// blocking thread of the runtime.
    pub fn stream(self, response: Response<()>, length: Option<u64>, body: &mut dyn Read) {
        self.pieces(response, length, body, Fault::Ends);
    }

    /// As [`Self::stream`], of what is worth nothing in part, such as a list: where it fails
    /// at once the answer says why, and where it fails later the connection is cut, so
    /// that its reader knows.
    pub fn stream_whole(self, response: Response<()>, body: &mut dyn Read) {
        self.pieces(response, None, body, Fault::Cuts);
    }

    fn pieces(
        self,
        mut response: Response<()>,
        length: Option<u64>,
        body: &mut dyn Read,
        at_fault: Fault,
    ) {
        let (first, mut fault) = piece(body);
        match fault {
            Some(fault) if at_fault == Fault::Cuts => {
                let mut response = Response::new(format!("{fault}\n").into_bytes());
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                return self.small(response);
            }
            _ if first.len() < PIECE => return self.small(response.map(|()| first)),
            _ => {}
        }
        if let Some(length) = length {
            let length = HeaderValue::from(length);
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        let (pieces, receiver) = mpsc::channel(WAITING);
        let is_cut = Arc::new(AtomicBool::new(false));
        let end = Pieces {
            pieces: receiver,
            is_cut: Arc::clone(&is_cut),
        };
        let sent = self.0.send(response.map(|()| Body::new(end)));
        let runtime = Handle::current();
        let mut next = first;
        while sent.is_ok() && !next.is_empty() {
            let taken = timeout(PATIENCE, pieces.send(Bytes::from(next)));
            match runtime.block_on(taken) {
                Ok(Ok(())) if fault.is_some() => break,
                Ok(Ok(())) => (next, fault) = piece(body),
                Ok(Err(_)) => return,
                Err(_) => {
                    is_cut.store(true, Ordering::Release);
                    return;
                }
            }
        }
        let is_half = fault.is_some() && at_fault == Fault::Cuts;
        is_cut.store(is_half, Ordering::Release);
    }
}

/// What a fault of the body does to the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Ends,
    Cuts,
}

/// The next bytes; fewer than a piece only at the end, or where the stream fails.
fn piece(body: &mut dyn Read) -> (Vec<u8>, Option<io::Error>) {
    let mut piece = Vec::with_capacity(PIECE);
    let read = body.take(PIECE as u64).read_to_end(&mut piece);
    (piece, read.err())
}

struct Pieces {
    pieces: mpsc::Receiver<Bytes>,
    /// Whether the end is not that of the body.
    is_cut: Arc<AtomicBool>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let is_cut = Arc::clone(&self.is_cut);
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(piece) => Some(Ok(Frame::data(piece))),
            None if is_cut.load(Ordering::Acquire) => {
                Some(Err(io::ErrorKind::UnexpectedEof.into()))
            }
            None => None,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// So many bytes, and then a fault.
    struct Failing(usize);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = self.0.min(buffer.len()).min(1000);
            if n == 0 {
                // Whoever reads on gets more.
                self.0 = 5;
                return Err(io::Error::other("torn"));
            }
            self.0 -= n;
            buffer[..n].fill(b'x');
            Ok(n)
        }
    }

    /// The status, and the body unless it is cut.
    async fn sent(bytes: usize, is_list: bool) -> (StatusCode, Option<Vec<u8>>) {
        let (outlet, answered) = Outlet::new();
        let sending = tokio::task::spawn_blocking(move || {
            let (response, mut body) = (Response::new(()), Failing(bytes));
            if is_list {
                outlet.stream_whole(response, &mut body);
            } else {
                outlet.stream(response, None, &mut body);
            }
        });
        let response = answered.await.unwrap();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        sending.await.unwrap();
        (status, body.ok().map(|bytes| bytes.to_vec()))
    }

    #[tokio::test]
    async fn a_capture_that_fails_ends_there_and_a_list_is_cut() {
        for bytes in [10, PIECE, PIECE + 10, 3 * PIECE] {
            let (status, body) = sent(bytes, false).await;
            assert_eq!((status, body.unwrap().len()), (StatusCode::OK, bytes));
        }
        let (status, body) = sent(10, true).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body.unwrap(), b"torn\n");
        for bytes in [PIECE, PIECE + 10, 3 * PIECE] {
            assert_eq!(sent(bytes, true).await, (StatusCode::OK, None), "{bytes}");
        }
    }
}
