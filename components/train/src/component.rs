//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/train",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/queue@0.1.0": septet_guest::bindings::septet::capability::queue,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Artifact, Invocation, Metric, Outcome, StageError,
    blob::{self, BlobReader},
    call,
    fault::settle,
    log,
};
use septet_kit::{
    arrow,
    bundle::{LineageInput, MEDIA_TYPE},
    trained as rows,
};
use serde::de::DeserializeOwned;

use crate::{
    plan::{Parameters, Plan},
    training::Given,
};

/// Bytes of the preprocessing and of the reference: both go into the bundle's manifest.
const MAX_JSON: u64 = 6 << 20;

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let parameters: Parameters = call::parameters(invocation)?;
    let given = Given {
        preprocessing: json(call::input(invocation, "preprocessing")?)?,
        reference: json(call::input(invocation, "reference")?)?,
        sample: arrow::read(BlobReader::open(call::input(invocation, "sample")?)?)?,
        lineage: invocation.inputs.iter().map(lineage).collect(),
        seed: invocation.seed,
    };
    let plan = Plan::new(&parameters, &given.preprocessing)?;
    let table = BlobReader::open(call::input(invocation, "train")?)?;
    let expected = rows::estimate(table.size(), &given.preprocessing);
    let fits = |rows| plan.fits(rows, &given.preprocessing);
    let reader = arrow::Reader::open(table)?;
    let loaded = rows::load(reader, &given.preprocessing, expected, fits)?;
    let trained = plan.train(&loaded, given, &mut log::progress)?;
    drop(loaded);
    Ok(Outcome {
        outputs: vec![blob::put("bundle", MEDIA_TYPE, &trained.bundle.encode()?)?],
        metrics: trained
            .metrics
            .into_iter()
            .map(|(name, value)| Metric { name, value })
            .collect(),
        notes: trained.notes,
    })
}

fn json<T: DeserializeOwned>(artifact: &Artifact) -> Result<T, String> {
    let bytes = BlobReader::open(artifact)?.all(MAX_JSON)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("'{}' can't be read: {error}", artifact.name))
}

fn lineage(artifact: &Artifact) -> LineageInput {
    LineageInput {
        name: artifact.name.clone(),
        digest: artifact.digest.clone(),
    }
}

bindings::export!(Component with_types_in bindings);
