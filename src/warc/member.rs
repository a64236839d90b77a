//! The gzip members of a compressed WARC: one a record (WARC 1.1 annex D).
//! Members that fit a buffer are written and read through libdeflate; larger
//! ones stream through zlib. Calls a C interface, as `cli::heap` does and nothing else.

#![expect(unsafe_code, reason = "libdeflate is called through its C interface")]

use std::io::{self, Read, Write};
use std::ptr::NonNull;

use flate2::{Compression, write::GzEncoder};
use libdeflate_sys::{
    libdeflate_alloc_compressor, libdeflate_alloc_decompressor, libdeflate_compressor,
    libdeflate_decompressor, libdeflate_free_compressor, libdeflate_free_decompressor,
    libdeflate_gzip_compress, libdeflate_gzip_compress_bound, libdeflate_gzip_decompress_ex,
    libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE, libdeflate_result_LIBDEFLATE_SUCCESS,
};

/// Deflate levels, from 1 (fast) to 9 (small).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Of records.
    pub usual: i32,
    /// Of records whose payload is compressed in itself.
    pub compressed: i32,
    /// Of the others too while [`Compressor::has_backlog`], unless it is higher.
    pub backlog: i32,
}

impl Default for Levels {
    /// zlib's default, which libdeflate reaches in two thirds of the time; from what
    /// is compressed the lowest level gains as little, and sooner.
    fn default() -> Self {
        Self {
            usual: 6,
            compressed: 1,
            backlog: 1,
        }
    }
}

/// Whether a payload is compressed in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadKind {
    /// It isn't, or isn't known to be.
    Plain,
    /// By its coding or its media type.
    Compressed,
}

/// Records up to this size, requests above all, come out as small at the lowest
/// level, in two thirds of the time.
const SMALL: usize = 2048;

/// A reusable compressor; making one costs more than compressing a page.
pub struct Compressor {
    levels: Levels,
    usual: Level,
    compressed: Level,
    backlog: Level,
    small: Level,
    /// Whether more records wait than can be compressed in time.
    pub has_backlog: bool,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new(Levels::default())
    }
}

impl Compressor {
    /// With these levels.
    pub fn new(levels: Levels) -> Self {
        Self {
            levels,
            usual: Level::new(levels.usual),
            compressed: Level::new(levels.compressed),
            backlog: Level::new(levels.backlog.min(levels.usual)),
            small: Level::new(1),
            has_backlog: false,
        }
    }

    /// Appends `data` to `out` as one gzip member.
    pub fn member(&mut self, data: &[u8], out: &mut Vec<u8>) {
        self.member_of(data, PayloadKind::Plain, out);
    }

    /// Appends a record with such a payload to `out` as one gzip member.
    pub fn member_of(&mut self, record: &[u8], payload: PayloadKind, out: &mut Vec<u8>) {
        let level = match payload {
            _ if record.len() <= SMALL => &mut self.small,
            PayloadKind::Plain if self.has_backlog => &mut self.backlog,
            PayloadKind::Plain => &mut self.usual,
            PayloadKind::Compressed => &mut self.compressed,
        };
        level.member(record, out);
    }

