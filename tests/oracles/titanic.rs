//! The Titanic of `OpenML`, as scikit-learn's package carries it, from CSV to a deployed model.

use std::{path::Path, process::Command};

use crate::{hosts::oracles, support::septet::Workplace};

#[test]
fn titanic_needs_nothing_but_a_target() {
    let Some(python) = oracles::python() else {
        return;
    };
    let here = Workplace::new();
    let path = here.path("titanic.csv");
    write(python, &path);
    let report = here
        .septet(&["run", "titanic.csv", "--target", "survived", "--json"])
        .json();
    assert_eq!(report["dataset"]["rows"], 1309);
    assert_eq!(report["gate"]["verdict"], "pass", "{report}");
    let metric = |name: &str| report["metrics"][name].as_f64().unwrap();
    // `boat` and `body` were known only after the event; Septet must say that they tell too much.
    assert!(metric("accuracy") > 0.9, "{report}");
    let notes = report.to_string();
    assert!(notes.contains("'boat'"), "{notes}");

    let report = here
        .septet(&[
            "run",
            "titanic.csv",
            "--target",
            "survived",
            "--name",
            "honest",
            "--drop",
            "boat",
            "--drop",
            "body",
            "--json",
        ])
        .json();
    assert_eq!(report["gate"]["verdict"], "pass", "{report}");
    let accuracy = report["metrics"]["accuracy"].as_f64().unwrap();
    // scikit-learn's example with the same columns has about 0.79.
    assert!((0.72..0.88).contains(&accuracy), "{report}");
}

/// The ARFF file of the package as CSV.
fn write(python: &Path, path: &Path) {
    let script = oracles::workspace().join("tests/oracles/titanic.py");
    let output = Command::new(python).arg(script).arg(path).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
}
