//! `lastlight verify`.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::account;
use super::bar::Bar;
use super::exit::{Exit, Failure, print};
use crate::replay::judging::{self, Judgement};
use crate::snapshot::whole;
use crate::time::Timestamp14;
use crate::verify::{
    self, Account, Check, Finding, MissingList, Options, Outcome, Progress, Report, Severity,
    Verdict,
};

/// Checks snapshots, WARCs, WACZs and bags: every byte, record, index line and
/// ledger row.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks:
  fixity   every file against the manifests, every record's stored bytes
  records  every record's fields and digests
  index    each index line points at its record, each capture is in the index
  ledger   each captured URL has its record, each record its row
  pages    each page has a capture
  links    each URL that a stored page, style sheet, script, sitemap or feed
           names has its row in the ledger

Examples:
  lastlight verify snapshots/example.org-20261122022846
  lastlight verify --only fixity,records crawl.warc.gz deposit.wacz
  lastlight verify --json bag/ > verified.json
  lastlight verify snapshots/example.org-20261122022846 --missing missing.csv

Exit code 0: no error found. 1: an error found. 2: a path is nothing that can be
verified, no check of --only applies to it, or it has no ledger for --missing.
4: a path can't be read, or the list not be written. Warnings and notes, such
as honestly recorded failures of the site, don't change it.")]
pub struct VerifyArgs {
    /// Snapshots, WARCs (plain or .gz), WACZs, bags, or folders of WARCs
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Print one JSON object with every finding
    #[arg(long)]
    pub json: bool,
    /// Only these checks, separated by commas
    #[arg(long, value_name = "CHECKS", value_delimiter = ',', value_parser = parse_check)]
    pub only: Vec<Check>,
    /// Write all URLs that failed or weren't reached, by the page that names them first, to a CSV file
    #[arg(long, value_name = "FILE")]
    pub missing: Option<PathBuf>,
    /// Print the verdict only
    #[arg(long)]
    pub quiet: bool,
}

fn parse_check(name: &str) -> Result<Check, String> {
    Check::parse(name.trim()).ok_or_else(|| {
        let all: Vec<&str> = Check::ALL.map(Check::as_str).to_vec();
        format!("there is no such check; the checks are {}", all.join(", "))
    })
}

/// Verifies one path that a command has just made, and tells what was found.
pub fn check(path: &Path) -> Result<Exit, Failure> {
    let bar = Bar::new("verifying", path, false);
    let report = verify::verify(path, &Options::default(), &mut |p| show(&bar, p))?;
    drop(bar);
    print(human(&report, false))?;
    Ok(exit_of(&report))
}

/// What is said of a path, for a reader of the replay.
pub fn judge(path: &Path, progress: judging::Progress<'_>) -> Judgement {
    let report = verify::verify(path, &Options::default(), &mut |now| {
        progress(now.bytes, now.total);
    });
    match report {
        Ok(report) => Judgement {
            holds: match report.verdict() {
                Verdict::Unproven | Verdict::Unsealed => None,
                _ => Some(exit_of(&report) == Exit::Done),
            },
            verdict: conclusion(&report),
            account: report.account.as_ref().map(Account::sentence),
            text: human(&report, false),
            time: Timestamp14::now(),
        },
        Err(error) => Judgement {
            holds: Some(false),
            verdict: "can't be verified".to_owned(),
            account: None,
            text: error.to_string(),
            time: Timestamp14::now(),
        },
    }
}

/// Shows how far verification is.
pub fn show(bar: &Bar, progress: Progress) {
    bar.show(progress.bytes, progress.total);
}

fn exit_of(report: &Report) -> Exit {
    match report.verdict() {
        Verdict::IntactUnsigned | Verdict::Unproven | Verdict::Unsealed => Exit::Done,
        Verdict::NothingChecked => Exit::Usage,
        Verdict::Irregular | Verdict::NotClosed | Verdict::Altered => Exit::Findings,
    }
}

