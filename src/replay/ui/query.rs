//! What a request asks for, read once.

use super::problem::Problem;

/// A longer query is no search of a person, and no URL that was captured.
const MAX_QUERY_BYTES: usize = 64 * 1024;

/// Pages past this one aren't listed: each costs the reading of all before it.
const MAX_PAGE: u64 = 10_000;

/// The parameters of a request, decoded.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn parse(raw: Option<&str>) -> Result<Self, Problem> {
        let raw = raw.unwrap_or_default();
        if raw.len() > MAX_QUERY_BYTES {
            return Err(Problem::TooLong);
        }
        Ok(Self(
            url::form_urlencoded::parse(raw.as_bytes())
                .into_owned()
                .collect(),
        ))
    }

    /// A parameter without white space around it; empty where there is none.
    pub(super) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// A parameter as it was given.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    /// The number of the page of a list, from 1.
    pub(super) fn page(&self) -> u64 {
        self.text("page").parse().unwrap_or(1u64).clamp(1, MAX_PAGE)
    }
}

/// A stretch of a list, and the ways to the stretches beside it.
pub(super) struct Paging {
    /// This page, from 1.
    pub page: u64,
    /// Address of the page before.
    pub previous: Option<String>,
    /// Address of the page after.
    pub next: Option<String>,
    /// Whether the list goes on where its pages end.
    pub goes_on: bool,
}

impl Paging {
    /// `here` is the address of the list, with a `?` in it.
    pub(super) fn new(here: &str, page: u64, more: bool) -> Self {
        let at = |page: u64| format!("{here}&page={page}");
        Self {
            page,
            previous: (page > 1).then(|| at(page - 1)),
            next: (more && page < MAX_PAGE).then(|| at(page + 1)),
            goes_on: more && page == MAX_PAGE,
        }
    }

    /// Whether there is more than one page.
    pub(super) fn needed(&self) -> bool {
        self.previous.is_some() || self.next.is_some()
    }
}
