//! `lastlight replay`: serves captures to a browser until Ctrl-C.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::exit::print;
use super::{Exit, Failure};
use crate::replay::Server;
use crate::replay::shelf::Shelf;

/// Where it listens unless told otherwise.
const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

/// Replays captures offline in a browser, until Ctrl-C.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    lastlight replay snapshots/example.org-20260322101500\n  \
    lastlight replay holdings/*.wacz old.warc.gz --listen 127.0.0.1:9000")]
pub struct ReplayArgs {
    /// Snapshots, WARCs and ARCs (plain or .gz), WACZs, bags, or folders of WARCs
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,

    /// Where to listen [default: 127.0.0.1:8080, or a free port if that one is taken]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

/// Opens the paths, prints the address, and serves.
pub fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let shelf = Shelf::open(&args.paths)?;
    let mut listed = String::new();
    for collection in shelf.collections() {
        for damage in &collection.damage {
            // A reader of stderr that went away misses nothing else.
            let _ = writeln!(io::stderr(), "lastlight: {}: {damage}", collection.name);
        }
        let (name, path) = (&collection.name, collection.path.display());
        listed.extend(["  ", name, "  ", &path.to_string(), "\n"]);
    }
    let server = bind(shelf, args.listen)?;
    print(format!(
        "Replaying\n{listed}at {}/ until Ctrl-C\n",
        server.ui_origin()
    ))?;
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::environment(format!("starting threads failed: {error}")))?;
    let outcome = runtime.block_on(server.run_until(async {
        // Where signals can't be listened to, only the process's end stops it.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }));
    // Answers that are under way need not end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome.map_err(|error| Failure::environment(format!("serving failed: {error}")))?;
    Ok(Exit::Done)
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
