//! Indexes that were made by reading collections through, kept for the next start in
//! a directory of the reader's own, never in the collection. A kept index is taken
//! only where it is whole, of this program's version, and made of just these files:
//! their paths, sizes, inodes and times of change. Whatever fails here costs the time
//! of making the index anew, and nothing else.
//!
//! A file is named by the collection's path and holds the lines from its start on, so
//! that they are read at positions as any index is; behind them stand a JSON object
//! (what it was made of, and what could not be read), the SHA-256 of all before,
//! the object's length (8 bytes, little-endian), and [`MAGIC`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::container::Region;
use super::whole;
use crate::digest::{Algorithm, Digest, Hasher};

/// The end of every kept index of this form.
const MAGIC: &[u8; 16] = b"lastlight-index1";
const DIGEST_BYTES: u64 = 32;
const LENGTH_BYTES: u64 = 8;
/// A longer object is none of ours: it names at most some sentences a WARC.
const MAX_MADE: u64 = 64 * 1024 * 1024;
/// The directory holds no more than this, the least recently used going first.
const MOST_BYTES: u64 = 20 * 1000 * 1000 * 1000;
/// Nor more indexes.
const MOST_FILES: usize = 1_000;
/// A part that is older was left by a program that was ended.
const ABANDONED: Duration = Duration::from_hours(24);
/// Where files tell their times coarsely, a change soon after another isn't seen.
const SETTLED: Duration = Duration::from_secs(2);
const SUFFIX: &str = "index";

/// The directory.
#[derive(Debug, Clone)]
pub struct IndexCache {
    directory: PathBuf,
    most_bytes: u64,
    most_files: usize,
}

/// Of what an index is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The name of its file.
    name: String,
    /// The digest of all by which a change is told.
    state: String,
}

/// What stands behind the lines.
#[derive(Debug, Serialize, Deserialize)]
struct Made {
    program: String,
    state: String,
    damage: Vec<String>,
}

/// An index that was kept.
#[derive(Debug)]
pub struct Kept {
    /// Its lines.
    pub lines: Region,
    /// What could not be read when it was made, in sentences.
    pub damage: Vec<String>,
}

impl Key {
    /// Of a collection's path and the files that are read for its index, in order.
    /// `None` where a file tells nothing of itself, or was changed just now.
    pub fn of<'f>(
        path: &Path,
        files: impl IntoIterator<Item = (&'f str, &'f Region)>,
    ) -> Option<Self> {
        let place = fs::canonicalize(path).ok()?;
        let place = place.as_os_str().as_encoded_bytes();
        let mut state = Hasher::new(Algorithm::Sha256);
        let now = SystemTime::now();
        for (file, region) in files {
            let of = region.metadata().ok()?;
            let changed = of.modified().ok()?;
            if now.duration_since(changed).unwrap_or_default() < SETTLED {
                return None;
            }
            state.update(&(file.len() as u64).to_le_bytes());
            state.update(file.as_bytes());
            for number in [of.dev(), of.ino(), of.size(), region.len()] {
                state.update(&number.to_le_bytes());
            }
            for number in [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()] {
                state.update(&number.to_le_bytes());
            }
        }
        let mut name = Digest::sha256(place).hex();
        name.truncate(32);
        Some(Self {
            name: format!("{name}.{SUFFIX}"),
            state: state.finish().hex(),
        })
    }
}

impl IndexCache {
    /// In a directory, which need not be there yet.
    pub fn at(directory: PathBuf) -> Self {
        Self {
            directory,
            most_bytes: MOST_BYTES,
            most_files: MOST_FILES,
        }
    }

