//! Content codings (RFC 9110 §8.4) removed from an entity as it streams by, for
//! those who read what it says: scanning and replay. Stored bytes keep them.
//! Every stream is bounded in size, in ratio and in depth; where a bound is
//! hit or a coding breaks off, the stream ends, and says why.

use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use thiserror::Error;

/// The first bytes of a coded stream, by which its coding is told.
pub const PROBE: usize = 4 * 1024;
/// So much may come out whatever went in: small texts shrink a lot.
const RATIO_FLOOR: u64 = 1024 * 1024;
/// Window sizes of zstd that decoders must take for content: 8 MiB (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a decoded entity may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes that are read, and bytes that come out.
    pub bytes: u64,
    /// How many times larger than its stored form it may become.
    pub ratio: u32,
    /// Codings upon each other.
    pub codings: u32,
}

/// Why not all of an entity came out, or not as its head says.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Irregular {
    /// A coding that isn't known here; the stream is as it came.
    #[error("content coding {0:?} isn't known: taken as it came")]
    Unknown(String),
    /// The bytes aren't in the coding that the head names; they are as they came.
    #[error("said to be {0}, and isn't: taken as it came")]
    NotCoded(String),
    /// The stream is damaged or cut.
    #[error("{coding} breaks off after {decoded} decoded bytes: {reason}")]
    Broken {
        /// The coding.
        coding: String,
        /// Bytes that came out of it.
        decoded: u64,
        /// What the decoder says.
        reason: String,
    },
    /// Bytes after the end of the coded stream; they are passed over.
    #[error("something else follows the end of the gzip stream: passed over")]
    Tail,
    /// The size bound was hit.
    #[error("only the first {0} bytes were decoded and read (limits.decoded)")]
    Size(u64),
    /// The ratio bound was hit.
    #[error(
        "more than {ratio} times as large as stored after {decoded} bytes: the rest was not decoded (limits.decoded_ratio)"
    )]
    Ratio {
        /// The bound.
        ratio: u32,
        /// Bytes that had come out.
        decoded: u64,
    },
    /// The depth bound was hit: nothing was decoded.
    #[error("{found} codings upon each other, more than {limit}: not decoded (limits.codings)")]
    Depth {
        /// Codings named.
        found: usize,
        /// The bound.
        limit: u32,
    },
}

/// What an entity really is in, of the codings that its head names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// In none: none is named, or its bytes aren't in the one that was applied last.
    Plain,
    /// In those that are named, which can be removed.
    Coded,
    /// In something that isn't known here, or in too many.
    Unknown,
}

/// What an entity is in that begins with these bytes: [`PROBE`] of them, or all.
pub fn held(codings: &[String], first: &[u8], most: u32) -> Held {
    let whole = first.len() < PROBE;
    let probed = |bytes| Probed { bytes, whole };
    let is_unknown = |coding: &String| {
        // What bytes can't be told of, the name alone says.
        let named = Coding::judge(coding, &probed(b"?"));
        matches!(named, Err(Irregular::Unknown(_)))
    };
    match codings.last() {
        None => Held::Plain,
        Some(_) if first.is_empty() => Held::Plain,
        Some(_) if codings.len() > most as usize || codings.iter().any(is_unknown) => Held::Unknown,
        Some(last) => match Coding::judge(last, &probed(first)) {
            Ok(_) => Held::Coded,
            Err(_) => Held::Plain,
        },
    }
}

type Notes = Rc<RefCell<Vec<Irregular>>>;

/// An entity with its codings removed, as a stream that never fails: it ends
/// where it can't go on, and [`Decoded::irregular`] says why.
pub struct Decoded<'r> {
    stream: Box<dyn Read + 'r>,
    notes: Notes,
}

