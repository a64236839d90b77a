//! What an answer names: links, requisites and redirects, found by the one
//! scanner in the decoded entity. The stored bytes are never touched.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

use super::job::Hop;
use super::robots::Robots;
use crate::http::{Head, dechunk_what_came};
use crate::net::Spool;
use crate::scan::sitemap::Lists;
use crate::scan::{Irregularity, Kind, Role, Scan, scan, script, sitemap};
use crate::url::CanonicalUrl;

/// Bytes of an entity that are scanned at most, stored or decoded. Pages are
/// far smaller; what is larger is no page.
const SCAN_BYTES: u64 = 32 * 1024 * 1024;

/// What was found in an answer.
#[derive(Default)]
pub struct Found {
    /// Links with how they were found; a URL once a kind of hop.
    pub links: Vec<(CanonicalUrl, Hop)>,
    /// The title of a page.
    pub title: Option<String>,
    /// Whether the answer is HTML.
    pub is_html: bool,
    /// Why not everything in it was found.
    pub notes: Vec<String>,
}

impl Found {
    /// Nothing, where the scanner gave up.
    pub fn failed() -> Self {
        Self {
            notes: vec!["the scanner failed: nothing in it was followed".into()],
            ..Self::default()
        }
    }
}

/// Finds everything that an answer names.
pub fn find(url: &CanonicalUrl, head: &Head<'_>, response: &Spool) -> Found {
    let mut found = Found::default();
    if (300..400).contains(&head.status().unwrap_or(0))
        && let Some(target) = redirect(url, head)
    {
        found.links.push((target, Hop::Redirect));
    }
    for value in head.values("link") {
        link_field(url, &value, &mut found.links);
    }
    if let Some(value) = head.value("refresh")
        && let Some((_, target)) = value.split_once('=')
        && let Ok(target) = url.join(target.trim().trim_matches(['"', '\'']))
    {
        found.links.push((target, Hop::Redirect));
    }
    let media_type = head.media_type().unwrap_or_default();
    let Some(entity) = entity(head, response, &media_type) else {
        return found;
    };
    if *url == url.host_key().robots_url() {
        let robots = Robots::parse(&entity);
        let sitemaps = robots
            .sitemaps()
            .iter()
            .filter_map(|sitemap| url.join(sitemap).ok());
        found
            .links
            .extend(sitemaps.map(|sitemap| (sitemap, Hop::Manifest)));
        return found;
    }
    if let Some(lists) = sitemap::kind(&entity) {
        // A listed page is as far away as a linked one.
        let hop = match lists {
            Lists::Sitemaps => Hop::Manifest,
            Lists::Pages => Hop::Link,
        };
        let listed = sitemap::locations(&entity);
        let listed = listed.iter().filter_map(|listed| url.join(listed).ok());
        found.links.extend(listed.map(|listed| (listed, hop)));
        return found;
    }
    if is_script(&media_type) {
        // Relative ones would mean other files on every page that uses it.
        let absolute = script::urls(&entity)
            .into_iter()
            .filter(|text| text.starts_with(['/', 'h']));
        guess(url, absolute, &mut found.links);
        return found;
    }
    let hint = url
        .url()
        .path()
        .to_ascii_lowercase()
        .ends_with(".css")
        .then_some(Role::Stylesheet);
    let Some(kind) = Kind::sniff(&media_type, hint, &entity[..entity.len().min(1024)]) else {
        return found;
    };
    let scan = scan(kind, &entity, url.url(), head.charset().as_deref());
    found.is_html = kind == Kind::Html;
    take(&scan, &mut found);
    if found.is_html {
        for text in script::inline(&entity) {
            guess(url, script::urls(text), &mut found.links);
        }
    }
    found.notes = notes(&scan, entity.len());
    found.title = scan.title;
    found
}

fn guess(
    url: &CanonicalUrl,
    texts: impl IntoIterator<Item = String>,
    links: &mut Vec<(CanonicalUrl, Hop)>,
) {
    let resolved = texts.into_iter().filter_map(|text| url.join(&text).ok());
    links.extend(resolved.map(|target| (target, Hop::Speculative)));
}

fn is_script(media_type: &str) -> bool {
    media_type.ends_with("/javascript") || media_type.ends_with("/x-javascript")
}

/// What was passed over while scanning; texts that are no URLs are common and
/// not worth a word.
fn notes(scan: &Scan, length: usize) -> Vec<String> {
    let lost = scan
        .irregular
        .iter()
        .filter(|i| !matches!(i, Irregularity::Unparsable { .. }));
    let mut notes: Vec<String> = lost.take(10).map(ToString::to_string).collect();
    if length as u64 >= SCAN_BYTES {
        notes.push(format!(
            "only the first {SCAN_BYTES} bytes were scanned for links"
        ));
    }
    notes
}

