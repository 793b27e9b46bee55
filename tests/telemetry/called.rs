//! Calls of the Azure Functions host: their spans, and what is begun by them.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    collector::{Collector, Manner},
    working::{Working, command, place},
};
use crate::{serve::client::Client, support::septet::Workplace};

const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const INVOCATION: &str = "7d0f4c5a-0000-4000-8000-000000000001";

/// A handler with a function for runs.
fn handler(place: &Workplace, set: &[(&str, &str)]) -> (Working, Client) {
    let host = json!({"version": "2.0", "extensions": {"http": {"routePrefix": ""}},
        "customHandler": {"description": {"defaultExecutablePath": "septet"}}});
    let function = json!({"bindings": [
        {"type": "httpTrigger", "direction": "in", "name": "req", "route": "api/runs", "methods": ["post"]},
        {"type": "http", "direction": "out", "name": "res"}]});
    place.write("host.json", host.to_string());
    fs::create_dir(place.path("runs")).unwrap();
    place.write("runs/function.json", function.to_string());
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = free.local_addr().unwrap();
    drop(free);
    let child = command(place, &["azure", "handle", "--store", "store"], set)
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", address.port().to_string())
        .env("FUNCTIONS_APP_ROOT_PATH", place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let line = String::new();
    let working = Working { child, line };
    let until = Instant::now() + Duration::from_mins(1);
    while TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "nobody listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    (working, Client(address))
}

#[test]
fn a_call_is_a_span_below_its_callers() {
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let place = place();
    let (_handler, client) = handler(&place, &set);
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("x-azure-functions-invocationid", INVOCATION),
        ("traceparent", CALLER),
    ];
    let asked = json!({"kind": "train", "model": "penguins", "options": {"target": "sex"},
        "data": [{"name": "penguins.csv", "text": fs::read_to_string(place.path("penguins.csv")).unwrap()}]});
    let call = json!({"Data": {"req": {"Url": "http://app.example/api/runs", "Method": "POST",
        "Headers": {"Content-Type": ["application/json"]}, "Body": asked.to_string()}},
        "Metadata": {}});
    let answer = client.send("POST", "/runs", &headers, call.to_string().as_bytes());
    let answer = answer.json(200);
    assert_eq!(answer["Outputs"]["res"]["statusCode"], 201, "{answer}");
    // What can't be read fails, and its line is not lost.
    let failed = client.send("POST", "/runs", &headers, b"rubbish");
    assert_eq!(failed.status, 400);
    let got = collector.wait(|got| {
        let calls = got.spans.iter().filter(|span| span.name == "runs");
        calls.count() == 2 && got.logs.iter().any(|line| line.text.contains("failed"))
    });
    let calls: Vec<_> = got.spans.iter().filter(|s| s.name == "runs").collect();
    let failed = calls.iter().find(|call| call.error.is_some()).unwrap();
    let done = calls.iter().find(|call| call.error.is_none()).unwrap();
    for call in &calls {
        assert_eq!(
            (&*call.trace, &*call.parent),
            (&CALLER[3..35], &CALLER[36..52])
        );
        assert_eq!(call.attributes["faas.invocation_id"], INVOCATION);
        assert_eq!(call.attributes["faas.trigger"], "http");
    }
    let run = got
        .spans
        .iter()
        .find(|span| span.name == "run train")
        .unwrap();
    assert_eq!((&run.trace, &run.parent), (&done.trace, &done.id));
    let line = got.logs.iter().find(|l| l.text.contains("failed")).unwrap();
    assert_eq!((&line.trace, &line.span), (&failed.trace, &failed.id));
    assert_eq!(line.attributes["faas.invocation_id"], INVOCATION);
}
