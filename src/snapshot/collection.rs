//! Captures to read, whatever holds them: a snapshot (sealed or not), a WARC,
//! a WACZ in place, a bag, or a folder of WARCs. Replay and verification read
//! through this; nothing is written beside what is read.

mod opening;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::SnapshotError;
use super::cdxj::{self, CdxjEntry};
use super::container::{Container, ReadAt, Region, RegionReader};
use super::denied::Denied;
use super::index::Index;
use super::index_cache::IndexCache;
use super::layout::{ARCHIVE, EXTRA_PAGES, MANIFEST, MANIFEST_DIGEST, PAGES};
use super::manifest::{Manifest, files_and_links_below};
use super::pages::{self, Page};
use crate::warc::frame::{DICTIONARY_MAGIC, Dictionary, ZSTD_MAGIC};
use crate::warc::member::GZIP_MAGIC;
use crate::warc::{Header, ReadError, Reader};

/// The name by which a bag is known.
const BAG_DECLARATION: &str = "bagit.txt";

/// What a path turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A snapshot directory.
    Snapshot,
    /// One WARC file, or ARC file.
    Warc,
    /// A WACZ file.
    Wacz,
    /// A BagIt bag with a snapshot as its payload.
    Bag,
    /// A directory of WARC files.
    Folder,
}

/// A WARC of a collection.
#[derive(Debug, Clone)]
pub struct Warc {
    /// Path relative to the collection: `archive/x.warc.gz`.
    pub path: String,
    /// Base name, as the index names it; in a folder of WARCs the path.
    pub filename: String,
    region: Region,
    /// The dictionary of a `.warc.zst`, read when a record is first asked for.
    dictionary: Arc<OnceLock<Option<Dictionary>>>,
    /// Whether it is an ARC, found out when a record is first asked for.
    arc: Arc<OnceLock<bool>>,
}

impl Warc {
    /// Its stored bytes.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// A reader over all of its records.
    pub fn reader(&self) -> Reader<RegionReader> {
        Reader::new(self.path.clone(), self.region.from(0))
    }

    /// A reader that starts at the record at `offset`.
    pub fn reader_at(&self, offset: u64) -> Reader<RegionReader> {
        let reader = Reader::at(self.path.clone(), self.region.from(offset), offset);
        if offset == 0 {
            return reader;
        }
        let reader = reader.with_arc(self.is_arc());
        reader.with_dictionary(self.dictionary())
    }

    /// Whether it is an ARC file, by its first record.
    pub fn is_arc(&self) -> bool {
        *self.arc.get_or_init(|| {
            let mut reader = self.reader();
            let first = reader.next_record();
            matches!(first, Ok(Some(record)) if record.header.is_arc())
        })
    }

    /// The dictionary at its start. Where it is damaged, records that need it
    /// fail, and reading from the start tells why.
    pub fn dictionary(&self) -> Option<Dictionary> {
        let read = || Dictionary::at_start(self.region.from(0)).ok()??.ok();
        self.dictionary.get_or_init(read).clone()
    }
}

/// How much of a WARC may be read again after damage. A record that claims to
/// be longer than the file is read to the file's end, and thousands of such
/// would be read for ever.
#[derive(Debug)]
pub struct Again {
    bytes: u64,
    left: u64,
}

impl Again {
    /// Eight times its bytes.
    pub fn of(warc: &Warc) -> Self {
        let bytes = warc.region.len();
        Self {
            bytes,
            left: bytes.saturating_mul(8),
        }
    }

    /// Whether what follows an error may be read.
    pub fn may_go_on(&mut self, error: &ReadError) -> bool {
        if matches!(error, ReadError::Truncated { .. }) {
            let read = self.bytes.saturating_sub(error.offset());
            self.left = self.left.saturating_sub(read);
        }
        self.left > 0
    }
}

/// The files of a collection, opened without reading any record.
pub struct Holdings {
    /// What the path is.
    pub kind: Kind,
    /// The files beside the WARCs; `None` for a lone WARC.
    pub container: Option<Container>,
    /// The WARCs in order of name.
    pub warcs: Vec<Warc>,
}

