//! The kinds of models behind one `predict`.

use super::{Forest, LEAF, Linear};
use crate::matrix::Matrix;

/// Most classes that a model may have: what a row's probabilities may cost.
const MAX_CLASSES: usize = 1 << 16;

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Logistic regression: one row of weights for two classes, else one row a class.
    LinearClassifier(Linear),
    /// A weighted sum; one row of weights.
    LinearRegressor(Linear),
    /// Trees whose leaves hold the index of a class; a probability is a share of the votes.
    ForestClassifier {
        /// At least two.
        classes: usize,
        /// Each leaf is a whole number below `classes`.
        forest: Forest,
    },
    /// Trees whose leaves hold a value; the prediction is their mean.
    ForestRegressor(Forest),
}

impl Model {
    /// Checks what the parts cannot know: the shape of the weights, the classes in the leaves.
    pub fn checked(self) -> Result<Self, String> {
        match &self {
            Self::LinearRegressor(linear) if linear.weights.rows != 1 => {
                Err("a linear regressor has one row of weights".to_owned())
            }
            Self::LinearClassifier(linear) if linear.weights.rows == 2 => {
                Err("a linear classifier of two classes has one row of weights".to_owned())
            }
            Self::ForestClassifier { classes, forest } => {
                let class = |value: f64| value >= 0.0 && value < *classes as f64;
                let sound = forest
                    .nodes()
                    .iter()
                    .filter(|node| node.feature == LEAF)
                    .all(|node| class(node.threshold) && node.threshold.fract() == 0.0);
                if !(2..=MAX_CLASSES).contains(classes) {
                    Err(format!("a classifier has 2 to {MAX_CLASSES} classes"))
                } else if sound {
                    Ok(self)
                } else {
                    Err("a leaf holds no class of the model".to_owned())
                }
            }
            _ => Ok(self),
        }
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        match self {
            Self::LinearClassifier(linear) | Self::LinearRegressor(linear) => linear.columns(),
            Self::ForestClassifier { forest, .. } | Self::ForestRegressor(forest) => {
                forest.columns()
            }
        }
    }

    /// Number of classes; none for a regressor.
    pub const fn classes(&self) -> Option<usize> {
        match self {
            Self::LinearClassifier(linear) if linear.weights.rows == 1 => Some(2),
            Self::LinearClassifier(linear) => Some(linear.weights.rows),
            Self::ForestClassifier { classes, .. } => Some(*classes),
            Self::LinearRegressor(_) | Self::ForestRegressor(_) => None,
        }
    }

    /// Predictions for `features`, which has [`Self::columns`] columns.
    ///
    /// Classification: rows × classes, each row the classes' probabilities, which sum to 1.
    /// Regression: rows × 1.
    pub fn predict(&self, features: &Matrix) -> Matrix {
        match self {
            Self::LinearClassifier(linear) => linear.probabilities(features),
            Self::LinearRegressor(linear) => linear.values(features),
            Self::ForestClassifier { classes, forest } => forest.votes(features, *classes),
            Self::ForestRegressor(forest) => forest.means(features),
        }
    }
}
