//! The collections that one replay serves, by name.

use std::path::Path;
use std::sync::Arc;

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
    collections: Vec<Arc<Collection>>,
    all: Option<Arc<Collection>>,
}

/// The name of all collections together.
const ALL: &str = "all";

impl Shelf {
    /// Opens every path. Of two collections with one name the later gets a
    /// number.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self, SnapshotError> {
        Self::with(paths, &Settings::default())
    }

    /// As [`Shelf::open`], with settings.
    pub fn with(paths: &[impl AsRef<Path>], settings: &Settings) -> Result<Self, SnapshotError> {
        let mut shelf = Self {
            collections: Vec::new(),
            all: None,
        };
        for path in paths {
            let mut collection = Collection::with_cache(path.as_ref(), settings.cache.as_ref())?;
            collection.name = shelf.free_name(&collection.name);
            shelf.collections.push(Arc::new(collection));
        }
        if shelf.collections.len() > 1 {
            let all = Collection::together(shelf.free_name(ALL), shelf.collections.clone());
            shelf.all = Some(Arc::new(all));
        }
        Ok(shelf)
    }

    /// A name, with a number behind it where another collection has it.
    fn free_name(&self, base: &str) -> String {
        let (mut name, mut number) = (base.to_owned(), 2);
        while self.get(&name).is_some() {
            let room = 63 - 1 - number.to_string().len();
            name = format!("{}-{number}", &base[..base.len().min(room)]);
            number += 1;
        }
        name
    }

    /// Each of them, in the order given.
    pub fn collections(&self) -> &[Arc<Collection>] {
        &self.collections
    }

    /// All of them as one, where there are several.
    pub fn all(&self) -> Option<&Collection> {
        self.all.as_deref()
    }

    /// What answers where no collection is named: all as one, or the only one.
    /// `None` where none is open.
    pub fn whole(&self) -> Option<&Collection> {
        self.all().or(self.collections.first().map(Arc::as_ref))
    }

    /// The collection with this name.
    pub fn get(&self, name: &str) -> Option<&Collection> {
        let each = self.collections.iter().map(Arc::as_ref);
        each.chain(self.all()).find(|each| each.name == name)
    }
}
