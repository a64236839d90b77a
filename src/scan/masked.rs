//! A view of a stretch of the source whose ASCII is all syntax: references are
//! decoded, and what a charset encodes beyond ASCII is covered by a letter.
//! Parsers of embedded languages (srcset, refresh, CSS) read the view, and
//! what they find is mapped back to bytes of the source.

use super::entity::{self, Place};
use encoding_rs::{BIG5, EUC_KR, Encoding, GB18030, GBK, SHIFT_JIS, UTF_8};
use std::borrow::Cow;
use std::ops::Range;

/// Stands for any byte of a character beyond ASCII. A letter, since to CSS,
/// srcset and refresh such characters are as good as letters.
const COVER: char = 'x';

pub(super) struct Masked<'s> {
    text: Cow<'s, str>,
    /// Where the view and the source begin to run in step again: positions in
    /// `text` and in the source, both ascending.
    steps: Vec<(usize, usize)>,
}

impl<'s> Masked<'s> {
    /// A view of raw text, where `&` has no meaning.
    pub(super) fn text(source: &'s [u8], range: Range<usize>, charset: &'static Encoding) -> Self {
        let bytes = &source[range.clone()];
        let text = match plain(bytes, charset) {
            Some(text) => Cow::Borrowed(text),
            None => Cow::Owned(cover(bytes, charset)),
        };
        Self {
            text,
            steps: vec![(0, range.start)],
        }
    }

    /// A view of an attribute value, its references decoded.
    pub(super) fn attribute(
        source: &'s [u8],
        range: Range<usize>,
        charset: &'static Encoding,
    ) -> Self {
        let bytes = &source[range.clone()];
        if !bytes.contains(&b'&') {
            return Self::text(source, range, charset);
        }
        // An ampersand is never part of a longer character in the charsets
        // that come here, so the pieces between can be covered one by one.
        let mut text = String::with_capacity(bytes.len());
        let mut steps = vec![(0, range.start)];
        let mut at = 0;
        while at < bytes.len() {
            let here = &bytes[at..];
            if let Some((length, decoded)) = (here[0] == b'&')
                .then(|| entity::reference(here, Place::Attribute))
                .flatten()
            {
                steps.push((text.len(), range.start + at));
                let start = text.len();
                decoded.push_to(&mut text);
                if !text[start..].is_ascii() {
                    text.truncate(start);
                    text.push(COVER);
                }
                at += length;
                steps.push((text.len(), range.start + at));
            } else {
                let length = 1 + here[1..]
                    .iter()
                    .position(|byte| *byte == b'&')
                    .unwrap_or(here.len() - 1);
                text.push_str(&cover(&here[..length], charset));
                at += length;
            }
        }
        Self {
            text: Cow::Owned(text),
            steps,
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The bytes of the source behind a range of the view.
    pub(super) fn source_range(&self, range: Range<usize>) -> Range<usize> {
        self.source_position(range.start)..self.source_position(range.end)
    }

    fn source_position(&self, position: usize) -> usize {
        // The first step is at 0, so there is always one at or before.
        let after = self.steps.partition_point(|(view, _)| *view <= position);
        let (view, source) = self.steps[after.saturating_sub(1)];
        source + (position - view)
    }
}

/// The bytes as they are, where they can serve as the view.
fn plain<'s>(bytes: &'s [u8], charset: &'static Encoding) -> Option<&'s str> {
    std::str::from_utf8(bytes)
        .ok()
        .filter(|_| charset == UTF_8 || bytes.is_ascii())
}

fn cover(bytes: &[u8], charset: &'static Encoding) -> String {
    let ascii_trails = [SHIFT_JIS, GBK, GB18030, BIG5, EUC_KR].contains(&charset);
    let mut out = String::with_capacity(bytes.len());
    let mut lead = false;
    for byte in bytes {
        let covered = !byte.is_ascii() || (lead && *byte >= 0x40);
        out.push(if covered { COVER } else { char::from(*byte) });
        let single = charset == SHIFT_JIS && matches!(byte, 0xa0..=0xdf);
        lead = ascii_trails && !lead && *byte > 0x80 && !single;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_behind_references_map_back_to_the_source() {
        let source = b"__url(&quot;a&amp;b.png&quot;)__";
        let view = Masked::attribute(source, 2..source.len() - 2, UTF_8);
        assert_eq!(view.as_str(), "url(\"a&b.png\")");
        assert_eq!(&source[view.source_range(5..12)], b"a&amp;b.png");
        assert_eq!(view.source_range(0..14), 2..source.len() - 2);
    }

    #[test]
    fn trail_bytes_of_shift_jis_are_not_backslashes() {
        let (source, _, _) = SHIFT_JIS.encode("表,a");
        assert!(source.contains(&b'\\'));
        let view = Masked::text(&source, 0..source.len(), SHIFT_JIS);
        assert_eq!(view.as_str(), "xx,a");
    }

    #[test]
    fn the_view_of_bytes_is_as_long_as_they_are() {
        let source = b"a\xff\xfe&b\xc3\xa9";
        let view = Masked::attribute(source, 0..source.len(), UTF_8);
        assert_eq!(view.as_str().len(), source.len());
        let view = Masked::text(source, 0..source.len(), GBK);
        assert_eq!(view.as_str().len(), source.len());
    }
}
