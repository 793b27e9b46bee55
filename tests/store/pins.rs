//! What a model's name decides of its runs: the schema, the split and the test files.

use septet::{
    contract::{Artifact, Stage},
    pipeline::{RunRequest, RunState, Status},
};
use serde_json::json;

use super::{backends::block_on, bench::Bench, stages::train};

/// A run whose data end there, and whose split is handed on.
async fn request(bench: &Bench, quality: f64, end: u64) -> RunRequest {
    let mut request = train(&bench.fresh.one, quality).await;
    request
        .parameters
        .insert(Stage::Preprocess, json!({ "end": end }));
    request
}

/// The names of what a stage was given.
fn given(state: &RunState, stage: Stage, unit: u32) -> Vec<&str> {
    let commit = state.commit(stage, unit).unwrap();
    commit.inputs.iter().map(|i| i.name.as_str()).collect()
}

fn output(state: &RunState, name: &str) -> Artifact {
    state.output(Stage::Preprocess, name).unwrap().clone()
}

#[test]
fn a_second_run_is_given_what_the_first_one_made() {
    let bench = Bench::new();
    block_on(async {
        let first = bench.run(request(&bench, 1.0, 5).await).await;
        let tables = ["table", "table", "table"];
        assert_eq!(given(&first, Stage::Preprocess, 0), tables);
        let second = bench.run(request(&bench, 2.0, 6).await).await;
        let all = ["table", "table", "table", "schema", "split"];
        assert_eq!(given(&second, Stage::Preprocess, 0), all);
        let model = bench.pipeline.registry().state("iris").await.unwrap();
        let [one, two] = [&model.versions[0], &model.versions[1]];
        assert_eq!(one.split, Some(output(&first, "split")));
        assert_eq!(two.split, Some(output(&second, "split")));
        assert_ne!(one.split, two.split);
        assert_eq!(one.test, Some(output(&first, "test").digest));
        assert_eq!(second.request.pinned.split, one.split);
        assert_eq!(model.schema(), one.schema.as_ref());
    });
}

#[test]
fn the_same_run_begins_with_what_it_began_with() {
    let bench = Bench::new();
    block_on(async {
        let registry = bench.pipeline.registry();
        let first = bench.run(request(&bench, 1.0, 5).await).await;
        bench.account.take();
        bench.run(request(&bench, 1.0, 5).await).await;
        assert_eq!(bench.account.take(), []);
        // Other rows with the same split: the first run again is still the first run again.
        bench.run(request(&bench, 2.0, 4).await).await;
        bench.account.take();
        bench.run(request(&bench, 2.0, 4).await).await;
        assert_eq!(bench.account.take(), []);

        // After another schema was accepted the same run is other work.
        let proposed = Artifact {
            name: "schema".to_owned(),
            ..output(&first, "proposed-schema")
        };
        let accepted = registry.accept_schema("iris", &proposed, "me", "w").await;
        assert!(accepted.unwrap());
        let again = bench.run(request(&bench, 1.0, 5).await).await;
        assert_eq!(again.request.pinned.schema, Some(proposed.clone()));
        let executed = bench.account.take();
        assert!(executed.contains(&(Stage::Preprocess, 0)), "{executed:?}");
        assert_eq!(output(&again, "schema"), proposed);

        // And so it is after the split has grown.
        bench.run(request(&bench, 3.0, 9).await).await;
        let again = bench.run(request(&bench, 1.0, 5).await).await;
        let newest = registry.state("iris").await.unwrap().split().cloned();
        assert_eq!(again.request.pinned.split, newest);
    });
}

