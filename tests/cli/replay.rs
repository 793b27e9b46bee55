//! The same run again, after a rollback, and from two stores.

use serde_json::Value;

use crate::support::septet::{Workplace, demo};

fn run(here: &Workplace, more: &[&str]) -> Value {
    let data = demo("penguins.csv");
    let mut arguments = vec!["run", data.to_str().unwrap(), "--target", "sex", "--json"];
    arguments.extend(more);
    here.septet(&arguments).json()
}

fn cached(report: &Value) -> Vec<bool> {
    let stages = report["stages"].as_array().unwrap().iter();
    stages
        .map(|stage| stage["cached"].as_bool().unwrap())
        .collect()
}

#[test]
fn a_second_identical_run_executes_nothing() {
    let here = Workplace::new();
    let first = run(&here, &[]);
    assert_eq!(cached(&first), [false; 5]);
    let second = run(&here, &[]);
    assert_eq!(cached(&second), [true; 5], "{second}");
    for part in ["dataset", "model", "metrics", "gate", "deployed"] {
        assert_eq!(first[part], second[part]);
    }
    let data = demo("penguins.csv");
    let shown = here
        .septet(&["run", data.to_str().unwrap(), "--target", "sex"])
        .ok();
    assert!(shown.stdout.contains("cached"), "{}", shown.stdout);
}

#[test]
fn after_a_rollback_the_same_run_is_evaluated_afresh_and_promoted_by_hand() {
    let here = Workplace::new();
    let stump = ["--algorithm", "decision-tree", "--param", "max_depth=1"];
    let first = run(&here, &stump);
    assert_eq!(first["deployed"]["version"], 1);
    // The challenger is so much better that 43 test rows tell.
    let second = run(&here, &["--param", "C=0.9"]);
    assert_eq!(second["deployed"]["version"], 2, "{second}");
    here.septet(&["models", "rollback", "penguins"]).ok();
    let shown = here
        .septet(&["models", "show", "penguins", "--json"])
        .json();
    assert_eq!(shown["aliases"][0]["version"], 1, "{shown}");

    let again = run(&here, &["--param", "C=0.9"]);
    assert_eq!(cached(&again), [true, true, true, false, false], "{again}");
    assert_eq!(again["deployed"], Value::Null, "{again}");
    assert_eq!(again["barred"], true, "{again}");
    let shown = here.septet(&["models", "show", "penguins"]).ok();
    assert!(shown.stdout.contains("(rolled back)"), "{}", shown.stdout);
    here.septet(&["models", "promote", "penguins@2"]).ok();
    let replay = run(&here, &["--param", "C=0.9"]);
    assert_eq!(cached(&replay), [true; 5], "{replay}");
    assert_eq!(replay["deployed"]["version"], 2);

    let log = here.septet(&["models", "log", "penguins", "--json"]).json();
    let moves: Vec<_> = log["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["from"].as_u64(), entry["to"].as_u64()))
        .collect();
    let expected = [
        (None, Some(1)),
        (Some(1), Some(2)),
        (Some(2), Some(1)),
        (Some(1), Some(2)),
    ];
    assert_eq!(moves, expected, "{log}");
}

#[test]
fn two_stores_give_byte_identical_models() {
    let (here, there) = (Workplace::new(), Workplace::new());
    for algorithm in ["logistic-regression", "random-forest"] {
        let one = run(&here, &["--algorithm", algorithm, "--seed", "7"]);
        let two = run(&there, &["--algorithm", algorithm, "--seed", "7"]);
        assert_eq!(one["model"]["digest"], two["model"]["digest"]);
        let other = run(&there, &["--algorithm", algorithm, "--seed", "8"]);
        if algorithm == "random-forest" {
            assert_ne!(one["model"]["digest"], other["model"]["digest"]);
        }
    }
}

#[test]
fn a_worse_model_is_registered_but_not_deployed() {
    let here = Workplace::new();
    run(&here, &[]);
    let stump = [
        "--algorithm",
        "random-forest",
        "--param",
        "n_estimators=1",
        "--param",
        "max_depth=1",
    ];
    let worse = run(&here, &stump);
    assert_eq!(worse["gate"]["verdict"], "fail", "{worse}");
    assert_eq!(worse["deployed"], Value::Null);
    assert_eq!(worse["model"]["version"], 2);
    let shown = here
        .septet(&["models", "show", "penguins", "--json"])
        .json();
    assert_eq!(shown["aliases"][0]["version"], 1, "{shown}");
    here.septet(&["models", "promote", "penguins@2"]).ok();
    let shown = here
        .septet(&["models", "show", "penguins", "--json"])
        .json();
    assert_eq!(shown["aliases"][0]["version"], 2, "{shown}");
}
