//! The end of a run: it is no longer active, and no message asks for anything of it.

use std::collections::BTreeSet;

use super::{
    commit::Commit,
    envelope::group,
    record,
    state::{RunState, active_key},
    view::Pipeline,
};

impl Pipeline {
    /// Takes a run out of the active ones if it has ended and all of it is published.
    pub(super) async fn end_if_done(&self, run: &str) -> anyhow::Result<()> {
        let state = self.state(run).await?;
        if !state.status().is_final() {
            return Ok(());
        }
        for commit in self.unpublished(&state).await? {
            // Where all went well, whoever committed it comes here too. Where it did not, nobody
            // may: a part that is committed beside one that failed waits for those behind it.
            if state.failure().is_none() {
                return Ok(());
            }
            self.publish_one(&commit).await?;
        }
        // In this order: after a crash in between the recoverer finds the run and comes here.
        self.sweep(&state).await?;
        let records = self.store.records.as_ref();
        records.delete(&active_key(run)).await?;
        // A replay may have reopened the run between the look and the deletion. It creates its
        // record before it creates this one, so that a second look sees it.
        let state = self.state(run).await?;
        if !state.status().is_final() {
            record::create(records, &active_key(run), state.request.as_ref()).await?;
        }
        Ok(())
    }

    async fn unpublished(&self, state: &RunState) -> anyhow::Result<Vec<Commit>> {
        let published = self.published(&state.id).await?;
        let open = |commit: &&Commit| !published.contains(&commit.invocation.key("published"));
        Ok(state.commits().filter(open).cloned().collect())
    }

    /// The keys of what is published of a run.
    pub(super) async fn published(&self, run: &str) -> anyhow::Result<BTreeSet<String>> {
        let records = self.store.records.as_ref();
        let published = record::list(records, &format!("published/{run}/")).await?;
        Ok(published.into_iter().map(|entry| entry.key).collect())
    }

    /// Takes away the messages that ask for what is done or given up. One that is on lease is
    /// lost to its receiver, who then stops. Those of a later replay are left.
    async fn sweep(&self, state: &RunState) -> anyhow::Result<()> {
        for epoch in 0..=state.epoch {
            let group = group(&state.id, epoch);
            self.store.queues.sweep(&group).await?;
        }
        Ok(())
    }
}