impl<'r> Decoded<'r> {
    /// Removes `codings`, given in the order in which they were applied.
    pub fn new(entity: impl Read + 'r, codings: &[String], bounds: Bounds) -> Self {
        let notes = Notes::default();
        let read = Rc::new(Cell::new(0));
        let bottom = Counted {
            inner: entity,
            count: read.clone(),
        };
        let layer = |inner: Box<dyn Read + 'r>, coding: Option<&str>| Layer {
            inner,
            coding: coding.map(str::to_owned),
            read: read.clone(),
            decoded: 0,
            ended: false,
            bounds,
            notes: notes.clone(),
        };
        let mut stream: Box<dyn Read + 'r> = Box::new(layer(Box::new(bottom), None));
        if codings.len() > bounds.codings as usize {
            notes.borrow_mut().push(Irregular::Depth {
                found: codings.len(),
                limit: bounds.codings,
            });
            stream = Box::new(io::empty());
        } else {
            for coding in codings.iter().rev() {
                let (first, whole) = probe(&mut stream);
                let probed = Probed {
                    bytes: &first,
                    whole,
                };
                let judged = Coding::judge(coding, &probed);
                let rest = BufReader::new(Cursor::new(first).chain(stream));
                stream = match judged {
                    Ok(found) => Box::new(layer(found.decoder(rest, &notes), Some(coding))),
                    Err(irregular) => {
                        notes.borrow_mut().push(irregular);
                        stream = Box::new(rest);
                        break;
                    }
                };
            }
        }
        Self { stream, notes }
    }

    /// What was wrong as far as was read.
    pub fn irregular(&self) -> Vec<Irregular> {
        self.notes.borrow().clone()
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

/// Reads up to [`PROBE`] bytes ahead; whether that is all there is.
fn probe(stream: &mut dyn Read) -> (Vec<u8>, bool) {
    let mut first = Vec::new();
    // A stream that fails fails again where it is read on.
    let _ = stream.take(PROBE as u64).read_to_end(&mut first);
    let whole = first.len() < PROBE;
    (first, whole)
}

struct Probed<'p> {
    bytes: &'p [u8],
    whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zlib,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The coding that the bytes have, given the one that is named.
    fn judge(name: &str, probed: &Probed<'_>) -> Result<Self, Irregular> {
        let first = probed.bytes;
        let found = match name {
            // Nothing is nothing in every coding.
            _ if first.is_empty() => Some(Self::Gzip),
            "gzip" | "x-gzip" => first.starts_with(b"\x1f\x8b").then_some(Self::Gzip),
            // Servers send both the zlib form of the standard and the bare one.
            "deflate" | "x-deflate" => [Self::Zlib, Self::Deflate]
                .into_iter()
                .find(|form| (*form != Self::Zlib || is_zlib(first)) && form.fits(probed)),
            // A window that only the large form has, in no content coding.
            "br" if first[0] & 0x7f == 0x11 => None,
            "br" => Self::Brotli.fits(probed).then_some(Self::Brotli),
            "zstd" => is_zstd(first).then_some(Self::Zstd),
            _ => return Err(Irregular::Unknown(name.chars().take(40).collect())),
        };
        found.ok_or_else(|| Irregular::NotCoded(name.to_owned()))
    }

    /// Whether the first bytes decode to anything, or could with more.
    fn fits(self, probed: &Probed<'_>) -> bool {
        let notes = Notes::default();
        let mut decoder = self.decoder(BufReader::new(probed.bytes), &notes);
        match decoder.read(&mut [0; 256]) {
            Ok(n) if n > 0 => true,
            // An empty stream ends; text that is no stream rarely does.
            Ok(_) => probed.whole && !is_text(probed.bytes),
            Err(error) => error.kind() == io::ErrorKind::UnexpectedEof && !is_text(probed.bytes),
        }
    }

    fn decoder<'r>(self, stream: impl BufRead + 'r, notes: &Notes) -> Box<dyn Read + 'r> {
        match self {
            Self::Gzip => Box::new(Members::new(stream, notes.clone())),
            Self::Zlib => Box::new(ZlibDecoder::new(stream)),
            Self::Deflate => Box::new(DeflateDecoder::new(stream)),
            Self::Brotli => Box::new(brotli_decompressor::Decompressor::new(stream, PROBE)),
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(stream).and_then(|mut d| {
                    d.window_log_max(ZSTD_WINDOW_LOG)?;
                    Ok(d)
                });
                match decoder {
                    Ok(decoder) => Box::new(decoder),
                    Err(error) => Box::new(Failing(Some(error))),
                }
            }
        }
    }
}

fn is_zlib(first: &[u8]) -> bool {
    matches!(first, [a, b, ..] if a & 0x0f == 8 && u16::from_be_bytes([*a, *b]).is_multiple_of(31))
}

/// A frame of zstd, or a skippable one (RFC 8878 §3.1).
fn is_zstd(first: &[u8]) -> bool {
    first.starts_with(b"\x28\xb5\x2f\xfd")
        || matches!(first, [a, 0x2a, 0x4d, 0x18, ..] if a & 0xf0 == 0x50)
}

