//! The JSON of requests and answers, with the names of the host's `outcome.json`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::component::bindings::septet::pipeline::types;

/// What a stage is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invocation {
    inputs: Vec<Artifact>,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    seed: u64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifact {
    name: String,
    digest: String,
    size: u64,
    media_type: String,
}

#[derive(Serialize)]
struct Metric {
    name: String,
    value: f64,
}

/// What a stage answered.
#[derive(Serialize)]
pub(crate) struct Outcome {
    outputs: Vec<Artifact>,
    metrics: Vec<Metric>,
    notes: Vec<String>,
}

impl From<Invocation> for types::Invocation {
    fn from(invocation: Invocation) -> Self {
        Self {
            inputs: invocation
                .inputs
                .into_iter()
                .map(|artifact| types::Artifact {
                    name: artifact.name,
                    digest: artifact.digest,
                    size: artifact.size,
                    media_type: artifact.media_type,
                })
                .collect(),
            // Sorted by key, as serde_json's maps are.
            parameters: Value::Object(invocation.parameters).to_string(),
            seed: invocation.seed,
        }
    }
}

impl From<types::Outcome> for Outcome {
    fn from(outcome: types::Outcome) -> Self {
        Self {
            outputs: outcome
                .outputs
                .into_iter()
                .map(|artifact| Artifact {
                    name: artifact.name,
                    digest: artifact.digest,
                    size: artifact.size,
                    media_type: artifact.media_type,
                })
                .collect(),
            metrics: outcome
                .metrics
                .into_iter()
                .map(|metric| Metric {
                    name: metric.name,
                    value: metric.value,
                })
                .collect(),
            notes: outcome.notes,
        }
    }
}
