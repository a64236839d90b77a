//! Feeds: RSS 0.9x, 1.0 (RDF) and 2.0 with the modules in use, Atom, JSON Feed
//! and OPML. What entries hold as HTML is read as such. Everything goes by
//! local names, as prefixes are used at will and often not declared.

use super::Role;
use super::json;
use super::links::{Collector, resolve};
use super::xml::{Piece, Tag, Xml};
use std::rc::Rc;
use url::Url;

/// Bases within each other, and the bytes of one: beyond this they are passed
/// over, as no feed has them.
const MAX_BASES: usize = 32;
const MAX_BASE: usize = 8 << 10;

/// Reads RSS, Atom, RDF or OPML.
pub(super) fn read(text: &str, found: &mut Collector) {
    let mut reader = Reader {
        text,
        xml: Xml::new(text),
        bases: vec![(0, Rc::new(found.base.clone()))],
        content: String::new(),
        form: Form::Text,
        is_permalink: true,
        found,
    };
    while !reader.found.is_full()
        && let Some(piece) = reader.xml.next()
    {
        match piece {
            Piece::Start(tag) => reader.start(&tag),
            Piece::Text(text) => reader.content.push_str(&text),
            Piece::End(name) => reader.end(&name),
            Piece::Instruction(instruction) => reader.found.instruction(&instruction),
        }
    }
}

/// How the element is written that is being read.
enum Form {
    Text,
    /// Markup of its own, from this byte on, within so many elements.
    Markup(usize, usize),
}

struct Reader<'t, 'f> {
    text: &'t str,
    xml: Xml<'t>,
    /// What relative URLs are resolved against, by the depth of the element
    /// that states it.
    bases: Vec<(usize, Rc<Url>)>,
    content: String,
    form: Form,
    is_permalink: bool,
    found: &'f mut Collector,
}

impl Reader<'_, '_> {
    fn base(&self) -> Rc<Url> {
        let (_, base) = self.bases.last().expect("the outermost base stays");
        Rc::clone(base)
    }

    fn push(&mut self, text: &str, role: Role) {
        let base = self.base();
        self.found.push_from(&base, text, role);
    }

    fn start(&mut self, tag: &Tag<'_>) {
        if matches!(self.form, Form::Markup(..)) {
            return;
        }
        self.content.clear();
        let outer = self.bases.len();
        self.enter(tag);
        match tag.name() {
            "link" | "a" => self.link(tag),
            "guid" => {
                let stated = tag.value("isPermaLink");
                self.is_permalink =
                    stated.is_none_or(|stated| !stated.eq_ignore_ascii_case("false"));
            }
            "enclosure" | "transcript" | "chapters" => self.attribute(tag, "url", Role::Media),
            "content" => {
                self.attribute(
                    tag,
                    "url",
                    by_type(tag.value("type").as_deref(), tag.value("medium").as_deref()),
                );
                self.attribute(tag, "src", Role::Alternate);
            }
            "thumbnail" => self.attribute(tag, "url", Role::Image),
            "player" => self.attribute(tag, "url", Role::Frame),
            "image" => {
                self.attribute(tag, "href", Role::Image);
                self.attribute(tag, "resource", Role::Image);
            }
            "source" => self.attribute(tag, "url", Role::Alternate),
            "item" => self.attribute(tag, "about", Role::Page),
            "outline" => {
                self.attribute(tag, "htmlUrl", Role::Page);
                self.attribute(tag, "xmlUrl", Role::Alternate);
                self.attribute(tag, "url", Role::Alternate);
            }
            _ => {}
        }
        let is_markup = tag.value("type").is_some_and(|kind| kind == "xhtml");
        if is_markup && !tag.is_empty && matches!(tag.name(), "content" | "summary" | "title") {
            self.form = Form::Markup(tag.range.end, self.xml.depth());
        }
        if tag.is_empty {
            self.bases.truncate(outer);
        }
    }

    /// Takes the `xml:base` of an element (XML Base §3).
    fn enter(&mut self, tag: &Tag<'_>) {
        let mut attributes = tag.attributes();
        let Some((_, stated)) = attributes.find(|(name, _)| name == "xml:base") else {
            return;
        };
        if let Some(base) = resolve(&self.base(), &stated)
            && self.bases.len() < MAX_BASES
            && base.as_str().len() <= MAX_BASE
        {
            self.bases.push((self.xml.depth(), Rc::new(base)));
        }
    }

    fn attribute(&mut self, tag: &Tag<'_>, name: &str, role: Role) {
        if let Some(value) = tag.value(name) {
            self.push(&value, role);
        }
    }

