//! Frozen bins of one column.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sample::Sample;

/// Bins of a numeric column, before those of heavy values.
const QUANTILES: usize = 10;
/// Values of a column that are counted one by one.
const MAX_VALUES: usize = 50;
/// Bytes of a value that is counted by itself or kept.
const MAX_TEXT: usize = 256;
/// Values that are not counted one by one but are kept.
const MAX_POOLED: usize = 1_000;
/// Bytes of them.
const MAX_POOLED_BYTES: usize = 8 << 10;

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
        /// The least and the greatest finite number; none where there is none.
        range: Option<[f64; 2]>,
        /// Some of the numbers.
        sample: Sample,
    },
    /// One bin a value.
    Values {
        /// Sorted.
        values: Vec<String>,
        /// One a value.
        counts: Vec<u64>,
        /// Rows with any other value.
        other: u64,
        /// All those other values, sorted; none where they are too many or too long to be kept.
        pooled: Option<Vec<String>>,
    },
}

impl Bins {
    /// The bins of sorted, finite numbers, without counts and sample.
    pub(super) fn numbers(sorted: &[f64]) -> Self {
        let range = sorted.first().zip(sorted.last());
        Self::Numbers {
            edges: edges(sorted),
            counts: vec![],
            // `-0.0 + 0.0` is 0: a number has one spelling.
            range: range.map(|(least, greatest)| [least + 0.0, greatest + 0.0]),
            sample: Sample::default(),
        }
    }

    /// The most frequent values, of two that are as frequent the one that sorts first, without
    /// counts.
    pub(super) fn frequent<'a>(texts: impl Iterator<Item = &'a String>) -> Self {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        let mut long = false;
        for text in texts {
            if text.len() <= MAX_TEXT {
                *counts.entry(text).or_default() += 1;
            } else {
                long = true;
            }
        }
        let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rest = ranked.split_off(ranked.len().min(MAX_VALUES));
        let sorted = |texts: &[(&str, u64)]| {
            let texts = texts.iter().map(|(text, _)| (*text).to_owned());
            let mut texts: Vec<String> = texts.collect();
            texts.sort();
            texts
        };
        let bytes: usize = rest.iter().map(|(text, _)| text.len()).sum();
        let kept = !long && rest.len() <= MAX_POOLED && bytes <= MAX_POOLED_BYTES;
        Self::Values {
            values: sorted(&ranked),
            counts: vec![],
            other: 0,
            pooled: kept.then(|| sorted(&rest)),
        }
    }

    /// Whether bins that came from outside keep the rules of their fields; `rows` is how many rows
    /// the reference has.
    pub(super) fn is_sound(&self, rows: u64) -> bool {
        match self {
            Self::Numbers {
                edges,
                counts,
                range,
                sample,
            } => {
                counts.len() == edges.len() + 1
                    && edges.len() <= 3 * QUANTILES
                    && edges.iter().all(|edge| edge.is_finite())
                    && edges.is_sorted_by(|left, right| left < right)
                    && sample.is_sound(rows, *range)
            }
            Self::Values {
                values,
                counts,
                other,
                pooled,
            } => {
                counts.len() == values.len()
                    && values.len() <= MAX_VALUES
                    && values.is_sorted_by(|left, right| left < right)
                    && pooled.as_ref().is_none_or(|pooled| {
                        pooled.len() as u64 <= *other
                            && pooled.len() <= MAX_POOLED
                            && pooled.iter().map(String::len).sum::<usize>() <= MAX_POOLED_BYTES
                            && pooled.is_sorted_by(|left, right| left < right)
                    })
            }
        }
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

pub(super) const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_beyond_the_bins_are_kept_where_they_are_few() {
        let pooled = |texts: Vec<String>| match Bins::frequent(texts.iter()) {
            Bins::Values { pooled, .. } => pooled,
            Bins::Numbers { .. } => panic!(),
        };
        let many = |count: usize| (0..count).map(|i| format!("{i:04}")).collect();
        assert_eq!(pooled(many(50)), Some(vec![]));
        assert_eq!(
            pooled(many(52)),
            Some(vec!["0050".to_owned(), "0051".to_owned()])
        );
        assert_eq!(pooled(many(2_000)), None);
        assert_eq!(pooled(vec!["x".repeat(300)]), None);
    }
}
