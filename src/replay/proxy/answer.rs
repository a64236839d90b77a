//! Which collection answers, and with what. Runs on a blocking thread.

use super::notices;
use crate::replay::answer::Asked;
use crate::replay::answer::sending::Sending;
use crate::replay::find::{Outcome, Wanted, find};
use crate::replay::outlet::Outlet;
use crate::replay::server::State;

/// A request through the proxy.
pub(super) struct Wish {
    /// What is asked for; its collection is the first.
    pub asked: Asked,
    /// Whether a reader goes there, and no script or page asks.
    pub for_reader: bool,
    /// Whether the browser asks for itself.
    pub of_browser: bool,
}

/// Answers from the first collection that has the URL.
pub(super) fn answer(state: &State, mut wish: Wish, outlet: Outlet) {
    let collections = state.shelf.collections();
    let (mut gap, mut failed) = (None, None);
    for collection in collections {
        let wanted = Wanted {
            url: &wish.asked.url,
            at: wish.asked.visit.timestamp,
            posted: wish.asked.posted.as_ref(),
            may_lose_query: wish.for_reader,
            passes_loops: true,
            passes_marked: true,
        };
        match find(collection, collections, wanted) {
            Ok(Outcome::Found(found)) => {
                wish.asked.visit.collection.clone_from(&collection.name);
                if found.without_query.is_some() {
                    count_missing(state, &wish);
                }
                let sending = Sending {
                    base: &state.base,
                    collection,
                    others: collections,
                    asked: &wish.asked,
                    capture: &found.capture,
                    url: found.without_query.as_ref().unwrap_or(&wish.asked.url),
                };
                return sending.send(outlet);
            }
            Ok(Outcome::Gap(why, entry)) => gap = gap.or(Some((why, entry.timestamp))),
            Ok(Outcome::Nothing) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if let Some(error) = failed {
        return outlet.whole(notices::unreadable(&wish, &error));
    }
    count_missing(state, &wish);
    outlet.whole(match gap {
        Some((gap, captured)) => notices::withheld(&wish, gap, captured),
        None => notices::missing(collections, &wish),
    });
}

fn count_missing(state: &State, wish: &Wish) {
    if wish.of_browser {
        return;
    }
    let asked = &wish.asked;
    let dest = match asked.dest.as_str() {
        "" => "unknown",
        dest => dest,
    };
    let (visit, referrer) = (&asked.visit, asked.referrer.as_deref());
    let (name, at) = (&visit.collection, visit.timestamp);
    state
        .missing
        .count(name, at, asked.url.as_str(), referrer, dest);
}
