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
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, HOST, HeaderMap,
    HeaderName, HeaderValue, LOCATION, ORIGIN, REFERER, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    VARY, X_CONTENT_TYPE_OPTIONS, X_DNS_PREFETCH_CONTROL,
};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::address::{Base, HostParts, Visit};
use super::answer::{Asked, Form, answer, no_collection};
use super::connection::Connections;
use super::csp;
use super::judging::Judging;
use super::missing::{Missing, Told};
use super::notice::Notice;
use super::opener::Opener;
use super::outlet::Outlet;
use super::rewrite::RESERVED;
use super::shelf::Shelf;
use super::spread::Spread;
use super::ui::{self, UiRequest};
use super::way::RUNTIME as RUNTIME_PATH;
use crate::count::counted;
use crate::snapshot::collection::Collection;
use crate::snapshot::posted::{self, Posted};
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

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
            let response = on_interface(state, &state.base, &request).await;
            (response, csp::ui(&state.base))
        }
        Some(HostParts::Loopback) => {
            // It was read, so it is a text.
            let name = fields[HOST].to_str().unwrap_or_default();
            let base = state.base.at_one_host(name);
            (on_loopback(state, &base, &request).await, csp::ui(&base))
        }
        Some(HostParts::Content(visit)) => {
            let mut response = on_content(state, &visit, &request).await;
            allow_sharing(&state.base, &visit, fields, response.headers_mut());
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

/// `base` is the server as the reader names it.
async fn on_interface(state: &Arc<State>, base: &Base, request: &Parts) -> Response<Body> {
    // Nothing there changes anything but a button of its own, so no other method
    // and no `Origin` is let in.
    let (path, query) = target(request);
    let asked = paths::Asked::of(state, base, &path, query.as_deref());
    // A page of path mode may ask whether it may ask.
    let is_archived = asked.is_some();
    let asks_first = request.method == Method::OPTIONS && is_archived;
    let is_posted = is_archived && request.extensions.get::<Posted>().is_some();
    let is_pressed = is_button(base, &path, request);
    if !is_read(&request.method) && !asks_first && !is_posted && !is_pressed {
        return not_allowed();
    }
    // Path mode has rules of its own; its pages have no origin, and get the runtime.
    let is_open = is_archived || path == RUNTIME_PATH;
    if !is_open && is_of_another_website(base, &request.headers) {
        let text = "The interface is for its own pages\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let mut response = if let Some(rest) = path.strip_prefix("/-/missing/") {
        missing_list(state, rest, query.as_deref())
    } else if let Some(rest) = path.strip_prefix("/-/times/") {
        times(state, rest, query.as_deref())
    } else if path == RUNTIME_PATH {
        script(RUNTIME)
    } else if let Some(asked) = asked {
        asked.answer(state, request).await
    } else if let Some(name) = record::collection(&path) {
        record::download(state, name, query.as_deref()).await
    } else {
        let asked = UiRequest {
            path,
            query,
            posted: is_pressed,
            is_own: is_own(&request.headers),
            base: base.clone(),
        };
        ui::route(state, asked).await
    };
    let fields = response.headers_mut();
    // Archived pages can set cookies for this host, so it has none of its own.
    fields.remove(SET_COOKIE);
    let nosniff = HeaderValue::from_static("nosniff");
    fields.insert(X_CONTENT_TYPE_OPTIONS, nosniff);
    if !is_archived {
        let no_referrer = HeaderValue::from_static("no-referrer");
        fields.insert(REFERRER_POLICY, no_referrer);
    }
    response
}

/// Whether the button of the page was pressed that opens a browser. Where a POST
/// comes from, browsers say in `Origin`, and no archived page has the interface's.
fn is_button(base: &Base, path: &str, request: &Parts) -> bool {
    let origin = request.headers.get(ORIGIN).map(HeaderValue::as_bytes);
    let own = base
        .one_host()
        .map_or_else(|| base.ui_origin(), str::to_owned);
    request.method == Method::POST
        && path.starts_with("/c/")
        && path.ends_with("/open")
        && origin == Some(own.as_bytes())
        && is_own(&request.headers)
}

/// Whether no website elsewhere made the request; only browsers tell.
fn is_own(fields: &HeaderMap) -> bool {
    let site = fields.get("sec-fetch-site").map(HeaderValue::as_bytes);
    matches!(site, None | Some(b"same-origin" | b"none"))
}

/// The listener by its address: path mode is there, for tools and for readers
/// whose browser knows no names below `localhost`; others are led to the
/// interface.
async fn on_loopback(state: &Arc<State>, base: &Base, request: &Parts) -> Response<Body> {
    let (path, query) = target(request);
    let is_path_mode = paths::is_of_path_mode(state, base, &path, query.as_deref());
    if is_path_mode || paths::is_reader_of_path_mode(&request.headers) {
        return on_interface(state, base, request).await;
    }
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    redirect(&format!("{}{path}{query}", state.base.ui_origin()))
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

/// The visit that `<collection>/<timestamp14>` names.
fn visit_of<'s>(state: &'s State, rest: &str) -> Option<(&'s Collection, Timestamp14)> {
    let (name, time) = rest.split_once('/')?;
    Some((state.shelf.get(name)?, time.parse().ok()?))
}

/// The page that a query names.
fn page_of(query: Option<&str>) -> Option<String> {
    ::url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .find(|(name, _)| name == "page")
        .map(|(_, page)| page.into_owned())
}

/// When the parts of a page were captured, for the banner.
fn times(state: &State, rest: &str, query: Option<&str>) -> Response<Body> {
    let place = visit_of(state, rest).zip(page_of(query));
    let Some(((collection, visit), page)) = place else {
        return status(StatusCode::NOT_FOUND, "no such visit\n");
    };
    let told = match state.spread.of(&collection.name, visit, &page) {
        Some(times) => serde_json::json!({
            "text": times.text(),
            "detail": format!(
                "{}, from {} to {}",
                counted(times.parts, "part"),
                times.first.rfc3339(),
                times.last.rfc3339()
            ),
        }),
        // Nothing of that page was served.
        None => serde_json::json!({}),
    };
    let mut response = Response::new(Body::from(told.to_string()));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn missing_list(state: &State, rest: &str, query: Option<&str>) -> Response<Body> {
    let Some((collection, timestamp)) = visit_of(state, rest) else {
        return status(StatusCode::NOT_FOUND, "no such visit\n");
    };
    let page = page_of(query);
    let list = state
        .missing
        .list(&collection.name, timestamp, page.as_deref());
    let json = serde_json::to_vec(&list).expect("a list of texts and numbers is JSON");
    let mut response = Response::new(Body::from(json));
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

async fn on_content(state: &Arc<State>, visit: &Visit, request: &Parts) -> Response<Body> {
    let fields = &request.headers;
    if cookie_bytes(fields) > MAX_COOKIE_BYTES {
        return too_many_cookies();
    }
    if request.method == Method::OPTIONS {
        return preflight(fields);
    }
    if fields
        .get("service-worker")
        .is_some_and(|value| value == "script")
    {
        let text = "Service workers aren't replayed\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    if state.shelf.get(&visit.collection).is_none() {
        return no_collection(&state.base, &visit.collection).map(Body::from);
    }
    if is_of_another_website(&state.base, fields) {
        let text = "Archived content is for the replay's own pages\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let (path, query) = target(request);
    let whole = query.map_or(path.clone(), |query| format!("{path}?{query}"));
    if let Some(own) = whole.strip_prefix(RESERVED) {
        return reserved(state, visit, own, request).await;
    }
    let Ok(url) = CanonicalUrl::parse(&format!("{}{whole}", visit.origin)) else {
        return status(StatusCode::BAD_REQUEST, "not a URL that can be captured\n");
    };
    let referrer = referrer(&state.base, fields);
    if !is_read(&request.method) && request.extensions.get::<Posted>().is_none() {
        let (name, at) = (&visit.collection, visit.timestamp);
        let method = request.method.as_str().to_ascii_lowercase();
        state.missing.count(
            name,
            at,
            Told {
                url: url.as_str(),
                referrer: referrer.as_deref(),
                kind: &method,
            },
        );
        return not_allowed();
    }
    if fields
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest == "document")
    {
        let view = state
            .base
            .view_url(&visit.collection, visit.timestamp, url.as_str());
        return redirect(&view);
    }
    let visit = visit.clone();
    let asked = asked(visit, url, Form::Replayed, referrer, request);
    archived(state, &state.base, asked).await
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

/// Replay's own things at a content origin.
async fn reserved(state: &Arc<State>, visit: &Visit, own: &str, request: &Parts) -> Response<Body> {
    if !is_read(&request.method) {
        return not_allowed();
    }
    if own == "runtime.js" {
        return script(RUNTIME);
    }
    if own.split('?').next() == Some("worker.js") {
        return script(SHARED_WORKER);
    }
    if let Some(url) = own.strip_prefix("to/") {
        return match CanonicalUrl::parse(url) {
            Ok(url) => redirect(
                &state
                    .base
                    .content_url(&visit.collection, visit.timestamp, &url),
            ),
            Err(_) => status(StatusCode::BAD_REQUEST, "not a URL that can be captured\n"),
        };
    }
    let file = [("pdf/", Form::Pdf), ("file/", Form::File)]
        .into_iter()
        .find_map(|(start, form)| Some((form, own.strip_prefix(start)?)));
    let file = file.and_then(|(form, rest)| {
        let url = CanonicalUrl::parse(&format!("{}/{rest}", visit.origin)).ok()?;
        Some((form, url))
    });
    let Some((form, url)) = file else {
        return status(StatusCode::NOT_FOUND, "nothing of the replay is here\n");
    };
    let is_alone = request
        .headers
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest == "document");
    if is_alone && form == Form::File {
        let (name, at) = (&visit.collection, visit.timestamp);
        return redirect(&state.base.view_url(name, at, url.as_str()));
    }
    let asked = asked(visit.clone(), url, form, None, request);
    archived(state, &state.base, asked).await
}

fn asked(
    visit: Visit,
    url: CanonicalUrl,
    form: Form,
    referrer: Option<String>,
    request: &Parts,
) -> Asked {
    let text = |name: &str| {
        let value = request.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Asked {
        visit,
        url,
        form,
        dest: text("sec-fetch-dest").unwrap_or_default(),
        range: text("range"),
        accepts: text("accept-encoding").unwrap_or_default(),
        referrer,
        posted: request.extensions.get::<Posted>().cloned(),
        paths: None,
    }
}

async fn archived(state: &Arc<State>, base: &Base, asked: Asked) -> Response<Body> {
    let base = base.clone();
    let answers = move |state: &State, outlet| answer(state, &base, &asked, outlet);
    on_thread(state, answers).await
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

/// The archived URL of the page that asks.
fn referrer(base: &Base, fields: &HeaderMap) -> Option<String> {
    let referrer = fields.get(REFERER)?.to_str().ok()?;
    let (_, url) = base.archived_url(referrer)?;
    Some(url.to_string())
}

/// Whether a request comes from the same visit: what one archived site shares
/// with another stays within one collection at one time.
fn is_same_visit(base: &Base, visit: &Visit, origin: &str) -> bool {
    base.archived_url(origin).is_some_and(|(other, _)| {
        other.collection == visit.collection && other.timestamp == visit.timestamp
    })
}

/// Lets archived origins of one visit read each other, as their servers may
/// have let them: what was captured says so for one origin only, and not for
/// the one that replays it.
fn allow_sharing(base: &Base, visit: &Visit, request: &HeaderMap, fields: &mut HeaderMap) {
    fields.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = request.get(ORIGIN) else {
        return;
    };
    let Ok(text) = origin.to_str() else {
        return;
    };
    if is_same_visit(base, visit, text) {
        let yes = HeaderValue::from_static("true");
        // With credentials no wildcard stands for all.
        let names: Vec<&str> = fields.keys().map(HeaderName::as_str).collect();
        let all = HeaderValue::from_str(&names.join(", "));
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        if let Ok(all) = all {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, all);
        }
    }
}

fn preflight(request: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let fields = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH");
    fields.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
    }
    response
}

fn too_many_cookies() -> Response<Body> {
    status(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Archived pages had set too many cookies; they are cleared. Load the page again.\n",
    )
}

#[cfg(test)]
mod tests;
