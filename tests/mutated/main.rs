//! The fuzz targets' bodies with mutated samples, for a bounded number of rounds
//! and always the same: what `fuzz/` would find soon is found here, on stable.
#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;

use std::io::Write;
use std::panic::catch_unwind;

use bodies::BODIES;

/// Mutations of each sample.
const ROUNDS: usize = 300;

const TRAINED: &[u8] = include_bytes!("../../src/warc/frame/trained.dictionary");

const HTML: &[u8] = b"<!doctype html><base href=/x/><title>T &amp; t</title><meta http-equiv=refresh content='3; url=y'>\
    <img src=a.png srcset='b.png 2x, c.png 100w'><a href=\"d?e&amp;f#g\">h</a><style>@import 'i.css';</style>\
    <script>import('./j.js')</script><script type=importmap>{\"imports\":{\"k\":\"/k.js\"}}</script>\
    <iframe srcdoc=\"&lt;img src=l.png&gt;\"></iframe><!--[if IE]><link rel=stylesheet href=m.css><![endif]-->";
const CSS: &[u8] = b"@charset \"utf-8\";@import url(a.css) screen;@font-face{src:url('b.woff2') format('woff2'),url(c\\.woff)}\
    x{background:image-set('d.png' 1x,url(e.png) 2x);--p:url( \"f.svg#g\" )}/* url(no.png) */";
const SCRIPT: &[u8] = b"import a from './a.js';export * from \"../b.mjs\";const w=new Worker(new URL('c.js',import.meta.url));\
    fetch(`/api/${x}/d.json`);var e='https:\\/\\/a.example\\/f.png',g=/[/]'.*/;// '/no.png'\n\"\\x2fh\\u002ejpg\"";
const PDF: &[u8] = b"%PDF-1.4\n1 0 obj<</Type/Annot/Subtype/Link/A<</S/URI/URI(http://a.example/\\(x\\))>>>>endobj\n\
    2 0 obj<</URI<687474703a2f2f622f>/Length 5>>stream\nabcde\nendstream endobj\n%%EOF";
const XML: &[u8] = b"<?xml version=\"1.0\"?><?xml-stylesheet href=\"a.xsl\" type=\"text/xsl\"?>\
    <rss xmlns:m=\"urn:m\"><channel><link>http://a.example/</link><item><enclosure url=\"b.mp3\"/>\
    <description><![CDATA[<img src=c.png>]]></description><guid>&#x68;ttp://d.example/</guid></item></channel></rss>";
const SITEMAP: &[u8] = b"<urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"><url><loc>http://a.example/x?a&amp;b</loc>\
    <image:image xmlns:image=\"urn:i\"><image:loc>/i.png</image:loc></image:image></url></urlset>";
const HLS: &[u8] = b"#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k.key\"\n#EXT-X-MAP:URI=\"init.mp4\",BYTERANGE=\"1@0\"\n\
    #EXTINF:4.0,title\nseg1.ts\n#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"a,b\"\nlow/x.m3u8\n#EXT-X-ENDLIST\n";
const CDXJ: &[u8] = b"example,a)/x?q 20260301000000 {\"url\": \"http://a.example/x?q\", \"mime\": \"text/html\", \
    \"status\": \"200\", \"digest\": \"sha256:00\", \"length\": \"10\", \"offset\": \"0\", \"filename\": \"a.warc.gz\"}";
const ROBOTS: &[u8] =
    b"\xef\xbb\xbfUser-agent: *\nUser-agent: lastlight\r\nDisallow: /a*b$\nAllow: /%C3%A4\n\
    Crawl-delay: 1.5\nSitemap: http://a.example/s.xml\n\nuser-agent:x\ndisallow /\n";

const ANSWERS: [&[u8]; 4] = [
    b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: a\r\n b\r\n\r\nhello rest",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Type: text/html; charset=x\r\n\r\n5;e=\"f\"\r\nhello\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 408 x\r\n\r\n",
    b"\r\n\nhttp/1.0  0404\nContent-Length: 3, 4\nContent-Length: x\n\nabcd",
    b"<html>HTTP/0.9",
];
const CHUNKS: [&[u8]; 2] = [
    b"5;e=\"f\r\"\r\nhello\r\n 0A \n0123456789\n000\r\nTrailer: x\r\n\r\nmore",
    b"plain and never chunked",
];

