//! Real servers are wrong in many ways, and each wrong answer may be the last
//! copy: one crawl over the whole table of malformed answers.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use crate::harness::{Ran, crawl, lastlight, scratch};
use crate::holdings::{Record, Row, Snapshot};
use crate::malformed::{Case, End, cases};
use crate::offline_replay::{Replay, time_of};
use crate::wire::{Reply, Wire, page};

/// Each is asked for once, by a crawler with little patience.
const ONCE: &str = "[fetch]\nretries = 0\n[limits]\nidle = \"1s\"\n";

struct Captured {
    cases: Vec<Case>,
    wire: Wire,
    ran: Ran,
    snapshot: Snapshot,
    ledger: BTreeMap<String, Row>,
    /// Responses and resources by URL.
    answers: BTreeMap<String, Record>,
    /// Metadata by the id of what it is about.
    metadata: BTreeMap<String, Record>,
    _directory: tempfile::TempDir,
}

/// Serves every case at `/case/NAME`.
pub fn serve_cases() -> Wire {
    let cases: BTreeMap<String, Case> = cases()
        .into_iter()
        .map(|case| (format!("/case/{}", case.name), case))
        .collect();
    Wire::serve(move |asked| {
        if asked.target == "/" {
            let links: Vec<&str> = cases.keys().map(String::as_str).collect();
            return Some(Reply::Keep(page(&links)));
        }
        let case = cases.get(&asked.target)?;
        let bytes = case.sends.clone();
        Some(match case.end {
            End::Close => Reply::Close(bytes),
            End::Reset => Reply::Reset(bytes),
            End::Open => Reply::Keep(bytes),
        })
    })
}

fn captured() -> &'static Captured {
    static CAPTURED: OnceLock<Captured> = OnceLock::new();
    CAPTURED.get_or_init(|| {
        let wire = serve_cases();
        let directory = scratch();
        let into = directory.path().join("malformed");
        let ran = crawl(wire.url("/"), &into)
            .config(directory.path(), ONCE)
            .args(["--connections", "8"])
            .run();
        let snapshot = Snapshot::at(&into);
        let (mut answers, mut metadata) = (BTreeMap::new(), BTreeMap::new());
        for record in snapshot.records() {
            match record.kind() {
                "response" | "resource" => {
                    let before = answers.insert(record.url().to_owned(), record.clone());
                    assert!(before.is_none(), "two answers of {}", record.url());
                }
                "metadata" => {
                    let about = record.field("WARC-Concurrent-To").unwrap().to_owned();
                    metadata.insert(about, record);
                }
                _ => {}
            }
        }
        Captured {
            cases: cases(),
            ledger: snapshot.ledger(),
            answers,
            metadata,
            wire,
            ran,
            snapshot,
            _directory: directory,
        }
    })
}

impl Captured {
    fn url(&self, case: &Case) -> String {
        self.wire.url(&format!("/case/{}", case.name))
    }

    #[track_caller]
    fn answer(&self, case: &Case) -> &Record {
        let url = self.url(case);
        let answer = self.answers.get(&url);
        answer.unwrap_or_else(|| panic!("no record of {url}: {:?}", self.ledger.get(&url)))
    }

    /// Runs a check on every case and names all that fail it.
    #[track_caller]
    fn each(&self, check: impl Fn(&Case) -> Result<(), String>) {
        let wrong: Vec<String> = self
            .cases
            .iter()
            .filter_map(|case| Some(format!("{}: {}", case.name, check(case).err()?)))
            .collect();
        let (n, all) = (wrong.len(), self.cases.len());
        assert!(wrong.is_empty(), "{n} of {all}:\n{}", wrong.join("\n"));
    }
}

fn same(what: &str, found: &[u8], wanted: &[u8]) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
    Err(format!(
        "{what}: {} bytes {:?}, not {} bytes {:?}",
        found.len(),
        text(found),
        wanted.len(),
        text(wanted)
    ))
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    format!(
        "sha256:{}",
        data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(bytes))
    )
}

#[test]
fn the_table_has_every_family_and_no_case_twice() {
    let cases = cases();
    assert!(cases.len() >= 80, "{}", cases.len());
    let mut names: Vec<_> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn every_byte_of_a_malformed_answer_is_kept_as_it_came() {
    let captured = captured();
    captured.each(|case| {
        let record = captured.answer(case);
        same("block", &record.block, &case.kept())?;
        let kind = if case.headless {
            "resource"
        } else {
            "response"
        };
        if record.kind() != kind {
            return Err(format!("a {} record", record.kind()));
        }
        let metadata = &captured.metadata[record.field("WARC-Record-ID").unwrap()];
        let text = String::from_utf8(metadata.block.clone()).unwrap();
        let apart: Vec<u8> = text
            .lines()
            .filter_map(|line| {
                line.strip_prefix("interimResponses: ")
                    .or_else(|| line.strip_prefix("bytesAfterResponse: "))
            })
            .flat_map(unescaped)
            .collect();
        same("apart", &apart, &case.apart)
    });
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let hex = std::str::from_utf8(&rest[..2]).unwrap();
            bytes.push(u8::from_str_radix(hex, 16).unwrap());
            rest = &rest[2..];
        } else {
            bytes.push(byte);
        }
    }
    bytes
}

