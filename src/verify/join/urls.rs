//! What is said of a URL: ledger and pages against its captures, and what
//! stored answers name against the ledger.

use super::{CHALLENGED, Comparison, OfUrl, Said};
use crate::snapshot::ledger::State;
use crate::verify::account::Coverage;
use crate::verify::finding::clip;
use crate::verify::{LINK_WITHOUT_ROW, Location, Severity};

/// So many times of one page are told apart.
const MOST_PAGE_TIMES: usize = 1000;

/// Goes through the lines by URL.
pub(super) struct Urls<'f> {
    pub(super) comparison: Comparison<'f>,
    pub(super) url: Option<String>,
    /// Its state and HTTP status, where the ledger lists it.
    pub(super) listed: Option<(String, Option<u16>)>,
    /// Whether it was told that the state isn't that of an answer.
    pub(super) unlike: bool,
    /// Whether it was told that the ledger doesn't list the URL.
    pub(super) reported: bool,
    pub(super) captured: bool,
    /// Times of pages for which no capture was seen yet.
    pub(super) times: Vec<String>,
    pub(super) mention: Mention,
    pub(super) links: OfLinks,
}

/// What stored answers say of a URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mention {
    /// Nothing.
    #[default]
    Never,
    /// One names it.
    Named,
    /// A sitemap lists it.
    Listed,
}

/// What stored answers name.
#[derive(Debug, Default)]
pub(in crate::verify) struct OfLinks {
    /// URLs, each once.
    pub(in crate::verify) named: u64,
    /// Those of them without a row.
    pub(in crate::verify) without_row: u64,
    /// What sitemaps list.
    pub(in crate::verify) sitemaps: Coverage,
}

impl Urls<'_> {
    pub(super) fn line(&mut self, line: &[u8]) {
        let OfUrl { url, said } = serde_json::from_slice(line).expect("written by `line`");
        if self.url.as_ref() != Some(&url) {
            self.leave();
            self.url = Some(url.clone());
        }
        match said {
            Said::Listed(state, status) => self.listed = Some((state, status)),
            Said::Page(time) => {
                if self.times.len() < MOST_PAGE_TIMES {
                    self.times.push(time);
                }
            }
            Said::Captured {
                timestamp,
                answer,
                settled,
                filename,
                offset,
            } => {
                self.captured = true;
                self.times.retain(|time| *time != timestamp);
                self.state(settled, &filename, offset, &url);
                if answer
                    && self.comparison.wanted.ledger
                    && self.listed.is_none()
                    && !self.reported
                {
                    self.reported = true;
                    let location = self.comparison.location(&filename, offset, &url);
                    let message = "the ledger doesn't list its URL";
                    self.comparison
                        .findings
                        .error("ledger-missing", location, message);
                }
            }
            Said::Named {
                is_listed,
                page,
                filename,
                offset,
            } => {
                if self.mention == Mention::Never {
                    self.named(&url, &page, &filename, offset);
                }
                let mention = if is_listed {
                    Mention::Listed
                } else {
                    Mention::Named
                };
                self.mention = self.mention.max(mention);
            }
        }
    }

    fn named(&mut self, url: &str, page: &str, filename: &str, offset: u64) {
        self.links.named += 1;
        let Some(severity) = self
            .comparison
            .wanted
            .links
            .filter(|_| self.listed.is_none())
        else {
            return;
        };
        self.links.without_row += 1;
        let location = self.comparison.location(filename, offset, page);
        let message = format!("it names {}, and the ledger has no row of that", clip(url));
        self.comparison
            .findings
            .add(severity, LINK_WITHOUT_ROW, None, location, message);
    }

    /// What was answered whole is captured; only an answer that is cut or asks
    /// for patience may come before a failure.
    fn state(&mut self, settled: bool, filename: &str, offset: u64, url: &str) {
        let compared = settled && !self.unlike && self.comparison.wanted.ledger;
        let Some((state, _)) = self.listed.as_ref().filter(|_| compared) else {
            return;
        };
        let whole = [
            State::Captured.as_str(),
            State::Unchanged.as_str(),
            CHALLENGED,
        ];
        if whole.contains(&state.as_str()) {
            return;
        }
        self.unlike = true;
        let location = self.comparison.location(filename, offset, url);
        let message = format!("the ledger says {state}, and here is a whole answer");
        self.comparison
            .findings
            .error("ledger-differs", location, message);
    }

    /// Ends the URL that the lines were at.
    pub(super) fn leave(&mut self) {
        let times = std::mem::take(&mut self.times);
        if let Some(url) = &self.url {
            for time in times {
                let location = Location::file(format!("{}pages", self.comparison.prefix));
                let location = location.url(Some(url));
                if !self.captured {
                    let message = "a page that no capture has";
                    let severity = self.comparison.strictly();
                    self.comparison.findings.add(
                        severity,
                        "page-missing",
                        "WACZ 1.1.1 §5.2.3",
                        location,
                        message,
                    );
                } else if self.comparison.strict {
                    let message = format!("a page of {time}, when no capture was made");
                    self.comparison.findings.add(
                        Severity::Error,
                        "page-time",
                        "WACZ 1.1.1 §5.2.3",
                        location,
                        message,
                    );
                }
            }
        }
        if self.mention == Mention::Listed {
            self.links.sitemaps.add(self.listed.take());
        }
        self.listed = None;
        self.mention = Mention::Never;
        (self.reported, self.captured, self.unlike) = (false, false, false);
    }
}
