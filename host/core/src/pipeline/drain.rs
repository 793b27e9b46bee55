//! Works until a run is finished: the trigger of a single command.

use anyhow::Context;
use tokio::task::{JoinError, JoinSet};

use super::{
    envelope::Asked,
    recover::Recovered,
    state::{RunState, active_key},
    worker::Worker,
};

/// At every so manyth look at empty queues, what is due is asked for again: a queue may lose it.
const IDLE: u32 = 40;

/// Handled messages: the run each was for, and how it went.
type Tasks = JoinSet<(String, anyhow::Result<()>)>;

impl Worker {
    /// Works on whatever is in the queues until the run is finished, and gives its last state. An
    /// error is the store's: the run is not ended by it, and goes on when it is drained again.
    ///
    /// Messages of other runs are worked on too, so that what a crash left is ended. What goes
    /// wrong with them does not keep this run.
    pub async fn drain(&self, run: &str) -> anyhow::Result<RunState> {
        let mut tasks = Tasks::new();
        let drained = self.drain_into(run, &mut tasks).await;
        // What is under way is not cut off: it would have to wait for its lease to run out.
        let mut ended = Ok(());
        while let Some(task) = tasks.join_next().await {
            ended = ended.and(outcome(task, run));
        }
        let state = drained?;
        ended.map(|()| state)
    }

    async fn drain_into(&self, run: &str, tasks: &mut Tasks) -> anyhow::Result<RunState> {
        let records = self.pipeline.store.records.as_ref();
        let mut idle = 0;
        loop {
            // As long as this is there, something of the run is to be done or to be published.
            if records.get(&active_key(run)).await?.is_none() {
                let state = self.pipeline.state(run).await?;
                if state.status().is_final() {
                    return Ok(state);
                }
            }
            self.fill(tasks).await?;
            if tasks.is_empty() {
                if idle % IDLE == 1 {
                    let mut recovered = Recovered::default();
                    self.pipeline.recover_run(run, &mut recovered).await?;
                }
                idle += 1;
                self.pipeline.clock.sleep(self.policy.poll).await;
                continue;
            }
            idle = 0;
            // Something may become visible while the others work.
            loop {
                let next = tokio::time::timeout(4 * self.policy.poll, tasks.join_next());
                match next.await {
                    Ok(Some(task)) => break outcome(task, run)?,
                    Ok(None) => break,
                    Err(_) => self.fill(tasks).await?,
                }
            }
        }
    }

    /// Begins on messages until as many are worked on as may be, or there are no more.
    async fn fill(&self, tasks: &mut Tasks) -> anyhow::Result<()> {
        while tasks.len() < self.policy.concurrency.max(1) {
            let Some(received) = self.receive().await? else {
                return Ok(());
            };
            let worker = self.clone();
            tasks.spawn(async move {
                let run = Asked::decode(&received.message.body).map(|asked| asked.run);
                (run.unwrap_or_default(), worker.handle(&received).await)
            });
        }
        Ok(())
    }
}

fn outcome(task: Result<(String, anyhow::Result<()>), JoinError>, run: &str) -> anyhow::Result<()> {
    match task.context("a worker ended")? {
        (of, Err(error)) if of == run => Err(error),
        (of, Err(error)) => {
            tracing::warn!(run = of, "{error:#}");
            Ok(())
        }
        (_, Ok(())) => Ok(()),
    }
}