#[test]
fn of_two_first_runs_one_is_told_to_run_again() {
    let bench = Bench::new();
    block_on(async {
        let slow = request(&bench, 1.0, 5).await;
        let slow = bench.pipeline.start(slow).await.unwrap();
        let fast = request(&bench, 2.0, 6).await;
        let fast = bench.pipeline.start(fast).await.unwrap();
        let mut states = vec![];
        for run in [&fast, &slow] {
            states.push(bench.worker.drain(run).await.unwrap());
        }
        states.sort_by_key(|state| state.status() == Status::Rejected);
        let [done, refused] = states.as_slice() else {
            panic!()
        };
        assert_eq!(done.status(), Status::Done);
        assert_eq!(refused.status(), Status::Rejected);
        let reason = refused.failure().unwrap().reason().unwrap();
        assert_eq!(
            reason,
            "the split of model 'iris' was fixed by another run meanwhile: run again \
             without --test and --split, or give the model another name"
        );
        let rows = bench.pipeline.rows(&refused.id).await.unwrap();
        assert_eq!(rows.last().unwrap().status, "rejected");
        let model = bench.pipeline.registry().state("iris").await.unwrap();
        assert_eq!(model.versions.len(), 1);
        let active = bench.fresh.one.records.list("active/", None, 9).await;
        assert_eq!(active.unwrap(), []);
        // Again it begins with the other's split, and is a version.
        let again = RunRequest {
            pinned: septet::pipeline::Pinned::default(),
            ..(*refused.request).clone()
        };
        let again = bench.run(again).await;
        assert_eq!(again.status(), Status::Done);
        let model = bench.pipeline.registry().state("iris").await.unwrap();
        assert_eq!(model.versions.len(), 2);
    });
}

#[test]
fn test_files_belong_to_the_model() {
    let bench = Bench::new();
    block_on(async {
        let first = RunRequest {
            tests: 1,
            ..request(&bench, 1.0, 5).await
        };
        let first = bench.run(first).await;
        let tables = ["table", "table", "test-table"];
        assert_eq!(given(&first, Stage::Preprocess, 0), tables);
        let test = first.request.sources[2].clone();

        // The next one need not name it; and its own third part is data.
        let second = bench.run(request(&bench, 2.0, 5).await).await;
        assert_eq!(second.status(), Status::Done);
        assert_eq!((second.request.sources.len(), second.request.tests), (4, 1));
        assert_eq!(second.request.sources[3], test);
        let names = given(&second, Stage::Preprocess, 0);
        assert_eq!(names[..4], ["table", "table", "table", "test-table"]);

        // Another one can't be named.
        let mut other = RunRequest {
            tests: 1,
            ..request(&bench, 1.0, 5).await
        };
        other.sources.swap(0, 2);
        let error = bench.pipeline.start(other).await.unwrap_err().to_string();
        assert!(
            error.contains("fixed by its first version (part2.csv)"),
            "{error}"
        );

        // Nor is one taken where the rows were split.
        let named = |request: RunRequest| RunRequest {
            name: "split".to_owned(),
            ..request
        };
        bench.run(named(request(&bench, 1.0, 5).await)).await;
        let late = RunRequest {
            tests: 1,
            ..named(request(&bench, 1.0, 5).await)
        };
        let error = bench.pipeline.start(late).await.unwrap_err().to_string();
        assert!(error.contains("without test files"), "{error}");
    });
}

#[test]
fn a_declared_schema_goes_to_ingest_and_is_pinned() {
    let bench = Bench::new();
    block_on(async {
        let json = br#"{"columns":["a"],"declared":true}"#;
        let declared = Artifact {
            name: "schema".to_owned(),
            digest: bench.fresh.one.blobs.put(json).await.unwrap(),
            size: json.len() as u64,
            media_type: "application/json".to_owned(),
        };
        let first = RunRequest {
            declared: Some(declared.clone()),
            ..request(&bench, 1.0, 5).await
        };
        let first = bench.run(first).await;
        assert_eq!(given(&first, Stage::Ingest, 1), ["source", "schema"]);
        assert_eq!(output(&first, "schema"), declared);
        // The next train run is held to it. New data need not have the target, so that a run that
        // looks at them is not.
        let second = bench.run(request(&bench, 2.0, 5).await).await;
        assert_eq!(second.request.declared, Some(declared));
        assert_eq!(given(&second, Stage::Ingest, 0), ["source", "schema"]);
        let monitor = super::stages::monitor(&bench.pipeline).await;
        let monitor = bench.run(monitor).await;
        assert_eq!(given(&monitor, Stage::Ingest, 0), ["source"]);
    });
}

#[test]
fn deploy_is_told_how_often_the_test_rows_were_used() {
    let bench = Bench::new();
    block_on(async {
        let mut told = vec![];
        for quality in [1.0, 2.0, 1.0] {
            let state = bench.train(quality).await;
            let card = state.output(Stage::Deploy, "card").unwrap();
            let card = bench.fresh.one.blobs.get(&card.digest, 1 << 20).await;
            let card: serde_json::Value = serde_json::from_slice(&card.unwrap()).unwrap();
            told.push(card["parameters"]["test_uses"].as_u64());
        }
        assert_eq!(told, [Some(1), Some(2), Some(1)]);
    });
}
