//! Near captures: of a URL that was never captured as it is asked for, one that
//! differs only in what says nothing of the document. The rules are few, what they
//! ignore must look like what they are about, and each use is told to the reader.
//!
//! | rule | ignored |
//! | --- | --- |
//! | `cache-buster` | `_`, `cb`, `rand` and the like with a number, `ts` with a Unix time |
//! | `version` | `v`, `ver` or a bare number, of scripts, styles, fonts and images alone |
//! | `callback` | `callback`, `jsonp`: the name at the start of the body is replaced |
//! | `session` | `PHPSESSID`, `;jsessionid=`, a long `sid` and the like |
//! | `campaign` | `utm_…`, `fbclid`, `gclid` and the like |

use std::ops::Range;

use super::content::{Capture, Coding};
use super::resolve;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Lines of the index that one request reads for near captures.
const MAX_LINES: usize = 1_000;
/// A longer name of a function isn't put into a body.
const MAX_NAME: usize = 128;
/// Where the name of the function must stand, in bytes from the start of the body.
pub const JSONP_START: usize = 2 * MAX_NAME + 64;

/// Why a part of a URL is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A number that keeps caches from answering.
    CacheBuster,
    /// The version of a script, style, font or image.
    Version,
    /// The function that a JSONP body calls.
    Callback,
    /// A visitor's session.
    Session,
    /// By which advertisement or letter a visitor came.
    Campaign,
}

impl Rule {
    /// As the header field and the banner name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheBuster => "cache-buster",
            Self::Version => "version",
            Self::Callback => "callback",
            Self::Session => "session",
            Self::Campaign => "campaign",
        }
    }

    /// The rule that ignores a field of a query; `value` is `None` for one without `=`.
    fn of(name: &str, value: Option<&str>, is_asset: bool) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let Some(value) = value else {
            // `style.css?1612345678`.
            return (is_asset && name.len() >= 8 && is_digits(&name)).then_some(Self::Version);
        };
        let is_number = || is_digits(&value.replacen('.', "", 1));
        let is_id = |least: usize| {
            let is_letter =
                |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'!');
            value.len() >= least && value.bytes().all(is_letter)
        };
        match &*name {
            "_" if is_digits(value) => Some(Self::CacheBuster),
            "cb" | "_cb" | "cachebuster" | "cache_buster" | "cachebust" | "nocache"
            | "no_cache" | "rand" | "random" | "rnd" | "_rnd" | "_dc"
                if is_number() =>
            {
                Some(Self::CacheBuster)
            }
            // Seconds or milliseconds since 1970; a date in words may be the question.
            "ts" | "_ts" | "timestamp" | "_t"
                if is_digits(value) && matches!(value.len(), 10 | 13) =>
            {
                Some(Self::CacheBuster)
            }
            "v" | "ver" if is_asset && !value.is_empty() => Some(Self::Version),
            "callback" | "_callback" | "jsonp" | "jsonpcallback" | "jsoncallback"
                if is_function(value) =>
            {
                Some(Self::Callback)
            }
            "phpsessid" | "jsessionid" | "cfid" | "cftoken" if is_id(1) => Some(Self::Session),
            // A short one may name a story or a section.
            "sid" | "sessionid" | "session_id" if is_id(16) && is_made(value) => {
                Some(Self::Session)
            }
            name if name.starts_with("aspsessionid") && is_id(1) => Some(Self::Session),
            "fbclid" | "gclid" | "dclid" | "gbraid" | "wbraid" | "msclkid" | "yclid" | "igshid"
            | "mc_cid" | "mc_eid" | "_ga" | "_gl" => Some(Self::Campaign),
            name if name.starts_with("utm_") => Some(Self::Campaign),
            _ => None,
        }
    }
}

/// Whether a value was made by a machine: hexadecimal, or letters with digits, and no
/// words with hyphens between.
fn is_made(value: &str) -> bool {
    let is_hex = value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    is_hex || !value.contains('-') && value.bytes().any(|b| b.is_ascii_digit())
}

/// A path of identifiers, as JSONP libraries name functions: `jQuery1_2`, `a.b`.
fn is_function(name: &str) -> bool {
    let is_identifier = |part: &str| {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$');
        !part.is_empty()
            && part.bytes().all(is_letter)
            && !part.starts_with(|c: char| c.is_ascii_digit())
    };
    name.len() <= MAX_NAME && name.split('.').all(is_identifier)
}

