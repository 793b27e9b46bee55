//! Every stage, on every host, with equal outputs, metrics and notes.

use std::thread;

use septet::contract::{Digest, Stage};
use serde_json::{Value, json};

use super::{
    call::{Answer, Call, Input, component},
    compose::plugged,
    guests, oracles,
};

/// The same call on all hosts at once; the answer of a foreign one, for the next call.
fn everywhere(call: &Call) -> Option<Answer> {
    let (ours, foreign) = thread::scope(|scope| {
        let python = scope.spawn(|| call.in_python());
        let node = scope.spawn(|| call.in_node());
        let ours = call.in_septet();
        (ours, [python, node].map(|host| host.join().unwrap()))
    });
    let mut foreign = foreign.into_iter().flatten();
    let first = foreign.next()?;
    for answer in foreign {
        assert_eq!(answer.outcome, ours, "{}", call.stage);
    }
    assert_eq!(first.outcome, ours, "{}", call.stage);
    Some(first)
}

pub(crate) fn penguins() -> Input {
    Input {
        name: "source".to_owned(),
        media_type: "text/csv".to_owned(),
        bytes: std::fs::read(oracles::workspace().join("host/demo/penguins.csv")).unwrap(),
    }
}

fn splitting(transforms: &Value) -> Value {
    json!({"target": "species", "task": "auto", "test_share": 0.2, "transforms": transforms})
}

#[test]
fn seven_stages_give_equal_digests_on_three_hosts() {
    pipeline();
}

/// All seven, each on what the one before it wrote. None where no foreign host is there.
fn pipeline() -> Option<()> {
    let call =
        |stage, inputs: &[Input], parameters| everywhere(&Call::new(stage, inputs, parameters));

    let ingested = call(Stage::Ingest, &[penguins()], json!({"max_quarantine": 0.1}))?;
    let table = ingested.output("table");
    let split = call(
        Stage::Preprocess,
        std::slice::from_ref(&table),
        splitting(&json!([])),
    )?;
    let [train, test, preprocessing, reference, sample] =
        ["train", "test", "preprocessing", "reference", "sample"].map(|name| split.output(name));
    let trained = call(
        Stage::Train,
        &[train, preprocessing, reference, sample],
        json!({}),
    )?;
    let bundle = trained.output("bundle");
    let model = json!({"model": "model", "alias": "champion", "margin": 0.005});
    let evaluated = call(Stage::Evaluate, &[bundle.clone(), test], model)?;
    let evaluation = evaluated.output("evaluation");
    let model = json!({"model": "model", "alias": "champion", "promote": false});
    call(Stage::Deploy, &[bundle.clone(), evaluation], model)?;
    let rows = [bundle, table];
    let inferred = call(Stage::Infer, &rows, json!({"format": "arrow"}))?;
    let [bundle, table] = rows;
    let rows = [bundle, table, inferred.output("predictions")];
    call(Stage::Monitor, &rows, json!({"threshold": 0.2})).map(drop)
}

#[test]
fn a_transform_gives_equal_digests_asked_by_the_host_or_composed_in() {
    transformed();
}

fn transformed() -> Option<()> {
    let guests = guests::build(
        oracles::workspace(),
        &oracles::target().join("components"),
        &["septet-fixture-transform", "septet-spin-transforms"],
    )
    .unwrap();
    let [transform, adapter] = guests.try_into().unwrap();
    let ingested = Call::new(Stage::Ingest, &[penguins()], json!({}));
    let ingested = ingested.in_python().or_else(|| ingested.in_node())?;
    let parameters = splitting(&json!([Digest::of(&transform).to_string()]));

    let mut asked = Call::new(Stage::Preprocess, &[ingested.output("table")], parameters);
    asked.transforms = vec![transform.clone()];
    let mut composed = Call::new(asked.stage, &asked.inputs, asked.parameters.clone());
    let adapter = plugged(&adapter, &[&transform]).unwrap();
    composed.component = plugged(component(Stage::Preprocess), &[&adapter]).unwrap();
    let ours = asked.in_septet();
    assert_eq!(composed.in_septet(), ours);
    let mut answers = [
        asked.in_python(),
        asked.in_node(),
        composed.in_python(),
        composed.in_node(),
    ]
    .into_iter()
    .flatten();
    let first = answers.next()?;
    assert_eq!(first.outcome, ours);
    let fitted = String::from_utf8(first.output("preprocessing").bytes).unwrap();
    assert!(fitted.contains("bill_ratio"), "{fitted}");
    for answer in answers {
        assert_eq!(answer.outcome, first.outcome);
    }
    Some(())
}
