//! `lastlight replay`: serves captures to a browser until Ctrl-C, or opens
//! them in one that has no network.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::exit::print;
use super::{Exit, Failure, windows};
use crate::chromium::{Chromium, ChromiumError, Isolation, Program, VARIABLE};
use crate::replay::judging;
use crate::replay::proxy::{PICKER_HOST, ProxyError};
use crate::replay::server::State;
use crate::replay::shelf::{Settings, Shelf};
use crate::replay::{Proxy, Server};
use crate::snapshot::denied::Denied;
use crate::snapshot::index_cache::IndexCache;
use crate::url::CanonicalUrl;

/// Where it listens unless told otherwise.
const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Replays captures offline in a browser, until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lastlight replay snapshots/example.org-20260322101500\n  \
    lastlight replay holdings/*.wacz old.warc.gz --listen 127.0.0.1:9000\n  \
    lastlight replay https://example.org/holdings/closing.wacz\n  \
    lastlight replay snapshots/demo --open\n  \
    lastlight replay snapshots/demo --open https://example.org/news\n  \
    lastlight replay snapshots/demo --proxy 8081\n  \
    lastlight replay snapshots/demo --deny withheld.txt")]
pub struct ReplayArgs {
    /// Snapshots, WARCs and ARCs (plain or .gz), WACZs, bags, or folders of WARCs; or the URL
    /// of a WACZ, of which only what is looked at is read
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// Where to listen [default: 127.0.0.1:8080, or a free port if that one is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,

    /// Withhold what the lines of FILE name: URLs, beginnings of URLs (https://example.org/a*)
    /// or keys of the index (org,example)/a); # begins a comment
    #[arg(long, value_name = "FILE")]
    pub deny: Option<PathBuf>,

    /// Also answer by original addresses, as a proxy at this port of 127.0.0.1 (0: a free one)
    #[arg(long, value_name = "PORT")]
    pub proxy: Option<u16>,

    /// Open a page [default: the first seed] at its original address, in a Chromium without a network
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    pub open: Option<Option<String>>,
}

/// Opens the paths, prints the addresses, and serves.
pub fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    // What fails without any reading fails first.
    let opened = match &args.open {
        Some(url) => Some((url.as_deref().map(page).transpose()?, program()?)),
        None => None,
    };
    let settings = Settings {
        cache: cache_directory().map(IndexCache::at),
        denied: args.deny.as_deref().map(denied).transpose()?,
    };
    let shelf = Shelf::with(&args.paths, &settings)?;
    let mut listed = String::new();
    for collection in shelf.collections() {
        for damage in &collection.damage {
            // A reader of stderr that went away misses nothing else.
            let _ = writeln!(io::stderr(), "lastlight: {}: {damage}", collection.name);
        }
        let (name, path) = (&collection.name, collection.path.display());
        listed.extend(["  ", name, "  ", &path.to_string(), "\n"]);
    }
    if let Some(all) = shelf.all() {
        listed.extend(["  ", &all.name, "  all of them together\n"]);
    }
    let several = shelf.all().is_some();
    let server = bind(shelf, args.listen)?;
    let proxy = match args.proxy.or(opened.as_ref().map(|_| 0)) {
        Some(port) => Some(Proxy::bind(server.state().clone(), port).map_err(|e| no_proxy(&e))?),
        None => None,
    };
    let mut told = format!(
        "Replaying\n{listed}at {}/ until Ctrl-C\n",
        server.ui_origin()
    );
    if let Some(proxy) = &proxy {
        told += &usage(proxy, several, opened.is_some());
    }
    print(told)?;
    let browser = match (&opened, &proxy) {
        (Some((page, program)), Some(proxy)) => Some(launch(program, proxy, page.as_ref())?),
        _ => None,
    };
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::environment(format!("starting threads failed: {error}")))?;
    appoint(server.state(), runtime.handle());
    let outcome = runtime.block_on(serve(server, proxy, browser));
    // Answers that are under way need not end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map(|()| Exit::Done)
}

/// What the list of `--deny` names.
fn denied(path: &Path) -> Result<Arc<Denied>, Failure> {
    let denied = Denied::read(path).map_err(|error| {
        let failure = Failure::usage(format!("--deny: {error}"));
        failure.hint("A list that isn't understood whole withholds nothing, so nothing is served.")
    })?;
    Ok(Arc::new(denied))
}

/// `lastlight` in the reader's directory for what can be made again (XDG Base
/// Directory Specification: a relative path there is none).
fn cache_directory() -> Option<PathBuf> {
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Some(base?.join("lastlight"))
}

async fn serve(
    server: Server,
    proxy: Option<Proxy>,
    browser: Option<Chromium>,
) -> Result<(), Failure> {
    let serving = async {
        let proxied = async {
            match proxy {
                Some(proxy) => proxy.run().await,
                None => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = server.run_until(std::future::pending()) => ended,
            ended = proxied => ended,
        };
        ended.map_err(|error| Failure::environment(format!("serving failed: {error}")))
    };
    tokio::select! {
        biased;
        () = interrupted() => Ok(()),
        ended = closed(browser) => ended,
        ended = serving => ended,
    }
}

/// A collection of at most so many bytes is verified as soon as it is open.
const VERIFIED_AT_ONCE: u64 = 64 * 1024 * 1024;

/// Lets readers ask what `lastlight verify` says, and open pages at their addresses.
pub(super) fn appoint(state: &Arc<State>, runtime: &Handle) {
    let open = windows::opener(state, runtime.clone());
    state.opener.appoint(open);
    state.judging.appoint(Box::new(|path, progress| {
        super::verify::judge(path, progress)
    }));
    for collection in state.shelf.collections() {
        let bytes: u64 = collection
            .warcs()
            .iter()
            .map(|warc| warc.region().len())
            .sum();
        // Verification reads everything, and so only what is on this machine.
        if bytes <= VERIFIED_AT_ONCE && !collection.is_elsewhere {
            judging::begin(&state.judging, &collection.name, &collection.path);
        }
    }
}

/// Waits for Ctrl-C, or for what else asks programs to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let waits = async |kind| match signal(kind) {
        Ok(mut signal) => signal.recv().await,
        // Where signals can't be listened to, only the process's end stops it.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        _ = waits(SignalKind::interrupt()) => {}
        _ = waits(SignalKind::terminate()) => {}
        _ = waits(SignalKind::hangup()) => {}
    }
}

/// Waits until the browser's last window is closed.
async fn closed(browser: Option<Chromium>) -> Result<(), Failure> {
    let Some(mut browser) = browser else {
        return std::future::pending().await;
    };
    loop {
        let ended = browser.ended();
        match ended.map_err(|error| Failure::environment(format!("the browser: {error}")))? {
            None => tokio::time::sleep(Duration::from_millis(100)).await,
            Some(status) if status.success() => return Ok(()),
            Some(status) => {
                let what = format!("the browser failed: {status}");
                let said = browser.said();
                return Err(Failure::environment(what).hint(if said.is_empty() {
                    OTHER_WAY.to_owned()
                } else {
                    format!("{OTHER_WAY} It said:\n{said}")
                }));
            }
        }
    }
}

/// What is there without a browser of ours.
const OTHER_WAY: &str = "Without it: `--proxy PORT`, and a browser that is set to use it.";

/// The page that `--open` names.
fn page(text: &str) -> Result<CanonicalUrl, Failure> {
    if Path::new(text).exists() {
        let what = format!("--open takes a URL, and {text} is a path");
        return Err(Failure::usage(what).hint("Put the paths before --open."));
    }
    CanonicalUrl::parse_typed(text)
        .map_err(|error| Failure::usage(format!("--open takes a URL: {error}")))
}

fn program() -> Result<Program, Failure> {
    let program = Program::find().map_err(|error| no_browser(&error))?;
    if !program.has_window() {
        let path = program.path().display();
        let _ = writeln!(
            io::stderr(),
            "lastlight: {path} shows no window; install chromium to look at pages."
        );
    }
    Ok(program)
}

fn launch(
    program: &Program,
    proxy: &Proxy,
    page: Option<&CanonicalUrl>,
) -> Result<Chromium, Failure> {
    if rustix::process::geteuid().is_root() {
        let _ = writeln!(io::stderr(), "lastlight: {}", windows::UNSANDBOXED);
    }
    let isolation = Isolation {
        proxy: (Ipv4Addr::LOCALHOST, proxy.port()).into(),
        spki_hash: &proxy.authority().spki_hash(),
    };
    let page = page.map_or_else(|| proxy.first_page(), ToString::to_string);
    Chromium::launch(program, isolation, &page).map_err(|error| no_browser(&error))
}

fn no_browser(error: &ChromiumError) -> Failure {
    let hint = match error {
        ChromiumError::NotFound => format!(
            "Install one (Debian, Fedora: chromium; Ubuntu: chromium-browser), or name one in \
             {VARIABLE}. {OTHER_WAY}"
        ),
        ChromiumError::Named { .. } => format!("Name the program's own path in {VARIABLE}."),
        ChromiumError::NoDisplay { .. } => format!("Run it in a desktop's session. {OTHER_WAY}"),
        ChromiumError::Profile { .. } => {
            "TMPDIR names the directory for it; it needs some 100 MB.".to_owned()
        }
        ChromiumError::Start { .. } => OTHER_WAY.to_owned(),
    };
    Failure::environment(error).hint(hint)
}

fn no_proxy(error: &ProxyError) -> Failure {
    let failure = Failure::environment(error);
    match error {
        ProxyError::Listen { .. } => {
            failure.hint("Name another port with --proxy, or 0 for a free one.")
        }
        ProxyError::Authority(_) => failure,
    }
}

/// How the proxy is used.
fn usage(proxy: &Proxy, several: bool, is_opened: bool) -> String {
    let port = proxy.port();
    let time = proxy.time().http_date();
    let mut text = format!(
        "and at original addresses by the proxy 127.0.0.1:{port}\n  \
         as of {time}; another time is chosen at http://{PICKER_HOST}/ there, or by Accept-Datetime\n"
    );
    if several {
        text += "  all of the collections above answer there, each with what it has nearest to the time\n";
    }
    if is_opened {
        return text + "  in the browser that opens now\n";
    }
    let isolation = Isolation {
        proxy: (Ipv4Addr::LOCALHOST, port).into(),
        spki_hash: &proxy.authority().spki_hash(),
    };
    // Writing to a String can't fail.
    let _ = write!(
        text,
        "  by --open in a browser of its own, or one that you start:\n    \
         chromium --user-data-dir=\"$(mktemp -d)\""
    );
    for argument in isolation.arguments() {
        let _ = write!(text, " \\\n      '{argument}'");
    }
    text + &format!(
        "\n  Other programs: the authority of this run, valid until it ends, is at \
         http://{PICKER_HOST}/ca.pem by the proxy:\n    \
         curl -x 127.0.0.1:{port} http://{PICKER_HOST}/ca.pem -o ca.pem\n    \
         curl -x 127.0.0.1:{port} --cacert ca.pem {}\n",
        proxy.first_page()
    )
}

/// A port that was asked for is the one or none, as links to it are about; the
/// default gives way.
fn bind(shelf: Shelf, listen: Option<SocketAddr>) -> Result<Server, Failure> {
    let address = listen.unwrap_or(DEFAULT);
    let is_taken = |error: &io::Error| error.kind() == io::ErrorKind::AddrInUse;
    let failed = |error: io::Error| {
        let failure = Failure::environment(format!("listening at {address} failed: {error}"));
        if is_taken(&error) {
            failure.hint("Another program has the port; name another one with --listen.")
        } else {
            failure.hint("Name an address of this machine with --listen.")
        }
    };
    let listener = match std::net::TcpListener::bind(address) {
        Err(error) if is_taken(&error) && listen.is_none() => {
            std::net::TcpListener::bind((address.ip(), 0))
        }
        other => other,
    };
    Server::with_listener(shelf, listener.map_err(failed)?).map_err(failed)
}
