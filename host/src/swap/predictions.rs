//! The other half of infer: models are loaded with it and asked, as servers do, beside what serves
//! them now.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{overlay::Overlay, report::Tried, step::Why};
use crate::{
    capability::{
        bindings::septet::transform::tables::Kind,
        clean,
        table::canonicalize,
        tables::{Column, Table, Values},
    },
    contract::{Digest, PinnedVersion, Stage},
    pipeline::Pipeline,
    stage::{Feature, LoadError, PredictError, Predictor, Signature, StageExecutor},
};

/// How many models are asked: each is loaded twice.
const MODELS: usize = 4;

/// How long loading one and asking it may take.
const WITHIN: Duration = Duration::from_mins(1);

/// Rows that are asked for.
const ROWS: u32 = 16;

/// Asks the champions of some models for predictions of made-up rows, once of `component` and once of
/// what serves now.
pub(super) async fn compare(
    stages: &StageExecutor,
    component: Digest,
    pipeline: &Pipeline,
    builtin: Digest,
) -> Result<Vec<Tried>, Why> {
    let registry = pipeline.registry();
    let state = pipeline.swaps().state(Stage::Infer).await?;
    let mut tried = Vec::new();
    for name in registry.models().await? {
        if tried.len() >= MODELS {
            break;
        }
        let model = registry.state(&name).await?;
        let Some(version) = model.pointed_at("champion") else {
            continue;
        };
        let version = &version.pinned;
        // What is swapped in does not read it, nor is it asked to.
        if version.is_onnx() {
            continue;
        }
        let call = format!("model {name}@{}", version.number);
        let serves = state.settled(version, builtin);
        if state.has_admitted(&serves) {
            pipeline.swaps().accepts(&state, &serves).await?;
        }
        let stages = Arc::new(stages.over(Overlay::over(&pipeline.store().blobs)));
        // What can't be loaded now is no measure: its bundle may be gone.
        let Ok(old) = load(&stages, serves, version).await else {
            continue;
        };
        let begun = Instant::now();
        let named = |why: String| Why::Component(format!("{call}: {why}"));
        let new = load(&stages, component, version).await;
        let new = new.map_err(|error| match error {
            PredictError::Load(LoadError::Host(error)) => Why::Host(error),
            error => named(error.to_string()),
        })?;
        signatures(old.signature(), new.signature()).map_err(named)?;
        let rows = rows(old.signature());
        let different = match (predict(old, &rows).await, predict(new, &rows).await) {
            (Ok(old), Ok(new)) => tables(&old, &new).map_err(named)?,
            // The rows are made up: a model may reject them, with any component.
            (Err(_), _) => Vec::new(),
            (Ok(_), Err(error)) => return Err(named(error)),
        };
        let seconds = begun.elapsed().as_secs_f64();
        let one = Tried {
            call,
            seconds,
            ..Tried::default()
        };
        tried.push(one.with(&different));
    }
    Ok(tried)
}

/// Loads a model, on a thread that may compute: an embedded component can't be interrupted.
async fn load(
    stages: &Arc<StageExecutor>,
    infer: Digest,
    version: &PinnedVersion,
) -> Result<Predictor, PredictError> {
    let (bundle, transforms) = (version.artifact(), version.transforms());
    let stages = Arc::clone(stages);
    let handle = tokio::runtime::Handle::current();
    let loading = tokio::task::spawn_blocking(move || {
        handle.block_on(stages.predictor(&infer, &bundle, &transforms))
    });
    match tokio::time::timeout(WITHIN, loading).await {
        Ok(Ok(loaded)) => loaded,
        Ok(Err(broken)) => Err(PredictError::Failed(broken.to_string())),
        Err(_) => Err(PredictError::Failed(late())),
    }
}

async fn predict(mut predictor: Predictor, rows: &Table) -> Result<Table, String> {
    let (rows, handle) = (rows.clone(), tokio::runtime::Handle::current());
    let asking = tokio::task::spawn_blocking(move || handle.block_on(predictor.predict(rows)));
    match tokio::time::timeout(WITHIN, asking).await {
        Ok(Ok(predicted)) => predicted.map_err(|error| error.to_string()),
        Ok(Err(broken)) => Err(broken.to_string()),
        Err(_) => Err(late()),
    }
}

