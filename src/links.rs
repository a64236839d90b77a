//! What an answer names: links, requisites and redirects, found by the one
//! scanner in the decoded entity. A crawl follows them; verification asks
//! whether each has its row in the ledger. The stored bytes are never touched,
//! and nothing is judged here.

mod way;

pub use way::{Hop, Path};

use std::borrow::Cow;
use std::io::{BufReader, Read};
use std::sync::{Mutex, PoisonError};

use crate::config::Limits;
use crate::http::coding::{Bounds, Decoded, Irregular};
use crate::http::{Dechunked, Head};
use crate::net::Spool;
use crate::robots::Robots;
use crate::scan::{self, Asked, Format, Role, fields};
use crate::url::CanonicalUrl;

/// What was found in an answer.
#[derive(Default)]
pub struct Found {
    /// Links with how they were found; a URL once a kind of hop.
    pub links: Vec<(CanonicalUrl, Hop)>,
    /// How the answer was read; `None` where it is in no format that is.
    pub format: Option<Format>,
    /// The title of a page.
    pub title: Option<String>,
    /// Why not everything in it was found.
    pub notes: Vec<String>,
}

impl Found {
    /// Whether the answer lists what it names.
    pub fn is_sitemap(&self) -> bool {
        matches!(self.format, Some(Format::Sitemap | Format::SitemapText))
    }

    fn take(&mut self, links: Vec<scan::Link>) {
        let links = links.into_iter().filter_map(|link| {
            let hop = hop(link.role)?;
            Some((CanonicalUrl::of(link.url).ok()?, hop))
        });
        self.links.extend(links);
    }
}

/// How a URL with a role is reached; `None` where nothing is fetched.
fn hop(role: Role) -> Option<Hop> {
    Some(match role {
        Role::Hint | Role::Base | Role::Prefix => return None,
        Role::Refresh => Hop::Redirect,
        Role::Sitemap => Hop::Manifest,
        Role::Guess => Hop::Speculative,
        role if role.is_requisite() => Hop::Embed,
        _ => Hop::Link,
    })
}

/// Finds everything that the answer to a URL names, to which `path` led and
/// which the page `via` named first. An HTML page is shown to `look` too, its
/// codings removed.
pub fn find(
    url: &CanonicalUrl,
    (path, via): (&Path, Option<&str>),
    head: &Head<'_>,
    response: &Spool,
    limits: &Limits,
    look: impl FnOnce(&[u8]),
) -> Found {
    let mut found = Found::default();
    found.take(fields::links(url.url(), head));
    if (300..400).contains(&head.status().unwrap_or(0))
        && let Some(target) = fields::location(head)
        && let Err(error) = url.join(&target)
    {
        found
            .notes
            .push(format!("its redirect isn't followed: {error}"));
    }
    if is_robots(url) {
        let entity = entity(head, response, bounds(limits));
        let robots = Robots::parse(&entity.map(|(text, _)| text).unwrap_or_default());
        let sitemaps = robots.sitemaps().iter();
        let sitemaps = sitemaps.filter_map(|sitemap| url.join(sitemap).ok());
        found
            .links
            .extend(sitemaps.map(|sitemap| (sitemap, Hop::Manifest)));
        return found;
    }
    let media_type = head.media_type().unwrap_or_default();
    let charset = head.charset();
    let via = via.and_then(|via| ::url::Url::parse(via).ok());
    let asked = Asked {
        url: url.url(),
        media_type: &media_type,
        charset: charset.as_deref(),
        via: via.as_ref(),
        as_sitemap: path.ends_with(Hop::Manifest),
    };
    let some = Bounds {
        bytes: LARGE.min(limits.decoded.0),
        ..bounds(limits)
    };
    let Some((mut entity, mut irregular)) = scanned(&asked, head, response, some) else {
        return found;
    };
    let mut alone = None;
    if entity.len() as u64 >= some.bytes {
        drop(entity);
        alone = Some(ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner));
        match scanned(&asked, head, response, bounds(limits)) {
            Some(whole) => (entity, irregular) = whole,
            None => return found,
        }
    }
    let scanned = scan::links(&asked, &entity, limits);
    found.format = scanned.format;
    if found.format == Some(Format::Html) {
        look(&entity);
    }
    found.title = scanned.title;
    found.notes.extend(scanned.notes);
    if found.format.is_some() {
        let irregular = irregular.iter().map(ToString::to_string);
        found.notes.splice(0..0, irregular);
    }
    found.take(scanned.links);
    drop(entity);
    drop(alone);
    found
}

/// Whether the body of the answer to a URL may name URLs at all, however it was
/// asked for. Else only its head does.
pub fn may_name(url: &CanonicalUrl, head: &Head<'_>) -> bool {
    let media_type = head.media_type().unwrap_or_default();
    let asked = Asked {
        url: url.url(),
        media_type: &media_type,
        charset: None,
        via: None,
        as_sitemap: true,
    };
    is_robots(url) || Format::may_be(&asked)
}

