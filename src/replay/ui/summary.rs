//! What a collection is, in a few lines: from its manifest where it is
//! sealed, else from what stands in its index.

use std::io::{BufReader, Read};

use serde::Deserialize;

use super::link;
use super::moment::{Moment, clipped, size};
use crate::count::grouped;
use crate::replay::ledger::{Fate, Selection};
use crate::snapshot::SnapshotError;
use crate::snapshot::collection::{Collection, Kind};
use crate::snapshot::layout::{LEDGER, MANIFEST, PAGES};
use crate::snapshot::ledger::State;
use crate::snapshot::manifest::{Counts, Seal};
use crate::warc::RecordType;

/// So many seeds are named.
const MAX_SEEDS: usize = 12;
/// Seeds are looked for among so many pages of the seed list.
const SEED_PAGES: usize = 200;
/// Lines of the index that are read for the span of captures.
const MAX_LINES: u64 = 50_000;
/// So much of a WARC's own description is read.
const MAX_INFO: usize = 64 * 1024;
/// The title of several collections read as one.
const TOGETHER: &str = "All collections together";
/// A longer manifest isn't read for a summary.
const MAX_MANIFEST: u64 = 512 * 1024 * 1024;

/// A collection as the home page and its own page tell of it.
pub(super) struct Summary {
    pub name: String,
    pub title: String,
    pub kind: &'static str,
    pub link: String,
    pub path: String,
    /// Seeds with the addresses of their calendars.
    pub seeds: Vec<(String, String)>,
    pub first: Option<Moment>,
    pub last: Option<Moment>,
    /// URLs by final state, where a manifest tells.
    pub counts: Vec<StateCount>,
    pub discovered: Option<String>,
    /// Captures in the index; with a `+` where it is longer than was read.
    pub captures: String,
    pub complete: Option<bool>,
    pub sealed: Option<Moment>,
    pub software: String,
    /// Who captured it and what, by its own account; empty where it doesn't say.
    pub operator: String,
    pub description: String,
    pub warcs: String,
    pub bytes: String,
    pub damage: Vec<String>,
    /// Of several collections the address and name of each.
    pub parts: Vec<(String, String)>,
    pub has_ledger: bool,
}

/// How many URLs ended in a state.
pub(super) struct StateCount {
    pub state: &'static str,
    pub count: String,
    pub none: bool,
    pub link: String,
}

/// The manifest without its list of files, which can be far longer than all
/// that is shown of it.
#[derive(Default, Deserialize)]
struct Brief {
    #[serde(default)]
    title: String,
    #[serde(default)]
    created: String,
    #[serde(default)]
    software: String,
    #[serde(rename = "mainPageUrl", default)]
    main_page_url: String,
    #[serde(rename = "mainPageDate", default)]
    main_page_date: String,
    #[serde(default)]
    lastlight: Option<Seal>,
}

impl Summary {
    pub(super) fn of(collection: &Collection) -> Result<Self, SnapshotError> {
        let brief = brief(collection)?;
        let span = Span::of(collection)?;
        let (mut first, mut last) = (span.first, span.last);
        if span.cut {
            // Part of an index tells too short a span; the manifest knows better.
            first = Moment::parse(&brief.main_page_date).min(first).or(first);
            last = Moment::parse(&brief.created).max(last);
        }
        let info = info(collection);
        let seal = brief.lastlight.as_ref();
        // The numbers would tell how much is withheld.
        let counts = seal.map(|seal| seal.counts);
        let counts = counts.filter(|_| !collection.withholds());
        let plus = if span.cut { "+" } else { "" };
        let warcs = collection.warcs();
        let title = match brief.title.trim() {
            "" if collection.is_several() => TOGETHER,
            "" => &collection.name,
            title => title,
        };
        let places = collection
            .parts()
            .map(|part| part.path.display().to_string());
        Ok(Self {
            name: collection.name.clone(),
            title: clipped(title, 200),
            kind: kind_name(collection.kind),
            link: link::collection(&collection.name),
            path: places.collect::<Vec<_>>().join(", "),
            seeds: seeds(collection, &brief.main_page_url)?,
            first,
            last,
            counts: counts.map_or_else(Vec::new, |counts| by_state(&collection.name, &counts)),
            discovered: counts.map(|counts| grouped(counts.discovered)),
            captures: format!("{}{plus}", grouped(span.captures)),
            complete: seal.map(|seal| seal.complete),
            sealed: Moment::parse(&brief.created),
            software: {
                let own = [&brief.software, &info.software].into_iter();
                clipped(
                    own.into_iter().find(|s| !s.is_empty()).map_or("", |s| s),
                    80,
                )
            },
            operator: clipped(&info.operator, 200),
            description: clipped(&info.description, 500),
            warcs: grouped(warcs.len() as u64),
            bytes: size(warcs.iter().map(|warc| warc.region().len()).sum()),
            damage: collection.damage.clone(),
            parts: if collection.is_several() {
                let parts = collection.parts().map(|part| part.name.clone());
                parts.map(|name| (link::collection(&name), name)).collect()
            } else {
                Vec::new()
            },
            has_ledger: has_ledger(collection),
        })
    }
}

