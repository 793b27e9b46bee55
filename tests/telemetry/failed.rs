//! What is told of what failed.

use std::path::Path;

use septet::{
    contract::Stage,
    pipeline::{Pipeline, RunRequest},
    store::{Local, Mode},
};
use serde_json::json;

use super::{
    collector::{Collector, Manner},
    working::{command, place},
};
use crate::support::{guests::guest, septet::Ran};

#[test]
fn what_failed_is_told_with_its_invocation_and_no_secret() {
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=very%20secret"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test"),
        ("OTEL_SERVICE_NAME", "mine"),
    ];
    let place = place();
    let arguments = [
        "run",
        "penguins.csv",
        "--target",
        "wings",
        "--detach",
        "--json",
    ];
    let queued: Ran = command(&place, &arguments, &set).output().unwrap().into();
    let run = queued.json()["run"].as_str().unwrap().to_owned();
    let arguments = ["work", "--until-empty", "-vv"];
    let worked: Ran = command(&place, &arguments, &set).output().unwrap().into();
    let worked = worked.ok();
    assert!(!worked.stderr.contains("secret"), "{}", worked.stderr);
    // All was sent when the commands ended.
    let got = collector.got();
    let trace = run.replace('-', "");
    assert!(got.spans.iter().all(|span| span.trace == trace), "{got:#?}");
    assert!(got.spans.iter().all(|span| span.service == "mine"));
    let asked = got.spans.iter().find(|span| span.name == "run train");
    assert_eq!(asked.unwrap().parent, "");
    let invocation = format!("{run}/preprocess/0");
    let failed = got.invocations()[&invocation];
    let reason = failed.error.as_deref().unwrap();
    assert!(reason.contains("wings"), "{failed:#?}");
    assert_eq!(failed.attributes["septet.disposition"], "rejected");
    // The line about it belongs to the span, and so do all that the call left.
    let of = |line: &&super::collector::Logged| {
        line.attributes.get("septet.invocation") == Some(&invocation)
    };
    let lines: Vec<_> = got.logs.iter().filter(of).collect();
    let told = lines.iter().find(|l| l.text.contains("came to nothing"));
    assert_eq!(told.unwrap().span, failed.id, "{lines:#?}");
    assert!(lines.iter().all(|line| line.trace == trace));
    // The key goes to the collector and nowhere else.
    let keyed = |headers: &axum::http::HeaderMap| headers["x-key"] == "very secret";
    assert!(got.headers.iter().all(keyed));
    assert!(!format!("{:?}{:?}", got.spans, got.logs).contains("secret"));
}

/// Asks for a run like another one, whose train stage copies its inputs, says so, and so gives no
/// bundle.
fn ask_for_copies(store: &Path, like: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let local = Local::open(store, Mode::Existing).await.unwrap();
        let store = local.store();
        let pipeline = Pipeline::new(store.clone());
        let like = pipeline.state(like).await.unwrap().request;
        let mut request = RunRequest::clone(&like);
        "copies".clone_into(&mut request.name);
        let component = store.blobs.put(guest("train")).await.unwrap();
        request.components.insert(Stage::Train, component);
        let asked = json!({ "do": "copy" });
        request.parameters.insert(Stage::Train, asked);
        for stage in [Stage::Evaluate, Stage::Deploy] {
            request.parameters.remove(&stage);
        }
        pipeline.start(request).await.unwrap()
    })
}

#[test]
fn a_components_lines_belong_to_its_call_at_each_attempt() {
    let place = place();
    place.write("septet.toml", "[work]\nfailures = 2\nbackoff = \"10ms\"\n");
    let arguments = [
        "run",
        "penguins.csv",
        "--target",
        "sex",
        "--detach",
        "--json",
    ];
    let queued: Ran = command(&place, &arguments, &[]).output().unwrap().into();
    let like = queued.json()["run"].as_str().unwrap().to_owned();
    let run = ask_for_copies(&place.path(".septet"), &like);
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let arguments = ["work", "--until-empty"];
    let worked: Ran = command(&place, &arguments, &set).output().unwrap().into();
    worked.ok();
    let got = collector.got();
    let mut attempts: Vec<_> = got.spans.iter().collect();
    attempts.retain(|s| s.name == "train" && s.attributes["septet.run"] == run);
    attempts.sort_by_key(|span| &span.attributes["septet.attempt"]);
    let [first, second] = attempts[..] else {
        panic!("{attempts:#?}");
    };
    assert_eq!(second.parent, first.id);
    assert_eq!(first.attributes["septet.disposition"], "retry");
    assert_eq!(second.attributes["septet.disposition"], "failed");
    assert_eq!(second.attributes["septet.blame"], "guest");
    for (attempt, number) in [(first, "1"), (second, "2")] {
        assert!(attempt.error.as_deref().unwrap().contains("bundle"));
        let said = got.logs.iter().find(|line| {
            line.text == "copied"
                && line
                    .attributes
                    .get("septet.attempt")
                    .is_some_and(|n| n == number)
        });
        let said = said.unwrap_or_else(|| panic!("{:#?}", got.logs));
        let within = got.spans.iter().find(|span| span.id == said.span).unwrap();
        assert_eq!((&*within.name, &within.parent), ("execute", &attempt.id));
        let invocation = format!("{run}/train/0");
        assert_eq!(said.attributes["septet.invocation"], invocation);
    }
}

#[test]
fn a_share_of_nothing_is_nothing() {
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", endpoint.as_str()),
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0"),
    ];
    let place = place();
    let arguments = ["run", "penguins.csv", "--target", "sex", "--json"];
    let ran: Ran = command(&place, &arguments, &set).output().unwrap().into();
    ran.ok();
    assert_eq!(collector.got().requests, 0, "{:#?}", collector.got());
}
