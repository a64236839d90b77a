//! The replay server: one listener, the interface at `lastlight.localhost`,
//! and every archived origin at a name of its own below it. Nothing is ever
//! fetched from anywhere.
//!
//! What the server and the shell (the page of the interface that frames
//! archived content) agree on:
//!
//! - A top-level navigation to archived content is led to the shell,
//!   `/view/<collection>/<timestamp14>/<url>`, so content is always framed and
//!   the shell's `frame-src` keeps it from leaving.
//! - The frame's sandbox is `allow-scripts allow-same-origin allow-forms
//!   allow-modals`: popups, top navigation and downloads could reach the live
//!   web past every policy.
//! - Framed documents post messages to the shell, which takes them as
//!   untrusted text from a frame that it checks: `{lastlight: "page", url,
//!   timestamp, title, status?}` whenever what is shown changes (`status` is
//!   `missing` or `unreadable` on pages of ours), `{lastlight: "open", url}`
//!   for windows that a page opens, `{lastlight: "pdf", url, timestamp}` and
//!   `{lastlight: "download", url, type, timestamp}` for what a sandboxed
//!   frame can't show. All but `open` are heard from the frame itself alone.
//! - A PDF goes into a frame without sandbox, at the same content origin below
//!   `/.lastlight/pdf`; nothing but PDFs is served there.
//! - An image, a film or a text in the shell's frame has a small page of ours
//!   around it, so that the shell is told; a text's bytes are below
//!   `/.lastlight/file` of its content origin.
//! - `/-/missing/<collection>/<timestamp14>` lists what a visit lacks;
//!   `?page=<url>` limits it to what that page asked for.

mod content;
mod download;
mod interface;
mod ledger;
mod paths;
mod record;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State as Extracted};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
    COOKIE, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, REFERER, REFERRER_POLICY,
    RETRY_AFTER, X_DNS_PREFETCH_CONTROL,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::{Base, HostParts};
use super::connection::Connections;
use super::csp;
use super::judging::Judging;
use super::missing::Missing;
use super::notice::Notice;
use super::opener::Opener;
use super::outlet::Outlet;
use super::shelf::Shelf;
use super::spread::Spread;
use crate::snapshot::posted::{self, Posted};

/// Replay's part in every archived page and worker: one script in several files.
const RUNTIME: &str = concat!(
    include_str!("runtime/start.js"),
    include_str!("runtime/addresses.js"),
    include_str!("runtime/natives.js"),
    include_str!("runtime/requests.js"),
    include_str!("runtime/workers.js"),
    include_str!("runtime/time.js"),
    include_str!("runtime/elements.js"),
    include_str!("runtime/origins.js"),
    include_str!("runtime/frames.js"),
    include_str!("runtime/navigation.js"),
);
/// What a shared worker begins with: the query tells which, so that documents share
/// one by its address.
const SHARED_WORKER: &str = include_str!("runtime/shared_worker.js");

/// A longer `Cookie` field came of a page that fills the jar of every archived
/// site at once; browsers send at most a few cookies of 4 KB.
const MAX_COOKIE_BYTES: usize = 16 * 1024;

/// So many archived answers are under way at once; each holds a thread. The
/// interface has threads of its own, so it answers while these are taken.
const ANSWERS: usize = 64;
/// A request waits so long for its turn.
const TURN: Duration = Duration::from_secs(10);

/// What every request sees.
pub struct State {
    /// The open collections.
    pub shelf: Shelf,
    /// The server's addresses.
    pub base: Base,
    /// What readers asked for in vain.
    pub missing: Missing,
    /// When the parts of shown pages were captured.
    pub spread: Spread,
    /// What verification says of the collections.
    pub judging: Arc<Judging>,
    /// What opens captures at their original addresses.
    pub opener: Opener,
    /// A place for each archived answer that is under way.
    places: Arc<Semaphore>,
}

/// A bound replay server.
pub struct Server {
    listener: TcpListener,
    state: Arc<State>,
}

