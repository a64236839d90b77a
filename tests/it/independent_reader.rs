//! The `warc` crate, another maker's reader, finds the records that
//! records.csv lists.

use std::collections::BTreeMap;
use std::io::BufReader;

use warc::WarcReader;

use crate::harness::captured;

#[test]
fn another_reader_counts_the_same_records_by_type() {
    let snapshot = &captured().snapshot;
    let warc = snapshot.warcs().remove(0);
    let file = std::fs::File::open(&warc).unwrap();
    let gzip = flate2::bufread::MultiGzDecoder::new(BufReader::new(file));
    let mut theirs: BTreeMap<String, u64> = BTreeMap::new();
    let mut ids = Vec::new();
    for record in WarcReader::new(BufReader::new(gzip)).iter_records() {
        let record = record.unwrap();
        *theirs.entry(record.warc_type().to_string()).or_default() += 1;
        ids.push(record.warc_id().to_owned());
    }
    let mut ours: BTreeMap<String, u64> = BTreeMap::new();
    for record in snapshot.records() {
        *ours.entry(record.kind().to_owned()).or_default() += 1;
    }
    assert_eq!(theirs, ours);
    let rows = snapshot.rows("metadata/records.csv");
    let listed: Vec<_> = rows.iter().map(|row| row["record_id"].clone()).collect();
    assert_eq!(ids, listed, "in the order of the WARC");
    assert_eq!(theirs["response"], theirs["request"]);
}

#[test]
fn records_csv_names_where_each_record_stands() {
    let snapshot = &captured().snapshot;
    let rows = snapshot.rows("metadata/records.csv");
    let records = snapshot.records();
    assert_eq!(rows.len(), records.len());
    for (row, record) in rows.iter().zip(records) {
        assert_eq!(row["offset"], record.offset.to_string());
        assert_eq!(row["length"], record.length.to_string());
        assert_eq!(Some(&*row["record_id"]), record.field("WARC-Record-ID"));
    }
}
