//! `pages/*.jsonl`: the pages of a snapshot with their titles (WACZ 1.1.1
//! §5.2.3): a header line, then an object a line.

use std::io::{BufRead, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

/// One page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Unique in the file.
    pub id: String,
    /// The URL that was captured.
    pub url: String,
    /// RFC 3339 time of its capture.
    pub ts: String,
    /// Its title; the URL where it has none.
    #[serde(default)]
    pub title: String,
    /// Whether it is a seed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub seed: bool,
}

/// Writes the header line; `id` and `title` name the list.
pub fn write_header(out: &mut impl Write, id: &str, title: &str) -> std::io::Result<()> {
    let header = serde_json::json!({ "format": "json-pages-1.0", "id": id, "title": title });
    writeln!(out, "{header}")
}

/// Writes one page.
pub fn write(out: &mut impl Write, page: &Page) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, page)?;
    out.write_all(b"\n")
}

/// Reads the pages of a list. The header line and lines of other tools that
/// aren't pages are passed over.
pub fn read(file: impl Read) -> impl Iterator<Item = std::io::Result<Page>> {
    // A line without end must not fill memory.
    const MAX_LINE: u64 = 4 * 1024 * 1024;
    let mut reader = BufReader::new(file);
    std::iter::from_fn(move || {
        loop {
            let mut line = Vec::new();
            match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(error)),
            }
            if let Ok(page) = serde_json::from_slice::<LoosePage>(&line) {
                return Some(Ok(page.into()));
            }
        }
    })
}

/// As other tools write them: without id, with null titles.
#[derive(Deserialize)]
struct LoosePage {
    #[serde(default)]
    id: Option<String>,
    url: String,
    #[serde(default)]
    ts: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    seed: bool,
}

impl From<LoosePage> for Page {
    fn from(page: LoosePage) -> Self {
        Self {
            id: page.id.unwrap_or_default(),
            ts: page.ts.unwrap_or_default(),
            title: page
                .title
                .filter(|t| !t.is_empty())
                .unwrap_or_else(|| page.url.clone()),
            url: page.url,
            seed: page.seed,
        }
    }
}
