//! `septet monitor`: have the rows drifted from the training's?

use septet::{
    contract::Stage,
    pipeline::{Pipeline, RunKind, RunState},
    store::Mode,
};
use serde_json::{Map, Value};

use super::{
    args::Monitor, data::Data, drawing::Drawing, output, request, session::Origin, summary,
};

/// Compares the rows of a file with the model's training rows.
pub(crate) async fn monitor(origin: &Origin, monitor: &Monitor) -> anyhow::Result<()> {
    let data = Data::typed(&monitor.data)?;
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

/// Figures of performance that the text shows; `--json` has all.
const FIGURES: [&str; 8] = [
    "accuracy",
    "balanced_accuracy",
    "f1",
    "roc_auc",
    "log_loss",
    "r2",
    "rmse",
    "mae",
];

/// The report as it is read: the columns that drifted most come first.
pub(crate) fn text(drift: &Map<String, Value>) -> String {
    if !drift.contains_key("columns") {
        // Of an external monitor, which says it in its own way.
        return serde_json::to_string_pretty(drift).unwrap_or_default();
    }
    let list = |key: &str| drift.get(key).and_then(Value::as_array);
    let rows = drift.get("rows").and_then(Value::as_u64).unwrap_or(0);
    let mut columns: Vec<&Value> = list("columns").into_iter().flatten().collect();
    columns.sort_by(|a, b| {
        let psi = |column| number(column, "psi").unwrap_or(0.0);
        psi(b).total_cmp(&psi(a))
    });
    let count = columns.iter().filter(|column| is_drifted(column)).count();
    let all = columns.len();
    let too_small = drift.get("too_small").and_then(Value::as_bool) == Some(true);
    let answers = drift.get("prediction").is_some_and(is_drifted);
    let head = match count {
        _ if too_small => format!(
            "{rows} rows are too few to tell drift: at least {} are needed (--min-rows)",
            drift.get("min_rows").and_then(Value::as_u64).unwrap_or(0)
        ),
        0 if answers => format!("the predictions drifted, no column did ({rows} rows)"),
        0 => format!("no drift: {rows} rows, {all} columns"),
        _ => format!("drift in {count} of {all} columns ({rows} rows)"),
    };
    let cells = columns.into_iter().map(cells).chain(
        drift
            .get("prediction")
            .filter(|prediction| prediction.is_object())
            .map(cells),
    );
    let header = ["column", "psi", "threshold", "", "test", "statistic", "p"];
    let right = ["psi", "threshold", "statistic", "p"];
    let table = output::table(&header, &right, cells.collect());
    let mut text = format!("{head}\n\n{table}");
    let worse: Vec<String> = list("quality")
        .into_iter()
        .flatten()
        .filter_map(|found| {
            let what: Vec<&str> = found
                .get("worse")?
                .as_array()?
                .iter()
                .filter_map(Value::as_str)
                .collect();
            let name = summary::text(found, "name");
            (!what.is_empty()).then(|| format!("{name} ({})", what.join(", ")))
        })
        .collect();
    for (key, what) in [
        ("failed", "rows could not be predicted"),
        (
            "quarantined",
            "rows were set apart, because they do not fit their column",
        ),
    ] {
        let count = drift.get(key).and_then(Value::as_u64).unwrap_or(0);
        if count > 0 {
            text.push_str("\n\n");
            text.push_str(&count.to_string());
            text.push(' ');
            text.push_str(what);
        }
    }
    if !worse.is_empty() {
        text.push_str("\n\ndata quality is worse than in the training: ");
        text.push_str(&worse.join(", "));
    }
    if let Some(performance) = drift
        .get("performance")
        .and_then(|told| told.get("metrics")?.as_object())
    {
        let figures = FIGURES.iter().filter_map(|name| {
            let value = performance.get(*name)?.as_f64()?;
            Some(format!("{name} {}", output::figure(value)))
        });
        text.push_str("\n\nwith the labels: ");
        text.push_str(&figures.collect::<Vec<_>>().join("   "));
    }
    text
}

fn number(object: &Value, key: &str) -> Option<f64> {
    object.get(key).and_then(Value::as_f64)
}

fn is_drifted(column: &Value) -> bool {
    column.get("drifted").and_then(Value::as_bool) == Some(true)
}

/// A line of the table. The p-value is the corrected one; it is told, and does not decide.
fn cells(column: &Value) -> Vec<String> {
    let figure = |key| number(column, key).map(output::figure).unwrap_or_default();
    vec![
        summary::text(column, "name"),
        figure("psi"),
        figure("threshold"),
        if is_drifted(column) {
            "drifted".to_owned()
        } else {
            "–".to_owned()
        },
        summary::text(column, "test"),
        figure("statistic"),
        figure("p_adjusted"),
    ]
}
