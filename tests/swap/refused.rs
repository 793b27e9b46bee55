//! Each step of a swap refuses what it is there for; what was in force goes on, and the reason is
//! on record.

use septet::contract::{Digest, Stage};
use serde_json::Value;

use super::{
    components::{builtin, different, same},
    minisign::Signer,
};
use crate::support::{
    guests::guest,
    septet::{Workplace, demo},
};

/// A store with one run whose calls are known.
pub(super) fn trained() -> Workplace {
    let place = Workplace::new();
    train(&place);
    place
}

/// Trains a model; the answer tells its stages.
pub(super) fn train(place: &Workplace) -> Value {
    let data = demo("penguins.csv");
    let mut arguments = vec!["run", data.to_str().unwrap(), "--target", "sex", "--json"];
    arguments.extend(["--algorithm", "logistic-regression"]);
    place.septet(&arguments).json()
}

/// The component of the stage in a run's answer.
pub(super) fn used(run: &Value, stage: &str) -> String {
    let mut stages = run["stages"].as_array().unwrap().iter();
    let found = stages.find(|row| row["stage"] == stage).unwrap();
    found["component"].as_str().unwrap().to_owned()
}

/// What is in force of a stage.
pub(super) fn in_force(place: &Workplace, stage: &str) -> String {
    let answer = place.septet(&["stages", "--json"]).json();
    let mut stages = answer["stages"].as_array().unwrap().iter();
    let found = stages.find(|row| row["stage"] == stage).unwrap();
    found["component"].as_str().unwrap().to_owned()
}

pub(super) fn history(place: &Workplace) -> Vec<Value> {
    let answer = place.septet(&["stages", "history", "--json"]).json();
    answer["history"].as_array().unwrap().clone()
}

/// The swap of train must be refused at `step`, with `why` in its line.
#[track_caller]
fn refused(place: &Workplace, bytes: &[u8], flags: &[&str], (step, why): (&str, &str)) {
    place.write("bad.wasm", bytes);
    let before = in_force(place, "train");
    let mut arguments = vec!["stages", "swap", "train", "bad.wasm"];
    arguments.extend(flags);
    let ran = place.septet(&arguments);
    assert!(
        ran.code.is_some_and(|code| code != 0) && ran.stdout.is_empty(),
        "{ran:?}"
    );
    // What a component said before it broke comes first, as log lines.
    let line = ran.stderr.lines().last().unwrap_or_default();
    assert!(line.starts_with("septet: "), "{ran:?}");
    assert!(
        line.contains(&format!("refused at step {step}: ")),
        "{line}"
    );
    assert!(line.contains(why), "{line}");
    assert_eq!(in_force(place, "train"), before);
    let history = history(place);
    let last = history.last().unwrap();
    assert_eq!(
        (&last["event"], &last["step"]),
        (&"refused".into(), &step.into()),
        "{last}"
    );
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains(why) && !reason.contains('\n'), "{reason}");
}

#[test]
fn each_step_refuses_and_what_was_in_force_goes_on() {
    let place = trained();
    let good = same(Stage::Train, "good");
    place.write("good.wasm", &good);
    place.septet(&["stages", "swap", "train", "good.wasm"]).ok();
    let component = Digest::of(&good).to_string();
    assert_eq!(in_force(&place, "train"), component);

    refused(&place, &good[..good.len() / 2], &[], ("compile", ""));
    refused(&place, b"no component", &[], ("compile", ""));
    let why = "does not export septet:pipeline/stage";
    refused(&place, guest("transform"), &[], ("world", why));
    let why = "septet:capability/models@0.1.0, which train is not granted";
    refused(&place, guest("evaluate"), &[], ("grants", why));
    // It panics where nobody tells it what to do.
    refused(&place, guest("train"), &[], ("golden", "run "));
    refused(
        &place,
        &different(),
        &["--same-answers"],
        ("answers", "answers otherwise"),
    );

    // With other settings of this process, the very same is refused for them.
    let other = same(Stage::Train, "other");
    let with = |settings: &str| place.write("septet.toml", settings);
    let quoted = |bytes: &[u8]| Digest::of(bytes).to_string();
    with("[limits]\ncomponent_bytes = 1000000\n");
    refused(&place, &other, &[], ("size", "limit component_bytes"));
    with("[limits]\nmemory_bytes = 1048576\n");
    refused(&place, &other, &[], ("golden", "limit memory_bytes"));
    with(&format!("[trust.pins]\ntrain = \"{}\"\n", quoted(&good)));
    refused(&place, &other, &[], ("pin", "trust.pins"));
    with("");
    // Nothing of all this has reached a run.
    assert_eq!(used(&train(&place), "train"), component);
    place.septet(&["store", "verify"]).ok();

    // Without being asked for the same answers, others are told and taken.
    place.write("different.wasm", different());
    let told = place
        .septet(&["stages", "swap", "train", "different.wasm"])
        .ok();
    assert!(told.stdout.contains("differs"), "{}", told.stdout);
    let history = place.septet(&["stages", "history", "train"]).ok();
    assert!(
        history.stdout.contains("other answers"),
        "{}",
        history.stdout
    );
    assert!(
        history.stdout.contains("grants: it imports"),
        "{}",
        history.stdout
    );
}

