//! A gzip file that holds a document: sitemaps, as a rule. Known by its first
//! bytes, whatever the server calls it; an archive of something else is not
//! inflated beyond its start.

use super::format::{Asked, Format, SNIFFED};
use super::links::{Links, links};
use crate::config::Limits;
use crate::http::coding::{Bounds, Decoded, Irregular};
use std::io::Read;

/// Reads what is in a gzip file.
pub(super) fn read(asked: &Asked<'_>, file: &[u8], limits: &Limits) -> Links {
    // The name of the file within says more than that of the file.
    let path = asked.url.path().strip_suffix(".gz").map(str::to_owned);
    let mut url = asked.url.clone();
    if let Some(path) = path {
        url.set_path(&path);
    }
    let inner = Asked {
        url: &url,
        media_type: "",
        ..*asked
    };
    let (start, _) = inflate(file, SNIFFED as u64, limits);
    match Format::of(&inner, &start) {
        // Whoever packs a document twice means something else.
        None | Some(Format::Gzip) => return Links::default(),
        Some(_) => drop(start),
    }
    let (document, irregular) = inflate(file, limits.decoded.0, limits);
    let mut found = links(&inner, &document, limits);
    for irregular in irregular {
        found.notes.push(format!("the gzip file: {irregular}"));
    }
    // Positions within what was inflated are none of the entity.
    for link in &mut found.links {
        link.range = None;
    }
    found
}

/// At most so many bytes; what is damaged is taken as far as it came. Also
/// why there aren't more.
fn inflate(file: &[u8], bytes: u64, limits: &Limits) -> (Vec<u8>, Vec<Irregular>) {
    let bounds = Bounds {
        bytes,
        ratio: limits.decoded_ratio,
        codings: 1,
    };
    // Reads of the file don't fail, nor does decoding.
    let mut decoded = Decoded::new(file, &["gzip".to_owned()], bounds);
    let mut out = Vec::new();
    let _ = decoded.read_to_end(&mut out);
    (out, decoded.irregular())
}

#[cfg(test)]
mod tests {
    use super::super::links::tests::{found, gzipped, told};
    use crate::config::{Config, Size};

    #[test]
    fn a_file_is_inflated_only_within_limits() {
        let map = format!("<urlset>{}", "<url><loc>/1</loc></url>".repeat(100_000));
        let file = gzipped(map.as_bytes());
        let mut limits = Config::defaults().limits;
        let mut read = |decoded, ratio| {
            limits.decoded = Size(decoded);
            limits.decoded_ratio = ratio;
            let found = found(
                "http://a.example/s.xml.gz",
                "application/gzip",
                &file,
                true,
                &limits,
            );
            (found.links.len(), found.notes.len())
        };
        assert_eq!(read(32 << 20, 2000), (100_000, 0));
        assert_eq!(read(240, 2000), (9, 1));
        let (by_ratio, notes) = read(32 << 20, 2);
        assert!((40_000..50_000).contains(&by_ratio) && notes == 1);
    }

    #[test]
    fn what_is_packed_is_known_by_its_own_name_and_bytes() {
        let limits = Config::defaults().limits;
        for (url, document, expected) in [
            (
                "http://a.example/s.txt.gz",
                "http://a.example/1\n",
                vec!["Page /1"],
            ),
            (
                "http://a.example/s.xml.gz",
                "<urlset><loc>1</loc>",
                vec!["Page /1"],
            ),
            (
                "http://a.example/a.css.gz",
                "@import 'b.css';",
                vec!["Stylesheet /b.css"],
            ),
            ("http://a.example/a.tar.gz", "\0\0\0", vec![]),
        ] {
            let file = gzipped(document.as_bytes());
            let found = found(url, "application/x-gzip", &file, true, &limits);
            assert_eq!(told(&found), expected, "{url}");
        }
        let twice = gzipped(&gzipped(b"<urlset><loc>1</loc>"));
        let found = found("http://a.example/s.gz", "", &twice, true, &limits);
        assert!(found.links.is_empty());
    }
}
