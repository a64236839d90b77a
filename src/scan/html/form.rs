//! Forms that are sent by GET and leave nothing to be written: what a reader can
//! ask for by pressing the button or by choosing from one list is as good as a
//! link, and is mentioned with the query that a browser would send (HTML
//! standard §4.10.21.4). A form with a field for text has only its action.

use super::super::Role;
use super::super::entity::{self, Place as ReferencePlace};
use super::super::mention::Mentions;
use super::tag::Tag;
use super::{Reader, is_get};
use encoding_rs::Encoding;
use std::borrow::Cow;
use std::cell::Cell;
use std::rc::Rc;
use url::form_urlencoded::Serializer;

/// Fields of one form that are read; a form with more has only its action.
const FIELDS: usize = 64;
/// Choices of one field that are followed.
const CHOICES: usize = 100;
/// The longest name or value, in bytes.
const LONGEST: usize = 512;

/// The form that opened last.
#[derive(Default)]
pub(super) struct Form {
    /// Whether controls belong to it still.
    pub(super) is_open: Rc<Cell<bool>>,
    action: String,
    fields: Vec<Field>,
    /// Whether something in it can't be known: a text, a file, a script's doing.
    is_free: bool,
    /// The field that the options which come belong to.
    select: Option<usize>,
}

/// A named field with what can be sent of it.
struct Field {
    name: String,
    kind: Kind,
    /// The values to choose from; several are sent only of hidden fields.
    values: Vec<String>,
    /// The value that is sent unless the reader chooses.
    chosen: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Hidden,
    Choice,
    Button,
}

impl Form {
    /// Takes a control, unless there are too many; which field it belongs to.
    fn field(&mut self, name: String, kind: Kind) -> Option<usize> {
        // The buttons and the items of one name are one choice.
        let known = self
            .fields
            .iter()
            .position(|field| kind != Kind::Hidden && field.kind == kind && field.name == name);
        if known.is_some() {
            return known;
        }
        if self.fields.len() == FIELDS {
            self.is_free = true;
            return None;
        }
        self.fields.push(Field {
            name,
            kind,
            values: Vec::new(),
            chosen: None,
        });
        Some(self.fields.len() - 1)
    }

    /// The queries that can be sent: as the form stands, and with each other
    /// choice where there is only one to make.
    fn queries(&self, charset: &'static Encoding) -> Vec<String> {
        let choices = self.fields.iter().filter(|field| field.values.len() > 1);
        let only = match choices.count() {
            1 => self.fields.iter().position(|field| field.values.len() > 1),
            _ => None,
        };
        let mut queries = vec![self.query(charset, None)];
        if let Some(only) = only {
            let others = 0..self.fields[only].values.len();
            queries.extend(others.map(|value| self.query(charset, Some((only, value)))));
        }
        queries
    }

    fn query(&self, charset: &'static Encoding, choice: Option<(usize, usize)>) -> String {
        let encode: &dyn Fn(&str) -> Cow<'_, [u8]> =
            &|text| Cow::Owned(charset.output_encoding().encode(text).0.into_owned());
        let mut query = Serializer::new(String::new());
        query.encoding_override(Some(encode));
        for (at, field) in self.fields.iter().enumerate() {
            let value = match choice {
                Some((of, value)) if of == at => Some(value),
                _ => field.chosen,
            };
            if let Some(value) = value {
                query.append_pair(&field.name, &field.values[value]);
            }
        }
        query.finish()
    }

    /// Mentions what can be sent, once all fields are known.
    pub(super) fn finish(&mut self, charset: &'static Encoding, mentions: &mut Mentions) {
        let form = std::mem::take(self);
        if form.is_free || form.fields.is_empty() {
            return;
        }
        let action = form.action.split(['?', '#']).next().unwrap_or_default();
        for query in form.queries(charset) {
            if !query.is_empty() {
                mentions.add(Cow::Owned(format!("{action}?{query}")), Role::Form);
            }
        }
    }
}

