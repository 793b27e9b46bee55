//! What is told of a model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Recorded;
use crate::{
    drift::Reference,
    metrics::Metrics,
    model::Model,
    preprocessing::{Fitted, Preprocessing, Task},
};

/// Version of the manifest and of the model's bytes.
pub const FORMAT: u32 = 2;

/// All of a bundle but the model's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// As the user named it: `logistic-regression`, …
    pub algorithm: String,
    /// Hyper-parameters, the defaults included.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Of all randomness.
    pub seed: u64,
    /// From raw rows to features and back to labels.
    pub preprocessing: Preprocessing,
    /// The train rows' raw columns, in bins.
    pub reference: Reference,
    /// The train rows' features, in bins.
    pub feature_reference: Reference,
    /// Of two classes: the probability of the positive one from which on it is predicted, chosen
    /// on train rows. None: the most probable class is predicted.
    pub threshold: Option<f64>,
    /// Figures of the training: `train_…`, `oob_…`, `cv_…`.
    pub metrics: Metrics,
    /// Predictions for the train rows, in bins: column `prediction`. Where the model can tell,
    /// each row's prediction is made without that row.
    pub prediction_reference: Reference,
    /// What the model was made of.
    pub lineage: Vec<LineageInput>,
    /// Rows and their predictions.
    pub recorded: Recorded,
}

/// An artifact that went into the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineageInput {
    /// `train`, `preprocessing`, …
    pub name: String,
    /// Lower-case hexadecimal sha-256.
    pub digest: String,
}

impl Manifest {
    /// Whether the parts fit each other and `model`.
    pub fn check(&self, model: &Model) -> Result<(), String> {
        let preprocessing = &self.preprocessing;
        let (features, columns) = (preprocessing.features.len(), model.columns());
        if features != columns {
            return Err(format!(
                "the model takes {columns} features but the preprocessing gives {features}"
            ));
        }
        let width: usize = preprocessing.columns.iter().map(Fitted::width).sum();
        if width != features {
            return Err(format!(
                "the preprocessing names {features} features but gives {width}"
            ));
        }
        let classes = &preprocessing.classes;
        match (preprocessing.task, model.classes()) {
            (Task::Classification, Some(count)) if count == classes.len() => {}
            (Task::Regression, None) if classes.is_empty() => {}
            _ => {
                return Err(format!(
                    "the model does not fit {} with {} classes",
                    preprocessing.task.name(),
                    classes.len()
                ));
            }
        }
        if !classes.is_sorted_by(|left, right| left < right) {
            return Err("the classes are not sorted".to_owned());
        }
        if preprocessing.class_counts.len() != classes.len() {
            return Err("the classes' counts do not fit the classes".to_owned());
        }
        if let Some(positive) = &preprocessing.positive
            && (classes.len() != 2 || !classes.contains(positive))
        {
            return Err("the positive class is none of two classes".to_owned());
        }
        if let Some(threshold) = self.threshold
            && (preprocessing.positive.is_none() || !(0.0..=1.0).contains(&threshold))
        {
            return Err("the threshold is no probability of a positive class".to_owned());
        }
        self.reference.check()?;
        self.feature_reference.check()?;
        self.prediction_reference.check()?;
        self.recorded.check(model.classes().unwrap_or(1))
    }
}
