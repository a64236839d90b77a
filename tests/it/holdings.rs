//! Reads a snapshot's files by themselves, without the program's own readers:
//! the ledger, records.csv, the index, and records of WARCs.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use serde_json::Value;

/// The directory of a snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot(PathBuf);

/// A line of a CSV file by its column names.
pub type Row = BTreeMap<String, String>;

/// One record as it stands in a WARC.
#[derive(Debug, Clone)]
pub struct Record {
    pub offset: u64,
    /// Bytes of its gzip member.
    pub length: u64,
    pub fields: Vec<(String, String)>,
    pub block: Vec<u8>,
}

impl Record {
    pub fn kind(&self) -> &str {
        self.field("WARC-Type").unwrap_or_default()
    }

    pub fn url(&self) -> &str {
        self.field("WARC-Target-URI").unwrap_or_default()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// The values of a field that may be repeated.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.fields.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

impl Snapshot {
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn file(&self, relative: &str) -> PathBuf {
        self.0.join(relative)
    }

    pub fn bytes(&self, relative: &str) -> Vec<u8> {
        fs::read(self.file(relative)).unwrap()
    }

    pub fn text(&self, relative: &str) -> String {
        fs::read_to_string(self.file(relative)).unwrap()
    }

    pub fn manifest(&self) -> Value {
        serde_json::from_slice(&self.bytes("datapackage.json")).unwrap()
    }

    pub fn rows(&self, relative: &str) -> Vec<Row> {
        let mut reader = csv::Reader::from_path(self.file(relative)).unwrap();
        let rows = reader.deserialize();
        rows.map(|row| row.unwrap()).collect()
    }

    /// The ledger by URL.
    pub fn ledger(&self) -> BTreeMap<String, Row> {
        let rows = self.rows("reports/ledger.csv");
        rows.into_iter()
            .map(|row| (row["url"].clone(), row))
            .collect()
    }

    /// The ledger's row of a URL.
    #[track_caller]
    pub fn row(&self, url: &str) -> Row {
        let row = self.ledger().remove(url);
        row.unwrap_or_else(|| panic!("{url} has no row in the ledger"))
    }

    pub fn warcs(&self) -> Vec<PathBuf> {
        let mut warcs: Vec<_> = fs::read_dir(self.file("archive"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        warcs.sort();
        warcs
    }

    /// Every record of every WARC.
    pub fn records(&self) -> Vec<Record> {
        self.warcs()
            .iter()
            .flat_map(|warc| records_of(&fs::read(warc).unwrap()))
            .collect()
    }

    /// The response records of a URL.
    pub fn responses(&self, url: &str) -> Vec<Record> {
        let mut records = self.records();
        records.retain(|record| record.kind() == "response" && record.url() == url);
        records
    }

    /// The one response record of a URL.
    #[track_caller]
    pub fn response(&self, url: &str) -> Record {
        let mut responses = self.responses(url);
        assert_eq!(responses.len(), 1, "responses of {url}");
        responses.remove(0)
    }

    /// What must be the same however a crawl came to its end: each URL with
    /// its state, reason, status and payload digest.
    pub fn outcome(&self) -> BTreeMap<String, [String; 4]> {
        let columns = ["state", "reason", "status", "payload_digest"];
        let rows = self.ledger().into_iter();
        rows.map(|(url, row)| (url, columns.map(|column| row[column].clone())))
            .collect()
    }

    /// Path, length and bytes of every file, to tell whether any changed.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut contents = BTreeMap::new();
        let mut pending = vec![self.0.clone()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    contents.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        contents
    }
}

/// The records of a gzip WARC, one member each.
pub fn records_of(warc: &[u8]) -> Vec<Record> {
    let mut rest = warc;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let offset = (warc.len() - rest.len()) as u64;
        let mut decoder = GzDecoder::new(rest);
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).unwrap();
        rest = decoder.into_inner();
        let length = (warc.len() - rest.len()) as u64 - offset;
        let end = text
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(text[..end].to_vec()).unwrap();
        let mut lines = head.split("\r\n");
        assert!(
            matches!(lines.next(), Some("WARC/1.1" | "WARC/1.0")),
            "{head}"
        );
        let fields: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let block = text[end + 4..].strip_suffix(b"\r\n\r\n").unwrap().to_vec();
        let record = Record {
            offset,
            length,
            fields,
            block,
        };
        assert_eq!(
            record.field("Content-Length"),
            Some(&*record.block.len().to_string())
        );
        records.push(record);
    }
    records
}

impl Record {
    /// The message's content with its transfer coding removed and its content
    /// coding kept.
    pub fn entity(&self) -> Vec<u8> {
        let end = self
            .block
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let (head, body) = self.block.split_at(end + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        if !head.contains("\r\ntransfer-encoding: chunked\r\n") {
            return body.to_vec();
        }
        let (mut rest, mut entity) = (body, Vec::new());
        loop {
            let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = size.split(';').next().unwrap().trim();
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                return entity;
            }
            entity.extend_from_slice(&rest[end + 2..end + 2 + size]);
            rest = &rest[end + 2 + size + 2..];
        }
    }

    /// The content with both codings removed.
    pub fn decoded(&self) -> Vec<u8> {
        let entity = self.entity();
        if !entity.starts_with(&[0x1f, 0x8b]) {
            return entity;
        }
        let mut decoded = Vec::new();
        GzDecoder::new(&entity[..])
            .read_to_end(&mut decoded)
            .unwrap();
        decoded
    }
}
