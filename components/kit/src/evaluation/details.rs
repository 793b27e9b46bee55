//! Confusion, curves, classes and slices.

use serde::{Deserialize, Serialize};

use super::Intervals;
use crate::metrics::{Bin, Curve, Metrics};

/// What a reader looks at beside the metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// Each class against the rest: all of them, or the 50 with the most test rows.
    pub classes: Vec<ClassReport>,
    /// Of a classifier.
    pub confusion: Option<Confusion>,
    /// Of two classes the positive one's, of more each one's against the rest, of ten at most.
    pub curves: Vec<ClassCurves>,
    /// Of a regressor: rows in ten even bins by what was predicted.
    pub bins: Vec<Bin>,
}

/// One class against the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassReport {
    /// Its label, cut at 200 characters.
    pub class: String,
    /// Test rows of it.
    pub rows: u64,
    /// Test rows that were predicted to be of it.
    pub predicted: u64,
    /// Share of the predicted rows that are of it.
    pub precision: f64,
    /// Share of its rows that were predicted.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

/// How often each class was taken for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// Of rows and columns; null: all classes that are not named, the model's and unknown ones.
    pub labels: Vec<Option<String>>,
    /// A row a true class, a column a predicted one.
    pub counts: Vec<Vec<u64>>,
}

/// A class's curves, of at most 100 points each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassCurves {
    /// Its label.
    pub class: String,
    /// x: false positive rate, y: true positive rate.
    pub roc: Curve,
    /// x: recall, y: precision.
    pub precision_recall: Curve,
    /// Ten bins of equal width by the probability.
    pub calibration: Vec<Bin>,
}

/// The test rows in parts, by a raw column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slices {
    /// The column.
    pub column: String,
    /// Its values, the most frequent ones first, then the others together and the rows without
    /// one; or its quarters, from the lowest.
    pub slices: Vec<Slice>,
}

/// Rows with a value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The value, or the bounds of the quarter, for a reader.
    pub value: String,
    /// Test rows.
    pub rows: u64,
    /// On these rows.
    pub metrics: Metrics,
    /// Of the primary metric.
    pub intervals: Intervals,
}
