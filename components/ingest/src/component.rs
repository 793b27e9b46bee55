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
    let source = BlobReader::open(call::input(invocation, "source")?)?;
    let ingested = ingest(source, &parameters, BlobWriter::create, |done, total| {
        log::progress(done, Some(total));
    })?;
    let mut outputs = vec![
        ingested.table.finish("table")?,
        put("schema", "application/json", &ingested.schema)?,
    ];
    let mut notes = Vec::new();
    if let Some(quarantine) = ingested.quarantine {
        outputs.push(quarantine.finish("quarantine")?);
    }
    if let Some(first) = &ingested.first_bad {
        notes.push(format!(
            "{} of {} rows do not fit and were set apart: the first is {}",
            ingested.quarantined,
            ingested.rows + ingested.quarantined,
            first.told()
        ));
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
        ],
        notes,
    })
}
