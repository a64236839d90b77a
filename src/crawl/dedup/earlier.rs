//! An earlier snapshot whose payloads need not be stored again. Its index is
//! sorted by digest once, in a scratch file, and asked by positioned reads.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Original;
use crate::digest::{Algorithm, Digest};
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::collection::{Collection, Kind, entry_fits};
use crate::snapshot::container::Region;
use crate::snapshot::index::Index;
use crate::snapshot::layout::MANIFEST;
use crate::snapshot::scratch::{self, LineSorter};
use crate::warc::RecordType;

/// So many captures with one payload are looked at for one of the same URL.
const MOST_ALIKE: usize = 200;

/// The open snapshot.
pub struct Earlier {
    collection: Collection,
    /// `digest index-line`, sorted.
    by_digest: Index,
    /// SHA-256 of its manifest, by which it is known wherever it is.
    pub manifest: Digest,
}

/// Why a snapshot can't be referred to.
#[derive(Debug, thiserror::Error)]
pub enum EarlierError {
    /// It can't be read.
    #[error("dedup.against: {0}")]
    Snapshot(#[from] SnapshotError),
    /// It has no manifest, or is no snapshot at all.
    #[error("dedup.against: {path}: not a sealed snapshot (directory, WACZ or bag)")]
    NotSealed {
        /// Its path.
        path: PathBuf,
    },
    /// Nothing in it could be referred to.
    #[error("dedup.against: {path}: its index names no answer by a sha256 digest of its payload")]
    NoDigests {
        /// Its path.
        path: PathBuf,
    },
}

impl Earlier {
    /// Opens a snapshot, WACZ or bag and sorts its index.
    pub fn open(path: &Path) -> Result<Self, EarlierError> {
        let collection = Collection::open(path)?;
        let not_sealed = || EarlierError::NotSealed {
            path: path.to_owned(),
        };
        if !matches!(
            collection.kind,
            Some(Kind::Snapshot | Kind::Wacz | Kind::Bag)
        ) {
            return Err(not_sealed());
        }
        let container = collection.container().ok_or_else(not_sealed)?;
        let mut manifest = match container.open(MANIFEST) {
            Ok(manifest) => manifest,
            Err(SnapshotError::Missing { .. }) => return Err(not_sealed()),
            Err(error) => return Err(error.into()),
        };
        let read = SnapshotError::io(path, "reading the manifest of");
        let (manifest, _) = Digest::sha256_of(&mut manifest).map_err(read)?;
        let by_digest = sorted(&collection).map_err(SnapshotError::io(path, "indexing"))?;
        if by_digest.is_empty() {
            return Err(EarlierError::NoDigests {
                path: path.to_owned(),
            });
        }
        Ok(Self {
            collection,
            by_digest: Index::new(by_digest),
            manifest,
        })
    }

    /// The name by which it is told of.
    pub fn name(&self) -> String {
        let path = std::path::absolute(&self.collection.path);
        let path = path.unwrap_or_else(|_| self.collection.path.clone());
        path.file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// The record with this payload: the URL's own, else the oldest. It is
    /// read, so that nothing refers to what isn't there.
    pub fn original(&self, digest: &Digest, url: &str) -> Option<Original> {
        let alike = self.alike(digest, url);
        alike
            .iter()
            .take(3)
            .find_map(|entry| self.record(entry, digest))
    }

    /// Gives the block of that record to `sink`; `false` where there is none.
    pub fn block(
        &self,
        digest: &Digest,
        url: &str,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<bool, SnapshotError> {
        for entry in self.alike(digest, url).iter().take(3) {
            if self.record(entry, digest).is_some() {
                let mut reader = self.collection.reader_at(entry)?;
                if let Some(mut record) = reader.next_record()? {
                    record.each_piece(sink)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The captures with this payload, the URL's own first.
    fn alike(&self, digest: &Digest, url: &str) -> Vec<CdxjEntry> {
        if digest.algorithm() != Algorithm::Sha256 {
            return Vec::new();
        }
        let Ok(lines) = self.by_digest.lines(&format!("{} ", digest.hex())) else {
            return Vec::new();
        };
        let alike = lines.take(MOST_ALIKE).filter_map(|line| {
            let line = line.ok()?;
            line.split_once(' ')?.1.parse::<CdxjEntry>().ok()
        });
        let mut alike: Vec<CdxjEntry> = alike.collect();
        alike.sort_by_key(|entry| (entry.url != url, entry.timestamp));
        alike
    }

    fn record(&self, entry: &CdxjEntry, digest: &Digest) -> Option<Original> {
        let mut reader = self.collection.reader_at(entry).ok()?;
        let record = reader.next_record().ok()??;
        let header = &record.header;
        let good = entry_fits(entry, header)
            && header.record_type() == RecordType::Response
            && header.field("WARC-Truncated").is_none()
            && header.payload_digest().and_then(Result::ok).as_ref() == Some(digest);
        good.then(|| {
            Some(Original {
                record_id: header.record_id()?.to_owned(),
                url: header.target_uri()?.to_owned(),
                date: header.field("WARC-Date")?.to_owned(),
                is_earlier: true,
            })
        })
        .flatten()
    }
}

/// Every whole answer's index line, by digest.
fn sorted(collection: &Collection) -> io::Result<Region> {
    let mut sorter = LineSorter::default();
    for line in collection.index().lines("")? {
        let line = line?;
        let Ok(entry) = line.parse::<CdxjEntry>() else {
            continue;
        };
        let digest = entry
            .digest
            .as_deref()
            .and_then(|d| d.parse::<Digest>().ok());
        let Some(digest) = digest.filter(|digest| digest.algorithm() == Algorithm::Sha256) else {
            continue;
        };
        if entry.status.as_deref() == Some("200") && !entry.is_revisit() && entry.mark.is_none() {
            sorter.add(format!("{} {line}", digest.hex()).as_bytes())?;
        }
    }
    let mut out = io::BufWriter::new(scratch::file()?);
    sorter.write_to(&mut out)?;
    out.flush()?;
    Region::whole(out.into_inner().map_err(io::IntoInnerError::into_error)?)
}
