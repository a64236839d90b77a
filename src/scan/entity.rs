//! Character references of HTML (HTML standard §13.2.5.72), decoded for
//! attribute values and for text. URLs are resolved after this, never before.

use std::borrow::Cow;

mod names;

use names::NAMED;

/// The longest name of the standard's table, with its semicolon.
const LONGEST_NAME: usize = 32;
/// The longest name that is also allowed without a semicolon.
const LONGEST_LEGACY_NAME: usize = 6;

/// Where a reference stands: attributes keep `&copy=1` as it is, text doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Attribute,
    Text,
}

/// What one reference stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    Character(char),
    Text(&'static str),
}

impl Decoded {
    pub(super) fn push_to(self, out: &mut String) {
        match self {
            Self::Character(character) => out.push(character),
            Self::Text(text) => out.push_str(text),
        }
    }
}

/// Decodes all references in `text`.
pub(super) fn decode(text: Cow<'_, str>, place: Place) -> Cow<'_, str> {
    let Some(first) = text.find('&') else {
        return text;
    };
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..first]);
    let mut rest = &text[first..];
    while !rest.is_empty() {
        // `rest` stands at an ampersand here.
        let taken = if let Some((length, decoded)) = reference(rest.as_bytes(), place) {
            decoded.push_to(&mut out);
            length
        } else {
            out.push('&');
            1
        };
        rest = &rest[taken..];
        let plain = rest.find('&').unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(out)
}

/// Reads the reference at the start of `bytes`, which begin with `&`: its
/// length in bytes and what it stands for. `None` where the ampersand is just
/// an ampersand.
pub(super) fn reference(bytes: &[u8], place: Place) -> Option<(usize, Decoded)> {
    match bytes.get(1)? {
        b'#' => numeric(bytes),
        byte if byte.is_ascii_alphabetic() => named(bytes, place),
        _ => None,
    }
}

fn named(bytes: &[u8], place: Place) -> Option<(usize, Decoded)> {
    let name = &bytes[1..];
    let run = name
        .iter()
        .take(LONGEST_NAME)
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    if name.get(run) == Some(&b';')
        && let Some(text) = look_up(&name[..=run])
    {
        return Some((run + 2, Decoded::Text(text)));
    }
    let longest = run.min(LONGEST_LEGACY_NAME);
    let (length, text) = (2..=longest)
        .rev()
        .find_map(|length| Some((length, look_up(&name[..length])?)))?;
    let next = name.get(length);
    let kept = place == Place::Attribute
        && next.is_some_and(|byte| *byte == b'=' || byte.is_ascii_alphanumeric());
    (!kept).then_some((length + 1, Decoded::Text(text)))
}

fn look_up(name: &[u8]) -> Option<&'static str> {
    NAMED
        .binary_search_by(|(known, _)| known.as_bytes().cmp(name))
        .ok()
        .map(|at| NAMED[at].1)
}

fn numeric(bytes: &[u8]) -> Option<(usize, Decoded)> {
    let (start, radix) = match bytes.get(2)? {
        b'x' | b'X' => (3, 16),
        _ => (2, 10),
    };
    let digits = bytes[start..]
        .iter()
        .take_while(|byte| char::from(**byte).is_digit(radix))
        .count();
    if digits == 0 {
        return None;
    }
    let code = bytes[start..start + digits]
        .iter()
        .fold(0_u32, |code, byte| {
            let digit = char::from(*byte).to_digit(radix).unwrap_or_default();
            code.saturating_mul(radix).saturating_add(digit)
        });
    let end = start + digits;
    let length = end + usize::from(bytes.get(end) == Some(&b';'));
    Some((length, Decoded::Character(character(code))))
}

/// The numeric reference's character, with the standard's replacements of the
/// C1 range as if it were windows-1252 (§13.2.5.80).
fn character(code: u32) -> char {
    const C1: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match code {
        0 => char::REPLACEMENT_CHARACTER,
        0x80..=0x9f => C1[(code - 0x80) as usize],
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(text: &str) -> String {
        decode(Cow::Borrowed(text), Place::Attribute).into_owned()
    }

    #[test]
    fn table_is_sorted_and_within_the_stated_lengths() {
        assert!(NAMED.is_sorted_by(|a, b| a.0.as_bytes() < b.0.as_bytes()));
        assert_eq!(NAMED.len(), 2231);
        assert!(NAMED.iter().all(|(name, _)| name.len() <= LONGEST_NAME));
        let legacy = NAMED.iter().filter(|(name, _)| !name.ends_with(';'));
        assert!(legacy.clone().count() > 100);
        for (name, _) in legacy {
            assert!((2..=LONGEST_LEGACY_NAME).contains(&name.len()), "{name}");
        }
    }

    #[test]
    fn references_are_decoded_as_the_standard_says_for_attributes() {
        for (source, expected) in [
            ("?a=1&amp;b=2", "?a=1&b=2"),
            ("?a=1&b=2", "?a=1&b=2"),
            ("?a=1&copy=2", "?a=1&copy=2"),
            ("?a=1&copy2", "?a=1&copy2"),
            ("?a=1&copy", "?a=1©"),
            ("?a=1&copy;=2", "?a=1©=2"),
            ("&notit;", "&notit;"),
            ("&#38;&#x26;&#X26", "&&&"),
            ("&#;&#x;&", "&#;&#x;&"),
            (
                "&#128;&#0;&#xD800;&#99999999999;",
                "€\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("&NotEqualTilde;", "\u{2242}\u{338}"),
            ("é&eacute;&", "éé&"),
            ("&ampx&lt/", "&ampx</"),
        ] {
            assert_eq!(attribute(source), expected, "{source}");
        }
    }

    #[test]
    fn text_decodes_legacy_names_before_letters() {
        let text = decode(Cow::Borrowed("I'm &notit; &copy2"), Place::Text);
        assert_eq!(text, "I'm ¬it; ©2");
    }
}
