//! Index, ledger and pages against the records, in memory that doesn't grow:
//! each side says what it knows as sorted lines, once by place and once by URL,
//! and what stands side by side is compared.

mod places;
mod rows;
mod urls;

use std::collections::BTreeSet;
use std::io;

use serde::{Deserialize, Serialize};

use self::places::Places;
use self::rows::Rows;
use self::urls::{OfLinks, Urls};
use super::target::Target;
use super::{Findings, Location, Severity};
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::ledger::{LedgerRow, Place, State};
use crate::snapshot::pages::Page;
use crate::snapshot::records::RecordRow;
use crate::snapshot::scratch::LineSorter;
use crate::time::{Timestamp14, WarcDate};
use crate::warc::RecordType;

/// Which sides are compared with the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) index: bool,
    pub(super) ledger: bool,
    pub(super) pages: bool,
    /// How much it weighs that a stored answer names a URL without a row, where
    /// they are scanned.
    pub(super) links: Option<Severity>,
}

/// What every side said.
pub(super) struct Joins {
    wanted: Wanted,
    /// Whether Lastlight sealed it: then everything must agree. Other tools
    /// leave captures out of their indexes and name types in their own way.
    strict: bool,
    prefix: &'static str,
    places: LineSorter,
    urls: LineSorter,
    /// Rows of records.csv and the records, where they are to be compared.
    rows: Option<LineSorter>,
    /// WARCs in which not every record could be read.
    damaged: BTreeSet<String>,
    warcs: Vec<(String, String)>,
}

/// Where a record stands, as records.csv has it or as it was read.
#[derive(Serialize, Deserialize)]
struct Extents {
    filename: String,
    /// Padded, so that the lines of a place are equal up to here.
    offset: String,
    read: bool,
    length: u64,
    id: String,
}

/// What one side says about the record at a place.
#[derive(Serialize, Deserialize, PartialEq)]
struct AtPlace {
    filename: String,
    /// Padded, so that the lines of a place are equal up to here.
    offset: String,
    side: Side,
    url: String,
    timestamp: Option<String>,
    mime: Option<String>,
    status: Option<String>,
    digest: Option<String>,
    length: u64,
    /// Length of the entity, and its media type in lower case.
    entity: Option<(u64, String)>,
    /// The state, in the ledger.
    state: Option<String>,
    /// In the index and in the ledger.
    mark: Option<String>,
}

/// What a record says that an index doesn't.
pub(super) struct Beyond<'a> {
    /// Stored bytes.
    pub(super) extent: (u64, u64),
    /// Base name of its WARC.
    pub(super) filename: &'a str,
    /// `WARC-Record-ID`.
    pub(super) id: &'a str,
    /// Of HTTP answers: length and media type of the entity.
    pub(super) entity: Option<(u64, String)>,
    /// Whether it says that it is cut.
    pub(super) truncated: bool,
}

/// In the order in which the lines of one place are read.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq)]
enum Side {
    #[serde(rename = "0record")]
    Record,
    #[serde(rename = "1index")]
    Index,
    #[serde(rename = "2ledger")]
    Ledger,
}

/// What one side says about a URL.
#[derive(Serialize, Deserialize)]
struct OfUrl {
    url: String,
    said: Said,
}

/// In the order in which the lines of one URL are read.
#[derive(Serialize, Deserialize, PartialEq, Eq)]
enum Said {
    /// The state and the HTTP status.
    #[serde(rename = "0listed")]
    Listed(String, Option<u16>),
    #[serde(rename = "1page")]
    Page(String),
    #[serde(rename = "2captured")]
    Captured {
        timestamp: String,
        answer: bool,
        /// A whole answer that isn't asked for again.
        settled: bool,
        filename: String,
        offset: u64,
    },
    /// A stored answer names it.
    #[serde(rename = "3named")]
    Named {
        // First, so that the first of its lines is that of the first record, by
        // whichever thread it came.
        filename: String,
        #[serde(with = "padded")]
        offset: u64,
        page: String,
        /// Whether that is a sitemap, which lists it.
        is_listed: bool,
    },
}

/// A number as digits that sort as it does.
mod padded {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:020}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let digits = String::deserialize(deserializer)?;
        digits.parse().map_err(D::Error::custom)
    }
}

