//! Calls of the queue: what a canary's came to, and a shadow's copy of one.

use std::{sync::Arc, time::Duration};

use super::{
    book::Trials,
    mirrors::{Copy, Mirrors},
    tolerance::Tolerance,
};
use crate::{
    contract::{Blame, Call, Digest, Disposition, Executed},
    pipeline::{
        check::checked,
        executor::{Executor, Rehearsed},
        invocation::Invocation,
        swaps::{StageState, Swaps},
        worker::Worker,
    },
};

impl Worker {
    /// Takes note of a call that was executed, and gives the shadow of its stage a copy. It fails
    /// nothing: what can't be written now is written with what is seen next.
    pub(in crate::pipeline) async fn try_out(
        &self,
        invocation: &Invocation,
        call: &Call,
        executed: &Executed,
    ) {
        let trials = self.pipeline.trials();
        let Some(state) = trials.state(call.stage).await else {
            return;
        };
        let took = Duration::try_from_secs_f64(executed.seconds).unwrap_or_default();
        let ended = match &executed.disposition {
            Disposition::Ok(_) => Some(Some(took)),
            // What it refuses the other one may take.
            Disposition::Rejected { .. }
            | Disposition::Failed {
                blame: Blame::Guest,
                ..
            } => Some(None),
            Disposition::Failed { .. } | Disposition::Retry { .. } => None,
        };
        if let Some(took) = ended
            && trials.note(&state, &call.component, took)
        {
            flush(trials).await;
        }
        self.mirror(invocation, call, executed, &state);
    }

    fn mirror(
        &self,
        invocation: &Invocation,
        call: &Call,
        executed: &Executed,
        state: &Arc<StageState>,
    ) {
        let (Some(mirrors), Some(arm)) = (&self.mirrors, &state.shadow) else {
            return;
        };
        if !matches!(executed.disposition, Disposition::Ok(_)) {
            return;
        }
        // It is compared with what is in force, and with no canary.
        let canary = state.canary.as_ref().map(|canary| canary.component);
        let counts = arm.component != call.component && canary != Some(call.component);
        if !counts || !arm.takes(invocation.run.as_bytes()) {
            return;
        }
        let trials = self.pipeline.trials().clone();
        let copy = Copy::new(trials.clone(), (call.stage, arm.revision));
        let turn = trials.mirror();
        if turn.is_none() && !mirrors.wait() {
            // Dropped, it is counted as passed over.
            return;
        }
        let mirrored = Mirrored {
            component: arm.component,
            call: call.clone(),
            executed: executed.clone(),
            place: invocation.to_string(),
            state: Arc::clone(state),
            executor: Arc::clone(&self.executor),
            swaps: self.pipeline.swaps().clone(),
        };
        mirrors.begin(async move {
            let turn = match turn {
                Some(turn) => Some(turn),
                None => trials.turn().await,
            };
            mirrored.run(copy, trials.tolerance()).await;
            flush(&trials).await;
            drop(turn);
        });
    }

    /// How many copies of calls are under way; none but in a process that waits for them.
    pub fn mirrored(&self) -> usize {
        self.mirrors.as_ref().map_or(0, Mirrors::under_way)
    }

    /// Waits until the copies of calls have come to an end, but no longer than `within`: the others are
    /// given up, and counted as passed over.
    pub async fn end_mirrors(&self, within: Duration) {
        if let Some(mirrors) = &self.mirrors
            && mirrors.under_way() > 0
        {
            mirrors.end(within).await;
            flush(self.pipeline.trials()).await;
        }
    }
}

/// A call that was answered, and who is given a copy of it.
struct Mirrored {
    component: Digest,
    call: Call,
    executed: Executed,
    place: String,
    state: Arc<StageState>,
    executor: Arc<dyn Executor>,
    swaps: Swaps,
}

impl Mirrored {
    async fn run(self, copy: Copy, tolerance: &Tolerance) {
        let Self { call, executed, .. } = &self;
        let shadow = match self.rehearse().await {
            Ok(Some(shadow)) => shadow,
            Ok(None) => return,
            Err(error) => return self.unasked(&error),
        };
        match &shadow.executed.disposition {
            Disposition::Ok(_) => {}
            Disposition::Rejected { reason }
            | Disposition::Retry { reason, .. }
            | Disposition::Failed { reason, .. } => {
                return copy.end(|compared| compared.fail(&self.place, reason));
            }
        }
        let comparing = self.executor.compare(call, executed, &shadow, tolerance);
        let comparison = match comparing.await {
            Ok(comparison) => comparison.at(&self.place),
            Err(error) => return self.unasked(&error),
        };
        copy.end(|compared| {
            let took = |executed: &Executed| {
                let took = Duration::try_from_secs_f64(executed.seconds);
                (took.unwrap_or_default(), executed.peak_memory_bytes)
            };
            let ((one, memory), other) = (took(executed), took(&shadow.executed));
            compared.in_force.note(one, memory);
            compared.shadow.note(other.0, other.1);
            compared.answered(call.component, comparison);
        });
    }

    /// The copy is no part of a run, whose components were checked when it was created: the log may have
    /// been written by a process that takes more than this one.
    async fn rehearse(&self) -> anyhow::Result<Option<Rehearsed>> {
        self.swaps.accepts(&self.state, &self.component).await?;
        let call = Call {
            component: self.component,
            ..self.call.clone()
        };
        let external = self.executor.is_external(&call.component);
        let rehearsed = self.executor.rehearse(call.clone()).await?;
        Ok(rehearsed.map(|rehearsed| Rehearsed {
            executed: checked(&call, external, rehearsed.executed),
            blobs: rehearsed.blobs,
        }))
    }

    fn unasked(&self, error: &anyhow::Error) {
        let stage = self.call.stage;
        tracing::warn!("a shadow of {stage} could not be asked: {error:#}");
    }
}

async fn flush(trials: &Trials) {
    if let Err(error) = trials.flush().await {
        tracing::warn!("what was seen of a trial can't be written: {error:#}");
    }
}
