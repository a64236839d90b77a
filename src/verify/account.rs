//! The account of a crawl: what became of every URL that it discovered, as the
//! ledger tells it, with what is missing by reason and by the page that names
//! it, the hosts that gave trouble, and how much of what sitemaps list is there.
//! Memory is bounded: of each list the largest entries are kept, and the rest
//! are counted.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};

use super::closure::Closed;
use super::finding::clip;
use crate::count::{Kept, counted, grouped};
use crate::snapshot::ledger::{ASKED_TO_WAIT, LedgerRow, State};
use crate::snapshot::manifest::Counts;
use crate::snapshot::scratch::LineSorter;
use crate::url::CanonicalUrl;

/// URLs that are named of each page.
const URLS_OF_PAGE: usize = 5;
/// Reasons that are told apart.
const REASONS: usize = 10_000;
/// Those of one host.
const REASONS_OF_HOST: usize = 20;

/// What the ledger says became of all URLs.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Account {
    /// URLs by state.
    pub counts: Counts,
    /// Why URLs are excluded, failed or unreached.
    pub reasons: Kept<Reason>,
    /// Pages that name URLs which failed or weren't reached.
    pub pages: Kept<Page>,
    /// Hosts of URLs that failed, and those that asked to be left alone until the
    /// crawl gave up.
    pub hosts: Kept<Host>,
    /// What sitemaps list, where stored answers were scanned.
    pub sitemaps: Option<Coverage>,
    /// What stored answers name, where they were scanned.
    pub links: Option<Closed>,
}

/// Why URLs have no capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Their state.
    pub state: &'static str,
    /// As the ledger says it.
    pub reason: String,
    /// How many.
    pub urls: u64,
}

/// A page that named URLs first which have no capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Its URL; empty for seeds and for robots.txt.
    pub page: String,
    /// How many.
    pub urls: u64,
    /// The first of them.
    pub some: Vec<String>,
}

/// A host that failed to answer, or asked for longer to be left alone than the crawl waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Scheme, name and port.
    pub host: String,
    /// URLs of it that failed or were left.
    pub urls: u64,
    /// Why, with how many; the most frequent first.
    pub reasons: Vec<(String, u64)>,
}

/// What became of the URLs that sitemaps list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// All of them, each once.
    pub listed: u64,
    /// Those that were captured with a status below 400.
    pub captured: u64,
    /// The others by what became of them: `error status`, a state of the ledger,
    /// or `no row`.
    pub others: BTreeMap<String, u64>,
}

impl Coverage {
    /// Adds a URL by its state and HTTP status in the ledger, if it has a row.
    pub(super) fn add(&mut self, row: Option<(String, Option<u16>)>) {
        self.listed += 1;
        let (state, status) = row.unwrap_or_else(|| ("no row".to_owned(), None));
        let is_there = [State::Captured, State::Unchanged].map(State::as_str);
        let what = match status {
            _ if !is_there.contains(&state.as_str()) => state,
            Some(400..) => "error status".to_owned(),
            _ => {
                self.captured += 1;
                return;
            }
        };
        *self.others.entry(what).or_default() += 1;
    }
}

impl Account {
    /// Whether each URL that stored answers name has its row; `None` where that
    /// wasn't looked at.
    pub fn is_closed(&self) -> Option<bool> {
        self.links.map(|links| links.without_row == 0)
    }

    /// The sentence that an archivist can sign. It says no more than was looked
    /// at.
    pub fn sentence(&self) -> String {
        let counts = &self.counts;
        let states = [
            (counts.captured, "captured"),
            (counts.unchanged, "unchanged"),
            (counts.excluded, "excluded"),
            (counts.failed, "failed"),
            (counts.unreached, "unreached"),
        ];
        let states = states.map(|(urls, state)| format!("{} {state}", grouped(urls)));
        let accounted = match self.is_closed() {
            Some(true) => "each is accounted for",
            Some(false) => "NOT all that was found is accounted for",
            None => "each has its row",
        };
        let told = format!(
            "{} discovered; {accounted}: {}",
            counted(counts.discovered, "URL"),
            states.join(", ")
        );
        let Some(links) = &self.links else {
            return format!("{told}. Whether captured pages name others was not checked.");
        };
        let answers = counted(links.answers, "answer");
        let named = counted(links.named, "URL");
        let closed = if links.without_row == 0 {
            format!("each of the {named} that {answers} in the archive name has its row")
        } else {
            format!(
                "of the {named} that {answers} in the archive name, {} no row",
                match links.without_row {
                    1 => "1 has".to_owned(),
                    many => format!("{} have", grouped(many)),
                }
            )
        };
        let unread = match links.unread {
            0 => String::new(),
            unread => format!(
                "; {} could not be looked into, as the payload or the exchange isn't whole here",
                counted(unread, "answer")
            ),
        };
        format!("{told}; {closed}{unread}.")
    }
}

/// A URL that failed or wasn't reached.
#[derive(Deserialize)]
pub(super) struct Missing {
    /// The page that named it first.
    pub via: String,
    pub url: String,
    pub state: String,
    pub reason: String,
    /// Which of the rows it is: lines that are equal would be one.
    _row: u64,
}

/// An account while the rows of the ledger go by, in their order.
#[derive(Default)]
pub(super) struct Accounting {
    account: Account,
    reasons: BTreeMap<(State, String), u64>,
    /// The host whose URLs go by.
    host: Option<Host>,
    /// Page and URL of what is missing.
    missing: LineSorter,
}

