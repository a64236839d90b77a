//! The CDX server API: the lines of a collection's index by URL, as pywb and
//! OutbackCDX answer for them. Lines stream from the index; only what must be
//! sorted is held, and that is bounded.

mod filter;
mod lines;
mod query;
mod sorted;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::http::{Response, StatusCode};
use serde_json::json;

use self::lines::Answered;
pub use self::query::Query;
use self::query::Refused;
use super::outlet::Outlet;
use crate::snapshot::collection::Collection;

/// Answers a query with lines, a number of pages, or what is wrong with it.
/// Runs on a blocking thread.
pub fn answer(collection: &Collection, query: &str, outlet: Outlet) {
    let answered = Query::parse(query).map(|query| {
        if query.counts_pages {
            return Ok(Answer::Pages(query.pages(collection.index())?));
        }
        lines::of(collection.index(), &query).map(|lines| Answer::Lines(query, lines))
    });
    match answered {
        Err(refused) => outlet.whole(refusal(&refused)),
        Ok(Err(error)) => outlet.whole(broken(&error)),
        Ok(Ok(Answer::Pages(pages))) => {
            let body = serde_json::to_vec(&pages).expect("numbers are JSON");
            outlet.whole(response(StatusCode::OK, "application/json", body));
        }
        Ok(Ok(Answer::Lines(query, lines))) => {
            let kind = query.output.media_type();
            let mut body = Answered::new(query, lines);
            outlet.stream_whole(response(StatusCode::OK, kind, ()), &mut body);
        }
    }
}

enum Answer {
    Pages(query::Pages),
    Lines(Query, Box<dyn Iterator<Item = io::Result<lines::Line>>>),
}

fn response<T>(status: StatusCode, kind: &'static str, body: T) -> Response<T> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// What pywb says where a parameter can't be understood.
fn refusal(refused: &Refused) -> Response<Vec<u8>> {
    let message = json!({ "message": refused.to_string() });
    let body = message.to_string().into_bytes();
    response(StatusCode::BAD_REQUEST, "application/json", body)
}

fn broken(error: &io::Error) -> Response<Vec<u8>> {
    let message = json!({ "message": format!("reading the index failed: {error}") });
    let body = message.to_string().into_bytes();
    response(StatusCode::INTERNAL_SERVER_ERROR, "application/json", body)
}

impl Read for Answered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_some(buffer)
    }
}
