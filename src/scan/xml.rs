//! Reads XML as it is found: in any charset, with undeclared prefixes, stray
//! ampersands and tags that nobody closes. It goes by local names, expands no
//! entities but characters, and takes what stands before a break.

use super::entity::{self, Place};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, UTF_16BE, UTF_16LE};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;
use std::ops::Range;

/// Elements within each other whose names are known; deeper ones are read, and
/// belong to the last that is.
const MAX_DEPTH: usize = 256;
/// Where the root element must begin at the latest, in bytes.
const PROLOGUE: usize = 64 << 10;
/// How far an XML declaration goes.
const DECLARATION: usize = 256;

/// The text of a document: by its byte order mark, HTTP, its declaration
/// (RFC 7303 §3), or else UTF-8. What is malformed is replaced.
pub(super) fn text<'s>(source: &'s [u8], http_charset: Option<&str>) -> Cow<'s, str> {
    let (charset, mark) = Encoding::for_bom(source).unwrap_or_else(|| {
        let stated = http_charset
            .and_then(|label| Encoding::for_label(label.trim().as_bytes()))
            .or_else(|| by_pattern(source))
            .or_else(|| declared(source))
            .filter(|charset| *charset != REPLACEMENT)
            // A document whose declaration can be read is in no UTF-16.
            .filter(|charset| charset.is_ascii_compatible() || !source.starts_with(b"<?xm"));
        (stated.unwrap_or(UTF_8), 0)
    });
    charset.decode_without_bom_handling(&source[mark..]).0
}

/// UTF-16 without a mark: an angle bracket beside a zero.
fn by_pattern(source: &[u8]) -> Option<&'static Encoding> {
    match source {
        [0, b'<', ..] => Some(UTF_16BE),
        [b'<', 0, ..] => Some(UTF_16LE),
        _ => None,
    }
}

fn declared(source: &[u8]) -> Option<&'static Encoding> {
    let start = source.trim_ascii_start();
    let start = &start[..start.len().min(DECLARATION)];
    let end = start.windows(2).position(|bytes| bytes == b"?>")?;
    let declaration = start.strip_prefix(b"<?xml")?.get(..end - 5)?;
    let at = declaration
        .windows(8)
        .position(|word| word == b"encoding")?;
    let value = declaration[at + 8..]
        .trim_ascii_start()
        .strip_prefix(b"=")?;
    let value = value.trim_ascii_start();
    let quote = *value.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    Encoding::for_label(value[1..].split(|byte| *byte == quote).next()?)
}

/// The local names of the first elements, the root's first.
pub(super) fn first_elements(source: &[u8], http_charset: Option<&str>) -> Vec<String> {
    const MOST: usize = 8;
    let text = text(&source[..source.len().min(PROLOGUE)], http_charset);
    let mut xml = Xml::new(&text);
    let mut names = Vec::new();
    while names.len() < MOST
        && let Some(piece) = xml.next()
    {
        if let Piece::Start(tag) = piece {
            names.push(tag.name().to_owned());
        }
    }
    names
}

/// A piece of a document.
pub(super) enum Piece<'t> {
    /// A start tag, or an empty element's, which no [`Piece::End`] follows.
    Start(Tag<'t>),
    /// Characters, decoded; a text comes in several.
    Text(Cow<'t, str>),
    /// An end tag, by its local name.
    End(String),
    /// `<?xml-stylesheet ..?>` and the like.
    Instruction(Instruction<'t>),
}

/// A start tag.
pub(super) struct Tag<'t> {
    source: BytesStart<'t>,
    /// Where the tag stands in the text.
    pub(super) range: Range<usize>,
    /// `<name/>`.
    pub(super) is_empty: bool,
}

impl Tag<'_> {
    /// The local name.
    pub(super) fn name(&self) -> &str {
        local(self.source.name().0)
    }

    /// The value of the first attribute with this local name, whatever its
    /// prefix; declarations of namespaces are none.
    pub(super) fn value(&self, name: &str) -> Option<String> {
        self.attributes().find_map(|(known, value)| {
            (local(&known) == name && !known.starts_with("xmlns")).then_some(value)
        })
    }

    /// Where the values of attributes begin in the text, by their full names.
    pub(super) fn places(&self) -> impl Iterator<Item = (String, usize)> + '_ {
        let mut attributes = self.source.html_attributes();
        attributes.with_checks(false);
        // Behind the angle bracket the source is the text's own.
        let (own, from) = (self.source.as_ptr().addr(), self.range.start + 1);
        attributes.flatten().filter_map(move |attribute| {
            let within = attribute.value.as_ptr().addr().checked_sub(own)?;
            let is_within =
                within < self.range.len() && matches!(attribute.value, Cow::Borrowed(_));
            is_within.then(|| (attribute.key.0.to_owned(), from + within))
        })
    }

    /// All attributes by their full names, values decoded.
    pub(super) fn attributes(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let mut attributes = self.source.html_attributes();
        attributes.with_checks(false);
        attributes.flatten().map(|attribute| {
            let value = entity::decode(attribute.value, Place::Attribute);
            (attribute.key.0.to_owned(), value.into_owned())
        })
    }
}

