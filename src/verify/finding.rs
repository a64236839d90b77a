//! What verification found: a stable rule, how much it weighs, where, and the
//! section of the standard that says so.

use std::collections::BTreeMap;
use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Something is altered, lost or can't be trusted.
    Error,
    /// A standard is broken, and nothing is lost.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Where, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The file, relative to what was verified; of a lone WARC, its path.
    pub path: String,
    /// Byte offset of the record or member in it.
    pub offset: Option<u64>,
    /// `WARC-Record-ID`, angle brackets included.
    pub record_id: Option<String>,
    /// The URL.
    pub url: Option<String>,
}

impl Location {
    /// A whole file.
    pub fn file(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// A place in it.
    #[must_use]
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// The record there.
    #[must_use]
    pub fn record(mut self, id: Option<&str>) -> Self {
        self.record_id = id.map(clip);
        self
    }

    /// The URL that it is about.
    #[must_use]
    pub fn url(mut self, url: Option<&str>) -> Self {
        self.url = url.map(clip);
        self
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name with a line end must not forge a line of the report.
        for c in self.path.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        if let Some(id) = &self.record_id {
            write!(f, ", record {id}")?;
        }
        if let Some(url) = &self.url {
            write!(f, ", {url}")?;
        }
        Ok(())
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable name: `record-altered`, `payload-digest`.
    pub rule: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// Where.
    pub location: Location,
    /// What is wrong, in a sentence without full stop.
    pub message: String,
    /// The standard that says so: `WARC 1.1 §5.9`.
    pub section: Option<&'static str>,
}

/// So many findings of each rule are kept; the rest are counted.
pub const KEPT_PER_RULE: u64 = 1000;

/// Findings in bounded memory: what exceeds [`KEPT_PER_RULE`] is counted.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    counts: BTreeMap<(Severity, &'static str), u64>,
}

impl Findings {
    /// Takes a finding.
    pub fn push(&mut self, finding: Finding) {
        let count = self
            .counts
            .entry((finding.severity, finding.rule))
            .or_default();
        *count += 1;
        if *count <= KEPT_PER_RULE {
            self.kept.push(finding);
        }
    }

    /// Something is altered, lost or can't be trusted.
    pub fn error(&mut self, rule: &'static str, at: Location, message: impl Into<String>) {
        self.add(Severity::Error, rule, None, at, message);
    }

    /// Takes a finding by its parts.
    pub fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        section: impl Into<Option<&'static str>>,
        location: Location,
        message: impl Into<String>,
    ) {
        self.push(Finding {
            rule,
            severity,
            location,
            message: message.into(),
            section: section.into(),
        });
    }

    /// Takes all of another's.
    pub fn extend(&mut self, other: Self) {
        for (key, count) in other.counts {
            *self.counts.entry(key).or_default() += count;
        }
        self.kept.extend(other.kept);
    }

    /// Those that are kept, in the order in which they were found.
    pub fn kept(&self) -> &[Finding] {
        &self.kept
    }

    /// How often each rule was broken, errors first.
    pub fn counts(&self) -> impl Iterator<Item = (Severity, &'static str, u64)> {
        self.counts
            .iter()
            .map(|(&(severity, rule), &count)| (severity, rule, count))
    }

    /// How many weigh so much.
    pub fn count(&self, severity: Severity) -> u64 {
        self.counts()
            .filter(|(of, ..)| *of == severity)
            .map(|(.., count)| count)
            .sum()
    }
}

/// A header of a megabyte must not fill a report.
pub(super) fn clip(text: &str) -> String {
    const LONGEST: usize = 2000;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