/// Whether bytes read as text: no control character but white space.
fn is_text(bytes: &[u8]) -> bool {
    let is_control = |b: &u8| b.is_ascii_control() && !b.is_ascii_whitespace();
    let utf8 = match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // The last character may be cut by the probe.
        Err(error) => error.error_len().is_none(),
    };
    utf8 && !bytes.iter().any(is_control)
}

struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// One decoder within its bounds; it ends instead of failing. Inner layers are
/// bounded as the outermost is: what they give to the next may grow, too.
struct Layer<'r> {
    inner: Box<dyn Read + 'r>,
    /// `None` for the entity as it came.
    coding: Option<String>,
    /// Bytes read of the entity as it came.
    read: Rc<Cell<u64>>,
    decoded: u64,
    ended: bool,
    bounds: Bounds,
    notes: Notes,
}

impl Layer<'_> {
    fn end(&mut self, why: Irregular) -> usize {
        self.ended = true;
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&why) {
            notes.push(why);
        }
        0
    }
}

impl Read for Layer<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let Bounds { bytes, ratio, .. } = self.bounds;
        let room = usize::try_from(bytes - self.decoded).unwrap_or(usize::MAX);
        if room == 0 {
            // Only what goes on is cut off.
            return match self.inner.read(&mut [0]) {
                Ok(1..) => Ok(self.end(Irregular::Size(bytes))),
                _ => {
                    self.ended = true;
                    Ok(0)
                }
            };
        }
        let room = room.min(buffer.len());
        let n = match self.inner.read(&mut buffer[..room]) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                let coding = self.coding.as_deref().unwrap_or("the stored body");
                let why = Irregular::Broken {
                    coding: coding.to_owned(),
                    decoded: self.decoded,
                    reason: error.to_string(),
                };
                return Ok(self.end(why));
            }
        };
        self.decoded += n as u64;
        let most = RATIO_FLOOR.max(self.read.get().saturating_mul(u64::from(ratio)));
        if self.coding.is_some() && self.decoded > most {
            let decoded = self.decoded;
            return Ok(self.end(Irregular::Ratio { ratio, decoded }));
        }
        Ok(n)
    }
}

/// The members of a gzip stream one after the other; what follows them and is
/// no member is passed over, as browsers do.
struct Members<R> {
    member: Option<GzDecoder<R>>,
    notes: Notes,
}

