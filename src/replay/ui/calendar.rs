//! A year of captures as months of days, and the span of years as a timeline.

use jiff::civil::Date;

use super::moment::{Moment, month_name};
use crate::count::counted;

/// The timeline has at most so many bars.
const MAX_BARS: usize = 180;
/// Height of the tallest bar, in the timeline's own units.
const BAR_HEIGHT: u64 = 48;

/// A year in the strip above the calendar.
pub(super) struct Year {
    pub number: i16,
    pub captures: String,
    pub link: String,
    pub chosen: bool,
}

/// A month as weeks of seven days, Monday first.
pub(super) struct Month {
    pub name: &'static str,
    pub weeks: Vec<[Option<Day>; 7]>,
}

/// A day of the calendar.
pub(super) struct Day {
    pub number: i8,
    /// Where its captures are, if it has any.
    pub link: Option<String>,
    /// What a screen reader says, and a pointer shows.
    pub label: String,
    /// 1 to 3, the more captures the higher.
    pub weight: u8,
}

/// A bar of the timeline; lengths are in the timeline's own units.
pub(super) struct Bar {
    pub x: usize,
    pub y: u64,
    pub height: u64,
    pub label: String,
    pub link: String,
    pub chosen: bool,
}

/// The captures of one URL, laid out.
pub(super) struct Calendar {
    pub years: Vec<Year>,
    pub year: i16,
    pub months: Vec<Month>,
    pub bars: Vec<Bar>,
    pub width: usize,
}

impl Calendar {
    /// Lays out `moments`, oldest first; none gives `None`. `year` is the year
    /// asked for, else the last. `here` is the address of the page, with a `?`
    /// in it; a day with one capture leads to it by `alone`.
    pub(super) fn new(
        moments: &[Moment],
        year: Option<i16>,
        here: &str,
        alone: impl Fn(usize) -> Option<String>,
    ) -> Option<Self> {
        let (first, last) = (moments.first()?, moments.last()?);
        let year = year
            .filter(|&year| moments.iter().any(|moment| moment.year() == year))
            .unwrap_or(last.year());
        let bars = bars(moments, first.year(), last.year(), year, here);
        Some(Self {
            years: years(moments, year, here),
            year,
            months: (1..=12)
                .filter_map(|month| month_of(moments, year, month, here, &alone))
                .collect(),
            width: bars.1,
            bars: bars.0,
        })
    }
}

fn of_year(here: &str, year: i16) -> String {
    format!("{here}&year={year:04}#calendar")
}

fn years(moments: &[Moment], chosen: i16, here: &str) -> Vec<Year> {
    let groups = moments.chunk_by(|a, b| a.year() == b.year());
    let shown = groups.map(|group| Year {
        number: group[0].year(),
        captures: counted(group.len() as u64, "capture"),
        link: of_year(here, group[0].year()),
        chosen: group[0].year() == chosen,
    });
    shown.collect()
}

fn month_of(
    moments: &[Moment],
    year: i16,
    month: i8,
    here: &str,
    alone: &impl Fn(usize) -> Option<String>,
) -> Option<Month> {
    let first = Date::new(year, month, 1).ok()?;
    let name = month_name(month);
    let mut weeks: Vec<[Option<Day>; 7]> = vec![Default::default()];
    let mut weekday = usize::try_from(first.weekday().to_monday_zero_offset()).unwrap_or(0);
    for number in 1..=first.days_in_month() {
        let day = format!("{year:04}{month:02}{number:02}");
        let start = moments.partition_point(|moment| moment.day_digits() < day);
        let count = moments[start..].partition_point(|moment| moment.day_digits() == day);
        let link = match count {
            0 => None,
            1 => alone(start).or_else(|| Some(format!("{here}&day={day}#captures"))),
            _ => Some(format!("{here}&day={day}#captures")),
        };
        if weekday == 7 {
            weeks.push(Default::default());
            weekday = 0;
        }
        let week = weeks.len() - 1;
        weeks[week][weekday] = Some(Day {
            number,
            link,
            label: format!(
                "{number} {name} {year}: {}",
                counted(count as u64, "capture")
            ),
            weight: match count {
                0 | 1 => 1,
                2..=4 => 2,
                _ => 3,
            },
        });
        weekday += 1;
    }
    Some(Month { name, weeks })
}

