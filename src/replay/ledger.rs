//! The rows of a collection's ledger that readers may see, and those of them that
//! are asked for: on a page of the interface, or as a file to take away.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::rc::Rc;

use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::snapshot::layout::LEDGER;
use crate::snapshot::ledger::{self, LedgerRow, LedgerWriter, State};

/// A longer row is no row of a ledger: a URL has at most 32 KiB.
const MAX_ROW_BYTES: u64 = 1024 * 1024;
/// A file is made in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// What became of the URLs that are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fate {
    /// Whatever.
    #[default]
    All,
    /// They failed or weren't reached.
    Missing,
    /// This.
    One(State),
}

impl Fate {
    /// Every choice, in the order in which they are offered.
    pub fn choices() -> impl Iterator<Item = Self> {
        let states = State::ALL.map(Self::One);
        [Self::All].into_iter().chain(states).chain([Self::Missing])
    }

    /// The word in addresses; none for all.
    pub fn word(self) -> &'static str {
        match self {
            Self::All => "",
            Self::Missing => "missing",
            Self::One(state) => state.as_str(),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::choices().find(|fate| fate.word() == word)
    }

    /// Whether a state is meant.
    pub fn has(self, state: State) -> bool {
        match self {
            Self::All => true,
            Self::Missing => matches!(state, State::Failed | State::Unreached),
            Self::One(one) => one == state,
        }
    }
}

/// Which rows are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// By what became of the URL.
    pub fate: Fate,
    /// What its URL or reason has in it; empty for any.
    pub text: String,
    /// The whole reason, which may be none.
    pub reason: Option<String>,
    /// The page that named it first; an empty one where none did.
    pub via: Option<String>,
}

impl Selection {
    /// By the parameters of an address: `state`, `q`, `reason` and `via`. `None` where
    /// there is no such state.
    pub fn of(parameter: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let trimmed = |name| {
            let found = parameter(name).unwrap_or_default();
            found.trim().to_owned()
        };
        Some(Self {
            fate: Fate::parse(&trimmed("state"))?,
            text: trimmed("q"),
            reason: parameter("reason"),
            via: parameter("via"),
        })
    }

