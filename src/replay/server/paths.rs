//! Path mode's part of the server: captures, TimeGates, TimeMaps and the CDX
//! server below `/<collection>/`, whatever the reader calls the server.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERER, USER_AGENT, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};

use super::content::{archived, asked, preflight};
use super::{State, not_allowed, on_thread, redirect, status};
use crate::replay::address::{Base, Visit};
use crate::replay::answer::{DENIED, Form};
use crate::replay::cdx_server;
use crate::replay::csp;
use crate::replay::find::{Outcome, Wanted, find};
use crate::replay::memento::{self, Original};
use crate::replay::outlet::Outlet;
use crate::replay::path_mode::{self, Access, Format, Modifier, Paths};
use crate::replay::way::RUNTIME as RUNTIME_PATH;
use crate::snapshot::collection::Collection;
use crate::snapshot::posted::Posted;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// A request for something below `/<collection>/`.
pub(super) struct Asked {
    base: Base,
    /// The server as the reader names it.
    origin: String,
    collection: String,
    /// The collection as its addresses have it, and whether that is with the token.
    segment: String,
    is_own: bool,
    access: Access,
    query: String,
}

/// Whether a path is of path mode and not of the interface, or is the shell,
/// which is the way into it.
pub(super) fn is_of_path_mode(state: &State, base: &Base, path: &str, query: Option<&str>) -> bool {
    path == RUNTIME_PATH
        || path.starts_with("/view/")
        || Asked::of(state, base, path, query).is_some()
}