impl<R: BufRead> Members<R> {
    fn new(stream: R, notes: Notes) -> Self {
        Self {
            member: Some(GzDecoder::new(stream)),
            notes,
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let n = member.read(buffer)?;
            if n > 0 {
                return Ok(n);
            }
            let mut rest = match self.member.take() {
                Some(member) => member.into_inner(),
                None => break,
            };
            match rest.fill_buf()? {
                [] => {}
                [0x1f, ..] => self.member = Some(GzDecoder::new(rest)),
                _ => self.notes.borrow_mut().push(Irregular::Tail),
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    const WIDE: Bounds = Bounds {
        bytes: 32 << 20,
        ratio: 2000,
        codings: 4,
    };

    fn decode(codings: &[&str], body: &[u8], bounds: Bounds) -> (Vec<u8>, Vec<Irregular>) {
        let codings: Vec<String> = codings.iter().map(|&c| c.to_owned()).collect();
        let mut decoded = Decoded::new(body, &codings, bounds);
        let mut out = Vec::new();
        decoded.read_to_end(&mut out).unwrap();
        (out, decoded.irregular())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        coder.write_all(bytes).unwrap();
        coder.finish().unwrap()
    }

    #[test]
    fn size_is_bounded_at_the_byte() {
        let bounds = Bounds { bytes: 100, ..WIDE };
        for (length, cut) in [(99, false), (100, false), (101, true)] {
            let text = vec![b'x'; length];
            for (codings, body) in [(&["gzip"][..], gzip(&text)), (&[], text.clone())] {
                let (out, notes) = decode(codings, &body, bounds);
                assert_eq!(out.len(), length.min(100), "{length} {codings:?}");
                assert_eq!(notes == [Irregular::Size(100)], cut, "{length} {notes:?}");
            }
        }
    }

    #[test]
    fn ratio_is_bounded_beyond_what_is_small() {
        let zeros = gzip(&vec![0; 8 << 20]);
        let bounds = Bounds { ratio: 10, ..WIDE };
        let (out, notes) = decode(&["gzip"], &zeros, bounds);
        assert!(out.len() <= 1 << 20, "{}", out.len());
        assert!(
            matches!(notes[..], [Irregular::Ratio { ratio: 10, .. }]),
            "{notes:?}"
        );
        let small = gzip(&vec![0; 1 << 19]);
        let (out, notes) = decode(&["gzip"], &small, bounds);
        assert_eq!((out.len(), notes), (1 << 19, vec![]));
    }

    #[test]
    fn a_bomb_within_a_bomb_ends_in_the_inner_layer() {
        // Empty members give nothing, however many there are.
        let inner = gzip(b"").repeat(500_000);
        let (out, notes) = decode(
            &["gzip", "gzip"],
            &gzip(&inner),
            Bounds { ratio: 50, ..WIDE },
        );
        assert!(out.is_empty());
        assert!(
            notes.iter().any(|n| matches!(n, Irregular::Ratio { .. })),
            "{notes:?}"
        );
    }

    #[test]
    fn depth_is_bounded() {
        let mut body = b"deep".to_vec();
        for _ in 0..4 {
            body = gzip(&body);
        }
        let (out, notes) = decode(&["gzip"; 4], &body, WIDE);
        assert_eq!((&out[..], notes), (&b"deep"[..], vec![]));
        let (out, notes) = decode(&["gzip"; 5], &gzip(&body), WIDE);
        assert!(out.is_empty());
        assert_eq!(notes, [Irregular::Depth { found: 5, limit: 4 }]);
    }

    #[test]
    fn what_an_entity_is_in_is_told_by_its_bytes_and_all_names() {
        let told = |names: &[&str], bytes: &[u8]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            held(&names, bytes, 4)
        };
        let coded = gzip(b"text");
        assert_eq!(told(&[], &coded), Held::Plain);
        assert_eq!(told(&["gzip"], &coded), Held::Coded);
        assert_eq!(told(&["br", "x-gzip"], &coded), Held::Coded);
        assert_eq!(told(&["gzip"], b"text"), Held::Plain);
        assert_eq!(told(&["br"], b"<p>text</p>"), Held::Plain);
        assert_eq!(told(&["gzip"], b""), Held::Plain);
        assert_eq!(told(&["dcb"], &coded), Held::Unknown);
        assert_eq!(told(&["dcb", "gzip"], &coded), Held::Unknown);
        assert_eq!(told(&["gzip"; 5], &coded), Held::Unknown);
        let frame = zstd::encode_all(&b"text"[..], 3).unwrap();
        assert_eq!(told(&["zstd"], &frame), Held::Coded);
    }

    #[test]
    fn a_large_window_is_no_content_coding() {
        let (_, notes) = decode(&["br"], &[0x11, 0x1e, 0, 0, 0, 0, 0xff], WIDE);
        assert_eq!(notes, [Irregular::NotCoded("br".into())]);
    }

    #[test]
    fn zstd_windows_beyond_8_mib_are_refused() {
        let mut coder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        coder.window_log(25).unwrap();
        coder.write_all(&gzip(&[7; 100])).unwrap();
        // Without the size in the frame the window is stated.
        let body = coder.finish().unwrap();
        let (out, notes) = decode(&["zstd"], &body, WIDE);
        assert!(out.is_empty());
        assert!(matches!(notes[..], [Irregular::Broken { .. }]), "{notes:?}");
    }

    #[test]
    fn every_cut_of_every_coding_gives_a_beginning() {
        let text: Vec<u8> = (0..3000u32)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        let zlib = {
            let mut c = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
            c.write_all(&text).unwrap();
            c.finish().unwrap()
        };
        let coded = [
            ("gzip", gzip(&text)),
            ("deflate", zlib.clone()),
            ("deflate", zlib[2..zlib.len() - 4].to_vec()),
            ("zstd", zstd::encode_all(&text[..], 3).unwrap()),
        ];
        for (coding, body) in coded {
            for end in 0..=body.len() {
                let (out, notes) = decode(&[coding], &body[..end], WIDE);
                if notes.iter().any(|n| matches!(n, Irregular::NotCoded(_))) {
                    assert!(end < 8, "{coding} cut at {end}: {notes:?}");
                    continue;
                }
                assert!(text.starts_with(&out), "{coding} cut at {end}");
                if end == body.len() {
                    assert_eq!((out.len(), notes), (text.len(), vec![]), "{coding}");
                }
            }
        }
    }
}
