//! Bad input through the binary: one clear line, a non-zero exit, and nothing deployed.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::septet::{Workplace, demo};

/// Enough good rows to train on.
fn good_rows(rows: usize) -> String {
    let mut text = String::from("width,height,label\n");
    for row in 0..rows {
        let label = if row % 2 == 0 { "even" } else { "odd" };
        writeln!(text, "{}.5,{},{label}", row % 7, row % 2 * 9 + row % 3).unwrap();
    }
    text
}

/// Runs `septet run FILE --target label` on these bytes and gives the line of refusal, having
/// checked that no model came of it.
fn refuse(bytes: impl AsRef<[u8]>, more: &[&str]) -> String {
    let here = Workplace::new();
    here.write("data.csv", bytes);
    let mut arguments = vec!["run", "data.csv", "--target", "label"];
    arguments.extend(more);
    let line = here.septet(&arguments).refused();
    no_model(&here);
    line
}

/// Nothing was registered.
fn no_model(here: &Workplace) {
    if here.path(".septet").exists() {
        let models = here.septet(&["models", "--json"]).json();
        assert_eq!(
            models["models"].as_array().map(Vec::len),
            Some(0),
            "{models}"
        );
    }
}

#[track_caller]
fn says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "'{part}' is not in: {line}");
    }
}

#[test]
fn a_missing_file_leaves_no_store() {
    let here = Workplace::new();
    let line = here
        .septet(&["run", "nowhere.csv", "--target", "label"])
        .refused();
    says(&line, &["nowhere.csv"]);
    assert!(!here.path(".septet").exists());
}

#[test]
fn an_empty_file_leaves_no_store() {
    let here = Workplace::new();
    here.write("data.csv", "");
    let line = here
        .septet(&["run", "data.csv", "--target", "label"])
        .refused();
    says(&line, &["data.csv", "empty"]);
    assert!(!here.path(".septet").exists());
}

#[test]
fn a_folder_is_no_file() {
    let here = Workplace::new();
    std::fs::create_dir(here.path("data")).unwrap();
    let line = here.septet(&["run", "data", "--target", "label"]).refused();
    says(&line, &["data", "folder"]);
}

#[test]
fn a_header_without_rows() {
    says(
        &refuse("width,height,label\n", &[]),
        &["data.csv", "header"],
    );
}

#[test]
fn binary_content() {
    says(
        &refuse(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0", &[]),
        &["data.csv", "binary"],
    );
}

#[test]
fn utf_16() {
    let bytes: Vec<u8> = std::iter::once(0xfeff)
        .chain(good_rows(40).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    says(&refuse(bytes, &[]), &["data.csv", "UTF-16", "UTF-8"]);
}

#[test]
fn ragged_rows_beyond_the_share() {
    let ragged = good_rows(40) + &"1,2\n".repeat(20);
    says(&refuse(ragged, &[]), &["data.csv", "20 of 60", "row 42"]);
}

#[test]
fn a_line_of_ten_megabytes() {
    let mut bytes = good_rows(40).into_bytes();
    bytes.extend(std::iter::repeat_n(b'x', 10 << 20));
    bytes.push(b'\n');
    says(&refuse(bytes, &[]), &["data.csv", "row 42"]);
}

#[test]
fn a_target_that_is_not_there_names_the_nearest() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(60));
    let line = here
        .septet(&["run", "data.csv", "--target", "lable"])
        .refused();
    says(&line, &["'lable'", "'label'"]);
    no_model(&here);
}

#[test]
fn no_target() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(60));
    says(&here.septet(&["run", "data.csv"]).refused(), &["--target"]);
}

#[test]
fn one_class_only() {
    let text = good_rows(60).replace("odd", "even");
    says(&refuse(text, &[]), &["label", "'even'", "only one value"]);
}

#[test]
fn no_feature_left() {
    let mut text = String::from("constant,customer_id,label\n");
    for row in 0..60 {
        writeln!(text, "7,c-{row},{}", if row % 2 == 0 { "a" } else { "b" }).unwrap();
    }
    says(&refuse(text, &[]), &["feature"]);
}

#[test]
fn infinities_do_not_fit_a_number() {
    let text = good_rows(60)
        .replace("3.5,", "inf,")
        .replace("4.5,", "-inf,");
    says(&refuse(text, &[]), &["data.csv", "width", "inf"]);
}

