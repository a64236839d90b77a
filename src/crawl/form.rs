//! The form of a URL: equal for those that differ only in numbers or dates, as
//! the pages of a calendar or a counter do.

use std::hash::{Hash, Hasher};

use super::fold::Fold;
use crate::url::CanonicalUrl;

/// What a URL looks like without its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Equal for URLs of one form.
    pub key: u64,
    /// Equal for URLs that differ only in numbers; those of months and days of
    /// one calendar differ in it and not in their form.
    pub shape: u64,
    /// The date that it names.
    pub date: Option<Dated>,
}

/// A date in a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dated {
    /// The month, counted from year 0.
    pub month: u32,
    /// Equal for URLs that are the same up to their date.
    pub stem: u64,
    /// Whether a file's name follows the date.
    pub is_file: bool,
}

impl Form {
    /// The form of a URL.
    pub fn of(url: &CanonicalUrl) -> Self {
        let shape = shape(url);
        let dated = dated(url);
        Self {
            key: dated.map_or(shape, |(key, _)| key),
            shape,
            date: dated.map(|(_, date)| date),
        }
    }

    /// Whether a page of this form that names one of the other leads on in one
    /// sequence: counters and the months, weeks and days of a calendar do, and
    /// files that a calendar lists don't.
    pub fn leads_on_to(self, other: Self) -> bool {
        let in_one_calendar = || {
            let (own, other) = (self.date?, other.date?);
            Some(own.stem == other.stem && !other.is_file)
        };
        self.key == other.key || in_one_calendar() == Some(true)
    }

    /// What counts as one sequence.
    pub fn sequence(self) -> u64 {
        self.date.map_or(self.key, |date| date.stem)
    }
}

/// A hash of a URL's bytes, each number as one.
fn shape(url: &CanonicalUrl) -> u64 {
    let mut hasher = Fold::default();
    write_shape(&mut hasher, url.as_str());
    hasher.finish()
}

fn write_shape(hasher: &mut Fold, text: &str) {
    let mut in_number = false;
    for byte in text.bytes() {
        let digit = byte.is_ascii_digit();
        if !(digit && in_number) {
            hasher.write_u8(if digit { b'0' } else { byte });
        }
        in_number = digit;
    }
}

/// The form and the month of a URL with a date in its path or query.
fn dated(url: &CanonicalUrl) -> Option<(u64, Dated)> {
    // Most URLs name no year.
    let bytes = url.as_str().as_bytes();
    if !bytes
        .windows(4)
        .any(|four| four.iter().all(u8::is_ascii_digit))
    {
        return None;
    }
    let parsed = url.url();
    let mut hasher = Fold::default();
    url.host_key().hash(&mut hasher);
    let mut found: Option<(u32, u64)> = None;
    let mut is_file = false;
    let mut segments = parsed.path().split('/').peekable();
    while let Some(segment) = segments.next() {
        hasher.write_u8(b'/');
        let whole = date(segment);
        let year_then_month = || {
            let month = segments.peek().copied().filter(|s| s.len() == 2)?;
            Some(year(segment)? * 12 + month_of_year(month)?)
        };
        let Some(month) = whole.or_else(year_then_month) else {
            write_shape(&mut hasher, segment);
            is_file = found.is_some() && segment.contains('.');
            continue;
        };
        found = found.or_else(|| Some((month, hasher.finish())));
        hasher.write_u8(0);
        if whole.is_none() {
            segments.next();
            // The day, where there is one.
            if segments
                .peek()
                .is_some_and(|s| number(s, 1, 2).is_some_and(|day| day <= 31))
            {
                segments.next();
            }
        }
    }
    if let (None, Some(query)) = (found, parsed.query()) {
        found = Some((query_month(query)?, hasher.finish()));
        // Views of one calendar differ in what their parameters say.
        let mut names: Vec<&str> = query
            .split('&')
            .map(|field| field.split('=').next().unwrap_or_default())
            .collect();
        names.sort_unstable();
        names.hash(&mut hasher);
    }
    let (month, stem) = found?;
    let date = Dated {
        month,
        stem,
        is_file,
    };
    Some((hasher.finish(), date))
}

/// The month in a query: a parameter that is a date, or a year and a month.
fn query_month(query: &str) -> Option<u32> {
    let (mut named_year, mut named_month) = (None, None);
    for field in query.split('&') {
        let (name, value) = field.split_once('=')?;
        if let Some(month) = date(value) {
            return Some(month);
        }
        let name = name.to_ascii_lowercase();
        if name == "y" || name.contains("year") || name == "yr" {
            named_year = year(value);
        } else if name == "m" || name.contains("month") {
            named_month = number(value, 1, 2).filter(|month| (1..=12).contains(month));
        }
    }
    Some(named_year? * 12 + named_month? - 1)
}

