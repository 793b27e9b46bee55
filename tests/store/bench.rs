//! A pipeline over a fresh store in memory, with a worker and an account of what it ran.

use std::sync::Arc;

use septet::pipeline::{Pipeline, RunRequest, RunState, Silent, Status, Worker};

use super::{
    backends::{ALL, Fresh},
    stages::{Account, Stages, train},
};

pub struct Bench {
    pub fresh: Fresh,
    pub pipeline: Pipeline,
    pub worker: Worker,
    pub account: Arc<Account>,
}

impl Bench {
    pub fn new() -> Self {
        Self::over(ALL[0].1())
    }

    pub fn over(fresh: Fresh) -> Self {
        let account = Arc::default();
        let pipeline = Pipeline::with_clock(fresh.one.clone(), fresh.clock.clone());
        let stages = Stages::over(&fresh.one, &account);
        let worker = Worker::new(pipeline.clone(), stages, Arc::new(Silent));
        Self {
            fresh,
            pipeline,
            worker,
            account,
        }
    }

    pub async fn run(&self, request: RunRequest) -> RunState {
        let run = self.pipeline.start(request).await.unwrap();
        self.worker.drain(&run).await.unwrap()
    }

    pub async fn train(&self, quality: f64) -> RunState {
        let state = self.run(train(&self.fresh.one, quality).await).await;
        assert_eq!(state.status(), Status::Done);
        state
    }

    /// The champion's number and how often the alias was moved.
    pub async fn champion(&self) -> (u32, u64) {
        let model = self.pipeline.registry().state("iris").await.unwrap();
        let champion = &model.aliases["champion"];
        (champion.version, champion.revision)
    }

    pub async fn counts(&self) -> Vec<(String, u64)> {
        let mut counts = self.fresh.one.queues.counts().await.unwrap();
        counts.retain(|(queue, _)| queue != "alerts");
        counts
    }
}
