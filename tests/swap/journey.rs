//! From a swap to a rollback, over processes: runs in flight, races, crashes, canaries.

use septet::contract::{Digest, Stage};
use serde_json::Value;

use super::{
    components::{builtin, same},
    refused::{history, in_force, train, trained, used},
};
use crate::support::septet::{Workplace, demo};

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string()
}

#[test]
fn a_run_in_flight_ends_on_what_it_began_with() {
    let place = trained();
    let data = demo("penguins.csv");
    let mut run = vec![
        "run",
        data.to_str().unwrap(),
        "--target",
        "species",
        "--name",
        "other",
    ];
    run.extend(["--algorithm", "logistic-regression", "--detach", "--json"]);
    let begun = place.septet(&run).json();
    let begun = begun["run"].as_str().unwrap();
    let good = same(Stage::Train, "good");
    place.write("good.wasm", &good);
    place.septet(&["stages", "swap", "train", "good.wasm"]).ok();
    place.septet(&["work", "--until-empty"]).ok();
    let shown = place.septet(&["runs", "show", begun, "--json"]).json();
    assert_eq!(shown["status"], "done");
    assert_eq!(used(&shown, "train"), digest(builtin(Stage::Train)));

    // The next one, and all after it, until the swap is taken back; that is as lasting.
    assert_eq!(used(&train(&place), "train"), digest(&good));
    let shown = place.septet(&["stages", "show", "train"]).ok();
    assert!(shown.stdout.contains(&digest(&good)), "{}", shown.stdout);
    let told = place
        .septet(&["stages", "rollback", "train", "--reason", "a doubt"])
        .ok();
    assert!(
        told.stdout.contains("train is built in again"),
        "{}",
        told.stdout
    );
    assert_eq!(used(&train(&place), "train"), digest(builtin(Stage::Train)));
    let last = history(&place).pop().unwrap();
    assert_eq!(
        (&last["event"], &last["reason"]),
        (&"rolled-back".into(), &"a doubt".into())
    );
    place.septet(&["stages", "swap", "train", "good.wasm"]).ok();
    place.septet(&["stages", "swap", "train", "--builtin"]).ok();
    assert_eq!(in_force(&place, "train"), digest(builtin(Stage::Train)));
}

#[test]
fn infer_is_swapped_for_models_that_are_there() {
    let place = trained();
    let good = same(Stage::Infer, "good");
    place.write("good.wasm", &good);
    let swap = [
        "stages",
        "swap",
        "infer",
        "good.wasm",
        "--same-answers",
        "--json",
    ];
    let told = place.septet(&swap).json();
    let calls = told["report"]["calls"].as_array().unwrap();
    let model = |call: &Value| call["call"] == "model penguins@1";
    assert!(calls.iter().any(model), "{told}");
    let data = demo("penguins-2009.csv");
    let predict = ["predict", data.to_str().unwrap(), "--model", "penguins"];
    let by_it = place.septet(&predict).ok().stdout;
    let runs = place.septet(&["runs", "--json"]).json();
    let run = runs["runs"][0]["run"].as_str().unwrap();
    let shown = place.septet(&["runs", "show", run, "--json"]).json();
    assert_eq!(used(&shown, "infer"), digest(&good));
    place.septet(&["stages", "rollback", "infer"]).ok();
    assert_eq!(place.septet(&predict).ok().stdout, by_it);
}

#[test]
fn of_two_processes_both_swap_one_after_the_other() {
    let place = trained();
    let components = ["one", "two"].map(|mark| same(Stage::Train, mark));
    for (name, bytes) in ["one.wasm", "two.wasm"].iter().zip(&components) {
        place.write(name, bytes);
    }
    let racers = ["one.wasm", "two.wasm"].map(|name| {
        let mut command = place.command(&["stages", "swap", "train", name, "--json"]);
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    });
    for mut racer in racers {
        assert!(racer.wait().unwrap().success());
    }
    let history = history(&place);
    assert_eq!(history.len(), 2);
    let last = history[1]["component"].as_str().unwrap();
    assert_eq!(in_force(&place, "train"), last);
    assert!(
        components
            .map(|bytes| digest(&bytes))
            .contains(&last.to_owned())
    );
}

#[test]
fn a_crash_before_the_last_step_changes_nothing() {
    let place = trained();
    place.write("good.wasm", same(Stage::Train, "good"));
    let swap = ["stages", "swap", "train", "good.wasm"];
    let mut command = place.command(&swap);
    let killed = command.env("SEPTET_FAILPOINT", "offered").output().unwrap();
    assert!(!killed.status.success());
    assert!(history(&place).is_empty());
    assert_eq!(in_force(&place, "train"), digest(builtin(Stage::Train)));
    place.septet(&["store", "verify"]).ok();
    place.septet(&swap).ok();
    assert_eq!(history(&place).len(), 1);
}

#[test]
fn a_share_of_the_runs_is_the_canarys() {
    let place = trained();
    let good = same(Stage::Train, "good");
    place.write("good.wasm", &good);
    let canary = ["stages", "swap", "train", "good.wasm", "--canary", "100%"];
    let told = place.septet(&canary).ok();
    assert!(
        told.stdout.contains("answers 100% of the calls of train"),
        "{}",
        told.stdout
    );
    assert_eq!(in_force(&place, "train"), digest(builtin(Stage::Train)));
    let listed = place.septet(&["stages"]).ok();
    assert!(listed.stdout.contains("canary"), "{}", listed.stdout);
    assert_eq!(used(&train(&place), "train"), digest(&good));
    let told = place.septet(&["stages", "rollback", "train"]).ok();
    assert!(
        told.stdout.contains("canary of train no more"),
        "{}",
        told.stdout
    );
    assert_eq!(used(&train(&place), "train"), digest(builtin(Stage::Train)));
    for bad in ["0", "101%", "much"] {
        let here: &Workplace = &place;
        let refused = here.septet(&["stages", "swap", "train", "good.wasm", "--canary", bad]);
        assert!(
            refused.stderr.contains("0.01% to 100%"),
            "{}",
            refused.stderr
        );
    }
    place.septet(&canary).ok();
    place.septet(&["stages", "promote", "train"]).ok();
    assert_eq!(in_force(&place, "train"), digest(&good));
}
