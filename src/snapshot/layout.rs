//! Where the files of a snapshot are: an unpacked WACZ, with `state/` beside
//! it that is never deposited.

use std::path::{Path, PathBuf};

/// The manifest, relative to the snapshot.
pub const MANIFEST: &str = "datapackage.json";
/// The manifest's digest.
pub const MANIFEST_DIGEST: &str = "datapackage-digest.json";
/// The sorted CDXJ.
pub const INDEX: &str = "indexes/index.cdxj";
/// Seed pages.
pub const PAGES: &str = "pages/pages.jsonl";
/// The other pages.
pub const EXTRA_PAGES: &str = "pages/extraPages.jsonl";
/// Every record in order with the digest of its stored bytes.
pub const RECORDS: &str = "metadata/records.csv";
/// The effective configuration, secrets redacted.
pub const CONFIG: &str = "metadata/config.toml";
/// One final row a URL.
pub const LEDGER: &str = "reports/ledger.csv";
/// What sitemaps list and wasn't captured.
pub const SITEMAPS: &str = "reports/sitemaps.csv";
/// One line an event.
pub const CRAWL_LOG: &str = "logs/crawl.jsonl";
/// The folder of WARCs.
pub const ARCHIVE: &str = "archive";
/// What is needed only while crawling.
pub const STATE: &str = "state";

/// The paths of one snapshot.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout below a directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The snapshot's own directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its name, as in replay URLs.
    pub fn name(&self) -> String {
        let absolute = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
        absolute.file_name().map_or_else(
            || "snapshot".into(),
            |name| name.to_string_lossy().into_owned(),
        )
    }

    /// A file by its path relative to the snapshot.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder of WARCs.
    pub fn archive(&self) -> PathBuf {
        self.path(ARCHIVE)
    }

    /// The frontier and ledger while crawling.
    pub fn store(&self) -> PathBuf {
        self.path("state/crawl.sqlite")
    }

    /// The dictionary of a crawl that writes `.warc.zst` with one.
    pub fn dictionary(&self) -> PathBuf {
        self.path("state/zstd.dictionary")
    }

    /// The permanent lock file.
    pub fn lock_file(&self) -> PathBuf {
        self.path("state/lock")
    }

    /// Bodies that don't fit memory, while they are received.
    pub fn spool(&self) -> PathBuf {
        self.path("state/spool")
    }

    /// Every folder of the layout.
    pub fn folders(&self) -> impl Iterator<Item = PathBuf> {
        [
            "archive",
            "indexes",
            "pages",
            "logs",
            "metadata",
            "reports",
            "state",
            "state/spool",
        ]
        .map(|folder| self.root.join(folder))
        .into_iter()
    }

    /// Whether the directory has been made a snapshot.
    pub fn exists(&self) -> bool {
        self.archive().is_dir()
    }

    /// Whether the last writer sealed it.
    pub fn is_sealed(&self) -> bool {
        self.path(MANIFEST).is_file()
    }
}
