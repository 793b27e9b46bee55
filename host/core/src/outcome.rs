//! What a component answered, checked before anybody relies on it.
//!
//! A component may answer anything. What is committed was written by the call or was given to it,
//! and is finite, named once, and bounded.

use std::collections::BTreeSet;

use crate::{
    contract::{Artifact, Digest, Metric, Outcome},
    limits::{Exceeded, Limits},
    text::clean,
};

/// An outcome in the component's words.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    /// What it says that it wrote or was given.
    pub outputs: Vec<Output>,
    /// Its figures.
    pub metrics: Vec<Metric>,
    /// Sentences for the reader of the run's report.
    pub notes: Vec<String>,
}

/// An artifact in the component's words.
#[derive(Clone, Debug)]
pub struct Output {
    /// What it is to the stage.
    pub name: String,
    /// To be a sha-256 in lower-case hexadecimal.
    pub digest: String,
    /// Bytes.
    pub size: u64,
    /// As in RFC 6838.
    pub media_type: String,
}

/// The outcome, if all of it is sound; else what is not, in one line. `known` tells whether the call
/// wrote an artifact, with this size and media type, or was given it.
pub fn check(
    answered: Answered,
    limits: &Limits,
    known: &dyn Fn(&Artifact) -> bool,
) -> Result<Outcome, String> {
    let count = |limit, value, asked: usize| {
        Exceeded::check(limit, value, asked as u64).map_err(|limit| limit.to_string())
    };
    count("outputs", limits.outputs, answered.outputs.len())?;
    count("metrics", limits.metrics, answered.metrics.len())?;
    count("notes", limits.notes, answered.notes.len())?;
    let mut names = BTreeSet::new();
    let mut outputs = Vec::with_capacity(answered.outputs.len());
    for output in answered.outputs {
        let output = artifact(output, limits, known)?;
        if !names.insert(output.name.clone()) {
            return Err(format!("output '{}' comes more than once", output.name));
        }
        outputs.push(output);
    }
    let metrics = metrics(answered.metrics, limits)?;
    for note in &answered.notes {
        count("text_bytes", limits.text_bytes, note.len())?;
    }
    let note = |note: String| clean(&note, limits.text_bytes);
    Ok(Outcome {
        outputs,
        metrics,
        notes: answered.notes.into_iter().map(note).collect(),
    })
}

fn artifact(
    output: Output,
    limits: &Limits,
    known: &dyn Fn(&Artifact) -> bool,
) -> Result<Artifact, String> {
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
    if known(&artifact) {
        return Ok(artifact);
    }
    let (name, digest) = (&artifact.name, digest.short());
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

fn metrics(metrics: Vec<Metric>, limits: &Limits) -> Result<Vec<Metric>, String> {
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
    drop(names);
    Ok(metrics)
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
            let list = list.iter().map(|(name, value)| Metric {
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
