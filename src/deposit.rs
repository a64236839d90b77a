//! Packages for the archive: a sealed snapshot as one WACZ file or as a BagIt
//! bag. What is packed is what the manifest says, or nothing is: every file is
//! hashed while it is copied, and a package appears under its name only once
//! it is whole and on disk. The snapshot itself is never written to.

mod bag;
mod part;
mod source;
mod wacz;
mod zipnum;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::Layout;
use crate::snapshot::lock::LockError;

pub use bag::{bag, bag_if};
pub use source::beside;
pub use wacz::{wacz, wacz_if};

/// A package that was made.
#[derive(Debug, Clone)]
pub struct Deposited {
    /// The WACZ file, or the bag's directory.
    pub path: PathBuf,
    /// Files in the WACZ, or in the bag's payload.
    pub files: u64,
    /// Length of the WACZ, or of all files in the bag's payload.
    pub bytes: u64,
    /// Of the WACZ; or of the bag's `tagmanifest-sha256.txt`, which fixes all
    /// else in the bag.
    pub sha256: Digest,
    /// Whether the crawl had nothing left to do; `None` where the manifest
    /// doesn't say.
    pub complete: Option<bool>,
}

impl Deposited {
    /// The `Payload-Oxum` of a bag (RFC 8493 §2.2.2).
    pub fn oxum(&self) -> String {
        format!("{}.{}", self.bytes, self.files)
    }
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum DepositError {
    /// The path given isn't a snapshot directory.
    #[error("{path}: not a snapshot directory (it has no archive/)")]
    NotSnapshot {
        /// The path given.
        path: PathBuf,
    },
    /// The crawl neither ended nor stopped cleanly.
    #[error("{snapshot}: the snapshot isn't sealed (it has no datapackage.json)")]
    Unsealed {
        /// The snapshot.
        snapshot: PathBuf,
    },
    /// Its records give away what was configured.
    #[error(
        "{snapshot}: {exchanges} exchanges carry configured credentials or cookies ({fields}), such as that of {example}"
    )]
    Credentials {
        /// The snapshot.
        snapshot: PathBuf,
        /// How many exchanges.
        exchanges: u64,
        /// The fields' names.
        fields: String,
        /// The URL of one.
        example: String,
    },
    /// A writer holds the snapshot.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The snapshot's files can't be read as such.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The manifest names a file that is missing or no regular file.
    #[error("{path}: named in the manifest, but there is no such file")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file that the manifest doesn't name.
    #[error("{path}: not named in the manifest; it was added after sealing")]
    Unlisted {
        /// The file.
        path: PathBuf,
    },
    /// A file has another length than when the snapshot was sealed.
    #[error(
        "{path}: has {found} bytes where the manifest says {stated}; it was changed after sealing"
    )]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes by the manifest.
        stated: u64,
        /// Bytes there are; of a file that is too long, as far as it was read.
        found: u64,
    },
    /// A file has another content than when the snapshot was sealed.
    #[error("{path}: its {found} isn't the manifest's {stated}; it was changed after sealing")]
    Altered {
        /// The file.
        path: PathBuf,
        /// By the manifest.
        stated: Digest,
        /// Of the bytes there are.
        found: Digest,
    },
    /// Something has the package's name, or its name while it is made.
    #[error("{path}: exists already, and nothing is ever overwritten")]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// The package would change the snapshot that it is made of.
    #[error("{into}: is inside the snapshot {snapshot}")]
    Inside {
        /// Where the package should go.
        into: PathBuf,
        /// The snapshot.
        snapshot: PathBuf,
    },
    /// Another process makes the same package.
    #[error("{path}: another process is making this package")]
    Busy {
        /// The package while it is made.
        path: PathBuf,
    },
    /// What was packed doesn't verify, so there is no package.
    #[error("{path}: what was packed does not verify: {reason}")]
    Rejected {
        /// The package as it would have been named.
        path: PathBuf,
        /// The first of what was found.
        reason: String,
    },
    /// The package can't be written.
    #[error("{path}: {doing} failed: {source}")]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// Refuses a snapshot whose records carry credentials or cookies that were
/// configured, or that the site set in answer to them: whoever reads the
/// package could log in with them. Cookies that the site sets for everybody are
/// part of what it said, and go with it.
pub fn refuse_credentials(snapshot: &Layout) -> Result<(), DepositError> {
    let Some(sent) = source::credentials_sent(snapshot)? else {
        return Ok(());
    };
    Err(DepositError::Credentials {
        snapshot: snapshot.root().to_owned(),
        exchanges: sent.exchanges,
        fields: sent.fields.join(", "),
        example: sent.example,
    })
}

impl DepositError {
    /// Wraps an error of writing with where and what.
    fn write(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write {
            path,
            doing,
            source,
        }
    }
}