/// A URL taken apart into what says which document it is, and what doesn't.
#[derive(Debug, PartialEq, Eq)]
struct Loosened {
    /// The URL without what is ignored.
    url: CanonicalUrl,
    /// Its path, and the fields of its query in order of text.
    path: String,
    fields: Vec<String>,
    /// What is ignored, with its rule.
    ignored: Vec<(Rule, String)>,
    /// The function that a body calls.
    callback: Option<String>,
}

const IN_PATH: &str = ";jsessionid=";

impl Loosened {
    fn of(url: &CanonicalUrl) -> Option<Self> {
        let mut plain = url.url().clone();
        let (mut ignored, mut callback) = (Vec::new(), None);
        let lower = plain.path().to_ascii_lowercase();
        if let Some(start) = lower.find(IN_PATH) {
            let end = lower[start..]
                .find('/')
                .map_or(lower.len(), |at| start + at);
            let mut path = plain.path().to_owned();
            ignored.push((Rule::Session, path[start..end].to_owned()));
            path.replace_range(start..end, "");
            plain.set_path(&path);
        }
        let path = plain.path().to_owned();
        let is_asset = is_asset(&path);
        let mut kept = Vec::new();
        for field in plain.query().into_iter().flat_map(|query| query.split('&')) {
            match rule_of(field, is_asset) {
                // A second function would make it unclear which one is called.
                Some(Rule::Callback) if callback.is_some() => return None,
                Some(rule) => {
                    if rule == Rule::Callback {
                        callback = field.split_once('=').map(|(_, name)| name.to_owned());
                    }
                    ignored.push((rule, field.to_owned()));
                }
                None => kept.push(field.to_owned()),
            }
        }
        let query = kept.join("&");
        plain.set_query((!query.is_empty()).then_some(&query));
        kept.retain(|field| !field.is_empty());
        kept.sort();
        ignored.sort();
        Some(Self {
            url: CanonicalUrl::of(plain).ok()?,
            path,
            fields: kept,
            ignored,
            callback,
        })
    }

    /// Whether what isn't ignored is the same, but for scheme and `www`.
    fn is_like(&self, other: &Self) -> bool {
        self.path == other.path
            && self.fields == other.fields
            && self.url.surt() == other.url.surt()
    }

    /// The rules by which two URLs that are alike differ.
    fn rules(&self, other: &Self) -> Vec<Rule> {
        let only = |one: &Self, other: &Self| -> Vec<Rule> {
            let missing = one
                .ignored
                .iter()
                .filter(|each| !other.ignored.contains(each));
            missing.map(|(rule, _)| *rule).collect()
        };
        let mut rules = only(self, other);
        rules.extend(only(other, self));
        rules.sort();
        rules.dedup();
        rules
    }
}

/// Whether a path names what pages are made of, and no page.
fn is_asset(path: &str) -> bool {
    const KINDS: &[&str] = &[
        "js", "mjs", "css", "woff", "woff2", "ttf", "otf", "eot", "png", "jpg", "jpeg", "gif",
        "svg", "webp", "avif", "ico", "map",
    ];
    let kind = path
        .rsplit_once('.')
        .map(|(_, kind)| kind.to_ascii_lowercase());
    kind.is_some_and(|kind| KINDS.contains(&&*kind))
}

/// How a near capture answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Near {
    /// The URL that was captured.
    pub url: CanonicalUrl,
    /// By which rules it stands for the one that is asked for.
    pub rules: Vec<Rule>,
    /// The function that the body calls, and the one that it is to call.
    pub callback: Option<(String, String)>,
}

