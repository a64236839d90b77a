//! What is done with arbitrary bytes: one function a parser, each of which ends
//! and panics only where a promise is broken. `fuzz/` runs them with libFuzzer,
//! `main.rs` with mutated samples.

use std::io::Read;

use lastlight::config::{Config, Limits};
use lastlight::http::{Chunked, Close, Dechunked, Head, Incoming, Step};
use lastlight::robots::Robots;
use lastlight::scan::{Asked, links};
use lastlight::snapshot::cdxj::CdxjEntry;
use lastlight::warc::Reader;
use lastlight::warc::frame::{Dictionary, FrameDecoder};

/// A parser's name and what is done with it.
pub type Body = (&'static str, fn(&[u8]));

/// All of them.
pub const BODIES: [Body; 12] = [
    ("http_incoming", http_incoming),
    ("chunked", chunked),
    ("links_html", links_html),
    ("links_css", links_css),
    ("links_script", links_script),
    ("links_pdf", links_pdf),
    ("links_xml", links_xml),
    ("links_hls", links_hls),
    ("warc_read", warc_read),
    ("cdxj_line", cdxj_line),
    ("robots", robots),
    ("zstd_frame", zstd_frame),
];

/// An answer is read alike however its bytes arrive, and nothing is kept that
/// didn't come.
pub fn http_incoming(data: &[u8]) {
    for method in ["GET", "HEAD"] {
        let read = |piece: usize| {
            let mut incoming = Incoming::new(method, 64 * 1024);
            let mut kept = Vec::new();
            for piece in data.chunks(piece) {
                incoming.feed(piece, &mut |bytes| kept.extend_from_slice(bytes));
            }
            let whole = incoming.close(Close::Fin, &mut |bytes| kept.extend_from_slice(bytes));
            let found = incoming.finish();
            (kept, whole, found.head_length, found.headless)
        };
        let at_once = read(data.len().max(1));
        assert!(at_once.0.len() <= data.len() && at_once.2 <= at_once.0.len());
        assert_eq!(at_once, read(1), "byte by byte");
        let head = Head::parse(&at_once.0[..at_once.2]);
        let _ = (head.status(), head.framing(method), head.charset());
    }
}

/// Removing chunks gives no more than came, and the same however it came.
pub fn chunked(data: &[u8]) {
    let fed = |piece: usize| {
        let (mut chunked, mut entity, mut used) = (Chunked::default(), Vec::new(), 0);
        for piece in data.chunks(piece) {
            match chunked.feed(piece, |bytes| entity.extend_from_slice(bytes)) {
                Step::More => used += piece.len(),
                Step::Done { used: last } | Step::Invalid { used: last } => {
                    used += last;
                    break;
                }
            }
        }
        (entity, used, chunked.is_whole())
    };
    let at_once = fed(data.len().max(1));
    assert!(at_once.0.len() <= at_once.1 && at_once.1 <= data.len());
    let mut entity = Vec::new();
    let read = Dechunked::new(data).read_to_end(&mut entity);
    assert!(read.is_ok() && entity.len() <= data.len());
    assert_eq!(at_once.0, fed(1).0, "byte by byte");
}

fn limits() -> Limits {
    Limits {
        links: 1000,
        sitemap_entries: 1000,
        decoded: "1 MiB".parse().expect("a size"),
        ..Config::defaults().limits
    }
}

fn links_of(media_type: &str, data: &[u8]) {
    let url = "http://a.example/dir/page?q".parse().expect("a URL");
    for charset in [None, Some("utf-16le")] {
        let asked = Asked {
            url: &url,
            media_type,
            charset,
            via: None,
            as_sitemap: false,
        };
        let found = links(&asked, data, &limits());
        assert!(found.links.len() <= 1000);
        for link in found.links {
            assert!(matches!(link.url.scheme(), "http" | "https"));
            if let Some(range) = link.range {
                assert!(range.start <= range.end && range.end <= data.len());
            }
        }
    }
}

pub fn links_html(data: &[u8]) {
    links_of("text/html", data);
}

pub fn links_css(data: &[u8]) {
    links_of("text/css", data);
}

pub fn links_script(data: &[u8]) {
    links_of("text/javascript", data);
}

pub fn links_pdf(data: &[u8]) {
    links_of("application/pdf", data);
}

pub fn links_xml(data: &[u8]) {
    links_of("application/xml", data);
}

pub fn links_hls(data: &[u8]) {
    links_of("application/vnd.apple.mpegurl", data);
}

/// Records come in order, and an error ends them.
pub fn warc_read(data: &[u8]) {
    let mut reader = Reader::new("fuzzed", data).hashing();
    let (mut before, mut count) = (0, 0);
    while let Ok(Some(mut record)) = reader.next_record() {
        assert!(record.offset() >= before && record.offset() <= data.len() as u64);
        before = record.offset();
        let mut block = 0;
        // A few bytes may inflate to very many.
        if record.header.content_length().is_some_and(|n| n < 1 << 20) {
            let _ = record.each_piece(|piece| block += piece.len());
            let Ok(extent) = record.finish() else {
                break;
            };
            assert!(extent.offset + extent.length <= data.len() as u64);
        } else {
            let _ = record.block(4096);
            break;
        }
        count += 1;
        assert!(count <= data.len(), "more records than bytes");
    }
}

/// A line that is an entry is written as one that is the same entry.
pub fn cdxj_line(data: &[u8]) {
    let Ok(line) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(entry) = line.parse::<CdxjEntry>() {
        let again = entry.to_string().parse::<CdxjEntry>();
        assert_eq!(again.ok().as_ref(), Some(&entry));
    }
}

/// Any bytes are rules, and rules are walked in time.
pub fn robots(data: &[u8]) {
    let robots = Robots::parse(data);
    for agent in ["lastlight", "*", ""] {
        let rules = robots.rules_for(agent);
        for path in ["/", "/a/b.html?q=1", "/%C3%A4/aaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
            assert_eq!(rules.verdict(path), robots.verdict(agent, path));
        }
    }
}

/// Frames inflate step by step, with the dictionary that the bytes may begin with.
pub fn zstd_frame(data: &[u8]) {
    let dictionary = Dictionary::at_start(data).expect("memory has no I/O errors");
    let dictionary = dictionary.and_then(Result::ok);
    let Ok(mut decoder) = FrameDecoder::new(dictionary.as_ref()) else {
        return;
    };
    let (mut rest, mut out) = (data, [0; 4096]);
    for _ in 0..1000 {
        let Ok(step) = decoder.step(rest, &mut out) else {
            return;
        };
        assert!(step.used <= rest.len() && step.made <= out.len());
        rest = &rest[step.used..];
        if step.used == 0 && step.made == 0 {
            return;
        }
    }
}
