//! Seven processes, one trace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

use septet::contract::Stage;
use serde_json::{Value, json};

use super::{
    collector::{Collector, Got, Manner, Spanned},
    working::{Working, place},
};
use crate::serve::client::Client;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ASKER: &str = "00f067aa0ba902b7";

/// Asks for a run from a span of another program, and waits until it is done.
fn run(client: Client, asked: &Value) -> String {
    let traceparent = format!("00-{TRACE}-{ASKER}-01");
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", traceparent.as_str()),
    ];
    let asked = client.send("POST", "/api/runs", &headers, asked.to_string().as_bytes());
    let run = asked.json(201)["run"].as_str().unwrap().to_owned();
    let until = Instant::now() + Duration::from_mins(2);
    loop {
        let shown = client.get(&format!("/api/runs/{run}")).json(200);
        match shown["status"].as_str().unwrap() {
            "done" => return run,
            "pending" | "running" => {}
            other => panic!("the run is {other}: {shown}"),
        }
        assert!(Instant::now() < until, "it does not end: {shown}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn parent<'a>(got: &'a Got, span: &Spanned) -> &'a Spanned {
    let mut parents = got.spans.iter().filter(|other| other.id == span.parent);
    let parent = parents.next();
    let parent = parent.unwrap_or_else(|| panic!("no parent of {span:#?} in {got:#?}"));
    assert!(parents.next().is_none(), "two spans are {}", parent.id);
    parent
}

#[test]
fn seven_processes_are_one_trace() {
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let place = place();
    let mut working = Vec::new();
    for stage in Stage::ALL {
        // One of them takes the requests, too.
        let command = match stage {
            Stage::Deploy => "serve",
            _ => "work",
        };
        let arguments = [command, "--stages", stage.name()];
        working.push((stage, Working::start(&place, &arguments, &set)));
    }
    let (_, server) = working.iter().find(|(s, _)| *s == Stage::Deploy).unwrap();
    let address = server.line.split(' ').nth(1).unwrap();
    let client = Client(address.trim_start_matches("http://").parse().unwrap());
    let text = |name: &str| fs::read_to_string(place.path(name)).unwrap();
    let trained = run(
        client,
        &json!({
            "kind": "train", "model": "penguins", "options": {"target": "sex"},
            "data": [{"name": "penguins.csv", "text": text("penguins.csv")}],
        }),
    );
    let monitored = run(
        client,
        &json!({
            "kind": "monitor", "model": "penguins",
            "data": [{"name": "penguins-2009.csv", "text": text("penguins-2009.csv")}],
        }),
    );
    let order = |run: &str, stages: &[&str]| -> Vec<String> {
        stages.iter().map(|s| format!("{run}/{s}/0")).collect()
    };
    let chains = [
        (
            "run train",
            order(
                &trained,
                &["ingest", "preprocess", "train", "evaluate", "deploy"],
            ),
        ),
        (
            "run monitor",
            order(&monitored, &["ingest", "infer", "monitor"]),
        ),
    ];
    let got = collector.wait(|got| {
        let there = got.invocations();
        let spans = |name: &str| got.spans.iter().any(|span| span.name == name);
        let done = |id: &String| {
            let lines = got.logs.iter().filter(|line| line.text == "done");
            let mut lines = lines.filter_map(|line| line.attributes.get("septet.invocation"));
            there.contains_key(id) && lines.any(|own| own == id)
        };
        chains
            .iter()
            .all(|(name, ids)| spans(name) && ids.iter().all(done))
    });
    check_tree(&got, &chains);
    check_attributes(&got, &trained);
    check_logs(&got);
}

fn check_tree(got: &Got, chains: &[(&str, Vec<String>)]) {
    let services: BTreeSet<&str> = got.spans.iter().map(|s| s.service.as_str()).collect();
    let stages = Stage::ALL.map(|stage| format!("septet-{stage}"));
    assert_eq!(services, stages.iter().map(String::as_str).collect());
    let invocations = got.invocations();
    for span in &got.spans {
        assert_eq!(span.trace, TRACE, "{span:#?}");
        if span.parent == ASKER {
            assert!(span.name.starts_with("run "), "{span:#?}");
        } else {
            parent(got, span);
        }
    }
    // Each invocation was asked for by the one before it, the first by its run.
    for (name, ids) in chains {
        let mut before = None;
        for id in ids {
            let above = parent(got, invocations[id]);
            match before {
                None => assert_eq!((&*above.name, &*above.parent), (*name, ASKER)),
                Some(before) => assert_eq!(above.id, before),
            }
            before = Some(invocations[id].id.clone());
        }
    }
}

fn check_attributes(got: &Got, trained: &str) {
    let id = format!("{trained}/train/0");
    let train = got.invocations()[&id];
    assert_eq!((train.name.as_str(), train.kind), ("train", 5));
    assert_eq!(train.error, None);
    for (name, value) in [
        ("septet.run", trained),
        ("septet.stage", "train"),
        ("septet.unit", "0"),
        ("septet.attempt", "1"),
        ("septet.model", "penguins"),
        ("septet.disposition", "ok"),
        ("septet.cached", "false"),
        ("messaging.system", "septet"),
        ("messaging.destination.name", "train"),
        ("messaging.operation.type", "process"),
        ("messaging.message.delivery_attempt", "1"),
        ("faas.trigger", "pubsub"),
    ] {
        assert_eq!(train.attributes.get(name).unwrap(), value, "{name}");
    }
    assert_eq!(train.attributes["septet.component"].len(), 64);
    let steps = got.spans.iter().filter(|span| span.parent == train.id);
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for step in steps {
        *counts.entry(step.name.as_str()).or_default() += 1;
    }
    for step in ["look up", "execute", "commit", "publish", "evaluate"] {
        assert_eq!(counts.get(step), Some(&1), "{step}: {counts:?}");
    }
}

fn check_logs(got: &Got) {
    let invocations = got.invocations();
    for line in got.logs.iter().filter(|line| line.text == "done") {
        let span = invocations[&line.attributes["septet.invocation"]];
        assert_eq!((&line.trace, &line.service), (&span.trace, &span.service));
        assert_eq!(line.span, span.id);
    }
}
