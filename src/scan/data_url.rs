//! Documents within `data:` URLs (RFC 2397, Fetch standard §6): a picture in SVG,
//! a style sheet or a page may name others. It has no address that anything is
//! relative to. Only crawling wants them; replay leaves such a URL as it is.

use super::{Kind, Mention, Scan};
use data_encoding::BASE64_NOPAD;
use encoding_rs::{Encoding, UTF_8};

/// Longer ones aren't opened, in bytes.
pub(super) const LONGEST: usize = 1 << 20;
/// Bytes of such URLs that one document may have opened.
pub(super) const MOST_BYTES: usize = 4 << 20;

/// A document within a URL.
pub(super) struct Enclosed {
    pub(super) kind: Kind,
    pub(super) charset: &'static Encoding,
    pub(super) bytes: Vec<u8>,
}

/// Whether a text begins as the URL of a document that names others.
pub(super) fn is_document(start: &[u8]) -> bool {
    kind(&start[..start.len().min(64)]).is_some()
}

fn kind(start: &[u8]) -> Option<Kind> {
    let start = start.trim_ascii_start();
    let (scheme, rest) = start.split_at_checked(5)?;
    if !scheme.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let essence = rest.split(|byte| matches!(byte, b';' | b',')).next()?;
    match essence.trim_ascii().to_ascii_lowercase().as_slice() {
        b"image/svg+xml" | b"text/html" | b"application/xhtml+xml" => Some(Kind::Html),
        b"text/css" => Some(Kind::Css),
        _ => None,
    }
}

/// The document in a URL, whatever is wrong with its coding.
pub(super) fn open(url: &str) -> Option<Enclosed> {
    let kind = kind(url.as_bytes())?;
    let (head, rest) = url.split_once(',')?;
    let body = rest.split('#').next().unwrap_or_default();
    let mut parameters = head.split(';').skip(1).map(str::trim);
    let charset = parameters.clone().find_map(|parameter| {
        let (name, label) = parameter.split_once('=')?;
        let charset = Encoding::for_label(label.trim_matches('"').as_bytes());
        charset
            .filter(|charset| name.eq_ignore_ascii_case("charset") && charset.is_ascii_compatible())
    });
    let mut bytes = percent_decoded(body.as_bytes());
    if parameters.any(|parameter| parameter.eq_ignore_ascii_case("base64")) {
        bytes.retain(|byte| !byte.is_ascii_whitespace() && *byte != b'=');
        bytes = match BASE64_NOPAD.decode(&bytes) {
            Ok(decoded) => decoded,
            // What stands before the fault, whole groups of it.
            Err(fault) => BASE64_NOPAD
                .decode(&bytes[..fault.position / 4 * 4])
                .unwrap_or_default(),
        };
    }
    Some(Enclosed {
        kind,
        charset: charset.unwrap_or(UTF_8),
        bytes,
    })
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let hex = |digit: Option<&u8>| digit.and_then(|digit| char::from(*digit).to_digit(16));
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        if let (b'%', Some(high), Some(low)) = (byte, hex(text.get(at + 1)), hex(text.get(at + 2)))
        {
            bytes.push((high * 16 + low) as u8);
            at += 3;
        } else {
            bytes.push(byte);
            at += 1;
        }
    }
    bytes
}

/// What a document within a URL names.
pub(super) fn mentions(scan: &Scan) -> impl Iterator<Item = Mention> {
    let found = scan.links().map(|found| Mention {
        url: found.url.clone(),
        role: found.role,
    });
    found.chain(scan.all_mentions().cloned())
}

#[cfg(test)]
mod tests {
    use super::super::{Role, scan};
    use super::*;
    use data_encoding::BASE64;
    use url::Url;

    fn named(kind: Kind, source: &str) -> Vec<String> {
        let base = Url::parse("http://a.example/dir/").expect("a URL");
        let scan = scan(kind, source.as_bytes(), &base, None);
        let named = scan.mentions.iter().filter(|m| m.role != Role::Guess);
        named.map(|m| format!("{:?} {}", m.role, m.url)).collect()
    }

    #[test]
    fn documents_within_urls_name_others() {
        let svg = "<svg xmlns='http://www.w3.org/2000/svg'><image href='http://b.example/i.png'/>\
            <image href='relative.png'/></svg>";
        let escaped = svg
            .replace('%', "%25")
            .replace('#', "%23")
            .replace('"', "%22");
        let coded = BASE64.encode(svg.as_bytes());
        let image = ["Image http://b.example/i.png"];
        for source in [
            format!("<img src=\"data:image/svg+xml,{escaped}\">"),
            format!("<img src='Data:image/svg+xml;charset=utf-8;base64,{coded}#x'>"),
            format!("<img srcset=\"data:image/svg+xml;base64,{coded} 2x\">"),
            format!("<p style=\"background:url(data:image/svg+xml;base64,{coded})\">"),
            format!("<iframe src=\"data:text/html;base64,{coded}\"></iframe>"),
        ] {
            assert_eq!(named(Kind::Html, &source), image, "{source}");
        }
        let sheet = "@import url(\"data:text/css,%40import 'http://b.example/s.css'%3B\");";
        assert_eq!(
            named(Kind::Css, sheet),
            ["Stylesheet http://b.example/s.css"]
        );
        for source in [
            "<img src='data:image/png;base64,PHN2Zz4='>",
            "<img src='data:image/svg+xml'>",
            "<img src='data:image/svg+xml;base64,!!!'>",
            "<img src='data:image/svg+xml,%'>",
            "<a href='javascript:data:text/html,<img src=http://b.example/>'>x</a>",
        ] {
            assert_eq!(named(Kind::Html, source), [""; 0], "{source}");
        }
    }

    #[test]
    fn documents_within_each_other_are_opened_to_a_depth_and_size() {
        let mut inner = "<img src=http://b.example/deep>".to_owned();
        for depth in 1..6 {
            let coded = BASE64.encode(inner.as_bytes());
            inner = format!(
                "<img src=http://b.example/{depth}><iframe src='data:text/html;base64,{coded}'></iframe>"
            );
        }
        assert_eq!(named(Kind::Html, &inner).len(), 3);
        let long = "x".repeat(900_000);
        let mut many = String::new();
        for n in 0..9 {
            let image = format!("<image href='http://b.example/{n}'/>");
            many += &format!("<img src=\"data:image/svg+xml,{image}{long}\">");
        }
        assert_eq!(named(Kind::Html, &many).len(), 4);
        let longer = "x".repeat(2 << 20);
        let one =
            format!("<img src=\"data:image/svg+xml,<image href='http://b.example/'/>{longer}\">");
        assert_eq!(named(Kind::Html, &one).len(), 0);
    }
}
