//! Calls of a stage that ended well, to be done again by another component: what it answers is held
//! against what was committed.
//!
//! It finds such calls and judges an answer as a commit would. It must not run or commit anything.

use super::{
    check::checked, commit::Commit, invocation::Invocation, plan, state::RunState, view::Pipeline,
};
use crate::contract::{Call, Digest, Disposition, Executed, Outcome, Stage};

/// How many of the newest runs are looked through.
const RUNS: usize = 50;

/// How long a call may have taken to be chosen, in seconds: whoever swaps a stage waits for it.
const SECONDS: f64 = 30.0;

/// A call whose answer is known.
#[derive(Clone, Debug)]
pub struct Golden {
    /// The run and the unit of it, for people.
    pub name: String,
    /// What was asked, of the component that was in force then.
    pub call: Call,
    /// What was committed.
    pub outcome: Outcome,
    /// Wall clock, then.
    pub seconds: f64,
    /// The most linear memory that the component had, then.
    pub peak_memory_bytes: u64,
}

impl Golden {
    /// The outcome in `executed`, if it could have been committed; else why not.
    pub fn judge(&self, executed: Executed) -> Result<Outcome, String> {
        match checked(&self.call, false, executed).disposition {
            Disposition::Ok(outcome) => Ok(outcome),
            Disposition::Rejected { reason } => Err(format!("it rejected the input: {reason}")),
            Disposition::Retry { reason, .. } => {
                Err(format!("it asked to be tried again: {reason}"))
            }
            Disposition::Failed { reason, .. } => Err(reason),
        }
    }
}

impl Pipeline {
    /// The newest calls of `stage` that ended well, no two of them the same work: at most `most`,
    /// each with at most so many `bytes` of inputs, all of which are still in the store.
    pub async fn golden(
        &self,
        stage: Stage,
        most: usize,
        bytes: u64,
    ) -> anyhow::Result<Vec<Golden>> {
        let mut found = Vec::new();
        let mut works: Vec<Digest> = Vec::new();
        for run in &self.newest(RUNS).await? {
            // A run that can't be read is no reason to refuse a component.
            let Ok(state) = self.state(run).await else {
                continue;
            };
            let mut commits: Vec<&Commit> = state.commits().collect();
            commits.retain(|commit| commit.invocation.stage == stage);
            for commit in commits {
                if found.len() >= most {
                    return Ok(found);
                }
                if works.contains(&commit.work) || commit.seconds > SECONDS {
                    continue;
                }
                if let Ok(Some(golden)) = self.golden_of(&state, commit, bytes).await {
                    works.push(commit.work);
                    found.push(golden);
                }
            }
        }
        Ok(found)
    }

    async fn golden_of(
        &self,
        state: &RunState,
        commit: &Commit,
        bytes: u64,
    ) -> anyhow::Result<Option<Golden>> {
        let Some(outcome) = commit.outcome() else {
            return Ok(None);
        };
        // An external stage need not give all that a component must: the two can't be held against
        // each other here.
        if self.standing().is_own(&commit.component) {
            return Ok(None);
        }
        let size: u64 = commit.inputs.iter().map(|input| input.size).sum();
        if size > bytes {
            return Ok(None);
        }
        let invocation: &Invocation = &commit.invocation;
        let mut call = plan::call(state, invocation, self, commit.attempt).await?;
        // As it was, and not as the registry would have it now.
        call.inputs.clone_from(&commit.inputs);
        call.aliases.clone_from(&commit.aliases);
        let versions = call
            .aliases
            .iter()
            .filter_map(|alias| alias.version.as_ref());
        let bundles = versions.map(|version| version.bundle);
        let inputs = call.inputs.iter().map(|input| input.digest);
        let outputs = outcome.outputs.iter().map(|output| output.digest);
        let needed = bundles.chain(inputs).chain(outputs);
        for digest in needed.chain(call.transforms.iter().copied()) {
            if self.store.blobs.touch(&digest).await?.is_none() {
                return Ok(None);
            }
        }
        Ok(Some(Golden {
            name: format!("run {}, unit {}", invocation.run, invocation.unit),
            call,
            outcome: outcome.clone(),
            seconds: commit.seconds,
            peak_memory_bytes: commit.peak_memory_bytes,
        }))
    }
}
