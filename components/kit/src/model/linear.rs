//! Weighted sums of a row's features.
//!
//! It owns the scores and the links that make probabilities of them.

use crate::matrix::Matrix;

/// Rows of weights, each with an intercept.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// One row a score, one column a feature.
    pub weights: Matrix,
    /// One a row of `weights`.
    pub intercepts: Vec<f64>,
}

impl Linear {
    /// The weights, if their shape fits: one intercept a row, at least one row, all finite.
    pub fn new(weights: Matrix, intercepts: Vec<f64>) -> Option<Self> {
        let finite = weights
            .values
            .iter()
            .chain(&intercepts)
            .all(|v| v.is_finite());
        (weights.rows == intercepts.len() && weights.rows > 0 && finite).then_some(Self {
            weights,
            intercepts,
        })
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        self.weights.columns
    }

    /// Writes the scores of one row; `scores` has one slot a row of weights.
    fn scores(&self, row: &[f64], scores: &mut [f64]) {
        for (index, (score, intercept)) in scores.iter_mut().zip(&self.intercepts).enumerate() {
            *score = intercept + dot(self.weights.row(index), row);
        }
    }

    /// The first score of each row.
    pub(super) fn values(&self, features: &Matrix) -> Matrix {
        let mut values = Matrix::zeros(features.rows, 1);
        for row in 0..features.rows {
            self.scores(features.row(row), values.row_mut(row).split_at_mut(1).0);
        }
        values
    }

    /// Probabilities: one row of weights gives two classes by the logistic function, more rows
    /// give one class each by softmax.
    pub(super) fn probabilities(&self, features: &Matrix) -> Matrix {
        let binary = self.weights.rows == 1;
        let classes = if binary { 2 } else { self.weights.rows };
        let mut probabilities = Matrix::zeros(features.rows, classes);
        for row in 0..features.rows {
            let out = probabilities.row_mut(row);
            if let (true, [first, second]) = (binary, &mut *out) {
                let mut score = [0.0];
                self.scores(features.row(row), &mut score);
                let [score] = score;
                *first = logistic(-score);
                *second = logistic(score);
            } else {
                self.scores(features.row(row), out);
                softmax(out);
            }
        }
        probabilities
    }
}

/// Sum of products, in order, so that every host gives the same bits.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// 1 / (1 + e^-x) without overflow on either side.
fn logistic(x: f64) -> f64 {
    if x >= 0.0 {
        1.0 / (1.0 + (-x).exp())
    } else {
        let e = x.exp();
        e / (1.0 + e)
    }
}

/// Scores become shares of e^score; the greatest is taken off first, so that none overflows.
pub(super) fn softmax(scores: &mut [f64]) {
    let greatest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for score in scores.iter_mut() {
        *score = (*score - greatest).exp();
        sum += *score;
    }
    for score in scores {
        *score /= sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(rows: usize, columns: usize, weights: &[f64], intercepts: &[f64]) -> Linear {
        let weights = Matrix::new(rows, columns, weights.to_vec()).unwrap();
        Linear::new(weights, intercepts.to_vec()).unwrap()
    }

    #[test]
    fn one_row_of_weights_gives_two_classes() {
        let model = linear(1, 2, &[1.0, -1.0], &[0.5]);
        let rows = Matrix::new(2, 2, vec![0.0, 0.5, 1e3, -1e3]).unwrap();
        let probabilities = model.probabilities(&rows);
        assert_eq!(probabilities.row(0), [0.5, 0.5]);
        assert_eq!(probabilities.get(1, 1), Some(1.0));
        assert!(probabilities.values.iter().all(|p| p.is_finite()));
    }

    #[test]
    fn softmax_survives_great_scores() {
        let model = linear(3, 1, &[0.0, 1.0, 1.0], &[0.0; 3]);
        let rows = Matrix::new(2, 1, vec![0.0, 1e300]).unwrap();
        let probabilities = model.probabilities(&rows);
        assert!((probabilities.row(0).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(probabilities.row(1), [0.0, 0.5, 0.5]);
    }

    #[test]
    fn weights_that_do_not_fit_are_refused() {
        assert!(Linear::new(Matrix::zeros(2, 1), vec![0.0]).is_none());
        assert!(Linear::new(Matrix::zeros(0, 1), vec![]).is_none());
        assert!(Linear::new(Matrix::zeros(1, 1), vec![f64::NAN]).is_none());
    }
}
