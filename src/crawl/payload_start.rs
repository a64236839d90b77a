//! The start of an answer's payload, its codings removed: enough to tell what
//! it is. The stored bytes are never touched.

use crate::http::Head;
use crate::http::coding::{Bounds, Irregular};
use crate::links;
use crate::net::Spool;

/// At most `limit` decoded bytes. What doesn't decode is left out, so less may
/// come, or nothing.
pub fn payload_start(head: &Head<'_>, response: &Spool, limit: usize) -> Vec<u8> {
    let bounds = Bounds {
        bytes: limit as u64,
        ratio: u32::MAX,
        codings: 4,
    };
    match links::entity(head, response, bounds) {
        Some((_, why)) if why.iter().any(|why| matches!(why, Irregular::Unknown(_))) => Vec::new(),
        Some((start, _)) => start.into_owned(),
        // A spool that can't be read fails when the record is written.
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    fn start(answer: &[u8], limit: usize) -> Vec<u8> {
        let mut spool = Spool::new(&std::env::temp_dir(), usize::MAX);
        spool.write(answer).unwrap();
        payload_start(&Head::parse(answer), &spool, limit)
    }

    #[test]
    fn codings_come_off_and_what_is_cut_counts() {
        let page = b"<html>".repeat(2000);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&page).unwrap();
        let gz = gz.finish().unwrap();
        let zst = zstd::encode_all(&page[..], 3).unwrap();
        for (coding, body) in [("gzip", &gz), ("zstd", &zst), ("gzip", &page)] {
            let mut answer =
                format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\n\r\n").into_bytes();
            answer.extend_from_slice(body);
            let found = start(&answer, 600);
            assert!(!found.is_empty() && page.starts_with(&found), "{coding}");
        }
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n5\r\nthe";
        assert_eq!(start(chunked, 600), b"hithe");
        assert_eq!(
            start(
                b"HTTP/1.1 200 OK\r\nContent-Encoding: rot13\r\n\r\nuryyb",
                9
            ),
            b""
        );
        assert_eq!(start(b"HTTP/1.1 200 OK\r\n", 9), b"");
    }
}
