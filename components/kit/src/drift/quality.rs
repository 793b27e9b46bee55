//! Data quality: what new rows lack, and what the training never saw.

use serde::{Deserialize, Serialize};

use super::{bins::Bins, counts::Counts, reference::ColumnReference};

/// So much of the rows more than in training are without a value.
const MISSING: f64 = 0.05;
/// So much of the rows have a value that the training never saw.
const UNSEEN: f64 = 0.01;
/// So much of the rows are out of the training's range. New rows of the same source are, too, now
/// and then: two of n + 1, where the training had n.
const OUT_OF_RANGE: f64 = 0.05;
/// Standard normal quantile of 99.9 %: a share that is worse is worse than chance explains.
const Z: f64 = 3.090_232_306_167_813;

/// A column's data quality, now and in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// The column's name.
    pub name: String,
    /// Share of the rows without a value.
    pub missing: f64,
    /// The same in training.
    pub training_missing: f64,
    /// Values that the training never saw; null for numbers, and where the training's were too
    /// many to be kept.
    pub unseen: Option<Unseen>,
    /// Numbers that are not in the training's range; null for values.
    pub out_of_range: Option<OutOfRange>,
    /// What is clearly worse than in training.
    pub worse: Vec<Worse>,
}

/// Values that the training never saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// Rows with one.
    pub rows: u64,
    /// The first few.
    pub examples: Vec<String>,
}

/// Numbers that are not in the training's range.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutOfRange {
    /// Rows below it.
    pub below: u64,
    /// Rows above it.
    pub above: u64,
    /// The least number of the training.
    pub least: f64,
    /// The greatest one.
    pub greatest: f64,
}

/// What is clearly worse than in training: by a share that matters, and by more than chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Worse {
    /// 5 points more of the rows are without a value.
    Missing,
    /// 1 % of the rows have a value that the training never saw.
    Unseen,
    /// 5 % of the rows are out of the training's range.
    OutOfRange,
}

impl Quality {
    pub(super) fn new(
        reference: &ColumnReference,
        counts: &Counts,
        training: u64,
        rows: u64,
        min_rows: u64,
    ) -> Self {
        let (unseen, out_of_range) = match &reference.bins {
            Bins::Values { pooled, .. } => {
                let unseen = pooled.as_ref().map(|_| Unseen {
                    rows: counts.unseen,
                    examples: counts.examples.clone(),
                });
                (unseen, None)
            }
            Bins::Numbers { range, .. } => {
                let out_of_range = range.map(|[least, greatest]| OutOfRange {
                    below: counts.below,
                    above: counts.above,
                    least,
                    greatest,
                });
                (None, out_of_range)
            }
        };
        let out = counts.below.saturating_add(counts.above);
        let found = [
            (Worse::Missing, reference.nulls, counts.nulls, MISSING),
            (Worse::Unseen, 0, counts.unseen, UNSEEN),
            (Worse::OutOfRange, 0, out, OUT_OF_RANGE),
        ];
        let worse = found
            .into_iter()
            .filter(|(_, before, now, limit)| {
                rows >= min_rows && is_worse((*before, training), (*now, rows), *limit)
            })
            .map(|(worse, ..)| worse);
        Self {
            name: reference.name.clone(),
            missing: share(counts.nulls, rows),
            training_missing: share(reference.nulls, training),
            unseen,
            out_of_range,
            worse: worse.collect(),
        }
    }

    /// One sentence about what is clearly worse; none where nothing is.
    pub fn told(&self, rows: u64, show: impl Fn(&str) -> String) -> Option<String> {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let found = self.worse.iter().filter_map(|worse| {
            Some(match worse {
                Worse::Missing => format!(
                    "{} of the rows have no value, in training {}",
                    percent(self.missing),
                    percent(self.training_missing)
                ),
                Worse::Unseen => {
                    let unseen = self.unseen.as_ref()?;
                    format!(
                        "{} have a value that the training never saw: {}",
                        percent(share(unseen.rows, rows)),
                        unseen.examples.join(", ")
                    )
                }
                Worse::OutOfRange => {
                    let out = self.out_of_range.as_ref()?;
                    format!(
                        "{} are out of the training's range from {} to {}",
                        percent(share(out.below.saturating_add(out.above), rows)),
                        out.least,
                        out.greatest
                    )
                }
            })
        });
        let found: Vec<String> = found.collect();
        (!found.is_empty()).then(|| format!("column '{}': {}", show(&self.name), found.join("; ")))
    }
}

fn share(count: u64, rows: u64) -> f64 {
    count as f64 / rows.max(1) as f64
}

/// Whether a share grew by more than `limit` and more than chance explains (two proportions,
/// pooled); each side is a count and its rows.
fn is_worse(before: (u64, u64), now: (u64, u64), limit: f64) -> bool {
    let growth = share(now.0, now.1) - share(before.0, before.1);
    let (n, m) = (before.1 as f64, now.1 as f64);
    let pooled = (before.0 as f64 + now.0 as f64) / (n + m).max(1.0);
    let deviation = (pooled * (1.0 - pooled) * (1.0 / n.max(1.0) + 1.0 / m.max(1.0))).sqrt();
    growth > limit && growth > Z * deviation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worse_is_more_than_chance_and_more_than_a_little() {
        assert!(!is_worse((0, 1_000), (50, 1_000), 0.05));
        assert!(is_worse((0, 1_000), (51, 1_000), 0.05));
        // 30 % and 38 % of 100 rows are no sign, but of 10,000 they are.
        assert!(!is_worse((30, 100), (38, 100), 0.05));
        assert!(is_worse((3_000, 10_000), (3_800, 10_000), 0.05));
        assert!(!is_worse((0, 0), (0, 0), 0.05));
    }
}
