//! The one scanner a format: where URLs stand, what a browser would fetch them
//! for, and, in HTML and CSS, what replay must strip or insert. Crawling follows
//! what [`links()`] finds in any format; replay rewrites at the same ranges, so
//! what it asks for, capture has fetched. What scripts and data name is for
//! crawling alone: no script is rewritten. It never fetches, never panics, and
//! reads any bytes.

use encoding_rs::Encoding;
use std::ops::Range;
use thiserror::Error;

mod appcache;
mod browserconfig;
mod charset;
mod css;
mod dash;
mod data_url;
mod entity;
mod feed;
pub mod fields;
mod format;
mod gzip;
mod hls;
mod html;
mod json;
mod links;
mod masked;
mod mention;
mod pdf;
mod places;
mod resolve;
pub mod script;
mod sitemap;
mod splice;
mod srcset;
mod transform;
mod web_manifest;
mod xml;

pub use format::{Asked, Format, SNIFFED};
pub use links::{Link, Links, links};
pub use places::{Relocated, is_relocated, relocate};
pub use splice::splice;

/// How deep documents within attributes (`srcdoc`) are read.
const MAX_DOCUMENT_DEPTH: u8 = 3;

/// What a URL is for, which says when a browser fetches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Navigation by the reader: `a`, `area`.
    Page,
    /// A document within the page: `iframe`, `frame`, `embed`, `object`.
    Frame,
    /// Images, icons and preview images, those loaded lazily by scripts too.
    Image,
    /// Audio, video and their text tracks.
    Media,
    /// A font of `@font-face` or a preload.
    Font,
    /// A style sheet, imported ones too.
    Stylesheet,
    /// A script or a module.
    Script,
    /// A web application manifest or an old cache manifest.
    Manifest,
    /// Another sub-resource that is fetched to show the page.
    Requisite,
    /// The action of a form that is sent by GET.
    Form,
    /// The target of a redirect or a declarative refresh: navigation without
    /// the reader.
    Refresh,
    /// A relation to another page: `link rel=canonical`, `next`, `alternate`;
    /// `cite` and `longdesc`.
    Alternate,
    /// Only prepares a connection (`preconnect`, `dns-prefetch`): never
    /// fetched, and stripped in replay.
    Hint,
    /// `<base href>`: resolves the others and isn't fetched itself.
    Base,
    /// A sitemap that an index of sitemaps names.
    Sitemap,
    /// Compared with others and not fetched: scopes of an import map.
    Prefix,
    /// What a script or data names and may load; it may be no URL at all.
    Guess,
}

impl Role {
    /// Whether a browser fetches it to show the page, frames included.
    pub fn is_requisite(self) -> bool {
        matches!(
            self,
            Self::Frame
                | Self::Image
                | Self::Media
                | Self::Font
                | Self::Stylesheet
                | Self::Script
                | Self::Manifest
                | Self::Requisite
        )
    }

    /// Whether it leads to another page.
    pub fn is_navigation(self) -> bool {
        matches!(
            self,
            Self::Page | Self::Form | Self::Refresh | Self::Alternate
        )
    }
}

/// How a URL's text is embedded in the source, from outside to inside, so that
/// another text can take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// What encloses the text.
    pub layer: Layer,
    /// The syntax that the text is part of.
    pub syntax: Syntax,
}

/// What encloses a URL's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// A style sheet of its own.
    Sheet,
    /// The text of a `<style>` element, which no reference but `</style` ends.
    StyleElement,
    /// The text of a `<script>` element that holds data.
    ScriptElement,
    /// An attribute value; the quote is `None` where it is unquoted.
    Attribute {
        /// `"` or `'`.
        quote: Option<u8>,
    },
}

/// The syntax that a URL's text is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// All of it is the URL.
    Plain,
    /// An item of a list by whitespace or commas: `srcset`, `archive`.
    Item,
    /// The URL of a declarative refresh; everything before it is kept.
    Refresh,
    /// A CSS string or `url()`; the quote is `None` in an unquoted `url()`.
    Css {
        /// `"` or `'`.
        quote: Option<u8>,
    },
    /// A string of JSON.
    Json,
}