/// A bar for each month, or for several where the span is long; and the width
/// of the whole.
fn bars(moments: &[Moment], first: i16, last: i16, chosen: i16, here: &str) -> (Vec<Bar>, usize) {
    let month_at = |moment: &Moment| {
        let years = usize::try_from(moment.year() - first).unwrap_or(0);
        years * 12 + usize::try_from(moment.month() - 1).unwrap_or(0)
    };
    let months = (usize::try_from(last - first).unwrap_or(0) + 1) * 12;
    let months_a_bar = months.div_ceil(MAX_BARS);
    let slots = months.div_ceil(months_a_bar);
    let groups: Vec<&[Moment]> = moments
        .chunk_by(|a, b| month_at(a) / months_a_bar == month_at(b) / months_a_bar)
        .collect();
    let most = groups.iter().map(|group| group.len()).max().unwrap_or(1) as u64;
    let bars = groups.into_iter().map(|group| {
        let (from, to) = (group[0], group[group.len() - 1]);
        let count = group.len() as u64;
        // A square root keeps single captures to be seen beside many.
        let height = (BAR_HEIGHT * BAR_HEIGHT * count / most).isqrt().max(4);
        let months = [from, to].map(|m| format!("{} {}", month_name(m.month()), m.year()));
        let span = if months[0] == months[1] {
            months[0].clone()
        } else {
            months.join(" to ")
        };
        Bar {
            x: month_at(&from) / months_a_bar * 10,
            y: BAR_HEIGHT - height,
            height,
            label: format!("{span}: {}", counted(count, "capture")),
            link: of_year(here, to.year()),
            chosen: from.year() <= chosen && chosen <= to.year(),
        }
    });
    (bars.collect(), slots * 10)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn moments(digits: &[&str]) -> Vec<Moment> {
        let parsed = digits.iter().map(|digits| Moment(digits.parse().unwrap()));
        parsed.collect()
    }

    fn calendar(digits: &[&str], year: Option<i16>) -> Calendar {
        let alone = |at| Some(format!("/view/{at}"));
        Calendar::new(&moments(digits), year, "/c/x/captures?url=u", alone).unwrap()
    }

    fn day(calendar: &Calendar, month: usize, number: i8) -> &Day {
        let weeks = calendar.months[month - 1].weeks.iter().flatten();
        weeks.flatten().find(|day| day.number == number).unwrap()
    }

    #[test]
    fn days_with_captures_lead_to_them() {
        let captured = ["20251231235959", "20260201000000", "20260201120000"];
        let shown = calendar(&captured, None);
        assert_eq!((shown.year, shown.months.len()), (2026, 12));
        let link = "/c/x/captures?url=u&day=20260201#captures";
        assert_eq!(day(&shown, 2, 1).link.as_deref(), Some(link));
        assert_eq!(day(&shown, 2, 1).label, "1 February 2026: 2 captures");
        assert_eq!(day(&shown, 2, 2).link, None);
        let shown = calendar(&captured, Some(2025));
        assert_eq!(day(&shown, 12, 31).link.as_deref(), Some("/view/0"));
        assert_eq!(shown.years.len(), 2);
        // A year without captures is none to choose.
        assert_eq!(calendar(&captured, Some(1999)).year, 2026);
    }

    #[test]
    fn the_first_of_a_month_stands_under_its_weekday() {
        let shown = calendar(&["20260201000000"], None);
        // 1 February 2026 was a Sunday.
        assert!(shown.months[1].weeks[0][6].is_some());
        assert!(shown.months[1].weeks[0][..6].iter().all(Option::is_none));
        assert_eq!(shown.months[1].weeks.len(), 5);
    }

    #[test]
    fn any_span_of_years_fits_the_timeline() {
        let shown = calendar(
            &["00000101000000", "20260101000000", "99991230000000"],
            None,
        );
        assert!(shown.width <= MAX_BARS * 10);
        assert!(shown.bars.iter().all(|bar| bar.x < shown.width));
        assert_eq!(shown.bars.len(), 3);
        assert_eq!(shown.years[0].number, 0);
    }
}
