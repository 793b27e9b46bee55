//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/ingest",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-list@0.1.0": septet_guest::bindings::septet::capability::blob_list,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Invocation, Metric, Outcome, StageError,
    blob::{BlobReader, BlobWriter, put},
    call,
    fault::settle,
    log,
};

use septet_kit::schema::{MAX_BYTES, Schema};

use crate::passes::ingest;

struct Component;

impl bindings::exports::septet::pipeline::stage::Guest for Component {
    fn run(invocation: Invocation) -> Result<Outcome, StageError> {
        settle(run(&invocation))
    }
}

bindings::export!(Component with_types_in bindings);

fn run(invocation: &Invocation) -> Result<Outcome, String> {
    let parameters = call::parameters(invocation)?;
    let schema = match call::inputs(invocation, "schema").next() {
        Some(_) => Some(declared(invocation)?),
        None => None,
    };
    let source = BlobReader::open(call::input(invocation, "source")?)?;
    let ingested = ingest(
        source,
        schema.as_ref(),
        &parameters,
        BlobWriter::create,
        |done, total| log::progress(done, Some(total)),
    )?;
    let mut outputs = vec![
        ingested.table.finish("table")?,
        put("schema", "application/json", &ingested.schema)?,
    ];
    if let Some(quarantine) = ingested.quarantine {
        outputs.push(quarantine.finish("quarantine")?);
    }
    let metric = |name: &str, value: f64| Metric {
        name: name.to_owned(),
        value,
    };
    Ok(Outcome {
        outputs,
        metrics: vec![
            metric("rows", ingested.rows as f64),
            metric("columns", ingested.columns as f64),
            metric("quarantined", ingested.quarantined as f64),
            metric("duplicates", ingested.duplicates as f64),
        ],
        notes: ingested.notes,
    })
}

/// The schema that the user declared.
fn declared(invocation: &Invocation) -> Result<Schema, String> {
    let json = BlobReader::open(call::input(invocation, "schema")?)?.all(MAX_BYTES)?;
    let schema = Schema::parse(&json)?;
    if !schema.declared {
        return Err(
            "the schema is not a declared one: a part is read by what it is, or by a schema with \
             \"declared\": true"
                .to_owned(),
        );
    }
    Ok(schema)
}