#[test]
fn the_payload_is_what_a_browser_would_take() {
    let captured = captured();
    captured.each(|case| {
        let record = captured.answer(case);
        let payload = if case.digest_as_received {
            let end = record
                .block
                .windows(4)
                .position(|w| w == b"\r\n\r\n")
                .unwrap();
            &record.block[end + 4..]
        } else {
            &case.entity[..]
        };
        let digest = sha256(payload);
        let stated = record.field("WARC-Payload-Digest").unwrap_or_default();
        if stated != digest {
            return Err(format!("payload digest {stated}, not {digest}"));
        }
        let row = &captured.ledger[&captured.url(case)];
        if row["payload_digest"] != digest || row["bytes"] != payload.len().to_string() {
            return Err(format!("{row:?}"));
        }
        Ok(())
    });
}

#[test]
fn what_is_whole_is_captured_and_what_is_cut_says_why() {
    let captured = captured();
    assert_eq!(captured.ran.code, Some(1), "{}", captured.ran);
    captured.each(|case| {
        let record = captured.answer(case);
        if record.field("WARC-Truncated") != case.cut.as_deref() {
            return Err(format!("truncated: {:?}", record.field("WARC-Truncated")));
        }
        let row = &captured.ledger[&captured.url(case)];
        let (state, reason) = match &case.cut {
            Some(cut) => ("failed", format!("cut: {cut}")),
            None => ("captured", String::new()),
        };
        let status = case.status.map(|s| s.to_string()).unwrap_or_default();
        let found = (&*row["state"], &*row["reason"], &*row["status"]);
        if found != (state, &*reason, &*status) {
            return Err(format!("{found:?}, not {:?}", (state, reason, status)));
        }
        Ok(())
    });
}

#[test]
fn links_are_found_in_every_body_through_every_coding() {
    let captured = captured();
    captured.each(|case| {
        let link = format!("/found/{}", case.name);
        let marker = format!("{link}>");
        let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|w| w == marker.as_bytes());
        let named = !case.unlinked && (holds(&case.entity) || holds(case.shown()));
        match captured.ledger.contains_key(&captured.wire.url(&link)) {
            found if found == named => Ok(()),
            found => Err(format!("found: {found}, and it is named: {named}")),
        }
    });
}

#[test]
fn verify_and_index_take_the_snapshot() {
    let captured = captured();
    lastlight(["verify"])
        .arg(captured.snapshot.path())
        .run()
        .exits(0);
    let index = lastlight(["index"])
        .args(captured.snapshot.warcs())
        .run()
        .exits(0);
    assert_eq!(index.stdout, captured.snapshot.text("indexes/index.cdxj"));
    captured.each(|case| {
        let url = format!("\"url\": \"{}\"", captured.url(case));
        let lines = index.stdout.lines().filter(|line| line.contains(&url));
        match lines.count() {
            1 => Ok(()),
            n => Err(format!("{n} lines")),
        }
    });
}

#[test]
fn replay_gives_the_entity() {
    let captured = captured();
    let replay = Replay::of(captured.snapshot.path(), "malformed");
    captured.each(|case| {
        // Statuses without body have none in replay either.
        if matches!(case.status, Some(204 | 205 | 304)) {
            return Ok(());
        }
        let url = captured.url(case);
        let answer = replay.raw(&url, &time_of(&captured.snapshot, &url));
        same("replayed", &answer.body, &case.entity)
    });
}

#[test]
fn what_was_irregular_is_told_in_the_log() {
    let captured = captured();
    let log = captured.snapshot.text("logs/crawl.jsonl");
    for (name, words) in [
        ("http-0-9", "no status line"),
        ("early-hints", "interim answers"),
        ("length-garbage", "Content-Length is no number"),
        ("length-contradicting-open", "Content-Length is no number"),
        ("length-too-short", "came after the end of the body"),
        ("answer-after", "aren't the answer's"),
        ("chunks-not-chunks", "said to be chunked, and isn't"),
        ("chunks-then-plain", "break off into something else"),
        ("coding-not-gzip", "said to be gzip, and isn't"),
        ("coding-gzip-tail", "follows the end of the gzip stream"),
        ("coding-unknown", "isn't known"),
        ("cut-gzip", "gzip breaks off"),
    ] {
        let url = format!("/case/{name}\"");
        let told = log
            .lines()
            .any(|line| line.contains("irregular") && line.contains(&url) && line.contains(words));
        assert!(told, "{name}: {words}");
    }
}
