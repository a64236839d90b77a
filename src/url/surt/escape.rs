//! Percent escapes, undone until none is left and then made once, so that all spellings of a
//! character meet. Called by the other parts of a key.

use std::borrow::Cow;

/// Bytes without any percent escape: also those that undoing one brings about (`%2541`).
///
/// Two escapes never overlap, so the order of undoing doesn't matter, and working on the end of
/// what is written so far takes linear time where repeated passes would take quadratic.
pub fn unescaped(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut out = Vec::with_capacity(text.len());
    for &byte in text.as_bytes() {
        out.push(byte);
        while let [.., b'%', high, low] = out[..]
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            out.truncate(out.len() - 3);
            out.push(high << 4 | low);
        }
    }
    Cow::Owned(out)
}

/// Appends `bytes` in lower case, escaping controls, space, `#`, `%` and all that isn't ASCII.
pub fn push_escaped(out: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for &byte in bytes {
        if byte.is_ascii_graphic() && !matches!(byte, b'#' | b'%') {
            out.push(char::from(byte.to_ascii_lowercase()));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// `text` with its escapes in the one canonical form, in lower case.
pub fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    push_escaped(&mut out, &unescaped(text));
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_until_none_is_left() {
        for (text, plain) in [
            ("%2525252541", "A"),
            ("%2%35%%34%31", "%A"),
            ("a%zz%", "a%zz%"),
            ("%c3%A9", "é"),
        ] {
            assert_eq!(&*unescaped(text), plain.as_bytes(), "{text}");
        }
    }

    #[test]
    fn deep_escapes_take_linear_time() {
        let deep = format!("%{}41", "25".repeat(1_000_000));
        assert_eq!(&*unescaped(&deep), b"A");
    }
}
