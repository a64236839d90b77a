//! Our keys are those of cdxj-indexer: `data/surt.tsv`, written by `surt_oracle.py`, has some
//! thousand URLs with the key that it gave each.

use lastlight::url::Surt;

#[test]
fn keys_are_those_of_cdxj_indexer() {
    let table = include_str!("data/surt.tsv");
    let mut lines = 0;
    let mut mismatches = Vec::new();
    for line in table.lines() {
        let (url, expected) = line.split_once('\t').expect("a URL, a tab, a key");
        let key = Surt::of(url);
        if key.as_str() != expected {
            mismatches.push(format!("{url}\n  expected {expected}\n  got      {key}"));
        }
        lines += 1;
    }
    assert!(lines > 4_000, "only {lines} lines in the table");
    assert!(
        mismatches.is_empty(),
        "{} of {lines} keys differ, first:\n{}",
        mismatches.len(),
        mismatches[..mismatches.len().min(20)].join("\n"),
    );
}
