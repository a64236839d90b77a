//! From places in the source to URLs: decodes each text by its context and
//! resolves it as browsers do.

use super::entity::{self, Place as ReferencePlace};
use super::{
    Context, Document, Found, Irregularity, Kind, Layer, MAX_DOCUMENT_DEPTH, Place, Reading, Role,
    Scan, Srcdoc, Syntax, css, data_url, json, mention, read,
};
use encoding_rs::{Encoding, UTF_8};
use std::borrow::Cow;
use std::ops::Range;
use url::Url;

/// Longer texts are no URLs that a server takes.
pub(super) const MAX_URL: usize = 64 << 10;
/// How many bytes of resolved URLs one document may have: a long base makes
/// long URLs of short texts.
pub(super) const MAX_RESOLVED: usize = 8 << 20;
/// How many irregularities are reported.
const MAX_IRREGULAR: usize = 100;

/// Resolves what was read of `document`, whose own address is `url`.
pub(super) fn resolve(document: Document<'_>, mut reading: Reading, url: &Url, depth: u8) -> Scan {
    if !reading.places.is_sorted_by_key(|place| place.range.start) {
        reading.places.sort_by_key(|place| place.range.start);
    }
    reading
        .spots
        .sort_by_key(|(range, _)| (range.start, range.end));
    let base = base(document, &reading, url);
    let mut scan = Scan {
        found: Vec::with_capacity(reading.places.len()),
        mentions: Vec::new(),
        spots: reading.spots,
        srcdocs: Vec::new(),
        title: reading.title,
        base,
        charset: document.charset,
        transcoded: None,
        irregular: reading.irregular,
    };
    let mut end = 0;
    let mut resolved = 0;
    let mut enclosed = Vec::new();
    for place in reading.places {
        // Foreign content can be read in two ways; the first wins.
        if place.range.start < end {
            continue;
        }
        if resolved > MAX_RESOLVED {
            let offset = place.range.start;
            scan.irregular.push(Irregularity::TooMany { offset });
            break;
        }
        end = place.range.end;
        let base = match place.role {
            Role::Base => url,
            _ => &scan.base,
        };
        match resolve_one(document, &place, base, url) {
            Ok(Some(url)) => {
                resolved += url.as_str().len();
                scan.found.push(Found {
                    range: place.range,
                    role: place.role,
                    url,
                    context: place.context,
                    element: place.element,
                    attribute: place.attribute,
                });
            }
            Ok(None) => enclosed.extend(enclosed_in(document, &place)),
            Err(irregularity) => scan.irregular.push(irregularity),
        }
    }
    scan.mentions = reading.mentions.resolve(&scan.base, document.charset);
    read_enclosed(document, enclosed, &mut scan, depth);
    for (range, quote) in reading.srcdocs {
        read_srcdoc(document, range, quote, &mut scan, depth);
    }
    scan.irregular.truncate(MAX_IRREGULAR);
    scan
}

/// A place whose text is a whole document that names others: `data:`.
fn enclosed_in(document: Document<'_>, place: &Place) -> Option<Place> {
    let is_open = place.range.len() <= data_url::LONGEST
        && data_url::is_document(&document.text[place.range.clone()]);
    is_open.then(|| place.clone())
}

fn read_enclosed(document: Document<'_>, places: Vec<Place>, scan: &mut Scan, depth: u8) {
    if depth == MAX_DOCUMENT_DEPTH {
        return;
    }
    let nowhere = Url::parse("data:,").expect("it is a URL");
    let mut opened = 0;
    for place in places {
        opened += place.range.len();
        if opened > data_url::MOST_BYTES || scan.mentions.len() >= mention::MOST {
            break;
        }
        let Context { layer, syntax } = place.context;
        let text = text(document, place.range, layer, syntax);
        if let Some(enclosed) = data_url::open(trim(&text)) {
            let within = Document {
                text: &enclosed.bytes,
                mark: 0,
                charset: enclosed.charset,
            };
            let inner = read(enclosed.kind, within, &nowhere, depth + 1);
            scan.mentions.extend(data_url::mentions(&inner));
        }
    }
}

