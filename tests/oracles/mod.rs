//! Scores and artifacts against independent oracles: scikit-learn and pyarrow.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    hosts::oracles,
    support::septet::{Workplace, binary},
};

/// How far a score may be from scikit-learn's: one point of a hundred.
const POINT: f64 = 0.01;

#[test]
fn every_algorithm_scores_as_scikit_learn_does_on_the_same_rows() {
    let Some(python) = oracles::python() else {
        return;
    };
    let here = Workplace::new();
    let script = oracles::workspace().join("tests/oracles/accuracy.py");
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let output = Command::new(python)
        .arg(script)
        .arg(binary())
        .arg(here.path(""))
        .env("SEPTET_CACHE", cache)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    println!("{told}");
    let compared: Vec<Value> = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    let mut scores = 0;
    for row in &compared {
        let (ours, theirs) = (
            row["septet"].as_f64().unwrap(),
            row["sklearn"].as_f64().unwrap(),
        );
        let metric = row["metric"].as_str().unwrap();
        // A share is compared in points; a loss or an error in the target's unit by its ratio.
        let far = match metric {
            "accuracy" | "r2" | "roc_auc" => theirs - ours,
            _ if row["algorithm"] == "random-forest" => continue,
            _ => (ours / theirs - 1.0).abs(),
        };
        assert!(far <= POINT, "{row}\n{told}");
        scores += 1;
    }
    assert_eq!(scores, 17, "{told}");
}
