//! The files of a snapshot wherever they are: a directory, a bag's `data/`, or
//! a WACZ that is read in place. Only reading.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use zip::{CompressionMethod, ZipArchive};

use super::SnapshotError;
use super::layout::MANIFEST;
use super::manifest::{Manifest, files_below};

/// Bytes that are read at positions and aren't a file of this machine.
pub trait ReadAt: fmt::Debug + Send + Sync + std::panic::RefUnwindSafe {
    /// How many there are.
    fn size(&self) -> u64;

    /// Reads at an offset, less than was asked for where it likes; 0 only at and
    /// past the end.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

/// What regions are stretches of.
#[derive(Debug, Clone)]
enum Source {
    File(Arc<File>),
    Elsewhere(Arc<dyn ReadAt>),
}

/// A stretch of a file that is read at positions, by any number of readers.
#[derive(Debug, Clone)]
pub struct Region {
    source: Source,
    start: u64,
    length: u64,
}

impl Region {
    /// All of a file.
    pub fn whole(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self {
            source: Source::File(Arc::new(file)),
            start: 0,
            length,
        })
    }

    /// All of what is elsewhere.
    pub fn elsewhere(bytes: Arc<dyn ReadAt>) -> Self {
        Self {
            start: 0,
            length: bytes.size(),
            source: Source::Elsewhere(bytes),
        }
    }

    /// `length` bytes from an offset, as far as it has them.
    fn stretch(&self, offset: u64, length: u64) -> Self {
        Self {
            source: self.source.clone(),
            start: self.start.saturating_add(offset),
            length: length.min(self.length.saturating_sub(offset)),
        }
    }

    /// The first `length` bytes of a file, or all where it has fewer.
    pub fn start_of(file: File, length: u64) -> io::Result<Self> {
        Ok(Self::whole(file)?.first(length))
    }

    /// Its first `length` bytes.
    #[must_use]
    pub fn first(&self, length: u64) -> Self {
        Self {
            length: self.length.min(length),
            ..self.clone()
        }
    }

    /// What the system says of the file that it is in; an error where that is elsewhere.
    pub fn metadata(&self) -> io::Result<std::fs::Metadata> {
        match &self.source {
            Source::File(file) => file.metadata(),
            Source::Elsewhere(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads at an offset; 0 at and past the end.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let take = buffer.len().min(left);
        let (buffer, at) = (&mut buffer[..take], self.start + offset);
        match &self.source {
            Source::File(file) => file.read_at(buffer, at),
            Source::Elsewhere(bytes) => bytes.read_at(at, buffer),
        }
    }

    /// A stream from an offset to the end.
    pub fn from(&self, offset: u64) -> RegionReader {
        RegionReader {
            region: self.clone(),
            at: offset,
            end: self.length,
        }
    }

    /// A stream over `length` bytes from an offset; it ends early where the
    /// region does.
    pub fn part(&self, offset: u64, length: u64) -> RegionReader {
        RegionReader {
            region: self.clone(),
            at: offset,
            end: offset.saturating_add(length).min(self.length),
        }
    }
}

/// A stream over a [`Region`].
#[derive(Debug, Clone)]
pub struct RegionReader {
    region: Region,
    at: u64,
    end: u64,
}

impl Read for RegionReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let take = buffer.len().min(left);
        let n = self.region.read_at(self.at, &mut buffer[..take])?;
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for RegionReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The directory of a WACZ may be so long; a million files take some 100 MB.
const MOST_DIRECTORY: u64 = 512 * 1024 * 1024;

/// A stream of which no more than so much may be read.
struct Bounded<R> {
    stream: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.stream.read(buffer)?;
        let left = self.left.checked_sub(n as u64);
        self.left = left.ok_or_else(|| io::Error::other("its directory is too long"))?;
        Ok(n)
    }
}

impl<R: Seek> Seek for Bounded<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.stream.seek(to)
    }
}

/// Files by their path relative to the snapshot.
pub enum Container {
    /// A directory: a snapshot, or the `data/` of a bag.
    Directory(PathBuf),
    /// A WACZ.
    Zip {
        /// Its path.
        path: PathBuf,
        /// Where each file's bytes stand in it.
        entries: BTreeMap<String, ZipEntry>,
        /// All of it.
        whole: Region,
    },
}

/// A file in a WACZ.
#[derive(Debug, Clone, Copy)]
pub struct ZipEntry {
    start: u64,
    stored: u64,
    size: u64,
    deflated: bool,
}

