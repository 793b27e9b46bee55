//! From an ONNX model and the rows that it was trained on to a bundle.
//!
//! It owns what the bundle of a model tells that was trained elsewhere. Metrics are evaluate's.

use std::collections::BTreeMap;

use septet_infer::predictor::Engine;
use septet_kit::{
    bundle::{Bundle, FORMAT, LineageInput, Manifest, Recorded},
    drift::Reference,
    matrix::Matrix,
    metrics::{self, Metrics},
    model::{Model, Onnx},
    preprocessing::{Folds, Input, Preprocessing, Task},
    show::shown,
    table::{Kind, RESERVED, Table},
    trained::{Loaded, answers, feature_reference, record},
};
use serde::Deserialize;
use tract_onnx::prelude::DatumType;

use crate::engine::{self, Columns, named};

/// The algorithm that is told of such a model.
const ALGORITHM: &str = "onnx";
/// Rows that are recorded.
const RECORDED: usize = 64;

/// What is said of a model that comes as a file, and of its data.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The column of the data that is predicted, or how it is called.
    #[serde(default)]
    pub target: Option<String>,
    /// Classification or regression, where the model does not say.
    #[serde(default)]
    pub task: Option<Task>,
    /// Of two classes, the one that is looked for.
    #[serde(default)]
    pub positive: Option<String>,
    /// The columns of a model whose one input is a matrix, where there are no data to say.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// What comes of an import.
