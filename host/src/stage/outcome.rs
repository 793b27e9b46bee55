//! What a stage answered, in the host's own words.

use super::ended::Ended;
use crate::{
    capability::{
        Context,
        bindings::{exports::septet::pipeline::stage::StageError, septet::pipeline::types},
        clean,
    },
    contract::{Artifact, Blame, Disposition, Metric},
};
use septet_core::outcome::{Answered, Output, check};

impl From<&Artifact> for types::Artifact {
    fn from(artifact: &Artifact) -> Self {
        Self {
            name: artifact.name.clone(),
            digest: artifact.digest.to_string(),
            size: artifact.size,
            media_type: artifact.media_type.clone(),
        }
    }
}

/// How a component ended, as a disposition; the host's own faults are errors.
pub(crate) fn disposition(
    answer: Result<Result<types::Outcome, StageError>, Ended>,
    context: &Context,
) -> anyhow::Result<Disposition> {
    let limits = &context.limits;
    let text = |reason: &str| clean(reason, limits.text_bytes);
    Ok(match answer {
        Ok(Ok(outcome)) => match check(answered(outcome), limits, &known(context)) {
            Ok(outcome) => Disposition::Ok(outcome),
            Err(reason) => failed(reason, Blame::Guest),
        },
        Ok(Err(StageError::Rejected(reason))) => Disposition::Rejected {
            reason: text(&reason),
        },
        Ok(Err(StageError::Retry(delay))) => Disposition::Retry {
            after: delay.milliseconds.min(limits.retry_seconds * 1000),
            reason: text(&delay.reason),
        },
        Ok(Err(StageError::Failed(reason))) => failed(text(&reason), Blame::Guest),
        Err(Ended::Host(error)) => return Err(error),
        Err(stopped @ Ended::Stopped(_)) => failed(stopped.to_string(), Blame::Host),
        Err(ended) => failed(ended.to_string(), Blame::Guest),
    })
}

pub(crate) const fn failed(reason: String, blame: Blame) -> Disposition {
    Disposition::Failed { reason, blame }
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

/// Whether the call wrote an artifact or was given it.
fn known(context: &Context) -> impl Fn(&Artifact) -> bool {
    |artifact| {
        let Artifact {
            digest,
            size,
            media_type,
            ..
        } = artifact;
        let written = &context.written;
        let own = written.size(digest) == Some(*size) && written.has_media_type(digest, media_type);
        own || context
            .scope
            .inputs
            .iter()
            .any(|input| input.is_same(artifact))
    }
}
