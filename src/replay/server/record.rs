//! A capture's record, and those of its exchange, as they are stored: a file to
//! take away, which is a WARC by itself.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Response, StatusCode};

use super::download::{attachment, no_collection, parameters, plain};
use super::{State, on_thread, status};
use crate::replay::outlet::Outlet;
use crate::replay::record::{Exchange, Named, Stored};

/// Answers `/c/<collection>/record?url=…&time=…&file=…&offset=…`.
pub(super) async fn download(
    state: &Arc<State>,
    collection: &str,
    query: Option<&str>,
) -> Response<Body> {
    let parameter = parameters(query);
    let trimmed = |name: &str| {
        let found = parameter(name).unwrap_or_default();
        found.trim().to_owned()
    };
    let Some(named) = Named::of(trimmed) else {
        let text = "url and time (14 digits) say which record is meant\n";
        return status(StatusCode::BAD_REQUEST, text);
    };
    let name = collection.to_owned();
    on_thread(state, move |state, outlet| {
        send(state, &name, &named, outlet);
    })
    .await
}

fn send(state: &State, name: &str, named: &Named, outlet: Outlet) {
    let Some(collection) = state.shelf.get(name) else {
        return outlet.whole(no_collection());
    };
    let found = named.entry(collection).and_then(|entry| {
        let Some(entry) = entry else {
            return Ok(None);
        };
        let exchange = Exchange::read(collection, &entry, true)?;
        // Others in the member may be withheld.
        let is_withheld = |of: &Exchange| of.shares_member && collection.withholds();
        let exchange = exchange.filter(|exchange| !is_withheld(exchange));
        let stored = exchange.map(|exchange| Stored::of(collection, &entry, &exchange));
        Ok(stored.transpose()?.map(|stored| (entry, stored)))
    });
    let (entry, mut stored) = match found {
        Ok(Some(found)) => found,
        Ok(None) => {
            let text = "the collection has no such record, or one that isn't given as what stands with it is withheld\n".to_owned();
            return outlet.whole(plain(StatusCode::NOT_FOUND, text));
        }
        Err(error) => {
            let text = format!("{error}\n");
            return outlet.whole(plain(StatusCode::INTERNAL_SERVER_ERROR, text));
        }
    };
    let file = format!(
        "{name}-{}-{}{}",
        entry.timestamp, entry.offset, stored.suffix
    );
    // What browsers neither show nor sniff.
    let response = attachment("application/octet-stream", &file);
    outlet.stream(response, Some(stored.length), &mut stored.bytes);
}