/// Whether whoever asks for the interface at an address is one who reads in path
/// mode: came from there, or has a browser that finds no names below `localhost`.
pub(super) fn is_reader_of_path_mode(fields: &HeaderMap) -> bool {
    let text = |name: HeaderName| {
        let value = fields.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let agent = text(USER_AGENT);
    let is_safari = agent.contains(" Safari/")
        && !["Chrome", "Chromium", "Edg"]
            .iter()
            .any(|other| agent.contains(other));
    is_safari || text(HeaderName::from_static("sec-fetch-site")) == "same-origin"
}

impl Asked {
    pub(super) fn of(state: &State, base: &Base, path: &str, query: Option<&str>) -> Option<Self> {
        let path_mode::Asked {
            collection,
            token,
            access,
        } = path_mode::parse(path, query)?;
        let is_own = match &token {
            Some(token) if *token == base.token(&collection) => true,
            // That of an earlier replay, or a guess.
            Some(_) => return None,
            None => false,
        };
        // The bytes of a collection that isn't open are told of as such; other
        // paths may be the interface's.
        let is_raw = matches!(
            access,
            Access::Capture {
                modifier: Modifier::Raw,
                ..
            }
        );
        (is_raw || state.shelf.get(&collection).is_some()).then(|| Self {
            base: base.clone(),
            origin: base.ui_origin(),
            segment: match token {
                Some(token) => format!("{collection}~{token}"),
                None => collection.clone(),
            },
            is_own,
            collection,
            access,
            query: query.unwrap_or_default().to_owned(),
        })
    }

    /// Answers.
    pub(super) async fn answer(self, state: &Arc<State>, request: &Parts) -> Response<Body> {
        let name = self.collection.clone();
        let shares =
            matches!(&self.access, Access::Capture { modifier, .. } if *modifier != Modifier::Raw);
        if !shares && !super::is_read(&request.method) {
            return not_allowed();
        }
        match self.access.clone() {
            Access::Capture {
                timestamp,
                modifier,
                url,
            } => match url.canonical {
                Some(url) => {
                    self.capture(state, (timestamp, modifier), url, request)
                        .await
                }
                None => status(StatusCode::BAD_REQUEST, NO_URL),
            },
            Access::Shell(timestamp, url) => {
                redirect(&self.base.view_url(&name, timestamp, &url.text))
            }
            Access::Calendar(url) => {
                let text: String =
                    ::url::form_urlencoded::byte_serialize(url.text.as_bytes()).collect();
                redirect(&format!("{}/c/{name}/captures?url={text}", self.origin))
            }
            Access::Cdx => {
                self.with_collection(state, |asked, collection, outlet| {
                    cdx_server::answer(collection, &asked.query, outlet);
                })
                .await
            }
            Access::TimeGate(url) => match (url.canonical, memento::accepted(&request.headers)) {
                (None, _) => status(StatusCode::BAD_REQUEST, NO_URL),
                (_, Err(error)) => {
                    plain(StatusCode::BAD_REQUEST, &format!("{error}\n")).map(Body::from)
                }
                (Some(url), Ok(at)) => {
                    let at = at.unwrap_or(Timestamp14::LAST);
                    self.gate(state, url, at).await
                }
            },
            Access::TimeMap(format, url) => match url.canonical {
                Some(url) => self.map(state, format, url).await,
                None => status(StatusCode::BAD_REQUEST, NO_URL),
            },
        }
    }

    async fn with_collection(
        self,
        state: &Arc<State>,
        answer: impl FnOnce(&Self, &Collection, Outlet) + Send + 'static,
    ) -> Response<Body> {
        on_thread(state, move |state, outlet| {
            match state.shelf.get(&self.collection) {
                Some(collection) => answer(&self, collection, outlet),
                None => outlet.whole(plain(StatusCode::NOT_FOUND, "no such collection\n")),
            }
        })
        .await
    }

    async fn gate(self, state: &Arc<State>, url: CanonicalUrl, at: Timestamp14) -> Response<Body> {
        on_thread(state, move |state, outlet| {
            let Some(collection) = state.shelf.get(&self.collection) else {
                return outlet.whole(plain(StatusCode::NOT_FOUND, "no such collection\n"));
            };
            let original = Original {
                origin: &self.origin,
                collection,
                url: &url,
            };
            let wanted = Wanted {
                url: &url,
                at,
                posted: None,
                may_lose_query: false,
                may_be_near: None,
                passes_loops: true,
                passes_marked: true,
            };
            outlet.whole(match find(collection, state.shelf.collections(), wanted) {
                Ok(Outcome::Found(found)) => {
                    original.gate(found.capture.entry.timestamp, Modifier::Page)
                }
                Ok(Outcome::Denied) => denied(),
                Ok(_) => plain(StatusCode::NOT_FOUND, "no memento of this URL\n"),
                Err(error) => plain(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("the capture can't be read: {error}\n"),
                ),
            });
        })
        .await
    }

    async fn map(self, state: &Arc<State>, format: Format, url: CanonicalUrl) -> Response<Body> {
        self.with_collection(state, move |asked, collection, outlet| {
            let original = Original {
                origin: &asked.origin,
                collection,
                url: &url,
            };
            if collection.denies(url.as_str()) {
                return outlet.whole(denied());
            }
            // Without an answer the server says that there is none.
            let _ = original.map(format, outlet);
        })
        .await
    }

    async fn capture(
        self,
        state: &Arc<State>,
        (timestamp, modifier): (Timestamp14, Modifier),
        url: CanonicalUrl,
        request: &Parts,
    ) -> Response<Body> {
        let fields = &request.headers;
        let dest = fields
            .get("sec-fetch-dest")
            .and_then(|dest| dest.to_str().ok());
        // Scripts and styles can be taken in by any website that knows their address.
        if !self.is_own && is_of_another_site(fields, dest) {
            let text = "Captures aren't given to other websites\n";
            return status(StatusCode::FORBIDDEN, text);
        }
        if modifier != Modifier::Raw {
            if request.method == Method::OPTIONS {
                let mut response = preflight(fields);
                self.share(fields, response.headers_mut());
                return response;
            }
            // Alone in its window a page could leave for the live web.
            if dest == Some("document") {
                let view = self
                    .base
                    .view_url(&self.collection, timestamp, url.as_str());
                return redirect(&view);
            }
            if fields
                .get("service-worker")
                .is_some_and(|value| value == "script")
            {
                return status(StatusCode::FORBIDDEN, "Service workers aren't replayed\n");
            }
        }
        // The bytes of one are asked for by GET.
        let is_posted = request.extensions.get::<Posted>().is_some() && modifier != Modifier::Raw;
        if !super::is_read(&request.method) && !is_posted {
            return not_allowed();
        }
        let visit = Visit {
            origin: url.host_key(),
            timestamp,
            collection: self.collection.clone(),
        };
        let form = match modifier {
            Modifier::Raw => Form::Raw,
            Modifier::Pdf => Form::Pdf,
            _ => Form::Replayed,
        };
        let mut wanted = asked(visit, url.clone(), form, self.referrer(fields), request);
        if modifier != Modifier::Raw {
            // What the browser says is sure; the address is how it was named.
            if dest.is_none_or(str::is_empty) {
                modifier.dest().clone_into(&mut wanted.dest);
            }
            wanted.paths = Some(Paths {
                origin: self.origin.clone(),
                collection: self.segment.clone(),
                timestamp,
                modifier,
            });
        }
        let mut response = archived(state, &self.base, wanted).await;
        self.describe(state, &url, modifier, response.headers_mut())
            .await;
        let policy = self.policy(modifier, response.headers());
        let answer = response.headers_mut();
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            answer.insert(CONTENT_SECURITY_POLICY, policy);
        }
        answer.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if modifier != Modifier::Raw {
            self.share(fields, answer);
        }
        response
    }

    /// Tells of a memento and of those around it.
    async fn describe(
        &self,
        state: &Arc<State>,
        url: &CanonicalUrl,
        modifier: Modifier,
        fields: &mut HeaderMap,
    ) {
        let captured = fields
            .get("memento-datetime")
            .and_then(|date| jiff::fmt::rfc2822::parse(date.to_str().ok()?).ok())
            .map(|date| Timestamp14::of(date.timestamp()));
        let Some(captured) = captured else {
            return;
        };
        let (state, url) = (Arc::clone(state), url.clone());
        let (origin, name) = (self.origin.clone(), self.collection.clone());
        let described = tokio::task::spawn_blocking(move || {
            let mut fields = HeaderMap::new();
            if let Some(collection) = state.shelf.get(&name) {
                let original = Original {
                    origin: &origin,
                    collection,
                    url: &url,
                };
                original.describe(&mut fields, captured, modifier);
            }
            fields
        });
        for (name, value) in described.await.unwrap_or_default() {
            if let Some(name) = name {
                fields.insert(name, value);
            }
        }
    }

    /// The policy of an answer that may have one already: one without scripts.
    fn policy(&self, modifier: Modifier, fields: &HeaderMap) -> String {
        if modifier == Modifier::Raw {
            return csp::raw().to_owned();
        }
        // Nothing else is sent for that.
        if modifier == Modifier::Pdf {
            return csp::pdf_in_paths(&self.origin);
        }
        let policy = csp::paths(&self.origin, &self.segment);
        if fields.contains_key(CONTENT_SECURITY_POLICY) {
            return csp::without_scripts(&policy);
        }
        policy
    }

    /// The archived URL of the page that asks, if it is one of this collection.
    fn referrer(&self, fields: &HeaderMap) -> Option<String> {
        let referrer = fields.get(REFERER)?.to_str().ok()?;
        let path = referrer.strip_prefix(&self.origin)?;
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let asked = path_mode::parse(path, query)?;
        match asked.access {
            Access::Capture { url, .. } if asked.collection == self.collection => {
                url.canonical.map(|url| url.to_string())
            }
            _ => None,
        }
    }

    /// Pages without origin read what their own collection has, as they know its
    /// token; what other websites frame without origin, and pages of other
    /// collections, read nothing.
    fn share(&self, request: &HeaderMap, fields: &mut HeaderMap) {
        fields.append(VARY, HeaderValue::from_static("Origin"));
        let is_null = request.get(ORIGIN).is_some_and(|origin| origin == "null");
        if is_null && self.is_own {
            fields.insert(
                ACCESS_CONTROL_ALLOW_ORIGIN,
                HeaderValue::from_static("null"),
            );
            let yes = HeaderValue::from_static("true");
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
    }
}

/// Whether the page of another website asks, and not a reader who follows its link.
fn is_of_another_site(fields: &HeaderMap, dest: Option<&str>) -> bool {
    let site = fields.get(HeaderName::from_static("sec-fetch-site"));
    let is_other = site.is_some_and(|site| site == "cross-site" || site == "same-site");
    is_other && dest != Some("document")
}

fn denied() -> Response<Vec<u8>> {
    let status = StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS;
    plain(status, &format!("{DENIED}\n"))
}

const NO_URL: &str = "not a URL that can be captured\n";

fn plain(code: StatusCode, text: &str) -> Response<Vec<u8>> {
    let mut response = Response::new(text.as_bytes().to_vec());
    *response.status_mut() = code;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