    /// The index that was kept of this key, if it is whole.
    pub fn get(&self, key: &Key) -> Option<Kept> {
        let path = self.directory.join(&key.name);
        // Opening a FIFO would wait for who writes it.
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new()
            .read(true)
            .custom_flags(flags)
            .open(path)
            .ok()?;
        let metadata = file.metadata().ok()?;
        // In a directory that others may write to, it may be anybody's.
        if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
            return None;
        }
        let kept = read(file.try_clone().ok()?, key)?;
        // By this the least recently used is told. It need not succeed.
        let _ = file.set_modified(SystemTime::now());
        Some(kept)
    }

    /// Keeps an index, and gives it as it is kept.
    pub fn keep(&self, key: &Key, lines: &Region, damage: &[String]) -> io::Result<Region> {
        let mut builder = fs::DirBuilder::new();
        builder
            .recursive(true)
            .mode(0o700)
            .create(&self.directory)?;
        let part = format!("{}.{}.part", key.name, uuid::Uuid::new_v4().simple());
        let part = self.directory.join(part);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        let made = Made {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            state: key.state.clone(),
            damage: damage.to_vec(),
        };
        let written = write(&file, lines, &made).and_then(|()| {
            fs::rename(&part, self.directory.join(&key.name))?;
            whole::sync_directory(&self.directory).map_err(io::Error::other)
        });
        if let Err(error) = written {
            // A part that stays is found by a later run.
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        self.bound(&key.name);
        Region::start_of(file, lines.len())
    }

    /// Removes what was not used for the longest time until the rest is within the
    /// bounds. What can't be removed, or was by another, is passed over.
    fn bound(&self, newest: &str) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut kept = Vec::new();
        for entry in entries.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let has_suffix = |suffix: &str| path.extension().is_some_and(|s| s == suffix);
            if has_suffix(SUFFIX) {
                // The one that was made now is the last to go.
                let is_newest = entry.file_name() == newest;
                kept.push((is_newest, used, metadata.len(), path));
            } else if has_suffix("part")
                && SystemTime::now()
                    .duration_since(used)
                    .is_ok_and(|age| age > ABANDONED)
            {
                let _ = fs::remove_file(path);
            }
        }
        kept.sort();
        let mut bytes: u64 = kept.iter().map(|(.., bytes, _)| bytes).sum();
        let mut files = kept.len();
        for (.., length, path) in kept {
            if bytes <= self.most_bytes && files <= self.most_files {
                break;
            }
            // Whoever has it open reads on.
            let _ = fs::remove_file(path);
            bytes -= length;
            files -= 1;
        }
    }
}

fn write(mut file: &File, lines: &Region, made: &Made) -> io::Result<()> {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 256 * 1024];
    let mut stream = lines.from(0);
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        file.write_all(&buffer[..read])?;
    }
    let made = serde_json::to_vec(made)?;
    hasher.update(&made);
    let mut end = made;
    let length = end.len() as u64;
    end.extend_from_slice(hasher.finish().bytes());
    end.extend_from_slice(&length.to_le_bytes());
    end.extend_from_slice(MAGIC);
    file.write_all(&end)?;
    file.sync_all()
}

