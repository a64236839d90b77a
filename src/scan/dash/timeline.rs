//! When segments begin: by a `SegmentTimeline`, or by a fixed duration and the
//! length of the period (ISO/IEC 23009-1 §5.3.9.6 and §5.3.9.5.3).

use super::super::xml::Tag;
use super::template::Template;

/// A segment of a representation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// In the units of the timescale.
    pub(super) time: u64,
}

/// `S`: segments of one duration in a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    start: Option<u64>,
    duration: u64,
    /// How often it is repeated; negative: up to the next, or to the end.
    repeated: i64,
    number: Option<u64>,
}

impl Stretch {
    pub(super) fn of(tag: &Tag<'_>) -> Option<Self> {
        let number = |name| -> Option<u64> { tag.value(name)?.trim().parse().ok() };
        let repeated = tag.value("r").and_then(|text| text.trim().parse().ok());
        Some(Self {
            start: number("t"),
            duration: number("d")?,
            repeated: repeated.unwrap_or(0),
            number: number("n"),
        })
    }
}

/// The segments that a template stands for, in order. There may be any number:
/// whoever takes them stops at a bound of its own.
pub(super) fn segments<'t>(
    template: &Template,
    timeline: &'t [Stretch],
    seconds: Option<f64>,
    is_live: bool,
) -> Box<dyn Iterator<Item = Segment> + 't> {
    let first = template.start_number.unwrap_or(1);
    let scale = template.timescale.unwrap_or(1).max(1);
    #[expect(clippy::cast_sign_loss, reason = "durations aren't negative")]
    let end = seconds.map(|seconds| (seconds * scale as f64) as u64);
    if !timeline.is_empty() {
        return Box::new(by_timeline(timeline, first, end));
    }
    let count = match (template.end_number, template.duration, end) {
        (Some(last), ..) => last.saturating_sub(first).saturating_add(1),
        _ if is_live => 0,
        (None, Some(duration), Some(end)) if duration > 0 => end.div_ceil(duration),
        // A template for one file.
        _ => 1,
    };
    let duration = template.duration.unwrap_or(0);
    Box::new((0..count).map(move |at| Segment {
        number: first.saturating_add(at),
        time: duration.saturating_mul(at),
    }))
}

fn by_timeline(
    timeline: &[Stretch],
    first: u64,
    end: Option<u64>,
) -> impl Iterator<Item = Segment> {
    let mut number = first;
    let mut time = 0u64;
    timeline.iter().enumerate().flat_map(move |(at, stretch)| {
        time = stretch.start.unwrap_or(time);
        number = stretch.number.unwrap_or(number);
        let count = match u64::try_from(stretch.repeated) {
            Ok(repeated) => repeated.saturating_add(1),
            Err(_) => {
                let until = timeline.get(at + 1).and_then(|next| next.start).or(end);
                let span = until.map_or(0, |until| until.saturating_sub(time));
                span.checked_div(stretch.duration).unwrap_or(0).max(1)
            }
        };
        let (begun, started, duration) = (number, time, stretch.duration);
        number = number.saturating_add(count);
        time = time.saturating_add(duration.saturating_mul(count));
        (0..count).map(move |at| Segment {
            number: begun.saturating_add(at),
            time: started.saturating_add(duration.saturating_mul(at)),
        })
    })
}

/// Seconds of a duration such as `PT1H2M3.5S` (ISO 8601; years and months as
/// calendars have them on average).
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut rest = text.trim().strip_prefix('P')?;
    let mut total = 0.0;
    let mut is_time = false;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('T') {
            is_time = true;
            rest = after;
            continue;
        }
        let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..length].parse().ok()?;
        let unit = rest[length..].chars().next()?;
        rest = &rest[length + unit.len_utf8()..];
        total += number
            * match (unit, is_time) {
                ('Y', false) => 31_557_600.0,
                ('M', false) => 2_629_800.0,
                ('W', false) => 604_800.0,
                ('D', false) => 86_400.0,
                ('H', true) => 3600.0,
                ('M', true) => 60.0,
                ('S', true) => 1.0,
                _ => return None,
            };
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, expected) in [
            ("PT1H2M3.5S", Some(3723.5)),
            ("P1DT1S", Some(86_401.0)),
            ("PT634.566S", Some(634.566)),
            ("P", Some(0.0)),
            ("1S", None),
            ("PT1X", None),
            ("PTS", None),
            ("PT1é", None),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn endless_stretches_stop_where_they_are_known_to() {
        let stretch = |start, repeated| Stretch {
            start,
            duration: 10,
            repeated,
            number: None,
        };
        let times = |timeline: &[Stretch], end| -> Vec<u64> {
            by_timeline(timeline, 1, end)
                .map(|segment| segment.time)
                .collect()
        };
        assert_eq!(
            times(&[stretch(Some(5), 1), stretch(None, 0)], None),
            [5, 15, 25]
        );
        assert_eq!(
            times(&[stretch(None, -1), stretch(Some(30), 0)], None),
            [0, 10, 20, 30]
        );
        assert_eq!(times(&[stretch(None, -1)], Some(20)), [0, 10]);
        let hostile = Stretch {
            start: Some(u64::MAX),
            duration: u64::MAX,
            repeated: i64::MAX,
            number: Some(u64::MAX),
        };
        assert_eq!(
            by_timeline(&[hostile, hostile], u64::MAX, None)
                .take(1000)
                .count(),
            1000
        );
    }
}
