//! Does one invocation: reuses the work, or runs the component, and commits what came of it.

use std::{
    io::{self, ErrorKind},
    sync::Arc,
    time::{Duration, Instant},
};

use tracing::Instrument as _;

use super::{
    check::{checked, clipped},
    commit::{Commit, Ending},
    delivery::Delivery,
    doing::Doing,
    envelope::Asked,
    executor::Progress,
    invocation::Invocation,
    ledger, plan,
    poison::claim,
    policy::Policy,
    state::{RunState, active_key},
    trace::SPANS,
    worker::Worker,
};
use crate::{
    contract::{Blame, Call, Digest, Disposition, Executed},
    failpoint,
    store::{BlobError, Received},
};

/// A stage's message up to this size stays in its record and goes into the queue as it is.
const MAX_INLINE: usize = 16 << 10;

impl Worker {
    /// Does what is due, and acknowledges the message when nothing of it can be lost.
    pub(super) async fn work(
        &self,
        received: &Received,
        delivery: &Delivery,
        (asked, state): (&Asked, &RunState),
    ) -> anyhow::Result<()> {
        let invocation = asked.invocation();
        let pipeline = &self.pipeline;
        let call = plan::call(state, &invocation, pipeline, asked.attempt).await?;
        delivery.calls(&call, &state.request.name);
        let grants = self.executor.grants(&call);
        let begun = Begun {
            work: ledger::work_key(&call, &grants)?,
            started: pipeline.clock.timestamp(),
            at: Instant::now(),
            call: call.clone(),
            invocation,
            attempt: asked.attempt,
            span: delivery.number(),
        };
        let found = self
            .find_or_begin(received, &begun)
            .instrument(tracing::info_span!(target: SPANS, "look up"));
        let ended = tokio::select! {
            biased;
            found = found => Some(found),
            () = self.superseded(received, &begun, None) => None,
        };
        let doing = match ended.transpose()? {
            Some(Work::Done(commit)) => return self.commit(received, delivery, *commit).await,
            Some(Work::Begun(doing)) => *doing,
            None => return self.give_up(received, delivery).await,
        };
        let done = self.execute_and_commit((received, delivery), (asked, state), &begun, &doing);
        let done = done.await;
        // Where this fails, it runs out.
        let ended = doing.end().await;
        done.and(ended)
    }

    /// The work of another invocation, also of one that is at it now; or this worker begins on it.
    async fn find_or_begin(&self, received: &Received, begun: &Begun) -> anyhow::Result<Work> {
        let mut wait = self.policy.poll;
        loop {
            if let Some(commit) = self.reuse(begun).await? {
                return Ok(Work::Done(Box::new(commit)));
            }
            let (work, lease) = (begun.work, self.policy.lease);
            let doing = Doing::begin(&self.pipeline, work, &begun.invocation, lease).await?;
            if let Some(doing) = doing {
                // It may have been ended between the two looks.
                return Ok(match self.reuse(begun).await? {
                    Some(commit) => {
                        doing.end().await?;
                        Work::Done(Box::new(commit))
                    }
                    None => Work::Begun(Box::new(doing)),
                });
            }
            tracing::debug!(id = received.message.id, "another is doing the same work");
            tokio::time::sleep(wait).await;
            wait = (2 * wait).min(self.policy.watch);
        }
    }