#[test]
fn regression_on_text() {
    says(
        &refuse(good_rows(60), &["--task", "regression"]),
        &["label", "regression"],
    );
}

#[test]
fn an_unknown_algorithm_or_parameter() {
    let line = refuse(good_rows(60), &["--algorithm", "xgboost"]);
    says(&line, &["'xgboost'", "random-forest"]);
    let line = refuse(
        good_rows(60),
        &["--algorithm", "random-forest", "--param", "tress=3"],
    );
    says(&line, &["'tress'", "n_estimators"]);
    let line = refuse(
        good_rows(60),
        &["--algorithm", "random-forest", "--param", "n_estimators=no"],
    );
    says(&line, &["n_estimators", "no"]);
    let line = refuse(good_rows(60), &["--param", "n_estimators"]);
    says(&line, &["n_estimators", "K=V"]);
}

#[test]
fn an_algorithm_for_the_other_task() {
    says(
        &refuse(good_rows(60), &["--algorithm", "ridge"]),
        &["ridge", "classification"],
    );
}

#[test]
fn settings_that_are_unknown_or_wrong() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(60));
    here.write("septet.toml", "[run]\ntarget = \"label\"\nsed = 3\n");
    says(
        &here.septet(&["run", "data.csv"]).refused(),
        &["septet.toml", "line 3", "sed"],
    );
    here.write("septet.toml", "[preprocess]\ntest_share = 1.5\n");
    says(
        &here
            .septet(&["run", "data.csv", "--target", "label"])
            .refused(),
        &["test_share", "1.5"],
    );
    says(
        &here
            .septet(&["run", "data.csv", "--config", "no.toml"])
            .refused(),
        &["no.toml"],
    );
}

#[test]
fn models_and_aliases_that_are_unknown() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    says(
        &here
            .septet(&["predict", "data.csv", "--model", "data"])
            .refused(),
        &["store"],
    );
    here.septet(&["run", "data.csv", "--target", "label"]).ok();
    for (model, parts) in [
        ("dat", ["'dat'", "'data'"]),
        ("data@chmpion", ["chmpion", "champion"]),
        ("data@7", ["7", "1"]),
        ("../data", ["../data", "name"]),
    ] {
        says(
            &here
                .septet(&["predict", "data.csv", "--model", model])
                .refused(),
            &parts,
        );
    }
}

#[test]
fn predict_with_missing_extra_and_retyped_columns() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    here.septet(&["run", "data.csv", "--target", "label"]).ok();

    here.write("missing.csv", "height\n1\n2\n");
    let line = here
        .septet(&["predict", "missing.csv", "--model", "data"])
        .refused();
    says(&line, &["missing.csv", "'width'"]);

    here.write("retyped.csv", "width,height\nwide,1\nnarrow,2\n");
    let line = here
        .septet(&["predict", "retyped.csv", "--model", "data"])
        .refused();
    says(&line, &["retyped.csv", "'width'", "wide"]);

    here.write("extra.csv", "height,colour,width\n1,red,0.5\n2,blue,1.5\n");
    let ran = here
        .septet(&["predict", "extra.csv", "--model", "data"])
        .ok();
    assert_eq!(ran.stdout.lines().count(), 3, "{}", ran.stdout);

    here.write("integers.csv", "width,height\n1,1\n2,2\n");
    here.septet(&["predict", "integers.csv", "--model", "data"])
        .ok();
}

#[test]
fn nothing_is_written_where_predictions_fail() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    here.septet(&["run", "data.csv", "--target", "label"]).ok();
    here.write("missing.csv", "height\n1\n");
    here.septet(&[
        "predict",
        "missing.csv",
        "--model",
        "data",
        "--output",
        "out.csv",
    ])
    .refused();
    assert!(!here.path("out.csv").exists());
    let line = here
        .septet(&[
            "predict",
            "data.csv",
            "--model",
            "data",
            "--output",
            "no/such/out.csv",
        ])
        .refused();
    says(&line, &["no/such/out.csv"]);
}

