//! The train table as numbers.

use septet_kit::{
    matrix::Matrix,
    preprocessing::{Preprocessing, Task},
    table::{Table, Values},
};

/// Column of the target: the class's index, or the value.
pub const TARGET: &str = "septet:target";

/// Train rows.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// One row a train row.
    pub features: Matrix,
    /// One a row.
    pub target: Vec<f64>,
}

/// Rows that a train table of so many bytes has, about: it holds 64-bit numbers and little else.
pub fn estimate(bytes: u64, preprocessing: &Preprocessing) -> u64 {
    bytes / 8 / (preprocessing.features.len() as u64).saturating_add(1)
}

/// Reads the train table: the features of `preprocessing`, then [`TARGET`]; all finite.
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
    for batch in batches {
        let batch = batch?;
        limit((target.len() + batch.rows) as u64)?;
        let names = preprocessing.features.iter().map(String::as_str);
        let fits = batch.columns.len() == columns + 1
            && names
                .chain([TARGET])
                .zip(&batch.columns)
                .all(|(name, column)| column.name == name);
        if !fits {
            return Err(format!(
                "the train table's columns are not the {columns} features of the preprocessing \
                 and {TARGET}"
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
    Ok(Loaded { features, target })
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Column;

    use super::*;
    use crate::training::tests::preprocessing;

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
        let batch = |a, b, y| Ok(table(&["a", "b", TARGET], &[a, b, y]));
        let batches = vec![batch(1.0, 2.0, 0.0), batch(3.0, 4.0, 1.0)];
        let plan = preprocessing(Task::Classification);
        let loaded = load(batches.into_iter(), &plan, 2, |_| Ok(())).unwrap();
        assert_eq!(loaded.features.values, [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(loaded.target, [0.0, 1.0]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let plan = preprocessing(Task::Classification);
        let told = |table| load([Ok(table)].into_iter(), &plan, 1, |_| Ok(())).unwrap_err();
        assert!(told(table(&["a", TARGET], &[1.0, 0.0])).contains("the 2 features"));
        let names = ["a", "b", TARGET];
        assert!(told(table(&names, &[f64::NAN, 1.0, 0.0])).contains("'a'"));
        assert!(told(table(&names, &[1.0, 1.0, 2.0])).contains("index"));
        let full = |_| Err("full".to_owned());
        assert!(load([].into_iter(), &plan, 1, full).is_err());
    }
}
