//! The table of malformed answers, `tests/data/malformed.json`: what a server
//! sends, how the connection ends, and what a reader is to make of it. Unit
//! tests, black-box tests and the comparison with other tools read the same.
//!
//! Texts in it are bytes as Latin-1. `entity` is the payload, transfer coding
//! chunked removed; `browser` is what a browser shows where that is another
//! thing: decoded, less, or nothing.

use serde_json::Value;

/// How the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The server closes it.
    Close,
    /// The server resets it.
    Reset,
    /// The server waits for the next request.
    Open,
}

/// One answer.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name, also the last segment of its path.
    pub name: String,
    /// Everything that the server sends.
    pub sends: Vec<u8>,
    /// How the connection ends.
    pub end: End,
    /// The status as browsers read it.
    pub status: Option<u16>,
    /// The value of `WARC-Truncated`, where the answer isn't whole.
    pub cut: Option<String>,
    /// Whether it has no head at all, as HTTP/0.9.
    pub headless: bool,
    /// What of it stands apart: interim heads, bytes after the end.
    pub apart: Vec<u8>,
    /// Whether it's shown as text, so that no link in it is one.
    pub unlinked: bool,
    /// The payload.
    pub entity: Vec<u8>,
    /// What a browser shows, where that isn't the payload.
    pub browser: Option<Vec<u8>>,
    /// Whether its chunks don't read to the end, so that the payload digest is
    /// over the bytes as received.
    pub digest_as_received: bool,
}

impl Case {
    /// What a record's block is to hold: all that was sent, but for what
    /// stands apart and what is beyond the largest head.
    pub fn kept(&self) -> Vec<u8> {
        let mut kept = self.sends.clone();
        let length = self.apart.len();
        if self.sends.ends_with(&self.apart) {
            kept.truncate(kept.len() - length);
        } else {
            assert!(self.sends.starts_with(&self.apart), "{}", self.name);
            kept.drain(..length);
        }
        if self.cut.as_deref() == Some("length") {
            kept.truncate(MAX_HEAD_BYTES);
        }
        kept
    }

    /// What a browser shows, or the payload where that is the same.
    pub fn shown(&self) -> &[u8] {
        self.browser.as_ref().unwrap_or(&self.entity)
    }
}

/// The largest head that is kept.
pub const MAX_HEAD_BYTES: usize = 1024 * 1024;

/// Every case.
pub fn cases() -> Vec<Case> {
    let table = include_str!("../data/malformed.json");
    let Ok(Value::Array(cases)) = serde_json::from_str(table) else {
        panic!("the table of malformed answers is no list");
    };
    cases.iter().map(case).collect()
}

fn case(value: &Value) -> Case {
    let text = |key: &str| value[key].as_str();
    Case {
        name: text("name").expect("a case has a name").to_owned(),
        sends: bytes(&value["sends"]),
        end: match text("end") {
            Some("close") => End::Close,
            Some("reset") => End::Reset,
            Some("open") => End::Open,
            other => panic!("no way for a connection to end: {other:?}"),
        },
        status: value["status"].as_u64().map(|status| status as u16),
        cut: text("cut").map(str::to_owned),
        headless: value["headless"] == true,
        unlinked: value["unlinked"] == true,
        apart: value.get("apart").map(bytes).unwrap_or_default(),
        entity: bytes(&value["entity"]),
        browser: value.get("browser").map(bytes),
        digest_as_received: text("digest") == Some("received"),
    }
}

/// A list of texts, or of texts that are repeated.
fn bytes(pieces: &Value) -> Vec<u8> {
    let pieces = pieces.as_array().expect("bytes are a list of pieces");
    let mut bytes = Vec::new();
    for piece in pieces {
        let (text, times) = match piece {
            Value::String(text) => (text.as_str(), 1),
            repeated => (
                repeated["repeat"].as_str().expect("a text to repeat"),
                repeated["times"].as_u64().expect("how often it comes"),
            ),
        };
        let piece: Vec<u8> = text
            .chars()
            .map(|c| u8::try_from(c).expect("texts are bytes as Latin-1"))
            .collect();
        bytes.extend(piece.repeat(times as usize));
    }
    bytes
}