impl Server {
    /// Listens at an address; port 0 takes a free one. Requests wait until
    /// [`Server::run_until`].
    pub fn bind(shelf: Shelf, address: SocketAddr) -> io::Result<Self> {
        Self::with_listener(shelf, TcpListener::bind(address)?)
    }

    /// Takes a listener that is already bound.
    pub fn with_listener(shelf: Shelf, listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let state = State {
            shelf,
            base: Base::new(listener.local_addr()?.port()),
            missing: Missing::default(),
            spread: Spread::default(),
            judging: Arc::default(),
            opener: Opener::default(),
            places: Arc::new(Semaphore::new(ANSWERS)),
        };
        Ok(Self {
            listener,
            state: Arc::new(state),
        })
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.state.base.port
    }

    /// The address of the interface.
    pub fn ui_origin(&self) -> String {
        self.state.base.ui_origin()
    }

    /// The server's state, shared with whoever counts or lists.
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    /// Serves until `end` is there; answers that are under way are cut.
    pub async fn run_until(self, end: impl Future<Output = ()>) -> io::Result<()> {
        let listener = Connections(tokio::net::TcpListener::from_std(self.listener)?);
        let router = Router::new().fallback(serve).with_state(self.state);
        tokio::select! {
            ended = axum::serve(listener, router).into_future() => ended,
            () = end => Ok(()),
        }
    }
}

async fn serve(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    read_posted(&mut parts, body).await;
    respond(&state, parts).await
}

/// Reads what is sent with a request, as far as its key needs it, and puts it beside
/// the other parts. Without it the request is one that isn't replayed.
pub(super) async fn read_posted(parts: &mut Parts, body: Body) {
    if is_read(&parts.method) {
        return;
    }
    let Ok(Ok(body)) = timeout(TURN, axum::body::to_bytes(body, posted::READ)).await else {
        return;
    };
    let kind = parts.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = String::from_utf8_lossy(kind.unwrap_or_default());
    if let Some(posted) = Posted::of(parts.method.as_str(), &kind, &body) {
        parts.extensions.insert(posted);
    }
}

/// The answer to a request, whichever listener it came by.
pub(super) async fn respond(state: &Arc<State>, request: Parts) -> Response<Body> {
    let fields = &request.headers;
    let mut hosts = fields.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|h| state.base.parse_host(h)),
        _ => None,
    };
    let (mut response, policy) = match host {
        Some(HostParts::Ui) => {
            let response = interface::answer(state, &state.base, &request).await;
            (response, csp::ui(&state.base))
        }
        Some(HostParts::Loopback) => {
            // It was read, so it is a text.
            let name = fields[HOST].to_str().unwrap_or_default();
            let base = state.base.at_one_host(name);
            (
                interface::on_loopback(state, &base, &request).await,
                csp::ui(&base),
            )
        }
        Some(HostParts::Content(visit)) => {
            let mut response = content::answer(state, &visit, &request).await;
            content::allow_sharing(&state.base, &visit, fields, response.headers_mut());
            (response, csp::content(&state.base))
        }
        Some(HostParts::Forgotten { .. }) => (forgotten(&state.base), csp::content(&state.base)),
        None => (misdirected(&state.base), csp::raw().to_owned()),
    };
    guard(response.headers_mut(), &policy);
    // The interface sets none: they are of archived pages, and would grow
    // until no request is taken.
    if cookie_bytes(fields) > MAX_COOKIE_BYTES {
        clear_cookies(response.headers_mut());
    }
    response
}

fn cookie_bytes(fields: &HeaderMap) -> usize {
    fields.get_all(COOKIE).iter().map(HeaderValue::len).sum()
}

fn clear_cookies(fields: &mut HeaderMap) {
    let clear = HeaderValue::from_static("\"cookies\"");
    fields.insert(HeaderName::from_static("clear-site-data"), clear);
}