/// Entities from this size on are scanned one at a time, so that several large
/// ones don't add up in memory.
const LARGE: u64 = 1 << 20;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The entity, if it may be in a format that names URLs. What waits on disk is
/// large, and only its start is read to see whether it is.
fn scanned<'r>(
    asked: &Asked<'_>,
    head: &Head<'_>,
    response: &'r Spool,
    bounds: Bounds,
) -> Option<(Cow<'r, [u8]>, Vec<Irregular>)> {
    if !Format::may_be(asked) {
        return None;
    }
    if response.memory().is_none() && !Format::is_certain(asked) {
        let bytes = scan::SNIFFED as u64;
        let (start, _) = entity(head, response, Bounds { bytes, ..bounds })?;
        Format::of(asked, &start)?;
    }
    entity(head, response, bounds)
}

/// Whether a URL is that of its host's robots.txt.
pub fn is_robots(url: &CanonicalUrl) -> bool {
    url.as_str().ends_with("/robots.txt") && *url == url.host_key().robots_url()
}

/// Where a redirect leads.
pub fn redirect(url: &CanonicalUrl, head: &Head<'_>) -> Option<CanonicalUrl> {
    url.join(&fields::location(head)?).ok()
}

/// What is decoded of an entity at most.
pub fn bounds(limits: &Limits) -> Bounds {
    Bounds {
        bytes: limits.decoded.0,
        ratio: limits.decoded_ratio,
        codings: limits.codings,
    }
}

/// The entity as far as `bounds` go, its transfer and content codings removed,
/// with what was wrong with it. What came of a cut body is given too. `None`
/// where it can't be read.
pub fn entity<'r>(
    head: &Head<'_>,
    response: &'r Spool,
    bounds: Bounds,
) -> Option<(Cow<'r, [u8]>, Vec<Irregular>)> {
    let codings = head.codings();
    if let (Some(bytes), [], false) = (response.memory(), &*codings, head.is_chunked()) {
        let body = &bytes[head.length.min(bytes.len())..];
        if body.len() as u64 <= bounds.bytes {
            return Some((Cow::Borrowed(body), Vec::new()));
        }
    }
    let body = BufReader::with_capacity(64 * 1024, response.reader_at(head.length as u64));
    let body: Box<dyn Read> = if head.is_chunked() {
        Box::new(Dechunked::new(body))
    } else {
        Box::new(body)
    };
    let mut decoded = Decoded::new(body, &codings, bounds);
    let mut entity = Vec::new();
    decoded.read_to_end(&mut entity).ok()?;
    Some((Cow::Owned(entity), decoded.irregular()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use std::io::Write;

    fn found_in(answer: &[u8]) -> Vec<String> {
        let mut spool = Spool::new(&std::env::temp_dir(), usize::MAX);
        spool.write(answer).unwrap();
        let url = CanonicalUrl::parse("http://a.example/dir/page").unwrap();
        let limits = crate::config::Config::defaults().limits;
        let head = Head::parse(answer);
        let via = Some("http://a.example/via/page");
        let way = (&Path::default(), via);
        let found = find(&url, way, &head, &spool, &limits, |_| ());
        let name = |(url, hop): (CanonicalUrl, Hop)| format!("{} {url}", hop.letter());
        found.links.into_iter().map(name).collect()
    }

    #[test]
    fn links_are_found_through_chunks_and_gzip() {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(b"<a href=next><img src=/i.png>").unwrap();
        let gz = gz.finish().unwrap();
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        answer.extend(format!("{:x}\r\n", gz.len()).bytes());
        answer.extend(&gz);
        answer.extend(b"\r\n0\r\n\r\n");
        assert_eq!(
            found_in(&answer),
            ["L http://a.example/dir/next", "E http://a.example/i.png"]
        );
    }

    #[test]
    fn what_scripts_name_is_an_embed_where_it_is_certain_and_a_guess_elsewhere() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/javascript\r\n\r\n\
            import './m.js'; fetch('data.json'); location = '/next'";
        assert_eq!(
            found_in(answer),
            [
                "E http://a.example/dir/m.js",
                "X http://a.example/via/data.json",
                "L http://a.example/next"
            ]
        );
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n\
            <script type=importmap>{\"imports\":{\"a\":\"/a.js\",\"b/\":\"/b/\"}}</script>\
            <script>import './m.js'; fetch('data.json')</script>";
        assert_eq!(
            found_in(answer),
            [
                "E http://a.example/a.js",
                "E http://a.example/dir/m.js",
                "X http://a.example/dir/data.json"
            ]
        );
    }

    #[test]
    fn fields_of_the_head_are_links_too() {
        let answer = b"HTTP/1.1 301 Moved\r\nLocation: ../other\r\nRefresh: 3; url=/later\r\n\
            Link: </s.css>; rel=\"preload\"; as=style, <http://x.example>; rel=preconnect, <p2>; rel=next\r\n\r\n";
        assert_eq!(
            found_in(answer),
            [
                "R http://a.example/other",
                "R http://a.example/later",
                "E http://a.example/s.css",
                "L http://a.example/dir/p2"
            ]
        );
    }
}
