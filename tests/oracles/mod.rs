//! Figures and artifacts against independent oracles: scikit-learn, scipy, pyarrow and
//! libsodium.

use std::{path::Path, process::Command};

use serde_json::Value;

use crate::{
    hosts::oracles,
    support::septet::{Workplace, binary},
};

mod titanic;

/// How far a score may be from scikit-learn's: one point of a hundred.
const POINT: f64 = 0.01;

/// Runs a script of this folder with the binary and an empty folder; gives what it printed, or none
/// where Python's packages can't be had.
fn run(script: &str) -> Option<String> {
    let python = oracles::python()?;
    let here = Workplace::new();
    let script = oracles::workspace().join("tests/oracles").join(script);
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let output = Command::new(python)
        .arg(script)
        .arg(binary())
        .arg(here.path(""))
        .env("SEPTET_CACHE", cache)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{errors}");
    println!("{told}");
    Some(told)
}

/// A script that compares figures one by one must have compared at least `least` of them; it fails
/// by itself where one differs.
fn compare(script: &str, least: u64) {
    let Some(told) = run(script) else { return };
    let end: Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    assert!(end["compared"].as_u64().unwrap() >= least, "{told}");
}

#[test]
fn preprocessing_is_scikit_learns() {
    compare("preprocessing.py", 50_000);
}

#[test]
fn metrics_are_scikit_learns() {
    compare("metrics.py", 150);
}

#[test]
fn drift_statistics_are_scipys() {
    compare("drift.py", 15);
}

#[test]
fn an_encrypted_store_opens_with_libsodium() {
    compare("sealed.py", 60);
}

#[test]
fn every_algorithm_scores_as_scikit_learn_does_on_the_same_rows() {
    let Some(told) = run("accuracy.py") else {
        return;
    };
    let compared: Vec<Value> = serde_json::from_str(told.lines().last().unwrap()).unwrap();
    for row in &compared {
        let (ours, theirs) = (
            row["septet"].as_f64().unwrap(),
            row["sklearn"].as_f64().unwrap(),
        );
        // A share is compared in points; how sure a model is of itself is only shown.
        let far = match row["metric"].as_str().unwrap() {
            "accuracy" | "r2" | "roc_auc" => theirs - ours,
            _ => continue,
        };
        assert!(far <= POINT, "{row}\n{told}");
    }
    assert_eq!(compared.len(), 4 * 5 * 3 + 8 * 3, "{told}");
}
