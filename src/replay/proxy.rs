//! Proxy mode: a browser asks for the original addresses, and every host's
//! server is this one. Bytes, origins and `location` are those of the site, so
//! nothing is rewritten. Nothing is ever connected to; whoever uses it is to be
//! a browser without a network of its own.
//!
//! - A request names its URL whole, or comes through a tunnel by CONNECT whose
//!   certificate is of an [`Authority`] of this run alone.
//! - All collections that are open answer as one, or one alone where it is for that.
//! - The time is that of `Accept-Datetime` (RFC 7089 §2.1.1), else the one that
//!   is chosen at [`picker::HOST`], else that of the first collection's seeds.
//! - The interface and its content origins are reached through it too.

mod answer;
mod authority;
mod notices;
mod opening;
mod picker;
mod sharing;
mod tunnel;

pub use authority::{Authority, AuthorityError};
pub use picker::HOST as PICKER_HOST;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::extract::{Request, State as Extracted};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CACHE_CONTROL, HOST, HeaderMap, HeaderName, HeaderValue,
    ORIGIN, RANGE, REFERER, UPGRADE, VARY,
};
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use axum::http::{Method, Response, StatusCode};
use axum::serve::IncomingStream;
use thiserror::Error;

use self::answer::Wish;
use self::tunnel::{Tunnels, Via};
use super::address::{HostParts, Visit};
use super::answer::{Asked, Form};
use super::memento;
use super::missing::Told;
use super::server::{State, on_thread, read_posted, respond, status};
use crate::snapshot::posted::Posted;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Why the proxy can't be there.
#[derive(Debug, Error)]
pub enum ProxyError {
    /// Its port.
    #[error("listening at 127.0.0.1:{port} failed: {source}")]
    Listen {
        /// The port that was asked for; 0 for any.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// Its authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

/// A bound proxy.
pub struct Proxy {
    listener: TcpListener,
    port: u16,
    shared: Arc<Shared>,
}

/// What every request sees.
struct Shared {
    state: Arc<State>,
    authority: Arc<Authority>,
    /// The reader's time.
    time: Mutex<Timestamp14>,
    /// Told to the picker's own pages alone: a form without it isn't theirs.
    token: String,
    /// The page to begin with.
    page: Option<CanonicalUrl>,
    /// The collection that answers; none: all together.
    only: OnceLock<String>,
}

impl Shared {
    fn time(&self) -> Timestamp14 {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_time(&self, time: Timestamp14) {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// The name of what answers: one collection, or all together.
    fn collection(&self) -> String {
        if let Some(name) = self.only.get() {
            return name.clone();
        }
        let whole = self.state.shelf.whole();
        whole.map_or_else(String::new, |whole| whole.name.clone())
    }
}

impl Proxy {
    /// Listens at a port of 127.0.0.1, 0 for a free one. Requests wait until
    /// [`Proxy::run`].
    pub fn bind(state: Arc<State>, port: u16) -> Result<Self, ProxyError> {
        let failed = |source| ProxyError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        let opening = opening::of(&state.shelf);
        let shared = Shared {
            authority: Arc::new(Authority::new()?),
            time: Mutex::new(opening.time),
            token: uuid::Uuid::new_v4().simple().to_string(),
            page: opening.page,
            only: OnceLock::new(),
            state,
        };
        Ok(Self {
            listener,
            port,
            shared: Arc::new(shared),
        })
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The authority that a browser must trust for this run.
    pub fn authority(&self) -> &Authority {
        &self.shared.authority
    }

    /// Answers from one collection alone.
    #[must_use]
    pub fn of(self, collection: &str) -> Self {
        let _ = self.shared.only.set(collection.to_owned());
        self
    }

    /// Begins at another time.
    #[must_use]
    pub fn at(self, time: Timestamp14) -> Self {
        self.shared.set_time(time);
        self
    }

    /// The reader's time, until it is changed.
    pub fn time(&self) -> Timestamp14 {
        self.shared.time()
    }

    /// The page to begin with: a seed of the first collection that tells one,
    /// else the picker.
    pub fn first_page(&self) -> String {
        let page = self.shared.page.as_ref();
        page.map_or_else(|| picker::address("/"), ToString::to_string)
    }

    /// Serves until it is dropped.
    pub async fn run(self) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let tunnels = Tunnels::new(listener, Arc::clone(&self.shared.authority));
        let router = Router::new().fallback(serve).with_state(self.shared);
        let service = router.into_make_service_with_connect_info::<Via>();
        axum::serve(tunnels, service).await
    }
}

impl Connected<IncomingStream<'_, Tunnels>> for Via {
    fn connect_info(stream: IncomingStream<'_, Tunnels>) -> Self {
        stream.remote_addr().clone()
    }
}

async fn serve(
    Extracted(shared): Extracted<Arc<Shared>>,
    ConnectInfo(via): ConnectInfo<Via>,
    request: Request,
) -> Response<Body> {
    let (mut parts, body) = request.into_parts();
    let Some(url) = asked_url(&via, &parts.uri) else {
        return no_url();
    };
    if url.host() == picker::HOST {
        return picker::answer(&shared, &url, &parts, body).await;
    }
    read_posted(&mut parts, body).await;
    if is_interface(&shared.state, &url) {
        to_origin_form(&mut parts, &url);
        return respond(&shared.state, parts).await;
    }
    let mut response = if sharing::is_preflight(&parts) {
        sharing::preflight(&parts.headers)
    } else {
        archived(&shared, &url, &parts).await
    };
    let fields = response.headers_mut();
    sharing::fit(&parts.headers, &url, fields);
    // The next request for it may be at another time.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    fields.append(VARY, HeaderValue::from_static("Accept-Datetime"));
    response
}

/// The URL that a request is for. A request by path outside of a tunnel isn't
/// one to a proxy: some page of the live web may have made it.
fn asked_url(via: &Via, uri: &Uri) -> Option<CanonicalUrl> {
    let url = match (via, uri.scheme_str()) {
        (Via::Plain, Some("http" | "https")) => uri.to_string(),
        (Via::Tunnel(origin), None) => {
            let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
            let path = if path == "*" { "/" } else { path };
            format!("{origin}{path}")
        }
        _ => return None,
    };
    CanonicalUrl::parse(&url).ok()
}

fn no_url() -> Response<Body> {
    let text = "This is a proxy: it is asked for whole URLs, by a browser that is set to use it.\n";
    status(StatusCode::BAD_REQUEST, text)
}

/// Whether it is an address of the interface or a content origin of it.
fn is_interface(state: &State, url: &CanonicalUrl) -> bool {
    let parts = state.base.parse_host(&url.host_field());
    !url.is_https() && !matches!(parts, None | Some(HostParts::Loopback))
}

fn to_origin_form(parts: &mut Parts, url: &CanonicalUrl) {
    if let Ok(host) = HeaderValue::from_str(&url.host_field()) {
        parts.headers.insert(HOST, host);
    }
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(|| Uri::from_static("/"), Uri::from);
}

async fn archived(shared: &Arc<Shared>, url: &CanonicalUrl, request: &Parts) -> Response<Body> {
    let fields = &request.headers;
    let text = |name: HeaderName| {
        let value = fields.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let at = match memento::accepted(fields) {
        Ok(time) => time.unwrap_or_else(|| shared.time()),
        Err(why) => {
            let response = status(StatusCode::BAD_REQUEST, "");
            return response.map(|_| Body::from(format!("{why}\n")));
        }
    };
    let referrer = text(REFERER);
    let dest = text(HeaderName::from_static("sec-fetch-dest")).unwrap_or_default();
    let refused = |what: &str, refusal: Response<Body>| {
        if !is_browsers_own(request) {
            let name = shared.collection();
            let missing = &shared.state.missing;
            let told = Told {
                url: url.as_str(),
                referrer: referrer.as_deref(),
                kind: what,
            };
            missing.count(&name, at, told);
        }
        refusal
    };
    if fields.contains_key(UPGRADE) {
        let text = "WebSockets aren't replayed\n";
        return refused("websocket", status(StatusCode::FORBIDDEN, text));
    }
    let posted = request.extensions.get::<Posted>().cloned();
    if !matches!(request.method, Method::GET | Method::HEAD) && posted.is_none() {
        let what = request.method.as_str().to_ascii_lowercase();
        return refused(&what, not_allowed());
    }
    // One worker would answer at every time that the reader chooses later.
    if fields.get("service-worker").is_some_and(|v| v == "script") {
        let text = "Service workers aren't replayed\n";
        return status(StatusCode::FORBIDDEN, text);
    }
    let wish = Wish {
        for_reader: is_for_reader(&dest, fields),
        of_browser: is_browsers_own(request),
        asked: Asked {
            visit: Visit {
                origin: url.host_key(),
                timestamp: at,
                collection: shared.collection(),
            },
            url: url.clone(),
            form: Form::Proxied,
            dest,
            range: text(RANGE),
            posted,
            paths: None,
            accepts: text(ACCEPT_ENCODING).unwrap_or_default(),
            referrer,
        },
    };
    on_thread(&shared.state, move |state, outlet| {
        answer::answer(state, &wish, outlet);
    })
    .await
}

/// Whether the browser asks for itself (updates, accounts), and no page does:
/// no archive lacks that. What a page sends has an `Origin`.
fn is_browsers_own(request: &Parts) -> bool {
    let fields = &request.headers;
    let is = |name: &str, value: &str| fields.get(name).is_some_and(|field| field == value);
    let is_alone = is("sec-fetch-site", "none") && is("sec-fetch-dest", "empty");
    is_alone || request.method == Method::POST && !fields.contains_key(ORIGIN)
}

/// Whether the answer is a page that a reader goes to. To origins without TLS
/// browsers don't say what they ask for, but for the types that they take.
fn is_for_reader(dest: &str, fields: &HeaderMap) -> bool {
    let takes_pages = || {
        let accept = fields.get(ACCEPT).and_then(|value| value.to_str().ok());
        accept.is_some_and(|accept| accept.contains("text/html"))
    };
    matches!(dest, "document" | "iframe" | "frame") || dest.is_empty() && takes_pages()
}

fn not_allowed() -> Response<Body> {
    let text = "Only GET, HEAD, POST, PUT and PATCH are replayed\n";
    let mut response = status(StatusCode::METHOD_NOT_ALLOWED, text);
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, OPTIONS");
    response.headers_mut().insert(ALLOW, allowed);
    response
}
