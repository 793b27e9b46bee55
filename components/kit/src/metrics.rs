//! Metrics of predictions, named and defined as in scikit-learn's `sklearn.metrics`.
//!
//! It owns the figures. It must not know models, files or gates. A metric that is not defined on
//! the rows at hand (one class only, a constant target) is left out: none is ever NaN or infinite.

use std::collections::BTreeMap;

use crate::matrix::Matrix;

/// Figures by name.
pub type Metrics = BTreeMap<String, f64>;

/// Metrics of a classifier.
///
/// `truth` and `predicted` hold the index of each row's class. An index from
/// `probabilities.columns` on is a class that the model does not know: such rows are always wrong.
/// `probabilities` is rows × classes. The lengths must be equal; what is over is ignored.
///
/// - `accuracy`: `accuracy_score`
/// - `balanced_accuracy`: `balanced_accuracy_score`, the mean recall of the classes in `truth`
/// - `precision_macro`, `recall_macro`, `f1_macro`: `*_score(average="macro", zero_division=0)`,
///   over the classes in `truth` or `predicted`
/// - `roc_auc`: `roc_auc_score`; of two classes on the probability of the second one, of more
///   `multi_class="ovr", average="macro"`; only if each class of the model is in `truth` and no
///   other is
/// - `log_loss`: `log_loss`, probabilities clipped to [ε, 1 − ε] with ε of 64-bit numbers
pub fn classification(truth: &[usize], predicted: &[usize], probabilities: &Matrix) -> Metrics {
    let rows = truth.len().min(predicted.len()).min(probabilities.rows);
    let (truth, predicted) = (
        truth.get(..rows).unwrap_or_default(),
        predicted.get(..rows).unwrap_or_default(),
    );
    let mut metrics = Metrics::new();
    if rows == 0 {
        return metrics;
    }
    labels(truth, predicted, &mut metrics);
    if let Some(area) = area_over_classes(truth, probabilities) {
        metrics.insert("roc_auc".to_owned(), area);
    }
    let losses = truth.iter().enumerate().map(|(row, class)| {
        let probability = probabilities.get(row, *class).unwrap_or(0.0);
        -probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
    });
    metrics.insert("log_loss".to_owned(), losses.sum::<f64>() / rows as f64);
    metrics.retain(|_, value| value.is_finite());
    metrics
}

/// What true and predicted classes alone tell.
fn labels(truth: &[usize], predicted: &[usize], metrics: &mut Metrics) {
    /// Rows of one class.
    #[derive(Default)]
    struct Class {
        right: f64,
        truth: f64,
        predicted: f64,
    }
    let mut classes: BTreeMap<usize, Class> = BTreeMap::new();
    for (truth, predicted) in truth.iter().zip(predicted) {
        classes.entry(*truth).or_default().truth += 1.0;
        classes.entry(*predicted).or_default().predicted += 1.0;
        if truth == predicted {
            classes.entry(*truth).or_default().right += 1.0;
        }
    }
    let ratio = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let mean =
        |of: &dyn Fn(&Class) -> f64| classes.values().map(of).sum::<f64>() / classes.len() as f64;
    let right: f64 = classes.values().map(|class| class.right).sum();
    let known = classes.values().filter(|class| class.truth > 0.0);
    let (recalls, count) = known.fold((0.0, 0.0), |(sum, count), class| {
        (sum + class.right / class.truth, count + 1.0)
    });
    for (name, value) in [
        ("accuracy", right / truth.len() as f64),
        ("balanced_accuracy", recalls / count),
        ("precision_macro", mean(&|c| ratio(c.right, c.predicted))),
        ("recall_macro", mean(&|c| ratio(c.right, c.truth))),
        (
            "f1_macro",
            mean(&|c| ratio(2.0 * c.right, c.truth + c.predicted)),
        ),
    ] {
        metrics.insert(name.to_owned(), value);
    }
}

/// Area under the curve of two classes, or the mean of each class against the rest.
fn area_over_classes(truth: &[usize], probabilities: &Matrix) -> Option<f64> {
    let classes = probabilities.columns;
    if classes < 2 || truth.iter().any(|class| *class >= classes) {
        return None;
    }
    let scored = if classes == 2 { 1..2 } else { 0..classes };
    let count = scored.len() as f64;
    let mut sum = 0.0;
    for class in scored {
        let positive: Vec<bool> = truth.iter().map(|truth| *truth == class).collect();
        sum += area(&positive, &probabilities.column(class))?;
    }
    Some(sum / count)
}

/// Area under the receiver operating characteristic: the chance that a positive row has a higher
/// score than a negative one, ties counting half (Mann and Whitney's U by mean ranks). None if
/// either side is empty or a score is not a number.
pub fn area(positive: &[bool], scores: &[f64]) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> = scores
        .iter()
        .copied()
        .zip(positive.iter().copied())
        .collect();
    if ranked.iter().any(|(score, _)| score.is_nan()) {
        return None;
    }
    // They are sorted: a run is of equal scores, -0.0 and 0.0 too.
    ranked.sort_unstable_by(|(left, _), (right, _)| left.total_cmp(right));
    let positives = ranked.iter().filter(|(_, positive)| *positive).count() as f64;
    let negatives = ranked.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut below, mut area) = (0.0, 0.0);
    for run in ranked.chunk_by(|(left, _), (right, _)| left >= right) {
        let up = run.iter().filter(|(_, positive)| *positive).count() as f64;
        let down = run.len() as f64 - up;
        area += up * (below + down / 2.0);
        below += down;
    }
    Some(area / (positives * negatives))
}

/// Metrics of a regressor: `r2` (`r2_score`; left out where the target is constant), `rmse`
/// (`root_mean_squared_error`), `mae` (`mean_absolute_error`), the last two in the target's unit.
pub fn regression(truth: &[f64], predicted: &[f64]) -> Metrics {
    let mut metrics = Metrics::new();
    let rows = truth.len().min(predicted.len());
    if rows == 0 {
        return metrics;
    }
    let count = rows as f64;
    let pairs = || truth.iter().zip(predicted);
    let mean = pairs().map(|(truth, _)| truth).sum::<f64>() / count;
    let residual: f64 = pairs().map(|(t, p)| (t - p) * (t - p)).sum();
    let total: f64 = pairs().map(|(t, _)| (t - mean) * (t - mean)).sum();
    let absolute: f64 = pairs().map(|(t, p)| (t - p).abs()).sum();
    if total > 0.0 {
        metrics.insert("r2".to_owned(), 1.0 - residual / total);
    }
    metrics.insert("rmse".to_owned(), (residual / count).sqrt());
    metrics.insert("mae".to_owned(), absolute / count);
    metrics.retain(|_, value| value.is_finite());
    metrics
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
        assert!(regression(&[f64::MAX, -f64::MAX], &[0.0, 0.0]).len() < 3);
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
