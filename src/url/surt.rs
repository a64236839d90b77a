//! Placeholder until the differential implementation is merged.

/// Key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Surt(String);

impl Surt {
    /// Of.
    pub fn of(url: &str) -> Self {
        Self(url.to_owned())
    }
    /// Text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
impl Surt {
    /// From index.
    pub fn from_index(key: &str) -> Self {
        Self(key.to_owned())
    }
}
