//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/deploy",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/registry-read@0.1.0": septet_guest::bindings::septet::capability::registry_read,
            "septet:capability/registry-propose@0.1.0": septet_guest::bindings::septet::capability::registry_propose,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Invocation, Outcome, StageError,
    blob::{self, BlobReader},
    call,
    fault::settle,
    registry::{self, AliasChange, Proposal},
};
use septet_kit::{
    bundle::read_manifest,
    evaluation::{Evaluation, FORMAT, MAX_BYTES},
};
use serde::Deserialize;

use crate::{
    card::{card, summary},
    decision::{Decision, Parameters, decide},
    markdown,
    warnings::overused,
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
    let manifest = read_manifest(BlobReader::open(bundle)?)?;
    let evaluation = BlobReader::open(call::input(invocation, "evaluation")?)?.all(MAX_BYTES)?;
    let evaluation = read(&evaluation)?;
    let current = registry::alias(&parameters.model, &parameters.alias)?;
    let current = current.map(|version| version.bundle_digest);
    let decision = decide(&parameters, &bundle.digest, current.as_deref(), &evaluation);
    let (change, told) = match &decision {
        Decision::Move { expected, reason } => {
            let change = AliasChange {
                alias: parameters.alias.clone(),
                expected: expected.clone(),
                reason: reason.clone(),
            };
            (
                Some(change),
                format!("{} moves: {reason}", parameters.alias),
            )
        }
        Decision::Stay { reason } => (None, reason.clone()),
    };
    registry::propose(&Proposal {
        model: parameters.model.clone(),
        bundle_digest: bundle.digest.clone(),
        summary: summary(&parameters, &manifest, &evaluation),
        change,
    })?;
    let card = card(
        &parameters,
        &bundle.digest,
        &manifest,
        &evaluation,
        &decision,
    );
    let card = serde_json::to_vec(&card)
        .map_err(|error| format!("the model card can't be written: {error}"))?;
    let text = markdown::card(
        &parameters,
        &bundle.digest,
        &manifest,
        &evaluation,
        &decision,
    );
    Ok(Outcome {
        outputs: vec![
            blob::put("card", "application/json", &card)?,
            blob::put("card-markdown", "text/markdown", text.as_bytes())?,
        ],
        metrics: vec![],
        notes: std::iter::once(told).chain(overused(&parameters)).collect(),
    })
}

fn read(evaluation: &[u8]) -> Result<Evaluation, String> {
    /// Only the format, so that another one is told from a broken evaluation.
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let wrong = |error| format!("the evaluation can't be read: {error}");
    let Format { format } = serde_json::from_slice(evaluation).map_err(wrong)?;
    if format != FORMAT {
        return Err(format!(
            "the evaluation is of format {format}, but this component reads format {FORMAT}"
        ));
    }
    serde_json::from_slice(evaluation).map_err(wrong)
}

bindings::export!(Component with_types_in bindings);
