//! Linear regression: least squares by smartcore's QR and singular values.
//!
//! The rows, with their means taken off, go through QR in blocks: the triangle of the blocks so
//! far is stacked on the next block, so that memory does not grow with the rows and each block is
//! a step to report. Singular values of the last triangle then give the solution of least norm,
//! as scikit-learn's `LinearRegression` does, however columns depend on each other (the one-hot
//! columns of a text always do).

use septet_kit::{
    matrix::Matrix,
    model::{Linear, Model},
    preprocessing::Task,
};
use smartcore::linalg::{
    basic::{
        arrays::{Array, Array2 as _},
        matrix::DenseMatrix,
    },
    traits::{qr::QRDecomposable, svd::SVDDecomposable},
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    settings::{Setting, Settings},
};

/// Rows of a block, where they are more than four times the columns.
const BLOCK: usize = 2_048;

/// See the module's page.
pub(crate) struct LinearRegression;

impl Algorithm for LinearRegression {
    fn name(&self) -> &'static str {
        "linear-regression"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Regression]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        vec![]
    }

    fn memory(&self, rows: u64, columns: u64, _: u64, _: &Settings) -> u64 {
        // The rows; a block with its triangle, twice; four squares for the singular values.
        let width = columns.saturating_add(1);
        let block = width
            .saturating_mul(4)
            .max(BLOCK as u64)
            .saturating_add(width)
            .saturating_mul(2);
        let cells = rows.saturating_mul(width);
        let more = width.saturating_mul(block.saturating_add(width.saturating_mul(4)));
        cells.saturating_add(more).saturating_mul(8)
    }

    fn effort(&self, rows: u64, columns: u64, _: &Settings) -> u64 {
        let square = columns.saturating_mul(columns);
        let triangle = rows.saturating_mul(square);
        triangle.saturating_add(singular_values(columns))
    }

    fn silent(&self, columns: u64, _: &Settings) -> u64 {
        // The triangle of a block, of about five times as many rows as columns, takes less.
        singular_values(columns)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        _: &Settings,
        _: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let means = Means::of(rows);
        let triangle = triangle(rows, &means, progress)?;
        let weights = least_norm(&triangle, rows.features.rows)?;
        learned(&means, weights)
    }
}

/// Operations for the singular values of so many columns, about: some 20 for each of their cubes
/// (Golub and Van Loan, Matrix Computations, 8.6).
pub(crate) const fn singular_values(columns: u64) -> u64 {
    columns
        .saturating_mul(columns)
        .saturating_mul(columns)
        .saturating_mul(20)
}

/// Means that are taken off before and put into the intercept after.
pub(crate) struct Means {
    pub(crate) features: Vec<f64>,
    pub(crate) target: f64,
}

impl Means {
    pub(crate) fn of(rows: Rows<'_>) -> Self {
        let total = rows.total();
        let mut features = vec![0.0; rows.features.columns];
        let mut mean = 0.0;
        for (row, target) in rows.target.iter().enumerate() {
            let share = rows.weight(row) / total;
            mean += target * share;
            for (mean, value) in features.iter_mut().zip(rows.features.row(row)) {
                *mean += value * share;
            }
        }
        Self {
            features,
            target: mean,
        }
    }

    /// One row without the means, times the root of its weight: the features, then the target.
    pub(crate) fn centred(&self, rows: Rows<'_>, row: usize) -> impl Iterator<Item = f64> {
        let target = rows.target.get(row).copied().unwrap_or_default();
        let root = rows.weight(row).sqrt();
        let features = rows.features.row(row).iter().zip(&self.features);
        features
            .map(|(value, mean)| value - mean)
            .chain([target - self.target])
            .map(move |value| value * root)
    }
}

/// Weights of the centred rows as a model of the rows as they are.
pub(crate) fn learned(means: &Means, weights: Vec<f64>) -> Result<Learned, String> {
    let shift: f64 = weights
        .iter()
        .zip(&means.features)
        .map(|(w, m)| w * m)
        .sum();
    let columns = weights.len();
    let model = Matrix::new(1, columns, weights)
        .and_then(|weights| Linear::new(weights, vec![means.target - shift]))
        .map(Model::LinearRegressor)
        .ok_or("the equations have no finite solution: look at the features' scale")?;
    Ok(Learned::of(model))
}

/// A failure of smartcore's as a sentence.
pub(crate) fn told(error: &smartcore::error::Failed) -> String {
    format!("the solver failed: {error}")
}

