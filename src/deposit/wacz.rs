//! A snapshot as one WACZ 1.1.1 file: a ZIP of all but `state/`, its index in
//! the compressed form that players look for. The same snapshot gives the same
//! bytes: entries are sorted and bear the time of sealing.
//!
//! The plain index is left out, since its lines are all in the compressed one:
//! ReplayWeb.page 2.4 fetches a plain index whole before it shows a page, even
//! if there is a compressed one, and pywb 2.10 finds no captures without the
//! latter.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::path::Path;

use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::part::Part;
use super::source::{Source, destination, malformed, name};
use super::zipnum::{BLOCKS, KEYS, ZipNum};
use super::{DepositError, Deposited};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::{INDEX, Layout, MANIFEST, MANIFEST_DIGEST};
use crate::snapshot::manifest::{ManifestDigest, Resource, resource_name};
use crate::snapshot::scratch;
use crate::time::WarcDate;

/// An entry that may grow to 4 GiB has ZIP64 fields; deflate can add a little.
const ZIP64_FROM: u64 = 0xf000_0000;

/// Packs a sealed snapshot as `<name>.wacz` in the directory `into`, which is
/// made if need be. `progress` is told the bytes done and their sum.
pub fn wacz(
    snapshot: &Layout,
    into: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<Deposited, DepositError> {
    wacz_if(snapshot, into, progress, |_| Ok(()))
}

/// As [`wacz`]; the package gets its name only if `accept`, which is given it
/// where it is made, finds it good.
pub fn wacz_if(
    snapshot: &Layout,
    into: &Path,
    mut progress: impl FnMut(u64, u64),
    accept: impl FnOnce(&Path) -> Result<(), DepositError>,
) -> Result<Deposited, DepositError> {
    let source = Source::open(snapshot)?;
    destination(snapshot, into)?;
    let target = into.join(format!("{}.wacz", name(snapshot)));
    let part = Part::file(target.clone())?;
    let output = part.handle().try_clone();
    let output = output.map_err(DepositError::write(part.path(), "opening"))?;
    let mut package = Package {
        zip: ZipWriter::new(BufWriter::with_capacity(256 * 1024, output)),
        path: part.path(),
        time: zip_time(&source.manifest.created),
        files: 0,
    };
    let (mut done, total) = (0, source.bytes());
    let mut advance = |piece: &[u8]| {
        done += piece.len() as u64;
        progress(done, total);
    };
    let compresses = compresses_index(&source);
    let mut added = Vec::new();
    for file in &source.manifest.resources {
        if compresses && file.path == INDEX {
            added = package.add_compressed_index(&source, file, &mut advance)?;
            continue;
        }
        package.begin(&file.path, file.bytes)?;
        source.copy(file, |piece| {
            advance(piece);
            package.write(piece)
        })?;
    }
    package.add_manifest(&source, &added)?;
    let files = package.files;
    package.finish()?;
    let (sha256, bytes) =
        digest_of(part.handle()).map_err(DepositError::write(part.path(), "reading back"))?;
    accept(part.path())?;
    part.finish()?;
    Ok(Deposited {
        path: target,
        files,
        bytes,
        sha256,
        complete: source.complete(),
    })
}

/// Whether the snapshot has the plain index alone; one that brings another
/// tool's compressed index is packed as it is.
fn compresses_index(source: &Source) -> bool {
    let files = &source.manifest.resources;
    !files.iter().any(|f| f.path == BLOCKS || f.path == KEYS)
}

/// The ZIP as it grows.
struct Package<'a> {
    zip: ZipWriter<BufWriter<File>>,
    path: &'a Path,
    time: DateTime,
    files: u64,
}

