//! The built-in component beside an external stage: compared, promoted, and taken back.

use serde_json::json;

use super::place::Place;
use crate::support::septet::{Ran, Workplace, binary, demo};

/// An ingest that is a command: it asks the program itself, and may change what that gives.
const INGEST: &str = r#"
import json, glob, subprocess, sys
call = json.load(open("invocation.json"))
args = [sys.argv[1], "invoke", "ingest", "--input", "source=" + call["inputs"][0]["path"], "--out", "out"]
for name, value in call["parameters"].items():
    args += ["--param", name + "=" + json.dumps(value)]
subprocess.run(args, check=True, capture_output=True)
outcome = json.load(open("out/outcome.json"))
outputs = [
    {"name": o["name"], "media-type": o["media_type"], "path": glob.glob("out/" + o["name"] + ".*")[0]}
    for o in outcome["outputs"]
]
metrics = outcome["metrics"]
for metric in metrics:
    if metric["name"] == "rows" and "otherwise" in sys.argv:
        metric["value"] += 1
json.dump({"outputs": outputs, "metrics": metrics}, open("outcome.json", "w"))
"#;

fn place(more: &[&str]) -> Workplace {
    let here = Workplace::new();
    let mut command = vec!["python3", "-c", INGEST, binary().to_str().unwrap()];
    command.extend(more);
    // Neither files nor a version: each run asks it anew.
    let command = json!(command).to_string();
    let settings = format!(
        "[ingest]\nshadow = \"default\"\nexternal = {{ command = {command}, environment = [\"SEPTET_CACHE\"] }}\n"
    );
    here.write("septet.toml", settings);
    here
}

fn run(here: &Workplace) -> Ran {
    let data = demo("penguins.csv");
    let ran = here.septet(&["run", data.to_str().unwrap(), "--target", "sex", "--json"]);
    ran.ok()
}

fn is_external(here: &Workplace) -> bool {
    let report = run(here).json();
    let notes = Place::notes(&report, "ingest");
    notes
        .iter()
        .any(|note| note.starts_with("external: not sandboxed"))
}

#[test]
fn a_component_that_answers_alike_takes_over_and_gives_back() {
    let here = place(&[]);
    assert!(is_external(&here));
    let early = here.septet(&["stages", "promote", "ingest"]).refused();
    assert!(early.contains("ingest"), "{early}");
    assert!(is_external(&here) && is_external(&here));
    let report = here
        .septet(&["shadow", "report", "ingest", "--json"])
        .json();
    assert_eq!(report["compared"]["same"], 3, "{report}");
    here.septet(&["stages", "promote", "ingest"]).ok();
    assert!(!is_external(&here), "the component is in force");
    let told = here.septet(&["grants"]).ok().stdout;
    assert!(!told.contains("not sandboxed"), "{told}");
    here.septet(&["stages", "rollback", "ingest", "--reason", "to see"])
        .ok();
    assert!(is_external(&here), "the external stage is back");
    // At once, without matches: by name.
    here.septet(&["stages", "swap", "ingest", "--builtin"]).ok();
    assert!(!is_external(&here));
    here.septet(&["store", "verify"]).ok();
}

#[test]
fn a_component_that_answers_otherwise_is_not_promoted() {
    let here = place(&["otherwise"]);
    for _ in 0..3 {
        assert!(is_external(&here));
    }
    let report = here.septet(&["shadow", "report", "ingest"]).ok().stdout;
    assert!(report.contains("rows"), "{report}");
    let refused = here.septet(&["stages", "promote", "ingest"]).refused();
    assert!(refused.contains("rows"), "{refused}");
    assert!(is_external(&here));
    let forced = [
        "stages",
        "promote",
        "ingest",
        "--force",
        "--reason",
        "they count the head",
    ];
    here.septet(&forced).ok();
    assert!(!is_external(&here));
}
