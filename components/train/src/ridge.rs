//! Ridge regression: least squares with a penalty on the weights, by smartcore's Cholesky.
//!
//! Minimizes |y − Xw − b|² + alpha · |w|², the intercept free, as scikit-learn's `Ridge` does.
//! smartcore's own `RidgeRegression` refuses fewer rows than columns and constant columns, both of
//! which the penalty makes solvable; so the squares are summed here and smartcore solves them.
//!
//! Without a penalty it is linear regression: columns that depend on each other have no Cholesky
//! factor, or one of rounding errors alone, and the squares of the rows hold half their digits.

use septet_kit::preprocessing::Task;
use smartcore::linalg::{
    basic::{arrays::Array, matrix::DenseMatrix},
    traits::{cholesky::CholeskyDecomposable, svd::SVDDecomposable},
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    least_squares::{LinearRegression, Means, learned, singular_values, told},
    plan::MAX_SILENT,
    products::{self, Products},
    settings::{Setting, Settings},
};

/// See the module's page.
pub(crate) struct Ridge;

impl Algorithm for Ridge {
    fn name(&self) -> &'static str {
        "ridge"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        vec![Setting::number("alpha", 1.0, 0.0, 1e12)]
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, settings: &Settings) -> u64 {
        if without_penalty(settings) {
            return LinearRegression.memory(rows, columns, classes, settings);
        }
        // The rows, and a few squares for the solver.
        let width = columns.saturating_add(1);
        let cells = rows.saturating_mul(width);
        let squares = width.saturating_mul(width).saturating_mul(6);
        cells.saturating_add(squares).saturating_mul(8)
    }

    fn effort(&self, rows: u64, columns: u64, settings: &Settings) -> u64 {
        if without_penalty(settings) {
            return LinearRegression.effort(rows, columns, settings);
        }
        let products = products::effort(rows, columns);
        products.saturating_add(self.silent(columns, settings))
    }

    fn silent(&self, columns: u64, settings: &Settings) -> u64 {
        if without_penalty(settings) {
            return LinearRegression.silent(columns, settings);
        }
        columns.saturating_mul(columns).saturating_mul(columns)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        seed: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        if without_penalty(settings) {
            return LinearRegression.learn(rows, settings, seed, progress);
        }
        let columns = rows.features.columns;
        let means = Means::of(rows);
        let Products {
            mut left, right, ..
        } = Products::of(rows, &means, progress);
        for diagonal in left.iter_mut().step_by(columns + 1) {
            *diagonal += settings.number("alpha");
        }
        let left = DenseMatrix::new(columns, columns, left, false).map_err(|e| told(&e))?;
        let right = DenseMatrix::new(columns, 1, right, false).map_err(|e| told(&e))?;
        let solved = left.clone().cholesky_solve_mut(right.clone()).ok();
        let finite = |weights: &DenseMatrix<f64>| weights.iterator(0).all(|w| w.is_finite());
        let weights = match solved.filter(finite) {
            Some(weights) => weights,
            // A penalty that is lost beside the squares leaves no factor; singular values then give
            // the weights of least norm, where that is not too long a step.
            None if singular_values(columns as u64) <= MAX_SILENT => {
                left.svd_solve_mut(right).map_err(|error| told(&error))?
            }
            None => {
                return Err(
                    "ridge's penalty is lost beside the features' squares: raise alpha".to_owned(),
                );
            }
        };
        learned(&means, weights.iterator(0).copied().collect())
    }
}

/// Whether it is linear regression.
fn without_penalty(settings: &Settings) -> bool {
    settings.number("alpha") <= 0.0
}

#[cfg(test)]
mod tests {
    use septet_kit::matrix::Matrix;
    use serde_json::json;

    use super::*;
    use crate::least_squares::tests::linear;

    fn learn(features: &Matrix, target: &[f64], alpha: f64) -> (Vec<f64>, f64) {
        let given = [("alpha".to_owned(), json!(alpha))].into();
        let settings = Settings::check("x", &Ridge.settings(Task::Regression), &given).unwrap();
        let rows = Rows::plain(features, target, 0);
        let learned = Ridge.learn(rows, &settings, 0, &mut |_, _| {}).unwrap();
        linear(&learned.model)
    }

