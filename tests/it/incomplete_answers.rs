//! An answer that isn't whole is never called captured: it is asked for again,
//! kept as far as it came, flagged, and failed in the ledger.

use std::time::Instant;

use crate::harness::{Ran, crawl, lastlight, scratch};
use crate::holdings::{Row, Snapshot};
use crate::wire::{Asked, Reply, Wire, answer, page};

/// One retry, a second later, and little patience.
const IMPATIENT: &str = "[fetch]\nretries = 1\nconnect_timeout = \"2s\"\n[limits]\nidle = \"1s\"\n";

/// Crawls `/`, which links to `/x`.
struct Crawled {
    wire: Wire,
    ran: Ran,
    snapshot: Snapshot,
    _directory: tempfile::TempDir,
}

impl Crawled {
    fn with(settings: &str, x: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let wire = Wire::serve(move |asked| match asked.target.as_str() {
            "/" => Some(Reply::Keep(page(&["/x"]))),
            "/x" => Some(x(asked)),
            _ => None,
        });
        let directory = scratch();
        let into = directory.path().join("snapshot");
        let ran = crawl(wire.url("/"), &into)
            .config(directory.path(), settings)
            .run();
        Self {
            wire,
            ran,
            snapshot: Snapshot::at(&into),
            _directory: directory,
        }
    }

    fn x(&self) -> Row {
        self.snapshot.row(&self.wire.url("/x"))
    }

    /// Asserts that it failed for this reason, and that what was recorded
    /// stands the test.
    #[track_caller]
    fn fails(&self, reason: &str) {
        assert_eq!(self.ran.code, Some(1), "{}", self.ran);
        let row = self.x();
        assert_eq!(row["state"], "failed");
        assert!(row["reason"].starts_with(reason), "{row:?}");
        lastlight(["verify"])
            .arg(self.snapshot.path())
            .run()
            .exits(0);
    }
}

#[test]
fn a_body_that_is_cut_by_a_close_is_kept_flagged_and_failed() {
    let whole = answer("200 OK", &["Content-Type: text/plain"], "the whole body");
    let cut = whole[..whole.len() - 4].to_vec();
    let sent = cut.clone();
    let crawled = Crawled::with(IMPATIENT, move |_| Reply::Close(sent.clone()));
    crawled.fails("cut: disconnect");
    assert_eq!(crawled.wire.times("/x"), 2, "asked again");
    for record in crawled.snapshot.responses(&crawled.wire.url("/x")) {
        assert_eq!(record.field("WARC-Truncated"), Some("disconnect"));
        assert_eq!(record.block, cut);
    }
}

#[test]
fn a_body_that_is_cut_by_a_reset_is_kept_flagged_and_failed() {
    let whole = answer("200 OK", &["Content-Type: text/plain"], "the whole body");
    let cut = whole[..whole.len() - 4].to_vec();
    let sent = cut.clone();
    let crawled = Crawled::with(IMPATIENT, move |_| Reply::Reset(sent.clone()));
    crawled.fails("cut: disconnect");
    for record in crawled.snapshot.responses(&crawled.wire.url("/x")) {
        assert_eq!(record.field("WARC-Truncated"), Some("disconnect"));
        assert_eq!(record.block, cut);
    }
}

#[test]
fn chunks_without_an_end_are_cut() {
    let sent =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\nwor".to_vec();
    let crawled = Crawled::with(IMPATIENT, move |_| Reply::Close(sent.clone()));
    crawled.fails("cut: disconnect");
}

#[test]
fn a_cut_answer_that_comes_whole_the_second_time_is_captured() {
    let whole = answer("200 OK", &["Content-Type: text/plain"], "the whole body");
    let sent = whole.clone();
    let crawled = Crawled::with(IMPATIENT, move |asked| match asked.before {
        0 => Reply::Close(sent[..sent.len() - 1].to_vec()),
        _ => Reply::Keep(sent.clone()),
    });
    assert_eq!(crawled.ran.code, Some(0), "{}", crawled.ran);
    assert_eq!(crawled.x()["state"], "captured");
    let last = crawled
        .snapshot
        .responses(&crawled.wire.url("/x"))
        .pop()
        .unwrap();
    assert_eq!(last.block, whole);
    assert_eq!(
        last.offset.to_string(),
        crawled.x()["offset"],
        "the row names the whole one"
    );
    lastlight(["verify"])
        .arg(crawled.snapshot.path())
        .run()
        .exits(0);
}

