//! `septet monitor`: have the rows drifted from the training's?

use septet::{
    contract::Stage,
    pipeline::{Pipeline, RunKind, RunState},
    store::Mode,
};
use serde_json::{Map, Value};

use super::{args::Monitor, dataset, drawing::Drawing, output, request, session::Origin, summary};

/// Compares the rows of a file with the model's training rows.
pub(crate) async fn monitor(origin: &Origin, monitor: &Monitor) -> anyhow::Result<()> {
    let data = dataset::files(&monitor.data)?;
    let drawing = Drawing::new();
    let session = origin.session(Mode::Existing).await?;
    session.prepare(RunKind::Monitor.stages(), &drawing).await?;
    let request = request::monitor(&session, origin, monitor, &data).await?;
    let state = session.complete(request, drawing).await?;
    let drift = drift(&session.pipeline, &state).await?;
    if origin.global.json {
        output::json(&drift)
    } else {
        output::text_line(&text(&drift))
    }
}

/// Monitor's report, with the run in front.
pub(crate) async fn drift(
    pipeline: &Pipeline,
    state: &RunState,
) -> anyhow::Result<Map<String, Value>> {
    let report: Map<String, Value> =
        summary::report(pipeline, state, Stage::Monitor, "drift").await?;
    let mut drift = Map::new();
    drift.insert("run".to_owned(), Value::from(state.id.as_str()));
    drift.extend(report.into_iter().filter(|(name, _)| name != "format"));
    Ok(drift)
}

/// The report as it is read: the columns that drifted most come first.
pub(crate) fn text(drift: &Map<String, Value>) -> String {
    let number = |object: &Value, key: &str| object.get(key).and_then(Value::as_f64);
    let rows = drift.get("rows").and_then(Value::as_u64).unwrap_or(0);
    let columns = drift.get("columns").and_then(Value::as_array);
    let mut columns: Vec<&Value> = columns.into_iter().flatten().collect();
    columns.sort_by(|a, b| {
        let statistic = |column| number(column, "statistic").unwrap_or(0.0);
        statistic(b).total_cmp(&statistic(a))
    });
    let drifted = |column: &&&Value| column.get("drifted").and_then(Value::as_bool) == Some(true);
    let count = columns.iter().filter(drifted).count();
    let all = columns.len();
    let head = match count {
        0 => format!("no drift: {rows} rows, {all} columns"),
        _ => format!("drift in {count} of {all} columns ({rows} rows)"),
    };
    let cells = columns.iter().map(|column| {
        let figure = |key| number(column, key).map(output::figure).unwrap_or_default();
        vec![
            summary::text(column, "name"),
            summary::text(column, "test"),
            figure("statistic"),
            figure("threshold"),
            if drifted(&column) {
                "drifted".to_owned()
            } else {
                "–".to_owned()
            },
        ]
    });
    let header = ["column", "test", "statistic", "threshold", ""];
    let table = output::table(&header, &["statistic", "threshold"], cells.collect());
    let mut text = format!("{head}\n\n{table}");
    if let Some(performance) = drift
        .get("performance")
        .and_then(|told| told.get("metrics")?.as_object())
    {
        let figures = performance.iter().filter_map(|(name, value)| {
            value
                .as_f64()
                .map(|value| format!("{name} {}", output::figure(value)))
        });
        text.push_str("\n\nwith the labels: ");
        text.push_str(&figures.collect::<Vec<_>>().join("   "));
    }
    text
}
