//! The parameters of a query, checked.

use std::io;

use serde::Serialize;
use thiserror::Error;

use super::filter::{Collapse, Filter, field};
use crate::snapshot::index::{Index, Span};
use crate::time::Timestamp14;
use crate::url::Surt;

/// Lines that are sorted are held, so there are no more than this.
pub const MOST_SORTED: usize = 10_000;
/// Bytes of the index that count as one block: about as many lines as pywb has
/// in one (3,000).
const BLOCK: u64 = 768 * 1024;
/// Blocks of a page, where nothing else is asked for.
const BLOCKS: u64 = 10;
/// A longer query isn't read.
const MAX_BYTES: usize = 32 * 1024;
/// Filters and collapsing fields of one query.
const MAX_FILTERS: usize = 20;

/// Why a query isn't answered.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refused {
    /// No `url`.
    #[error("The \"url\" param is required")]
    NoUrl,
    /// A value that the parameter doesn't have.
    #[error("{0}={1}: expected {2}")]
    Value(&'static str, String, &'static str),
    /// More than is read.
    #[error("The query is too long or has too many filters")]
    TooMuch,
}

/// Which captures a URL stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MatchType {
    Exact,
    Prefix,
    Host,
    Domain,
}

/// In which order lines come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// As the index has them.
    Index,
    /// The other way round.
    Reverse,
    /// By distance from a time.
    Closest(Timestamp14),
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// As an index has them.
    Cdxj,
    /// A JSON object a line.
    Json,
    /// Values with spaces between.
    Text,
}

impl Output {
    /// The media type, as pywb names it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Cdxj => "text/x-cdxj",
            Self::Json => "text/x-ndjson",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

/// A query.
#[derive(Debug)]
pub struct Query {
    /// Starts of the lines that are looked at, in order.
    prefixes: Vec<String>,
    /// The first time of a line, as 14 digits, and the last.
    pub times: (String, String),
    /// Lines at most.
    pub limit: Option<usize>,
    /// Their order.
    pub sort: Sort,
    /// What a line must be like.
    pub filters: Vec<Filter>,
    /// Which of lines upon each other are one.
    pub collapse: Vec<Collapse>,
    /// The fields that are written; all where there are none.
    pub fields: Vec<String>,
    /// How they are.
    pub output: Output,
    /// Which page, from 0.
    page: Option<u64>,
    /// Blocks of a page.
    page_size: u64,
    /// Whether the number of pages is asked for.
    pub counts_pages: bool,
}

/// How many pages a query has.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Pages {
    /// Pages.
    #[serde(rename = "pages")]
    pub count: u64,
    /// Blocks of a page.
    #[serde(rename = "pageSize")]
    pub page_size: u64,
    /// Blocks in all.
    pub blocks: u64,
}

