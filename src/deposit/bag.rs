//! A snapshot as a BagIt 1.0 bag (RFC 8493): the files as they are below
//! `data/`, without `state/`, and tag files that fix every byte by SHA-256 and
//! SHA-512.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::part::{BAG_DECLARATION, Part};
use super::source::{Source, destination, name};
use super::{DepositError, Deposited};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::snapshot::layout::{Layout, MANIFEST, MANIFEST_DIGEST};
use crate::snapshot::whole;
use crate::time::Timestamp14;

const MANIFESTS: [&str; 2] = ["manifest-sha256.txt", "manifest-sha512.txt"];
const TAG_MANIFESTS: [&str; 2] = ["tagmanifest-sha256.txt", "tagmanifest-sha512.txt"];

/// Packs a sealed snapshot as the bag `<name>-bag` in the directory `into`,
/// which is made if need be. `progress` is told the bytes done and their sum.
pub fn bag(
    snapshot: &Layout,
    into: &Path,
    progress: impl FnMut(u64, u64),
) -> Result<Deposited, DepositError> {
    bag_if(snapshot, into, progress, |_| Ok(()))
}

/// As [`bag`]; the package gets its name only if `accept`, which is given it
/// where it is made, finds it good.
pub fn bag_if(
    snapshot: &Layout,
    into: &Path,
    mut progress: impl FnMut(u64, u64),
    accept: impl FnOnce(&Path) -> Result<(), DepositError>,
) -> Result<Deposited, DepositError> {
    let source = Source::open(snapshot)?;
    destination(snapshot, into)?;
    let target = into.join(format!("{}-bag", name(snapshot)));
    let part = Part::bag(target.clone())?;
    let mut bag = Bag {
        root: part.path(),
        tags: Vec::new(),
        folders: BTreeSet::new(),
    };
    // First, since it is how an interrupted bag is known as such.
    let declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
    bag.add_tag(BAG_DECLARATION, declaration.as_bytes())?;

    let mut payload = Payload::begin(bag.root)?;
    let (mut done, total) = (0, source.bytes());
    for file in &source.manifest.resources {
        let mut output = bag.create(&file.path)?;
        let mut sha512 = Hasher::new(Algorithm::Sha512);
        let sha256 = source.copy(file, |piece| {
            sha512.update(piece);
            done += piece.len() as u64;
            progress(done, total);
            let written = output.file.write_all(piece);
            written.map_err(DepositError::write(&output.path, "writing"))
        })?;
        output.sync()?;
        payload.add(&file.path, &[sha256, sha512.finish()], file.bytes)?;
    }
    let manifest = Some(&source.manifest_json).map(|json| (MANIFEST, json));
    let digest = source.digest_json.as_ref().map(|j| (MANIFEST_DIGEST, j));
    for (path, json) in manifest.into_iter().chain(digest) {
        let mut output = bag.create(path)?;
        let written = output.file.write_all(json);
        written.map_err(DepositError::write(&output.path, "writing"))?;
        output.sync()?;
        payload.add(path, &digests(json), json.len() as u64)?;
    }
    let (files, bytes) = (payload.files, payload.bytes);
    for (manifest, digests) in payload.finish()? {
        bag.tags.push((manifest, digests));
    }
    let about = bag_info(&source, &name(snapshot), files, bytes);
    bag.add_tag("bag-info.txt", about.as_bytes())?;
    let sha256 = bag.finish()?;
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

/// A bag as it grows.
struct Bag<'a> {
    root: &'a Path,
    /// Tag files with their digests.
    tags: Vec<(&'static str, [Digest; 2])>,
    /// Folders that were made, to be synced.
    folders: BTreeSet<PathBuf>,
}

impl Bag<'_> {
    /// Makes a file of the payload, with its folders.
    fn create(&mut self, relative: &str) -> Result<Output, DepositError> {
        let path = self.root.join("data").join(relative);
        let folder = path.parent().unwrap_or(self.root);
        if !self.folders.contains(folder) {
            fs::create_dir_all(folder).map_err(DepositError::write(folder, "making"))?;
            let above = folder.ancestors().take_while(|path| *path != self.root);
            self.folders.extend(above.map(Path::to_owned));
        }
        Output::create(path)
    }

    fn add_tag(&mut self, file: &'static str, content: &[u8]) -> Result<(), DepositError> {
        whole::write(&self.root.join(file), |out| out.write_all(content))?;
        self.tags.push((file, digests(content)));
        Ok(())
    }

    /// Writes the tag manifests and syncs every folder. Gives the SHA-256 of
    /// the first tag manifest.
    fn finish(mut self) -> Result<Digest, DepositError> {
        self.tags.sort_unstable();
        let mut first = None;
        for (at, file) in TAG_MANIFESTS.into_iter().enumerate() {
            let mut content = String::new();
            for (tag, digests) in &self.tags {
                content += &digests[at].hex();
                content += &["  ", tag, "\n"].concat();
            }
            whole::write(&self.root.join(file), |out| {
                out.write_all(content.as_bytes())
            })?;
            first.get_or_insert_with(|| Digest::sha256(content.as_bytes()));
        }
        for folder in &self.folders {
            whole::sync_directory(folder)?;
        }
        Ok(first.expect("there are two tag manifests"))
    }
}

