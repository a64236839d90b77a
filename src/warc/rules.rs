//! What WARC 1.0 and 1.1 demand of the named fields, as a table: each field's
//! form, and on which record types it must, may or must not stand (WARC 1.1
//! §5 and §6). A broken rule is told; nothing is refused.

use std::net::IpAddr;

use super::{Header, RecordType, Version};
use crate::time::WarcDate;

/// How much a broken rule weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Without it the record can't be named, dated or told apart.
    Must,
    /// The standard says so, and every reader manages without.
    Should,
}

/// A rule that a record breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// A stable name: `field-missing`, `field-form`, `field-forbidden`,
    /// `field-repeated`, `record-type`, `version`.
    pub rule: &'static str,
    /// How much it weighs.
    pub strength: Strength,
    /// The standard's section.
    pub section: &'static str,
    /// What is wrong, with the value found.
    pub message: String,
}

/// One field's row in the table.
struct FieldRule {
    name: &'static str,
    section: &'static str,
    /// Whether a value has the form that this version of the standard asks for.
    form: fn(&str, Version) -> bool,
    /// What the form is, for a person.
    expected: &'static str,
    /// A wrong form, or its absence where it is mandatory, weighs so much.
    strength: Strength,
    on: On,
    repeats: bool,
}

/// On which record types a field stands.
#[derive(Clone, Copy)]
enum On {
    /// On every one.
    All,
    /// It may stand on any.
    Any,
    /// It must stand on the first, may on others, and must not on the second.
    Types {
        mandatory: &'static [RecordType],
        forbidden: &'static [RecordType],
    },
    /// It stands on these only.
    Only(&'static [RecordType]),
}

use RecordType::{Continuation, Conversion, Request, Resource, Response, Revisit, Warcinfo};
use Strength::{Must, Should};

const fn rule(
    name: &'static str,
    section: &'static str,
    strength: Strength,
    on: On,
    form: fn(&str, Version) -> bool,
    expected: &'static str,
) -> FieldRule {
    FieldRule {
        name,
        section,
        form,
        expected,
        strength,
        on,
        repeats: false,
    }
}

const ABOUT_CAPTURE: On = On::Types {
    mandatory: &[],
    forbidden: &[Warcinfo, Conversion, Continuation],
};
const ABOUT_OTHERS: On = On::Types {
    mandatory: &[],
    forbidden: &[Warcinfo, Response, Resource, Request, Continuation],
};
const TARGET: On = On::Types {
    mandatory: &[
        Response,
        Resource,
        Request,
        Revisit,
        Conversion,
        Continuation,
    ],
    forbidden: &[Warcinfo],
};
const PROFILE: On = On::Types {
    mandatory: &[Revisit],
    forbidden: &[],
};
const SEGMENT: On = On::Types {
    mandatory: &[Continuation],
    forbidden: &[],
};
const NOT_WARCINFO: On = On::Types {
    mandatory: &[],
    forbidden: &[Warcinfo],
};

#[rustfmt::skip]
static FIELDS: &[FieldRule] = &[
    rule("WARC-Record-ID", "WARC 1.1 §5.2", Must, On::All, |v, _| bracketed_uri(v), "a URI in angle brackets"),
    rule("Content-Length", "WARC 1.1 §5.3", Must, On::All, |v, _| digits(v), "a number of bytes"),
    rule("WARC-Date", "WARC 1.1 §5.4", Must, On::All, |v, _| date(v), "a UTC date such as 2026-11-22T02:28:46Z"),
    rule("WARC-Type", "WARC 1.1 §5.5", Must, On::All, |v, _| token(v), "a record type"),
    rule("Content-Type", "WARC 1.1 §5.6", Should, On::Any, |v, _| media_type(v), "a media type"),
    FieldRule {
        repeats: true,
        ..rule("WARC-Concurrent-To", "WARC 1.1 §5.7", Should, ABOUT_CAPTURE, |v, _| bracketed_uri(v), "a record id in angle brackets")
    },
    rule("WARC-Block-Digest", "WARC 1.1 §5.8", Should, On::Any, |v, _| labelled(v), "a labelled digest such as sha256:9f86…"),
    rule("WARC-Payload-Digest", "WARC 1.1 §5.9", Should, On::Any, |v, _| labelled(v), "a labelled digest such as sha256:9f86…"),
    rule("WARC-IP-Address", "WARC 1.1 §5.10", Should, ABOUT_CAPTURE, |v, _| v.parse::<IpAddr>().is_ok(), "an IPv4 or IPv6 address"),
    rule("WARC-Refers-To", "WARC 1.1 §5.11", Should, ABOUT_OTHERS, |v, _| bracketed_uri(v), "a record id in angle brackets"),
    rule("WARC-Refers-To-Target-URI", "WARC 1.1 §5.12", Should, On::Only(&[Revisit]), uri, "a URI"),
    rule("WARC-Refers-To-Date", "WARC 1.1 §5.13", Should, On::Only(&[Revisit]), |v, _| date(v), "a UTC date such as 2026-11-22T02:28:46Z"),
    rule("WARC-Target-URI", "WARC 1.1 §5.14", Must, TARGET, uri, "a URI"),
    rule("WARC-Truncated", "WARC 1.1 §5.15", Should, On::Any, |v, _| token(v), "length, time, disconnect, unspecified or another token"),
    rule("WARC-Warcinfo-ID", "WARC 1.1 §5.16", Should, NOT_WARCINFO, |v, _| bracketed_uri(v), "a record id in angle brackets"),
    rule("WARC-Filename", "WARC 1.1 §5.17", Should, On::Only(&[Warcinfo]), |v, _| !v.is_empty(), "a file name"),
    rule("WARC-Profile", "WARC 1.1 §5.18", Should, PROFILE, uri, "a URI"),
    rule("WARC-Identified-Payload-Type", "WARC 1.1 §5.19", Should, On::Any, |v, _| media_type(v), "a media type"),
    rule("WARC-Segment-Number", "WARC 1.1 §5.20", Should, SEGMENT, |v, _| digits(v) && v != "0", "a number from 1"),
    rule("WARC-Segment-Origin-ID", "WARC 1.1 §5.21", Should, On::Only(&[Continuation]), |v, _| bracketed_uri(v), "a record id in angle brackets"),
    rule("WARC-Segment-Total-Length", "WARC 1.1 §5.22", Should, On::Only(&[Continuation]), |v, _| digits(v), "a number of bytes"),
];

/// Every rule that a record's header breaks.
pub fn violations(header: &Header) -> Vec<Violation> {
    let mut found = Vec::new();
    if !matches!(header.version_line(), "WARC/1.0" | "WARC/1.1") {
        found.push(Violation {
            rule: "version",
            strength: Should,
            section: "WARC 1.1 §4",
            message: format!(
                "the version line is {:?}, neither WARC/1.0 nor WARC/1.1",
                clip(header.version_line())
            ),
        });
    }
    let record_type = header.record_type();
    if let Other(name) = &record_type
        && !name.is_empty()
    {
        found.push(Violation {
            rule: "record-type",
            strength: Should,
            section: "WARC 1.1 §6",
            message: format!("{:?} is no record type of the standard", clip(name)),
        });
    }
    for rule in FIELDS {
        rule.check(header, &record_type, &mut found);
    }
    found
}

use RecordType::Other;

impl FieldRule {
    fn check(&self, header: &Header, record_type: &RecordType, found: &mut Vec<Violation>) {
        let mut push = |rule, strength, message| {
            found.push(Violation {
                rule,
                strength,
                section: self.section,
                message,
            });
        };
        let name = self.name;
        let mut values = header.values(name);
        let Some(value) = values.next() else {
            if self.is_mandatory(record_type) {
                let message = format!("a {record_type} record without {name}");
                push("field-missing", self.strength, message);
            }
            return;
        };
        if values.next().is_some() && !self.repeats {
            push(
                "field-repeated",
                Should,
                format!("{name} stands more than once"),
            );
        }
        if self.is_forbidden(record_type) {
            let message = format!("{name} must not stand on a {record_type} record");
            push("field-forbidden", Should, message);
        }
        if !(self.form)(value, header.version()) {
            let message = format!("{name} is {:?}, not {}", clip(value), self.expected);
            push("field-form", self.form_strength(), message);
        }
    }

