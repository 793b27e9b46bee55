//! Works until a run is finished: the trigger of a single command.

use anyhow::Context;
use tokio::task::JoinSet;

use super::{
    state::{RunState, active_key},
    worker::Worker,
};

/// After so many looks at empty queues, what is due is asked for again: a queue may lose it.
const IDLE: u32 = 40;

impl Worker {
    /// Works on whatever is in the queues until the run is finished, and gives its last state. An
    /// error is the store's: the run is not ended by it, and goes on when it is drained again.
    ///
    /// Messages of other runs are worked on too, so that what a crash left is ended.
    pub async fn drain(&self, run: &str) -> anyhow::Result<RunState> {
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let drained = self.drain_into(run, &mut tasks).await;
        // What is under way is not cut off: it would have to wait for its lease to run out.
        let mut ended = Ok(());
        while let Some(task) = tasks.join_next().await {
            let task = task.context("a worker ended").and_then(|handled| handled);
            ended = ended.and(task);
        }
        let state = drained?;
        ended.map(|()| state)
    }

    async fn drain_into(
        &self,
        run: &str,
        tasks: &mut JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<RunState> {
        let records = self.pipeline.store.records.as_ref();
        let mut idle = 0;
        loop {
            // Final only when it is published too: nobody else may come to do it.
            let state = self.pipeline.state(run).await?;
            let over = state.status().is_final();
            if over && records.get(&active_key(run)).await?.is_none() {
                return Ok(state);
            }
            let mut received = 0;
            while tasks.len() < self.policy.concurrency.max(1) {
                let Some(next) = self.receive().await? else {
                    break;
                };
                received += 1;
                let worker = self.clone();
                tasks.spawn(async move { worker.handle(&next).await });
            }
            if tasks.is_empty() {
                idle += 1;
                self.pipeline.clock.sleep(self.policy.poll).await;
                if idle % IDLE == 0 {
                    self.pipeline.recover().await?;
                }
                continue;
            }
            if received > 0 {
                idle = 0;
            }
            // Something may become visible while the others work.
            let ended = tokio::time::timeout(self.policy.poll, tasks.join_next()).await;
            if let Ok(Some(task)) = ended {
                task.context("a worker ended")??;
            }
        }
    }
}
