//! Memento (RFC 7089): the captures of a URL as mementos, the TimeGate that
//! leads to the one nearest to a time, and TimeMaps. A TimeGate redirects
//! (pattern 2.1); a memento has an address of its own.

use std::io::{self, Read};

use axum::http::header::{
    CONTENT_LOCATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LINK, LOCATION, VARY,
};
use axum::http::{Response, StatusCode};
use serde_json::json;
use thiserror::Error;

use super::outlet::Outlet;
use super::path_mode::{Format, Modifier};
use super::resolve;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// A URL of which there are captures, as a reader names it.
pub struct Original<'a> {
    /// The server: `http://127.0.0.1:8080`.
    pub origin: &'a str,
    /// Its collection.
    pub collection: &'a Collection,
    /// The archived URL.
    pub url: &'a CanonicalUrl,
}

/// The mementos of a URL around a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Around {
    first: Timestamp14,
    previous: Option<Timestamp14>,
    next: Option<Timestamp14>,
    last: Timestamp14,
}

impl Around {
    /// Takes in the times in their order.
    fn of(
        times: impl Iterator<Item = io::Result<Timestamp14>>,
        at: Timestamp14,
    ) -> io::Result<Option<Self>> {
        let mut around: Option<Self> = None;
        for time in times {
            let time = time?;
            let around = around.get_or_insert(Self {
                first: time,
                previous: None,
                next: None,
                last: time,
            });
            around.last = time;
            if time < at {
                around.previous = Some(time);
            } else if time > at {
                around.next.get_or_insert(time);
            }
        }
        Ok(around)
    }
}