/// R of the QR decomposition of the centred rows, target last.
fn triangle(
    rows: Rows<'_>,
    means: &Means,
    progress: &mut Progress<'_>,
) -> Result<DenseMatrix<f64>, String> {
    let width = rows.features.columns + 1;
    let block = BLOCK.max(4 * width);
    let total = rows.features.rows;
    let mut triangle: Option<DenseMatrix<f64>> = None;
    for start in (0..total).step_by(block) {
        let end = total.min(start + block);
        let mut values = Vec::with_capacity((end - start + width) * width);
        if let Some(triangle) = &triangle {
            values.extend(triangle.iterator(0));
        }
        for row in start..end {
            values.extend(means.centred(rows, row));
        }
        // QR needs as many rows as columns; rows of zeros say nothing.
        values.resize(values.len().max(width * width), 0.0);
        // QR goes down columns: side by side in memory they are read several times as fast.
        let column = |column| values.iter().skip(column).step_by(width).copied();
        let columns = (0..width).flat_map(column).collect();
        let stacked = DenseMatrix::new(values.len() / width, width, columns, true);
        let stacked = stacked.and_then(QRDecomposable::qr_mut);
        triangle = Some(stacked.map_err(|error| told(&error))?.R());
        progress(end as u64, Some(total as u64));
    }
    triangle.ok_or_else(|| "there are no train rows".to_owned())
}

/// The solution of least norm of the triangle's equations.
fn least_norm(triangle: &DenseMatrix<f64>, rows: usize) -> Result<Vec<f64>, String> {
    let columns = triangle.shape().1 - 1;
    let left = triangle.slice(0..columns, 0..columns);
    let left: Vec<f64> = left.iterator(0).copied().collect();
    let svd = DenseMatrix::new(columns, columns, left, false)
        .and_then(SVDDecomposable::svd_mut)
        .map_err(|error| told(&error))?;
    let greatest = svd.s.iter().copied().fold(0.0, f64::max);
    // What rounding alone may leave of a column that depends on others, as numpy's `lstsq` has it.
    let least = greatest * f64::EPSILON * rows.max(columns) as f64;
    let mut weights = vec![0.0; columns];
    for (index, singular) in svd.s.iter().enumerate().filter(|(_, s)| **s > least) {
        let products =
            (0..columns).map(|row| svd.U.get((row, index)) * triangle.get((row, columns)));
        let share = products.sum::<f64>() / singular;
        for (row, weight) in weights.iter_mut().enumerate() {
            *weight += share * svd.V.get((row, index));
        }
    }
    Ok(weights)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn linear(model: &Model) -> (Vec<f64>, f64) {
        let Model::LinearRegressor(linear) = model else {
            panic!()
        };
        (linear.weights.values.clone(), linear.intercepts[0])
    }

    fn learn(features: &Matrix, target: &[f64]) -> (Vec<f64>, f64) {
        let rows = Rows::plain(features, target, 0);
        let settings = Settings::default();
        let learned = LinearRegression.learn(rows, &settings, 0, &mut |_, _| {});
        linear(&learned.unwrap().model)
    }

    fn near(left: &[f64], right: &[f64]) {
        let near = left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-9);
        assert!(near && left.len() == right.len(), "{left:?} {right:?}");
    }

    #[test]
    fn a_plane_is_found_over_many_blocks() {
        let rows = 3 * BLOCK + 7;
        let values: Vec<f64> = (0..2 * rows)
            .map(|i| ((i * i) as f64).sin() * 3.0)
            .collect();
        let features = Matrix::new(rows, 2, values).unwrap();
        let target: Vec<f64> = (0..rows)
            .map(|row| 5.0 + 2.0 * features.row(row)[0] - features.row(row)[1])
            .collect();
        let (weights, intercept) = learn(&features, &target);
        near(&weights, &[2.0, -1.0]);
        near(&[intercept], &[5.0]);
    }

    /// Expected weights: scikit-learn 1.9, `LinearRegression().fit(…, sample_weight=…)`.
    #[test]
    fn weights_of_rows_are_scikit_learns() {
        let features = Matrix::new(4, 1, vec![0.0, 1.0, 2.0, 4.0]).unwrap();
        let rows = Rows {
            weights: Some(&[1.0, 2.0, 0.5, 1.0]),
            ..Rows::plain(&features, &[1.0, 2.0, 2.0, 5.0], 0)
        };
        let learned = LinearRegression.learn(rows, &Settings::default(), 0, &mut |_, _| {});
        let (weights, intercept) = linear(&learned.unwrap().model);
        near(&weights, &[40.0 / 41.0]);
        near(&[intercept], &[38.0 / 41.0]);
    }

    #[test]
    fn columns_that_depend_on_each_other_share_the_weight() {
        // One-hot columns, whose sum is 1, and a constant column.
        let features = Matrix::new(
            4,
            3,
            vec![1.0, 0.0, 7.0, 0.0, 1.0, 7.0, 1.0, 0.0, 7.0, 0.0, 1.0, 7.0],
        );
        let (weights, intercept) = learn(&features.unwrap(), &[1.0, 3.0, 1.0, 3.0]);
        near(&weights, &[-1.0, 1.0, 0.0]);
        near(&[intercept], &[2.0]);
    }

    #[test]
    fn fewer_rows_than_columns_have_a_solution_of_least_norm() {
        let features = Matrix::new(2, 3, vec![1.0, 1.0, 0.0, -1.0, -1.0, 0.0]).unwrap();
        let (weights, intercept) = learn(&features, &[3.0, -1.0]);
        near(&weights, &[1.0, 1.0, 0.0]);
        near(&[intercept], &[1.0]);
    }
}