    /// The parameters of an address.
    pub fn query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", self.fate.word());
        query.append_pair("q", &self.text);
        for (name, value) in [("reason", &self.reason), ("via", &self.via)] {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// Whether a row is meant, whatever became of it.
    pub fn has_words(&self, row: &LedgerRow) -> bool {
        let is = |wanted: &Option<String>, value| wanted.as_ref().is_none_or(|w| w == value);
        let has_text = row.url.contains(&self.text) || row.reason.contains(&self.text);
        has_text && is(&self.reason, &row.reason) && is(&self.via, &row.via)
    }

    /// Whether a row is meant.
    pub fn has(&self, row: &LedgerRow) -> bool {
        self.fate.has(row.state) && self.has_words(row)
    }
}

/// The rows of a collection's ledger, read as they are asked for; `None` where
/// it has none. What is withheld isn't among them.
pub fn rows(
    collection: &Collection,
) -> Result<Option<impl Iterator<Item = Result<LedgerRow, SnapshotError>>>, SnapshotError> {
    let Some(container) = collection.container() else {
        return Ok(None);
    };
    let file = match container.open(LEDGER) {
        Ok(file) => file,
        Err(SnapshotError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bounded = io::BufReader::with_capacity(64 * 1024, BoundedRows::new(file));
    let rows = ledger::read(&collection.path, bounded);
    Ok(Some(rows.filter_map(|row| match row {
        Ok(row) if collection.denies(&row.url) => None,
        // That it is linked from there tells of what is withheld.
        Ok(row) if collection.denies(&row.via) => Some(Ok(LedgerRow {
            via: String::new(),
            ..row
        })),
        row => Some(row),
    })))
}

/// Rows as a CSV file with the columns of the ledger, made while it is read.
/// Fails where the rows do.
pub struct CsvFile<I> {
    rows: I,
    writer: Option<LedgerWriter<Shared>>,
    made: Shared,
    piece: io::Cursor<Vec<u8>>,
}

impl<I: Iterator<Item = Result<LedgerRow, SnapshotError>>> CsvFile<I> {
    /// The file with these rows.
    pub fn new(rows: I) -> io::Result<Self> {
        let made = Shared::default();
        Ok(Self {
            rows,
            writer: Some(LedgerWriter::new(made.clone())?),
            made,
            piece: io::Cursor::default(),
        })
    }

    /// Makes the next piece; an empty one is the end.
    fn make(&mut self) -> io::Result<()> {
        while let Some(writer) = &mut self.writer {
            match self.rows.next() {
                Some(row) => writer.add(&row.map_err(io::Error::other)?)?,
                None => self.writer.take().map_or(Ok(()), LedgerWriter::finish)?,
            }
            if self.made.0.borrow().len() >= PIECE {
                break;
            }
        }
        self.piece = io::Cursor::new(self.made.0.take());
        Ok(())
    }
}

impl<I: Iterator<Item = Result<LedgerRow, SnapshotError>>> Read for CsvFile<I> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.piece.read(buffer)?;
        if n > 0 || buffer.is_empty() {
            return Ok(n);
        }
        self.make()?;
        self.piece.read(buffer)
    }
}

/// Bytes that a writer adds and their reader takes.
#[derive(Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Passes a CSV file through and fails at a row that is longer than any true
/// one, which the CSV reader would collect in memory.
struct BoundedRows<R> {
    file: R,
    row_bytes: u64,
    quoted: bool,
}

impl<R> BoundedRows<R> {
    fn new(file: R) -> Self {
        Self {
            file,
            row_bytes: 0,
            quoted: false,
        }
    }
}

impl<R: Read> Read for BoundedRows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        for &byte in &buffer[..n] {
            self.row_bytes += 1;
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.row_bytes = 0,
                _ => {}
            }
            if self.row_bytes > MAX_ROW_BYTES {
                let reason = "a row of the ledger is longer than 1 MiB";
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_of_any_number_pass_and_one_without_end_does_not() {
        let rows = "a,\"x\ny\"\r\n".repeat(300_000);
        let mut through = Vec::new();
        BoundedRows::new(rows.as_bytes())
            .read_to_end(&mut through)
            .unwrap();
        assert_eq!(through, rows.as_bytes());
        for endless in [io::repeat(b'x'), io::repeat(b'\t')] {
            let mut file = b"url\r\n\"\n".chain(endless);
            let error = io::copy(&mut BoundedRows::new(&mut file), &mut io::sink());
            assert_eq!(error.unwrap_err().kind(), io::ErrorKind::InvalidData);
        }
        let newlines = b"\"".chain(io::repeat(b'\n'));
        assert!(io::copy(&mut BoundedRows::new(newlines), &mut io::sink()).is_err());
    }

    #[test]
    fn a_file_has_all_rows_however_it_is_read_and_fails_where_they_do() {
        let row = |number: u32| LedgerRow {
            url: format!("http://a.example/{number}?\"x\",y"),
            state: State::Failed,
            reason: "status-500".into(),
            mark: String::new(),
            status: Some(500),
            media_type: String::new(),
            bytes: None,
            payload_digest: String::new(),
            place: None,
            via: String::new(),
            hops: String::new(),
            pass: 1,
            time: String::new(),
        };
        let rows: Vec<_> = (0..3000).map(row).collect();
        let mut expected = Vec::new();
        let mut writer = LedgerWriter::new(&mut expected).unwrap();
        for row in &rows {
            writer.add(row).unwrap();
        }
        writer.finish().unwrap();
        let mut file = CsvFile::new(rows.iter().cloned().map(Ok)).unwrap();
        let (mut found, mut piece) = (Vec::new(), [0; 777]);
        loop {
            match file.read(&mut piece).unwrap() {
                0 => break,
                n => found.extend_from_slice(&piece[..n]),
            }
        }
        assert!(
            found == expected,
            "{} bytes of {}",
            found.len(),
            expected.len()
        );
        let fault = || SnapshotError::Malformed {
            path: "l".into(),
            line: 2,
            reason: "torn".into(),
        };
        let broken = rows.into_iter().map(Ok).chain([Err(fault())]);
        let error = CsvFile::new(broken).unwrap().read_to_end(&mut Vec::new());
        assert!(error.unwrap_err().to_string().contains("torn"));
    }
}
