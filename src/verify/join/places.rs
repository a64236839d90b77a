//! What is said of a place: index and ledger against the record that starts
//! there.

use super::{AtPlace, Comparison, Side};
use crate::digest::Digest;
use crate::snapshot::cdxj;
use crate::snapshot::layout::{INDEX, LEDGER};
use crate::snapshot::ledger::State;
use crate::verify::Severity;
use crate::warc::write::RECORD_END;

/// Goes through the lines by place.
pub(super) struct Places<'f> {
    pub(super) comparison: Comparison<'f>,
    /// WARC and padded offset.
    pub(super) place: Option<(String, String)>,
    /// The record at the place, if there is one.
    pub(super) record: Option<AtPlace>,
    pub(super) indexed: bool,
    /// The mark in the index.
    pub(super) mark: Option<String>,
}

impl Places<'_> {
    pub(super) fn line(&mut self, line: &[u8]) {
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
    pub(super) fn leave(&mut self) {
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
