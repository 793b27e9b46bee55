//! What counts of new rows say of a column.

use serde::{Deserialize, Serialize};

use super::{
    bins::Bins,
    counts::Counts,
    distribution::{adjusted, chi_squared},
    index::{contingency, stability},
    reference::ColumnReference,
};

/// When a change is called drift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The population stability index from which a change matters: 0.1 is usually called moderate,
    /// 0.2 or 0.25 great.
    pub threshold: f64,
    /// Of fewer rows nothing is said.
    pub min_rows: u64,
}

/// The statistical test of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Test {
    /// Of numbers: Kolmogorov and Smirnov, of two samples.
    Ks,
    /// Of values: Pearson's, of the counts in the bins.
    ChiSquare,
}

/// What was found of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDrift {
    /// The column's name.
    pub name: String,
    /// Population stability index: 0 where the shares are equal.
    pub psi: f64,
    /// The threshold that was asked for and the noise of the two samples.
    pub threshold: f64,
    /// Whether the index is above the threshold in a window that is large enough.
    pub drifted: bool,
    /// What the next four are of; they are null where a side has no values.
    pub test: Test,
    /// D of Kolmogorov and Smirnov, or χ².
    pub statistic: Option<f64>,
    /// By chance alone the statistic would be as great so often.
    pub p_value: Option<f64>,
    /// The same after Benjamini and Hochberg, over all columns of a report.
    pub p_adjusted: Option<f64>,
    /// How great the change is, from 0 to 1, however many rows there are: D, or Cramér's V.
    pub effect: Option<f64>,
}

impl ColumnDrift {
    pub(super) fn new(
        reference: &ColumnReference,
        counts: &Counts,
        rows: u64,
        limits: &Limits,
    ) -> Self {
        let expected = reference.counts();
        let actual: Vec<u64> = counts.bins.iter().copied().chain([counts.nulls]).collect();
        let (psi, noise) = stability(&expected, &actual);
        let threshold = limits.threshold + noise;
        let (test, found) = match &reference.bins {
            Bins::Numbers { sample, .. } => {
                let found = sample.compare(&counts.places);
                (Test::Ks, found.map(|(d, p)| (d, p, d)))
            }
            Bins::Values { .. } => {
                let found = contingency(&expected, &actual).map(|(statistic, degrees)| {
                    let all: u64 = expected.iter().chain(&actual).sum();
                    let effect = (statistic / all as f64).sqrt();
                    (statistic, chi_squared(statistic, degrees), effect)
                });
                (Test::ChiSquare, found)
            }
        };
        Self {
            name: reference.name.clone(),
            psi,
            threshold,
            drifted: psi > threshold && rows >= limits.min_rows,
            test,
            statistic: found.map(|(statistic, _, _)| statistic),
            p_value: found.map(|(_, p, _)| p),
            p_adjusted: None,
            effect: found.map(|(_, _, effect)| effect),
        }
    }
}

/// Fills in the adjusted p-values: `drifts` are all columns of one report.
pub fn adjust<'a>(drifts: impl Iterator<Item = &'a mut ColumnDrift>) {
    let (mut columns, mut p_values) = (Vec::new(), Vec::new());
    for drift in drifts {
        if let Some(p) = drift.p_value {
            p_values.push(p);
            columns.push(drift);
        }
    }
    for (drift, p) in columns.into_iter().zip(adjusted(&p_values)) {
        drift.p_adjusted = Some(p);
    }
}