impl Holdings {
    /// Looks at a path.
    pub fn of(path: &Path) -> Result<Self, SnapshotError> {
        let kind = kind_of(path)?;
        let container = match kind {
            Kind::Snapshot | Kind::Folder => Some(Container::Directory(path.to_owned())),
            Kind::Bag => Some(Container::Directory(path.join("data"))),
            Kind::Wacz => Some(Container::open_zip(path)?),
            Kind::Warc => None,
        };
        let warcs = match &container {
            Some(container) => warcs_of(container, kind)?,
            None => vec![lone_warc(path)?],
        };
        Ok(Self {
            kind,
            container,
            warcs,
        })
    }
}

/// An open collection.
pub struct Collection {
    /// The name in replay URLs: the path's base name without its suffix.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is; `None` for several collections read as one.
    pub kind: Option<Kind>,
    container: Option<Container>,
    warcs: Vec<Warc>,
    by_filename: HashMap<String, usize>,
    index: Index,
    /// Records that could not be read while an index was built by scanning.
    pub damage: Vec<String>,
    /// The collections that it is made of; none where it is one of its own.
    parts: Vec<Arc<Collection>>,
    /// Whether [marks](CdxjEntry::mark) count for nothing in it.
    ignores_marks: bool,
    /// What of it isn't shown to anyone.
    denied: Option<Arc<Denied>>,
    /// The name of the same captures with what is marked among them, where a replay
    /// has that too.
    pub unfiltered: Option<String>,
    /// Whether it isn't on this machine: what is read of it comes over the network.
    pub is_elsewhere: bool,
}

impl Collection {
    /// Opens a path. Where there is an index it is used; else the WARCs are
    /// scanned into one in the system's temporary directory.
    pub fn open(path: &Path) -> Result<Self, SnapshotError> {
        Self::with_cache(path, None)
    }

    /// As [`Collection::open`]; an index that has to be made is kept for another time.
    pub fn with_cache(path: &Path, cache: Option<&IndexCache>) -> Result<Self, SnapshotError> {
        let holdings = Holdings::of(path)?;
        let mut damage = Vec::new();
        let existing = holdings.container.as_ref().map(opening::existing);
        let index = match existing.transpose()?.flatten() {
            Some(index) => index,
            None => opening::scanned(path, &holdings.warcs, cache, &mut damage)
                .map_err(SnapshotError::io(path, "indexing"))?,
        };
        let mut collection = Self::of(path, holdings, index);
        collection.damage = damage;
        Ok(collection)
    }

    /// Opens a WACZ that is read at positions wherever it is. It must bring its index,
    /// as making one would read all of it.
    pub fn elsewhere(url: &str, bytes: Arc<dyn ReadAt>) -> Result<Self, SnapshotError> {
        let path = Path::new(url);
        let container = Container::zip_in(path, Region::elsewhere(bytes))?;
        let index = opening::existing(&container)?.ok_or_else(|| SnapshotError::Unindexed {
            path: path.to_owned(),
        })?;
        let holdings = Holdings {
            kind: Kind::Wacz,
            warcs: warcs_of(&container, Kind::Wacz)?,
            container: Some(container),
        };
        let mut collection = Self::of(path, holdings, index);
        let without_query = url.split(['?', '#']).next().unwrap_or_default();
        collection.name = collection_name(Path::new(without_query));
        collection.is_elsewhere = true;
        Ok(collection)
    }

    fn of(path: &Path, holdings: Holdings, index: Region) -> Self {
        let warcs = holdings.warcs.iter().enumerate();
        Self {
            name: collection_name(path),
            path: path.to_owned(),
            kind: Some(holdings.kind),
            by_filename: warcs.map(|(at, w)| (w.filename.clone(), at)).collect(),
            container: holdings.container,
            warcs: holdings.warcs,
            index: Index::new(index),
            damage: Vec::new(),
            parts: Vec::new(),
            ignores_marks: false,
            denied: None,
            unfiltered: None,
            is_elsewhere: false,
        }
    }