impl Query {
    /// Reads what follows the `?`.
    pub fn parse(query: &str) -> Result<Self, Refused> {
        if query.len() > MAX_BYTES {
            return Err(Refused::TooMuch);
        }
        let mut parsed = Self {
            prefixes: Vec::new(),
            times: (padded("", '0'), padded("", '9')),
            limit: None,
            sort: Sort::Index,
            filters: Vec::new(),
            collapse: Vec::new(),
            fields: Vec::new(),
            output: Output::Cdxj,
            page: None,
            page_size: BLOCKS,
            counts_pages: false,
        };
        let (mut url, mut kind) = (None, None);
        let (mut is_closest, mut closest) = (false, None);
        for (name, value) in ::url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "url" => url = Some(value.into_owned()),
                "matchType" => kind = Some(match_type(&value)?),
                "from" => parsed.times.0 = padded(digits("from", &value)?, '0'),
                "to" => parsed.times.1 = padded(digits("to", &value)?, '9'),
                "limit" => parsed.limit = Some(number("limit", &value)?),
                "closest" => closest = Some(time(&value)?),
                "sort" => match &*value {
                    "default" | "" => parsed.sort = Sort::Index,
                    "reverse" => parsed.sort = Sort::Reverse,
                    "closest" => is_closest = true,
                    _ => return Err(refused("sort", &value, "default, reverse or closest")),
                },
                "filter" => parsed.filters.push(Filter::parse(&value)?),
                "collapse" => parsed.collapse.push(Collapse::parse(&value)?),
                // As pywb names collapsing by digits of the timestamp.
                "collapseTime" => parsed
                    .collapse
                    .push(Collapse::parse(&format!("timestamp:{value}"))?),
                "fl" | "fields" => parsed.fields.extend(fields(&value)),
                "output" => parsed.output = output(&value)?,
                "page" => parsed.page = Some(number("page", &value)?),
                "pageSize" => parsed.page_size = number::<u64>("pageSize", &value)?.max(1),
                "showNumPages" => parsed.counts_pages = &*value == "true",
                _ => {}
            }
        }
        if parsed.filters.len().max(parsed.collapse.len()) > MAX_FILTERS {
            return Err(Refused::TooMuch);
        }
        match (closest, is_closest) {
            (Some(time), _) => parsed.sort = Sort::Closest(time),
            (None, true) => {
                return Err(refused("sort", "closest", "closest=TIMESTAMP beside it"));
            }
            (None, false) => {}
        }
        let url = url.filter(|url| !url.is_empty()).ok_or(Refused::NoUrl)?;
        parsed.prefixes = prefixes(&url, kind);
        Ok(parsed)
    }

    /// The parts of the index with the lines that may answer.
    pub fn parts(&self, index: &Index) -> io::Result<Vec<Span>> {
        let spans = self.spans(index)?;
        let Some(page) = self.page else {
            return Ok(spans);
        };
        let size = self.page_size.saturating_mul(BLOCK);
        let (mut from, mut left) = (page.saturating_mul(size), size);
        let mut parts = Vec::new();
        for span in spans {
            let length = span.len();
            if from >= length {
                from -= length;
                continue;
            }
            let taken = left.min(length - from);
            parts.push(index.cut(&span, from..from + taken)?);
            left -= taken;
            from = 0;
            if left == 0 {
                break;
            }
        }
        Ok(parts)
    }

    fn spans(&self, index: &Index) -> io::Result<Vec<Span>> {
        let spans = self.prefixes.iter().map(|prefix| index.span(prefix));
        let mut spans = spans.collect::<io::Result<Vec<_>>>()?;
        spans.retain(|span| !span.is_empty());
        Ok(spans)
    }

    /// How many pages it has.
    pub fn pages(&self, index: &Index) -> io::Result<Pages> {
        let bytes: u64 = self.spans(index)?.iter().map(Span::len).sum();
        let blocks = bytes.div_ceil(BLOCK);
        Ok(Pages {
            count: blocks.div_ceil(self.page_size),
            page_size: self.page_size,
            blocks,
        })
    }

    /// Lines at most.
    pub fn most(&self) -> usize {
        match self.sort {
            Sort::Index => self.limit.unwrap_or(usize::MAX),
            Sort::Reverse | Sort::Closest(_) => self.limit.unwrap_or(MOST_SORTED).min(MOST_SORTED),
        }
    }
}

fn refused(name: &'static str, value: &str, expected: &'static str) -> Refused {
    Refused::Value(name, value.chars().take(80).collect(), expected)
}

fn match_type(value: &str) -> Result<MatchType, Refused> {
    Ok(match value {
        "exact" => MatchType::Exact,
        "prefix" => MatchType::Prefix,
        "host" => MatchType::Host,
        "domain" => MatchType::Domain,
        _ => return Err(refused("matchType", value, "exact, prefix, host or domain")),
    })
}

fn output(value: &str) -> Result<Output, Refused> {
    Ok(match value {
        "cdxj" => Output::Cdxj,
        "json" => Output::Json,
        "text" => Output::Text,
        _ => return Err(refused("output", value, "cdxj, json or text")),
    })
}

