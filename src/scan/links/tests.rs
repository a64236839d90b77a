//! One suite over all formats: a sample of each, what it names, and that no
//! cut and no change of it does harm.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::config::Config;
use proptest::prelude::*;
use std::io::Write;

/// What a document names: role and URL, without the host that all have.
pub(in crate::scan) fn named(media_type: &str, source: &[u8]) -> Vec<String> {
    named_at("http://a.example/dir/file", media_type, source)
}

pub(in crate::scan) fn named_at(url: &str, media_type: &str, source: &[u8]) -> Vec<String> {
    let found = found(url, media_type, source, false, &Config::defaults().limits);
    told(&found)
}

pub(in crate::scan) fn told(found: &Links) -> Vec<String> {
    let told = found.links.iter().map(|link| {
        let url = link.url.as_str();
        let url = url.strip_prefix("http://a.example").unwrap_or(url);
        format!("{:?} {url}", link.role)
    });
    told.collect()
}

pub(in crate::scan) fn found(
    url: &str,
    media_type: &str,
    source: &[u8],
    as_sitemap: bool,
    limits: &Limits,
) -> Links {
    let url = Url::parse(url).unwrap();
    let asked = Asked {
        url: &url,
        media_type,
        charset: None,
        via: None,
        as_sitemap,
    };
    links(&asked, source, limits)
}

pub(in crate::scan) fn gzipped(document: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(document).unwrap();
    gz.finish().unwrap()
}

const SITEMAP: &str = "<?xml version='1.0' encoding='UTF-8'?><?xml-stylesheet href='/s.xsl'?>
<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>/a?b=1&amp;c</loc></url></urlset>";

