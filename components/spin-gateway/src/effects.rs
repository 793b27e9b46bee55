//! What a call did, in the core's words. It is checked here as it is in our own host: who composes an
//! application may put any component into it.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use septet_core::{
    contract::{
        AliasChange, Artifact, Blame, Call, Digest, Disposition, Executed, Metric, Proposal, Stage,
        StageMessage,
    },
    limits::Limits,
    outcome::{Answered, Output, check},
    text::clean,
};

use crate::component::bindings::septet::{
    capability::registry_propose,
    pipeline::types::{self, StageError},
    spin::{
        load_test,
        scopes::{Model, Origin},
        session::{Effects, Written},
    },
};

type Answer = Result<types::Outcome, StageError>;

/// A call that left nothing behind.
pub(crate) fn nothing(disposition: Disposition) -> Executed {
    Executed {
        disposition,
        messages: Vec::new(),
        proposals: Vec::new(),
        used: BTreeMap::new(),
        peak_memory_bytes: 0,
        seconds: 0.0,
    }
}

/// What the call came to.
pub(crate) fn executed(
    call: &Call,
    (answer, did): (Answer, Effects),
    limits: &Limits,
    took: Duration,
) -> anyhow::Result<Executed> {
    let disposition = disposition(call, answer, &did.written, limits);
    let ok = matches!(disposition, Disposition::Ok(_));
    let mut executed = nothing(disposition);
    executed.used = did
        .used
        .into_iter()
        .map(|u| (u.capability, u.calls))
        .collect();
    executed.seconds = took.as_secs_f64();
    if !ok {
        return Ok(executed);
    }
    let proposals = did.proposals.into_iter().map(proposal);
    let proposals: Vec<Proposal> = proposals.collect::<anyhow::Result<_>>()?;
    if call.stage == Stage::Deploy
        && let Some(instead) = tested(call, &proposals)?
    {
        executed.disposition = instead;
        return Ok(executed);
    }
    let message =
        |message: crate::component::bindings::septet::spin::session::Message| StageMessage {
            label: message.label,
            body: message.body,
            claim: None,
        };
    executed.messages = did.messages.into_iter().map(message).collect();
    executed.proposals = proposals;
    Ok(executed)
}

fn disposition(call: &Call, answer: Answer, written: &[Written], limits: &Limits) -> Disposition {
    let text = |reason: &str| clean(reason, limits.text_bytes);
    let failed = |reason| Disposition::Failed {
        reason,
        blame: Blame::Guest,
    };
    match answer {
        Ok(outcome) => {
            let known = |artifact: &Artifact| {
                let digest = artifact.digest.to_string();
                let own = |w: &Written| {
                    w.digest == digest
                        && w.size == artifact.size
                        && w.media_types.contains(&artifact.media_type)
                };
                written.iter().any(own) || call.inputs.iter().any(|i| i.is_same(artifact))
            };
            match check(answered(outcome), limits, &known) {
                Ok(outcome) => Disposition::Ok(outcome),
                Err(reason) => failed(reason),
            }
        }
        Err(StageError::Rejected(reason)) => Disposition::Rejected {
            reason: text(&reason),
        },
        Err(StageError::Retry(delay)) => Disposition::Retry {
            after: delay.milliseconds.min(limits.retry_seconds * 1000),
            reason: text(&delay.reason),
        },
        Err(StageError::Failed(reason)) => failed(text(&reason)),
    }
}

fn answered(outcome: types::Outcome) -> Answered {
    let output = |output: types::Artifact| Output {
        name: output.name,
        digest: output.digest,
        size: output.size,
        media_type: output.media_type,
    };
    let metric = |metric: types::Metric| Metric {
        name: metric.name,
        value: metric.value,
    };
    Answered {
        outputs: outcome.outputs.into_iter().map(output).collect(),
        metrics: outcome.metrics.into_iter().map(metric).collect(),
        notes: outcome.notes,
    }
}

fn proposal(proposal: registry_propose::Proposal) -> anyhow::Result<Proposal> {
    let digest = |text: &str| text.parse::<Digest>().context("a proposal's digest");
    let change = proposal.change.map(|change| {
        let expected = change.expected.as_deref().map(digest).transpose()?;
        anyhow::Ok(AliasChange {
            alias: change.alias,
            expected,
            reason: change.reason,
        })
    });
    Ok(Proposal {
        model: proposal.model,
        bundle: digest(&proposal.bundle_digest)?,
        summary: proposal.summary,
        change: change.transpose()?,
    })
}

/// Loads each model that an alias is to be moved to, as those will who ask it later. What comes instead
/// of the stage's answer where one can't be loaded, or does not predict as it did.
fn tested(call: &Call, proposals: &[Proposal]) -> anyhow::Result<Option<Disposition>> {
    for proposal in proposals.iter().filter(|p| p.change.is_some()) {
        let Some(bundle) = call.inputs.iter().find(|i| i.digest == proposal.bundle) else {
            // What is no input is refused before it is committed.
            continue;
        };
        let model = Model {
            bundle: types::Artifact {
                name: bundle.name.clone(),
                digest: bundle.digest.to_string(),
                size: bundle.size,
                media_type: bundle.media_type.clone(),
            },
            infer_digest: call.infer.to_string(),
            transforms: call.transforms.iter().map(ToString::to_string).collect(),
            origin: Origin {
                run: call.origin.run.clone(),
                unit: call.origin.unit,
                attempt: call.origin.attempt,
            },
        };
        match load_test::load(&model) {
            Ok(()) => {}
            Err(load_test::Error::Rejected(reason)) => {
                let reason = format!("load test: {reason}");
                return Ok(Some(Disposition::Rejected { reason }));
            }
            Err(load_test::Error::Failed(reason)) => bail!("load test: {reason}"),
        }
    }
    Ok(None)
}
