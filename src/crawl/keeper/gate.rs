//! robots.txt before anything else of a host: asked for once, or read back
//! from our own WARC when a crawl goes on.

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::frontier::{Decision, Gate, HostId};
use crate::crawl::job::{Hop, Job, Path, RobotsOutcome};
use crate::crawl::process::{robots_rules, without_rules};
use crate::crawl::store::state;
use crate::http::{Head, MAX_HEAD_BYTES};
use crate::net::Spool;
use crate::snapshot::SnapshotError;
use crate::snapshot::layout::ARCHIVE;
use crate::url::{CanonicalUrl, HostKey};
use crate::warc::Reader;

impl Keeper<'_> {
    /// Sees to the robots.txt of every host that needs it.
    pub fn ask_robots(&mut self) -> Result<(), CrawlError> {
        for (id, key) in self.frontier.wanting_robots() {
            let url = key.robots_url();
            self.robots_turn(id, &key, url, Path::default().then(Hop::Prerequisite))?;
        }
        Ok(())
    }

    /// Sets a host's gate by what its robots.txt gave.
    pub(super) fn open_gate(
        &mut self,
        host: HostId,
        job: &Job,
        robots: RobotsOutcome,
    ) -> Result<(), CrawlError> {
        match robots {
            RobotsOutcome::Rules(rules) => self.frontier.open(host, Gate::Open(Some(rules))),
            RobotsOutcome::Unavailable(reason) => self.frontier.open(host, Gate::Closed(reason)),
            RobotsOutcome::Refused(reason) => self.frontier.open(host, Gate::Refused(reason)),
            RobotsOutcome::Redirect(target) => {
                let key = job.robots_for.clone().unwrap_or_else(|| job.host());
                self.robots_turn(host, &key, target, job.path.then(Hop::Redirect))?;
            }
        }
        Ok(())
    }

    fn robots_turn(
        &mut self,
        gate_host: HostId,
        robots_for: &HostKey,
        url: CanonicalUrl,
        path: Path,
    ) -> Result<(), CrawlError> {
        self.add(&path, None, &url, None, 0)?;
        let Some((id, state)) = self.store.find(url.as_str())? else {
            return Ok(());
        };
        let job = Job {
            id,
            url,
            path,
            via: None,
            via_bytes: 0,
            barren: 0,
            tries: 0,
            robots_for: Some(robots_for.clone()),
        };
        match state {
            state::QUEUED => {
                let own_host = self.host(&job.host())?;
                self.frontier.hold(own_host, job.id);
                if let Some(turn) = self.frontier.robots_turn(gate_host, job) {
                    self.pending.push(Decision::Turn(gate_host, turn));
                }
                Ok(())
            }
            state::CAPTURED => match self.recorded_robots(&job)? {
                Some(outcome) => self.open_gate(gate_host, &job, outcome),
                None => {
                    self.frontier.open(gate_host, Gate::Open(None));
                    Ok(())
                }
            },
            state => {
                let reason = self.store.reason(job.id)?.unwrap_or_default();
                let gate = match state {
                    state::EXCLUDED => Gate::Refused(reason),
                    // These tell of robots.txt itself, the others of the host.
                    _ if reason.starts_with("status-") || reason.starts_with("cut:") => {
                        Gate::Closed(without_rules(&reason))
                    }
                    _ => Gate::Closed(reason),
                };
                self.frontier.open(gate_host, gate);
                Ok(())
            }
        }
    }

    /// What the robots.txt in our WARC says.
    fn recorded_robots(&mut self, job: &Job) -> Result<Option<RobotsOutcome>, CrawlError> {
        let Some((filename, offset, _)) = self.store.place(job.url.as_str())? else {
            return Ok(None);
        };
        let path = self.layout.path(ARCHIVE).join(&filename);
        let io_error = |doing| SnapshotError::io(&path, doing);
        let mut file = std::fs::File::open(&path).map_err(io_error("opening"))?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(offset))
            .map_err(io_error("reading"))?;
        let mut reader = Reader::at(filename, file, offset);
        let Some(mut record) = reader.next_record().map_err(SnapshotError::from)? else {
            return Ok(None);
        };
        let limit = MAX_HEAD_BYTES + super::super::robots::READ_LIMIT * 4;
        let block = record.block(limit).map_err(SnapshotError::from)?;
        let mut spool = Spool::new(&self.layout.spool(), usize::MAX);
        spool.write(&block).map_err(io_error("reading"))?;
        let head = Head::parse(&block);
        Ok(Some(robots_rules(
            &job.url,
            job.path.redirects(),
            &head,
            &spool,
        )))
    }
}
