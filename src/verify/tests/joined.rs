//! Index, ledger, pages and rows are held against the records.

use super::*;

#[test]
fn an_index_that_says_something_else_is_told() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let file = root.path().join(INDEX);
    let good = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = good.lines().collect();
    for (text, rule) in [
        (format!("{}\n", lines[0]), "index-missing"),
        (format!("{}\n{}\n", lines[1], lines[0]), "index-order"),
        (
            good.replace("\"status\": \"200\"", "\"status\": \"404\""),
            "index-differs",
        ),
        (
            good.replace("\"offset\": \"", "\"offset\": \"1"),
            "index-dangling",
        ),
        (
            good.replace("20261122022846 {", "20261122022847 {"),
            "index-differs",
        ),
        (format!("{good}zz\n"), "index-line"),
    ] {
        fs::write(&file, text).unwrap();
        reseal_files(root.path());
        let found = rules(&check(root.path()));
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
    }
}

#[test]
fn a_ledger_that_says_something_else_is_told() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let file = fs::read(layout.path(LEDGER)).unwrap();
    let rows: Vec<LedgerRow> = crate::snapshot::ledger::read(Path::new("l"), &file[..])
        .collect::<Result<_, _>>()
        .unwrap();
    let changed = |change: fn(&mut LedgerRow)| {
        let mut rows = rows.clone();
        change(&mut rows[0]);
        rows
    };
    for (rows, rule) in [
        (rows[..1].to_vec(), "ledger-missing"),
        (rows.iter().rev().cloned().collect(), "ledger-order"),
        (changed(|row| row.place = None), "ledger-dangling"),
        (
            changed(|row| row.place.as_mut().unwrap().offset += 1),
            "ledger-dangling",
        ),
        (
            changed(|row| row.place.as_mut().unwrap().length += 1),
            "ledger-differs",
        ),
        (
            changed(|row| row.payload_digest = Digest::sha256(b"").to_string()),
            "ledger-differs",
        ),
        (changed(|row| row.state = State::Failed), "ledger-counts"),
    ] {
        write_ledger(&layout, &rows);
        reseal_files(root.path());
        let found = rules_of(root.path());
        assert!(
            found.contains(&(Severity::Error, rule)),
            "{rule}: {found:?}"
        );
    }
}

#[test]
fn an_honest_failure_of_the_site_is_a_note() {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let layout = Layout::new(root.path());
    let file = fs::read(layout.path(LEDGER)).unwrap();
    let mut rows: Vec<LedgerRow> = crate::snapshot::ledger::read(Path::new("l"), &file[..])
        .collect::<Result<_, _>>()
        .unwrap();
    let mut failed = rows[0].clone();
    failed.url = "http://z.example/".into();
    failed.state = State::Failed;
    failed.place = None;
    failed.reason = "no answer".into();
    rows.push(failed);
    write_ledger(&layout, &rows);
    let mut manifest = Holdings::of(root.path())
        .unwrap()
        .container
        .unwrap()
        .manifest()
        .unwrap()
        .unwrap();
    let seal = manifest.lastlight.as_mut().unwrap();
    seal.counts.add(State::Failed);
    manifest.write(&layout).unwrap();
    reseal_files(root.path());
    let report = check(root.path());
    assert_eq!(rules(&report), [(Severity::Note, "url-failed")]);
    assert_eq!(report.verdict(), Verdict::IntactUnsigned);
}

/// Rewrites a file of the snapshot, with a manifest made to fit.
fn rewritten(file: &str, edit: impl Fn(String) -> String) -> Vec<&'static str> {
    let root = tempfile::tempdir().unwrap();
    sealed(root.path());
    let path = root.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    let edited = edit(text.clone());
    assert_ne!(text, edited);
    fs::write(path, edited).unwrap();
    reseal_files(root.path());
    errors(&check(root.path()))
}

#[test]
fn the_ledger_says_what_the_records_say() {
    for (from, to) in [
        (",200,", ",404,"),
        (",200,", ",,"),
        ("text/html,17,", "text/html,18,"),
        ("text/html,17,", "text/html,,"),
        ("text/html", "text/plain"),
        ("02:28:46Z", "02:28:47Z"),
    ] {
        let found = rewritten(LEDGER, |text| text.replacen(from, to, 1));
        assert_eq!(found, ["ledger-differs"], "{from} as {to}");
    }
    for state in ["failed", "excluded", "unreached", "unchanged"] {
        let found = rewritten(LEDGER, |text| text.replacen("captured", state, 1));
        assert_eq!(found, ["ledger-counts", "ledger-differs"], "{state}");
    }
}

#[test]
fn rows_pages_and_index_lines_are_held_against_the_records() {
    let id = |text: String| {
        let at = text.find("urn:uuid:").unwrap() + 9;
        let other = if &text[at..=at] == "0" { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    let found = rewritten(RECORDS, id);
    assert_eq!(found, ["record-root", "records-differ"]);
    let found = rewritten(PAGES, |text| text.replace("http://a.", "http://b."));
    assert_eq!(found, ["page-missing"]);
    let found = rewritten(EXTRA_PAGES, |text| text + "nonsense\n");
    assert_eq!(found, ["page-line"]);
    let twice = |text: String| {
        let (first, _) = text.split_once('\n').unwrap();
        format!("{first}\n{text}")
    };
    assert_eq!(rewritten(INDEX, twice), ["index-duplicate"]);
}
