//! Commands: what they are given, and what becomes of what they give.

use serde_json::json;

use super::place::{Place, lines};
use crate::support::septet::{Workplace, demo};

#[test]
fn a_command_takes_a_stages_place_and_it_is_said() {
    let script = r#"
assert call["stage"] == "deploy" and call["attempt"] == 1 and call["seed"] == 0, call
assert open(bundle["path"], "rb").read(8) == b"SEPTETM1"
assert json.load(open(call["inputs"][1]["path"]))["gate"]["verdict"] == "pass"
assert not os.path.exists(sys.argv[1] + "/deploy.py.lock")
good["notes"] = ["secret " + os.environ.get("SECRET", "none"), "allowed " + os.environ["ALLOWED"]]
good["metrics"] = [{"name": "proposed", "value": 1}]
write(good)
"#;
    let place = Place::deploy(script, "");
    let settings = std::fs::read_to_string(place.here.path("septet.toml")).unwrap();
    let settings = settings.replace("files =", "environment = [\"ALLOWED\"], files =");
    place.here.write("septet.toml", &settings);
    let data = demo("penguins.csv");
    let arguments = ["run", data.to_str().unwrap(), "--target", "sex", "--json"];
    let mut command = place.here.command(&arguments);
    let command = command.env("SECRET", "hidden").env("ALLOWED", "yes");
    let report = crate::support::septet::Ran::from(command.output().unwrap()).json();
    assert_eq!(report["deployed"]["alias"], "champion", "{report}");
    assert_eq!(report["model"]["algorithm"], "theirs");
    let notes = Place::notes(&report, "deploy");
    assert!(
        notes[0].starts_with("external: not sandboxed (python3 deploy.py"),
        "{notes:?}"
    );
    assert_eq!(notes[1..], ["secret none", "allowed yes"]);
    let row = &report["stages"].as_array().unwrap()[4];
    assert!(
        row["peak_memory_bytes"].as_u64().unwrap() > 1 << 20,
        "{row}"
    );

    // A variable that is not set is said before anything is done.
    let refused = place.run().refused();
    assert!(refused.contains("ALLOWED is not set"), "{refused}");
    place
        .here
        .write("septet.toml", settings.replace("[\"ALLOWED\"]", "[]"));
    for (arguments, words) in [
        (["grants", "--json"], ["\"external\"", "\"sandboxed\""]),
        (["stages", "--json"], ["\"stages\"", "deploy"]),
    ] {
        let told = place.here.septet(&arguments).ok().stdout;
        for word in words {
            assert!(told.contains(word), "{told}");
        }
    }
    for command in ["grants", "stages"] {
        let told = place.here.septet(&[command]).ok().stdout;
        let line = told.lines().find(|line| line.contains("deploy")).unwrap();
        assert!(line.contains("not sandboxed"), "{line}");
        assert!(line.contains("python3 deploy.py"), "{line}");
    }
    // What the model was made with predicts, and that is a component.
    let predicted = place
        .here
        .septet(&["predict", data.to_str().unwrap(), "--model", "penguins"])
        .ok();
    assert_eq!(
        predicted.stdout.lines().count(),
        225,
        "{}",
        predicted.stdout
    );
}

#[test]
fn work_is_reused_only_where_something_says_what_it_was() {
    let evaluate = r#"
import json, sys
open(sys.argv[1], "a").write("x\n")
json.dump({"gate": {"verdict": "pass", "reasons": []}}, open("outputs/evaluation.json", "w"))
json.dump({"outputs": [{"name": "evaluation", "path": "outputs/evaluation.json"}]}, open("outcome.json", "w"))
"#;
    let counted = |more: &str| {
        let place = Place::deploy("write(good)", "");
        let settings = std::fs::read_to_string(place.here.path("septet.toml")).unwrap();
        let count = place.here.path("count");
        let command = format!("[\"python3\", \"-c\", {evaluate:?}, {:?}]", count.display());
        let settings =
            format!("{settings}\n[evaluate]\nexternal = {{ command = {command}{more} }}\n");
        place.here.write("septet.toml", settings);
        place.run().ok();
        place.run().ok();
        lines(&count)
    };
    assert_eq!(counted(""), 2, "it says nothing of itself");
    assert_eq!(counted(", version = \"1\""), 1, "it has a version");
    assert_eq!(counted(", files = [\"deploy.py\"]"), 1, "it has files");
}

#[test]
fn what_a_component_needs_of_another_is_said_before_anything_is_done() {
    let here = Workplace::new();
    here.write(
        "septet.toml",
        "[preprocess]\nexternal = { command = [\"python3\", \"-c\", \"\"] }\n",
    );
    let data = demo("penguins.csv");
    let run = ["run", data.to_str().unwrap(), "--target", "sex"];
    let refused = here.septet(&run).refused();
    assert!(refused.contains("train is a component"), "{refused}");
    for (settings, why) in [
        (
            "external = { command = [] }",
            "external names a command, or http, or a queue",
        ),
        (
            "external = { command = [\"x\"], files = [\"no.py\"] }",
            "there is no 'no.py'",
        ),
        (
            "external = { command = [\"x\"], files = [\"../a\"] }",
            "external.folder",
        ),
        ("external = { comand = [\"x\"] }", "unknown field `comand`"),
        ("shadow = \"other\"", "unknown variant `other`"),
    ] {
        here.write("septet.toml", format!("[train]\n{settings}\n"));
        let refused = here.septet(&run).refused();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn a_run_is_done_by_what_it_was_created_with_or_not_at_all() {
    let place = Place::deploy("write(good)", "[work]\nfailures = 1\n");
    let data = demo("penguins.csv");
    let run = [
        "run",
        data.to_str().unwrap(),
        "--target",
        "sex",
        "--detach",
        "--json",
    ];
    let run = place.here.septet(&run).json();
    let run = run["run"].as_str().unwrap();
    let script = std::fs::read_to_string(place.here.path("deploy.py")).unwrap();
    place.here.write("deploy.py", script + "\n# changed\n");
    let _ = place.here.septet(&["work", "--until-empty"]);
    let shown = place.here.septet(&["runs", "show", run]).ok().stdout;
    assert!(
        shown.contains("the settings of this process do not have"),
        "{shown}"
    );
}

#[test]
fn an_external_train_gives_no_pickle() {
    let here = Workplace::new();
    let script = r#"
import json
open("outputs/model", "wb").write(b"\x80\x04\x95rubbish")
output = {"name": "bundle", "media-type": "application/onnx", "path": "outputs/model"}
json.dump({"outputs": [output]}, open("outcome.json", "w"))
"#;
    let command = json!(["python3", "-c", script]).to_string();
    here.write(
        "septet.toml",
        format!("[train]\nexternal = {{ command = {command} }}\n"),
    );
    let data = demo("penguins.csv");
    let ran = here.septet(&["run", data.to_str().unwrap(), "--target", "sex"]);
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("never pickle"), "{}", ran.stderr);
}
