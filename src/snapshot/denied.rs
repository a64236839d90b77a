//! What the operator of a replay withholds from its readers, for the sake of personal
//! data, say. Nothing of it is changed or removed; who reads through a list of these
//! sees no index line, page or ledger row of it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::cdxj::CdxjEntry;
use crate::url::{CanonicalUrl, Surt};

/// A longer list is none.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Why a list can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DeniedError {
    /// It can't be read.
    #[error("{path}: reading failed: {source}")]
    Io {
        /// The list.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It isn't one.
    #[error("{path}: longer than 64 MiB, so no list of URLs")]
    TooLong {
        /// The list.
        path: PathBuf,
    },
    /// A line that names nothing.
    #[error("{path}, line {line}: {text:?} {reason}")]
    Line {
        /// The list.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// The URLs, by the keys that they have in an index: `http` and `https`, with and
/// without `www`, are one.
#[derive(Debug, Default)]
pub struct Denied {
    keys: HashSet<String>,
    /// Beginnings of keys, sorted, none of which begins another.
    beginnings: Vec<String>,
    /// Beginnings of URLs with a query, whose fields a key has in another order:
    /// without scheme and `www`, in small letters.
    with_query: Vec<String>,
}

impl Denied {
    /// Reads a list.
    pub fn read(path: &Path) -> Result<Self, DeniedError> {
        let failed = |source| DeniedError::Io {
            path: path.to_owned(),
            source,
        };
        // What is no file may never end.
        if std::fs::metadata(path).map_err(failed)?.len() > MAX_BYTES {
            let path = path.to_owned();
            return Err(DeniedError::TooLong { path });
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text).map_err(|(line, reason)| DeniedError::Line {
            path: path.to_owned(),
            line,
            text: text
                .lines()
                .nth(line - 1)
                .unwrap_or_default()
                .chars()
                .take(80)
                .collect(),
            reason,
        })
    }

    /// A line each: a URL, the beginning of URLs with a `*` behind it, or a key of an
    /// index, also with a `*`. Empty lines and those that begin with `#` are none. An
    /// error is the number of the line, from 1, and what is wrong with it.
    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut denied = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if !line.is_empty() && !line.starts_with('#') {
                denied.add(line).map_err(|reason| (number, reason))?;
            }
        }
        denied.beginnings.sort();
        denied
            .beginnings
            .dedup_by(|next, first| next.starts_with(first.as_str()));
        Ok(denied)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        const EXPECTED: &str = "is no URL (https://example.org/a), no beginning of URLs \
                                (https://example.org/a*) and no key of an index (org,example)/a)";
        if line.contains(char::is_whitespace) {
            return Err("has a space within; one URL a line, and comments in lines of their own");
        }
        let (text, is_beginning) = match line.strip_suffix('*') {
            Some(text) => (text, true),
            None => (line, false),
        };
        if text.contains('*') {
            return Err("has a * that isn't at its end");
        }
        let key = if text.contains("://") {
            let url = CanonicalUrl::parse(text).map_err(|_| EXPECTED)?;
            let rest = text.split_once("://").map_or("", |(_, rest)| rest);
            if is_beginning && !rest.contains('/') {
                return Err("may mean other hosts: put a / behind the host, before the *");
            }
            let mut key = url.surt().as_str().to_owned();
            if is_beginning {
                // A key has no slash at its end, and no empty query; a beginning does.
                // The folder's own key is that of a file of its name.
                if text.ends_with('/') && !key.ends_with('/') {
                    self.keys.insert(key.clone());
                    self.beginnings.push(format!("{key}?"));
                    key.push('/');
                }
                if text.ends_with('?') && !key.ends_with('?') {
                    key.push('?');
                }
                if text.contains('?') {
                    self.with_query.push(plain(url.as_str()));
                }
            }
            key
        } else {
            // `org,example)/a`, and of a beginning `org,example,` too.
            let host = text.split(')').next().unwrap_or_default();
            let is_letter = |b: u8| b.is_ascii_alphanumeric() || b",.:-_[]".contains(&b);
            let is_key = host.contains(',')
                && host.bytes().all(is_letter)
                && (text.contains(")/") || is_beginning);
            if !is_key {
                return Err(EXPECTED);
            }
            text.to_lowercase()
        };
        if is_beginning {
            self.beginnings.push(key);
        } else {
            self.keys.insert(key);
        }
        Ok(())
    }

    /// Whether a URL is withheld. Of records about a URL (`urn:text:…`,
    /// `screenshot:…`), whether one that they name is.
    pub fn has(&self, url: &str) -> bool {
        let lower = url.to_ascii_lowercase();
        if lower.starts_with("http:") || lower.starts_with("https:") {
            return self.has_url(url);
        }
        let mut about = ["http://", "https://"]
            .into_iter()
            .flat_map(|scheme| lower.match_indices(scheme))
            .map(|(start, _)| &url[start..]);
        self.has_url(url) || about.any(|url| self.has_url(url))
    }

    fn has_url(&self, url: &str) -> bool {
        self.has_key(Surt::of(url).as_str())
            || !self.with_query.is_empty() && {
                let url = plain(url);
                self.with_query.iter().any(|start| url.starts_with(start))
            }
    }

    fn has_key(&self, key: &str) -> bool {
        // Whatever begins the key sorts before it, and nothing that does so is between.
        let after = self
            .beginnings
            .partition_point(|start| start.as_str() <= key);
        let before = after.checked_sub(1).map(|at| &self.beginnings[at]);
        self.keys.contains(key) || before.is_some_and(|start| key.starts_with(start.as_str()))
    }

    /// Whether an index line is of what is withheld: by its key, or, as what was
    /// answered to a body has another and so may other tools' indexes, by its URL.
    pub(super) fn has_line(&self, line: &[u8]) -> bool {
        let line = String::from_utf8_lossy(line);
        let key = line.split(' ').next().unwrap_or_default();
        if self.has_key(key) {
            return true;
        }
        match line.parse::<CdxjEntry>() {
            Ok(entry) => self.has(&entry.url),
            // What can't be read isn't known to be harmless.
            Err(_) => true,
        }
    }
}

