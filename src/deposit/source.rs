//! The sealed snapshot that a package is made of: what its manifest lists is
//! exactly what is there, and every byte that is read is checked against it.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::DepositError;
use crate::digest::{Algorithm, Digest, Hasher};
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::{Layout, MANIFEST, MANIFEST_DIGEST, STATE};
use crate::snapshot::lock::LockError;
use crate::snapshot::manifest::{CredentialsSent, Manifest, ManifestDigest, Resource, files_below};

/// A manifest of a million files is 300 MB; what is larger is hostile.
const MAX_MANIFEST: u64 = 512 * 1024 * 1024;

/// A sealed snapshot, held against writers while it is read.
pub(super) struct Source {
    pub(super) layout: Layout,
    /// Its manifest, resources sorted by path.
    pub(super) manifest: Manifest,
    /// `datapackage.json` as it stands.
    pub(super) manifest_json: Vec<u8>,
    /// `datapackage-digest.json` as it stands; other tools may leave it out.
    pub(super) digest_json: Option<Vec<u8>>,
    _lock: Option<File>,
}

impl Source {
    /// Takes hold of a snapshot and compares its files with its manifest by
    /// name; their content is checked as it is copied.
    pub(super) fn open(layout: &Layout) -> Result<Self, DepositError> {
        if !layout.exists() {
            let path = layout.root().to_owned();
            return Err(DepositError::NotSnapshot { path });
        }
        let lock = hold(layout)?;
        if !layout.is_sealed() {
            let snapshot = layout.root().to_owned();
            return Err(DepositError::Unsealed { snapshot });
        }
        let manifest_json = read(&layout.path(MANIFEST))?;
        let mut manifest: Manifest = parse(&layout.path(MANIFEST), &manifest_json)?;
        manifest.resources.sort_by(|a, b| a.path.cmp(&b.path));
        let mut source = Self {
            layout: layout.clone(),
            manifest,
            manifest_json,
            digest_json: None,
            _lock: lock,
        };
        if source.layout.path(MANIFEST_DIGEST).exists() {
            source.digest_json = Some(source.manifest_digest()?);
        }
        source.compare_names()?;
        Ok(source)
    }

    /// Bytes of all files that the manifest lists.
    pub(super) fn bytes(&self) -> u64 {
        let each = self.manifest.resources.iter().map(|file| file.bytes);
        each.fold(0, u64::saturating_add)
    }

    /// What the seal says of the crawl's end.
    pub(super) fn complete(&self) -> Option<bool> {
        self.manifest.lastlight.as_ref().map(|seal| seal.complete)
    }

    /// Hands a file to `sink` piece by piece, and gives its SHA-256, which is
    /// the manifest's.
    pub(super) fn copy(
        &self,
        file: &Resource,
        mut sink: impl FnMut(&[u8]) -> Result<(), DepositError>,
    ) -> Result<Digest, DepositError> {
        let path = self.layout.path(&file.path);
        let stated = self.stated(file)?;
        let reading = |error| SnapshotError::io(&path, "reading")(error);
        let mut input = File::open(&path).map_err(reading)?;
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let mut buffer = vec![0; 256 * 1024];
        let mut found = 0;
        loop {
            let n = match input.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(reading(error).into()),
            };
            found += n as u64;
            // A file that grows must not fill the package's disk.
            if found > file.bytes || n == 0 && found < file.bytes {
                return Err(DepositError::Length {
                    path,
                    stated: file.bytes,
                    found,
                });
            }
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
            sink(&buffer[..n])?;
        }
        let found = hasher.finish();
        if found != stated {
            return Err(DepositError::Altered {
                path,
                stated,
                found,
            });
        }
        Ok(found)
    }

    fn stated(&self, file: &Resource) -> Result<Digest, DepositError> {
        let digest = file.hash.parse::<Digest>().map_err(|e| e.to_string());
        let sha256 = digest.and_then(|digest| match digest.algorithm() {
            Algorithm::Sha256 => Ok(digest),
            other => Err(format!("a {} where sha256 is expected", other.label())),
        });
        sha256.map_err(|reason| {
            let reason = format!("the hash of {}: {reason}", file.path);
            malformed(&self.layout.path(MANIFEST), 0, reason).into()
        })
    }

    /// `datapackage-digest.json`, which must be the manifest's.
    fn manifest_digest(&self) -> Result<Vec<u8>, DepositError> {
        let path = self.layout.path(MANIFEST_DIGEST);
        let json = read(&path)?;
        let digest: ManifestDigest = parse(&path, &json)?;
        let stated = digest
            .hash
            .parse()
            .map_err(|error| malformed(&path, 1, format!("its hash: {error}")))?;
        let found = Digest::sha256(&self.manifest_json);
        if found != stated {
            return Err(DepositError::Altered {
                path: self.layout.path(MANIFEST),
                stated,
                found,
            });
        }
        Ok(json)
    }

    /// The manifest lists every regular file once, and only such. Since its
    /// paths must be among those found by walking, none can lead out of the
    /// snapshot.
    fn compare_names(&self) -> Result<(), DepositError> {
        let state = format!("{STATE}/");
        let mut there: BTreeSet<String> = files_below(self.layout.root())?
            .into_iter()
            .filter(|path| path != MANIFEST && path != MANIFEST_DIGEST && !path.starts_with(&state))
            .collect();
        for (at, file) in self.manifest.resources.iter().enumerate() {
            if there.remove(&file.path) {
                continue;
            }
            if at > 0 && self.manifest.resources[at - 1].path == file.path {
                let reason = format!("{} is listed twice", file.path);
                return Err(malformed(&self.layout.path(MANIFEST), 0, reason).into());
            }
            let path = self.layout.path(&file.path);
            return Err(DepositError::Missing { path });
        }
        match there.pop_first() {
            None => Ok(()),
            Some(path) => Err(DepositError::Unlisted {
                path: self.layout.path(&path),
            }),
        }
    }
}