#[test]
fn who_asks_for_signatures_gets_them() {
    let (Some(signer), Some(stranger)) = (Signer::new(), Signer::new()) else {
        return;
    };
    let place = trained();
    let settings = format!(
        "[trust]\nkeys = [\"{}\"]\nrequire-signature = true\n",
        signer.key()
    );
    place.write("septet.toml", settings);
    let good = same(Stage::Train, "signed");
    let file = place.write("good.wasm", &good);
    refused(&place, &good, &[], ("signature", "not signed"));
    signer.sign(&file, false, "release 1");
    let told = place.septet(&["stages", "swap", "train", "good.wasm"]).ok();
    assert!(told.stdout.contains("release 1"), "{}", told.stdout);
    assert_eq!(used(&train(&place), "train"), Digest::of(&good).to_string());

    let bad = place.path("bad.wasm");
    let more = same(Stage::Train, "signed more");
    place.write("bad.wasm", &more);
    stranger.sign(&bad, false, "x");
    refused(&place, &more, &[], ("signature", "not in trust.keys"));
    signer.sign(&bad, false, "x");
    refused(
        &place,
        &same(Stage::Train, "tampered"),
        &[],
        ("signature", "does not hold"),
    );
    place.write("bad.wasm.minisig", "garbage");
    refused(&place, &more, &[], ("signature", "can't be read"));
    let line = place.septet(&["invoke", "train", "--component", "bad.wasm", "--out", "o"]);
    assert!(line.refused().contains("can't be read"));

    // Another process without that demand swaps one in; this one begins no run with it.
    place.write("lax.toml", "");
    place.write("unsigned.wasm", same(Stage::Train, "unsigned"));
    let lax = [
        "stages",
        "swap",
        "train",
        "unsigned.wasm",
        "--config",
        "lax.toml",
    ];
    place.septet(&lax).ok();
    let data = demo("penguins.csv");
    let run = [
        "run",
        data.to_str().unwrap(),
        "--target",
        "sex",
        "--name",
        "other",
    ];
    let line = place.septet(&run).refused();
    assert!(
        line.contains("does not take") && line.contains("not signed"),
        "{line}"
    );
    place.septet(&["stages", "rollback", "train"]).ok();
    place.septet(&run).ok();
}

#[test]
fn without_a_recorded_call_the_demo_is_taken() {
    let place = Workplace::new();
    place.write("good.wasm", same(Stage::Monitor, "demo"));
    let told = place.septet(&[
        "stages",
        "swap",
        "monitor",
        "good.wasm",
        "--same-answers",
        "--json",
    ]);
    let told = told.json();
    assert_eq!(told["report"]["demo"], true);
    assert_eq!(told["report"]["calls"].as_array().unwrap().len(), 1);
    let line = place
        .septet(&["stages", "swap", "ingest", "none.wasm"])
        .refused();
    assert!(line.contains("none.wasm"), "{line}");
    let line = place.septet(&["stages", "swap", "ingest"]).stderr;
    assert!(line.contains("<FILE>"), "{line}");
    let line = place.septet(&["stages", "rollback", "ingest"]).refused();
    assert!(line.contains("nothing to roll back to"), "{line}");
    let line = place.septet(&["stages", "promote", "ingest"]).refused();
    assert!(line.contains("no canary"), "{line}");
    // The built-in component's own bytes are a component as any other.
    place.write("own.wasm", builtin(Stage::Monitor));
    place
        .septet(&["stages", "swap", "monitor", "own.wasm"])
        .ok();
}