#[derive(Debug)]
pub struct Imported {
    /// The model and all that serving it needs.
    pub bundle: Bundle,
    /// How well it does on the data that came with it.
    pub metrics: Metrics,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

/// A model that takes the features of a preprocessing of ours.
pub fn trained(
    onnx: Vec<u8>,
    preprocessing: Preprocessing,
    reference: Reference,
    sample: &Table,
    loaded: &Loaded,
    origin: (u64, Vec<LineageInput>),
) -> Result<Imported, String> {
    let model = Onnx::new(
        preprocessing.features.len(),
        preprocessing.classes.len(),
        onnx,
    )?;
    let engine = engine::open(&model, &preprocessing)?;
    let model = Model::Onnx(model);
    let nothing = Table {
        rows: 0,
        columns: vec![],
    };
    let predict = |_: &Table, features: &Matrix| scores(&model, &*engine, &nothing, features);
    let predictions = predict(&nothing, &loaded.features)?;
    check(&predictions)?;
    let mut notes = vec![];
    let metrics = figures(&preprocessing, &predictions, &loaded.target);
    let features = &loaded.features;
    let told = feature_reference(&preprocessing, features, &mut notes, &mut || {});
    let manifest = Manifest {
        reference,
        feature_reference: told,
        metrics: of_train(&metrics),
        prediction_reference: predicted(&preprocessing, &predictions),
        recorded: record(&preprocessing, sample, features, predict)?,
        ..blank(preprocessing, origin)
    };
    Ok(Imported {
        bundle: Bundle::new(manifest, model)?,
        metrics,
        notes,
    })
}

/// A model that takes raw columns. `data` are rows as ingest gives them, with the target; without them there
/// is nothing to compare later rows with.
pub fn raw(
    onnx: Vec<u8>,
    parameters: Parameters,
    data: Option<&Table>,
    origin: (u64, Vec<LineageInput>),
) -> Result<Imported, String> {
    let read = engine::Model::read(&onnx)?;
    let (preprocessing, truth) = plan(&read, parameters, data)?;
    let classes = &preprocessing.classes;
    let engine = read.engine(&Columns::Raw(&preprocessing.inputs), classes)?;
    let model = Model::Onnx(Onnx::new(0, classes.len(), onnx)?);
    let mut manifest = blank(preprocessing, origin);
    let plan = &manifest.preprocessing;
    let Some(data) = data else {
        return Ok(Imported {
            bundle: Bundle::new(manifest, model)?,
            metrics: Metrics::new(),
            notes: vec![
                "no data came with the model: drift can't be measured, and nothing is replayed when it is \
                 loaded"
                    .to_owned(),
            ],
        });
    };
    let rows = plan.check(data)?;
    let none = Matrix::zeros(rows.rows, 0);
    let predictions = scores(&model, &engine, &rows, &none)?;
    check(&predictions)?;
    let metrics = figures(plan, &predictions, &truth);
    let few = rows.slice(0, rows.rows.min(RECORDED));
    let none = Matrix::zeros(few.rows, 0);
    manifest.recorded = record(plan, &few, &none, |rows, features| {
        scores(&model, &engine, rows, features)
    })?;
    manifest.prediction_reference = predicted(plan, &predictions);
    manifest.metrics = of_train(&metrics);
    manifest.reference = Reference::fit(&rows, &[]);
    Ok(Imported {
        bundle: Bundle::new(manifest, model)?,
        metrics,
        notes: vec![],
    })
}

/// A manifest that tells of no rows yet.
fn blank(preprocessing: Preprocessing, (seed, lineage): (u64, Vec<LineageInput>)) -> Manifest {
    Manifest {
        format: FORMAT,
        algorithm: ALGORITHM.to_owned(),
        parameters: BTreeMap::new(),
        seed,
        reference: Reference::default(),
        feature_reference: Reference::default(),
        threshold: None,
        metrics: Metrics::new(),
        prediction_reference: Reference::default(),
        lineage,
        recorded: Recorded::default(),
        preprocessing,
    }
}

/// The metrics as those of train rows are named.
fn of_train(metrics: &Metrics) -> Metrics {
    let named = metrics.iter();
    named
        .map(|(name, value)| (format!("train_{name}"), *value))
        .collect()
}

/// What is known of a model that prepares its columns itself, and the target of each row.
fn plan(
    read: &engine::Model,
    parameters: Parameters,
    data: Option<&Table>,
) -> Result<(Preprocessing, Vec<f64>), String> {
    let target = parameters.target.clone();
    let target = target.unwrap_or_else(|| "target".to_owned());
    let inputs = inputs(read, &parameters, data, &target)?;
    let (task, mut classes) = match (parameters.task, &read.labels) {
        (Some(Task::Regression), _) | (None, None) => (Task::Regression, vec![]),
        (_, Some(labels)) => (Task::Classification, labels.clone()),
        (Some(Task::Classification), None) => {
            return Err(
                "the ONNX model does not name its classes, as a classifier of scikit-learn's does"
                    .to_owned(),
            );
        }
    };
    classes.sort_unstable();
    if let Some(positive) = &parameters.positive
        && (classes.len() != 2 || !classes.contains(positive))
    {
        return Err(format!(
            "the positive class '{}' is none of two classes: the ONNX model's are {}",
            shown(positive, 40),
            named(classes.iter().map(String::as_str))
        ));
    }
    let truth = match data {
        Some(data) => truth(data, &target, task, &classes)?,
        None => vec![],
    };
    let mut class_counts = vec![0_u64; classes.len()];
    for class in truth.iter().filter(|_| task == Task::Classification) {
        if let Some(count) = class_counts.get_mut(*class as usize) {
            *count += 1;
        }
    }
    let target_mean = match task {
        Task::Regression if !truth.is_empty() => truth.iter().sum::<f64>() / truth.len() as f64,
        _ => 0.0,
    };
    let preprocessing = Preprocessing {
        task,
        target,
        positive: parameters.positive,
        class_counts,
        classes,
        target_mean,
        folds: Folds::Rows,
        weighted: false,
        inputs,
        transforms: vec![],
        columns: vec![],
        features: vec![],
    };
    Ok((preprocessing, truth))
}

/// The columns that the model takes.
fn inputs(
    read: &engine::Model,
    parameters: &Parameters,
    data: Option<&Table>,
    target: &str,
) -> Result<Vec<Input>, String> {
    let kind = |kind: DatumType| match kind {
        DatumType::String => Kind::Texts,
        DatumType::I64 | DatumType::I32 => Kind::Integers,
        DatumType::Bool => Kind::Booleans,
        _ => Kind::Floats,
    };
    let column = |name: &str, of: DatumType| {
        let given = data.and_then(|data| data.column(name));
        Input {
            name: name.to_owned(),
            // Whole numbers of the data may be floats later; texts and categories are texts.
            kind: kind(of),
            nullable: given.is_none_or(|column| !column.nulls.is_empty()),
        }
    };
    let [one] = &*read.inputs else {
        return Ok(read
            .inputs
            .iter()
            .map(|input| column(&input.name, input.kind))
            .collect());
    };
    let names: Vec<String> = match data {
        _ if !parameters.columns.is_empty() => parameters.columns.clone(),
        // One column, by its own name.
        Some(data) if data.column(&one.name).is_some() => vec![one.name.clone()],
        Some(data) => {
            let columns = own(data).filter(|name| *name != target);
            columns.map(str::to_owned).collect()
        }
        None if one.width == Some(1) => vec![one.name.clone()],
        None => {
            return Err(format!(
                "the ONNX model's one input '{}' is a matrix, whose columns have no names: give the data that \
                 it was trained on, or the names of its columns in their order",
                shown(&one.name, 40)
            ));
        }
    };
    Ok(names.iter().map(|name| column(name, one.kind)).collect())
}

/// The columns of the data but for those that ingest adds.
fn own(data: &Table) -> impl Iterator<Item = &str> {
    let names = data.columns.iter().map(|column| column.name.as_str());
    names.filter(|name| !name.starts_with(RESERVED))
}

/// The target of each row: the number of its class, or the value.
fn truth(data: &Table, target: &str, task: Task, classes: &[String]) -> Result<Vec<f64>, String> {
    let column = data.column(target).ok_or_else(|| {
        format!(
            "the data have no column '{}' (the target): they have {}",
            shown(target, 40),
            named(own(data))
        )
    })?;
    let missing = |row| format!("column '{target}' has no value in row {}", data.line(row));
    match task {
        Task::Regression => {
            let numbers = column.numbers().ok_or_else(|| {
                format!("column '{target}' has no numbers, which a regression needs")
            })?;
            let numbers = numbers.into_iter().enumerate();
            numbers
                .map(|(row, number)| number.ok_or_else(|| missing(row)))
                .collect()
        }
        Task::Classification => (0..data.rows)
            .map(|row| {
                let label = column.label(row).ok_or_else(|| missing(row))?;
                let class = classes.iter().position(|class| *class == label);
                class.map(|class| class as f64).ok_or_else(|| {
                    format!(
                        "column '{target}' has '{}' in row {}, but the ONNX model's classes are {}",
                        shown(&label, 40),
                        data.line(row),
                        named(classes.iter().map(String::as_str))
                    )
                })
            })
            .collect(),
    }
}

/// All rows' scores, some rows at a time. Rows come raw, or as features alone.
fn scores(
    model: &Model,
    engine: &dyn Engine,
    rows: &Table,
    features: &Matrix,
) -> Result<Matrix, String> {
    let mut predict = |range: std::ops::Range<usize>, part: &Matrix| {
        let rows = if rows.columns.is_empty() {
            Table {
                rows: part.rows,
                columns: vec![],
            }
        } else {
            rows.slice(range.start, part.rows)
        };
        let scores = engine.scores(&rows, part)?;
        match scores.refused.first_key_value() {
            Some((row, reason)) => Err(format!("in row {}: {reason}", rows.line(*row))),
            None => Ok(scores.values),
        }
    };
    model.in_steps(features, &mut predict, &mut |_| {})
}

/// Whether all scores are numbers.
fn check(predictions: &Matrix) -> Result<(), String> {
    for row in 0..predictions.rows {
        let scores = predictions.row(row);
        if let Some(score) = scores.iter().find(|score| !score.is_finite()) {
            return Err(format!(
                "the ONNX model predicts {score} for row {} of its data",
                row + 1
            ));
        }
    }
    Ok(())
}

fn classes(predictions: &Matrix) -> Vec<u32> {
    metrics::classes(predictions)
        .into_iter()
        .map(|class| class as u32)
        .collect()
}

fn predicted(preprocessing: &Preprocessing, predictions: &Matrix) -> Reference {
    Reference::fit(
        &answers(preprocessing, predictions, classes(predictions)),
        &[],
    )
}

/// How well the model does on the rows that came with it.
fn figures(preprocessing: &Preprocessing, predictions: &Matrix, truth: &[f64]) -> Metrics {
    match preprocessing.task {
        Task::Classification => {
            let truth: Vec<usize> = truth.iter().map(|class| *class as usize).collect();
            metrics::classification(&truth, &metrics::classes(predictions), predictions)
        }
        Task::Regression => metrics::regression(truth, &predictions.values),
    }
}
