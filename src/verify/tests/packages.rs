//! Bags and WACZs.

use super::*;

#[test]
fn any_one_bit_of_a_bags_tag_files_is_found() {
    let root = tempfile::tempdir().unwrap();
    bag(root.path());
    let report = check(root.path());
    assert_eq!(rules(&report), [], "{:?}", report.findings.kept());
    let fixity = fixity_only();
    for path in crate::snapshot::manifest::files_below(root.path()).unwrap() {
        if path.starts_with("data/") {
            continue;
        }
        let file = root.path().join(&path);
        let good = fs::read(&file).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &bad).unwrap();
            let report = verify(root.path(), &fixity, &mut |_| ()).unwrap();
            assert_eq!(report.verdict(), Verdict::Altered, "bit {bit} of {path}");
        }
        fs::write(&file, &good).unwrap();
    }
}

#[test]
fn a_bag_that_must_be_fetched_or_lost_payload_is_refused() {
    let root = tempfile::tempdir().unwrap();
    bag(root.path());
    fs::write(
        root.path().join("fetch.txt"),
        "http://a.example/ 1 data/x\n",
    )
    .unwrap();
    fs::write(root.path().join("data/more"), "x").unwrap();
    let found = rules_of(root.path());
    for rule in ["bag-fetch", "bag-oxum", "file-extra"] {
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
    }
}

#[test]
fn a_wacz_is_verified_in_place_and_no_flipped_bit_panics_or_passes_in_a_file() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::remove_dir_all(root.path().join("state")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.wacz");
    wacz(root.path(), &path);
    let report = check(&path);
    assert_eq!(rules(&report), [], "{:?}", report.findings.kept());
    assert_eq!((report.records, report.rows), (5, 5));
    let good = fs::read(&path).unwrap();
    let warc = fs::read(root.path().join(WARC)).unwrap();
    let start = good.windows(warc.len()).position(|w| w == warc).unwrap();
    for byte in 0..good.len() {
        let mut bad = good.clone();
        bad[byte] ^= 1 << (byte % 8);
        fs::write(&path, &bad).unwrap();
        match verify(&path, &Options::default(), &mut |_| ()) {
            Ok(report) if (start..start + warc.len()).contains(&byte) => {
                let found = rules(&report);
                assert!(
                    found.contains(&(Severity::Error, "record-altered")),
                    "byte {byte}"
                );
                assert!(found.contains(&(Severity::Error, "zip-crc")), "byte {byte}");
            }
            Ok(_) => {}
            Err(error) => panic!("byte {byte}: {error}"),
        }
    }
}

#[test]
fn a_zip_has_no_byte_beside_its_entries_and_no_name_twice() {
    use std::io::Write as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.wacz");
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    for name in ["aa", "bb"] {
        let options = zip::write::SimpleFileOptions::default();
        zip.start_file(name, options).unwrap();
        zip.write_all(b"content").unwrap();
    }
    zip.finish().unwrap();
    let good = fs::read(&path).unwrap();
    let told = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let found = zip_structure::irregular(&fs::File::open(&path).unwrap()).unwrap();
        let told: Vec<String> = found.into_iter().map(|found| found.message).collect();
        told.join("; ")
    };
    assert_eq!(told(&good), "");
    assert!(told(&[&good[..], b"more"].concat()).contains("end record"));
    assert!(told(&[b"more", &good[..]].concat()).contains("4 bytes at byte 0"));
    let twice: Vec<u8> = good
        .iter()
        .map(|&b| if b == b'b' { b'a' } else { b })
        .collect();
    assert!(told(&twice).contains("more than once"));
}

#[test]
fn a_bag_of_loose_warcs_is_checked_and_its_warcs_are_read() {
    let root = tempfile::tempdir().unwrap();
    let warc = response(URLS[0], b"x");
    fs::create_dir(root.path().join("data")).unwrap();
    fs::write(root.path().join("data/a.warc"), &warc).unwrap();
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    fs::write(root.path().join("bagit.txt"), declaration).unwrap();
    let line = format!("{}  data/a.warc\n", Digest::sha256(&warc).hex());
    fs::write(root.path().join("manifest-sha256.txt"), line).unwrap();
    let report = check(root.path());
    assert_eq!(errors(&report), [""; 0]);
    assert_eq!(report.records, 1);
    let named = Location::file("a\nb").to_string();
    assert_eq!(named, "a\\nb");
}
