//! The page lists; whether a capture has each page is compared afterwards.

use std::io::{BufRead, BufReader, Read};

use super::join::Joins;
use super::target::{Target, is_page_list};
use super::{Findings, Severity};
use crate::snapshot::SnapshotError;
use crate::snapshot::container::Container;
use crate::snapshot::pages::{self, Page};

/// Takes every page; gives their number.
pub(super) fn gather(
    target: &Target,
    joins: &mut Joins,
    findings: &mut Findings,
) -> Result<u64, SnapshotError> {
    let mut count = 0;
    let Some(container) = &target.container else {
        return Ok(0);
    };
    for path in target.files.iter().filter(|path| is_page_list(path)) {
        if target.is_ours() {
            lines(target, container, path, findings)?;
        }
        for page in pages::read(container.open(path)?) {
            // What can't be read is told by the check of fixity.
            let Ok(page) = page else { break };
            joins
                .page(&page)
                .map_err(SnapshotError::io(&target.path, "sorting in scratch space"))?;
            count += 1;
        }
    }
    Ok(count)
}

/// Every line of a list that Lastlight wrote is a page, after its header.
fn lines(
    target: &Target,
    container: &Container,
    path: &str,
    findings: &mut Findings,
) -> Result<(), SnapshotError> {
    // A line without end must not fill memory.
    const LONGEST: u64 = 4 * 1024 * 1024;
    const MOST_MALFORMED: u64 = 1000;
    let mut reader = BufReader::new(container.open(path)?);
    let (mut line, mut number, mut malformed) = (Vec::new(), 0_u64, 0);
    while malformed < MOST_MALFORMED {
        line.clear();
        number += 1;
        // What can't be read is told by the check of fixity.
        match reader.by_ref().take(LONGEST).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let reason = if number == 1 {
            let header = serde_json::from_slice::<serde_json::Value>(&line);
            let is_header = header.is_ok_and(|h| h["format"] == "json-pages-1.0");
            (!is_header).then(|| "it isn't the header of a page list".to_owned())
        } else {
            let page = serde_json::from_slice::<Page>(&line);
            page.err().map(|error| error.to_string())
        };
        if let Some(reason) = reason {
            malformed += 1;
            findings.add(
                Severity::Error,
                "page-line",
                "WACZ 1.1.1 §5.2.3",
                target.location(path),
                format!("line {number}: {reason}"),
            );
        }
    }
    Ok(())
}