    /// Copies everything that `parts` give into `out` as one gzip member.
    pub fn stream<W: Write>(
        &self,
        parts: impl Read,
        payload: PayloadKind,
        out: W,
    ) -> io::Result<W> {
        let level = match payload {
            PayloadKind::Plain if self.has_backlog => self.levels.usual.min(self.levels.backlog),
            PayloadKind::Plain => self.levels.usual,
            PayloadKind::Compressed => self.levels.compressed,
        };
        stream_member(parts, level, out)
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

/// A reusable decompressor of whole members.
pub struct Decompressor(NonNull<libdeflate_decompressor>);

// SAFETY: as that of a compressor: no thread affinity, and `&mut self`.
unsafe impl Send for Decompressor {}

/// What came of inflating a member in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inflated {
    /// It is whole, checksum and length as they should be.
    Whole {
        /// Bytes of the input that are the member.
        used: usize,
        /// Bytes that came out.
        made: usize,
    },
    /// More comes out than there is room for; what is cut may look like that too.
    NoRoom,
    /// It goes on behind the input, or is damaged, which looks the same.
    Cut,
    /// Its header brings a checksum of its own, which libdeflate doesn't look at.
    Unfit,
}

impl Default for Decompressor {
    fn default() -> Self {
        // SAFETY: plain allocation; null means out of memory, as with every other.
        let raw = unsafe { libdeflate_alloc_decompressor() };
        Self(NonNull::new(raw).expect("memory for a decompressor"))
    }
}

impl Decompressor {
    /// Inflates the member that starts `input` into `out`.
    pub fn member(&mut self, input: &[u8], out: &mut [u8]) -> Inflated {
        const SUCCESS: u32 = libdeflate_result_LIBDEFLATE_SUCCESS;
        const NO_ROOM: u32 = libdeflate_result_LIBDEFLATE_INSUFFICIENT_SPACE;
        if input
            .get(FLAGS)
            .is_some_and(|flags| flags & HEADER_CRC != 0)
        {
            return Inflated::Unfit;
        }
        let (mut used, mut made) = (0, 0);
        // SAFETY: the decompressor is live, the buffers are valid for the lengths
        // given and don't overlap, and the results have a place each.
        let result = unsafe {
            libdeflate_gzip_decompress_ex(
                self.0.as_ptr(),
                input.as_ptr().cast(),
                input.len(),
                out.as_mut_ptr().cast(),
                out.len(),
                &raw mut used,
                &raw mut made,
            )
        };
        match result {
            SUCCESS => Inflated::Whole { used, made },
            NO_ROOM => Inflated::NoRoom,
            _ => Inflated::Cut,
        }
    }
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        // SAFETY: allocated by libdeflate in `default`, freed once.
        unsafe { libdeflate_free_decompressor(self.0.as_ptr()) }
    }
}

/// Where the flags of a member stand, and the one that says that its header
/// has a checksum (RFC 1952 §2.3.1).
const FLAGS: usize = 3;
const HEADER_CRC: u8 = 2;

fn stream_member<W: Write>(mut parts: impl Read, level: i32, out: W) -> io::Result<W> {
    let mut encoder = GzEncoder::new(out, Compression::new(level.unsigned_abs().min(9)));
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
            let streamed = compressor
                .stream(data, PayloadKind::Plain, Vec::new())
                .unwrap();
            let mut quick = Vec::new();
            compressor.member_of(data, PayloadKind::Compressed, &mut quick);
            for gz in [&member[2..], &streamed, &quick] {
                back.clear();
                flate2::read::GzDecoder::new(gz)
                    .read_to_end(&mut back)
                    .unwrap();
                assert_eq!(back, data);
                let mut out = vec![0; data.len()];
                let inflated = Decompressor::default().member(gz, &mut out);
                let (used, made) = (gz.len(), data.len());
                assert_eq!(inflated, Inflated::Whole { used, made });
                assert_eq!(out, data);
            }
        }
    }

    #[test]
    fn a_member_comes_whole_or_not_at_all() {
        let mut member = Vec::new();
        let data: Vec<u8> = (0..20_000u32).map(|n| (n * n / 128) as u8).collect();
        Compressor::default().member(&data, &mut member);
        let (mut decompressor, mut out) = (Decompressor::default(), vec![0; data.len()]);
        for cut in 0..member.len() {
            let found = decompressor.member(&member[..cut], &mut out);
            assert!(!matches!(found, Inflated::Whole { .. }), "cut at {cut}");
        }
        let short = decompressor.member(&member, &mut out[1..]);
        assert_eq!(short, Inflated::NoRoom);
        let end = member.len();
        // Checksum and length (RFC 1952 §2.3.1) that lie.
        for at in end - 8..end {
            let mut lying = member.clone();
            lying[at] ^= 1;
            assert_eq!(decompressor.member(&lying, &mut out), Inflated::Cut);
        }
        let used = member.len();
        member.extend_from_slice(b"what follows");
        let made = data.len();
        let whole = decompressor.member(&member, &mut out);
        assert_eq!(whole, Inflated::Whole { used, made });
        assert_eq!(out, data);
        // A header with a checksum is zlib's to read.
        member[FLAGS] |= HEADER_CRC;
        assert_eq!(decompressor.member(&member, &mut out), Inflated::Unfit);
    }
}
