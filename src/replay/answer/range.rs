//! Ranges of a body.

/// What a `Range` field asks for (RFC 9110 §14.2), where it is one range.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Nothing that is understood: the whole.
    All,
    /// First and last byte.
    Part(u64, u64),
    /// Nothing that there is.
    Unsatisfiable,
}

pub(super) fn range(field: &str, total: u64) -> Range {
    let Some((first, last)) = field
        .trim()
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'))
    else {
        return Range::All;
    };
    let (start, end) = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(start), Ok(end)) if start <= end => (start, end),
        (Ok(start), Err(_)) if last.trim().is_empty() => (start, u64::MAX),
        (Err(_), Ok(0)) if first.trim().is_empty() => return Range::Unsatisfiable,
        (Err(_), Ok(count)) if first.trim().is_empty() => (total.saturating_sub(count), u64::MAX),
        _ => return Range::All,
    };
    if start >= total {
        return Range::Unsatisfiable;
    }
    Range::Part(start, end.min(total - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_others_mean_the_whole() {
        for (field, expected) in [
            ("bytes=0-", Range::Part(0, 9)),
            ("bytes=2-4", Range::Part(2, 4)),
            ("bytes=2-99", Range::Part(2, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-30", Range::Part(0, 9)),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=0-1,3-4", Range::All),
            ("bytes=5-2", Range::All),
            ("lines=1-2", Range::All),
        ] {
            assert_eq!(range(field, 10), expected, "{field}");
        }
        assert_eq!(range("bytes=0-", 0), Range::Unsatisfiable);
    }
}
