//! Drift: how far new rows are from those of the training, column by column.
//!
//! It owns frozen bins, counts and the population stability index. It must not know where rows
//! come from or what happens after an alarm.
//!
//! # Bins
//! - Numbers (floats, integers): the deciles of the reference rows. Deciles that are equal mark a
//!   value with much of the mass; it gets a bin of its own, so that a constant column is noticed
//!   to move either way. NaN counts as null.
//! - Booleans, texts, categories: one bin a value, for the 50 most frequent values; all others,
//!   and texts of more than 256 bytes, share one.
//! - Each column has a bin for nulls.
//! - Timestamps have no bins: time always moves on, and would always be drift.
//!
//! So a column costs at most a few dozen counts, however many rows are counted.
//!
//! # Population stability index
//! PSI = Σ over bins of (a − e) · ln(a / e), with a and e the bin's share of the actual and of the
//! expected (reference) rows (Siddiqi, *Credit Risk Scorecards*, 2006). A bin that is empty on one
//! side would make it infinite: each count has ½ added, share = (count + ½) / (rows + ½ · bins),
//! which, unlike a fixed floor, weighs an empty bin by how much its emptiness tells. Bins that are
//! empty on both sides are left out.
//!
//! # Threshold
//! Where nothing has changed, PSI / (1/n + 1/m) over B bins is distributed as χ² with B − 1
//! degrees of freedom (Yurdakul, *Statistical Properties of Population Stability Index*, 2018; n, m rows).
//! A small window is thus far from the reference by chance alone, and a fixed threshold alarms at
//! random. The threshold that is reported and compared is the one asked for, plus the 99.9 %
//! quantile of that noise; for large windows the second part vanishes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::table::{Column, Kind, Table, Values};

/// Bins of a numeric column, before those of heavy values.
const QUANTILES: usize = 10;
/// Values of a column that are counted one by one.
const MAX_VALUES: usize = 50;
/// Bytes of a value that is counted by itself.
const MAX_TEXT: usize = 256;
/// Columns in a reference.
const MAX_COLUMNS: usize = 100_000;
/// Standard normal quantile of 99.9 %.
const Z: f64 = 3.090_232_306_167_813;

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
    /// All counts in the order of [`Counts`].
    fn counts(&self) -> Vec<u64> {
        match &self.bins {
            Bins::Numbers { counts, .. } => counts.iter().copied().chain([self.nulls]).collect(),
            Bins::Values { counts, other, .. } => {
                let all = counts.iter().copied();
                all.chain([*other, self.nulls]).collect()
            }
        }
    }
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
struct Counts {
    bins: Vec<u64>,
    nulls: u64,
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
    fn of(reference: &ColumnReference) -> Self {
        let bins = match &reference.bins {
            Bins::Numbers { edges, .. } => edges.len(),
            Bins::Values { values, .. } => values.len(),
        };
        Self {
            bins: vec![0; bins.saturating_add(1)],
            nulls: 0,
        }
    }

    fn add(&mut self, bins: &Bins, column: &Column) {
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

const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The bin of a value: its own, or the one after all.
fn bin(values: &[String], text: &str) -> usize {
    values
        .binary_search_by(|value| value.as_str().cmp(text))
        .unwrap_or(values.len())
}

fn number(values: &Values, row: usize) -> Option<f64> {
    match values {
        Values::Floats(numbers) => numbers.get(row).copied(),
        Values::Integers(numbers) => numbers.get(row).map(|number| *number as f64),
        _ => None,
    }
}

/// The index of two lists of counts, and the 99.9 % quantile of what it is by chance; see the
/// module's page.
fn stability(expected: &[u64], actual: &[u64]) -> (f64, f64) {
    let pairs: Vec<(f64, f64)> = expected
        .iter()
        .zip(actual)
        .filter(|(e, a)| **e > 0 || **a > 0)
        .map(|(e, a)| (*e as f64, *a as f64))
        .collect();
    let bins = pairs.len() as f64;
    let m: f64 = pairs.iter().map(|(e, _)| e).sum();
    let n: f64 = pairs.iter().map(|(_, a)| a).sum();
    if n == 0.0 || m == 0.0 {
        return (0.0, 0.0);
    }
    let share = |count: f64, rows: f64| (count + 0.5) / (rows + 0.5 * bins);
    let index = pairs.iter().map(|(e, a)| {
        let (e, a) = (share(*e, m), share(*a, n));
        (a - e) * (a / e).ln()
    });
    (index.sum(), chi_squared(bins - 1.0) * (1.0 / n + 1.0 / m))
}

/// 99.9 % quantile of χ² (Wilson and Hilferty, 1931); within 3 % of the exact one.
fn chi_squared(degrees: f64) -> f64 {
    if degrees < 1.0 {
        return 0.0;
    }
    let v = 2.0 / (9.0 * degrees);
    degrees * (1.0 - v + Z * v.sqrt()).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn the_index_is_the_sum_of_the_formula() {
        // Shares with ½ added: 10.5/21, 10.5/21 against 5.5/21, 15.5/21.
        let (index, noise) = stability(&[10, 10, 0], &[5, 15, 0]);
        let term = |a: f64, e: f64| (a - e) * (a / e).ln();
        let expected = term(5.5 / 21.0, 0.5) + term(15.5 / 21.0, 0.5);
        assert!((index - expected).abs() < 1e-12);
        // χ² with 1 degree of freedom: 10.83; with 10: 29.59.
        assert!((noise / 0.1 - 10.83).abs() < 0.4, "{noise}");
        assert!((chi_squared(10.0) - 29.59).abs() < 0.3);
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
