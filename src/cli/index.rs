//! `lastlight index`.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::exit::{Exit, Failure};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Holdings;
use crate::snapshot::scratch::LineSorter;

/// Prints a sorted CDXJ index of WARCs on stdout.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The lines are those that cdxj-indexer --sort gives: one a capture, sorted
bytewise, with url, mime, status, digest, length, offset and filename.

Examples:
  lastlight index crawl-00000.warc.gz > crawl.cdxj
  lastlight index snapshots/example.org-20261122022846/archive/*.warc.gz

Exit code 0: everything was read. 1: a file is damaged; what could be read
before the damage is in the index. 2, 4: a path can't be read as one; the others
are in the index.")]
pub struct IndexArgs {
    /// WARCs (plain, .gz or .zst); of snapshots, WACZs and bags, the WARCs in them
    #[arg(required = true, value_name = "WARC")]
    pub warcs: Vec<PathBuf>,
}

/// Indexes each file; damage in one doesn't keep the others out.
pub fn run(args: &IndexArgs) -> Result<Exit, Failure> {
    let mut exit = Exit::Done;
    let mut sorter = LineSorter::default();
    for path in &args.warcs {
        let holdings = match Holdings::of(path) {
            Ok(holdings) => holdings,
            Err(error) => {
                let damaged = matches!(error, SnapshotError::Zip { .. });
                let failure = Failure::from(error);
                failure.tell();
                exit = exit.worse(if damaged {
                    Exit::Findings
                } else {
                    failure.exit
                });
                continue;
            }
        };
        for warc in &holdings.warcs {
            let mut scratch = Ok(());
            let mut damage = 0_u64;
            let read = warc.each_entry(
                |entry| {
                    if scratch.is_ok() {
                        scratch = sorter.add(entry.to_string().as_bytes());
                    }
                },
                |error| {
                    damage += 1;
                    if damage <= 10 {
                        Failure::environment(error).tell();
                    }
                },
            );
            scratch.map_err(|error| sorting(&error))?;
            if let Err(error) = read {
                damage += 1;
                Failure::environment(format!("{}: {error}", warc.path)).tell();
            }
            if damage > 0 {
                Failure::environment(format!("{}: {damage} places can't be read", warc.path))
                    .hint("Every other record is in the index. `lastlight verify` tells more.")
                    .tell();
                exit = exit.worse(Exit::Findings);
            }
        }
    }
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    match sorter.write_to(&mut out).and_then(|()| out.flush()) {
        // A reader that went away (`lastlight index | head`) isn't an error of ours.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(sorting(&error)),
        _ => Ok(exit),
    }
}

fn sorting(error: &io::Error) -> Failure {
    let temporary = std::env::temp_dir();
    Failure::environment(format!("writing the sorted index failed: {error}")).hint(format!(
        "Sorting needs room in {}; TMPDIR names another place.",
        temporary.display()
    ))
}
