//! Swaps that were refused. They change nothing, so they are no part of the log; the newest are kept
//! for whoever asks why what was sent is not in force.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::book::Swaps;
use crate::{
    contract::{Digest, Stage},
    pipeline::record,
};

/// How many refusals of a stage are kept.
const KEPT: usize = 1000;

/// After how many refusals of this process the oldest are taken away: to look for them costs more than
/// to write one.
const TRIM: u64 = 50;

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 2000;

/// A swap that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Which stage.
    pub stage: Stage,
    /// What was sent; none where it was too large to be looked at.
    pub component: Option<Digest>,
    /// The step that refused it: `size`, `world`, `golden`, …
    pub step: String,
    /// Why.
    pub reason: String,
    /// Who sent it.
    pub who: String,
    /// RFC 3339, UTC.
    pub when: String,
}

fn prefix(stage: Stage) -> String {
    format!("refused/{stage}/")
}

impl Swaps {
    /// Writes a refusal down.
    pub async fn refuse(
        &self,
        stage: Stage,
        component: Option<Digest>,
        (step, reason, who): (&str, &str, &str),
    ) -> anyhow::Result<()> {
        let refusal = Refusal {
            stage,
            component,
            step: step.to_owned(),
            reason: reason.chars().take(MAX_REASON).collect(),
            who: who.to_owned(),
            when: self.clock.timestamp(),
        };
        let records = self.records.as_ref();
        let key = format!("{}{}", prefix(stage), Uuid::now_v7());
        let created = record::create(records, &key, &refusal).await;
        created.context("the refusal can't be written down")?;
        if self.counted().is_multiple_of(TRIM) {
            let there = record::list(records, &prefix(stage)).await?;
            // Identifiers begin with their time: the first are the oldest.
            let old = there.len().saturating_sub(KEPT);
            for entry in there.iter().take(old) {
                records.delete(&entry.key).await?;
            }
        }
        Ok(())
    }

    /// The newest refusals of a stage, the last one last.
    pub async fn refusals(&self, stage: Stage) -> anyhow::Result<Vec<Refusal>> {
        let all = record::all(self.records.as_ref(), &prefix(stage)).await?;
        let old = all.len().saturating_sub(KEPT);
        Ok(all.into_iter().skip(old).collect())
    }
}
