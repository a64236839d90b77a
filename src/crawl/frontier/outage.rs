//! Whether a host that answered before has gone silent, or says again and again
//! that it has too much to do; and since when.

use std::time::{Duration, Instant};

/// Failures in a row, without any answer between them, that make an outage.
const OUTAGE_AFTER: u32 = 5;
/// Probes of a silent host come at least this often.
pub const MAX_PROBE_PAUSE: Duration = Duration::from_mins(1);

/// What is known of a host.
#[derive(Default)]
pub struct Outage {
    has_answered: bool,
    failures: u32,
    since: Option<Instant>,
    /// The host itself asked to be left alone until then.
    held: Option<Instant>,
    is_given_up: bool,
    is_told: bool,
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is asked as usual.
    Up,
    /// It is only probed: its URLs wait.
    Out,
    /// It was waited for long enough: its URLs count as failed.
    GivenUp,
}

impl Outage {
    /// It answers, and whatever was before is over.
    pub fn answered(&mut self) {
        *self = Self {
            has_answered: true,
            ..Self::default()
        };
    }

    /// Whether it has.
    pub fn has_ever_answered(&self) -> bool {
        self.has_answered
    }

    /// It has answered once.
    pub fn has_answered(&mut self) {
        self.has_answered = true;
    }

    /// It asks to be left alone until then: that time is no outage.
    pub fn hold(&mut self, until: Instant) {
        self.held = self.held.max(Some(until));
    }

    /// It doesn't answer, or not what it was asked for. Only that can tell that
    /// an outage lasts for longer than is waited: time in which nobody asked
    /// tells nothing.
    pub fn failed(&mut self, patience: Duration) {
        self.failures = self.failures.saturating_add(1);
        if self.has_answered && self.failures >= OUTAGE_AFTER {
            let since = *self.since.get_or_insert_with(Instant::now);
            let since = self.held.map_or(since, |held| since.max(held));
            self.is_given_up |= since.elapsed() > patience;
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match self.since {
            None => Standing::Up,
            Some(_) if self.is_given_up => Standing::GivenUp,
            Some(_) => Standing::Out,
        }
    }

    /// How long its URLs wait before the next of them is tried.
    pub fn probe_pause(&self) -> Duration {
        let further = self.failures.saturating_sub(OUTAGE_AFTER) + 1;
        let pause = Duration::from_secs(2).saturating_mul(further);
        pause.min(MAX_PROBE_PAUSE)
    }

    /// How long a host is left alone that says that it has too much to do.
    pub fn busy_pause(&self) -> Duration {
        let pause = Duration::from_secs(1 << self.failures.saturating_sub(1).min(6));
        pause.min(MAX_PROBE_PAUSE)
    }

    /// True once an outage.
    pub fn is_news(&mut self) -> bool {
        !std::mem::replace(&mut self.is_told, true)
    }
}
