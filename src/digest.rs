//! Digests as WARC fields, CDXJ and manifests spell them.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use data_encoding::{BASE32, BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use sha2::Digest as _;

/// A hash function that a digest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-1: what most existing WARCs carry, in base32.
    Sha1,
    /// SHA-256: what Lastlight writes.
    Sha256,
    /// SHA-512: the second manifest of a bag.
    Sha512,
}

impl Algorithm {
    /// The label before the colon.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of its values in bytes.
    pub fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// Why a text is not a digest that can be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No `algorithm:value`.
    #[error("{0:?} is not a labelled digest such as sha256:9f86…")]
    Unlabelled(String),
    /// An algorithm that is not computed here.
    #[error("the digest algorithm {0:?} is not known; sha1, sha256 and sha512 are")]
    UnknownAlgorithm(String),
    /// A value that is neither base16 nor base32 of the algorithm's length.
    #[error("{value:?} is no {algorithm} value in base16, base32 or base64", algorithm = .algorithm.label())]
    Value {
        /// The algorithm named.
        algorithm: Algorithm,
        /// The value as given.
        value: String,
    },
}

/// Algorithm and raw bytes; equality ignores the base16/base32 spelling.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Box<[u8]>,
}

impl Digest {
    /// SHA-256 of bytes in memory.
    pub fn sha256(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// SHA-256 and length of everything that a reader gives.
    pub fn sha256_of(mut reader: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut buffer = vec![0; 256 * 1024];
        let mut length = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((hasher.finish(), length)),
                Ok(n) => {
                    hasher.update(&buffer[..n]);
                    length += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The hash function.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The value.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value in lower-case base16, without label.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.bytes)
    }
}

impl fmt::Display for Digest {
    /// `sha256:` and lower-case hex; sha1 in base32, as every other tool does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = match self.algorithm {
            Algorithm::Sha1 => BASE32.encode(&self.bytes),
            Algorithm::Sha256 | Algorithm::Sha512 => self.hex(),
        };
        write!(f, "{}:{value}", self.algorithm.label())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let clip = |text: &str| text.chars().take(120).collect::<String>();
        let text = text.trim();
        let (label, value) = text
            .split_once(':')
            .ok_or_else(|| DigestError::Unlabelled(clip(text)))?;
        let algorithm = match label.to_ascii_lowercase().as_str() {
            "sha1" | "sha-1" => Algorithm::Sha1,
            "sha256" | "sha-256" => Algorithm::Sha256,
            "sha512" | "sha-512" => Algorithm::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm(clip(label))),
        };
        let value = value.trim();
        decode(value, algorithm.size())
            .map(|bytes| Self {
                algorithm,
                bytes: bytes.into(),
            })
            .ok_or_else(|| DigestError::Value {
                algorithm,
                value: clip(value),
            })
    }
}

/// The spelling is told by the length: base16 is twice the bytes, base32 8/5
/// of them (padding may be left out), base64 4/3.
fn decode(value: &str, length: usize) -> Option<Vec<u8>> {
    let bare = value.trim_end_matches('=');
    let decoded = if bare.len() == length * 2 {
        HEXLOWER_PERMISSIVE.decode(bare.as_bytes()).ok()
    } else if bare.len() == (length * 8).div_ceil(5) {
        let mut padded = bare.to_ascii_uppercase();
        while !padded.len().is_multiple_of(8) {
            padded.push('=');
        }
        BASE32.decode(padded.as_bytes()).ok()
    } else if value.len() == length.div_ceil(3) * 4 {
        BASE64.decode(value.as_bytes()).ok()
    } else {
        None
    };
    decoded.filter(|bytes| bytes.len() == length)
}

/// A running digest.
pub struct Hasher(State);

enum State {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    /// Nothing hashed yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(sha2::Sha512::new())),
        })
    }

    /// Hashes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha1(state) => state.update(bytes),
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that was hashed.
    pub fn finish(self) -> Digest {
        let (algorithm, bytes): (_, Vec<u8>) = match self.0 {
            State::Sha1(state) => (Algorithm::Sha1, state.finalize().to_vec()),
            State::Sha256(state) => (Algorithm::Sha256, state.finalize().to_vec()),
            State::Sha512(state) => (Algorithm::Sha512, state.finalize().to_vec()),
        };
        Digest {
            algorithm,
            bytes: bytes.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn one_digest_in_base16_and_base32_is_equal() {
        let base32: Digest = "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ".parse().unwrap();
        let base16: Digest = "SHA1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"
            .parse()
            .unwrap();
        assert_eq!(base32, base16);
        assert_eq!(base16.to_string(), "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ");
    }

    #[test]
    fn sha256_is_spelled_in_lower_case_hex() {
        assert_eq!(
            Digest::sha256(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn values_of_another_length_are_refused() {
        assert!(matches!(
            "sha256:abcd".parse::<Digest>(),
            Err(DigestError::Value { .. })
        ));
        assert!(matches!(
            "md5:00".parse::<Digest>(),
            Err(DigestError::UnknownAlgorithm(_))
        ));
        assert!(matches!(
            "nothing".parse::<Digest>(),
            Err(DigestError::Unlabelled(_))
        ));
    }
}
