//! What was found in an answer: what it names, and what it is like, by which
//! traps and missing pages are told.

use super::figures;
use super::imprint;
use super::job::Job;
use super::marks::soft_404;
use crate::config::Limits;
use crate::http::Head;
use crate::links;
use crate::net::Spool;
use crate::robots::meta;

/// What was found in an answer.
#[derive(Default)]
pub struct Found {
    /// What it names.
    pub named: links::Found,
    /// The words of a page, sketched.
    pub words: u64,
    /// Its figures, sketched.
    pub figures: u64,
    /// What a page with a query says to a reader, as a number.
    pub text: u64,
    /// Whether that is next to nothing: a script fills the page.
    pub is_shell: bool,
    /// What a page's meta robots asks.
    pub robots: Option<String>,
}

impl Found {
    /// Nothing, where the scanner gave up.
    pub fn failed() -> Self {
        Self {
            named: links::Found {
                notes: vec!["the scanner failed: nothing in it was followed".into()],
                ..links::Found::default()
            },
            ..Self::default()
        }
    }

    /// In the answer to a job.
    pub fn of(job: &Job, head: &Head<'_>, response: &Spool, limits: &Limits) -> Self {
        let mut found = Self::default();
        let url = &job.url;
        let way = (&job.path, job.via.as_deref());
        let named = links::find(url, way, head, response, limits, |page| {
            found.words = imprint::words(page);
            found.figures = figures::figures(page, url);
            if url.as_str().contains(['?', ';']) {
                (found.text, found.is_shell) = soft_404::text(url, page);
            }
            found.robots = meta::in_html(page);
        });
        Self { named, ..found }
    }
}
