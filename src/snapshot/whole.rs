//! Files that appear whole or not at all: written beside their place, synced,
//! renamed, and the directory synced.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::SnapshotError;

/// Writes a file whole. What was at `path` before is there until the new file
/// is on disk.
pub fn write(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>,
) -> Result<(), SnapshotError> {
    let part = part(path);
    clear(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&part)
        .map_err(SnapshotError::io(&part, "creating"))?;
    let mut writer = BufWriter::with_capacity(256 * 1024, file);
    content(&mut writer)
        .and_then(|()| writer.flush())
        .and_then(|()| writer.get_ref().sync_all())
        .map_err(SnapshotError::io(&part, "writing"))?;
    fs::rename(&part, path).map_err(SnapshotError::io(path, "renaming into place"))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Where a file is while it is written.
fn part(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Removes the part of a file that an interrupted run left; it is of no use to
/// anyone.
pub fn clear(path: &Path) -> Result<(), SnapshotError> {
    let part = part(path);
    match fs::remove_file(&part) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(SnapshotError::io(&part, "removing")(error))
        }
        _ => Ok(()),
    }
}

/// Makes a directory and those above it that aren't there, with durable names.
pub fn create_directory(path: &Path) -> Result<(), SnapshotError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new(""));
    create_directory(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(SnapshotError::io(path, "creating")(error))
        }
        _ => sync_directory(above),
    }
}

/// Makes the names in a directory durable.
pub fn sync_directory(path: &Path) -> Result<(), SnapshotError> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(SnapshotError::io(path, "syncing the directory"))
}
