//! What scripts are made of and what they read in a page: script elements, event
//! handlers, `javascript:` URLs, data in attributes. It goes to the mentions,
//! which replay leaves alone; import maps and speculation rules, which the
//! browser itself reads, are places like any link.

use super::super::entity::{self, Place as ReferencePlace};
use super::super::masked::Masked;
use super::super::script::{self, Named};
use super::super::{Context, Layer, Place, Role, Syntax, json};
use super::Reader;
use super::attribute::Meaning;
use super::tag::Tag;
use std::borrow::Cow;
use std::ops::Range;

/// Longer values of attributes are data that no browser needs.
const LONGEST: usize = 1 << 20;

/// What the content of a `script` element is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Content {
    /// Code, or JSON, which is read alike.
    Code,
    ImportMap,
    SpeculationRules,
    /// Templates and whatever else.
    Text,
    /// Code that doesn't run, since the element names a file.
    Nothing,
}

impl Content {
    /// By the `type`, parameters left out (HTML standard §4.12.1.1).
    fn of(tag: &Tag<'_, '_>) -> Self {
        let kind = tag.value("type").unwrap_or_default();
        let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii().to_ascii_lowercase();
        let ends_with = |end: &[u8]| kind.ends_with(end);
        if kind == b"importmap" {
            Self::ImportMap
        } else if kind == b"speculationrules" {
            Self::SpeculationRules
        } else if kind.is_empty() || kind == b"module" || ends_with(b"javascript") {
            match tag.range_of("src") {
                Some(_) => Self::Nothing,
                None => Self::Code,
            }
        } else if ends_with(b"json") || ends_with(b"ecmascript") || ends_with(b"babel") {
            Self::Code
        } else {
            Self::Text
        }
    }
}

