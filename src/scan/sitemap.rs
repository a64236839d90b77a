//! The URLs that a sitemap or a sitemap index lists (sitemaps.org protocol
//! 0.9): the text of its `loc` elements, those of extensions such as
//! `image:loc` too.

/// URLs of one sitemap; the protocol allows 50,000.
const MOST: usize = 100_000;

/// What a document lists, by its root element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lists {
    /// Pages: a `urlset`.
    Pages,
    /// Other sitemaps: a `sitemapindex`.
    Sitemaps,
}

/// Whether a document is a sitemap, and of what.
pub fn kind(text: &[u8]) -> Option<Lists> {
    let start = &text[..text.len().min(4096)];
    let has = |root: &[u8]| start.windows(root.len()).any(|window| window == root);
    if has(b"<sitemapindex") {
        Some(Lists::Sitemaps)
    } else {
        has(b"<urlset").then_some(Lists::Pages)
    }
}

/// The text of every `loc`, references decoded, as it stands otherwise. What
/// isn't well-formed is passed over.
pub fn locations(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut rest: &str = &text;
    while let Some((_, element)) = rest.split_once('<') {
        rest = element;
        let Some((tag, after)) = element.split_once('>') else {
            break;
        };
        let name = tag
            .split(|c: char| c.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        if name != "loc" && !name.ends_with(":loc") {
            continue;
        }
        let Some(end) = after.find("</") else {
            break;
        };
        let content = after[..end].trim();
        let content = content
            .strip_prefix("<![CDATA[")
            .and_then(|inner| inner.strip_suffix("]]>"))
            .map_or_else(|| decoded(content), |inner| inner.trim().to_owned());
        if !content.is_empty() {
            found.push(content);
        }
        rest = &after[end..];
        if found.len() == MOST {
            break;
        }
    }
    found
}

/// The five references of XML and numeric ones.
fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out += before;
        let reference = after
            .split_once(';')
            .and_then(|(name, rest)| Some((character(name)?, rest)));
        match reference {
            Some((character, after)) => {
                out.push(character);
                rest = after;
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out + rest
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "<?xml version=\"1.0\"?>\n<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\">\n\
        <url><loc> http://a.example/?a=1&amp;b=2 </loc><lastmod>2026-01-01</lastmod>\
        <image:image><image:loc><![CDATA[http://a.example/i.png?x&y]]></image:loc></image:image></url>\
        <url><loc>http://a.example/caf&#xe9;&#33;</loc></url></urlset>";

    #[test]
    fn every_location_is_found_and_decoded() {
        assert_eq!(kind(MAP.as_bytes()), Some(Lists::Pages));
        assert_eq!(kind(b"<sitemapindex xmlns=x>"), Some(Lists::Sitemaps));
        assert_eq!(kind(b"<html><urls>"), None);
        assert_eq!(
            locations(MAP.as_bytes()),
            [
                "http://a.example/?a=1&b=2",
                "http://a.example/i.png?x&y",
                "http://a.example/caf\u{e9}!"
            ]
        );
    }

    #[test]
    fn no_cut_panics_or_invents() {
        for end in 0..MAP.len() {
            let found = locations(&MAP.as_bytes()[..end]);
            assert!(found.iter().all(|url| url.starts_with("http://a.example/")));
        }
    }
}
