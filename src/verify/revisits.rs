//! Revisits against what they stand for: a record with the same payload, in
//! the same collection and no later, or in a snapshot that the manifest names.
//! Memory doesn't grow: both sides are sorted by digest in scratch files.

use std::io;

use serde::{Deserialize, Serialize};

use super::closure::Revisit;
use super::target::Target;
use super::{Findings, Location, Severity};
use crate::digest::Digest;
use crate::snapshot::scratch::LineSorter;
use crate::warc::{Header, RecordType};

/// What records say of their payloads.
pub(super) struct Revisits {
    lines: LineSorter,
    strict: bool,
    /// Names of the snapshots that revisits may refer to.
    elsewhere: Vec<String>,
    any: bool,
}

/// In the order in which the lines of one digest are read.
#[derive(Serialize, Deserialize)]
enum Said {
    #[serde(rename = "0original")]
    Original {
        timestamp: String,
        path: String,
        offset: u64,
    },
    #[serde(rename = "1revisit")]
    Revisit {
        timestamp: String,
        path: String,
        offset: u64,
        id: String,
        url: String,
        target: String,
    },
    /// Its links are to be looked for in its payload.
    #[serde(rename = "2scan")]
    Scan(Revisit),
}

#[derive(Serialize, Deserialize)]
struct OfPayload {
    digest: String,
    said: Said,
}

/// What a record says of its payload.
pub(super) struct SaidOfPayload {
    is_revisit: bool,
    line: Vec<u8>,
}

impl SaidOfPayload {
    /// Of the record at an offset of a file. `None` of one that doesn't state its
    /// payload's digest: it can't be looked for.
    pub(super) fn of(header: &Header, path: &str, offset: u64) -> Option<Self> {
        let is_revisit = header.record_type() == RecordType::Revisit;
        let may_be_original = matches!(
            header.record_type(),
            RecordType::Response | RecordType::Resource
        );
        if !is_revisit && (!may_be_original || header.field("WARC-Truncated").is_some()) {
            return None;
        }
        let Some(Ok(digest)) = header.payload_digest() else {
            return None;
        };
        let timestamp = header
            .lenient_date()
            .map_or_else(String::new, |date| date.timestamp14().to_string());
        let said = if is_revisit {
            Said::Revisit {
                timestamp,
                path: path.to_owned(),
                offset,
                id: header.record_id().unwrap_or_default().to_owned(),
                url: header.target_uri().unwrap_or_default().to_owned(),
                target: header.refers_to_target_uri().unwrap_or_default().to_owned(),
            }
        } else {
            Said::Original {
                timestamp,
                path: path.to_owned(),
                offset,
            }
        };
        let line = line(named(&digest), said);
        Some(Self { is_revisit, line })
    }
}

fn line(digest: String, said: Said) -> Vec<u8> {
    serde_json::to_vec(&OfPayload { digest, said }).expect("strings and numbers are JSON")
}

impl Revisits {
    pub(super) fn new(target: &Target) -> Self {
        let seal = target
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.lastlight.as_ref());
        Self {
            lines: LineSorter::default(),
            strict: target.is_ours(),
            elsewhere: seal.map_or(Vec::new(), |seal| {
                seal.refers_to
                    .iter()
                    .map(|other| other.name.clone())
                    .collect()
            }),
            any: false,
        }
    }

    /// Takes what a record said.
    pub(super) fn take(&mut self, said: &SaidOfPayload) -> io::Result<()> {
        self.any |= said.is_revisit;
        self.lines.add(&said.line)
    }

    /// Takes a revisit whose payload is to be scanned for links.
    pub(super) fn scan(&mut self, digest: &str, revisit: Revisit) -> io::Result<()> {
        self.any = true;
        self.lines
            .add(&line(digest.to_owned(), Said::Scan(revisit)))
    }

    /// Tells of revisits whose payload is nowhere. Those whose links are to be
    /// looked for go to `scan`, with the place of their payload if it is here.
    pub(super) fn compare(
        self,
        findings: &mut Findings,
        mut scan: impl FnMut(Revisit, Option<(&str, u64)>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.any {
            return Ok(());
        }
        let (mut digest, mut first) = (String::new(), None::<(String, String, u64)>);
        let (strict, elsewhere) = (self.strict, self.elsewhere.join(", "));
        self.lines.each_line(|line| {
            let fact: OfPayload = serde_json::from_slice(line).expect("written by `line`");
            if fact.digest != digest {
                digest = fact.digest;
                first = None;
            }
            let (path, offset, id, url, target, timestamp) = match fact.said {
                Said::Original {
                    timestamp,
                    path,
                    offset,
                } => {
                    // They are sorted, so the first is the oldest.
                    first.get_or_insert((timestamp, path, offset));
                    return Ok(());
                }
                Said::Scan(revisit) => {
                    let place = first.as_ref();
                    let place = place.map(|(_, path, offset)| (path.as_str(), *offset));
                    return scan(revisit, place);
                }
                Said::Revisit {
                    timestamp,
                    path,
                    offset,
                    id,
                    url,
                    target,
                } => (path, offset, id, url, target, timestamp),
            };
            let location = Location::file(path)
                .at(offset)
                .record(Some(&id))
                .url(Some(&url));
            let target = super::finding::clip(&target);
            let section = "WARC 1.1 §6.7.2";
            match &first {
                Some((original, ..)) if *original <= timestamp => {}
                Some(_) if strict => {
                    let message = "every record with its payload is later than itself";
                    findings.add(Severity::Error, "revisit-order", section, location, message);
                }
                Some(_) => {}
                None if !elsewhere.is_empty() => {
                    let message = format!(
                        "its payload, of {target}, isn't here: the manifest refers to {elsewhere}"
                    );
                    findings.add(
                        Severity::Note,
                        "revisit-elsewhere",
                        section,
                        location,
                        message,
                    );
                }
                None => {
                    let severity = if strict {
                        Severity::Error
                    } else {
                        Severity::Warning
                    };
                    let message = format!("no record here has its payload, of {target}");
                    findings.add(severity, "revisit-dangling", section, location, message);
                }
            }
            Ok(())
        })
    }
}

pub(super) fn named(digest: &Digest) -> String {
    format!("{}:{}", digest.algorithm().label(), digest.hex())
}
