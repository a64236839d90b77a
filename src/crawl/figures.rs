//! What a page says in numbers. Two tables of statistics may differ in nothing
//! else, and two months of an empty calendar differ in nothing but dates: so
//! dates, times, years, counting from one number to the next, and numbers about
//! the page's own address are no figures.

use super::form;
use super::imprint::{READ, Sketch};
use super::page_text::{Part, each_text};
use crate::url::CanonicalUrl;

/// The largest number that may be a day, a week of the year or an hour.
const SMALL: u64 = 53;

/// A sketch of the figures of the page at `url`: what a reader sees, and what
/// its scripts hold.
pub fn figures(page: &[u8], url: &CanonicalUrl) -> u64 {
    let mut figures = Figures {
        own: own_numbers(url),
        small: Vec::new(),
        sketch: Sketch::default(),
    };
    let page = &page[..page.len().min(READ)];
    each_text(page, |text, part| {
        if part != Part::Title {
            figures.read(text);
        }
    });
    figures.finish()
}

struct Figures {
    own: Vec<u64>,
    /// Small numbers in order, dates or figures.
    small: Vec<u8>,
    sketch: Sketch,
}

impl Figures {
    fn read(&mut self, text: &[u8]) {
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || b"_.,:/-'#".contains(b);
        let mut rest = text;
        // From digit to digit: most of a text has none.
        while let Some(digit) = rest.iter().position(u8::is_ascii_digit) {
            let start = rest[..digit].iter().rposition(|b| !is_part(b));
            let end = rest[digit..].iter().position(|b| !is_part(b));
            let end = end.map_or(rest.len(), |end| digit + end);
            if let Ok(token) = std::str::from_utf8(&rest[start.map_or(0, |at| at + 1)..end]) {
                self.token(token);
            }
            rest = &rest[end..];
        }
    }

    /// Digits with what may stand between and behind them.
    fn token(&mut self, token: &str) {
        let is_abbreviated = token.ends_with('.');
        let token = token.trim_matches(|c: char| c.is_ascii_punctuation() && c != '#' && c != '_');
        // A number with a unit; words with digits in them are names.
        let number = token.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit = token[number.len()..].to_ascii_lowercase();
        let is_of_date = matches!(&*unit, "st" | "nd" | "rd" | "th" | "am" | "pm");
        let is_plain = |c: char| c.is_ascii_digit() || (c.is_ascii_punctuation() && c != '_');
        if unit.len() > 3 || is_of_date || number.starts_with('#') || !number.chars().all(is_plain)
        {
            return;
        }
        if is_time(number) || is_date(number) {
            return;
        }
        for number in number.split([':', '/', '-', '#']) {
            self.number(number, is_abbreviated);
        }
    }

    /// Digits, perhaps in groups or with a fraction.
    fn number(&mut self, number: &str, is_abbreviated: bool) {
        let parts: Vec<&str> = number.split(['.', ',', '\'']).collect();
        match parts.as_slice() {
            [whole] => self.integer(whole),
            [day, month] if is_day(day) && is_month(month, is_abbreviated) => {}
            [day, month, _] if is_day(day) && is_month(month, true) => {}
            [_, groups @ ..] if groups.len() == 1 || groups.iter().all(|g| g.len() == 3) => {
                let digits = parts.concat();
                if !self.is_own(&digits) {
                    self.sketch.add(digits.as_bytes());
                }
            }
            list => list.iter().for_each(|whole| self.integer(whole)),
        }
    }

    fn integer(&mut self, digits: &str) {
        let Ok(number) = digits.parse::<u64>() else {
            return;
        };
        let is_moment = |number: u64| (1_000_000_000..=4_300_000_000).contains(&number);
        match number {
            0..=SMALL => self.small.push(number as u8),
            1900..=2199 => {}
            _ if is_moment(number) || is_moment(number / 1000) => {}
            _ if form::date(digits).is_some() || self.is_own(digits) => {}
            _ => self.sketch.add(digits.as_bytes()),
        }
    }

    /// Whether it is about the page's own address, as the pages around it are.
    fn is_own(&self, digits: &str) -> bool {
        let Ok(number) = digits.parse::<u64>() else {
            return false;
        };
        let is_near = |own: &u64| number.abs_diff(*own) <= if *own < 1000 { 10 } else { 100 };
        self.own.iter().any(is_near)
    }

    /// Small numbers that don't count on are figures; alone they say little, so
    /// three in a row are one.
    fn finish(mut self) -> u64 {
        let small = &self.small;
        let mut last = None;
        let mut kept = Vec::new();
        for (at, &number) in small.iter().enumerate() {
            let before = at.checked_sub(1).map(|at| small[at]);
            let after = small.get(at + 1).copied();
            let counts_on = number == 1
                || before.is_some_and(|before| before + 1 == number)
                || after.is_some_and(|after| number + 1 == after || (number >= 28 && after == 1));
            // The weeks of a year, between their days.
            if counts_on || last.is_some_and(|last| last + 1 == number) {
                last = if counts_on { last } else { Some(number) };
                continue;
            }
            last = Some(number);
            kept.push(number);
        }
        for three in kept.windows(3) {
            self.sketch.add(three);
        }
        self.sketch.bits()
    }
}

