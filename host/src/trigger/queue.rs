//! Works off the queues until it is told to stop: as many invocations at once as the settings and
//! the memory allow, the latest stage first.
//!
//! A message belongs to this process only for its lease, and so nothing that happens here can lose
//! one. What fails here is the store's failing; then nothing new is begun until the store can be
//! written again, so that an outage does not use up the attempts of all that waits.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::task::{self, JoinError, JoinSet};

use super::{Stop, memory::Memory};
use crate::{
    contract::Stage,
    pipeline::{Executor, Observer, Pipeline, Policy, Recovered, Worker},
    store::Received,
};

/// How many invocations may run at once.
#[derive(Clone, Debug)]
pub struct Concurrency {
    /// Of all stages together.
    pub total: usize,
    /// Of single stages, where that is less.
    pub stages: BTreeMap<Stage, usize>,
    /// Bytes of memory for all of them; none asks the machine.
    pub memory: Option<u64>,
}

/// The longest wait between looks at queues that were empty: others may have sent something.
const LONGEST_POLL: Duration = Duration::from_secs(1);

/// The longest wait between looks at a store that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Works off the queues of a store.
pub struct QueueTrigger {
    worker: Worker,
    concurrency: Concurrency,
    memory: Arc<Memory>,
    recover: Duration,
}

/// What is under way.
#[derive(Default)]
struct Running {
    tasks: JoinSet<anyhow::Result<()>>,
    stages: HashMap<task::Id, Stage>,
}

/// What came of one of them.
type Joined = Result<(task::Id, anyhow::Result<()>), JoinError>;

impl Running {
    fn counts(&self) -> BTreeMap<Stage, usize> {
        let mut counts = BTreeMap::new();
        for stage in self.stages.values() {
            *counts.entry(*stage).or_default() += 1;
        }
        counts
    }

    /// The next one that ends; an error is the store's.
    async fn next(&mut self) -> anyhow::Result<()> {
        let joined = self.tasks.join_next_with_id().await;
        joined.map_or(Ok(()), |joined| self.end(joined))
    }

    /// Those that have ended already, up to the first error.
    fn ended(&mut self) -> anyhow::Result<()> {
        while let Some(joined) = self.tasks.try_join_next_with_id() {
            self.end(joined)?;
        }
        Ok(())
    }

    fn end(&mut self, joined: Joined) -> anyhow::Result<()> {
        match joined {
            Ok((id, handled)) => {
                self.stages.remove(&id);
                handled
            }
            Err(error) => {
                self.stages.remove(&error.id());
                Err(anyhow::Error::new(error).context("a worker broke"))
            }
        }
    }
}

impl QueueTrigger {
    /// A trigger for `stages`. `recover` is how often it is looked for what a crash left.
    pub fn new(
        pipeline: Pipeline,
        executor: Arc<dyn Executor>,
        observer: Arc<dyn Observer>,
        (policy, stages): (Policy, Vec<Stage>),
        concurrency: Concurrency,
        recover: Duration,
    ) -> Self {
        let memory = Arc::new(Memory::new(concurrency.memory, observer));
        let worker = Worker::new(pipeline, executor, Arc::clone(&memory) as Arc<dyn Observer>);
        Self {
            worker: worker
                .with_policy(policy)
                .with_stages(stages)
                .with_mirrors(),
            concurrency,
            memory,
            recover,
        }
    }

    /// Works until `stop`, and then until what is begun is finished or handed back.
    pub async fn work(&self, stop: &Stop) {
        let recovering = tokio::spawn(recover(
            self.worker.pipeline().clone(),
            self.recover,
            stop.clone(),
        ));
        let mut running = Running::default();
        self.until(stop, &mut running).await;
        while !running.tasks.is_empty() {
            if let Err(error) = running.next().await {
                tracing::warn!("{error:#}");
            }
        }
        recovering.abort();
    }

    async fn until(&self, stop: &Stop, running: &mut Running) {
        let shortest = self.worker.policy().poll;
        let mut poll = shortest;
        let mut sent = self.worker.pipeline().sent();
        while !stop.is_asked() {
            // What is sent behind this look is not slept over.
            sent.mark_unchanged();
            // Nothing is begun on a store that has just failed another.
            let begun = match running.ended() {
                Ok(()) => self.begin(stop, running).await,
                Err(error) => Err(error),
            };
            let begun = match begun {
                Ok(begun) => begun,
                Err(error) => {
                    self.pause(&error, stop).await;
                    continue;
                }
            };
            if begun {
                poll = shortest;
                continue;
            }
            let ended = tokio::select! {
                ended = running.next(), if !running.tasks.is_empty() => Some(ended),
                _ = sent.changed() => Some(Ok(())),
                () = tokio::time::sleep(poll) => None,
                () = stop.asked() => None,
            };
            match ended {
                Some(Ok(())) => poll = shortest,
                Some(Err(error)) => self.pause(&error, stop).await,
                None => poll = (2 * poll).min(LONGEST_POLL),
            }
        }
    }

    /// Begins on one message; false where there is none, or no room.
    async fn begin(&self, stop: &Stop, running: &mut Running) -> anyhow::Result<bool> {
        let counts = running.counts();
        if running.tasks.len() >= self.concurrency.total.max(1) {
            return Ok(false);
        }
        let free = |stage| {
            let most = self.concurrency.stages.get(&stage).copied();
            let most = most.unwrap_or(usize::MAX).max(1);
            counts.get(&stage).copied().unwrap_or(0) < most && self.memory.fits(&counts, stage)
        };
        let Some(received) = self.worker.receive_of(free).await? else {
            return Ok(false);
        };
        let stage = received.queue.parse();
        let task = handle(self.worker.clone(), received, stop.clone());
        let task = running.tasks.spawn(task);
        if let Ok(stage) = stage {
            running.stages.insert(task.id(), stage);
        }
        Ok(true)
    }

    /// Waits until the store can be written again.
    async fn pause(&self, error: &anyhow::Error, stop: &Stop) {
        tracing::error!("{error:#}");
        let begun = Instant::now();
        let mut wait = self.worker.policy().backoff;
        while !stop.is_asked() {
            let Err(error) = self.worker.pipeline().probe().await else {
                break;
            };
            tracing::error!("no work is begun until the store can be written: {error:#}");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.asked() => {}
            }
            wait = (2 * wait).min(LONGEST_PAUSE);
        }
        tracing::info!("the store was waited for {:?}", begun.elapsed());
    }
}

/// Does what a message asks for, or hands it back when there is no more time.
async fn handle(worker: Worker, received: Received, stop: Stop) -> anyhow::Result<()> {
    tokio::select! {
        handled = worker.handle(&received) => handled,
        () = stop.handed_back() => worker.hand_back(&received).await,
    }
}

/// Picks up what a crash left, at once and again and again.
async fn recover(pipeline: Pipeline, every: Duration, stop: Stop) {
    while !stop.is_asked() {
        match pipeline.recover().await {
            Ok(recovered) => tell(&recovered),
            Err(error) => tracing::error!("what a crash left can't be looked for: {error:#}"),
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.asked() => {}
        }
    }
}

fn tell(recovered: &Recovered) {
    for (run, why) in &recovered.failed {
        tracing::warn!("run {run} can't be picked up: {why}");
    }
    let Recovered {
        published, asked, ..
    } = recovered;
    if published + asked > 0 {
        tracing::warn!("picked up after a crash: {published} commits, {asked} invocations");
    }
}
