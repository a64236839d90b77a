//! Times: the 14-digit timestamps of indexes and replay URLs, and `WARC-Date`.

mod lenient;

pub use lenient::lenient_seconds;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{Timestamp, Unit, tz::TimeZone};

/// A text that is no time of the kind that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {expected}")]
pub struct TimeError {
    text: String,
    expected: &'static str,
}

impl TimeError {
    fn new(text: &str, expected: &'static str) -> Self {
        let text = text.chars().take(80).collect();
        Self { text, expected }
    }
}

/// A 14-digit UTC time, `YYYYMMDDhhmmss`, as used in CDXJ and replay URLs.
/// Loses sub-second precision; records keep the full `WARC-Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp14(u64);

impl Timestamp14 {
    /// The current second.
    pub fn now() -> Self {
        Self::of(Timestamp::now())
    }

    /// The second in which an instant lies. Years outside 0..=9999 are clamped,
    /// since 14 digits can't say them.
    pub fn of(instant: Timestamp) -> Self {
        let time = instant.to_zoned(TimeZone::UTC).datetime();
        let year = u64::from(time.year().clamp(0, 9999).unsigned_abs());
        let fields = [
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second(),
        ];
        Self(fields.iter().fold(year, |digits, &field| {
            digits * 100 + u64::from(field.unsigned_abs())
        }))
    }

    /// The last hour that an instant has: whatever is nearest to it is the newest.
    pub const LAST: Self = Self(99_991_230_210_000);

    /// Completes a prefix of 4 to 14 digits to its earliest second: `2026`
    /// means the first second of that year (as pywb and Memento URLs do).
    pub fn from_prefix(digits: &str) -> Result<Self, TimeError> {
        let error = || TimeError::new(digits, "a timestamp of 4 to 14 digits, YYYYMMDDhhmmss");
        if !(4..=14).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let earliest = "00000101000000";
        let full = format!("{digits}{}", &earliest[digits.len()..]);
        // `202601` + `01…` is right; `20261` leaves the month `11`, as in pywb.
        full.parse().map_err(|_| error())
    }

    /// The instant, where the digits are a date of the calendar.
    fn instant(self) -> Timestamp {
        self.civil()
            .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok())
            .map(|zoned| zoned.timestamp())
            .expect("a Timestamp14 is a date of the calendar")
    }

    fn civil(self) -> Option<jiff::civil::DateTime> {
        let mut rest = self.0;
        let mut field = || {
            let value = i8::try_from(rest % 100).expect("two digits fit");
            rest /= 100;
            value
        };
        let (second, minute, hour, day, month) = (field(), field(), field(), field(), field());
        let year = i16::try_from(rest).ok()?;
        jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()
    }

    /// The distance between two times.
    pub fn distance(self, other: Self) -> Duration {
        self.instant()
            .duration_since(other.instant())
            .unsigned_abs()
    }

    /// Seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.instant().as_second()
    }

    /// The HTTP date of this time, as in `Memento-Datetime`.
    pub fn http_date(self) -> String {
        self.instant()
            .to_zoned(TimeZone::UTC)
            .strftime("%a, %d %b %Y %H:%M:%S GMT")
            .to_string()
    }

    /// `2026-11-22T02:28:46Z`.
    pub fn rfc3339(self) -> String {
        self.instant().to_string()
    }
}

impl fmt::Display for Timestamp14 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:014}", self.0)
    }
}

impl FromStr for Timestamp14 {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let error = || TimeError::new(text, "a timestamp of 14 digits, YYYYMMDDhhmmss");
        if text.len() != 14 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(error());
        }
        let parsed = Self(text.parse().map_err(|_| error())?);
        // Years are 0 to 9999, but for the last hours, which no instant has.
        let instant = parsed
            .civil()
            .and_then(|civil| civil.to_zoned(TimeZone::UTC).ok());
        instant.map(|_| parsed).ok_or_else(error)
    }
}

/// A `WARC-Date`: UTC, from whole seconds to nanoseconds (WARC 1.1 §5.4; WARC
/// 1.0 has whole seconds).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WarcDate(Timestamp);

