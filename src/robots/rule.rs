//! Allow and Disallow lines, and how their patterns match (RFC 9309 §2.2.2 and
//! §2.2.3).

/// Ordered so that of two rules of equal length the one that allows comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Allow,
    Disallow,
}

/// An Allow or Disallow line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) kind: Kind,
    /// In normal form, so ASCII; `*` stands for any run of characters, the final `$` is cut off.
    text: Box<str>,
    /// Whether a final `$` ties the end of the pattern to the end of the path.
    anchored: bool,
    /// Octets of the pattern, `*` and `$` included: the measure of being specific (§2.2.2).
    pub(super) length: usize,
    pub(super) line: usize,
    pub(super) written: Box<str>,
}

impl Rule {
    /// `None` for a path that forbids or allows nothing: it is empty, or can't match since every
    /// path of a URL starts with `/`.
    pub(super) fn parse(kind: Kind, path: &[u8], line: usize) -> Option<Rule> {
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

    /// An allowed `index.html` allows its directory, too: servers answer both with
    /// the same page (Google's parser does so).
    pub(super) fn of_directory(kind: Kind, path: &[u8], line: usize) -> Option<Rule> {
        let slash = path.iter().rposition(|&b| b == b'/')?;
        if kind != Kind::Allow || !path[slash + 1..].starts_with(b"index.htm") {
            return None;
        }
        let directory = [&path[..=slash], b"$"].concat();
        Rule::parse(kind, &directory, line)
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.text.len() + self.written.len()
    }

    /// Takes each run between wildcards at its first place after the one before. A later place
    /// never helps, so nothing is tried twice and hostile patterns cost no more than others.
    pub(super) fn matches(&self, path: &str) -> bool {
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
pub(super) fn normal_path(path_and_query: &str) -> String {
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