#[test]
fn a_busy_server_is_asked_again_after_the_time_it_names() {
    let begun = Instant::now();
    let crawled = Crawled::with(IMPATIENT, |asked| {
        Reply::Keep(match asked.before {
            0 => answer("503 Service Unavailable", &["Retry-After: 2"], "busy"),
            _ => answer("200 OK", &[], "there"),
        })
    });
    assert_eq!(crawled.ran.code, Some(0), "{}", crawled.ran);
    assert!(begun.elapsed().as_secs() >= 2, "{:?}", begun.elapsed());
    assert_eq!(crawled.x()["status"], "200");
    assert_eq!(
        crawled.snapshot.response(&crawled.wire.url("/x")).entity(),
        b"there"
    );
}

#[test]
fn a_server_error_that_stays_is_recorded_and_failed() {
    let crawled = Crawled::with(IMPATIENT, |_| {
        Reply::Keep(answer("500 Internal Server Error", &[], "out of order"))
    });
    crawled.fails("status-500");
    assert_eq!(crawled.wire.times("/x"), 2);
    assert_eq!(crawled.x()["status"], "500");
    assert_eq!(
        crawled.snapshot.response(&crawled.wire.url("/x")).entity(),
        b"out of order"
    );
}

#[test]
fn silence_before_an_answer_is_a_timeout() {
    let crawled = Crawled::with(IMPATIENT, |_| Reply::Silence(Vec::new()));
    crawled.fails("timeout");
    assert!(
        crawled
            .snapshot
            .responses(&crawled.wire.url("/x"))
            .is_empty()
    );
}

#[test]
fn silence_within_an_answer_is_kept_as_cut_for_its_time() {
    let sent = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na beginning".to_vec();
    let block = sent.clone();
    let crawled = Crawled::with(IMPATIENT, move |_| Reply::Silence(sent.clone()));
    crawled.fails("cut: time");
    let records = crawled.snapshot.responses(&crawled.wire.url("/x"));
    assert!(!records.is_empty());
    for record in records {
        assert_eq!(record.field("WARC-Truncated"), Some("time"));
        assert_eq!(record.block, block);
    }
}

#[test]
fn an_answer_beyond_the_largest_size_is_kept_up_to_it() {
    let settings = "[limits]\nbody = \"1 KiB\"\n";
    let crawled = Crawled::with(settings, |_| {
        Reply::Keep(answer("200 OK", &[], [b'x'; 5000]))
    });
    crawled.fails("cut: length");
    let record = crawled.snapshot.response(&crawled.wire.url("/x"));
    assert_eq!(record.field("WARC-Truncated"), Some("length"));
    assert_eq!(record.block.len(), 1024);
}

#[test]
fn a_connection_that_ends_before_an_answer_is_failed_without_record() {
    let crawled = Crawled::with(IMPATIENT, |_| Reply::Close(Vec::new()));
    crawled.fails("no-answer");
    let url = crawled.wire.url("/x");
    assert!(crawled.snapshot.responses(&url).is_empty());
}

#[test]
fn a_head_that_is_cut_is_kept_as_far_as_it_came() {
    let crawled = Crawled::with(IMPATIENT, |_| {
        Reply::Close(b"HTTP/1.1 200 OK\r\nX-Ha".to_vec())
    });
    crawled.fails("cut: disconnect");
    for record in crawled.snapshot.responses(&crawled.wire.url("/x")) {
        assert_eq!(record.field("WARC-Truncated"), Some("disconnect"));
        assert_eq!(record.block, b"HTTP/1.1 200 OK\r\nX-Ha");
    }
}

#[test]
fn a_site_whose_robots_txt_cannot_be_had_is_left_alone() {
    let wire = Wire::serve(|asked| match asked.target.as_str() {
        "/robots.txt" => Some(Reply::Keep(answer("503 Service Unavailable", &[], ""))),
        _ => Some(Reply::Keep(page(&[]))),
    });
    let directory = scratch();
    let into = directory.path().join("closed");
    crawl(wire.url("/"), &into)
        .config(directory.path(), IMPATIENT)
        .run()
        .exits(1);
    assert!(
        wire.asked().is_empty(),
        "nothing but robots.txt was asked for"
    );
    let row = Snapshot::at(&into).row(&wire.url("/"));
    assert_eq!(row["state"], "failed");
    assert!(row["reason"].starts_with("robots.txt:"), "{row:?}");
}