impl Near {
    /// The rules by name, with commas.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.rules.iter().map(|rule| rule.name()).collect();
        names.join(", ")
    }

    /// Whether a capture is what may be expected for `dest` (`Sec-Fetch-Dest`, empty
    /// where it isn't known): a page of a site's errors, say, is no script. Of JSONP
    /// the body must begin with the call.
    pub fn fits(
        &self,
        dest: &str,
        capture: &Capture,
        start: impl FnOnce(&Capture) -> Result<Vec<u8>, SnapshotError>,
    ) -> Result<bool, SnapshotError> {
        let kind = capture.media_type().unwrap_or_default();
        let is_code = kind.contains("javascript") || kind.contains("ecmascript");
        let is_font = kind.starts_with("font/") || kind.contains("font-") || kind.contains("octet");
        let is_image = kind.starts_with("image/");
        let fits_dest = match dest {
            "script" | "worker" | "sharedworker" => is_code || kind.contains("json"),
            "style" => kind == "text/css",
            "image" => is_image,
            "font" => is_font,
            "audio" | "video" => {
                ["audio/", "video/"]
                    .iter()
                    .any(|main| kind.starts_with(main))
                    || kind.contains("octet")
            }
            _ => true,
        };
        let is_asset = is_code || is_image || is_font || kind == "text/css";
        if !matches!(capture.status(), 200..=299)
            || !fits_dest
            || self.rules.contains(&Rule::Version) && !is_asset
        {
            return Ok(false);
        }
        if !self.rules.contains(&Rule::Callback) {
            return Ok(true);
        }
        let Some((captured, _)) = &self.callback else {
            return Ok(false);
        };
        let is_called = matches!(dest, "script" | "") && (is_code || kind.contains("json"));
        Ok(is_called && !calls(&start(capture)?, captured).is_empty())
    }

    /// The start of a body with the function's name replaced; as it is where there is
    /// none to replace.
    pub fn renamed(&self, first: Vec<u8>) -> Vec<u8> {
        let Some((captured, asked)) = &self.callback else {
            return first;
        };
        let mut renamed = first;
        for place in calls(&renamed.clone(), captured).into_iter().rev() {
            renamed.splice(place, asked.bytes());
        }
        renamed
    }
}

/// Where a body of JSONP names its function: `name(`, or, as Express writes,
/// `typeof name === 'function' && name(`, each perhaps behind `/**/`. Nowhere, where it
/// begins otherwise.
fn calls(body: &[u8], name: &str) -> Vec<Range<usize>> {
    let mut at = 0;
    let skip = |at: &mut usize, what: &[u8]| {
        let is_there = body[*at..].starts_with(what);
        *at += if is_there { what.len() } else { 0 };
        is_there
    };
    let white = |at: &mut usize| {
        *at += body[*at..]
            .iter()
            .take_while(|b| b.is_ascii_whitespace())
            .count();
    };
    let mut found = Vec::new();
    let named = |at: &mut usize, found: &mut Vec<Range<usize>>| {
        let start = *at;
        let is_there = skip(at, name.as_bytes());
        if is_there {
            found.push(start..*at);
        }
        is_there
    };
    skip(&mut at, b"\xef\xbb\xbf");
    white(&mut at);
    skip(&mut at, b"/**/");
    white(&mut at);
    if skip(&mut at, b"typeof ") {
        let is_test = named(&mut at, &mut found)
            && (skip(&mut at, b" === 'function' && ") || skip(&mut at, b"==='function'&&"));
        if !is_test {
            return Vec::new();
        }
    }
    let is_call = named(&mut at, &mut found) && {
        white(&mut at);
        skip(&mut at, b"(")
    };
    if is_call { found } else { Vec::new() }
}

/// The near captures of a URL, best first: of its own scheme and host, then by
/// distance in time. Reads at most [`MAX_LINES`] lines of the index.
pub fn candidates(
    collection: &Collection,
    url: &CanonicalUrl,
    at: Timestamp14,
) -> Result<Vec<(CdxjEntry, Near)>, SnapshotError> {
    let Some(asked) = Loosened::of(url) else {
        return Ok(Vec::new());
    };
    let failed = || SnapshotError::io(&collection.path, "reading the index");
    let mut found: Vec<(CdxjEntry, Near)> = Vec::new();
    let mut left = MAX_LINES;
    let key = PlainKey::of(&asked);
    for prefix in places(&asked, url) {
        for line in collection.index().lines(&prefix).map_err(failed())? {
            if left == 0 {
                break;
            }
            left -= 1;
            let line = line.map_err(failed())?;
            let Some(entry) = Some(line)
                .filter(|line| key.may_be_near(line))
                .and_then(|line| collection.entry(&line))
            else {
                continue;
            };
            // What was answered to a body has a key of its own.
            let Ok(captured) = CanonicalUrl::parse(&entry.url) else {
                continue;
            };
            if captured.surt() != entry.surt || found.iter().any(|(known, _)| *known == entry) {
                continue;
            }
            let Some(other) = Loosened::of(&captured).filter(|other| other.is_like(&asked)) else {
                continue;
            };
            let rules = asked.rules(&other);
            let callback = other.callback.zip(asked.callback.clone());
            let near = Near {
                url: captured,
                callback: callback.filter(|_| rules.contains(&Rule::Callback)),
                rules,
            };
            if !near.rules.is_empty() {
                found.push((entry, near));
            }
        }
    }
    found.sort_by_cached_key(|(entry, near)| {
        let is_other_origin = near.url.host_key() != url.host_key();
        let (is_marked, is_partial, _) = resolve::rank(entry, url);
        (
            is_marked,
            is_partial,
            is_other_origin,
            entry.timestamp.distance(at),
        )
    });
    Ok(found)
}