/// A URL in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The bytes of the URL's text alone, without quotes.
    pub range: Range<usize>,
    /// What it is for.
    pub role: Role,
    /// The absolute URL, resolved as browsers do, its fragment kept; `http` or `https`.
    pub url: ::url::Url,
    /// How to put another text in its place.
    pub context: Context,
    /// The element's name; `*` for elements of no standard, empty in a sheet.
    pub element: &'static str,
    /// The attribute's name, or the construct of CSS, such as `url()` or `@import`.
    pub attribute: &'static str,
}

impl Found {
    /// Whether a script, not the browser, is what loads it (`data-src` and its kin).
    pub fn is_lazy(&self) -> bool {
        self.attribute.starts_with("data-")
    }
}

/// A URL that a script, an event handler or data names. Replay leaves the text
/// alone that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The absolute URL; `http` or `https`.
    pub url: ::url::Url,
    /// What it is for: [`Role::Guess`] where nothing tells.
    pub role: Role,
}

/// A place where replay strips or inserts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spot {
    /// An `integrity` attribute, name to closing quote: it fails once bytes change.
    Integrity,
    /// A `ping` attribute, name to closing quote.
    Ping,
    /// A whole `<meta http-equiv=content-security-policy ..>` tag.
    ContentSecurityPolicy,
    /// A whole `<link rel=preconnect ..>` or `dns-prefetch` tag.
    Hint,
    /// An empty range: what is inserted here runs before anything of the page.
    HeadStart,
}

/// An irregularity: reading went on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Irregularity {
    /// The text is no URL, as the URL standard has it.
    #[error("bytes {}..{}: not a URL: {reason}", range.start, range.end)]
    Unparsable {
        /// Where the text stands.
        range: Range<usize>,
        /// What the parser says.
        reason: ::url::ParseError,
    },
    /// The text is too long for a URL and was passed over.
    #[error("bytes {}..{}: too long for a URL", range.start, range.end)]
    TooLong {
        /// Where the text stands.
        range: Range<usize>,
    },
    /// So many URLs, or such long ones, that the rest was passed over.
    #[error("more URLs than are kept; the rest from byte {offset} was passed over")]
    TooMany {
        /// The first that was passed over.
        offset: usize,
    },
    /// The document is nested so deep that reading it stopped: what stood
    /// before is kept.
    #[error("the part at bytes {}..{} was given up: memory limit", range.start, range.end)]
    MemoryLimit {
        /// The document, or the part of it that was being read.
        range: Range<usize>,
    },
    /// Documents within documents (`srcdoc`, conditional comments, `noscript`)
    /// deeper than are read.
    #[error("bytes {}..{}: nested too deep, passed over", range.start, range.end)]
    TooDeep {
        /// The part that was passed over.
        range: Range<usize>,
    },
}

/// A document within an attribute: `<iframe srcdoc>`.
#[derive(Clone, Debug)]
pub struct Srcdoc {
    /// The attribute's value in the source.
    pub range: Range<usize>,
    /// The attribute's quote.
    pub quote: Option<u8>,
    /// The inner document, references decoded, in UTF-8.
    pub document: Vec<u8>,
    /// What is in it; its ranges refer to `document`.
    pub scan: Scan,
}

/// What a document holds.
#[derive(Clone, Debug)]
pub struct Scan {
    /// The URLs in source order; ranges don't overlap.
    pub found: Vec<Found>,
    /// What scripts, event handlers and data name, each once, in source order.
    pub mentions: Vec<Mention>,
    /// What replay strips or inserts, in source order; URLs may stand within.
    pub spots: Vec<(Range<usize>, Spot)>,
    /// Inner documents in source order; their URLs are not in `found`.
    pub srcdocs: Vec<Srcdoc>,
    /// The first `<title>`: decoded, whitespace collapsed, at most 1,024 bytes.
    pub title: Option<String>,
    /// What relative URLs were resolved against.
    pub base: ::url::Url,
    /// The charset that the document was read in.
    pub charset: &'static Encoding,
    /// The document in UTF-8, where its charset isn't a superset of ASCII
    /// (UTF-16, ISO-2022-JP). All ranges then refer to it, and what `splice`
    /// returns is UTF-8.
    pub transcoded: Option<Vec<u8>>,
    /// What was irregular, in no order.
    pub irregular: Vec<Irregularity>,
}

