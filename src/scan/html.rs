//! Reads HTML: finds the places of URLs in attributes, `<style>` elements,
//! conditional comments and `noscript`, and the spots that replay touches.
//! lol_html tells where tags and attributes stand; everything is then read
//! from the source itself.

use super::masked::Masked;
use super::{Context, Document, Irregularity, Layer, Place, Reading, Role, Spot, Syntax};
use super::{css, srcset};
use attribute::{Meaning, Value};
use lol_html::html_content::{Attribute, Comment, Doctype, Element, EndTag};
use lol_html::{
    AsciiCompatibleEncoding, DocumentContentHandlers, ElementContentHandlers, HtmlRewriter,
    MemorySettings, Selector, Settings,
};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;
use tag::Tag;

mod attribute;
mod link;
mod tag;
mod title;

/// How deep parts within parts (conditional comments, `noscript`) are read.
const MAX_PART_DEPTH: u8 = 4;
/// What the tokenizer may hold: the open elements and the last, unfinished tag.
const MAX_MEMORY: usize = 32 << 20;

/// Reads a whole document.
pub(super) fn read(document: Document<'_>) -> Reading {
    let reader = RefCell::new(Reader {
        document,
        reading: Reading::default(),
        head: HeadStart::Document(document.mark),
        form_is_sent_by_get: true,
        templates: Rc::default(),
        drawings: Rc::default(),
        foreign_style_end: 0,
    });
    read_part(&reader, document.mark..document.text.len(), 0);
    let mut reader = reader.into_inner();
    let at = reader.head.position();
    reader.reading.spot(at..at, Spot::HeadStart);
    reader.reading
}

/// Where a script must stand to run before the page's own.
#[derive(Clone, Copy)]
enum HeadStart {
    /// No tag yet: after the byte order mark and the doctype.
    Document(usize),
    /// After `<html>`, no other tag yet.
    Html(usize),
    /// After `<head>`, or before the tag that opens the head by itself.
    Found(usize),
}

impl HeadStart {
    fn position(self) -> usize {
        match self {
            Self::Document(at) | Self::Html(at) | Self::Found(at) => at,
        }
    }

    fn see(&mut self, tag: &Tag<'_, '_>) {
        *self = match (*self, tag.name) {
            (Self::Found(at), _) => Self::Found(at),
            (_, "head") => Self::Found(tag.range.end),
            (_, "html") => Self::Html(tag.range.end),
            (Self::Html(at), _) => Self::Found(at),
            (Self::Document(_), _) => Self::Found(tag.range.start),
        };
    }
}

struct Reader<'s> {
    document: Document<'s>,
    reading: Reading,
    head: HeadStart,
    /// How the form is sent that opened last.
    form_is_sent_by_get: bool,
    /// How many `template` elements are open, whose `base` doesn't count.
    templates: Rc<Cell<u32>>,
    /// How many `svg` elements are open, whose `title` isn't the document's.
    drawings: Rc<Cell<u32>>,
    /// Where the last `style` of SVG ends, whose content is read as markup too.
    foreign_style_end: usize,
}

