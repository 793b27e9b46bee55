//! Metrics by name, from slices.

use super::{CLASSES, Classes, Metrics, NUMBERS, Numbers, named};
use crate::matrix::Matrix;

/// Metrics of a classifier, as [`CLASSES`] defines them; empty without rows.
///
/// `truth` and `predicted` hold the index of each row's class. An index from
/// `probabilities.columns` on is a class that the model does not know: such rows are always wrong.
/// `probabilities` is rows × classes. What is over of one of the three is ignored. Of two classes
/// the second one is the positive one, as in scikit-learn.
pub fn classification(truth: &[usize], predicted: &[usize], probabilities: &Matrix) -> Metrics {
    let rows = truth.len().min(predicted.len()).min(probabilities.rows);
    let indices = |classes: &[usize]| {
        let classes = classes.iter().take(rows);
        classes
            .map(|class| u32::try_from(*class).unwrap_or(u32::MAX))
            .collect()
    };
    let classes = Classes::new(
        indices(truth),
        indices(predicted),
        &probabilities.values,
        probabilities.columns,
        Some(1),
    );
    named(CLASSES, &classes.measure(None))
}

/// Metrics of a regressor, as [`NUMBERS`] defines them; empty without rows.
pub fn regression(truth: &[f64], predicted: &[f64]) -> Metrics {
    let numbers = Numbers::new(truth.to_vec(), predicted.to_vec());
    named(NUMBERS, &numbers.measure(None))
}

/// The class of each row: the first one of the greatest probability, as `numpy.argmax`.
pub fn classes(probabilities: &Matrix) -> Vec<usize> {
    (0..probabilities.rows)
        .map(|row| {
            let mut best = (0, f64::NEG_INFINITY);
            for (class, probability) in probabilities.row(row).iter().copied().enumerate() {
                if probability > best.1 {
                    best = (class, probability);
                }
            }
            best.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(metrics: &Metrics, name: &str, expected: f64) {
        let value = metrics[name];
        assert!((value - expected).abs() < 1e-12, "{name}: {value}");
    }

    /// Expected figures: scikit-learn 1.9 on the same rows.
    #[test]
    fn two_classes_are_scored_as_scikit_learn_does() {
        let second = [0.1, 0.4, 0.35, 0.8, 0.65, 0.4, 0.9, 0.0];
        let truth = [0, 0, 1, 1, 1, 1, 0, 0];
        let values = second.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let probabilities = Matrix::new(8, 2, values).unwrap();
        let predicted = classes(&probabilities);
        assert_eq!(predicted, [0, 0, 0, 1, 1, 0, 1, 0]);
        let metrics = classification(&truth, &predicted, &probabilities);
        near(&metrics, "accuracy", 0.625);
        near(&metrics, "balanced_accuracy", 0.625);
        near(&metrics, "precision_macro", 0.633_333_333_333_333_3);
        near(&metrics, "recall_macro", 0.625);
        near(&metrics, "f1_macro", 0.619_047_619_047_619_1);
        near(&metrics, "roc_auc", 0.656_25);
        near(&metrics, "log_loss", 0.692_351_319_524_67);
    }

    #[test]
    fn three_classes_are_scored_as_scikit_learn_does() {
        let probabilities = Matrix::new(
            6,
            3,
            vec![
                0.7, 0.2, 0.1, 0.3, 0.4, 0.3, 0.1, 0.1, 0.8, 0.2, 0.5, 0.3, 0.6, 0.3, 0.1, 0.2,
                0.2, 0.6,
            ],
        )
        .unwrap();
        let truth = [0, 1, 2, 2, 1, 0];
        let metrics = classification(&truth, &classes(&probabilities), &probabilities);
        near(&metrics, "accuracy", 0.5);
        near(&metrics, "f1_macro", 0.5);
        near(&metrics, "roc_auc", 0.75);
        near(&metrics, "log_loss", 0.918_915_458_035_511_6);
    }

    #[test]
    fn what_is_not_defined_is_left_out() {
        let probabilities = Matrix::new(2, 2, vec![0.9, 0.1, 1.0, 0.0]).unwrap();
        let metrics = classification(&[0, 0], &[0, 0], &probabilities);
        assert!(!metrics.contains_key("roc_auc"));
        near(&metrics, "accuracy", 1.0);
        assert!(classification(&[], &[], &Matrix::zeros(0, 2)).is_empty());
        assert!(regression(&[], &[]).is_empty());
        let metrics = regression(&[2.0, 2.0], &[1.0, 3.0]);
        assert!(!metrics.contains_key("r2"));
        near(&metrics, "rmse", 1.0);
        assert!(regression(&[f64::MAX, -f64::MAX], &[0.0, 0.0]).len() < 4);
        assert!(!regression(&[0.1; 3], &[0.2; 3]).contains_key("r2"));
    }

    #[test]
    fn a_class_that_the_model_does_not_know_is_always_wrong() {
        let probabilities = Matrix::new(2, 2, vec![0.9, 0.1, 1.0, 0.0]).unwrap();
        let metrics = classification(&[0, 2], &[0, 0], &probabilities);
        near(&metrics, "accuracy", 0.5);
        near(&metrics, "balanced_accuracy", 0.5);
        near(&metrics, "recall_macro", 0.5);
        near(&metrics, "precision_macro", 0.25);
        assert!(metrics["log_loss"] > 18.0);
        assert!(!metrics.contains_key("roc_auc"));
    }

    #[test]
    fn regression_is_scored_as_scikit_learn_does() {
        let metrics = regression(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0]);
        near(&metrics, "r2", 0.948_608_137_044_967_9);
        near(&metrics, "rmse", 0.612_372_435_695_794_5);
        near(&metrics, "mae", 0.5);
    }
}
