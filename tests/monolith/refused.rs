//! What goes wrong on the way: each is one line that says what to do.

use std::fs;

use super::{example, python, septet};
use crate::support::septet::Workplace;

/// The settings of the first step, changed, in a file of their own.
fn changed(here: &Workplace, change: impl Fn(&str) -> String) -> String {
    let settings = fs::read_to_string(example().join("0-monolith/septet.toml")).unwrap();
    let folder = example().display().to_string();
    let settings = settings.replace("folder = \"..\"", &format!("folder = {folder:?}"));
    here.write("septet.toml", change(&settings))
        .display()
        .to_string()
}

fn run(here: &Workplace, settings: &str) -> String {
    let python = python().unwrap();
    let data = |name: &str| example().join("data").join(name).display().to_string();
    let (train, test) = (data("train.csv"), data("test.csv"));
    let words = [
        "run",
        &train,
        "--test",
        &test,
        "--target",
        "progression",
        "--name",
        "diabetes",
    ];
    let said = septet(here, python, settings, &words).refused();
    println!("{said}");
    said
}

#[test]
fn a_stage_that_lacks_what_only_a_component_makes_is_named() {
    if python().is_none() {
        return;
    }
    let here = Workplace::new();
    let without = |settings: &str| {
        let (before, after) = settings.split_once("[train]").unwrap();
        let (_, after) = after.split_once("\n\n").unwrap();
        format!("{before}{after}")
    };
    let settings = changed(&here, without);
    let folder = settings.trim_end_matches("/septet.toml");
    let said = run(&here, folder);
    assert!(
        said.contains("train is a component and needs what only the component of preprocess makes"),
        "{said}"
    );
}

#[test]
fn a_pickle_is_no_model() {
    if python().is_none() {
        return;
    }
    let here = Workplace::new();
    let stages = fs::read_to_string(example().join("stages.py")).unwrap();
    let saved = "monolith.save(model, columns), \"application/onnx\"";
    assert!(stages.contains(saved));
    let pickled = "__import__(\"pickle\").dumps(model), \"application/onnx\"";
    here.write("stages.py", stages.replace(saved, pickled));
    for file in ["monolith.py", "data/train.csv"] {
        fs::create_dir_all(here.path(file).parent().unwrap()).unwrap();
        fs::copy(example().join(file), here.path(file)).unwrap();
    }
    let folder = example().display().to_string();
    let own = here.path("").display().to_string();
    let settings = changed(&here, |settings| settings.replace(&folder, &own));
    let said = run(&here, settings.trim_end_matches("/septet.toml"));
    assert!(said.contains("never pickle"), "{said}");
}
