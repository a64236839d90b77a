//! What is verified: its files, its manifest, and what is told before any
//! check begins.

use std::path::{Path, PathBuf};

use super::{Findings, Location, Severity};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::{Holdings, Kind, Warc};
use crate::snapshot::container::Container;
use crate::snapshot::layout::{MANIFEST, MANIFEST_DIGEST, STATE};
use crate::snapshot::manifest::Manifest;

/// An opened path.
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) kind: Kind,
    pub(super) container: Option<Container>,
    pub(super) warcs: Vec<Warc>,
    pub(super) manifest: Option<Manifest>,
    /// Paths of every file of the container, sorted.
    pub(super) files: Vec<String>,
    /// The index files among them.
    pub(super) indexes: Vec<String>,
    /// What opening found.
    pub(super) findings: Findings,
}

impl Target {
    pub(super) fn open(path: &Path) -> Result<Self, SnapshotError> {
        let Holdings {
            kind,
            container,
            warcs,
        } = Holdings::of(path)?;
        let files = match &container {
            Some(container) => container.files()?,
            None => Vec::new(),
        };
        let mut target = Self {
            path: path.to_owned(),
            kind,
            container: None,
            warcs,
            manifest: None,
            indexes: files.iter().filter(|f| is_index(f)).cloned().collect(),
            files,
            findings: Findings::default(),
        };
        if let Some(container) = &container
            && kind != Kind::Folder
        {
            target.read_manifest(container)?;
        }
        target.container = container;
        Ok(target)
    }

    fn read_manifest(&mut self, container: &Container) -> Result<(), SnapshotError> {
        match container.manifest() {
            Ok(Some(manifest)) => {
                if manifest
                    .lastlight
                    .as_ref()
                    .is_some_and(|seal| !seal.complete)
                {
                    let note = "the crawl was sealed before it was done";
                    self.note("incomplete", MANIFEST, note);
                }
                self.manifest = Some(manifest);
            }
            Ok(None) if self.is_unsealed() && !self.has(MANIFEST_DIGEST) => {
                let note = "no manifest vouches for the files: the crawl goes on, or ended \
                    without sealing";
                self.note("unsealed", MANIFEST, note);
            }
            Ok(None) if self.is_unsealed() && self.files.iter().any(|f| is_state(f)) => {
                let message = "its digest is there and it isn't: sealing was interrupted, or the \
                    manifest was removed";
                self.findings.add(
                    Severity::Warning,
                    "manifest-missing",
                    None,
                    Location::file(MANIFEST),
                    message,
                );
            }
            Ok(None) => {
                self.findings.error(
                    "manifest-missing",
                    self.location(MANIFEST),
                    "there is no manifest",
                );
            }
            Err(error @ SnapshotError::Malformed { .. }) => {
                let message = format!("the manifest can't be read: {error}");
                self.findings
                    .error("manifest-malformed", self.location(MANIFEST), message);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn note(&mut self, rule: &'static str, file: &str, message: &str) {
        let location = self.location(file);
        self.findings
            .add(Severity::Note, rule, None, location, message);
    }

    /// Whether nobody has sealed it yet. Bags and WACZs always claim to be sealed.
    pub(super) fn is_unsealed(&self) -> bool {
        self.kind == Kind::Snapshot && !self.has(MANIFEST)
    }

    /// Whether Lastlight sealed it, which promises more than WACZ does.
    pub(super) fn is_ours(&self) -> bool {
        self.manifest
            .as_ref()
            .is_some_and(|manifest| manifest.lastlight.is_some())
    }

    pub(super) fn has(&self, file: &str) -> bool {
        self.files
            .binary_search_by(|have| have.as_str().cmp(file))
            .is_ok()
    }

    pub(super) fn has_pages(&self) -> bool {
        self.files.iter().any(|file| is_page_list(file))
    }

    /// What stands before the container's paths in what was given: `data/` in
    /// a bag.
    pub(super) fn prefix(&self) -> &'static str {
        match self.kind {
            Kind::Bag => "data/",
            Kind::Snapshot | Kind::Warc | Kind::Wacz | Kind::Folder => "",
        }
    }

    /// A file of the container, as reports name it.
    pub(super) fn location(&self, file: &str) -> Location {
        Location::file(format!("{}{file}", self.prefix()))
    }
}

/// Files that belong to a crawl under way and are never deposited.
pub(super) fn is_state(file: &str) -> bool {
    file.strip_prefix(STATE)
        .is_some_and(|rest| rest.starts_with('/'))
}

pub(super) fn is_page_list(file: &str) -> bool {
    file.strip_prefix("pages/")
        .and_then(|name| name.strip_suffix(".jsonl"))
        .is_some()
}

fn is_index(file: &str) -> bool {
    let ends = |suffix| file.ends_with(suffix);
    file.starts_with("indexes/")
        && (ends(".cdxj") || ends(".cdx") || ends(".cdxj.gz") || ends(".cdx.gz"))
}
