//! Which format an answer is in: by its media type, then by what it was asked
//! for and what its address ends in, then by its first bytes. A type that a
//! browser takes at its word is taken at its word here too, but for formats
//! that no browser shows and that servers name as they like.

use super::{Kind, json, xml};
use url::Url;

/// An answer, as far as its format goes.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its own address.
    pub url: &'a Url,
    /// The media type that it names, in lower case, without parameters; empty
    /// where it names none.
    pub media_type: &'a str,
    /// The `charset` parameter of its media type.
    pub charset: Option<&'a str>,
    /// The page that named it first, which a script's URLs are relative to.
    pub via: Option<&'a Url>,
    /// Whether a sitemap was asked for: robots.txt or another sitemap named it.
    pub as_sitemap: bool,
}

/// The formats that name URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// HTML, and XHTML read as HTML.
    Html,
    /// A style sheet.
    Css,
    /// A script, which is only guessed from.
    Script,
    /// A drawing of its own.
    Svg,
    /// A sitemap or an index of sitemaps.
    Sitemap,
    /// A sitemap that is a plain list of URLs.
    SitemapText,
    /// RSS, Atom, RDF or OPML.
    Feed,
    /// JSON Feed.
    JsonFeed,
    /// A web application manifest.
    WebManifest,
    /// JSON of no known kind, which is only guessed from.
    Json,
    /// Tiles of old Windows start menus.
    Browserconfig,
    /// XSLT.
    Transform,
    /// XML of no known kind.
    Xml,
    /// An HLS playlist, or the plain M3U that it grew from.
    Hls,
    /// A DASH manifest.
    Dash,
    /// A cache manifest of old offline applications.
    Appcache,
    /// A PDF document.
    Pdf,
    /// A gzip file, with one of these in it.
    Gzip,
}

/// How much a media type tells.
enum Family {
    Known(Format),
    Html,
    Xml,
    Json,
    Text,
    Unknown,
    /// Names no URLs.
    Barren,
}

/// Bytes of a document that [`Format::of`] looks at.
pub const SNIFFED: usize = 64 << 10;

impl Format {
    /// The format of a document; `None` where it's none that names URLs. The
    /// first [`SNIFFED`] bytes are enough.
    pub fn of(asked: &Asked<'_>, source: &[u8]) -> Option<Self> {
        let source = &source[..source.len().min(SNIFFED)];
        match family(asked) {
            Family::Known(format) => Some(format),
            Family::Html => {
                // Servers name feeds and sitemaps so, and browsers see it.
                let root = looks_like_xml(source)
                    .then(|| by_root(asked, source))
                    .flatten();
                Some(root.filter(|root| root.is_list()).unwrap_or(Self::Html))
            }
            Family::Xml => Some(by_root(asked, source).unwrap_or(Self::Xml)),
            Family::Json => Some(by_keys(asked, source)),
            Family::Text => by_magic(source)
                .or_else(|| {
                    let root = looks_like_xml(source)
                        .then(|| by_root(asked, source))
                        .flatten();
                    root.filter(|root| root.is_list())
                })
                .or_else(|| asked.as_sitemap.then_some(Self::SitemapText)),
            Family::Unknown => unknown(asked, source),
            Family::Barren => None,
        }
    }

    /// Whether a document of this media type can name URLs at all. Where it
    /// can't, there's no need to read it.
    pub fn may_be(asked: &Asked<'_>) -> bool {
        !matches!(family(asked), Family::Barren)
    }

    /// Whether the media type alone says that URLs are named.
    pub fn is_certain(asked: &Asked<'_>) -> bool {
        !matches!(
            family(asked),
            Family::Barren | Family::Unknown | Family::Text
        )
    }

    /// A list of pages or media, which a browser doesn't show as a document.
    fn is_list(self) -> bool {
        matches!(self, Self::Sitemap | Self::Feed | Self::Dash)
    }
}

fn family(asked: &Asked<'_>) -> Family {
    let essence = asked.media_type;
    if let Some(kind) = Kind::of(essence, None) {
        return match kind {
            Kind::Html => Family::Html,
            Kind::Css => Family::Known(Format::Css),
        };
    }
    match essence {
        "image/svg+xml" => Family::Known(Format::Svg),
        "application/vnd.apple.mpegurl"
        | "application/mpegurl"
        | "application/x-mpegurl"
        | "audio/mpegurl"
        | "audio/x-mpegurl"
        | "vnd.apple.mpegurl" => Family::Known(Format::Hls),
        "application/pdf" | "application/x-pdf" => Family::Known(Format::Pdf),
        "text/cache-manifest" => Family::Known(Format::Appcache),
        "application/manifest+json" => Family::Known(Format::WebManifest),
        "application/json" | "text/json" | "application/x-json" => Family::Json,
        "text/xml" | "application/xml" | "text/x-opml" | "text/xsl" | "application/x-rss" => {
            Family::Xml
        }
        "application/gzip" | "application/x-gzip" | "application/x-gunzip" => Family::Unknown,
        "text/plain" => Family::Text,
        _ if is_script(essence) => Family::Known(Format::Script),
        _ if essence.ends_with("+xml") => Family::Xml,
        _ if essence.ends_with("+json") => Family::Json,
        _ if super::is_unknown(essence) || is_download(essence) => Family::Unknown,
        _ => Family::Barren,
    }
}

