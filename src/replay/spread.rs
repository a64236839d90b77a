//! From which times the parts of a shown page are: kept by visit and page, in
//! memory, and bounded.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::count::counted;
use crate::time::Timestamp14;

/// So many pages are remembered; the one that nothing was served for the longest
/// goes first.
const MAX_PAGES: usize = 256;
/// So many style sheets of a page are known by name, as what they ask for is the
/// page's too.
const MAX_SHEETS: usize = 64;
/// A longer URL is cut.
const MAX_URL_BYTES: usize = 2_048;

/// The times of what was served, by page.
#[derive(Debug, Default)]
pub struct Spread {
    pages: Mutex<VecDeque<Page>>,
}

#[derive(Debug)]
struct Page {
    collection: String,
    visit: Timestamp14,
    url: String,
    sheets: Vec<String>,
    times: Times,
}

/// What was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A page itself.
    Page,
    /// A style sheet, which asks for more.
    Sheet,
    /// Anything else.
    Other,
}

/// When the parts of a page were captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The page itself.
    pub own: Timestamp14,
    /// The earliest.
    pub first: Timestamp14,
    /// The latest.
    pub last: Timestamp14,
    /// How many answers were counted beside it, repeated ones too.
    pub parts: u64,
}

impl Times {
    /// How far the parts are from the page, in words.
    pub fn text(&self) -> String {
        let earlier = self.own.distance(self.first).as_secs();
        let later = self.own.distance(self.last).as_secs();
        match (about(earlier), about(later)) {
            _ if self.parts == 0 => String::new(),
            (None, None) => "parts within a minute".to_owned(),
            (Some(earlier), None) => format!("parts up to {earlier} earlier"),
            (None, Some(later)) => format!("parts up to {later} later"),
            (Some(earlier), Some(later)) => {
                format!("parts from {earlier} earlier to {later} later")
            }
        }
    }
}

/// A number of seconds in the largest unit of which there are two or more; nothing
/// below a minute.
fn about(seconds: u64) -> Option<String> {
    const UNITS: [(u64, &str); 5] = [
        (365 * 86_400, "year"),
        (30 * 86_400, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
    ];
    let (length, name) = UNITS
        .into_iter()
        .find(|(length, _)| seconds >= 2 * length)
        .or_else(|| (seconds >= 60).then_some((60, "minute")))?;
    Some(counted(seconds / length, name))
}

impl Spread {
    /// Counts an answer with what was captured of `url`, asked for by the page or
    /// sheet `asker`. A page begins anew when it is answered itself.
    pub fn count(
        &self,
        (collection, visit): (&str, Timestamp14),
        (url, captured): (&str, Timestamp14),
        asker: Option<&str>,
        part: Part,
    ) {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let count_to = |page: &mut Page| {
            page.times.first = page.times.first.min(captured);
            page.times.last = page.times.last.max(captured);
            page.times.parts += 1;
        };
        let of_visit = |page: &&mut Page| page.visit == visit && page.collection == collection;
        let asker = asker.map(clip);
        // The page that was opened last, where several have a sheet in common, and where
        // a page keeps from what it asks for whose it is.
        let is_asker = |page: &&mut Page| {
            asker.is_none_or(|asker| {
                page.url == asker || page.sheets.iter().any(|sheet| sheet == asker)
            })
        };
        if part == Part::Page {
            let url = clip(url);
            // A frame of that page, or a page that follows it.
            if asker.is_some_and(|asker| asker != url)
                && let Some(page) = pages.iter_mut().rev().filter(of_visit).find(is_asker)
            {
                count_to(page);
            }
            pages.retain(|page| !page.is(collection, visit, url));
            while pages.len() >= MAX_PAGES {
                pages.pop_front();
            }
            pages.push_back(Page {
                collection: collection.to_owned(),
                visit,
                url: url.to_owned(),
                sheets: Vec::new(),
                times: Times {
                    own: captured,
                    first: captured,
                    last: captured,
                    parts: 0,
                },
            });
            return;
        }
        let Some(page) = pages.iter_mut().rev().filter(of_visit).find(is_asker) else {
            return;
        };
        count_to(page);
        let sheet = clip(url);
        if part == Part::Sheet
            && page.sheets.len() < MAX_SHEETS
            && !page.sheets.iter().any(|known| known == sheet)
        {
            page.sheets.push(sheet.to_owned());
        }
    }

    /// The times of a page's parts; `None` where nothing of it was served.
    pub fn of(&self, collection: &str, visit: Timestamp14, page: &str) -> Option<Times> {
        let url = clip(page);
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let found = pages.iter().find(|page| page.is(collection, visit, url));
        found.map(|page| page.times)
    }
}

impl Page {
    fn is(&self, collection: &str, visit: Timestamp14, url: &str) -> bool {
        self.visit == visit && self.url == url && self.collection == collection
    }
}

fn clip(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_URL_BYTES)]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(digits: &str) -> Timestamp14 {
        digits.parse().unwrap()
    }

    const PAGE: &str = "http://x/";

    #[test]
    fn the_parts_of_a_page_are_counted_from_its_own_answer_on() {
        let (spread, visit) = (Spread::default(), at("20260101000000"));
        let count = |url: &str, time: &str, asker: Option<&str>, part| {
            spread.count(("a", visit), (url, at(time)), asker, part);
        };
        count(PAGE, "20260102000000", None, Part::Page);
        assert_eq!(spread.of("a", visit, PAGE).unwrap().text(), "");
        count("http://x/a.css", "20260102000030", Some(PAGE), Part::Sheet);
        let text = || spread.of("a", visit, PAGE).unwrap().text();
        assert_eq!(text(), "parts within a minute");
        count("http://x/a.png", "20250102000000", Some(PAGE), Part::Other);
        assert_eq!(text(), "parts up to 12 months earlier");
        // A font that the sheet names.
        let sheet = Some("http://x/a.css");
        count("http://x/a.woff", "20260102030000", sheet, Part::Other);
        assert_eq!(text(), "parts from 12 months earlier to 3 hours later");
        count(
            "http://y/",
            "19990102030000",
            Some("http://y/"),
            Part::Other,
        );
        assert_eq!(spread.of("a", visit, PAGE).unwrap().parts, 3);
        assert_eq!(spread.of("b", visit, PAGE), None);
        count(PAGE, "20260102000000", None, Part::Page);
        assert_eq!(spread.of("a", visit, PAGE).unwrap().parts, 0);
    }

    #[test]
    fn an_endless_site_does_not_fill_memory() {
        let (spread, visit) = (Spread::default(), at("20260101000000"));
        for n in 0..(MAX_PAGES + 5) {
            let page = format!("http://x/{n}/{}", "é".repeat(5_000));
            spread.count(("a", visit), (&page, visit), None, Part::Page);
            let sheet = format!("http://x/{n}.css");
            spread.count(("a", visit), (&sheet, visit), Some(&page), Part::Sheet);
        }
        let pages = spread.pages.lock().unwrap();
        assert_eq!(pages.len(), MAX_PAGES);
        assert!(pages.iter().all(|page| page.sheets.len() <= MAX_SHEETS));
    }
}
