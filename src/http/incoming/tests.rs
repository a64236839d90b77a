//! The table of malformed answers without a wire: however their bytes come,
//! and wherever they end.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::{BufReader, Read};
use std::sync::LazyLock;

use super::*;
use crate::http::coding::{Bounds, Decoded};
use crate::http::{Dechunked, MAX_HEAD_BYTES, dechunk};

#[path = "../../../tests/it/malformed.rs"]
#[expect(dead_code, reason = "the black-box tests use the rest")]
mod malformed;

use malformed::{Case, End, cases};

const BOUNDS: Bounds = Bounds {
    bytes: 32 << 20,
    ratio: 2000,
    codings: 4,
};

/// What was kept of an answer, and whether it was whole.
struct Answer {
    kept: Vec<u8>,
    whole: bool,
    found: Finished,
}

fn read<'p>(method: &str, pieces: impl Iterator<Item = &'p [u8]>, how: Close) -> Answer {
    let mut incoming = Incoming::new(method, MAX_HEAD_BYTES);
    let mut kept = Vec::new();
    for piece in pieces {
        incoming.feed(piece, &mut |bytes| kept.extend_from_slice(bytes));
    }
    let whole = incoming.close(how, &mut |bytes| kept.extend_from_slice(bytes));
    Answer {
        kept,
        whole,
        found: incoming.finish(),
    }
}

fn how(case: &Case) -> Close {
    match case.end {
        End::Close => Close::Fin,
        End::Reset => Close::Broken,
        End::Open => Close::Silence,
    }
}

/// The payload of what was kept, as scanning and replay read it.
fn entity(read: &Answer) -> Vec<u8> {
    let head = Head::parse(&read.kept[..read.found.head_length]);
    let body = &read.kept[read.found.head_length..];
    let mut entity = Vec::new();
    if head.is_chunked() {
        let buffered = BufReader::with_capacity(7, body);
        Dechunked::new(buffered).read_to_end(&mut entity).unwrap();
    } else {
        entity.extend_from_slice(body);
    }
    entity
}

/// Cuts at every byte, or at some where there are many.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let step = if length < 2000 {
        1
    } else {
        length.div_ceil(20)
    };
    (0..length).step_by(step)
}

/// The table without what is large.
fn small_cases() -> &'static [Case] {
    static SMALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let small = cases().into_iter().filter(|case| case.sends.len() < 2000);
        small.collect()
    });
    &SMALL
}

#[test]
fn every_malformed_answer_is_read_the_same_however_it_comes() {
    for case in cases() {
        for size in [1, 2, 7, 1000, 16 * 1024, usize::MAX] {
            if case.sends.len() / size > 10_000 {
                continue;
            }
            let pieces = case.sends.chunks(size.min(case.sends.len()));
            let read = read("GET", pieces, how(&case));
            assert!(read.kept == case.kept(), "{} by {size}", case.name);
            assert_eq!(read.whole, case.cut.is_none(), "{} by {size}", case.name);
            assert_eq!(read.found.headless, case.headless, "{}", case.name);
            let apart = [&read.found.interim[..], &read.found.stray].concat();
            assert_eq!(apart, case.apart, "{}", case.name);
            assert!(entity(&read) == case.entity, "{} by {size}", case.name);
            let head = Head::parse(&read.kept[..read.found.head_length]);
            assert_eq!(head.status(), case.status, "{}", case.name);
        }
    }
}

#[test]
fn content_codings_give_what_a_browser_shows() {
    let mut coded = 0;
    for case in cases() {
        let read = read("GET", std::iter::once(&case.sends[..]), how(&case));
        let head = Head::parse(&read.kept[..read.found.head_length]);
        if head.codings().is_empty() {
            continue;
        }
        coded += 1;
        let entity = entity(&read);
        let mut shown = Vec::new();
        let mut decoded = Decoded::new(&entity[..], &head.codings(), BOUNDS);
        decoded.read_to_end(&mut shown).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&shown),
            String::from_utf8_lossy(case.shown()),
            "{}",
            case.name
        );
    }
    assert!(coded >= 15, "{coded}");
}

