//! Takes one message, does what it asks for, and acknowledges it when nothing of it can be lost.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use super::{
    check::{checked, clipped},
    commit::{Commit, Ending},
    envelope::Asked,
    executor::{Executor, Progress},
    invocation::Invocation,
    ledger,
    observer::Observer,
    plan,
    poison::claim,
    policy::Policy,
    run::RunRequest,
    state::{RunState, active_key},
    view::Pipeline,
};
use crate::{
    contract::{Blame, Call, Digest, Disposition, Executed, Stage},
    failpoint,
    store::{BlobError, Received},
};

/// A stage's message up to this size stays in its record and goes into the queue as it is.
const MAX_INLINE: usize = 16 << 10;

/// Does the work of a pipeline's queues. A clone is the same worker.
#[derive(Clone)]
pub struct Worker {
    pub(super) pipeline: Pipeline,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) policy: Policy,
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
        let handled = self.process(received).await;
        if handled.is_err() {
            let queues = &self.pipeline.store.queues;
            let before = received.dequeue_count.saturating_sub(1);
            let wait = self.policy.wait(before, &received.message.id);
            // Where even this fails, the lease runs out.
            let _ = queues.release(received, wait).await;
        }
        handled
    }

    /// Hands a message back that was begun and not finished, so that another worker takes it up
    /// at once. It does not count as a fault.
    pub async fn hand_back(&self, received: &Received) -> anyhow::Result<()> {
        let queues = &self.pipeline.store.queues;
        let Ok(asked) = Asked::decode(&received.message.body) else {
            queues.release(received, Duration::ZERO).await?;
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
            self.pipeline.send(&next, &request, Duration::ZERO).await?;
        }
        self.acknowledge(received).await
    }

    async fn process(&self, received: &Received) -> anyhow::Result<()> {
        let asked = match Asked::decode(&received.message.body) {
            Ok(asked) if asked.stage.name() == received.queue => asked,
            Ok(asked) => {
                let reason = format!("the message asks for {} here", asked.stage);
                return self.refuse(received, &reason).await;
            }
            Err(error) => return self.refuse(received, &format!("{error:#}")).await,
        };
        let invocation = asked.invocation();
        let records = self.pipeline.store.records.as_ref();
        let Some(request) = self.pipeline.request(&asked.run).await? else {
            let reason = format!("there is no run {}", asked.run);
            return self.refuse(received, &reason).await;
        };
        if let Some(commit) = Commit::of(records, &invocation).await? {
            self.pipeline.publish(&commit).await?;
            return self.acknowledge(received).await;
        }
        let parts = request.sources.len() as u32;
        let first = asked.stage == Stage::Ingest && asked.replay == 0 && asked.unit < parts;
        if first && records.get(&active_key(&asked.run)).await?.is_some() {
            // Nothing else of the run counts for it, and there may be many parts.
            let state = RunState::new(asked.run.clone(), request);
            return self.work(received, &asked, &state).await;
        }
        let state = RunState::load(records, &asked.run, request).await?;
        if state.status().is_final() {
            return self.acknowledge(received).await;
        }
        if !plan::plan(&state).due.contains(&invocation) {
            // Delivered twice, and the other receiver committed between our two looks.
            if let Some(commit) = Commit::of(records, &invocation).await? {
                self.pipeline.publish(&commit).await?;
                return self.acknowledge(received).await;
            }
            let reason = format!("{invocation} is not to be done now");
            return self.refuse(received, &reason).await;
        }
        self.work(received, &asked, &state).await
    }

    async fn work(
        &self,
        received: &Received,
        asked: &Asked,
        state: &RunState,
    ) -> anyhow::Result<()> {
        let invocation = asked.invocation();
        let pipeline = &self.pipeline;
        let registry = pipeline.registry();
        let call = plan::call(state, &invocation, &registry, asked.attempt).await?;
        let grants = self.executor.grants(call.stage);
        let begun = Begun {
            work: ledger::work_key(&call, &grants)?,
            started: pipeline.clock.timestamp(),
            at: Instant::now(),
            call: call.clone(),
            invocation,
            attempt: asked.attempt,
        };
        if let Some(commit) = self.reuse(&begun).await? {
            return self.commit(received, commit).await;
        }
        // Received before and never answered: whoever had it is gone.
        let vanished = received.dequeue_count.saturating_sub(1);
        let (disposition, lasting) = if vanished >= self.policy.deliveries {
            let reason = format!("given up: no answer came from {vanished} attempts");
            (Executed::failed(reason, Blame::Host), true)
        } else {
            match self.execute(received, &begun).await? {
                Some((executed, lasting)) => (checked(&call, executed), lasting),
                // Whoever has it or ended it goes on from there.
                None => {
                    let queues = &self.pipeline.store.queues;
                    queues.release(received, Duration::ZERO).await?;
                    return Ok(());
                }
            }
        };
        failpoint::pass("executed");
        // What did not end well is the affair of the one who holds the message: another may be
        // doing it meanwhile, and well.
        let well = matches!(disposition.disposition, Disposition::Ok(_));
        if !well && !self.holds(received).await? {
            return Ok(());
        }
        let (reason, after, failures) = match &disposition.disposition {
            Disposition::Retry { after, reason } if asked.attempt < self.policy.attempts => {
                let after = Duration::from_millis(*after).min(self.policy.longest_delay);
                (reason.clone(), after, asked.failures)
            }
            Disposition::Failed { reason, .. }
                if !lasting && asked.failures + 1 < self.policy.failures =>
            {
                let failures = asked.failures;
                let wait = self.policy.wait(failures, &begun.work.to_string());
                (reason.clone(), wait, failures + 1)
            }
            _ => {
                let mut commit = begun.commit(self, disposition);
                self.claim(&mut commit).await?;
                return self.commit(received, commit).await;
            }
        };
        let next = Asked {
            attempt: asked.attempt + 1,
            failures,
            ..asked.clone()
        };
        self.retry(received, &next, &state.request, after, &reason)
            .await
    }

    /// Whether the message is still this worker's; if so, it is for another lease.
    async fn holds(&self, received: &Received) -> anyhow::Result<bool> {
        let queues = &self.pipeline.store.queues;
        queues.renew(received, self.policy.lease).await
    }

    /// Puts messages that are too large for a queue into blobs.
    async fn claim(&self, commit: &mut Commit) -> anyhow::Result<()> {
        for message in &mut commit.messages {
            if message.body.len() > MAX_INLINE {
                message.claim = Some(claim(&self.pipeline.store, &message.body).await?);
                message.body.clear();
            }
        }
        Ok(())
    }

    /// The commit of work that was done before, where there is some that may be reused.
    async fn reuse(&self, begun: &Begun) -> anyhow::Result<Option<Commit>> {
        let pipeline = &self.pipeline;
        let Some(work) = ledger::find(&pipeline.store, &begun.work).await? else {
            return Ok(None);
        };
        // A deploy is answered by the registry: only where it shows all of what was proposed is
        // there nothing to do. The proposals stay in the commit, and should the registry have
        // changed by then, they meet it as any others do.
        for proposal in &work.proposals {
            let model = pipeline.registry().state(&proposal.model).await?;
            let version = model.version_of(&proposal.bundle);
            let change = proposal.change.as_ref();
            let there = change.is_none_or(|change| model.pointed_at(&change.alias) == version);
            if version.is_none() || !there {
                return Ok(None);
            }
        }
        let executed = Executed {
            disposition: Disposition::Ok(work.outcome),
            messages: work.messages,
            proposals: work.proposals,
            seconds: begun.at.elapsed().as_secs_f64(),
            ..Executed::failed(String::new(), Blame::Host)
        };
        Ok(Some(Commit {
            cached: Some(work.by),
            ..begun.commit(self, executed)
        }))
    }

    /// Runs the component while the lease is renewed, and says whether a failure will last; none
    /// where the lease was lost. An error is the store's.
    async fn execute(
        &self,
        received: &Received,
        begun: &Begun,
    ) -> anyhow::Result<Option<(Executed, bool)>> {
        let invocation = begun.invocation.clone();
        self.observer.started(&invocation, begun.attempt);
        let observer = Arc::clone(&self.observer);
        let progress: Progress =
            Arc::new(move |done, total| observer.progress(&invocation, done, total));
        let executing = self.executor.execute(begun.call.clone(), progress);
        let executed = unless(executing, self.superseded(received, &begun.invocation)).await;
        let seconds = begun.at.elapsed().as_secs_f64();
        match executed {
            None => Ok(None),
            Some(Ok(executed)) => Ok(Some((executed, false))),
            Some(Err(error)) => {
                // A damaged blob does not heal by being read again.
                let damaged = matches!(error.downcast_ref(), Some(BlobError::Corrupt { .. }));
                // While the store can't be written, no attempt counts: the next ones would end
                // the same way, and the run with them.
                if !damaged && self.pipeline.probe().await.is_err() {
                    return Err(error);
                }
                let failed = Executed::failed(format!("{error:#}"), Blame::Host);
                Ok(Some((Executed { seconds, ..failed }, damaged)))
            }
        }
    }

    /// Renews the lease, and comes back when the work is not this worker's any more: the lease is
    /// lost, or somebody else has ended the invocation or its run. A store that does not answer
    /// now may the next time.
    async fn superseded(&self, received: &Received, invocation: &Invocation) {
        let Policy { lease, watch, .. } = self.policy;
        let store = &self.pipeline.store;
        let (commit, active) = (invocation.key("commits"), active_key(&invocation.run));
        let mut renewed = Instant::now();
        loop {
            tokio::time::sleep(watch.min(lease / 3)).await;
            if renewed.elapsed() >= lease / 3 {
                match store.queues.renew(received, lease).await {
                    Ok(true) => renewed = Instant::now(),
                    Ok(false) => return,
                    Err(error) => tracing::warn!("a lease could not be renewed: {error:#}"),
                }
            }
            let ended = matches!(store.records.get(&commit).await, Ok(Some(_)))
                || matches!(store.records.get(&active).await, Ok(None));
            if ended {
                return;
            }
        }
    }

    async fn commit(&self, received: &Received, commit: Commit) -> anyhow::Result<()> {
        let records = self.pipeline.store.records.as_ref();
        let commit = commit.settle(records).await?;
        failpoint::pass("committed");
        self.pipeline.publish(&commit).await?;
        self.observer.finished(&commit);
        self.acknowledge(received).await
    }

    /// Sends a delayed copy that asks for the next attempt.
    async fn retry(
        &self,
        received: &Received,
        next: &Asked,
        request: &RunRequest,
        after: Duration,
        reason: &str,
    ) -> anyhow::Result<()> {
        self.pipeline.send(next, request, after).await?;
        self.observer
            .retried(&next.invocation(), next.attempt, after, reason);
        self.acknowledge(received).await
    }

    async fn refuse(&self, received: &Received, reason: &str) -> anyhow::Result<()> {
        self.pipeline.refuse(received, reason).await?;
        self.observer.refused(&received.queue, reason);
        self.acknowledge(received).await
    }

    /// Where the lease was lost, the next receiver finds all done.
    async fn acknowledge(&self, received: &Received) -> anyhow::Result<()> {
        self.pipeline.store.queues.acknowledge(received).await?;
        failpoint::pass("acknowledged");
        Ok(())
    }
}

