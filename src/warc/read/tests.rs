#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::time::WarcDate;
use crate::warc::coding::{Coder, Coding};
use crate::warc::frame::{Dictionary, tests::TRAINED};
use crate::warc::member::Compressor;
use crate::warc::member::PayloadKind;
use crate::warc::{Draft, RecordType, Version};

fn record(block: &[u8]) -> Vec<u8> {
    let date: WarcDate = "2026-11-22T02:28:46Z".parse().unwrap();
    Draft::new(Version::V1_1, &RecordType::Resource, date)
        .field("WARC-Target-URI", "urn:test")
        .field("Content-Type", "text/plain")
        .record(block)
}

fn gzip(records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut compressor = Compressor::default();
    for record in records {
        compressor.member(record, &mut out);
    }
    out
}

fn zstd(records: &[Vec<u8>], dictionary: Option<Dictionary>) -> Vec<u8> {
    let coding = Coding::Zstd {
        level: 3,
        dictionary,
    };
    let mut out = coding.preamble();
    let mut coder = Coder::new(&coding);
    for record in records {
        coder.record(record, PayloadKind::Plain, &mut out);
    }
    out
}

/// Blocks and extents up to the end or the first error.
fn read_all(bytes: &[u8]) -> (Vec<(Vec<u8>, Extent)>, Option<ReadError>) {
    let mut reader = Reader::new("test.warc", bytes).hashing();
    let mut all = Vec::new();
    loop {
        let mut record = match reader.next_record() {
            Ok(Some(record)) => record,
            Ok(None) => return (all, None),
            Err(error) => return (all, Some(error)),
        };
        let read = record
            .block(usize::MAX)
            .and_then(|block| Ok((block, record.finish()?)));
        match read {
            Ok(read) => all.push(read),
            Err(error) => return (all, Some(error)),
        }
    }
}

#[test]
fn extents_cover_the_file_without_gap_and_hash_the_stored_bytes() {
    let records = [record(b"one"), record(&vec![9; 200_000]), record(b"")];
    for file in [records.concat(), gzip(&records)] {
        let (read, error) = read_all(&file);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(read.len(), 3);
        let mut at = 0;
        for (_, extent) in &read {
            assert_eq!(extent.offset, at);
            assert!(extent.irregular.is_empty());
            let stored = &file[at as usize..(at + extent.length) as usize];
            assert_eq!(extent.sha256, Some(Digest::sha256(stored)));
            at += extent.length;
        }
        assert_eq!(at, file.len() as u64);
        assert_eq!(read[1].0, vec![9; 200_000]);
    }
}

