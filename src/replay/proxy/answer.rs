//! The answer to a request. Runs on a blocking thread.

use super::notices;
use crate::replay::answer::sending::Sending;
use crate::replay::answer::{self, Asked};
use crate::replay::find::{Instead, Outcome, Wanted, find};
use crate::replay::outlet::Outlet;
use crate::replay::server::State;

/// A request through the proxy.
pub(super) struct Wish {
    /// What is asked for.
    pub asked: Asked,
    /// Whether a reader goes there, and no script or page asks.
    pub for_reader: bool,
    /// Whether the browser asks for itself.
    pub of_browser: bool,
}

/// Answers from the visit's collection, which may be all of them together.
pub(super) fn answer(state: &State, wish: &Wish, outlet: Outlet) {
    let Some(collection) = state.shelf.get(&wish.asked.visit.collection) else {
        return outlet.whole(notices::missing(None, wish));
    };
    let others = state.shelf.collections();
    let wanted = Wanted {
        url: &wish.asked.url,
        at: wish.asked.visit.timestamp,
        posted: wish.asked.posted.as_ref(),
        may_lose_query: wish.for_reader,
        // A reader sees the address that was asked for, and no banner.
        may_be_near: (!wish.for_reader).then_some(&*wish.asked.dest),
        passes_loops: true,
        passes_marked: true,
    };
    match find(collection, others, wanted) {
        Ok(Outcome::Found(found)) => {
            match &found.instead {
                Some(Instead::WithoutQuery(_)) => count_missing(state, wish),
                Some(Instead::Near(near)) => answer::count_near(state, &wish.asked, near),
                None => {}
            }
            let sending = Sending {
                base: &state.base,
                collection,
                others,
                asked: &wish.asked,
                capture: &found.capture,
                instead: found.instead.as_ref(),
            };
            sending.send(outlet);
        }
        Ok(Outcome::Gap(gap, entry)) => {
            count_missing(state, wish);
            let (at, url) = (entry.timestamp, &entry.url);
            let unfiltered = collection.unfiltered.as_ref();
            let view = unfiltered.map(|name| state.base.view_url(name, at, url));
            outlet.whole(notices::withheld(wish, gap, at, view));
        }
        Ok(Outcome::Nothing) => {
            count_missing(state, wish);
            outlet.whole(notices::missing(Some(collection), wish));
        }
        Ok(Outcome::Denied) => outlet.whole(notices::denied(wish)),
        Err(error) => outlet.whole(notices::unreadable(wish, &error)),
    }
}

fn count_missing(state: &State, wish: &Wish) {
    if !wish.of_browser {
        answer::count_missing(state, &wish.asked);
    }
}
