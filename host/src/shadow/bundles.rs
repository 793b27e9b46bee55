//! Two models of one training: by what they predict for its sample, and not by their bytes.

use std::{sync::Arc, time::Instant};

use septet_kit::{arrow, table::Table};

use super::{
    artifact::File,
    rows::{Format, Rows},
    tables::{self, Terms, Unread},
};
use crate::{
    contract::{Artifact, Call},
    pipeline::{Comparison, Difference, Tolerance},
    stage::{LoadError, PredictError, Signature, StageExecutor, to_kit, to_wit},
};

/// The rows of a training that its models are asked for.
const SAMPLE: &str = "sample";

/// Compares two models. False where they can't be: one can't be loaded, or there are no rows to ask for.
pub(super) async fn compare(
    stages: &Arc<StageExecutor>,
    call: &Call,
    (one, other): (&Artifact, &Artifact),
    (tolerance, deadline): (&Tolerance, Instant),
    comparison: &mut Comparison,
) -> anyhow::Result<bool> {
    let Some(sample) = sample(stages, call).await? else {
        return Ok(false);
    };
    let sample = Arc::new(sample);
    let predicted = async |bundle: &Artifact| {
        let (stages, sample) = (Arc::clone(stages), Arc::clone(&sample));
        let (call, bundle) = (call.clone(), bundle.clone());
        let handle = tokio::runtime::Handle::current();
        // It computes, and an embedded component can't be interrupted: on a thread of its own.
        let asking = move || handle.block_on(predicted(&stages, &call, &bundle, &sample));
        tokio::task::spawn_blocking(asking).await?
    };
    let (Some(first), Some(second)) = (predicted(one).await?, predicted(other).await?) else {
        return Ok(false);
    };
    let place = format!("predictions of {} for the sample", one.name);
    match (first, second) {
        (Ok(first), Ok(second)) => {
            let (first, second) = (Rows::<File>::from(first), Rows::from(second));
            let terms = Terms::new(&place, None, tolerance, deadline);
            // They are in memory, and can be read.
            if let Err(Unread::Bound(why)) = tables::compare(&terms, first, second, comparison) {
                comparison.differ(Difference::new(&place, "predictions", &why));
            }
        }
        (Ok(_), Err(why)) => comparison.differ(Difference::new(&place, "predictions", &why)),
        // What counted can't do it either.
        (Err(_), _) => return Ok(false),
    }
    Ok(true)
}

/// What a model predicts for the sample; none where it can't be loaded, or needs other columns.
async fn predicted(
    stages: &StageExecutor,
    call: &Call,
    bundle: &Artifact,
    sample: &Table,
) -> anyhow::Result<Option<Result<Table, String>>> {
    let load = async |infer| stages.predictor(&infer, bundle, &call.transforms).await;
    let mut loaded = load(call.infer).await;
    // Of a component and an external train beside it, the latter's model may be ONNX.
    if matches!(loaded, Err(PredictError::Rejected(_)))
        && let Some(onnx) = stages.keep_onnx().await?.filter(|onnx| *onnx != call.infer)
    {
        loaded = load(onnx).await;
    }
    let mut predictor = match loaded {
        Ok(predictor) => predictor,
        Err(PredictError::Load(LoadError::Host(error))) => return Err(error),
        Err(_) => return Ok(None),
    };
    let Some(rows) = needed(sample, predictor.signature()) else {
        return Ok(None);
    };
    let predicted = predictor.predict(to_wit(&rows)).await;
    let predicted = predicted.map_err(|error| error.to_string());
    Ok(Some(predicted.map(to_kit)))
}

/// The first rows of the call's sample; none where it has none.
async fn sample(stages: &StageExecutor, call: &Call) -> anyhow::Result<Option<Table>> {
    let is_sample = |input: &&Artifact| {
        input.name == SAMPLE && Format::of(&input.media_type) == Some(Format::Arrow)
    };
    let Some(input) = call.inputs.iter().find(is_sample) else {
        return Ok(None);
    };
    let file = File::open(input, stages.blobs().as_ref()).await?;
    let limits = stages.limits();
    let most = limits.batch_rows.min(arrow::BATCH as u64) as usize;
    let bytes = limits.batch_bytes as usize / 2;
    let reading = tokio::task::spawn_blocking(move || {
        let first = arrow::Reader::open(file).and_then(|mut reader| reader.next_table());
        let mut rows = first.ok().flatten()?.slice(0, most);
        while rows.rows > 1 && rows.bytes() > bytes {
            rows = rows.slice(0, rows.rows / 2);
        }
        (rows.rows > 0).then_some(rows)
    });
    Ok(reading.await?)
}

/// The columns that a model needs; none where the sample lacks one.
fn needed(sample: &Table, signature: &Signature) -> Option<Table> {
    let inputs = signature.inputs.iter();
    let columns = inputs.map(|input| sample.column(&input.name).cloned());
    Some(Table {
        rows: sample.rows,
        columns: columns.collect::<Option<_>>()?,
    })
}
