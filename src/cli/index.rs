//! `lastlight index`.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::bar::Bar;
use super::exit::{Exit, Failure};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::{Holdings, Warc};
use crate::snapshot::indexing;
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
    /// Show no progress on the terminal
    #[arg(long)]
    pub quiet: bool,
}

/// So many WARCs are open at a time.
const OPEN: usize = 64;
/// So many damages of each file are told.
const TOLD: usize = 10;

/// Indexes each file; damage in one doesn't keep the others out.
pub fn run(args: &IndexArgs) -> Result<Exit, Failure> {
    let one = match &args.warcs[..] {
        [path] => path,
        _ => Path::new(""),
    };
    let bar = Bar::new("indexing", one, args.quiet);
    let mut indexing = Running {
        exit: Exit::Done,
        sorter: LineSorter::default(),
        total: if bar.is_shown() {
            total(&args.warcs)
        } else {
            0
        },
        bar,
        done: 0,
    };
    let mut open = Vec::new();
    for path in &args.warcs {
        match Holdings::of(path) {
            Ok(holdings) => open.extend(holdings.warcs),
            Err(error) => {
                let damaged = matches!(error, SnapshotError::Zip { .. });
                let failure = Failure::from(error);
                indexing.bar.beside(|| failure.tell());
                indexing.exit = indexing.exit.worse(if damaged {
                    Exit::Findings
                } else {
                    failure.exit
                });
            }
        }
        if open.len() >= OPEN {
            indexing.index(&std::mem::take(&mut open))?;
        }
    }
    indexing.index(&open)?;
    let Running {
        exit, sorter, bar, ..
    } = indexing;
    drop(bar);
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    match sorter.write_to(&mut out).and_then(|()| out.flush()) {
        // A reader that went away (`lastlight index | head`) isn't an error of ours.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(sorting(&error)),
        _ => Ok(exit),
    }
}

/// Bytes of all WARCs that can be opened.
fn total(paths: &[PathBuf]) -> u64 {
    let holdings = paths.iter().filter_map(|path| Holdings::of(path).ok());
    let bytes = |holdings: Holdings| -> u64 {
        let warcs = holdings.warcs.iter();
        warcs.map(|warc| warc.region().len()).sum()
    };
    holdings.map(bytes).sum()
}

struct Running {
    exit: Exit,
    sorter: LineSorter,
    bar: Bar,
    /// Bytes of the WARCs that are done, and of all.
    done: u64,
    total: u64,
}

impl Running {
    fn index(&mut self, warcs: &[Warc]) -> Result<(), Failure> {
        let (bar, done, total) = (&self.bar, self.done, self.total);
        let show = |bytes| bar.show(done + bytes, total);
        let damages = indexing::index(warcs, &mut self.sorter, false, show);
        let damages = damages.map_err(|error| sorting(&error))?;
        self.done += warcs.iter().map(|warc| warc.region().len()).sum::<u64>();
        for damage in damages {
            let (path, places) = (&warcs[damage.warc].path, damage.places);
            self.bar.beside(|| {
                for sentence in damage.first.into_iter().take(TOLD) {
                    Failure::environment(sentence).tell();
                }
                Failure::environment(format!("{path}: {places} places can't be read"))
                    .hint("Every other record is in the index. `lastlight verify` tells more.")
                    .tell();
            });
            self.exit = self.exit.worse(Exit::Findings);
        }
        Ok(())
    }
}

fn sorting(error: &io::Error) -> Failure {
    let temporary = std::env::temp_dir();
    Failure::environment(format!("writing the sorted index failed: {error}")).hint(format!(
        "Sorting needs room in {}; TMPDIR names another place.",
        temporary.display()
    ))
}
