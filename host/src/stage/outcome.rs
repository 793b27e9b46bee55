//! What a stage answered, checked and in the host's own words.
//!
//! A component may answer anything. What is committed was written by the call or was given to it,
//! and is finite, named once, and bounded.

use std::collections::BTreeSet;

use super::{
    ended::Ended,
    limits::{Exceeded, Limits},
};
use crate::{
    capability::{
        Context,
        bindings::{exports::septet::pipeline::stage::StageError, septet::pipeline::types},
        clean,
    },
    contract::{self, Artifact, Blame, Digest, Disposition, Metric, Outcome},
};

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
        Ok(Ok(outcome)) => match check(outcome, context) {
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

fn check(outcome: types::Outcome, context: &Context) -> Result<Outcome, String> {
    let limits = &context.limits;
    let count = |limit, value, asked: usize| {
        Exceeded::check(limit, value, asked as u64).map_err(|limit| limit.to_string())
    };
    count("outputs", limits.outputs, outcome.outputs.len())?;
    count("metrics", limits.metrics, outcome.metrics.len())?;
    count("notes", limits.notes, outcome.notes.len())?;
    let mut names = BTreeSet::new();
    let mut outputs = Vec::with_capacity(outcome.outputs.len());
    for output in outcome.outputs {
        let output = artifact(output, context)?;
        if !names.insert(output.name.clone()) {
            return Err(format!("output '{}' comes more than once", output.name));
        }
        outputs.push(output);
    }
    let metrics = metrics(outcome.metrics, limits)?;
    for note in &outcome.notes {
        count("text_bytes", limits.text_bytes, note.len())?;
    }
    let note = |note: String| clean(&note, limits.text_bytes);
    Ok(Outcome {
        outputs,
        metrics,
        notes: outcome.notes.into_iter().map(note).collect(),
    })
}

fn artifact(output: types::Artifact, context: &Context) -> Result<Artifact, String> {
    let limits = &context.limits;
    check_name("output", &output.name, limits)?;
    let name = output.name;
    let digest: Digest = output
        .digest
        .parse()
        .map_err(|error| format!("output '{name}': {error}"))?;
    let artifact = Artifact {
        name,
        digest,
        size: output.size,
        media_type: output.media_type,
    };
    let Artifact {
        name, media_type, ..
    } = &artifact;
    let written = &context.written;
    if written.size(&digest) == Some(artifact.size) && written.has_media_type(&digest, media_type) {
        return Ok(artifact);
    }
    let given = |input: &contract::Artifact| {
        input.digest == digest
            && input.size == artifact.size
            && input.media_type == artifact.media_type
    };
    if context.scope.inputs.iter().any(given) {
        return Ok(artifact);
    }
    let digest = digest.short();
    Err(format!(
        "output '{name}' ({digest}) was not written by this call, with this size and media type, \
         nor given to it"
    ))
}

/// Names become names of files and of records.
fn check_name(what: &str, name: &str, limits: &Limits) -> Result<(), String> {
    let bytes = name.len() as u64;
    Exceeded::check("name_bytes", limits.name_bytes, bytes).map_err(|limit| limit.to_string())?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let good = name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.bytes().all(plain);
    if good {
        return Ok(());
    }
    Err(format!(
        "{what} '{}' is badly named: letters, digits, '.', '_' and '-' only, a letter or digit first",
        clean(name, 80)
    ))
}

fn metrics(metrics: Vec<types::Metric>, limits: &Limits) -> Result<Vec<Metric>, String> {
    let mut names = BTreeSet::new();
    for metric in &metrics {
        let name = &metric.name;
        let bytes = name.len() as u64;
        Exceeded::check("name_bytes", limits.name_bytes, bytes)
            .map_err(|limit| limit.to_string())?;
        let shown = clean(name, 80);
        if name.is_empty() || *name != clean(name, limits.name_bytes) {
            return Err(format!("metric '{shown}' is badly named"));
        }
        if !metric.value.is_finite() {
            return Err(format!("metric '{shown}' is {}", metric.value));
        }
        if !names.insert(name.as_str()) {
            return Err(format!("metric '{shown}' comes more than once"));
        }
    }
    let own = |metric: types::Metric| Metric {
        name: metric.name,
        value: metric.value,
    };
    Ok(metrics.into_iter().map(own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_names_of_files() {
        let limits = Limits::default();
        for good in ["table", "drift.json", "A-1_b"] {
            check_name("output", good, &limits).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "a\0", "-x", "ä", &"x".repeat(300)] {
            assert!(check_name("output", bad, &limits).is_err(), "{bad}");
        }
    }

    #[test]
    fn metrics_are_finite_and_named_once() {
        let limits = Limits::default();
        let of = |list: &[(&str, f64)]| {
            let list = list.iter().map(|(name, value)| types::Metric {
                name: (*name).to_owned(),
                value: *value,
            });
            metrics(list.collect(), &limits)
        };
        assert_eq!(of(&[("accuracy", 0.5), ("r2", -1.0)]).unwrap().len(), 2);
        assert!(of(&[("accuracy", f64::NAN)]).unwrap_err().contains("NaN"));
        assert!(of(&[("a", f64::INFINITY)]).unwrap_err().contains("inf"));
        assert!(
            of(&[("a", 1.0), ("a", 1.0)])
                .unwrap_err()
                .contains("more than once")
        );
        assert!(of(&[("", 1.0)]).unwrap_err().contains("badly named"));
    }
}
