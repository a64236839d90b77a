//! Browsers that a reader of the replay opens from the interface, each with a proxy
//! of its own at the time of the page.

use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::chromium::{Chromium, Isolation, Program};
use crate::replay::Proxy;
use crate::replay::opener::Open;
use crate::replay::server::State;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// What is told where the browser runs as root.
pub const UNSANDBOXED: &str = "run as root, the browser has no sandbox of its own (--no-sandbox); \
     pages of unknown origin are better opened as an ordinary user.";

/// So many are open at once; each takes some hundred megabytes.
const MOST: usize = 4;
/// A browser that fails does so within this time.
const START: Duration = Duration::from_secs(1);

/// Opens captures in browsers that end with the runtime, or with their last window.
pub fn opener(state: &Arc<State>, runtime: Handle) -> Open {
    // The state has the opener.
    let state = Arc::downgrade(state);
    let count = Arc::new(AtomicUsize::new(0));
    Box::new(move |collection, url, time| open(&state, (&runtime, &count), collection, url, time))
}

/// A place among the [`MOST`].
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(count: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(count));
        (count.fetch_add(1, Ordering::AcqRel) < MOST).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn open(
    state: &Weak<State>,
    (runtime, count): (&Handle, &Arc<AtomicUsize>),
    collection: &str,
    url: &CanonicalUrl,
    time: Timestamp14,
) -> Result<(), String> {
    let place = Place::take(count)
        .ok_or_else(|| format!("{MOST} browsers are open already; close one of them"))?;
    let state = state.upgrade().ok_or("the replay is ending")?;
    if rustix::process::geteuid().is_root() {
        // A reader of stderr that went away misses nothing else.
        let _ = writeln!(io::stderr(), "lastlight: {UNSANDBOXED}");
    }
    let program = Program::find().map_err(|error| format!("{error}. Debian: chromium"))?;
    if !program.has_window() {
        let path = program.path().display();
        return Err(format!("{path} shows no window; install chromium"));
    }
    let proxy = Proxy::bind(state, 0).map_err(|error| error.to_string())?;
    let proxy = proxy.of(collection).at(time);
    let isolation = Isolation {
        proxy: (Ipv4Addr::LOCALHOST, proxy.port()).into(),
        spki_hash: &proxy.authority().spki_hash(),
    };
    let mut browser =
        Chromium::launch(&program, isolation, url.as_str()).map_err(|error| error.to_string())?;
    let serving = runtime.spawn(proxy.run());
    std::thread::sleep(START);
    let failed = match browser.ended() {
        Ok(None) => None,
        Ok(Some(status)) => Some(format!("the browser ended, {status}: {}", browser.said())),
        Err(error) => Some(format!("the browser: {error}")),
    };
    if let Some(failed) = failed {
        serving.abort();
        return Err(failed);
    }
    runtime.spawn(async move {
        let _place = place;
        closed(browser).await;
        serving.abort();
    });
    Ok(())
}

/// Waits until the browser's last window is closed, or it is gone for another reason.
async fn closed(mut browser: Chromium) {
    while let Ok(None) = browser.ended() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