    /// A link of Atom, wherever it stands (RFC 4287 §4.2.7).
    fn link(&mut self, tag: &Tag<'_>) {
        let Some(href) = tag.value("href") else {
            return;
        };
        let relation = tag.value("rel").unwrap_or_default().to_ascii_lowercase();
        let role = match relation.as_str() {
            // To subscribe, or to post: nothing is to be read there.
            "hub"
            | "edit"
            | "edit-media"
            | "service.post"
            | "http://schemas.google.com/g/2005#post" => {
                return;
            }
            "enclosure" => by_type(tag.value("type").as_deref(), None),
            "icon" | "shortcut icon" | "apple-touch-icon" => Role::Image,
            "stylesheet" => Role::Stylesheet,
            "" | "alternate" => Role::Page,
            _ => Role::Alternate,
        };
        self.push(&href, role);
    }

    fn end(&mut self, name: &str) {
        let depth = self.xml.depth();
        if let Form::Markup(from, opened) = self.form {
            if depth >= opened {
                return;
            }
            self.form = Form::Text;
            let markup = self.text.get(from..self.xml.position()).unwrap_or_default();
            let base = self.base();
            self.found.html(&base, markup);
        } else {
            let content = std::mem::take(&mut self.content);
            self.content(name, content.trim());
        }
        while self.bases.pop_if(|(stated, _)| *stated > depth).is_some() {}
    }

    fn content(&mut self, name: &str, content: &str) {
        if content.is_empty() {
            return;
        }
        match name {
            // slash:comments tells how many there are.
            "comments" if content.bytes().all(|byte| byte.is_ascii_digit()) => {}
            "link" | "comments" | "docs" | "origLink" => self.push(content, Role::Page),
            // A permanent name that is no address stays a name.
            "guid" if self.is_permalink && content.contains("://") => {
                self.push(content, Role::Page);
            }
            "commentRss" | "commentsRss" => self.push(content, Role::Alternate),
            "url" if self.xml.enclosing(0) == "image" => self.push(content, Role::Image),
            "origEnclosureLink" => self.push(content, Role::Media),
            "logo" | "icon" => self.push(content, Role::Image),
            "description" | "encoded" | "content" | "summary" | "body" | "subtitle" | "title"
            | "fullitem" | "tagline" | "info" | "copyright" | "rights" => {
                let base = self.base();
                self.found.html(&base, content);
            }
            _ => {}
        }
    }
}

/// What a medium is fetched as, by its media type or kind.
fn by_type(media_type: Option<&str>, medium: Option<&str>) -> Role {
    let starts = |prefix: &str| media_type.is_some_and(|kind| kind.starts_with(prefix));
    if starts("image/") || medium == Some("image") {
        Role::Image
    } else if starts("text/html") || medium == Some("document") {
        Role::Alternate
    } else {
        Role::Media
    }
}

