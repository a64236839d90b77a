//! What is verified: its files, its manifest, and what is told before any
//! check begins.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Findings, Location, Severity};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::{Holdings, Kind, Warc};
use crate::snapshot::container::Container;
use crate::snapshot::layout::{
    ARCHIVE, CONFIG, CRAWL_LOG, EXTRA_PAGES, INDEX, LEDGER, MANIFEST, MANIFEST_DIGEST, PAGES,
    RECORDS, STATE,
};
use crate::snapshot::manifest::{Below, Manifest, files_and_links_below};

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
        if kind == Kind::Folder {
            refuse_nested(path)?;
        }
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
        target.not_regular()?;
        target.without_captures();
        Ok(target)
    }

    /// What is no regular file can't be deposited, and nothing vouches for it.
    fn not_regular(&mut self) -> Result<(), SnapshotError> {
        if matches!(self.kind, Kind::Warc | Kind::Wacz) {
            return Ok(());
        }
        let below = Below::of(&self.path)?;
        if self.kind == Kind::Folder {
            let read: Vec<&str> = self.warcs.iter().map(|warc| warc.path.as_str()).collect();
            let all = below.files.iter().chain(&below.links).chain(&below.special);
            let skipped = all.filter(|path| {
                let is_link = below.links.binary_search(path).is_ok();
                let to_directory = is_link && self.path.join(path).is_dir();
                (is_archive_like(path) || to_directory)
                    && read.binary_search(&path.as_str()).is_err()
            });
            let message = "it wasn't read: not a WARC (plain, .gz or .zst) in a regular file";
            for path in skipped {
                self.findings.add(
                    Severity::Warning,
                    "file-skipped",
                    None,
                    Location::file(path),
                    message,
                );
            }
            return Ok(());
        }
        for path in below.links.iter().chain(&below.special) {
            if !is_state(path) {
                let message = "it is no regular file, so its bytes aren't part of what is kept";
                self.findings
                    .error("file-special", Location::file(path), message);
            }
        }
        Ok(())
    }

    /// A snapshot without any WARC has lost them, unless its seal says that
    /// nothing was captured: a site that never answered, honestly recorded.
    fn without_captures(&mut self) {
        let ours = self.kind == Kind::Snapshot || self.is_ours();
        let seal = self
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.lastlight.as_ref());
        let empty_by_seal = seal.is_some_and(|seal| seal.records == 0 && seal.counts.captured == 0);
        if ours && !empty_by_seal && self.warcs.iter().all(|warc| warc.region().is_empty()) {
            let message = "there is no WARC, or only empty ones: nothing is captured";
            self.findings
                .error("warc-missing", self.location(ARCHIVE), message);
        }
        if !self.is_ours() {
            return;
        }
        let index = self.indexes.is_empty().then_some(INDEX);
        let others = [PAGES, EXTRA_PAGES, CRAWL_LOG, CONFIG, LEDGER];
        // What the manifest lists is told by the check of fixity.
        let resources = self
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.resources);
        let listed: BTreeSet<&str> = resources.map(|file| file.path.as_str()).collect();
        let missing = |file: &&str| !self.has(file) && !listed.contains(file);
        let others = others.into_iter().filter(missing);
        let missing: Vec<&str> = index.into_iter().chain(others).collect();
        for file in missing {
            let message = "every snapshot that Lastlight seals has it, and it is gone";
            self.findings
                .error("file-missing", self.location(file), message);
        }
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
            // The bag's own manifests vouch for whatever else is bagged.
            Ok(None) if self.kind == Kind::Bag && !self.has(MANIFEST_DIGEST) => {
                let note = "the bag isn't that of a snapshot";
                self.note("manifest-missing", MANIFEST, note);
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

    /// Whether nobody has sealed it yet. Bags and WACZs always claim to be
    /// sealed, and so does what has the results of sealing but nothing that a
    /// crawl could go on with.
    pub(super) fn is_unsealed(&self) -> bool {
        let can_go_on = self.files.iter().any(|file| is_state(file));
        let was_sealed = self.has(LEDGER) || self.has(RECORDS);
        self.kind == Kind::Snapshot && !self.has(MANIFEST) && (can_go_on || !was_sealed)
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

/// A folder that holds snapshots, WACZs or bags would be read as loose WARCs,
/// and no manifest would be looked at.
fn refuse_nested(path: &Path) -> Result<(), SnapshotError> {
    const SHOWN: usize = 5;
    let marks = [MANIFEST, MANIFEST_DIGEST, "bagit.txt"];
    let mut nested: Vec<String> = Vec::new();
    for file in files_and_links_below(path)? {
        let (parent, name) = file.rsplit_once('/').unwrap_or(("", &file));
        let store = parent
            .strip_suffix(STATE)
            .filter(|_| name == "crawl.sqlite");
        let found = if let Some(snapshot) = store {
            snapshot.trim_end_matches('/')
        } else if marks.contains(&name) {
            parent
        } else if name.to_ascii_lowercase().ends_with(".wacz") {
            &file
        } else {
            continue;
        };
        // `data/` of a bag is no target of its own.
        let found = found.strip_suffix("/data").unwrap_or(found).to_owned();
        if !nested.contains(&found) {
            nested.push(found);
        }
        if nested.len() > SHOWN {
            break;
        }
    }
    if nested.is_empty() {
        return Ok(());
    }
    let more = if nested.len() > SHOWN {
        " and more"
    } else {
        ""
    };
    nested.truncate(SHOWN);
    Err(SnapshotError::Unknown {
        path: path.to_owned(),
        reason: format!(
            "a folder that holds packages of its own, to be verified each: {}{more}",
            nested.join(", ")
        ),
    })
}

fn is_archive_like(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    let ends = |suffix| path.ends_with(suffix);
    ends(".warc") || path.contains(".warc.") || ends(".arc") || ends(".arc.gz") || ends(".wacz")
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
