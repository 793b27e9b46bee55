//! Calls of the queue: what a canary's came to, and a shadow's copy of one.

use std::{sync::Arc, time::Duration};

use super::{book::Trials, compared::Difference};
use crate::{
    contract::{Blame, Call, Disposition, Executed, Outcome},
    pipeline::{invocation::Invocation, swaps::StageState, worker::Worker},
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
        let Some(arm) = state.shadow.as_ref().filter(|_| self.mirrors) else {
            return;
        };
        let Disposition::Ok(outcome) = &executed.disposition else {
            return;
        };
        if !arm.takes(invocation.run.as_bytes()) || arm.component == call.component {
            return;
        }
        let (trials, swaps) = (
            self.pipeline.trials().clone(),
            self.pipeline.swaps().clone(),
        );
        let (stage, revision) = (call.stage, arm.revision);
        let Some(turn) = trials.mirror() else {
            return trials.compare(stage, revision, super::Compared::skip);
        };
        let call = Call {
            component: arm.component,
            ..call.clone()
        };
        let (outcome, used) = (
            outcome.clone(),
            (executed.seconds, executed.peak_memory_bytes),
        );
        let (executor, place) = (Arc::clone(&self.executor), invocation.to_string());
        let state = Arc::clone(state);
        tokio::spawn(async move {
            // The copy is no part of a run, whose components were checked when it was created: the
            // log may have been written by a process that takes more than this one.
            let rehearsed = match swaps.accepts(&state, &call.component).await {
                Ok(()) => executor.rehearse(call).await,
                Err(refused) => Err(refused),
            };
            trials.compare(stage, revision, |compared| match rehearsed {
                Ok(Some(shadow)) => {
                    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
                    match &shadow.disposition {
                        Disposition::Ok(other) => {
                            compared.in_force.note(seconds(used.0), used.1);
                            let memory = shadow.peak_memory_bytes;
                            compared.shadow.note(seconds(shadow.seconds), memory);
                            compared.answered(differences(&place, &outcome, other));
                        }
                        Disposition::Rejected { reason }
                        | Disposition::Retry { reason, .. }
                        | Disposition::Failed { reason, .. } => compared.fail(&place, reason),
                    }
                }
                Ok(None) => compared.skip(),
                Err(error) => {
                    tracing::warn!("a shadow of {stage} could not be asked: {error:#}");
                    compared.skip();
                }
            });
            flush(&trials).await;
            drop(turn);
        });
    }
}

async fn flush(trials: &Trials) {
    if let Err(error) = trials.flush().await {
        tracing::warn!("what was seen of a trial can't be written: {error:#}");
    }
}

/// What two outcomes of the same call differ in.
fn differences(place: &str, in_force: &Outcome, shadow: &Outcome) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut note = |what: String, one: Option<String>, other: Option<String>| {
        if one != other {
            let [one, other] =
                [one, other].map(|text| text.unwrap_or_else(|| "nothing".to_owned()));
            differences.push(Difference::new(&format!("{place}: {what}"), &one, &other));
        }
    };
    let outputs = |outcome: &Outcome, at: usize| {
        let output = outcome.outputs.get(at);
        output.map(|o| format!("{} {} ({})", o.name, o.digest.short(), o.media_type))
    };
    for at in 0..in_force.outputs.len().max(shadow.outputs.len()) {
        let what = format!("output {}", at + 1);
        note(what, outputs(in_force, at), outputs(shadow, at));
    }
    let metric = |outcome: &Outcome, name: &str| {
        let metric = outcome.metrics.iter().find(|metric| metric.name == name);
        metric.map(|metric| metric.value.to_string())
    };
    let names = in_force.metrics.iter().chain(&shadow.metrics);
    let mut names: Vec<&str> = names.map(|metric| metric.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        note(
            format!("metric {name}"),
            metric(in_force, name),
            metric(shadow, name),
        );
    }
    differences
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Artifact, Digest, Metric};

    #[test]
    fn outputs_and_figures_are_compared() {
        let outcome = |bytes: &[u8], value: f64| Outcome {
            outputs: vec![Artifact {
                name: "table".to_owned(),
                digest: Digest::of(bytes),
                size: 1,
                media_type: "text/csv".to_owned(),
            }],
            metrics: vec![Metric {
                name: "rows".to_owned(),
                value,
            }],
            notes: vec![],
        };
        let (one, other) = (outcome(b"a", 1.0), outcome(b"b", 2.0));
        assert!(differences("x", &one, &one).is_empty());
        let told = differences("ingest of run 1", &one, &other);
        assert_eq!(told.len(), 2);
        assert_eq!(told[0].place, "ingest of run 1: output 1");
        assert_eq!(
            (told[1].in_force.as_str(), told[1].shadow.as_str()),
            ("1", "2")
        );
        assert_eq!(differences("x", &one, &Outcome::default()).len(), 2);
    }
}
