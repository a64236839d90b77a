//! How a body that is read on a blocking thread gets to the connection, piece
//! by piece as the reader takes it.

use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, HeaderValue};
use http_body::Frame;
use tokio::sync::{mpsc, oneshot};

/// Bodies are sent in pieces of so many bytes; shorter ones in one.
const PIECE: usize = 256 * 1024;
/// So many pieces wait for a slow reader.
const WAITING: usize = 4;

/// Where the answer to one request goes.
pub struct Outlet(oneshot::Sender<Response<Body>>);

impl Outlet {
    /// An outlet, and what waits at its end.
    pub fn new() -> (Self, oneshot::Receiver<Response<Body>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Answers with a body that is in memory.
    pub fn whole(self, response: Response<Vec<u8>>) {
        // A reader that went away needs no answer.
        let _ = self.0.send(response.map(Body::from));
    }

    /// Answers with everything that `body` gives; `length` is how much that
    /// should be, where it is known. A stream that fails ends where it fails:
    /// what there is of a capture is worth showing. Returns when the last
    /// piece is taken, or the reader went away.
    pub fn stream(self, mut response: Response<()>, length: Option<u64>, body: &mut dyn Read) {
        let first = piece(body);
        if first.len() < PIECE {
            return self.whole(response.map(|()| first));
        }
        if let Some(length) = length {
            let length = HeaderValue::from(length);
            response.headers_mut().insert(CONTENT_LENGTH, length);
        }
        let (pieces, receiver) = mpsc::channel(WAITING);
        let sent = self.0.send(response.map(|()| Body::new(Pieces(receiver))));
        let mut next = first;
        while sent.is_ok() && !next.is_empty() {
            if pieces.blocking_send(Bytes::from(next)).is_err() {
                return;
            }
            next = piece(body);
        }
    }
}

/// The next bytes; fewer than a piece only at the end, or where the stream
/// fails.
fn piece(body: &mut dyn Read) -> Vec<u8> {
    let mut piece = Vec::with_capacity(PIECE);
    let _ = body.take(PIECE as u64).read_to_end(&mut piece);
    piece
}

struct Pieces(mpsc::Receiver<Bytes>);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = self.0.poll_recv(context);
        next.map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
