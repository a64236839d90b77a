//! Index, ledger and pages against the records, in memory that doesn't grow:
//! each side says what it knows as sorted lines, once by place and once by URL,
//! and what stands side by side is compared.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::target::Target;
use super::{Findings, Location, Severity};
use crate::digest::Digest;
use crate::snapshot::cdxj::{self, CdxjEntry};
use crate::snapshot::layout::{INDEX, LEDGER};
use crate::snapshot::ledger::{LedgerRow, Place, State};
use crate::snapshot::pages::Page;
use crate::snapshot::records::RecordRow;
use crate::snapshot::scratch::LineSorter;
use crate::time::{Timestamp14, WarcDate};
use crate::warc::RecordType;
use crate::warc::write::RECORD_END;

/// Which sides are compared with the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) index: bool,
    pub(super) ledger: bool,
    pub(super) pages: bool,
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
    #[serde(rename = "0listed")]
    Listed(String),
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
}

/// The state of a URL that a challenge page was the answer for.
const CHALLENGED: &str = "failed by a challenge";
/// So many times of one page are told apart.
const MOST_PAGE_TIMES: usize = 1000;

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
        if let Some(place) = &row.place {
            self.places.add(&line(&AtPlace::of_row(row, place)))?;
        }
        // A challenge is a whole answer, and none of the site's.
        let state = match (row.state, row.mark.as_str()) {
            (State::Failed, "challenge") => CHALLENGED.to_owned(),
            (state, _) => state.to_string(),
        };
        self.url(&row.url, Said::Listed(state))
    }

    /// A page.
    pub(super) fn page(&mut self, page: &Page) -> io::Result<()> {
        let time = page.ts.parse::<WarcDate>().map(WarcDate::timestamp14);
        let time = time.map_or_else(|_| page.ts.clone(), |time: Timestamp14| time.to_string());
        self.url(&page.url, Said::Page(time))
    }

    fn url(&mut self, url: &str, said: Said) -> io::Result<()> {
        let url = url.to_owned();
        self.urls.add(&line(&OfUrl { url, said }))
    }

    /// Compares what stands side by side.
    pub(super) fn compare(self, findings: &mut Findings) -> io::Result<()> {
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
        each_line(places, |line| at_places.line(line))?;
        at_places.leave();
        let mut of_urls = Urls {
            comparison: at_places.comparison,
            url: None,
            listed: None,
            unlike: false,
            reported: false,
            captured: false,
            times: Vec::new(),
        };
        each_line(urls, |line| of_urls.line(line))?;
        of_urls.leave();
        let Some(rows) = rows else {
            return Ok(());
        };
        let mut of_rows = Rows {
            comparison: of_urls.comparison,
            damaged,
            row: None,
        };
        each_line(rows, |line| of_rows.line(line))?;
        of_rows.leave();
        Ok(())
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

/// Goes through the lines by place.
struct Places<'f> {
    comparison: Comparison<'f>,
    /// WARC and padded offset.
    place: Option<(String, String)>,
    /// The record at the place, if there is one.
    record: Option<AtPlace>,
    indexed: bool,
    /// The mark in the index.
    mark: Option<String>,
}

