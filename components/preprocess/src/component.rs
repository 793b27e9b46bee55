//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/preprocess",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:transform/tables@0.1.0": septet_guest::bindings::septet::transform::tables,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/transforms@0.1.0": septet_guest::bindings::septet::capability::transforms,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Invocation, Metric, Outcome, StageError, ask,
    blob::{BlobReader, BlobWriter, put},
    call,
    fault::settle,
    log,
};
use septet_kit::arrow;
use serde::Serialize;

use crate::{
    parameters::Parameters,
    prepare::prepare,
    unify::{MAX_BYTES, unify},
};

const JSON: &str = "application/json";

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

bindings::export!(Component with_types_in bindings);

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let parameters: Parameters = call::parameters(invocation)?;
    parameters.check()?;
    let size: u64 = call::inputs(invocation, "table")
        .map(|part| part.size)
        .sum();
    if size > MAX_BYTES as u64 {
        return Err(format!(
            "the tables have {} MiB: at most {} MiB are held in memory, so take fewer rows or \
             columns",
            size >> 20,
            MAX_BYTES >> 20
        ));
    }
    let parts =
        call::inputs(invocation, "table").map(|part| arrow::Reader::open(BlobReader::open(part)?));
    let table = unify(parts, |rows| log::progress(rows, None))?;
    let mut passed = 0;
    let prepared = prepare(table, &parameters, |digest, batch| {
        passed += batch.rows as u64;
        let batch = ask::transform(digest, batch)?;
        log::progress(passed, None);
        Ok(batch)
    })?;

    let train = prepared.write_train(BlobWriter::create(arrow::MEDIA_TYPE)?, |done, total| {
        log::progress(done, Some(total));
    })?;
    let test = prepared.write_test(BlobWriter::create(arrow::MEDIA_TYPE)?)?;
    let sample = prepared.write_sample(BlobWriter::create(arrow::MEDIA_TYPE)?)?;
    let metric = |name: &str, value: usize| Metric {
        name: name.to_owned(),
        value: value as f64,
    };
    Ok(Outcome {
        outputs: vec![
            train.finish("train")?,
            test.finish("test")?,
            put("preprocessing", JSON, &json(&prepared.preprocessing)?)?,
            put("reference", JSON, &json(&prepared.reference)?)?,
            sample.finish("sample")?,
        ],
        metrics: vec![
            metric("train_rows", prepared.train_rows()),
            metric("test_rows", prepared.test.rows),
            metric("features", prepared.preprocessing.features.len()),
        ],
        notes: prepared.notes,
    })
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}
