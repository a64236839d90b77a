//! What single answers ask of indexes: `X-Robots-Tag` fields and meta elements
//! named robots. A capture isn't an index, so these are recorded; only nofollow
//! can be made to matter, by `robots.nofollow`.

use crate::http::Head;

/// Bytes of a page in which meta elements are looked for.
const LOOKED_AT: usize = 256 * 1024;
/// Bytes of wishes that are recorded.
const KEPT: usize = 300;
/// Whom they address, beside everybody.
const OWN_NAME: &str = "lastlight";

/// The wishes of a head and of its page's meta elements, one after the other.
pub fn wishes(head: &Head<'_>, in_html: Option<&str>) -> Option<String> {
    let mut wishes = Wishes::default();
    for value in head.values("x-robots-tag") {
        let (name, text) = addressee(&value);
        if name.is_none_or(|name| name.eq_ignore_ascii_case(OWN_NAME)) {
            wishes.add(text);
        }
    }
    if let Some(text) = in_html {
        wishes.add(text);
    }
    wishes.0
}

/// Whether links are asked not to be followed.
pub fn is_nofollow(wishes: Option<&str>) -> bool {
    let words = wishes.unwrap_or_default().split(',').map(str::trim);
    words
        .into_iter()
        .any(|word| matches!(word, "nofollow" | "none"))
}

/// A crawler's name before a colon; some directives have a colon themselves.
fn addressee(value: &str) -> (Option<&str>, &str) {
    let Some((name, rest)) = value.split_once(':') else {
        return (None, value);
    };
    let name = name.trim();
    let is_directive = name.contains([',', ' '])
        || [
            "unavailable_after",
            "max-snippet",
            "max-image-preview",
            "max-video-preview",
        ]
        .iter()
        .any(|directive| directive.eq_ignore_ascii_case(name));
    if is_directive {
        (None, value)
    } else {
        (Some(name), rest)
    }
}

#[derive(Default)]
struct Wishes(Option<String>);

impl Wishes {
    fn add(&mut self, text: &str) {
        let wishes = self.0.get_or_insert_default();
        for word in text.split(',') {
            let word = word.trim().to_ascii_lowercase();
            let known = wishes.split(", ").any(|known| known == word);
            if word.is_empty() || known || wishes.len() + word.len() > KEPT {
                continue;
            }
            if !wishes.is_empty() {
                wishes.push_str(", ");
            }
            wishes.push_str(&word);
        }
    }
}

/// What the meta elements at the start of a page ask. They are found by their
/// text alone, comments left out: that a script writes one is no wish of the
/// page.
pub fn in_html(html: &[u8]) -> Option<String> {
    let mut rest = &html[..html.len().min(LOOKED_AT)];
    let mut wishes = Wishes::default();
    while let Some(at) = rest.iter().position(|&b| b == b'<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix(b"!--") {
            rest = after(comment, b"-->");
        } else if starts_with_word(rest, b"script") {
            rest = after(rest, b"</");
        } else if starts_with_word(rest, b"body") {
            break;
        } else if starts_with_word(rest, b"meta") {
            let (name, content, after) = attributes(&rest[4..]);
            rest = after;
            let is_wish = name.eq_ignore_ascii_case(b"robots")
                || name.eq_ignore_ascii_case(OWN_NAME.as_bytes());
            if is_wish {
                wishes.add(&String::from_utf8_lossy(content));
            }
        }
    }
    wishes.0.filter(|wishes| !wishes.is_empty())
}

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    let follows = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/');
    text.get(..word.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(word))
        && text.get(word.len()).is_some_and(follows)
}

fn after<'t>(text: &'t [u8], end: &[u8]) -> &'t [u8] {
    let at = text.windows(end.len()).position(|window| window == end);
    at.map_or(&[], |at| &text[at + end.len()..])
}

/// The values of name and content of a tag, and what follows the tag.
fn attributes(mut text: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (mut name, mut content) = (&[][..], &[][..]);
    loop {
        let start = text
            .iter()
            .position(|b| !b.is_ascii_whitespace() && *b != b'/')
            .unwrap_or(text.len());
        text = &text[start..];
        let Some((&first, rest)) = text.split_first() else {
            return (name, content, text);
        };
        if first == b'>' {
            return (name, content, rest);
        }
        let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'=' | b'>' | b'/');
        // A name may begin with '=' (HTML, attribute name state).
        let end = 1 + rest.iter().position(ends).unwrap_or(rest.len());
        let attribute = &text[..end];
        text = text[end..].trim_ascii_start();
        let mut value = &[][..];
        if let Some(rest) = text.strip_prefix(b"=") {
            (value, text) = unquoted(rest.trim_ascii_start());
        }
        if attribute.eq_ignore_ascii_case(b"name") {
            name = value.trim_ascii();
        } else if attribute.eq_ignore_ascii_case(b"content") {
            content = value;
        }
    }
}

fn unquoted(text: &[u8]) -> (&[u8], &[u8]) {
    let (text, ends): (_, fn(&u8) -> bool) = match text.first() {
        Some(b'"') => (&text[1..], |b| *b == b'"'),
        Some(b'\'') => (&text[1..], |b| *b == b'\''),
        _ => {
            let end = text
                .iter()
                .position(|b| b.is_ascii_whitespace() || *b == b'>')
                .unwrap_or(text.len());
            return text.split_at(end);
        }
    };
    match text.iter().position(ends) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(fields: &[&str], html: &str) -> Option<String> {
        let mut head = "HTTP/1.1 200 OK\r\n".to_owned();
        for field in fields {
            head += &format!("X-Robots-Tag: {field}\r\n");
        }
        head += "\r\n";
        wishes(
            &Head::parse(head.as_bytes()),
            in_html(html.as_bytes()).as_deref(),
        )
    }

    #[test]
    fn wishes_come_from_fields_and_meta_elements() {
        assert_eq!(of(&[], "<p>robots"), None);
        assert_eq!(
            of(&["NoIndex, nofollow"], ""),
            Some("noindex, nofollow".into())
        );
        assert_eq!(
            of(&["otherbot: noindex", "lastlight: noarchive"], ""),
            Some("noarchive".into())
        );
        assert_eq!(
            of(&["unavailable_after: 25 Jun 2010"], ""),
            Some("unavailable_after: 25 jun 2010".into())
        );
        for page in [
            "<meta name=robots content=noindex>",
            "<META content='noindex' NAME = \"Robots\" />",
            "<!-- <meta name=robots content=none> --><meta name=\"robots\"content=\"noindex,noindex\">",
            "<script>'<meta name=robots content=none>'</script><meta name=robots content=noindex>",
        ] {
            assert_eq!(of(&[], page), Some("noindex".into()), "{page}");
        }
        assert_eq!(of(&[], "<body><meta name=robots content=none>"), None);
        assert_eq!(of(&[], "<meta name=otherbot content=none>"), None);
    }

    #[test]
    fn none_means_nofollow_too() {
        assert!(is_nofollow(Some("noindex, nofollow")) && is_nofollow(Some("none")));
        assert!(!is_nofollow(Some("noindex")) && !is_nofollow(None));
    }

    proptest! {
        #[test]
        fn no_page_panics(html in "(<|meta|script|!--|-->|</|name|=|content|robots|\"|'|>| |/|\u{e9}){0,30}") {
            let found = in_html(html.as_bytes());
            prop_assert!(found.is_none_or(|found| found.len() <= KEPT));
        }
    }
}
