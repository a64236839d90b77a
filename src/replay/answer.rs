//! The answer to one request for archived content: finds the capture, and
//! sends it rewritten where it is a page or a style sheet, as it was received
//! where it isn't. Runs on a blocking thread.

mod notices;
mod range;
pub(in crate::replay) mod sending;

pub use notices::{DENIED, no_collection};

use self::notices::{denied, missing, unreadable, withheld};
use self::sending::Sending;
use super::address::{Base, Visit};
use super::find::{Instead, Outcome, Wanted, find};
use super::missing::{NearUrl, Told};
use super::near::Near;
use super::outlet::Outlet;
use super::path_mode::Paths;
use super::server::State;
use super::spread::Part;
use crate::snapshot::posted::Posted;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// How the bytes are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As a page of the replay.
    Replayed,
    /// A PDF for a frame without sandbox; nothing else may go there.
    Pdf,
    /// What the frame of a viewer shows: a file that is no page.
    File,
    /// The bytes as captured: content coding kept, transfer coding removed.
    Raw,
    /// As it was received, for a browser that asks by the original address.
    Proxied,
}

/// A request for archived content.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The reader's origin, time and collection.
    pub visit: Visit,
    /// The archived URL.
    pub url: CanonicalUrl,
    /// How the bytes are wanted.
    pub form: Form,
    /// `Sec-Fetch-Dest`; empty where the client doesn't say.
    pub dest: String,
    /// `Range`.
    pub range: Option<String>,
    /// `Accept-Encoding`.
    pub accepts: String,
    /// The archived URL of the page that asks, as far as `Referer` tells it.
    pub referrer: Option<String>,
    /// What was sent with the request, where it isn't a GET.
    pub posted: Option<Posted>,
    /// Where addresses lead in path mode; `None` where origins have names.
    pub paths: Option<Paths>,
}

impl Asked {
    /// Whether the answer will be a document in a frame.
    fn is_frame(&self) -> bool {
        matches!(self.dest.as_str(), "iframe" | "frame" | "embed" | "object")
    }

    /// Whether the answer may be shown as a page: clients other than browsers
    /// don't say what they ask for.
    fn is_page(&self) -> bool {
        self.is_frame() || self.dest.is_empty()
    }

    /// Whether a page may answer that was captured without the query: only
    /// where a reader goes, as for data the query is the question.
    fn may_lose_query(&self) -> bool {
        self.form == Form::Replayed && matches!(self.dest.as_str(), "iframe" | "frame")
    }

    /// Whether a near capture may answer: whoever asks for the bytes means just these.
    fn may_be_near(&self) -> bool {
        self.form != Form::Raw
    }

    /// Gives the request as it is counted.
    fn told(&self, count: impl FnOnce(Told<'_>)) {
        let posted = self.posted.as_ref().map(Posted::name);
        count(Told {
            url: self.url.as_str(),
            referrer: self.referrer.as_deref(),
            kind: match (&posted, &*self.dest) {
                (Some(method), _) => method,
                (None, "") => "unknown",
                (None, dest) => dest,
            },
        });
    }

    fn accepts(&self, coding: &str) -> bool {
        self.accepts.split(',').any(|item| {
            let (name, quality) = item.split_once(';').unwrap_or((item, ""));
            let refused = matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000");
            name.trim().eq_ignore_ascii_case(coding) && !refused
        })
    }
}

/// Answers.
pub fn answer(state: &State, base: &Base, asked: &Asked, outlet: Outlet) {
    let Some(collection) = state.shelf.get(&asked.visit.collection) else {
        return outlet.whole(no_collection(base, &asked.visit.collection));
    };
    let wanted = Wanted {
        url: &asked.url,
        at: asked.visit.timestamp,
        posted: asked.posted.as_ref(),
        may_lose_query: asked.may_lose_query(),
        may_be_near: asked.may_be_near().then_some(&*asked.dest),
        passes_loops: asked.form != Form::Raw,
        // Whoever asks for the bytes means just these.
        passes_marked: asked.form != Form::Raw,
    };
    let others = state.shelf.collections();
    match find(collection, others, wanted) {
        Ok(Outcome::Found(found)) => {
            match &found.instead {
                Some(Instead::WithoutQuery(_)) => count_missing(state, asked),
                Some(Instead::Near(near)) => count_near(state, asked, near),
                None => {}
            }
            count_time(state, asked, found.capture.entry.timestamp);
            let sending = Sending {
                base,
                collection,
                others,
                asked,
                capture: &found.capture,
                instead: found.instead.as_ref(),
            };
            sending.send(outlet);
        }
        Ok(Outcome::Gap(gap, entry)) => {
            count_missing(state, asked);
            outlet.whole(withheld(base, collection, asked, gap, entry.timestamp));
        }
        Ok(Outcome::Nothing) => {
            count_missing(state, asked);
            outlet.whole(missing(base, asked));
        }
        // It isn't missing.
        Ok(Outcome::Denied) => outlet.whole(denied(base, asked)),
        Err(error) => outlet.whole(unreadable(base, asked, &error)),
    }
}

fn count_time(state: &State, asked: &Asked, captured: Timestamp14) {
    let part = match asked.form {
        Form::Raw | Form::Proxied => return,
        Form::Pdf => Part::Page,
        _ if asked.is_frame() => Part::Page,
        _ if asked.dest == "style" => Part::Sheet,
        _ => Part::Other,
    };
    let visit = (asked.visit.collection.as_str(), asked.visit.timestamp);
    let answered = (asked.url.as_str(), captured);
    state
        .spread
        .count(visit, answered, asked.referrer.as_deref(), part);
}

/// Counts a request that found nothing.
pub(in crate::replay) fn count_missing(state: &State, asked: &Asked) {
    let (name, at) = (&asked.visit.collection, asked.visit.timestamp);
    asked.told(|told| state.missing.count(name, at, told));
}

/// Counts a request that a near capture answers.
pub(in crate::replay) fn count_near(state: &State, asked: &Asked, near: &Near) {
    let (name, at) = (&asked.visit.collection, asked.visit.timestamp);
    let near = NearUrl {
        captured: near.url.to_string(),
        rules: near.names(),
    };
    asked.told(|told| state.missing.count_near(name, at, told, near));
}
