//! A crawl of which the network and the workers are left out: the caller makes up
//! what each answer names, and the keeper, its store and frontier and the sealing
//! are those of every crawl. `benches/frontier.rs` measures them by it.

use std::fs;
use std::time::Duration;

use super::fold::fold;
use super::job::{Answer, Job, Outcome, Payload, Piece, Recording, RobotsOutcome, StoredRecord};
use super::judge::judge;
use super::keeper::Keeper;
use super::named::Named;
use super::process::PRODUCT_TOKEN;
use super::progress::Stop;
use super::scope::Scope;
use super::{CrawlError, seal};
use crate::config::Config;
use crate::digest::Digest;
use crate::http::Head;
use crate::links::Hop;
use crate::robots::Robots;
use crate::snapshot::SnapshotError;
use crate::snapshot::cdxj::CdxjEntry;
use crate::snapshot::layout::Layout;
use crate::snapshot::manifest::Counts;
use crate::time::WarcDate;
use crate::url::CanonicalUrl;

/// The head of every answer.
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n";
/// Bytes that stand for a record in the WARC.
const RECORD: usize = 300;
/// Records of an exchange: response, request and metadata.
const RECORDS: u64 = 3;

/// A crawl in rehearsal.
pub struct Rehearsal<'c> {
    keeper: Keeper<'c>,
    layout: &'c Layout,
    config: &'c Config,
    scope: Scope,
}

/// A URL whose turn it is.
pub struct Visit(Job);

impl Visit {
    /// The URL.
    pub fn url(&self) -> &CanonicalUrl {
        &self.0.url
    }

    /// Whether the answer is a robots.txt.
    pub fn is_robots(&self) -> bool {
        self.0.as_robots.is_some()
    }
}

/// An answer as a worker hands it on.
pub struct Answered(Outcome);

impl<'c> Rehearsal<'c> {
    /// Begins in an empty directory.
    pub fn begin(
        layout: &'c Layout,
        config: &'c Config,
        seeds: &[CanonicalUrl],
    ) -> Result<Self, CrawlError> {
        for folder in layout.folders() {
            fs::create_dir_all(&folder).map_err(SnapshotError::io(&folder, "creating"))?;
        }
        let mut keeper = Keeper::open(layout, config, None)?;
        keeper.add_seeds(seeds)?;
        keeper.commit()?;
        keeper.load_hosts()?;
        let scope = Scope::new(config, seeds)?;
        Ok(Self {
            keeper,
            layout,
            config,
            scope,
        })
    }

    /// Begins again with what a directory holds.
    pub fn resume(
        layout: &'c Layout,
        config: &'c Config,
        seeds: &[CanonicalUrl],
    ) -> Result<Self, CrawlError> {
        let mut keeper = Keeper::open(layout, config, None)?;
        keeper.load_hosts()?;
        let scope = Scope::new(config, seeds)?;
        Ok(Self {
            keeper,
            layout,
            config,
            scope,
        })
    }

    /// Every turn that has come.
    pub fn turns(&mut self) -> Result<Vec<Visit>, CrawlError> {
        let turns = self.keeper.turns()?;
        Ok(turns.into_iter().map(|(_, turn)| Visit(turn.job)).collect())
    }

    /// What a worker makes of a page that names these.
    pub fn answer(&self, visit: Visit, links: Vec<(CanonicalUrl, Hop)>) -> Answered {
        let job = visit.0;
        let judged = judge(links, false, &job, &self.scope);
        let payload = Digest::sha256(job.url.as_str().as_bytes());
        let now = WarcDate::now();
        let robots = Robots::allow_all().rules_for(PRODUCT_TOKEN);
        let look = fold(job.url.as_str());
        let answer = Answer {
            status: Some(200),
            media_type: "text/html".into(),
            bytes: 2000 + look % 20_000,
            digest: payload.to_string(),
            time: now.timestamp14().rfc3339(),
            title: Some("A page of the rehearsal, with a title".into()),
            is_page: job.as_robots.is_none(),
            words: look,
            figures: look.rotate_left(7),
            below: judged.below,
            ..Answer::default()
        };
        Answered(Outcome {
            given_back: false,
            answer: Some(answer),
            recording: recording(&job, &payload, now),
            named: Named::of(&job.url, judged.links, &self.config.traps),
            robots: job.as_robots.map(|_| RobotsOutcome::Rules(robots)),
            elapsed: Some(Duration::from_millis(20)),
            heard: true,
            ..Outcome::given_back(job)
        })
    }

    /// Takes in an answer.
    pub fn take_in(&mut self, answered: Answered) -> Result<(), CrawlError> {
        self.keeper.absorb(answered.0)
    }

    /// Makes everything durable where that is due.
    pub fn commit_if_due(&mut self) -> Result<(), CrawlError> {
        if self.keeper.commit_is_due() {
            self.keeper.commit()?;
        }
        Ok(())
    }

    /// Makes everything durable.
    pub fn commit(&mut self) -> Result<(), CrawlError> {
        self.keeper.commit()
    }

    /// URLs by state.
    pub fn counts(&self) -> &Counts {
        &self.keeper.progress.counts
    }

    /// Writes what a snapshot is read by, as at the end of a crawl that was
    /// interrupted.
    pub fn seal(&mut self) -> Result<(), CrawlError> {
        self.keeper.commit()?;
        self.keeper.log.sync()?;
        seal::seal(self.layout, &self.keeper.store, Some(Stop::Interrupted))
    }

    /// Ends writing.
    pub fn close(self) -> Result<(), CrawlError> {
        self.keeper.close()
    }
}

/// The records of an exchange, but for their content.
fn recording(job: &Job, payload: &Digest, date: WarcDate) -> Recording {
    let url = job.url.as_str();
    let digest = payload.to_string();
    let mut entry = Some(CdxjEntry::of_response(
        url,
        date,
        &Head::parse(HEAD),
        digest,
    ));
    let name = payload.hex();
    let records = (0..RECORDS).map(|n| StoredRecord {
        id: format!("<urn:uuid:{}-{n:04}>", &name[..31]),
        offset: n * RECORD as u64,
        length: RECORD as u64,
        sha256: name.clone(),
        entry: entry.take(),
    });
    Recording {
        records: records.collect(),
        pieces: vec![Piece::Memory(vec![b'.'; RECORD * RECORDS as usize])],
        payload: job.as_robots.is_none().then(|| Payload {
            digest: payload.clone(),
            date: date.to_string(),
        }),
        ..Recording::default()
    }
}
