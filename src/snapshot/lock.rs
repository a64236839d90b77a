//! One writer at a time: a permanent lock file, locked by the operating
//! system, so that a killed process leaves nothing to clean up.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

use super::SnapshotError;
use super::layout::Layout;

/// Why the lock wasn't had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process writes to the snapshot.
    #[error("{snapshot}: another process is writing to this snapshot")]
    Held {
        /// The snapshot.
        snapshot: PathBuf,
    },
    /// The lock file can't be made or locked.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The right to write to a snapshot, for as long as it lives.
#[derive(Debug)]
pub struct SnapshotLock {
    _file: File,
}

impl SnapshotLock {
    /// Takes the lock without waiting, before anything else is opened.
    pub fn acquire(layout: &Layout) -> Result<Self, LockError> {
        let path = layout.lock_file();
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(SnapshotError::io(&path, "opening the lock file"))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Held {
                snapshot: layout.root().to_owned(),
            }),
            Err(TryLockError::Error(source)) => {
                Err(SnapshotError::io(&path, "locking")(source).into())
            }
        }
    }
}
