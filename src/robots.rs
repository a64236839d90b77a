//! robots.txt: which URLs of a host its owner asks crawlers to leave alone.
//!
//! Follows RFC 9309, and where that is silent the published behaviour of Google's parser (misspelt
//! directives, a missing colon, broken line ends). It never fetches, never fails, and never reads
//! past [`READ_LIMIT`]; the keeper's gate fetches the file and asks for a [`Verdict`] on each URL.

mod directive;
mod group;
pub mod meta;
mod rule;

#[cfg(test)]
mod google;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::time::Duration;

use self::directive::{Directive, lines, seconds};
use self::group::{Agent, Group};
use self::rule::{Kind, Rule, normal_path};

/// Bytes of a robots.txt that are read; the rest is ignored (RFC 9309 §2.5).
pub const READ_LIMIT: usize = 500 * 1024;

/// A parsed robots.txt.
#[derive(Debug, Clone, Default)]
pub struct Robots {
    groups: Vec<Group>,
    sitemaps: Vec<String>,
}

/// The rules of one robots.txt that one crawler has to obey, most specific first.
///
/// Choosing the groups is done once a host; a verdict is then one walk over the rules, linear in
/// the lengths of pattern and path for each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    rules: Vec<Rule>,
    crawl_delay: Option<Duration>,
}

/// Whether a URL may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// No rule forbids it, or a rule that is at least as specific allows it.
    Allowed,
    /// A rule forbids it; the ledger names it.
    Disallowed {
        /// The deciding line, counted from 1; 0 if there was no file to read
        /// ([`Robots::disallow_all`]).
        line: usize,
        /// The deciding rule as `Disallow: ` and its path as written.
        rule: String,
    },
}

impl Robots {
    /// Reads a robots.txt. Whatever isn't a directive is skipped, so any bytes have a meaning.
    pub fn parse(bytes: &[u8]) -> Robots {
        let mut robots = Robots::default();
        // User-agent lines in a row share one group; a rule ends the row (RFC 9309 §2.2.1).
        let mut naming_agents = false;
        for (number, line) in lines(bytes) {
            match Directive::parse(line) {
                Some(Directive::UserAgent(value)) => {
                    if !naming_agents {
                        robots.groups.push(Group::default());
                        naming_agents = true;
                    }
                    if let Some(group) = robots.groups.last_mut() {
                        group.name(Agent::parse(value));
                    }
                }
                Some(Directive::Rule(kind, path)) => {
                    naming_agents = false;
                    if let Some(group) = robots.groups.last_mut() {
                        group.rules.extend(Rule::parse(kind, path, number));
                        group.rules.extend(Rule::of_directory(kind, path, number));
                    }
                }
                // Other records don't end the row of agents (RFC 9309 §2.2.4).
                Some(Directive::CrawlDelay(value)) => {
                    if let Some(run) = robots.groups.last_mut().and_then(|g| g.runs.last_mut()) {
                        run.ended = true;
                        run.crawl_delay = run.crawl_delay.max(seconds(value));
                    }
                }
                Some(Directive::Sitemap(url)) if !url.is_empty() => {
                    let url = String::from_utf8_lossy(url).into_owned();
                    robots.sitemaps.push(url);
                }
                Some(Directive::Sitemap(_)) | None => {}
            }
        }
        robots
    }

    /// For a host without robots.txt, status 400 to 499 (RFC 9309 §2.3.1.3).
    pub fn allow_all() -> Robots {
        Robots::default()
    }

    /// For a host whose robots.txt can't be reached, status 500 to 599 (RFC 9309 §2.3.1.4).
    pub fn disallow_all() -> Robots {
        let mut group = Group::default();
        group.name(Some(Agent::Any));
        group.rules.extend(Rule::parse(Kind::Disallow, b"/", 0));
        Robots {
            groups: vec![group],
            sitemaps: Vec::new(),
        }
    }

    /// The rules for a crawler, named by its product token such as `lastlight`; case and a version
    /// after `/` don't matter.
    ///
    /// All groups that name it count as one. A crawler with a hyphenated token (`lastlight-news`)
    /// falls back to the groups of the part before the hyphen, then to those of `*`.
    pub fn rules_for(&self, agent: &str) -> Rules {
        let agent = agent.split('/').next().unwrap_or_default();
        let agent = agent.to_ascii_lowercase();
        let best = self.groups.iter().filter_map(|g| g.fit(&agent)).max();
        let mut rules = Rules {
            rules: Vec::new(),
            crawl_delay: None,
        };
        if best.is_some() {
            for group in self.groups.iter().filter(|g| g.fit(&agent) == best) {
                rules.rules.extend_from_slice(&group.rules);
                for run in group.runs.iter().filter(|r| r.fit(&agent) == best) {
                    rules.crawl_delay = rules.crawl_delay.max(run.crawl_delay);
                }
            }
        }
        // The first that matches decides: the longest, and of equals the one that allows.
        rules.rules.sort_by_key(|r| (Reverse(r.length), r.kind));
        rules
    }

    /// [`Rules::verdict`] for a single question; a crawl keeps the [`Rules`] instead.
    pub fn verdict(&self, agent: &str, path_and_query: &str) -> Verdict {
        self.rules_for(agent).verdict(path_and_query)
    }

    /// [`Rules::crawl_delay`] for a single question.
    pub fn crawl_delay(&self, agent: &str) -> Option<Duration> {
        self.rules_for(agent).crawl_delay()
    }

    /// The values of all Sitemap lines in order, as written; they belong to no group.
    pub fn sitemaps(&self) -> &[String] {
        &self.sitemaps
    }
}

impl Rules {
    /// Judges the path and query of a URL, such as `/search?q=a`. A fragment is ignored, and an
    /// empty path means `/`. `/robots.txt` itself is always allowed (RFC 9309 §2.2.2).
    pub fn verdict(&self, path_and_query: &str) -> Verdict {
        let path = normal_path(path_and_query);
        if path == "/robots.txt" {
            return Verdict::Allowed;
        }
        match self.rules.iter().find(|rule| rule.matches(&path)) {
            Some(rule) if rule.kind == Kind::Disallow => Verdict::Disallowed {
                line: rule.line,
                rule: format!("Disallow: {}", rule.written),
            },
            _ => Verdict::Allowed,
        }
    }

    /// Memory that the rules take, about.
    pub fn memory(&self) -> usize {
        let texts = self.rules.iter().map(Rule::memory);
        texts.sum::<usize>() + size_of::<Self>()
    }

    /// The time the owner asks to leave between two fetches: the non-standard `Crawl-delay`, the
    /// longest if several are given. The caller bounds it.
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.crawl_delay
    }
}
