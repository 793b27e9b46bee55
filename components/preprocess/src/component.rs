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
use septet_kit::{
    arrow,
    schema::{self, Schema},
    split::{self, Split},
};
use serde::Serialize;

use crate::{output, parameters::Parameters, prepare::prepare, schema::read::read};

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

bindings::export!(Component with_types_in bindings);

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let mut parameters: Parameters = call::parameters(invocation)?;
    let inputs = |name: &str| call::inputs(invocation, name);
    let pinned = match inputs("schema").next() {
        Some(_) => Some(Schema::parse(&one(
            invocation,
            "schema",
            schema::MAX_BYTES,
        )?)?),
        None => None,
    };
    let pinned_split = match inputs("split").next() {
        Some(_) => Some(Split::parse(&one(invocation, "split", split::MAX_BYTES)?)?),
        None => None,
    };
    if let Some(split) = &pinned_split {
        parameters.follow(&split.rule);
    }
    parameters.check()?;
    let open = |part| arrow::Reader::open(BlobReader::open(part)?);
    let size = inputs("table")
        .chain(inputs("test-table"))
        .map(|part| part.size);
    let parts = read(
        inputs("table").map(open),
        inputs("test-table").map(open),
        pinned,
        size.sum(),
        |rows| log::progress(rows, None),
    )?;
    let mut passed = 0;
    let prepared = prepare(
        parts.table,
        parts.tests,
        &parameters,
        pinned_split,
        |digest, batch| {
            passed += batch.rows as u64;
            let batch = ask::transform(digest, batch)?;
            log::progress(passed, None);
            Ok(batch)
        },
    )?;

    let train = prepared.write_train(BlobWriter::create(arrow::MEDIA_TYPE)?, |done, total| {
        log::progress(done, Some(total));
    })?;
    let test = prepared.write_test(BlobWriter::create(arrow::MEDIA_TYPE)?)?;
    let sample = prepared.write_sample(BlobWriter::create(arrow::MEDIA_TYPE)?)?;
    let metric = |name: &str, value: usize| Metric {
        name: name.to_owned(),
        value: value as f64,
    };
    let mut outputs = vec![
        train.finish("train")?,
        test.finish("test")?,
        put("preprocessing", JSON, &json(&prepared.preprocessing)?)?,
        put("reference", JSON, &json(&prepared.reference)?)?,
        sample.finish("sample")?,
    ];
    if let Some(in_force) = parts.rules.schema() {
        let schema = output::json("schema", in_force, schema::MAX_BYTES)?;
        outputs.push(put("schema", JSON, &schema)?);
    }
    let split = output::json("split", &prepared.split, split::MAX_BYTES)?;
    outputs.push(put("split", JSON, &split)?);
    if let Some(proposed) = parts.rules.proposed() {
        let proposed = output::json("proposed-schema", &proposed, schema::MAX_BYTES)?;
        outputs.push(put("proposed-schema", JSON, &proposed)?);
    }
    if !parts.rules.misfits().is_empty() {
        let mut lines = Vec::new();
        for misfit in parts.rules.misfits() {
            lines.extend(json(misfit)?);
            lines.push(b'\n');
        }
        outputs.push(put("quarantine", JSON_LINES, &lines)?);
    }
    Ok(Outcome {
        outputs,
        metrics: vec![
            metric("train_rows", prepared.train_rows()),
            metric("test_rows", prepared.test.rows),
            metric("features", prepared.preprocessing.features.len()),
            metric("duplicates", prepared.duplicates),
            metric("quarantined_parts", parts.apart),
        ],
        notes: parts.notes.into_iter().chain(prepared.notes).collect(),
    })
}

/// The one input of this name, as a whole.
fn one(invocation: &Invocation, name: &str, limit: u64) -> Result<Vec<u8>, String> {
    BlobReader::open(call::input(invocation, name)?)?.all(limit)
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(value).map_err(|error| error.to_string())
}
