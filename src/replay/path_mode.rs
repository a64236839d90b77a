//! Path mode: everything at one host name, the archived URL in the path, for
//! browsers and servers without names below `lastlight.localhost`, and for tools.
//!
//! | path | what |
//! | --- | --- |
//! | `/<collection>/<time><modifier>/<url>` | the capture nearest to the time |
//! | `/<collection>/<time>/<url>` | the shell around it |
//! | `/<collection>/<url>`, `/<collection>/timegate/<url>` | TimeGate |
//! | `/<collection>/timemap/<format>/<url>` | TimeMap: `link`, `json` or `cdxj` |
//! | `/<collection>/*/<url>` | the calendar |
//! | `/<collection>/cdx?url=…` | the CDX server |
//!
//! Pages are sandboxed: each is an origin of its own that no other page reads. Those
//! in the shell have `<collection>~<token>` in their addresses, and what they name
//! has: who knows the token may read the collection.

use super::address::is_collection;
use super::headers::is_absolute;
use crate::scan::Role;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// As what a capture is asked for: two letters behind the time, as pywb has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modifier {
    /// `id_`: the bytes as captured.
    Raw,
    /// `mp_`: a page, or whatever it turns out to be.
    Page,
    /// `if_`: a page in a frame.
    Frame,
    /// `js_`: a script.
    Script,
    /// `cs_`: a style sheet.
    Style,
    /// `im_`: an image.
    Image,
    /// `pd_`: a PDF for the frame without sandbox, and nothing else.
    Pdf,
}

impl Modifier {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Raw, "id_"),
        (Self::Page, "mp_"),
        (Self::Frame, "if_"),
        (Self::Script, "js_"),
        (Self::Style, "cs_"),
        (Self::Image, "im_"),
        (Self::Pdf, "pd_"),
    ];

    /// As it stands in an address.
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(modifier, _)| *modifier == self);
        found.map_or("mp_", |(_, text)| text)
    }

    /// As what a page asks for a URL with a role.
    fn of(role: Role) -> Self {
        match role {
            Role::Script => Self::Script,
            Role::Stylesheet => Self::Style,
            Role::Image => Self::Image,
            Role::Frame => Self::Frame,
            _ => Self::Page,
        }
    }

    /// What browsers say in `Sec-Fetch-Dest` for it; empty for a page.
    pub fn dest(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Style => "style",
            Self::Image => "image",
            Self::Raw | Self::Page | Self::Frame | Self::Pdf => "",
        }
    }
}

/// What a path asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A capture.
    Capture {
        /// The reader's time.
        timestamp: Timestamp14,
        /// As what it is wanted.
        modifier: Modifier,
        /// The archived URL.
        url: Url,
    },
    /// The shell around a capture.
    Shell(Timestamp14, Url),
    /// The capture nearest to `Accept-Datetime`.
    TimeGate(Url),
    /// All captures.
    TimeMap(Format, Url),
    /// All captures, for a reader.
    Calendar(Url),
    /// Lines of the index.
    Cdx,
}

/// How a TimeMap is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `application/link-format` (RFC 7089 §5).
    Link,
    /// JSON, as MemGator has it.
    Json,
    /// Lines of the index.
    Cdxj,
}

/// A URL in a path: what stood there, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// As it stood.
    pub text: String,
    /// `None` for what can't be captured.
    pub canonical: Option<CanonicalUrl>,
}

impl Url {
    /// The rest of a path, with the query.
    fn of(rest: &str, query: Option<&str>) -> Self {
        let mut text = rest.to_owned();
        // Clients that tidy paths make one slash of two.
        for scheme in ["http:/", "https:/"] {
            if text.starts_with(scheme) && !text[scheme.len()..].starts_with('/') {
                text.insert(scheme.len(), '/');
            }
        }
        if let Some(query) = query {
            text = format!("{text}?{query}");
        }
        let canonical = CanonicalUrl::parse_typed(&text).ok();
        Self { text, canonical }
    }
}

/// Whose path it is, and what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The collection's name.
    pub collection: String,
    /// The token beside it.
    pub token: Option<String>,
    /// What is asked of it.
    pub access: Access,
}

/// Reads a path and query; `None` for paths of the interface.
pub fn parse(path: &str, query: Option<&str>) -> Option<Asked> {
    let (first, rest) = path.strip_prefix('/')?.split_once('/')?;
    let (collection, token) = match first.split_once('~') {
        Some((collection, token)) => (collection, Some(token.to_owned())),
        None => (first, None),
    };
    if !is_collection(collection) {
        return None;
    }
    Some(Asked {
        collection: collection.to_owned(),
        token,
        access: access(rest, query)?,
    })
}