    /// Several collections as one, which answers with the captures of all: each tells
    /// its [source](CdxjEntry::source). Their names must differ.
    pub fn together(name: String, parts: Vec<Arc<Self>>) -> Self {
        let index = Index::together(parts.iter().map(|part| (part.name.as_str(), &part.index)));
        Self {
            path: PathBuf::from(&name),
            name,
            kind: None,
            container: None,
            warcs: parts.iter().flat_map(|part| part.warcs.clone()).collect(),
            by_filename: HashMap::new(),
            index,
            damage: Vec::new(),
            denied: parts.first().and_then(|part| part.denied.clone()),
            parts,
            ignores_marks: false,
            unfiltered: None,
            is_elsewhere: false,
        }
    }

    /// The same captures under another name, with what is marked (challenges, pages
    /// that only say "not found") as captures like any other.
    pub fn ignoring_marks(name: String, of: &Arc<Self>) -> Self {
        let parts = if of.parts.is_empty() {
            vec![Arc::clone(of)]
        } else {
            of.parts.clone()
        };
        Self {
            name,
            path: of.path.clone(),
            kind: of.kind,
            container: None,
            warcs: of.warcs.clone(),
            by_filename: of.by_filename.clone(),
            index: of.index.clone(),
            damage: Vec::new(),
            parts,
            ignores_marks: true,
            denied: of.denied.clone(),
            unfiltered: None,
            is_elsewhere: of.is_elsewhere,
        }
    }

    /// The same without what is withheld: no line, page or capture of it is given.
    #[must_use]
    pub fn without(mut self, denied: &Arc<Denied>) -> Self {
        self.index = self.index.without(denied);
        self.denied = Some(Arc::clone(denied));
        self
    }

    /// Whether a URL is withheld.
    pub fn withholds(&self) -> bool {
        self.denied.is_some()
    }

    /// Whether it withholds a URL.
    pub fn denies(&self, url: &str) -> bool {
        self.denied.as_ref().is_some_and(|denied| denied.has(url))
    }

