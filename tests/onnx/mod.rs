//! Models of ONNX, from the file that skl2onnx writes to the served prediction.
//!
//! # Layout
//! - [`kinds`]: models of many kinds against scikit-learn, through the real program
//! - [`refused`]: what is no model, or none that is read
//! - [`served`]: a version of ONNX among the others: serving, drift, swaps

mod kinds;
mod refused;
mod served;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

use crate::{
    hosts::oracles::{installed, run, venv, workspace},
    support::septet::{Ran, Workplace},
};

/// The folder of the models that scikit-learn trained and skl2onnx wrote, each with its data and
/// predictions; none where Python's registry is out of reach.
fn models() -> Option<&'static Path> {
    static MODELS: OnceLock<Option<PathBuf>> = OnceLock::new();
    MODELS
        .get_or_init(|| {
            let pins = ["requirements.txt", "models.py"];
            let make = |folder: &Path| {
                venv(folder)?;
                let mut python = Command::new(folder.join("bin/python"));
                let script = workspace().join("tests/onnx/models.py");
                run(python.arg(script).arg(folder.join("models")))
            };
            Some(installed("skl2onnx", "onnx", &pins, make)?.join("models"))
        })
        .as_deref()
}

/// A model's file, and what its script says of it.
struct Model {
    onnx: PathBuf,
    data: PathBuf,
    told: Value,
}

impl Model {
    fn of(folder: &Path, name: &str) -> Self {
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        let told = fs::read(path("json")).unwrap_or_else(|error| panic!("{name}: {error}"));
        Self {
            onnx: path("onnx"),
            data: path("csv"),
            told: serde_json::from_slice(&told).unwrap(),
        }
    }

    fn classes(&self) -> Vec<String> {
        let classes = self.told["classes"].as_array().unwrap().iter();
        classes
            .map(|class| class.as_str().unwrap().to_owned())
            .collect()
    }

    /// A row each: the classes' probabilities in the order of `classes`, or the value.
    fn expected(&self) -> Vec<Vec<f64>> {
        serde_json::from_value(self.told["expected"].clone()).unwrap()
    }

    /// `models import` of it with its data.
    fn import(&self, workplace: &Workplace, name: &str) -> Ran {
        let (onnx, data) = (self.onnx.to_str().unwrap(), self.data.to_str().unwrap());
        let words = [
            "models",
            "import",
            onnx,
            "--name",
            name,
            "--data",
            data,
            "--target",
            "target",
            "--promote",
        ];
        workplace.septet(&words)
    }
}
