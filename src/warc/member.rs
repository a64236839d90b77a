//! The gzip members of a compressed WARC: one a record (WARC 1.1 annex D).
//! Writing a member that fits a buffer goes through libdeflate; larger ones
//! stream through zlib. Calls a C interface, as `cli::heap` does and nothing else.

#![expect(unsafe_code, reason = "libdeflate is called through its C interface")]

use std::io::{self, Read, Write};
use std::ptr::NonNull;

use flate2::{Compression, write::GzEncoder};
use libdeflate_sys::{
    libdeflate_alloc_compressor, libdeflate_compressor, libdeflate_free_compressor,
    libdeflate_gzip_compress, libdeflate_gzip_compress_bound,
};

/// The deflate level of everything that is written: zlib's default, which
/// libdeflate reaches in two thirds of the time.
const LEVEL: i32 = 6;

/// Records up to this size, requests above all, come out as small at the lowest
/// level, in two thirds of the time.
const SMALL: usize = 2048;

/// A reusable compressor; making one costs more than compressing a page.
pub struct Compressor {
    usual: Level,
    small: Level,
}

impl Default for Compressor {
    fn default() -> Self {
        Self {
            usual: Level::new(LEVEL),
            small: Level::new(1),
        }
    }
}

impl Compressor {
    /// Appends `data` to `out` as one gzip member.
    pub fn member(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let level = if data.len() <= SMALL {
            &mut self.small
        } else {
            &mut self.usual
        };
        level.member(data, out);
    }
}

/// A compressor of one level.
struct Level(NonNull<libdeflate_compressor>);

// SAFETY: a libdeflate compressor has no thread affinity; it must only not be
// used by two threads at once, which `&mut self` in `member` rules out.
unsafe impl Send for Level {}

impl Level {
    fn new(level: i32) -> Self {
        // SAFETY: plain allocation; null means out of memory, as with every other.
        let raw = unsafe { libdeflate_alloc_compressor(level) };
        Self(NonNull::new(raw).expect("memory for a compressor"))
    }

    fn member(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        // SAFETY: the pointer is a live compressor.
        let bound = unsafe { libdeflate_gzip_compress_bound(self.0.as_ptr(), data.len()) };
        out.resize(start + bound, 0);
        // SAFETY: both pointers are valid for the lengths given, and don't overlap.
        let written = unsafe {
            libdeflate_gzip_compress(
                self.0.as_ptr(),
                data.as_ptr().cast(),
                data.len(),
                out[start..].as_mut_ptr().cast(),
                bound,
            )
        };
        assert!(written > 0, "the bound that libdeflate names is enough");
        out.truncate(start + written);
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        // SAFETY: allocated by libdeflate in `new`, freed once.
        unsafe { libdeflate_free_compressor(self.0.as_ptr()) }
    }
}

/// Copies everything that `parts` give into `out` as one gzip member.
pub fn stream_member<W: Write>(mut parts: impl Read, out: W) -> io::Result<W> {
    let mut encoder = GzEncoder::new(out, Compression::new(LEVEL.unsigned_abs()));
    io::copy(&mut parts, &mut encoder)?;
    encoder.finish()
}

/// The first bytes of every gzip member (RFC 1952 §2.3.1).
pub const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn members_come_back_whole_from_an_independent_decoder() {
        let mut compressor = Compressor::default();
        for data in [
            &b""[..],
            b"a",
            &vec![7; 300_000],
            &(0..=255).collect::<Vec<u8>>(),
        ] {
            let (mut member, mut back) = (vec![1, 2], Vec::new());
            compressor.member(data, &mut member);
            let streamed = stream_member(data, Vec::new()).unwrap();
            for gz in [&member[2..], &streamed] {
                back.clear();
                flate2::read::GzDecoder::new(gz)
                    .read_to_end(&mut back)
                    .unwrap();
                assert_eq!(back, data);
            }
        }
    }
}
