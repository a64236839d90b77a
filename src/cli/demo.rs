//! `lastlight demo`: the whole way of a page, on a site of our own.

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::print;
use super::{Exit, Failure, crawl as crawl_face, deposit as deposit_face, verify as verify_face};
use crate::crawl::{self, Control};
use crate::demo::serve::Serving;
use crate::demo::site::Site;
use crate::demo::{self, CLOSES, PORT};
use crate::deposit;
use crate::http::Head;
use crate::replay::Server;
use crate::replay::shelf::Shelf;
use crate::snapshot::layout::Layout;
use crate::time::Timestamp14;
use crate::url::CanonicalUrl;

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lastlight demo\n  lastlight demo --once --into /tmp/closing\n  lastlight demo --serve"
)]
pub struct DemoArgs {
    /// Only serve the closing site until Ctrl-C, for a crawl of one's own
    #[arg(long, conflicts_with_all = ["once", "into"])]
    serve: bool,
    /// End after the summary instead of serving the replay until Ctrl-C
    #[arg(long)]
    once: bool,
    /// The snapshot's own directory [default: snapshots/demo-<time>]
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
}

/// Captures, verifies, packs and replays the built-in site.
pub fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::environment(format!("starting threads: {error}")))?;
    if args.serve {
        return runtime.block_on(serve_only());
    }
    let layout =
        Layout::new(args.into.clone().unwrap_or_else(|| {
            Path::new("snapshots").join(format!("demo-{}", Timestamp14::now()))
        }));

    let site = runtime.block_on(serve())?;
    let seed = format!("{}/", site.main_origin());
    step(&format!(
        "1. A site that closes on {CLOSES} is served at {seed}"
    ))?;
    let seed = CanonicalUrl::parse(&seed).map_err(Failure::environment)?;

    step("2. Capture")?;
    let control = Arc::new(Control::default());
    crawl_face::stop_on_signal(control.clone())?;
    let display = super::progress::Display::start(control.clone(), false);
    let result = crawl::start(
        &layout,
        &demo::config(),
        std::slice::from_ref(&seed),
        &control,
    );
    drop(display);
    let summary = result?;
    print(crawl_face::as_text(&layout, &summary))?;
    if !summary.complete {
        return Ok(Exit::Stopped);
    }
    runtime.block_on(site.stop());
    step("3. The site is switched off: from here on there is only the capture")?;

    step("4. Verify")?;
    let mut exit = worst(Exit::Done, verify_face::check(layout.root())?);

    step("5. Pack for deposit, as WACZ and as bag, and verify both")?;
    let into = deposit::beside(&layout);
    let wacz = deposit::wacz(&layout, &into, |_, _| ())?;
    let bag = deposit::bag(&layout, &into, |_, _| ())?;
    for (form, packed) in [
        (deposit_face::Form::Wacz, &wacz),
        (deposit_face::Form::Bag, &bag),
    ] {
        print(deposit_face::summary(form, packed))?;
        exit = worst(exit, verify_face::check(&packed.path)?);
    }

    step("6. Replay, from the WACZ alone")?;
    let shelf = Shelf::open(&[&wacz.path])?;
    exit = worst(exit, runtime.block_on(replay(shelf, &seed, args.once))?);
    Ok(exit)
}

async fn serve() -> Result<Serving, Failure> {
    if let Ok(site) = Serving::start(Site::new(CLOSES), Some(PORT)).await {
        return Ok(site);
    }
    Serving::start(Site::new(CLOSES), None)
        .await
        .map_err(|error| Failure::environment(format!("serving the demo's site: {error}")))
}

/// Serves the site until Ctrl-C, and says how much it was asked.
async fn serve_only() -> Result<Exit, Failure> {
    let site = serve().await?;
    let port = site.port();
    print(format_args!(
        "A site that closes on {CLOSES} is served at http://127.0.0.1:{port}/\n\
         Its pictures and styles are at http://localhost:{port}/, its calendar has no end.\n\
         To crawl it: lastlight crawl http://127.0.0.1:{port}/ --delay 0 --allow-address 127.0.0.0/8\n\
         Ctrl-C ends.\n"
    ))?;
    tokio::signal::ctrl_c()
        .await
        .map_err(Failure::environment)?;
    print(format_args!("{} requests answered\n", site.requests()))?;
    site.stop().await;
    Ok(Exit::Done)
}

/// Opens the replay, asks it for the main page as a reader's browser would,
/// and serves until Ctrl-C where somebody is there to look.
async fn replay(shelf: Shelf, seed: &CanonicalUrl, once: bool) -> Result<Exit, Failure> {
    let name = shelf
        .collections()
        .first()
        .map(|collection| collection.name.clone())
        .unwrap_or_default();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let preferred = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let server = match std::net::TcpListener::bind(preferred) {
        Ok(listener) => Server::with_listener(shelf, listener),
        Err(_) => Server::bind(shelf, listen),
    }
    .map_err(|error| Failure::environment(format!("serving the replay: {error}")))?;
    let state = std::sync::Arc::clone(server.state());
    let port = server.port();
    let origin = server.ui_origin();
    let now = Timestamp14::now();
    let page = server
        .state()
        .base
        .content_origin(&name, now, &seed.host_key());
    let host = page.trim_start_matches("http://").to_owned();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(server.run_until(async {
        let _ = ended.await;
    }));
    let asked = tokio::task::spawn_blocking(move || demo::ask(port, &host, "/")).await;
    let answer = asked.map_err(Failure::environment)?.map_err(|error| {
        Failure::environment(format!("asking the replay for the main page: {error}"))
    })?;
    let head = Head::parse(&answer);
    let said = String::from_utf8_lossy(&answer[head.length..]).contains(CLOSES);
    let verdict = if head.status() == Some(200) && said {
        Exit::Done
    } else {
        Exit::Findings
    };
    print(format_args!(
        "{seed} answers {} from the archive, {} bytes{}\n",
        head.status().unwrap_or(0),
        answer.len() - head.length,
        if said {
            ", with its closing notice"
        } else {
            ": NOT the page that was captured"
        },
    ))?;
    if !once && std::io::stdout().is_terminal() {
        super::replay::appoint(&state, &tokio::runtime::Handle::current());
        print(format_args!(
            "\nOpen {origin}/ in a browser; Ctrl-C ends.\n"
        ))?;
        let _ = tokio::signal::ctrl_c().await;
    } else {
        print(format_args!("The replay was at {origin}/ and has ended.\n"))?;
    }
    let _ = end.send(());
    match serving.await {
        Ok(Ok(())) => Ok(verdict),
        Ok(Err(error)) => Err(Failure::environment(format!("serving the replay: {error}"))),
        Err(error) => Err(Failure::environment(error)),
    }
}

fn step(text: &str) -> Result<(), Failure> {
    print(format_args!("\n{text}\n"))
}

fn worst(a: Exit, b: Exit) -> Exit {
    if (b as u8) > (a as u8) { b } else { a }
}