/// A new file of the bag, synced before the bag appears.
struct Output {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self, DepositError> {
        let file = File::create_new(&path).map_err(DepositError::write(&path, "creating"))?;
        let file = BufWriter::new(file);
        Ok(Self { path, file })
    }

    fn sync(mut self) -> Result<(), DepositError> {
        self.file
            .flush()
            .and_then(|()| self.file.get_ref().sync_all())
            .map_err(DepositError::write(&self.path, "writing"))
    }
}

/// The payload manifests, written as the payload is copied.
struct Payload {
    manifests: [(Output, [Hasher; 2]); 2],
    files: u64,
    bytes: u64,
}

impl Payload {
    fn begin(root: &Path) -> Result<Self, DepositError> {
        let begin = |at: usize| {
            let output = Output::create(root.join(MANIFESTS[at]))?;
            Ok::<_, DepositError>((output, ALGORITHMS.map(Hasher::new)))
        };
        Ok(Self {
            manifests: [begin(0)?, begin(1)?],
            files: 0,
            bytes: 0,
        })
    }

    fn add(&mut self, path: &str, digests: &[Digest; 2], bytes: u64) -> Result<(), DepositError> {
        for ((output, hashers), digest) in self.manifests.iter_mut().zip(digests) {
            let line = format!("{}  data/{}\n", digest.hex(), encoded(path));
            for hasher in hashers {
                hasher.update(line.as_bytes());
            }
            let written = output.file.write_all(line.as_bytes());
            written.map_err(DepositError::write(&output.path, "writing"))?;
        }
        self.files += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The manifests' names and digests.
    fn finish(self) -> Result<Vec<(&'static str, [Digest; 2])>, DepositError> {
        let named = MANIFESTS.into_iter().zip(self.manifests);
        named
            .map(|(name, (output, hashers))| {
                output.sync()?;
                Ok((name, hashers.map(Hasher::finish)))
            })
            .collect()
    }
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Sha256, Algorithm::Sha512];

fn digests(content: &[u8]) -> [Digest; 2] {
    ALGORITHMS.map(|algorithm| {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    })
}

/// Line ends and percent signs of a path are percent-encoded (RFC 8493 §2.1.3).
fn encoded(path: &str) -> String {
    path.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// `bag-info.txt` (RFC 8493 §2.2.2).
fn bag_info(source: &Source, name: &str, files: u64, bytes: u64) -> String {
    let today = Timestamp14::now().rfc3339();
    let agent = concat!("lastlight/", env!("CARGO_PKG_VERSION"));
    let mut tags = vec![
        ("Bagging-Date", today[..10].to_owned()),
        ("Bag-Software-Agent", agent.to_owned()),
        ("External-Identifier", name.to_owned()),
    ];
    if !source.manifest.title.is_empty() {
        tags.push(("External-Description", source.manifest.title.clone()));
    }
    if source.complete() == Some(false) {
        let early = "The crawl ended early; data/reports/ledger.csv says what is missing.";
        tags.push(("Internal-Sender-Description", early.to_owned()));
    }
    let seal = source.manifest.lastlight.as_ref();
    for other in seal.map_or(&[][..], |seal| &seal.refers_to) {
        let told = format!(
            "{} captures are revisits of records in the snapshot {} (its datapackage.json: {}), \
             without which they can't be replayed.",
            other.revisits, other.name, other.manifest
        );
        tags.push(("Internal-Sender-Description", told));
    }
    tags.push(("Payload-Oxum", format!("{bytes}.{files}")));
    let mut text = String::new();
    for (label, value) in tags {
        // A value is one line here.
        let value = value.replace(char::is_control, " ");
        text += &[label, ": ", &value, "\n"].concat();
    }
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn rfc8493_2_1_3_line_ends_and_percent_signs_are_encoded() {
        assert_eq!(super::encoded("a\r\n100%0A.txt"), "a%0D%0A100%250A.txt");
    }
}
