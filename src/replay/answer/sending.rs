//! Sends a capture: rewritten, as it was received, in part, or with a page of
//! ours in its place.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use axum::http::header::{
    ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderMap, HeaderName, HeaderValue, LOCATION, REFRESH, SET_COOKIE,
};
use axum::http::{Response, StatusCode};
use serde_json::json;

use super::notices::{missing, unreadable};
use super::range::{Range, range};
use super::{Asked, Form};
use crate::http::coding::PROBE;
use crate::replay::address::Base;
use crate::replay::content::{Capture, Coding, peek, read_up_to};
use crate::replay::csp;
use crate::replay::find::{Instead, is_there};
use crate::replay::headers::{self, Mapping};
use crate::replay::near::{JSONP_START, Near};
use crate::replay::notice::Notice;
use crate::replay::outlet::Outlet;
use crate::replay::rewrite::{Document, MAX_DOCUMENT};
use crate::replay::viewer::Viewer;
use crate::replay::way::Way;
use crate::scan::{self, Format, Kind, Role};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::url::CanonicalUrl;

/// How the bytes of an answer are changed.
#[derive(Clone, Copy)]
enum Change {
    /// A page or a style sheet: all its URLs, and what else replay needs of it.
    Document(Kind),
    /// A playlist, a manifest or XML: the origins in its absolute URLs.
    Origins(Format),
}

/// So many bytes tell what a document is.
const SNIFFED: usize = 1_024;
/// Says that another URL was captured, and by what it stands for the one asked for:
/// `query`, as it is a page without the query, or the names of the rules.
const FALLBACK: HeaderName = HeaderName::from_static("x-lastlight-fallback");
/// That other URL.
const CAPTURED: HeaderName = HeaderName::from_static("x-lastlight-captured");
/// Of several collections read as one: the one that has the capture.
const COLLECTION: HeaderName = HeaderName::from_static("x-lastlight-collection");
/// A warning that names what a document was too large for.
const TOO_LARGE: &str = "199 lastlight \"too large to be rewritten\"";

pub(in crate::replay) struct Sending<'a> {
    pub(in crate::replay) base: &'a Base,
    pub(in crate::replay) collection: &'a Collection,
    /// All that are open.
    pub(in crate::replay) others: &'a [Arc<Collection>],
    pub(in crate::replay) asked: &'a Asked,
    pub(in crate::replay) capture: &'a Capture,
    /// Set where the capture is of another URL than the one asked for.
    pub(in crate::replay) instead: Option<&'a Instead>,
}

