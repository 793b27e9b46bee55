//! How the calls of a component ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::Latencies;

/// Calls of one component.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// All of them.
    pub calls: u64,
    /// Those that came to nothing.
    pub errors: u64,
    /// How long the others took.
    pub latencies: Latencies,
}

impl Tally {
    /// Counts a call: how long it took, or none where it failed.
    pub fn note(&mut self, took: Option<Duration>) {
        self.calls = self.calls.saturating_add(1);
        match took {
            Some(took) => self.latencies.note(took),
            None => self.errors = self.errors.saturating_add(1),
        }
    }

    /// Adds what another has counted.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        // Who counts more errors than calls was not this program.
        self.errors = self.errors.saturating_add(other.errors).min(self.calls);
        self.latencies.add(&other.latencies);
    }
}

/// What was seen while a canary was tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// The canary's calls.
    pub canary: Tally,
    /// Those of the component in force at the same time.
    pub control: Tally,
}

impl Observed {
    /// Adds what another has seen.
    pub fn add(&mut self, other: &Self) {
        self.canary.add(&other.canary);
        self.control.add(&other.control);
    }
}
