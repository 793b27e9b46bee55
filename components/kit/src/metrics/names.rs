//! Which metrics there are, and which way is better.

use std::collections::BTreeMap;

/// Figures by name.
pub type Metrics = BTreeMap<String, f64>;

/// Figures in the order of [`CLASSES`] or [`NUMBERS`]; none where a metric is not defined.
pub type Figures = Vec<Option<f64>>;

/// A classifier's metrics.
///
/// - `accuracy`: `accuracy_score`
/// - `balanced_accuracy`: `balanced_accuracy_score`, the mean recall of the true classes
/// - `precision_macro`, `recall_macro`, `f1_macro`: `*_score(average="macro", zero_division=0)`,
///   over the classes that are true or predicted somewhere; `…_weighted`: `average="weighted"`
/// - `precision`, `recall`, `f1`: of two classes, `*_score(pos_label=…, zero_division=0)` of the
///   positive one
/// - `mcc`: `matthews_corrcoef`
/// - `roc_auc`: `roc_auc_score`; `pr_auc`: `average_precision_score`. Of two classes by the
///   probability of the positive one; of more the mean of each class against the rest
///   (`multi_class="ovr"`, `average="macro"`). Only if each class of the model is true somewhere
///   and no other is
/// - `log_loss`: `log_loss`, probabilities clipped to [ε, 1 − ε] with ε of 64-bit numbers
/// - `brier`: `brier_score_loss`; up to 1 of two classes and up to 2 of more
pub const CLASSES: &[&str] = &[
    "accuracy",
    "balanced_accuracy",
    "precision_macro",
    "recall_macro",
    "f1_macro",
    "precision_weighted",
    "recall_weighted",
    "f1_weighted",
    "precision",
    "recall",
    "f1",
    "mcc",
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
];

/// A regressor's metrics.
///
/// - `r2`: `r2_score`; left out where the target is constant
/// - `mae`: `mean_absolute_error`, `rmse`: `root_mean_squared_error`, both in the target's unit
/// - `mape`: `mean_absolute_percentage_error`, a share: 0.1 is 10 %; as in scikit-learn an error
///   where the truth is 0 counts as if that were ε
pub const NUMBERS: &[&str] = &["r2", "mae", "rmse", "mape"];

/// Whether a smaller figure is the better one.
pub fn less_is_better(metric: &str) -> bool {
    matches!(metric, "log_loss" | "brier" | "mae" | "rmse" | "mape")
}

/// Figures by name; what is not defined or not finite is left out.
pub fn named(names: &[&str], figures: &[Option<f64>]) -> Metrics {
    names
        .iter()
        .zip(figures)
        .filter_map(|(name, figure)| Some(((*name).to_owned(), (*figure)?)))
        .filter(|(_, figure)| figure.is_finite())
        .collect()
}
