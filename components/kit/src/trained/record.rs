//! What the bundle tells of the train rows: bins of features and predictions, rows to replay.

use crate::{
    bundle::{Recorded, TRAIN_ROW},
    drift::Reference,
    matrix::Matrix,
    preprocessing::{Preprocessing, Task},
    table::{Column, Table, Values as Cells},
};

/// Text of a row that is recorded; JSON may need six times as much.
const MAX_RECORDED: usize = 64 << 10;
/// Features in a reference: of many more, the manifest would be as large as the model.
const MAX_REFERENCED: usize = 5_000;

/// Bins of the features, a column at a time.
pub fn feature_reference(
    preprocessing: &Preprocessing,
    features: &Matrix,
    notes: &mut Vec<String>,
    report: &mut dyn FnMut(),
) -> Reference {
    let names = &preprocessing.features;
    if names.len() > MAX_REFERENCED {
        notes.push(format!(
            "drift of features is measured on the first {MAX_REFERENCED} of {}",
            names.len()
        ));
    }
    let mut reference = Reference {
        rows: features.rows as u64,
        columns: vec![],
    };
    for (index, name) in names.iter().take(MAX_REFERENCED).enumerate() {
        let column = Table {
            rows: features.rows,
            columns: vec![Column {
                name: name.clone(),
                values: Cells::Floats(features.column(index)),
                nulls: vec![],
            }],
        };
        reference
            .columns
            .extend(Reference::fit(&column, &[]).columns);
        report();
    }
    reference
}

/// Predictions as infer gives them: `prediction` and, of two classes, the positive one's probability.
/// `classes` are the numbers of the predicted ones; none for regression.
pub fn answers(preprocessing: &Preprocessing, predictions: &Matrix, classes: Vec<u32>) -> Table {
    let values = match preprocessing.task {
        Task::Classification => Cells::Categories {
            dictionary: preprocessing.classes.clone(),
            codes: classes,
        },
        Task::Regression => Cells::Floats(predictions.values.clone()),
    };
    let column = |name: String, values| Column {
        name,
        values,
        nulls: vec![],
    };
    let mut columns = vec![column("prediction".to_owned(), values)];
    // As infer names it: monitor compares how probable the positive class is, too.
    let positive = preprocessing.positive.as_ref();
    let at = positive.and_then(|name| preprocessing.classes.iter().position(|c| c == name));
    if let (Some(name), Some(at)) = (positive, at) {
        let values = Cells::Floats(predictions.column(at));
        columns.push(column(format!("probability_{name}"), values));
    }
    Table {
        rows: predictions.rows,
        columns,
    }
}

/// The sample's rows with their predictions by `predict`, which is given raw rows and their features; but
/// for rows with very long texts. `features` are those of the train rows.
pub fn record(
    preprocessing: &Preprocessing,
    sample: &Table,
    features: &Matrix,
    predict: impl FnOnce(&Table, &Matrix) -> Result<Matrix, String>,
) -> Result<Recorded, String> {
    let short = |row: &u32| {
        let texts = sample.columns.iter();
        let lengths = texts
            .filter_map(|column| column.text(*row as usize))
            .map(str::len);
        lengths.sum::<usize>() <= MAX_RECORDED
    };
    let kept: Vec<u32> = (0..sample.rows as u32).filter(short).collect();
    let sample = sample.take(&kept);
    let raw = preprocessing.check(&sample)?;
    let rows = if preprocessing.transforms.is_empty() {
        preprocessing.features(&raw)?
    } else {
        let numbers = sample.column(TRAIN_ROW).map(|column| &column.values);
        let Some(Cells::Integers(numbers)) = numbers else {
            return Err(format!("the sample has no column {TRAIN_ROW}"));
        };
        let mut values = Vec::with_capacity(numbers.len() * features.columns);
        for number in numbers {
            let row = usize::try_from(*number).unwrap_or(usize::MAX);
            values.extend_from_slice(features.row(row));
        }
        Matrix::new(numbers.len(), features.columns, values)
            .ok_or("the sample names rows that the train table does not have")?
    };
    let predictions = predict(&raw, &rows)?;
    Ok(Recorded::new(&raw, &predictions))
}
