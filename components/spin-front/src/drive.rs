//! Has the gateways work.
//!
//! Spin has no queue that calls a component. So whoever wants something done asks the stage that has
//! messages, the latest first, until there is nothing left that can be done now. Two that do so at
//! once take different messages, and a message that is lost with its call comes back.

use std::time::{Duration, Instant};

use septet_core::{contract::Stage, pipeline::Pipeline};
use septet_spin_kit::wait::wait;

use crate::stages::Stages;

/// The wait between two looks where others are at what is left, or it is to be tried again later.
const LOOK: Duration = Duration::from_millis(250);

/// Works for some time.
pub(crate) struct Drive<'a> {
    pipeline: &'a Pipeline,
    stages: &'a Stages,
    until: Instant,
}

impl<'a> Drive<'a> {
    pub(crate) const fn new(pipeline: &'a Pipeline, stages: &'a Stages, until: Instant) -> Self {
        Self {
            pipeline,
            stages,
            until,
        }
    }

    /// Works until the run is done; false where the time is over before.
    pub(crate) async fn run(&self, run: &str) -> anyhow::Result<bool> {
        loop {
            let state = wait(self.pipeline.state(run))?;
            if state.status().is_final() {
                return Ok(true);
            }
            if Instant::now() >= self.until {
                return Ok(false);
            }
            if self.step().await? == 0 {
                std::thread::sleep(LOOK);
            }
        }
    }

    /// Works until nothing can be done now, and gives how many messages were handled.
    pub(crate) async fn all(&self) -> anyhow::Result<u64> {
        let mut all = 0;
        while Instant::now() < self.until {
            let handled = self.step().await?;
            if handled == 0 {
                break;
            }
            all += handled;
        }
        Ok(all)
    }

    /// Has the latest stage work that has anything to do: what was begun is ended first.
    async fn step(&self) -> anyhow::Result<u64> {
        let waiting = wait(self.pipeline.store().queues.counts())?;
        let mut failed = None;
        for stage in Stage::ALL.into_iter().rev() {
            if !waiting
                .iter()
                .any(|(queue, count)| queue == stage.name() && *count > 0)
            {
                continue;
            }
            match self.stages.work(stage).await {
                Ok(0) => {}
                Ok(handled) => return Ok(handled),
                // One that can't be had must not keep the others from their work.
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(0), Err)
    }
}
