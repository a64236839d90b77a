//! What readers asked for and the archive doesn't have, counted by visit, so
//! that a page can say what it lacks. Kept in memory, and bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::time::Timestamp14;

/// So many visits are remembered; the least recently counted goes first.
const MAX_VISITS: usize = 64;
/// So many URLs of one visit are named; others are only counted.
const MAX_URLS: usize = 1_000;
/// A longer URL is cut in the list.
const MAX_URL_BYTES: usize = 2_048;

/// What is missing, by visit.
#[derive(Debug, Default)]
pub struct Missing {
    visits: Mutex<VecDeque<Visit>>,
}

#[derive(Debug)]
struct Visit {
    collection: String,
    timestamp: Timestamp14,
    missing: Tally,
    near: Tally,
}

/// URLs that were asked for, and how often.
#[derive(Debug, Default)]
struct Tally {
    total: u64,
    urls: Vec<MissingUrl>,
    more: bool,
}

/// A URL that could not be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingUrl {
    /// The archived URL.
    pub url: String,
    /// The archived URL of the page that asked for it, where it said so.
    pub referrer: Option<String>,
    /// How often it was asked for.
    pub count: u64,
    /// What for, as browsers name it in `Sec-Fetch-Dest`; `unknown` where
    /// they don't.
    pub kind: String,
    /// The near capture that answered in its place.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub near: Option<NearUrl>,
}

/// What answered in the place of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearUrl {
    /// The URL that was captured.
    pub captured: String,
    /// By which rules, with commas.
    pub rules: String,
}

/// A request, as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The archived URL.
    pub url: &'a str,
    /// The archived URL of the page that asks, where it says so.
    pub referrer: Option<&'a str>,
    /// What for.
    pub kind: &'a str,
}

/// What a visit lacks, as the interface asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MissingList {
    /// The collection's name.
    pub collection: String,
    /// The time of the reader.
    pub timestamp: String,
    /// Requests that found nothing, repeated ones too.
    pub total: u64,
    /// The URLs, in the order in which they were first asked for.
    pub urls: Vec<MissingUrl>,
    /// Whether there are more than are listed.
    pub more: bool,
    /// What was answered with near captures.
    pub near: NearList,
}

/// What of a visit was answered with near captures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearList {
    /// Requests, repeated ones too.
    pub total: u64,
    /// The URLs, in the order in which they were first asked for.
    pub urls: Vec<MissingUrl>,
    /// Whether there are more than are listed.
    pub more: bool,
}

impl Missing {
    /// Counts a request that found nothing.
    pub fn count(&self, collection: &str, timestamp: Timestamp14, told: Told<'_>) {
        self.add(collection, timestamp, |visit| {
            visit.missing.count(told, None);
        });
    }

    /// Counts a request that a near capture answered.
    pub fn count_near(
        &self,
        collection: &str,
        timestamp: Timestamp14,
        told: Told<'_>,
        near: NearUrl,
    ) {
        let captured = clip(&near.captured).to_owned();
        let near = NearUrl { captured, ..near };
        self.add(collection, timestamp, |visit| {
            visit.near.count(told, Some(near));
        });
    }

    fn add(&self, collection: &str, timestamp: Timestamp14, count: impl FnOnce(&mut Visit)) {
        let mut visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let known = visits
            .iter()
            .position(|v| v.collection == collection && v.timestamp == timestamp);
        let mut visit = known
            .and_then(|at| visits.remove(at))
            .unwrap_or_else(|| Visit {
                collection: collection.to_owned(),
                timestamp,
                missing: Tally::default(),
                near: Tally::default(),
            });
        count(&mut visit);
        while visits.len() >= MAX_VISITS {
            visits.pop_front();
        }
        visits.push_back(visit);
    }

    /// What a visit lacks; with `page`, what that page asked for.
    pub fn list(
        &self,
        collection: &str,
        timestamp: Timestamp14,
        page: Option<&str>,
    ) -> MissingList {
        let page = page.map(clip);
        let visits = self.visits.lock().unwrap_or_else(PoisonError::into_inner);
        let visit = visits
            .iter()
            .find(|v| v.collection == collection && v.timestamp == timestamp);
        let (missing, near) = visit.map_or_else(Default::default, |visit| {
            (visit.missing.listed(page), visit.near.listed(page))
        });
        MissingList {
            collection: collection.to_owned(),
            timestamp: timestamp.to_string(),
            total: missing.total,
            urls: missing.urls,
            more: missing.more,
            near: NearList {
                total: near.total,
                urls: near.urls,
                more: near.more,
            },
        }
    }
}

impl Tally {
    fn count(&mut self, told: Told<'_>, near: Option<NearUrl>) {
        let (url, referrer) = (clip(told.url), told.referrer.map(clip));
        self.total += 1;
        let same =
            |known: &&mut MissingUrl| known.url == url && known.referrer.as_deref() == referrer;
        if let Some(known) = self.urls.iter_mut().find(same) {
            known.count += 1;
        } else if self.urls.len() < MAX_URLS {
            self.urls.push(MissingUrl {
                url: url.to_owned(),
                referrer: referrer.map(str::to_owned),
                count: 1,
                kind: told.kind.chars().take(20).collect(),
                near,
            });
        } else {
            self.more = true;
        }
    }

    /// What of it a page asked for; all without a page.
    fn listed(&self, page: Option<&str>) -> Self {
        let of_page = |url: &&MissingUrl| page.is_none() || url.referrer.as_deref() == page;
        let urls: Vec<MissingUrl> = self.urls.iter().filter(of_page).cloned().collect();
        Self {
            total: match page {
                Some(_) => urls.iter().map(|url| url.count).sum(),
                None => self.total,
            },
            urls,
            more: self.more,
        }
    }
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_URL_BYTES)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn told<'a>(url: &'a str, referrer: Option<&'a str>) -> Told<'a> {
        Told {
            url,
            referrer,
            kind: "image",
        }
    }

    #[test]
    fn missing_urls_are_counted_by_visit_and_page() {
        let (missing, time) = (Missing::default(), "20260101000000".parse().unwrap());
        missing.count("a", time, told("http://x/1", Some("http://x/")));
        missing.count("a", time, told("http://x/1", Some("http://x/")));
        missing.count("a", time, told("http://x/2", None));
        let near = NearUrl {
            captured: "http://x/3?_=1".to_owned(),
            rules: "cache-buster".to_owned(),
        };
        missing.count_near("a", time, told("http://x/3?_=2", None), near);
        let list = missing.list("a", time, None);
        assert_eq!((list.total, list.urls.len(), list.urls[0].count), (3, 2, 2));
        assert_eq!((list.near.total, list.near.urls.len()), (1, 1));
        let of_page = missing.list("a", time, Some("http://x/"));
        assert_eq!((of_page.total, of_page.near.total), (2, 0));
        assert_eq!(missing.list("b", time, None).total, 0);
    }

    #[test]
    fn an_endless_site_does_not_fill_memory() {
        let missing = Missing::default();
        let time: Timestamp14 = "20260101000000".parse().unwrap();
        for n in 0..(MAX_URLS + 5) {
            missing.count("a", time, told(&format!("http://x/{n}"), None));
        }
        let list = missing.list("a", time, None);
        assert_eq!((list.urls.len(), list.more), (MAX_URLS, true));
        for n in 0..(MAX_VISITS + 5) {
            missing.count(&format!("c{n}"), time, told(&"é".repeat(5_000), None));
        }
        assert_eq!(missing.visits.lock().unwrap().len(), MAX_VISITS);
        assert_eq!(missing.list("a", time, None).total, 0);
    }
}
