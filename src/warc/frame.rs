//! The frames of a `.warc.zst`: one a record, after an optional frame with the
//! dictionary of them all (IIPC, "Zstandard Compression for WARC Files" 1.0).
//! Windows and dictionaries are bounded, whatever a file claims.

use std::fmt;
use std::io::{self, Read, Write};
use std::num::NonZeroU32;
use std::sync::Arc;

use zstd::stream::raw::{CParameter, DParameter, InBuffer, Operation, OutBuffer};
use zstd::zstd_safe;

/// The first bytes of every frame (RFC 8878 §3.1.1).
pub const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The first bytes of a frame with the dictionary.
pub const DICTIONARY_MAGIC: [u8; 4] = [0x5d, 0x2a, 0x4d, 0x18];
/// The first bytes of a dictionary (RFC 8878 §5).
const DICTIONARY_START: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// Larger dictionaries are refused, stored or unpacked (§5 of the convention
/// asks readers for no more).
pub const MAX_DICTIONARY: u64 = 8 * 1024 * 1024;
/// The window that a frame may ask for: 32 MiB; the convention asks readers
/// for 8 MiB.
const MAX_WINDOW_LOG: u32 = 25;
/// Magic and length before the data of a frame that is skipped.
pub const SKIPPABLE_HEADER: usize = 8;

/// Whether these bytes begin a frame that is no data: magic numbers
/// 0x184D2A50 to 0x184D2A5F.
pub fn is_skippable(start: &[u8]) -> bool {
    start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == DICTIONARY_MAGIC[1..]
}

/// Why a dictionary can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// Not in the format of RFC 8878 §5.
    #[error("not a Zstandard dictionary with an id of its own, such as `zstd --train` makes")]
    Format,
    /// Larger than readers need to take.
    #[error("a dictionary of more than {MAX_DICTIONARY} bytes")]
    TooLarge,
    /// It is compressed, and doesn't unpack.
    #[error("the compressed dictionary doesn't unpack: {0}")]
    Packed(String),
}

/// A dictionary that all records of a file share.
#[derive(Clone, PartialEq, Eq)]
pub struct Dictionary {
    bytes: Arc<[u8]>,
    id: NonZeroU32,
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary {} of {} bytes", self.id, self.bytes.len())
    }
}

impl Dictionary {
    /// Takes a dictionary in the format of RFC 8878 §5.
    pub fn new(bytes: &[u8]) -> Result<Self, DictionaryError> {
        if bytes.len() as u64 > MAX_DICTIONARY {
            return Err(DictionaryError::TooLarge);
        }
        let id = zstd_safe::get_dict_id_from_dict(bytes)
            .filter(|_| bytes.starts_with(&DICTIONARY_START))
            .ok_or(DictionaryError::Format)?;
        // What only looks like one is found out before anything rests on it.
        zstd::bulk::Decompressor::with_dictionary(bytes).map_err(|_| DictionaryError::Format)?;
        Ok(Self {
            bytes: bytes.into(),
            id,
        })
    }

    /// Takes the data of a dictionary frame, which may be compressed.
    pub fn of_frame(data: &[u8]) -> Result<Self, DictionaryError> {
        if !data.starts_with(&ZSTD_MAGIC) {
            return Self::new(data);
        }
        let packed = |error: io::Error| DictionaryError::Packed(error.to_string());
        let mut decoder = zstd::stream::read::Decoder::with_buffer(data).map_err(packed)?;
        decoder.window_log_max(MAX_WINDOW_LOG).map_err(packed)?;
        let mut bytes = Vec::new();
        decoder
            .single_frame()
            .take(MAX_DICTIONARY + 1)
            .read_to_end(&mut bytes)
            .map_err(packed)?;
        Self::new(&bytes)
    }