impl Sending<'_> {
    pub(in crate::replay) fn send(&self, outlet: Outlet) {
        match self.asked.form {
            Form::Raw => self.raw(outlet),
            Form::Proxied => self.proxied(outlet),
            Form::Pdf if !self.capture.is_pdf() => outlet.whole(missing(self.base, self.asked)),
            Form::Replayed if self.asked.is_frame() && self.capture.is_pdf() => {
                outlet.whole(self.take_over("pdf", "This is a PDF", PDF_TEXT));
            }
            Form::Replayed if self.asked.is_frame() && self.is_file() => {
                outlet.whole(self.take_over("download", "This is a file", FILE_TEXT));
            }
            Form::Replayed
                if self.asked.paths.is_none()
                    && self.asked.may_lose_query()
                    && self.is_viewed() =>
            {
                let kind = self.capture.media_type().unwrap_or_default();
                let viewer = Viewer {
                    status: response(self.capture.status()).status(),
                    url: &self.asked.url,
                    media_type: &kind,
                    message: json!({
                        "lastlight": "page", "url": self.asked.url.as_str(), "title": "",
                        "timestamp": self.capture.entry.timestamp.to_string(),
                    }),
                };
                outlet.whole(viewer.page(self.base));
            }
            Form::File if !self.is_viewed() => outlet.whole(missing(self.base, self.asked)),
            Form::Pdf | Form::File | Form::Replayed => self.replayed(outlet),
        }
    }

    /// The URL that was captured.
    fn url(&self) -> &CanonicalUrl {
        self.instead.map_or(&self.asked.url, Instead::url)
    }

    /// Where the addresses of the answer lead.
    fn way(&self) -> Way<'_> {
        match &self.asked.paths {
            Some(paths) => Way::Paths(paths),
            None => Way::Origins(self.base, &self.asked.visit),
        }
    }

    /// Whether a browser would save it instead of showing it.
    fn is_file(&self) -> bool {
        let head = self.capture.head();
        let disposition = head.value("content-disposition").unwrap_or_default();
        let is_attachment = disposition
            .trim_start()
            .get(..10)
            .is_some_and(|start| start.eq_ignore_ascii_case("attachment"));
        let Some(kind) = self.capture.media_type() else {
            return is_attachment;
        };
        let (main, sub) = kind.split_once('/').unwrap_or((&kind, ""));
        let is_shown = matches!(
            main,
            "text" | "image" | "audio" | "video" | "font" | "multipart"
        ) || sub.ends_with("+xml")
            || sub.ends_with("+json")
            || matches!(
                sub,
                "xml" | "json" | "javascript" | "x-javascript" | "ecmascript" | "unknown"
            );
        matches!(self.capture.status(), 200..=299)
            && (is_attachment || !is_shown)
            && !self.sniffs_as_page(&kind)
    }

    /// Whether a browser shows it as something other than a page.
    fn is_viewed(&self) -> bool {
        let kind = self.capture.media_type().unwrap_or_default();
        !matches!(self.capture.status(), 204 | 205 | 300..=399)
            && !self.capture.is_pdf()
            && !self.is_file()
            && !self.sniffs_as_page(&kind)
    }

    /// A page by its type, or by its start where the type says nothing.
    fn sniffs_as_page(&self, kind: &str) -> bool {
        self.with_entity(|entity, _| {
            let (first, _) = peek(BufReader::new(entity), SNIFFED);
            matches!(Kind::sniff(kind, None, &first), Some(Kind::Html))
        })
        .unwrap_or_default()
    }

    fn take_over(&self, what: &str, heading: &str, text: &str) -> Response<Vec<u8>> {
        let url = self.asked.url.as_str();
        let visit = &self.asked.visit;
        let view = self.base.view_url(&visit.collection, visit.timestamp, url);
        let notice = Notice {
            status: StatusCode::OK,
            heading,
            text,
            url: Some(url),
            link: Some((&view, "Open it")),
            message: Some(json!({
                "lastlight": what, "url": url, "type": self.capture.media_type(),
                "timestamp": self.capture.entry.timestamp.to_string(),
            })),
        };
        notice.page(self.base)
    }

    /// Gives the entity with its first bytes and its coding.
    fn with_entity<T>(
        &self,
        read: impl FnOnce(&mut dyn Read, Coding) -> T,
    ) -> Result<T, SnapshotError> {
        self.capture.entity(self.collection, self.others, |entity| {
            let (first, mut entity) = peek(entity, PROBE);
            let coding = self.capture.coding(&first);
            match coding.decoded(&mut entity) {
                Some(mut decoded) => read(&mut decoded, coding),
                None => read(&mut io::empty(), coding),
            }
        })
    }

    fn raw(&self, outlet: Outlet) {
        let head = self.capture.head();
        let captured = self.capture.entry.timestamp;
        let mut response = response(self.capture.status());
        let fields = response.headers_mut();
        *fields = headers::raw(&head, &self.asked.url, captured);
        self.disclose(fields);
        self.set_resource_type(fields);
        let target = head
            .value("location")
            .and_then(|to| self.asked.url.join(&to).ok());
        if let Some(target) = target {
            let collection = &self.asked.visit.collection;
            let at = self.asked.visit.timestamp;
            let address = format!("/{collection}/{at}id_/{target}");
            if address.len() <= headers::MAX_PASSED_BYTES {
                set(fields, LOCATION, &address);
            }
        }
        self.stream(outlet, response, self.capture.entity_length(), |_| ());
    }

    /// At its own address, where nothing of it need be changed.
    fn proxied(&self, outlet: Outlet) {
        let captured = self.capture.entry.timestamp;
        let status = match self.capture.status() {
            // It would be the proxy itself that wants a password.
            407 => 403,
            status => status,
        };
        let mut response = response(status);
        let fields = response.headers_mut();
        *fields = headers::original(&self.capture.head(), &self.asked.url, captured);
        self.disclose(fields);
        self.set_resource_type(fields);
        if status != 206 {
            fields.remove(CONTENT_RANGE);
        }
        if matches!(status, 204 | 205 | 304) {
            return outlet.whole(response.map(|()| Vec::new()));
        }
        let coding = self
            .capture
            .entity(self.collection, self.others, |mut entity| {
                let (first, _) = peek(&mut entity, PROBE);
                self.capture.coding(&first)
            });
        match coding {
            Ok(coding) => self.as_captured(outlet, response, &coding),
            Err(error) => outlet.whole(unreadable(self.base, self.asked, &error)),
        }
    }

    /// Tells what of the answer isn't in the capture itself: where it is from, and
    /// that it stands for another URL.
    fn disclose(&self, fields: &mut HeaderMap) {
        if let Some(instead) = self.instead {
            set(fields, FALLBACK, &instead.names());
            set(fields, CAPTURED, instead.url().as_str());
        }
        if let Some(source) = &self.capture.entry.source
            && self.collection.is_several()
        {
            set(fields, COLLECTION, source);
        }
    }

    fn set_resource_type(&self, fields: &mut HeaderMap) {
        if !fields.contains_key(CONTENT_TYPE)
            && let Some(kind) = self.capture.content_type()
        {
            set(fields, CONTENT_TYPE, &kind);
        }
    }

    /// Sends the entity as it is, or what `skip` leaves of it.
    fn stream(
        &self,
        outlet: Outlet,
        response: Response<()>,
        length: Option<u64>,
        skip: impl FnOnce(&mut dyn Read),
    ) {
        let mut outlet = Some(outlet);
        let sent = self
            .capture
            .entity(self.collection, self.others, |mut entity| {
                skip(&mut entity);
                if let Some(outlet) = outlet.take() {
                    match length {
                        Some(n) => outlet.stream(response, length, &mut entity.take(n)),
                        None => outlet.stream(response, None, &mut entity),
                    }
                }
            });
        if let (Err(error), Some(outlet)) = (sent, outlet) {
            outlet.whole(unreadable(self.base, self.asked, &error));
        }
    }

    fn replayed(&self, outlet: Outlet) {
        let mapping = Mapping {
            way: self.way(),
            url: self.url(),
            captured: self.capture.entry.timestamp,
        };
        let mut response = response(self.capture.status());
        *response.headers_mut() = mapping.fields(&self.capture.head());
        self.disclose(response.headers_mut());
        if self.asked.paths.is_some() {
            // All that is archived would share them, and the interface.
            response.headers_mut().remove(SET_COOKIE);
        }
        self.set_resource_type(response.headers_mut());
        if matches!(self.asked.form, Form::Pdf | Form::File) {
            let fields = response.headers_mut();
            for acting in [LOCATION, REFRESH, SET_COOKIE] {
                fields.remove(acting);
            }
            if self.asked.form == Form::Pdf {
                set(fields, CONTENT_TYPE, "application/pdf");
            }
        }
        if matches!(self.capture.status(), 204 | 205 | 304) {
            return outlet.whole(response.map(|()| Vec::new()));
        }
        // What stays as it is has no part of ours to keep its scripts in.
        let mut as_it_is = response.clone();
        if self.asked.form == Form::File
            || self.asked.form == Form::Replayed && self.asked.is_frame()
            || self.asked.paths.is_some() && self.asked.is_page()
        {
            let media_type = self.capture.media_type().unwrap_or_default();
            let policy = if media_type.ends_with("xml") {
                csp::without_runtime(self.base)
            } else {
                csp::inert(self.base)
            };
            set(as_it_is.headers_mut(), CONTENT_SECURITY_POLICY, &policy);
        }
        let mut outlet = Some(outlet);
        let sent = self.capture.entity(self.collection, self.others, |entity| {
            let (first, mut entity) = peek(entity, PROBE);
            let coding = self.capture.coding(&first);
            // Only a decoded body can be rewritten.
            if let Some(mut decoded) = coding.decoded(&mut entity) {
                let (first, mut decoded) = peek(BufReader::new(&mut decoded), SNIFFED);
                let policy = as_it_is.headers().get(CONTENT_SECURITY_POLICY);
                if let Some(change) = self.change(&first)
                    && let Some(outlet) = outlet.take()
                {
                    let mut response = response.clone();
                    if let (Change::Origins(_), Some(policy)) = (change, policy) {
                        let fields = response.headers_mut();
                        fields.insert(CONTENT_SECURITY_POLICY, policy.clone());
                    }
                    self.changed(outlet, response, change, &mut decoded);
                    return None;
                }
            }
            Some(coding)
        });
        let coding = match sent {
            Ok(Some(coding)) => coding,
            Ok(None) => return,
            Err(error) => {
                if let Some(outlet) = outlet {
                    outlet.whole(unreadable(self.base, self.asked, &error));
                }
                return;
            }
        };
        if let Some(outlet) = outlet {
            self.as_captured(outlet, as_it_is, &coding);
        }
    }

    /// What is changed in the document, if anything is.
    fn change(&self, first: &[u8]) -> Option<Change> {
        let role = (self.asked.dest == "style").then_some(Role::Stylesheet);
        let media_type = self.capture.media_type().unwrap_or_default();
        if self.asked.form == Form::Replayed
            && let Some(kind) = Kind::sniff(&media_type, role, first)
        {
            let is_wanted = match kind {
                // A page that answers for a script or an image isn't shown.
                Kind::Html => self.asked.is_page() || self.asked.dest == "empty",
                Kind::Css => true,
            };
            return is_wanted.then_some(Change::Document(kind));
        }
        let charset = self.capture.head().charset();
        let known = scan::Asked {
            url: self.asked.url.url(),
            media_type: &media_type,
            charset: charset.as_deref(),
            via: None,
            as_sitemap: false,
        };
        let format = Format::of(&known, first).filter(|format| scan::is_relocated(*format))?;
        let is_wanted = match format {
            Format::Hls | Format::Dash => self.asked.form == Form::Replayed,
            // Scripts get data as it was.
            _ => self.asked.is_page() || self.asked.dest == "xslt",
        };
        (is_wanted && self.capture.status() == 200).then_some(Change::Origins(format))
    }

    fn changed(
        &self,
        outlet: Outlet,
        mut response: Response<()>,
        change: Change,
        decoded: &mut dyn Read,
    ) {
        let (source, is_whole) = read_up_to(decoded, MAX_DOCUMENT);
        let fields = response.headers_mut();
        if !is_whole {
            set(fields, HeaderName::from_static("warning"), TOO_LARGE);
            set(fields, CONTENT_SECURITY_POLICY, &csp::inert(self.base));
            let mut all = io::Cursor::new(source).chain(decoded);
            return outlet.stream(response, None, &mut all);
        }
        let bytes = match change {
            Change::Document(kind) => self.rewritten(fields, kind, &source),
            Change::Origins(format) => self.relocated(fields, format, &source),
        };
        // The tag named other bytes.
        fields.remove(ETAG);
        outlet.whole(response.map(|()| bytes));
    }

    fn rewritten(&self, fields: &mut HeaderMap, kind: Kind, source: &[u8]) -> Vec<u8> {
        let document = Document {
            way: self.way(),
            url: &self.asked.url,
            captured: self.capture.entry.timestamp,
            page: self.asked.is_page(),
        };
        let charset = self.capture.head().charset();
        let essence = self.capture.media_type().unwrap_or_default();
        let essence = match kind {
            Kind::Html if essence != "application/xhtml+xml" => "text/html",
            Kind::Html | Kind::Css => &essence,
        };
        // The type that the start told, where the field tells none or another.
        if kind == Kind::Html && self.capture.media_type().as_deref() != Some(essence) {
            let charset = charset.as_deref().map(|c| format!("; charset={c}"));
            let kind = format!("{essence}{}", charset.unwrap_or_default());
            set(fields, CONTENT_TYPE, &kind);
        }
        let rewritten = document.rewrite(kind, source, charset.as_deref());
        if rewritten.transcoded {
            set(fields, CONTENT_TYPE, &format!("{essence}; charset=utf-8"));
        }
        rewritten.bytes
    }

    /// Absolute addresses lead to replay, and what a player may choose was captured.
    fn relocated(&self, fields: &mut HeaderMap, format: Format, source: &[u8]) -> Vec<u8> {
        let way = self.way();
        let at = self.asked.visit.timestamp;
        let charset = self.capture.head().charset();
        let moved = scan::relocate(
            format,
            source,
            self.asked.url.url(),
            charset.as_deref(),
            !way.stays("/"),
            |origin| {
                let address = way.address(origin.clone(), Some(Role::Media))?;
                Some(address.trim_end_matches('/').to_owned())
            },
            |url| is_there(self.collection, url, at),
        );
        if moved.is_transcoded {
            let essence = self.capture.media_type().unwrap_or_default();
            set(fields, CONTENT_TYPE, &format!("{essence}; charset=utf-8"));
        }
        moved.bytes
    }

    /// Sends JSONP with the name of the function that the page asked for.
    fn renamed(&self, outlet: Outlet, mut response: Response<()>, near: &Near) {
        // The tag named other bytes.
        response.headers_mut().remove(ETAG);
        let mut outlet = Some(outlet);
        let sent = self.with_entity(|decoded, _| {
            let (first, _) = read_up_to(&mut decoded.take(JSONP_START as u64), JSONP_START);
            let mut body = io::Cursor::new(near.renamed(first)).chain(decoded);
            if let Some(outlet) = outlet.take() {
                outlet.stream(response, None, &mut body);
            }
        });
        if let (Err(error), Some(outlet)) = (sent, outlet) {
            outlet.whole(unreadable(self.base, self.asked, &error));
        }
    }

    /// Sends a body that isn't rewritten, or the range of it that was asked for.
    fn as_captured(&self, outlet: Outlet, mut response: Response<()>, coding: &Coding) {
        if let Some(Instead::Near(near)) = self.instead
            && near.callback.is_some()
        {
            return self.renamed(outlet, response, near);
        }
        let fields = response.headers_mut();
        let names = coding.names();
        if !names.is_empty() {
            let is_unknown = matches!(coding, Coding::Other(_));
            if !is_unknown && !names.iter().all(|name| self.asked.accepts(name)) {
                return self.decoded(outlet, response);
            }
            set(fields, CONTENT_ENCODING, &names.join(", "));
            let length = self.capture.entity_length();
            return self.stream(outlet, response, length, |_| ());
        }
        if self.capture.status() != 200 {
            return self.stream(outlet, response, self.capture.entity_length(), |_| ());
        }
        set(fields, ACCEPT_RANGES, "bytes");
        let Some(asked) = &self.asked.range else {
            return self.stream(outlet, response, self.capture.entity_length(), |_| ());
        };
        let Ok(total) = self.total() else {
            return self.stream(outlet, response, self.capture.entity_length(), |_| ());
        };
        match range(asked, total) {
            Range::All => self.stream(outlet, response, Some(total), |_| ()),
            Range::Unsatisfiable => {
                set(fields, CONTENT_RANGE, &format!("bytes */{total}"));
                *response.status_mut() = StatusCode::RANGE_NOT_SATISFIABLE;
                outlet.whole(response.map(|()| Vec::new()));
            }
            Range::Part(start, end) => {
                set(
                    fields,
                    CONTENT_RANGE,
                    &format!("bytes {start}-{end}/{total}"),
                );
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                self.stream(outlet, response, Some(end - start + 1), |entity| {
                    // A stream that fails here has nothing left to send.
                    let _ = io::copy(&mut entity.take(start), &mut io::sink());
                });
            }
        }
    }

    fn decoded(&self, outlet: Outlet, response: Response<()>) {
        let mut outlet = Some(outlet);
        let sent = self.with_entity(|decoded, _| {
            if let Some(outlet) = outlet.take() {
                outlet.stream(response, None, decoded);
            }
        });
        if let (Err(error), Some(outlet)) = (sent, outlet) {
            outlet.whole(unreadable(self.base, self.asked, &error));
        }
    }

    /// The entity's length, counted where its framing doesn't tell it.
    fn total(&self) -> Result<u64, SnapshotError> {
        if let Some(length) = self.capture.entity_length() {
            return Ok(length);
        }
        let counted = self
            .capture
            .entity(self.collection, self.others, |mut entity| {
                io::copy(&mut entity, &mut io::sink()).unwrap_or_default()
            })?;
        Ok(counted)
    }
}

const PDF_TEXT: &str = "Browsers show PDFs only outside of the frame that keeps archived pages \
                        in the archive, so it opens in a frame of its own.";
const FILE_TEXT: &str = "Browsers don't show files of this kind. It can be saved.";

/// A status that HTTP can't answer with becomes 200; the capture's own head
/// says what it was.
fn response(status: u16) -> Response<()> {
    let mut response = Response::new(());
    *response.status_mut() = match status {
        200..=999 => StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
        _ => StatusCode::OK,
    };
    response
}

fn set(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        fields.insert(name, value);
    }
}
