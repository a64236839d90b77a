//! Which lines of an index a query wants.

use regex::{Regex, RegexBuilder};

use super::lines::Line;
use super::query::Refused;

/// Bytes that a compiled expression takes at most.
const MAX_REGEX: usize = 256 * 1024;

/// `[!][=|~]field:value`, as pywb has it: `=` the value itself, `~` a regular
/// expression for its start, else a part of it; `!` turns it round. Without a field
/// it is about the whole line.
#[derive(Debug)]
pub struct Filter {
    field: Option<String>,
    wanted: bool,
    how: How,
}

#[derive(Debug)]
enum How {
    Is(String),
    Has(String),
    Like(Regex),
}

impl Filter {
    /// Reads a filter.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let (wanted, rest) = match text.strip_prefix('!') {
            Some(rest) => (false, rest),
            None => (true, text),
        };
        let (sign, rest) = match rest.strip_prefix(['=', '~']) {
            Some(after) => (rest.chars().next(), after),
            None => (None, rest),
        };
        let (name, value) = match rest.split_once(':') {
            Some((name, value)) => (Some(field(name).to_owned()), value),
            None => (None, rest),
        };
        let how = match sign {
            Some('=') => How::Is(value.to_owned()),
            None => How::Has(value.to_owned()),
            Some(_) => {
                let start = format!("^(?:{value})");
                let regex = RegexBuilder::new(&start).size_limit(MAX_REGEX).build();
                How::Like(regex.map_err(|_| {
                    let text = text.chars().take(80).collect();
                    Refused::Value("filter", text, "a regular expression behind the field")
                })?)
            }
        };
        Ok(Self {
            field: name,
            wanted,
            how,
        })
    }

    /// Whether a line is wanted.
    pub fn takes(&self, line: &Line) -> bool {
        let value = match &self.field {
            Some(field) => line.value(field).unwrap_or_default(),
            None => line.text.clone(),
        };
        let fits = match &self.how {
            How::Is(text) => value == *text,
            How::Has(text) => value.contains(text),
            How::Like(regex) => regex.is_match(&value),
        };
        fits == self.wanted
    }
}

/// `field[:N]`: of lines upon each other with the same value of the field, or the
/// same first N characters of it, only the first is answered with.
#[derive(Debug, Clone)]
pub struct Collapse {
    field: String,
    length: Option<usize>,
    last: Option<String>,
}

impl Collapse {
    /// Reads `field[:N]`.
    pub fn parse(text: &str) -> Result<Self, Refused> {
        let (name, length) = match text.split_once(':') {
            Some((name, length)) => (name, Some(length)),
            None => (text, None),
        };
        let length = length.map(str::parse).transpose().map_err(|_| {
            let text = text.chars().take(80).collect();
            Refused::Value("collapse", text, "a field, or FIELD:CHARACTERS")
        })?;
        Ok(Self {
            field: field(name).to_owned(),
            length,
            last: None,
        })
    }

    /// Whether a line is the first of its like.
    pub fn takes(&mut self, line: &Line) -> bool {
        let mut value = line.value(&self.field).unwrap_or_default();
        if let Some(length) = self.length {
            value = value.chars().take(length).collect();
        }
        let is_new = self.last.as_ref() != Some(&value);
        self.last = Some(value);
        is_new
    }
}

/// A field by the name that the index has for it; the Internet Archive's server,
/// OutbackCDX and their clients have others.
pub fn field(name: &str) -> &str {
    match name {
        "original" => "url",
        "mimetype" => "mime",
        "statuscode" => "status",
        "file" => "filename",
        "key" => "urlkey",
        name => name,
    }
}