    /// The collections that it is made of: itself, or several.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        let own = self.parts.is_empty().then_some(self);
        own.into_iter().chain(self.parts.iter().map(Arc::as_ref))
    }

    /// Whether it is several.
    pub fn is_several(&self) -> bool {
        self.parts.len() > 1
    }

    /// The capture of an index line; `None` for what isn't CDXJ.
    pub fn entry(&self, line: &str) -> Option<CdxjEntry> {
        let mut entry: CdxjEntry = line.parse().ok()?;
        if self.ignores_marks {
            entry.mark = None;
        }
        Some(entry)
    }

    /// Its WARCs in order of name.
    pub fn warcs(&self) -> &[Warc] {
        &self.warcs
    }

    /// The WARC with this base name.
    pub fn warc(&self, filename: &str) -> Option<&Warc> {
        self.by_filename.get(filename).map(|&at| &self.warcs[at])
    }

    /// The files beside the WARCs; `None` for a lone WARC.
    pub fn container(&self) -> Option<&Container> {
        match &self.parts[..] {
            [one] => one.container(),
            _ => self.container.as_ref(),
        }
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Every capture under a key, oldest first.
    pub fn captures(&self, surt: &str) -> Result<Vec<CdxjEntry>, SnapshotError> {
        let captures = self.index.captures(surt);
        let mut captures = captures.map_err(SnapshotError::io(&self.path, "reading the index"))?;
        if self.ignores_marks {
            for entry in &mut captures {
                entry.mark = None;
            }
        }
        Ok(captures)
    }

    /// The collection that holds an entry of this one's index: itself, or one of several.
    pub fn holder(&self, entry: &CdxjEntry) -> Result<&Self, SnapshotError> {
        if !self.is_several() {
            return Ok(self);
        }
        let mut parts = self.parts();
        let part = parts.find(|part| Some(&part.name) == entry.source.as_ref());
        part.ok_or_else(|| SnapshotError::Missing {
            path: self.path.join(&entry.filename),
        })
    }

    /// The WARC of an index entry.
    pub fn warc_of(&self, entry: &CdxjEntry) -> Result<&Warc, SnapshotError> {
        let holder = self.holder(entry)?;
        let base = entry.filename.rsplit('/').next().unwrap_or_default();
        let warc = holder.warc(&entry.filename).or_else(|| holder.warc(base));
        warc.ok_or_else(|| SnapshotError::Missing {
            path: holder.path.join(ARCHIVE).join(base),
        })
    }

    /// A reader at the record of an index entry.
    pub fn reader_at(&self, entry: &CdxjEntry) -> Result<Reader<RegionReader>, SnapshotError> {
        Ok(self.warc_of(entry)?.reader_at(entry.offset))
    }

    /// The manifest, where the collection is sealed.
    pub fn manifest(&self) -> Result<Option<Manifest>, SnapshotError> {
        match self.container() {
            Some(container) => container.manifest(),
            None => Ok(None),
        }
    }

    /// The pages with titles, seeds first; at most `limit`.
    pub fn pages(&self, limit: usize) -> Result<Vec<Page>, SnapshotError> {
        let mut all = Vec::new();
        for part in self.parts() {
            for list in [PAGES, EXTRA_PAGES] {
                let pages = part.page_list(list)?.into_iter().flatten();
                for page in pages.take(limit - all.len()) {
                    all.push(page.map_err(SnapshotError::io(&part.path.join(list), "reading"))?);
                }
            }
        }
        Ok(all)
    }

    /// The pages of one of its lists; `None` where it has none, as several have.
    pub fn page_list(
        &self,
        list: &str,
    ) -> Result<Option<impl Iterator<Item = io::Result<Page>> + use<>>, SnapshotError> {
        let file = match self.container().map(|container| container.open(list)) {
            Some(Ok(file)) => file,
            Some(Err(SnapshotError::Missing { .. })) | None => return Ok(None),
            Some(Err(error)) => return Err(error),
        };
        let denied = self.denied.clone();
        let is_shown = move |page: &io::Result<Page>| {
            let url = page.as_ref().map(|page| page.url.as_str());
            let is_denied = |url| denied.as_ref().is_some_and(|denied| denied.has(url));
            !url.is_ok_and(is_denied)
        };
        Ok(Some(pages::read(file).filter(is_shown)))
    }
}

/// Tells what a path is, by its first bytes or its files.
pub fn kind_of(path: &Path) -> Result<Kind, SnapshotError> {
    let metadata = match std::fs::metadata(path) {
        Err(_) if is_url(path) => {
            let path = path.to_owned();
            return Err(SnapshotError::Url { path });
        }
        metadata => metadata.map_err(SnapshotError::io(path, "opening"))?,
    };
    if metadata.is_dir() {
        // Any mark that it was sealed decides: what is damaged must not pass
        // for something that nothing vouches for.
        if is_there(&path.join(BAG_DECLARATION)) || has_bag_manifest(path)? {
            return Ok(Kind::Bag);
        }
        let marks = [MANIFEST, MANIFEST_DIGEST];
        if path.join(ARCHIVE).is_dir() || marks.iter().any(|mark| is_there(&path.join(mark))) {
            return Ok(Kind::Snapshot);
        }
        return if files_and_links_below(path)?.iter().any(|f| is_warc_name(f)) {
            Ok(Kind::Folder)
        } else {
            Err(unknown(
                path,
                "a directory without archive/, bagit.txt or WARC files",
            ))
        };
    }
    // Opening a FIFO waits for who writes it, and positions can't be read.
    if !metadata.is_file() {
        return Err(unknown(path, "not a regular file"));
    }
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(8).read_to_end(&mut start))
        .map_err(SnapshotError::io(path, "reading"))?;
    if start.starts_with(b"PK\x03\x04") {
        Ok(Kind::Wacz)
    } else if [&GZIP_MAGIC[..], &ZSTD_MAGIC, &DICTIONARY_MAGIC]
        .iter()
        .any(|magic| start.starts_with(magic))
        || start.to_ascii_uppercase().starts_with(b"WARC/")
        || start == b"filedesc"
    {
        Ok(Kind::Warc)
    } else if start.is_empty() {
        Err(unknown(path, "an empty file"))
    } else {
        Err(unknown(
            path,
            &format!(
                "a file that starts with {:?}",
                String::from_utf8_lossy(&start)
            ),
        ))
    }
}

