//! How a body that is read on a blocking thread gets to the connection.

use std::io::Read;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use tokio::sync::oneshot;

/// Where the answer to one request goes.
pub struct Outlet(oneshot::Sender<Response<Body>>);

/// A longer body is refused: it is held in memory while it is sent.
const MAX_HELD: u64 = 256 * 1024 * 1024;

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
    /// is, where it is known. A stream that fails ends where it fails: what
    /// there is of a capture is worth showing.
    pub fn stream(self, mut response: Response<()>, length: Option<u64>, body: &mut dyn Read) {
        let mut held = Vec::new();
        let _ = body.take(MAX_HELD + 1).read_to_end(&mut held);
        if held.len() as u64 > MAX_HELD || length.is_some_and(|length| length > MAX_HELD) {
            *response.status_mut() = StatusCode::INSUFFICIENT_STORAGE;
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            let fields = response.headers_mut();
            fields.remove(CONTENT_LENGTH);
            fields.insert(CONTENT_TYPE, plain);
            held = b"This body is too large to be held; ask for ranges of it.\n".to_vec();
        }
        self.whole(response.map(|()| held));
    }
}
