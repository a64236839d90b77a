//! How an answer begins: with a status line, as browsers find it, or with its
//! body, as HTTP/0.9 has it.

/// Bytes before `HTTP` that browsers pass over: a byte order mark, a space.
const SLOP: usize = 4;
/// The longest start that is looked at.
const LONGEST: usize = 64;

/// What the first bytes of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// A status line, even if only its start has come.
    Headed,
    /// No status line: all is body.
    Headless,
    /// Too little has come.
    Undecided,
}

enum Match {
    Full,
    Partial,
    No,
}

/// Judges the first bytes; `ended` says that no more come.
pub(super) fn opening(bytes: &[u8], ended: bool) -> Opening {
    let start = bytes
        .iter()
        .position(|b| !matches!(b, b'\r' | b'\n'))
        .unwrap_or(bytes.len());
    let rest = &bytes[start..];
    if status_line_start(rest).is_some() {
        return Opening::Headed;
    }
    let begins_one = |at: usize| matches!(status_line(&rest[at..]), Match::Partial);
    if ended {
        let cut = rest.is_empty() || begins_one(0);
        return if cut {
            Opening::Headed
        } else {
            Opening::Headless
        };
    }
    let may_begin = rest.len() <= SLOP
        || rest.len() <= LONGEST && (0..=SLOP).any(|at| rest.len() > at && begins_one(at));
    if may_begin {
        Opening::Undecided
    } else {
        Opening::Headless
    }
}

/// Where the status line begins in the first line of an answer.
pub(super) fn status_line_start(line: &[u8]) -> Option<usize> {
    (0..=SLOP.min(line.len())).find(|&at| matches!(status_line(&line[at..]), Match::Full))
}

/// `HTTP/`, `HTTP` with a code, or SHOUTcast's `ICY`.
fn status_line(bytes: &[u8]) -> Match {
    let begins_with = |word: &[u8]| {
        let shared = bytes.len().min(word.len());
        bytes[..shared].eq_ignore_ascii_case(&word[..shared])
    };
    if bytes.is_empty() {
        return Match::No;
    }
    if begins_with(b"ICY ") {
        return if bytes.len() >= 4 {
            Match::Full
        } else {
            Match::Partial
        };
    }
    if !begins_with(b"HTTP") {
        return Match::No;
    }
    let Some(after) = bytes.get(4..) else {
        return Match::Partial;
    };
    match after.iter().find(|b| !matches!(b, b' ' | b'\t')) {
        None => Match::Partial,
        Some(b'/') if after[0] == b'/' => Match::Full,
        Some(b) if b.is_ascii_digit() && after[0] != *b => Match::Full,
        Some(_) => Match::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_line_is_told_from_a_body_as_early_as_can_be() {
        for (bytes, now, at_the_end) in [
            (&b""[..], Opening::Undecided, Opening::Headed),
            (b"\r\n", Opening::Undecided, Opening::Headed),
            (b"HT", Opening::Undecided, Opening::Headed),
            (b"HTTP", Opening::Undecided, Opening::Headed),
            (b"http/", Opening::Headed, Opening::Headed),
            (b"\r\n\nHTTP/1.1 200", Opening::Headed, Opening::Headed),
            (b"\xef\xbb\xbfHTTP/1.1", Opening::Headed, Opening::Headed),
            (b"abcdeHTTP/1.1", Opening::Headless, Opening::Headless),
            (b"HTTP  200 OK", Opening::Headed, Opening::Headed),
            (b"HTTP is old", Opening::Headless, Opening::Headless),
            (b"HTTP200", Opening::Headless, Opening::Headless),
            (b"ICY 200", Opening::Headed, Opening::Headed),
            (b"icy", Opening::Undecided, Opening::Headed),
            (b"hi", Opening::Undecided, Opening::Headless),
            (b"<html>", Opening::Headless, Opening::Headless),
        ] {
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(opening(bytes, false), now, "{text:?}");
            assert_eq!(opening(bytes, true), at_the_end, "{text:?} at the end");
        }
        let spaces = [&b"HTTP"[..], &[b' '; 100]].concat();
        assert_eq!(opening(&spaces, false), Opening::Headless, "bounded");
    }
}