fn late() -> String {
    format!("it took more than {} s", WITHIN.as_secs())
}

/// Refuses another signature: clients send those columns, and read these.
fn signatures(old: &Signature, new: &Signature) -> Result<(), String> {
    let same = |one: &[Feature], two: &[Feature]| {
        let alike = |(a, b): (&Feature, &Feature)| a.name == b.name && a.kind == b.kind;
        one.len() == two.len() && one.iter().zip(two).all(alike)
    };
    if !same(&old.inputs, &new.inputs) {
        return Err("the model would need other columns than it does".to_owned());
    }
    if !same(&old.outputs, &new.outputs) {
        return Err("the model would give other columns than it does".to_owned());
    }
    Ok(())
}

/// Rows for a signature: small and large values, and where a column may lack them, none.
fn rows(signature: &Signature) -> Table {
    let of = |feature: &Feature| {
        let numbers = (0..ROWS).map(|row| f64::from(row) * f64::from(row) - 4.0);
        let values = match feature.kind {
            Kind::Floats => Values::Floats(numbers.map(|number| number * 1.5).collect()),
            Kind::Integers => Values::Integers(numbers.map(|number| number as i64).collect()),
            Kind::Booleans => Values::Booleans((0..ROWS).map(|row| row % 2 == 0).collect()),
            Kind::Texts | Kind::Categories => {
                let texts = ["", "a", "b", "ä"].into_iter().cycle().map(str::to_owned);
                Values::Texts(texts.take(ROWS as usize).collect())
            }
            Kind::Timestamps => {
                let day = 86_400_000_000_i64;
                Values::Timestamps((0..ROWS).map(|row| i64::from(row) * 400 * day).collect())
            }
        };
        Column {
            name: feature.name.clone(),
            values,
            nulls: if feature.nullable {
                vec![ROWS - 1]
            } else {
                Vec::new()
            },
        }
    };
    let mut rows = Table {
        rows: ROWS,
        columns: signature.inputs.iter().map(of).collect(),
    };
    canonicalize(&mut rows);
    rows
}

/// What differs between two tables of predictions; other columns refuse.
fn tables(old: &Table, new: &Table) -> Result<Vec<String>, String> {
    let mut different = Vec::new();
    if old.columns.len() != new.columns.len() || old.rows != new.rows {
        return Err("it gives predictions of another shape".to_owned());
    }
    for (old, new) in old.columns.iter().zip(&new.columns) {
        let name = clean(&new.name, 80);
        if old.name != new.name
            || std::mem::discriminant(&old.values) != std::mem::discriminant(&new.values)
        {
            let old = clean(&old.name, 80);
            return Err(format!(
                "it gives column '{name}' where '{old}' was, or another kind"
            ));
        }
        let cells =
            |column: &Column| -> Vec<String> { (0..ROWS).map(|row| cell(column, row)).collect() };
        let (old, new) = (cells(old), cells(new));
        let rows = old.iter().zip(&new).filter(|(old, new)| old != new);
        if let Some((old, new)) = rows.clone().next() {
            let count = rows.count();
            different.push(format!(
                "'{name}' differs in {count} of {ROWS} rows: {new}, and was {old}"
            ));
        }
    }
    Ok(different)
}

fn cell(column: &Column, row: u32) -> String {
    if column.nulls.contains(&row) {
        return "none".to_owned();
    }
    let at = row as usize;
    let text = match &column.values {
        Values::Floats(values) => values.get(at).map(ToString::to_string),
        Values::Integers(values) | Values::Timestamps(values) => {
            values.get(at).map(ToString::to_string)
        }
        Values::Booleans(values) => values.get(at).map(ToString::to_string),
        Values::Texts(values) => values.get(at).map(|text| clean(text, 80)),
        Values::Categories(values) => {
            let code = values.codes.get(at).map(|code| *code as usize);
            let text = code.and_then(|code| values.dictionary.get(code));
            text.map(|text| clean(text, 80))
        }
    };
    text.unwrap_or_default()
}
