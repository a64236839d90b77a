//! The index by which a collection is opened: the one that it brings, the one that was
//! kept of it, or one that is made by reading all of it.

use std::io::{self, BufWriter, Seek, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Warc;
use crate::snapshot::SnapshotError;
use crate::snapshot::container::{Container, Region};
use crate::snapshot::index_cache::{IndexCache, Key};
use crate::snapshot::indexing;
use crate::snapshot::layout::{INDEX, MANIFEST};
use crate::snapshot::scratch::{self, LineSorter};

/// The index that the container brings: plain CDXJ in place, or the
/// compressed one of other tools' WACZs, unpacked to a scratch file.
pub(super) fn existing(container: &Container) -> Result<Option<Region>, SnapshotError> {
    let files = container.files()?;
    // An unsealed snapshot may hold the index of an earlier pass.
    if matches!(container, Container::Directory(_)) && !files.iter().any(|f| f == MANIFEST) {
        return Ok(None);
    }
    let indexes: Vec<&String> = files.iter().filter(|f| f.starts_with("indexes/")).collect();
    let plain = |file: &&&String| file.ends_with(".cdxj") || file.ends_with(".cdx");
    if let Some(file) = indexes.iter().find(plain)
        && let Ok(region) = container.region(file)
    {
        return Ok(Some(region));
    }
    let packed =
        |file: &&&String| plain(file) || file.ends_with(".cdx.gz") || file.ends_with(".cdxj.gz");
    let Some(file) = indexes.iter().find(packed) else {
        return Ok(None);
    };
    let stream = container.open(file)?;
    let io_error = SnapshotError::io(&container.path().join(file), "unpacking the index");
    let unpacked: io::Result<Region> = (|| {
        let mut scratch = scratch::file()?;
        if file.ends_with(".gz") {
            io::copy(&mut MultiGzDecoder::new(stream), &mut scratch)?;
        } else {
            io::copy(&mut { stream }, &mut scratch)?;
        }
        scratch.rewind()?;
        Region::whole(scratch)
    })();
    let region = unpacked.map_err(io_error)?;
    // A ZipNum file begins with a `!meta` line, which sorts before every key.
    Ok(Some(region).filter(|region| !region.is_empty() || file.as_str() == INDEX))
}

/// The index of WARCs that bring none: the one that was kept, else a new one, which is
/// kept where that is possible.
pub(super) fn scanned(
    path: &Path,
    warcs: &[Warc],
    cache: Option<&IndexCache>,
    damage: &mut Vec<String>,
) -> io::Result<Region> {
    let key = || Key::of(path, warcs.iter().map(|w| (w.path.as_str(), w.region())));
    let keeping = cache.and_then(|cache| Some((cache, key()?)));
    if let Some((cache, key)) = &keeping
        && let Some(kept) = cache.get(key)
    {
        damage.extend(kept.damage);
        return Ok(kept.lines);
    }
    let (lines, is_sure) = scan(warcs, damage)?;
    // What changed meanwhile may have been read half old, half new.
    if let Some((cache, before)) =
        keeping.filter(|(_, before)| is_sure && key().as_ref() == Some(before))
    {
        match cache.keep(&before, &lines, damage) {
            Ok(kept) => return Ok(kept),
            Err(error) => tracing::info!("the index isn't kept for the next start: {error}"),
        }
    }
    Ok(lines)
}

/// Builds an index by reading every record. What can't be read is told in
/// `damage`; also whether another time can't go better.
fn scan(warcs: &[Warc], damage: &mut Vec<String>) -> io::Result<(Region, bool)> {
    let mut sorter = LineSorter::default();
    let mut is_sure = true;
    for found in indexing::index(warcs, &mut sorter, true, |_| ())? {
        is_sure &= !found.by_system;
        damage.extend(found.first);
    }
    let mut out = BufWriter::new(scratch::file()?);
    sorter.write_to(&mut out)?;
    out.flush()?;
    let lines = Region::whole(out.into_inner().map_err(io::IntoInnerError::into_error)?)?;
    Ok((lines, is_sure))
}