#[test]
fn header_order_case_folding_and_version_do_not_matter() {
    let file = b"warc/1.0\r\ncontent-length:  3 \r\nWARC-TYPE: Resource\nx-a: 1\r\nX-A: 2\r\n\
        warc-target-uri: <http://a.example/>\r\n\r\nabc\r\n\r\n\r\n";
    let mut reader = Reader::new("t", &file[..]);
    let mut record = reader.next_record().unwrap().unwrap();
    assert_eq!(record.header.record_type(), RecordType::Resource);
    assert_eq!(record.header.target_uri(), Some("http://a.example/"));
    assert_eq!(record.header.values("x-a").collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(record.block(10).unwrap(), b"abc");
    assert!(record.finish().is_ok());
    assert!(reader.next_record().unwrap().is_none());
}

#[test]
fn every_cut_is_an_error_and_keeps_the_records_before_it() {
    let records = [record(b"first"), record(b"second and last")];
    for file in [records.concat(), gzip(&records)] {
        let first = read_all(&file).0[0].1.length as usize;
        for end in 1..file.len() {
            let (read, error) = read_all(&file[..end]);
            if end == first {
                assert_eq!((read.len(), error.is_none()), (1, true));
                continue;
            }
            // In a plain file, what is cut may be just the closing line ends.
            let irregular = read.iter().any(|(_, extent)| !extent.irregular.is_empty());
            assert!(
                error.is_some() || irregular,
                "cut at {end} of {}",
                file.len()
            );
            assert!(read.len() >= usize::from(end > first));
        }
    }
}

fn arc(url: &str, kind: &str, content: &[u8]) -> Vec<u8> {
    let line = format!("{url} 192.0.2.1 20060131101500 {kind} {}\n", content.len());
    [line.as_bytes(), content, b"\n"].concat()
}

#[test]
fn arcs_are_read_as_records_of_what_they_hold_plain_and_gzip() {
    let about = b"1 0 Somebody\nURL IP-address Archive-date Content-type Archive-length\n";
    let page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nhello\n\n";
    let records = [
        arc("filedesc://a.arc", "text/plain", about),
        arc("http://a.example/", "text/html", page),
        arc("dns:a.example", "text/dns", b"192.0.2.1"),
        arc("http://a.example/empty", "no-type", b""),
    ];
    for (file, is_gzip) in [(records.concat(), false), (gzip(&records), true)] {
        let (read, error) = read_all(&file);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(read[1].0, page);
        assert!(read.iter().all(|(_, extent)| extent.irregular.is_empty()));
        let mut reader = Reader::new("a.arc", file.as_slice());
        for (at, kind) in ["warcinfo", "response", "resource", "resource"]
            .iter()
            .enumerate()
        {
            let record = reader.next_record().unwrap().unwrap();
            assert_eq!(record.header.record_type().as_str(), *kind);
            assert!(record.header.is_arc() && record.header.record_id().is_none());
            assert_eq!(
                record.finish().unwrap(),
                Extent {
                    sha256: None,
                    ..read[at].1.clone()
                }
            );
        }
        assert!(reader.next_record().unwrap().is_none());
        // Each is found again by its offset.
        let offset = read[1].1.offset;
        let mut there = Reader::at("a.arc", &file[offset as usize..], offset).with_arc(true);
        let record = there.next_record().unwrap().unwrap();
        assert_eq!(record.header.target_uri(), Some("http://a.example/"));
        assert_eq!(record.header.content_length(), Some(page.len() as u64));
        for end in 1..file.len() {
            let (before, error) = read_all(&file[..end]);
            assert!(before.len() <= 4 && (error.is_some() || !is_gzip || before.len() < 4));
        }
    }
    // Several in one member, and what isn't one between two.
    let shared = gzip(&[records.concat()]);
    let (read, error) = read_all(&shared);
    assert!(error.is_none() && read.len() == 4, "{error:?}");
    assert_eq!(read[3].1.irregular, [Irregular::SharesMember]);
    for between in [&b"JUNK JUNK\n"[..], &record(b"of a WARC")] {
        let file = [&records[0], &records[1], between, &records[2]].concat();
        for file in [file.clone(), gzip(&[file])] {
            let (read, error) = read_all(&file);
            assert_eq!((read.len(), error.is_some()), (2, true));
        }
    }
    // In a WARC a line of an ARC is none of a record.
    let file = [record(b"of a WARC"), records[1].clone(), record(b"other")].concat();
    let (read, error) = read_all(&file);
    assert_eq!(read.len(), 1);
    assert!(matches!(error, Some(ReadError::NotARecord { .. })));
    let bad = b"filedesc://a.arc 192.0.2.1 20060131101500 text/plain -1\n";
    assert!(matches!(
        read_all(bad).1,
        Some(ReadError::NotARecord { offset: 0, .. })
    ));
}

#[test]
fn several_records_in_one_member_are_read_and_flagged() {
    let file = gzip(&[[record(b"one"), record(b"two")].concat()]);
    let (read, error) = read_all(&file);
    assert!(error.is_none(), "{error:?}");
    let blocks: Vec<_> = read.iter().map(|(block, _)| block.as_slice()).collect();
    assert_eq!(blocks, [&b"one"[..], b"two"]);
    assert_eq!(read[1].1.irregular, [Irregular::SharesMember]);
}

#[test]
fn a_gzip_header_with_extra_field_name_and_comment_is_read() {
    let plain = gzip(&[record(b"x")]);
    let mut file = vec![0x1f, 0x8b, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 3];
    file.extend_from_slice(&[4, 0, b's', b'l', 0, 0]);
    file.extend_from_slice(b"name\0comment\0");
    file.extend_from_slice(&plain[10..]);
    let (read, error) = read_all(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read[0].1.length, file.len() as u64);
}

#[test]
fn flipped_bits_never_panic() {
    let file = gzip(&[record(b"first"), record(b"second")]);
    for bit in 0..file.len() * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        read_all(&file);
    }
}

#[test]
fn other_files_are_told_by_their_first_bytes() {
    let (_, error) = read_all(b"%PDF-1.7\n...");
    assert!(
        matches!(error, Some(ReadError::NotARecord { offset: 0, .. })),
        "{error:?}"
    );
    assert!(read_all(b"").1.is_none());
}

