//! The lines that answer a query, and how they are written.

use std::{fmt, io};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::filter::Collapse;
use super::query::{Output, Query, Sort};
use super::sorted;
use crate::snapshot::index::Index;
use crate::time::Timestamp14;

/// A line of an index, taken apart.
#[derive(Debug, Clone)]
pub struct Line {
    /// As the index has it.
    pub text: String,
    key: String,
    digits: String,
    fields: Fields,
}

/// The object of a line, in its order.
#[derive(Debug, Clone, Default)]
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn names(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|(name, _)| name)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    // Of two of one name the last counts, as in other readers.
                    match fields.0.iter_mut().find(|(own, _)| *own == name) {
                        Some(known) => known.1 = value,
                        None => fields.0.push((name, value)),
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Line {
    /// Takes a line apart; `None` for what isn't CDXJ.
    pub fn of(text: String) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let key = parts.next()?.to_owned();
        let digits = parts.next()?.to_owned();
        let fields = serde_json::from_str(parts.next()?).ok()?;
        Some(Self {
            text,
            key,
            digits,
            fields,
        })
    }

    /// Its time; `None` where that is none.
    pub fn time(&self) -> Option<Timestamp14> {
        self.digits.parse().ok()
    }

    /// The value of a field as text.
    pub fn value(&self, field: &str) -> Option<String> {
        match field {
            "urlkey" => Some(self.key.clone()),
            "timestamp" => Some(self.digits.clone()),
            name => match self.fields.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
        }
    }

    /// As it is written, without line break.
    fn written(&self, query: &Query) -> String {
        let names = &query.fields;
        match query.output {
            Output::Cdxj if names.is_empty() => self.text.clone(),
            Output::Cdxj => {
                // Key and time stand before the object in any case.
                let of_object = |name: &&String| !matches!(name.as_str(), "urlkey" | "timestamp");
                let object = self.object(names.iter().filter(of_object));
                format!("{} {} {}", self.key, self.digits, spaced(&object))
            }
            Output::Json if names.is_empty() => {
                let own = ["urlkey", "timestamp"].map(str::to_owned);
                spaced(&self.object(own.iter().chain(self.fields.names())))
            }
            Output::Json => spaced(&self.object(names.iter())),
            Output::Text => {
                let own = ["urlkey", "timestamp"].map(str::to_owned);
                let all = own.iter().chain(self.fields.names());
                let names: Vec<&String> = if names.is_empty() {
                    all.collect()
                } else {
                    names.iter().collect()
                };
                let values = names.into_iter().map(|name| {
                    let value = self.value(name).filter(|value| !value.is_empty());
                    value.map_or_else(|| "-".to_owned(), |value| value.replace(' ', "%20"))
                });
                values.collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn object<'n>(&self, names: impl Iterator<Item = &'n String>) -> Vec<(&'n str, Value)> {
        let value = |name: &'n String| {
            let value = match name.as_str() {
                "urlkey" => Value::from(self.key.clone()),
                "timestamp" => Value::from(self.digits.clone()),
                name => self.fields.get(name)?.clone(),
            };
            Some((name.as_str(), value))
        };
        names.filter_map(value).collect()
    }
}

/// An object as an index has it, with spaces behind `:` and `,`.
fn spaced(object: &[(&str, Value)]) -> String {
    let pairs = object.iter().map(|(name, value)| {
        let name = Value::from(*name);
        format!("{name}: {value}")
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// The lines that answer, in their order.
pub fn of(index: &Index, query: &Query) -> io::Result<Box<dyn Iterator<Item = io::Result<Line>>>> {
    let mut parts = Vec::new();
    for part in query.parts(index)? {
        parts.push(index.lines_within(&part)?);
    }
    let lines = parts.into_iter().flatten();
    let lines = lines.filter_map(|line| line.map(Line::of).transpose());
    Ok(match query.sort {
        Sort::Index => Box::new(lines),
        Sort::Reverse => sorted::reversed(lines, query)?,
        Sort::Closest(time) => sorted::closest(lines, time, query)?,
    })
}

impl Query {
    /// Whether a line is within its times and passes its filters.
    pub fn wants(&self, line: &Line) -> bool {
        let (from, to) = &self.times;
        (from.as_str()..=to.as_str()).contains(&line.digits.as_str())
            && self.filters.iter().all(|filter| filter.takes(line))
    }

    /// Whether a line is unlike the one before it.
    pub fn is_first(&mut self, line: &Line) -> bool {
        Self::are_first(&mut self.collapse, line)
    }

    /// As [`Self::is_first`], of some fields.
    pub fn are_first(collapse: &mut [Collapse], line: &Line) -> bool {
        let mut are_first = true;
        for collapse in collapse {
            // Each one sees every line.
            are_first &= collapse.takes(line);
        }
        are_first
    }
}

/// The body of an answer.
pub struct Answered {
    query: Query,
    lines: Box<dyn Iterator<Item = io::Result<Line>>>,
    left: usize,
    /// What is written and not read yet, from a place on.
    buffer: Vec<u8>,
    at: usize,
}

impl Answered {
    /// Of the lines that a query gave.
    pub fn new(query: Query, lines: Box<dyn Iterator<Item = io::Result<Line>>>) -> Self {
        Self {
            left: query.most(),
            query,
            lines,
            buffer: Vec::new(),
            at: 0,
        }
    }

    /// Gives some bytes of it; none at its end.
    pub fn read_some(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.buffer.len() {
            self.buffer.clear();
            self.at = 0;
            if self.left == 0 {
                return Ok(0);
            }
            let Some(line) = self.lines.next().transpose()? else {
                return Ok(0);
            };
            // What is sorted was chosen before.
            let is_chosen = self.query.sort != Sort::Index;
            if is_chosen || (self.query.wants(&line) && self.query.is_first(&line)) {
                self.left -= 1;
                self.buffer.extend(line.written(&self.query).bytes());
                self.buffer.push(b'\n');
            }
        }
        let taken = into.len().min(self.buffer.len() - self.at);
        into[..taken].copy_from_slice(&self.buffer[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
