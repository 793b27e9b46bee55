//! The metric that choices are made by, and how a probability becomes a class.
//!
//! All figures count rows, whatever they weigh in the training, as evaluate does.

use septet_kit::{
    matrix::Matrix,
    metrics,
    preprocessing::{Preprocessing, Task},
};

/// A figure by which models and thresholds are compared, as scikit-learn defines it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Share of the rows whose class is predicted.
    Accuracy,
    /// Mean, over the classes, of the share of their rows that is predicted.
    BalancedAccuracy,
    /// Harmonic mean of the positive class's precision and recall.
    F1,
    /// Mean of all classes' F1, each class the same.
    F1Macro,
    /// Mean of all classes' F1, each class by its rows.
    F1Weighted,
    /// Matthews' correlation coefficient.
    Mcc,
    /// Area under the receiver operating characteristic.
    RocAuc,
    /// Average precision: the area under precision by recall.
    PrAuc,
    /// Mean squared error of the probabilities.
    Brier,
    /// Mean logarithm of the true class's probability, with the sign changed.
    LogLoss,
    /// Share of the target's variance that is predicted.
    R2,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// Mean absolute error as a share of the target.
    Mape,
}

/// Of two classes: the positive one is predicted from this probability on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Index of the positive class.
    pub positive: usize,
    /// From 0 to 1.
    pub threshold: f64,
}

/// Rows of two classes by what they are and what is predicted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) true_positive: f64,
    pub(crate) false_positive: f64,
    pub(crate) true_negative: f64,
    pub(crate) false_negative: f64,
}

use Metric::{
    Accuracy, BalancedAccuracy, Brier, F1, F1Macro, F1Weighted, LogLoss, Mae, Mape, Mcc, PrAuc, R2,
    Rmse, RocAuc,
};

const CLASSIFICATION: [Metric; 10] = [
    Accuracy,
    BalancedAccuracy,
    F1,
    F1Macro,
    F1Weighted,
    Mcc,
    RocAuc,
    PrAuc,
    LogLoss,
    Brier,
];
const REGRESSION: [Metric; 4] = [R2, Rmse, Mae, Mape];

impl Metric {
    /// The metric of this name; by default `balanced_accuracy` or `r2`.
    pub fn choose(name: Option<&str>, preprocessing: &Preprocessing) -> Result<Self, String> {
        let task = preprocessing.task;
        let (known, default) = match task {
            Task::Classification => (&CLASSIFICATION[..], BalancedAccuracy),
            Task::Regression => (&REGRESSION[..], R2),
        };
        let Some(name) = name else {
            return Ok(default);
        };
        let found = known.iter().find(|metric| metric.name() == name);
        let metric = *found.ok_or_else(|| {
            let shown: String = name.chars().take(60).collect();
            let names: Vec<_> = known.iter().map(|metric| metric.name()).collect();
            format!(
                "there is no metric '{}' for {}: choose one of {}",
                shown.escape_debug(),
                task.name(),
                names.join(", ")
            )
        })?;
        if metric == F1 && preprocessing.positive.is_none() {
            return Err(
                "metric f1 needs two classes, of which one is positive: choose balanced_accuracy \
                 or mcc"
                    .to_owned(),
            );
        }
        Ok(metric)
    }