/// Reads a part of the document as HTML of its own.
fn read_part(reader: &RefCell<Reader<'_>>, part: Range<usize>, depth: u8) {
    let document = reader.borrow().document;
    if depth > MAX_PART_DEPTH {
        let too_deep = Irregularity::TooDeep { range: part };
        reader.borrow_mut().reading.irregular.push(too_deep);
        return;
    }
    let Some(source) = document.text.get(part.clone()) else {
        return;
    };
    let selector: Selector = "*".parse().expect("a constant selector");
    let templates = reader.borrow().templates.get();
    let drawings = reader.borrow().drawings.get();
    let elements = ElementContentHandlers::default().element(|element: &mut Element<'_, '_>| {
        let inner = reader.borrow_mut().start_tag(element, &part, depth);
        if let Some(inner) = inner {
            read_part(reader, inner, depth + 1);
        }
        Ok(())
    });
    let others = DocumentContentHandlers::default()
        .comments(|comment: &mut Comment<'_>| {
            let range = shift(&comment.source_location().bytes(), part.start);
            if let Some(inner) = conditional(document.text, range) {
                read_part(reader, inner, depth + 1);
            }
            Ok(())
        })
        .doctype(|doctype: &mut Doctype<'_>| {
            let head = &mut reader.borrow_mut().head;
            if depth == 0 && matches!(head, HeadStart::Document(_)) {
                *head = HeadStart::Document(part.start + doctype.source_location().bytes().end);
            }
            Ok(())
        });
    let encoding = AsciiCompatibleEncoding::new(document.text_charset())
        .unwrap_or_else(AsciiCompatibleEncoding::utf_8);
    let settings = Settings::new()
        .with_encoding(encoding)
        .with_strict(false)
        .with_memory_settings(MemorySettings::new().with_max_allowed_memory_usage(MAX_MEMORY))
        .append_element_content_handler((Cow::Borrowed(&selector), elements))
        .append_document_content_handler(others);
    let mut tokenizer = HtmlRewriter::new(settings, |_: &[u8]| {});
    // What was read before a failure stays.
    let result = tokenizer.write(source).and_then(|()| tokenizer.end());
    let mut reader = reader.borrow_mut();
    // What was left open in the part ends with it.
    reader.templates.set(templates);
    reader.drawings.set(drawings);
    if result.is_err() {
        let range = part.clone();
        let irregularity = Irregularity::MemoryLimit { range };
        reader.reading.irregular.push(irregularity);
    }
}