#[test]
fn zstandard_frames_read_as_gzip_members_do() {
    let records = [record(b"one"), record(&vec![9; 200_000]), record(b"")];
    for dictionary in [None, Some(Dictionary::new(TRAINED).unwrap())] {
        let file = zstd(&records, dictionary.clone());
        let (read, error) = read_all(&file);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(read.len(), 3);
        let preamble = dictionary.as_ref().map_or(0, |d| d.frame().len() as u64);
        let mut end = preamble;
        for ((block, extent), stored) in read.iter().zip(&records) {
            assert!(stored.windows(block.len().max(1)).any(|w| w == block) || block.is_empty());
            assert_eq!(extent.offset, end);
            assert_eq!(extent.irregular, []);
            end += extent.length;
            let at = extent.offset as usize;
            let bytes = &file[at..end as usize];
            assert_eq!(extent.sha256, Some(Digest::sha256(bytes)));
            // As an index has it: from its offset, with the file's dictionary.
            let mut reader =
                Reader::at("part", &file[at..], extent.offset).with_dictionary(dictionary.clone());
            let mut one = reader.next_record().unwrap().unwrap();
            assert_eq!(one.block(usize::MAX).unwrap(), *block);
        }
        assert_eq!(end, file.len() as u64);
    }
}

#[test]
fn a_record_may_span_frames_and_other_frames_are_passed_over() {
    let (one, two) = (record(&[b'x'; 5000]), record(b"two"));
    let extension = [&[0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"any"].concat();
    for cut in [10, 1000, one.len() - 3, one.len() - 1] {
        let parts = [one[..cut].to_vec(), one[cut..].to_vec()];
        let file = [
            zstd(&parts, None),
            extension.clone(),
            zstd(std::slice::from_ref(&two), None),
        ]
        .concat();
        let (read, error) = read_all(&file);
        assert!(error.is_none(), "{error:?}");
        let blocks: Vec<usize> = read.iter().map(|(block, _)| block.len()).collect();
        assert_eq!(blocks, [5000, 3], "cut at {cut}");
        assert!(read.iter().all(|(_, extent)| extent.irregular.is_empty()));
        let last = &read[1].1;
        assert_eq!(last.offset + last.length, file.len() as u64);
    }
}

#[test]
fn an_unclosed_record_does_not_swallow_the_next_frame() {
    let mut one = record(b"one");
    one.truncate(one.len() - 4);
    let file = zstd(&[one.clone(), record(b"two")], None);
    let (read, error) = read_all(&file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(read.len(), 2);
    assert_eq!(read[0].1.irregular, [Irregular::NoRecordEnd]);
    assert_eq!(read[1].1.offset, read[0].1.length);
    one.truncate(one.len() - 2);
    let (_, error) = read_all(&zstd(&[one, record(b"two")], None));
    assert!(
        matches!(error, Some(ReadError::Truncated { missing: 2, .. })),
        "{error:?}"
    );
}

#[test]
fn frames_cut_at_every_byte_are_errors_or_shorter_and_never_whole() {
    let dictionary = Dictionary::new(TRAINED).unwrap();
    let preamble = dictionary.frame().len() as u64;
    let file = zstd(&[record(b"one"), record(b"two")], Some(dictionary));
    assert!(read_all(&file).1.is_none());
    for cut in 0..file.len() {
        let (read, error) = read_all(&file[..cut]);
        assert!(read.len() < 2, "cut at {cut}");
        let end = read.last().map(|(_, e)| e.offset + e.length);
        let boundary = end.unwrap_or(if cut == 0 { 0 } else { preamble });
        assert!(error.is_some() || boundary == cut as u64, "cut at {cut}");
    }
}

#[test]
fn a_bit_that_flips_in_a_frame_never_gives_other_bytes() {
    let file = zstd(&[record(&[b'a'; 300])], None);
    let mut unnoticed = 0;
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (read, error) = read_all(&damaged);
        if error.is_none() {
            let blocks: Vec<&[u8]> = read.iter().map(|(block, _)| &block[..]).collect();
            assert_eq!(blocks, [&[b'a'; 300]], "bit {bit}");
            unnoticed += 1;
        }
    }
    // Reserved and padding bits mean nothing; records.csv finds those.
    assert!(unnoticed < 16, "{unnoticed}");
}

/// Bytes that don't get shorter, the same on every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 20_261_122_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(next).collect()
}

/// Gives at most so many bytes at a time, and fails after the last if told to.
struct Dribble<'b> {
    bytes: &'b [u8],
    most: usize,
    fails: bool,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && self.fails {
            return Err(io::Error::other("the disk fails here"));
        }
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

/// What is read of a file, in words: blocks by their digests.
fn told(source: impl Read) -> Vec<String> {
    let mut reader = Reader::new("test.warc", source).hashing();
    let mut all = Vec::new();
    loop {
        let read = match reader.next_record() {
            Ok(Some(mut record)) => record
                .block(usize::MAX)
                .and_then(|block| Ok((block, record.finish()?))),
            Ok(None) => return all,
            Err(error) => Err(error),
        };
        match read {
            Ok((block, extent)) => all.push(format!("{} {extent:?}", Digest::sha256(&block))),
            Err(error) => {
                all.push(error.to_string());
                return all;
            }
        }
    }
}

