//! Requests that have no page: said kindly, with a way on.

use askama::Template;

use super::{UiResponse, html};
use crate::replay::answer::DENIED;
use crate::snapshot::SnapshotError;

/// Why a request isn't answered by a page.
pub(super) enum Problem {
    /// Nothing is at the address.
    NoPage,
    /// No collection has this name.
    NoCollection(String),
    /// The address doesn't hold an http or https URL.
    NoUrl(String),
    /// The query is longer than any search.
    TooLong,
    /// The operator of the replay withholds a URL.
    Denied,
    /// A file of a collection can't be read.
    Unreadable(SnapshotError),
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        Self::Unreadable(error)
    }
}

#[derive(Template)]
#[template(path = "replay/ui/problem.html")]
struct Page {
    heading: &'static str,
    said: String,
}

impl Problem {
    pub(super) fn response(&self) -> UiResponse {
        let (status, heading, said) = match self {
            Self::NoPage => (
                404,
                "There is no such page",
                "The address leads to nothing in this replay. \
                 The list of collections is a good place to start again."
                    .to_owned(),
            ),
            Self::NoCollection(name) => (
                404,
                "There is no such collection",
                format!(
                    "“{name}” is not among the collections that were opened. It may have been \
                     opened under another name, or in another run."
                ),
            ),
            Self::NoUrl(text) => (
                400,
                "That is not a web address",
                format!(
                    "“{text}” can’t be read as an http or https URL, and only those are captured."
                ),
            ),
            Self::TooLong => (
                414,
                "That is too long",
                "No URL or search of this length can be found in an archive.".to_owned(),
            ),
            Self::Denied => (451, "Withheld", DENIED.to_owned()),
            Self::Unreadable(error) => (
                500,
                "A file of the collection can’t be read",
                error.to_string(),
            ),
        };
        html(status, &Page { heading, said })
    }
}
