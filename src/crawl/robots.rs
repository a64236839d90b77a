//! robots.txt: which URLs of a host its owner asks crawlers to leave alone.
//!
//! Follows RFC 9309, and where that is silent the published behaviour of Google's parser (misspelt
//! directives, a missing colon, broken line ends). It never fetches, never fails, and never reads
//! past [`READ_LIMIT`]; politeness fetches the file and asks for a [`Verdict`] on each URL.

use std::cmp::Reverse;
use std::time::Duration;

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
#[derive(Debug, Clone)]
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
        let agent = product_token(agent.as_bytes());
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

    /// The time the owner asks to leave between two fetches: the non-standard `Crawl-delay`, the
    /// longest if several are given. The caller bounds it.
    pub fn crawl_delay(&self) -> Option<Duration> {
        self.crawl_delay
    }
}

/// User agents, and what they are asked to do.
#[derive(Debug, Clone, Default)]
struct Group {
    runs: Vec<Run>,
    rules: Vec<Rule>,
}

/// User agents in a row up to a Crawl-delay. The delay is no rule and so ends no group (§2.2.4),
/// yet in `User-agent: *`, `Crawl-delay: 30`, `User-agent: other` it is meant for `*` alone.
#[derive(Debug, Clone, Default)]
struct Run {
    agents: Vec<Agent>,
    crawl_delay: Option<Duration>,
    ended: bool,
}

#[derive(Debug, Clone)]
enum Agent {
    Any,
    /// A product token in lower case, not empty.
    Token(String),
}

impl Group {
    fn name(&mut self, agent: Option<Agent>) {
        if self.runs.last().is_none_or(|run| run.ended) {
            self.runs.push(Run::default());
        }
        if let Some(run) = self.runs.last_mut() {
            run.agents.extend(agent);
        }
    }

    /// How specifically the group names `agent` (a token in lower case): the length of the name,
    /// 0 for `*`; `None` if it doesn't.
    fn fit(&self, agent: &str) -> Option<usize> {
        self.runs.iter().filter_map(|run| run.fit(agent)).max()
    }
}

impl Run {
    fn fit(&self, agent: &str) -> Option<usize> {
        self.agents.iter().filter_map(|a| a.fit(agent)).max()
    }
}

impl Agent {
    fn parse(value: &[u8]) -> Option<Agent> {
        match value {
            [b'*'] => Some(Agent::Any),
            [b'*', next, ..] if next.is_ascii_whitespace() => Some(Agent::Any),
            _ => Some(Agent::Token(product_token(value))).filter(|agent| match agent {
                Agent::Any => true,
                Agent::Token(token) => !token.is_empty(),
            }),
        }
    }

    fn fit(&self, agent: &str) -> Option<usize> {
        match self {
            Agent::Any => Some(0),
            Agent::Token(token) => {
                let rest = agent.strip_prefix(token.as_str())?;
                (rest.is_empty() || rest.starts_with('-')).then_some(token.len())
            }
        }
    }
}

/// The token that a User-agent value starts with, in lower case. RFC 9309 §2.2.1 has letters, `_`
/// and `-`; digits are kept too since crawlers in use have them.
fn product_token(value: &[u8]) -> String {
    value
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        .map(|b| char::from(b.to_ascii_lowercase()))
        .collect()
}

/// Ordered so that of two rules of equal length the one that allows comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Allow,
    Disallow,
}

/// An Allow or Disallow line.
#[derive(Debug, Clone)]
struct Rule {
    kind: Kind,
    /// In normal form, so ASCII; `*` stands for any run of characters, the final `$` is cut off.
    text: Box<str>,
    /// Whether a final `$` ties the end of the pattern to the end of the path.
    anchored: bool,
    /// Octets of the pattern, `*` and `$` included: the measure of being specific (§2.2.2).
    length: usize,
    line: usize,
    written: Box<str>,
}