/// Verifies each path and tells what was found.
pub fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let options = match &args.only[..] {
        [] => Options::default(),
        only => Options {
            checks: only.to_vec(),
            ..Options::default()
        },
    };
    let options = Options {
        list_missing: args.missing.is_some(),
        ..options
    };
    if let Some(list) = &args.missing {
        may_be_list(list, args)?;
    }
    let mut reports = Vec::new();
    let mut exit = Exit::Done;
    for path in &args.paths {
        let bar = Bar::new("verifying", path, args.quiet);
        let report = verify::verify(path, &options, &mut |progress| show(&bar, progress));
        drop(bar);
        let found = match report {
            Ok(report) => {
                if args.json {
                    reports.push(machine(&report));
                } else {
                    print(human(&report, args.quiet))?;
                }
                if let Some(list) = &args.missing {
                    exit = exit.worse(write_list(list, &report));
                }
                exit_of(&report)
            }
            // One path that can't be looked at keeps no other from it.
            Err(error) => {
                let path = path.to_string_lossy();
                reports.push(json!({ "path": path, "error": error.to_string() }));
                let failure = Failure::from(error);
                failure.tell();
                failure.exit
            }
        };
        exit = exit.worse(found);
    }
    if args.json {
        print(format!(
            "{}\n",
            json!({ "exit": exit as u8, "reports": reports })
        ))?;
    }
    Ok(exit)
}

/// Whether the list of what is missing may go to a file: nothing else is replaced by it, and
/// what is verified stays as it is.
fn may_be_list(list: &Path, args: &VerifyArgs) -> Result<(), Failure> {
    let [path] = &args.paths[..] else {
        return Err(
            Failure::usage("--missing lists what is missing of one PATH")
                .hint("Verify the others by themselves."),
        );
    };
    let looks = |check| args.only.is_empty() || args.only.contains(&check);
    if !looks(Check::Ledger) && !looks(Check::Links) {
        return Err(Failure::usage("--missing needs the ledger").hint("Add ledger to --only."));
    }
    let refused = |what: &str| {
        let what = format!("--missing {}: {what}", list.display());
        Err(Failure::usage(what).hint("Name another file."))
    };
    match fs::symlink_metadata(list) {
        Ok(found) if !found.is_file() => return refused("there is something that is no file"),
        Ok(_) if !is_list(list) => return refused("there is a file that is no such list"),
        _ => {}
    }
    let folder = list
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Ok(folder) = folder.unwrap_or(Path::new(".")).canonicalize() else {
        return refused("there is no such folder");
    };
    // A path that isn't there is told of when it is opened.
    if path
        .canonicalize()
        .is_ok_and(|path| folder.starts_with(path))
    {
        return refused("it would be within what is verified");
    }
    Ok(())
}

/// Whether a file is an earlier list.
fn is_list(path: &Path) -> bool {
    let mut start = Vec::new();
    let header = MissingList::HEADER.as_bytes();
    let read = File::open(path).and_then(|file| {
        let mut file = file.take(header.len() as u64);
        file.read_to_end(&mut start)
    });
    read.is_ok() && start == header
}

/// Writes the list of what is missing, or tells why there is none; what that adds to
/// the exit code.
fn write_list(list: &Path, report: &Report) -> Exit {
    let Some(missing) = &report.missing else {
        let told = report
            .checks
            .iter()
            .find_map(|(check, outcome)| match outcome {
                Outcome::NotApplicable(why) if matches!(check, Check::Ledger | Check::Links) => {
                    Some(*why)
                }
                _ => None,
            });
        let why = told.unwrap_or("it can't be opened");
        let what = format!(
            "no list of what is missing of {}: {why}",
            report.path.display()
        );
        Failure::usage(what)
            .hint("Name a snapshot that Lastlight sealed, or leave out --missing.")
            .tell();
        // What was found weighs more.
        return match exit_of(report) {
            Exit::Done => Exit::Usage,
            found => found,
        };
    };
    let written = whole::write(list, |out| missing.write_to(out));
    if let Err(error) = written {
        let failure = Failure::from(error);
        failure.tell();
        return failure.exit;
    }
    if report
        .findings
        .counts()
        .any(|(_, rule, _)| rule == verify::LEDGER_MALFORMED)
    {
        let what = format!(
            "{} lacks the rows of the ledger that can't be read",
            list.display()
        );
        Failure::usage(what).hint("The findings name them.").tell();
    }
    Exit::Done
}

