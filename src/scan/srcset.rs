//! The two small languages inside attribute values that carry URLs: `srcset`
//! (HTML standard §4.8.4.2.1) and declarative refresh (§4.2.5.3).

use std::ops::Range;

/// The ranges of the candidates' URLs in a `srcset` value, in order. A
/// candidate whose descriptors a browser would refuse is kept: another
/// browser might take it.
pub(super) fn candidates(value: &str) -> Vec<Range<usize>> {
    let bytes = value.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        at = skip(bytes, at, |byte| is_space(byte) || byte == b',');
        if at >= bytes.len() {
            return found;
        }
        let end = skip(bytes, at, |byte| !is_space(byte));
        let trimmed = at + value[at..end].trim_end_matches(',').len();
        found.push(at..trimmed);
        at = if trimmed < end {
            end
        } else {
            skip_descriptors(bytes, end)
        };
    }
}

/// Passes the descriptors up to the comma that ends them; commas within
/// parentheses belong to them.
fn skip_descriptors(bytes: &[u8], from: usize) -> usize {
    let mut in_parentheses = false;
    skip(bytes, from, |byte| {
        match byte {
            b'(' => in_parentheses = true,
            b')' => in_parentheses = false,
            b',' => return in_parentheses,
            _ => {}
        }
        true
    })
}

/// The range of the URL in the `content` of `<meta http-equiv=refresh>`.
pub(super) fn refresh_url(value: &str) -> Option<Range<usize>> {
    let bytes = value.as_bytes();
    let start = skip(bytes, 0, is_space);
    let mut at = skip(bytes, start, |byte| byte.is_ascii_digit());
    if at == start && bytes.get(at) != Some(&b'.') {
        return None;
    }
    at = skip(bytes, at, |byte| byte.is_ascii_digit() || byte == b'.');
    match bytes.get(at) {
        Some(b';' | b',') => {}
        Some(byte) if is_space(*byte) => {}
        _ => return None,
    }
    at = skip(bytes, at, is_space);
    if matches!(bytes.get(at), Some(b';' | b',')) {
        at += 1;
    }
    at = skip(bytes, at, is_space);
    let url = match after_url_equals(bytes, at) {
        Prefix::Whole(after) => unquoted(bytes, after),
        Prefix::Absent => unquoted(bytes, at),
        Prefix::Broken => at..bytes.len(),
    };
    (!url.is_empty()).then_some(url)
}

/// How `url=` stands before the URL.
enum Prefix {
    /// It stands there and ends at the position.
    Whole(usize),
    /// No `u`: the URL begins, perhaps in quotes.
    Absent,
    /// It begins like `url=` and isn't: all of it is the URL, quotes included.
    Broken,
}

fn after_url_equals(bytes: &[u8], at: usize) -> Prefix {
    let is = |at: usize, letter: u8| {
        bytes
            .get(at)
            .is_some_and(|b| b.eq_ignore_ascii_case(&letter))
    };
    if !is(at, b'u') {
        return Prefix::Absent;
    }
    if !is(at + 1, b'r') || !is(at + 2, b'l') {
        return Prefix::Broken;
    }
    let equals = skip(bytes, at + 3, is_space);
    if is(equals, b'=') {
        Prefix::Whole(skip(bytes, equals + 1, is_space))
    } else {
        Prefix::Broken
    }
}

fn unquoted(bytes: &[u8], at: usize) -> Range<usize> {
    match bytes.get(at) {
        Some(quote @ (b'"' | b'\'')) => at + 1..skip(bytes, at + 1, |byte| byte != *quote),
        _ => at.min(bytes.len())..bytes.len(),
    }
}

fn skip(bytes: &[u8], from: usize, mut pass: impl FnMut(u8) -> bool) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| pass(**byte)).count()
}

/// ASCII whitespace of the Infra standard.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srcset_is_split_as_the_standard_says() {
        for (value, expected) in [
            ("a.png", vec!["a.png"]),
            ("a.png 1x, b.png 2x", vec!["a.png", "b.png"]),
            ("a.png, b.png", vec!["a.png", "b.png"]),
            ("a.png,b.png", vec!["a.png,b.png"]),
            ("a,b.png 1x,c.png 2x", vec!["a,b.png", "c.png"]),
            (" ,, a.png 100w 50h ,\n b.png", vec!["a.png", "b.png"]),
            ("a.png (1x, 2x), b.png", vec!["a.png", "b.png"]),
            ("a.png (1x, b.png", vec!["a.png"]),
            ("a.png,,, b.png", vec!["a.png", "b.png"]),
            ("/w_100,h_2/a.png 1x", vec!["/w_100,h_2/a.png"]),
            (" , ", vec![]),
            ("", vec![]),
        ] {
            let found: Vec<_> = candidates(value).into_iter().map(|r| &value[r]).collect();
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn refresh_is_read_in_all_the_standards_spellings() {
        for (value, expected) in [
            ("0;url=/a", Some("/a")),
            (" 5 ; URL = '/a' x", Some("/a")),
            ("0;url=\"/a", Some("/a")),
            ("0, /a", Some("/a")),
            ("0 /a", Some("/a")),
            ("0; '/a'", Some("/a")),
            (".5;url=/a", Some("/a")),
            ("1.5.;url=/a", Some("/a")),
            ("0;uri=/a", Some("uri=/a")),
            ("0;up.html", Some("up.html")),
            ("0;url", Some("url")),
            ("0;url=", None),
            ("0", None),
            ("0;", None),
            ("5x;url=/a", None),
            (";url=/a", None),
            ("", None),
        ] {
            assert_eq!(refresh_url(value).map(|r| &value[r]), expected, "{value}");
        }
    }
}