    /// The dictionary at the start of a file, if it has one.
    pub fn at_start(mut file: impl Read) -> io::Result<Option<Result<Self, DictionaryError>>> {
        let mut header = [0; SKIPPABLE_HEADER];
        match file.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        if !header.starts_with(&DICTIONARY_MAGIC) {
            return Ok(None);
        }
        let length = skippable_length(&header);
        if length > MAX_DICTIONARY {
            return Ok(Some(Err(DictionaryError::TooLarge)));
        }
        let mut data = Vec::new();
        file.take(length).read_to_end(&mut data)?;
        Ok(Some(Self::of_frame(&data)))
    }

    /// The frame that stands at the start of a file, the dictionary compressed.
    pub fn frame(&self) -> Vec<u8> {
        let mut packed = Vec::new();
        FrameCompressor::new(19, None).frame(&self.bytes, &mut packed);
        let length = u32::try_from(packed.len()).expect("a dictionary is at most 8 MiB");
        [&DICTIONARY_MAGIC[..], &length.to_le_bytes(), &packed].concat()
    }
}

/// Length of the data of a frame that is skipped, by its first eight bytes.
pub fn skippable_length(header: &[u8]) -> u64 {
    let length = header
        .get(4..SKIPPABLE_HEADER)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    u64::from(length)
}

/// A reusable compressor of frames, each with its length and checksum.
pub struct FrameCompressor {
    compressor: zstd::bulk::Compressor<'static>,
    level: i32,
    dictionary: Option<Dictionary>,
}

impl FrameCompressor {
    /// At a level of 1 to 19. Those above ask readers for large windows.
    pub fn new(level: i32, dictionary: Option<Dictionary>) -> Self {
        let bytes: &[u8] = dictionary
            .as_ref()
            .map_or(&[], |dictionary| &dictionary.bytes);
        let compressor = zstd::bulk::Compressor::with_dictionary(level, bytes);
        let mut compressor = compressor.expect("memory for a compressor");
        for parameter in [
            CParameter::ChecksumFlag(true),
            CParameter::ContentSizeFlag(true),
        ] {
            compressor
                .set_parameter(parameter)
                .expect("every version of zstd knows these");
        }
        Self {
            compressor,
            level,
            dictionary,
        }
    }

    /// Appends `data` to `out` as one frame.
    pub fn frame(&mut self, data: &[u8], out: &mut Vec<u8>) {
        let compressed = self.compressor.compress(data);
        out.extend_from_slice(&compressed.expect("the bound that zstd names is enough"));
    }

    /// Copies `length` bytes that `parts` give into `out` as one frame.
    pub fn stream<W: Write>(&self, mut parts: impl Read, length: u64, out: W) -> io::Result<W> {
        let bytes: &[u8] = self
            .dictionary
            .as_ref()
            .map_or(&[], |dictionary| &dictionary.bytes);
        let mut encoder = zstd::stream::write::Encoder::with_dictionary(out, self.level, bytes)?;
        encoder.include_checksum(true)?;
        encoder.set_pledged_src_size(Some(length))?;
        io::copy(&mut parts, &mut encoder)?;
        encoder.finish()
    }
}

