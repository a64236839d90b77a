//! The WARC files of a crawl: appended to, never overwritten, begun anew when
//! they have grown to their size.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::CrawlError;
use super::job::Piece;
use crate::config::{Compression, Config, WarcVersion};
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::Layout;
use crate::snapshot::whole;
use crate::warc::Version;
use crate::warc::coding::Coding;
use crate::warc::frame::{Dictionary, DictionaryError, MAX_DICTIONARY};
use crate::warc::member::Levels;
use crate::warc::write::fresh_id;

/// What the WARCs of a run have in common.
pub struct Series {
    /// The standard's version.
    pub version: Version,
    /// How records are compressed.
    pub coding: Coding,
    warcinfo: Mutex<Warcinfo>,
}

/// The id of the file's warcinfo record, and whether that was written.
struct Warcinfo {
    id: String,
    is_written: bool,
}

impl Series {
    /// For a configuration. The dictionary is the one that the crawl began
    /// with, whatever became of its file since.
    pub fn new(config: &Config, layout: &Layout) -> Result<Self, CrawlError> {
        let kept = layout.dictionary();
        let dictionary = if kept.is_file() {
            Some(load(&kept)?)
        } else {
            dictionary(config)?
        };
        let coding = match config.warc.compression {
            Compression::Gzip => Coding::Gzip(Levels {
                usual: config.warc.level.value(),
                compressed: config.warc.level_compressed.value(),
                backlog: config.warc.level_backlog.value(),
            }),
            Compression::Zstd => Coding::Zstd {
                level: config.warc.zstd_level.value(),
                dictionary,
            },
        };
        Ok(Self {
            version: match config.warc.version {
                WarcVersion::V1_0 => Version::V1_0,
                WarcVersion::V1_1 => Version::V1_1,
            },
            coding,
            warcinfo: Mutex::new(Warcinfo {
                id: fresh_id(),
                is_written: false,
            }),
        })
    }

    /// The id of the warcinfo record that describes what is recorded now. A
    /// record that is appended after its file was closed names the warcinfo of
    /// the file before, which says the same (WARC 1.1 §5.16).
    pub fn warcinfo_id(&self) -> String {
        self.locked().id.clone()
    }

    /// The id for the next file's warcinfo record.
    pub fn next_warcinfo_id(&self) -> String {
        let mut warcinfo = self.locked();
        if std::mem::replace(&mut warcinfo.is_written, true) {
            warcinfo.id = fresh_id();
        }
        warcinfo.id.clone()
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Warcinfo> {
        self.warcinfo.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The dictionary that a configuration names, if it names one.
pub fn dictionary(config: &Config) -> Result<Option<Dictionary>, CrawlError> {
    let file = &config.warc.zstd_dictionary;
    if file.is_empty() || config.warc.compression == Compression::Gzip {
        return Ok(None);
    }
    load(Path::new(file)).map(Some)
}

/// Keeps the dictionary in the snapshot, for when the crawl goes on.
pub fn keep_dictionary(config: &Config, layout: &Layout) -> Result<(), CrawlError> {
    if dictionary(config)?.is_none() {
        return Ok(());
    }
    let path = Path::new(&config.warc.zstd_dictionary);
    let bytes = fs::read(path).map_err(SnapshotError::io(path, "reading"))?;
    whole::write(&layout.dictionary(), |out| out.write_all(&bytes))?;
    Ok(())
}

fn load(path: &Path) -> Result<Dictionary, CrawlError> {
    let unfit = |reason: String| CrawlError::Dictionary {
        path: path.to_owned(),
        reason,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_DICTIONARY + 1).read_to_end(&mut bytes))
        .map_err(|error| unfit(error.to_string()))?;
    Dictionary::new(&bytes).map_err(|error: DictionaryError| unfit(error.to_string()))
}

/// The file that records are appended to.
pub struct WarcFile {
    /// Base name.
    pub filename: String,
    /// Its row in the store.
    pub id: i64,
    file: File,
    path: PathBuf,
    written: u64,
    synced: u64,
}

impl WarcFile {
    /// Creates a file that must not exist yet; `preamble` stands before its
    /// records.
    pub fn create(archive: &Path, filename: String, id: i64, preamble: &[u8]) -> io::Result<Self> {
        let path = archive.join(&filename);
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(preamble)?;
        // The name must be durable before a row may point into the file.
        File::open(archive)?.sync_all()?;
        Ok(Self {
            filename,
            id,
            file,
            path,
            written: preamble.len() as u64,
            synced: 0,
        })
    }

    /// Appends the pieces of one exchange and returns where it begins.
    pub fn append(&mut self, pieces: Vec<Piece>) -> io::Result<u64> {
        let start = self.written;
        for piece in pieces {
            self.written += match piece {
                Piece::Memory(bytes) => {
                    self.file.write_all(&bytes)?;
                    bytes.len() as u64
                }
                Piece::Spooled(mut member) => io::copy(&mut member, &mut self.file)?,
            };
        }
        Ok(start)
    }

    /// Makes what was appended durable; returns the file's length.
    pub fn sync(&mut self) -> io::Result<u64> {
        if self.synced < self.written {
            self.file.sync_data()?;
            self.synced = self.written;
        }
        Ok(self.written)
    }

    /// Bytes appended.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The base name of the file with this number: the snapshot's name in letters
/// that every tool and table takes.
pub fn filename(snapshot: &str, serial: usize, coding: &Coding) -> String {
    format!("{}-{serial:05}{}", stem(snapshot), coding.suffix())
}

fn stem(snapshot: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let letters = snapshot.chars().map(|c| if allowed(c) { c } else { '_' });
    letters.take(150).collect()
}

/// Whether a file of `archive/` is one that [`filename`] named for a snapshot
/// of this name, however compressed.
pub fn is_ours(snapshot: &str, file: &str) -> bool {
    let serial = file
        .strip_prefix(&stem(snapshot))
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| {
            rest.strip_suffix(".warc.gz")
                .or_else(|| rest.strip_suffix(".warc.zst"))
        });
    serial.is_some_and(|serial| serial.len() >= 5 && serial.bytes().all(|b| b.is_ascii_digit()))
}
