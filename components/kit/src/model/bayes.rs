//! Normal distributions of the features in each class.
//!
//! It owns the likelihoods. How they were fitted is train's.

use std::f64::consts::TAU;

use super::linear::softmax;
use crate::matrix::Matrix;

/// The least log likelihood that is told apart: all below it are equally unlikely, so that a row
/// far from all classes has probabilities too.
const LEAST: f64 = -1e300;

/// Each feature's mean and variance in each class, and how frequent the class is.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianBayes {
    means: Matrix,
    variances: Matrix,
    log_priors: Vec<f64>,
    /// Of each class: what its log likelihood is at its means.
    peaks: Vec<f64>,
}

impl GaussianBayes {
    /// The model, if its shapes fit: `means` and `variances` have one row a class and one column
    /// a feature; all is finite, variances are above 0.
    pub fn new(means: Matrix, variances: Matrix, log_priors: Vec<f64>) -> Option<Self> {
        let shaped = means.rows == variances.rows
            && means.columns == variances.columns
            && means.rows == log_priors.len();
        let finite = means
            .values
            .iter()
            .chain(&log_priors)
            .all(|v| v.is_finite())
            && variances.values.iter().all(|v| v.is_finite() && *v > 0.0);
        if !shaped || !finite {
            return None;
        }
        let peak = |(class, prior): (usize, &f64)| {
            let logs = variances.row(class).iter().map(|v| TAU.ln() + v.ln());
            prior - 0.5 * logs.sum::<f64>()
        };
        let peaks = log_priors.iter().enumerate().map(peak).collect();
        Some(Self {
            means,
            variances,
            log_priors,
            peaks,
        })
    }

    /// Features that a row has.
    pub const fn columns(&self) -> usize {
        self.means.columns
    }

    /// Number of classes.
    pub const fn classes(&self) -> usize {
        self.means.rows
    }

    /// Means, variances (one row a class) and logarithms of the priors.
    pub const fn parts(&self) -> (&Matrix, &Matrix, &Vec<f64>) {
        (&self.means, &self.variances, &self.log_priors)
    }

    /// Probabilities of the classes by Bayes' theorem, the features taken as independent.
    pub(super) fn probabilities(&self, features: &Matrix) -> Matrix {
        let mut probabilities = Matrix::zeros(features.rows, self.classes());
        for row in 0..features.rows {
            let values = features.row(row);
            let out = probabilities.row_mut(row);
            for (class, (score, peak)) in out.iter_mut().zip(&self.peaks).enumerate() {
                let spread = self.means.row(class).iter().zip(self.variances.row(class));
                let far = values.iter().zip(spread).map(|(x, (mean, variance))| {
                    let distance = x - mean;
                    distance * distance / variance
                });
                *score = (peak - 0.5 * far.sum::<f64>()).max(LEAST);
            }
            softmax(out);
        }
        probabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(columns: usize, values: &[f64]) -> Matrix {
        Matrix::new(values.len() / columns, columns, values.to_vec()).unwrap()
    }

    #[test]
    fn the_nearer_class_is_likelier() {
        let log_priors = vec![0.5f64.ln(), 0.5f64.ln()];
        let model = GaussianBayes::new(matrix(1, &[0.0, 2.0]), matrix(1, &[1.0, 1.0]), log_priors);
        let probabilities = model.unwrap().probabilities(&matrix(1, &[1.0, 0.0, 1e200]));
        assert_eq!(probabilities.row(0), [0.5, 0.5]);
        // The ratio of the densities is e^2.
        let expected = 1.0 / (1.0 + (-2.0f64).exp());
        assert!((probabilities.row(1)[0] - expected).abs() < 1e-12);
        assert_eq!(probabilities.row(2), [0.5, 0.5]);
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        let new = |variance| {
            GaussianBayes::new(matrix(1, &[0.0]), matrix(1, &[variance]), vec![0.0]).is_some()
        };
        assert!(new(1.0));
        assert!(!new(0.0) && !new(-1.0) && !new(f64::NAN) && !new(f64::INFINITY));
        let shape = GaussianBayes::new(matrix(1, &[0.0]), matrix(2, &[1.0, 1.0]), vec![0.0]);
        assert!(shape.is_none());
    }
}
