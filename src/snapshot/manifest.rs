//! `datapackage.json`: path, bytes and SHA-256 of every file of a snapshot
//! (WACZ 1.1.1 §5.1, Frictionless Data Package), with counts and the record
//! root; and `datapackage-digest.json`, its own digest.

use std::fmt;
use std::fs::{self, File};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::layout::{Layout, MANIFEST, MANIFEST_DIGEST, STATE};
use super::{SnapshotError, crew, whole};
use crate::digest::Digest;

/// The WACZ version that a snapshot follows.
pub const WACZ_VERSION: &str = "1.1.1";

/// The manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always `data-package`.
    pub profile: String,
    /// [`WACZ_VERSION`].
    #[serde(default)]
    pub wacz_version: String,
    /// What was captured.
    #[serde(default)]
    pub title: String,
    /// RFC 3339 time of sealing.
    #[serde(default)]
    pub created: String,
    /// The program and version that sealed it.
    #[serde(default)]
    pub software: String,
    /// The first seed.
    #[serde(
        rename = "mainPageUrl",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub main_page_url: String,
    /// RFC 3339 time of the first seed's capture.
    #[serde(
        rename = "mainPageDate",
        default,
        skip_serializing_if = "String::is_empty"
    )]
    pub main_page_date: String,
    /// Every file but the manifest itself, its digest and `state/`.
    #[serde(deserialize_with = "resources")]
    pub resources: Vec<Resource>,
    /// What Lastlight says beyond WACZ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lastlight: Option<Seal>,
}

/// A file of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "LooseResource")]
pub struct Resource {
    /// Base name, as [`resource_name`] spells it.
    pub name: String,
    /// Path relative to the snapshot, with `/`.
    pub path: String,
    /// `sha256:` and lower-case hex.
    pub hash: String,
    /// Length in bytes.
    pub bytes: u64,
}

impl Resource {
    /// Of a file of a snapshot.
    fn of(layout: &Layout, path: &str) -> Result<Self, SnapshotError> {
        let file = layout.path(path);
        let (digest, bytes) = File::open(&file)
            .and_then(Digest::sha256_of)
            .map_err(SnapshotError::io(&file, "reading"))?;
        Ok(Self {
            name: resource_name(path),
            path: path.to_owned(),
            hash: digest.to_string(),
            bytes,
        })
    }
}

/// As other tools write it: without name, or with digest and length where the
/// first drafts of WACZ had them.
#[derive(Deserialize)]
struct LooseResource {
    #[serde(default)]
    name: Option<String>,
    path: String,
    #[serde(default)]
    hash: String,
    #[serde(default)]
    bytes: u64,
    #[serde(default)]
    stats: Option<LooseStats>,
    #[serde(default)]
    hashing: Option<String>,
}

#[derive(Deserialize)]
struct LooseStats {
    hash: String,
    bytes: u64,
}

impl From<LooseResource> for Resource {
    fn from(loose: LooseResource) -> Self {
        let label = loose.hashing.unwrap_or_else(|| "sha256".to_owned());
        let (hash, bytes) = match loose.stats {
            Some(stats) => (format!("{label}:{}", stats.hash), stats.bytes),
            None => (loose.hash, loose.bytes),
        };
        let base = || loose.path.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            name: loose.name.unwrap_or_else(base),
            path: loose.path,
            hash,
            bytes,
        }
    }
}

/// A manifest that lists more files is hostile: some bytes a file, deflated,
/// would fill all memory.
const MOST_RESOURCES: usize = 4_000_000;

fn resources<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Resource>, D::Error> {
    struct Bounded;
    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<Resource>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of files")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let (mut resources, mut nameless) = (Vec::new(), 0);
            while let Some(resource) = list.next_element::<Resource>()? {
                nameless += usize::from(resource.path.is_empty());
                if nameless > 1000 || resources.len() == MOST_RESOURCES {
                    let reason = "more files than a package can have, or files without path";
                    return Err(serde::de::Error::custom(reason));
                }
                resources.push(resource);
            }
            Ok(resources)
        }
    }
    from.deserialize_seq(Bounded)
}

/// What sealing adds to the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Whether the crawl had nothing left to do.
    pub complete: bool,
    /// URLs by final state.
    pub counts: Counts,
    /// Records in the WARCs.
    pub records: u64,
    /// RFC 9162 root over the rows of records.csv.
    pub record_root: String,
    /// Snapshots without which some captures can't be replayed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refers_to: Vec<RefersTo>,
    /// Exchanges in the WARCs that carry configured secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<CredentialsSent>,
}

/// Records that give away what was configured: logins, fields, cookies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialsSent {
    /// How many exchanges.
    pub exchanges: u64,
    /// The names of the fields that carry them, in lower case.
    pub fields: Vec<String>,
    /// The URL of one of them.
    pub example: String,
}

/// A snapshot that revisit records refer to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefersTo {
    /// The name that it had.
    pub name: String,
    /// `sha256:` of its manifest, by which it is known for certain.
    pub manifest: String,
    /// How many records refer to it.
    pub revisits: u64,
}

/// URLs by final state; the first is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All URLs ever discovered.
    pub discovered: u64,
    /// With a whole answer in a WARC.
    pub captured: u64,
    /// Found as an earlier capture has it.
    pub unchanged: u64,
    /// Kept out by a rule.
    pub excluded: u64,
    /// Asked for without whole answer.
    pub failed: u64,
    /// Not asked for.
    pub unreached: u64,
}

