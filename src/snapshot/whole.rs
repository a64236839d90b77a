//! Files that appear whole or not at all: written beside their place, synced,
//! renamed, and the directory synced. And files of which a sync may have failed.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
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

/// Writes bytes of a file where they are, and syncs it. Where an earlier sync has failed,
/// the system may have them in memory and take them for written: another sync alone
/// would do nothing.
pub fn write_again(path: &Path, bytes: Range<u64>) -> Result<(), SnapshotError> {
    let again = || {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut buffer = vec![0; 1 << 20];
        let mut at = bytes.start;
        while at < bytes.end {
            let length = (bytes.end - at).min(buffer.len() as u64) as usize;
            let piece = &mut buffer[..length];
            file.read_exact_at(piece, at)?;
            file.write_all_at(piece, at)?;
            at += length as u64;
        }
        file.sync_data()
    };
    again().map_err(SnapshotError::io(path, "writing again"))
}

/// Has all of a file on disk, its length too.
pub fn sync(path: &Path) -> Result<(), SnapshotError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(SnapshotError::io(path, "syncing"))
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

/// Makes a directory and those above it that aren't there, with durable names. One that is
/// there may have been made a moment ago.
pub fn create_directory(path: &Path) -> Result<(), SnapshotError> {
    if path.as_os_str().is_empty() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new(""));
    if path.is_dir() {
        return sync_where_possible(above);
    }
    create_directory(above)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(SnapshotError::io(path, "creating")(error))
        }
        _ => sync_directory(above),
    }
}

/// Makes the names in a directory durable, where this user and its file system can do that.
pub fn sync_where_possible(path: &Path) -> Result<(), SnapshotError> {
    use std::io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    let impossible = [
        InvalidInput,
        PermissionDenied,
        ReadOnlyFilesystem,
        Unsupported,
    ];
    match sync_directory(path) {
        Err(SnapshotError::Io { source, .. }) if impossible.contains(&source.kind()) => Ok(()),
        synced => synced,
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
