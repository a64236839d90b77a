//! The replay's own interface: collections, search, calendars of captures, the
//! ledger, and the shell in which an archived page is shown. Pages are made on
//! the server and read without JavaScript; nothing in them comes from another
//! host. It answers the interface's host alone and never archived content.

mod assets;
mod calendar;
mod capture;
mod captures;
mod collection;
mod directions;
mod home;
mod ledger;
mod link;
mod listing;
mod moment;
mod open;
mod problem;
mod query;
mod report;
mod search;
mod summary;
#[cfg(test)]
mod tests;
mod thumbnail;
mod view;

pub(super) use assets::STYLE;

use std::sync::Arc;

use askama::Template;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use axum::http::{Response, StatusCode};

use super::address::Base;
use super::judging::Judging;
use super::opener::Opener;
use super::server::State;
use super::shelf::Shelf;
use crate::snapshot::collection::Collection;
use problem::Problem;
use query::Query;

/// A request for the interface's host.
#[derive(Debug, Clone)]
pub struct UiRequest {
    /// The path as it came, percent-encoded.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// Whether a button was pressed in a page of the interface.
    pub posted: bool,
    /// Whether a page of the interface leads there, or the reader, and no website
    /// elsewhere; clients other than browsers don't tell.
    pub is_own: bool,
    /// The server as the reader names it.
    pub base: Base,
}

/// What the interface answers. The server adds the headers that all answers
/// have: Content-Security-Policy, `no-store` and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UiResponse {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// `Location`, where the status is a redirect.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Answers a request to the interface, on a thread that may wait for files.
pub async fn route(state: &Arc<State>, request: UiRequest) -> Response<Body> {
    let state = Arc::clone(state);
    let page = move || answer(&state.shelf, (&state.judging, &state.opener), &request);
    let answer = tokio::task::spawn_blocking(page).await;
    answer.map_or_else(
        |_| {
            let mut response = Response::new(Body::from("The interface failed."));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        },
        UiResponse::into_response,
    )
}

/// Answers a request. Reads files, so it blocks.
pub fn answer(
    shelf: &Shelf,
    (judging, opener): (&Arc<Judging>, &Opener),
    request: &UiRequest,
) -> UiResponse {
    let UiRequest { base, is_own, .. } = request;
    let site = Site {
        shelf,
        judging,
        opener,
        base,
        is_own: *is_own,
    };
    site.answer(request)
        .unwrap_or_else(|problem| problem.response())
}

impl UiResponse {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or_default();
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some(location) = self.location.and_then(|l| l.parse().ok()) {
            fields.insert(LOCATION, location);
        }
        response
    }
}

/// What every page is made from.
#[derive(Clone, Copy)]
struct Site<'a> {
    shelf: &'a Shelf,
    judging: &'a Arc<Judging>,
    opener: &'a Opener,
    is_own: bool,
    base: &'a Base,
}

impl<'a> Site<'a> {
    fn answer(self, request: &UiRequest) -> Result<UiResponse, Problem> {
        let raw_query = request.query.as_deref();
        let query = Query::parse(raw_query)?;
        let path = request.path.strip_prefix('/').unwrap_or(&request.path);
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match first {
            "" => home::page(self, &query),
            "-" => match rest.strip_prefix("around/") {
                Some(rest) => directions::json(self, rest, &query),
                None => assets::file(rest).ok_or(Problem::NoPage),
            },
            "go" => directions::go(self, &query),
            "c" => self.collection_page(rest, &query, request.posted),
            "view" => view::page(self, rest, raw_query),
            "favicon.ico" => Ok(redirect(assets::ICON)),
            _ => Err(Problem::NoPage),
        }
    }

    fn collection_page(
        self,
        rest: &str,
        query: &Query,
        posted: bool,
    ) -> Result<UiResponse, Problem> {
        let (name, page) = rest.split_once('/').unwrap_or((rest, ""));
        let collection = self.collection(name)?;
        match page {
            "" => collection::page(self, collection, query),
            "captures" => captures::page(collection, query),
            "capture" => capture::page(self, collection, query),
            "open" => open::page(self, collection, query, posted),
            "picture" => thumbnail::picture(self, collection, query),
            "report" => Ok(report::page(self, collection, query)),
            "ledger" => ledger::page(collection, query),
            _ => Err(Problem::NoPage),
        }
    }

    fn collection(self, name: &str) -> Result<&'a Collection, Problem> {
        let found = self.shelf.get(name);
        found.ok_or_else(|| Problem::NoCollection(name.chars().take(80).collect()))
    }
}

fn html(status: u16, page: &impl Template) -> UiResponse {
    let body = page.render().expect("pages format into memory");
    UiResponse {
        status,
        content_type: "text/html; charset=utf-8",
        location: None,
        body: body.into_bytes(),
    }
}

fn redirect(location: impl Into<String>) -> UiResponse {
    UiResponse {
        status: 302,
        content_type: "text/plain; charset=utf-8",
        location: Some(location.into()),
        body: Vec::new(),
    }
}
