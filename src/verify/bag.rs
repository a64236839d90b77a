//! BagIt bags (RFC 8493): the declaration, every payload and tag manifest, and
//! `Payload-Oxum`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::fixity::{Files, Measured};
use super::{Findings, Location, Meter, Severity};
use crate::digest::{Algorithm, Digest};
use crate::snapshot::manifest::files_below;

const DECLARATION: &str = "bagit.txt";
const INFO: &str = "bag-info.txt";
/// A manifest of a million files is 150 MB; what is larger is hostile.
const LARGEST_TAG_FILE: u64 = 512 * 1024 * 1024;

/// Checks a bag; gives what every file of it is, by its path in the bag.
pub(super) fn check(root: &Path, meter: &Meter, findings: &mut Findings) -> Files {
    let paths = match files_below(root) {
        Ok(paths) => paths,
        Err(error) => {
            let location = Location::file(root.to_string_lossy());
            findings.error("file-unreadable", location, error.to_string());
            return Files::new();
        }
    };
    declaration(root, findings);
    if paths.iter().any(|path| path == "fetch.txt") {
        let message = "parts of the payload would have to be fetched; a deposit must be whole";
        findings.add(
            Severity::Error,
            "bag-fetch",
            "RFC 8493 §2.2.3",
            Location::file("fetch.txt"),
            message,
        );
    }
    let manifests: Vec<Listing> = paths
        .iter()
        .filter_map(|path| Listing::read(root, path, findings))
        .collect();
    let files = measure(root, &paths, &manifests, meter, findings);
    for manifest in &manifests {
        manifest.compare(&files, &paths, findings);
    }
    for (tags, rule, section) in [
        (false, "bag-manifest-missing", "RFC 8493 §2.1.3"),
        (true, "bag-tag-manifest-missing", "RFC 8493 §2.2.1"),
    ] {
        if !manifests.iter().any(|manifest| manifest.tags == tags) {
            // Tag manifests are optional.
            let (severity, message) = if tags {
                (Severity::Note, "nothing vouches for the tag files")
            } else {
                (Severity::Error, "nothing vouches for the payload")
            };
            let location = Location::file(DECLARATION);
            findings.add(severity, rule, section, location, message);
        }
    }
    oxum(root, &files, findings);
    files
}

fn measure(
    root: &Path,
    paths: &[String],
    manifests: &[Listing],
    meter: &Meter,
    findings: &mut Findings,
) -> Files {
    let algorithms = |tags| {
        let named = manifests.iter().filter(|manifest| manifest.tags == tags);
        let mut all: BTreeSet<Algorithm> = named.map(|manifest| manifest.algorithm).collect();
        all.insert(Algorithm::Sha256);
        all.into_iter().collect::<Vec<_>>()
    };
    let (payload, tags) = (algorithms(false), algorithms(true));
    let mut files = Files::new();
    for path in paths {
        let algorithms = if is_payload(path) { &payload } else { &tags };
        let measured =
            File::open(root.join(path)).and_then(|file| Measured::of(file, algorithms, meter));
        match measured {
            Ok(measured) => {
                files.insert(path.clone(), measured);
            }
            Err(error) => {
                findings.error("file-unreadable", Location::file(path), error.to_string());
            }
        }
    }
    files
}

fn is_payload(path: &str) -> bool {
    path.starts_with("data/")
}

/// `bagit.txt` has two lines (RFC 8493 §2.1.1).
fn declaration(root: &Path, findings: &mut Findings) {
    let text = read_tag_file(root, DECLARATION).unwrap_or_default();
    let mut lines = text.lines();
    let version = lines
        .next()
        .and_then(|line| line.strip_prefix("BagIt-Version: "));
    let is_version = version.is_some_and(|version| {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        version
            .split_once('.')
            .is_some_and(|(major, minor)| digits(major) && digits(minor))
    });
    let encoding = lines.next() == Some("Tag-File-Character-Encoding: UTF-8");
    if !is_version || !encoding || lines.next().is_some() {
        let message = "it must say BagIt-Version: M.N and Tag-File-Character-Encoding: UTF-8";
        findings.add(
            Severity::Error,
            "bag-declaration",
            "RFC 8493 §2.1.1",
            Location::file(DECLARATION),
            message,
        );
    }
}

/// A payload or tag manifest.
struct Listing {
    path: String,
    algorithm: Algorithm,
    tags: bool,
    digests: BTreeMap<String, Digest>,
}