/// The key of a URL without what is ignored, by which most lines are told apart
/// without being parsed.
struct PlainKey {
    fields: Vec<String>,
    is_asset: bool,
}

impl PlainKey {
    fn of(asked: &Loosened) -> Self {
        let key = asked.url.surt();
        let query = key.as_str().split_once('?').map_or("", |(_, query)| query);
        let fields = query.split('&').filter(|field| !field.is_empty());
        Self {
            fields: fields.map(str::to_owned).collect(),
            is_asset: is_asset(&asked.path),
        }
    }

    /// Whether the key of a line has all the fields, and others only that may be
    /// ignored.
    fn may_be_near(&self, line: &str) -> bool {
        let key = line.split(' ').next().unwrap_or_default();
        let query = key.split_once('?').map_or("", |(_, query)| query);
        let mut missing = self.fields.len();
        for field in query.split('&').filter(|field| !field.is_empty()) {
            if self.fields.iter().any(|own| own == field) {
                missing = missing.saturating_sub(1);
            } else if rule_of(field, self.is_asset).is_none() {
                return false;
            }
        }
        missing == 0
    }
}

/// The rule that ignores a field of a query.
fn rule_of(field: &str, is_asset: bool) -> Option<Rule> {
    match field.split_once('=') {
        Some((name, value)) => Rule::of(name, Some(value), is_asset),
        None => Rule::of(field, None, is_asset),
    }
}

/// Whether the URL without what is ignored is withheld.
pub fn is_denied(collection: &Collection, url: &CanonicalUrl) -> bool {
    Loosened::of(url).is_some_and(|plain| collection.denies(plain.url.as_str()))
}

/// Starts of the index lines among which near captures are, those that are read for
/// fewest lines first: without what is ignored, then with the same fields as asked
/// for, then with any.
fn places(asked: &Loosened, url: &CanonicalUrl) -> Vec<String> {
    let plain = asked.url.surt();
    let mut places = Vec::new();
    if !asked.ignored.is_empty() {
        places.push(format!("{} ", plain.as_str()));
    }
    let key = url.surt();
    let is_asset = is_asset(&asked.path);
    if let Some((path, query)) = key.as_str().split_once('?') {
        let mut start = format!("{path}?");
        for field in query.split('&') {
            if rule_of(field, is_asset).is_some() {
                // A bare number has nothing in common with another.
                if let Some((name, _)) = field.split_once('=') {
                    places.push(format!("{start}{name}="));
                }
                break;
            }
            start = format!("{start}{field}&");
        }
    }
    let path = match plain.as_str().split_once('?') {
        Some((path, _)) => path,
        None => plain.as_str(),
    };
    if is_session_page(asked) {
        places.push(format!("{path}{IN_PATH}"));
    }
    places.push(format!("{path}?"));
    places
}

/// Whether the path had a session in it.
fn is_session_page(asked: &Loosened) -> bool {
    let in_path = |(_, text): &(Rule, String)| text.starts_with(';');
    asked.ignored.iter().any(in_path)
}

