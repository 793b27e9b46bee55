//! A run is ended before it is done.
//!
//! There is no state for it: to cancel is to commit what is due next as cancelled. It is a race
//! with the worker for one record, as any other commit is, and so a run is never both.

use std::collections::BTreeMap;

use anyhow::bail;

use super::{
    commit::{Commit, Ending},
    plan,
    recover::Recovered,
    state::Status,
    view::Pipeline,
};
use crate::contract::Digest;

/// More than a run has steps that could be won by a worker meanwhile.
const MOST: u32 = 1000;

/// The longest name or reason that is kept, in characters.
const MAX_TEXT: usize = 200;

impl Pipeline {
    /// Ends a run for `who` and gives the status that it ends with: one that was done before stays
    /// done. What is being worked on of it is stopped by whoever works on it, within seconds.
    pub async fn cancel(&self, run: &str, who: &str) -> anyhow::Result<Status> {
        let who: String = who.chars().take(MAX_TEXT).collect();
        for _ in 0..MOST {
            let state = self.state(run).await?;
            if state.status().is_final() {
                return Ok(state.status());
            }
            let Some(next) = plan::plan(&state).due.into_iter().next() else {
                // Committed, and its worker is publishing it or gone.
                self.recover_run(run, &mut Recovered::default()).await?;
                continue;
            };
            let now = self.timestamp();
            let commit = Commit {
                component: state.request.component(next.stage)?,
                inputs: Vec::new(),
                work: Digest::of(next.to_string().as_bytes()),
                ending: Ending::Cancelled {
                    reason: format!("cancelled by {who}"),
                },
                messages: Vec::new(),
                proposals: Vec::new(),
                aliases: Vec::new(),
                used: BTreeMap::new(),
                cached: None,
                seconds: 0.0,
                peak_memory_bytes: 0,
                attempt: 0,
                started: now.clone(),
                finished: now,
                span: None,
                invocation: next,
            };
            let settled = commit.settle(self.store.records.as_ref()).await?;
            self.publish(&settled).await?;
        }
        bail!("run {run} can't be cancelled: its stages end faster than they are stopped")
    }
}
