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

#[cfg(test)]
mod tests {
    use super::super::links::tests::{found, named, told};
    use crate::config::Config;

    #[test]
    fn every_extension_is_read_by_local_names() {
        let map = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
            <urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"
             xmlns:i=\"http://www.google.com/schemas/sitemap-image/1.1\" xmlns:x=\"http://www.w3.org/1999/xhtml\">
            <url><loc> http://a.example/?a=1&amp;b=2 </loc><lastmod>2026-01-01</lastmod>
            <i:image><i:loc><![CDATA[http://a.example/i.png?x&y]]></i:loc><i:license>/licence</i:license></i:image>
            <video:video><video:thumbnail_loc>/t.jpg</video:thumbnail_loc><video:content_loc>/v.mp4</video:content_loc>
            <video:player_loc allow_embed='yes'>/player?v=1</video:player_loc></video:video>
            <news:news><news:publication><news:name>N</news:name></news:publication></news:news>
            <x:link rel=\"alternate\" hreflang=\"cy\" href=\"/cy/\"/></url>
            <url><loc>http://a.example/caf&#xe9;&#33;</loc></url><url><loc/></url><url><loc>mailto:a@b</loc></url></urlset>";
        assert_eq!(
            named("text/xml", map.as_bytes()),
            [
                "Page /?a=1&b=2",
                "Image /i.png?x&y",
                "Alternate /licence",
                "Image /t.jpg",
                "Media /v.mp4",
                "Frame /player?v=1",
                "Alternate /cy/",
                "Page /caf%C3%A9!",
            ]
        );
        let prefixed = "<s:urlset><s:url><s:loc>/1</s:loc></s:url><s:url><s:loc>2</s:loc>";
        assert_eq!(
            named("text/xml", prefixed.as_bytes()),
            ["Page /1", "Page /dir/2"]
        );
    }

    #[test]
    fn an_index_names_sitemaps() {
        let index =
            "<sitemapindex><sitemap><loc>/posts.xml.gz</loc><lastmod>2026</lastmod></sitemap>
            <sitemap><loc>pages.xml</loc></sitemap></sitemapindex>";
        assert_eq!(
            named("application/xml", index.as_bytes()),
            ["Sitemap /posts.xml.gz", "Sitemap /dir/pages.xml"]
        );
    }

    #[test]
    fn pages_come_by_their_priority_with_what_belongs_to_them() {
        let map = "<urlset><url><loc>/low</loc><priority>0.1</priority><image:image><image:loc>/low.png</image:loc></image:image></url>
            <url><loc>/plain</loc></url><url><priority> 1.0 </priority><loc>/high</loc></url>
            <url><loc>/odd</loc><priority>99</priority></url><url><loc>/next</loc><priority>0.50</priority></url></urlset>";
        assert_eq!(
            named("text/xml", map.as_bytes()),
            [
                "Page /high",
                "Page /plain",
                "Page /odd",
                "Page /next",
                "Page /low",
                "Image /low.png"
            ]
        );
    }

    #[test]
    fn what_is_broken_gives_what_came() {
        for (map, expected) in [
            (
                "<urlset><url><loc>/1?a=1&b=2</loc></url><url><loc>/2",
                vec!["Page /1?a=1&b=2"],
            ),
            (
                "<urlset><url><loc>/1</url><url><loc>/2</loc></url>",
                vec!["Page /2"],
            ),
            (
                "<urlset><url><loc>/1</loc><!-- <loc>/x</loc> --><title>a < b</title></url><url><loc>/2</loc></url>",
                vec!["Page /1", "Page /2"],
            ),
        ] {
            assert_eq!(named("text/xml", map.as_bytes()), expected, "{map}");
        }
    }

    #[test]
    fn a_plain_list_is_read_where_a_sitemap_was_asked_for() {
        let list = b"\xef\xbb\xbfhttp://a.example/1\r\nHTTP://a.example/2\n\n  http://a.example/caf\xc3\xa9 \n/3\nsee http://a.example/4\n\xff\n";
        let limits = Config::defaults().limits;
        let told = |as_sitemap| {
            told(&found(
                "http://a.example/s.txt",
                "text/plain",
                list,
                as_sitemap,
                &limits,
            ))
        };
        assert_eq!(told(true), ["Page /1", "Page /2", "Page /caf%C3%A9"]);
        assert!(told(false).is_empty());
    }
}
