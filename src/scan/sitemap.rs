//! Sitemaps and indexes of sitemaps (sitemaps.org protocol 0.9), as XML or as
//! a plain list, with the extensions for images, videos, news and alternate
//! languages. It goes by local names, as prefixes are used at will.

use super::Role;
use super::links::{Collector, Link};
use super::xml::{Piece, Xml};

/// The priority of a page that states none (sitemaps.org protocol).
const DEFAULT_PRIORITY: u16 = 500;

/// Reads a sitemap or an index. Pages come in the order of their priority.
pub(super) fn read(text: &str, found: &mut Collector) {
    let mut xml = Xml::new(text);
    let mut content = String::new();
    let mut entries = Entries::default();
    while let Some(piece) = xml.next() {
        if found.is_full() {
            break;
        }
        match piece {
            Piece::Start(tag) => {
                content.clear();
                match tag.name() {
                    "url" => entries.begin(found.links.len()),
                    // Alternates in other languages and for other devices.
                    "link" => {
                        if let Some(href) = tag.value("href") {
                            found.push(&href, Role::Alternate);
                        }
                    }
                    _ => {}
                }
            }
            Piece::Text(text) => content.push_str(&text),
            Piece::End(name) => {
                match name.as_str() {
                    "priority" => entries.weigh(&content),
                    "url" => {}
                    _ => {
                        if let Some(role) = role(&name, xml.enclosing(0)) {
                            found.push(&content, role);
                        }
                    }
                }
                content.clear();
            }
            Piece::Instruction(instruction) => found.instruction(&instruction),
        }
    }
    entries.order(&mut found.links);
}

/// What the text of an element is a URL for; `None` where it is none.
fn role(name: &str, within: &str) -> Option<Role> {
    Some(match (name, within) {
        ("loc", "sitemap") => Role::Sitemap,
        ("loc", "image") | ("thumbnail_loc", _) => Role::Image,
        ("content_loc", _) => Role::Media,
        ("player_loc", _) => Role::Frame,
        ("license", "image") | ("gallery_loc", _) => Role::Alternate,
        ("loc", _) => Role::Page,
        _ => return None,
    })
}

/// The pages of a sitemap with their priorities.
#[derive(Default)]
struct Entries {
    /// Where an entry's URLs begin, and its priority in thousandths.
    begun: Vec<(usize, u16)>,
    is_weighed: bool,
}

impl Entries {
    fn begin(&mut self, at: usize) {
        self.begun.push((at, DEFAULT_PRIORITY));
    }

    fn weigh(&mut self, text: &str) {
        let stated = text
            .trim()
            .parse::<f32>()
            .ok()
            .filter(|p| (0.0..=1.0).contains(p));
        if let (Some(priority), Some(entry)) = (stated, self.begun.last_mut()) {
            #[expect(clippy::cast_sign_loss, reason = "between 0 and 1")]
            let thousandths = (priority * 1000.0) as u16;
            entry.1 = thousandths;
            self.is_weighed |= thousandths != DEFAULT_PRIORITY;
        }
    }

    /// Puts the URLs of important pages first; otherwise they stay in order.
    fn order(mut self, links: &mut Vec<Link>) {
        if !self.is_weighed {
            return;
        }
        let mut ends: Vec<usize> = self.begun.iter().skip(1).map(|(at, _)| *at).collect();
        ends.push(links.len());
        let mut slots: Vec<Option<Link>> = std::mem::take(links).into_iter().map(Some).collect();
        let first = self.begun.first().map_or(0, |(at, _)| *at);
        links.extend(slots[..first].iter_mut().filter_map(Option::take));
        let mut entries: Vec<(u16, std::ops::Range<usize>)> = self
            .begun
            .drain(..)
            .zip(ends)
            .map(|((start, priority), end)| (priority, start..end))
            .collect();
        entries.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
        for (_, range) in entries {
            links.extend(slots[range].iter_mut().filter_map(Option::take));
        }
    }
}

/// Reads a plain list: a URL a line, in UTF-8. Lines that are no absolute URLs
/// are passed over, so that another text gives nothing.
pub(super) fn read_text(source: &[u8], found: &mut Collector) {
    let source = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    for line in source.split(|byte| matches!(byte, b'\n' | b'\r')) {
        let Ok(text) = std::str::from_utf8(line.trim_ascii()) else {
            continue;
        };
        let scheme = text
            .get(..text.find("://").unwrap_or(0))
            .unwrap_or_default();
        let is_absolute = ["http", "https"]
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        if is_absolute && !found.is_full() {
            found.push(text, Role::Page);
        }
    }
}