/// The first bytes of a capture's body, content codings removed; none where they
/// can't be.
pub fn decoded_start(coding: &Coding, entity: &mut dyn std::io::BufRead) -> Vec<u8> {
    use std::io::Read;
    let mut first = Vec::new();
    if let Some(decoded) = coding.decoded(entity) {
        // What fails here isn't recognised, and so not used.
        let _ = decoded.take(JSONP_START as u64).read_to_end(&mut first);
    }
    first
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(url: &str) -> Loosened {
        Loosened::of(&CanonicalUrl::parse(url).unwrap()).unwrap()
    }

    fn rules(one: &str, other: &str) -> Option<String> {
        let (one, other) = (of(one), of(other));
        one.is_like(&other).then(|| {
            let names: Vec<&str> = one.rules(&other).into_iter().map(Rule::name).collect();
            names.join(",")
        })
    }

    #[test]
    fn urls_are_alike_where_they_differ_in_what_says_nothing() {
        let a = "http://a.example/x";
        for (one, other, by) in [
            ("?_=1&id=5", "?id=5&_=22", "cache-buster"),
            ("?id=5", "?id=5&cb=0.123", "cache-buster"),
            ("?ts=1612345678", "?ts=1712345678901", "cache-buster"),
            ("?callback=a.b_1&q=1", "?callback=jQuery9_8&q=1", "callback"),
            (
                "?callback=a&_=1&q",
                "?callback=b&_=2&q",
                "cache-buster,callback",
            ),
            ("?callback=a&_=1&q", "?callback=a&_=2&q", "cache-buster"),
            ("?utm_source=x&fbclid=y", "", "campaign"),
            ("?PHPSESSID=abc&p=1", "?p=1", "session"),
            (";jsessionid=1A?p=1", ";JSESSIONID=2b.node1?p=1", "session"),
            ("/s.css?v=1.2", "/s.css?v=9", "version"),
            ("/s.js?1612345678", "/s.js?1712345678", "version"),
        ] {
            let found = rules(&format!("{a}{one}"), &format!("{a}{other}"));
            assert_eq!(found.as_deref(), Some(by), "{one} {other}");
        }
        let scheme = rules("https://www.a.example/?_=1", "http://a.example/?_=2");
        assert_eq!(scheme.as_deref(), Some("cache-buster"));
    }

    #[test]
    fn urls_of_other_documents_are_not_alike() {
        let a = "http://a.example/x";
        for (one, other) in [
            ("?_=1&id=5", "?_=1&id=6"),
            ("?_=1&id=aB", "?_=1&id=Ab"),
            ("?v=1", "?v=2"),
            ("?ver=1", ""),
            ("?_=next", "?_=previous"),
            ("?ts=monday", "?ts=tuesday"),
            ("?ts=20260101", "?ts=20260102"),
            ("?t=120", "?t=240"),
            ("?sid=12", "?sid=13"),
            (
                "?session_id=Closing-Keynote-Day2",
                "?session_id=Opening-Keynote-Day1",
            ),
            (
                "?callback=https%3A%2F%2Fb.example",
                "?callback=https%3A%2F%2Fc.example",
            ),
            ("?callback=a(b)", "?callback=c"),
            ("?rand=a", "?rand=b"),
            ("?1612345678", "?1712345678"),
            ("?_=1", "/y?_=1"),
            ("?utm=1", "?utm=2"),
        ] {
            assert_eq!(
                rules(&format!("{a}{one}"), &format!("{a}{other}")),
                None,
                "{one} {other}"
            );
        }
        let twice = CanonicalUrl::parse("http://a.example/?callback=a&jsonp=b").unwrap();
        assert_eq!(Loosened::of(&twice), None);
    }

    #[test]
    fn only_a_body_that_begins_with_the_call_is_renamed() {
        let near = Near {
            url: CanonicalUrl::parse("http://a.example/").unwrap(),
            rules: vec![Rule::Callback],
            callback: Some(("cb1".to_owned(), "window.other".to_owned())),
        };
        for (body, renamed) in [
            ("cb1({})", "window.other({})"),
            (
                "\u{feff} /**/ cb1 ([\"cb1(\"])",
                "\u{feff} /**/ window.other ([\"cb1(\"])",
            ),
            (
                "/**/ typeof cb1 === 'function' && cb1(1);",
                "/**/ typeof window.other === 'function' && window.other(1);",
            ),
        ] {
            let found = near.renamed(body.as_bytes().to_vec());
            assert_eq!(String::from_utf8(found).unwrap(), renamed);
        }
        for body in [
            "",
            "cb",
            "cb1",
            "cb12({})",
            "{\"cb1\": 1}",
            "cb2({})",
            "typeof cb1 == 1",
        ] {
            assert!(calls(body.as_bytes(), "cb1").is_empty(), "{body}");
        }
    }
}
