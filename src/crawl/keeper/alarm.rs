//! What the archivist must be told while there is time to do something about
//! it: on stderr, in the crawl log and in the summary.

use serde_json::json;

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::frontier::HostId;

/// Alarms that the summary repeats; the log has all.
const KEPT: usize = 20;

impl Keeper<'_> {
    /// Raises an alarm; the same is told once in the summary.
    pub(super) fn alarm(&mut self, event: &str, text: String) -> Result<(), CrawlError> {
        self.log
            .event("alarm", json!({ "what": event, "note": text }))?;
        let alarms = &mut self.progress.alarms;
        // A page may name any number of hosts that are down.
        let text = if alarms.len() < KEPT {
            text
        } else {
            "there are more alarms than these: logs/crawl.jsonl has them".to_owned()
        };
        if alarms.len() <= KEPT && !alarms.contains(&text) {
            tracing::warn!("{text}");
            alarms.push(text);
        }
        Ok(())
    }

    /// Tells that a host isn't waited for any longer.
    pub fn given_up(&mut self, host: HostId) -> Result<(), CrawlError> {
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        let patience = self.config.politeness.outage;
        self.alarm(
            "given-up",
            format!(
                "{name} has given no answer, or 429 or 503, for {patience}: what is left there \
                 counts as failed and is asked for again when the crawl is resumed"
            ),
        )
    }

    /// Tells once that a host's certificate doesn't check out.
    pub(super) fn bad_certificate(&mut self, host: HostId, reason: &str) -> Result<(), CrawlError> {
        if !self.bad_certificates.insert(host) {
            return Ok(());
        }
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        tracing::warn!("{name}: gone on past a bad certificate: {reason}");
        self.progress.notes += 1;
        let fields = json!({ "host": name, "verdict": reason });
        Ok(self.log.event("certificate", fields)?)
    }
}