impl Places<'_> {
    fn line(&mut self, line: &[u8]) {
        let said: AtPlace = serde_json::from_slice(line).expect("written by `line`");
        let here = self
            .place
            .as_ref()
            .is_some_and(|(filename, offset)| *offset == said.offset && *filename == said.filename);
        if !here {
            self.leave();
            self.place = Some((said.filename.clone(), said.offset.clone()));
            self.record = None;
            self.indexed = false;
            self.mark = None;
        }
        match said.side {
            Side::Record => self.record = Some(said),
            Side::Index => {
                self.indexed = true;
                self.mark.clone_from(&said.mark);
                self.index_line(&said);
            }
            Side::Ledger => self.ledger_row(&said),
        }
    }

    /// Ends the place that the lines were at.
    fn leave(&mut self) {
        if let Some(record) = &self.record
            && self.comparison.wanted.index
            && !self.indexed
        {
            let severity = self.comparison.strictly();
            let location = self
                .comparison
                .location(&record.filename, record.offset(), &record.url);
            let message = "the index doesn't have it";
            self.comparison
                .findings
                .add(severity, "index-missing", None, location, message);
        }
    }

    fn index_line(&mut self, line: &AtPlace) {
        let location = self
            .comparison
            .location(&line.filename, line.offset(), &line.url);
        let Some(record) = &self.record else {
            let message = format!("{INDEX} points here, and no capture starts here");
            self.comparison
                .findings
                .error("index-dangling", location, message);
            return;
        };
        let strictly = self.comparison.strictly();
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let mut differ = |what: &str, severity, index: &str, record: &str| {
            let message = format!("the index says {what} {index:?}, the record {record:?}");
            self.comparison.findings.add(
                severity,
                "index-differs",
                None,
                location.clone(),
                message,
            );
        };
        if line.url != record.url {
            differ("url", Severity::Error, &line.url, &record.url);
        }
        if line.timestamp != record.timestamp {
            let (index, record) = (text(&line.timestamp), text(&record.timestamp));
            differ("time", Severity::Error, &index, &record);
        }
        // warcio leaves the two line ends that close a record in a plain WARC out.
        let without_end = line.length.checked_add(RECORD_END.len() as u64);
        let length_fits = line.length == record.length
            || (!self.comparison.strict && without_end == Some(record.length));
        if !length_fits {
            let (index, record) = (line.length.to_string(), record.length.to_string());
            differ("length", Severity::Error, &index, &record);
        }
        if !same_digest(line.digest.as_deref(), record.digest.as_deref()) {
            let (index, record) = (text(&line.digest), text(&record.digest));
            differ("digest", strictly, &index, &record);
        }
        if line.mime != record.mime {
            differ("mime", strictly, &text(&line.mime), &text(&record.mime));
        }
        if line.status != record.status {
            differ(
                "status",
                strictly,
                &text(&line.status),
                &text(&record.status),
            );
        }
    }

    fn ledger_row(&mut self, row: &AtPlace) {
        let location = self
            .comparison
            .location(&row.filename, row.offset(), &row.url);
        let Some(record) = &self.record else {
            let message = format!("{LEDGER} says that its capture is here, and none starts here");
            self.comparison
                .findings
                .error("ledger-dangling", location, message);
            return;
        };
        let mut differ = |what: &str, row: &str, record: &str| {
            let message = format!("the ledger says {what} {row:?}, the record {record:?}");
            self.comparison
                .findings
                .error("ledger-differs", location.clone(), message);
        };
        if row.url != record.url {
            differ("url", &row.url, &record.url);
        }
        if row.length != record.length {
            differ(
                "length",
                &row.length.to_string(),
                &record.length.to_string(),
            );
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        if self.indexed && row.mark != self.mark {
            let message = format!(
                "the ledger says mark {:?}, the index {:?}",
                text(&row.mark),
                text(&self.mark)
            );
            self.comparison
                .findings
                .error("ledger-differs", location.clone(), message);
        }
        let mut differ = |what: &str, row: &str, record: &str| {
            let message = format!("the ledger says {what} {row:?}, the record {record:?}");
            self.comparison
                .findings
                .error("ledger-differs", location.clone(), message);
        };
        let state = row.state.as_deref().unwrap_or_default();
        let is = |of: State| state == of.as_str();
        let is_revisit = record.mime.as_deref() == Some(cdxj::REVISIT);
        let captured = is(State::Captured);
        if (row.digest.is_some() || captured && !is_revisit)
            && !same_digest(row.digest.as_deref(), record.digest.as_deref())
        {
            differ("payload digest", &text(&row.digest), &text(&record.digest));
        }
        if is(State::Unchanged) && !is_revisit {
            differ("state", state, "a whole answer");
        }
        if !captured {
            return;
        }
        if row.timestamp != record.timestamp {
            differ("time", &text(&row.timestamp), &text(&record.timestamp));
        }
        // A status line may say anything; what isn't three digits is compared
        // by nobody, and code 000 is the number 0.
        let number = |status: &Option<String>| status.as_ref()?.parse::<u16>().ok();
        let is_status = |text: &String| text.len() == 3 && text.parse::<u16>().is_ok();
        if record.status.as_ref().is_some_and(is_status)
            && number(&row.status) != number(&record.status)
        {
            differ("status", &text(&row.status), &text(&record.status));
        }
        if row.entity != record.entity && record.entity.is_some() && !is_revisit {
            let told = |entity: &Option<(u64, String)>| match entity {
                Some((bytes, media_type)) => format!("{bytes} bytes {media_type}"),
                None => String::new(),
            };
            differ("payload", &told(&row.entity), &told(&record.entity));
        }
    }
}

/// Other tools spell digests in base32 or base16, with or without label.
fn same_digest(one: Option<&str>, other: Option<&str>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if one != other => {
            let parse = |text: &str| text.parse::<Digest>().ok();
            let bare = |text: &str| text.rsplit(':').next().map(str::to_owned);
            match (parse(one), parse(other)) {
                (Some(one), Some(other)) => one == other,
                _ => bare(one) == bare(other),
            }
        }
        (one, other) => one == other,
    }
}

/// Goes through the lines by URL.
struct Urls<'f> {
    comparison: Comparison<'f>,
    url: Option<String>,
    /// Its state, where the ledger lists it.
    listed: Option<String>,
    /// Whether it was told that the state isn't that of an answer.
    unlike: bool,
    /// Whether it was told that the ledger doesn't list the URL.
    reported: bool,
    captured: bool,
    /// Times of pages for which no capture was seen yet.
    times: Vec<String>,
}