impl Counts {
    /// Counts one more URL.
    pub fn add(&mut self, state: super::ledger::State) {
        use super::ledger::State;
        self.discovered += 1;
        match state {
            State::Captured => self.captured += 1,
            State::Unchanged => self.unchanged += 1,
            State::Excluded => self.excluded += 1,
            State::Failed => self.failed += 1,
            State::Unreached => self.unreached += 1,
        }
    }

    /// How many URLs ended in a state.
    pub fn of(&self, state: super::ledger::State) -> u64 {
        use super::ledger::State;
        match state {
            State::Captured => self.captured,
            State::Unchanged => self.unchanged,
            State::Excluded => self.excluded,
            State::Failed => self.failed,
            State::Unreached => self.unreached,
        }
    }
}

/// `datapackage-digest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestDigest {
    /// Always [`MANIFEST`].
    pub path: String,
    /// `sha256:` and lower-case hex of the manifest.
    pub hash: String,
}

impl Manifest {
    /// Describes the files of a snapshot as they are now. Every file is read.
    pub fn describe(layout: &Layout) -> Result<Vec<Resource>, SnapshotError> {
        let is_own = |path: &String| {
            path == MANIFEST || path == MANIFEST_DIGEST || path.starts_with(&format!("{STATE}/"))
        };
        let mut paths = files_below(layout.root())?;
        paths.retain(|path| !is_own(path));
        let next = AtomicUsize::new(0);
        // On several threads: what there is to hash is as large as the whole capture.
        let work = || {
            let mut described = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(path) = paths.get(at) else {
                    return described;
                };
                let resource = Resource::of(layout, path);
                if resource.is_err() {
                    // The others have nothing more to do either.
                    next.store(paths.len(), Ordering::Relaxed);
                }
                described.push((at, resource));
            }
        };
        let mut described = thread::scope(|scope| {
            // Where the system gives fewer threads, fewer do it.
            let others: Vec<_> = (1..crew::threads(u64::MAX))
                .map_while(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
                .collect();
            let mut described = work();
            for other in others {
                described.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            described
        });
        described.sort_unstable_by_key(|(at, _)| *at);
        described
            .into_iter()
            .map(|(_, resource)| resource)
            .collect()
    }

    /// Writes the manifest and its digest; the manifest appears last, since it
    /// is what makes a snapshot sealed.
    pub fn write(&self, layout: &Layout) -> Result<(), SnapshotError> {
        let mut json = serde_json::to_vec_pretty(self).expect("a manifest is plain data");
        json.push(b'\n');
        let digest = ManifestDigest {
            path: MANIFEST.to_owned(),
            hash: Digest::sha256(&json).to_string(),
        };
        let mut digest = serde_json::to_vec_pretty(&digest).expect("a digest is plain data");
        digest.push(b'\n');
        use std::io::Write;
        whole::write(&layout.path(MANIFEST_DIGEST), |out| out.write_all(&digest))?;
        whole::write(&layout.path(MANIFEST), |out| out.write_all(&json))
    }
}

/// The name of a resource: the base name in the letters that Data Packages
/// allow, which are lower-case ASCII, digits and `-._/`.
pub fn resource_name(path: &str) -> String {
    let base = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    base.chars()
        .map(|c| if allowed(c) { c } else { '-' })
        .collect()
}

/// The files below a directory, as sorted relative paths with `/`. Symbolic
/// links aren't followed: a deposit must hold bytes, not pointers.
pub fn files_below(root: &Path) -> Result<Vec<String>, SnapshotError> {
    Ok(Below::of(root)?.files)
}

/// What is below a directory, as sorted relative paths with `/`.
#[derive(Debug, Clone, Default)]
pub struct Below {
    /// Regular files.
    pub files: Vec<String>,
    /// Symbolic links.
    pub links: Vec<String>,
    /// What is neither: FIFOs, sockets, devices.
    pub special: Vec<String>,
}

impl Below {
    /// Walks a directory. Links aren't followed.
    pub fn of(root: &Path) -> Result<Self, SnapshotError> {
        let mut below = Self::default();
        let mut pending = vec![PathBuf::new()];
        while let Some(relative) = pending.pop() {
            let directory = root.join(&relative);
            let listing = || SnapshotError::io(&directory, "listing");
            for entry in fs::read_dir(&directory).map_err(listing())? {
                let entry = entry.map_err(listing())?;
                let path = relative.join(entry.file_name());
                let kind = entry.file_type().map_err(listing())?;
                if kind.is_dir() {
                    pending.push(path);
                    continue;
                }
                let path = path.to_string_lossy().replace('\\', "/");
                if kind.is_file() {
                    below.files.push(path);
                } else if kind.is_symlink() {
                    below.links.push(path);
                } else {
                    below.special.push(path);
                }
            }
        }
        below.files.sort_unstable();
        below.links.sort_unstable();
        below.special.sort_unstable();
        Ok(below)
    }

    /// The regular files and the links to such, sorted: a folder of links into
    /// other disks is a usual stage.
    fn followed(mut self, root: &Path) -> Vec<String> {
        let is_file = |link: &String| fs::metadata(root.join(link)).is_ok_and(|m| m.is_file());
        self.files.extend(self.links.into_iter().filter(is_file));
        self.files.sort_unstable();
        self.files
    }
}

/// The files below a directory and what links to files, as sorted relative
/// paths with `/`.
pub fn files_and_links_below(root: &Path) -> Result<Vec<String>, SnapshotError> {
    Ok(Below::of(root)?.followed(root))
}