impl Scan {
    /// All URLs, those of inner documents included.
    pub fn links(&self) -> Box<dyn Iterator<Item = &Found> + '_> {
        let inner = self.srcdocs.iter().flat_map(|srcdoc| srcdoc.scan.links());
        Box::new(self.found.iter().chain(inner))
    }

    /// All mentions, those of inner documents included.
    pub fn all_mentions(&self) -> Box<dyn Iterator<Item = &Mention> + '_> {
        let inner = self.srcdocs.iter();
        let inner = inner.flat_map(|srcdoc| srcdoc.scan.all_mentions());
        Box::new(self.mentions.iter().chain(inner))
    }

    /// The text that ranges refer to, where the scanned source is `source`.
    pub fn text<'a>(&'a self, source: &'a [u8]) -> &'a [u8] {
        self.transcoded.as_deref().unwrap_or(source)
    }
}

/// The formats that are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTML, and XHTML read as HTML.
    Html,
    /// A style sheet.
    Css,
}

impl Kind {
    /// The format that a Content-Type names; parameters and case don't matter.
    /// A missing or generic type counts as CSS where a style sheet was asked
    /// for; otherwise `None`, and [`Kind::sniff`] may know.
    pub fn of(media_type: &str, role_hint: Option<Role>) -> Option<Self> {
        let essence = media_type.split([';', ',']).next().unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/html" | "application/xhtml+xml" | "application/vnd.wap.xhtml+xml" => {
                Some(Self::Html)
            }
            "text/css" => Some(Self::Css),
            _ if is_unknown(&essence) && role_hint == Some(Role::Stylesheet) => Some(Self::Css),
            _ => None,
        }
    }

    /// As [`Kind::of`]; where the type is missing or generic, the first bytes decide.
    pub fn sniff(media_type: &str, role_hint: Option<Role>, first: &[u8]) -> Option<Self> {
        let essence = media_type.split([';', ',']).next().unwrap_or_default();
        Self::of(media_type, role_hint).or_else(|| {
            (is_unknown(essence.trim()) && looks_like_html(first)).then_some(Self::Html)
        })
    }
}

/// Types that say nothing (MIME Sniffing standard §7).
fn is_unknown(essence: &str) -> bool {
    [
        "",
        "unknown/unknown",
        "application/unknown",
        "*/*",
        "application/octet-stream",
    ]
    .iter()
    .any(|unknown| essence.eq_ignore_ascii_case(unknown))
}

fn looks_like_html(first: &[u8]) -> bool {
    let mut text = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
    // Comments may stand first, then the document shows itself.
    loop {
        text = text.trim_ascii_start();
        let Some(comment) = text.strip_prefix(b"<!--") else {
            break;
        };
        let Some(end) = comment.windows(3).position(|bytes| bytes == b"-->") else {
            return false;
        };
        text = &comment[end + 3..];
    }
    // MIME Sniffing standard §7.1.
    let starts = [
        "<!doctype html",
        "<html",
        "<head",
        "<script",
        "<iframe",
        "<h1",
        "<div",
        "<font",
        "<table",
        "<a",
        "<style",
        "<title",
        "<b",
        "<body",
        "<br",
        "<p",
    ];
    starts.iter().any(|start| {
        text.get(..start.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(start.as_bytes()))
            && text
                .get(start.len())
                .is_none_or(|byte| !byte.is_ascii_alphanumeric())
    })
}

/// Scans a document. `url` is its own address; `http_charset` the `charset`
/// parameter of its Content-Type. Anything is accepted: what is irregular is
/// reported in the result.
pub fn scan(kind: Kind, source: &[u8], url: &::url::Url, http_charset: Option<&str>) -> Scan {
    let domain = url.domain().and_then(|host| host.rsplit('.').next());
    let (charset, mark) = charset::of(kind, source, http_charset, domain);
    let transcoded = (!charset.is_ascii_compatible()).then(|| {
        let (text, _) = charset.decode_without_bom_handling(&source[mark..]);
        text.into_owned().into_bytes()
    });
    let (text, mark) = match &transcoded {
        Some(text) => (text.as_slice(), 0),
        None => (source, mark),
    };
    let mut scan = read(
        kind,
        Document {
            text,
            mark,
            charset,
        },
        url,
        0,
    );
    scan.transcoded = transcoded;
    scan
}