impl Listing {
    /// Reads the file at `path` if its name is that of a manifest.
    fn read(root: &Path, path: &str, findings: &mut Findings) -> Option<Self> {
        let (name, tags) = match path.strip_prefix("tagmanifest-") {
            Some(name) => (name, true),
            None => (path.strip_prefix("manifest-")?, false),
        };
        let label = name.strip_suffix(".txt")?;
        let algorithm = match label {
            "sha1" => Algorithm::Sha1,
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => {
                let message = format!("digests of {label:?} aren't computed here");
                findings.add(
                    Severity::Note,
                    "bag-manifest-unchecked",
                    None,
                    Location::file(path),
                    message,
                );
                return None;
            }
        };
        let text = match read_tag_file(root, path) {
            Ok(text) => text,
            Err(error) => {
                findings.error("file-unreadable", Location::file(path), error.to_string());
                return None;
            }
        };
        let mut listing = Self {
            path: path.to_owned(),
            algorithm,
            tags,
            digests: BTreeMap::new(),
        };
        for (at, line) in text.lines().enumerate() {
            if let Err(reason) = listing.line(line) {
                let message = format!("line {}: {reason}", at + 1);
                findings.error("bag-manifest-malformed", Location::file(path), message);
            }
        }
        // Any case is allowed, but no tool mixes them: a mixture is a changed byte.
        let hex = text
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        let (mut upper, mut lower) = (false, false);
        hex.flat_map(str::bytes).for_each(|b| {
            upper |= b.is_ascii_uppercase();
            lower |= b.is_ascii_lowercase();
        });
        if upper && lower {
            let message = "digests in upper and lower case";
            findings.error("bag-manifest-malformed", Location::file(path), message);
        }
        Some(listing)
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let (digest, path) = line.split_once([' ', '\t']).ok_or("no digest and path")?;
        let path = path.trim_start_matches([' ', '\t']);
        let path = path.strip_prefix('*').unwrap_or(path);
        let path = path
            .replace("%0A", "\n")
            .replace("%0D", "\r")
            .replace("%25", "%");
        let path = path.strip_prefix("./").unwrap_or(&path);
        if path.split('/').any(|part| part == "..") || path.starts_with(['/', '~']) {
            return Err(format!("{path:?} points out of the bag"));
        }
        if is_payload(path) == self.tags {
            return Err(format!("{path:?} doesn't belong in this manifest"));
        }
        if digest.len() != 2 * self.algorithm.size() {
            return Err(format!(
                "{digest:?} is no {} digest",
                self.algorithm.label()
            ));
        }
        let digest = format!("{}:{digest}", self.algorithm.label())
            .parse()
            .map_err(|error| format!("{error}"))?;
        match self.digests.insert(path.to_owned(), digest) {
            None => Ok(()),
            Some(_) => Err(format!("{path:?} is listed twice")),
        }
    }

    fn compare(&self, files: &Files, paths: &[String], findings: &mut Findings) {
        for (path, stated) in &self.digests {
            let location = Location::file(path);
            match files.get(path).and_then(|file| file.digest(self.algorithm)) {
                Some(found) if found == stated => {}
                Some(found) => {
                    let message = format!(
                        "its digest is {}, and {} says {}",
                        found.hex(),
                        self.path,
                        stated.hex()
                    );
                    findings.error("file-altered", location, message);
                }
                // Told already, where it is there and can't be read.
                None if paths.contains(path) => {}
                None => {
                    let message = format!("{} lists it, and it is gone", self.path);
                    findings.error("file-missing", location, message);
                }
            }
        }
        for path in paths {
            let covered = self.digests.contains_key(path)
                || is_payload(path) == self.tags
                || path.starts_with("tagmanifest-");
            if !covered {
                let message = format!("{} doesn't list it", self.path);
                // A tag manifest may leave tag files out, a payload manifest nothing.
                let severity = if self.tags {
                    Severity::Warning
                } else {
                    Severity::Error
                };
                let section = "RFC 8493 §3";
                findings.add(
                    severity,
                    "file-extra",
                    section,
                    Location::file(path),
                    message,
                );
            }
        }
    }
}

/// `Payload-Oxum: octets.files` (RFC 8493 §2.2.2).
fn oxum(root: &Path, files: &Files, findings: &mut Findings) {
    let Ok(text) = read_tag_file(root, INFO) else {
        return;
    };
    let stated = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("Payload-Oxum")
            .then(|| value.trim().to_owned())
    });
    let Some(stated) = stated else {
        return;
    };
    let payload = files.iter().filter(|(path, _)| is_payload(path));
    let (octets, count) = payload.fold((0, 0), |(octets, count), (_, file)| {
        (octets + file.bytes, count + 1)
    });
    let found = format!("{octets}.{count}");
    if stated != found {
        let message = format!("Payload-Oxum says {stated}, and the payload is {found}");
        findings.add(
            Severity::Error,
            "bag-oxum",
            "RFC 8493 §2.2.2",
            Location::file(INFO),
            message,
        );
    }
}

fn read_tag_file(root: &Path, path: &str) -> io::Result<String> {
    let mut text = String::new();
    let path = root.join(path);
    // A symbolic link isn't part of a bag.
    if fs::symlink_metadata(&path)?.is_file() {
        File::open(&path)?
            .take(LARGEST_TAG_FILE)
            .read_to_string(&mut text)?;
    }
    Ok(text)
}
