//! What an answer of any format names: one call for capture, and for whoever
//! asks later whether capture was complete. HTML and CSS are read by the
//! scanner that replay shares; the other formats by a file each.

use super::format::{Asked, Format};
use super::places::Places;
use super::resolve::{MAX_RESOLVED, MAX_URL};
use super::{Irregularity, Kind, Mention, Role, Scan, script};
use super::{
    appcache, browserconfig, dash, feed, gzip, hls, pdf, sitemap, transform, web_manifest, xml,
};
use crate::config::Limits;
use std::ops::Range;
use url::Url;

/// Documents within a document, such as a feed's entries, that are read.
const MAX_PARTS: usize = 10_000;

/// A URL that an answer names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The absolute URL; `http` or `https`.
    pub url: Url,
    /// What it is for.
    pub role: Role,
    /// Where its text stands in the entity, in formats whose text is the
    /// entity itself: HTML, CSS and playlists.
    pub range: Option<Range<usize>>,
}

/// What an answer names.
#[derive(Debug, Default)]
pub struct Links {
    /// How it was read; `None` where it's in no format that names URLs.
    pub format: Option<Format>,
    /// The URLs, in the order in which they are best fetched.
    pub links: Vec<Link>,
    /// The title of a page.
    pub title: Option<String>,
    /// Why not everything was found.
    pub notes: Vec<String>,
}

/// Finds everything that an entity names; its codings have been removed.
/// Anything is accepted, and memory is bounded by `limits`.
pub fn links(asked: &Asked<'_>, entity: &[u8], limits: &Limits) -> Links {
    let Some(format) = Format::of(asked, entity) else {
        return Links::default();
    };
    let most = match format {
        Format::Sitemap | Format::SitemapText => limits.sitemap_entries,
        _ => limits.links,
    };
    let mut found = Collector::new(asked.url.clone(), most as usize);
    let mut title = None;
    match format {
        Format::Gzip => return gzip::read(asked, entity, limits),
        Format::Html => title = page(asked, entity, &mut found),
        Format::Css => found.scan(super::scan(Kind::Css, entity, asked.url, asked.charset)),
        Format::Script | Format::Json => {
            let page = asked.via.filter(|via| !via.path().ends_with("js"));
            let mentions = script::mentions(entity, asked.url, page, asked.charset);
            found.mentions(mentions);
        }
        Format::Svg => {
            stylesheets(&xml::text(entity, asked.charset), &mut found);
            found.scan(super::scan(Kind::Html, entity, asked.url, asked.charset));
        }
        Format::Sitemap => sitemap::read(&xml::text(entity, asked.charset), &mut found),
        Format::SitemapText => sitemap::read_text(entity, &mut found),
        Format::Feed => feed::read(&xml::text(entity, asked.charset), &mut found),
        Format::JsonFeed => feed::read_json(&String::from_utf8_lossy(entity), &mut found),
        Format::WebManifest => web_manifest::read(&String::from_utf8_lossy(entity), &mut found),
        Format::Browserconfig => {
            browserconfig::read(&xml::text(entity, asked.charset), &mut found);
        }
        Format::Transform => transform::read(asked, entity, &mut found),
        Format::Xml => transform::read_other(&xml::text(entity, asked.charset), &mut found),
        Format::Hls => hls::read(entity, &mut found),
        Format::Dash => dash::read(&xml::text(entity, asked.charset), &mut found),
        Format::Appcache => appcache::read(&String::from_utf8_lossy(entity), &mut found),
        Format::Pdf => pdf::read(entity, limits, &mut found),
    }
    if found.is_full() {
        found.notes.push(format!(
            "more URLs than are taken; those after {} were passed over",
            found.links.len()
        ));
    }
    Links {
        format: Some(format),
        links: found.links,
        title,
        notes: found.notes,
    }
}

/// A page with what its scripts may load; its title.
fn page(asked: &Asked<'_>, entity: &[u8], found: &mut Collector) -> Option<String> {
    let mut scan = super::scan(Kind::Html, entity, asked.url, asked.charset);
    let title = scan.title.take();
    found.scan(scan);
    title
}

/// The style sheets that instructions before the root name.
pub(super) fn stylesheets(text: &str, found: &mut Collector) {
    let mut reader = xml::Xml::new(text);
    while let Some(piece) = reader.next() {
        match piece {
            xml::Piece::Instruction(instruction) => found.instruction(&instruction),
            xml::Piece::Start(_) => return,
            _ => {}
        }
    }
}

