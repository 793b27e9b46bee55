//! From a CSV file to a model, predictions and a drift report, as a user would.

use serde_json::Value;

use crate::support::septet::{Workplace, demo};

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_demo_runs_all_seven_stages() {
    let here = Workplace::new();
    let ran = here.septet(&["demo"]).ok();
    for stage in [
        "ingest",
        "preprocess",
        "train",
        "evaluate",
        "deploy",
        "infer",
        "monitor",
    ] {
        assert!(ran.stdout.contains(stage), "no {stage} in: {}", ran.stdout);
    }
    for word in ["accuracy", "champion", "body_mass_g", "septet run"] {
        assert!(ran.stdout.contains(word), "no '{word}' in: {}", ran.stdout);
    }
}

#[test]
fn run_prints_one_object() {
    let here = Workplace::new();
    let data = demo("penguins.csv");
    let report = here
        .septet(&["run", text(&data), "--target", "sex", "--json"])
        .json();
    assert_eq!(report["dataset"]["rows"], 224);
    assert_eq!(report["dataset"]["columns"], 7);
    assert_eq!(report["dataset"]["quarantined"], 0);
    assert_eq!(report["model"]["name"], "penguins");
    assert_eq!(report["model"]["version"], 1);
    assert_eq!(report["model"]["algorithm"], "logistic-regression");
    assert_eq!(report["gate"]["verdict"], "pass", "{report}");
    assert!(!report["gate"]["reasons"].as_array().unwrap().is_empty());
    assert_eq!(report["deployed"]["alias"], "champion");
    assert_eq!(report["deployed"]["version"], 1);
    for metric in ["accuracy", "roc_auc", "log_loss"] {
        let value = report["metrics"][metric].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&value), "{metric}: {value}");
    }
    let stages = report["stages"].as_array().unwrap();
    let names: Vec<_> = stages
        .iter()
        .map(|stage| stage["stage"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["ingest", "preprocess", "train", "evaluate", "deploy"]
    );
    for stage in stages {
        assert_eq!(stage["status"], "ok");
        assert_eq!(stage["cached"], false);
        assert_eq!(stage["component"].as_str().unwrap().len(), 64);
        assert!(stage["seconds"].as_f64().unwrap() >= 0.0);
        assert!(stage["peak_memory_bytes"].as_u64().unwrap() > 0);
    }
    for digest in [&report["dataset"]["digest"], &report["model"]["digest"]] {
        assert_eq!(digest.as_str().unwrap().len(), 64);
    }
    let listed = here.septet(&["runs", "--json"]).json();
    assert_eq!(listed["runs"][0]["run"], report["run"]);
    let run = report["run"].as_str().unwrap();
    let shown = here.septet(&["runs", "show", run, "--json"]).json();
    assert_eq!(shown["run"], report["run"]);
    assert_eq!(shown["stages"].as_array().unwrap().len(), 5);
}

#[test]
fn predict_and_monitor_a_deployed_model() {
    let here = Workplace::new();
    let data = demo("penguins.csv");
    here.septet(&["run", text(&data), "--target", "sex"]).ok();

    let new = demo("penguins-2009.csv");
    let predicted = here
        .septet(&["predict", text(&new), "--model", "penguins"])
        .ok();
    let mut lines = predicted.stdout.lines();
    assert_eq!(
        lines.next().unwrap(),
        "row,prediction,probability_female,probability_male,error"
    );
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), 120);
    let truth = std::fs::read_to_string(&new).unwrap();
    let right = rows
        .iter()
        .zip(truth.lines().skip(1))
        .filter(|(row, line)| row.split(',').nth(1) == line.rsplit(',').next())
        .count();
    assert!(right >= 96, "only {right} of 120 are right");

    here.septet(&[
        "predict",
        text(&new),
        "--model",
        "penguins@1",
        "--output",
        "out.csv",
    ])
    .ok();
    assert_eq!(
        std::fs::read_to_string(here.path("out.csv")).unwrap(),
        predicted.stdout
    );

    let same = here
        .septet(&["monitor", text(&data), "--model", "penguins", "--json"])
        .json();
    assert_eq!(same["rows"], 224);
    assert_eq!(same["drifted"], false, "{same}");
    let drifted = demo("penguins-2009-kg.csv");
    let drift = here
        .septet(&[
            "monitor",
            text(&drifted),
            "--model",
            "penguins",
            "--labels",
            "sex",
            "--json",
        ])
        .json();
    assert_eq!(drift["drifted"], true, "{drift}");
    let columns = drift["columns"].as_array().unwrap();
    let mass = columns
        .iter()
        .find(|column| column["name"] == "body_mass_g")
        .unwrap();
    assert_eq!(mass["test"], "ks");
    assert_eq!(mass["drifted"], true);
    assert!(mass["psi"].as_f64().unwrap() > mass["threshold"].as_f64().unwrap());
    assert!(
        drift["performance"]["metrics"]["accuracy"]
            .as_f64()
            .is_some(),
        "{drift}"
    );
    let queues = here.septet(&["queues", "--json"]).json();
    assert_eq!(queues["queues"][0]["queue"], "alerts", "{queues}");
}

