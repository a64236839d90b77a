//! The tokens of PDF (ISO 32000-1 §7.2 and §7.3), as far as links need them.
//! Reading never fails: what is no token is passed over byte by byte.

use std::borrow::Cow;

/// Bytes of a string; one that isn't closed within is taken for a stray
/// parenthesis.
const MAX_STRING: usize = 64 << 10;
/// Stray parentheses that are looked behind; after more, the stretch is lost,
/// so that time stays linear.
const MAX_STRAY: usize = 100;

pub(super) enum Token<'s> {
    /// Without its slash; `#` escapes are left as they are.
    Name(&'s [u8]),
    /// A string, its escapes or hexadecimal digits decoded.
    String(Cow<'s, [u8]>),
    /// `obj`, `stream`, `R`, `true`.
    Keyword(&'s [u8]),
    /// A number or a bracket.
    Other,
}

pub(super) struct Tokens<'s> {
    source: &'s [u8],
    at: usize,
    stray: usize,
}

impl<'s> Tokens<'s> {
    pub(super) fn new(source: &'s [u8]) -> Self {
        Self {
            source,
            at: 0,
            stray: 0,
        }
    }

    pub(super) fn next(&mut self) -> Option<Token<'s>> {
        loop {
            let rest = &self.source[self.at..];
            let start = rest.iter().position(|byte| !is_space(*byte))?;
            self.at += start;
            let rest = &rest[start..];
            match rest[0] {
                b'%' => self.at += until(rest, |byte| matches!(byte, b'\n' | b'\r')),
                b'/' => {
                    let length = until(&rest[1..], |byte| !is_regular(byte));
                    self.at += 1 + length;
                    return Some(Token::Name(&rest[1..=length]));
                }
                b'(' => {
                    if let Some(text) = self.string() {
                        return Some(Token::String(text));
                    }
                }
                b'<' if rest.get(1) != Some(&b'<') => {
                    if let Some(text) = self.hexadecimal() {
                        return Some(Token::String(text));
                    }
                }
                b'<' => {
                    self.at += 2;
                    return Some(Token::Other);
                }
                byte if is_regular(byte) => {
                    let length = until(rest, |byte| !is_regular(byte));
                    self.at += length;
                    let word = &rest[..length];
                    return Some(if word[0].is_ascii_alphabetic() {
                        Token::Keyword(word)
                    } else {
                        Token::Other
                    });
                }
                _ => {
                    self.at += 1;
                    return Some(Token::Other);
                }
            }
        }
    }

    /// The bytes of the stream whose keyword has just been read. They end at
    /// `endstream`, whatever the stated length says.
    pub(super) fn stream(&mut self) -> &'s [u8] {
        let rest = &self.source[self.at..];
        let start = match rest {
            [b'\r', b'\n', ..] => 2,
            [b'\n' | b'\r', ..] => 1,
            _ => 0,
        };
        let rest = &rest[start..];
        let end = find(rest, b"endstream").unwrap_or(rest.len());
        self.at += start + end;
        &rest[..end]
    }

    /// A literal string (§7.3.4.2).
    fn string(&mut self) -> Option<Cow<'s, [u8]>> {
        let start = self.at + 1;
        let window = &self.source[start..self.source.len().min(start + MAX_STRING)];
        let mut depth = 1;
        let mut at = 0;
        let mut has_escapes = false;
        while let Some(&byte) = window.get(at) {
            match byte {
                b'\\' => {
                    has_escapes = true;
                    at += 1;
                }
                b'\r' => has_escapes = true,
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let text = &window[..at];
                self.at = start + at + 1;
                return Some(if has_escapes {
                    Cow::Owned(unescaped(text))
                } else {
                    Cow::Borrowed(text)
                });
            }
            at += 1;
        }
        self.stray += 1;
        self.at = if self.stray > MAX_STRAY {
            start + window.len()
        } else {
            start
        };
        None
    }

    /// A hexadecimal string (§7.3.4.3).
    fn hexadecimal(&mut self) -> Option<Cow<'s, [u8]>> {
        let rest = &self.source[self.at + 1..];
        let length = until(rest, |byte| !byte.is_ascii_hexdigit() && !is_space(byte));
        self.at += 1 + length;
        if rest.get(length) != Some(&b'>') {
            return None;
        }
        self.at += 1;
        let digits: Vec<u8> = rest[..length]
            .iter()
            .filter_map(|digit| char::from(*digit).to_digit(16))
            .map(|digit| digit as u8)
            .collect();
        // An odd last digit is followed by a zero.
        let bytes = digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0));
        Some(Cow::Owned(bytes.collect()))
    }
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'\r' {
            // Line ends count as one line feed.
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            out.push(b'\n');
            continue;
        }
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some((&escaped, after)) = rest.split_first() else {
            break;
        };
        rest = after;
        match escaped {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            // A line goes on.
            b'\r' => rest = rest.strip_prefix(b"\n").unwrap_or(rest),
            b'\n' => {}
            b'0'..=b'7' => {
                let mut code = u32::from(escaped - b'0');
                for _ in 0..2 {
                    let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() else {
                        break;
                    };
                    code = code * 8 + u32::from(digit - b'0');
                    rest = after;
                }
                // High-order overflow is ignored.
                out.push((code & 0xff) as u8);
            }
            other => out.push(other),
        }
    }
    out
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | 9 | 10 | 12 | 13 | 32)
}

fn is_regular(byte: u8) -> bool {
    !is_space(byte) && !b"()<>[]{}/%".contains(&byte)
}

/// How many bytes stand before the first that is meant.
fn until(bytes: &[u8], is_meant: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|byte| is_meant(*byte))
        .unwrap_or(bytes.len())
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|byte| *byte == word[0])?;
        if bytes[at..].starts_with(word) {
            return Some(at);
        }
        from = at + 1;
    }
}
