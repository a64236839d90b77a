//! The entries of a WACZ: each read through to its CRC, and its local header
//! compared with the directory, which are two tellings of one thing.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use zip::ZipArchive;

use super::fixity::{Files, Measured};
use super::{Findings, Location, Meter, Severity, zip_structure};
use crate::digest::Algorithm;

/// Tells what other readers may make other files of, and bytes that are in no
/// file. Lastlight writes no such ZIP.
pub(super) fn outline(path: &Path, is_ours: bool, findings: &mut Findings) {
    // What can't be read at all is told when it is measured.
    let Ok(irregular) = File::open(path).and_then(|file| zip_structure::irregular(&file)) else {
        return;
    };
    for found in irregular {
        let severity = if found.ambiguous || is_ours {
            Severity::Error
        } else {
            Severity::Warning
        };
        let location = Location::file(path.to_string_lossy());
        findings.add(severity, "zip-structure", None, location, found.message);
    }
}

/// Measures every entry.
pub(super) fn measure(path: &Path, meter: &Meter, findings: &mut Findings) -> Files {
    let mut files = Files::new();
    let whole = || Location::file(path.to_string_lossy());
    let opened = File::open(path).and_then(|file| Ok((file.try_clone()?, file)));
    let (file, stream) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            findings.error("file-unreadable", whole(), error.to_string());
            return files;
        }
    };
    let mut archive = match ZipArchive::new(io::BufReader::new(stream)) {
        Ok(archive) => archive,
        Err(error) => {
            findings.error("zip-unreadable", whole(), error.to_string());
            return files;
        }
    };
    for at in 0..archive.len() {
        let mut entry = match archive.by_index(at) {
            Ok(entry) => entry,
            Err(error) => {
                let message = format!("entry {at} of the ZIP can't be read: {error}");
                findings.error("zip-unreadable", whole(), message);
                continue;
            }
        };
        if entry.is_dir() {
            continue;
        }
        let name = match entry.name() {
            Ok(name) => name.into_owned(),
            Err(error) => {
                findings.error("zip-unreadable", whole(), error.to_string());
                continue;
            }
        };
        if let Err(reason) = local_header(&file, entry.header_start(), &Directory::of(&entry)) {
            let location = Location::file(&name).at(entry.header_start());
            findings.error("zip-header", location, reason);
        }
        match Measured::of(&mut entry, &[Algorithm::Sha256], meter) {
            Ok(measured) => {
                files.insert(name, measured);
            }
            Err(error) => {
                let message = format!("{error}: its bytes aren't those that the ZIP was made of");
                findings.error("zip-crc", Location::file(&name), message);
            }
        }
    }
    files
}

/// What the ZIP's directory says of an entry.
struct Directory {
    name: Vec<u8>,
    crc32: u32,
    stored: u64,
    size: u64,
}

impl Directory {
    fn of<R: Read>(entry: &zip::read::ZipFile<'_, R>) -> Self {
        Self {
            name: entry.name_raw().to_vec(),
            crc32: entry.crc32(),
            stored: entry.compressed_size(),
            size: entry.size(),
        }
    }
}

/// Compares the local header (APPNOTE 4.3.7) with the directory. Sizes and CRC
/// may stand behind the data instead (general purpose bit 3), and are then 0
/// here; sizes may stand in a ZIP64 field.
fn local_header(file: &File, start: u64, directory: &Directory) -> Result<(), String> {
    const LENGTH: usize = 30;
    let mut header = [0; LENGTH];
    file.read_exact_at(&mut header, start)
        .map_err(|error| error.to_string())?;
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let mut name = vec![0; usize::from(u16_at(26))];
    file.read_exact_at(&mut name, start + LENGTH as u64)
        .map_err(|error| error.to_string())?;
    let streamed = u16_at(6) & 8 != 0;
    let size_fits = |found: u32, stated: u64| {
        u64::from(found) == stated || found == u32::MAX || (streamed && found == 0)
    };
    let crc_fits = u32_at(14) == directory.crc32 || (streamed && u32_at(14) == 0);
    if header.starts_with(b"PK\x03\x04")
        && name == directory.name
        && crc_fits
        && size_fits(u32_at(18), directory.stored)
        && size_fits(u32_at(22), directory.size)
    {
        Ok(())
    } else {
        Err("its header in the ZIP contradicts the ZIP's directory".to_owned())
    }
}