fn kind_name(kind: Option<Kind>) -> &'static str {
    let Some(kind) = kind else {
        return "several collections";
    };
    match kind {
        Kind::Snapshot => "snapshot",
        Kind::Warc => "WARC file",
        Kind::Wacz => "WACZ",
        Kind::Bag => "BagIt bag",
        Kind::Folder => "folder of WARC files",
    }
}

/// Whether the collection has a ledger to show.
pub(super) fn has_ledger(collection: &Collection) -> bool {
    let container = collection.container();
    container.is_some_and(|container| container.open(LEDGER).is_ok())
}

fn brief(collection: &Collection) -> Result<Brief, SnapshotError> {
    let Some(container) = collection.container() else {
        return Ok(Brief::default());
    };
    let file = match container.open(MANIFEST) {
        Ok(file) => file,
        Err(SnapshotError::Missing { .. }) => return Ok(Brief::default()),
        Err(error) => return Err(error),
    };
    // `verify` says what is wrong with a manifest; a reader can do without it.
    Ok(serde_json::from_reader(BufReader::new(file.take(MAX_MANIFEST))).unwrap_or_default())
}

/// What the first record of the first WARC says of the whole.
#[derive(Default)]
struct Info {
    operator: String,
    description: String,
    software: String,
}

fn info(collection: &Collection) -> Info {
    let mut info = Info::default();
    let Some(warc) = collection.warcs().first() else {
        return info;
    };
    let mut reader = warc.reader();
    // What can't be read says nothing; `verify` says why.
    let Ok(Some(mut record)) = reader.next_record() else {
        return info;
    };
    if record.header.record_type() != RecordType::Warcinfo {
        return info;
    }
    let block = record.block(MAX_INFO).unwrap_or_default();
    for line in String::from_utf8_lossy(&block).lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let field = match name.trim().to_ascii_lowercase().as_str() {
            "operator" => &mut info.operator,
            "description" => &mut info.description,
            "software" => &mut info.software,
            _ => continue,
        };
        if field.is_empty() {
            value.trim().clone_into(field);
        }
    }
    info
}

fn by_state(collection: &str, counts: &Counts) -> Vec<StateCount> {
    let shown = State::ALL.into_iter().map(|state| {
        let (number, fate) = (counts.of(state), Fate::One(state));
        let selection = Selection {
            fate,
            ..Selection::default()
        };
        StateCount {
            state: state.as_str(),
            count: grouped(number),
            none: number == 0,
            link: link::ledger(collection, &selection),
        }
    });
    shown.collect()
}

fn seeds(collection: &Collection, main_page: &str) -> Result<Vec<(String, String)>, SnapshotError> {
    let mut seeds: Vec<String> = Vec::new();
    for part in collection.parts() {
        // A list that can't be opened is told of where pages are listed.
        let Ok(Some(listed)) = part.page_list(PAGES) else {
            continue;
        };
        for page in listed.take(SEED_PAGES) {
            let page = page.map_err(SnapshotError::io(&part.path, "reading the pages"))?;
            if page.seed && !seeds.contains(&page.url) && seeds.len() < MAX_SEEDS {
                seeds.push(page.url);
            }
        }
    }
    if seeds.is_empty() && !main_page.is_empty() && !collection.denies(main_page) {
        seeds.push(main_page.to_owned());
    }
    let linked = seeds.into_iter().map(|seed| {
        let link = link::captures(&collection.name, &seed);
        (clipped(&seed, 200), link)
    });
    Ok(linked.collect())
}

/// The times between which captures were made.
struct Span {
    first: Option<Moment>,
    last: Option<Moment>,
    captures: u64,
    /// The index is longer than was read.
    cut: bool,
}

impl Span {
    fn of(collection: &Collection) -> Result<Self, SnapshotError> {
        let failed = || SnapshotError::io(&collection.path, "reading the index");
        let mut span = Self {
            first: None,
            last: None,
            captures: 0,
            cut: false,
        };
        for line in collection.index().lines("").map_err(failed())? {
            let line = line.map_err(failed())?;
            if span.captures == MAX_LINES {
                span.cut = true;
                break;
            }
            // Name look-ups and renderings are no captures of a page.
            if line.starts_with("dns:") || line.starts_with("urn:") {
                continue;
            }
            let time = line
                .split(' ')
                .nth(1)
                .and_then(|digits| digits.parse().ok());
            let Some(moment) = time.map(Moment) else {
                continue;
            };
            span.captures += 1;
            span.first = Some(span.first.map_or(moment, |first| first.min(moment)));
            span.last = Some(span.last.map_or(moment, |last| last.max(moment)));
        }
        Ok(span)
    }
}
