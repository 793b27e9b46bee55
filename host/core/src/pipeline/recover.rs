//! Picks up what a crash left: at the start, and whenever work that should be there is not.

use std::collections::BTreeSet;

use super::{
    commit::Commit,
    envelope::{Asked, group},
    invocation::Invocation,
    plan, record,
    roots::walk,
    run::RunRequest,
    state::{RunState, active_key, run_key},
    view::Pipeline,
};

/// How many messages of a run are looked through: more than a run has units.
const LOOK: usize = 100_000;

/// What was picked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs that are not finished.
    pub active: Vec<String>,
    /// Commits that were published.
    pub published: u64,
    /// Invocations that were asked for again.
    pub asked: u64,
    /// Runs that could not be picked up, and why: they do not keep the others from it.
    pub failed: Vec<(String, String)>,
}

impl Pipeline {
    /// Picks up all runs that are not finished.
    pub async fn recover(&self) -> anyhow::Result<Recovered> {
        let mut recovered = Recovered::default();
        let mut runs = Vec::new();
        walk(self.store.records.as_ref(), "active/", |entry| {
            runs.push(entry.key.trim_start_matches("active/").to_owned());
            Ok(())
        })
        .await?;
        for run in runs {
            if let Err(error) = self.recover_run(&run, &mut recovered).await {
                recovered.failed.push((run, format!("{error:#}")));
            }
        }
        // It is in nobody's way: the next look may do it.
        if let Err(error) = self.trials().tidy().await {
            tracing::debug!("what is left of trials can't be deleted: {error:#}");
        }
        Ok(recovered)
    }

    /// Picks up one run, if it is not finished.
    pub(super) async fn recover_run(
        &self,
        run: &str,
        recovered: &mut Recovered,
    ) -> anyhow::Result<()> {
        let records = self.store.records.as_ref();
        let request: Option<RunRequest> = record::get(records, &active_key(run)).await?;
        let Some(request) = request else {
            return Ok(());
        };
        // Who created the run may have been stopped before it wrote this.
        if self.request(run).await?.is_none() {
            record::create(records, &run_key(run), &request).await?;
        }
        let published = self.published(run).await?;
        let all: Vec<Commit> = record::all(records, &format!("commits/{run}/")).await?;
        for commit in all {
            if !published.contains(&commit.invocation.key("published")) {
                self.publish(&commit).await?;
                recovered.published += 1;
            }
        }
        let state = self.state(run).await?;
        if state.status().is_final() {
            return self.end_if_done(run).await;
        }
        recovered.active.push(run.to_owned());
        let due = plan::plan(&state).due;
        if due.is_empty() {
            return Ok(());
        }
        // What a lost worker held is handed out again before it is looked for.
        let group = group(&state.id, state.epoch);
        recovered.asked += self.store.queues.revive(&group).await?;
        let asked = self.asked(&state).await?;
        for next in due.iter().filter(|next| !asked.contains(next)) {
            self.ask(&state, next).await?;
            recovered.asked += 1;
        }
        Ok(())
    }

    /// What the run's messages ask for, be it a later attempt's: a second message would do no
    /// harm, but could do the work twice.
    async fn asked(&self, state: &RunState) -> anyhow::Result<BTreeSet<Invocation>> {
        let group = group(&state.id, state.epoch);
        let messages = self.store.queues.of_group(&group, LOOK).await?;
        let asked = messages.iter().map(|(_, message)| &message.body);
        let asked = asked.filter_map(|body| Asked::decode(body).ok());
        Ok(asked.map(|asked| asked.invocation()).collect())
    }
}
