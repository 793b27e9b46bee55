//! Bins and counts of the rows of the training.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    bins::{Bins, boolean},
    counts::Counts,
    sample::{self, Sample},
};
use crate::table::{Column, Table, Values};

/// Columns in a reference.
const MAX_COLUMNS: usize = 100_000;

/// Counts of the rows that new rows are compared with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// Rows counted.
    pub rows: u64,
    /// In the order of the table.
    pub columns: Vec<ColumnReference>,
}

/// Counts of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnReference {
    /// The column's name.
    pub name: String,
    /// Rows without a value.
    pub nulls: u64,
    /// Rows with one.
    pub bins: Bins,
}

impl Reference {
    /// Bins and counts of the columns of `table` that are not in `exclude` and have bins.
    pub fn fit(table: &Table, exclude: &[&str]) -> Self {
        let columns = || {
            let columns = table.columns.iter();
            columns.filter(|column| !exclude.contains(&column.name.as_str()))
        };
        let numeric = |column: &&Column| {
            let values = &column.values;
            matches!(values, Values::Floats(_) | Values::Integers(_))
        };
        let size = sample::size(columns().filter(numeric).count());
        Self {
            rows: table.rows as u64,
            columns: columns()
                .filter_map(|column| ColumnReference::fit(column, size))
                .collect(),
        }
    }

    /// The same reference with these columns only.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let names: BTreeSet<&str> = names.iter().copied().collect();
        let columns = self.columns.iter();
        Self {
            rows: self.rows,
            columns: columns
                .filter(|column| names.contains(column.name.as_str()))
                .cloned()
                .collect(),
        }
    }

    /// Whether a reference that came from outside keeps the rules of its fields.
    pub fn check(&self) -> Result<(), String> {
        if self.columns.len() > MAX_COLUMNS {
            return Err(format!("a reference has at most {MAX_COLUMNS} columns"));
        }
        for column in &self.columns {
            let counts = column.counts();
            let sum = counts.iter().try_fold(0u64, |sum, n| sum.checked_add(*n));
            if sum != Some(self.rows) || !column.bins.is_sound(self.rows) {
                return Err(format!(
                    "the reference of column '{}' is not sound",
                    column.name
                ));
            }
        }
        Ok(())
    }
}

impl ColumnReference {
    /// Bins and counts of a column, with a sample of `size` numbers at most; none for kinds that
    /// have no bins.
    fn fit(column: &Column, size: usize) -> Option<Self> {
        let present = |row: &usize| column.nulls.binary_search(&(*row as u32)).is_err();
        let rows = (0..column.values.len()).filter(present);
        let mut bins = match &column.values {
            Values::Timestamps(_) => return None,
            Values::Floats(_) | Values::Integers(_) => {
                let numbers = column.numbers()?.into_iter().flatten();
                let mut numbers: Vec<f64> = numbers.filter(|number| number.is_finite()).collect();
                numbers.sort_unstable_by(f64::total_cmp);
                let mut bins = Bins::numbers(&numbers);
                // The sample is put in after the rows were counted: it would be counted in too.
                let nulls = Self::counted(column, &mut bins);
                if let Bins::Numbers { sample, .. } = &mut bins {
                    *sample = Sample::fit(&numbers, size);
                }
                return Some(Self {
                    name: column.name.clone(),
                    nulls,
                    bins,
                });
            }
            Values::Booleans(_) => Bins::Values {
                values: [false, true].map(|b| boolean(b).to_owned()).to_vec(),
                counts: vec![],
                other: 0,
                pooled: Some(vec![]),
            },
            Values::Texts(texts) => Bins::frequent(rows.filter_map(|row| texts.get(row))),
            Values::Categories { dictionary, codes } => {
                Bins::frequent(rows.filter_map(|row| dictionary.get(*codes.get(row)? as usize)))
            }
        };
        let nulls = Self::counted(column, &mut bins);
        Some(Self {
            name: column.name.clone(),
            nulls,
            bins,
        })
    }