/// Whether what was given for a path is an HTTP URL.
pub fn is_url(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|s| s.eq_ignore_ascii_case("https") || s.eq_ignore_ascii_case("http"))
}

/// Whether there is anything of this name, if only a dangling link.
fn is_there(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}

/// Whether a directory has `data/` and a manifest of it: a bag, whatever
/// became of its declaration.
fn has_bag_manifest(path: &Path) -> Result<bool, SnapshotError> {
    if !path.join("data").is_dir() {
        return Ok(false);
    }
    for entry in std::fs::read_dir(path).map_err(SnapshotError::io(path, "listing"))? {
        let entry = entry.map_err(SnapshotError::io(path, "listing"))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let name = name.strip_prefix("tag").unwrap_or(&name);
        if name.starts_with("manifest-") && name.ends_with(".txt") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn unknown(path: &Path, reason: &str) -> SnapshotError {
    SnapshotError::Unknown {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}

fn is_warc_name(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".warc", ".warc.gz", ".warc.zst", ".arc", ".arc.gz"]
        .iter()
        .any(|suffix| path.ends_with(suffix))
}

fn warcs_of(container: &Container, kind: Kind) -> Result<Vec<Warc>, SnapshotError> {
    let (prefix, files) = if kind == Kind::Folder {
        ("", files_and_links_below(container.path())?)
    } else {
        let files = container.files()?;
        // A bag may be of anything.
        let anywhere = kind == Kind::Bag && !files.iter().any(|file| file == MANIFEST);
        (if anywhere { "" } else { "archive/" }, files)
    };
    files
        .into_iter()
        .filter(|path| path.starts_with(prefix) && is_warc_name(path))
        .map(|path| {
            Ok(Warc {
                // Folders below a folder may each have a file of one name.
                filename: match kind {
                    Kind::Folder => path.clone(),
                    _ => path.rsplit('/').next().unwrap_or(&path).to_owned(),
                },
                region: container.region(&path)?,
                dictionary: Arc::default(),
                arc: Arc::default(),
                path,
            })
        })
        .collect()
}

fn lone_warc(path: &Path) -> Result<Warc, SnapshotError> {
    let filename = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let region = File::open(path)
        .and_then(Region::whole)
        .map_err(SnapshotError::io(path, "opening"))?;
    Ok(Warc {
        path: path.to_string_lossy().into_owned(),
        filename,
        region,
        dictionary: Arc::default(),
        arc: Arc::default(),
    })
}

/// The base name without suffixes, in the letters that a host name and a path
/// segment both take.
fn collection_name(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let base = absolute
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut name = base.as_str();
    for suffix in [".gz", ".zst", ".warc", ".arc", ".wacz", ".zip"] {
        name = name.strip_suffix(suffix).unwrap_or(name);
    }
    let lower = name.to_ascii_lowercase();
    let letters = lower
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let name: String = letters.take(63).collect();
    let name = name.trim_matches('-');
    if name.is_empty() {
        "collection".to_owned()
    } else {
        name.to_owned()
    }
}

/// Whether a record's header is that of an index entry: another record at the
/// place means that the index doesn't fit the WARC.
pub fn entry_fits(entry: &CdxjEntry, header: &Header) -> bool {
    cdxj::indexed_url(header).as_ref() == Some(&entry.url)
        && header
            .lenient_date()
            .is_some_and(|date| date.timestamp14() == entry.timestamp)
}