impl Package<'_> {
    /// Begins a file of about `bytes` bytes. WARCs and indexes are stored as
    /// they are, to be read in place (WACZ 1.1.1 §5.4.1).
    fn begin(&mut self, file: &str, bytes: u64) -> Result<(), DepositError> {
        let in_place = file.starts_with("archive/") || file.starts_with("indexes/");
        let method = if in_place {
            CompressionMethod::Stored
        } else {
            CompressionMethod::Deflated
        };
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(self.time)
            .unix_permissions(0o644)
            .large_file(bytes >= ZIP64_FROM);
        self.files += 1;
        self.zip
            .start_file(file, options)
            .map_err(|error| DepositError::write(self.path, "writing")(error.into()))
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), DepositError> {
        self.zip
            .write_all(piece)
            .map_err(DepositError::write(self.path, "writing"))
    }

    /// Adds [`BLOCKS`] and [`KEYS`] made of a CDXJ, and gives their manifest
    /// entries.
    fn add_compressed_index(
        &mut self,
        source: &Source,
        index: &Resource,
        mut advance: impl FnMut(&[u8]),
    ) -> Result<Vec<Resource>, DepositError> {
        let scratch_failed = |error| DepositError::write(&std::env::temp_dir(), "scratch")(error);
        let keys = BufWriter::new(scratch::file().map_err(scratch_failed)?);
        let mut zipnum = ZipNum::new(keys);
        let mut blocks = Tally::new(BLOCKS);
        self.begin(BLOCKS, index.bytes)?;
        let mut emit = |member: &[u8]| {
            blocks.add(member);
            self.write(member)
        };
        source.copy(index, |piece| {
            advance(piece);
            zipnum.push(piece, &mut emit)
        })?;
        let keys = zipnum.finish(&mut emit)?;

        let mut keys = keys
            .into_inner()
            .map_err(|error| scratch_failed(error.into_error()))?;
        keys.rewind().map_err(scratch_failed)?;
        let mut tally = Tally::new(KEYS);
        let length = keys.metadata().map_err(scratch_failed)?.len();
        self.begin(KEYS, length)?;
        let mut keys = BufReader::with_capacity(64 * 1024, keys);
        loop {
            let piece = io::BufRead::fill_buf(&mut keys).map_err(scratch_failed)?;
            let n = piece.len();
            if n == 0 {
                break;
            }
            tally.add(piece);
            self.write(piece)?;
            io::BufRead::consume(&mut keys, n);
        }
        Ok(vec![blocks.resource(), tally.resource()])
    }

    /// Adds the package's own `datapackage.json`: the snapshot's, with the
    /// compressed index for the plain one; and its digest.
    fn add_manifest(&mut self, source: &Source, added: &[Resource]) -> Result<(), DepositError> {
        let manifest = manifest_json(source, added)?;
        let digest = ManifestDigest {
            path: MANIFEST.to_owned(),
            hash: Digest::sha256(&manifest).to_string(),
        };
        let mut digest = serde_json::to_vec_pretty(&digest).expect("a digest is plain data");
        digest.push(b'\n');
        for (path, json) in [(MANIFEST, manifest), (MANIFEST_DIGEST, digest)] {
            self.begin(path, json.len() as u64)?;
            self.write(&json)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), DepositError> {
        let failed = DepositError::write(self.path, "writing");
        let flush = |zip: ZipWriter<BufWriter<File>>| zip.finish()?.flush();
        flush(self.zip).map_err(failed)
    }
}

/// The manifest is edited as JSON, so that what a later version put into it
/// stays. Frictionless tools guess a table or report from a file's name and
/// then find fault with it, unless the resource says that it's a `file`.
fn manifest_json(source: &Source, added: &[Resource]) -> Result<Vec<u8>, SnapshotError> {
    let path = source.layout.path(MANIFEST);
    let bad = |reason: &str| malformed(&path, 0, reason.to_owned());
    let mut manifest: Value =
        serde_json::from_slice(&source.manifest_json).map_err(|e| bad(&e.to_string()))?;
    let resources = manifest
        .get_mut("resources")
        .and_then(Value::as_array_mut)
        .ok_or_else(|| bad("no resources"))?;
    if !added.is_empty() {
        resources.retain(|file| file["path"] != INDEX);
    }
    resources.extend(added.iter().map(|file| json!(file)));
    for resource in &mut *resources {
        let object = resource.as_object_mut();
        let object = object.ok_or_else(|| bad("a resource that is no object"))?;
        object.entry("type").or_insert_with(|| "file".into());
    }
    resources.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
    let mut json = serde_json::to_vec_pretty(&manifest).expect("JSON values are plain data");
    json.push(b'\n');
    Ok(json)
}

/// Digest and length of a file that is added while packing.
struct Tally {
    path: &'static str,
    hasher: Hasher,
    bytes: u64,
}

impl Tally {
    fn new(path: &'static str) -> Self {
        Self {
            path,
            hasher: Hasher::new(Algorithm::Sha256),
            bytes: 0,
        }
    }

    fn add(&mut self, piece: &[u8]) {
        self.hasher.update(piece);
        self.bytes += piece.len() as u64;
    }

    fn resource(self) -> Resource {
        Resource {
            name: resource_name(self.path),
            path: self.path.to_owned(),
            hash: self.hasher.finish().to_string(),
            bytes: self.bytes,
        }
    }
}

/// The time of sealing as ZIP has it: two-second steps, from 1980 on.
fn zip_time(created: &str) -> DateTime {
    let digits = created
        .parse::<WarcDate>()
        .map(|date| date.timestamp14().to_string());
    let parsed = digits.ok().and_then(|digits| {
        let field = |at: usize| digits.get(at..at + 2)?.parse::<u8>().ok();
        let year = digits.get(..4)?.parse().ok()?;
        DateTime::from_date_and_time(
            year,
            field(4)?,
            field(6)?,
            field(8)?,
            field(10)?,
            field(12)?,
        )
        .ok()
    });
    parsed.unwrap_or(DateTime::DEFAULT)
}

fn digest_of(mut file: &File) -> io::Result<(Digest, u64)> {
    file.rewind()?;
    Digest::sha256_of(Read::by_ref(&mut file))
}
