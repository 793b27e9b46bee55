//! Rows whose predictions are replayed when a bundle is loaded.
//!
//! They catch a component, engine or library that predicts otherwise than the one that trained.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    matrix::Matrix,
    table::{Column, Kind, Table, Values},
};

/// Column (integers) of the `sample` artifact: the number, from 0, of the row in `train`.
///
/// preprocess writes it, because train is not granted the transforms and could not make the
/// features of a raw row that passes through one: it takes them from `train`. It is not recorded.
pub const TRAIN_ROW: &str = "septet:train_row";

/// Most rows that are recorded.
const MAX_ROWS: usize = 1_024;
/// Relative difference that two machines' arithmetic may make.
const TOLERANCE: f64 = 1e-9;

/// Raw rows, without the target, and their predictions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Number of rows.
    rows: usize,
    columns: Vec<RecordedColumn>,
    /// For each row, the classes' probabilities or the value.
    predictions: Vec<Vec<f64>>,
}

/// A column as JSON holds it: null where there is no value; a float that JSON has no number for
/// as `"NaN"`, `"inf"` or `"-inf"`; categories as their texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordedColumn {
    name: String,
    kind: Kind,
    values: Vec<Value>,
}

impl Recorded {
    /// Records the rows of `table` with `predictions`, one row each.
    pub fn new(table: &Table, predictions: &Matrix) -> Self {
        let columns = table.columns.iter();
        Self {
            rows: table.rows,
            columns: columns
                .map(|column| RecordedColumn {
                    name: column.name.clone(),
                    kind: column.values.kind(),
                    values: (0..table.rows).map(|row| to_json(column, row)).collect(),
                })
                .collect(),
            predictions: (0..predictions.rows)
                .map(|row| predictions.row(row).to_vec())
                .collect(),
        }
    }

    /// Whether no row is recorded.
    pub const fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The recorded rows.
    pub fn table(&self) -> Result<Table, String> {
        let columns = self.columns.iter().map(|column| {
            from_json(column)
                .ok_or_else(|| format!("the recorded column '{}' can't be read", column.name))
        });
        Ok(Table {
            rows: self.rows,
            columns: columns.collect::<Result<_, _>>()?,
        })
    }

    /// Whether `predictions`, made of the recorded rows now, are those that were recorded, but for
    /// a relative difference of 1e-9.
    pub fn replay(&self, predictions: &Matrix) -> Result<(), String> {
        if predictions.rows != self.predictions.len() {
            return Err(format!(
                "{} rows are recorded but {} were predicted",
                self.predictions.len(),
                predictions.rows
            ));
        }
        for (row, recorded) in self.predictions.iter().enumerate() {
            let now = predictions.row(row);
            let near = |(a, b): (&f64, &f64)| {
                (a - b).abs() <= TOLERANCE * a.abs().max(b.abs()) + f64::MIN_POSITIVE
            };
            if now.len() != recorded.len() || !now.iter().zip(recorded).all(near) {
                return Err(format!(
                    "recorded row {row} is now predicted as {now:?}, but was {recorded:?}"
                ));
            }
        }
        Ok(())
    }

    /// Whether shapes fit; `outputs` is how many numbers a prediction has.
    pub(super) fn check(&self, outputs: usize) -> Result<(), String> {
        if self.rows > MAX_ROWS || self.predictions.len() != self.rows {
            return Err(format!(
                "{} rows are recorded with {} predictions; at most {MAX_ROWS} may be",
                self.rows,
                self.predictions.len()
            ));
        }
        let widths = self.predictions.iter().map(Vec::len);
        let lengths = self.columns.iter().map(|column| column.values.len());
        if widths.into_iter().any(|width| width != outputs)
            || lengths.into_iter().any(|length| length != self.rows)
        {
            return Err("the recorded rows are not all of one shape".to_owned());
        }
        self.table().map(|_| ())
    }
}

