//! Capture: what to fetch, when, and how politely; what came becomes records,
//! and every URL a row of the ledger. Nothing else writes to a snapshot.

mod circumstances;
mod cookies;
mod credentials;
pub mod dedup;
mod fetch;
mod figures;
mod filter;
mod fold;
mod form;
mod found;
mod frontier;
mod identify;
mod imprint;
mod job;
mod judge;
mod keeper;
mod log;
mod marks;
mod named;
mod network;
mod of_host;
mod outfit;
mod pace;
mod page_text;
mod payload_kind;
mod payload_start;
mod process;
mod progress;
mod recorder;
mod recover;
mod rehearsal;
mod request;
mod run;
mod scope;
mod seal;
mod standing;
mod store;
mod variant;
mod warcinfo;
mod warcs;
mod workers;

pub use outfit::OutfitError;
pub use progress::{Control, Progress, Stop};
#[doc(hidden)]
pub use rehearsal::{Answered, Rehearsal, Visit};
pub use scope::{PatternError, surt_prefix};
pub use store::Sitemaps;

use std::fs;
use std::io;

use self::outfit::Outfit;
use crate::config::{Config, ConfigError};
use crate::net::{self, HostPatternError, guard};
use crate::snapshot::layout::{CONFIG, Layout, MANIFEST, MANIFEST_DIGEST};
use crate::snapshot::lock::{LockError, SnapshotLock};
use crate::snapshot::manifest::{Counts, Manifest};
use crate::snapshot::{SnapshotError, whole};
use crate::url::CanonicalUrl;
use crate::warc::ReadError;

/// Why a crawl could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum CrawlError {
    /// A pattern of the configuration.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// A network or host of the configuration.
    #[error("address.allow: {0}")]
    Allowed(#[from] HostPatternError),
    /// Something that the configuration names.
    #[error(transparent)]
    Outfit(#[from] OutfitError),
    /// The configuration of the snapshot that is resumed.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The directory holds something already.
    #[error("{path}: exists already and isn't empty")]
    Exists {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// The directory is no snapshot.
    #[error("{path}: no snapshot of a crawl that could go on")]
    NotASnapshot {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// It was killed before its seeds were written.
    #[error("{path}: the crawl ended before it began: there are no seeds")]
    NeverBegan {
        /// The directory.
        path: std::path::PathBuf,
    },
    /// Another version of the program began it.
    #[error(
        "{path}: begun by {} version of Lastlight (its format is {found}, this one's is {}), so \
         this one can't go on with it",
        if *found < store::VERSION { "an older" } else { "a newer" },
        store::VERSION
    )]
    OtherVersion {
        /// The store.
        path: std::path::PathBuf,
        /// The version of its form.
        found: i64,
    },
    /// A file stands where the directory should.
    #[error("{path}: is a file, and a snapshot is a directory")]
    NotADirectory {
        /// The file.
        path: std::path::PathBuf,
    },
    /// Another process writes to it.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file of the snapshot.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The store.
    #[error("state/crawl.sqlite: {0}")]
    Store(#[from] rusqlite::Error),
    /// The disk below the spool.
    #[error("state/spool: {0}")]
    Spool(io::Error),
    /// Connections are files to the system.
    #[error("no more files may be opened: {0}")]
    OutOfFiles(io::Error),
    /// The earlier snapshot that isn't to be stored again.
    #[error(transparent)]
    Earlier(#[from] dedup::EarlierError),
    /// `warc.zstd_dictionary`.
    #[error("warc.zstd_dictionary: {path}: {reason}")]
    Dictionary {
        /// The file.
        path: std::path::PathBuf,
        /// Why it can't be used.
        reason: String,
    },
    /// Threads or sockets of our own.
    #[error("the system can't start what the crawl needs: {0}")]
    Runtime(io::Error),
}

impl CrawlError {
    /// The error of the system, where it failed.
    fn io_error(&self) -> Option<&io::Error> {
        match self {
            Self::Snapshot(
                SnapshotError::Io { source, .. }
                | SnapshotError::Warc(ReadError::Io { source, .. }),
            )
            | Self::Spool(source)
            | Self::OutOfFiles(source)
            | Self::Runtime(source) => Some(source),
            _ => None,
        }
    }

    /// Whether the machine failed under a crawl: its disk, its memory of open
    /// files and the like. Where the crawl had begun, it can go on.
    pub fn is_of_the_machine(&self) -> bool {
        matches!(self, Self::Store(_)) || self.io_error().is_some()
    }

    /// Whether no more files may be opened.
    pub fn is_out_of_files(&self) -> bool {
        self.io_error().is_some_and(net::is_out_of_files)
    }

    /// Whether the disk is full.
    pub fn is_disk_full(&self) -> bool {
        if let Self::Store(error) = self {
            return error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull);
        }
        self.io_error().is_some_and(|error| {
            let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
            full.contains(&error.kind())
        })
    }
}

/// What a crawl came to.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Whether nothing is left to do.
    pub complete: bool,
    /// Why it stopped early.
    pub stopped: Option<Stop>,
    /// URLs by state.
    pub counts: Counts,
    /// Pages captured in this run.
    pub pages: u64,
    /// Irregularities of this run, told in the crawl log.
    pub notes: u64,
    /// Answers by their mark: soft-404 and so on.
    pub marked: Vec<(String, u64)>,
    /// What the archivist must know of this run, in sentences.
    pub alarms: Vec<String>,
    /// Bytes of all WARCs.
    pub bytes: u64,
    /// Time of this run in seconds.
    pub seconds: f64,
    /// Seeds that weren't captured, with the reason.
    pub missed_seeds: Vec<(String, String)>,
    /// Reasons of failures with their number and an example.
    pub failed: Vec<(String, u64, String)>,
    /// Reasons of exclusions, likewise.
    pub excluded: Vec<(String, u64, String)>,
    /// What sitemaps list.
    pub sitemaps: Sitemaps,
}

/// Captures seeds into a new snapshot.
pub fn start(
    layout: &Layout,
    config: &Config,
    seeds: &[CanonicalUrl],
    control: &Control,
) -> Result<Summary, CrawlError> {
    let root = layout.root();
    if root.exists() && !root.is_dir() {
        return Err(CrawlError::NotADirectory {
            path: root.to_owned(),
        });
    }
    let occupied = fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some());
    let exists = || CrawlError::Exists {
        path: root.to_owned(),
    };
    if occupied {
        // Whose crawl is at work there learns that rather.
        if layout.lock_file().is_file()
            && let Err(held @ LockError::Held { .. }) = SnapshotLock::acquire(layout)
        {
            return Err(held.into());
        }
        return Err(exists());
    }
    // What may be wrong in the configuration is found before anything is made.
    scope::Scope::new(config, seeds)?;
    run::allowed(config)?;
    warcs::dictionary(config)?;
    let _ = earlier(config)?;
    let outfit = Outfit::ready(config, seeds, true)?;
    if is_nameless(config) && seeds.iter().any(is_public) {
        tracing::warn!(
            "no contact is given: with fetch.contact or --contact a site's owner can reach you"
        );
    }
    whole::create_directory(root)?;
    for folder in layout.folders() {
        whole::create_directory(&folder)?;
    }
    let _lock = SnapshotLock::acquire(layout)?;
    if layout.store().is_file() {
        // Another has been there since it was empty.
        return Err(exists());
    }
    write_config(layout, config)?;
    warcs::keep_dictionary(config, layout)?;
    whole::sync_directory(root)?;
    run::run(layout, config, run::Start::Fresh(seeds), outfit, control)
}