/// The state of a URL that a challenge page was the answer for.
const CHALLENGED: &str = "failed by a challenge";

impl Joins {
    /// `rows` says whether records.csv is compared too.
    pub(super) fn new(target: &Target, wanted: Wanted, rows: bool) -> Self {
        Self {
            wanted,
            strict: target.is_ours(),
            prefix: target.prefix(),
            places: LineSorter::default(),
            urls: LineSorter::default(),
            rows: rows.then(LineSorter::default),
            damaged: BTreeSet::new(),
            warcs: target
                .warcs
                .iter()
                .map(|warc| (warc.filename.clone(), warc.path.clone()))
                .collect(),
        }
    }

    /// Whether a record's payload digest is needed that it doesn't state.
    pub(super) fn wants_digests(&self) -> bool {
        self.wanted.index
    }

    /// Whether the entries of records in an index are needed.
    pub(super) fn wants_entries(&self) -> bool {
        self.wanted.index || self.wanted.ledger || self.wanted.pages
    }

    /// A record, by the entry that an index has of it.
    pub(super) fn record(
        &mut self,
        record_type: &RecordType,
        entry: Option<&CdxjEntry>,
        beyond: Beyond<'_>,
    ) -> io::Result<()> {
        self.extent(beyond.filename, beyond.extent, beyond.id, true)?;
        let Some(entry) = entry else {
            return Ok(());
        };
        let status: Option<u16> = entry.status.as_ref().and_then(|s| s.parse().ok());
        let settled = *record_type == RecordType::Response
            && !beyond.truncated
            && status.is_some_and(|status| status != 429 && status < 500);
        if self.wanted.index || self.wanted.ledger {
            let mut at = AtPlace::of(Side::Record, entry);
            at.entity = beyond.entity;
            self.places.add(&line(&at))?;
        }
        if self.wanted.ledger || self.wanted.pages {
            let said = Said::Captured {
                timestamp: entry.timestamp.to_string(),
                answer: matches!(record_type, RecordType::Response | RecordType::Revisit),
                settled,
                filename: entry.filename.clone(),
                offset: entry.offset,
            };
            self.url(&entry.url, said)?;
        }
        Ok(())
    }

    /// A row of records.csv.
    pub(super) fn row(&mut self, row: &RecordRow) -> io::Result<()> {
        let extent = (row.offset, row.length);
        self.extent(&row.filename, extent, &row.record_id, false)
    }

    /// Not every record of this WARC was read.
    pub(super) fn damaged(&mut self, filename: &str) {
        self.damaged.insert(filename.to_owned());
    }