/// `9:30`, `09:30:00`.
fn is_time(number: &str) -> bool {
    let parts: Vec<&str> = number.split(':').collect();
    let fits = |part: &&str| part.len() <= 2 && part.parse::<u8>().is_ok_and(|n| n < 60);
    let last = parts.last().map_or(0, |last| last.len());
    (2..=3).contains(&parts.len()) && last == 2 && parts.iter().all(fits)
}

/// `2031-05-12`, `05/2031`, `12/5`, `05-12`.
fn is_date(number: &str) -> bool {
    let parts: Vec<&str> = number.split(['-', '/', '.']).collect();
    let is_small = |part: &&str| is_day(part);
    let is_year = |part: &&str| {
        part.len() == 4
            && part
                .parse()
                .is_ok_and(|year: u32| (1000..=3000).contains(&year))
    };
    let is_written_out = parts.iter().all(|part| part.len() == 2);
    let others = parts.iter().filter(|part| !is_year(part));
    (2..=3).contains(&parts.len())
        && others.clone().all(is_small)
        && (others.count() + 1 == parts.len()
            || number.contains('/')
            || (number.contains('-') && is_written_out))
}

fn is_day(digits: &str) -> bool {
    digits.len() <= 2
        && digits
            .parse::<u8>()
            .is_ok_and(|day| (1..=31).contains(&day))
}

/// `05`, and `5` where nothing else can be meant.
fn is_month(digits: &str, certainly: bool) -> bool {
    (digits.len() == 2 || certainly)
        && digits
            .parse::<u8>()
            .is_ok_and(|month| (1..=12).contains(&month))
}

/// The numbers in a URL.
fn own_numbers(url: &CanonicalUrl) -> Vec<u64> {
    let target = url.request_target();
    let numbers = target.split(|c: char| !c.is_ascii_digit());
    numbers.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::crawl::imprint::OTHER_FIGURES;
    use std::fmt::Write as _;

    fn of(path: &str, page: &str) -> u64 {
        let url = CanonicalUrl::parse(&format!("http://a.example{path}")).unwrap();
        figures(page.as_bytes(), &url)
    }

    fn differ(one: u64, other: u64) -> bool {
        (one ^ other).count_ones() > OTHER_FIGURES
    }

    /// A month whose first day is the so-manieth of its week.
    fn month(number: u32, first: u32) -> String {
        let mut page = format!("<h1>{number:02}/2031</h1> 10:30 {number:02}.2031 <table>");
        let days = (0..42).map(|cell| (cell + 30 - first) % 30 + 1);
        for (cell, day) in days.enumerate() {
            if cell % 7 == 0 {
                let _ = write!(page, "<tr><th>{}", number * 4 + cell as u32 / 7);
            }
            let _ = write!(
                page,
                "<td><a href=/cal/2031/{number:02}/{day:02}/>{day}</a>"
            );
        }
        page
    }

    #[test]
    fn months_of_an_empty_calendar_have_no_figures() {
        for number in 1..12 {
            let one = of("/cal/2031/05/", &month(number, number % 7));
            let next = of("/cal/2031/06/", &month(number + 1, (number + 2) % 7));
            assert!(!differ(one, next), "{number}");
        }
        for dates in [
            "2031-05-12 20310512 12.05.2031 5/12/2031 12.5. 12.05 May 12, 2031 12th 9:30 09:30:00 1938812400 1938812400000",
            "see page 211 212 213 214 215, entries 4001 to 4020",
            "&#8211; a1b2c3 v2_7 H2O x264",
        ] {
            assert_eq!(of("/cal/213?offset=4000", dates), 0, "{dates}");
        }
    }

    #[test]
    fn tables_of_statistics_differ_by_their_figures() {
        // Any numbers that have nothing to do with each other.
        let any = |year: u64, at: u64| {
            let mixed = (year * 1009 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
        };
        let table = |year: u64, row: &dyn Fn(u64) -> String| {
            let mut page = "<table>".to_owned();
            for at in 0..30 {
                let _ = write!(page, "<tr><td>Place<td>{}", row(any(year, at)));
            }
            page
        };
        let rows: [(&dyn Fn(u64) -> String, usize); 4] = [
            (&|any| format!("{}", 3000 + any % 90_000), 18),
            (&|any| format!("{}.{} %", any % 97, any / 97 % 89), 18),
            (&|any| format!("{},{:03} km", any % 97, any / 97 % 997), 18),
            // Goals of matches may well be taken for days.
            (&|any| format!("{}:{}", any % 6, any / 6 % 5), 14),
        ];
        for (row, most) in rows {
            let in_a_row = (1..20).filter(|&year| {
                let one = of(&format!("/stats/{year}"), &table(year, row));
                let next = of(&format!("/stats/{}", year + 1), &table(year + 1, row));
                differ(one, next)
            });
            let told = in_a_row.count();
            assert!(told >= most, "{told} of 19: {}", row(any(1, 1)));
        }
    }

    #[test]
    fn a_count_of_visitors_and_the_time_it_took_are_not_enough() {
        let page = |n: u32| {
            format!(
                "Visitors: {} in 0.0{} s, {} queries",
                7000 + n * 3,
                n * 7,
                n
            )
        };
        for n in 60..120 {
            assert!(!differ(of("/c", &page(n)), of("/c", &page(n + 1))), "{n}");
        }
    }
}