    async fn execute_and_commit(
        &self,
        (received, delivery): (&Received, &Delivery),
        (asked, state): (&Asked, &RunState),
        begun: &Begun,
        doing: &Doing,
    ) -> anyhow::Result<()> {
        // Received before and never answered: whoever had it is gone.
        let vanished = received.dequeue_count.saturating_sub(1);
        let (disposition, lasting) = if vanished >= self.policy.deliveries {
            let reason = format!("given up: no answer came from {vanished} attempts");
            (Executed::failed(reason, Blame::Host), true)
        } else {
            let executing = self.execute(received, begun, doing);
            let span = tracing::info_span!(target: SPANS, "execute");
            match executing.instrument(span).await? {
                Some((executed, lasting)) => {
                    let external = self.executor.is_external(&begun.call.component);
                    let executed = checked(&begun.call, external, executed);
                    let (invocation, call) = (&begun.invocation, &begun.call);
                    self.try_out(invocation, call, &executed).await;
                    (executed, lasting)
                }
                None => return self.give_up(received, delivery).await,
            }
        };
        failpoint::pass("executed");
        // What did not end well is the affair of the one who holds the message: another may be
        // doing it meanwhile, and well.
        let well = matches!(disposition.disposition, Disposition::Ok(_));
        if !well && !self.holds(received).await? {
            delivery.ended("lost", None);
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
                return self.commit(received, delivery, commit).await;
            }
        };
        let next = Asked {
            attempt: asked.attempt + 1,
            failures,
            ..asked.clone()
        };
        delivery.ended("retry", Some(&reason));
        let (request, span) = (&state.request, delivery.sender());
        self.pipeline.send(&next, request, span, after).await?;
        self.observer
            .retried(&next.invocation(), next.attempt, after, &reason);
        self.acknowledge(received).await
    }

    /// Leaves a message to whoever has the work or has ended it.
    async fn give_up(&self, received: &Received, delivery: &Delivery) -> anyhow::Result<()> {
        delivery.ended("given up", None);
        let queues = &self.pipeline.store.queues;
        queues.release(received, Duration::ZERO).await?;
        Ok(())
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
        doing: &Doing,
    ) -> anyhow::Result<Option<(Executed, bool)>> {
        let invocation = begun.invocation.clone();
        self.observer.started(&invocation, begun.attempt);
        let observer = Arc::clone(&self.observer);
        let progress: Progress =
            Arc::new(move |done, total| observer.progress(&invocation, done, total));
        let executing = self.executor.execute(begun.call.clone(), progress);
        let executed = tokio::select! {
            biased;
            executed = executing => Some(executed),
            () = self.superseded(received, begun, Some(doing)) => None,
        };
        let seconds = begun.at.elapsed().as_secs_f64();
        match executed {
            None => Ok(None),
            Some(Ok(executed)) => Ok(Some((executed, false))),
            Some(Err(error)) => {
                // A damaged blob does not heal by being read again.
                let damaged = matches!(error.downcast_ref(), Some(BlobError::Corrupt { .. }));
                // While the store can't be written, no attempt counts: the next ones would end
                // the same way, and the run with them.
                if is_full(&error) || !damaged && self.pipeline.probe().await.is_err() {
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
    async fn superseded(&self, received: &Received, begun: &Begun, doing: Option<&Doing>) {
        let invocation = &begun.invocation;
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
                if let Some(doing) = doing
                    && let Err(error) = doing.renew().await
                {
                    tracing::warn!("a work could not be claimed on: {error:#}");
                }
            }
            let ended = matches!(store.records.get(&commit).await, Ok(Some(_)))
                || matches!(store.records.get(&active).await, Ok(None));
            if ended {
                return;
            }
        }
    }

    async fn commit(
        &self,
        received: &Received,
        delivery: &Delivery,
        commit: Commit,
    ) -> anyhow::Result<()> {
        let records = self.pipeline.store.records.as_ref();
        let committing = commit.settle(records);
        let span = tracing::info_span!(target: SPANS, "commit");
        let commit = committing.instrument(span).await?;
        delivery.committed(&commit);
        failpoint::pass("committed");
        let publishing = self.pipeline.publish(&commit);
        let span = tracing::info_span!(target: SPANS, "publish");
        publishing.instrument(span).await?;
        self.observer.finished(&commit);
        self.acknowledge(received).await
    }
}

/// Whether the disk would not take what was to be written. Something small may still fit.
fn is_full(error: &anyhow::Error) -> bool {
    let mut causes = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| {
        matches!(
            cause.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        )
    })
}

/// What is there of a work.
enum Work {
    /// What came of it.
    Done(Box<Commit>),
    /// It is to be done here.
    Begun(Box<Doing>),
}

/// An invocation that was begun.
struct Begun {
    invocation: Invocation,
    call: Call,
    work: Digest,
    attempt: u32,
    started: String,
    at: Instant,
    /// For the commit.
    span: Option<String>,
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
            span: self.span.clone(),
        }
    }
}
