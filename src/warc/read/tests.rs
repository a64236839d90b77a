#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::time::WarcDate;
use crate::warc::member::Compressor;
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
