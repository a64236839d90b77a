//! What scripts and data name: texts without a place, each once, and the URLs
//! that they resolve to.

use super::{Irregularity, Mention, Role, resolve};
use encoding_rs::Encoding;
use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use url::Url;

/// How many mentions one document may have.
pub(super) const MOST: usize = 20_000;
/// How many bytes their texts, and again their URLs, may have.
const MOST_BYTES: usize = 8 << 20;
/// Longer texts are no URLs that a script names.
const LONGEST: usize = 4096;

/// The texts that one document mentions.
#[derive(Default)]
pub(super) struct Mentions {
    texts: Vec<(String, Role)>,
    seen: HashSet<u64>,
    bytes: usize,
    is_full: bool,
}

impl Mentions {
    /// Takes a text, unless it was taken before for the same purpose.
    pub(super) fn add(&mut self, text: Cow<'_, str>, role: Role) {
        if text.is_empty() || text.len() > LONGEST {
            return;
        }
        if self.texts.len() == MOST || self.bytes > MOST_BYTES {
            self.is_full = true;
            return;
        }
        let mut hasher = DefaultHasher::new();
        (text.as_ref(), role).hash(&mut hasher);
        if self.seen.insert(hasher.finish()) {
            self.bytes += text.len();
            self.texts.push((text.into_owned(), role));
        }
    }

    /// Whether some were passed over, as an irregularity of a document of this
    /// length.
    pub(super) fn irregularity(&self, length: usize) -> Option<Irregularity> {
        let offset = length;
        self.is_full.then_some(Irregularity::TooMany { offset })
    }

    /// The URLs, each once a role; texts that are none are dropped.
    pub(super) fn resolve(self, base: &Url, charset: &'static Encoding) -> Vec<Mention> {
        let mut resolved = Resolved::default();
        for (text, role) in self.texts {
            resolved.add(&text, role, base, charset);
        }
        resolved.mentions
    }
}

/// Mentions as they are resolved.
#[derive(Default)]
pub(super) struct Resolved {
    pub(super) mentions: Vec<Mention>,
    seen: HashSet<u64>,
    bytes: usize,
}

impl Resolved {
    pub(super) fn add(&mut self, text: &str, role: Role, base: &Url, charset: &'static Encoding) {
        let text = resolve::trim(text);
        if text.is_empty()
            || text.starts_with('#')
            || self.bytes > MOST_BYTES
            || self.mentions.len() == MOST
            || resolve::has_other_scheme(text)
        {
            return;
        }
        let Ok(url) = resolve::parse(text, base, charset) else {
            return;
        };
        let mut hasher = DefaultHasher::new();
        (url.as_str(), role).hash(&mut hasher);
        if matches!(url.scheme(), "http" | "https") && self.seen.insert(hasher.finish()) {
            self.bytes += url.as_str().len();
            self.mentions.push(Mention { url, role });
        }
    }
}