/// The media types of scripts (MIME Sniffing standard §4.6).
fn is_script(essence: &str) -> bool {
    let Some((_, name)) = essence.split_once('/') else {
        return false;
    };
    matches!(
        name,
        "javascript" | "x-javascript" | "ecmascript" | "x-ecmascript" | "jscript" | "livescript"
    )
}

/// What servers send to make browsers save a file.
fn is_download(essence: &str) -> bool {
    [
        "binary/octet-stream",
        "application/x-download",
        "application/download",
        "application/force-download",
        "application/x-octet-stream",
    ]
    .contains(&essence)
}

fn unknown(asked: &Asked<'_>, source: &[u8]) -> Option<Format> {
    if let Some(format) = by_magic(source) {
        return Some(format);
    }
    if looks_like_xml(source) {
        return by_root(asked, source).or(Some(Format::Xml));
    }
    if Kind::sniff(asked.media_type, None, source) == Some(Kind::Html) {
        return Some(Format::Html);
    }
    if let Some(format) = by_ending(asked) {
        return Some(format);
    }
    if source.trim_ascii_start().starts_with(b"{") {
        // What may as well be anything is guessed from only if it shows.
        return Some(by_keys(asked, source)).filter(|format| *format != Format::Json);
    }
    asked.as_sitemap.then_some(Format::SitemapText)
}

fn by_magic(source: &[u8]) -> Option<Format> {
    /// Where readers look for a PDF's header at the latest (ISO 32000, implementation notes).
    const PDF_HEADER: usize = 1024;
    let start = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let pdf = &source[..source.len().min(PDF_HEADER)];
    if source.starts_with(&[0x1f, 0x8b, 8]) {
        Some(Format::Gzip)
    } else if start.starts_with(b"#EXTM3U") {
        Some(Format::Hls)
    } else if pdf.windows(5).any(|bytes| bytes == b"%PDF-") {
        Some(Format::Pdf)
    } else if start.starts_with(b"CACHE MANIFEST") {
        Some(Format::Appcache)
    } else {
        None
    }
}

fn by_ending(asked: &Asked<'_>) -> Option<Format> {
    let path = asked.url.path();
    let (_, ending) = path.rsplit('/').next()?.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "css" => Format::Css,
        "js" | "mjs" => Format::Script,
        "webmanifest" => Format::WebManifest,
        _ => return None,
    })
}

fn looks_like_xml(source: &[u8]) -> bool {
    let text = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    let text = text.trim_ascii_start();
    let starts = [
        "<?xml",
        "<urlset",
        "<sitemapindex",
        "<rss",
        "<feed",
        "<rdf:RDF",
        "<MPD",
        "<opml",
        "<svg",
    ];
    let is_utf_16 = matches!(
        source,
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, b'<', ..] | [b'<', 0, ..]
    );
    is_utf_16
        || starts
            .iter()
            .any(|start| text.starts_with(start.as_bytes()))
}

fn by_root(asked: &Asked<'_>, source: &[u8]) -> Option<Format> {
    let names = xml::first_elements(source, asked.charset);
    // A warning of a broken server may stand before the root.
    let known = names.iter().enumerate().find_map(|(at, name)| {
        Some(match name.as_str() {
            "urlset" | "sitemapindex" => Format::Sitemap,
            "rss" | "RDF" | "feed" | "opml" => Format::Feed,
            "MPD" => Format::Dash,
            "browserconfig" => Format::Browserconfig,
            "stylesheet" | "transform" if at == 0 => Format::Transform,
            "svg" if at == 0 => Format::Svg,
            "html" if at == 0 => Format::Html,
            _ => return None,
        })
    });
    // Entries of a feed are documents too.
    known.or_else(|| (names.first()? == "entry").then_some(Format::Feed))
}

fn by_keys(asked: &Asked<'_>, source: &[u8]) -> Format {
    let text = String::from_utf8_lossy(source);
    let (mut is_feed, mut is_manifest, mut has_icons) = (false, false, false);
    json::strings(&text, |string| match string.way.as_slice() {
        ["version"] if !string.is_name => {
            is_feed |= string.text().starts_with("https://jsonfeed.org/version/");
        }
        ["start_url" | "display" | "short_name" | "theme_color"] => is_manifest = true,
        ["icons", "src"] => has_icons = true,
        _ => {}
    });
    let is_named_so = asked.media_type == "application/manifest+json"
        || by_ending(asked) == Some(Format::WebManifest);
    if is_feed || asked.media_type == "application/feed+json" {
        Format::JsonFeed
    } else if is_named_so
        || (has_icons && (is_manifest || asked.url.path().ends_with("manifest.json")))
    {
        Format::WebManifest
    } else {
        Format::Json
    }
}
