//! Durations, sizes and limits as people write them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// A duration: `250ms`, `20s`, `5m`, `2h`, `1d`, or a number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// Whole milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// Whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

/// The longest duration that is taken: a hundred years in milliseconds.
const MAX_MILLIS: f64 = 100.0 * 366.0 * 86_400_000.0;

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is no duration such as 250ms, 20s, 5m or 2h");
        let (number, unit) = split_unit(text);
        let number: f64 = number.parse().map_err(|_| error())?;
        let millis = number
            * match unit {
                "ms" => 1.0,
                "" | "s" => 1000.0,
                "m" | "min" => 60_000.0,
                "h" => 3_600_000.0,
                "d" => 86_400_000.0,
                _ => return Err(error()),
            };
        if !(0.0..=MAX_MILLIS).contains(&millis) {
            return Err(error());
        }
        Ok(Self(Duration::from_secs_f64(millis / 1000.0)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis.is_multiple_of(1000) {
            write!(f, "{}s", millis / 1000)
        } else {
            write!(f, "{millis}ms")
        }
    }
}

/// A number of bytes: `4096`, `64 kB`, `1 MiB`, `1 GB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("{text:?} is no size such as 4096, 1 MiB or 1 GB");
        let (number, unit) = split_unit(text);
        let number: u64 = number.parse().map_err(|_| error())?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(error()),
        };
        number.checked_mul(factor).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [
            (1 << 30, " GiB"),
            (1_000_000_000, " GB"),
            (1 << 20, " MiB"),
            (1_000_000, " MB"),
        ];
        let unit = units
            .into_iter()
            .find(|(factor, _)| self.0 > 0 && self.0.is_multiple_of(*factor));
        let (factor, unit) = unit.unwrap_or((1, ""));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

/// At most so much, or no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit<T> {
    /// No limit.
    Unlimited,
    /// At most this.
    At(T),
}

impl<T: Copy + PartialOrd> Limit<T> {
    /// The value, where there is one.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Unlimited => None,
            Self::At(value) => Some(value),
        }
    }

    /// Whether `value` is more than the limit.
    pub fn is_below(self, value: T) -> bool {
        self.value().is_some_and(|limit| value > limit)
    }
}

impl<T: FromStr<Err: fmt::Display>> FromStr for Limit<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "unlimited" {
            return Ok(Self::Unlimited);
        }
        text.trim()
            .parse()
            .map(Self::At)
            .map_err(|error| format!("{error} (or \"unlimited\")"))
    }
}

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlimited => f.write_str("unlimited"),
            Self::At(value) => value.fmt(f),
        }
    }
}

/// All of them are written as text, and read from text or a number.
struct Text<T>(std::marker::PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text such as \"20s\", or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        number.to_string().parse().map_err(E::custom)
    }
}

fn read<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    source: D,
) -> Result<T, D::Error> {
    source.deserialize_any(Text(std::marker::PhantomData))
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        read(source)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        read(source)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Limit<T> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        read(source)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<T: fmt::Display> Serialize for Limit<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["250ms", "20s", "5m", "2h", "0", "1.5s"] {
            let span: Result<Span, _> = text.parse();
            assert_eq!(
                span.clone().map(|s| s.to_string()).and_then(|t| t.parse()),
                span,
                "{text}"
            );
        }
        for (text, bytes) in [("4096", 4096), ("1 MiB", 1 << 20), ("1GB", 1_000_000_000)] {
            assert_eq!(text.parse(), Ok(Size(bytes)));
            assert_eq!(Size(bytes).to_string().parse(), Ok(Size(bytes)));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "-1s",
            "soon",
            "1 fortnight",
            "9e99s",
            "NaN",
            "99999999999999999999h",
        ] {
            assert!(text.parse::<Span>().is_err(), "{text}");
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
        assert!("99999999999 GiB".parse::<Size>().is_err());
    }
}
