//! A package while it is made: under a name that nothing else has, its own with
//! a dot before and [`SUFFIX`] behind, locked against a second maker, removed if it doesn't get done. A part that a killed process
//! left is taken over; a finished package is never replaced.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::DepositError;
use crate::snapshot::whole;

/// The name by which a bag is known, and so a part that may be emptied.
pub(super) const BAG_DECLARATION: &str = "bagit.txt";
/// The same while it is written.
const DECLARATION_BEGUN: &str = "bagit.txt.part";

/// What comes behind a package's name while it is made. Browsers call half a
/// download `.part`; what bears this is ours to empty.
const SUFFIX: &str = ".lastlight-part";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    File,
    Directory,
}

/// The claim on a package's name.
#[derive(Debug)]
pub(super) struct Part {
    target: PathBuf,
    path: PathBuf,
    shape: Shape,
    handle: File,
    finished: bool,
}

impl Part {
    /// Claims a name for a file, which is empty.
    pub(super) fn file(target: PathBuf) -> Result<Self, DepositError> {
        let part = Self::claim(target, Shape::File)?;
        // The lock says that nobody else writes here: what is left is an
        // interrupted run's.
        part.handle
            .set_len(0)
            .map_err(DepositError::write(&part.path, "emptying"))?;
        Ok(part)
    }

    /// Claims a name for a bag, a directory that is empty.
    pub(super) fn bag(target: PathBuf) -> Result<Self, DepositError> {
        let mut part = Self::claim(target, Shape::Directory)?;
        let emptying = |error| DepositError::write(&part.path, "emptying")(error);
        let entries: Vec<_> = fs::read_dir(&part.path)
            .and_then(Iterator::collect)
            .map_err(emptying)?;
        let ours = entries
            .iter()
            .map(|entry: &fs::DirEntry| entry.file_name())
            .any(|name| name == BAG_DECLARATION || name == DECLARATION_BEGUN);
        if !entries.is_empty() && !ours {
            // Not a bag that was begun: hands off.
            part.finished = true;
            let path = part.path.clone();
            return Err(DepositError::Exists { path });
        }
        for entry in entries {
            let path = entry.path();
            let removed = match entry.file_type() {
                Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
                _ => fs::remove_file(path),
            };
            removed.map_err(emptying)?;
        }
        Ok(part)
    }

    fn claim(target: PathBuf, shape: Shape) -> Result<Self, DepositError> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(SUFFIX);
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        let name = hidden;
        let path = target.with_file_name(name);
        loop {
            refuse_existing(&target)?;
            let fits = |found: fs::Metadata| match shape {
                Shape::File => found.is_file(),
                Shape::Directory => found.is_dir(),
            };
            if fs::symlink_metadata(&path).is_ok_and(|found| !fits(found)) {
                return Err(DepositError::Exists { path });
            }
            let handle = shape
                .open(&path)
                .map_err(DepositError::write(&path, "creating"))?;
            if let Err(TryLockError::WouldBlock) = handle.try_lock() {
                return Err(DepositError::Busy { path });
            }
            // Between opening and locking its maker may have finished it: then
            // the handle is of the finished package.
            if is_same(&handle, &path) {
                return Ok(Self {
                    target,
                    path,
                    shape,
                    handle,
                    finished: false,
                });
            }
        }
    }

    /// Where it is while it is made.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file or directory.
    pub(super) fn handle(&self) -> &File {
        &self.handle
    }

    /// Puts it, synced, under its name.
    pub(super) fn finish(mut self) -> Result<(), DepositError> {
        self.handle
            .sync_all()
            .map_err(DepositError::write(&self.path, "syncing"))?;
        refuse_existing(&self.target)?;
        fs::rename(&self.path, &self.target)
            .map_err(DepositError::write(&self.target, "renaming into place"))?;
        self.finished = true;
        whole::sync_directory(self.target.parent().unwrap_or(Path::new(".")))?;
        Ok(())
    }
}

impl Shape {
    fn open(self, path: &Path) -> io::Result<File> {
        match self {
            Self::File => OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path),
            Self::Directory => match fs::create_dir(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
                _ => File::open(path),
            },
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        // The error that led here is what the user must hear of.
        let _ = match self.shape {
            Shape::File => fs::remove_file(&self.path),
            Shape::Directory => fs::remove_dir_all(&self.path),
        };
    }
}

fn refuse_existing(path: &Path) -> Result<(), DepositError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(DepositError::Exists {
            path: path.to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(DepositError::write(path, "looking for it")(error)),
    }
}

fn is_same(handle: &File, path: &Path) -> bool {
    match (handle.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}