fn shift(range: &Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// The inner HTML of a conditional comment, `<!--[if IE]> .. <![endif]-->`.
fn conditional(text: &[u8], comment: Range<usize>) -> Option<Range<usize>> {
    let inner = text.get(comment.clone())?.strip_prefix(b"<!--")?;
    let inner = inner.trim_ascii_start();
    if !inner.get(..3)?.eq_ignore_ascii_case(b"[if") {
        return None;
    }
    let condition = inner.windows(2).position(|bytes| bytes == b"]>")?;
    Some(comment.end - inner.len() + condition + 2..comment.end)
}

impl<'s> Reader<'s> {
    /// Reads a start tag; the range of what is in the element, where that is
    /// HTML which the tokenizer passes over as raw text.
    fn start_tag(
        &mut self,
        element: &mut Element<'_, '_>,
        part: &Range<usize>,
        depth: u8,
    ) -> Option<Range<usize>> {
        let is_html = element.namespace_uri().ends_with("xhtml");
        let has_content = is_html || !element.is_self_closing();
        let tag = Tag::of(self.document.text, element, part.start)?;
        if depth == 0 {
            self.head.see(&tag);
        }
        if !tag.attributes.is_empty() {
            self.attributes(&tag, is_html);
        }
        let content = tag.range.end..part.end;
        match tag.name {
            "style" if has_content => self.style(content, is_html),
            "noscript" | "noembed" | "noframes" if is_html => {
                let end = tag::find_end(self.document.text, content.clone(), tag.name);
                return Some(content.start..end);
            }
            "title" if depth == 0 && self.reading.title.is_none() && self.drawings.get() == 0 => {
                let charset = self.document.text_charset();
                self.reading.title = title::of(self.document.text, content, charset);
            }
            "template" if is_html => count_open(element, &self.templates),
            "svg" => count_open(element, &self.drawings),
            _ => {}
        }
        None
    }

    fn style(&mut self, content: Range<usize>, is_html: bool) {
        let start = content.start;
        // In SVG its content is markup: it ends at any end tag.
        let end = tag::find_end(
            self.document.text,
            content,
            if is_html { "style" } else { "" },
        );
        if !is_html {
            if start < self.foreign_style_end {
                return;
            }
            self.foreign_style_end = end;
        }
        let range = start..end;
        let view = Masked::text(self.document.text, range, self.document.text_charset());
        self.css(&view, Layer::StyleElement, "style", None);
    }

    fn css(
        &mut self,
        view: &Masked<'_>,
        layer: Layer,
        element: &'static str,
        attribute: Option<&'static str>,
    ) {
        css::urls(view.as_str(), |url| {
            self.reading.place(Place {
                range: view.source_range(url.range),
                role: url.role,
                context: Context {
                    layer,
                    syntax: Syntax::Css { quote: url.quote },
                },
                element,
                attribute: attribute.unwrap_or(url.construct),
                codebase: None,
            });
        });
    }

    fn attributes(&mut self, tag: &Tag<'_, '_>, is_html: bool) {
        match tag.name {
            "meta" => return self.meta(tag),
            "link" => {
                let rel = tag.value("rel").unwrap_or_default();
                if link::is_only_hint(rel) {
                    self.reading.spot(tag.range.clone(), Spot::Hint);
                }
            }
            "form" => self.form_is_sent_by_get = is_get(tag.value("method")),
            _ => {}
        }
        let mut seen: Vec<&'static str> = Vec::new();
        for attribute in tag.attributes {
            let Some((name, range)) = tag.locate(attribute) else {
                continue;
            };
            let mut lower = [0; attribute::LONGEST];
            let Some(lower) = tag::lower_case(name, &mut lower) else {
                continue;
            };
            let Some(meaning) = attribute::meaning(tag.name, lower, is_html) else {
                continue;
            };
            // Of two attributes of one name, the first is the element's.
            if !seen.contains(&meaning.name) {
                seen.push(meaning.name);
                self.attribute(tag, meaning, range, attribute);
            }
        }
    }

    fn attribute(
        &mut self,
        tag: &Tag<'_, '_>,
        meaning: Meaning,
        range: Range<usize>,
        attribute: &Attribute<'_>,
    ) {
        let Meaning { name, value, role } = meaning;
        match value {
            Value::Url => self.url(tag, name, role, range),
            Value::Relation => {
                let role = link::role(tag);
                self.url(tag, name, role, range);
            }
            Value::Base => self.base(tag, name, range),
            Value::Action => {
                let method = tag.value("formmethod");
                if method.map_or(self.form_is_sent_by_get, |method| is_get(Some(method))) {
                    self.url(tag, name, role, range);
                }
            }
            Value::Parameter => {
                if link::is_url_parameter(tag.value("name").unwrap_or_default()) {
                    self.url(tag, name, role, range);
                }
            }
            Value::Object => {
                let role = link::object_role(tag.value("type").unwrap_or_default());
                self.url(tag, name, role, range);
            }
            Value::FromCodebase => self.from_codebase(tag, name, role, &range),
            Value::Srcset => self.items(tag, name, role, &range, srcset::candidates),
            Value::Lazy => self.lazy(tag, name, role, range),
            Value::LazySrcset => {
                if is_plausible(&self.document.text[range.clone()]) {
                    self.items(tag, name, role, &range, srcset::candidates);
                }
            }
            Value::Style => {
                let view = self.view(range.clone());
                let layer = self.layer(&range);
                self.css(&view, layer, tag.name, Some("style"));
            }
            Value::Document => {
                let quote = self.quote(&range);
                self.reading.srcdoc(range, quote);
            }
            Value::Integrity | Value::Ping => {
                let spot = match value {
                    Value::Integrity => Spot::Integrity,
                    _ => Spot::Ping,
                };
                let whole = tag.whole(attribute, &range, self.quote(&range));
                self.reading.spot(whole, spot);
            }
        }
    }

    /// An attribute whose whole value is a URL.
    fn url(&mut self, tag: &Tag<'_, '_>, name: &'static str, role: Role, value: Range<usize>) {
        let url = self.trim(value.clone());
        self.put((tag.name, name), role, &value, url, Syntax::Plain);
    }

    /// An attribute whose value lists URLs.
    fn items(
        &mut self,
        tag: &Tag<'_, '_>,
        name: &'static str,
        role: Role,
        value: &Range<usize>,
        split: impl FnOnce(&str) -> Vec<Range<usize>>,
    ) {
        let view = self.view(value.clone());
        for item in split(view.as_str()) {
            let url = view.source_range(item);
            self.put((tag.name, name), role, value, url, Syntax::Item);
        }
    }

    /// What scripts load when it scrolls into view: guarded against values
    /// that are no URLs.
    fn lazy(&mut self, tag: &Tag<'_, '_>, name: &'static str, role: Role, value: Range<usize>) {
        let text = self.document.text[value.clone()].trim_ascii_start();
        if text
            .get(..4)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"url("))
        {
            let view = self.view(value.clone());
            let layer = self.layer(&value);
            self.css(&view, layer, tag.name, Some(name));
        } else if is_plausible(text) && !text.trim_ascii_end().iter().any(u8::is_ascii_whitespace) {
            self.url(tag, name, role, value);
        }
    }

    fn base(&mut self, tag: &Tag<'_, '_>, name: &'static str, value: Range<usize>) {
        let before = self.reading.places.len();
        self.url(tag, name, Role::Base, value);
        if self.reading.base.is_none() && self.templates.get() == 0 {
            self.reading.base = self.reading.places.get(before).cloned();
        }
    }

    /// The `code`, `archive` and `classid` of old applets and objects.
    fn from_codebase(
        &mut self,
        tag: &Tag<'_, '_>,
        name: &'static str,
        role: Role,
        value: &Range<usize>,
    ) {
        let before = self.reading.places.len();
        self.items(tag, name, role, value, |text| {
            // Applets separate by commas, objects by spaces.
            let is_gap = |c: char| c == ',' || c.is_ascii_whitespace();
            let start = |item: &str| item.as_ptr().addr() - text.as_ptr().addr();
            text.split(is_gap)
                .filter(|item| !item.is_empty())
                .map(|item| start(item)..start(item) + item.len())
                .collect()
        });
        let codebase = tag.range_of("codebase");
        for place in &mut self.reading.places[before..] {
            place.codebase.clone_from(&codebase);
        }
    }

    fn meta(&mut self, tag: &Tag<'_, '_>) {
        let Some(value) = tag.range_of("content") else {
            return;
        };
        let equivalent = tag.value("http-equiv").unwrap_or_default();
        if equivalent.eq_ignore_ascii_case(b"refresh") {
            let view = self.view(value.clone());
            if let Some(url) = srcset::refresh_url(view.as_str()) {
                let url = self.trim(view.source_range(url));
                let names = (tag.name, "http-equiv=refresh");
                self.put(names, Role::Refresh, &value, url, Syntax::Refresh);
            }
        } else if equivalent.eq_ignore_ascii_case(b"content-security-policy") {
            let range = tag.range.clone();
            self.reading.spot(range, Spot::ContentSecurityPolicy);
        } else if let Some((property, role)) = ["property", "name", "itemprop"]
            .iter()
            .find_map(|attribute| link::meta_role(tag.value(attribute)?))
        {
            self.url(tag, property, role, value);
        }
    }

    fn put(
        &mut self,
        (element, attribute): (&'static str, &'static str),
        role: Role,
        value: &Range<usize>,
        url: Range<usize>,
        syntax: Syntax,
    ) {
        if url.is_empty() {
            return;
        }
        let layer = self.layer(value);
        self.reading.place(Place {
            range: url,
            role,
            context: Context { layer, syntax },
            element,
            attribute,
            codebase: None,
        });
    }

    fn view(&self, value: Range<usize>) -> Masked<'s> {
        Masked::attribute(self.document.text, value, self.document.text_charset())
    }

    fn trim(&self, value: Range<usize>) -> Range<usize> {
        let text = &self.document.text[value.clone()];
        let start = value.end - text.trim_ascii_start().len();
        start..start + text.trim_ascii().len()
    }

    fn layer(&self, value: &Range<usize>) -> Layer {
        Layer::Attribute {
            quote: self.quote(value),
        }
    }

    fn quote(&self, value: &Range<usize>) -> Option<u8> {
        let before = *self.document.text.get(value.start.checked_sub(1)?)?;
        matches!(before, b'"' | b'\'').then_some(before)
    }
}

