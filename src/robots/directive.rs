//! Lines and directives: what is forgiven in how they are written.

use std::time::Duration;

use super::READ_LIMIT;
use super::rule::Kind;

/// A line that means something here, its value trimmed.
pub(super) enum Directive<'a> {
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
    pub(super) fn parse(line: &'a [u8]) -> Option<Directive<'a>> {
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
pub(super) fn seconds(value: &[u8]) -> Option<Duration> {
    let end = value
        .iter()
        .position(|b| !b.is_ascii_digit() && *b != b'.')
        .unwrap_or(value.len());
    let number: f64 = str::from_utf8(&value[..end]).ok()?.parse().ok()?;
    Duration::try_from_secs_f64(number).ok()
}

/// Bytes of a line that are read, as by Google's parser; no URL that servers take is longer.
const LINE_LIMIT: usize = 2083 * 8 - 1;

/// The lines that are read, numbered from 1. They end at CR, LF or CRLF; a byte order mark, even
/// half of one, is skipped. A line that [`READ_LIMIT`] cuts is dropped: half a path
/// (`Disallow: /`) would forbid more than was meant.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
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
            let line = std::mem::take(&mut rest);
            return Some((number, &line[..line.len().min(LINE_LIMIT)]));
        };
        let line = &rest[..end.min(LINE_LIMIT)];
        let width = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + width..];
        Some((number, line))
    })
}