/// So many findings of each rule are printed; the rest are counted.
const SHOWN_PER_RULE: usize = 5;

fn human(report: &Report, quiet: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}", report.path.display());
    if !quiet {
        for (check, outcome) in &report.checks {
            let told = match outcome {
                Outcome::Done => done(*check, report),
                Outcome::NotApplicable(why) => format!("not applicable: {why}"),
                Outcome::NotAsked => continue,
            };
            let _ = writeln!(text, "  {:<8} {told}", check.as_str());
        }
        findings(report, &mut text);
        if let Some(told) = &report.account {
            text.push_str(&account::text(told));
        }
    }
    let _ = writeln!(text, "  {}", conclusion(report));
    text
}

fn done(check: Check, report: &Report) -> String {
    match check {
        Check::Fixity => format!(
            "{} and {} as stored",
            count(report.files, "file", "files"),
            count(report.rows, "record", "records")
        ),
        Check::Records => format!(
            "{} in {}, {} recomputed",
            count(report.records, "record", "records"),
            count(report.warcs, "WARC", "WARCs"),
            count(report.digests, "digest", "digests")
        ),
        Check::Index => count(report.index_lines, "line", "lines"),
        Check::Ledger => count(report.ledger_rows, "URL", "URLs"),
        Check::Pages => count(report.pages, "page", "pages"),
        Check::Links => {
            let links = report.account.as_ref().and_then(|account| account.links);
            let links = links.unwrap_or_default();
            format!(
                "{} named by {}",
                count(links.named, "URL", "URLs"),
                count(links.answers, "answer", "answers")
            )
        }
    }
}

fn findings(report: &Report, text: &mut String) {
    for (severity, rule, total) in report.findings.counts() {
        let of_rule = |finding: &&Finding| finding.severity == severity && finding.rule == rule;
        let _ = writeln!(text, "  {} {rule} ({total})", severity.as_str());
        let kept = report.findings.kept().iter().filter(of_rule);
        for finding in kept.take(SHOWN_PER_RULE) {
            let section = finding
                .section
                .map(|section| format!(" [{section}]"))
                .unwrap_or_default();
            let Finding {
                location, message, ..
            } = finding;
            let _ = writeln!(text, "    {location}: {message}{section}");
        }
        if total > SHOWN_PER_RULE as u64 {
            let more = total - SHOWN_PER_RULE as u64;
            let _ = writeln!(text, "    and {more} more (--json lists them)");
        }
    }
}

