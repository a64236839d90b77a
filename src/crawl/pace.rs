//! When a host may be asked again at the earliest. The frontier and the host's
//! lanes share it, so that turns which were given out before the host asked for
//! a pause keep to it.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A moment that only moves on.
#[derive(Debug)]
pub struct Pace(Mutex<Instant>);

impl Pace {
    /// From now on.
    pub fn new() -> Self {
        Self(Mutex::new(Instant::now()))
    }

    /// Nothing is asked before `until`.
    pub fn hold(&self, until: Instant) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = (*held).max(until);
    }

    /// The earliest moment, as it stands now.
    pub fn earliest(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
