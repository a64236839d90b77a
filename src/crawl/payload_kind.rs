//! Which answers are compressed in themselves, so that compressing their records
//! takes time and saves next to nothing.

use crate::http::Head;
use crate::warc::member::PayloadKind;

/// Types that are compressed, besides pictures, film and sound.
const COMPRESSED: &[&str] = &[
    "application/epub+zip",
    "application/font-woff",
    "application/font-woff2",
    "application/gzip",
    "application/java-archive",
    "application/pdf",
    "application/vnd.rar",
    "application/x-7z-compressed",
    "application/x-bzip2",
    "application/x-gzip",
    "application/x-rar-compressed",
    "application/x-shockwave-flash",
    "application/x-xz",
    "application/zip",
    "application/zstd",
    "font/woff",
    "font/woff2",
];
/// Beginnings of types that are: office documents are ZIP files.
const FAMILIES: &[&str] = &[
    "image/",
    "video/",
    "audio/",
    "application/vnd.openxmlformats-",
    "application/vnd.oasis.opendocument.",
];
/// Those among them that aren't.
const PLAIN: &[&str] = &[
    "image/svg+xml",
    "image/bmp",
    "image/x-ms-bmp",
    "image/x-icon",
    "image/vnd.microsoft.icon",
    "image/tiff",
    "audio/wav",
    "audio/x-wav",
    "audio/x-mpegurl",
    "audio/mpegurl",
    "audio/midi",
    "audio/x-aiff",
];

/// By what the head of an answer says.
pub fn of(head: &Head<'_>) -> PayloadKind {
    let media_type = head.media_type();
    let is_coded = || !head.content_codings().is_empty();
    if media_type.as_deref().is_some_and(is_compressed) || is_coded() {
        PayloadKind::Compressed
    } else {
        PayloadKind::Plain
    }
}

fn is_compressed(media_type: &str) -> bool {
    let is_of_family = || FAMILIES.iter().any(|start| media_type.starts_with(start));
    COMPRESSED.binary_search(&media_type).is_ok()
        || (is_of_family() && !PLAIN.contains(&media_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(COMPRESSED.is_sorted());
    }

    #[test]
    fn pictures_archives_and_coded_pages_are_compressed_and_pages_and_drawings_are_not() {
        for (fields, is_compressed) in [
            ("Content-Type: text/html", false),
            ("Content-Type: text/html\r\nContent-Encoding: gzip", true),
            (
                "Content-Type: text/html\r\nContent-Encoding: identity",
                false,
            ),
            ("Content-Type: IMAGE/JPEG", true),
            ("Content-Type: image/svg+xml; charset=utf-8", false),
            ("Content-Type: application/pdf", true),
            (
                "Content-Type: application/vnd.oasis.opendocument.text",
                true,
            ),
            ("Content-Type: audio/wav", false),
            ("X: y", false),
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            let found = of(&Head::parse(head.as_bytes())) == PayloadKind::Compressed;
            assert_eq!(found, is_compressed, "{fields}");
        }
    }
}