#[test]
fn members_around_the_bound_between_one_piece_and_a_stream_read_alike() {
    let (stored, inflated) = (1024 * 1024, 4 * 1024 * 1024);
    let mut blocks = vec![b"first".to_vec()];
    blocks.extend([stored - 600, stored - 300, stored, stored + 1].map(noise));
    blocks.extend([inflated - 300, inflated - 200, inflated, inflated + 1].map(|n| vec![7; n]));
    blocks.push(b"last".to_vec());
    let records: Vec<Vec<u8>> = blocks.iter().map(|block| record(block)).collect();
    let file = gzip(&records);
    for most in [usize::MAX, 10_007] {
        let source = Dribble {
            bytes: &file,
            most,
            fails: false,
        };
        let mut at = 0;
        let mut reader = Reader::new("test.warc", source).hashing();
        for block in &blocks {
            let mut record = reader.next_record().unwrap().unwrap();
            assert!(record.block(usize::MAX).unwrap() == *block);
            let extent = record.finish().unwrap();
            assert_eq!(extent.offset, at);
            assert_eq!(extent.irregular, []);
            let end = at + extent.length;
            let bytes = &file[at as usize..end as usize];
            assert_eq!(extent.sha256, Some(Digest::sha256(bytes)));
            at = end;
        }
        assert!(reader.next_record().unwrap().is_none());
        assert_eq!(at, file.len() as u64);
    }
}

#[test]
fn a_checksum_or_a_length_that_lies_is_told_of_members_in_one_piece_and_of_streams() {
    for block in [b"small".to_vec(), noise(2 * 1024 * 1024)] {
        let first = gzip(&[record(b"first")]);
        let file = [first.clone(), gzip(&[record(&block)])].concat();
        for back in 1..=8 {
            let mut lying = file.clone();
            let at = lying.len() - back;
            lying[at] ^= 0x40;
            let (read, error) = read_all(&lying);
            assert_eq!(read.len(), 1);
            let error = error.unwrap();
            assert!(matches!(error, ReadError::Gzip { .. }), "{error}");
            assert_eq!(error.offset(), first.len() as u64);
            let reason = if back > 4 {
                "data check"
            } else {
                "length check"
            };
            assert!(error.to_string().contains(reason), "{error}");
        }
    }
}

#[test]
fn what_is_read_does_not_depend_on_how_the_bytes_come() {
    let records = [record(b"first"), record(&noise(300)), record(b"last")];
    for file in [gzip(&records), records.concat(), zstd(&records, None)] {
        for end in 0..=file.len() {
            let dribble = |most| Dribble {
                bytes: &file[..end],
                most,
                fails: false,
            };
            let whole = told(&file[..end]);
            assert_eq!(told(dribble(1)), whole, "cut at {end}");
            assert_eq!(told(dribble(13)), whole, "cut at {end}");
        }
    }
    // Larger than what is read ahead.
    let records = [noise(90_000), noise(1_200_000), noise(40_000)].map(|block| record(&block));
    let file = gzip(&records);
    for end in (0..=file.len()).step_by(49_999) {
        let dribble = Dribble {
            bytes: &file[..end],
            most: 4001,
            fails: false,
        };
        assert_eq!(told(dribble), told(&file[..end]), "cut at {end}");
    }
}

#[test]
fn reading_ahead_that_fails_takes_no_record_that_could_be_read() {
    let records = [record(b"first"), record(b"second"), record(&noise(5000))];
    for file in [gzip(&records), records.concat(), zstd(&records, None)] {
        let whole = told(&file[..]);
        let second = read_all(&file).0[1].1.clone();
        let end = (second.offset + second.length) as usize;
        let fails = Dribble {
            bytes: &file[..end + 100],
            most: usize::MAX,
            fails: true,
        };
        let read = told(fails);
        assert_eq!(read[..2], whole[..2]);
        assert_eq!(read.len(), 3);
        assert!(read[2].contains("the disk fails here"), "{}", read[2]);
    }
}

#[test]
fn a_gzip_header_with_a_checksum_of_its_own_is_held_to_it() {
    let plain = gzip(&[record(b"x")]);
    let header = [&plain[..3], &[2], &plain[4..10]].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = (crc.sum() as u16).to_le_bytes();
    let file = [&header[..], &sum, &plain[10..]].concat();
    assert!(read_all(&file).1.is_none());
    let file = [&header[..], &[sum[0], !sum[1]], &plain[10..]].concat();
    let (read, error) = read_all(&file);
    assert!(read.is_empty());
    assert!(matches!(error, Some(ReadError::Gzip { .. })), "{error:?}");
}