    fn extent(
        &mut self,
        filename: &str,
        (offset, length): (u64, u64),
        id: &str,
        read: bool,
    ) -> io::Result<()> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        rows.add(&line(&Extents {
            filename: filename.to_owned(),
            offset: format!("{offset:020}"),
            read,
            length,
            id: id.to_owned(),
        }))
    }

    /// A line of the index.
    pub(super) fn index(&mut self, entry: &CdxjEntry) -> io::Result<()> {
        self.places.add(&line(&AtPlace::of(Side::Index, entry)))
    }

    /// A row of the ledger.
    pub(super) fn ledger(&mut self, row: &LedgerRow) -> io::Result<()> {
        if let Some(place) = row.place.as_ref().filter(|_| self.wanted.ledger) {
            self.places.add(&line(&AtPlace::of_row(row, place)))?;
        }
        // A challenge is a whole answer, and none of the site's.
        let state = match (row.state, row.mark.as_str()) {
            (State::Failed, "challenge") => CHALLENGED.to_owned(),
            (state, _) => state.to_string(),
        };
        self.url(&row.url, Said::Listed(state, row.status))
    }

    /// A page.
    pub(super) fn page(&mut self, page: &Page) -> io::Result<()> {
        let time = page.ts.parse::<WarcDate>().map(WarcDate::timestamp14);
        let time = time.map_or_else(|_| page.ts.clone(), |time: Timestamp14| time.to_string());
        self.url(&page.url, Said::Page(time))
    }

    /// A URL that the answer at a place names.
    pub(super) fn named(
        &mut self,
        url: &str,
        page: &str,
        (filename, offset): (&str, u64),
        is_listed: bool,
    ) -> io::Result<()> {
        let said = Said::Named {
            is_listed,
            page: page.to_owned(),
            filename: filename.to_owned(),
            offset,
        };
        self.url(url, said)
    }

    fn url(&mut self, url: &str, said: Said) -> io::Result<()> {
        let url = url.to_owned();
        self.urls.add(&line(&OfUrl { url, said }))
    }

    /// Compares what stands side by side.
    pub(super) fn compare(self, findings: &mut Findings) -> io::Result<OfLinks> {
        let Self {
            places,
            urls,
            rows,
            damaged,
            ..
        } = self;
        let rest = Comparison {
            wanted: self.wanted,
            strict: self.strict,
            prefix: self.prefix,
            warcs: self.warcs,
            findings,
        };
        let mut at_places = Places {
            comparison: rest,
            place: None,
            record: None,
            indexed: false,
            mark: None,
        };
        places.each_line(|line| {
            at_places.line(line);
            Ok(())
        })?;
        at_places.leave();
        let mut of_urls = Urls {
            comparison: at_places.comparison,
            url: None,
            listed: None,
            unlike: false,
            reported: false,
            captured: false,
            times: Vec::new(),
            mention: urls::Mention::default(),
            links: OfLinks::default(),
        };
        urls.each_line(|line| {
            of_urls.line(line);
            Ok(())
        })?;
        of_urls.leave();
        let links = of_urls.links;
        let Some(rows) = rows else {
            return Ok(links);
        };
        let mut of_rows = Rows {
            comparison: of_urls.comparison,
            damaged,
            row: None,
        };
        rows.each_line(|line| {
            of_rows.line(line);
            Ok(())
        })?;
        of_rows.leave();
        Ok(links)
    }
}

impl AtPlace {
    fn of(side: Side, entry: &CdxjEntry) -> Self {
        let filename = entry.filename.rsplit('/').next().unwrap_or_default();
        Self {
            filename: filename.to_owned(),
            offset: format!("{:020}", entry.offset),
            side,
            url: entry.url.clone(),
            timestamp: Some(entry.timestamp.to_string()),
            mime: entry.mime.clone(),
            status: entry.status.clone(),
            digest: entry.digest.clone(),
            length: entry.length,
            entity: None,
            state: None,
            mark: entry.mark.clone(),
        }
    }

    fn of_row(row: &LedgerRow, place: &Place) -> Self {
        let digest = &row.payload_digest;
        Self {
            filename: place.filename.clone(),
            offset: format!("{:020}", place.offset),
            side: Side::Ledger,
            url: row.url.clone(),
            timestamp: Some(row.time.chars().filter(char::is_ascii_digit).collect()),
            mime: None,
            status: row.status.map(|status| status.to_string()),
            digest: (!digest.is_empty()).then(|| digest.clone()),
            length: place.length,
            entity: row.bytes.map(|bytes| (bytes, row.media_type.clone())),
            state: Some(row.state.to_string()),
            // A probe's answer is the site's, so the index doesn't tell it apart.
            mark: Some(row.mark.clone()).filter(|mark| !matches!(mark.as_str(), "" | "probe")),
        }
    }

    fn offset(&self) -> u64 {
        self.offset.parse().unwrap_or_default()
    }
}

fn line(fact: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(fact).expect("strings and numbers are JSON")
}

/// What the comparisons share.
struct Comparison<'f> {
    wanted: Wanted,
    strict: bool,
    prefix: &'static str,
    warcs: Vec<(String, String)>,
    findings: &'f mut Findings,
}

impl Comparison<'_> {
    fn location(&self, filename: &str, offset: u64, url: &str) -> Location {
        let warc = self.warcs.iter().find(|(name, _)| name == filename);
        let path = warc.map_or(filename, |(_, path)| path);
        Location::file(format!("{}{path}", self.prefix))
            .at(offset)
            .url(Some(url))
    }

    /// An error in what Lastlight sealed, a warning in other tools' files.
    fn strictly(&self) -> Severity {
        if self.strict {
            Severity::Error
        } else {
            Severity::Warning
        }
    }
}
