//! Names of transforms: added, used by runs and in serving, and taken away without harm to a model.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::{
    serve::served::Served,
    support::{guests::guest, septet::Workplace},
};

/// Rows whose class depends on `x`.
pub(crate) fn rows() -> String {
    let mut text = "x,other,y\n".to_owned();
    for row in 0..240 {
        let x = f64::from(row * 37 % 101) / 10.0 + 0.25;
        let class = if x > 5.0 { "yes" } else { "no" };
        writeln!(text, "{x},{}.5,{class}", row % 7).unwrap();
    }
    text
}

fn data(here: &Workplace) {
    here.write("data.csv", rows());
    here.write("double.wasm", guest("transform"));
    here.write("chain.wasm", guest("chain"));
}

#[test]
fn two_transforms_by_name_train_predict_and_serve() {
    let served = Served::new();
    let here = &served.workplace;
    data(here);
    let added = here.septet(&[
        "transform",
        "add",
        "double.wasm",
        "--sample",
        "data.csv",
        "--json",
    ]);
    let added = added.json();
    assert_eq!(
        (&added["name"], &added["version"], &added["report"]["given"]),
        (&json!("double"), &json!(1), &json!(true))
    );
    let chained = here.septet(&["transform", "add", "chain.wasm", "--name", "last", "--json"]);
    let chained = chained.json();
    let listed = here.septet(&["transform", "list", "--json"]).json();
    assert_eq!(listed["transforms"].as_array().unwrap().len(), 2);
    // The same component again is the version that is there.
    let again = here
        .septet(&["transform", "add", "double.wasm", "--json"])
        .json();
    assert_eq!(
        (&again["version"], &again["new"]),
        (&json!(1), &json!(false))
    );

    let run = |transforms: [&str; 2]| {
        let [first, second] = transforms;
        here.septet(&[
            "run",
            "data.csv",
            "--target",
            "y",
            "--algorithm",
            "logistic-regression",
            "--promote",
            "--transform",
            first,
            "--transform",
            second,
        ])
    };
    // A chain has an order: the second needs what the first adds.
    let told = run(["last", "double"]).refused();
    assert!(told.contains("needs column 'doubled'"), "{told}");
    run(["double@1", "last"]).ok();
    let shown = here.septet(&["models", "show", "data", "--json"]).json();
    let versions = shown["versions"].as_array().unwrap();
    let pinned = &versions.last().unwrap()["summary"]["transforms"];
    assert_eq!(*pinned, json!([added["component"], chained["component"]]));

    // In serving it is the very same digests, and their names do not matter to a model.
    let records = json!({ "records": [{ "x": 1.25, "other": 1.5 }, { "x": 9.25, "other": 2.5 }] });
    let ask = || served.client.post("/predict/data", &records).json(200)["predictions"].clone();
    let before: Value = ask();
    let predict = || {
        here.septet(&["predict", "data.csv", "--model", "data"])
            .ok()
            .stdout
    };
    let rows = predict();
    here.septet(&["transform", "remove", "last"]).ok();
    here.septet(&["gc"]).ok();
    assert_eq!(predict(), rows);
    assert_eq!(ask(), before);
    let told = run(["double", "last"]).refused();
    assert!(told.contains("'last' was removed"), "{told}");
    here.septet(&["store", "verify"]).ok();
}

#[test]
fn what_can_not_be_used_is_told_in_a_line() {
    let here = Workplace::new();
    data(&here);
    here.write("text.wasm", "not wasm");
    here.write("core.wasm", b"\0asm\x01\0\0\0");
    here.write("stage.wasm", guest("train"));
    here.write("lacks.csv", "z\n1.5\n2.5\n");
    here.write("whole.csv", "x\n1\n2\n");
    for (arguments, words) in [
        (&["check", "gone.wasm"][..], "gone.wasm"),
        (&["check", "text.wasm"], "not a WebAssembly component"),
        (&["check", "core.wasm"], "core module"),
        (
            &["check", "stage.wasm"],
            "a user transform is given no capability",
        ),
        (
            &["check", "double.wasm", "--sample", "lacks.csv"],
            "needs column 'x'",
        ),
        (
            &["check", "double.wasm", "--sample", "whole.csv"],
            "'x' as floats, not as integers",
        ),
        (
            &["check", "double.wasm", "--sample", "gone.csv"],
            "gone.csv",
        ),
        (
            &["add", "double.wasm", "--name", "../x"],
            "cannot be a transform's name",
        ),
        (&["add", "text.wasm"], "not a WebAssembly component"),
    ] {
        let whole: Vec<&str> = std::iter::once("transform")
            .chain(arguments.iter().copied())
            .collect();
        let told = here.septet(&whole).refused();
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    // What was refused has left nothing behind.
    assert!(!here.path(".septet").exists());

    here.septet(&["transform", "add", "double.wasm"]).ok();
    for (arguments, words) in [
        (&["transform", "show", "doubel"][..], "is it 'double'?"),
        (
            &["transform", "show", "double@2"],
            "its versions are 1 to 1",
        ),
        (&["transform", "remove", "doubel"], "is it 'double'?"),
        (
            &["run", "data.csv", "--target", "y", "--transform", "doubel"],
            "is it 'double'?",
        ),
        (
            &[
                "run",
                "data.csv",
                "--target",
                "y",
                "--transform",
                "double@x",
            ],
            "no version",
        ),
    ] {
        let told = here.septet(arguments).refused();
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
}

#[test]
fn a_signature_is_looked_at_before_anything_is_tried() {
    let here = Workplace::new();
    data(&here);
    here.write(
        "septet.toml",
        "[trust]\nkeys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\n\
         require-signature = true\n",
    );
    // Not even whether it is a component is looked at.
    here.write("text.wasm", "not wasm");
    for arguments in [
        &["transform", "check", "text.wasm"][..],
        &["transform", "add", "double.wasm"],
        &[
            "run",
            "data.csv",
            "--target",
            "y",
            "--transform",
            "double.wasm",
        ],
    ] {
        let told = here.septet(arguments).refused();
        assert!(told.contains("not signed"), "{arguments:?}: {told}");
    }
}
