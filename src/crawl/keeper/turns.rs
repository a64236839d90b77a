//! Turns that have come.

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::fetch::Turn;
use crate::crawl::frontier::{Decision, HostId};
use crate::crawl::store::state;

impl Keeper<'_> {
    /// Every turn that has come, with its host's row. What is refused instead is
    /// settled.
    pub fn turns(&mut self) -> Result<Vec<(HostId, Turn)>, CrawlError> {
        let mut decisions = Vec::new();
        self.frontier.dispatch(&self.store, &mut decisions)?;
        self.ask_robots()?;
        decisions.append(&mut self.pending);
        let mut turns = Vec::new();
        for decision in decisions {
            match decision {
                Decision::Turn(host, turn) if self.may_ask(host, &turn.job)? => {
                    turns.push((host, turn));
                }
                Decision::Turn(host, turn) => {
                    self.frontier.finished(host, turn.job.id);
                    self.refuse(&turn.job, state::EXCLUDED, "budget-host-bytes")?;
                }
                Decision::Disallowed(job, reason) => {
                    self.refuse(&job, state::EXCLUDED, &reason)?;
                }
                Decision::Closed(job, reason) => self.refuse(&job, state::FAILED, &reason)?,
                Decision::GivenUp(host) => self.given_up(host),
            }
        }
        Ok(turns)
    }
}
