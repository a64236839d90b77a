//! The command line: the only place that prints and decides exit codes.

mod account;
mod bar;
mod crawl;
mod demo;
pub mod deposit;
pub mod exit;
mod heap;
pub mod index;
mod progress;
pub mod replay;
mod seeds;
pub mod verify;
mod windows;

pub use exit::{Exit, Failure};

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Captures a website before it closes, proves what it captured, packs it for
/// deposit, and replays it offline.
#[derive(Debug, Parser)]
#[command(
    name = "lastlight",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Start with:\n  lastlight demo\n  lastlight crawl https://example.org/\n\nExit codes: \
    0 done, 1 done with findings, 2 usage, 3 stopped early and resumable, 4 environment, 5 locked."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Capture sites into a new snapshot
    Crawl(Box<crawl::CrawlArgs>),
    /// Go on with a crawl that stopped, however it stopped
    Resume(crawl::ResumeArgs),
    /// Check snapshots, WARCs, WACZs and bags
    Verify(verify::VerifyArgs),
    /// Write the sorted CDXJ of WARCs on stdout
    Index(index::IndexArgs),
    /// Pack a snapshot for the archive
    Deposit(deposit::DepositArgs),
    /// Replay snapshots, WARCs, WACZs and bags offline
    Replay(replay::ReplayArgs),
    /// Capture, verify, pack and replay a built-in closing site
    Demo(demo::DemoArgs),
}

/// Takes as many open files as the system lets this user have: a folder of WARCs
/// has one open each, and the usual limit is 1,024.
fn open_more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// Some systems are slow where no limit is.
    const ENOUGH: u64 = 65_536;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        // Where it isn't allowed the old limit goes on.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    heap::tune();
    open_more_files();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results, the rest is wrong usage.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Done
            }
            .into();
        }
    };
    diagnostics();
    let result = match &cli.command {
        Command::Crawl(args) => crawl::crawl(args),
        Command::Resume(args) => crawl::resume(args),
        Command::Verify(args) => verify::run(args),
        Command::Index(args) => index::run(args),
        Command::Deposit(args) => deposit::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Demo(args) => demo::run(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.tell();
            failure.exit.into()
        }
    }
}

/// Warnings of the library on stderr; RUST_LOG asks for more or less.
fn diagnostics() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .init();
}
