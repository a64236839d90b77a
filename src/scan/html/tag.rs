//! A start tag as it stands in the source. Names and values are read there, so
//! that nothing is allocated for the many attributes that carry no URL.

use super::shift;
use lol_html::html_content::{Attribute, Element};
use std::ops::Range;

/// The elements that a finding may name.
const ELEMENTS: &[&str] = &[
    "a",
    "amp-anim",
    "amp-audio",
    "amp-iframe",
    "amp-img",
    "amp-video",
    "annotation-xml",
    "applet",
    "area",
    "article",
    "aside",
    "audio",
    "b",
    "base",
    "bgsound",
    "blockquote",
    "body",
    "button",
    "canvas",
    "center",
    "code",
    "command",
    "datalist",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "event-source",
    "feimage",
    "fencedframe",
    "fig",
    "figcaption",
    "figure",
    "font",
    "font-face-uri",
    "footer",
    "form",
    "frame",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "handler",
    "head",
    "header",
    "html",
    "i",
    "iframe",
    "ilayer",
    "image",
    "img",
    "import",
    "input",
    "ins",
    "isindex",
    "label",
    "layer",
    "li",
    "link",
    "main",
    "marquee",
    "math",
    "menuitem",
    "meta",
    "mglyph",
    "model",
    "nav",
    "noembed",
    "noframes",
    "noscript",
    "note",
    "object",
    "ol",
    "option",
    "overlay",
    "p",
    "param",
    "path",
    "picture",
    "portal",
    "pre",
    "q",
    "script",
    "section",
    "select",
    "small",
    "source",
    "span",
    "strong",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "template",
    "textarea",
    "tfoot",
    "th",
    "thead",
    "title",
    "tr",
    "track",
    "ul",
    "use",
    "video",
    "webview",
    "xml",
];
/// The longest of them, and with room the longest name that is looked up.
const LONGEST: usize = 16;

/// The language that an element belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    Html,
    Svg,
    MathMl,
}

impl Namespace {
    /// Of an element of this name, as it was written.
    pub(super) fn of(element: &Element<'_, '_>, name: &[u8]) -> Self {
        let uri = element.namespace_uri();
        // What is in these is HTML, and the tokenizer says so of themselves too.
        let is_text = [b"mi", b"mo", b"mn", b"ms", &b"mtext"[..]]
            .iter()
            .any(|text| name.eq_ignore_ascii_case(text));
        if is_text {
            Self::MathMl
        } else if uri.ends_with("xhtml") {
            Self::Html
        } else if uri.ends_with("MathML") {
            Self::MathMl
        } else {
            Self::Svg
        }
    }
}

pub(super) struct Tag<'s, 'e> {
    /// In lower case; `*` where it is none that is known.
    pub(super) name: &'static str,
    /// From `<` to `>`.
    pub(super) range: Range<usize>,
    pub(super) namespace: Namespace,
    pub(super) attributes: &'e [Attribute<'e>],
    source: &'s [u8],
    /// Where the part starts that positions of lol_html are relative to.
    offset: usize,
}

impl<'s, 'e> Tag<'s, 'e> {
    pub(super) fn of(
        source: &'s [u8],
        element: &'e Element<'_, '_>,
        offset: usize,
    ) -> Option<Self> {
        let range = shift(&element.source_location().bytes(), offset);
        let text = source.get(range.clone())?.strip_prefix(b"<")?;
        let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>');
        let length = text.iter().position(ends).unwrap_or(text.len());
        Some(Self {
            name: known(&text[..length]),
            namespace: Namespace::of(element, &text[..length]),
            range,
            attributes: element.attributes(),
            source,
            offset,
        })
    }

    /// An attribute's name as written, and the range of its value without
    /// quotes; `None` without a value.
    pub(super) fn locate(&self, attribute: &Attribute<'_>) -> Option<(&'s [u8], Range<usize>)> {
        let value = attribute.value_source_location()?.bytes();
        let name = attribute.name_source_location()?.bytes();
        let value = shift(&value, self.offset);
        let name = self.source.get(shift(&name, self.offset))?;
        (value.end <= self.source.len()).then_some((name, value))
    }

    /// The range of the value of the first attribute of that name.
    pub(super) fn range_of(&self, name: &str) -> Option<Range<usize>> {
        self.attributes.iter().find_map(|attribute| {
            let (found, value) = self.locate(attribute)?;
            found.eq_ignore_ascii_case(name.as_bytes()).then_some(value)
        })
    }

    /// Whether there is an attribute of that name, with a value or without.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|attribute| {
            let range = attribute.name_source_location().map(|name| name.bytes());
            let range = range.map(|range| shift(&range, self.offset));
            range
                .and_then(|range| self.source.get(range))
                .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
        })
    }

    /// The value as written, for keywords: trimmed, references not decoded.
    pub(super) fn value(&self, name: &str) -> Option<&'s [u8]> {
        self.range_of(name)
            .map(|range| self.source[range].trim_ascii())
    }

    /// An attribute from its name to its closing quote.
    pub(super) fn whole(
        &self,
        attribute: &Attribute<'_>,
        value: &Range<usize>,
        quote: Option<u8>,
    ) -> Range<usize> {
        let start = attribute
            .name_source_location()
            .map_or(value.start, |name| name.bytes().start + self.offset);
        let closes = quote.is_some() && self.source.get(value.end).copied() == quote;
        start..value.end + usize::from(closes)
    }
}

fn known(name: &[u8]) -> &'static str {
    let mut lower = [0; LONGEST];
    lower_case(name, &mut lower)
        .and_then(|name| {
            let at = ELEMENTS.binary_search_by(|known| known.as_bytes().cmp(name));
            at.ok()
        })
        .map_or("*", |at| ELEMENTS[at])
}

/// The name in lower case, in the buffer; `None` where it is longer than that.
pub(super) fn lower_case<'b>(name: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    Some(lower)
}

/// Where the raw text at `content.start` ends: at `</name`, or at any end tag
/// where the name is empty, or with the content.
pub(super) fn find_end(source: &[u8], content: Range<usize>, name: &str) -> usize {
    let text = &source[content.clone()];
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| *byte == b'<') {
        at += next;
        let is_end = text[at..].strip_prefix(b"</").is_some_and(|rest| {
            let same = |start: &[u8]| start.eq_ignore_ascii_case(name.as_bytes());
            rest.get(..name.len()).is_some_and(same)
                && (name.is_empty() || rest.get(name.len()).copied().is_none_or(ends_name))
        });
        if is_end {
            return content.start + at;
        }
        at += 1;
    }
    content.end
}

fn ends_name(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'>')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_sorted_and_fit_the_buffer() {
        assert!(ELEMENTS.is_sorted());
        assert!(ELEMENTS.iter().all(|name| name.len() <= LONGEST));
        assert_eq!(known(b"IFrame"), "iframe");
        assert_eq!(known(b"blink"), "*");
        assert_eq!(known(b"a-very-long-custom-element"), "*");
    }

    #[test]
    fn raw_text_ends_at_its_own_end_tag_only() {
        for (source, name, expected) in [
            (&b"a</b></STYLE >b"[..], "style", 5),
            (b"a</styles></style", "style", 10),
            (b"a<<</style>", "style", 3),
            (b"a", "style", 1),
            (b"a</g>", "", 1),
        ] {
            assert_eq!(find_end(source, 0..source.len(), name), expected);
        }
    }
}
