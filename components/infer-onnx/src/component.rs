//! Bindings and mapping.

use septet_guest::{
    Artifact, Invocation, Metric, Outcome, StageError,
    bindings::septet::transform::tables,
    blob::{self, BlobReader},
    call,
    fault::settle,
};
use septet_infer::component::{
    self,
    bindings::{self, exports::septet::pipeline::predictor},
};
use septet_kit::{
    arrow,
    bundle::{LineageInput, MEDIA_TYPE},
    table::Table,
    trained,
};
use serde::de::DeserializeOwned;

use crate::{
    engine,
    import::{self, Parameters},
};

/// Bytes of an ONNX file that are read.
const MAX_ONNX: u64 = 256 << 20;
/// Bytes of the preprocessing and of the reference: both go into the bundle's manifest.
const MAX_JSON: u64 = 6 << 20;
/// Rows of data that come with a model. Its figures and what drift is compared with are of these.
const MAX_ROWS: usize = 1 << 20;
/// Numbers of the train rows, in memory.
const MAX_NUMBERS: u64 = 1 << 26;

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        if invocation.inputs.iter().any(|input| input.name == "onnx") {
            return settle(import(&invocation));
        }
        component::stage(&invocation, Some(engine::open))
    }
}

impl predictor::Guest for Component {
    fn load(bundle: Artifact) -> Result<predictor::Signature, predictor::Error> {
        component::load(&bundle, Some(engine::open))
    }

    fn predict(batch: tables::Table) -> Result<tables::Table, predictor::Error> {
        component::predict(batch)
    }
}

bindings::export!(Component with_types_in septet_infer::component::bindings);

/// The bundle of an ONNX model: of one that takes the features of a `preprocessing`, or raw columns.
fn import(invocation: &Invocation) -> Result<Outcome, String> {
    let onnx = BlobReader::open(call::input(invocation, "onnx")?)?.all(MAX_ONNX)?;
    let lineage = invocation.inputs.iter().map(|artifact| LineageInput {
        name: artifact.name.clone(),
        digest: artifact.digest.clone(),
    });
    let origin = (invocation.seed, lineage.collect());
    let imported = if invocation.inputs.iter().any(|i| i.name == "preprocessing") {
        let plan = json(call::input(invocation, "preprocessing")?)?;
        let reference = json(call::input(invocation, "reference")?)?;
        let sample = arrow::read(BlobReader::open(call::input(invocation, "sample")?)?)?;
        let table = BlobReader::open(call::input(invocation, "train")?)?;
        let expected = trained::estimate(table.size(), &plan);
        let features = plan.features.len() as u64;
        let fits = |rows: u64| {
            if rows.saturating_mul(features) > MAX_NUMBERS {
                return Err(format!(
                    "{rows} train rows of {features} features are too many to check an ONNX model with: \
                     at most {MAX_NUMBERS} numbers are held"
                ));
            }
            Ok(())
        };
        let loaded = trained::load(arrow::Reader::open(table)?, &plan, expected, fits)?;
        import::trained(onnx, plan, reference, &sample, &loaded, origin)?
    } else {
        let parameters: Parameters = call::parameters(invocation)?;
        import::raw(onnx, parameters, data(invocation)?.as_ref(), origin)?
    };
    Ok(Outcome {
        outputs: vec![blob::put("bundle", MEDIA_TYPE, &imported.bundle.encode()?)?],
        metrics: imported
            .metrics
            .into_iter()
            .map(|(name, value)| Metric { name, value })
            .collect(),
        notes: imported.notes,
    })
}

/// The rows of all tables, the first of them where there are very many.
fn data(invocation: &Invocation) -> Result<Option<Table>, String> {
    let mut all: Option<Table> = None;
    for table in call::inputs(invocation, "table") {
        for batch in arrow::Reader::open(BlobReader::open(table)?)? {
            let batch = batch?;
            match &mut all {
                None => all = Some(batch),
                Some(all) if all.rows + batch.rows > MAX_ROWS => {
                    return Ok(Some(std::mem::take(all)));
                }
                Some(all) => all.append(batch)?,
            }
        }
    }
    Ok(all)
}

fn json<T: DeserializeOwned>(artifact: &Artifact) -> Result<T, String> {
    let bytes = BlobReader::open(artifact)?.all(MAX_JSON)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| format!("'{}' can't be read: {error}", artifact.name))
}
