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
    bindings::septet::capability::{registry_propose, registry_read},
    blob::{self, BlobReader},
    call,
    fault::{note, settle},
};
use septet_kit::{
    bundle::read_manifest,
    evaluation::{Evaluation, FORMAT},
};

use crate::{
    card::{card, summary},
    decision::{Decision, Parameters, decide},
};

/// Bytes of an evaluation.
const MAX_EVALUATION: u64 = 1 << 20;

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
    let evaluation =
        BlobReader::open(call::input(invocation, "evaluation")?)?.all(MAX_EVALUATION)?;
    let evaluation: Evaluation = serde_json::from_slice(&evaluation)
        .map_err(|error| format!("the evaluation can't be read: {error}"))?;
    if evaluation.format != FORMAT {
        return Err(format!(
            "the evaluation is of format {}, but this component reads format {FORMAT}",
            evaluation.format
        ));
    }
    let current = current(&parameters)?;
    let decision = decide(&parameters, &bundle.digest, current.as_deref(), &evaluation);
    let (change, told) = match &decision {
        Decision::Move { expected, reason } => {
            let change = registry_propose::AliasChange {
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
    propose(&registry_propose::Proposal {
        model: parameters.model.clone(),
        bundle_digest: bundle.digest.clone(),
        summary: summary(&manifest, &evaluation),
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
    Ok(Outcome {
        outputs: vec![blob::put("card", "application/json", &card)?],
        metrics: vec![],
        notes: vec![told],
    })
}

/// The bundle that the alias points at.
fn current(parameters: &Parameters) -> Result<Option<String>, String> {
    let Parameters { model, alias, .. } = parameters;
    match registry_read::alias(model, alias) {
        Ok(version) => Ok(version.map(|version| version.bundle_digest)),
        Err(error) => Err(failed(match error {
            registry_read::Error::AccessDenied => {
                format!("the alias '{alias}' of model '{model}' is not granted")
            }
            registry_read::Error::Other(reason) => {
                format!("can't read the alias '{alias}' of model '{model}': {reason}")
            }
        })),
    }
}

fn propose(proposal: &registry_propose::Proposal) -> Result<(), String> {
    let model = &proposal.model;
    registry_propose::propose(proposal).map_err(|error| {
        failed(match error {
            registry_propose::Error::AccessDenied => {
                format!("a version of model '{model}' may not be proposed: it is not granted")
            }
            registry_propose::Error::TooLarge(limit) => {
                format!("the proposal for model '{model}' is more than the limit of {limit}")
            }
            registry_propose::Error::Other(reason) => {
                format!("can't propose a version of model '{model}': {reason}")
            }
        })
    })
}

fn failed(reason: String) -> String {
    note(StageError::Failed(reason.clone()));
    reason
}

bindings::export!(Component with_types_in bindings);