/// `intact (unsigned)`, or what is altered.
fn conclusion(report: &Report) -> String {
    let errors = report.findings.count(Severity::Error);
    match report.verdict() {
        Verdict::IntactUnsigned => "intact (unsigned)".to_owned(),
        Verdict::Unproven => {
            "unproven: every record reads, and no digest says whether it was changed".to_owned()
        }
        Verdict::Unsealed => {
            "unsealed: every record reads, and no manifest says whether all are there".to_owned()
        }
        Verdict::NothingChecked => "nothing checked: no check asked for applies".to_owned(),
        Verdict::NotClosed => {
            let without_row = report.account.as_ref().and_then(|account| account.links);
            let without_row = without_row.map_or(0, |links| links.without_row);
            format!(
                "NOT CLOSED: {} that stored pages name without a row in the ledger",
                count(without_row, "URL", "URLs")
            )
        }
        Verdict::Irregular => format!(
            "IRREGULAR: {} against the standard, nothing seen to be altered",
            count(errors, "error", "errors")
        ),
        Verdict::Altered => {
            let at_fault = report
                .findings
                .kept()
                .iter()
                .filter(|finding| finding.severity == Severity::Error);
            let (mut records, mut files) = (Vec::new(), Vec::new());
            for Finding { location, .. } in at_fault {
                match location.offset {
                    Some(offset) => records.push((&location.path, offset)),
                    None => files.push(&location.path),
                }
            }
            records.sort_unstable();
            records.dedup();
            files.sort_unstable();
            files.dedup();
            let mut parts = Vec::new();
            if !records.is_empty() {
                parts.push(count(records.len() as u64, "record", "records"));
            }
            if !files.is_empty() {
                parts.push(count(files.len() as u64, "file", "files"));
            }
            let errors = count(errors, "error", "errors");
            format!("ALTERED: {} ({errors})", parts.join(", "))
        }
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn machine(report: &Report) -> Value {
    let checks: serde_json::Map<String, Value> = report
        .checks
        .iter()
        .map(|(check, outcome)| {
            let outcome = match outcome {
                Outcome::Done => json!("done"),
                Outcome::NotApplicable(why) => json!({ "not_applicable": why }),
                Outcome::NotAsked => json!("not asked"),
            };
            (check.as_str().to_owned(), outcome)
        })
        .collect();
    let rules: Vec<Value> = report
        .findings
        .counts()
        .map(|(severity, rule, count)| {
            json!({ "severity": severity.as_str(), "rule": rule, "count": count })
        })
        .collect();
    let findings: Vec<Value> = report.findings.kept().iter().map(finding).collect();
    json!({
        "path": report.path.to_string_lossy(),
        "kind": report.kind.map(|kind| format!("{kind:?}").to_lowercase()),
        "verdict": report.verdict().as_str(),
        "sealed": report.sealed,
        "complete": report.seal.as_ref().map(|seal| seal.complete),
        "checks": checks,
        "files": report.files,
        "warcs": report.warcs,
        "records": report.records,
        "stored_records": report.rows,
        "digests": report.digests,
        "index_lines": report.index_lines,
        "ledger_rows": report.ledger_rows,
        "pages": report.pages,
        "account": report.account.as_ref().map(account_of),
        "bytes": report.bytes,
        "errors": report.findings.count(Severity::Error),
        "warnings": report.findings.count(Severity::Warning),
        "notes": report.findings.count(Severity::Note),
        "rules": rules,
        "findings": findings,
    })
}

fn account_of(account: &Account) -> Value {
    let mut value = json!(account);
    value["sentence"] = json!(account.sentence());
    value["closed"] = json!(account.is_closed());
    value
}

fn finding(finding: &Finding) -> Value {
    let location = &finding.location;
    json!({
        "rule": finding.rule,
        "severity": finding.severity.as_str(),
        "path": location.path,
        "offset": location.offset,
        "record_id": location.record_id,
        "url": location.url,
        "message": finding.message,
        "section": finding.section,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_altered_file_is_concluded_in_one_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.warc");
        std::fs::write(&path, "WARC/1.1\r\nContent-Length: 5\r\n\r\nabc").unwrap();
        let report = verify::verify(&path, &Options::default(), &mut |_| ()).unwrap();
        let text = human(&report, false);
        assert!(
            text.contains("not applicable: a lone WARC has no manifest"),
            "{text}"
        );
        assert!(text.contains("byte 0"), "{text}");
        assert!(text.ends_with("  ALTERED: 1 record (1 error)\n"), "{text}");
        let json = machine(&report);
        assert_eq!(json["verdict"], "altered");
        assert_eq!(json["findings"][0]["rule"], "record-truncated");
    }

    #[test]
    fn an_unknown_check_is_refused_with_those_that_exist() {
        assert!(
            parse_check("fixty")
                .unwrap_err()
                .contains("fixity, records")
        );
    }
}
