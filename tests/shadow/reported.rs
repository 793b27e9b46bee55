//! What differs is named, and nothing that a shadow gives does harm.

use septet::contract::Stage;
use serde_json::Value;

use super::data::{counts, report, run, shadowed};
use crate::support::septet::Workplace;

const STAGE: Stage = Stage::Ingest;

/// Runs such data, which the shadow answers otherwise; what is reported then.
#[track_caller]
fn unlike(place: &Workplace, mode: &str, rows: usize) -> Value {
    let before = counts(&report(place, STAGE));
    run(place, mode, rows).ok();
    let report = report(place, STAGE);
    let [same, different, failed, row] = counts(&report);
    assert_eq!(
        [same, different, failed],
        [before[0], before[1] + 1, before[2]],
        "{report}"
    );
    assert_eq!(row, 0, "a difference sets it back");
    report
}

/// The differences, as place, value in force and the shadow's.
fn differences(report: &Value) -> Vec<[&str; 3]> {
    let differences = report["compared"]["differences"].as_array().unwrap();
    let text = |difference: &'static str| difference;
    let names = ["place", "in_force", "shadow"].map(text);
    differences
        .iter()
        .map(|one| names.map(|name| one[name].as_str().unwrap()))
        .collect()
}

#[test]
fn a_value_is_named_by_row_and_column_and_keeps_it_from_promotion() {
    let place = shadowed(STAGE, "[preprocess]\nkey = \"id\"\n");
    run(&place, "none", 201).ok();
    let report = unlike(&place, "values", 202);
    let found = differences(&report);
    let [at, one, other] = found
        .iter()
        .find(|found| found[0].contains("column bill_length_mm"))
        .unwrap();
    assert!(
        at.contains("ingest") && at.contains("table, row id=p1, column"),
        "{at}"
    );
    assert_eq!((*one, *other), ("39.1", "39.6"));
    let column = &report["compared"]["columns"]["table, column bill_length_mm"];
    assert_eq!(column["rows"], 1, "{report}");
    assert!((column["absolute"].as_f64().unwrap() - 0.5).abs() < 1e-9);
    let text = place
        .septet(&["shadow", "report", STAGE.name()])
        .ok()
        .stdout;
    for part in [
        "table, column bill_length_mm",
        "39.6",
        "what differs",
        "0 since",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let line = place
        .septet(&["stages", "promote", STAGE.name(), "--matches", "1"])
        .refused();
    for part in [
        "0 of the 1 match",
        "1 calls were answered alike, 1 otherwise",
        "bill_length_mm",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    // From there it begins anew.
    run(&place, "none", 203).ok();
    place
        .septet(&["stages", "promote", STAGE.name(), "--matches", "1"])
        .ok();
}

#[test]
fn a_tolerance_makes_them_alike() {
    let place = shadowed(STAGE, "");
    unlike(&place, "near", 201);
    let asked = ["shadow", "report", STAGE.name(), "--tolerance"];
    let told = |by: &str| place.septet(&[&asked[..], &[by]].concat());
    let near = told("1e-6").ok().stdout;
    assert!(near.contains("  table, column bill_length_mm"), "{near}");
    let far = told("1e-12").ok().stdout;
    assert!(!far.contains("  table, column bill_length_mm"), "{far}");
    assert!(told("much").stderr.contains("a number from 0 on"));
    let settings = |more: &str| {
        let run = "[run]\ntarget = \"sex\"\nname = \"m\"\n";
        place.write("septet.toml", format!("{run}{more}"));
    };
    settings("[shadow]\ntolerance = 1e-6\n");
    run(&place, "near", 202).ok();
    assert_eq!(counts(&report(&place, STAGE)), [1, 1, 0, 1]);
    settings("[shadow.columns]\nbill_length_mm = 0.5001\n");
    run(&place, "values", 203).ok();
    assert_eq!(counts(&report(&place, STAGE)), [2, 1, 0, 2]);
    settings("[shadow]\ntolerance = -1.0\n");
    let line = run(&place, "near", 204).refused();
    assert!(line.contains("tolerance of [shadow]"), "{line}");
}

#[test]
fn other_columns_and_missing_rows_are_named() {
    let place = shadowed(STAGE, "");
    let report = unlike(&place, "columns", 201);
    let found = differences(&report);
    let has = |at: &str, one: &str, other: &str| {
        let same = |found: &&[&str; 3]| found[0].ends_with(at) && found[1..] == [one, other];
        assert!(found.iter().any(|found| same(&found)), "{found:?}");
    };
    has("table, column flipper_length_mm", "integers", "nothing");
    has("table, column flipper", "nothing", "integers");
    let report = unlike(&place, "rows", 202);
    let found = differences(&report);
    assert!(
        found.iter().any(|found| found[0].ends_with("table, row 202")
            && found[1..] == ["a row", "nothing"]),
        "{found:?}"
    );
}

#[test]
fn rubbish_and_traps_harm_nothing() {
    let place = shadowed(STAGE, "");
    let report = unlike(&place, "rubbish", 201);
    let found = differences(&report);
    assert!(
        found
            .iter()
            .any(|found| found[0].ends_with("table") && found[1] == "can be read"),
        "{found:?}"
    );
    let ran = run(&place, "trap", 202).ok();
    assert!(!ran.stderr.contains("the data say so"), "{}", ran.stderr);
    let [_, different, failed, _] = counts(&super::data::report(&place, STAGE));
    assert_eq!((different, failed), (1, 1));
    // What a run gives is what it gives without a shadow, to the last byte.
    let outcome = |place: &Workplace| {
        let ran = place.septet(&["runs", "--json"]).json();
        let run = ran["runs"][0]["run"].as_str().unwrap().to_owned();
        let shown = place.septet(&["runs", "show", &run, "--json"]).json();
        let stages = shown["stages"].as_array().unwrap().iter();
        stages
            .map(|stage| stage["outputs"].clone())
            .collect::<Vec<_>>()
    };
    let alone = Workplace::new();
    alone.write("septet.toml", "[run]\ntarget = \"sex\"\nname = \"m\"\n");
    for (mode, rows) in [("none", 200), ("rubbish", 201), ("trap", 202)] {
        run(&alone, mode, rows).ok();
    }
    assert_eq!(outcome(&place), outcome(&alone));
    place.septet(&["store", "verify"]).ok();
    // Its bytes came into no store.
    let kept = walk(&place.path(".septet"));
    assert!(kept < 32 << 20, "{kept}");
}

/// Bytes of all files below a folder.
fn walk(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap();
    let sizes = entries.map(|entry| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            walk(&entry.path())
        } else {
            metadata.len()
        }
    });
    sizes.sum()
}
