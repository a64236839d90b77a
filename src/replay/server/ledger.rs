//! Rows of a collection's ledger as a CSV file to take away.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::download::{attachment, no_collection, parameters, plain};
use super::{State, on_thread, status};
use crate::replay::ledger::{self, CsvFile, Selection};
use crate::replay::outlet::Outlet;

/// Answers `/c/<collection>/ledger.csv?state=…&q=…&reason=…&via=…`.
pub(super) async fn download(
    state: &Arc<State>,
    collection: &str,
    query: Option<&str>,
) -> Response<Body> {
    let Some(selection) = Selection::of(parameters(query)) else {
        let text =
            "there is no such state; leave it out, or say missing or a state of the ledger\n";
        return status(StatusCode::BAD_REQUEST, text);
    };
    let name = collection.to_owned();
    on_thread(state, move |state, outlet| {
        send(state, &name, &selection, outlet);
    })
    .await
}

fn send(state: &State, name: &str, selection: &Selection, outlet: Outlet) {
    let Some(collection) = state.shelf.get(name) else {
        return outlet.whole(no_collection());
    };
    let failed = |error: &dyn std::fmt::Display| {
        plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
    };
    let rows = match ledger::rows(collection) {
        Ok(Some(rows)) => rows,
        Ok(None) => {
            let text = "the collection has no ledger\n".to_owned();
            return outlet.whole(plain(StatusCode::NOT_FOUND, text));
        }
        Err(error) => return outlet.whole(failed(&error)),
    };
    let rows = rows.filter(|row| row.as_ref().map_or(true, |row| selection.has(row)));
    let mut file = match CsvFile::new(rows) {
        Ok(file) => file,
        Err(error) => return outlet.whole(failed(&error)),
    };
    let word = match selection.fate.word() {
        "" => String::new(),
        word => format!("-{word}"),
    };
    let response = attachment(
        "text/csv; charset=utf-8",
        &format!("{name}-ledger{word}.csv"),
    );
    outlet.stream_whole(response, &mut file);
}