/// A processing instruction.
pub(super) struct Instruction<'t> {
    source: quick_xml::events::BytesPI<'t>,
    /// Where it stands in the text.
    range: Range<usize>,
}

impl Instruction<'_> {
    /// The address of a style sheet (xml-stylesheet 1.0 §4).
    pub(super) fn stylesheet(&self) -> Option<String> {
        Some(entity::decode(self.href()?, Place::Attribute).into_owned())
    }

    /// Where that address begins in the text.
    pub(super) fn place(&self) -> Option<usize> {
        let href = self.href()?;
        let within = href
            .as_ptr()
            .addr()
            .checked_sub(self.source.as_ptr().addr())?;
        // Behind `<?`.
        (within < self.range.len()).then(|| self.range.start + 2 + within)
    }

    fn href(&self) -> Option<Cow<'_, str>> {
        if self.source.target() != "xml-stylesheet" {
            return None;
        }
        let mut attributes = self.source.attributes();
        attributes.with_checks(false);
        let href = attributes.flatten().find(|known| known.key.0 == "href")?;
        Some(href.value)
    }
}

/// The local part of a name.
pub(super) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Reads a text piece by piece, and knows which elements are open.
pub(super) struct Xml<'t> {
    text: &'t str,
    /// Where `reader`'s text begins in the whole.
    from: usize,
    reader: Reader<&'t [u8]>,
    open: Vec<String>,
    deeper: usize,
}

impl<'t> Xml<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            from: 0,
            reader: lenient(text),
            open: Vec::new(),
            deeper: 0,
        }
    }

    /// The element that encloses what comes next, `up` levels above it; empty
    /// above the root.
    pub(super) fn enclosing(&self, up: usize) -> &str {
        let at = self.open.len().checked_sub(up + 1);
        at.map_or("", |at| self.open[at].as_str())
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len() + self.deeper
    }

    /// How far the text has been read, in bytes.
    pub(super) fn position(&self) -> usize {
        let within = usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX);
        (self.from + within).min(self.text.len())
    }

    /// The next piece; `None` at the end, or where no further piece can be
    /// told.
    pub(super) fn next(&mut self) -> Option<Piece<'t>> {
        loop {
            let start = self.position();
            let Ok(event) = self.reader.read_event() else {
                self.go_on_after(start)?;
                continue;
            };
            let range = start..self.position();
            return Some(match event {
                Event::Start(tag) => {
                    let tag = Tag {
                        source: tag,
                        range,
                        is_empty: false,
                    };
                    if self.open.len() < MAX_DEPTH {
                        self.open.push(tag.name().to_owned());
                    } else {
                        self.deeper += 1;
                    }
                    Piece::Start(tag)
                }
                Event::Empty(tag) => Piece::Start(Tag {
                    source: tag,
                    range,
                    is_empty: true,
                }),
                Event::End(tag) => {
                    let name = local(tag.name().0).to_owned();
                    self.close(&name);
                    Piece::End(name)
                }
                Event::Text(text) => Piece::Text(text.into_inner()),
                Event::CData(text) => Piece::Text(text.into_inner()),
                Event::GeneralRef(name) => {
                    let reference = format!("&{};", name.into_inner());
                    Piece::Text(entity::decode(reference.into(), Place::Text))
                }
                Event::PI(source) => Piece::Instruction(Instruction { source, range }),
                Event::Decl(_) | Event::DocType(_) | Event::Comment(_) => continue,
                Event::Eof => return None,
            });
        }
    }

    /// Closes the nearest open element of this name with all in it; an end tag
    /// that closes none is passed over.
    fn close(&mut self, name: &str) {
        if self.deeper > 0 {
            self.deeper -= 1;
        } else if let Some(at) = self.open.iter().rposition(|open| open == name) {
            self.open.truncate(at);
        }
    }

    /// Goes on behind what is no markup. Something unclosed has taken all the
    /// rest, and going back into it again and again would take forever.
    fn go_on_after(&mut self, start: usize) -> Option<()> {
        let stopped = self.position().max(start + 1);
        let rest = self.text.as_bytes().get(stopped..)?;
        let next = rest.iter().position(|byte| *byte == b'<')?;
        self.from = stopped + next;
        self.reader = lenient(&self.text[self.from..]);
        Some(())
    }
}