/// Counts the element as open until its end tag.
fn count_open(element: &mut Element<'_, '_>, open: &Rc<Cell<u32>>) {
    let counter = Rc::clone(open);
    let close = move |_: &mut EndTag<'_>| {
        counter.set(counter.get().saturating_sub(1));
        Ok(())
    };
    // There is no end tag to wait for where the tag closes itself.
    if element.on_end_tag(Box::new(close)).is_ok() {
        open.set(open.get() + 1);
    }
}

/// Whether a form of this method is sent by GET, which also is the default.
fn is_get(method: Option<&[u8]>) -> bool {
    !method.is_some_and(|method| {
        method.eq_ignore_ascii_case(b"post") || method.eq_ignore_ascii_case(b"dialog")
    })
}

/// Whether a value that a script reads may be a URL: not a template's
/// placeholder, a number or a word.
fn is_plausible(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    value.iter().any(|byte| matches!(byte, b'/' | b'.'))
        && value.iter().any(u8::is_ascii_alphabetic)
        && !value
            .iter()
            .any(|byte| matches!(byte, b'{' | b'}' | b'<' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::super::{Irregularity, Kind, Role, Scan, Spot, scan};
    use ::url::Url;

    fn html(source: &str) -> Scan {
        let url = Url::parse("http://host/dir/page?q").unwrap();
        scan(Kind::Html, source.as_bytes(), &url, None)
    }

    fn found(source: &str) -> Vec<(String, Role)> {
        let scan = html(source);
        let with_role = |found: &super::super::Found| {
            let url = found.url.as_str();
            let short = url.strip_prefix("http://host").unwrap_or(url);
            (short.to_owned(), found.role)
        };
        scan.links().map(with_role).collect()
    }

    #[track_caller]
    fn expect(source: &str, expected: &[(&str, Role)]) {
        let found = found(source);
        let found: Vec<_> = found.iter().map(|(u, r)| (u.as_str(), *r)).collect();
        assert_eq!(found, expected, "{source}");
    }

    #[test]
    fn attributes_of_the_standard_give_their_urls_and_roles() {
        use Role::{Alternate, Form, Frame, Image, Manifest, Media, Page, Script};
        for (source, expected) in [
            ("<a href=x#y>", &[("/dir/x#y", Page)][..]),
            ("<A HREF='x'>", &[("/dir/x", Page)]),
            ("<a href = \"\n x \t\">", &[("/dir/x", Page)]),
            ("<a href=x href=y>", &[("/dir/x", Page)]),
            ("<a href=''><a href=' '><a href='#x'><a href>", &[]),
            (
                "<a href='javascript:x'><a href=mailto:x><a href='data:,x'>",
                &[],
            ),
            (
                "<a href='HTTP:x'><a href=tel:1><a href=ftp://x/>",
                &[("/dir/x", Page)],
            ),
            (
                "<a href='//other/x'><area href='?z'>",
                &[("http://other/x", Page), ("/dir/page?z", Page)],
            ),
            (
                "<a href='x&amp;y&#x2f;z&copy=1'>",
                &[("/dir/x&y/z&copy=1", Page)],
            ),
            (
                "<img src=a srcset='b 1x, c 2x'>",
                &[("/dir/a", Image), ("/dir/b", Image), ("/dir/c", Image)],
            ),
            (
                "<img srcset='b&#32;1x&comma;&#x20;c'>",
                &[("/dir/b", Image), ("/dir/c", Image)],
            ),
            (
                "<picture><source srcset=a><source src=b></picture>",
                &[("/dir/a", Image), ("/dir/b", Media)],
            ),
            (
                "<video poster=a src=b><track src=c></video>",
                &[("/dir/a", Image), ("/dir/b", Media), ("/dir/c", Media)],
            ),
            (
                "<iframe src=a></iframe><frame src=b><embed src=c>",
                &[("/dir/a", Frame), ("/dir/b", Frame), ("/dir/c", Frame)],
            ),
            (
                "<object data=a></object><object type=image/png data=b></object>",
                &[("/dir/a", Frame), ("/dir/b", Image)],
            ),
            (
                "<script src=a></script><script>'<img src=b>'</script>",
                &[("/dir/a", Script)],
            ),
            (
                "<body background=a><td background=b>",
                &[("/dir/a", Image), ("/dir/b", Image)],
            ),
            (
                "<html manifest=a><blockquote cite=b><img longdesc=c>",
                &[
                    ("/dir/a", Manifest),
                    ("/dir/b", Alternate),
                    ("/dir/c", Alternate),
                ],
            ),
            (
                "<form action=a><button formaction=b>",
                &[("/dir/a", Form), ("/dir/b", Form)],
            ),
            (
                "<form action=a method=POST><button formaction=b><input formaction=c formmethod=get>",
                &[("/dir/c", Form)],
            ),
            ("<input type=image src=a>", &[("/dir/a", Image)]),
            ("<!doctype html>", &[]),
            ("<a title='<a href=x>'>", &[]),
            (
                "<textarea><a href=x></textarea><title><a href=y></title>",
                &[],
            ),
        ] {
            expect(source, expected);
        }
    }

    #[test]
    fn links_are_read_by_their_keywords() {
        use Role::{Alternate, Font, Hint, Image, Manifest, Media, Requisite, Script, Stylesheet};
        for (link, role) in [
            ("rel=stylesheet", Stylesheet),
            ("rel='Alternate StyleSheet'", Stylesheet),
            ("rel='shortcut icon'", Image),
            ("rel=apple-touch-icon", Image),
            ("rel=manifest", Manifest),
            ("rel=modulepreload", Script),
            ("rel=preload as=font", Font),
            ("rel=preload as=style", Stylesheet),
            ("rel=preload as=video", Media),
            ("rel=preload as=fetch", Requisite),
            ("rel=prefetch", Alternate),
            ("rel=prefetch as=script", Script),
            ("rel=next", Alternate),
            ("rel=canonical", Alternate),
            ("", Alternate),
            ("rel='dns-prefetch preconnect'", Hint),
            ("rel='preconnect stylesheet'", Stylesheet),
        ] {
            expect(&format!("<link {link} href=a>"), &[("/dir/a", role)]);
        }
        expect(
            "<link rel=preload as=image imagesrcset='a, b 2x'>",
            &[("/dir/a", Image), ("/dir/b", Image)],
        );
    }

    #[test]
    fn metas_give_refreshes_and_preview_images() {
        for (source, expected) in [
            (
                "<meta http-equiv=Refresh content='0; URL=\"x\"'>",
                &[("/dir/x", Role::Refresh)][..],
            ),
            (
                "<meta http-equiv=refresh content='0;url=&#39;x&amp;y&#39;'>",
                &[("/dir/x&y", Role::Refresh)],
            ),
            ("<meta http-equiv=refresh content=5>", &[]),
            (
                "<meta property=og:image content=a>",
                &[("/dir/a", Role::Image)],
            ),
            (
                "<meta name=twitter:image content=a>",
                &[("/dir/a", Role::Image)],
            ),
            ("<meta name=description content=a>", &[]),
        ] {
            expect(source, expected);
        }
    }

    #[test]
    fn styles_are_read_as_css() {
        for source in [
            "<p style='background:url(a)'>",
            "<p style=\"background:url(&quot;a&quot;)\">",
            "<p style='background:url(&#39;a&apos;)'>",
            "<p style=background:url(a)>",
            "<style>p{background:url(a)}</style>",
            "<style>p{background:url('a')}",
            "<STYLE>p{background:url('a')}/*</Style>",
            "<svg><style>p{background:url(a)}</style></svg>",
        ] {
            expect(source, &[("/dir/a", Role::Image)]);
        }
        expect(
            "<style>a{b:url(a&b)}</style><p style='b:url(a&amp;b)'>",
            &[("/dir/a&b", Role::Image), ("/dir/a&b", Role::Image)],
        );
    }

    #[test]
    fn svg_gives_its_references() {
        expect(
            "<svg><use href='a.svg#b'/><use xlink:href='#c'/><image xlink:href=d /><a href=e></a><title>t</title><linearGradient href='f#g'/></svg><title>T</title>",
            &[
                ("/dir/a.svg#b", Role::Image),
                ("/dir/d", Role::Image),
                ("/dir/e", Role::Page),
                ("/dir/f#g", Role::Requisite),
            ],
        );
        assert_eq!(
            html("<svg><title>t</title></svg><title> T\n&amp; &lt;u </title>")
                .title
                .unwrap(),
            "T & <u"
        );
    }

    #[test]
    fn parts_that_browsers_may_skip_are_read_in_order() {
        for source in [
            "<noscript><img src=a></noscript><img src=b>",
            "<head><noscript><link rel=icon href=a></noscript></head><img src=b>",
            "<!--[if lt IE 9]><img src=a><![endif]--><img src=b>",
            "<!-- [if IE]><img src=a><![endif]--><img src=b>",
            "<!--[if !IE]><!--><img src=a><!--<![endif]--><img src=b>",
            "<![if !IE]><img src=a><![endif]><img src=b>",
            "<noframes><img src=a></noframes><img src=b>",
            "<template><img src=a></template><img src=b>",
            "<noscript><!--[if IE]><noscript><img src=a></noscript><img src=b><![endif]--></noscript>",
            "<noscript><style>c{d:url(a)}</style></noscript><img src=b>",
            "<noscript><img src=a><img src=b>",
        ] {
            expect(source, &[("/dir/a", Role::Image), ("/dir/b", Role::Image)]);
        }
        expect("<!-- <img src=a> --><!-- x[if IE]><img src=a> -->", &[]);
    }

    #[test]
    fn the_first_base_with_href_resolves_everything() {
        let expected = [
            ("/dir/x/a", Role::Page),
            ("/dir/x/", Role::Base),
            ("/dir/x/b", Role::Page),
        ];
        expect(
            "<a href=a><base target=t><base href=x/><a href=b>",
            &expected,
        );
        let scan = html("<base href=x/><base href=y/><a href=a>");
        assert_eq!(scan.base.as_str(), "http://host/dir/x/");
        for ignored in [
            "<template><base href=x/></template>",
            "<base href='data:,x'>",
            "<base href='http://['>",
            "<!-- <base href=x/> -->",
            "",
        ] {
            assert_eq!(
                html(ignored).base.as_str(),
                "http://host/dir/page?q",
                "{ignored}"
            );
        }
    }

    #[test]
    fn lazily_loaded_images_are_found_and_junk_is_not() {
        let image = |name| (name, Role::Image);
        expect("<img src='data:,' data-src=a.png>", &[image("/dir/a.png")]);
        expect("<div data-bg='url(a.png)'>", &[image("/dir/a.png")]);
        expect(
            "<img data-srcset='/a 1x, /b 2x'>",
            &[image("/a"), image("/b")],
        );
        expect("<iframe data-src='/a'></iframe>", &[("/a", Role::Frame)]);
        expect(
            "<p data-src='{{a.png}}'><p data-src=word><p data-bg='1.5'><p data-src='a. b'>",
            &[],
        );
        assert!(html("<img data-src=a.png>").found[0].is_lazy());
    }

    #[test]
    fn old_applets_resolve_against_their_codebase() {
        expect(
            "<applet codebase=j/ code=A.class archive='a.jar, b.jar'>",
            &[
                ("/dir/j/", Role::Alternate),
                ("/dir/j/A.class", Role::Requisite),
                ("/dir/j/a.jar", Role::Requisite),
                ("/dir/j/b.jar", Role::Requisite),
            ],
        );
        expect(
            "<object classid='clsid:D27CDB6E'><param name=movie value=a.swf></object>",
            &[("/dir/a.swf", Role::Requisite)],
        );
    }

    #[test]
    fn srcdoc_is_a_document_of_its_own_on_the_same_base() {
        let source = "<base href=/b/><iframe srcdoc='<p style=\"b:url(&amp;quot;a&amp;quot;)\"><a href=x?a&amp;amp;b>'></iframe>";
        expect(
            source,
            &[
                ("/b/", Role::Base),
                ("/b/a", Role::Image),
                ("/b/x?a&b", Role::Page),
            ],
        );
        let mut nested = String::from("<a href=x>");
        for _ in 0..6 {
            nested = format!(
                "<iframe srcdoc=\"{}\">",
                nested.replace('&', "&amp;").replace('"', "&quot;")
            );
        }
        let mut scan = html(&nested);
        while let Some(inner) = scan.srcdocs.pop() {
            scan = inner.scan;
        }
        assert!(matches!(scan.irregular[..], [Irregularity::TooDeep { .. }]));
    }

    #[test]
    fn scripts_of_replay_start_before_the_pages_own() {
        for (source, before) in [
            ("<!doctype html><html><head lang=x>|<script>", ""),
            ("<!doctype html><html lang=x>|<script>", ""),
            ("<!doctype html><!-- c --><html>|<!-- c --><body>", ""),
            ("<!doctype html>\n|<script src=x></script><head>", ""),
            ("<!doctype html>|text", ""),
            ("|text", "\u{feff}"),
            ("|<p>", ""),
            ("<header></header>", "|"),
            ("<!--[if IE]><head><![endif]-->|<p>", ""),
        ] {
            let marked = format!("{before}{source}").replace("\u{feff}|", "\u{feff}");
            let at = format!("{before}{source}").find('|').unwrap();
            let scan = html(&marked.replace('|', ""));
            assert_eq!(scan.spots, [(at..at, Spot::HeadStart)], "{source}");
        }
    }

    #[test]
    fn spots_cover_what_replay_strips() {
        let source = "<meta http-equiv='Content-Security-Policy' content=x><link rel=preconnect href=//c><a ping='p q' href=x><script integrity=sha256-x src=s></script><link integrity=\"y\" href=z>";
        let scan = html(source);
        let texts: Vec<_> = scan
            .spots
            .iter()
            .map(|(range, spot)| (*spot, &source[range.clone()]))
            .collect();
        assert_eq!(
            texts,
            [
                (Spot::HeadStart, ""),
                (
                    Spot::ContentSecurityPolicy,
                    "<meta http-equiv='Content-Security-Policy' content=x>"
                ),
                (Spot::Hint, "<link rel=preconnect href=//c>"),
                (Spot::Ping, "ping='p q'"),
                (Spot::Integrity, "integrity=sha256-x"),
                (Spot::Integrity, "integrity=\"y\""),
            ]
        );
    }

    #[test]
    fn hostile_depth_is_bounded_and_reported() {
        let source = format!("<a href=x>{}", "<div>".repeat(2_000_000));
        let scan = html(&source);
        assert_eq!(scan.found.len(), 1);
        assert!(matches!(
            scan.irregular[..],
            [Irregularity::MemoryLimit { .. }]
        ));
        let long = format!(
            "<base href=/{}/>{}",
            "x".repeat(60_000),
            "<a href=y>".repeat(5_000)
        );
        let scan = html(&long);
        assert!(matches!(scan.irregular[..], [Irregularity::TooMany { .. }]));
        let scan = html("<a href='http://['><a href=x>");
        assert!(matches!(
            scan.irregular[..],
            [Irregularity::Unparsable { .. }]
        ));
    }
}