#[test]
fn several_files_are_parts_of_one_dataset() {
    let here = Workplace::new();
    let (first, second) = (demo("penguins.csv"), demo("penguins-2009.csv"));
    let arguments = [
        "run",
        text(&first),
        text(&second),
        "--target",
        "species",
        "--json",
    ];
    let report = here.septet(&arguments).json();
    assert_eq!(report["dataset"]["rows"], 344);
    let ingests = report["stages"].as_array().unwrap().iter();
    assert_eq!(
        ingests.filter(|stage| stage["stage"] == "ingest").count(),
        2
    );
    // Only the new part is ingested where one is added.
    let third = here.write("more.csv", std::fs::read(&second).unwrap().repeat(1));
    let arguments = [
        "run",
        text(&first),
        text(&second),
        text(&third),
        "--target",
        "species",
        "--json",
    ];
    let report = here.septet(&arguments).json();
    let cached: Vec<_> = report["stages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|stage| stage["stage"] == "ingest")
        .map(|stage| stage["cached"].as_bool().unwrap())
        .collect();
    assert_eq!(
        cached,
        [true, true, true],
        "the third part has the content of the second"
    );
}

#[test]
fn regression() {
    let here = Workplace::new();
    let data = demo("penguins.csv");
    for algorithm in ["ridge", "linear-regression", "random-forest"] {
        let arguments = [
            "run",
            text(&data),
            "--target",
            "body_mass_g",
            "--algorithm",
            algorithm,
            "--json",
        ];
        let report = here.septet(&arguments).json();
        assert_eq!(report["model"]["algorithm"], algorithm);
        assert!(report["metrics"]["r2"].as_f64().unwrap() > 0.7, "{report}");
        for metric in ["rmse", "mae"] {
            assert!(report["metrics"][metric].as_f64().unwrap() > 0.0);
        }
    }
}

#[test]
fn a_stage_runs_alone_and_its_table_goes_into_the_next() {
    let here = Workplace::new();
    let input = format!("source={}", text(&demo("penguins.csv")));
    here.septet(&["invoke", "ingest", "--input", &input, "--out", "one"])
        .ok();
    let outcome: Value =
        serde_json::from_slice(&std::fs::read(here.path("one/outcome.json")).unwrap()).unwrap();
    assert_eq!(outcome["outputs"][0]["name"], "table");
    assert!(here.path("one/table.arrow").exists());
    let arguments = [
        "invoke",
        "preprocess",
        "--input",
        "table=one/table.arrow",
        "--param",
        "target=sex",
        "--out",
        "two",
    ];
    here.septet(&arguments).ok();
    assert!(here.path("two/train.arrow").exists());
}

#[test]
fn init_writes_settings_that_are_read() {
    let here = Workplace::new();
    here.septet(&["init"]).ok();
    assert!(here.path("septet.toml").exists());
    assert!(here.septet(&["init"]).refused().contains("septet.toml"));
    here.septet(&["init", "--force"]).ok();
    here.septet(&["runs"]).refused();
}

#[test]
fn grants_stages_and_completions_need_no_store() {
    let here = Workplace::new();
    let grants = here.septet(&["grants", "--json"]).json();
    assert_eq!(
        grants["stages"].as_array().map(Vec::len),
        Some(7),
        "{grants}"
    );
    let stages = here.septet(&["stages", "--json"]).json();
    assert_eq!(
        stages["stages"].as_array().map(Vec::len),
        Some(7),
        "{stages}"
    );
    let train = here.septet(&["stages", "show", "train"]).ok();
    assert!(
        train.stdout.contains("septet:capability/blob-read"),
        "{}",
        train.stdout
    );
    let completions = here.septet(&["completions", "bash"]).ok();
    assert!(completions.stdout.contains("septet"));
    assert!(!here.path(".septet").exists());
}

#[test]
fn narrowed_grants_refuse_a_stage_that_wants_more() {
    let here = Workplace::new();
    here.write(
        "septet.toml",
        "[grants]\ndeploy = [\"blob-read\", \"blob-write\", \"log\"]\n",
    );
    let data = demo("penguins.csv");
    let line = here
        .septet(&["run", text(&data), "--target", "sex"])
        .refused();
    for part in ["deploy", "registry-propose", "grant"] {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
    let runs = here.septet(&["runs", "--json"]).json();
    assert_eq!(runs["runs"], serde_json::json!([]), "refused before a run");
}
