//! The payload of a record with an HTTP block: the entity, transfer coding
//! removed and content coding kept (WARC 1.1 §5.9, RFC 9110 §6.4). The crawl
//! and verification compute its digest here, so that they can't differ.

use crate::digest::{Algorithm, Digest, Hasher};
use crate::http::{Chunked, Head, HeadEnd, MAX_HEAD_BYTES};

/// The digests by which tools name the payload of one HTTP response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadDigests {
    /// Over the entity: what the standard means. Equal to `received` where
    /// there is no transfer coding, or one that doesn't parse.
    pub entity: Digest,
    /// Over the bytes after the head as they came, chunk framing included:
    /// what warcio, fastwarc and older tools mean.
    pub received: Digest,
    /// Length of the entity in bytes.
    pub entity_length: u64,
    /// The block said chunked, and its chunks don't parse to the end.
    pub broken_chunks: bool,
}

/// Hashes an HTTP block that is fed piece by piece.
pub struct PayloadHasher {
    algorithm: Algorithm,
    head: Vec<u8>,
    end: HeadEnd,
    body: Option<Body>,
}

struct Body {
    received: Hasher,
    received_length: u64,
    chunks: Option<(Chunked, Hasher, u64)>,
}

impl PayloadHasher {
    /// A hasher that has seen nothing.
    pub fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            head: Vec::new(),
            end: HeadEnd::default(),
            body: None,
        }
    }

    /// A hasher of a block that is all payload, as that of a resource record.
    pub fn headless(algorithm: Algorithm) -> Self {
        Self {
            body: Some(Body::new(algorithm, false)),
            ..Self::new(algorithm)
        }
    }

    /// Takes the next bytes of the block.
    pub fn update(&mut self, bytes: &[u8]) {
        if let Some(body) = &mut self.body {
            return body.update(bytes);
        }
        // Most heads come in one piece, which isn't copied then.
        if self.head.is_empty()
            && let Some(length) = self.end.find(&bytes[..bytes.len().min(MAX_HEAD_BYTES)])
        {
            return self.begin(bytes, length);
        }
        self.head.extend_from_slice(bytes);
        let bounded = &self.head[..self.head.len().min(MAX_HEAD_BYTES)];
        let length = match self.end.find(bounded) {
            Some(length) => length,
            None if self.head.len() < MAX_HEAD_BYTES => return,
            None => MAX_HEAD_BYTES,
        };
        let head = std::mem::take(&mut self.head);
        self.begin(&head, length);
    }

    /// The head is there: so many of these bytes. The others are the body's.
    fn begin(&mut self, bytes: &[u8], length: usize) {
        let chunked = Head::of_length(bytes, length).is_chunked();
        let mut body = Body::new(self.algorithm, chunked);
        body.update(&bytes[length..]);
        self.body = Some(body);
    }

    /// The digests of all that was fed. A block without the end of a head has
    /// an empty payload.
    pub fn finish(self) -> PayloadDigests {
        let algorithm = self.algorithm;
        let body = self.body.unwrap_or_else(|| Body::new(algorithm, false));
        let received = body.received.finish();
        match body.chunks {
            Some((chunked, hasher, length)) if chunked.is_whole() => PayloadDigests {
                entity: hasher.finish(),
                received,
                entity_length: length,
                broken_chunks: false,
            },
            chunks => PayloadDigests {
                entity: received.clone(),
                received,
                entity_length: body.received_length,
                broken_chunks: chunks.is_some(),
            },
        }
    }
}

impl Body {
    fn new(algorithm: Algorithm, chunked: bool) -> Self {
        Self {
            received: Hasher::new(algorithm),
            received_length: 0,
            chunks: chunked.then(|| (Chunked::default(), Hasher::new(algorithm), 0)),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        self.received.update(bytes);
        self.received_length += bytes.len() as u64;
        if let Some((chunked, hasher, length)) = &mut self.chunks {
            chunked.feed(bytes, |data| {
                hasher.update(data);
                *length += data.len() as u64;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests(block: &[u8]) -> PayloadDigests {
        let mut whole = PayloadHasher::new(Algorithm::Sha256);
        whole.update(block);
        let mut bytewise = PayloadHasher::new(Algorithm::Sha256);
        for byte in block {
            bytewise.update(&[*byte]);
        }
        let digests = whole.finish();
        assert_eq!(digests, bytewise.finish());
        digests
    }

    #[test]
    fn chunk_framing_is_not_payload() {
        let found =
            digests(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
        assert_eq!(found.entity, Digest::sha256(b"hi"));
        assert_eq!(found.received, Digest::sha256(b"2\r\nhi\r\n0\r\n\r\n"));
        assert_eq!((found.entity_length, found.broken_chunks), (2, false));
    }

    #[test]
    fn chunks_that_do_not_parse_are_hashed_as_received() {
        let found = digests(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n<html>");
        assert_eq!(found.entity, Digest::sha256(b"<html>"));
        assert!(found.broken_chunks);
    }

    #[test]
    fn a_head_without_end_has_an_empty_payload() {
        assert_eq!(
            digests(b"HTTP/1.1 200 OK\r\nServer: x").entity,
            Digest::sha256(b"")
        );
    }
}
