//! Takes one message, does what it asks for, and acknowledges it when nothing of it can be lost.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tracing::Instrument as _;

use super::{
    commit::Commit,
    delivery::Delivery,
    envelope::Asked,
    executor::Executor,
    observer::Observer,
    plan,
    policy::Policy,
    record,
    state::{RunState, active_key},
    trace::delivery_span,
    trials::Mirrors,
    view::Pipeline,
};
use crate::{contract::Stage, failpoint, store::Received};

/// Does the work of a pipeline's queues. A clone is the same worker.
#[derive(Clone)]
pub struct Worker {
    pub(super) pipeline: Pipeline,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) policy: Policy,
    /// Whether shadows are given copies of its calls.
    pub(super) mirrors: Option<Mirrors>,
    stages: BTreeSet<Stage>,
}

impl Worker {
    /// A worker with the policy's defaults.
    pub fn new(
        pipeline: Pipeline,
        executor: Arc<dyn Executor>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        Self {
            pipeline,
            executor,
            observer,
            policy: Policy::default(),
            mirrors: None,
            stages: Stage::ALL.into_iter().collect(),
        }
    }

    /// The worker for some stages only: others are left to other workers of the store.
    #[must_use]
    pub fn with_stages(mut self, stages: impl IntoIterator<Item = Stage>) -> Self {
        self.stages = stages.into_iter().collect();
        self
    }

    /// How often, how long and how many at once.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The pipeline whose work it does.
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The worker with another policy.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The worker with shadows. They are asked after the answer, in a task of their own: so this is for
    /// processes that go on.
    #[must_use]
    pub fn with_mirrors(mut self) -> Self {
        self.mirrors = Some(Mirrors::default());
        self
    }

    /// The worker with shadows, of a process that waits for them at its end (`end_mirrors`).
    #[must_use]
    pub fn with_mirrors_waited_for(mut self) -> Self {
        self.mirrors = Some(Mirrors::waited_for());
        self
    }

    /// Leases the next message of its stages.
    pub(super) async fn receive(&self) -> anyhow::Result<Option<Received>> {
        self.receive_of(|_| true).await
    }

    /// Leases the next message of those of its stages that are `free`, of the latest one that has
    /// one: what was begun is ended first.
    pub async fn receive_of(
        &self,
        free: impl Fn(Stage) -> bool,
    ) -> anyhow::Result<Option<Received>> {
        let stages = self.stages.iter().rev().copied();
        let queues: Vec<_> = stages.filter(|s| free(*s)).map(Stage::name).collect();
        let lease = self.policy.lease;
        let received = self.pipeline.store.queues.receive(&queues, lease).await?;
        if received.is_some() {
            failpoint::pass("received");
        }
        Ok(received)
    }

    /// Does what a message asks for. After an error of the store the message is given back.
    pub async fn handle(&self, received: &Received) -> anyhow::Result<()> {
        let delivery = Delivery::of(&self.pipeline, received).await;
        let span = delivery.span.clone();
        let handled = self.process(received, &delivery).instrument(span).await;
        if let Err(error) = &handled {
            delivery.ended("failed", Some(&format!("{error:#}")));
            let asked = Asked::decode(&received.message.body);
            let before = asked.map_or(received.dequeue_count, |asked| asked.attempt);
            let wait = self.policy.wait(before - 1, &received.message.id);
            // Where even this fails, the lease runs out.
            let _ = self.hand_back_for(received, wait).await;
        }
        handled
    }

    /// Hands a message back that was begun and not finished, so that another worker takes it up
    /// at once. It does not count as a fault.
    pub async fn hand_back(&self, received: &Received) -> anyhow::Result<()> {
        self.hand_back_for(received, Duration::ZERO).await
    }

    async fn hand_back_for(&self, received: &Received, delay: Duration) -> anyhow::Result<()> {
        let queues = &self.pipeline.store.queues;
        let Ok(asked) = Asked::decode(&received.message.body) else {
            queues.release(received, delay).await?;
            return Ok(());
        };
        // A copy, because what is released counts as received.
        let next = Asked {
            attempt: asked.attempt + 1,
            ..asked
        };
        if let Some(request) = self.pipeline.request(&next.run).await?
            && queues.renew(received, self.policy.lease).await?
        {
            let span = delivery_span(&next.invocation(), next.attempt - 1, received.dequeue_count);
            self.pipeline.send(&next, &request, span, delay).await?;
        }
        self.acknowledge(received).await
    }

    async fn process(&self, received: &Received, delivery: &Delivery) -> anyhow::Result<()> {
        let asked = match Asked::decode(&received.message.body) {
            Ok(asked) if asked.stage.name() == received.queue => asked,
            Ok(asked) => {
                let reason = format!("the message asks for {} here", asked.stage);
                return self.refuse(received, delivery, &reason).await;
            }
            Err(error) => {
                let reason = format!("{error:#}");
                return self.refuse(received, delivery, &reason).await;
            }
        };
        let invocation = asked.invocation();
        let records = self.pipeline.store.records.as_ref();
        let Some(request) = self.pipeline.request(&asked.run).await? else {
            let reason = format!("there is no run {}", asked.run);
            return self.refuse(received, delivery, &reason).await;
        };
        if let Some(commit) = Commit::of(records, &invocation).await? {
            delivery.ended("done before", None);
            self.pipeline.publish(&commit).await?;
            return self.acknowledge(received).await;
        }
        let parts = request.sources.len() as u32;
        let first = asked.stage == Stage::Ingest && asked.replay == 0 && asked.unit < parts;
        let active = active_key(&asked.run);
        let is_active = records.get(&active).await?.is_some();
        if first && is_active {
            // Nothing else of the run counts for it, and there may be many parts.
            let state = RunState::new(asked.run.clone(), request);
            return self.work(received, delivery, (&asked, &state)).await;
        }
        let state = RunState::load(records, &asked.run, request).await?;
        if state.status().is_final() {
            delivery.ended("done before", None);
            return self.acknowledge(received).await;
        }
        if !is_active {
            // Who took it out because it had ended was stopped before seeing that it is reopened.
            record::create(records, &active, state.request.as_ref()).await?;
        }
        if !plan::plan(&state).due.contains(&invocation) {
            // Delivered twice, and the other receiver committed between our two looks.
            if let Some(commit) = Commit::of(records, &invocation).await? {
                delivery.ended("done before", None);
                self.pipeline.publish(&commit).await?;
                return self.acknowledge(received).await;
            }
            let reason = format!("{invocation} is not to be done now");
            return self.refuse(received, delivery, &reason).await;
        }
        self.work(received, delivery, (&asked, &state)).await
    }

    async fn refuse(
        &self,
        received: &Received,
        delivery: &Delivery,
        reason: &str,
    ) -> anyhow::Result<()> {
        delivery.ended("refused", Some(reason));
        self.pipeline.refuse(received, reason).await?;
        self.observer.refused(&received.queue, reason);
        self.acknowledge(received).await
    }

    /// Where the lease was lost, the next receiver finds all done.
    pub(super) async fn acknowledge(&self, received: &Received) -> anyhow::Result<()> {
        self.pipeline.store.queues.acknowledge(received).await?;
        failpoint::pass("acknowledged");
        Ok(())
    }
}