impl Accounting {
    pub(super) fn row(&mut self, row: &LedgerRow) -> io::Result<()> {
        self.account.counts.add(row.state);
        if matches!(row.state, State::Captured | State::Unchanged) {
            return Ok(());
        }
        let reason = clip(&row.reason);
        let key = (row.state, reason.clone());
        if self.reasons.len() < REASONS || self.reasons.contains_key(&key) {
            *self.reasons.entry(key).or_default() += 1;
        } else {
            *self.reasons.entry((row.state, "other".into())).or_default() += 1;
        }
        if row.state == State::Excluded {
            return Ok(());
        }
        if row.state == State::Failed || row.reason == ASKED_TO_WAIT {
            self.trouble(&row.url, reason);
        }
        let state = row.state.as_str();
        let number = self.account.counts.discovered;
        let missing = (&row.via, &row.url, state, &row.reason, number);
        let line = serde_json::to_vec(&missing).expect("strings are JSON");
        self.missing.add(&line)
    }

    /// Rows are sorted by URL, so those of a host stand together.
    fn trouble(&mut self, url: &str, reason: String) {
        let host = CanonicalUrl::parse(url).map(|url| url.host_key().to_string());
        let host = host.unwrap_or_else(|_| clip(url));
        if self.host.as_ref().is_none_or(|known| known.host != host) {
            self.leave_host();
            let (urls, reasons) = (0, Vec::new());
            self.host = Some(Host {
                host,
                urls,
                reasons,
            });
        }
        let known = self.host.as_mut().expect("it was just made sure of");
        known.urls += 1;
        let reasons = &mut known.reasons;
        match reasons.iter().position(|(of, _)| *of == reason) {
            Some(at) => reasons[at].1 += 1,
            None if reasons.len() < REASONS_OF_HOST => reasons.push((reason, 1)),
            None => {}
        }
    }

    fn leave_host(&mut self) {
        if let Some(mut host) = self.host.take() {
            host.reasons.sort_by_key(|&(_, urls)| Reverse(urls));
            self.account.hosts.add(host, |host| host.urls);
        }
    }

    /// The account; `list` takes what is missing, sorted by page and URL.
    pub(super) fn finish(
        mut self,
        mut list: impl FnMut(&Missing) -> io::Result<()>,
    ) -> io::Result<Account> {
        self.leave_host();
        let mut account = self.account;
        for ((state, reason), urls) in self.reasons {
            let entry = Reason {
                state: state.as_str(),
                reason,
                urls,
            };
            account.reasons.add(entry, |reason| reason.urls);
        }
        let mut page: Option<Page> = None;
        self.missing.each_line(|line| {
            let missing: Missing = serde_json::from_slice(line).expect("written by `row`");
            list(&missing)?;
            let Missing { via, url, .. } = missing;
            if page.as_ref().is_none_or(|page| page.page != via) {
                let next = Page {
                    page: via,
                    urls: 0,
                    some: Vec::new(),
                };
                if let Some(page) = page.replace(next) {
                    account.pages.add(page, |page| page.urls);
                }
            }
            if let Some(page) = &mut page {
                page.urls += 1;
                if page.some.len() < URLS_OF_PAGE {
                    page.some.push(clip(&url));
                }
            }
            Ok(())
        })?;
        if let Some(page) = page {
            account.pages.add(page, |page| page.urls);
        }
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn row(url: &str, state: State, reason: &str, via: &str) -> LedgerRow {
        LedgerRow {
            url: url.into(),
            state,
            reason: reason.into(),
            mark: String::new(),
            status: None,
            media_type: String::new(),
            bytes: None,
            payload_digest: String::new(),
            place: None,
            via: via.into(),
            hops: String::new(),
            pass: 1,
            time: String::new(),
        }
    }

    #[test]
    fn what_is_missing_is_told_by_reason_page_and_host() {
        let mut accounting = Accounting::default();
        for (url, state, reason, via) in [
            (
                "http://a.example/1",
                State::Failed,
                "timeout",
                "http://a.example/p",
            ),
            (
                "http://a.example/2",
                State::Failed,
                "status-500",
                "http://a.example/p",
            ),
            (
                "http://a.example/3",
                State::Failed,
                "status-500",
                "http://a.example/q",
            ),
            (
                "http://b.example/",
                State::Excluded,
                "out-of-scope",
                "http://a.example/p",
            ),
            ("http://c.example/", State::Unreached, "time-limit", ""),
            (
                "http://d.example/",
                State::Failed,
                "dns",
                "http://a.example/p",
            ),
        ] {
            accounting.row(&row(url, state, reason, via)).unwrap();
        }
        let account = accounting.finish(|_| Ok(())).unwrap();
        let reasons = account.reasons.largest.iter();
        let reasons: Vec<_> = reasons
            .map(|r| (r.state, r.reason.as_str(), r.urls))
            .collect();
        assert_eq!(reasons[0], ("failed", "status-500", 2));
        assert_eq!(reasons.len(), 5);
        let pages = account.pages.largest.iter();
        let pages: Vec<_> = pages.map(|p| (p.page.as_str(), p.urls)).collect();
        assert_eq!(
            pages,
            [
                ("http://a.example/p", 3),
                ("", 1),
                ("http://a.example/q", 1)
            ]
        );
        let hosts = account.hosts.largest.iter();
        let hosts: Vec<_> = hosts.map(|h| (h.host.as_str(), h.urls)).collect();
        assert_eq!(hosts, [("http://a.example", 3), ("http://d.example", 1)]);
        assert_eq!(
            account.hosts.largest[0].reasons[0],
            ("status-500".into(), 2)
        );
        assert_eq!(
            account.sentence(),
            "6 URLs discovered; each has its row: 0 captured, 0 unchanged, 1 excluded, 4 failed, \
             1 unreached. Whether captured pages name others was not checked."
        );
    }
}
