//! Opens a capture at its original address, in a browser without a network, when
//! the reader asks for it in the interface. How is given from outside.

use std::sync::OnceLock;

use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Opens a URL of a collection at a time; an error is told to the reader.
pub type Open = Box<dyn Fn(&str, &CanonicalUrl, Timestamp14) -> Result<(), String> + Send + Sync>;

/// What opens captures, where something does.
#[derive(Default)]
pub struct Opener(OnceLock<Open>);

impl Opener {
    /// Says what opens; the first is kept.
    pub fn appoint(&self, open: Open) {
        let _ = self.0.set(open);
    }

    /// Whether anything does.
    pub fn is_there(&self) -> bool {
        self.0.get().is_some()
    }

    /// Opens a URL of a collection at a time. Waits for programs to start.
    pub fn open(
        &self,
        collection: &str,
        url: &CanonicalUrl,
        time: Timestamp14,
    ) -> Result<(), String> {
        match self.0.get() {
            Some(open) => open(collection, url, time),
            None => Err("nothing here can open a browser".to_owned()),
        }
    }
}