    /// As the user writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Accuracy => "accuracy",
            BalancedAccuracy => "balanced_accuracy",
            F1 => "f1",
            F1Macro => "f1_macro",
            F1Weighted => "f1_weighted",
            Mcc => "mcc",
            RocAuc => "roc_auc",
            PrAuc => "pr_auc",
            LogLoss => "log_loss",
            Brier => "brier",
            R2 => "r2",
            Rmse => "rmse",
            Mae => "mae",
            Mape => "mape",
        }
    }

    /// The value with the sign changed where less is better.
    pub const fn merit(self, value: f64) -> f64 {
        match self {
            LogLoss | Brier | Rmse | Mae | Mape => -value,
            _ => value,
        }
    }

    /// What a threshold is chosen by: metrics of probabilities do not depend on it.
    #[must_use]
    pub const fn of_threshold(self) -> Self {
        match self {
            RocAuc | PrAuc | LogLoss | Brier => BalancedAccuracy,
            other => other,
        }
    }

    /// The figure of these rows; none where it is not defined. `positive` is the class of [`F1`] and,
    /// of two classes, of [`PrAuc`]: none is the second one.
    pub fn of(
        self,
        truth: &[f64],
        predictions: &Matrix,
        decision: Option<Decision>,
        positive: Option<usize>,
    ) -> Option<f64> {
        if let R2 | Rmse | Mae | Mape = self {
            return metrics::regression(truth, &predictions.values).remove(self.name());
        }
        let truth: Vec<usize> = truth.iter().map(|class| *class as usize).collect();
        let predicted = classes(predictions, decision);
        match self {
            F1 | Mcc => confusion(self, &truth, &predicted, predictions.columns, positive),
            PrAuc if positive == Some(0) && predictions.columns == 2 => {
                // The kit's positive class is the second one.
                let swapped: Vec<f64> = predictions.values.iter().rev().copied().collect();
                let swapped = Matrix::new(predictions.rows, 2, swapped)?;
                let flip = |classes: &[usize]| -> Vec<usize> {
                    let backwards = classes.iter().rev();
                    backwards.map(|class| 1 - (*class).min(1)).collect()
                };
                metrics::classification(&flip(&truth), &flip(&predicted), &swapped)
                    .remove(self.name())
            }
            _ => metrics::classification(&truth, &predicted, predictions).remove(self.name()),
        }
    }
}

/// F1 or Matthews' coefficient, of any number of classes.
fn confusion(
    metric: Metric,
    truth: &[usize],
    predicted: &[usize],
    classes: usize,
    positive: Option<usize>,
) -> Option<f64> {
    let (mut right, mut true_rows) = (vec![0.0; classes], vec![0.0; classes]);
    let mut predicted_rows = vec![0.0; classes];
    for (truth, predicted) in truth.iter().zip(predicted) {
        if let Some(count) = true_rows.get_mut(*truth) {
            *count += 1.0;
        }
        if let Some(count) = predicted_rows.get_mut(*predicted) {
            *count += 1.0;
        }
        if let Some(count) = right.get_mut(*truth).filter(|_| truth == predicted) {
            *count += 1.0;
        }
    }
    if metric == F1 {
        let positive = positive?;
        let rows = true_rows.get(positive)? + predicted_rows.get(positive)?;
        return Some(2.0 * right.get(positive)? / f64::max(rows, 1.0));
    }
    let rows = truth.len() as f64;
    let dot = |l: &[f64], r: &[f64]| l.iter().zip(r).map(|(l, r)| l * r).sum::<f64>();
    let covariance = right.iter().sum::<f64>() * rows - dot(&true_rows, &predicted_rows);
    let spread = (rows * rows - dot(&true_rows, &true_rows))
        * (rows * rows - dot(&predicted_rows, &predicted_rows));
    Some(if spread > 0.0 {
        covariance / spread.sqrt()
    } else {
        0.0
    })
}

impl Counts {
    /// The figure of [`Metric::of_threshold`].
    pub(crate) fn figure(self, metric: Metric) -> f64 {
        let Self {
            true_positive: tp,
            false_positive: fp,
            true_negative: tn,
            false_negative: negative,
        } = self;
        let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
        match metric {
            Accuracy => ratio(tp + tn, tp + fp + tn + negative),
            F1 => ratio(2.0 * tp, 2.0 * tp + fp + negative),
            F1Macro | F1Weighted => {
                let of_positive = ratio(2.0 * tp, 2.0 * tp + fp + negative);
                let of_other = ratio(2.0 * tn, 2.0 * tn + fp + negative);
                if matches!(metric, F1Macro) {
                    f64::midpoint(of_positive, of_other)
                } else {
                    let (positives, others) = (tp + negative, tn + fp);
                    let weighted = of_positive * positives + of_other * others;
                    ratio(weighted, positives + others)
                }
            }
            Mcc => {
                let spread = (tp + fp) * (tp + negative) * (tn + fp) * (tn + negative);
                ratio(tp * tn - fp * negative, spread.sqrt())
            }
            _ => f64::midpoint(ratio(tp, tp + negative), ratio(tn, tn + fp)),
        }
    }
}