    /// An odd target URI still names its record; an odd id or date doesn't.
    fn form_strength(&self) -> Strength {
        match self.on {
            On::All => self.strength,
            _ => Should,
        }
    }

    fn is_mandatory(&self, record_type: &RecordType) -> bool {
        match self.on {
            On::All => true,
            On::Types { mandatory, .. } => mandatory.contains(record_type),
            On::Any | On::Only(_) => false,
        }
    }

    fn is_forbidden(&self, record_type: &RecordType) -> bool {
        match self.on {
            On::Types { forbidden, .. } => forbidden.contains(record_type),
            On::Only(types) => !matches!(record_type, Other(_)) && !types.contains(record_type),
            On::All | On::Any => false,
        }
    }
}

fn bracketed_uri(value: &str) -> bool {
    let inner = value.strip_prefix('<').and_then(|v| v.strip_suffix('>'));
    inner.is_some_and(is_uri)
}

/// WARC 1.0's grammar put every URI into angle brackets, its examples none.
fn uri(value: &str, version: Version) -> bool {
    is_uri(value) || (version == Version::V1_0 && bracketed_uri(value))
}

/// A scheme, a colon, and no white space: what a person would call a URI.
/// Crawlers keep URLs as they found them, so the grammar of RFC 3986 isn't asked.
fn is_uri(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, rest)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
            && !rest.is_empty()
            && !text.contains([' ', '\t', '\r', '\n'])
    })
}