/// What a sealed snapshot says of credentials in its records; `None` where
/// there is nothing to say, or no seal that could.
pub(super) fn credentials_sent(layout: &Layout) -> Result<Option<CredentialsSent>, SnapshotError> {
    let path = layout.path(MANIFEST);
    if !path.is_file() {
        return Ok(None);
    }
    let manifest: Manifest = parse(&path, &read(&path)?)?;
    Ok(manifest.lastlight.and_then(|seal| seal.credentials))
}

/// A shared lock, so that no writer begins while the snapshot is packed. It is
/// had without writing. Where it can't be had for another reason than a writer
/// (read-only media, a copy without `state/`), the digests alone protect.
fn hold(layout: &Layout) -> Result<Option<File>, LockError> {
    // Opening a FIFO waits for who writes it.
    let lock = layout.lock_file();
    let Some(file) = lock.is_file().then(|| File::open(lock).ok()).flatten() else {
        return Ok(None);
    };
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Err(LockError::Held {
            snapshot: layout.root().to_owned(),
        }),
        _ => Ok(Some(file)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SnapshotError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_MANIFEST).read_to_end(&mut bytes))
        .map_err(SnapshotError::io(path, "reading"))?;
    Ok(bytes)
}

fn parse<'a, T: serde::Deserialize<'a>>(path: &Path, json: &'a [u8]) -> Result<T, SnapshotError> {
    serde_json::from_slice(json)
        .map_err(|error| malformed(path, error.line() as u64, error.to_string()))
}

pub(super) fn malformed(path: &Path, line: u64, reason: String) -> SnapshotError {
    let path = path.to_owned();
    SnapshotError::Malformed { path, line, reason }
}

/// The directory that holds the snapshot: where its package goes unless told
/// otherwise.
pub fn beside(snapshot: &Layout) -> PathBuf {
    let absolute = absolute(snapshot.root());
    absolute.parent().unwrap_or(&absolute).to_owned()
}

/// Makes the directory for a package, and refuses one inside the snapshot.
pub(super) fn destination(snapshot: &Layout, into: &Path) -> Result<(), DepositError> {
    let inside = || DepositError::Inside {
        into: into.to_owned(),
        snapshot: snapshot.root().to_owned(),
    };
    // Nothing is made before it is known where it would be: what exists of the
    // path may lead into the snapshot by a link.
    let real = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| absolute(path));
    let wanted = absolute(into);
    let existing = wanted.ancestors().find(|path| path.exists());
    let leads_inside = existing.is_some_and(|path| real(path).starts_with(real(snapshot.root())));
    if wanted.starts_with(absolute(snapshot.root())) || leads_inside {
        return Err(inside());
    }
    fs::create_dir_all(into).map_err(DepositError::write(into, "making the directory"))?;
    if real(into).starts_with(real(snapshot.root())) {
        return Err(inside());
    }
    Ok(())
}

/// An absolute path without `..`; links are kept, since their name is what the
/// user calls the snapshot.
fn absolute(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if absolute
        .components()
        .any(|part| part == Component::ParentDir)
    {
        return fs::canonicalize(path).unwrap_or(absolute);
    }
    absolute
}

/// The snapshot's name, as its package's name begins.
pub(super) fn name(snapshot: &Layout) -> String {
    Layout::new(absolute(snapshot.root())).name()
}
