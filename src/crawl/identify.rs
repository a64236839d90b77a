//! `WARC-Identified-Payload-Type`: the media type that the payload's own bytes
//! show, whatever the server said (WARC 1.1 §5.19). Of a payload with a content
//! coding it is the type of what was coded.

/// The type that these first bytes show; `None` where they show none.
pub fn identify(start: &[u8]) -> Option<&'static str> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let text = text.trim_ascii_start();
    // Texts before signatures: some of those are as short as two letters.
    if let Some(markup) = markup(text) {
        return Some(markup);
    }
    if let Some(found) = infer::get(start)
        && !found.mime_type().starts_with("text/")
        && (!is_text(start) || BEGIN_AS_TEXT.contains(&found.mime_type()))
    {
        return Some(found.mime_type());
    }
    json(text).or_else(|| style(text))
}

/// Types whose files begin with a line of text.
const BEGIN_AS_TEXT: [&str; 3] = [
    "application/pdf",
    "application/rtf",
    "application/postscript",
];

/// Whether these bytes could be a text's: some signatures are two letters.
fn is_text(start: &[u8]) -> bool {
    let is_control =
        |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | 0x0c | b'\r' | 0x1b);
    !start.iter().take(512).any(is_control)
}

/// The starts by which the MIME Sniffing standard (§7.1) knows HTML.
const HTML: [&[u8]; 17] = [
    b"<!doctype html",
    b"<html",
    b"<head",
    b"<script",
    b"<iframe",
    b"<h1",
    b"<div",
    b"<font",
    b"<table",
    b"<a",
    b"<style",
    b"<title",
    b"<b",
    b"<body",
    b"<br",
    b"<p",
    b"<meta",
];

fn markup(text: &[u8]) -> Option<&'static str> {
    let mut text = text;
    let mut is_xml = false;
    // The document's element comes after declarations and comments.
    for _ in 0..20 {
        if starts(text, b"<!--") {
            let end = text.windows(3).position(|end| end == b"-->")?;
            text = text[end + 3..].trim_ascii_start();
        } else if starts(text, b"<?xml") {
            is_xml = true;
            let Some(end) = text.windows(2).position(|end| end == b"?>") else {
                return Some("text/xml");
            };
            text = text[end + 2..].trim_ascii_start();
        } else if starts(text, b"<!doctype") && !starts(text, b"<!doctype html") {
            let end = text.iter().position(|&byte| byte == b'>')?;
            text = text[end + 1..].trim_ascii_start();
        } else {
            break;
        }
    }
    if is_tag(text, b"<svg") {
        return Some("image/svg+xml");
    }
    if is_xml {
        let xhtml = is_tag(text, b"<html") || starts(text, b"<!doctype html");
        return Some(match () {
            () if xhtml => "application/xhtml+xml",
            () if is_tag(text, b"<rss") => "application/rss+xml",
            () if is_tag(text, b"<feed") => "application/atom+xml",
            () => "text/xml",
        });
    }
    HTML.iter()
        .any(|tag| is_tag(text, tag))
        .then_some("text/html")
}

fn starts(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(with))
}

/// A tag's name ends with a space or the tag.
fn is_tag(text: &[u8], tag: &[u8]) -> bool {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
    starts(text, tag) && text.get(tag.len()).is_some_and(ends)
}

/// JSON where it begins as an object or a list does, and reads to its end or to
/// where the bytes were cut.
fn json(text: &[u8]) -> Option<&'static str> {
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return None;
    }
    let is_json = match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
        Ok(_) => true,
        Err(error) => error.is_eof() && text.len() > 20,
    };
    is_json.then_some("application/json")
}

/// Style sheets have no signature: an at-rule that nothing else begins with.
fn style(text: &[u8]) -> Option<&'static str> {
    let mut text = text;
    while text.starts_with(b"/*") {
        let end = text.windows(2).position(|end| end == b"*/")?;
        text = text[end + 2..].trim_ascii_start();
    }
    [
        &b"@charset \""[..],
        b"@import ",
        b"@font-face",
        b"@media ",
        b"@namespace ",
        b":root{",
        b":root {",
    ]
    .iter()
    .any(|rule| starts(text, rule))
    .then_some("text/css")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_by_their_bytes() {
        for (start, expected) in [
            (&b"\n<!DOCTYPE html><p>"[..], Some("text/html")),
            (b"\xef\xbb\xbf<!-- x --><html lang=en>", Some("text/html")),
            (
                b"<?xml version='1.0'?><html xmlns='x'>",
                Some("application/xhtml+xml"),
            ),
            (
                b"<?xml version='1.0'?>\n<!DOCTYPE svg><svg>",
                Some("image/svg+xml"),
            ),
            (b"<svg xmlns='x'>", Some("image/svg+xml")),
            (
                b"<?xml version='1.0'?><rss version='2.0'>",
                Some("application/rss+xml"),
            ),
            (b"<?xml version='1.0'?><urlset>", Some("text/xml")),
            (b"{\"a\": [1, 2]}", Some("application/json")),
            (b"{not json}", None),
            (b"/* (c) */ @font-face{}", Some("text/css")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png")),
            (b"GIF89a\x01\0\x01\0", Some("image/gif")),
            (b"%PDF-1.7\n", Some("application/pdf")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"just words", None),
            (b"<abbr>", None),
            (b"BM is no bitmap when it is a sentence", None),
            (b"", None),
        ] {
            assert_eq!(
                identify(start),
                expected,
                "{:?}",
                String::from_utf8_lossy(start)
            );
        }
    }

    #[test]
    fn nothing_that_is_cut_panics() {
        let all: [&[u8]; 3] = [
            b"<?xml version='1.0'?><!DOCTYPE svg><!-- x --><svg a='b'/>",
            b"/* a */ /* b */ @charset \"utf-8\";",
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01",
        ];
        for bytes in all {
            for cut in 0..=bytes.len() {
                let _ = identify(&bytes[..cut]);
            }
        }
    }
}