#[test]
fn a_store_that_is_no_folder_or_newer_or_damaged() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    here.write("file", "x");
    let run = ["run", "data.csv", "--target", "label"];
    let line = here
        .septet(&[&run[..], &["--store", "file"]].concat())
        .refused();
    says(&line, &["file"]);

    std::fs::create_dir(here.path("damaged")).unwrap();
    here.write(
        "damaged/septet.db",
        "this is not a database, whatever it is called".repeat(100),
    );
    let line = here
        .septet(&[&run[..], &["--store", "damaged"]].concat())
        .refused();
    says(&line, &["damaged"]);
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    let run = ["run", "data.csv", "--target", "label"];
    here.septet(&run).ok();
    let database = rusqlite::Connection::open(here.path(".septet/septet.db")).unwrap();
    database.pragma_update(None, "user_version", 4711).unwrap();
    drop(database);
    for arguments in [
        &run[..],
        &["models"],
        &["predict", "data.csv", "--model", "data"],
    ] {
        let line = here.septet(arguments).refused();
        says(&line, &[".septet", "newer", "4711"]);
    }
}

#[test]
fn missing_values_are_no_error_but_infinities_are_named() {
    let here = Workplace::new();
    let text = good_rows(80).replace("3.5,", "NaN,").replace("4.5,", ",");
    here.write("data.csv", text);
    let report = here
        .septet(&["run", "data.csv", "--target", "label", "--json"])
        .json();
    assert_eq!(report["dataset"]["quarantined"], 0, "{report}");
}

#[test]
fn a_refused_name_or_model_leaves_the_store_as_it_was() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    let named = ["run", "data.csv", "--target", "label", "--name", "a b"];
    says(&here.septet(&named).refused(), &["'a b'"]);
    assert!(!here.path(".septet").exists());
    here.septet(&["run", "data.csv", "--target", "label"]).ok();
    let before = blobs(&here.path(".septet/blobs")).len();
    here.write("other.csv", good_rows(90));
    here.septet(&["predict", "other.csv", "--model", "nosuch"])
        .refused();
    assert_eq!(blobs(&here.path(".septet/blobs")).len(), before);
}

#[test]
fn a_flipped_byte_in_a_blob() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(80));
    let report = here
        .septet(&["run", "data.csv", "--target", "label", "--json"])
        .json();
    let digest = report["model"]["digest"].as_str().unwrap();
    let blob = blobs(&here.path(".septet"))
        .into_iter()
        .find(|path| path.to_string_lossy().replace('/', "").ends_with(digest))
        .unwrap();
    let mut bytes = std::fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    writable(&blob);
    std::fs::write(&blob, bytes).unwrap();
    let line = here
        .septet(&["predict", "data.csv", "--model", "data"])
        .refused();
    says(&line, &[digest, "damaged"]);
}

fn writable(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn blobs(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(blobs(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_component_that_does_not_fit() {
    let here = Workplace::new();
    let csv = demo("penguins.csv");
    let csv = csv.to_str().unwrap();
    says(
        &here.septet(&["stages", "check", csv]).refused(),
        &["penguins.csv", "component"],
    );
    here.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    says(
        &here.septet(&["stages", "check", "empty.wasm"]).refused(),
        &["septet:pipeline/stage"],
    );
    let input = format!("source={csv}");
    let arguments = [
        "invoke",
        "ingest",
        "--component",
        "empty.wasm",
        "--input",
        &input,
        "--out",
        "out",
    ];
    says(
        &here.septet(&arguments).refused(),
        &["empty.wasm", "septet:pipeline/stage"],
    );
}

#[test]
fn a_rejected_run_is_on_record_with_its_reason() {
    let here = Workplace::new();
    here.write("data.csv", good_rows(60).replace("odd", "even"));
    here.septet(&["run", "data.csv", "--target", "label"])
        .refused();
    let queues = here.septet(&["queues", "--json"]).json();
    assert_eq!(
        queues["queues"][0]["queue"], "preprocess-poison",
        "{queues}"
    );
    let peek = here
        .septet(&["queues", "peek", "preprocess-poison", "--json"])
        .json();
    assert!(
        peek["messages"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("only one value"),
        "{peek}"
    );
    let runs = here.septet(&["runs", "--json"]).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
    assert_eq!(runs["runs"][0]["status"], Value::from("rejected"), "{runs}");
}
