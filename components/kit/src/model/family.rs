//! The kinds of models behind one `predict`.

use std::{convert::Infallible, ops::Range};

use super::{Forest, GaussianBayes, LEAF, Linear, Neighbours, Onnx};
use crate::matrix::Matrix;

/// Most classes that a model may have: what a row's probabilities may cost.
const MAX_CLASSES: usize = 1 << 16;
/// How far from 1 a leaf's shares may sum, because of rounding.
const ROUNDING: f64 = 1e-6;
/// Numbers that are looked at between two reports: some tens of milliseconds.
const STEP: usize = 1 << 24;
/// Rows between two reports at most.
const STEP_ROWS: usize = 8_192;

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub enum Model {
    /// Logistic regression: one row of weights for two classes, else one row a class.
    LinearClassifier(Linear),
    /// A weighted sum; one row of weights.
    LinearRegressor(Linear),
    /// Trees whose leaves hold shares of the classes; a probability is their mean.
    ///
    /// Of two classes a leaf's value is the share of the second one. Of more it is a whole number:
    /// below the number of classes, the one class of a pure leaf; from there on, the row of
    /// `shares`, counted from the number of classes.
    ForestClassifier {
        /// Trees.
        forest: Forest,
        /// Shares of leaves that are not pure: one column a class. It has no rows, but two
        /// columns, for two classes.
        shares: Matrix,
    },
    /// Trees whose leaves hold a value; the prediction is their mean.
    ForestRegressor(Forest),
    /// Trees whose leaves hold a value; the prediction is their sum and a constant.
    BoostedRegressor {
        /// What is predicted before any tree.
        base: f64,
        /// Trees, the learning rate in their leaves.
        forest: Forest,
    },
    /// Rows that vote for their class.
    NeighboursClassifier {
        /// At least two.
        classes: usize,
        /// Rows; each target is a whole number below `classes`.
        neighbours: Neighbours,
    },
    /// Rows whose values are averaged.
    NeighboursRegressor(Neighbours),
    /// A normal distribution of each feature in each class.
    GaussianBayes(GaussianBayes),
    /// A model that another engine than this crate's reads.
    Onnx(Onnx),
}

impl Model {
    /// Checks what the parts cannot know: the shape of the weights, the classes in the leaves.
    pub fn checked(self) -> Result<Self, String> {
        if let Some(classes) = self.classes()
            && !(2..=MAX_CLASSES).contains(&classes)
        {
            return Err(format!("a classifier has 2 to {MAX_CLASSES} classes"));
        }
        match &self {
            Self::LinearRegressor(linear) if linear.weights.rows != 1 => {
                Err("a linear regressor has one row of weights".to_owned())
            }
            Self::LinearClassifier(linear) if linear.weights.rows == 2 => {
                Err("a linear classifier of two classes has one row of weights".to_owned())
            }
            Self::ForestClassifier { forest, shares } => {
                check_leaves(forest, shares)?;
                Ok(self)
            }
            Self::BoostedRegressor { base, .. } if !base.is_finite() => {
                Err("a boosted model's constant is not finite".to_owned())
            }
            Self::NeighboursClassifier {
                classes,
                neighbours,
            } => {
                if neighbours.targets().iter().all(|t| whole(*t, *classes)) {
                    Ok(self)
                } else {
                    Err("a neighbour has no class of the model".to_owned())
                }
            }
            _ => Ok(self),
        }
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        match self {
            Self::LinearClassifier(linear) | Self::LinearRegressor(linear) => linear.columns(),
            Self::ForestClassifier { forest, .. }
            | Self::ForestRegressor(forest)
            | Self::BoostedRegressor { forest, .. } => forest.columns(),
            Self::NeighboursClassifier { neighbours, .. }
            | Self::NeighboursRegressor(neighbours) => neighbours.columns(),
            Self::GaussianBayes(bayes) => bayes.columns(),
            Self::Onnx(onnx) => onnx.columns(),
        }
    }

    /// Number of classes; none for a regressor.
    pub const fn classes(&self) -> Option<usize> {
        match self {
            Self::LinearClassifier(linear) if linear.weights.rows == 1 => Some(2),
            Self::LinearClassifier(linear) => Some(linear.weights.rows),
            Self::ForestClassifier { shares, .. } => Some(shares.columns),
            Self::NeighboursClassifier { classes, .. } => Some(*classes),
            Self::GaussianBayes(bayes) => Some(bayes.classes()),
            Self::Onnx(onnx) if onnx.classes() > 0 => Some(onnx.classes()),
            Self::LinearRegressor(_)
            | Self::ForestRegressor(_)
            | Self::BoostedRegressor { .. }
            | Self::NeighboursRegressor(_)
            | Self::Onnx(_) => None,
        }
    }

    /// Numbers that are looked at for the prediction of one row, about: who predicts many rows cuts
    /// them by it, so that no step is long.
    pub fn row_cost(&self) -> usize {
        match self {
            Self::LinearClassifier(linear) | Self::LinearRegressor(linear) => {
                linear.weights.values.len()
            }
            Self::ForestClassifier { forest, shares } => {
                // A leaf that is not pure adds its row of shares.
                let shares = if shares.rows > 0 { shares.columns } else { 0 };
                forest
                    .cost()
                    .max(forest.roots().len().saturating_mul(shares))
            }
            Self::ForestRegressor(forest) | Self::BoostedRegressor { forest, .. } => forest.cost(),
            Self::NeighboursClassifier { neighbours, .. }
            | Self::NeighboursRegressor(neighbours) => neighbours.cost(),
            Self::GaussianBayes(bayes) => bayes.columns().saturating_mul(bayes.classes() * 2),
            // What it holds is read once a row at most, four bytes a number.
            Self::Onnx(onnx) => onnx.bytes().len() / 4,
        }
        .max(1)
    }

