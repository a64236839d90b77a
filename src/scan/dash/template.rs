//! `SegmentTemplate`: the names of segments with holes for numbers and times
//! (ISO/IEC 23009-1 §5.3.9.4).

use super::super::xml::Tag;
use super::MAX_TEMPLATE;
use super::timeline::Segment;

/// The widest number that a format may ask for.
const MAX_WIDTH: usize = 32;

/// A template with what it inherited.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    pub(super) media: Option<String>,
    pub(super) index: Option<String>,
    pub(super) initialization: Option<String>,
    pub(super) bitstream_switching: Option<String>,
    pub(super) timescale: Option<u64>,
    pub(super) duration: Option<u64>,
    pub(super) start_number: Option<u64>,
    pub(super) end_number: Option<u64>,
}

impl Template {
    /// With what an element says instead.
    pub(super) fn refined(&self, tag: &Tag<'_>) -> Self {
        let text = |name, above: &Option<String>| {
            let stated = tag.value(name).filter(|text| text.len() <= MAX_TEMPLATE);
            stated.or_else(|| above.clone())
        };
        let number = |name, above: Option<u64>| {
            let stated = tag.value(name).and_then(|text| text.trim().parse().ok());
            stated.or(above)
        };
        Self {
            media: text("media", &self.media),
            index: text("index", &self.index),
            initialization: text("initialization", &self.initialization),
            bitstream_switching: text("bitstreamSwitching", &self.bitstream_switching),
            timescale: number("timescale", self.timescale),
            duration: number("duration", self.duration),
            start_number: number("startNumber", self.start_number),
            end_number: number("endNumber", self.end_number),
        }
    }
}

/// What goes into all names of a representation.
pub(super) struct Names<'l> {
    pub(super) id: &'l str,
    pub(super) bandwidth: &'l str,
}

impl Names<'_> {
    /// A template filled in; `None` where it has a hole for what isn't known.
    pub(super) fn fill(&self, template: &str, segment: Option<Segment>) -> Option<String> {
        let mut out = String::with_capacity(template.len() + 16);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            let (identifier, after) = after.split_once('$')?;
            rest = after;
            let (name, format) = identifier.split_once('%').unwrap_or((identifier, ""));
            match name {
                "" => out.push('$'),
                "RepresentationID" => out.push_str(self.id),
                "Bandwidth" => out.push_str(&padded(self.bandwidth, format)?),
                "Number" => out.push_str(&padded(&segment?.number.to_string(), format)?),
                "Time" => out.push_str(&padded(&segment?.time.to_string(), format)?),
                // Parts of segments.
                "SubNumber" => out.push_str(&padded("1", format)?),
                _ => return None,
            }
        }
        Some(out + rest)
    }
}

/// A number by a format `0Nd`, where the percent sign has been taken off.
fn padded(number: &str, format: &str) -> Option<String> {
    let Some(width) = format.strip_suffix('d') else {
        return format.is_empty().then(|| number.to_owned());
    };
    let width = if width.is_empty() {
        0
    } else {
        width.parse::<usize>().ok()?
    };
    let missing = width.min(MAX_WIDTH).saturating_sub(number.len());
    Some("0".repeat(missing) + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_filled_in_with_their_widths() {
        let names = Names {
            id: "v1",
            bandwidth: "800000",
        };
        let segment = Some(Segment {
            number: 42,
            time: 1_234_567_890_123,
        });
        for (template, expected) in [
            ("$RepresentationID$/$Number%05d$.m4s", Some("v1/00042.m4s")),
            ("$Bandwidth$/$Time$.m4s", Some("800000/1234567890123.m4s")),
            ("$$-$Number%03d$-$Number$", Some("$-042-42")),
            ("plain", Some("plain")),
            (
                "$Number%99999999d$",
                Some("00000000000000000000000000000042"),
            ),
            ("$Number%d$", Some("42")),
            ("$Number%x$", None),
            ("$Unknown$", None),
            ("$Number", None),
        ] {
            assert_eq!(
                names.fill(template, segment).as_deref(),
                expected,
                "{template}"
            );
        }
        assert_eq!(names.fill("$Number$", None), None);
    }
}
