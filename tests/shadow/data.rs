//! Data that say how the component `unlike` answers otherwise, and what is reported of it.

use std::{fmt::Write as _, sync::OnceLock};

use septet::{components::EMBEDDED, contract::Stage};
use serde_json::Value;

use crate::{
    hosts::compose::plugged,
    support::{
        guests::guest,
        septet::{Ran, Workplace, demo},
    },
};

/// Rows of the demo's data, numbered, with a column that says how to answer otherwise.
pub(super) fn data(mode: &str, rows: usize) -> String {
    let penguins = std::fs::read_to_string(demo("penguins.csv")).unwrap();
    let mut lines = penguins.lines();
    let mut data = format!("id,mode,{}\n", lines.next().unwrap());
    for (number, line) in (1..).zip(lines.take(rows)) {
        writeln!(data, "p{number},mode={mode},{line}").unwrap();
    }
    data
}

/// A built-in stage with the component `unlike` around it.
pub(super) fn unlike(stage: Stage) -> &'static [u8] {
    static MADE: [OnceLock<Vec<u8>>; 2] = [const { OnceLock::new() }; 2];
    let made = &MADE[usize::from(stage == Stage::Train)];
    made.get_or_init(|| {
        let own = EMBEDDED.iter().find(|(own, _)| *own == stage).unwrap().1;
        plugged(guest("unlike"), &[own]).unwrap()
    })
}

/// A folder with settings, a store with a run whose calls are known, and `unlike` as the shadow of a stage.
pub(super) fn shadowed(stage: Stage, settings: &str) -> Workplace {
    let place = Workplace::new();
    let settings = format!("[run]\ntarget = \"sex\"\nname = \"m\"\n{settings}");
    place.write("septet.toml", settings);
    run(&place, "none", 200).ok();
    place.write("unlike.wasm", unlike(stage));
    let swap = ["stages", "swap", stage.name(), "unlike.wasm"];
    place
        .septet(&[&swap[..], &["--shadow", "100%"]].concat())
        .ok();
    place
}

/// Trains a model on such data.
pub(super) fn run(place: &Workplace, mode: &str, rows: usize) -> Ran {
    let file = format!("{mode}-{rows}.csv");
    place.write(&file, data(mode, rows));
    let run = ["run", &file, "--algorithm", "logistic-regression"];
    place.septet(&[&run[..], &["--drop", "id", "--drop", "mode"]].concat())
}

/// What is reported of the shadow of a stage.
pub(super) fn report(place: &Workplace, stage: Stage) -> Value {
    let report = ["shadow", "report", stage.name(), "--json"];
    place.septet(&report).json()
}

/// How many calls were answered alike, otherwise and not at all, and how many alike in a row.
#[track_caller]
pub(super) fn counts(report: &Value) -> [u64; 4] {
    let compared = &report["compared"];
    assert_eq!(compared["skipped"], 0, "{report}");
    let counts = ["same", "different", "failed"].map(|name| compared[name].as_u64().unwrap());
    let [same, different, failed] = counts;
    let row = report["matches"]["in_a_row"].as_u64().unwrap();
    [same, different, failed, row]
}
