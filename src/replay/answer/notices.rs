//! The pages that tell why there is no archived one.

use axum::http::{Response, StatusCode};
use serde_json::json;

use super::Asked;
use crate::replay::address::Base;
use crate::replay::find::Gap;
use crate::replay::notice::Notice;
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::time::Timestamp14;

/// The page for a URL that the archive doesn't have.
pub(super) fn missing(base: &Base, asked: &Asked) -> Response<Vec<u8>> {
    let url = asked.url.as_str();
    let visit = &asked.visit;
    let captures = format!("{}/c/{}/", base.ui_origin(), visit.collection);
    let text = format!(
        "The collection {} has no capture of this URL. Nothing was fetched from the live web.",
        visit.collection
    );
    Notice {
        status: StatusCode::NOT_FOUND,
        heading: "Not in this archive",
        text: &text,
        url: Some(url),
        link: Some((&captures, "See what the collection holds")),
        message: Some(page_message(url, visit.timestamp, "missing")),
    }
    .page(base)
}

/// What is said of a URL that the operator withholds.
pub const DENIED: &str = "The operator of this replay withholds this address. If anything was \
                          captured of it, that is kept as it was and isn't shown.";

/// The page for a URL that the operator withholds (RFC 7725).
pub(super) fn denied(base: &Base, asked: &Asked) -> Response<Vec<u8>> {
    let url = asked.url.as_str();
    Notice {
        status: StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
        heading: "Withheld",
        text: DENIED,
        url: Some(url),
        link: None,
        message: Some(page_message(url, asked.visit.timestamp, "unreadable")),
    }
    .page(base)
}

/// The page for a URL that was captured, but in no way that can be shown, or
/// is to be shown unasked.
pub(super) fn withheld(
    base: &Base,
    collection: &Collection,
    asked: &Asked,
    gap: Gap,
    captured: Timestamp14,
) -> Response<Vec<u8>> {
    let url = asked.url.as_str();
    let heading = gap.marked_as().unwrap_or("This capture can't be shown");
    let elsewhere = match gap {
        Gap::Dangling => elsewhere(collection),
        _ => String::new(),
    };
    let unfiltered = collection.unfiltered.as_ref();
    let unfiltered = gap.marked_as().and(unfiltered);
    let view = unfiltered.map(|name| base.view_url(name, captured, url));
    Notice {
        status: match gap {
            Gap::Denied => StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS,
            _ => StatusCode::NOT_FOUND,
        },
        heading,
        text: &format!(
            "Captured {}. {}{elsewhere}",
            captured.http_date(),
            gap.text()
        ),
        url: Some(url),
        link: view.as_deref().map(|view| (view, SHOW)),
        message: Some(page_message(url, captured, "unreadable")),
    }
    .page(base)
}

/// The words of the link to what is kept from replay by its mark.
const SHOW: &str = "Show it all the same";

/// The snapshots that must be open too.
fn elsewhere(collection: &Collection) -> String {
    let seals = collection.parts().filter_map(|part| {
        let manifest = part.manifest().ok().flatten();
        manifest.and_then(|manifest| manifest.lastlight)
    });
    let others = seals.flat_map(|seal| seal.refers_to);
    let names: Vec<String> = others.map(|other| other.name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        " Open it together with the snapshot {}: `lastlight replay` takes several.",
        names.join(", ")
    )
}

fn page_message(url: &str, timestamp: Timestamp14, status: &str) -> serde_json::Value {
    json!({
        "lastlight": "page", "url": url, "timestamp": timestamp.to_string(),
        "title": "", "status": status,
    })
}

pub(super) fn unreadable(base: &Base, asked: &Asked, error: &SnapshotError) -> Response<Vec<u8>> {
    tracing::warn!("{}: {error}", asked.url);
    let url = asked.url.as_str();
    Notice {
        status: StatusCode::BAD_GATEWAY,
        heading: "The capture can't be read",
        text: &format!("{error}. `lastlight verify` says more."),
        url: Some(url),
        link: None,
        message: Some(page_message(url, asked.visit.timestamp, "unreadable")),
    }
    .page(base)
}

/// The page for a collection that isn't open.
pub fn no_collection(base: &Base, name: &str) -> Response<Vec<u8>> {
    Notice {
        status: StatusCode::NOT_FOUND,
        heading: "No such collection",
        text: &format!("No collection named {name} is open in this replay."),
        url: None,
        link: Some((&base.ui_origin(), "See those that are")),
        message: None,
    }
    .page(base)
}
