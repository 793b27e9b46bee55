//! The seven default stages give the same bytes whatever WASI tells them, and on both engines.

use std::fs;

use septet::{
    components::EMBEDDED,
    contract::{Artifact, Outcome, PinnedAlias, Stage},
    stage::Inert,
};

use super::bench::{Bench, Options, With};
use crate::support::guests::workspace;

/// Runs all stages on the demo's data, each on what those before it gave.
fn passage(inert: Inert, trusted: bool) -> Vec<(Stage, Outcome)> {
    let bench = Bench::with(Options {
        inert,
        embedded: if trusted {
            EMBEDDED.to_vec()
        } else {
            Vec::new()
        },
        ..Options::default()
    });
    let source = fs::read(workspace().join("host/demo/penguins.csv")).unwrap();
    let mut given: Vec<Artifact> = vec![bench.input("source", &source, "text/csv")];
    let component = |stage: Stage| {
        let (_, bytes) = EMBEDDED.iter().find(|(of, _)| *of == stage).unwrap();
        bench.blobs.insert(bytes)
    };
    let steps: [(Stage, &[&str], &str); 7] = [
        (Stage::Ingest, &["source"], "{}"),
        (Stage::Preprocess, &["table"], r#"{"target":"species"}"#),
        (
            Stage::Train,
            &["train", "preprocessing", "reference", "sample"],
            r#"{"algorithm":"random-forest"}"#,
        ),
        (Stage::Evaluate, &["bundle", "test"], r#"{"model":"m"}"#),
        (Stage::Deploy, &["bundle", "evaluation"], r#"{"model":"m"}"#),
        (Stage::Infer, &["bundle", "table"], r#"{"format":"arrow"}"#),
        (Stage::Monitor, &["bundle", "table", "predictions"], "{}"),
    ];
    let mut outcomes = Vec::new();
    for (stage, names, parameters) in steps {
        let find = |name: &&str| given.iter().find(|a| a.name == **name).unwrap().clone();
        let mut call = bench
            .call(Stage::Train, "")
            .given(names.iter().map(find).collect());
        call.stage = stage;
        call.component = component(stage);
        call.infer = component(Stage::Infer);
        parameters.clone_into(&mut call.parameters);
        call.aliases = vec![PinnedAlias {
            model: "m".to_owned(),
            alias: "champion".to_owned(),
            revision: 0,
            version: None,
        }];
        let outcome = bench.outcome(call);
        given.extend(outcome.outputs.iter().cloned());
        outcomes.push((stage, outcome));
    }
    outcomes
}

#[test]
fn no_stage_depends_on_seed_clock_or_engine() {
    let first = passage(Inert::default(), true);
    for (inert, trusted) in [
        (Inert { seed: 1, clock: 0 }, true),
        (
            Inert {
                seed: 0,
                clock: 4_000_000_000,
            },
            true,
        ),
        (Inert::default(), false),
    ] {
        let again = passage(inert, trusted);
        for ((stage, outcome), (_, other)) in first.iter().zip(&again) {
            assert_eq!(outcome, other, "{stage} with {inert:?}, trusted: {trusted}");
        }
    }
}