/// Where readers of formats put what they find.
pub(super) struct Collector {
    /// What relative URLs are resolved against.
    pub(super) base: Url,
    /// What has been found.
    pub(super) links: Vec<Link>,
    /// What the crawl log is to tell.
    pub(super) notes: Vec<String>,
    /// What replay changes, where that is what is wanted.
    pub(super) places: Option<Places>,
    most: usize,
    resolved: usize,
    parts: usize,
    is_full: bool,
}

impl Collector {
    pub(super) fn new(base: Url, most: usize) -> Self {
        Self {
            base,
            links: Vec::new(),
            notes: Vec::new(),
            places: None,
            most,
            resolved: 0,
            parts: 0,
            is_full: false,
        }
    }

    /// Whether something had to be passed over for lack of room; reading on is
    /// in vain.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many more URLs are taken.
    pub(super) fn room(&self) -> usize {
        self.most.saturating_sub(self.links.len())
    }

    /// Takes a URL as it stands in the document. Texts that are none, and
    /// other schemes than HTTP's, are passed over.
    pub(super) fn push(&mut self, text: &str, role: Role) {
        if let Some(url) = resolve(&self.base, text) {
            self.take(url, role, None);
        }
    }

    /// As [`Collector::push`], with the place of the text in the entity.
    pub(super) fn push_at(&mut self, text: &str, role: Role, range: Range<usize>) {
        if let Some(url) = resolve(&self.base, text) {
            self.take(url, role, Some(range));
        }
    }

    /// As [`Collector::push`], against another base.
    pub(super) fn push_from(&mut self, base: &Url, text: &str, role: Role) {
        if let Some(url) = resolve(base, text) {
            self.take(url, role, None);
        }
    }

    fn take(&mut self, url: Url, role: Role, range: Option<Range<usize>>) {
        self.resolved += url.as_str().len();
        if self.links.len() >= self.most || self.resolved > MAX_RESOLVED {
            self.is_full = true;
        } else {
            self.links.push(Link { url, role, range });
        }
    }

    /// Takes all that the scanner of HTML and CSS found.
    pub(super) fn scan(&mut self, scan: Scan) {
        // Ranges of what was transcoded are none of the entity.
        if scan.transcoded.is_some() {
            return self.part(scan);
        }
        self.note(&scan.irregular);
        for found in scan.found {
            self.take(found.url, found.role, Some(found.range));
        }
        self.mentions(scan.mentions);
        for inner in scan.srcdocs {
            self.part(inner.scan);
        }
    }

    /// Takes what was found in a part, whose ranges are none of the entity.
    pub(super) fn part(&mut self, scan: Scan) {
        self.note(&scan.irregular);
        for found in scan.found {
            self.take(found.url, found.role, None);
        }
        self.mentions(scan.mentions);
        for inner in scan.srcdocs {
            self.part(inner.scan);
        }
    }

    /// Takes what scripts and data name.
    fn mentions(&mut self, mentions: Vec<Mention>) {
        for mention in mentions {
            self.take(mention.url, mention.role, None);
        }
    }

    /// Reads HTML that stands within the document, such as a feed's entries.
    pub(super) fn html(&mut self, base: &Url, html: &str) {
        // Plain text is common there, and names nothing.
        if !html.contains('<') || self.is_full {
            return;
        }
        self.parts += 1;
        if self.parts == MAX_PARTS {
            let note = format!("more entries than the {MAX_PARTS} whose text is read for links");
            self.notes.push(note);
        }
        if self.parts < MAX_PARTS {
            self.part(super::scan(
                Kind::Html,
                html.as_bytes(),
                base,
                Some("utf-8"),
            ));
        }
    }

    pub(super) fn instruction(&mut self, instruction: &xml::Instruction<'_>) {
        if let Some(href) = instruction.stylesheet() {
            self.push(&href, Role::Stylesheet);
        }
    }

    /// Texts that are no URLs are common and not worth a word.
    fn note(&mut self, irregular: &[Irregularity]) {
        const MOST: usize = 10;
        let lost = irregular
            .iter()
            .filter(|irregular| !matches!(irregular, Irregularity::Unparsable { .. }));
        for irregular in lost.take(MOST.saturating_sub(self.notes.len())) {
            self.notes.push(irregular.to_string());
        }
    }
}

/// The absolute URL of a text, resolved as browsers do.
pub(super) fn resolve(base: &Url, text: &str) -> Option<Url> {
    let text = text.trim_matches(|character: char| character <= ' ');
    if text.is_empty() || text.starts_with('#') || text.len() > MAX_URL {
        return None;
    }
    let url = base.join(text).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

#[cfg(test)]
pub(super) mod tests;
