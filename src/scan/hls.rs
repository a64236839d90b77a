//! HLS playlists (RFC 8216 and its second edition): segments, variants, keys,
//! initialisation sections, renditions and parts; and the plain M3U lists that
//! they grew from. Ranges are those of the texts, so that others can take
//! their place.

use super::Role;
use super::links::Collector;
use std::borrow::Cow;
use std::ops::Range;

/// Variables that are kept, and the bytes of one value.
const MAX_VARIABLES: usize = 100;
const MAX_VALUE: usize = 1024;

/// Reads a playlist.
pub(super) fn read(source: &[u8], found: &mut Collector) {
    let mut variables = Vec::new();
    let mut at = if source.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    while at < source.len() && !found.is_full() {
        let line = &source[at..];
        let length = line
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .unwrap_or(line.len());
        let start = at;
        at += length + 1;
        let Ok(line) = std::str::from_utf8(&source[start..start + length]) else {
            continue;
        };
        if let Some(tag) = line.strip_prefix("#EXT") {
            read_tag(tag, start + 4, &mut variables, found);
        } else if !line.starts_with('#') {
            let text = line.trim();
            let from = start + (line.len() - line.trim_start().len());
            take(
                text,
                from..from + text.len(),
                Role::Media,
                &variables,
                found,
            );
        }
    }
}

/// A variable of `EXT-X-DEFINE`.
type Variable = (String, String);

/// Reads a tag behind its `#EXT`, which stands at `at`.
fn read_tag(tag: &str, at: usize, variables: &mut Vec<Variable>, found: &mut Collector) {
    let Some((name, list)) = tag.split_once(':') else {
        return;
    };
    let at = at + name.len() + 1;
    if name == "-X-DEFINE" {
        define(list, variables, found);
        return;
    }
    // Titles and plain values are no attribute lists.
    if !name.starts_with("-X-") {
        return;
    }
    let role = match name {
        "-X-KEY" | "-X-SESSION-KEY" | "-X-SESSION-DATA" | "-X-CONTENT-STEERING" => Role::Requisite,
        "-X-IMAGE-STREAM-INF" => Role::Image,
        _ => Role::Media,
    };
    for (name, value) in attributes(list) {
        if matches!(
            name,
            "URI" | "SERVER-URI" | "X-ASSET-URI" | "X-ASSET-LIST" | "X-URI"
        ) {
            let text = &list[value.clone()];
            let range = at + value.start..at + value.end;
            take(text, range, role, variables, found);
        }
    }
}

fn take(
    text: &str,
    range: Range<usize>,
    role: Role,
    variables: &[Variable],
    found: &mut Collector,
) {
    match substituted(text, variables) {
        Cow::Borrowed(text) => found.push_at(text, role, range),
        Cow::Owned(text) => found.push(&text, role),
    }
}

/// The attributes of a list (RFC 8216 §4.2): names, and where their values
/// stand, without quotes.
fn attributes(list: &str) -> impl Iterator<Item = (&str, Range<usize>)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = list.get(at..)?;
        let equals = rest.find('=')?;
        let name = rest[..equals].trim_matches([',', ' ', '\t']);
        let start = at + equals + 1;
        let value = &list[start..];
        let range = if let Some(quoted) = value.strip_prefix('"') {
            let end = quoted.find('"').unwrap_or(quoted.len());
            at = start + 1 + end + 1;
            start + 1..start + 1 + end
        } else {
            let end = value.find(',').unwrap_or(value.len());
            at = start + end;
            start..start + end
        };
        Some((name, range))
    })
}

/// Takes a variable: stated, or of the playlist's own query.
fn define(list: &str, variables: &mut Vec<Variable>, found: &Collector) {
    let mut name = None;
    let mut stated = None;
    for (key, value) in attributes(list) {
        let text = &list[value];
        match key {
            "NAME" => name = Some(text),
            "VALUE" => stated = Some(text.to_owned()),
            "QUERYPARAM" => {
                name = Some(text);
                let mut pairs = found.base.query_pairs();
                stated = pairs
                    .find(|(key, _)| key == text)
                    .map(|(_, value)| value.into_owned());
            }
            _ => {}
        }
    }
    if let (Some(name), Some(value)) = (name, stated)
        && variables.len() < MAX_VARIABLES
        && name.len() + value.len() <= MAX_VALUE
    {
        variables.push((name.to_owned(), value));
    }
}

/// A text with its variables, `{$name}`, replaced.
fn substituted<'t>(text: &'t str, variables: &[Variable]) -> Cow<'t, str> {
    if variables.is_empty() || !text.contains("{$") || text.len() > MAX_VALUE {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{$") {
        out.push_str(before);
        let known = after.split_once('}').and_then(|(name, after)| {
            let (_, value) = variables.iter().find(|(known, _)| known == name)?;
            Some((value, after))
        });
        match known {
            Some((value, after)) => {
                out.push_str(value);
                rest = after;
            }
            None => {
                out.push_str("{$");
                rest = after;
            }
        }
    }
    Cow::Owned(out + rest)
}
