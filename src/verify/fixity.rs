//! Fixity: every file measured once, then compared with each manifest that
//! names it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::target::{Target, is_state};
use super::{Findings, Location, Meter, Severity, bag, zipped};
use crate::digest::{Algorithm, Digest, DigestError, Hasher};
use crate::snapshot::collection::Kind;
use crate::snapshot::container::Container;
use crate::snapshot::layout::{MANIFEST, MANIFEST_DIGEST};
use crate::snapshot::manifest::{Manifest, ManifestDigest};

/// What a file is.
pub(super) struct Measured {
    pub(super) bytes: u64,
    pub(super) digests: Vec<Digest>,
}

impl Measured {
    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<&Digest> {
        self.digests
            .iter()
            .find(|digest| digest.algorithm() == algorithm)
    }

    /// Reads everything once for all algorithms.
    pub(super) fn of(
        mut reader: impl Read,
        algorithms: &[Algorithm],
        meter: &Meter,
    ) -> io::Result<Self> {
        let mut hashers: Vec<Hasher> = algorithms.iter().copied().map(Hasher::new).collect();
        let mut buffer = vec![0; 256 * 1024];
        let mut bytes = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    for hasher in &mut hashers {
                        hasher.update(&buffer[..n]);
                    }
                    bytes += n as u64;
                    meter.read(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self {
            bytes,
            digests: hashers.into_iter().map(Hasher::finish).collect(),
        })
    }
}

/// Every file by its path as reports name it.
pub(super) type Files = BTreeMap<String, Measured>;

/// Checks every file; gives the findings and the number of files.
pub(super) fn check(target: &Target, meter: &Meter) -> (Findings, u64) {
    let mut findings = Findings::default();
    let files = match target.kind {
        Kind::Bag => bag::check(&target.path, meter, &mut findings),
        Kind::Wacz => {
            zipped::outline(&target.path, target.is_ours(), &mut findings);
            zipped::measure(&target.path, meter, &mut findings)
        }
        Kind::Snapshot | Kind::Warc | Kind::Folder => measure(target, meter, &mut findings),
    };
    if let Some(manifest) = &target.manifest {
        manifest_files(target, manifest, &files, &mut findings);
    }
    manifest_digest(target, &files, &mut findings);
    (findings, files.len() as u64)
}

fn measure(target: &Target, meter: &Meter, findings: &mut Findings) -> Files {
    let mut files = Files::new();
    let Some(container) = &target.container else {
        return files;
    };
    for path in target.files.iter().filter(|path| !is_state(path)) {
        let read = container.open(path).map_err(|error| error.to_string());
        let measured = read.and_then(|file| {
            Measured::of(file, &[Algorithm::Sha256], meter).map_err(|error| error.to_string())
        });
        match measured {
            Ok(measured) => {
                files.insert(path.clone(), measured);
            }
            Err(reason) => findings.error("file-unreadable", Location::file(path), reason),
        }
    }
    files
}

fn manifest_files(target: &Target, manifest: &Manifest, files: &Files, findings: &mut Findings) {
    let mut listed: Vec<&str> = Vec::new();
    for resource in &manifest.resources {
        listed.push(&resource.path);
        let location = target.location(&resource.path);
        let Some(file) = files.get(&location.path) else {
            if !target.has(&resource.path) {
                findings.error(
                    "file-missing",
                    location,
                    "the manifest lists it, and it is gone",
                );
            }
            continue;
        };
        if file.bytes != resource.bytes {
            let message = format!(
                "{} bytes, and the manifest says {}",
                file.bytes, resource.bytes
            );
            findings.error("file-altered", location, message);
            continue;
        }
        match resource.hash.parse::<Digest>() {
            Ok(stated) => match file.digest(stated.algorithm()) {
                Some(found) if *found == stated => {}
                Some(found) => {
                    let message = format!("its digest is {found}, and the manifest says {stated}");
                    findings.error("file-altered", location, message);
                }
                None => unchecked(findings, location, &resource.hash),
            },
            Err(DigestError::UnknownAlgorithm(_)) => unchecked(findings, location, &resource.hash),
            Err(error) => findings.error("manifest-malformed", location, error.to_string()),
        }
    }
    listed.sort_unstable();
    for path in &target.files {
        let own = path == MANIFEST || path == MANIFEST_DIGEST;
        if !own && !is_state(path) && listed.binary_search(&path.as_str()).is_err() {
            let location = target.location(path);
            findings.error("file-extra", location, "the manifest doesn't list it");
        }
    }
}

fn unchecked(findings: &mut Findings, location: Location, hash: &str) {
    let message = format!("the manifest's digest {hash:?} isn't one that is computed here");
    findings.add(Severity::Warning, "file-unchecked", None, location, message);
}

/// datapackage-digest.json against datapackage.json (WACZ 1.1.1 §5.2).
fn manifest_digest(target: &Target, files: &Files, findings: &mut Findings) {
    let Some(container) = &target.container else {
        return;
    };
    let location = target.location(MANIFEST_DIGEST);
    if !target.has(MANIFEST_DIGEST) {
        let severity = if target.is_ours() {
            Severity::Error
        } else {
            Severity::Note
        };
        let message = "nothing vouches for the manifest";
        findings.add(severity, "manifest-digest-missing", None, location, message);
        return;
    }
    let digest = match read_digest(container) {
        Ok(digest) => digest,
        Err(reason) => {
            findings.error("manifest-digest-malformed", location, reason);
            return;
        }
    };
    let Some(manifest) = files.get(&target.location(MANIFEST).path) else {
        return;
    };
    // The spelling is fixed too: a changed letter case is a changed byte.
    let found = manifest.digest(Algorithm::Sha256).map(Digest::to_string);
    if digest.path != MANIFEST {
        let message = format!("it names {:?} instead of {MANIFEST}", digest.path);
        findings.error("manifest-digest-malformed", location, message);
    } else if Some(&digest.hash) != found.as_ref() {
        let message = format!(
            "the manifest's digest is {}, and {MANIFEST_DIGEST} says {}: one of the two was changed",
            found.unwrap_or_default(),
            digest.hash
        );
        findings.error("manifest-altered", target.location(MANIFEST), message);
    }
}

fn read_digest(container: &Container) -> Result<ManifestDigest, String> {
    const LARGEST: u64 = 1024 * 1024;
    let file = container
        .open(MANIFEST_DIGEST)
        .map_err(|error| error.to_string())?;
    serde_json::from_reader(io::BufReader::new(file.take(LARGEST)))
        .map_err(|error| error.to_string())
}
