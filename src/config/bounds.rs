//! What numbers may be set to. Zero where nothing could work, and what would
//! take more memory than a machine has, is refused when the file is read.

use std::fmt::Display;

use super::{Config, Limit, Size, Span};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Why the first key that is out of its bounds is refused, if there is one.
pub(super) fn refusal(config: &Config) -> Option<String> {
    let Config {
        fetch,
        limits,
        politeness,
        ..
    } = config;
    let size = |key, value: Size, least, most| within(key, value, Size(least), Size(most));
    let span = |key, value: Span| within(key, value, Span::from_millis(1), Span::from_secs(DAYS));
    let body = match limits.body {
        Limit::At(body) => size("limits.body", body, KIB, u64::MAX),
        Limit::Unlimited => None,
    };
    [
        span("fetch.connect_timeout", fetch.connect_timeout),
        within("fetch.retries", fetch.retries, 0, 100),
        span("limits.idle", limits.idle),
        span("limits.time", limits.time),
        size("limits.min_rate", limits.min_rate, 0, MIB),
        size("limits.head", limits.head, KIB, 16 * MIB),
        body,
        size("limits.decoded", limits.decoded, 64 * KIB, 1024 * MIB),
        within("limits.decoded_ratio", limits.decoded_ratio, 10, 1_000_000),
        within("limits.codings", limits.codings, 1, 16),
        within("limits.redirects", limits.redirects, 0, 1000),
        within("limits.embeds", limits.embeds, 0, 49),
        size("limits.url", limits.url, 64, 32 * KIB),
        within("limits.links", limits.links, 1, 1_000_000),
        within(
            "limits.sitemap_entries",
            limits.sitemap_entries,
            1,
            5_000_000,
        ),
        within("limits.sitemap_depth", limits.sitemap_depth, 1, 49),
        within("limits.cookies", limits.cookies, 0, 10_000),
        size("limits.cookie", limits.cookie, 16, 64 * KIB),
        size("cookies.memory", config.cookies.memory, KIB, 1024 * MIB),
        within("politeness.adaptive", politeness.adaptive, 0.0, 100.0),
        within(
            "robots.refetch",
            config.robots.refetch,
            Span::from_secs(1),
            Span::from_secs(DAYS),
        ),
        within("politeness.connections", politeness.connections, 1, 256),
        within("politeness.hosts", politeness.hosts, 1, 1000),
        within("storage.held_keys", config.storage.held_keys, 1, 10_000_000),
        within("storage.log_pages", config.storage.log_pages, 1, 1_000_000),
    ]
    .into_iter()
    .flatten()
    .next()
}

/// Thirty days in seconds.
const DAYS: u64 = 30 * 86_400;

fn within<T: Copy + PartialOrd + Display>(
    key: &str,
    value: T,
    least: T,
    most: T,
) -> Option<String> {
    if value < least {
        Some(format!("{key}: {value} is less than {least}"))
    } else if value > most {
        Some(format!("{key}: {value} is more than {most}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::path::Path;

    fn refused(key: &str, value: &str) -> Option<String> {
        let (table, key) = key.split_once('.').unwrap();
        let text = format!("[{table}]\n{key} = {value}");
        let loaded = Config::over_defaults(Path::new("my.toml"), &text);
        loaded.err().map(|error| error.to_string())
    }

    #[test]
    fn every_limit_refuses_what_is_absurd_and_names_itself() {
        for (key, too_little, too_much, right) in [
            ("limits.idle", "\"0s\"", "\"99d\"", "\"5s\""),
            ("limits.time", "0", "\"99d\"", "\"1h\""),
            ("limits.min_rate", "", "\"2 MiB\"", "0"),
            ("limits.head", "\"100 B\"", "\"1 GiB\"", "\"64 KiB\""),
            ("limits.body", "0", "", "\"unlimited\""),
            ("limits.decoded", "\"1 KiB\"", "\"9 GiB\"", "\"1 MiB\""),
            ("limits.decoded_ratio", "0", "9999999", "100"),
            ("limits.codings", "0", "1000", "2"),
            ("limits.redirects", "", "9999", "0"),
            ("limits.embeds", "", "50", "0"),
            ("limits.url", "0", "\"1 MiB\"", "\"2 KiB\""),
            ("limits.links", "0", "9999999", "10"),
            ("limits.sitemap_entries", "0", "99999999", "10"),
            ("limits.sitemap_depth", "0", "50", "1"),
            ("limits.cookies", "", "99999", "0"),
            ("limits.cookie", "0", "\"1 MiB\"", "\"1 KiB\""),
            ("fetch.connect_timeout", "\"0s\"", "\"99d\"", "\"1s\""),
            ("fetch.retries", "", "101", "0"),
            ("cookies.memory", "1", "\"2 GiB\"", "\"1 MiB\""),
            ("politeness.adaptive", "-1.0", "101.0", "0.5"),
            ("storage.held_keys", "0", "10000001", "1000"),
            ("storage.log_pages", "0", "1000001", "100"),
            ("robots.refetch", "\"1ms\"", "\"99d\"", "\"1h\""),
            ("politeness.connections", "0", "257", "8"),
            ("politeness.hosts", "0", "1001", "1"),
        ] {
            for (value, wrong) in [(too_little, "less"), (too_much, "more")] {
                if !value.is_empty() {
                    let error = refused(key, value).unwrap_or_default();
                    let told = error.starts_with("my.toml: ") && error.contains(key);
                    assert!(told && error.contains(wrong), "{key} = {value}: {error}");
                }
            }
            assert_eq!(refused(key, right), None, "{key}");
        }
    }

    #[test]
    fn no_limit_is_without_bounds() {
        let defaults: toml::Table = toml::from_str(crate::config::DEFAULTS).unwrap();
        let limits = defaults["limits"].as_table().unwrap();
        for key in limits.keys() {
            let value = if key == "min_rate" {
                "\"9 GB\""
            } else {
                "99999999999"
            };
            let key = format!("limits.{key}");
            // Only an answer may be as long as the disk takes.
            if key != "limits.body" {
                assert!(refused(&key, value).is_some(), "{key}");
            }
        }
    }
}