impl WarcDate {
    /// The current time to the microsecond.
    pub fn now() -> Self {
        let now = Timestamp::now();
        Self(now.round(Unit::Microsecond).unwrap_or(now))
    }

    /// The instant of a capture.
    pub fn instant(self) -> Timestamp {
        self.0
    }

    /// The second in which it lies.
    pub fn timestamp14(self) -> Timestamp14 {
        Timestamp14::of(self.0)
    }

    /// The form of WARC 1.0, in whole seconds.
    #[must_use]
    pub fn to_seconds(self) -> Self {
        Self(Timestamp::from_second(self.0.as_second()).expect("a second of a valid time is valid"))
    }
}

impl WarcDate {
    /// Reads what some tools write for a date, down to its digits, as other
    /// indexers do: a capture must not be lost for its date's form.
    pub fn lenient(text: &str) -> Option<Self> {
        if let Ok(date) = text.parse() {
            return Some(date);
        }
        let digits: String = text.chars().filter(char::is_ascii_digit).take(14).collect();
        let time = Timestamp14::from_prefix(&digits).ok()?;
        Some(Self(time.instant()))
    }
}

impl fmt::Display for WarcDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for WarcDate {
    type Err = TimeError;

    /// Takes RFC 3339 in UTC, and the shortened forms that WARC 1.1 allows
    /// (`2016`, `2016-09`, `2016-09-19`, `2016-09-19T17:20Z`), which mean their
    /// earliest instant.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.trim();
        let error = || TimeError::new(text, "a WARC-Date such as 2026-11-22T02:28:46Z");
        if let Ok(instant) = text.parse::<Timestamp>() {
            return Ok(Self(instant));
        }
        let completed = match text.len() {
            4 => format!("{text}-01-01T00:00:00Z"),
            7 => format!("{text}-01T00:00:00Z"),
            10 => format!("{text}T00:00:00Z"),
            17 if text.ends_with('Z') => format!("{}:00Z", &text[..16]),
            _ => return Err(error()),
        };
        completed.parse().map(Self).map_err(|_| error())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn fourteen_digits_come_back_as_they_went() {
        let time: Timestamp14 = "20270331235959".parse().unwrap();
        assert_eq!(time.to_string(), "20270331235959");
        assert_eq!(time.http_date(), "Wed, 31 Mar 2027 23:59:59 GMT");
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2027",
            "20270231000000",
            "2027033123595x",
            "20271331000000",
            "99991231235959",
        ] {
            assert!(text.parse::<Timestamp14>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_means_its_first_second() {
        let of = |digits| Timestamp14::from_prefix(digits).map(|t| t.to_string());
        assert_eq!(of("2026"), Ok("20260101000000".into()));
        assert_eq!(of("20260322"), Ok("20260322000000".into()));
        assert!(of("99").is_err());
    }

    #[test]
    fn distance_counts_real_seconds_across_months() {
        let a: Timestamp14 = "20260228235959".parse().unwrap();
        let b: Timestamp14 = "20260301000000".parse().unwrap();
        assert_eq!(a.distance(b), Duration::from_secs(1));
        assert_eq!(b.distance(a), Duration::from_secs(1));
    }

    #[test]
    fn warc_dates_of_both_versions_are_read() {
        for (text, ts) in [
            ("2016-09-19T17:20:24Z", "20160919172024"),
            ("2016-09-19T17:20:24.123456789Z", "20160919172024"),
            ("2016-09-19", "20160919000000"),
            ("2016-09-19T17:20Z", "20160919172000"),
        ] {
            assert_eq!(
                text.parse::<WarcDate>().unwrap().timestamp14().to_string(),
                ts
            );
        }
        assert!("yesterday".parse::<WarcDate>().is_err());
        let lenient = WarcDate::lenient("2019-08-15T01:02").unwrap();
        assert_eq!(lenient.timestamp14().to_string(), "20190815010200");
        assert!(WarcDate::lenient("yesterday").is_none());
        assert!("2016-0é".parse::<WarcDate>().is_err());
    }
}