fn read_srcdoc(
    document: Document<'_>,
    range: Range<usize>,
    quote: Option<u8>,
    scan: &mut Scan,
    depth: u8,
) {
    if depth == MAX_DOCUMENT_DEPTH {
        scan.irregular.push(Irregularity::TooDeep { range });
        return;
    }
    let text = decode(document.text_charset(), &document.text[range.clone()]);
    let text = entity::decode(text, ReferencePlace::Attribute);
    let inner = text.into_owned().into_bytes();
    let within = Document {
        text: &inner,
        mark: 0,
        charset: UTF_8,
    };
    // Its relative URLs are relative to the outer document's base.
    let inner_scan = read(Kind::Html, within, &scan.base, depth + 1);
    scan.srcdocs.push(Srcdoc {
        range,
        quote,
        document: inner,
        scan: inner_scan,
    });
}

/// The document's base URL (HTML standard §4.2.3).
fn base(document: Document<'_>, reading: &Reading, url: &Url) -> Url {
    let stated = reading
        .base
        .as_ref()
        .and_then(|place| resolve_one(document, place, url, url).ok().flatten());
    stated.unwrap_or_else(|| url.clone())
}

/// The absolute URL of a place; `None` where nothing is to be fetched: no
/// text, a fragment of this document, or another scheme than HTTP's.
fn resolve_one(
    document: Document<'_>,
    place: &Place,
    base: &Url,
    own: &Url,
) -> Result<Option<Url>, Irregularity> {
    let range = || place.range.clone();
    if place.range.len() > MAX_URL {
        let start = &document.text[place.range.start..place.range.start + 16];
        return if has_other_scheme(&String::from_utf8_lossy(start)) {
            Ok(None)
        } else {
            Err(Irregularity::TooLong { range: range() })
        };
    }
    let text = text(document, range(), place.context.layer, place.context.syntax);
    let text = trim(&text);
    if text.is_empty() || text.starts_with('#') || has_other_scheme(text) {
        return Ok(None);
    }
    let parsed = match &place.codebase {
        None => parse(text, base, document.charset),
        Some(codebase) => {
            let layer = Layer::Attribute { quote: None };
            let codebase = self::text(document, codebase.clone(), layer, Syntax::Plain);
            parse(trim(&codebase), base, document.charset)
                .and_then(|codebase| parse(text, &codebase, document.charset))
        }
    };
    match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(url)),
        Ok(_) => Ok(None),
        // A sheet or page without an HTTP address of its own has no relative URLs.
        Err(::url::ParseError::RelativeUrlWithCannotBeABaseBase) if own.cannot_be_a_base() => {
            Ok(None)
        }
        Err(reason) => Err(Irregularity::Unparsable {
            range: range(),
            reason,
        }),
    }
}

/// Parses with the query in the document's charset, as browsers do.
pub(super) fn parse(
    text: &str,
    base: &Url,
    charset: &'static Encoding,
) -> Result<Url, ::url::ParseError> {
    let charset = charset.output_encoding();
    if charset == UTF_8 {
        return base.join(text);
    }
    Url::options()
        .base_url(Some(base))
        .encoding_override(Some(&|query| {
            Cow::Owned(charset.encode(query).0.into_owned())
        }))
        .parse(text)
}

/// The text of a URL, decoded from outside to inside.
fn text(document: Document<'_>, range: Range<usize>, layer: Layer, syntax: Syntax) -> Cow<'_, str> {
    let mut text = decode(document.text_charset(), &document.text[range]);
    if matches!(layer, Layer::Attribute { .. }) {
        text = entity::decode(text, ReferencePlace::Attribute);
    }
    match syntax {
        Syntax::Css { .. } => css::unescape(text),
        Syntax::Json => json::unescape(text),
        _ => text,
    }
}

fn decode<'s>(charset: &'static Encoding, bytes: &'s [u8]) -> Cow<'s, str> {
    charset.decode_without_bom_handling(bytes).0
}

/// Without the C0 controls and spaces that the URL parser passes over at both ends.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character <= ' ')
}

/// Whether the text clearly has a scheme that isn't HTTP's. Spares the parser
/// the long ones (`data:`) and the many (`javascript:`, `mailto:`).
pub(super) fn has_other_scheme(text: &str) -> bool {
    let text = text.trim_start_matches(|character: char| character <= ' ');
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let length = text.bytes().take_while(letter).count();
    let scheme = &text[..length];
    text.as_bytes().get(length) == Some(&b':')
        && scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && !scheme.eq_ignore_ascii_case("http")
        && !scheme.eq_ignore_ascii_case("https")
}