/// A document as it is read: in a superset of ASCII.
#[derive(Clone, Copy)]
struct Document<'s> {
    text: &'s [u8],
    /// The length of the byte order mark.
    mark: usize,
    /// The document's charset, which also is that of the text unless the
    /// document was transcoded.
    charset: &'static Encoding,
}

impl Document<'_> {
    /// The charset of the text itself.
    fn text_charset(&self) -> &'static Encoding {
        if self.charset.is_ascii_compatible() {
            self.charset
        } else {
            encoding_rs::UTF_8
        }
    }
}

/// A URL's place, before it is resolved: `<base>` may come after it.
#[derive(Clone, Debug)]
struct Place {
    range: Range<usize>,
    role: Role,
    context: Context,
    element: &'static str,
    attribute: &'static str,
    /// The `codebase` that it is relative to first.
    codebase: Option<Range<usize>>,
}

/// What reading gives, before resolving.
#[derive(Default)]
struct Reading {
    places: Vec<Place>,
    mentions: mention::Mentions,
    spots: Vec<(Range<usize>, Spot)>,
    srcdocs: Vec<(Range<usize>, Option<u8>)>,
    title: Option<String>,
    /// The first `<base href>`, which is one of `places` too.
    base: Option<Place>,
    irregular: Vec<Irregularity>,
    is_full: bool,
}

impl Reading {
    /// How many places, and how many spots, one document may have.
    const MAX_PLACES: usize = 200_000;
    /// How many inner documents one document may have.
    const MAX_SRCDOCS: usize = 1_000;

    fn place(&mut self, place: Place) {
        if self.has_room(self.places.len() < Self::MAX_PLACES, &place.range) {
            self.places.push(place);
        }
    }

    fn spot(&mut self, range: Range<usize>, spot: Spot) {
        if self.has_room(self.spots.len() < Self::MAX_PLACES, &range) {
            self.spots.push((range, spot));
        }
    }

    fn srcdoc(&mut self, range: Range<usize>, quote: Option<u8>) {
        if self.has_room(self.srcdocs.len() < Self::MAX_SRCDOCS, &range) {
            self.srcdocs.push((range, quote));
        }
    }

    fn has_room(&mut self, has_room: bool, range: &Range<usize>) -> bool {
        if !has_room && !self.is_full {
            self.is_full = true;
            let offset = range.start;
            self.irregular.push(Irregularity::TooMany { offset });
        }
        has_room
    }
}

fn read(kind: Kind, document: Document<'_>, url: &::url::Url, depth: u8) -> Scan {
    let reading = match kind {
        Kind::Html => html::read(document),
        Kind::Css => read_sheet(document),
    };
    resolve::resolve(document, reading, url, depth)
}

fn read_sheet(document: Document<'_>) -> Reading {
    let mut reading = Reading::default();
    let range = document.mark..document.text.len();
    let view = masked::Masked::text(document.text, range, document.text_charset());
    css::urls(view.as_str(), |url| {
        reading.place(Place {
            range: view.source_range(url.range),
            role: url.role,
            context: Context {
                layer: Layer::Sheet,
                syntax: Syntax::Css { quote: url.quote },
            },
            element: "",
            attribute: url.construct,
            codebase: None,
        });
    });
    reading
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_type_then_hint_then_bytes() {
        use Kind::{Css, Html};
        for (media_type, hint, first, expected) in [
            ("text/html", None, "", Some(Html)),
            ("Text/HTML; charset=x", Some(Role::Image), "", Some(Html)),
            ("application/xhtml+xml", None, "", Some(Html)),
            ("text/css;", None, "", Some(Css)),
            ("", Some(Role::Stylesheet), "", Some(Css)),
            ("text/plain", Some(Role::Stylesheet), "<html>", None),
            ("", None, "\u{feff} <!-- x --> <!DOCTYPE html>", Some(Html)),
            ("application/octet-stream", None, "<HTML>", Some(Html)),
            ("", None, "<header>", None),
            ("", None, "<!-- <html>", None),
            ("image/png", None, "<html>", None),
        ] {
            let found = Kind::sniff(media_type, hint, first.as_bytes());
            assert_eq!(found, expected, "{media_type} {first}");
        }
    }
}
