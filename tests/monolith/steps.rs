//! Each of the eight steps, run as its line in the README says, and its predictions against the script's.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use super::{example, on_path, python, septet};
use crate::support::septet::Workplace;

/// The steps, and how far a prediction may be from the script's, of its value.
///
/// The script and the first two steps ask onnxruntime for the same model. From the third on the scaling is
/// the component's, in 64 bits and not within the model, in 32; and the last does everything in 64.
const STEPS: [(&str, f64); 8] = [
    ("0-monolith", 1e-12),
    ("1-ingest", 1e-12),
    ("2-preprocess", 1e-6),
    ("3-evaluate", 1e-6),
    ("4-deploy", 1e-6),
    ("5-infer", 1e-6),
    ("6-monitor", 1e-6),
    ("7-all-components", 1e-6),
];

#[test]
fn every_step_predicts_what_the_script_does() {
    let Some(python) = python() else { return };
    let here = Workplace::new();
    let data = |name: &str| example().join("data").join(name).display().to_string();
    let [train, test, new] = ["train.csv", "test.csv", "new.csv"].map(data);
    let mut script = Command::new(python.join("python"));
    on_path(&mut script, python);
    let script = script.arg(example().join("monolith.py"));
    let said = script
        .args([&train, &test, &new, "out"])
        .current_dir(here.path(""));
    let said = said.output().unwrap();
    assert!(said.status.success(), "{said:?}");
    let expected = predictions(&here.path("out/predictions.csv"));
    assert_eq!(expected.len(), 110);

    for (step, near) in STEPS {
        let store = here.path(step).display().to_string();
        let out = here.path(&format!("{step}.csv")).display().to_string();
        let run = |words: &[&str]| {
            let mut all = vec!["--store", &store];
            all.extend(words);
            septet(&here, python, step, &all)
        };
        let train = [
            "run",
            &train,
            "--test",
            &test,
            "--target",
            "progression",
            "--name",
            "diabetes",
            "--json",
        ];
        let report = run(&train).json();
        assert_eq!(report["gate"]["verdict"], "pass", "{step}: {report}");
        assert_eq!(report["deployed"]["version"], 1, "{step}: {report}");
        run(&["predict", &new, "--model", "diabetes", "-o", &out]).ok();
        run(&["monitor", &new, "--model", "diabetes"]).ok();
        let given = predictions(Path::new(&out));
        assert_eq!(given.len(), expected.len(), "{step}");
        let far = given.iter().zip(&expected);
        let far = far.map(|(given, script)| (given - script).abs() / script.abs());
        let far = far.fold(0.0, f64::max);
        println!("{step}: {far:.1e}, {}", cost(&report));
        assert!(far <= near, "{step}: {far:e}");
    }
}

/// The predictions in a file, in the order of its lines.
fn predictions(path: &Path) -> Vec<f64> {
    let text = fs::read_to_string(path).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = header.iter().position(|name| name == "prediction").unwrap();
    let rows = reader.records();
    rows.map(|row| row.unwrap()[at].parse().unwrap()).collect()
}

/// What the stages of a run took.
fn cost(report: &Value) -> String {
    let stages = report["stages"].as_array().unwrap();
    let all = |field: &'static str| stages.iter().filter_map(move |stage| stage[field].as_f64());
    let seconds: f64 = all("seconds").sum();
    let memory = all("peak_memory_bytes").fold(0.0, f64::max);
    format!("{seconds:.2} s, {:.0} MiB", memory / f64::from(1 << 20))
}
