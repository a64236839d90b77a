//! The path of a key: dot segments and doubled slashes resolved, session ids left out.

use super::escape;

/// The path of a URL with a host: `/` or a path without a slash at its end.
pub fn canonical(path: &str) -> String {
    finished(&escape::unescaped(path), true)
}

/// The path of a URL without one, whose segments mean nothing to us.
pub fn opaque(path: &str) -> String {
    finished(&escape::unescaped(path), false)
}

fn finished(unescaped: &[u8], segmented: bool) -> String {
    let mut path = String::with_capacity(unescaped.len());
    if segmented {
        push_segments(&mut path, unescaped);
    } else {
        escape::push_escaped(&mut path, unescaped);
    }
    strip_aspx_session(&mut path);
    if path.len() > 1 && path.ends_with('/') {
        path.pop();
    }
    path
}

/// Appends the segments of `path` that remain. A `..` that has nothing to undo stays, and a later
/// one undoes it; an empty segment can be undone too, as peers have it.
fn push_segments(out: &mut String, path: &[u8]) {
    let mut kept: Vec<&[u8]> = Vec::with_capacity(8);
    for segment in path.split(|&b| b == b'/').skip(1) {
        match segment {
            b"." => {}
            b".." if kept.pop().is_some() => {}
            _ => kept.push(segment),
        }
    }
    out.push('/');
    for segment in kept {
        if !segment.is_empty() {
            escape::push_escaped(out, segment);
            out.push('/');
        }
    }
    // Without its last slash, if a file's name ended it; the caller drops that of a folder.
    if out.len() > 1 {
        out.pop();
    }
}

/// Takes out the last segment of each of the two forms of ASP.NET's cookieless sessions,
/// `(S(24 letters or digits))` and `(24 letters or digits)`, before a page named `.aspx`, as
/// `URLRegexTransformer` of webarchive-commons has it.
fn strip_aspx_session(path: &mut String) {
    if path.contains(".aspx") {
        strip_last(path, is_tagged_session);
        strip_last(path, is_plain_session);
    }
}

/// Removes the last segment that `is_session` and that `.aspx` follows, with at least a character
/// and no `?` (which an escape can have brought in) between.
fn strip_last(path: &mut String, is_session: fn(&str) -> bool) {
    let mut end = path.len();
    for piece in path.rsplit('?') {
        let start = end - piece.len();
        let before_page = piece.rfind(".aspx").unwrap_or(0).saturating_sub(1);
        if let Some(at) = last_segment(&piece[..before_page], is_session) {
            path.replace_range(start + at.start..start + at.end, "");
            return;
        }
        end = start.saturating_sub(1);
    }
}

/// The last segment with a slash on either side that `is_session`, and the slash after it.
fn last_segment(piece: &str, is_session: fn(&str) -> bool) -> Option<std::ops::Range<usize>> {
    let (before, _) = piece.rsplit_once('/')?;
    let mut end = before.len();
    for segment in before.rsplit('/') {
        let start = end - segment.len();
        if start > 0 && is_session(segment) {
            return Some(start..end + 1);
        }
        end = start.saturating_sub(1);
    }
    None
}

/// One or more of a letter and an id, all in parentheses.
fn is_tagged_session(segment: &str) -> bool {
    let Some(inner) = parenthesised(segment.as_bytes()) else {
        return false;
    };
    let (tagged, rest) = inner.as_chunks::<27>();
    rest.is_empty()
        && !tagged.is_empty()
        && tagged
            .iter()
            .all(|[tag, id @ ..]| tag.is_ascii_alphabetic() && is_plain(id))
}

fn is_plain_session(segment: &str) -> bool {
    is_plain(segment.as_bytes())
}

fn is_plain(segment: &[u8]) -> bool {
    parenthesised(segment)
        .is_some_and(|id| id.len() == 24 && id.iter().all(u8::is_ascii_alphanumeric))
}

fn parenthesised(segment: &[u8]) -> Option<&[u8]> {
    segment.strip_prefix(b"(")?.strip_suffix(b")")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_and_slashes_are_resolved() {
        for (path, resolved) in [
            ("", "/"),
            ("//", "/"),
            ("/a//b///", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/a//..", "/a"),
            ("/../..", "/"),
            ("/../../..", "/.."),
            ("/%2e%2E/a%2f..", "/.."),
            ("/É%20?", "/%c3%89%20?"),
        ] {
            assert_eq!(canonical(path), resolved, "{path}");
        }
        assert_eq!(opaque("a/./b/..//"), "a/./b/../");
    }

    #[test]
    fn sessions_before_an_aspx_page_go() {
        let id = "012345678901234567890123";
        for (path, left) in [
            (format!("/a/({id})/b/x.aspx/c"), "/a/b/x.aspx/c".to_owned()),
            (
                format!("/a/(S({id})F({id}))/X.ASPX"),
                "/a/x.aspx".to_owned(),
            ),
            (
                format!("/a/({id})/(s({id}))/x.aspx"),
                "/a/x.aspx".to_owned(),
            ),
            (format!("/({id})/({id})/x.aspx"), format!("/({id})/x.aspx")),
            (format!("/({id})/({id})/.aspx"), format!("/({id})/.aspx")),
            (format!("/({id})/a%3fb.aspx"), format!("/({id})/a?b.aspx")),
            (
                format!("/x%3f/({id})/a.aspx%3f/({id})/b"),
                format!("/x?/a.aspx?/({id})/b"),
            ),
            (format!("/(1({id}))/x.aspx"), format!("/(1({id}))/x.aspx")),
            (format!("/x({id})/x.aspx"), format!("/x({id})/x.aspx")),
            (format!("/({id})/x.asp"), format!("/({id})/x.asp")),
        ] {
            assert_eq!(canonical(&path), left, "{path}");
        }
    }
}