/// An invocation that was begun.
struct Begun {
    invocation: Invocation,
    call: Call,
    work: Digest,
    attempt: u32,
    started: String,
    at: Instant,
}

impl Begun {
    fn commit(&self, worker: &Worker, executed: Executed) -> Commit {
        let call = &self.call;
        let ending = match executed.disposition {
            Disposition::Ok(outcome) => Ending::Ok(outcome),
            Disposition::Rejected { reason } => Ending::Rejected {
                reason: clipped(&reason),
            },
            Disposition::Failed { reason, blame } => Ending::Failed {
                reason: clipped(&reason),
                blame,
            },
            Disposition::Retry { reason, .. } => Ending::Failed {
                reason: clipped(&format!("it asked to be tried again too often: {reason}")),
                blame: Blame::Guest,
            },
        };
        Commit {
            invocation: self.invocation.clone(),
            component: call.component,
            inputs: call.inputs.clone(),
            work: self.work,
            ending,
            messages: executed.messages,
            proposals: executed.proposals,
            aliases: call.aliases.clone(),
            used: executed.used,
            cached: None,
            seconds: executed.seconds,
            peak_memory_bytes: executed.peak_memory_bytes,
            attempt: self.attempt,
            started: self.started.clone(),
            finished: worker.pipeline.clock.timestamp(),
        }
    }
}

/// What `work` comes to, or none when `end` comes first.
async fn unless<T>(work: impl Future<Output = T>, end: impl Future<Output = ()>) -> Option<T> {
    let (mut work, mut end) = (pin!(work), pin!(end));
    std::future::poll_fn(move |context| {
        if let Poll::Ready(value) = work.as_mut().poll(context) {
            return Poll::Ready(Some(value));
        }
        end.as_mut().poll(context).map(|()| None)
    })
    .await
}
