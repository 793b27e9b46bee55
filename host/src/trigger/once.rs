//! One run, worked off in this process: what a command of the command line starts.

use std::sync::Arc;

use async_trait::async_trait;

use crate::{
    contract::{Call, Executed, Stage},
    pipeline::{Executor, Observer, Pipeline, Progress, RunRequest, RunState, Worker},
    stage::{Control, StageExecutor},
    swap::Overlay,
};

/// The stages of this process, as the pipeline sees them.
pub struct Stages(pub Arc<StageExecutor>);

#[async_trait]
impl Executor for Stages {
    async fn execute(&self, call: Call, progress: Progress) -> anyhow::Result<Executed> {
        let control = Control::new().with_progress(progress);
        self.0.execute(call, &control).await
    }

    async fn rehearse(&self, call: Call) -> anyhow::Result<Option<Executed>> {
        let blobs = Overlay::over(self.0.blobs());
        let control = Control::new();
        self.0.over(blobs).execute(call, &control).await.map(Some)
    }

    fn grants(&self, stage: Stage) -> String {
        self.0.catalog().grants().canonical(stage)
    }
}

/// Starts runs and works until they are finished.
pub struct Once {
    pipeline: Pipeline,
    worker: Worker,
}

impl Once {
    /// A trigger for runs of `pipeline`, on the stages of this process.
    pub fn new(
        pipeline: Pipeline,
        stages: Arc<StageExecutor>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let worker = Worker::new(pipeline.clone(), Arc::new(Stages(stages)), observer);
        Self { pipeline, worker }
    }

    /// Picks up what an earlier process left, creates the run, and works until it is finished.
    /// A run that was rejected or failed is no error: its state says so.
    pub async fn run(&self, request: RunRequest) -> anyhow::Result<RunState> {
        self.recover(None).await?;
        let run = self.pipeline.start(request).await?;
        self.worker.drain(&run).await
    }

    /// Works until a run that is there already is finished.
    pub async fn resume(&self, run: &str) -> anyhow::Result<RunState> {
        self.recover(Some(run)).await?;
        self.worker.drain(run).await
    }

    /// Picks up what an earlier process left, and says so: it takes time of this one.
    async fn recover(&self, own: Option<&str>) -> anyhow::Result<()> {
        let recovered = self.pipeline.recover().await?;
        for run in recovered
            .active
            .iter()
            .filter(|run| own != Some(run.as_str()))
        {
            tracing::warn!("run {run} was interrupted: it is worked on along with this one");
        }
        for (run, why) in &recovered.failed {
            tracing::warn!("run {run} can't be picked up: {why}");
        }
        Ok(())
    }
}