fn digits(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit())
}

fn date(value: &str) -> bool {
    value.ends_with('Z') && value.parse::<WarcDate>().is_ok()
        || (value.len() <= 10 && value.parse::<WarcDate>().is_ok())
}

fn token(value: &str) -> bool {
    let separator = |b: u8| b"()<>@,;:\\\"/[]?={}".contains(&b);
    !value.is_empty() && value.bytes().all(|b| b.is_ascii_graphic() && !separator(b))
}

fn media_type(value: &str) -> bool {
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence
        .split_once('/')
        .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

fn labelled(value: &str) -> bool {
    value
        .split_once(':')
        .is_some_and(|(label, digest)| token(label) && !digest.is_empty() && !digest.contains(' '))
}

fn clip(text: &str) -> String {
    text.chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn broken(header: &str) -> Vec<(&'static str, &'static str)> {
        let text = header.replace('\n', "\r\n") + "\r\n\r\n";
        let header = Header::parse(text.as_bytes()).unwrap();
        violations(&header)
            .iter()
            .map(|violation| (violation.rule, violation.section))
            .collect()
    }

    const COMMON: &str = "WARC-Record-ID: <urn:uuid:f9f3e1a2-7b5c-4d0e-9c8b-000000000001>\n\
        WARC-Date: 2026-11-22T02:28:46Z\nContent-Length: 0";

    #[test]
    fn a_plain_response_breaks_nothing() {
        let header = format!(
            "WARC/1.1\nWARC-Type: response\n{COMMON}\nWARC-Target-URI: http://a.example/\n\
             Content-Type: application/http; msgtype=response\nWARC-IP-Address: ::1\n\
             WARC-Concurrent-To: <urn:a:1>\nWARC-Concurrent-To: <urn:a:2>"
        );
        assert_eq!(broken(&header), []);
    }

    #[test]
    fn wgets_brackets_are_right_in_1_0_only() {
        let header = |version| {
            format!("{version}\nWARC-Type: request\n{COMMON}\nWARC-Target-URI: <http://a.example/>")
        };
        assert_eq!(broken(&header("WARC/1.0")), []);
        assert_eq!(
            broken(&header("WARC/1.1")),
            [("field-form", "WARC 1.1 §5.14")]
        );
    }

    #[test]
    fn mandatory_and_forbidden_fields_go_by_record_type() {
        let revisit = format!("WARC/1.1\nWARC-Type: revisit\n{COMMON}\nWARC-Target-URI: http://a/");
        assert_eq!(broken(&revisit), [("field-missing", "WARC 1.1 §5.18")]);
        let warcinfo =
            format!("WARC/1.1\nWARC-Type: warcinfo\n{COMMON}\nWARC-Target-URI: http://a/");
        assert_eq!(broken(&warcinfo), [("field-forbidden", "WARC 1.1 §5.14")]);
        assert_eq!(
            broken("WARC/1.1\nWARC-Type: metadata\nContent-Length: 0"),
            [
                ("field-missing", "WARC 1.1 §5.2"),
                ("field-missing", "WARC 1.1 §5.4")
            ]
        );
    }

    #[test]
    fn odd_values_are_named_with_their_section() {
        let header = "WARC/0.18\nWARC-Type: novel\nWARC-Record-ID: urn:uuid:1\n\
            WARC-Date: yesterday\nContent-Length: 0\nContent-Length: 0";
        assert_eq!(
            broken(header),
            [
                ("version", "WARC 1.1 §4"),
                ("record-type", "WARC 1.1 §6"),
                ("field-form", "WARC 1.1 §5.2"),
                ("field-repeated", "WARC 1.1 §5.3"),
                ("field-form", "WARC 1.1 §5.4"),
            ]
        );
    }
}
