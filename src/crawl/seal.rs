//! Sealing: the store becomes the files that a snapshot is read by, each whole
//! or not at all, and the manifest last.

mod sitemaps;

use std::io::Write;
use std::panic::resume_unwind;
use std::thread;

use super::CrawlError;
use super::progress::Stop;
use super::store::{Reader, RecordOrder, Store};
use crate::digest::Digest;
use crate::snapshot::layout::{
    CONFIG, EXTRA_PAGES, INDEX, LEDGER, Layout, MANIFEST, MANIFEST_DIGEST, PAGES, RECORDS, SITEMAPS,
};
use crate::snapshot::ledger::LedgerWriter;
use crate::snapshot::manifest::{Manifest, RefersTo, Resource, Seal, WACZ_VERSION};
use crate::snapshot::pages::{self, Page};
use crate::snapshot::records::RecordsWriter;
use crate::snapshot::scratch::LineSorter;
use crate::snapshot::whole;
use crate::time::Timestamp14;

/// An error of the store or of writing, inside a file that is being written.
enum Inner {
    Store(rusqlite::Error),
    Io(std::io::Error),
}

impl From<rusqlite::Error> for Inner {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

impl From<std::io::Error> for Inner {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes a file whole from the store.
fn file<T>(
    layout: &Layout,
    path: &str,
    content: impl FnOnce(&mut dyn Write) -> Result<T, Inner>,
) -> Result<T, CrawlError> {
    let mut result = None;
    let mut failure = None;
    whole::write(&layout.path(path), |out| match content(out) {
        Ok(value) => {
            result = Some(value);
            Ok(())
        }
        Err(Inner::Io(error)) => Err(error),
        Err(Inner::Store(error)) => {
            let message = error.to_string();
            failure = Some(error);
            Err(std::io::Error::other(message))
        }
    })
    .map_err(|error| {
        failure
            .take()
            .map_or(CrawlError::Snapshot(error), CrawlError::Store)
    })?;
    Ok(result.expect("the content was written"))
}

/// Seals a snapshot whose store is committed; `stopped` says why it isn't complete.
pub fn seal(layout: &Layout, store: &Store, stopped: Option<Stop>) -> Result<(), CrawlError> {
    // The manifest lists what is there: nothing that a killed run was writing.
    for path in [MANIFEST, MANIFEST_DIGEST, CONFIG, SITEMAPS] {
        whole::clear(&layout.path(path))?;
    }
    store.rest()?;
    let unreached = stopped.map_or("", Stop::reason);
    let (records, pages) = thread::scope(|scope| {
        let urls = || seal_urls(layout, unreached);
        let other = thread::Builder::new().name("seal".into());
        let other = other.spawn_scoped(scope, urls);
        let records = seal_records(layout);
        let pages = match other {
            Ok(other) => other.join().unwrap_or_else(|panic| resume_unwind(panic)),
            // The system gives no thread.
            Err(_) => urls(),
        };
        (records, pages)
    });
    let ((record_root, records), main_page) = (records?, pages?);
    let seeds = store.seeds()?;
    let main_url = seeds
        .first()
        .map(|(url, _)| url.to_string())
        .unwrap_or_default();
    let manifest = Manifest {
        profile: "data-package".into(),
        wacz_version: WACZ_VERSION.into(),
        title: main_page
            .as_ref()
            .map_or_else(|| main_url.clone(), |page| page.title.clone()),
        created: Timestamp14::now().rfc3339(),
        software: concat!("lastlight/", env!("CARGO_PKG_VERSION")).into(),
        main_page_date: main_page.map(|page| page.ts).unwrap_or_default(),
        main_page_url: main_url,
        resources: described(layout)?,
        lastlight: Some(Seal {
            complete: stopped.is_none(),
            counts: store.counts()?,
            records,
            record_root: record_root.to_string(),
            refers_to: earlier(store)?,
            credentials: store.credentials_sent()?,
        }),
    };
    manifest.write(layout)?;
    Ok(())
}

/// The files of the snapshot with their digests, all on disk as they are.
fn described(layout: &Layout) -> Result<Vec<Resource>, CrawlError> {
    let resources = Manifest::describe(layout)?;
    for resource in &resources {
        whole::sync(&layout.path(&resource.path))?;
    }
    for folder in layout.folders() {
        whole::sync_directory(&folder)?;
    }
    Ok(resources)
}

/// Writes the list of records and the index; returns the record root and how many
/// records there are.
fn seal_records(layout: &Layout) -> Result<(Digest, u64), CrawlError> {
    let reader = Reader::open(&layout.store())?;
    let in_order = list_records(layout, &reader, RecordOrder::AsAdded)?;
    let (listed, index) = match in_order {
        Some(listed) => listed,
        None => list_records(layout, &reader, RecordOrder::Sorted)?.expect("they are sorted"),
    };
    file(layout, INDEX, |mut out| Ok(index.write_to(&mut out)?))?;
    Ok(listed)
}

/// The record root and the number of records, and their index lines.
type Listed = ((Digest, u64), LineSorter);

/// Writes the list of records; `None` where they aren't in this order.
fn list_records(
    layout: &Layout,
    reader: &Reader,
    order: RecordOrder,
) -> Result<Option<Listed>, CrawlError> {
    let mut index = LineSorter::default();
    let mut is_disordered = false;
    let listed = file(layout, RECORDS, |out| {
        let mut writer = RecordsWriter::new(out)?;
        let is_whole = reader.each_record(order, |row, entry| -> Result<(), Inner> {
            writer.add(&row)?;
            if let Some(entry) = entry {
                index.add(entry.as_bytes())?;
            }
            Ok(())
        })?;
        if is_whole {
            return Ok(writer.finish());
        }
        is_disordered = true;
        // So that the file doesn't appear.
        Err(std::io::Error::other("the records aren't in order").into())
    });
    match listed {
        Err(_) if is_disordered => Ok(None),
        listed => Ok(Some((listed?, index))),
    }
}

/// Writes what is told of URLs; returns the page of the first seed.
fn seal_urls(layout: &Layout, unreached: &str) -> Result<Option<Page>, CrawlError> {
    let reader = Reader::open(&layout.store())?;
    file(layout, LEDGER, |out| {
        let mut writer = LedgerWriter::new(out)?;
        reader.each_ledger_row(unreached, |row| -> Result<(), Inner> {
            Ok(writer.add(&row)?)
        })?;
        Ok(writer.finish()?)
    })?;
    sitemaps::write(layout, &reader, unreached)?;
    seal_pages(layout, &reader)
}

/// The snapshots that revisits of this one refer to.
fn earlier(store: &Store) -> Result<Vec<RefersTo>, CrawlError> {
    let earlier = store.earlier()?.into_iter();
    let told = earlier.map(|(manifest, name, revisits)| RefersTo {
        name,
        manifest,
        revisits,
    });
    Ok(told.collect())
}

/// Writes both page lists; returns the page of the first seed.
fn seal_pages(layout: &Layout, reader: &Reader) -> Result<Option<Page>, CrawlError> {
    let mut main_page = None;
    for (path, id, title, seeds) in [
        (PAGES, "pages", "Seed pages", true),
        (EXTRA_PAGES, "extraPages", "Other pages", false),
    ] {
        file(layout, path, |mut out| {
            pages::write_header(&mut out, id, title)?;
            reader.each_page(|row, url, title, time, is_seed| -> Result<(), Inner> {
                if is_seed == seeds {
                    let page = Page {
                        id: row.to_string(),
                        title: title.unwrap_or_else(|| url.clone()),
                        url,
                        ts: time,
                        seed: is_seed,
                    };
                    pages::write(&mut out, &page)?;
                    if is_seed && main_page.is_none() {
                        main_page = Some(page);
                    }
                }
                Ok(())
            })
        })?;
    }
    Ok(main_page)
}
