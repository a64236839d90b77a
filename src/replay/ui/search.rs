//! Search for archived pages: by exact URL, by the start of a URL, by host,
//! or by words in URLs and titles.

use super::listing::{self, Stretch, Wanted};
use super::query::Query;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::snapshot::pages::Page;
use crate::url::{CanonicalUrl, Surt};

/// Longer words aren't searched for.
const MAX_WORDS: usize = 1000;

/// What a search text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// Whatever it looks like.
    Any,
    /// One URL.
    Exact,
    /// The start of URLs.
    Prefix,
    /// A host name, with the hosts below it.
    Host,
    /// Words in titles and URLs.
    Words,
}

impl How {
    const ALL: [Self; 5] = [
        Self::Any,
        Self::Words,
        Self::Exact,
        Self::Prefix,
        Self::Host,
    ];

    /// The word in addresses.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Exact => "exact",
            Self::Prefix => "prefix",
            Self::Host => "host",
            Self::Words => "words",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Any => "URL or words",
            Self::Exact => "exact URL",
            Self::Prefix => "URLs that begin so",
            Self::Host => "host and those below",
            Self::Words => "words in titles and URLs",
        }
    }

    fn of(word: &str) -> Self {
        let found = Self::ALL.into_iter().find(|how| how.word() == word);
        found.unwrap_or(Self::Any)
    }

    /// What a text is taken for: with a scheme, or a dot and no space, it is a
    /// URL; without a path it means the host.
    fn settle(self, text: &str) -> Self {
        if self != Self::Any {
            return self;
        }
        let spaceless = !text.contains(char::is_whitespace);
        let address = text.contains("://") || text.contains('.') || text.contains(":/");
        if !(spaceless && address) || CanonicalUrl::parse_typed(text).is_err() {
            return Self::Words;
        }
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let host_alone = rest.trim_end_matches('/').find('/').is_none();
        if host_alone { Self::Host } else { Self::Prefix }
    }
}

/// A choice in the search form.
pub(super) struct Choice {
    pub word: &'static str,
    pub label: &'static str,
    pub chosen: bool,
}

/// The search form as it was filled in.
pub(super) struct Asked {
    pub text: String,
    pub how: How,
    pub choices: Vec<Choice>,
    /// Lines and pages that are read for it: fewer while it is being typed.
    pub most: u64,
}

impl Asked {
    /// Whether it is still being typed.
    pub(super) fn is_typed(&self) -> bool {
        self.most != u64::MAX
    }

    pub(super) fn of(query: &Query) -> Self {
        let how = How::of(query.text("how"));
        let choices = How::ALL.into_iter().map(|choice| Choice {
            word: choice.word(),
            label: choice.label(),
            chosen: choice == how,
        });
        Self {
            text: query.text("q").to_owned(),
            how,
            choices: choices.collect(),
            most: match query.text("typed") {
                "" => u64::MAX,
                _ => listing::MAX_TYPED,
            },
        }
    }
}

/// The URLs and pages of a collection that a search finds.
pub(super) fn find(
    collection: &Collection,
    asked: &Asked,
    page: u64,
) -> Result<Stretch, SnapshotError> {
    let text = asked.text.as_str();
    let most = asked.most;
    let page = Wanted { page, most };
    match asked.how.settle(text) {
        How::Exact => exact(collection, text, page),
        How::Prefix => beginning(collection, text, page),
        How::Host => on_host(collection, text, page),
        How::Any | How::Words => with_words(collection, text, page),
    }
}

/// The key of a URL as a person types it; other schemes (`urn:`, `dns:`) are
/// keys of their own.
pub(super) fn key_of(text: &str) -> Surt {
    match CanonicalUrl::parse_typed(text) {
        Ok(url) => url.surt(),
        Err(_) => Surt::of(text),
    }
}

fn exact(collection: &Collection, text: &str, page: Wanted) -> Result<Stretch, SnapshotError> {
    let key = key_of(text);
    listing::urls(collection, &format!("{} ", key.as_str()), page, |_, _| true)
}

/// URLs that begin with a text.
pub(super) fn beginning(
    collection: &Collection,
    text: &str,
    page: Wanted,
) -> Result<Stretch, SnapshotError> {
    let key = key_of(text);
    let key = key.as_str();
    // A key drops the slash at the end: `/blog/` must not find `/blogger`.
    let folder = text.ends_with('/') && !key.ends_with('/');
    let begins = |found: &str, _: &CdxjEntry| {
        let rest = found.get(key.len()..).unwrap_or_default();
        !folder || rest.is_empty() || rest.starts_with(['/', '?'])
    };
    listing::urls(collection, key, page, begins)
}

/// URLs of a host and of the hosts below it.
pub(super) fn on_host(
    collection: &Collection,
    text: &str,
    page: Wanted,
) -> Result<Stretch, SnapshotError> {
    let text = text.trim_end_matches('/');
    let Ok(url) = CanonicalUrl::parse_typed(text) else {
        return Ok(Stretch::default());
    };
    let key = Surt::of(&format!("http://{}/", url.host_field()));
    let host = key.as_str().split(')').next().unwrap_or_default();
    let below = |found: &str, _: &CdxjEntry| {
        let rest = found.get(host.len()..).unwrap_or_default();
        rest.starts_with([')', ',', ':'])
    };
    listing::urls(collection, host, page, below)
}

/// Pages whose titles and URLs have all the words; where there is no list of
/// pages, URLs of the index that have them.
fn with_words(collection: &Collection, text: &str, page: Wanted) -> Result<Stretch, SnapshotError> {
    let text: String = text.chars().take(MAX_WORDS).collect();
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let has_words = |text: &str| {
        let text = text.to_lowercase();
        words.iter().all(|word| text.contains(word))
    };
    let of_page = |page: &Page| has_words(&format!("{} {}", page.title, page.url));
    let of_url = |_: &str, entry: &CdxjEntry| has_words(&entry.url);
    let (stretch, _) = listing::pages_or_urls(collection, page, of_page, of_url)?;
    Ok(stretch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_for_what_it_looks_like() {
        for (text, how) in [
            ("example.org", How::Host),
            ("https://example.org/", How::Host),
            ("example.org/news", How::Prefix),
            ("http://example.org/a?b", How::Prefix),
            ("closing date", How::Words),
            ("findings", How::Words),
            ("see example.org", How::Words),
            ("javascript:alert(1)", How::Words),
            ("http://", How::Words),
        ] {
            assert_eq!(How::Any.settle(text), how, "{text}");
        }
        assert_eq!(How::Exact.settle("x"), How::Exact);
    }
}