/// Whether the crawler doesn't say whose it is.
fn is_nameless(config: &Config) -> bool {
    config.fetch.contact.is_empty() && config.fetch.user_agent.contains("{contact}")
}

fn is_public(seed: &CanonicalUrl) -> bool {
    let host = seed.host_key();
    !host.is_localhost() && host.literal_address().is_none_or(guard::is_public)
}

fn write_config(layout: &Layout, config: &Config) -> Result<(), SnapshotError> {
    whole::write(&layout.path(CONFIG), |out| {
        io::Write::write_all(out, config.to_toml().as_bytes())
    })
}

/// Goes on with a crawl that stopped, however it stopped. The configuration is
/// the one that it began with; what the snapshot doesn't keep of it, secrets,
/// is taken from `given`.
pub fn resume(
    layout: &Layout,
    given: Option<Config>,
    control: &Control,
) -> Result<Summary, CrawlError> {
    if !layout.store().is_file() {
        return Err(CrawlError::NotASnapshot {
            path: layout.root().to_owned(),
        });
    }
    let _lock = SnapshotLock::acquire(layout)?;
    store::Store::write_log_again(&layout.store())?;
    store::Store::check_version(&layout.store())?;
    let path = layout.path(CONFIG);
    let mut config = match fs::read_to_string(&path) {
        Ok(text) => Config::over_defaults(&path, &text)?,
        // The disk's fault, and not that of who wrote the file.
        Err(error) if is_of_disk(&error) => {
            return Err(SnapshotError::io(&path, "reading")(error).into());
        }
        Err(_) => Config::load(&path)?,
    };
    let imports = given.is_some();
    if let Some(given) = given {
        config.take_access(given);
    }
    let outfit = Outfit::ready(&config, &[], imports)?;
    // From here until the end the snapshot is not what its manifest says.
    for file in [MANIFEST, MANIFEST_DIGEST] {
        let path = layout.path(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SnapshotError::io(&path, "removing")(error).into());
            }
            _ => whole::sync_directory(layout.root())?,
        }
    }
    for folder in layout.folders() {
        // Tools that copy a snapshot may leave out empty folders.
        whole::create_directory(&folder)?;
    }
    if imports {
        write_config(layout, &config)?;
    }
    run::run(layout, &config, run::Start::Resumed, outfit, control)
}

/// Whether a file that is there couldn't be read.
fn is_of_disk(error: &io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != io::ErrorKind::NotFound
}

/// Whether a snapshot is sealed, for certain, with nothing left to do, nor anything that
/// failed and may be tried again.
pub fn is_complete(layout: &Layout) -> Result<bool, SnapshotError> {
    let manifest = fs::read(layout.path(MANIFEST)).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
    let is_complete = manifest
        .and_then(|manifest| manifest.lastlight)
        .is_some_and(|seal| seal.complete && seal.counts.failed == 0);
    if is_complete {
        // Who sealed it may have been killed before the manifest's name was on disk.
        whole::sync_where_possible(layout.root())?;
    }
    Ok(is_complete)
}

/// Opens the snapshot that a configuration names as the one before.
fn earlier(config: &Config) -> Result<Option<dedup::Earlier>, CrawlError> {
    let path = &config.dedup.against;
    if path.is_empty() {
        return Ok(None);
    }
    Ok(Some(dedup::Earlier::open(std::path::Path::new(path))?))
}
