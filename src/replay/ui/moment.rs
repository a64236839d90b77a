//! How times, numbers and sizes are written for a reader.

use crate::count::{counted, grouped};
use std::fmt;

use crate::time::{Timestamp14, WarcDate};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A time to the second, in UTC. Writes itself as a `<time>` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(pub Timestamp14);

impl Moment {
    /// The time of an RFC 3339 text; `None` where it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let date: WarcDate = text.parse().ok()?;
        Some(Self(date.timestamp14()))
    }

    /// `22 November 2026`.
    pub(super) fn date(self) -> String {
        let digits = self.0.to_string();
        let day: u8 = digits[6..8].parse().unwrap_or_default();
        format!("{day} {} {}", month_name(self.month()), self.year())
    }

    /// `22 November 2026, 02:28:46 UTC`.
    pub(super) fn text(self) -> String {
        let digits = self.0.to_string();
        let (hour, minute, second) = (&digits[8..10], &digits[10..12], &digits[12..14]);
        format!("{}, {hour}:{minute}:{second} UTC", self.date())
    }

    /// The year.
    pub(super) fn year(self) -> i16 {
        self.0.to_string()[..4].parse().unwrap_or_default()
    }

    /// The month, from 1.
    pub(super) fn month(self) -> i8 {
        self.0.to_string()[4..6].parse().unwrap_or(1)
    }

    /// The day, as in the digits of a timestamp: `20261122`.
    pub(super) fn day_digits(self) -> String {
        self.0.to_string()[..8].to_owned()
    }

    /// The day alone, as a `<time>` element.
    pub(super) fn day(self) -> Day {
        Day(self)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, human) = (self.0.rfc3339(), self.text());
        write!(f, "<time datetime=\"{machine}\">{human}</time>")
    }
}

// Only digits, names of months and our own markup.
impl askama::filters::HtmlSafe for Moment {}

/// A day, as a `<time>` element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day(Moment);

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, human) = (self.0.0.rfc3339(), self.0.date());
        write!(f, "<time datetime=\"{}\">{human}</time>", &machine[..10])
    }
}

impl askama::filters::HtmlSafe for Day {}

/// The name of a month, from 1.
pub(super) fn month_name(month: i8) -> &'static str {
    let at = usize::try_from(month).unwrap_or(1).clamp(1, 12) - 1;
    MONTHS[at]
}

/// A length in bytes, in decimal units.
pub(super) fn size(bytes: u64) -> String {
    let mut unit = 1000u64;
    let mut names = ["kB", "MB", "GB", "TB", "PB"].into_iter();
    if bytes < unit {
        return counted(bytes, "byte");
    }
    let mut name = names.next().unwrap_or_default();
    for larger in names {
        if bytes / unit < 1000 {
            break;
        }
        unit *= 1000;
        name = larger;
    }
    let tenths = bytes / (unit / 10);
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", grouped(tenths / 10))
    }
}

/// A text of at most `limit` characters, with an ellipsis where it was cut.
pub(super) fn clipped(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_told_to_people_and_to_machines() {
        let moment = Moment("20260302040506".parse().unwrap());
        assert_eq!(
            moment.to_string(),
            "<time datetime=\"2026-03-02T04:05:06Z\">2 March 2026, 04:05:06 UTC</time>"
        );
        assert_eq!(
            moment.day().to_string(),
            "<time datetime=\"2026-03-02\">2 March 2026</time>"
        );
        assert_eq!(Moment::parse("<script>"), None);
    }

    #[test]
    fn every_timestamp_can_be_written() {
        for digits in ["00000101000000", "99991230120000", "20240229120000"] {
            let moment = Moment(digits.parse().unwrap());
            assert!(moment.text().ends_with("UTC"));
            assert!(moment.day().to_string().starts_with("<time datetime="));
        }
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(size(999), "999 bytes");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(12_345_678), "12 MB");
        assert_eq!(size(u64::MAX), "18,446 PB");
        assert_eq!(clipped("éé", 1), "é…");
    }
}