/// A URL without scheme and `www`, in small letters.
fn plain(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.to_lowercase();
    rest.strip_prefix("www.").unwrap_or(&rest).to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn urls_beginnings_and_keys_are_withheld_and_nothing_else() {
        let denied = Denied::parse(
            "# people\n\nhttps://www.a.example/Jane\nhttp://b.example/p/*\nhttps://c.example/q?b=2*\n\
             org,example)/key\norg,sub,*\r\nhttps://b.example/p/deeper/*\nhttps://d.example/n?id=1\n",
        )
        .unwrap();
        for url in [
            "http://a.example/Jane",
            "https://a.example/jane",
            "http://a.example/jane#x",
            "https://b.example/p/",
            "https://b.example/p/?q=1",
            "https://b.example/p",
            "https://b.example/p/x?y",
            "https://b.example/p/deeper/still",
            "http://c.example/q?b=2&a=1",
            "http://www.c.example/q?b=23",
            "https://example.org/key",
            "http://x.sub.org/y",
            "urn:text:https://a.example/jane",
            "urn:view:http://b.example/p/1",
            "http://d.example/n?id=1",
            "urn:text:https://b.example/p/1?next=http://other.example/x",
            "urn:view:https://other.example/x?next=https://b.example/p/1",
            "urn:thumbnail:HTTPS://a.example/jane",
            "screenshot:https://b.example/p/1",
        ] {
            assert!(denied.has(url), "{url}");
        }
        for url in [
            "http://a.example/jane/cv",
            "http://a.example/jane?x",
            "https://b.example/pq",
            "http://c.example/q?a=1",
            "https://example.org/keys",
            "http://sub.org/",
            "http://suborg.org/",
            "urn:text:http://a.example/",
            "http://d.example/n?id=11",
            "",
        ] {
            assert!(!denied.has(url), "{url}");
        }
        assert!(denied.has_line(b"no cdxj"));
        let line = |key: &str, url: &str| {
            format!(
                "{key} 20260101000000 {{\"url\": \"{url}\", \"length\": \"1\", \
                 \"offset\": \"0\", \"filename\": \"a\"}}"
            )
        };
        let posted = line(
            "example,a)/jane?__wb_method=post&q=1",
            "http://a.example/jane",
        );
        assert!(denied.has_line(posted.as_bytes()));
        let other = line("example,a)/john", "http://a.example/john");
        assert!(!denied.has_line(other.as_bytes()));
    }

    #[test]
    fn a_line_that_names_nothing_is_told_with_its_number() {
        for line in [
            "a.example",
            "a.example/x",
            "https://",
            "https://a.exa*",
            "https://a.example/*/x",
            "*",
            "https://a.example/ # why",
            "org,example",
            "ftp://a.example/x",
        ] {
            let text = format!("# list\nhttps://a.example/\n{line}\n");
            assert_eq!(Denied::parse(&text).unwrap_err().0, 3, "{line}");
        }
    }
}
