//! What is told of what failed.

use super::{
    collector::{Collector, Manner},
    working::{command, place},
};
use crate::support::septet::Ran;

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