impl Reader<'_> {
    /// A `script` element with its content.
    pub(super) fn script(&mut self, tag: &Tag<'_, '_>, content: Range<usize>) {
        match Content::of(tag) {
            Content::Nothing => {}
            Content::ImportMap => self.json(content, import_map),
            Content::SpeculationRules => self.json(content, speculation_rules),
            Content::Code => self.mentioned(content, false, script::read),
            Content::Text => self.mentioned(content, false, script::read_text),
        }
    }

    /// The code of an event handler.
    pub(super) fn handler(&mut self, value: Range<usize>) {
        // Code without a string names nothing.
        if self.document.text[value.clone()]
            .iter()
            .any(|byte| matches!(byte, b'\'' | b'"' | b'`' | b'&'))
        {
            self.mentioned(value, true, script::read_handler);
        }
    }

    /// The code of a `javascript:` URL; whether the value is one.
    pub(super) fn is_code(&mut self, value: &Range<usize>) -> bool {
        const SCHEME: &[u8] = b"javascript:";
        let text = self.document.text[value.clone()].trim_ascii_start();
        let is_code = text
            .get(..SCHEME.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(SCHEME));
        if is_code {
            let code = value.end - text.len() + SCHEME.len()..value.end;
            self.mentioned(code, true, |text, report| {
                let decoded = percent_decoded(text);
                script::read_handler(&decoded, &mut |named| {
                    report(Named {
                        text: Cow::Owned(named.text.into_owned()),
                        ..named
                    });
                });
            });
        }
        is_code
    }

    /// Data that a script reads from an attribute: a URL or a text with URLs in
    /// it, or JSON.
    pub(super) fn data(&mut self, meaning: Meaning, value: Range<usize>, is_reference: bool) {
        let text = self.document.text[value.clone()].trim_ascii_start();
        let may_be_url = text.iter().any(|byte| matches!(byte, b'/' | b'.'));
        if !may_be_url {
            return;
        }
        let is_json = matches!(text[0], b'{' | b'[') || text.starts_with(b"&#");
        let role = meaning.role;
        self.mentioned(value, true, |text, report| {
            if is_json {
                return script::read(text, report);
            }
            let text = text.trim();
            if !is_reference {
                return script::read_text(text, report);
            }
            if script::is_reference(text) {
                report(Named::of_page(Cow::Borrowed(text), role));
            }
        });
    }

    /// The value of a field, which a script may go to.
    pub(super) fn field(&mut self, meaning: Meaning, value: Range<usize>) {
        if self.document.text[value.clone()].contains(&b'.') {
            self.mentioned(value, true, |text, report| {
                let text = text.trim();
                if script::is_document(text) {
                    report(Named::of_page(Cow::Borrowed(text), meaning.role));
                }
            });
        }
    }

    /// The values of a query or of a list of `name=value;`.
    pub(super) fn pairs(&mut self, value: Range<usize>) {
        self.mentioned(value, true, |text, report| {
            for pair in text.split(['&', ';']) {
                let (name, value) = pair.split_once('=').unwrap_or_default();
                let value = percent_decoded(value.trim());
                if script::is_value(name.trim(), &value) {
                    report(Named::of_page(Cow::Owned(value.into_owned()), Role::Guess));
                }
            }
        });
    }

    /// Puts what `read` reports of the text to the mentions.
    fn mentioned(
        &mut self,
        range: Range<usize>,
        is_attribute: bool,
        read: impl for<'t> FnOnce(&'t str, &mut dyn FnMut(Named<'t>)),
    ) {
        if is_attribute && range.len() > LONGEST {
            return;
        }
        let charset = self.document.text_charset();
        let bytes = &self.document.text[range];
        let mut text = charset.decode_without_bom_handling(bytes).0;
        if is_attribute {
            text = entity::decode(text, ReferencePlace::Attribute);
        }
        let mentions = &mut self.reading.mentions;
        read(&text, &mut |named| {
            if !named.is_of_another_site() {
                mentions.add(named.text, named.role);
            }
        });
    }

    /// A script element of JSON that the browser itself reads: `role` says what
    /// a string is for, by the way to it.
    fn json(
        &mut self,
        content: Range<usize>,
        role: impl Fn(&json::JsonString<'_>) -> Option<Role>,
    ) {
        let view = Masked::text(self.document.text, content, self.document.text_charset());
        json::strings(view.as_str(), |string| {
            let Some(role) = role(&string) else {
                return;
            };
            if string.range.is_empty() {
                return;
            }
            self.reading.place(Place {
                range: view.source_range(string.range),
                role,
                context: Context {
                    layer: Layer::ScriptElement,
                    syntax: Syntax::Json,
                },
                element: "script",
                attribute: "JSON",
                codebase: None,
            });
        });
    }
}

/// Import maps (HTML standard §8.1.5.3): addresses are fetched, scopes and the
/// URLs of integrity are compared; specifiers are what scripts write.
fn import_map(string: &json::JsonString<'_>) -> Option<Role> {
    match (string.way.as_slice(), string.is_name) {
        (["imports", _] | ["scopes", _, _], false) => {
            let text = string.text();
            let is_url = text.starts_with(['/', '.']) || text.contains("://");
            // One that ends so is the start of others.
            let is_prefix = text.ends_with('/');
            is_url.then_some(if is_prefix {
                Role::Prefix
            } else {
                Role::Script
            })
        }
        (["scopes" | "integrity"], true) => Some(Role::Prefix),
        _ => None,
    }
}

/// Speculation rules: the pages that are listed.
fn speculation_rules(string: &json::JsonString<'_>) -> Option<Role> {
    match string.way.as_slice() {
        [_, "urls"] if !string.is_name => Some(Role::Page),
        _ => None,
    }
}

/// Resolves the escapes of a URL's text, as far as they give UTF-8.
fn percent_decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| *byte == b'%');
        let code = hex
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(code.unwrap_or(*byte));
        rest = &after[if code.is_some() { 2 } else { 0 }..];
    }
    match String::from_utf8(bytes) {
        Ok(decoded) => Cow::Owned(decoded),
        Err(_) => Cow::Borrowed(text),
    }
}
