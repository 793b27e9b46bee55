//! No collector, a bad one, or rubbish in the variables: the work goes on, or one line says why not.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use super::{
    collector::{Collector, Manner},
    working::{Working, command, place},
};
use crate::support::septet::{Ran, Workplace};

/// More than a run and the last wait take on a slow machine.
const SOON: Duration = Duration::from_secs(30);

/// Trains with what is set; gives the warnings and how long it took.
fn train(place: &Workplace, endpoint: &str) -> (Vec<String>, Duration) {
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)];
    let arguments = ["run", "penguins.csv", "--target", "sex", "--json"];
    let begun = Instant::now();
    let ran: Ran = command(place, &arguments, &set).output().unwrap().into();
    let took = begun.elapsed();
    let ran = ran.ok();
    assert!(ran.stdout.contains("\"run\""), "{}", ran.stdout);
    let lines = ran.stderr.lines().map(str::to_owned);
    (lines.filter(|line| line.contains("WARN")).collect(), took)
}

#[test]
fn a_collector_that_is_down_or_ill_is_told_of_once() {
    // Nobody listens on a port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let place = place();
    let refusing = Collector::new(Manner::Refuses);
    for endpoint in [nobody.as_str(), refusing.endpoint().as_str()] {
        let (warned, took) = train(&place, endpoint);
        assert_eq!(warned.len(), 1, "{warned:#?}");
        let line = &warned[0];
        assert!(
            line.contains("can't be sent") && line.contains(endpoint),
            "{line}"
        );
        assert!(took < SOON, "{took:?}");
    }
    assert!(refusing.got().requests > 0);
}

#[test]
fn a_collector_that_hangs_keeps_nobody() {
    let hanging = Collector::new(Manner::Hangs);
    let place = place();
    let (warned, took) = train(&place, &hanging.endpoint());
    assert!(warned.len() <= 1, "{warned:#?}");
    assert!(took < SOON, "{took:?}");
    assert!(hanging.got().requests > 0);
}

#[test]
fn rubbish_in_a_variable_is_one_line() {
    let place = place();
    let here = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    for (name, value) in [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
        ("OTEL_TRACES_SAMPLER", "now and then"),
    ] {
        let set = [here, (name, value)];
        let ran = command(&place, &["runs"], &set).output().unwrap();
        let line = Ran::from(ran).refused();
        assert!(line.contains(name) && !line.contains("secret"), "{line}");
    }
    // Without an endpoint they are for other programs.
    let set = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")];
    let ran = command(&place, &["grants"], &set).output().unwrap();
    Ran::from(ran).ok();
}

/// The names of a process's threads, and whether it has a socket of TCP.
fn looked_into(process: &Working) -> (Vec<String>, bool) {
    let own = format!("/proc/{}", process.child.id());
    let tasks = fs::read_dir(format!("{own}/task")).unwrap();
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    let sockets: Vec<String> = fs::read_dir(format!("{own}/fd"))
        .unwrap()
        .filter_map(|fd| Some(fs::read_link(fd.ok()?.path()).ok()?.display().to_string()))
        .filter_map(|link| Some(link.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let tables = ["tcp", "tcp6", "udp", "udp6"];
    let tables: String = tables
        .iter()
        .filter_map(|table| fs::read_to_string(format!("{own}/net/{table}")).ok())
        .collect();
    let network = sockets
        .iter()
        .any(|inode| tables.split_whitespace().any(|word| word == inode));
    (names.collect(), network)
}

#[test]
fn without_an_endpoint_there_is_no_thread_and_no_network() {
    let place = place();
    let exporting = |threads: &[String]| {
        let ours = |name: &&String| {
            ["OpenTelemetry", "septet-telemet", "reqwest"]
                .iter()
                .any(|begins| name.starts_with(begins))
        };
        threads.iter().filter(ours).count()
    };
    let arguments = ["work", "--stages", "ingest"];
    let others = [
        ("OTEL_SERVICE_NAME", "x"),
        ("OTEL_TRACES_SAMPLER", "always_on"),
    ];
    let quiet = Working::start(&place, &arguments, &others);
    let (threads, network) = looked_into(&quiet);
    assert!(
        !threads.is_empty() && exporting(&threads) == 0,
        "{threads:?}"
    );
    assert!(!network);
    let collector = Collector::new(Manner::Takes);
    let endpoint = collector.endpoint();
    let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())];
    let loud = Working::start(&place, &arguments, &set);
    let (threads, _) = looked_into(&loud);
    assert!(exporting(&threads) > 0, "{threads:?}");
}