impl Field {
    fn take(&mut self, value: String, is_chosen: bool) {
        if self.values.len() == CHOICES {
            return;
        }
        if is_chosen {
            self.chosen = Some(self.values.len());
        }
        self.values.push(value);
    }
}

impl Reader<'_> {
    /// A `form` opens; the one before is done.
    pub(super) fn open_form(&mut self, tag: &Tag<'_, '_>) {
        self.close_form();
        if is_get(tag.value("method")) {
            self.form.action = self.text_of(tag, "action").unwrap_or_default();
            self.form.is_open.set(true);
        }
    }

    /// The form that opened last is done.
    pub(super) fn close_form(&mut self) {
        let charset = self.document.charset;
        self.form.finish(charset, &mut self.reading.mentions);
    }

    /// A control of the form that is open.
    pub(super) fn control(&mut self, tag: &Tag<'_, '_>) {
        if !self.form.is_open.get() {
            return;
        }
        if tag.name != "option" {
            self.form.select = None;
        }
        match tag.name {
            "input" => self.input(tag),
            "button" => {
                let kind = tag.value("type").unwrap_or_default();
                let sends =
                    !kind.eq_ignore_ascii_case(b"button") && !kind.eq_ignore_ascii_case(b"reset");
                if sends {
                    self.choice(tag, Kind::Button, false);
                }
            }
            "select" if tag.has("multiple") => self.form.is_free = true,
            "select" if tag.has("disabled") => {}
            "select" => {
                if let Some(name) = self.text_of(tag, "name").filter(|name| !name.is_empty()) {
                    self.form.select = self.form.field(name, Kind::Choice);
                }
            }
            "option" => self.option(tag),
            "textarea" => self.form.is_free = true,
            _ => {}
        }
    }

    fn input(&mut self, tag: &Tag<'_, '_>) {
        let kind = tag.value("type").unwrap_or_default();
        let is = |names: &[&str]| {
            names
                .iter()
                .any(|name| kind.eq_ignore_ascii_case(name.as_bytes()))
        };
        if is(&["hidden"]) {
            self.choice(tag, Kind::Hidden, true);
        } else if is(&["radio", "checkbox"]) {
            self.choice(tag, Kind::Choice, tag.has("checked"));
        } else if is(&["submit"]) {
            self.choice(tag, Kind::Button, false);
        } else if !is(&["button", "reset"]) {
            // Text of any kind, a file, the point of an image.
            self.form.is_free = true;
        }
    }

    fn choice(&mut self, tag: &Tag<'_, '_>, kind: Kind, is_chosen: bool) {
        let name = self.text_of(tag, "name").filter(|name| !name.is_empty());
        let Some(name) = name.filter(|_| !tag.has("disabled")) else {
            return;
        };
        let value = match (self.text_of(tag, "value"), kind) {
            (Some(value), _) => value,
            (None, Kind::Choice) => "on".to_owned(),
            (None, _) => String::new(),
        };
        if let Some(field) = self.form.field(name, kind) {
            self.form.fields[field].take(value, is_chosen);
        }
    }

    fn option(&mut self, tag: &Tag<'_, '_>) {
        let Some(select) = self.form.select else {
            return;
        };
        // Its text is its value.
        let Some(value) = self.text_of(tag, "value") else {
            self.form.is_free = true;
            return;
        };
        if !tag.has("disabled") {
            let select = &mut self.form.fields[select];
            // The first is chosen unless another is.
            let is_chosen = tag.has("selected") || select.values.is_empty();
            select.take(value, is_chosen);
        }
    }

    /// An attribute's value, references decoded; an overlong one makes the form
    /// one that can't be known.
    fn text_of(&mut self, tag: &Tag<'_, '_>, name: &str) -> Option<String> {
        let range = tag.range_of(name)?;
        if range.len() > LONGEST {
            self.form.is_free = true;
            return None;
        }
        let text = self
            .document
            .text_charset()
            .decode_without_bom_handling(&self.document.text[range]);
        Some(entity::decode(text.0, ReferencePlace::Attribute).into_owned())
    }
}
