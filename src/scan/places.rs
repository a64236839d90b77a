//! What replay changes in playlists, manifests and XML: where absolute addresses
//! stand, and which parts are alternatives of which a player takes one. The readers
//! that capture follows links with tell the places.

use super::links::Collector;
use super::{Format, dash, hls, transform, xml};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;
use url::Url;

/// Addresses, and alternatives, of one document that are changed.
const MAX_PLACES: usize = 200_000;
/// Alternatives of one document that are looked up.
const MAX_LOOKED_UP: usize = 500;

/// The start of an address in the text; only its origin is ever replaced, so that
/// templates and references behind it stay as they are.
struct Address {
    at: usize,
    base: Rc<Url>,
}

/// One of several parts that stand for each other.
struct Choice {
    range: Range<usize>,
    group: String,
    /// What it needs; empty for what is always there.
    urls: Vec<Url>,
}

/// Where a reader puts what replay changes.
#[derive(Default)]
pub(super) struct Places {
    addresses: Vec<Address>,
    choices: Vec<Choice>,
}

impl Places {
    /// An address begins at `at`, relative to `base`.
    pub(super) fn address(&mut self, at: usize, base: &Rc<Url>) {
        if self.addresses.len() < MAX_PLACES {
            let base = Rc::clone(base);
            self.addresses.push(Address { at, base });
        }
    }

    /// The part at `range` is one of a group, and in vain where none of `urls` is
    /// there.
    pub(super) fn choice(&mut self, range: Range<usize>, group: String, urls: Vec<Url>) {
        if self.choices.len() < MAX_PLACES {
            self.choices.push(Choice { range, group, urls });
        }
    }

    /// How many alternatives there are.
    pub(super) fn choices(&self) -> usize {
        self.choices.len()
    }

    /// What the alternatives from the `from`th on need, a URL each at most.
    pub(super) fn needs(&self, from: usize) -> Vec<Url> {
        let first = |choice: &Choice| choice.urls.first().cloned();
        self.choices.iter().skip(from).filter_map(first).collect()
    }
}

/// Whether a format's addresses are changed by [`relocate`].
pub fn is_relocated(format: Format) -> bool {
    matches!(format, Format::Hls | Format::Dash) || is_xml(format)
}

/// Whether it is XML that browsers show as a document.
fn is_xml(format: Format) -> bool {
    matches!(
        format,
        Format::Svg | Format::Xml | Format::Transform | Format::Feed | Format::Sitemap
    )
}

/// A document with other addresses.
pub struct Relocated {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is UTF-8 now and may not have been before.
    pub is_transcoded: bool,
}

/// Puts other origins in the places of those that a playlist, a manifest or an XML
/// document names, and leaves out the variants that aren't there, where another is.
///
/// `address` gives the address that stands for an origin (a URL with the path `/`),
/// without a slash at its end; `None` to keep it. `moves_roots` says that references
/// which begin with a slash lead elsewhere too. `is_there` says whether a URL has an
/// answer; it is asked some hundred times at most.
pub fn relocate(
    format: Format,
    source: &[u8],
    url: &Url,
    charset: Option<&str>,
    moves_roots: bool,
    mut address: impl FnMut(&Url) -> Option<String>,
    is_there: impl FnMut(&Url) -> bool,
) -> Relocated {
    let text = match format {
        Format::Hls => String::from_utf8_lossy(source),
        _ => xml::text(source, charset),
    };
    let mut found = Collector::new(url.clone(), MAX_PLACES);
    found.places = Some(Places::default());
    match format {
        Format::Hls => hls::read(text.as_bytes(), &mut found),
        Format::Dash => dash::read(&text, &mut found),
        _ => transform::read_shown(&text, &mut found),
    }
    let mut places = found.places.take().unwrap_or_default();
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for range in in_vain(&places.choices, is_there) {
        edits.push((range, String::new()));
    }
    places.addresses.sort_by_key(|address| address.at);
    let mut known: HashMap<String, Option<String>> = HashMap::new();
    for Address { at, base } in &places.addresses {
        let Some((length, origin)) = text
            .get(*at..)
            .and_then(|text| origin_at(text, base, moves_roots))
        else {
            continue;
        };
        let new = known.entry(origin).or_insert_with_key(|origin| {
            let url = Url::parse(origin).ok()?;
            address(&url)
        });
        if let Some(new) = new {
            edits.push((*at..*at + length, new.clone()));
        }
    }
    edits.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
    Relocated {
        bytes: edited(&text, &edits).into_bytes(),
        is_transcoded: matches!(text, Cow::Owned(_)),
    }
}

fn edited(text: &str, edits: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (range, new) in edits {
        // What stands in a part that is left out goes with it.
        if range.start < at || text.get(range.clone()).is_none() {
            continue;
        }
        out.push_str(text.get(at..range.start).unwrap_or_default());
        out.push_str(new);
        at = range.end;
    }
    out + text.get(at..).unwrap_or_default()
}

/// The origin that a reference names, as a URL, and how many bytes of the text name
/// it.
fn origin_at(text: &str, base: &Url, moves_roots: bool) -> Option<(usize, String)> {
    let starts = |start: &str| {
        text.get(..start.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(start))
    };
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| starts(scheme));
    let (scheme, named) = match scheme {
        Some(scheme) => (&scheme[..scheme.len() - 2], scheme.len()),
        None if starts("//") => (&text[..0], 2),
        None if starts("/") && moves_roots => {
            return Some((0, base.origin().ascii_serialization() + "/"));
        }
        None => return None,
    };
    let rest = &text[named..];
    let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '\\') || c <= ' ';
    let authority = &rest[..rest.find(ends).unwrap_or(rest.len())];
    if authority.is_empty() {
        return None;
    }
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let scheme = match scheme {
        "" => format!("{}:", base.scheme()),
        scheme => scheme.to_owned(),
    };
    Some((named + authority.len(), format!("{scheme}//{host}/")))
}

/// The parts of groups that have others, and aren't there themselves.
fn in_vain(choices: &[Choice], mut is_there: impl FnMut(&Url) -> bool) -> Vec<Range<usize>> {
    let mut left = MAX_LOOKED_UP;
    let mut known: HashMap<&Url, bool> = HashMap::new();
    let mut groups: HashMap<&str, (bool, Vec<Range<usize>>)> = HashMap::new();
    for choice in choices {
        let is_in_vain = !choice.urls.is_empty()
            && !choice.urls.iter().any(|url| {
                *known.entry(url).or_insert_with(|| {
                    left = left.saturating_sub(1);
                    left == 0 || is_there(url)
                })
            });
        let (has_some, parts) = groups.entry(&choice.group).or_default();
        if is_in_vain {
            parts.push(choice.range.clone());
        } else {
            *has_some = true;
        }
    }
    groups
        .into_values()
        .filter(|(has_some, _)| *has_some)
        .flat_map(|(_, parts)| parts)
        .collect()
}

#[cfg(test)]
mod tests;