impl Rule {
    /// `None` for a path that forbids or allows nothing: it is empty, or can't match since every
    /// path of a URL starts with `/`.
    fn parse(kind: Kind, path: &[u8], line: usize) -> Option<Rule> {
        if !matches!(path.first(), Some(b'/' | b'*')) {
            return None;
        }
        let (pattern, anchored) = match path.strip_suffix(b"$") {
            Some(pattern) => (pattern, true),
            None => (path, false),
        };
        let text = normal_form(pattern, Star::IsWildcard);
        Some(Rule {
            kind,
            length: text.len() + usize::from(anchored),
            text: text.into_boxed_str(),
            anchored,
            line,
            written: String::from_utf8_lossy(path).into(),
        })
    }

    /// Takes each run between wildcards at its first place after the one before. A later place
    /// never helps, so nothing is tried twice and hostile patterns cost no more than others.
    fn matches(&self, path: &str) -> bool {
        let Some((head, tail)) = self.text.split_once('*') else {
            return if self.anchored {
                *path == *self.text
            } else {
                path.starts_with(&*self.text)
            };
        };
        let Some(mut rest) = path.strip_prefix(head) else {
            return false;
        };
        let (middle, last) = tail.rsplit_once('*').unwrap_or(("", tail));
        for run in middle.split('*') {
            match rest.split_once(run) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
        if self.anchored {
            rest.ends_with(last)
        } else {
            rest.contains(last)
        }
    }
}

/// The form in which the paths of URLs and rules are compared (RFC 9309 §2.2.2): escapes of
/// unreserved characters undone, other escapes in upper case, and everything that can't stand in a
/// URL escaped. A URL's own `*` and `$` are escaped, as a rule has to write them (§2.2.3).
fn normal_path(path_and_query: &str) -> String {
    let path = path_and_query.split('#').next().unwrap_or_default();
    let normal = normal_form(path.as_bytes(), Star::IsLiteral);
    if normal.starts_with('/') {
        normal
    } else {
        format!("/{normal}")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Star {
    IsWildcard,
    IsLiteral,
}

fn normal_form(bytes: &[u8], star: Star) -> String {
    let mut normal = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'%', [high, low, after @ ..]) if let Some(octet) = octet(*high, *low) => {
                rest = after;
                if is_unreserved(octet) {
                    normal.push(char::from(octet));
                } else {
                    push_escaped(&mut normal, octet);
                }
            }
            (b'*', _) if star == Star::IsWildcard => normal.push('*'),
            (b'*' | b'$', _) => push_escaped(&mut normal, byte),
            // A '%' that starts no escape stays, on both sides alike.
            (b'%', _) => normal.push('%'),
            _ if is_unreserved(byte) || is_reserved(byte) => normal.push(char::from(byte)),
            _ => push_escaped(&mut normal, byte),
        }
    }
    normal
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §2.2.
fn is_reserved(byte: u8) -> bool {
    b":/?#[]@!$&'()*+,;=".contains(&byte)
}

fn octet(high: u8, low: u8) -> Option<u8> {
    let high = char::from(high).to_digit(16)?;
    let low = char::from(low).to_digit(16)?;
    u8::try_from(high * 16 + low).ok()
}

fn push_escaped(text: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    text.push('%');
    text.push(char::from(DIGITS[usize::from(octet >> 4)]));
    text.push(char::from(DIGITS[usize::from(octet & 15)]));
}

/// A line that means something here, its value trimmed.
enum Directive<'a> {
    UserAgent(&'a [u8]),
    Rule(Kind, &'a [u8]),
    CrawlDelay(&'a [u8]),
    Sitemap(&'a [u8]),
}

/// Names in lower case with the misspellings that Google's parser accepts.
const USER_AGENT: &[&[u8]] = &[b"user-agent", b"useragent", b"user agent"];
const ALLOW: &[&[u8]] = &[b"allow"];
const DISALLOW: &[&[u8]] = &[
    b"disallow",
    b"dissallow",
    b"dissalow",
    b"disalow",
    b"diasllow",
    b"disallaw",
];
const CRAWL_DELAY: &[&[u8]] = &[b"crawl-delay", b"crawldelay", b"crawl delay"];
const SITEMAP: &[&[u8]] = &[b"sitemap", b"site-map"];

impl<'a> Directive<'a> {
    fn parse(line: &'a [u8]) -> Option<Directive<'a>> {
        let line = line.split(|b| *b == b'#').next()?.trim_ascii();
        let colon = line.iter().position(|b| *b == b':');
        colon
            .and_then(|at| Directive::named(line[..at].trim_ascii(), line[at + 1..].trim_ascii()))
            .or_else(|| {
                // A forgotten colon is forgiven where one blank stands in for it, and only there:
                // more words are prose.
                let blank = line.iter().position(u8::is_ascii_whitespace)?;
                let value = line[blank..].trim_ascii();
                if value.iter().any(u8::is_ascii_whitespace) {
                    return None;
                }
                Directive::named(&line[..blank], value)
            })
    }

    fn named(name: &[u8], value: &'a [u8]) -> Option<Directive<'a>> {
        let is = |names: &[&[u8]]| names.iter().any(|n| n.eq_ignore_ascii_case(name));
        if is(USER_AGENT) {
            Some(Directive::UserAgent(value))
        } else if is(ALLOW) {
            Some(Directive::Rule(Kind::Allow, value))
        } else if is(DISALLOW) {
            Some(Directive::Rule(Kind::Disallow, value))
        } else if is(CRAWL_DELAY) {
            Some(Directive::CrawlDelay(value))
        } else if is(SITEMAP) {
            Some(Directive::Sitemap(value))
        } else {
            None
        }
    }
}

/// The number a Crawl-delay starts with, in seconds; a unit after it is ignored.
fn seconds(value: &[u8]) -> Option<Duration> {
    let end = value
        .iter()
        .position(|b| !b.is_ascii_digit() && *b != b'.')
        .unwrap_or(value.len());
    let number: f64 = str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// The lines that are read, numbered from 1. They end at CR, LF or CRLF; a byte order mark, even
/// half of one, is skipped. A line that [`READ_LIMIT`] cuts is dropped: half a path
/// (`Disallow: /`) would forbid more than was meant.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut rest = match bytes.get(..READ_LIMIT) {
        Some(head) if bytes.len() > READ_LIMIT => {
            let end = head.iter().rposition(|b| matches!(b, b'\n' | b'\r'));
            &head[..end.unwrap_or(0)]
        }
        _ => bytes,
    };
    for mark in [0xEF, 0xBB, 0xBF] {
        match rest.split_first() {
            Some((&first, after)) if first == mark => rest = after,
            _ => break,
        }
    }
    let mut number = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        number += 1;
        let Some(end) = rest.iter().position(|b| matches!(b, b'\n' | b'\r')) else {
            return Some((number, std::mem::take(&mut rest)));
        };
        let line = &rest[..end];
        let width = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + width..];
        Some((number, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allows(file: &str, path: &str) -> bool {
        Robots::parse(file.as_bytes()).verdict("lastlight", path) == Verdict::Allowed
    }

    /// Whether a single Disallow pattern matches a path.
    fn hits(pattern: &str, path: &str) -> bool {
        !allows(&format!("User-agent: *\nDisallow: {pattern}\n"), path)
    }

    #[test]
    fn without_rules_everything_is_allowed() {
        for file in [
            "",
            "\n\n",
            "# closed\n",
            "<html>404: not here</html>",
            "Disallow: /early\n",
        ] {
            assert!(allows(file, "/early"), "{file:?}");
        }
        assert_eq!(
            Robots::allow_all().verdict("lastlight", "/"),
            Verdict::Allowed
        );
    }

    #[test]
    fn an_unreachable_file_forbids_all_but_itself() {
        let robots = Robots::disallow_all();
        let all = Verdict::Disallowed {
            line: 0,
            rule: "Disallow: /".into(),
        };
        assert_eq!(robots.verdict("lastlight", "/inquiry"), all);
        assert_eq!(robots.verdict("lastlight", ""), all);
        assert_eq!(robots.verdict("lastlight", "/robots.txt"), Verdict::Allowed);
    }

    #[test]
    fn the_deciding_line_is_named() {
        let file =
            "User-agent: *\r\n\r\nDisallow: /drafts # not ours\rDisallow: /drafts/caf\u{e9}\n";
        let robots = Robots::parse(file.as_bytes());
        assert_eq!(
            robots.verdict("lastlight", "/drafts/caf%c3%a9s"),
            Verdict::Disallowed {
                line: 4,
                rule: "Disallow: /drafts/caf\u{e9}".into()
            }
        );
        assert_eq!(
            robots.verdict("lastlight", "/drafts"),
            Verdict::Disallowed {
                line: 3,
                rule: "Disallow: /drafts".into()
            }
        );
    }

    #[test]
    fn rfc9309_2_2_1_own_group_replaces_the_general_one() {
        let file =
            "User-agent: *\nDisallow: /\n\nUser-agent: LastLight/2.1 (archive)\nDisallow: /mail\n";
        assert!(allows(file, "/minutes"));
        assert!(!allows(file, "/mail/1"));
        let empty = "User-agent: lastlight\nDisallow:\n\nUser-agent: *\nDisallow: /\n";
        assert!(allows(empty, "/minutes"));
        let others = "User-agent: last\nDisallow: /\nUser-agent: lastlight-news\nDisallow: /\n";
        assert!(allows(others, "/minutes"));
    }

    #[test]
    fn rfc9309_2_2_1_groups_of_one_agent_are_one() {
        let file = "User-agent: lastlight\nDisallow: /a\n\nUser-agent: other\nDisallow: /b\n\n\
                    User-agent: third\nUser-agent: Lastlight\nDisallow: /c\n";
        assert!(!allows(file, "/a"));
        assert!(allows(file, "/b"));
        assert!(!allows(file, "/c"));
    }

    #[test]
    fn rfc9309_2_2_4_other_records_end_no_group() {
        let file = "User-agent: lastlight\nSitemap: https://inquiry.example/map.xml\nCrawl-delay: 2\n\
                    Host: inquiry.example\n\nUser-agent: other\nDisallow: /a\n";
        assert!(!allows(file, "/a"));
        let robots = Robots::parse(file.as_bytes());
        assert_eq!(robots.sitemaps(), ["https://inquiry.example/map.xml"]);
        assert_eq!(
            robots.crawl_delay("lastlight"),
            Some(Duration::from_secs(2))
        );
        assert_eq!(robots.crawl_delay("other"), None);
    }

    #[test]
    fn a_hyphenated_agent_falls_back_to_its_family() {
        let file = "User-agent: lastlight\nDisallow: /family\n\nUser-agent: *\nDisallow: /all\n";
        let robots = Robots::parse(file.as_bytes());
        let rules = robots.rules_for("Lastlight-News");
        assert_ne!(rules.verdict("/family"), Verdict::Allowed);
        assert_eq!(rules.verdict("/all"), Verdict::Allowed);
        assert_ne!(robots.verdict("lastlights", "/all"), Verdict::Allowed);
    }

    #[test]
    fn the_general_group_may_have_words_after_the_star() {
        assert!(!allows("User-agent: * everyone\nDisallow: /a\n", "/a"));
        assert!(allows("User-agent: *bot\nDisallow: /a\n", "/a"));
    }

    #[test]
    fn rfc9309_2_2_2_longest_rule_wins_and_allow_wins_ties() {
        let file = "User-agent: *\nDisallow: /files/\nAllow: /files/open/\nDisallow: /files/open/not\n\
                    Disallow: /tie\nAllow: /tie\nDisallow: /*.pdf\nAllow: /q\n";
        assert!(!allows(file, "/files/x"));
        assert!(allows(file, "/files/open/x"));
        assert!(!allows(file, "/files/open/notes"));
        assert!(allows(file, "/tie"));
        assert!(!allows(file, "/q1.pdf"));
        assert!(allows(file, "/q1.txt"));
    }

    #[test]
    fn paths_match_from_the_start_and_by_case() {
        assert!(hits("/fish", "/fish.html"));
        assert!(hits("/fish", "/fishheads?id=2"));
        assert!(!hits("/fish", "/Fish"));
        assert!(!hits("/fish", "/cat/fish"));
        assert!(hits("/fish/", "/fish/salmon"));
        assert!(!hits("/fish/", "/fish"));
        assert!(!hits("fish", "/fish"));
        assert!(!hits("$", "/"));
    }

    #[test]
    fn rfc9309_2_2_3_star_and_dollar() {
        assert!(hits("/*.php", "/index.php?x=1"));
        assert!(hits("/*.php$", "/a/index.php"));
        assert!(!hits("/*.php$", "/index.php?x=1"));
        assert!(hits("/a*b*c$", "/aXbYbZc"));
        assert!(!hits("/a*b*c$", "/aXcYb"));
        assert!(hits("*/x", "/deep/x"));
        assert!(hits("/$", ""));
        assert!(!hits("/$", "/x"));
        assert!(hits("/a$b", "/a$b"));
        assert!(hits("/**$", "/any"));
        assert!(!hits("/ab*ab$", "/ab"));
    }

    #[test]
    fn rfc9309_2_2_3_escaped_specials_are_literal() {
        assert!(hits("/file-with-a-%2A.html", "/file-with-a-*.html"));
        assert!(!hits("/file-with-a-%2A.html", "/file-with-a-b.html"));
        assert!(hits("/cost-%24", "/cost-$5"));
        assert!(hits("/cost-%24$", "/cost-%24"));
    }

    #[test]
    fn rfc9309_2_2_2_escapes_are_compared_in_one_form() {
        assert!(hits("/~clerk", "/%7Eclerk"));
        assert!(hits("/%7eclerk", "/~clerk"));
        assert!(hits("/caf\u{e9}", "/caf%C3%A9"));
        assert!(hits("/caf%c3%a9", "/caf\u{e9}"));
        assert!(!hits("/a%2Fb", "/a/b"));
        assert!(!hits("/a/b", "/a%2fb"));
        assert!(hits("/two words", "/two%20words"));
        assert!(hits("/100%", "/100%-proof"));
    }

    #[test]
    fn fragments_do_not_count() {
        assert!(hits("/page$", "/page#top"));
    }

    #[test]
    fn misspelt_directives_and_missing_colons_are_understood() {
        for name in [
            "disallow",
            "DISALLOW",
            "dissallow",
            "dissalow",
            "disalow",
            "diasllow",
            "disallaw",
        ] {
            assert!(
                !allows(&format!("user agent: *\n{name}: /a\n"), "/a"),
                "{name}"
            );
        }
        assert!(!allows("useragent *\nDisallow\t/a\n", "/a"));
        assert!(!allows("User-agent *\nDisallow /a:b\n", "/a:b"));
        assert!(!allows(" User-agent : *\n  disallow :/a  \n", "/a"));
        assert!(allows("User-agent *\nDisallow the archive /a\n", "/a"));
        assert!(allows("User-agent: *\nDisallowance: /a\n", "/a"));
    }

    #[test]
    fn line_ends_and_byte_order_marks_do_not_hide_rules() {
        for end in ["\n", "\r", "\r\n"] {
            assert!(
                !allows(&["User-agent: *", "Disallow: /a", ""].join(end), "/a"),
                "{end:?}"
            );
        }
        for mark in [&b"\xEF\xBB\xBF"[..], b"\xEF\xBB", b"\xEF"] {
            let file = [mark, b"User-agent: *\nDisallow: /a"].concat();
            assert_ne!(
                Robots::parse(&file).verdict("lastlight", "/a"),
                Verdict::Allowed
            );
        }
    }

    #[test]
    fn crawl_delay_is_of_the_own_group_and_the_longest() {
        let file = "User-agent: *\nCrawl-delay: 30\n\nUser-agent: lastlight\nCrawl-delay: 0.5\nDisallow: /a\n\n\
                    User-agent: lastlight\nCrawl-delay: 1.5s\nDisallow: /b\n";
        let robots = Robots::parse(file.as_bytes());
        assert_eq!(
            robots.crawl_delay("lastlight"),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(robots.crawl_delay("other"), Some(Duration::from_secs(30)));
        for odd in ["-1", "nan", "inf", "soon", "", "1.2.3", "9e99"] {
            let file = format!("User-agent: *\nCrawl-delay: {odd}\n");
            let delay = Robots::parse(file.as_bytes()).crawl_delay("lastlight");
            assert!(delay.is_none() || odd == "9e99", "{odd}");
        }
    }

    #[test]
    fn rfc9309_2_5_what_lies_past_the_limit_is_not_read() {
        let mut file = b"User-agent: *\nDisallow: /a\n".to_vec();
        file.resize(READ_LIMIT - 11, b'#');
        file.extend_from_slice(b"\nDisallow: /b\nDisallow: /c\n");
        let robots = Robots::parse(&file);
        assert_ne!(robots.verdict("lastlight", "/a"), Verdict::Allowed);
        assert_eq!(robots.verdict("lastlight", "/b"), Verdict::Allowed);
        assert_eq!(
            robots.verdict("lastlight", "/z"),
            Verdict::Allowed,
            "half a line is no rule"
        );
        assert_eq!(robots.verdict("lastlight", "/c"), Verdict::Allowed);
    }

    #[test]
    fn hostile_wildcards_are_judged_at_once() {
        let pattern = format!("User-agent: *\nDisallow: /{}b$\n", "a*".repeat(200_000));
        let rules = Robots::parse(pattern.as_bytes()).rules_for("lastlight");
        let path = format!("/{}", "a".repeat(100_000));
        let start = std::time::Instant::now();
        assert_eq!(rules.verdict(&path), Verdict::Allowed);
        assert!(start.elapsed() < Duration::from_secs(2));
    }

    /// The definition, by trying every length for every wildcard.
    fn matches_by_definition(pattern: &[u8], path: &[u8]) -> bool {
        match (pattern, path) {
            ([], _) | ([b'$'], []) => true,
            ([b'*', rest @ ..], _) => {
                (0..=path.len()).any(|skip| matches_by_definition(rest, &path[skip..]))
            }
            ([p, pattern @ ..], [b, path @ ..]) => p == b && matches_by_definition(pattern, path),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "/[ab*]{0,8}\\$?", path in "/[ab]{0,10}") {
            let rule = Rule::parse(Kind::Disallow, pattern.as_bytes(), 1).expect("starts with /");
            prop_assert_eq!(
                rule.matches(&normal_path(&path)),
                matches_by_definition(pattern.as_bytes(), path.as_bytes())
            );
        }

        #[test]
        fn no_bytes_panic(file: Vec<u8>, agent: String, path: String) {
            let robots = Robots::parse(&file);
            let _ = robots.verdict(&agent, &path);
        }

        #[test]
        fn no_text_of_directives_panics(
            file in "((user-agent|allow|disallow|crawl-delay|sitemap)[: ]{0,2}[*$/%a2\u{e9}-]{0,6}[\r\n]{0,2}){0,12}",
            path in "[*$/%a2\u{e9}#?-]{0,12}",
        ) {
            let robots = Robots::parse(file.as_bytes());
            let _ = robots.verdict("lastlight", &path);
            let _ = robots.crawl_delay("lastlight");
        }
    }
}
