//! Reads HTML: finds the places of URLs in attributes, `<style>` elements,
//! conditional comments and `noscript`, what scripts and data name, and the
//! spots that replay touches.
//! lol_html tells where tags and attributes stand; everything is then read
//! from the source itself.

use super::masked::Masked;
use super::{Context, Document, Irregularity, Layer, Place, Reading, Role, Spot, Syntax};
use super::{css, script, srcset};
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
use tag::{Namespace, Tag};

mod attribute;
mod data;
mod form;
mod link;
mod tag;
mod title;

pub(super) use link::relation;

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
        form: form::Form::default(),
        base: FirstBase::ToCome,
        templates: Rc::default(),
        drawings: Rc::default(),
        foreign_text_end: 0,
    });
    read_part(&reader, document.mark..document.text.len(), 0);
    let mut reader = reader.into_inner();
    reader.close_form();
    let at = reader.head.position();
    reader.reading.spot(at..at, Spot::HeadStart);
    let length = document.text.len();
    let irregularity = reader.reading.mentions.irregularity(length);
    reader.reading.irregular.extend(irregularity);
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

/// The first `base` with an `href`, which is the one that counts, even where its
/// value is none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstBase {
    ToCome,
    /// It is the tag that is being read.
    Here,
    Passed,
}

struct Reader<'s> {
    document: Document<'s>,
    reading: Reading,
    head: HeadStart,
    /// How the form is sent that opened last.
    form_is_sent_by_get: bool,
    form: form::Form,
    base: FirstBase,
    /// How many `template` elements are open, whose `base` doesn't count.
    templates: Rc<Cell<u32>>,
    /// How many `svg` elements are open, whose `title` isn't the document's.
    drawings: Rc<Cell<u32>>,
    /// Where the last `style` or `script` of SVG ends, whose content is read as
    /// markup too.
    foreign_text_end: usize,
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
        let tag = Tag::of(self.document.text, element, part.start)?;
        let is_html = tag.namespace == Namespace::Html;
        let has_content = is_html || !element.is_self_closing();
        if depth == 0 {
            self.head.see(&tag);
        }
        if !tag.attributes.is_empty() {
            self.attributes(&tag);
            if self.base == FirstBase::Here {
                self.base = FirstBase::Passed;
            }
        }
        if is_html {
            match tag.name {
                "form" => self.open_form(&tag),
                "input" | "button" | "select" | "option" | "textarea" | "datalist" => {
                    self.control(&tag);
                }
                _ => {}
            }
        }
        let content = tag.range.end..part.end;
        match tag.name {
            "style" if has_content => {
                if let Some(text) = self.raw_text(content, "style", is_html) {
                    self.style(text);
                }
            }
            "script" if has_content => {
                if let Some(text) = self.raw_text(content, "script", is_html) {
                    self.script(&tag, text);
                }
            }
            "noscript" | "noembed" | "noframes" if is_html => {
                let end = tag::find_end(self.document.text, content.clone(), tag.name);
                return Some(content.start..end);
            }
            "title"
                if is_html
                    && depth == 0
                    && self.reading.title.is_none()
                    && self.drawings.get() == 0 =>
            {
                let charset = self.document.text_charset();
                self.reading.title = title::of(self.document.text, content, charset);
            }
            "template" if is_html => count_open(element, &self.templates),
            "form" if is_html => close_with(element, &self.form.is_open),
            "svg" => count_open(element, &self.drawings),
            _ => {}
        }
        None
    }

    /// The text of a `style` or `script` element.
    fn raw_text(
        &mut self,
        content: Range<usize>,
        name: &str,
        is_html: bool,
    ) -> Option<Range<usize>> {
        let start = content.start;
        // In SVG its content is markup: it ends at any end tag, and what looks
        // like another such element in it is part of it.
        if !is_html && start < self.foreign_text_end {
            return None;
        }
        let name = if is_html { name } else { "" };
        let end = tag::find_end(self.document.text, content, name);
        if !is_html {
            self.foreign_text_end = end;
        }
        Some(start..end)
    }

    fn style(&mut self, text: Range<usize>) {
        let view = Masked::text(self.document.text, text, self.document.text_charset());
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

    fn attributes(&mut self, tag: &Tag<'_, '_>) {
        match tag.name {
            "meta" => return self.meta(tag),
            "link" => {
                let rel = tag.value("rel").unwrap_or_default();
                if link::is_only_hint(rel) {
                    self.reading.spot(tag.range.clone(), Spot::Hint);
                }
            }
            "form" => self.form_is_sent_by_get = is_get(tag.value("method")),
            // What is in a template is no part of the document.
            "base"
                if self.base == FirstBase::ToCome
                    && tag.namespace == Namespace::Html
                    && self.templates.get() == 0
                    && tag.has("href") =>
            {
                self.base = FirstBase::Here;
            }
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
            let Some(meaning) = attribute::meaning(tag.name, lower, tag.namespace) else {
                continue;
            };
            // These stand for attributes of several names.
            if meaning.name.ends_with("..") {
                self.attribute(tag, meaning, range, attribute);
                continue;
            }
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
                let of = tag.value("name").unwrap_or_default();
                if link::is_url_parameter(of) {
                    self.url(tag, name, role, range);
                } else if of.eq_ignore_ascii_case(b"flashvars") {
                    self.pairs(range);
                }
            }
            Value::Handler => self.handler(range),
            Value::Data => self.data(meaning, range, false),
            Value::Reference => self.data(meaning, range, true),
            Value::Field => self.field(meaning, range),
            Value::Pairs => self.pairs(range),
            Value::Object => {
                let role = link::object_role(tag.value("type").unwrap_or_default());
                self.url(tag, name, role, range);
            }
            Value::FromCodebase => self.in_codebase(tag, name, role, &range),
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
        if matches!(self.document.text.get(url.start), Some(b'j' | b'J')) && self.is_code(&url) {
            return;
        }
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
        if self.base == FirstBase::Here {
            self.reading.base = self.reading.places.get(before).cloned();
        }
    }

    /// The `code`, `archive` and `classid` of old applets and objects.
    fn in_codebase(
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
        } else if link::is_list_of_pairs(tag.value("name").unwrap_or_default()) {
            self.pairs(value);
        } else if self.document.text[value.clone()].contains(&b'/') {
            self.data(META, value, true);
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

/// What a `meta` of no known name may state.
const META: Meaning = Meaning {
    name: "content",
    value: Value::Reference,
    role: Role::Guess,
};

/// Says no at the element's end tag.
fn close_with(element: &mut Element<'_, '_>, is_open: &Rc<Cell<bool>>) {
    let is_open = Rc::clone(is_open);
    let close = move |_: &mut EndTag<'_>| {
        is_open.set(false);
        Ok(())
    };
    // Without an end tag the form is open until the next or the document's end.
    let _ = element.on_end_tag(Box::new(close));
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
mod tests;