    /// Predictions for `features`, which has [`Self::columns`] columns.
    ///
    /// Classification: rows × classes, each row the classes' probabilities, which sum to 1.
    /// Regression: rows × 1. An ONNX model is predicted by its engine: here all are not a number.
    pub fn predict(&self, features: &Matrix) -> Matrix {
        match self {
            Self::LinearClassifier(linear) => linear.probabilities(features),
            Self::LinearRegressor(linear) => linear.values(features),
            Self::ForestClassifier { forest, shares } => forest.shares(features, shares),
            Self::ForestRegressor(forest) => {
                forest.sums(features, 0.0, 1.0 / forest.roots().len() as f64)
            }
            Self::BoostedRegressor { base, forest } => forest.sums(features, *base, 1.0),
            Self::NeighboursClassifier {
                classes,
                neighbours,
            } => neighbours.votes(features, *classes),
            Self::NeighboursRegressor(neighbours) => neighbours.means(features),
            Self::GaussianBayes(bayes) => bayes.probabilities(features),
            Self::Onnx(onnx) => {
                let columns = onnx.classes().max(1);
                let values = vec![f64::NAN; features.rows.saturating_mul(columns)];
                Matrix::new(features.rows, columns, values)
                    .unwrap_or_else(|| Matrix::zeros(0, columns))
            }
        }
    }

    /// [`Self::predict`], some rows at a time, so that a costly model is not silent for long:
    /// `report` is told, after each step, how many rows are predicted so far.
    pub fn predict_in_steps(&self, features: &Matrix, report: &mut dyn FnMut(usize)) -> Matrix {
        let predict = |_, rows: &Matrix| Ok::<_, Infallible>(self.predict(rows));
        match self.in_steps(features, predict, report) {
            Ok(predictions) => predictions,
        }
    }

    /// As [`Self::predict_in_steps`] by `predict`, which is given the numbers of some rows and their
    /// features.
    pub fn in_steps<E>(
        &self,
        features: &Matrix,
        mut predict: impl FnMut(Range<usize>, &Matrix) -> Result<Matrix, E>,
        report: &mut dyn FnMut(usize),
    ) -> Result<Matrix, E> {
        let mut predictions = Matrix::zeros(0, self.classes().unwrap_or(1));
        let step = (STEP / self.row_cost()).clamp(1, STEP_ROWS);
        for start in (0..features.rows).step_by(step) {
            let end = features.rows.min(start.saturating_add(step));
            let values = features
                .values
                .get(start * features.columns..end * features.columns);
            let rows = Matrix {
                rows: end - start,
                columns: features.columns,
                values: values.unwrap_or_default().to_vec(),
            };
            predictions
                .values
                .extend(predict(start..end, &rows)?.values);
            predictions.rows = end;
            report(end);
        }
        Ok(predictions)
    }
}

/// Whether it is a whole number below `end`.
fn whole(value: f64, end: usize) -> bool {
    value >= 0.0 && value < end as f64 && value.fract() == 0.0
}

/// Whether each leaf names shares that are there and that are shares.
fn check_leaves(forest: &Forest, shares: &Matrix) -> Result<(), String> {
    let classes = shares.columns;
    if classes == 2 && shares.rows > 0 {
        return Err("a forest of two classes holds its shares in the leaves".to_owned());
    }
    let leaves = forest.nodes().iter().filter(|node| node.feature == LEAF);
    let named = |value: f64| match classes {
        2 => (0.0..=1.0).contains(&value),
        _ => whole(value, classes.saturating_add(shares.rows)),
    };
    if !leaves.map(|leaf| leaf.threshold).all(named) {
        return Err("a leaf holds no class of the model".to_owned());
    }
    for row in 0..shares.rows {
        let row = shares.row(row);
        let sum: f64 = row.iter().sum();
        if !row.iter().all(|share| (0.0..=1.0).contains(share)) || (sum - 1.0).abs() > ROUNDING {
            return Err("a leaf's shares do not sum to 1".to_owned());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Node;

    #[test]
    fn steps_predict_what_the_whole_does() {
        // So many trees that a step is of few rows.
        let trees = STEP as u32 / 300;
        let nodes = (0..trees).map(|tree| Node::leaf(f64::from(tree % 7)));
        let forest = Forest::new(1, (0..trees).collect(), nodes.collect()).unwrap();
        let forest = Model::ForestRegressor(forest);
        let linear = Matrix::new(1, 1, vec![2.0]).unwrap();
        let linear = Model::LinearClassifier(Linear::new(linear, vec![1.0]).unwrap());
        let features = Matrix::new(8, 1, (0..8).map(f64::from).collect()).unwrap();
        let ends = |model: &Model| {
            let mut ends = vec![];
            let steps = model.predict_in_steps(&features, &mut |end| ends.push(end));
            assert_eq!(steps, model.predict(&features));
            ends
        };
        assert_eq!(ends(&forest), [3, 6, 8]);
        assert_eq!(ends(&linear), [8]);
        let none = linear.predict_in_steps(&Matrix::zeros(0, 1), &mut |_| panic!());
        assert_eq!((none.rows, none.columns), (0, 2));
    }
}