/// `2031-05`, `2031-05-12`, `20310512`: its month.
pub fn date(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let (year_part, rest) = text.split_at_checked(4)?;
    let (month, day) = match (bytes.len(), bytes.get(4)) {
        (7, Some(b'-')) => (&rest[1..], None),
        (10, Some(b'-')) if bytes[7] == b'-' && text.is_ascii() => (&rest[1..3], Some(&rest[4..])),
        (8, _) if text.is_ascii() => (&rest[..2], Some(&rest[2..])),
        _ => return None,
    };
    let month = year(year_part)? * 12 + month_of_year(month)?;
    let day_is_one =
        day.is_none_or(|day| number(day, 2, 2).is_some_and(|day| (1..=31).contains(&day)));
    day_is_one.then_some(month)
}

fn year(text: &str) -> Option<u32> {
    number(text, 4, 4).filter(|year| (1000..=3000).contains(year))
}

/// `01` to `12`, from 0.
fn month_of_year(text: &str) -> Option<u32> {
    let month = number(text, 2, 2)?;
    (1..=12).contains(&month).then(|| month - 1)
}

fn number(text: &str, least: usize, most: usize) -> Option<u32> {
    let fits = (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    fits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn form(path: &str) -> Form {
        Form::of(&CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap())
    }

    #[test]
    fn urls_that_differ_in_numbers_or_dates_have_one_form() {
        for (one, other) in [
            ("/page/2", "/page/713"),
            ("/list?offset=20", "/list?offset=4000"),
            ("/cal/2031/05/", "/cal/2026/11/"),
            ("/cal/2031/05/", "/cal/2031/05/12/"),
            ("/cal/2031-05", "/cal/2031-05-12"),
            ("/cal?month=5&year=2031", "/cal?year=2026&month=11"),
            (
                "/cal?view=month&date=2031-05-01",
                "/cal?view=week&date=20310512",
            ),
        ] {
            assert_eq!(form(one).key, form(other).key, "{one} {other}");
        }
    }

    #[test]
    fn what_is_named_tells_forms_apart() {
        for (one, other) in [
            ("/cal/2026/11", "/cal/2026/x"),
            ("/2026/11/12/first-post/", "/2026/11/12/second-post/"),
            ("/cal/2026/11/", "/events/2026/11/"),
            ("/?p=one", "/?p=two"),
            ("/cal?date=2026-11", "/cal?day=2026-11"),
        ] {
            assert_ne!(form(one).key, form(other).key, "{one} {other}");
        }
        assert_ne!(form("/cal/2031/05/").shape, form("/cal/2031/05/12/").shape);
    }

    #[test]
    fn views_of_a_calendar_lead_on_to_each_other_and_files_are_no_part_of_it() {
        let leads_on = |one, other| form(one).leads_on_to(form(other));
        assert!(leads_on("/events/2031/05/", "/events/2031/06/?view=list"));
        assert!(leads_on("/events/2031/05/12/", "/events/2031/06/week/3"));
        assert!(leads_on("/page/2", "/page/3"));
        assert!(!leads_on(
            "/events/2031/05/",
            "/events/2031/05/12/minutes.pdf"
        ));
        assert!(!leads_on("/events/2031/05/", "/2031/05/"));
        assert!(!leads_on("/page/2", "/other/3"));
    }

    #[test]
    fn months_are_read_and_other_numbers_are_not() {
        let month = |year: u32, month: u32| Some(year * 12 + month - 1);
        for (path, expected) in [
            ("/2031/05/", month(2031, 5)),
            ("/x/2031-12-31.html", None),
            ("/x/2031-12-31", month(2031, 12)),
            ("/c?month=5&year=2031", month(2031, 5)),
            ("/c?m=12&y=2031", month(2031, 12)),
            ("/c?d=20310512&x", month(2031, 5)),
            ("/2031/13/", None),
            ("/2031/5/", None),
            ("/id/0345/01/", None),
            ("/99999999", None),
            ("/c?page=20", None),
            ("/c?month=5", None),
        ] {
            assert_eq!(form(path).date.map(|date| date.month), expected, "{path}");
        }
    }

    #[test]
    fn no_text_of_any_characters_panics() {
        for text in [
            "202é-05",
            "20é1-0512",
            "2031-é5",
            "ééé-éé-éé",
            "2031é512",
            "1234567é",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
