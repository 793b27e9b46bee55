//! Bins and counts of the rows of the training.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counter::Counts;
use crate::table::{Column, Table, Values};

/// Bins of a numeric column, before those of heavy values.
const QUANTILES: usize = 10;
/// Values of a column that are counted one by one.
const MAX_VALUES: usize = 50;
/// Bytes of a value that is counted by itself.
const MAX_TEXT: usize = 256;
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

/// Frozen bins and the reference rows in them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Bins {
    /// Bin `i` holds the numbers x with `edges[i - 1] < x <= edges[i]`; the last one is open.
    Numbers {
        /// Ascending.
        edges: Vec<f64>,
        /// One more than edges.
        counts: Vec<u64>,
    },
    /// One bin a value.
    Values {
        /// Sorted.
        values: Vec<String>,
        /// One a value.
        counts: Vec<u64>,
        /// Rows with any other value.
        other: u64,
    },
}

impl Reference {
    /// Bins and counts of the columns of `table` that are not in `exclude` and have bins.
    pub fn fit(table: &Table, exclude: &[&str]) -> Self {
        let columns = table
            .columns
            .iter()
            .filter(|column| !exclude.contains(&column.name.as_str()))
            .filter_map(|column| {
                let mut reference = ColumnReference {
                    name: column.name.clone(),
                    nulls: 0,
                    bins: bins(column)?,
                };
                let mut counts = Counts::of(&reference);
                counts.add(&reference.bins, column);
                reference.nulls = counts.nulls;
                match &mut reference.bins {
                    Bins::Numbers { counts: frozen, .. } => *frozen = counts.bins,
                    Bins::Values {
                        counts: frozen,
                        other,
                        ..
                    } => {
                        *other = counts.bins.pop().unwrap_or_default();
                        *frozen = counts.bins;
                    }
                }
                Some(reference)
            })
            .collect();
        Self {
            rows: table.rows as u64,
            columns,
        }
    }

    /// The same reference with these columns only.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        let columns = self.columns.iter();
        Self {
            rows: self.rows,
            columns: columns
                .filter(|column| names.contains(&column.name.as_str()))
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
            let sound = match &column.bins {
                Bins::Numbers { edges, counts } => {
                    counts.len() == edges.len() + 1
                        && edges.len() <= 3 * QUANTILES
                        && edges.iter().all(|edge| edge.is_finite())
                        && edges.is_sorted_by(|left, right| left < right)
                }
                Bins::Values { values, counts, .. } => {
                    counts.len() == values.len()
                        && values.len() <= MAX_VALUES
                        && values.is_sorted_by(|left, right| left < right)
                }
            };
            let sum = counts.iter().try_fold(0u64, |sum, n| sum.checked_add(*n));
            if !sound || sum != Some(self.rows) {
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

/// The bins of a column without counts; none for kinds that have no bins.
fn bins(column: &Column) -> Option<Bins> {
    let present = |row: &usize| column.nulls.binary_search(&(*row as u32)).is_err();
    let rows = (0..column.values.len()).filter(present);
    match &column.values {
        Values::Timestamps(_) => None,
        Values::Floats(_) | Values::Integers(_) => {
            let mut numbers: Vec<f64> = rows
                .filter_map(|row| number(&column.values, row))
                .filter(|number| number.is_finite())
                .collect();
            numbers.sort_unstable_by(f64::total_cmp);
            Some(Bins::Numbers {
                edges: edges(&numbers),
                counts: vec![],
            })
        }
        Values::Booleans(_) => Some(Bins::Values {
            values: [false, true].map(|b| boolean(b).to_owned()).to_vec(),
            counts: vec![],
            other: 0,
        }),
        Values::Texts(texts) => Some(frequent(rows.filter_map(|row| texts.get(row)))),
        Values::Categories { dictionary, codes } => Some(frequent(
            rows.filter_map(|row| dictionary.get(*codes.get(row)? as usize)),
        )),
    }
}

/// Inner deciles of sorted numbers. One that comes again has a tenth of the rows or more to
/// itself: the next smaller number is made an edge too, so that it has a bin to itself.
fn edges(sorted: &[f64]) -> Vec<f64> {
    let decile = |i: usize| sorted.get((sorted.len() * i / QUANTILES).min(sorted.len().max(1) - 1));
    let deciles: Vec<f64> = (1..QUANTILES).filter_map(decile).copied().collect();
    let mut edges: Vec<f64> = Vec::new();
    // They are sorted: one that is not less than the next is equal to it.
    for run in deciles.chunk_by(|left, right| left >= right) {
        let [edge, more @ ..] = run else { continue };
        // `-0.0 + 0.0` is 0: an edge has one spelling.
        let edge = edge + 0.0;
        if !more.is_empty() && edge.next_down().is_finite() {
            edges.push(edge.next_down());
        }
        edges.push(edge);
    }
    edges.dedup();
    edges
}

/// The most frequent values; of two that are as frequent, the one that sorts first.
fn frequent<'a>(texts: impl Iterator<Item = &'a String>) -> Bins {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for text in texts.filter(|text| text.len() <= MAX_TEXT) {
        *counts.entry(text).or_default() += 1;
    }
    let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let ranked = ranked.into_iter().take(MAX_VALUES);
    let mut values: Vec<String> = ranked.map(|(text, _)| text.to_owned()).collect();
    values.sort();
    Bins::Values {
        values,
        counts: vec![],
        other: 0,
    }
}

pub(super) const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The number of a row of floats or integers.
pub(super) fn number(values: &Values, row: usize) -> Option<f64> {
    match values {
        Values::Floats(numbers) => numbers.get(row).copied(),
        Values::Integers(numbers) => numbers.get(row).map(|number| *number as f64),
        _ => None,
    }
}
