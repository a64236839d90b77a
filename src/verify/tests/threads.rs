use super::*;

/// Nine WARCs with small and large records; of every third record the payload
/// digest is wrong, and the fourth file is damaged in its middle.
fn folder(root: &Path) {
    for file in 0..9 {
        let mut warc = Vec::new();
        for number in 0..40 {
            let url = format!("http://a.example/{file}/{number}");
            let size = if number == 20 { 3 << 20 } else { 5000 };
            let payload: Vec<u8> = (0..size).map(|n: u64| (n * n / 7 + number) as u8).collect();
            let mut record = response(&url, &payload);
            if number % 3 == 0 {
                let at = record.len() - 9;
                record[at] ^= 1;
            }
            Compressor::default().member(&record, &mut warc);
        }
        if file == 3 {
            let middle = warc.len() / 2;
            warc[middle] ^= 0x55;
        }
        fs::write(root.join(format!("{file}.warc.gz")), warc).unwrap();
    }
}

#[test]
fn findings_stand_in_the_order_of_files_and_records_however_many_threads_read() {
    let scratch = tempfile::tempdir().unwrap();
    folder(scratch.path());
    let verified = || verify(scratch.path(), &Options::default(), &mut |_| ()).unwrap();
    let first = verified();
    assert_eq!((first.warcs, first.records, first.digests), (9, 359, 718));
    let places: Vec<(String, u64)> = first
        .findings
        .kept()
        .iter()
        .map(|finding| {
            (
                finding.location.path.clone(),
                finding.location.offset.unwrap(),
            )
        })
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    let counts: Vec<(&str, u64)> = first
        .findings
        .counts()
        .map(|(_, rule, n)| (rule, n))
        .collect();
    assert_eq!(
        counts,
        [
            ("block-digest", 126),
            ("gzip-damaged", 1),
            ("payload-digest", 126)
        ]
    );
    for _ in 0..5 {
        let again = verified();
        assert_eq!(again.findings.kept(), first.findings.kept());
        assert_eq!(again.bytes, first.bytes);
    }
}

#[test]
fn the_index_of_a_folder_holds_every_record_around_the_damage() {
    let scratch = tempfile::tempdir().unwrap();
    folder(scratch.path());
    let warcs = Holdings::of(scratch.path()).unwrap().warcs;
    let mut sorter = LineSorter::default();
    let mut most = 0;
    let damage = crate::snapshot::indexing::index(&warcs, &mut sorter, false, |bytes| {
        assert!(bytes >= most);
        most = bytes;
    });
    let damage = damage.unwrap();
    assert_eq!(damage.len(), 1);
    assert_eq!((damage[0].warc, damage[0].places), (3, 1));
    assert!(damage[0].first[0].contains("3.warc.gz"), "{damage:?}");
    let mut lines = Vec::new();
    sorter.write_to(&mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    assert_eq!(lines.lines().count(), 359);
}
