//! What `septet new` writes is built by the commands of its README, fits, and does what it says: a
//! transform in each language through `run`, `predict` and a trained model, and whole stages.

use std::{collections::BTreeMap, fs, path::Path, sync::OnceLock};

use septet::{contract::Stage, pipeline::required_outputs};
use serde_json::Value;

use super::project::Project;
use crate::{
    stage::bench::{BUNDLE_TYPE, Bench, Options, With},
    support::septet::{Workplace, demo},
};

const LANGUAGES: [&str; 3] = ["rust", "python", "javascript"];

/// What a model says of new rows that was trained with the template's transform in this language, each
/// line of its README followed; none where its tools are out of reach.
fn predictions(language: &str) -> Option<&'static str> {
    static MADE: [OnceLock<Option<String>>; 3] = [const { OnceLock::new() }; 3];
    let place = LANGUAGES.iter().position(|known| *known == language);
    let made = MADE[place.unwrap()].get_or_init(|| {
        let project = Project::new(&["transform"], language, "bill-ratio")?;
        project.build();
        fs::copy(demo("penguins.csv"), project.folder().join("penguins.csv")).unwrap();
        let mut lines: Vec<_> = project.uses().map(str::to_owned).collect();
        let new = demo("penguins-2009.csv");
        lines.push(format!("septet predict {} --model penguins", new.display()));
        let ran = lines.iter().map(|line| project.run(line).ok());
        let ran: Vec<_> = ran.collect();
        let told = &ran[0].stdout;
        assert!(told.contains("fits "), "{language}: {told}");
        Some(ran.last().unwrap().stdout.clone())
    });
    made.as_deref()
}

#[test]
fn a_rust_transform_changes_what_a_model_predicts() {
    let with = predictions("rust").unwrap();
    assert_eq!(with.lines().count(), 121, "{with}");
    let here = Workplace::new();
    let data = demo("penguins.csv");
    here.septet(&["run", data.to_str().unwrap(), "--target", "sex"])
        .ok();
    let new = demo("penguins-2009.csv");
    let without = here.septet(&["predict", new.to_str().unwrap(), "--model", "penguins"]);
    assert_ne!(with, without.ok().stdout);
}

#[test]
fn a_python_transform_gives_the_same_model() {
    if let Some(with) = predictions("python") {
        assert_eq!(with, predictions("rust").unwrap());
    }
}

#[test]
fn a_javascript_transform_gives_the_same_model() {
    if let Some(with) = predictions("javascript") {
        assert_eq!(with, predictions("rust").unwrap());
    }
}

/// Builds the template of a stage, has it checked and run as its README says, and gives its bytes.
fn stage(stage: Stage, language: &str) -> Option<Vec<u8>> {
    let what = ["stage", stage.name()];
    let project = Project::new(&what, language, "my-stage")?;
    let component = project.build();
    fs::write(project.folder().join("FILE"), r#"{"prediction": 0.5}"#).unwrap();
    for line in project.uses() {
        // The README has placeholders for what only its reader knows; they are good names too.
        let ran = project.run(line).ok();
        if line.contains(" check ") {
            let told = ran.stdout;
            assert!(
                told.contains(&format!("stage {stage}")),
                "{language}: {told}"
            );
        }
    }
    let outcome = fs::read(project.folder().join("out/outcome.json")).unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    let outputs = outcome["outputs"].as_array().unwrap().iter();
    let outputs: Vec<_> = outputs.map(|o| o["name"].as_str().unwrap()).collect();
    for wanted in required_outputs(stage) {
        assert!(outputs.contains(wanted), "{language}, {stage}: {outputs:?}");
    }
    assert!(!outputs.is_empty(), "{language}, {stage}");
    // An input that is missing is named.
    let lines: Vec<_> = project.uses().collect();
    let without = lines.last().unwrap().replace("--input ", "--input x");
    let told = project
        .run(&without.replace("out out", "out out2"))
        .refused();
    assert!(told.contains("is missing"), "{language}, {stage}: {told}");
    Some(component)
}

/// Asks the predictor of an infer component through evaluate, as the host does.
fn asked(component: &[u8], bundle: &str) -> String {
    // Native code is kept from run to run, as the binary's: large components take seconds.
    let bench = Bench::with(Options {
        cache: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache")),
        ..Options::default()
    });
    let bundle = bench.input("bundle", bundle.as_bytes(), BUNDLE_TYPE);
    let mut call = bench.call(Stage::Evaluate, "predict").given(vec![bundle]);
    call.infer = bench.blobs.insert(component);
    match bench.run(call).unwrap().disposition {
        septet::contract::Disposition::Ok(outcome) => outcome.notes.join(" "),
        other => format!("{other:?}"),
    }
}

fn predicts(component: &[u8]) {
    assert_eq!(
        asked(component, r#"{"prediction": 0.5}"#),
        "[0.5, 0.5, 0.5]"
    );
    let told = asked(component, "{}");
    assert!(
        told.contains("the bundle has no number 'prediction'"),
        "{told}"
    );
}

#[test]
fn all_seven_stages_in_rust() {
    let made = Stage::ALL.map(|each| (each, stage(each, "rust").unwrap()));
    predicts(&BTreeMap::from(made)[&Stage::Infer]);
}

#[test]
fn a_stage_in_python() {
    if let Some(component) = stage(Stage::Infer, "python") {
        predicts(&component);
    }
}

#[test]
fn a_stage_in_javascript() {
    if let Some(component) = stage(Stage::Infer, "javascript") {
        predicts(&component);
    }
}

#[test]
fn nothing_is_written_over_and_names_are_plain() {
    let here = Workplace::new();
    here.septet(&["new", "transform", "mine", "--lang", "python"])
        .ok();
    let told = here
        .septet(&["new", "stage", "train", "mine", "--lang", "rust"])
        .refused();
    assert!(
        told.contains("the folder mine is there and not empty"),
        "{told}"
    );
    for name in ["../mine", "Mine", "a b", "", "mine-"] {
        let told = here
            .septet(&["new", "transform", "--lang", "rust", name])
            .refused();
        assert!(told.contains("can't be a project's name"), "{told}");
    }
    here.write("file", "");
    let told = here
        .septet(&["new", "transform", "--lang", "rust", "file"])
        .refused();
    assert!(told.contains("file can't be used as a folder"), "{told}");
    let ran = here.septet(&["new", "transform", "mine"]);
    assert!(ran.stderr.contains("--lang"), "{}", ran.stderr);
}