fn warc(version: &str) -> Vec<u8> {
    let record = |kind: &str, block: &str| {
        let length = block.len();
        format!(
            "WARC/{version}\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a.example/\r\n\
             WARC-Date: 2026-03-01T00:00:00Z\r\nWARC-Record-ID: <urn:uuid:0>\r\nContent-Length: {length}\r\n\r\n{block}\r\n\r\n"
        )
    };
    let block = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    [
        record("warcinfo", "software: x\r\n"),
        record("response", block),
    ]
    .concat()
    .into_bytes()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8], trained: bool) -> Vec<u8> {
    use lastlight::warc::frame::{Dictionary, FrameCompressor};
    let dictionary = trained.then(|| Dictionary::new(TRAINED).unwrap());
    let mut out = dictionary.as_ref().map_or_else(Vec::new, Dictionary::frame);
    FrameCompressor::new(3, dictionary).frame(bytes, &mut out);
    out
}

/// What the mutations of a body start from.
fn samples(name: &str) -> Vec<Vec<u8>> {
    let owned = |samples: &[&[u8]]| samples.iter().map(|sample| sample.to_vec()).collect();
    match name {
        "http_incoming" => owned(&ANSWERS),
        "chunked" => owned(&CHUNKS),
        "links_html" => owned(&[HTML]),
        "links_css" => owned(&[CSS]),
        "links_script" => owned(&[SCRIPT]),
        "links_pdf" => owned(&[PDF]),
        "links_xml" => owned(&[XML, SITEMAP]),
        "links_hls" => owned(&[HLS]),
        "warc_read" => {
            let plain = warc("1.1");
            let members = [gzipped(&plain), gzipped(&warc("1.0"))].concat();
            vec![zstandard(&plain, false), members, plain]
        }
        "cdxj_line" => owned(&[CDXJ]),
        "robots" => owned(&[ROBOTS]),
        "zstd_frame" => vec![zstandard(HTML, false), zstandard(HTML, true)],
        _ => panic!("{name} has no samples"),
    }
}

/// Numbers that are the same on every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % most.max(1) as u64) as usize
    }
}

/// Bytes on which parsers turn.
const TELLING: &[u8] = b"\0\r\n\t \"'<>&;:/\\()[]{}%#*=,.-\x7f\x80\xff\xfe09aA";

/// Changes a few places: bytes flipped, replaced, cut out, doubled, swapped in
/// from elsewhere; or the end cut off.
fn mutate(sample: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=numbers.below(4) {
        let (at, length) = (numbers.below(bytes.len()), 1 + numbers.below(12));
        let end = (at + length).min(bytes.len());
        let telling = TELLING[numbers.below(TELLING.len())];
        match numbers.below(7) {
            _ if bytes.is_empty() => bytes.push(telling),
            0 => bytes[at] ^= 1 << numbers.below(8),
            1 => bytes[at] = telling,
            2 => bytes.insert(at, telling),
            3 => drop(bytes.drain(at..end)),
            4 => bytes.truncate(at),
            5 => {
                let piece = bytes[at..end].repeat(1 + numbers.below(40));
                bytes.splice(at..at, piece);
            }
            _ => {
                let from = numbers.below(sample.len());
                let piece = sample[from..(from + length).min(sample.len())].to_vec();
                bytes.splice(at..end, piece);
            }
        }
    }
    bytes
}

#[test]
fn no_mutated_sample_breaks_a_promise() {
    for (name, body) in BODIES {
        let mut numbers = Numbers(1);
        body(&[]);
        for sample in samples(name) {
            body(&sample);
            for round in 0..ROUNDS {
                let mutated = mutate(&sample, &mut numbers);
                let ran = catch_unwind(|| body(&mutated));
                let shown = mutated.escape_ascii();
                assert!(ran.is_ok(), "{name}, round {round}: b\"{shown}\"");
            }
        }
    }
}

#[test]
fn every_body_has_a_target_of_its_name() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            path.file_stem().unwrap().to_string_lossy().into_owned()
        })
        .collect();
    targets.sort();
    let mut names: Vec<&str> = BODIES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    assert_eq!(targets, names);
}
