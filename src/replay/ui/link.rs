//! Addresses within the interface. Each begins with `/`, so that nothing from
//! an archive can be a `javascript:` or live address.

use crate::replay::ledger::Selection;
use crate::snapshot::cdxj::CdxjEntry;
use crate::time::Timestamp14;
use crate::url::{CanonicalUrl, Surt};

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A collection's own page.
pub(super) fn collection(name: &str) -> String {
    format!("/c/{name}/")
}

/// What verification says of a collection.
pub(super) fn report(name: &str) -> String {
    format!("/c/{name}/report")
}

/// The calendar of a URL.
pub(super) fn captures(collection: &str, url: &str) -> String {
    format!("/c/{collection}/captures?url={}", encoded(url))
}

/// A search in a collection.
pub(super) fn search(collection: &str, text: &str, how: &str) -> String {
    format!("/c/{collection}/?q={}&how={how}", encoded(text))
}

/// A search in all collections.
pub(super) fn search_all(text: &str, how: &str) -> String {
    format!("/?q={}&how={how}", encoded(text))
}

/// The rows of the ledger that are wanted.
pub(super) fn ledger(collection: &str, selection: &Selection) -> String {
    format!("/c/{collection}/ledger?{}", selection.query())
}

/// How many of them there are for each reason or page.
pub(super) fn ledger_by(collection: &str, selection: &Selection, by: &str) -> String {
    format!("/c/{collection}/ledger?{}&by={by}", selection.query())
}

/// They as a file.
pub(super) fn ledger_file(collection: &str, selection: &Selection) -> String {
    format!("/c/{collection}/ledger.csv?{}", selection.query())
}

/// The shell around an archived page. Path and query of the archived URL are
/// those of the address, so it needs no escaping: both are in the WHATWG form.
pub(super) fn view(collection: &str, timestamp: Timestamp14, url: &CanonicalUrl) -> String {
    format!("/view/{collection}/{timestamp}/{url}")
}

/// What names a capture among all: URL, time and place.
fn place(entry: &CdxjEntry) -> String {
    let source = entry
        .source
        .as_deref()
        .map(|source| format!("&source={}", encoded(source)));
    let of_url = match CanonicalUrl::parse_typed(&entry.url) {
        Ok(url) => url.surt(),
        Err(_) => Surt::of(&entry.url),
    };
    let key = (of_url != entry.surt).then(|| format!("&key={}", encoded(entry.surt.as_str())));
    format!(
        "url={}&time={}&file={}&offset={}{}{}",
        encoded(&entry.url),
        entry.timestamp,
        encoded(&entry.filename),
        entry.offset,
        source.unwrap_or_default(),
        key.unwrap_or_default()
    )
}

/// The page of a capture.
pub(super) fn capture(collection: &str, entry: &CdxjEntry) -> String {
    format!("/c/{collection}/capture?{}", place(entry))
}

/// A picture of a page.
pub(super) fn picture(collection: &str, entry: &CdxjEntry) -> String {
    format!("/c/{collection}/picture?{}", place(entry))
}

/// A capture's record, to be taken away.
pub(super) fn record(collection: &str, entry: &CdxjEntry) -> String {
    format!("/c/{collection}/record?{}", place(entry))
}

/// The page from which a capture is opened at its original address.
pub(super) fn open(collection: &str, time: Timestamp14, url: &CanonicalUrl) -> String {
    let url = encoded(url.as_str());
    format!("/c/{collection}/open?url={url}&time={time}")
}

/// The bytes as captured.
pub(super) fn raw(collection: &str, timestamp: Timestamp14, url: &CanonicalUrl) -> String {
    format!("/{collection}/{timestamp}id_/{url}")
}