    /// Expected weights: scikit-learn 1.9, `Ridge(alpha=1)`.
    #[test]
    fn weights_are_scikit_learns() {
        let features = Matrix::new(4, 2, vec![1.0, 2.0, 2.0, 1.0, 3.0, 5.0, 4.0, 3.0]).unwrap();
        let (weights, intercept) = learn(&features, &[1.0, 2.0, 2.0, 4.0], 1.0);
        for (now, expected) in weights.iter().chain([&intercept]).zip([
            0.854_054_054_054,
            -0.178_378_378_378,
            0.605_405_405_405,
        ]) {
            assert!((now - expected).abs() < 1e-9, "{weights:?} {intercept}");
        }
    }

    /// Expected weights: scikit-learn 1.9, `Ridge(alpha=1).fit(…, sample_weight=…)`.
    #[test]
    fn weights_of_rows_are_scikit_learns() {
        let features = Matrix::new(4, 2, vec![1.0, 2.0, 2.0, 1.0, 3.0, 5.0, 4.0, 3.0]).unwrap();
        let rows = Rows {
            weights: Some(&[1.0, 2.0, 0.5, 3.0]),
            ..Rows::plain(&features, &[1.0, 2.0, 2.0, 4.0], 0)
        };
        let known = Ridge.settings(Task::Regression);
        let settings = Settings::check("x", &known, &[].into()).unwrap();
        let learned = Ridge.learn(rows, &settings, 0, &mut |_, _| {}).unwrap();
        let (weights, intercept) = linear(&learned.model);
        for (now, expected) in weights.iter().chain([&intercept]).zip([
            0.950_236_966_825,
            -0.109_004_739_336,
            0.324_644_549_763,
        ]) {
            assert!((now - expected).abs() < 1e-9, "{weights:?} {intercept}");
        }
    }

    #[test]
    fn without_a_penalty_it_is_least_squares() {
        let one_hot = Matrix::new(4, 2, vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0]).unwrap();
        let (weights, intercept) = learn(&one_hot, &[1.0, 3.0, 1.0, 3.0], 0.0);
        assert!((weights[0] + 1.0).abs() < 1e-9 && (weights[1] - 1.0).abs() < 1e-9);
        assert!((intercept - 2.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_penalty_dependent_columns_share_the_weight() {
        // The third column is the sum of the others, up to rounding: a factor would be of that
        // rounding alone.
        let rows = (0..40).map(|row| (f64::from(row).sin(), f64::from(row * row).cos()));
        let values = rows.clone().flat_map(|(a, b)| [a, b, 0.1 * a + 0.7 * b]);
        let features = Matrix::new(40, 3, values.collect()).unwrap();
        let target: Vec<f64> = rows.map(|(a, b)| 1.0 + 2.0 * a - b).collect();
        let (weights, intercept) = learn(&features, &target, 0.0);
        // Of all w + t · (0.1, 0.7, −1) that fit, the one nearest to 0: (2, −1, 0) less its share.
        let share = (0.1 * 2.0 - 0.7) / (0.01 + 0.49 + 1.0);
        let expected = [2.0 - 0.1 * share, -1.0 - 0.7 * share, share];
        for (now, expected) in weights.iter().zip(expected) {
            assert!((now - expected).abs() < 1e-9, "{weights:?}");
        }
        assert!((intercept - 1.0).abs() < 1e-9);
    }

    #[test]
    fn fewer_rows_than_columns_and_constant_columns_are_solved() {
        let features = Matrix::new(2, 3, vec![1.0, 7.0, 0.0, -1.0, 7.0, 0.0]).unwrap();
        let (weights, _) = learn(&features, &[1.0, -1.0], 2.0);
        assert!((weights[0] - 0.5).abs() < 1e-12 && weights[1] == 0.0);
    }
}