/// The class of each row: by the decision, or the most probable one.
pub fn classes(predictions: &Matrix, decision: Option<Decision>) -> Vec<usize> {
    let Some(Decision {
        positive,
        threshold,
    }) = decision
    else {
        return metrics::classes(predictions);
    };
    let rows = 0..predictions.rows;
    rows.map(|row| match predictions.get(row, positive) {
        Some(probability) if probability >= threshold => positive,
        _ => 1 - positive.min(1),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::tests::preprocessing;

    /// Expected figures: scikit-learn 1.9 on the same rows.
    #[test]
    fn figures_are_scikit_learns() {
        let truth = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0];
        let second = [0.1, 0.4, 0.35, 0.8, 0.65, 0.4, 0.9, 0.0];
        let values = second.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let predictions = Matrix::new(8, 2, values).unwrap();
        let figure = |metric: Metric, threshold| {
            let decision = Some(Decision {
                positive: 1,
                threshold,
            });
            metric.of(&truth, &predictions, decision, Some(1)).unwrap()
        };
        let near = |now: f64, expected: f64| assert!((now - expected).abs() < 1e-12, "{now}");
        near(figure(Accuracy, 0.5), 0.625);
        near(figure(F1, 0.5), 4.0 / 7.0);
        near(figure(Mcc, 0.5), 0.258_198_889_747_161_1);
        near(figure(F1, 0.4), 2.0 / 3.0);
        near(figure(BalancedAccuracy, 0.4), 0.625);
        near(figure(Mcc, 0.95), 0.0);
        near(figure(RocAuc, 0.95), 0.656_25);
        near(figure(F1Macro, 0.5), 0.619_047_619_047_619_1);
        // Squares of what each positive's probability lacks and each other row's has.
        let squares = [0.01, 0.16, 0.4225, 0.04, 0.1225, 0.36, 0.81, 0.0];
        near(figure(Brier, 0.5), squares.iter().sum::<f64>() / 8.0);
        // By falling probability: a negative, three steps of positives, the last with a tie.
        let precision = 0.25 * (0.5 + 2.0 / 3.0) + 0.25 * 0.6 + 0.25 * (4.0 / 6.0);
        near(figure(PrAuc, 0.5), precision);
        let of_first = PrAuc.of(&truth, &predictions, None, Some(0)).unwrap();
        assert!((of_first - precision).abs() > 1e-3);
        let swapped: Vec<f64> = second.iter().flat_map(|p| [*p, 1.0 - p]).collect();
        let swapped = Matrix::new(8, 2, swapped).unwrap();
        let flipped = truth.map(|class| 1.0 - class);
        near(
            PrAuc.of(&flipped, &swapped, None, Some(0)).unwrap(),
            precision,
        );
        let counts = Counts {
            true_positive: 2.0,
            false_positive: 1.0,
            true_negative: 3.0,
            false_negative: 2.0,
        };
        for metric in [Accuracy, F1, F1Macro, F1Weighted, Mcc, BalancedAccuracy] {
            near(counts.figure(metric), figure(metric, 0.5));
        }
        let first = Decision {
            positive: 0,
            threshold: 0.65,
        };
        assert_eq!(classes(&predictions, Some(first)), [0, 1, 0, 1, 1, 1, 1, 0]);
    }

    #[test]
    fn metrics_are_chosen_by_name() {
        let mut plan = preprocessing(Task::Classification);
        let told = |name, plan: &_| Metric::choose(Some(name), plan).unwrap_err();
        assert_eq!(Metric::choose(None, &plan), Ok(BalancedAccuracy));
        assert!(told("r2", &plan).contains("choose one of accuracy"));
        assert!(told("f1", &plan).contains("positive"));
        plan.positive = Some("yes".to_owned());
        assert_eq!(Metric::choose(Some("f1"), &plan), Ok(F1));
        plan = preprocessing(Task::Regression);
        assert_eq!(Metric::choose(Some("mae"), &plan), Ok(Mae));
        assert!(told("x", &plan).ends_with("choose one of r2, rmse, mae, mape"));
        plan = preprocessing(Task::Classification);
        assert!(told("x", &plan).ends_with(
            "choose one of accuracy, balanced_accuracy, f1, f1_macro, f1_weighted, mcc, roc_auc, \
             pr_auc, log_loss, brier"
        ));
        for metric in CLASSIFICATION.into_iter().chain(REGRESSION) {
            let less = septet_kit::metrics::less_is_better(metric.name());
            assert_eq!(metric.merit(1.0) < 0.0, less, "{metric:?}");
        }
        assert_eq!(PrAuc.of_threshold(), BalancedAccuracy);
        assert_eq!(F1Macro.of_threshold(), F1Macro);
    }
}
