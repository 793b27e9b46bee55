//! What was fitted on the train rows. It is data: it goes into the bundle as JSON.

use serde::{Deserialize, Serialize};

use crate::table::Kind;

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of several classes.
    Classification,
    /// A number.
    Regression,
}

impl Task {
    /// As a user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Regression => "regression",
        }
    }
}

/// Which train rows a cross-validation must keep together: it cuts as the split for the test does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Folds {
    /// Rows of one unit (equal rows, one key) stay together.
    #[default]
    Rows,
    /// Rows of one unit (a group) stay together.
    Groups,
    /// The unit is a time in microseconds: what is validated on is later than what is learned from.
    Time,
}

/// A raw column that serving needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The column's name.
    pub name: String,
    /// The kind of its values.
    pub kind: Kind,
    /// Whether a row may lack it. Nulls are always filled; this says whether training saw any.
    pub nullable: bool,
}

/// How one column, after the transforms, becomes features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fitted {
    /// The column's name.
    pub column: String,
    /// What was fitted.
    pub encoding: Encoding,
}

/// What was fitted on a column of the train rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Encoding {
    /// One feature: `(value - center) / scale`, nulls as `fill`.
    Number {
        /// Stands for a null.
        fill: f64,
        /// Mean, minimum or median after filling, by the scaling that was asked for.
        center: f64,
        /// Population standard deviation, range or interquartile range after filling; 1 without
        /// scaling.
        scale: f64,
        /// Whether a second feature is 1 where the value is a null, and 0 elsewhere.
        indicator: bool,
    },
    /// One feature: 0 or 1, nulls as `fill`.
    Boolean {
        /// Stands for a null: the most frequent value.
        fill: bool,
    },
    /// One feature a category, 1 where the value is that category. An unknown value is in none
    /// of them, or in `other` where there is one.
    OneHot {
        /// Sorted.
        categories: Vec<String>,
        /// Whether a last feature pools the rarer categories.
        other: bool,
        /// Stands for a null: the most frequent category. None: all of them are 0.
        fill: Option<String>,
    },
}

/// All that turns raw rows into what a model takes, and its answer into labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// What is predicted.
    pub task: Task,
    /// The raw column that is predicted.
    pub target: String,
    /// Sorted labels; empty for regression.
    pub classes: Vec<String>,
    /// Train rows of each class.
    pub class_counts: Vec<u64>,
    /// Mean of the target over the train rows; 0 for classification.
    pub target_mean: f64,
    /// Of two classes, the one that is looked for; none of more classes, or for regression.
    pub positive: Option<String>,
    /// Which train rows a cross-validation must keep together.
    pub folds: Folds,
    /// Whether the train table has weights.
    pub weighted: bool,
    /// Raw columns that serving needs.
    pub inputs: Vec<Input>,
    /// Digests of the transforms, in the order in which they are applied.
    pub transforms: Vec<String>,
    /// How the columns, after the transforms, become features; in order.
    pub columns: Vec<Fitted>,
    /// Names of the features, in order.
    pub features: Vec<String>,
}

impl Fitted {
    /// How many features it gives.
    pub fn width(&self) -> usize {
        match &self.encoding {
            Encoding::Number { indicator, .. } => 1 + usize::from(*indicator),
            Encoding::Boolean { .. } => 1,
            Encoding::OneHot {
                categories, other, ..
            } => categories.len().saturating_add(usize::from(*other)),
        }
    }

    /// Names of the features, as scikit-learn's `get_feature_names_out` gives them.
    pub fn names(&self) -> Vec<String> {
        match &self.encoding {
            Encoding::Boolean { .. } => vec![self.column.clone()],
            Encoding::Number { indicator, .. } => std::iter::once(self.column.clone())
                .chain(indicator.then(|| format!("missingindicator_{}", self.column)))
                .collect(),
            Encoding::OneHot {
                categories, other, ..
            } => categories
                .iter()
                .map(|category| format!("{}_{category}", self.column))
                .chain(other.then(|| format!("{}_septet:other", self.column)))
                .collect(),
        }
    }
}
