//! The first record of every WARC: who captured, with what, and how.

use crate::config::Config;
use crate::time::WarcDate;
use crate::warc::write::warc_fields;
use crate::warc::{Draft, RecordType, Version};

/// A file's warcinfo record (WARC 1.1 §6.2). It carries the effective
/// configuration, a field a key.
pub fn record(config: &Config, version: Version, filename: &str, id: &str) -> Vec<u8> {
    let conforms = match version {
        Version::V1_0 => "http://bibnum.bnf.fr/WARC/WARC_ISO_28500_version1_latestdraft.pdf",
        Version::V1_1 => {
            "https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/"
        }
    };
    let mut fields = vec![
        (
            "software",
            format!("lastlight/{}", env!("CARGO_PKG_VERSION")),
        ),
        (
            "format",
            format!("WARC File Format {}", &version.line()[5..]),
        ),
        ("conformsTo", conforms.to_owned()),
        ("robots", config.politeness.robots.as_str().to_owned()),
        ("http-header-user-agent", config.user_agent()),
    ];
    let stated = [
        ("operator", &config.warc.operator),
        ("description", &config.warc.description),
        ("isPartOf", &config.warc.is_part_of),
    ];
    fields.extend(
        stated
            .into_iter()
            .filter(|(_, v)| !v.is_empty())
            .map(|(k, v)| (k, v.clone())),
    );
    let settings = settings(config);
    fields.extend(
        settings
            .iter()
            .map(|(key, value)| (key.as_str(), value.clone())),
    );
    let block = warc_fields(fields);
    Draft::with_id(version, &RecordType::Warcinfo, WarcDate::now(), id)
        .field("WARC-Filename", filename)
        .field("Content-Type", "application/warc-fields")
        .record(&block)
}

/// `lastlight-crawl.scope: "host"` and so on.
fn settings(config: &Config) -> Vec<(String, String)> {
    let mut table = String::new();
    let text = config.to_toml();
    let lines = text.lines().filter_map(|line| {
        if line.starts_with('[') && line.ends_with(']') {
            line.trim_matches(['[', ']']).clone_into(&mut table);
            return None;
        }
        let (key, value) = line.split_once(" = ")?;
        Some((format!("lastlight-{table}.{key}"), value.to_owned()))
    });
    lines.collect()
}
