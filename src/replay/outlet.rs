//! How a body that is read on a blocking thread gets to the connection.

use std::io::Read;

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, HeaderValue};
use tokio::sync::oneshot;

/// Where the answer to one request goes, head first.
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

    /// Answers with everything that `body` gives. A stream that fails ends
    /// where it fails: what there is of a capture is worth showing.
    pub fn stream(self, mut response: Response<()>, length: Option<u64>, body: &mut dyn Read) {
        if let Some(length) = length {
            let headers = response.headers_mut();
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let mut all = Vec::new();
        let _ = body.read_to_end(&mut all);
        let _ = self.0.send(response.map(|()| Body::from(Bytes::from(all))));
    }
}