/// Inflates frames; it goes on from one to the next.
pub struct FrameDecoder(zstd::stream::raw::Decoder<'static>);

/// What a step of inflating did.
pub struct Step {
    /// Bytes of the input that were used.
    pub used: usize,
    /// Bytes that came out.
    pub made: usize,
    /// Whether the frame is at its end.
    pub ended: bool,
}

impl FrameDecoder {
    /// A decoder of frames that may need a dictionary.
    pub fn new(dictionary: Option<&Dictionary>) -> io::Result<Self> {
        let bytes: &[u8] = dictionary.map_or(&[], |dictionary| &dictionary.bytes);
        let mut decoder = zstd::stream::raw::Decoder::with_dictionary(bytes)?;
        decoder.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG))?;
        Ok(Self(decoder))
    }

    /// Forgets a frame that wasn't read to its end.
    pub fn restart(&mut self) -> io::Result<()> {
        self.0.reinit()
    }

    /// Inflates as much as fits `out`.
    pub fn step(&mut self, input: &[u8], out: &mut [u8]) -> io::Result<Step> {
        let mut input = InBuffer::around(input);
        let mut output = OutBuffer::around(out);
        let left = self.0.run(&mut input, &mut output)?;
        Ok(Step {
            used: input.pos(),
            made: output.pos(),
            ended: left == 0,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A dictionary as `zstd --train` made it of a hundred small pages.
    pub(crate) const TRAINED: &[u8] = include_bytes!("frame/trained.dictionary");

    fn back(frame: &[u8], dictionary: Option<&Dictionary>) -> io::Result<Vec<u8>> {
        let mut decoder = FrameDecoder::new(dictionary)?;
        let (mut at, mut all, mut out) = (0, Vec::new(), vec![0; 1000]);
        loop {
            let step = decoder.step(&frame[at..], &mut out)?;
            at += step.used;
            all.extend_from_slice(&out[..step.made]);
            if step.ended || (step.used == 0 && step.made == 0) {
                return Ok(all);
            }
        }
    }

    #[test]
    fn frames_come_back_with_the_dictionary_only() {
        let dictionary = Dictionary::new(TRAINED).unwrap();
        let data = [b"<html><title>Page</title>".as_slice(), &vec![7; 30_000]].concat();
        for dictionary in [None, Some(dictionary)] {
            let mut compressor = FrameCompressor::new(3, dictionary.clone());
            let mut frame = Vec::new();
            compressor.frame(&data, &mut frame);
            let streamed = compressor
                .stream(&data[..], data.len() as u64, Vec::new())
                .unwrap();
            for frame in [frame, streamed] {
                assert_eq!(back(&frame, dictionary.as_ref()).unwrap(), data);
                let id = dictionary.as_ref().map(|d| d.id);
                assert_eq!(zstd_safe::get_dict_id_from_frame(&frame), id);
                let size = zstd_safe::get_frame_content_size(&frame).unwrap();
                assert_eq!(size, Some(data.len() as u64));
                if dictionary.is_some() {
                    assert!(back(&frame, None).is_err());
                }
            }
        }
    }

    #[test]
    fn a_dictionary_comes_back_from_its_frame_and_from_no_part_of_it() {
        let dictionary = Dictionary::new(TRAINED).unwrap();
        let frame = dictionary.frame();
        assert!(is_skippable(&frame) && frame.len() < TRAINED.len());
        let read = |bytes: &[u8]| Dictionary::at_start(bytes).unwrap();
        assert_eq!(read(&frame), Some(Ok(dictionary.clone())));
        let plain = [
            &DICTIONARY_MAGIC[..],
            &(TRAINED.len() as u32).to_le_bytes(),
            TRAINED,
        ];
        assert_eq!(read(&plain.concat()), Some(Ok(dictionary)));
        for cut in 0..frame.len() {
            assert!(!matches!(read(&frame[..cut]), Some(Ok(_))), "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        assert_eq!(Dictionary::new(b"some text"), Err(DictionaryError::Format));
        assert_eq!(
            Dictionary::new(&TRAINED[..40]),
            Err(DictionaryError::Format)
        );
        let vast = [&DICTIONARY_MAGIC[..], &u32::MAX.to_le_bytes(), b"x"].concat();
        assert_eq!(
            Dictionary::at_start(&vast[..]).unwrap(),
            Some(Err(DictionaryError::TooLarge))
        );
        // A bomb: 64 MiB of zeros in a few bytes.
        let mut bomb = Vec::new();
        FrameCompressor::new(19, None).frame(&vec![0; 64 << 20], &mut bomb);
        assert_eq!(Dictionary::of_frame(&bomb), Err(DictionaryError::TooLarge));
    }

    #[test]
    fn a_window_beyond_the_bound_is_refused_before_memory_is_taken() {
        // A frame header that asks for a window of 1 GiB (RFC 8878 §3.1.1.1.2).
        let frame = [&ZSTD_MAGIC[..], &[0x00, 20 << 3], &[1, 0, 0]].concat();
        let mut decoder = FrameDecoder::new(None).unwrap();
        assert!(decoder.step(&frame, &mut [0; 100]).is_err());
    }
}
