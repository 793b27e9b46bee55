//! Counts of new rows, and the comparison.

use serde::{Deserialize, Serialize};

use super::{
    index::stability,
    reference::{Bins, ColumnReference, Reference, boolean, number},
};
use crate::table::{Column, Kind, Table, Values};

/// What was found of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDrift {
    /// The column's name.
    pub name: String,
    /// `psi`.
    pub test: String,
    /// 0 where the shares are equal.
    pub statistic: f64,
    /// The threshold that was asked for and the noise of the two samples.
    pub threshold: f64,
    /// Whether the statistic is above the threshold.
    pub drifted: bool,
}

/// Counts new rows into the bins of a reference.
#[derive(Clone, Debug)]
pub struct Counter<'a> {
    reference: &'a Reference,
    columns: Vec<Counts>,
    rows: u64,
}

/// Rows in each bin of one column; of values, the last bin is of all others.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    pub(super) bins: Vec<u64>,
    pub(super) nulls: u64,
}

impl<'a> Counter<'a> {
    /// A counter that has seen no rows.
    pub fn new(reference: &'a Reference) -> Self {
        Self {
            reference,
            columns: reference.columns.iter().map(Counts::of).collect(),
            rows: 0,
        }
    }

    /// Rows counted.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Counts the rows of `table`, which has each column of the reference in the same kind, numbers
    /// in either; others are ignored.
    pub fn add(&mut self, table: &Table) -> Result<(), String> {
        for (reference, counts) in self.reference.columns.iter().zip(&mut self.columns) {
            let name = &reference.name;
            let column = table
                .column(name)
                .ok_or_else(|| format!("column '{name}' of the reference is missing"))?;
            let numeric = matches!(column.values.kind(), Kind::Floats | Kind::Integers);
            let binned = column.values.kind() != Kind::Timestamps;
            if !binned || numeric != matches!(reference.bins, Bins::Numbers { .. }) {
                return Err(format!(
                    "column '{name}' is of {:?}, which the reference is not",
                    column.values.kind()
                ));
            }
            counts.add(&reference.bins, column);
        }
        self.rows = self.rows.saturating_add(table.rows as u64);
        Ok(())
    }

    /// What the counted rows say of each column of the reference; `threshold` is the index from
    /// which a change matters (0.1 is usually called moderate, 0.2 or 0.25 great).
    pub fn compare(&self, threshold: f64) -> Vec<ColumnDrift> {
        let columns = self.reference.columns.iter().zip(&self.columns);
        columns
            .map(|(reference, counts)| {
                let actual: Vec<u64> = counts.bins.iter().copied().chain([counts.nulls]).collect();
                let (statistic, noise) = stability(&reference.counts(), &actual);
                let threshold = threshold + noise;
                ColumnDrift {
                    name: reference.name.clone(),
                    test: "psi".to_owned(),
                    statistic,
                    threshold,
                    drifted: statistic > threshold,
                }
            })
            .collect()
    }
}

impl Counts {
    pub(super) fn of(reference: &ColumnReference) -> Self {
        let bins = match &reference.bins {
            Bins::Numbers { edges, .. } => edges.len(),
            Bins::Values { values, .. } => values.len(),
        };
        Self {
            bins: vec![0; bins.saturating_add(1)],
            nulls: 0,
        }
    }

    pub(super) fn add(&mut self, bins: &Bins, column: &Column) {
        let mut nulls = column.nulls.iter().copied().peekable();
        // A dictionary is looked up once, not once a row.
        let codes: Vec<usize> = match (&column.values, bins) {
            (Values::Categories { dictionary, .. }, Bins::Values { values, .. }) => {
                dictionary.iter().map(|text| bin(values, text)).collect()
            }
            _ => vec![],
        };
        for row in 0..column.values.len() {
            if nulls.next_if(|null| *null as usize == row).is_some() {
                self.nulls += 1;
                continue;
            }
            let index = match (&column.values, bins) {
                (Values::Categories { codes: rows, .. }, Bins::Values { .. }) => rows
                    .get(row)
                    .and_then(|code| codes.get(*code as usize))
                    .copied(),
                (Values::Texts(rows), Bins::Values { values, .. }) => {
                    rows.get(row).map(|text| bin(values, text))
                }
                (Values::Booleans(rows), Bins::Values { values, .. }) => {
                    rows.get(row).map(|value| bin(values, boolean(*value)))
                }
                (_, Bins::Numbers { edges, .. }) => number(&column.values, row)
                    .filter(|number| !number.is_nan())
                    .map(|number| edges.partition_point(|edge| *edge < number)),
                _ => None,
            };
            match index.and_then(|index| self.bins.get_mut(index)) {
                Some(count) => *count += 1,
                None => self.nulls += 1,
            }
        }
    }
}