impl Original<'_> {
    /// `http://127.0.0.1:8080/demo`.
    fn start(&self) -> String {
        format!("{}/{}", self.origin, self.collection.name)
    }

    /// The address of a memento.
    pub fn memento(&self, time: Timestamp14, modifier: Modifier) -> String {
        let (start, modifier, url) = (self.start(), modifier.as_str(), self.url);
        format!("{start}/{time}{modifier}/{url}")
    }

    fn time_gate(&self) -> String {
        format!("{}/timegate/{}", self.start(), self.url)
    }

    fn time_map(&self, format: &str) -> String {
        format!("{}/timemap/{format}/{}", self.start(), self.url)
    }

    /// The times at which it was captured, in order, each once. Where there are
    /// captures of the very URL, those of its other spellings (`http`, `www`) are
    /// none of it, as they aren't answered with either. What isn't the site's (a
    /// challenge, a page that only says "not found") is no memento, nor is a part.
    fn times(&self) -> io::Result<impl Iterator<Item = io::Result<Timestamp14>>> {
        let mut best = None;
        for entry in self.entries()? {
            let rank = resolve::rank(&entry?, self.url);
            best = Some(best.map_or(rank, |best: (bool, bool, u8)| best.min(rank)));
        }
        let best = best.filter(|(is_marked, is_partial, _)| !is_marked && !is_partial);
        let mut last = None;
        Ok(self.entries()?.filter_map(move |entry| {
            let time = match entry {
                Ok(entry) if Some(resolve::rank(&entry, self.url)) == best => entry.timestamp,
                Ok(_) => return None,
                Err(error) => return Some(Err(error)),
            };
            (last.replace(time) != Some(time)).then_some(Ok(time))
        }))
    }

    fn entries(&self) -> io::Result<impl Iterator<Item = io::Result<CdxjEntry>>> {
        let lines = self.lines()?;
        Ok(lines.filter_map(|line| match line {
            Ok(line) => self.collection.entry(&line).map(Ok),
            Err(error) => Some(Err(error)),
        }))
    }

    fn lines(&self) -> io::Result<impl Iterator<Item = io::Result<String>> + use<>> {
        let key = format!("{} ", self.url.surt().as_str());
        self.collection.index().lines(&key)
    }

    /// The links of an answer: to the original, the TimeGate, the TimeMap, and,
    /// with the time of a memento, to those around it (RFC 7089 §2.2).
    pub fn links(&self, at: Option<Timestamp14>, modifier: Modifier) -> io::Result<String> {
        let mut links = vec![
            format!("<{}>; rel=\"original\"", self.url),
            format!("<{}>; rel=\"timegate\"", self.time_gate()),
            format!(
                "<{}>; rel=\"timemap\"; type=\"application/link-format\"",
                self.time_map("link")
            ),
        ];
        let Some(at) = at else {
            return Ok(links.join(", "));
        };
        let around = Around::of(self.times()?, at)?;
        let around = around.unwrap_or(Around {
            first: at,
            previous: None,
            next: None,
            last: at,
        });
        // One link a memento, with all that it is.
        let mut told: Vec<(Timestamp14, String)> = Vec::new();
        for (relation, time) in [
            ("first", Some(around.first)),
            ("prev", around.previous),
            ("", Some(at)),
            ("next", around.next),
            ("last", Some(around.last)),
        ] {
            let Some(time) = time else { continue };
            match told.iter_mut().find(|(known, _)| *known == time) {
                Some((_, relations)) if !relation.is_empty() => {
                    if !relations.is_empty() {
                        relations.push(' ');
                    }
                    relations.push_str(relation);
                }
                Some(_) => {}
                None => told.push((time, relation.to_owned())),
            }
        }
        links.extend(
            told.iter()
                .map(|(time, relations)| self.link(*time, relations, modifier)),
        );
        Ok(links.join(", "))
    }

    fn link(&self, time: Timestamp14, relations: &str, modifier: Modifier) -> String {
        let relations = format!("{relations} memento");
        format!(
            "<{}>; rel=\"{}\"; datetime=\"{}\"",
            self.memento(time, modifier),
            relations.trim(),
            time.http_date()
        )
    }

    /// Gives a memento its fields; `at` is when it was captured.
    pub fn describe(&self, fields: &mut HeaderMap, at: Timestamp14, modifier: Modifier) {
        // Where the index can't be read the answer wouldn't be there.
        if let Ok(links) = self.links(Some(at), modifier) {
            set(fields, LINK, &links);
        }
        set(fields, CONTENT_LOCATION, &self.memento(at, modifier));
    }

    /// The TimeGate's answer: where the memento that was found is.
    pub fn gate(&self, found: Timestamp14, modifier: Modifier) -> Response<Vec<u8>> {
        let mut response = Response::new(Vec::new());
        *response.status_mut() = StatusCode::FOUND;
        let fields = response.headers_mut();
        set(fields, LOCATION, &self.memento(found, modifier));
        fields.insert(VARY, HeaderValue::from_static("accept-datetime"));
        if let Ok(links) = self.links(Some(found), modifier) {
            set(fields, LINK, &links);
        }
        response
    }

    /// The TimeMap; 404 where there is no memento.
    pub fn map(&self, format: Format, outlet: Outlet) -> io::Result<()> {
        // Their first and last stand before the others.
        let Some(whole) = Around::of(self.times()?, Timestamp14::now())? else {
            let mut response = Response::new(b"no memento of this URL\n".to_vec());
            *response.status_mut() = StatusCode::NOT_FOUND;
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, plain);
            outlet.whole(response);
            return Ok(());
        };
        let mut response = Response::new(());
        let fields = response.headers_mut();
        set(fields, LINK, &self.links(None, Modifier::Page)?);
        let kind = match format {
            Format::Link => "application/link-format",
            Format::Json => "application/json",
            Format::Cdxj => "text/x-cdxj",
        };
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let mut pieces: Pieces<'_> = match format {
            Format::Link => self.as_links(whole)?,
            Format::Json => self.as_json(whole)?,
            Format::Cdxj => Pieces::new(self.lines()?.map(|line| Ok(line? + "\n"))),
        };
        outlet.stream_whole(response, &mut pieces);
        Ok(())
    }

    fn as_links(&self, whole: Around) -> io::Result<Pieces<'_>> {
        let head = format!(
            "<{}>; rel=\"original\",\n<{}>; rel=\"timegate\",\n\
             <{}>; rel=\"self\"; type=\"application/link-format\"; from=\"{}\"; until=\"{}\"",
            self.url,
            self.time_gate(),
            self.time_map("link"),
            whole.first.http_date(),
            whole.last.http_date()
        );
        let links = self.times()?.map(move |time| {
            let time = time?;
            let relations = match (time == whole.first, time == whole.last) {
                (true, true) => "first last",
                (true, false) => "first",
                (false, true) => "last",
                (false, false) => "",
            };
            Ok(format!(",\n{}", self.link(time, relations, Modifier::Page)))
        });
        let all = std::iter::once(Ok(head)).chain(links);
        Ok(Pieces::new(all.chain(std::iter::once(Ok("\n".to_owned())))))
    }

    fn as_json(&self, whole: Around) -> io::Result<Pieces<'_>> {
        let one = move |time: Timestamp14| json!({"datetime": time.rfc3339(), "uri": self.memento(time, Modifier::Page)});
        let head = json!({
            "original_uri": self.url.as_str(),
            "self": self.time_map("json"),
            "timegate_uri": self.time_gate(),
            "timemap_uri": {
                "link_format": self.time_map("link"),
                "json_format": self.time_map("json"),
                "cdxj_format": self.time_map("cdxj"),
            },
        })
        .to_string();
        let head = head.trim_end_matches('}');
        // The closing brace of `timemap_uri` went with the other.
        let head = format!(
            "{head}}},\"mementos\":{{\"first\":{},\"last\":{},\"list\":[",
            one(whole.first),
            one(whole.last)
        );
        let mut is_first = true;
        let list = self.times()?.map(move |time| {
            let comma = if std::mem::take(&mut is_first) {
                "\n"
            } else {
                ",\n"
            };
            Ok(format!("{comma}{}", one(time?)))
        });
        let all = std::iter::once(Ok(head)).chain(list);
        Ok(Pieces::new(
            all.chain(std::iter::once(Ok("]}}\n".to_owned()))),
        ))
    }
}

/// A body in pieces of text.
struct Pieces<'a> {
    pieces: Box<dyn Iterator<Item = io::Result<String>> + 'a>,
    rest: io::Cursor<String>,
}

impl<'a> Pieces<'a> {
    fn new(pieces: impl Iterator<Item = io::Result<String>> + 'a) -> Self {
        Self {
            pieces: Box::new(pieces),
            rest: io::Cursor::default(),
        }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.rest.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            match self.pieces.next().transpose()? {
                Some(piece) => self.rest = io::Cursor::new(piece),
                None => return Ok(0),
            }
        }
    }
}

/// A value of `Accept-Datetime` that isn't one.
#[derive(Debug, Error)]
#[error("Accept-Datetime is no date: expected one such as Sun, 22 Mar 2026 10:15:00 GMT")]
pub struct NoDate;

/// The time of `Accept-Datetime`, where there is one.
pub fn accepted(fields: &HeaderMap) -> Result<Option<Timestamp14>, NoDate> {
    let Some(value) = fields.get(HeaderName::from_static("accept-datetime")) else {
        return Ok(None);
    };
    let date = value.to_str().map_err(|_| NoDate)?;
    let date = jiff::fmt::rfc2822::parse(date.trim()).map_err(|_| NoDate)?;
    Ok(Some(Timestamp14::of(date.timestamp())))
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        fields.insert(name, value);
    }
}