/// A sample of each format; its media type, and the format that it is taken for.
#[expect(clippy::too_many_lines, reason = "a table")]
fn samples() -> Vec<(&'static str, Vec<u8>, Format)> {
    let text = |text: &str| text.as_bytes().to_vec();
    vec![
        (
            "text/html",
            text(
                "<!doctype html><title>T</title><a href=x>x</a><img srcset='a 1x, b 2x'><script>get('/d.json')</script>",
            ),
            Format::Html,
        ),
        (
            "text/css",
            text("@import 'a.css'; p { background: url(\"b.png\") }"),
            Format::Css,
        ),
        (
            "text/javascript",
            text("fetch('/list.json')"),
            Format::Script,
        ),
        (
            "image/svg+xml",
            text(
                "<?xml version='1.0'?><?xml-stylesheet href='s.css'?><svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'><style>@import 'i.css';</style><image xlink:href='i.png'/><use href='u.svg#x'/><a href='p'><text>t</text></a></svg>",
            ),
            Format::Svg,
        ),
        ("application/xml", text(SITEMAP), Format::Sitemap),
        (
            "application/gzip",
            gzipped(SITEMAP.as_bytes()),
            Format::Gzip,
        ),
        (
            "application/rss+xml",
            text(
                "<rss xml:base='/b/'><channel><link>http://a.example/</link><item><guid>http://a.example/1</guid><enclosure url='e.mp3' type='audio/mpeg'/><content:encoded><![CDATA[<p><a href='x'>x</a><img src=i.png>]]></content:encoded></item></channel></rss>",
            ),
            Format::Feed,
        ),
        (
            "application/atom+xml",
            text(
                "<feed xmlns='http://www.w3.org/2005/Atom'><link rel='next' href='?page=2'/><entry><content type='xhtml'><div><a href='x'>x</a></div></content></entry></feed>",
            ),
            Format::Feed,
        ),
        (
            "application/feed+json",
            text(
                r#"{"version": "https://jsonfeed.org/version/1.1", "items": [{"url": "/1", "content_html": "<img src=\"\/i.png\">", "attachments": [{"url": "a.mp3"}]}]}"#,
            ),
            Format::JsonFeed,
        ),
        (
            "application/manifest+json",
            text(
                r#"{"start_url": "/?app", "icons": [{"src": "i.png"}], "shortcuts": [{"url": "/s", "icons": [{"src": "s.png"}]}]}"#,
            ),
            Format::WebManifest,
        ),
        (
            "application/json",
            text(r#"{"next": "https:\/\/a.example\/api\/2.json"}"#),
            Format::Json,
        ),
        (
            "application/xml",
            text(
                "<browserconfig><msapplication><tile><square70x70logo src='/t.png'/></tile></msapplication></browserconfig>",
            ),
            Format::Browserconfig,
        ),
        (
            "text/xsl",
            text(
                "<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'><xsl:import href='b.xsl'/><xsl:template match='/'><link rel='stylesheet' href='s.css'/><a href='{loc}'>x</a></xsl:template></xsl:stylesheet>",
            ),
            Format::Transform,
        ),
        (
            "application/xml",
            text(
                "<OpenSearchDescription><Image>http://a.example/o.png</Image><Url template='http://a.example/?q={searchTerms}'/><x xlink:href='y'/></OpenSearchDescription>",
            ),
            Format::Xml,
        ),
        (
            "application/vnd.apple.mpegurl",
            text(
                "#EXTM3U\n#EXT-X-DEFINE:NAME=\"v\",VALUE=\"9\"\n#EXT-X-KEY:METHOD=AES-128,URI=\"k.bin\"\n#EXTINF:4,\ns1.ts\r\n{$v}.ts\n",
            ),
            Format::Hls,
        ),
        (
            "application/dash+xml",
            text(
                "<MPD mediaPresentationDuration='PT10S'><Period><BaseURL>v/</BaseURL><AdaptationSet><SegmentTemplate media='$RepresentationID$-$Number%03d$.m4s' initialization='i.mp4' duration='4'/><Representation id='a' bandwidth='9'/></AdaptationSet></Period></MPD>",
            ),
            Format::Dash,
        ),
        (
            "text/cache-manifest",
            text("CACHE MANIFEST\n# v1\na.js\nFALLBACK:\n/x /off.html\nNETWORK:\n*\n"),
            Format::Appcache,
        ),
        (
            "application/pdf",
            text(
                "%PDF-1.4\n1 0 obj\n<< /Type /Annot /Subtype /Link /A << /S /URI /URI (http://a.example/p\\(1\\)) >> >>\nendobj\ntrailer << /Root 1 0 R >>",
            ),
            Format::Pdf,
        ),
    ]
}

#[test]
fn each_format_is_known_and_names_its_urls() {
    let expected = [
        "Page /dir/x, Image /dir/a, Image /dir/b, Guess /d.json",
        "Stylesheet /dir/a.css, Image /dir/b.png",
        "Guess /list.json",
        "Stylesheet /dir/s.css, Stylesheet /dir/i.css, Image /dir/i.png, Image /dir/u.svg#x, Page /dir/p",
        "Stylesheet /s.xsl, Page /a?b=1&c",
        "Stylesheet /s.xsl, Page /a?b=1&c",
        "Page /, Page /1, Media /b/e.mp3, Page /b/x, Image /b/i.png",
        "Alternate /dir/file?page=2, Page /dir/x",
        "Page /1, Image /i.png, Media /dir/a.mp3",
        "Page /?app, Image /dir/i.png, Page /s, Image /dir/s.png",
        "Guess https://a.example/api/2.json",
        "Image /t.png",
        "Requisite /dir/b.xsl, Stylesheet /dir/s.css",
        "Image /o.png, Alternate /dir/y",
        "Requisite /dir/k.bin, Media /dir/s1.ts, Media /dir/9.ts",
        "Media /dir/v/i.mp4, Media /dir/v/a-001.m4s, Media /dir/v/a-002.m4s, Media /dir/v/a-003.m4s",
        "Requisite /dir/a.js, Requisite /off.html",
        "Page /p(1)",
    ];
    for ((media_type, source, format), expected) in samples().into_iter().zip(expected) {
        let limits = Config::defaults().limits;
        let found = found(
            "http://a.example/dir/file",
            media_type,
            &source,
            false,
            &limits,
        );
        let of = if format == Format::Gzip {
            Format::Sitemap
        } else {
            format
        };
        assert_eq!(found.format, Some(of), "{media_type}");
        assert_eq!(told(&found).join(", "), expected, "{media_type}");
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }
}

#[test]
fn ranges_are_those_of_the_texts() {
    for (media_type, source, format) in samples() {
        let limits = Config::defaults().limits;
        let found = found(
            "http://a.example/dir/file",
            media_type,
            &source,
            false,
            &limits,
        );
        for link in found.links {
            let Some(range) = link.range else {
                continue;
            };
            let text = std::str::from_utf8(&source[range]).unwrap();
            let base = Url::parse("http://a.example/dir/file").unwrap();
            assert_eq!(base.join(text).unwrap(), link.url, "{format:?}");
        }
    }
}

/// No cut panics, invents a host, or is slow.
#[test]
fn every_format_is_read_as_far_as_it_goes() {
    for (media_type, source, _) in samples() {
        for end in 0..source.len() {
            for part in [&source[..end], &source[end..]] {
                let found = named(media_type, part);
                let is_own = |link: &String| link.contains(" /") || link.contains(".example");
                assert!(found.iter().all(is_own), "{media_type} {end}: {found:?}");
            }
        }
    }
}

#[test]
fn what_a_document_may_name_is_bounded() {
    let mut limits = Config::defaults().limits;
    limits.links = 3;
    limits.sitemap_entries = 3;
    let entries = (0..9).map(|n| format!("<url><loc>/{n}</loc></url>"));
    let map = format!("<urlset>{}</urlset>", entries.collect::<Vec<_>>().concat());
    for (media_type, source) in [
        ("text/xml", map.into_bytes()),
        ("audio/x-mpegurl", b"1\n2\n3\n4\n5\n".to_vec()),
        (
            "text/html",
            b"<a href=1><a href=2><a href=3><a href=4>".to_vec(),
        ),
    ] {
        let found = found("http://a.example/", media_type, &source, false, &limits);
        assert_eq!(found.links.len(), 3, "{media_type}");
        assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
    }
}

#[test]
fn types_that_servers_mix_up_are_seen_through() {
    let limits = Config::defaults().limits;
    let gz = gzipped(SITEMAP.as_bytes());
    let utf_16: Vec<u8> = SITEMAP.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (media_type, source, as_sitemap, expected) in [
        (
            "text/html",
            SITEMAP.as_bytes(),
            false,
            Some(Format::Sitemap),
        ),
        (
            "text/plain",
            SITEMAP.as_bytes(),
            false,
            Some(Format::Sitemap),
        ),
        ("", SITEMAP.as_bytes(), false, Some(Format::Sitemap)),
        ("application/xml", &utf_16, false, Some(Format::Sitemap)),
        (
            "application/octet-stream",
            &gz,
            false,
            Some(Format::Sitemap),
        ),
        ("text/plain", &gz, false, Some(Format::Sitemap)),
        ("application/x-gzip", b"\x1f\x8b\x08broken", false, None),
        (
            "text/plain",
            b"http://a.example/1\n",
            true,
            Some(Format::SitemapText),
        ),
        ("text/plain", b"http://a.example/1\n", false, None),
        ("text/plain", b"<!doctype html><a href=x>", false, None),
        ("text/plain", b"#EXTM3U\n1.ts", false, Some(Format::Hls)),
        (
            "application/octet-stream",
            b"%PDF-1.7",
            false,
            Some(Format::Pdf),
        ),
        (
            "application/octet-stream",
            b"<html><a href=x>",
            false,
            Some(Format::Html),
        ),
        ("application/octet-stream", b"\0\x01\x02", false, None),
        ("image/png", b"<html>", false, None),
        ("video/mp4", b"#EXTM3U", false, None),
        ("application/ld+json", b"{}", false, Some(Format::Json)),
        (
            "application/json",
            br#"{"name": "A", "display": "standalone", "icons": [{"src": "i.png"}]}"#,
            false,
            Some(Format::WebManifest),
        ),
        (
            "application/xml",
            b"\n\n<?xml version='1.0'?><rss></rss>",
            false,
            Some(Format::Feed),
        ),
        (
            "application/xml",
            b"<br/>\n<b>Warning</b><?xml version='1.0'?><urlset>",
            false,
            Some(Format::Sitemap),
        ),
        (
            "application/xml",
            b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
            false,
            Some(Format::Html),
        ),
    ] {
        let found = found(
            "http://a.example/f",
            media_type,
            source,
            as_sitemap,
            &limits,
        );
        assert_eq!(
            found.format,
            expected,
            "{media_type} {}",
            String::from_utf8_lossy(source)
        );
    }
}

#[test]
fn nested_and_repeated_markup_takes_neither_time_nor_memory() {
    const SIZE: usize = 512 << 10;
    let limits = Config::defaults().limits;
    let base = format!("http://a.example/{}/", "b".repeat(8000));
    for (media_type, pattern) in [
        ("text/xml", "<a>"),
        ("text/xml", "<!--"),
        ("text/xml", "<![CDATA["),
        ("text/xml", "<!x"),
        ("text/xml", "<urlset><loc>a</loc>"),
        (
            "application/atom+xml",
            "<feed xml:base='a/'><link href='b'/>",
        ),
        ("application/atom+xml", "<feed><title>&lt;b</title>"),
        ("application/atom+xml", "<feed><content type='xhtml'>"),
        ("application/dash+xml", "<MPD><S d='1'/><Representation>"),
        (
            "application/dash+xml",
            "<MPD><SegmentTemplate media='$Number$' endNumber='99999999999'/><Representation/>",
        ),
        (
            "application/dash+xml",
            "<MPD><SegmentTimeline><S d='1' r='999999999'/><SegmentTemplate media='mailto:$Time$'/><Representation/>",
        ),
        ("application/json", "[{\"a\":"),
        ("application/manifest+json", "{\"icons\":[{\"src\":\"a\"}]}"),
        ("application/pdf", "(("),
        ("application/pdf", "<<<"),
        (
            "application/pdf",
            "1 0 obj<</Type/ObjStm/Filter/FlateDecode>>stream\n",
        ),
        ("application/pdf", "/URI(a)"),
        (
            "audio/x-mpegurl",
            "#EXT-X-DEFINE:NAME=\"a\",VALUE=\"{$a}{$a}\"\n#EXT-X-MAP:URI=\"{$a}\"\n",
        ),
    ] {
        let source = pattern.repeat(SIZE / pattern.len());
        let begun = std::time::Instant::now();
        let found = found(&base, media_type, source.as_bytes(), false, &limits);
        let bytes: usize = found.links.iter().map(|link| link.url.as_str().len()).sum();
        assert!(
            bytes <= MAX_RESOLVED + base.len(),
            "{media_type} {pattern}: {bytes}"
        );
        // A hundred times what it takes, and a hundredth of what squares would.
        let took = begun.elapsed();
        assert!(took.as_secs() < 20, "{media_type} {pattern}: {took:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_change_of_a_document_does_harm(
        sample in 0..18_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..12),
        as_sitemap: bool,
    ) {
        let (media_type, mut source, _) = samples().swap_remove(sample);
        for (at, byte, change) in changes {
            if source.is_empty() {
                break;
            }
            let at = at.index(source.len());
            match change {
                0 => source[at] = byte,
                1 => source.insert(at, byte),
                2 => { source.remove(at); }
                // A stretch comes twice.
                _ => {
                    let end = source.len().min(at + usize::from(byte));
                    source.extend_from_within(at..end);
                }
            }
        }
        let limits = Config::defaults().limits;
        let found = found("http://a.example/dir/f", media_type, &source, as_sitemap, &limits);
        for link in found.links {
            prop_assert!(matches!(link.url.scheme(), "http" | "https"));
            prop_assert!(link.range.is_none_or(|range| range.end <= source.len()));
        }
    }
}