fn take(scan: &Scan, found: &mut Found) {
    for link in scan.links() {
        let hop = match link.role {
            Role::Hint | Role::Base => continue,
            Role::Refresh => Hop::Redirect,
            role if role.is_requisite() => Hop::Embed,
            _ => Hop::Link,
        };
        if let Ok(url) = CanonicalUrl::of(link.url.clone()) {
            found.links.push((url, hop));
        }
    }
}

/// Where a redirect leads. Bytes that aren't UTF-8 are escaped as they are, as
/// browsers do.
pub fn redirect(url: &CanonicalUrl, head: &Head<'_>) -> Option<CanonicalUrl> {
    let field = head.fields.iter().find(|field| field.is("location"))?;
    let target: String = match std::str::from_utf8(&field.value) {
        Ok(text) => text.to_owned(),
        Err(_) => field.value.iter().map(|&byte| escaped(byte)).collect(),
    };
    url.join(&target).ok()
}

fn escaped(byte: u8) -> String {
    if byte.is_ascii() {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// `Link` fields (RFC 8288): what a page needs is fetched as such, relations
/// to other pages are links; connection hints are neither.
fn link_field(url: &CanonicalUrl, value: &str, links: &mut Vec<(CanonicalUrl, Hop)>) {
    let mut rest = value;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, parameters)) = after.split_once('>') else {
            return;
        };
        let end = parameters.find('<').unwrap_or(parameters.len());
        let lower = parameters[..end].to_ascii_lowercase();
        rest = &parameters[end..];
        let relation = lower
            .split_once("rel=")
            .map_or("", |(_, relation)| relation);
        let hop = if relation.contains("preconnect") || relation.contains("dns-prefetch") {
            continue;
        } else if ["stylesheet", "preload", "icon", "manifest"]
            .iter()
            .any(|r| relation.contains(r))
        {
            Hop::Embed
        } else {
            Hop::Link
        };
        if let Ok(target) = url.join(target) {
            links.push((target, hop));
        }
    }
}

/// The start of the entity, transfer and content coding removed, if it is of a
/// kind that is scanned and its codings are known.
pub fn entity<'r>(head: &Head<'_>, response: &'r Spool, media_type: &str) -> Option<Cow<'r, [u8]>> {
    let named = media_type.split(';').next().unwrap_or_default().trim();
    let may_be_scanned = Kind::of(media_type, Some(Role::Stylesheet)).is_some()
        || is_script(named)
        || ["text/plain", "text/xml", "application/xml"].contains(&named);
    if !may_be_scanned {
        return None;
    }
    let body: Cow<'r, [u8]> = match response.memory() {
        Some(bytes) => Cow::Borrowed(&bytes[head.length.min(bytes.len())..]),
        None => {
            let mut bytes = Vec::new();
            let limit = head.length as u64 + SCAN_BYTES;
            response.reader().take(limit).read_to_end(&mut bytes).ok()?;
            bytes.drain(..head.length.min(bytes.len()));
            Cow::Owned(bytes)
        }
    };
    // What a cut body's chunks gave is scanned too.
    let mut entity = match head
        .is_chunked()
        .then(|| dechunk_what_came(&body))
        .flatten()
    {
        Some(entity) => Cow::Owned(entity),
        None => body,
    };
    for coding in head.content_codings().iter().rev() {
        // A coding that the body doesn't have, or that isn't known: the bytes
        // may be plain, as browsers find them to be.
        let Some(decoded) = decode(coding, &entity) else {
            break;
        };
        entity = Cow::Owned(decoded);
    }
    Some(entity)
}

/// Decodes a content coding, as much of it as is scanned. What breaks off is
/// taken as far as it came.
fn decode(coding: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut read = |reader: &mut dyn Read| {
        let result = reader.take(SCAN_BYTES).read_to_end(&mut decoded);
        result.is_ok() || !decoded.is_empty()
    };
    let usable = match coding {
        "gzip" | "x-gzip" => read(&mut MultiGzDecoder::new(bytes)),
        // Servers send both the zlib form of the standard and the bare one.
        "deflate" if bytes.first().is_some_and(|b| b & 0x0f == 8) => {
            read(&mut ZlibDecoder::new(bytes))
        }
        "deflate" => read(&mut DeflateDecoder::new(bytes)),
        _ => false,
    };
    usable.then_some(decoded)
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
        let found = find(&url, &Head::parse(answer), &spool);
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
    fn fields_of_the_head_are_links_too() {
        let answer = b"HTTP/1.1 301 Moved\r\nLocation: ../other\r\nRefresh: 3; url=/later\r\n\
            Link: </s.css>; rel=\"preload\"; as=style, <http://x.example>; rel=preconnect, <p2>; rel=next\r\n\r\n";
        assert_eq!(
            found_in(answer),
            [
                "R http://a.example/other",
                "E http://a.example/s.css",
                "L http://a.example/dir/p2",
                "R http://a.example/later"
            ]
        );
    }
}