/// The bin of a value: its own, or the one after all.
fn bin(values: &[String], text: &str) -> usize {
    values
        .binary_search_by(|value| value.as_str().cmp(text))
        .unwrap_or(values.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::Bins;

    fn table(columns: Vec<(&str, Values, Vec<u32>)>) -> Table {
        let rows = columns.first().map_or(0, |(_, values, _)| values.len());
        let column = |(name, values, nulls): (&str, Values, Vec<u32>)| Column {
            name: name.to_owned(),
            values,
            nulls,
        };
        Table {
            rows,
            columns: columns.into_iter().map(column).collect(),
        }
    }

    fn floats(values: impl IntoIterator<Item = f64>) -> Table {
        table(vec![(
            "x",
            Values::Floats(values.into_iter().collect()),
            vec![],
        )])
    }

    fn compare(reference: &Reference, new: &Table) -> ColumnDrift {
        let mut counter = Counter::new(reference);
        counter.add(new).unwrap();
        counter.compare(0.2).remove(0)
    }

    /// Numbers that look random and are the same everywhere (splitmix64).
    fn uniform(seed: u64, count: usize) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_same_rows_do_not_drift() {
        let rows = floats(uniform(1, 1000));
        let reference = Reference::fit(&rows, &[]);
        reference.check().unwrap();
        let drift = compare(&reference, &rows);
        assert!(drift.statistic < 1e-12 && !drift.drifted, "{drift:?}");
    }

    #[test]
    fn a_shift_drifts_and_a_small_window_raises_no_false_alarm() {
        let reference = Reference::fit(&floats(uniform(1, 2000)), &[]);
        let shifted = uniform(2, 200).into_iter().map(|x| x + 0.5);
        assert!(compare(&reference, &floats(shifted)).drifted);
        for rows in [1, 2, 5, 10, 20, 50, 200] {
            let alarms = (0..300)
                .filter(|seed| compare(&reference, &floats(uniform(100 + seed, rows))).drifted)
                .count();
            assert_eq!(alarms, 0, "{rows} rows");
        }
    }

    #[test]
    fn a_constant_column_is_noticed_to_move_either_way() {
        let reference = Reference::fit(&floats(vec![5.0; 100]), &[]);
        assert!(!compare(&reference, &floats(vec![5.0; 100])).drifted);
        assert!(compare(&reference, &floats(vec![4.9; 100])).drifted);
        assert!(compare(&reference, &floats(vec![5.1; 100])).drifted);
    }

    #[test]
    fn nulls_and_values_are_bins() {
        let texts = |texts: &[&str], nulls| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            table(vec![("x", Values::Texts(texts), nulls)])
        };
        let reference = Reference::fit(&texts(&["a", "b", "a", "b"].repeat(25), vec![]), &[]);
        let same = texts(&["b", "a"].repeat(50), vec![]);
        assert!(!compare(&reference, &same).drifted);
        let other = texts(&["c"; 100], vec![]);
        assert!(compare(&reference, &other).drifted);
        let nulls = texts(&["a"; 100], (0..100).collect());
        assert!(compare(&reference, &nulls).drifted);
        let categories = table(vec![(
            "x",
            Values::Categories {
                dictionary: vec!["b".to_owned(), "a".to_owned()],
                codes: [0, 1].repeat(50),
            },
            vec![],
        )]);
        assert!(compare(&reference, &categories).statistic < 1e-12);
    }

    #[test]
    fn memory_is_bounded_by_caps() {
        let texts = (0..10_000).map(|i| format!("{i}")).collect();
        let reference = Reference::fit(&table(vec![("x", Values::Texts(texts), vec![])]), &[]);
        reference.check().unwrap();
        let [column] = &reference.columns[..] else {
            panic!()
        };
        let Bins::Values { values, other, .. } = &column.bins else {
            panic!()
        };
        assert_eq!((values.len(), *other), (50, 9950));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let reference = Reference::fit(&floats([1.0, f64::NAN, f64::INFINITY, -0.0]), &[]);
        reference.check().unwrap();
        let mut counter = Counter::new(&reference);
        assert!(counter.add(&Table::default()).unwrap_err().contains("'x'"));
        let texts = table(vec![("x", Values::Texts(vec![String::new()]), vec![])]);
        assert!(counter.add(&texts).is_err());
        let integers = table(vec![("x", Values::Integers(vec![1]), vec![])]);
        counter.add(&integers).unwrap();
        let json = serde_json::to_string(&reference).unwrap();
        let back: Reference = serde_json::from_str(&json).unwrap();
        assert_eq!(back, reference);
        let mut wrong = reference.clone();
        wrong.rows += 1;
        assert!(wrong.check().is_err());
    }
}
