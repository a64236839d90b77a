//! What the archivist must be told while there is time to do something about
//! it: on stderr, in the crawl log and in the summary.

use serde_json::json;

use super::Keeper;
use crate::crawl::CrawlError;
use crate::crawl::frontier::HostId;
use crate::crawl::network::News;

/// Alarms that the summary repeats; the log has all.
const KEPT: usize = 20;

impl Keeper<'_> {
    /// Raises an alarm; the same is told once in the summary.
    pub(super) fn alarm(&mut self, event: &str, text: String) {
        self.log
            .event("alarm", json!({ "what": event, "note": text }));
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
    }

    /// Tells that a host isn't waited for any longer.
    pub fn given_up(&mut self, host: HostId) {
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        let patience = self.config.politeness.outage;
        self.alarm(
            "given-up",
            format!(
                "{name} has given no answer, or 429 or 503, for {patience}: what is left there \
                 counts as failed and is asked for again when the crawl is resumed"
            ),
        );
    }

    /// Heeds what was found of the network: tries that waited for that are settled,
    /// and it's told when it is gone or there again.
    pub fn network_news(&mut self, news: Option<News>) -> Result<(), CrawlError> {
        if !self.network.is_in_doubt() {
            for mut outcome in std::mem::take(&mut self.doubtful) {
                // One that was cut has records.
                let place = self.append(&mut outcome)?;
                self.settle(outcome, place)?;
            }
        }
        let Some(news) = news else {
            return Ok(());
        };
        let host = self.network.known().map(ToString::to_string);
        let host = host.unwrap_or_default();
        let patience = self.config.politeness.outage;
        match news {
            News::Gone => self.alarm(
                "network-gone",
                format!(
                    "nobody answers any more, and {host}, which did, can't be connected to: the \
                     crawl waits for the network, for up to {patience}; no URL counts as failed for it"
                ),
            ),
            News::Back => {
                self.frontier.network_is_back();
                let fields = json!({ "host": host });
                self.log.event("network-back", fields);
            }
        }
        Ok(())
    }

    /// Tells once that a host's certificate doesn't check out.
    pub(super) fn bad_certificate(&mut self, host: HostId, reason: &str) {
        if !self.bad_certificates.insert(host) {
            return;
        }
        let name = self.frontier.key(host).map(|key| key.to_string());
        let name = name.unwrap_or_default();
        tracing::warn!("{name}: gone on past a bad certificate: {reason}");
        self.progress.notes += 1;
        let fields = json!({ "host": name, "verdict": reason });
        self.log.event("certificate", fields);
    }
}