fn access(rest: &str, query: Option<&str>) -> Option<Access> {
    if rest == "cdx" {
        return Some(Access::Cdx);
    }
    let has_scheme = |text: &str| {
        let text = text.get(..8).unwrap_or(text).to_ascii_lowercase();
        text.starts_with("http:/") || text.starts_with("https:/")
    };
    if has_scheme(rest) {
        return Some(Access::TimeGate(Url::of(rest, query)));
    }
    let (first, after) = rest.split_once('/')?;
    match first {
        "timegate" => return Some(Access::TimeGate(Url::of(after, query))),
        "*" => return Some(Access::Calendar(Url::of(after, query))),
        "timemap" => {
            let (format, url) = after.split_once('/')?;
            let format = match format {
                "link" => Format::Link,
                "json" => Format::Json,
                "cdxj" => Format::Cdxj,
                _ => return None,
            };
            return Some(Access::TimeMap(format, Url::of(url, query)));
        }
        _ => {}
    }
    let url = || Url::of(after, query);
    if let Some((modifier, digits)) = Modifier::ALL
        .iter()
        .find_map(|(modifier, text)| Some((*modifier, first.strip_suffix(text)?)))
    {
        // Without a time the page that is the newest is meant.
        return if digits.is_empty() && modifier != Modifier::Raw {
            Some(Access::TimeGate(url()))
        } else {
            Some(Access::Capture {
                timestamp: Timestamp14::from_prefix(digits).ok()?,
                modifier,
                url: url(),
            })
        };
    }
    let timestamp = Timestamp14::from_prefix(first).ok()?;
    has_scheme(after).then(|| Access::Shell(timestamp, url()))
}

/// Where the addresses of one answer lead in path mode.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The server as the reader names it: `http://127.0.0.1:8080`.
    pub origin: String,
    /// The collection's name, with the token where pages have it.
    pub collection: String,
    /// The reader's time.
    pub timestamp: Timestamp14,
    /// As what the answer was asked for.
    pub modifier: Modifier,
}

impl Paths {
    /// `http://127.0.0.1:8080/demo/20260322101500`.
    pub fn start(&self) -> String {
        let Self {
            origin,
            collection,
            timestamp,
            ..
        } = self;
        format!("{origin}/{collection}/{timestamp}")
    }

    /// The address of a URL that something names in a role.
    pub fn address(&self, url: &str, role: Role) -> String {
        self.with(url, Modifier::of(role))
    }

    /// The address of what answers in the place of what was asked for.
    pub fn address_alike(&self, url: &str) -> String {
        self.with(url, self.modifier)
    }

    fn with(&self, url: &str, modifier: Modifier) -> String {
        format!("{}{}/{url}", self.start(), modifier.as_str())
    }

    /// Whether a reference leads to the same place as it is: it can't leave its
    /// directory, in any spelling.
    pub fn stays(reference: &str) -> bool {
        let is_plain =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/' | b'~');
        let path = reference.split(['#', '?']).next().unwrap_or_default();
        !is_absolute(reference)
            && !path.starts_with('/')
            && !path.contains("..")
            && path.bytes().all(is_plain)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn asked(path: &str) -> Option<Access> {
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        parse(path, query).map(|asked| asked.access)
    }

    #[test]
    fn a_path_names_a_collection_a_time_a_modifier_and_a_url() {
        for (text, modifier) in [
            ("id_", Modifier::Raw),
            ("mp_", Modifier::Page),
            ("if_", Modifier::Frame),
            ("js_", Modifier::Script),
            ("cs_", Modifier::Style),
            ("im_", Modifier::Image),
        ] {
            for (digits, whole) in [
                ("2026", "20260101000000"),
                ("20260322101500", "20260322101500"),
            ] {
                for url in ["http://a.example/x?a=/b", "http:/a.example/x?a=/b"] {
                    let Some(Access::Capture {
                        timestamp,
                        modifier: found,
                        url,
                    }) = asked(&format!("/demo/{digits}{text}/{url}"))
                    else {
                        panic!("{digits}{text}");
                    };
                    assert_eq!(timestamp, whole.parse().unwrap());
                    assert_eq!(found, modifier);
                    assert_eq!(url.canonical.unwrap().as_str(), "http://a.example/x?a=/b");
                }
            }
        }
    }

    #[test]
    fn other_paths_of_a_collection_are_told_apart() {
        let is_gate = |path: &str| matches!(asked(path), Some(Access::TimeGate(_)));
        assert!(is_gate("/demo/http://a.example/"));
        assert!(is_gate("/demo/timegate/http://a.example/"));
        assert!(is_gate("/demo/timegate/a.example"));
        assert!(is_gate("/demo/mp_/http://a.example/"));
        let map = asked("/demo/timemap/json/http://a.example/");
        assert!(matches!(map, Some(Access::TimeMap(Format::Json, _))));
        assert!(matches!(
            asked("/demo/*/http://a.example/"),
            Some(Access::Calendar(_))
        ));
        assert!(matches!(
            asked("/demo/2026/http://a.example/"),
            Some(Access::Shell(..))
        ));
        assert_eq!(asked("/demo/cdx?url=x"), Some(Access::Cdx));
        for own in [
            "/",
            "/view/demo/2026/http://a.example/",
            "/c/demo/",
            "/-/ui.css",
            "/go?url=x",
            "/demo",
            "/demo/",
            "/demo/x",
            "/demo/2026xx_/http://a.example/",
            "/Demo/2026id_/http://a/",
            "/demo/timemap/xml/http://a.example/",
            "/demo/9999999id_/http://a.example/",
        ] {
            assert_eq!(asked(own), None, "{own}");
        }
    }

    #[test]
    fn only_what_cannot_leave_its_directory_stays() {
        for stays in ["", "a/b.html", "./a", "#a/../b", "?a=../b", "a#http://x"] {
            assert!(Paths::stays(stays), "{stays}");
        }
        for leaves in [
            "/a",
            "../a",
            "a/../../b",
            "a/%2e%2e/b",
            "a/&#46;./b",
            "//a/b",
            "http://a/",
            "a\\b",
            " /a",
        ] {
            assert!(!Paths::stays(leaves), "{leaves}");
        }
    }
}
