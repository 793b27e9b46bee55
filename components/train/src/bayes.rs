//! Gaussian naive Bayes: scikit-learn's `GaussianNB`.
//!
//! smartcore's takes no weights and holds every row's class; means and variances are three passes.

use septet_kit::{
    matrix::Matrix,
    model::{GaussianBayes, Model},
    preprocessing::Task,
};

use crate::{
    algorithm::{Algorithm, Learned, Progress, Rows},
    settings::{Setting, Settings},
};

/// Rows between two reports.
const STEP: usize = 1 << 16;

/// See the module's page.
pub(crate) struct GaussianNb;

impl Algorithm for GaussianNb {
    fn name(&self) -> &'static str {
        "gaussian-nb"
    }

    fn tasks(&self) -> &'static [Task] {
        &[Task::Classification]
    }

    fn settings(&self, _: Task) -> Vec<Setting> {
        vec![Setting::number("var_smoothing", 1e-9, 0.0, 1.0)]
    }

    fn memory(&self, rows: u64, columns: u64, classes: u64, _: &Settings) -> u64 {
        let cells = rows.saturating_mul(columns.saturating_add(1));
        let classes = classes
            .saturating_mul(columns.saturating_add(2))
            .saturating_mul(8);
        cells.saturating_add(classes).saturating_mul(8)
    }

    fn learn(
        &self,
        rows: Rows<'_>,
        settings: &Settings,
        _: u64,
        progress: &mut Progress<'_>,
    ) -> Result<Learned, String> {
        let mut weights = vec![0.0; rows.classes];
        for (row, class) in rows.target.iter().enumerate() {
            if let Some(sum) = weights.get_mut(*class as usize) {
                *sum += rows.weight(row);
            }
        }
        let total: f64 = weights.iter().sum();
        let share = |row: usize, class: usize| {
            let all = weights.get(class).copied().unwrap_or_default();
            // A class without weight has means of 0 and is never likely.
            if all > 0.0 {
                rows.weight(row) / all
            } else {
                0.0
            }
        };
        let means = sums(rows, rows.classes, progress, &|row, class, _, value| {
            share(row, class) * value
        });
        let mut variances = sums(
            rows,
            rows.classes,
            progress,
            &|row, class, column, value| {
                let far = value - means.get(class, column).unwrap_or_default();
                share(row, class) * far * far
            },
        );
        let least = settings.number("var_smoothing") * greatest_variance(rows, progress);
        for variance in &mut variances.values {
            // Without any spread and smoothing, only the mean itself is possible.
            *variance = (*variance + least).max(f64::MIN_POSITIVE);
        }
        let log_priors = weights.iter().map(|weight| {
            // The logarithm of 0 has no number; this is as good as never.
            (weight / total).max(f64::MIN_POSITIVE).ln()
        });
        GaussianBayes::new(means, variances, log_priors.collect())
            .map(|bayes| Learned::of(Model::GaussianBayes(bayes)))
            .ok_or_else(|| {
                "gaussian-nb found no finite means and variances: look at the features' scale"
                    .to_owned()
            })
    }
}

/// For each class and column, the sum of `part` of (row, class, column, value).
fn sums(
    rows: Rows<'_>,
    classes: usize,
    progress: &mut Progress<'_>,
    part: &dyn Fn(usize, usize, usize, f64) -> f64,
) -> Matrix {
    let total = rows.features.rows as u64;
    let mut sums = Matrix::zeros(classes, rows.features.columns);
    for (row, class) in rows.target.iter().enumerate() {
        let class = if classes == 1 { 0 } else { *class as usize };
        let values = rows.features.row(row).iter().enumerate();
        for (sum, (column, value)) in sums.row_mut(class).iter_mut().zip(values) {
            *sum += part(row, class, column, *value);
        }
        if row % STEP == 0 {
            progress(row as u64, Some(total));
        }
    }
    progress(total, Some(total));
    sums
}

/// Of all columns over all rows, whatever they weigh: scikit-learn's measure for the smoothing.
fn greatest_variance(rows: Rows<'_>, progress: &mut Progress<'_>) -> f64 {
    let share = 1.0 / rows.features.rows as f64;
    let means = sums(rows, 1, progress, &|_, _, _, value| value * share);
    let variances = sums(rows, 1, progress, &|_, _, column, value| {
        let far = value - means.get(0, column).unwrap_or_default();
        far * far * share
    });
    variances.values.iter().copied().fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Values;

    fn learn(features: &Matrix, target: &[f64], classes: usize, weights: Option<&[f64]>) -> Model {
        let known = GaussianNb.settings(Task::Classification);
        let settings = Settings::check("x", &known, &Values::new()).unwrap();
        let rows = Rows {
            weights,
            ..Rows::plain(features, target, classes)
        };
        let learned = GaussianNb.learn(rows, &settings, 0, &mut |_, _| {});
        learned.unwrap().model
    }

    /// Expected probabilities: scikit-learn 1.9, `GaussianNB()`.
    #[test]
    fn probabilities_are_scikit_learns() {
        let features = Matrix::new(5, 1, vec![0.0, 1.0, 2.0, 3.0, 5.0]).unwrap();
        let target = [0.0, 0.0, 1.0, 0.0, 1.0];
        let at = Matrix::new(1, 1, vec![2.5]).unwrap();
        let plain = learn(&features, &target, 2, None).predict(&at);
        let weights = Some(&[1.0, 2.0, 0.5, 1.0, 3.0][..]);
        let weighted = learn(&features, &target, 2, weights).predict(&at);
        assert!(
            (plain.values[1] - 0.407_397_119_510).abs() < 1e-9,
            "{plain:?}"
        );
        assert!(
            (weighted.values[1] - 0.200_198_746_619).abs() < 1e-9,
            "{weighted:?}"
        );
    }

    #[test]
    fn a_class_without_rows_and_a_constant_column_are_borne() {
        let features = Matrix::new(3, 1, vec![1.0; 3]).unwrap();
        let model = learn(&features, &[0.0, 2.0, 2.0], 3, None);
        let probabilities = model.predict(&features);
        assert!(
            (probabilities.values[2] - 2.0 / 3.0).abs() < 1e-9,
            "{probabilities:?}"
        );
    }
}
