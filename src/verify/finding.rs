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

    /// Takes all of another's, as if they had been found after its own.
    pub fn extend(&mut self, other: Self) {
        let mut only_counted = other.counts;
        for finding in other.kept {
            if let Some(count) = only_counted.get_mut(&(finding.severity, finding.rule)) {
                *count -= 1;
            }
            self.push(finding);
        }
        for (key, count) in only_counted {
            *self.counts.entry(key).or_default() += count;
        }
    }

    /// Those that a rule has.
    #[must_use]
    pub(super) fn of_rule(mut self, rule: &str) -> Self {
        self.kept.retain(|finding| finding.rule == rule);
        self.counts.retain(|(_, of), _| *of == rule);
        self
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

/// Findings about several files that are looked at in any order. They come out in
/// the order of the files, and memory is bounded as for one of them.
#[derive(Debug, Default)]
pub(super) struct InOrder(BTreeMap<usize, Findings>);

impl InOrder {
    /// All findings about a file, by its place among the others.
    pub(super) fn add(&mut self, file: usize, findings: Findings) {
        if findings.counts.is_empty() {
            return;
        }
        self.0.insert(file, findings);
        // Files that are still to come can only push these further behind.
        let mut seen: BTreeMap<(Severity, &'static str), u64> = BTreeMap::new();
        for findings in self.0.values_mut() {
            findings.kept.retain(|finding| {
                let count = seen.entry((finding.severity, finding.rule)).or_default();
                *count += 1;
                *count <= KEPT_PER_RULE
            });
        }
    }

    pub(super) fn all(self) -> Findings {
        let mut all = Findings::default();
        for findings in self.0.into_values() {
            all.extend(findings);
        }
        all
    }
}

/// A header of a megabyte must not fill a report.
pub(super) fn clip(text: &str) -> String {
    const LONGEST: usize = 2000;
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_about_files_in_any_order_are_those_of_the_files_in_order() {
        let of = |file: u64| {
            let mut findings = Findings::default();
            for at in 0..KEPT_PER_RULE / 2 + 300 * (file % 2) {
                let location = Location::file(format!("{file}")).at(at);
                findings.error("often", location.clone(), "");
                if at == file {
                    findings.add(Severity::Note, "once", None, location, "");
                }
            }
            findings
        };
        let mut expected = Findings::default();
        (0..6).for_each(|file| expected.extend(of(file)));
        assert_eq!(expected.count(Severity::Error), 3900);
        let often = |finding: &&Finding| finding.rule == "often";
        let kept = expected.kept().iter().filter(often);
        assert_eq!(kept.count() as u64, KEPT_PER_RULE);
        for order in [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [3, 0, 5, 1, 4, 2]] {
            let mut all = InOrder::default();
            for file in order {
                all.add(file as usize, of(file));
            }
            let all = all.all();
            assert_eq!(all.kept(), expected.kept());
            assert!(all.counts().eq(expected.counts()));
        }
    }
}
