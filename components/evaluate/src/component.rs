//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/evaluate",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:transform/tables@0.1.0": septet_guest::bindings::septet::transform::tables,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/registry-read@0.1.0": septet_guest::bindings::septet::capability::registry_read,
            "septet:capability/models@0.1.0": septet_guest::bindings::septet::capability::models,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Artifact, Invocation, Metric, Outcome, StageError,
    bindings::septet::capability::models,
    blob::{self, BlobReader},
    call,
    fault::{aside, failed, settle},
    log, registry,
    tables::{to_kit, to_wit},
};
use septet_kit::{
    arrow,
    bundle::{MEDIA_TYPE, Manifest, read_manifest},
    evaluation::MAX_BYTES,
    table::Table,
};

use crate::{
    judgement::evaluate,
    outside::{Batches, Current, Outside, Refusal},
    parameters::Parameters,
};

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let parameters: Parameters = call::parameters(invocation)?;
    let bundle = call::input(invocation, "bundle")?;
    let test = call::input(invocation, "test")?;
    let candidate = manifest(bundle)?;
    let current = current(&parameters)?;
    let mut outside = Outside {
        test: &mut || -> Result<Batches, String> {
            Ok(Box::new(arrow::Reader::open(BlobReader::open(test)?)?))
        },
        predict: &mut predict,
        progress: &mut |done| log::progress(done, None),
    };
    let (evaluation, notes) = evaluate(
        &parameters,
        invocation.seed,
        &bundle.digest,
        &candidate,
        current.as_ref(),
        &mut outside,
    )
    .map_err(|refusal| match refusal {
        Refusal::Rejected(reason) | Refusal::Rows(reason) => reason,
        Refusal::Failed(reason) => failed(reason),
    })?;
    let json = serde_json::to_vec(&evaluation)
        .map_err(|error| format!("the evaluation can't be written: {error}"))?;
    if json.len() as u64 > MAX_BYTES {
        return Err(format!(
            "the evaluation has {} bytes, more than the {MAX_BYTES} that deploy reads",
            json.len()
        ));
    }
    let gate = &evaluation.gate;
    let verdict = format!("gate {}: {}", gate.verdict.name(), gate.reasons.join("; "));
    Ok(Outcome {
        outputs: vec![blob::put("evaluation", "application/json", &json)?],
        metrics: evaluation
            .metrics
            .into_iter()
            .map(|(name, value)| Metric { name, value })
            .collect(),
        notes: notes.into_iter().chain([verdict]).collect(),
    })
}

fn manifest(bundle: &Artifact) -> Result<Manifest, String> {
    read_manifest(BlobReader::open(bundle)?)
}

/// The version that the alias points at. That its bundle can't be read is the gate's to judge.
fn current(parameters: &Parameters) -> Result<Option<Current>, String> {
    let Some(version) = registry::alias(&parameters.model, &parameters.alias)? else {
        return Ok(None);
    };
    let bundle = Artifact {
        name: "champion".to_owned(),
        digest: version.bundle_digest,
        size: 0,
        media_type: MEDIA_TYPE.to_owned(),
    };
    Ok(Some(Current {
        version: version.number,
        manifest: aside(|| manifest(&bundle))?,
        bundle: bundle.digest,
    }))
}

/// Predictions by the model's own infer component. That it does not take the rows is told apart
/// from all else. Nothing is noted here: of the champion a failure is only a reason, and must not
/// win over a later error.
fn predict(bundle: &str, batch: Table) -> Result<Table, Refusal> {
    let short: String = bundle.chars().take(12).collect();
    let answer = models::predict(bundle, &to_wit(batch)).map_err(|error| match error {
        models::Error::Rejected(reason) => Refusal::Rejected(reason),
        models::Error::AccessDenied => Refusal::Failed(format!("model {short} is not granted")),
        models::Error::Unknown => Refusal::Failed(format!("there is no model {short}")),
        models::Error::Other(reason) => Refusal::Failed(format!("model {short}: {reason}")),
    })?;
    to_kit(answer).map_err(|reason| {
        Refusal::Failed(format!(
            "model {short} gave a table that is not valid: {reason}"
        ))
    })
}

bindings::export!(Component with_types_in bindings);
