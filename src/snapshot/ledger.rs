//! `reports/ledger.csv`: what became of every URL that was ever discovered.

use std::fmt;
use std::io::{Read, Write};
use std::path::Path;
use std::str::FromStr;

use super::{SnapshotError, table};

/// What became of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Its whole answer is in a WARC.
    Captured,
    /// A later pass found it as an earlier capture has it.
    Unchanged,
    /// A rule kept it out; the reason names it.
    Excluded,
    /// It was asked for and no whole answer came.
    Failed,
    /// The crawl ended before its turn.
    Unreached,
}

impl State {
    /// Every state, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Captured,
        Self::Unchanged,
        Self::Excluded,
        Self::Failed,
        Self::Unreached,
    ];

    /// The word in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Unchanged => "unchanged",
            Self::Excluded => "excluded",
            Self::Failed => "failed",
            Self::Unreached => "unreached",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or(())
    }
}

/// The reason of unreached URLs whose hosts asked for more time than the crawl waits.
pub const ASKED_TO_WAIT: &str = "asked-to-wait";

/// Where the response of a captured URL stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Base name of the WARC.
    pub filename: String,
    /// Byte offset of the record.
    pub offset: u64,
    /// Bytes stored.
    pub length: u64,
}

/// One row: the final word on a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The canonical URL.
    pub url: String,
    /// What became of it.
    pub state: State,
    /// Why it is excluded, failed or unreached; empty for captures.
    pub reason: String,
    /// soft-404, closing-notice or challenge; probe for what was asked for to
    /// learn from; else empty.
    pub mark: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// The media type that the server named.
    pub media_type: String,
    /// Length of the payload in bytes.
    pub bytes: Option<u64>,
    /// The labelled payload digest.
    pub payload_digest: String,
    /// Its response record.
    pub place: Option<Place>,
    /// The page that named it first; empty for seeds.
    pub via: String,
    /// The kinds of hops from the seed, a letter each, as Heritrix writes
    /// them: L link, E embed, R redirect, P prerequisite, M sitemap (of robots.txt or a sitemap),
    /// X a guess from a script.
    pub hops: String,
    /// The pass that gave this row, from 1.
    pub pass: u32,
    /// RFC 3339 time of the last attempt; empty if there was none.
    pub time: String,
}

/// The columns in order.
pub const COLUMNS: [&str; 15] = [
    "url",
    "state",
    "reason",
    "mark",
    "status",
    "media_type",
    "bytes",
    "payload_digest",
    "filename",
    "offset",
    "length",
    "via",
    "hops",
    "pass",
    "time",
];

/// Writes a ledger row by row.
pub struct LedgerWriter<W: Write>(csv::Writer<W>);

impl<W: Write> LedgerWriter<W> {
    /// Begins the file with its header. Lines end with CRLF (RFC 4180 §2).
    pub fn new(out: W) -> std::io::Result<Self> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(out);
        writer.write_record(COLUMNS)?;
        Ok(Self(writer))
    }

    /// Adds a row; the caller keeps them sorted by URL.
    pub fn add(&mut self, row: &LedgerRow) -> std::io::Result<()> {
        let number = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
        let place = row.place.as_ref();
        let columns: [&str; 15] = [
            &row.url,
            row.state.as_str(),
            &row.reason,
            &row.mark,
            &number(row.status.map(u64::from)),
            &row.media_type,
            &number(row.bytes),
            &row.payload_digest,
            place.map_or("", |place| &place.filename),
            &number(place.map(|place| place.offset)),
            &number(place.map(|place| place.length)),
            &row.via,
            &row.hops,
            &row.pass.to_string(),
            &row.time,
        ];
        self.0.write_record(columns)?;
        Ok(())
    }

    /// Hands everything to the file below.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Reads the rows of a ledger; `path` is for messages.
pub fn read(
    path: &Path,
    file: impl Read,
) -> impl Iterator<Item = Result<LedgerRow, SnapshotError>> {
    table::rows(path, file, parse)
}

fn parse(row: &csv::StringRecord) -> Result<LedgerRow, String> {
    if row.len() != COLUMNS.len() {
        return Err(format!(
            "{} columns expected, {} found",
            COLUMNS.len(),
            row.len()
        ));
    }
    let column = |at: usize| row.get(at).unwrap_or_default();
    let text = |at: usize| column(at).to_owned();
    let number = |at: usize| match column(at) {
        "" => Ok(None),
        digits => digits
            .parse::<u64>()
            .map(Some)
            .map_err(|_| format!("column {} is not a number: {digits:?}", COLUMNS[at])),
    };
    let place = match (number(9)?, number(10)?) {
        (Some(offset), Some(length)) => Some(Place {
            filename: text(8),
            offset,
            length,
        }),
        _ => None,
    };
    Ok(LedgerRow {
        url: text(0),
        state: column(1)
            .parse()
            .map_err(|()| format!("no state {:?}", column(1)))?,
        reason: text(2),
        mark: text(3),
        status: number(4)?.map(|n| u16::try_from(n).unwrap_or(u16::MAX)),
        media_type: text(5),
        bytes: number(6)?,
        payload_digest: text(7),
        place,
        via: text(11),
        hops: text(12),
        pass: number(13)?.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        time: text(14),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn rows_come_back_as_they_went() {
        let row = LedgerRow {
            url: "http://a.example/?q=\"x\",y".into(),
            state: State::Captured,
            reason: String::new(),
            mark: String::new(),
            status: Some(404),
            media_type: "text/html".into(),
            bytes: Some(12),
            payload_digest: "sha256:00".into(),
            place: Some(Place {
                filename: "a.warc.gz".into(),
                offset: 0,
                length: 7,
            }),
            via: "http://a.example/".into(),
            hops: "LE".into(),
            pass: 1,
            time: "2026-11-22T02:28:46Z".into(),
        };
        let mut file = Vec::new();
        let mut writer = LedgerWriter::new(&mut file).unwrap();
        writer.add(&row).unwrap();
        writer.finish().unwrap();
        let back: Vec<_> = read(Path::new("l"), &file[..])
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(back, [row]);
        assert!(file.starts_with(b"url,state,reason,mark,status,media_type,bytes,payload_digest,filename,offset,length,via,hops,pass,time\r\n"));
    }

    #[test]
    fn a_field_without_end_is_an_error_not_all_memory() {
        use std::io::Read;
        let endless = b"url\n\"".chain(std::io::repeat(b'x'));
        assert!(read(Path::new("l"), endless).any(|row| row.is_err()));
    }

    #[test]
    fn a_malformed_row_names_its_line() {
        let error = read(Path::new("l"), &b"url\r\nx,y\r\n"[..])
            .next()
            .unwrap()
            .unwrap_err();
        assert_eq!(error.to_string(), "l, line 2: 15 columns expected, 2 found");
    }
}
