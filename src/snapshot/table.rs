//! Rows of the snapshot's CSV files (RFC 4180), with a bound on lines: a file
//! of ours has none longer than a few URLs, and a hostile one must not fill
//! memory with one.

use std::io::{self, Read};
use std::path::Path;

use csv::StringRecord;

use super::SnapshotError;

/// Reads the rows below the header; `path` is for messages, and what `parse`
/// says is wrong with a row becomes an error with its line.
pub(super) fn rows<T>(
    path: &Path,
    file: impl Read,
    parse: impl Fn(&StringRecord) -> Result<T, String>,
) -> impl Iterator<Item = Result<T, SnapshotError>> {
    let path = path.to_owned();
    let rows = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(BoundedLines::new(file))
        .into_records();
    rows.enumerate().map(move |(at, row)| {
        let parsed = row
            .map_err(|error| error.to_string())
            .and_then(|row| parse(&row));
        parsed.map_err(|reason| SnapshotError::Malformed {
            path: path.clone(),
            line: at as u64 + 2,
            reason,
        })
    })
}

/// The longest line of a ledger or of records.csv, in bytes: two URLs at their
/// longest, escaped, and the other columns.
const MAX_LINE: usize = 1024 * 1024;

/// A stream that fails at a line longer than 1 MiB.
struct BoundedLines<R> {
    inner: R,
    since_line_end: usize,
}

impl<R: Read> BoundedLines<R> {
    /// Bounds the lines of a stream.
    fn new(inner: R) -> Self {
        Self {
            inner,
            since_line_end: 0,
        }
    }
}

impl<R: Read> Read for BoundedLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        match buffer[..n].iter().rposition(|&b| b == b'\n') {
            Some(at) => self.since_line_end = n - at - 1,
            None => self.since_line_end += n,
        }
        if self.since_line_end > MAX_LINE {
            let reason = "a line is longer than 1 MiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
        }
        Ok(n)
    }
}