impl Urls<'_> {
    fn line(&mut self, line: &[u8]) {
        let OfUrl { url, said } = serde_json::from_slice(line).expect("written by `line`");
        if self.url.as_ref() != Some(&url) {
            self.leave();
            self.url = Some(url.clone());
        }
        match said {
            Said::Listed(state) => self.listed = Some(state),
            Said::Page(time) => {
                if self.times.len() < MOST_PAGE_TIMES {
                    self.times.push(time);
                }
            }
            Said::Captured {
                timestamp,
                answer,
                settled,
                filename,
                offset,
            } => {
                self.captured = true;
                self.times.retain(|time| *time != timestamp);
                self.state(settled, &filename, offset, &url);
                if answer
                    && self.comparison.wanted.ledger
                    && self.listed.is_none()
                    && !self.reported
                {
                    self.reported = true;
                    let location = self.comparison.location(&filename, offset, &url);
                    let message = "the ledger doesn't list its URL";
                    self.comparison
                        .findings
                        .error("ledger-missing", location, message);
                }
            }
        }
    }

    /// What was answered whole is captured; only an answer that is cut or asks
    /// for patience may come before a failure.
    fn state(&mut self, settled: bool, filename: &str, offset: u64, url: &str) {
        let Some(state) = self.listed.as_ref().filter(|_| settled && !self.unlike) else {
            return;
        };
        let whole = [
            State::Captured.as_str(),
            State::Unchanged.as_str(),
            CHALLENGED,
        ];
        if whole.contains(&state.as_str()) {
            return;
        }
        self.unlike = true;
        let location = self.comparison.location(filename, offset, url);
        let message = format!("the ledger says {state}, and here is a whole answer");
        self.comparison
            .findings
            .error("ledger-differs", location, message);
    }

    /// Ends the URL that the lines were at.
    fn leave(&mut self) {
        let times = std::mem::take(&mut self.times);
        if let Some(url) = &self.url {
            for time in times {
                let location = Location::file(format!("{}pages", self.comparison.prefix));
                let location = location.url(Some(url));
                if !self.captured {
                    let message = "a page that no capture has";
                    let severity = self.comparison.strictly();
                    self.comparison.findings.add(
                        severity,
                        "page-missing",
                        "WACZ 1.1.1 §5.2.3",
                        location,
                        message,
                    );
                } else if self.comparison.strict {
                    let message = format!("a page of {time}, when no capture was made");
                    self.comparison.findings.add(
                        Severity::Error,
                        "page-time",
                        "WACZ 1.1.1 §5.2.3",
                        location,
                        message,
                    );
                }
            }
        }
        self.listed = None;
        (self.reported, self.captured, self.unlike) = (false, false, false);
    }
}

/// Goes through the rows of records.csv and the records, by place.
struct Rows<'f> {
    comparison: Comparison<'f>,
    damaged: BTreeSet<String>,
    /// A row for which no record was seen yet.
    row: Option<Extents>,
}

impl Rows<'_> {
    fn line(&mut self, line: &[u8]) {
        let said: Extents = serde_json::from_slice(line).expect("written by `line`");
        if !said.read {
            self.leave();
            self.row = Some(said);
            return;
        }
        let here = self
            .row
            .take_if(|row| row.offset == said.offset && row.filename == said.filename);
        let location = self.location(&said);
        let message = match here {
            None => {
                self.leave();
                "no row of records.csv begins here".to_owned()
            }
            Some(row) if row.length != said.length => format!(
                "records.csv says {} bytes, the record has {}",
                row.length, said.length
            ),
            Some(row) if row.id != said.id => {
                format!("records.csv says {}", super::finding::clip(&row.id))
            }
            Some(_) => return,
        };
        self.comparison
            .findings
            .error("records-differ", location, message);
    }

    /// Ends the place of the row.
    fn leave(&mut self) {
        let Some(row) = self.row.take() else {
            return;
        };
        // What became of records that don't read is told already.
        let known = self
            .comparison
            .warcs
            .iter()
            .any(|(name, _)| *name == row.filename);
        if !known || self.damaged.contains(&row.filename) {
            return;
        }
        let location = self.location(&row);
        let message = "records.csv says that a record begins here, and none does";
        self.comparison
            .findings
            .error("records-differ", location, message);
    }

    fn location(&self, of: &Extents) -> Location {
        let offset = of.offset.parse().unwrap_or_default();
        let mut location = self.comparison.location(&of.filename, offset, "");
        location.url = None;
        location.record(Some(&of.id))
    }
}

/// Gives the sorted lines one by one.
pub(super) fn each_line(sorter: LineSorter, sink: impl FnMut(&[u8])) -> io::Result<()> {
    sorter.write_to(&mut LineSink {
        line: Vec::new(),
        sink,
    })
}

struct LineSink<F> {
    line: Vec<u8>,
    sink: F,
}

impl<F: FnMut(&[u8])> Write for LineSink<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = bytes.iter().position(|&b| b == b'\n');
        self.line
            .extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        if end.is_some() {
            (self.sink)(&self.line);
            self.line.clear();
        }
        Ok(end.map_or(bytes.len(), |end| end + 1))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
