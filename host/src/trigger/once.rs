//! One run, worked off in this process: what a command of the command line starts.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    contract::{Call, Digest, Executed},
    pipeline::{
        Comparison, Executor, Observer, Pipeline, Progress, Rehearsed, RunRequest, RunState,
        Tolerance, Worker,
    },
    shadow,
    stage::{Control, StageExecutor},
    swap::Overlay,
};

/// Bytes that a copy of a call may write: they are in memory.
const COPY: u64 = 1 << 30;

/// The stages of this process, as the pipeline sees them.
pub struct Stages(pub Arc<StageExecutor>);

#[async_trait]
impl Executor for Stages {
    async fn execute(&self, call: Call, progress: Progress) -> anyhow::Result<Executed> {
        let control = Control::new().with_progress(progress);
        self.0.execute(call, &control).await
    }

    async fn rehearse(&self, call: Call) -> anyhow::Result<Option<Rehearsed>> {
        let blobs = Overlay::over(self.0.blobs());
        let control = Control::new();
        let stages = self.0.over(Arc::clone(&blobs)).for_copies(COPY);
        let executed = stages.execute(call, &control).await?;
        let blobs = Some(blobs);
        Ok(Some(Rehearsed { executed, blobs }))
    }

    async fn compare(
        &self,
        call: &Call,
        in_force: &Executed,
        shadow: &Rehearsed,
        tolerance: &Tolerance,
    ) -> anyhow::Result<Comparison> {
        shadow::compare(&self.0, call, in_force, shadow, tolerance).await
    }

    fn grants(&self, call: &Call) -> String {
        self.0.grants(call)
    }

    fn is_external(&self, component: &Digest) -> bool {
        self.0.externals().get(component).is_some()
    }
}

/// Starts runs and works until they are finished.
pub struct Once {
    pipeline: Pipeline,
    worker: Worker,
    observer: Arc<dyn Observer>,
    /// How long the copies that shadows are given are waited for.
    patience: Duration,
}

impl Once {
    /// A trigger for runs of `pipeline`, on the stages of this process.
    pub fn new(
        pipeline: Pipeline,
        stages: Arc<StageExecutor>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let patience = Duration::from_secs(stages.limits().wall_seconds);
        let executor = Arc::new(Stages(stages));
        let worker = Worker::new(pipeline.clone(), executor, Arc::clone(&observer));
        Self {
            pipeline,
            worker: worker.with_mirrors_waited_for(),
            observer,
            patience,
        }
    }

    /// Picks up what an earlier process left, creates the run, and works until it is finished.
    /// A run that was rejected or failed is no error: its state says so.
    pub async fn run(&self, request: RunRequest) -> anyhow::Result<RunState> {
        self.recover(None).await?;
        let run = self.pipeline.start(request).await?;
        self.drain(&run).await
    }

    /// Works until a run that is there already is finished.
    pub async fn resume(&self, run: &str) -> anyhow::Result<RunState> {
        self.recover(Some(run)).await?;
        self.drain(run).await
    }

    /// Works until a run is finished, and then waits for the copies that shadows are given of its calls:
    /// whatever they come to, the run's state is what it was.
    async fn drain(&self, run: &str) -> anyhow::Result<RunState> {
        let state = self.worker.drain(run).await?;
        let copies = self.worker.mirrored();
        if copies > 0 {
            self.observer.mirroring(copies);
            self.worker.end_mirrors(self.patience).await;
        }
        Ok(state)
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
