//! Values that must not be written down: passwords, tokens, keys. A secret is
//! given as such, or by a reference to where it is read when it is needed;
//! only the reference is ever written out again.

use std::fmt;
use std::io::Read;

use serde::{Deserialize, Serialize, Serializer};

/// What stands for a secret in a snapshot's configuration.
pub const REDACTED: &str = "left out";

/// A secret, or `env:NAME` or `file:PATH`, where it stands.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

/// Why a secret can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The configuration comes from a snapshot.
    #[error("it was left out of the snapshot; give it again with --config")]
    Redacted,
    /// No such variable.
    #[error("the environment has no {name} that is text")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// The file can't be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is too long to be a secret.
    #[error("{path}: longer than the {MAX_BYTES} bytes of a secret")]
    TooLong {
        /// The file.
        path: String,
    },
}

/// No secret that goes into a request's field is longer.
const MAX_BYTES: usize = 64 * 1024;

impl Secret {
    /// Whether none is given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret itself; the line end of a file doesn't belong to it.
    pub fn reveal(&self) -> Result<String, SecretError> {
        if self.0 == REDACTED {
            return Err(SecretError::Redacted);
        }
        if let Some(name) = self.0.strip_prefix("env:") {
            return std::env::var(name).map_err(|_| SecretError::NoVariable {
                name: name.to_owned(),
            });
        }
        let Some(path) = self.0.strip_prefix("file:") else {
            return Ok(self.0.clone());
        };
        let unreadable = |source| SecretError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_BYTES as u64 + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if text.len() > MAX_BYTES {
            return Err(SecretError::TooLong {
                path: path.to_owned(),
            });
        }
        Ok(text.trim_end_matches(['\r', '\n']).to_owned())
    }

    /// As it is given, for a value that turns out to be none.
    pub(super) fn as_given(&self) -> &str {
        &self.0
    }

    /// What may be written down.
    pub(super) fn written(&self) -> &str {
        let is_reference = self.0.starts_with("env:") || self.0.starts_with("file:");
        if is_reference || self.0.is_empty() {
            &self.0
        } else {
            REDACTED
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.written())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.written())
    }
}
