//! The document's title, as a list of pages shows it.

use super::super::entity::{self, Place};
use super::tag;
use encoding_rs::Encoding;
use std::ops::Range;

/// The longest title that is kept, in bytes.
const LONGEST: usize = 1024;
/// How far the title's end is looked for, in bytes.
const FARTHEST: usize = 64 << 10;

/// The title whose text starts at `content`: decoded, whitespace collapsed;
/// `None` where nothing is left.
pub(super) fn of(
    source: &[u8],
    content: Range<usize>,
    charset: &'static Encoding,
) -> Option<String> {
    let within = content.start..content.end.min(content.start + FARTHEST);
    let end = tag::find_end(source, within.clone(), "title");
    let (text, _) = charset.decode_without_bom_handling(&source[within.start..end]);
    let text = entity::decode(text, Place::Text);
    let mut title = String::new();
    for word in text.split_whitespace() {
        if title.len() >= LONGEST {
            break;
        }
        if !title.is_empty() {
            title.push(' ');
        }
        title.push_str(word);
    }
    title.truncate(title.floor_char_boundary(LONGEST));
    title.truncate(title.trim_end().len());
    (!title.is_empty()).then_some(title)
}
