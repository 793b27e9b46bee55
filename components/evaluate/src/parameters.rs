//! What a user may set.

use septet_kit::{
    metrics::less_is_better,
    preprocessing::{Preprocessing, Task},
    show::shown,
};
use serde::Deserialize;

/// Resamples at most.
const MAX_RESAMPLES: u32 = 10_000;
/// Metrics of a classifier by which the gate may decide.
const CLASSES: &[&str] = &[
    "balanced_accuracy",
    "accuracy",
    "f1",
    "f1_macro",
    "f1_weighted",
    "mcc",
    "roc_auc",
    "pr_auc",
    "log_loss",
    "brier",
];
/// Metrics of a regressor by which the gate may decide.
const NUMBERS: &[&str] = &["r2", "rmse", "mae", "mape"];

/// The stage's parameters.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The model's name.
    pub model: String,
    /// Whose version is the champion.
    #[serde(default = "champion")]
    pub alias: String,
    /// By how much the metric may be worse than the champion's, in its own unit.
    #[serde(default = "margin")]
    pub margin: f64,
    /// By which the gate decides; `balanced_accuracy` or `r2` where none is named.
    #[serde(default)]
    pub metric: Option<String>,
    /// How it decides.
    #[serde(default)]
    pub policy: Policy,
    /// A raw column by whose values the test rows are told apart.
    #[serde(default)]
    pub slice: Option<String>,
    /// Resamples of the bootstrap, up to 10,000; with 0 there are no intervals.
    #[serde(default = "resamples")]
    pub resamples: u32,
}

/// How the gate decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// By the paired bootstrap against baseline and champion.
    #[default]
    Default,
    /// Not at all.
    None,
}

fn champion() -> String {
    "champion".to_owned()
}

const fn margin() -> f64 {
    0.005
}

const fn resamples() -> u32 {
    1_000
}

impl Parameters {
    /// The metric by which the gate decides on a model with this preprocessing. An error tells
    /// what is wrong with a parameter.
    pub fn check(&self, plan: &Preprocessing) -> Result<&str, String> {
        if !(self.margin.is_finite() && self.margin >= 0.0) {
            return Err("the margin must be a number from 0 on".to_owned());
        }
        if self.resamples > MAX_RESAMPLES {
            return Err(format!(
                "resamples must be from 0 to {MAX_RESAMPLES}, not {}",
                self.resamples
            ));
        }
        let known = match plan.task {
            Task::Classification => CLASSES,
            Task::Regression => NUMBERS,
        };
        let default = known.first().copied().unwrap_or_default();
        let Some(metric) = self.metric.as_deref() else {
            return Ok(default);
        };
        if !known.contains(&metric) {
            return Err(format!(
                "the metric '{}' is none by which {} is decided: take one of {}",
                shown(metric, 40),
                plan.task.name(),
                known.join(", ")
            ));
        }
        if metric == "f1" && plan.classes.len() != 2 {
            return Err(format!(
                "the metric 'f1' needs two classes and there are {}: take f1_macro",
                plan.classes.len()
            ));
        }
        Ok(metric)
    }
}

/// Whether the gate takes a smaller figure for the better one: −1, else 1.
pub fn sign(metric: &str) -> f64 {
    if less_is_better(metric) { -1.0 } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judgement::tests::manifest;

    #[test]
    fn what_is_wrong_is_told() {
        let plan = manifest("y").preprocessing;
        let told = |json: &str| {
            let parameters: Parameters = serde_json::from_str(json).unwrap();
            parameters.check(&plan).map(str::to_owned)
        };
        assert_eq!(told(r#"{"model":"m"}"#).unwrap(), "balanced_accuracy");
        assert_eq!(
            told(r#"{"model":"m","metric":"f1","policy":"none"}"#).unwrap(),
            "f1"
        );
        assert!(
            told(r#"{"model":"m","margin":-1}"#)
                .unwrap_err()
                .contains("margin")
        );
        assert!(
            told(r#"{"model":"m","resamples":10001}"#)
                .unwrap_err()
                .contains("10000")
        );
        let wrong = told(r#"{"model":"m","metric":"rmse"}"#).unwrap_err();
        assert!(
            wrong.contains("'rmse'") && wrong.contains("roc_auc"),
            "{wrong}"
        );
        let mut three = plan.clone();
        three.classes.push("z".to_owned());
        let f1: Parameters = serde_json::from_str(r#"{"model":"m","metric":"f1"}"#).unwrap();
        assert!(f1.check(&three).unwrap_err().contains("f1_macro"));
    }
}
