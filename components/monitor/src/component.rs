//! Bindings and mapping.

#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "septet:pipeline/monitor",
        with: {
            "septet:pipeline/types@0.1.0": septet_guest::bindings::septet::pipeline::types,
            "septet:capability/blobs@0.1.0": septet_guest::bindings::septet::capability::blobs,
            "septet:capability/blob-read@0.1.0": septet_guest::bindings::septet::capability::blob_read,
            "septet:capability/blob-write@0.1.0": septet_guest::bindings::septet::capability::blob_write,
            "septet:capability/registry-read@0.1.0": septet_guest::bindings::septet::capability::registry_read,
            "septet:capability/queue@0.1.0": septet_guest::bindings::septet::capability::queue,
            "septet:capability/log@0.1.0": septet_guest::bindings::septet::capability::log,
        },
    });
}

use septet_guest::{
    Invocation, Metric, Outcome, StageError,
    blob::{self, BlobReader},
    call,
    fault::settle,
    log, queue,
};
use septet_kit::{arrow, bundle::read_manifest, table::Table};

use crate::{
    report::Report,
    watch::{Parameters, Window, watch},
};

/// Label of the queue for alerts.
const ALERTS: &str = "alerts";

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
    let open = |artifact| arrow::Reader::open(BlobReader::open(artifact)?);
    let predictions = open(call::input(invocation, "predictions")?)?;
    let tables = call::inputs(invocation, "table").flat_map(|artifact| {
        // One table is open at a time; one that does not open is an error in its place.
        let (rows, error) = match open(artifact) {
            Ok(rows) => (Some(rows), None),
            Err(error) => (None, Some(Err(error))),
        };
        rows.into_iter()
            .flatten()
            .chain::<Option<Result<Table, String>>>(error)
    });
    let mut progress = |rows| log::progress(rows, None);
    let features = match call::inputs(invocation, "features").next() {
        Some(_) => Some(open(call::input(invocation, "features")?)?),
        None => None,
    };
    let window = Window {
        tables,
        predictions,
        features,
    };
    let report = watch(&parameters, &manifest, window, &mut progress)?;
    if let Some(alert) = report.alert(&bundle.digest) {
        let body = serde_json::to_vec(&alert)
            .map_err(|error| format!("the alert can't be written: {error}"))?;
        queue::send(ALERTS, "the alert", &body)?;
    }
    let json = serde_json::to_vec(&report)
        .map_err(|error| format!("the report can't be written: {error}"))?;
    Ok(Outcome {
        outputs: vec![blob::put("drift", "application/json", &json)?],
        metrics: metrics(&report),
        notes: report.notes(),
    })
}

fn metrics(report: &Report) -> Vec<Metric> {
    let worst = report.columns.iter().map(|column| column.psi);
    let mut metrics = vec![
        ("rows".to_owned(), report.rows as f64),
        ("failed".to_owned(), report.failed as f64),
        (
            "drifted_columns".to_owned(),
            report.drifted_columns().count() as f64,
        ),
        (
            "drifted_features".to_owned(),
            report.drifted_features().count() as f64,
        ),
        (
            "worse_columns".to_owned(),
            report.worse_columns().count() as f64,
        ),
        ("max_psi".to_owned(), worst.fold(0.0, f64::max)),
    ];
    if let Some(prediction) = &report.prediction {
        metrics.push(("prediction_psi".to_owned(), prediction.psi));
    }
    if let Some(probability) = &report.probability {
        metrics.push(("probability_psi".to_owned(), probability.psi));
    }
    if let Some(performance) = &report.performance {
        metrics.extend(performance.metrics.clone());
    }
    metrics
        .into_iter()
        .map(|(name, value)| Metric { name, value })
        .collect()
}

bindings::export!(Component with_types_in bindings);
