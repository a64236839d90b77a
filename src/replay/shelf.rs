//! The collections that one replay serves, by name.

use std::path::Path;

use crate::snapshot::SnapshotError;
use crate::snapshot::collection::Collection;
use crate::snapshot::index_cache::IndexCache;

/// How collections are opened.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where indexes are kept that have to be made; without it nowhere.
    pub cache: Option<IndexCache>,
}

/// Open collections with distinct names.
pub struct Shelf {
    collections: Vec<Collection>,
}

impl Shelf {
    /// Opens every path. Of two collections with one name the later gets a
    /// number.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self, SnapshotError> {
        Self::with(paths, &Settings::default())
    }

    /// As [`Shelf::open`], with settings.
    pub fn with(paths: &[impl AsRef<Path>], settings: &Settings) -> Result<Self, SnapshotError> {
        let mut collections: Vec<Collection> = Vec::new();
        for path in paths {
            let mut collection = Collection::with_cache(path.as_ref(), settings.cache.as_ref())?;
            let base = collection.name.clone();
            let mut number = 2;
            while collections
                .iter()
                .any(|other| other.name == collection.name)
            {
                let room = 63 - 1 - number.to_string().len();
                collection.name = format!("{}-{number}", &base[..base.len().min(room)]);
                number += 1;
            }
            collections.push(collection);
        }
        Ok(Self { collections })
    }

    /// All of them, in the order given.
    pub fn collections(&self) -> &[Collection] {
        &self.collections
    }

    /// The collection with this name.
    pub fn get(&self, name: &str) -> Option<&Collection> {
        self.collections
            .iter()
            .find(|collection| collection.name == name)
    }
}