fn lenient(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.allow_dangling_amp = true;
    config.allow_unmatched_ends = true;
    config.check_end_names = false;
    reader
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let mut xml = Xml::new(text);
        let mut told = String::new();
        while let Some(piece) = xml.next() {
            match piece {
                Piece::Start(tag) => {
                    told += &format!("<{}", tag.name());
                    for (name, value) in tag.attributes() {
                        told += &format!(" {name}={value}");
                    }
                    told += if tag.is_empty { "/>" } else { ">" };
                }
                Piece::Text(text) => told += &text,
                Piece::End(name) => told += &format!("</{name}>"),
                Piece::Instruction(pi) => told += &format!("<?{:?}>", pi.stylesheet()),
            }
        }
        told
    }

    #[test]
    fn what_is_no_xml_is_read_as_it_is_meant() {
        for (text, expected) in [
            (
                "<a b='1 &amp; 2' c=3>x &amp; y & z</a>",
                "<a b=1 & 2 c=3>x & y & z</a>",
            ),
            (
                "<p:a q:b='&#65;'/>&nbsp;&eacute;&x;",
                "<a q:b=A/>\u{a0}é&x;",
            ),
            ("<a><![CDATA[<b>&amp;]]></a>", "<a><b>&amp;</a>"),
            ("<a><b></a></c>", "<a><b></a></c>"),
            ("<a><!x><b/></a>", "<a><b/></a>"),
            ("<a>1<b>2<c", "<a>1<b>2"),
            ("<a><!-- never closed <b/>", "<a>"),
            (
                "<?xml version='1.0'?><?xml-stylesheet type='text/xsl' href='s.xsl?a&amp;b'?><a/>",
                "<?Some(\"s.xsl?a&b\")><a/>",
            ),
            ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "<a>&e;</a>"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn end_tags_close_what_they_name() {
        let mut xml = Xml::new("<a><b><c></b><d>");
        while let Some(piece) = xml.next() {
            if matches!(piece, Piece::Start(tag) if tag.name() == "d") {
                assert_eq!(
                    (xml.enclosing(0), xml.enclosing(1), xml.enclosing(2)),
                    ("d", "a", "")
                );
            }
        }
        let deep = "<a>".repeat(100_000);
        let mut xml = Xml::new(&deep);
        while xml.next().is_some() {}
        assert_eq!(xml.depth(), 100_000);
    }

    #[test]
    fn the_charset_is_told_by_mark_http_or_declaration() {
        let utf_16: Vec<u8> = "<a>é</a>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for (source, http, expected) in [
            (
                &b"\xef\xbb\xbf<a>\xc3\xa9</a>"[..],
                Some("iso-8859-1"),
                "<a>é</a>",
            ),
            (b"<a>\xe9</a>", Some("iso-8859-1"), "<a>é</a>"),
            (
                b"<?xml version='1.0' encoding='windows-1252'?>\xe9",
                None,
                "é",
            ),
            (
                b"<?xml version='1.0' encoding='utf-16'?>\xc3\xa9",
                None,
                "é",
            ),
            (b"<a>\xc3\xa9</a>", Some("nonsense"), "<a>é</a>"),
            (&utf_16, None, "<a>é</a>"),
        ] {
            let text = text(source, http);
            assert!(text.ends_with(expected), "{text}");
        }
    }
}