/// The fields that every answer carries, whatever made it.
fn guard(fields: &mut HeaderMap, policy: &str) {
    if !fields.contains_key(CONTENT_SECURITY_POLICY) {
        let policy = HeaderValue::from_str(policy).expect("a policy is made of host names");
        fields.insert(CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (HeaderName::from_static("origin-agent-cluster"), "?1"),
        (X_DNS_PREFETCH_CONTROL, "off"),
        (CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    // Within the replay the referrer says which page asks for what is missing.
    let default = HeaderValue::from_static("no-referrer-when-downgrade");
    fields.entry(REFERRER_POLICY).or_insert(default);
}

pub(super) fn status(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

pub(super) fn redirect(to: &str) -> Response<Body> {
    let Ok(location) = HeaderValue::from_bytes(to.as_bytes()) else {
        return status(StatusCode::BAD_REQUEST, "not an address\n");
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, location);
    response
}

fn misdirected(base: &Base) -> Response<Body> {
    let text = format!(
        "This server answers only to its own names: {}\n",
        base.ui_origin()
    );
    let mut response = status(StatusCode::MISDIRECTED_REQUEST, "");
    *response.body_mut() = Body::from(text);
    response
}

fn not_allowed() -> Response<Body> {
    let mut response = status(
        StatusCode::METHOD_NOT_ALLOWED,
        "Only GET, HEAD, POST, PUT and PATCH are replayed\n",
    );
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, OPTIONS");
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn forgotten(base: &Base) -> Response<Body> {
    let notice = Notice {
        status: StatusCode::NOT_FOUND,
        heading: "This address is of an earlier replay",
        text: "The name of this site is too long or too odd to be read from its address. \
               Search for the URL to open it again.",
        url: None,
        link: Some((&base.ui_origin(), "Search")),
        message: None,
    };
    notice.page(base).map(Body::from)
}

/// The path as it was sent, and the query.
fn target(request: &Parts) -> (String, Option<String>) {
    let uri = &request.uri;
    let path = if uri.path().is_empty() {
        "/"
    } else {
        uri.path()
    };
    (path.to_owned(), uri.query().map(str::to_owned))
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn script(text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/javascript; charset=utf-8");
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, kind);
    // Module workers without an origin import it too; there is nothing to hide.
    fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// Whether a website elsewhere asks for archived content to show it, or to find out
/// what there is. Archived pages in a sandbox of their own are other sites to the
/// browser too, and say by their referrer whose they are. Whoever follows a link is
/// led to the shell.
fn is_of_another_website(base: &Base, fields: &HeaderMap) -> bool {
    let is = |name: &str, value: &str| fields.get(name).is_some_and(|found| found == value);
    is("sec-fetch-site", "cross-site")
        && !is("sec-fetch-dest", "document")
        && referrer(base, fields).is_none()
}

/// The archived URL of the page that asks.
fn referrer(base: &Base, fields: &HeaderMap) -> Option<String> {
    let referrer = fields.get(REFERER)?.to_str().ok()?;
    let (_, url) = base.archived_url(referrer)?;
    Some(url.to_string())
}

/// Answers on a thread that may wait for files, when it is its turn.
pub(super) async fn on_thread(
    state: &Arc<State>,
    answer: impl FnOnce(&State, Outlet) + Send + 'static,
) -> Response<Body> {
    let turn = timeout(TURN, Arc::clone(&state.places).acquire_owned());
    let Ok(Ok(place)) = turn.await else {
        let text = "Too many archived files are being read; try again\n";
        let mut response = status(StatusCode::SERVICE_UNAVAILABLE, text);
        let soon = HeaderValue::from_static("5");
        response.headers_mut().insert(RETRY_AFTER, soon);
        return response;
    };
    let (outlet, answered) = Outlet::new();
    let state = Arc::clone(state);
    tokio::task::spawn_blocking(move || {
        answer(&state, outlet);
        drop(place);
    });
    answered.await.unwrap_or_else(|_| {
        let text = "the capture could not be answered with\n";
        status(StatusCode::INTERNAL_SERVER_ERROR, text)
    })
}

#[cfg(test)]
mod tests;
