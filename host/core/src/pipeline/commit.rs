//! The record that makes an invocation done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{invocation::Invocation, record};
use crate::{
    contract::{Artifact, Blame, Digest, Outcome, PinnedAlias, Proposal, StageMessage},
    store::Records,
};

/// How an invocation ended, for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Done.
    Ok(Outcome),
    /// The input can never work.
    Rejected {
        /// For the user.
        reason: String,
    },
    /// It failed at its last attempt.
    Failed {
        /// For the record.
        reason: String,
        /// Whose fault it was.
        blame: Blame,
    },
    /// Somebody ended the run before it was done.
    Cancelled {
        /// Who, and what for.
        reason: String,
    },
}

/// All that is known of a finished invocation, and all that is published from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// Which one.
    pub invocation: Invocation,
    /// What ran it.
    pub component: Digest,
    /// What it was made from.
    pub inputs: Vec<Artifact>,
    /// The key in the ledger.
    pub work: Digest,
    /// How it ended.
    pub ending: Ending,
    /// The stage's own messages.
    pub messages: Vec<StageMessage>,
    /// Changes of the registry.
    pub proposals: Vec<Proposal>,
    /// The registry as the stage saw it.
    pub aliases: Vec<PinnedAlias>,
    /// How often each granted capability was called; empty where nothing was executed.
    pub used: BTreeMap<String, u64>,
    /// The invocation whose outcome was reused.
    pub cached: Option<Invocation>,
    /// Wall clock.
    pub seconds: f64,
    /// The most linear memory the component had.
    pub peak_memory_bytes: u64,
    /// From 1.
    pub attempt: u32,
    /// RFC 3339, UTC.
    pub started: String,
    /// RFC 3339, UTC.
    pub finished: String,
    /// The span that made it, 16 hexadecimal digits: what follows from the commit is sent from it.
    /// None where nobody worked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<String>,
}

impl Commit {
    /// The outcome, where there is one.
    pub const fn outcome(&self) -> Option<&Outcome> {
        match &self.ending {
            Ending::Ok(outcome) => Some(outcome),
            Ending::Rejected { .. } | Ending::Failed { .. } | Ending::Cancelled { .. } => None,
        }
    }

    /// The output with this name.
    pub fn output(&self, name: &str) -> Option<&Artifact> {
        let outputs = &self.outcome()?.outputs;
        outputs.iter().find(|output| output.name == name)
    }

    /// Why it came to nothing, where it did.
    pub const fn reason(&self) -> Option<&str> {
        match &self.ending {
            Ending::Ok(_) => None,
            Ending::Rejected { reason }
            | Ending::Failed { reason, .. }
            | Ending::Cancelled { reason } => Some(reason.as_str()),
        }
    }

    /// The number of the span that made it.
    pub(super) fn span(&self) -> Option<u64> {
        let span = self.span.as_deref()?;
        u64::from_str_radix(span, 16).ok().filter(|span| *span != 0)
    }

    /// Writes the record, and gives the one that counts: this, or the one that was there first.
    pub(super) async fn settle(self, records: &dyn Records) -> anyhow::Result<Self> {
        let key = self.invocation.key("commits");
        let first = record::create(records, &key, &self).await?;
        Ok(first.unwrap_or(self))
    }

    /// The commit of an invocation.
    pub(super) async fn of(
        records: &dyn Records,
        invocation: &Invocation,
    ) -> anyhow::Result<Option<Self>> {
        record::get(records, &invocation.key("commits")).await
    }
}