/// Reads all of a file, as only then it is known to be whole.
fn read(file: File, key: &Key) -> Option<Kept> {
    let all = Region::whole(file).ok()?;
    let at = |offset: u64, length: u64| {
        let mut bytes = Vec::new();
        all.part(offset, length).read_to_end(&mut bytes).ok()?;
        (bytes.len() as u64 == length).then_some(bytes)
    };
    let end = LENGTH_BYTES + MAGIC.len() as u64;
    let tail_at = all.len().checked_sub(DIGEST_BYTES + end)?;
    let tail = at(tail_at, DIGEST_BYTES + end)?;
    let (digest, tail) = tail.split_at(DIGEST_BYTES as usize);
    let (length, magic) = tail.split_at(LENGTH_BYTES as usize);
    if magic != MAGIC {
        return None;
    }
    let length = u64::from_le_bytes(length.try_into().ok()?);
    let made_at = tail_at.checked_sub(length)?;
    if length > MAX_MADE {
        return None;
    }
    let made: Made = serde_json::from_slice(&at(made_at, length)?).ok()?;
    if made.program != env!("CARGO_PKG_VERSION") || made.state != key.state {
        return None;
    }
    let (found, _) = Digest::sha256_of(all.part(0, tail_at)).ok()?;
    (found.bytes() == digest).then(|| Kept {
        lines: all.first(made_at),
        damage: made.damage,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const LINES: &[u8] = b"a)/ 20260101000000 {}\nb)/ 20260101000000 {}\n";

    struct Made {
        _directory: tempfile::TempDir,
        warc: PathBuf,
        cache: IndexCache,
    }

    fn made() -> Made {
        let directory = tempfile::tempdir().unwrap();
        let warc = directory.path().join("a.warc");
        fs::write(&warc, b"WARC/1.1").unwrap();
        age(&warc, 10);
        Made {
            cache: IndexCache::at(directory.path().join("x/cache")),
            warc,
            _directory: directory,
        }
    }

    fn age(path: &Path, seconds: u64) {
        let file = File::options().write(true).open(path).unwrap();
        let past = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(past).unwrap();
    }

    fn whole_file(path: &Path) -> Region {
        Region::whole(File::open(path).unwrap()).unwrap()
    }

    fn lines() -> Region {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(LINES).unwrap();
        Region::whole(file).unwrap()
    }

    impl Made {
        fn key(&self) -> Key {
            Key::of(&self.warc, [("a.warc", &whole_file(&self.warc))]).unwrap()
        }

        fn kept_file(&self) -> PathBuf {
            self.cache.directory.join(self.key().name)
        }
    }

    fn text(region: &Region) -> Vec<u8> {
        let mut all = Vec::new();
        region.from(0).read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn what_is_kept_comes_back_until_a_file_changes() {
        let made = made();
        assert!(made.cache.get(&made.key()).is_none());
        let damage = ["a record is cut".to_owned()];
        let kept = made.cache.keep(&made.key(), &lines(), &damage).unwrap();
        assert_eq!(text(&kept), LINES);
        let found = made.cache.get(&made.key()).unwrap();
        assert_eq!(
            (text(&found.lines).as_slice(), found.damage.len()),
            (LINES, 1)
        );
        // As many bytes, changed in place, with the time set back.
        fs::write(&made.warc, b"WARC/1.0").unwrap();
        age(&made.warc, 10);
        assert!(made.cache.get(&made.key()).is_none());
        made.cache.keep(&made.key(), &lines(), &[]).unwrap();
        assert!(made.cache.get(&made.key()).is_some());
        let other = made.warc.with_extension("other");
        fs::write(&other, b"WARC/1.0").unwrap();
        age(&other, 10);
        fs::rename(&other, &made.warc).unwrap();
        assert!(made.cache.get(&made.key()).is_none(), "another inode");
        let names = fs::read_dir(&made.cache.directory).unwrap().count();
        assert_eq!(names, 1, "one file a collection, and no part");
    }

    #[test]
    fn a_file_that_changed_just_now_is_not_trusted_to_stay() {
        let made = made();
        age(&made.warc, 0);
        assert_eq!(Key::of(&made.warc, [("a", &whole_file(&made.warc))]), None);
    }

    #[test]
    fn a_kept_index_that_is_cut_or_changed_anywhere_is_passed_over() {
        let made = made();
        let key = made.key();
        made.cache.keep(&key, &lines(), &[]).unwrap();
        let path = made.kept_file();
        let good = fs::read(&path).unwrap();
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(made.cache.get(&key).is_none(), "cut at {length}");
            let mut flipped = good.clone();
            flipped[length] ^= 4;
            fs::write(&path, &flipped).unwrap();
            assert!(made.cache.get(&key).is_none(), "changed at {length}");
        }
        fs::write(&path, [good.clone(), good.clone()].concat()).unwrap();
        assert!(made.cache.get(&key).is_none(), "twice");
        fs::write(&path, &good).unwrap();
        assert!(made.cache.get(&key).is_some());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(made.cache.get(&key).is_none(), "a directory");
    }

    #[test]
    fn an_index_of_another_version_is_passed_over() {
        let made = made();
        let key = made.key();
        made.cache.keep(&key, &lines(), &[]).unwrap();
        let other = super::Made {
            program: "0.0.1".to_owned(),
            state: key.state.clone(),
            damage: Vec::new(),
        };
        let file = File::create(made.kept_file()).unwrap();
        write(&file, &lines(), &other).unwrap();
        assert!(made.cache.get(&key).is_none());
    }

    #[test]
    fn writers_at_once_leave_one_whole_index() {
        let made = made();
        let key = made.key();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let kept = made.cache.keep(&key, &lines(), &[]).unwrap();
                        assert_eq!(text(&kept), LINES);
                        let found = made.cache.get(&key).unwrap();
                        assert_eq!(text(&found.lines), LINES);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&made.cache.directory).unwrap().count(), 1);
    }

    #[test]
    fn the_least_recently_used_goes_when_the_directory_is_full() {
        let mut made = made();
        let key = |name: &str| Key {
            name: format!("{name}.{SUFFIX}"),
            state: "s".to_owned(),
        };
        made.cache.most_files = 2;
        for (age_of, name) in [(30, "old"), (20, "older")] {
            made.cache.keep(&key(name), &lines(), &[]).unwrap();
            age(&made.cache.directory.join(key(name).name), age_of);
        }
        // To be used makes it the newer one.
        assert!(made.cache.get(&key("old")).is_some());
        made.cache.keep(&key("new"), &lines(), &[]).unwrap();
        let has = |name: &str| made.cache.get(&key(name)).is_some();
        assert_eq!([has("older"), has("old"), has("new")], [false, true, true]);
        made.cache.most_bytes = 10;
        let kept = made.cache.keep(&key("large"), &lines(), &[]).unwrap();
        assert_eq!(text(&kept), LINES, "who made it has it");
        assert_eq!(fs::read_dir(&made.cache.directory).unwrap().count(), 0);
    }

    #[test]
    fn a_part_that_was_left_goes_in_time() {
        let made = made();
        made.cache.keep(&made.key(), &lines(), &[]).unwrap();
        for (name, seconds) in [("a.part", 90_000), ("b.part", 60), ("c.txt", 90_000)] {
            let path = made.cache.directory.join(name);
            fs::write(&path, b"x").unwrap();
            age(&path, seconds);
        }
        made.cache.keep(&made.key(), &lines(), &[]).unwrap();
        let is_there = |name: &str| made.cache.directory.join(name).exists();
        assert_eq!(
            ["a.part", "b.part", "c.txt"].map(is_there),
            [false, true, true]
        );
    }

    #[test]
    fn a_collection_is_opened_by_the_index_that_was_kept_of_it() {
        use crate::snapshot::collection::Collection;
        use crate::warc::{Draft, RecordType, Version};
        let made = made();
        let record = Draft::new(
            Version::V1_1,
            &RecordType::Resource,
            "2026-01-01T00:00:00Z".parse().unwrap(),
        );
        let record = record
            .field("WARC-Target-URI", "http://a.example/")
            .field("Content-Type", "text/plain")
            .record(b"x");
        fs::write(&made.warc, &record).unwrap();
        age(&made.warc, 10);
        let captures = |cache: &IndexCache, surt: &str| {
            let opened = Collection::with_cache(&made.warc, Some(cache)).unwrap();
            opened.captures(surt).unwrap().len()
        };
        let (first, other) = ("example,a)/", "example,kept)/");
        assert_eq!(captures(&made.cache, first), 1);
        let kept = fs::read_dir(&made.cache.directory).unwrap().count();
        assert_eq!(kept, 1);
        assert_eq!(captures(&made.cache, first), 1);
        // With other lines in it one sees that it is read.
        let region = whole_file(&made.warc);
        let name = made.warc.to_str().unwrap();
        let key = Key::of(&made.warc, [(name, &region)]).unwrap();
        let mut file = tempfile::tempfile().unwrap();
        let line = "example,kept)/ 20260101000000 {\"url\": \"http://kept.example/\", \
                    \"length\": \"1\", \"offset\": \"0\", \"filename\": \"a.warc\"}";
        writeln!(file, "{line}").unwrap();
        let lines = Region::whole(file).unwrap();
        made.cache.keep(&key, &lines, &[]).unwrap();
        assert_eq!(
            (captures(&made.cache, first), captures(&made.cache, other)),
            (0, 1)
        );
        fs::write(&made.warc, [record.clone(), record].concat()).unwrap();
        age(&made.warc, 10);
        assert_eq!(captures(&made.cache, other), 0, "the file is another now");
        // Where nothing can be kept the collection is read through each time.
        let nowhere = IndexCache::at(made.warc.join("below-a-file"));
        assert_eq!(captures(&nowhere, first), 2);
    }

    #[test]
    fn a_directory_that_cannot_be_made_fails_and_leaves_nothing() {
        let made = made();
        let cache = IndexCache::at(made.warc.join("below-a-file"));
        assert!(cache.get(&made.key()).is_none());
        assert!(cache.keep(&made.key(), &lines(), &[]).is_err());
    }
}