    /// Counts the column's rows into the bins; gives those without a value.
    fn counted(column: &Column, bins: &mut Bins) -> u64 {
        let mut counted = Counts::of(bins);
        counted.add(bins, column);
        match bins {
            Bins::Numbers { counts, .. } => *counts = counted.bins,
            Bins::Values { counts, other, .. } => {
                *other = counted.bins.pop().unwrap_or_default();
                *counts = counted.bins;
            }
        }
        counted.nulls
    }

    /// All counts in the order of `Counts`.
    pub(super) fn counts(&self) -> Vec<u64> {
        match &self.bins {
            Bins::Numbers { counts, .. } => counts.iter().copied().chain([self.nulls]).collect(),
            Bins::Values { counts, other, .. } => {
                let all = counts.iter().copied();
                all.chain([*other, self.nulls]).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: Vec<(&str, Values)>) -> Table {
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        let column = |(name, values): (&str, Values)| Column {
            name: name.to_owned(),
            values,
            nulls: vec![],
        };
        Table {
            rows,
            columns: columns.into_iter().map(column).collect(),
        }
    }

    #[test]
    fn memory_is_bounded_by_caps() {
        let texts = (0..10_000).map(|i| format!("{i}")).collect();
        let numbers = (0..10_000).map(f64::from).collect();
        let reference = Reference::fit(
            &table(vec![
                ("t", Values::Texts(texts)),
                ("x", Values::Floats(numbers)),
            ]),
            &[],
        );
        reference.check().unwrap();
        let [texts, numbers] = &reference.columns[..] else {
            panic!()
        };
        let Bins::Values {
            values,
            other,
            pooled,
            ..
        } = &texts.bins
        else {
            panic!()
        };
        assert_eq!((values.len(), *other, pooled), (50, 9950, &None));
        assert!(serde_json::to_string(numbers).unwrap().len() < 5_000);
    }

    #[test]
    fn a_reference_of_500_columns_fits_into_a_bundle() {
        let names: Vec<String> = (0..500).map(|i| format!("column_{i}")).collect();
        let columns = names.iter().enumerate().map(|(i, name)| {
            let numbers = (0..1_000).map(|row| ((row * 7919 + i) as f64).sin());
            (name.as_str(), Values::Floats(numbers.collect()))
        });
        let reference = Reference::fit(&table(columns.collect()), &[]);
        reference.check().unwrap();
        let bytes = serde_json::to_vec(&reference).unwrap().len();
        assert!(bytes < 4 << 20, "{bytes}");
    }

    #[test]
    fn what_is_not_sound_is_refused() {
        let good = Reference::fit(
            &table(vec![
                ("x", Values::Floats(vec![1.0, f64::NAN, 3.0, -0.0])),
                ("b", Values::Booleans(vec![true; 4])),
            ]),
            &[],
        );
        good.check().unwrap();
        let json = serde_json::to_string(&good).unwrap();
        let back: Reference = serde_json::from_str(&json).unwrap();
        assert_eq!(back, good);
        for (from, to) in [
            ("\"rows\":4", "\"rows\":5"),
            ("\"of\":3", "\"of\":9"),
            ("\"of\":3", "\"of\":2"),
            ("\"counts\":[1,1,1]", "\"counts\":[1,1,0]"),
            ("\"range\":[0.0,3.0]", "\"range\":[4.0,3.0]"),
            ("\"range\":[0.0,3.0]", "\"range\":null"),
            ("\"values\":[0.0,1.0,3.0]", "\"values\":[1.0,0.0,3.0]"),
            ("[\"false\",\"true\"]", "[\"true\",\"false\"]"),
            ("\"pooled\":[]", "\"pooled\":[\"x\"]"),
        ] {
            let wrong = json.replacen(from, to, 1);
            assert_ne!(wrong, json, "{from} is not in {json}");
            let wrong: Reference = serde_json::from_str(&wrong).unwrap();
            assert!(wrong.check().is_err(), "{to}");
        }
    }
}
