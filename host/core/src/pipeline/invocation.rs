//! One call of one stage in one run.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::contract::{Digest, Stage};

/// Which call of which stage in which run.
///
/// `replay` is 0 for the first, and counts how often a final failure of it was put back to work.
/// The highest that was asked for is the one that counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The run's identifier.
    pub run: String,
    /// The stage.
    pub stage: Stage,
    /// Which of the stage's calls: the part for ingest, the round for evaluate and deploy.
    pub unit: u32,
    /// How many final failures came before.
    #[serde(default)]
    pub replay: u32,
}

impl Invocation {
    /// The first call of `unit`.
    pub fn new(run: &str, stage: Stage, unit: u32) -> Self {
        Self {
            run: run.to_owned(),
            stage,
            unit,
            replay: 0,
        }
    }

    /// The key of this invocation's record of a kind. Zeros in front keep them in order.
    pub(super) fn key(&self, kind: &str) -> String {
        let Self {
            run, stage, unit, ..
        } = self;
        match self.replay {
            0 => format!("{kind}/{run}/{stage}/{unit:06}"),
            replay => format!("{kind}/{run}/{stage}/{unit:06}~{replay:03}"),
        }
    }

    /// A message's identifier, the same whoever sends it: `what` says which of the invocation's.
    pub(super) fn message_id(&self, what: &str) -> String {
        Digest::of(format!("{self}/{what}").as_bytes()).to_string()
    }
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            run, stage, unit, ..
        } = self;
        match self.replay {
            0 => write!(f, "{run}/{stage}/{unit}"),
            replay => write!(f, "{run}/{stage}/{unit}~{replay}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_order_of_units_and_replays() {
        let invocation = |unit, replay| Invocation {
            replay,
            ..Invocation::new("r", Stage::Ingest, unit)
        };
        let keys = [(0, 0), (0, 1), (0, 12), (2, 0), (10, 0)]
            .map(|(unit, replay)| invocation(unit, replay).key("commits"));
        assert_eq!(keys[1], "commits/r/ingest/000000~001");
        assert!(keys.is_sorted());
    }
}
