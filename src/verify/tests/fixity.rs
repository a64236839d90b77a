//! Every changed, cut, missing or added byte is found, and the record named.

use super::*;

#[test]
fn any_one_bit_of_any_file_is_found_and_in_a_warc_its_record_is_named() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let rows = fs::read_to_string(layout.path(RECORDS)).unwrap();
    let records: Vec<(u64, u64, String)> = rows
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            let number = |at: usize| columns[at].parse().unwrap();
            (number(1), number(2), columns[3].to_owned())
        })
        .collect();
    for path in crate::snapshot::manifest::files_below(root.path()).unwrap() {
        let file = layout.path(&path);
        let good = fs::read(&file).unwrap();
        // What only a digest guards is tried at one bit a byte.
        let every_bit = path == WARC || path.starts_with("datapackage-digest");
        let bits = (0..good.len() * 8).filter(|bit| every_bit || bit % 8 == bit / 8 % 8);
        for bit in bits {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&file, &bad).unwrap();
            let report = verify(root.path(), &fixity_only(), &mut |_| ()).unwrap();
            let mut errors = report
                .findings
                .kept()
                .iter()
                .filter(|finding| finding.severity == Severity::Error);
            if path == WARC {
                let at = bit as u64 / 8;
                let (offset, _, id) = records
                    .iter()
                    .find(|(offset, length, _)| (*offset..offset + length).contains(&at))
                    .unwrap();
                assert!(
                    errors.any(|finding| finding.rule == "record-altered"
                        && finding.location.path == path
                        && finding.location.offset == Some(*offset)
                        && finding.location.record_id.as_ref() == Some(id)),
                    "bit {bit} of {path}"
                );
            } else {
                let named = |finding: &Finding| {
                    finding.location.path == path
                        || (path.starts_with("datapackage")
                            && finding.location.path.starts_with("datapackage"))
                };
                assert!(errors.any(named), "bit {bit} of {path}");
            }
        }
        fs::write(&file, &good).unwrap();
    }
    assert_eq!(check(root.path()).verdict(), Verdict::IntactUnsigned);
}

#[test]
fn every_cut_of_a_warc_names_the_first_record_that_it_cuts() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(WARC);
    let good = fs::read(&file).unwrap();
    let rows = fs::read_to_string(root.path().join(RECORDS)).unwrap();
    let ends: Vec<(u64, u64)> = rows
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<&str> = line.split(',').collect();
            let number = |at: usize| columns[at].parse::<u64>().unwrap();
            (number(1), number(1) + number(2))
        })
        .collect();
    for cut in 0..good.len() {
        fs::write(&file, &good[..cut]).unwrap();
        let report = check(root.path());
        let first = report
            .findings
            .kept()
            .iter()
            .find(|finding| finding.rule == "record-truncated")
            .unwrap();
        let (offset, _) = ends.iter().find(|(_, end)| *end > cut as u64).unwrap();
        assert_eq!(first.location.offset, Some(*offset), "cut at {cut}");
        assert_eq!(first.location.path, WARC);
    }
}

#[test]
fn missing_extra_and_altered_files_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    fs::write(root.path().join("reports/extra.txt"), "x").unwrap();
    fs::remove_file(root.path().join(PAGES)).unwrap();
    fs::write(root.path().join("state/lock"), "never deposited").unwrap();
    let report = check(root.path());
    let found: Vec<_> = report
        .findings
        .kept()
        .iter()
        .map(|finding| (finding.rule, finding.location.path.as_str()))
        .collect();
    assert_eq!(
        found,
        [("file-missing", PAGES), ("file-extra", "reports/extra.txt")]
    );
}

#[test]
fn rows_that_leave_bytes_out_or_overlap_are_errors() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(RECORDS);
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        lines.join("\n")
    };
    for (text, rule) in [
        (without(3), "records-gap"),
        (without(5), "records-gap"),
        (format!("{good}{}\n", lines[2]), "records-overlap"),
        (lines[0].to_owned(), "records-gap"),
    ] {
        fs::write(&file, text).unwrap();
        reseal_files(root.path());
        let found = rules(&check(root.path()));
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
        assert!(
            found.contains(&(Severity::Error, "record-root")),
            "{found:?}"
        );
    }
}

#[test]
fn damage_to_one_record_hides_no_other() {
    let records: Vec<Vec<u8>> = std::iter::once(warcinfo())
        .chain(URLS.iter().map(|url| response(url, url.as_bytes())))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let mut compressor = Compressor::default();
    for (name, gzip) in [("x.warc.gz", true), ("x.warc", false)] {
        let mut file = Vec::new();
        let mut second = 0;
        for (at, record) in records.iter().enumerate() {
            if at == 1 {
                second = file.len();
            }
            if gzip {
                compressor.member(record, &mut file);
            } else {
                file.extend_from_slice(record);
            }
        }
        let path = directory.path().join(name);
        file[second] ^= 0x10;
        fs::write(&path, &file).unwrap();
        let report = check(&path);
        assert_eq!(report.records, 2, "{name}: {:?}", report.findings.kept());
        assert_eq!(report.findings.count(Severity::Error), 1);
        let finding = &report.findings.kept()[0];
        assert_eq!(finding.location.offset, Some(second as u64));
        assert!(
            finding.message.contains("reading goes on"),
            "{}",
            finding.message
        );
        assert_eq!(report.verdict(), Verdict::Altered);
    }
}

#[test]
fn links_in_a_snapshot_are_errors_and_a_socket_is_no_file() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    std::os::unix::fs::symlink("/", root.path().join("pages/extra")).unwrap();
    assert_eq!(errors(&check(root.path())), ["file-special"]);
    let socket = root.path().join("x.warc");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let error = verify(&socket, &Options::default(), &mut |_| ()).unwrap_err();
    assert!(matches!(error, SnapshotError::Unknown { .. }), "{error}");
}

#[test]
fn thousands_of_records_longer_than_the_file_are_given_up_soon() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.warc");
    let record = "WARC/1.1\r\nContent-Length: 99999999999\r\n\r\n";
    fs::write(&path, record.repeat(100_000)).unwrap();
    let report = check(&path);
    assert_eq!(report.verdict(), Verdict::Altered);
    assert!(report.findings.count(Severity::Error) < 20);
}

#[test]
fn a_manifest_of_files_without_path_is_given_up() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let bomb = format!(
        "{{\"profile\": \"\", \"resources\": [{}",
        "{\"path\":\"\"},".repeat(2000)
    );
    fs::write(root.path().join("datapackage.json"), bomb).unwrap();
    let report = check(root.path());
    assert!(report.findings.kept()[..].iter().any(|finding| {
        finding.rule == "manifest-malformed" && finding.message.contains("more files")
    }));
}
