//! What is captured: `[crawl]`, `[traps]` and `[budget]`.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Limit, Size, Span};

/// `[crawl]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crawl {
    /// What belongs to the site.
    pub scope: ScopeKind,
    /// Regular expressions on whole URLs, or SURT prefixes, that are always in
    /// scope.
    pub include: Vec<String>,
    /// Likewise, that never are.
    pub exclude: Vec<String>,
    /// SURT prefixes as in Heritrix's files: `+` includes, `-` excludes.
    pub surts: Vec<String>,
    /// Links from a seed at most.
    pub depth: Limit<u32>,
    /// Links beyond the scope at most.
    pub extra_hops: u32,
    /// Take page requisites from any host.
    pub requisites: bool,
    /// URLs of sitemaps whose pages are seeds, or `auto`.
    pub sitemaps: Vec<String>,
    /// Captured URLs at most.
    pub max_urls: Limit<u64>,
    /// Time at most.
    pub time_limit: Limit<Span>,
}

impl Crawl {
    /// Whether the sitemaps that hosts tell of are looked for, and what they
    /// list are seeds.
    pub fn wants_sitemaps(&self) -> bool {
        self.sitemaps.iter().any(|sitemap| sitemap == AUTO)
    }

    /// The sitemaps that are named.
    pub fn named_sitemaps(&self) -> impl Iterator<Item = &str> {
        let named = self.sitemaps.iter().filter(|sitemap| *sitemap != AUTO);
        named.map(String::as_str)
    }
}

/// The word for sitemaps that nobody has to name.
const AUTO: &str = "auto";

/// `crawl.scope`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeKind {
    /// The seeds themselves.
    Page,
    /// Every URL below the seeds' directories.
    Prefix,
    /// Every URL of the seeds' hosts.
    Host,
    /// Every URL of the seeds' registrable domains.
    Domain,
    /// Every URL.
    Any,
    /// Only what `include` and `surts` name.
    Custom,
}

impl FromStr for ScopeKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "page" => Self::Page,
            "prefix" => Self::Prefix,
            "host" => Self::Host,
            "domain" => Self::Domain,
            "any" => Self::Any,
            "custom" => Self::Custom,
            _ => return Err("page, prefix, host, domain, any or custom is expected".into()),
        })
    }
}

/// `[traps]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traps {
    /// Pages of one shape in a row that led to nothing else.
    pub barren: u32,
    /// URLs of one sequence that such pages lead on to.
    pub barren_pages: u32,
    /// Repetitions of one path segment, or of several in order.
    pub repeated_segments: u32,
    /// Segments of a path.
    pub path_segments: u32,
    /// Pages below each other that say and name the same.
    pub nested: u32,
    /// Such pages in all, on one host.
    pub nested_pages: u32,
    /// Dates later than so far from now are far.
    pub future: Span,
    /// URLs of one host's calendars with a far date.
    pub far_dates: u32,
    /// URLs of one calendar.
    pub dates: u32,
    /// Parameters that hold session ids whatever they look like.
    pub session_ids: Vec<String>,
    /// Parameters that do where they look like one.
    pub random_ids: Vec<String>,
    /// Further URLs that differ only in their session ids.
    pub sessions: u32,
    /// URLs of one page that pages under such ids lead on to, each by one
    /// new id.
    pub endless_ids: u32,
    /// Further URLs that differ only in the order of their parameters.
    pub permutations: u32,
    /// Different sets of parameter names on one path.
    pub facets: u32,
    /// How often a URL is asked for again that a redirect with a cookie leads
    /// back to.
    pub cookie_loops: u32,
    /// Parameters that act on a page or track its reader, with how many such
    /// URLs of a page are taken.
    pub parameters: BTreeMap<String, u32>,
    /// Parameters that make another view of a page where their value is one of
    /// `view_values`, with how many such views of a page are taken.
    pub views: BTreeMap<String, u32>,
    /// Words of which the values of `views` are made.
    pub view_values: BTreeSet<String>,
}

/// `[budget]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// URLs of one host.
    pub host_urls: Limit<u64>,
    /// Bytes from one host.
    pub host_bytes: Limit<Size>,
    /// Queries of one path.
    pub path_queries: Limit<u64>,
}
