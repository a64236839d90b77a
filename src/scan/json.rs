//! Strings of JSON with their places, read flat: what is cut short or broken is
//! read as far as it goes. It never builds the document.

use std::borrow::Cow;
use std::ops::Range;

/// How deep the way to a string is remembered.
const DEPTH: usize = 16;

/// A string of a JSON text.
pub(super) struct JsonString<'j> {
    /// The string without its quotes, escapes as they stand.
    pub(super) range: Range<usize>,
    /// The text that it stands in.
    json: &'j str,
    /// Whether it is a member's name.
    pub(super) is_name: bool,
    /// The names of the members that enclose it, the outermost first, its own
    /// last unless it is a name; items of arrays have none.
    pub(super) way: Vec<&'j str>,
}

impl<'j> JsonString<'j> {
    /// The string, escapes resolved.
    pub(super) fn text(&self) -> Cow<'j, str> {
        unescape(Cow::Borrowed(&self.json[self.range.clone()]))
    }
}

#[derive(Clone, Copy)]
enum Open<'j> {
    /// An object, and the name of the member that is being read.
    Object(Option<&'j str>),
    Array,
}

/// Reports the strings in order.
pub(super) fn strings<'j>(json: &'j str, mut report: impl FnMut(JsonString<'j>)) {
    let bytes = json.as_bytes();
    let mut open: Vec<Open<'j>> = Vec::new();
    // Containers that are open beyond those that are remembered.
    let mut beyond = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' if open.len() == DEPTH => beyond += 1,
            b'{' => open.push(Open::Object(None)),
            b'[' => open.push(Open::Array),
            b'}' | b']' if beyond > 0 => beyond -= 1,
            b'}' | b']' => {
                open.pop();
            }
            b',' if beyond == 0 => {
                if let Some(Open::Object(name)) = open.last_mut() {
                    *name = None;
                }
            }
            b'"' => {
                let Some(end) = end_of_string(bytes, at + 1) else {
                    return;
                };
                let range = at + 1..end;
                let is_name = beyond == 0 && matches!(open.last(), Some(Open::Object(None)));
                let way = open.iter().filter_map(|open| match open {
                    Open::Object(name) => *name,
                    Open::Array => None,
                });
                report(JsonString {
                    way: way.collect(),
                    range: range.clone(),
                    json,
                    is_name,
                });
                if is_name && let Some(Open::Object(name)) = open.last_mut() {
                    *name = Some(&json[range]);
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
}

/// Where the string that starts at `from` has its closing quote.
fn end_of_string(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Resolves the escapes of a string (RFC 8259 §7), and those of scripts alike:
/// what isn't one stands for itself.
pub(super) fn unescape(text: Cow<'_, str>) -> Cow<'_, str> {
    let Some(first) = text.find('\\') else {
        return text;
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_ref();
    let mut next = Some(first);
    while let Some(at) = next {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let taken = escape(rest, &mut out);
        rest = &rest[taken..];
        next = rest.find('\\');
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads what follows a backslash; how many bytes of it belong to the escape.
fn escape(rest: &str, out: &mut String) -> usize {
    let Some(letter) = rest.chars().next() else {
        return 0;
    };
    let simple = match letter {
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        // A string that goes on in the next line, which scripts have.
        '\n' => return 1,
        'x' => {
            let code = rest
                .get(1..3)
                .and_then(|hex| u32::from_str_radix(hex, 16).ok());
            return push(code.map(|code| (code, 3)), letter, out);
        }
        'u' => {
            return push(
                unicode(&rest[1..]).map(|(code, length)| (code, 1 + length)),
                letter,
                out,
            );
        }
        other => other,
    };
    out.push(simple);
    letter.len_utf8()
}

fn push(code: Option<(u32, usize)>, letter: char, out: &mut String) -> usize {
    let Some((code, length)) = code else {
        out.push(letter);
        return 1;
    };
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    length
}

/// The code point after `\u`, of a pair of surrogates too, and its length.
fn unicode(rest: &str) -> Option<(u32, usize)> {
    if let Some(braced) = rest.strip_prefix('{') {
        let hex = &braced[..braced.find('}').filter(|end| *end <= 6)?];
        return Some((u32::from_str_radix(hex, 16).ok()?, hex.len() + 2));
    }
    let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
    let first = unit(rest)?;
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest[4..].strip_prefix("\\u").and_then(unit)
        && (0xdc00..0xe000).contains(&second)
    {
        return Some((0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00), 10));
    }
    Some((first, 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(json: &str) -> Vec<String> {
        let mut all = Vec::new();
        strings(json, |string| {
            let mark = if string.is_name { "name" } else { "value" };
            all.push(format!("{mark} {}={}", string.way.join("/"), string.text()));
        });
        all
    }

    #[test]
    fn strings_are_told_with_the_way_to_them() {
        assert_eq!(
            all(r#"{"a":"b","c":[1,"d",{"e\n":{"f":"\u0067\/\ud83d\ude00"}}],"h":true} "i""#),
            [
                "name =a",
                "value a=b",
                "name =c",
                "value c=d",
                "name c=e\n",
                "name c/e\\n=f",
                "value c/e\\n/f=g/\u{1f600}",
                "name =h",
                "value =i",
            ]
        );
    }

    #[test]
    fn deep_and_cut_documents_are_read_as_far_as_they_go() {
        let deep = format!("{}\"a\"{}[\"b\"", "[{".repeat(1000), "}]".repeat(1000));
        assert_eq!(all(&deep).len(), 2);
        let whole = r#"{"imports":{"a":"/x\u00e9","b":["c"]}}"#;
        for end in 0..whole.len() {
            all(&whole[..end]);
        }
    }

    #[test]
    fn escapes_of_json_and_of_scripts_are_resolved() {
        for (text, expected) in [
            (r"a\/b", "a/b"),
            (r"\u002Fa", "/a"),
            (r"\x2fa", "/a"),
            (r"\u{2f}a\u{1F600}", "/a\u{1f600}"),
            (r"\ud800x", "\u{fffd}x"),
            (r"\u12", "u12"),
            (r"\xg", "xg"),
            (r"\u{110000}", "\u{fffd}"),
            (r"\\n\q", r"\nq"),
            ("a\\\nb\\", "ab"),
            (r"\ué", "ué"),
        ] {
            assert_eq!(unescape(Cow::Borrowed(text)), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn escaping_and_unescaping_any_text_gives_it_back(text in ".{0,40}") {
            let json = serde_json::to_string(&text).unwrap_or_default();
            let mut found = None;
            strings(&json, |string| found = Some(string.text().into_owned()));
            prop_assert_eq!(found, Some(text));
        }

        #[test]
        fn any_text_is_read(json in "[\\[\\]{}\",:\\\\ua0é]{0,60}") {
            strings(&json, |string| {
                string.text();
            });
            unescape(Cow::Borrowed(&json));
        }
    }
}