impl Container {
    /// Opens a WACZ: only its directory is read.
    pub fn open_zip(path: &Path) -> Result<Self, SnapshotError> {
        let whole = File::open(path).and_then(Region::whole);
        Self::zip_in(path, whole.map_err(SnapshotError::io(path, "opening"))?)
    }

    /// As [`Container::open_zip`], of a WACZ wherever it is; `path` names it in messages.
    pub fn zip_in(path: &Path, whole: Region) -> Result<Self, SnapshotError> {
        let unreadable = |error: &dyn std::fmt::Display| SnapshotError::Zip {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let stream = Bounded {
            stream: io::BufReader::new(whole.from(0)),
            left: MOST_DIRECTORY,
        };
        let mut archive = ZipArchive::new(stream).map_err(|e| unreadable(&e))?;
        let mut entries = BTreeMap::new();
        for at in 0..archive.len() {
            let entry = archive.by_index_raw(at).map_err(|e| unreadable(&e))?;
            if entry.is_dir() {
                continue;
            }
            let name = entry.name().map_err(|e| unreadable(&e))?.into_owned();
            let deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => {
                    return Err(unreadable(&format!("{name} is compressed by {other}")));
                }
            };
            let start = entry
                .data_start()
                .ok_or_else(|| unreadable(&format!("{name} has no data")))?;
            let found = ZipEntry {
                start,
                stored: entry.compressed_size(),
                size: entry.size(),
                deflated,
            };
            entries.insert(name, found);
        }
        Ok(Self::Zip {
            path: path.to_owned(),
            entries,
            whole,
        })
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::Zip { path, .. } => path,
        }
    }

    /// The relative paths of all files, sorted.
    pub fn files(&self) -> Result<Vec<String>, SnapshotError> {
        match self {
            Self::Directory(root) => files_below(root),
            Self::Zip { entries, .. } => Ok(entries.keys().cloned().collect()),
        }
    }

    /// A file's content as a stream; [`SnapshotError::Missing`] if there is none.
    pub fn open(&self, relative: &str) -> Result<Box<dyn Read + Send>, SnapshotError> {
        if let Self::Zip {
            entries,
            whole,
            path,
        } = self
        {
            let entry = entries
                .get(relative)
                .ok_or_else(|| SnapshotError::Missing {
                    path: path.join(relative),
                })?;
            let region = whole.stretch(entry.start, entry.stored);
            return Ok(if entry.deflated {
                // The size that the directory states bounds what inflating may give.
                Box::new(DeflateDecoder::new(region.from(0)).take(entry.size.saturating_add(1)))
            } else {
                Box::new(region.from(0))
            });
        }
        Ok(Box::new(self.region(relative)?.from(0)))
    }

    /// The manifest, where the files are sealed.
    pub fn manifest(&self) -> Result<Option<Manifest>, SnapshotError> {
        let file = match self.open(MANIFEST) {
            Ok(file) => file,
            Err(SnapshotError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        // A manifest of a million files is 300 MB; what is larger is hostile.
        let manifest = serde_json::from_reader(io::BufReader::new(file.take(512 * 1024 * 1024)));
        manifest
            .map(Some)
            .map_err(|error| SnapshotError::Malformed {
                path: self.path().join(MANIFEST),
                line: error.line() as u64,
                reason: error.to_string(),
            })
    }

    /// A file whose bytes are stored as they are, for positioned reading. A
    /// deflated file of a WACZ has no region.
    pub fn region(&self, relative: &str) -> Result<Region, SnapshotError> {
        match self {
            Self::Directory(root) => {
                let path = root.join(relative);
                // Opening a FIFO waits for who writes it.
                if std::fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
                    return Err(SnapshotError::Missing { path });
                }
                match File::open(&path).and_then(Region::whole) {
                    Ok(region) => Ok(region),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        Err(SnapshotError::Missing { path })
                    }
                    Err(error) => Err(SnapshotError::io(&path, "opening")(error)),
                }
            }
            Self::Zip {
                entries,
                whole,
                path,
            } => match entries.get(relative) {
                Some(entry) if !entry.deflated => Ok(whole.stretch(entry.start, entry.stored)),
                Some(_) => Err(SnapshotError::Zip {
                    path: path.clone(),
                    reason: format!("{relative} is compressed in it, so it can't be read in place"),
                }),
                None => Err(SnapshotError::Missing {
                    path: path.join(relative),
                }),
            },
        }
    }
}
