//! The start of an answer's payload, its codings removed: enough to tell what
//! it is. The stored bytes are never touched.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use crate::http::{Head, dechunk_what_came};
use crate::net::Spool;

/// Content codings upon each other that are removed.
const MOST_CODINGS: usize = 3;

/// At most `limit` decoded bytes. What doesn't decode is left out, so less may
/// come, or nothing.
pub fn payload_start(head: &Head<'_>, response: &Spool, limit: usize) -> Vec<u8> {
    let mut stored = Vec::with_capacity(limit.min(16 * 1024));
    let from = head.length;
    match response.memory() {
        Some(bytes) => {
            let end = bytes.len().min(from.saturating_add(limit));
            stored.extend_from_slice(&bytes[from.min(end)..end]);
        }
        None => {
            let until = (from as u64).saturating_add(limit as u64);
            // A spool that can't be read fails when the record is written.
            let _ = response.reader().take(until).read_to_end(&mut stored);
            stored.drain(..from.min(stored.len()));
        }
    }
    let stored = if head.is_chunked() {
        dechunk_what_came(&stored).unwrap_or(stored)
    } else {
        stored
    };
    let codings = head.content_codings();
    if codings.is_empty() {
        return stored;
    }
    if codings.len() > MOST_CODINGS {
        return Vec::new();
    }
    let decoded = codings.iter().rev().try_fold(stored, |bytes, coding| {
        let mut out = Vec::new();
        let decoder: io::Result<Box<dyn Read>> = match coding.as_str() {
            "gzip" | "x-gzip" if bytes.starts_with(b"\x1f\x8b") => {
                Ok(Box::new(MultiGzDecoder::new(&bytes[..])))
            }
            "gzip" | "x-gzip" => Ok(Box::new(&bytes[..])),
            "deflate" if bytes.first().is_some_and(|first| first & 0x0f == 8) => {
                Ok(Box::new(ZlibDecoder::new(&bytes[..])))
            }
            "deflate" => Ok(Box::new(DeflateDecoder::new(&bytes[..]))),
            "br" => Ok(Box::new(brotli_decompressor::Decompressor::new(
                &bytes[..],
                4096,
            ))),
            "zstd" => zstd_decoder(&bytes),
            _ => return None,
        };
        // The bytes end where they were cut off: what came before it counts.
        let _ = decoder.ok()?.take(limit as u64).read_to_end(&mut out);
        Some(out)
    });
    decoded.unwrap_or_default()
}

/// Of an answer's content coding, windows up to 8 MiB are taken (RFC 9659).
fn zstd_decoder(bytes: &[u8]) -> io::Result<Box<dyn Read + '_>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(23)?;
    Ok(Box::new(decoder))
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