fn to_json(column: &Column, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    let value = match &column.values {
        Values::Floats(values) => values.get(row).map(|value| {
            if value.is_finite() {
                Value::from(*value)
            } else {
                Value::from(value.to_string())
            }
        }),
        Values::Integers(values) | Values::Timestamps(values) => {
            values.get(row).copied().map(Value::from)
        }
        Values::Booleans(values) => values.get(row).copied().map(Value::from),
        Values::Texts(_) | Values::Categories { .. } => column.text(row).map(Value::from),
    };
    value.unwrap_or_default()
}

fn from_json(column: &RecordedColumn) -> Option<Column> {
    /// The values with `blank` in the place of nulls; none if one can't be read.
    fn read<T: Clone>(
        values: &[Value],
        blank: &T,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        values
            .iter()
            .map(|value| {
                if value.is_null() {
                    Some(blank.clone())
                } else {
                    read(value)
                }
            })
            .collect()
    }
    let float = |value: &Value| match value {
        Value::String(text) => text.parse().ok().filter(|float: &f64| !float.is_finite()),
        other => other.as_f64(),
    };
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let values = &column.values;
    let read_values = match column.kind {
        Kind::Floats => Values::Floats(read(values, &0.0, float)?),
        Kind::Integers => Values::Integers(read(values, &0, Value::as_i64)?),
        Kind::Timestamps => Values::Timestamps(read(values, &0, Value::as_i64)?),
        Kind::Booleans => Values::Booleans(read(values, &false, Value::as_bool)?),
        Kind::Texts => Values::Texts(read(values, &String::new(), text)?),
        Kind::Categories => {
            let texts = read(values, &String::new(), text)?;
            let mut dictionary = texts.clone();
            dictionary.sort_unstable();
            dictionary.dedup();
            let code = |text: &String| dictionary.binary_search(text).ok().map(|at| at as u32);
            let codes = texts.iter().map(code).collect::<Option<_>>()?;
            Values::Categories { dictionary, codes }
        }
    };
    let nulls = (0u32..).zip(values).filter(|(_, value)| value.is_null());
    Some(Column {
        name: column.name.clone(),
        values: read_values,
        nulls: nulls.map(|(row, _)| row).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_kind_go_there_and_back() {
        let column = |name: &str, values, nulls: &[u32]| Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        };
        let text = |text: &str| text.to_owned();
        let table = Table {
            rows: 2,
            columns: vec![
                column("f", Values::Floats(vec![f64::NEG_INFINITY, 0.1 + 0.2]), &[]),
                column("i", Values::Integers(vec![i64::MIN, i64::MAX]), &[]),
                column("b", Values::Booleans(vec![true, false]), &[1]),
                column("t", Values::Texts(vec![text("ä\n"), text("")]), &[1]),
                column("s", Values::Timestamps(vec![-1, 0]), &[1]),
                column(
                    "c",
                    Values::Categories {
                        dictionary: vec![text("x"), text("y")],
                        codes: vec![1, 0],
                    },
                    &[],
                ),
            ],
        };
        let predictions = Matrix::new(2, 1, vec![0.1, 1e300]).unwrap();
        let recorded = Recorded::new(&table, &predictions);
        recorded.check(1).unwrap();
        let json = serde_json::to_string(&recorded).unwrap();
        let back: Recorded = serde_json::from_str(&json).unwrap();
        assert_eq!(back, recorded);
        assert_eq!(back.table().unwrap(), table);
        back.replay(&predictions).unwrap();
    }

    #[test]
    fn another_prediction_is_noticed() {
        let predictions = |value| Matrix::new(1, 1, vec![value]).unwrap();
        let table = Table {
            rows: 1,
            columns: vec![],
        };
        let recorded = Recorded::new(&table, &predictions(2.0));
        recorded.replay(&predictions(2.0 + 1e-9)).unwrap();
        assert!(recorded.replay(&predictions(2.0 + 1e-8)).is_err());
        assert!(recorded.replay(&predictions(f64::NAN)).is_err());
        assert!(recorded.replay(&Matrix::zeros(0, 1)).is_err());
        assert!(recorded.check(2).is_err());
    }
}