/// Reads JSON Feed (version 1.1).
pub(super) fn read_json(text: &str, found: &mut Collector) {
    let base = found.base.clone();
    json::strings(text, |string| {
        let Some((key, outer)) = string.way.split_last() else {
            return;
        };
        if string.is_name || found.is_full() {
            return;
        }
        let role = match *key {
            "home_page_url" | "external_url" | "next_url" => Role::Page,
            "url" if outer.contains(&"attachments") => Role::Media,
            "url" if outer.contains(&"hubs") => return,
            "url" if outer == ["items"] => Role::Page,
            "url" | "feed_url" => Role::Alternate,
            "icon" | "favicon" | "avatar" | "image" | "banner_image" => Role::Image,
            "content_html" => return found.html(&base, &string.text()),
            _ => return,
        };
        found.push(&string.text(), role);
    });
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::named;

    #[test]
    fn rss_with_its_modules_is_read() {
        let feed = "<?xml version='1.0'?><rss version='2.0'><channel><title>T</title><link>http://a.example/</link>
            <atom:link href='http://a.example/feed/' rel='self' type='application/rss+xml'/>
            <atom:link rel='hub' href='https://hub.example/'/>
            <image><url>/logo.png</url><title>T</title><link>/</link></image>
            <itunes:image href='/cover.jpg'/>
            <item><title>One</title><link> /one </link><guid isPermaLink='false'>http://a.example/?p=1</guid>
            <comments>/one#respond</comments><wfw:commentRss>/one/feed/</wfw:commentRss>
            <slash:comments>14</slash:comments>
            <description>Text &lt;a href=&quot;/d?a=1&amp;amp;b=2&quot;&gt;d&lt;/a&gt;</description>
            <content:encoded><![CDATA[<p><img src=\"/c.png\" srcset=\"/c2.png 2x\"></p>]]></content:encoded>
            <enclosure url='/ep.mp3' length='1' type='audio/mpeg'/>
            <media:content url='/m.jpg' medium='image'/><media:content url='/m.mp4' type='video/mp4'>
            <media:thumbnail url='/t.jpg'/></media:content><media:player url='/player'/>
            <source url='/other.xml'>O</source></item>
            <item><guid>http://a.example/two</guid><link></link><guid>tag:a.example,2026:3</guid></item></channel></rss>";
        assert_eq!(
            named("text/xml", feed.as_bytes()),
            [
                "Page /",
                "Alternate /feed/",
                "Image /logo.png",
                "Page /",
                "Image /cover.jpg",
                "Page /one",
                "Page /one#respond",
                "Alternate /one/feed/",
                "Page /d?a=1&b=2",
                "Image /c.png",
                "Image /c2.png",
                "Media /ep.mp3",
                "Image /m.jpg",
                "Media /m.mp4",
                "Image /t.jpg",
                "Frame /player",
                "Alternate /other.xml",
                "Page /two",
            ]
        );
    }

    #[test]
    fn rdf_and_older_rss_are_read() {
        let rdf =
            "<rdf:RDF><channel rdf:about='/'><link>/</link><image rdf:resource='/l.gif'/></channel>
            <item rdf:about='/1'><link>/1</link><description>plain</description></item></rdf:RDF>";
        assert_eq!(
            named("application/rdf+xml", rdf.as_bytes()),
            ["Page /", "Image /l.gif", "Page /1", "Page /1"]
        );
        let old = "<!DOCTYPE rss PUBLIC '-//Netscape Communications//DTD RSS 0.91//EN' 'http://n.example/rss.dtd'>
            <rss version='0.91'><channel><docs>/docs</docs><item><link>/a&nbsp;b</link></item></channel></rss>";
        assert_eq!(
            named("text/xml", old.as_bytes()),
            ["Page /docs", "Page /a%C2%A0b"]
        );
    }

    #[test]
    fn atom_with_bases_and_markup_is_read() {
        let feed = "<feed xmlns='http://www.w3.org/2005/Atom' xml:base='http://a.example/blog/'>
            <link href='./'/><link rel='next' href='?page=2'/><link rel='edit' href='/edit'/><icon>/i.ico</icon><logo>l.png</logo>
            <author><name>N</name><uri>http://n.example/</uri></author>
            <entry xml:base='2026/'><link rel='alternate' href='one'/><link rel='enclosure' type='image/png' href='e.png'/>
            <link rel='replies' href='/r'/>
            <content type='html'>&lt;a href='c'&gt;</content></entry>
            <entry><content type='xhtml' xml:base='x/'><div xmlns='http://www.w3.org/1999/xhtml'><p><a href='in'>x</a>
            <content>&lt;a href='no'></content></p></div></content><link href='after'/></entry>
            <entry><content src='out.pdf' type='application/pdf'/><summary type='xhtml'><p>open</feed>";
        assert_eq!(
            named("application/atom+xml", feed.as_bytes()),
            [
                "Page /blog/",
                "Alternate /blog/?page=2",
                "Image /i.ico",
                "Image /blog/l.png",
                "Page /blog/2026/one",
                "Image /blog/2026/e.png",
                "Alternate /r",
                "Page /blog/2026/c",
                "Page /blog/x/in",
                "Page /blog/after",
                "Alternate /blog/out.pdf",
            ]
        );
    }

    #[test]
    fn opml_names_pages_and_feeds() {
        let list = "<opml version='2.0'><body><outline text='A' htmlUrl='/a' xmlUrl='/a.xml'><outline url='/b'/></outline></body></opml>";
        assert_eq!(
            named("text/x-opml", list.as_bytes()),
            ["Page /a", "Alternate /a.xml", "Alternate /b"]
        );
    }

    #[test]
    fn json_feed_is_read() {
        let feed = r#"{"version": "https://jsonfeed.org/version/1.1", "title": "T", "home_page_url": "/",
            "feed_url": "/feed.json", "next_url": "/feed.json?2", "icon": "/i.png", "hubs": [{"type": "WebSub", "url": "/hub"}],
            "authors": [{"url": "/about", "avatar": "/me.png"}],
            "items": [{"id": "http://a.example/id", "url": "/1", "external_url": "http://b.example/",
              "image": "/1.png", "content_html": "<a href=\"x\">x<\/a>", "content_text": "/no",
              "attachments": [{"url": "/1.mp3", "mime_type": "audio/mpeg"}]}, {"url": "/2"#;
        assert_eq!(
            named("application/json", feed.as_bytes()),
            [
                "Page /",
                "Alternate /feed.json",
                "Page /feed.json?2",
                "Image /i.png",
                "Alternate /about",
                "Image /me.png",
                "Page /1",
                "Page http://b.example/",
                "Image /1.png",
                "Page /dir/x",
                "Media /1.mp3",
            ]
        );
    }
}
