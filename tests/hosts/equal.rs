//! Every stage, on every host, with equal outputs, metrics and notes.

use std::{collections::BTreeMap, thread};

use septet::contract::{Digest, Stage};
use serde_json::{Value, json};

use super::{
    call::{Call, Input, component, fresh, made, node, python, read},
    compose::plugged,
    guests, oracles,
};
use crate::support::guests::guest;

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

/// The calls that the examples come with, their files read from where they are.
fn documented() -> Vec<Value> {
    let examples = oracles::workspace().join("examples");
    let mut calls: Vec<Value> = read(&examples.join("calls.json"));
    for call in &mut calls {
        for input in call["inputs"].as_object_mut().unwrap().values_mut() {
            let given = input.as_str().unwrap();
            if given.starts_with("../") {
                *input = json!(examples.join(given));
            }
        }
    }
    calls
}

/// Calls after the documented ones: the champion is judged against itself, and new rows come whose
/// weights are kilograms instead of grams.
fn afterwards(documented: &[Value]) -> Vec<Value> {
    let mut calls: Vec<Value> = [3, 0, 5, 6].map(|place| documented[place].clone()).into();
    let kilograms = oracles::workspace().join("host/demo/penguins-2009-kg.csv");
    calls[1]["inputs"]["source"] = json!(kilograms);
    calls
}

#[test]
fn seven_stages_give_equal_digests_on_three_hosts() {
    let first = documented();
    let all = [first.clone(), afterwards(&first)].concat();
    let calls = Value::from(all.clone());
    let foreign = thread::scope(|scope| {
        let programs = [python(), node()].into_iter().flatten();
        let hosts: Vec<_> = programs
            .map(|program| {
                let calls = &calls;
                scope.spawn(move || made(&program, calls, fresh()))
            })
            .collect();
        let answers = hosts.into_iter().map(|host| host.join().unwrap());
        answers.collect::<Vec<_>>()
    });
    let Some(answers) = foreign.first() else {
        return;
    };
    for others in &foreign {
        assert_eq!(others.len(), all.len());
        for (other, answer) in others.iter().zip(answers) {
            assert_eq!(other.outcome, answer.outcome);
            assert_eq!(other.messages, answer.messages);
            assert_eq!(other.proposals, answer.proposals);
        }
    }

    // Ours, on what the others gave: where all digests are equal, that is what it would have given.
    let mut outputs = BTreeMap::new();
    for (call, answer) in first.iter().zip(answers) {
        let stage: Stage = serde_json::from_value(call["stage"].clone()).unwrap();
        let inputs = call["inputs"].as_object().unwrap().iter();
        let inputs: Vec<Input> = inputs
            .map(|(name, given)| {
                let known = outputs.get(given.as_str().unwrap());
                let mut input: Input = known.cloned().unwrap_or_else(penguins);
                input.name.clone_from(name);
                input
            })
            .collect();
        let ours = Call::new(stage, &inputs, call["parameters"].clone()).in_septet();
        assert_eq!(answer.outcome, ours, "{stage}");
        for output in &ours.outputs {
            outputs.insert(
                format!("{stage}.{}", output.name),
                answer.output(&output.name),
            );
        }
    }

    let proposed = &answers[4].proposals[0];
    assert_eq!(proposed["change"]["alias"], json!("champion"));
    assert_ne!(answers[3].outcome, answers[7].outcome, "it saw no champion");
    assert_eq!(answers[10].messages[0]["label"], json!("alerts"));
}

#[test]
fn a_transform_gives_equal_digests_asked_by_the_host_or_composed_in() {
    transformed();
}

fn transformed() -> Option<()> {
    let guests = guests::build(
        oracles::workspace(),
        &oracles::target().join("components"),
        &["septet-fixture-transform"],
    )
    .unwrap();
    let [transform] = guests.try_into().unwrap();
    let ingested = Call::new(Stage::Ingest, &[penguins()], json!({}));
    let ingested = ingested.in_python().or_else(|| ingested.in_node())?;
    let parameters = splitting(&json!([Digest::of(&transform).to_string()]));

    let mut asked = Call::new(Stage::Preprocess, &[ingested.output("table")], parameters);
    asked.transforms = vec![transform.clone()];
    let mut composed = Call::new(asked.stage, &asked.inputs, asked.parameters.clone());
    let adapter = plugged(guest("adapter"), &[&transform]).unwrap();
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