#[test]
fn no_cut_of_a_malformed_answer_panics_loses_a_byte_or_is_called_whole_wrongly() {
    for case in cases() {
        let stated = Head::parse(&case.kept()).framing("GET");
        for end in cuts(case.sends.len()) {
            for close in [Close::Fin, Close::Broken, Close::Silence] {
                let read = read("GET", std::iter::once(&case.sends[..end]), close);
                let text = format!("{} cut at {end} by {close:?}", case.name);
                // Every byte is kept in the one place or the other.
                let found = read.found.interim.len() + read.found.stray.len() + read.kept.len();
                let beyond = case.cut.as_deref() == Some("length") && end >= MAX_HEAD_BYTES;
                assert!(found == end || beyond, "{text}: {found} of {end}");
                let head = Head::parse(&read.kept[..read.found.head_length]);
                let body = &read.kept[read.found.head_length..];
                if case.headless || read.found.headless {
                    assert!(!read.whole || close == Close::Fin, "{text}");
                } else if let (Framing::Length(length), true) = (stated, read.whole) {
                    assert!(body.len() as u64 >= length, "{text}");
                } else if let (Framing::Chunked, true) = (stated, read.whole) {
                    let plain = head.lengths().len() == 1 || close == Close::Fin;
                    assert!(dechunk(body).is_some() || plain, "{text}");
                }
                let mut decoded = Decoded::new(body, &head.codings(), BOUNDS);
                decoded.read_to_end(&mut Vec::new()).unwrap();
                let _ = (entity(&read), head.media_type(), head.charset());
            }
        }
    }
}

#[test]
fn a_head_request_has_no_body_whatever_is_said() {
    for fields in ["Content-Length: 5", "Transfer-Encoding: chunked", "X: y"] {
        let sent = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
        let read = read("HEAD", std::iter::once(sent.as_bytes()), Close::Silence);
        assert!(read.whole && read.kept == sent.as_bytes(), "{fields}");
    }
    let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let read = read("HEAD", std::iter::once(&sent[..]), Close::Fin);
    assert_eq!((read.whole, &read.kept[..]), (true, &sent[..]), "kept");
    assert_eq!(read.found.irregular, [Irregular::Surplus(5)]);
}

#[test]
fn interim_answers_without_end_are_cut_off() {
    let sent = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100_000);
    let mut incoming = Incoming::new("GET", 64 * 1024);
    for piece in sent.chunks(16 * 1024) {
        incoming.feed(piece, &mut |_| ());
    }
    assert!(incoming.is_too_long() && incoming.pending.len() < 100_000);
    assert_eq!(incoming.finish().interim.len(), MAX_APART);
}

#[test]
fn interim_answers_that_no_answer_follows_are_kept_in_its_place() {
    let sent = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    for close in [Close::Fin, Close::Broken, Close::Silence] {
        let mut incoming = Incoming::new("GET", MAX_HEAD_BYTES);
        incoming.feed(sent, &mut |_| ());
        assert!(!incoming.is_empty());
        let read = read("GET", sent.chunks(5), close);
        assert_eq!((read.whole, &read.kept[..]), (false, &sent[..]));
        assert_eq!(
            (read.found.head_length, &read.found.interim[..]),
            (25, &b""[..])
        );
        assert_eq!(read.found.irregular, []);
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Bytes of the table changed, taken out, doubled and moved: nothing
        /// panics, and nothing is kept that wasn't sent.
        #[test]
        fn mutated_answers_are_read(
            which in any::<prop::sample::Index>(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..8),
            size in 1usize..3000,
        ) {
            let case = which.get(small_cases());
            let mut sent = case.sends.clone();
            for (at, byte, kind) in edits {
                let at = at.index(sent.len().max(1)).min(sent.len().saturating_sub(1));
                match kind {
                    _ if sent.is_empty() => {}
                    0 => sent[at] = byte,
                    1 => { sent.remove(at); }
                    2 => sent.insert(at, byte),
                    _ => sent.rotate_left(at),
                }
            }
            let read = read("GET", sent.chunks(size), how(case));
            let total = read.kept.len() + read.found.interim.len() + read.found.stray.len();
            prop_assert_eq!(total, sent.len());
            let head = Head::parse(&read.kept[..read.found.head_length]);
            let entity = entity(&read);
            let mut decoded = Decoded::new(&entity[..], &head.codings(), BOUNDS);
            decoded.read_to_end(&mut Vec::new()).unwrap();
        }

        /// A body in any chunks, with any extensions and line ends, comes back.
        #[test]
        fn chunked_bodies_come_back(
            body in prop::collection::vec(any::<u8>(), 0..600),
            sizes in prop::collection::vec(1usize..80, 1..20),
            lf in any::<bool>(), padding in 0usize..5, extension in "(;[a-z]{0,5}(=[a-z0-9]{0,5})?)?",
        ) {
            let end = if lf { "\n" } else { "\r\n" };
            let mut sent = format!("HTTP/1.1 200 OK{end}Transfer-Encoding: chunked{end}{end}").into_bytes();
            let (mut rest, mut sizes) = (&body[..], sizes.iter().cycle());
            while !rest.is_empty() {
                let (chunk, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                sent.extend(format!("{}{:x}{extension}{end}", "0".repeat(padding), chunk.len()).bytes());
                sent.extend_from_slice(chunk);
                sent.extend_from_slice(end.as_bytes());
                rest = after;
            }
            sent.extend(format!("0{end}{end}").bytes());
            let read = read("GET", sent.chunks(9), Close::Silence);
            prop_assert!(read.whole && read.kept == sent);
            prop_assert_eq!(entity(&read), body);
        }
    }
}
