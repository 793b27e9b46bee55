//! The train table as numbers.

use crate::{
    matrix::Matrix,
    preprocessing::{Preprocessing, TARGET, Task, UNIT, WEIGHT},
    table::{Table, Values},
};

/// Train rows.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// One row a train row.
    pub features: Matrix,
    /// One a row.
    pub target: Vec<f64>,
    /// One a row: equal for rows that stay together, or a time.
    pub units: Vec<f64>,
    /// One a row, above 0, if rows have weights.
    pub weights: Option<Vec<f64>>,
}

/// Rows that a train table of so many bytes has, about: it holds 64-bit numbers and little else.
pub fn estimate(bytes: u64, preprocessing: &Preprocessing) -> u64 {
    let columns = preprocessing.features.len() + own(preprocessing).len();
    bytes / 8 / columns as u64
}

/// Columns after the features.
fn own(preprocessing: &Preprocessing) -> &'static [&'static str] {
    if preprocessing.weighted {
        &[UNIT, WEIGHT, TARGET]
    } else {
        &[UNIT, TARGET]
    }
}

/// Reads the train table: the features of `preprocessing`, then [`UNIT`], [`WEIGHT`] if rows have
/// weights, and [`TARGET`]; all finite.
///
/// `expected` rows are reserved for; `limit` is asked with the rows so far before more are kept.
pub fn load(
    batches: impl Iterator<Item = Result<Table, String>>,
    preprocessing: &Preprocessing,
    expected: u64,
    mut limit: impl FnMut(u64) -> Result<(), String>,
) -> Result<Loaded, String> {
    let columns = preprocessing.features.len();
    let classes = match preprocessing.task {
        Task::Classification => Some(preprocessing.classes.len()),
        Task::Regression => None,
    };
    limit(expected)?;
    let mut values = Vec::with_capacity((expected as usize).saturating_mul(columns));
    let mut target = Vec::with_capacity(expected as usize);
    let (mut units, mut weights) = (vec![], vec![]);
    let own = own(preprocessing);
    for batch in batches {
        let batch = batch?;
        limit((target.len() + batch.rows) as u64)?;
        let names = preprocessing.features.iter().map(String::as_str);
        let fits = batch.columns.len() == columns + own.len()
            && names
                .chain(own.iter().copied())
                .zip(&batch.columns)
                .all(|(name, column)| column.name == name);
        if !fits {
            return Err(format!(
                "the train table's columns are not the {columns} features of the preprocessing \
                 and {}",
                own.join(", ")
            ));
        }
        let floats = batch.columns.iter().map(|column| match &column.values {
            Values::Floats(floats)
                if column.nulls.is_empty() && floats.iter().all(|f| f.is_finite()) =>
            {
                Ok(floats)
            }
            _ => Err(format!(
                "column '{}' of the train table is not all finite numbers",
                column.name
            )),
        });
        let mut floats = floats.collect::<Result<Vec<_>, _>>()?;
        let labels = floats.pop().map_or(&[][..], Vec::as_slice);
        if preprocessing.weighted {
            let own = floats.pop().map_or(&[][..], Vec::as_slice);
            if !own.iter().all(|weight| *weight > 0.0) {
                return Err(format!("{WEIGHT} of the train table is not above 0"));
            }
            weights.extend_from_slice(own);
        }
        units.extend_from_slice(floats.pop().map_or(&[][..], Vec::as_slice));
        if let Some(classes) = classes {
            let known = |label: &f64| *label >= 0.0 && *label < classes as f64;
            if !labels
                .iter()
                .all(|label| known(label) && label.fract() == 0.0)
            {
                return Err(format!(
                    "{TARGET} of the train table is not a class's index"
                ));
            }
        }
        target.extend_from_slice(labels);
        for row in 0..batch.rows {
            values.extend(floats.iter().filter_map(|column| column.get(row)));
        }
    }
    let features = Matrix::new(target.len(), columns, values)
        .ok_or("the train table's columns are not of one length")?;
    Ok(Loaded {
        features,
        target,
        units,
        weights: preprocessing.weighted.then_some(weights),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{preprocessing::Folds, table::Column};

    /// Two features.
    fn preprocessing(task: Task) -> Preprocessing {
        let classification = task == Task::Classification;
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        Preprocessing {
            task,
            target: "y".to_owned(),
            classes: texts(if classification { &["no", "yes"] } else { &[] }),
            class_counts: if classification { vec![1, 1] } else { vec![] },
            target_mean: 0.0,
            positive: None,
            folds: Folds::Rows,
            weighted: false,
            inputs: vec![],
            transforms: vec![],
            columns: vec![],
            features: texts(&["a", "b"]),
        }
    }

    fn table(names: &[&str], values: &[f64]) -> Table {
        Table {
            rows: 1,
            columns: names
                .iter()
                .zip(values)
                .map(|(name, value)| Column {
                    name: (*name).to_owned(),
                    values: Values::Floats(vec![*value]),
                    nulls: vec![],
                })
                .collect(),
        }
    }

    #[test]
    fn batches_become_rows() {
        let batch = |a, b, y| {
            let names = ["a", "b", UNIT, WEIGHT, TARGET];
            Ok(table(&names, &[a, b, a / 8.0, a / 2.0, y]))
        };
        let batches = vec![batch(1.0, 2.0, 0.0), batch(3.0, 4.0, 1.0)];
        let mut plan = preprocessing(Task::Classification);
        plan.weighted = true;
        let loaded = load(batches.into_iter(), &plan, 2, |_| Ok(())).unwrap();
        assert_eq!(loaded.features.values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(loaded.target, [0.0, 1.0]);
        assert_eq!(loaded.units, [0.125, 0.375]);
        assert_eq!(loaded.weights.unwrap(), [0.5, 1.5]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let plan = preprocessing(Task::Classification);
        let told = |table| load([Ok(table)].into_iter(), &plan, 1, |_| Ok(())).unwrap_err();
        assert!(told(table(&["a", TARGET], &[1.0, 0.0])).contains("the 2 features"));
        let names = ["a", "b", UNIT, TARGET];
        assert!(told(table(&names, &[f64::NAN, 1.0, 0.0, 0.0])).contains("'a'"));
        assert!(told(table(&names, &[1.0, 1.0, 0.0, 2.0])).contains("index"));
        let mut plan = plan.clone();
        plan.weighted = true;
        let names = ["a", "b", UNIT, WEIGHT, TARGET];
        let table = table(&names, &[1.0, 1.0, 0.0, 0.0, 0.0]);
        let error = load([Ok(table)].into_iter(), &plan, 1, |_| Ok(())).unwrap_err();
        assert!(error.contains("above 0"), "{error}");
        let full = |_| Err("full".to_owned());
        assert!(load([].into_iter(), &plan, 1, full).is_err());
    }
}
