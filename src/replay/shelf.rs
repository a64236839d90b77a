//! The collections that one replay serves, by name.

use std::path::Path;
use std::sync::Arc;

use super::remote::Remotes;
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::{Collection, is_url};
use crate::snapshot::denied::Denied;
use crate::snapshot::index_cache::IndexCache;

/// How collections are opened.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where indexes are kept that have to be made; without it nowhere.
    pub cache: Option<IndexCache>,
    /// What isn't shown to any reader.
    pub denied: Option<Arc<Denied>>,
}

/// Open collections with distinct names.
pub struct Shelf {
    collections: Vec<Arc<Collection>>,
    all: Option<Arc<Collection>>,
    /// Each of these with what is marked among its captures, for who asks for it.
    unfiltered: Vec<Collection>,
}

/// The name of all collections together.
const ALL: &str = "all";
/// What is behind a collection's name where its marked captures are shown too.
const UNFILTERED: &str = "-unfiltered";

impl Shelf {
    /// Opens every path. Of two collections with one name the later gets a
    /// number.
    pub fn open(paths: &[impl AsRef<Path>]) -> Result<Self, SnapshotError> {
        Self::with(paths, &Settings::default())
    }

    /// As [`Shelf::open`], with settings.
    pub fn with(paths: &[impl AsRef<Path>], settings: &Settings) -> Result<Self, SnapshotError> {
        let mut opened: Vec<Collection> = Vec::new();
        let mut remotes = None;
        for path in paths {
            let path = path.as_ref();
            let mut collection = if is_url(path) && !path.exists() {
                let remotes = remotes.get_or_insert_with(Remotes::default);
                remotes.open(path)?
            } else {
                Collection::with_cache(path, settings.cache.as_ref())?
            };
            if let Some(denied) = &settings.denied {
                collection = collection.without(denied);
            }
            collection.name = free_name(&collection.name, |name| {
                opened.iter().any(|other| other.name == name)
            });
            opened.push(collection);
        }
        let mut names: Vec<String> = opened.iter().map(|each| each.name.clone()).collect();
        let mut free = |base: &str| {
            let name = free_name(base, |name| names.iter().any(|other| other == name));
            names.push(name.clone());
            name
        };
        let all_name = (opened.len() > 1).then(|| free(ALL));
        let mut unfiltered = Vec::new();
        let mut add = |mut collection: Collection| {
            let room = 63 - UNFILTERED.len();
            let base = &collection.name[..collection.name.len().min(room)];
            let name = free(&format!("{base}{UNFILTERED}"));
            collection.unfiltered = Some(name.clone());
            let collection = Arc::new(collection);
            unfiltered.push(Collection::ignoring_marks(name, &collection));
            collection
        };
        let collections: Vec<_> = opened.into_iter().map(&mut add).collect();
        let all = all_name.map(|name| add(Collection::together(name, collections.clone())));
        Ok(Self {
            collections,
            all,
            unfiltered,
        })
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
        let mut each = each.chain(self.all()).chain(&self.unfiltered);
        each.find(|each| each.name == name)
    }
}

/// A name, with a number behind it where another collection has it.
fn free_name(base: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let (mut name, mut number) = (base.to_owned(), 2);
    while is_taken(&name) {
        let room = 63 - 1 - number.to_string().len();
        name = format!("{}-{number}", &base[..base.len().min(room)]);
        number += 1;
    }
    name
}