fn number<N: std::str::FromStr>(name: &'static str, value: &str) -> Result<N, Refused> {
    let number = value.parse();
    number.map_err(|_| refused(name, value, "a number"))
}

fn digits<'v>(name: &'static str, value: &'v str) -> Result<&'v str, Refused> {
    let is_time = value.len() <= 14 && value.bytes().all(|b| b.is_ascii_digit());
    is_time.then_some(value).ok_or_else(|| {
        refused(
            name,
            value,
            "up to 14 digits of a timestamp, YYYYMMDDhhmmss",
        )
    })
}

fn time(value: &str) -> Result<Timestamp14, Refused> {
    let digits = digits("closest", value)?;
    let expected = "4 to 14 digits of a timestamp, YYYYMMDDhhmmss";
    Timestamp14::from_prefix(digits).map_err(|_| refused("closest", value, expected))
}

fn padded(digits: &str, with: char) -> String {
    let missing = 14_usize.saturating_sub(digits.len());
    digits
        .chars()
        .chain(std::iter::repeat_n(with, missing))
        .collect()
}

fn fields(list: &str) -> impl Iterator<Item = String> {
    let names = list
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.map(|name| field(name).to_owned())
}

/// Starts of the lines that a URL stands for. `*` at its end or start says how,
/// where `matchType` doesn't.
fn prefixes(url: &str, kind: Option<MatchType>) -> Vec<String> {
    let (url, kind) = match (kind, url.strip_suffix('*'), url.strip_prefix("*.")) {
        (Some(kind), _, _) => (url, kind),
        (None, Some(start), _) => (start, MatchType::Prefix),
        (None, None, Some(domain)) => (domain, MatchType::Domain),
        (None, None, None) => (url, MatchType::Exact),
    };
    let has_scheme = url.split_once(':').is_some_and(|(scheme, rest)| {
        rest.starts_with('/') || matches!(scheme, "urn" | "dns" | "data" | "mailto")
    });
    let url = if has_scheme {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let key = Surt::of(&url);
    let key = key.as_str();
    match kind {
        MatchType::Exact => vec![format!("{key} ")],
        MatchType::Prefix => {
            let mut key = key.to_owned();
            // A key has no slash at its end, and no empty query; a prefix does.
            for end in ['/', '?'] {
                if url.ends_with(end) && !key.ends_with(end) {
                    key.push(end);
                }
            }
            vec![key]
        }
        MatchType::Host => vec![host_key(key).map_or_else(|| key.to_owned(), |k| format!("{k})/"))],
        MatchType::Domain => {
            let Some(host) = host_key(key) else {
                return vec![key.to_owned()];
            };
            let host = host.split_once(':').map_or(host, |(host, _)| host);
            // In the order of the index: its own pages, those of names below
            // it, those of its other ports.
            [")", ",", ":"].map(|next| format!("{host}{next}")).into()
        }
    }
}

/// The key up to the parenthesis; `None` for what has no host.
fn host_key(key: &str) -> Option<&str> {
    key.split_once(")/").map(|(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_stands_for_lines_by_its_star_or_its_match_type() {
        let of = |url: &str, kind: Option<MatchType>| prefixes(url, kind);
        assert_eq!(of("http://www.A.example/x/", None), ["example,a)/x "]);
        assert_eq!(of("a.example/x/*", None), ["example,a)/x/"]);
        assert_eq!(of("http://a.example/x*", None), ["example,a)/x"]);
        assert_eq!(of("http://a.example/*", None), ["example,a)/"]);
        let domain = ["example,a)", "example,a,", "example,a:"];
        assert_eq!(of("*.a.example", None), domain);
        assert_eq!(
            of("http://a.example:8080/x", Some(MatchType::Domain)),
            domain
        );
        let host = of("a.example/x", Some(MatchType::Host));
        assert_eq!(host, ["example,a)/"]);
        let host = of("http://a.example:8080/x", Some(MatchType::Host));
        assert_eq!(host, ["example,a:8080)/"]);
        assert_eq!(of("urn:x:y", None), ["urn:x:y "]);
    }
}
