//! The demo as the seven apps of a package, one stage each, on one storage account: what comes out is
//! what a run in one process makes, whatever happens to an instance on the way, and it is one trace.

use std::{
    collections::BTreeSet,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use septet::contract::Stage;
use serde_json::{Value, json};

use super::{
    handler::cache,
    simulator::{
        app::App,
        encoder::{Bound, body},
        process::Host,
        queue::Listener,
        response::Outcome,
        storage::Storage,
        timer::Timer,
    },
};
use crate::{
    support::{
        azurite,
        septet::{Workplace, demo},
    },
    telemetry::collector::{Collector, Manner},
};

/// Short, so that the test is: a package has the default of 30 s and a sweep each minute.
const SETTINGS: &str = "[work]\nlease = '4s'\n\
    [[container]]\ncontainer = 'incoming'\nprefix = 'train/'\nrun = 'train'\nmodel = 'penguins'\n\
    options = { target = 'sex' }\n\
    [[container]]\ncontainer = 'incoming'\nprefix = 'new/'\nrun = 'monitor'\nmodel = 'penguins'\n";
const SWEEP: Duration = Duration::from_secs(3);

/// No run takes longer.
const LONGEST: Duration = Duration::from_mins(3);

/// The trace that the events belong to, and the span that made them.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// An instance of an app, and what invokes it.
struct Instance {
    host: Host,
    listener: Listener,
    _timer: Option<Timer>,
}

struct Apps {
    place: Workplace,
    storage: Storage,
    traces: Collector,
}

impl Apps {
    /// What `septet azure package` makes for this machine.
    fn new() -> Option<Self> {
        let storage = Storage::new(azurite::account()?);
        let place = Workplace::new();
        place.write("septet.toml", SETTINGS);
        let binary = env!("CARGO_BIN_EXE_septet");
        let arguments = ["--binary", binary, "--glibc", "99.0", "--out", "azure"];
        place
            .septet(&[&["azure", "package"][..], &arguments[..]].concat())
            .ok();
        for stage in Stage::ALL {
            storage.make_queue(stage.name());
        }
        Some(Self {
            place,
            storage,
            traces: Collector::new(Manner::Takes),
        })
    }

    fn start(&self, stage: &str, settings: &[(&str, &str)]) -> Instance {
        let connection = self.storage.connection_string();
        let (endpoint, service) = (self.traces.endpoint(), format!("septet-{stage}"));
        let mut all = vec![
            ("PipelineStorage", connection.as_str()),
            ("SEPTET_CACHE", cache()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()),
            ("OTEL_SERVICE_NAME", service.as_str()),
        ];
        all.extend(settings);
        let app = self.place.path(&format!("azure/apps/{stage}"));
        let host = Host::start(App::read(&app), &all);
        host.ready();
        let timer = (stage == "deploy").then(|| Timer::start(&host, "sweep", SWEEP));
        Instance {
            listener: Listener::start(&host, &self.storage, stage),
            host,
            _timer: timer,
        }
    }

    /// A command over the same store.
    fn septet(&self, arguments: &[&str]) -> Value {
        let mut command = self.place.command(arguments);
        command
            .arg("--json")
            .args(["--store", "azure:PipelineStorage"]);
        command.env("PipelineStorage", self.storage.connection_string());
        let ran: crate::support::septet::Ran = command.output().unwrap().into();
        ran.json()
    }

    /// A blob is written, and the event that says so.
    fn written(&self, name: &str, bytes: &[u8]) -> Vec<u8> {
        let (url, etag) = self.storage.put_blob("incoming", name, bytes);
        let event = json!({"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "id": name,
            "source": "/subscriptions/x", "data": {"api": "PutBlob", "url": url, "eTag": etag}});
        event.to_string().into_bytes()
    }

    /// A file arrives in the container, and Event Grid tells the queue.
    fn arrive(&self, name: &str, bytes: &[u8]) {
        let event = self.written(name, bytes);
        self.storage.put("ingest", &BASE64_STANDARD.encode(event));
    }

    /// A file arrives, and the call that tells of it is part of a trace.
    fn arrive_traced(&self, ingest: &Host, name: &str, bytes: &[u8]) {
        let binding = ingest.app().trigger("ingest")["name"].as_str().unwrap();
        let metadata = [
            ("Id", Bound::Json(json!(name))),
            ("DequeueCount", Bound::Json(json!(1))),
        ];
        let event = Bound::Bytes(self.written(name, bytes));
        let body = body("ingest", &[(binding, event)], &metadata);
        let outcome = ingest.invoke("ingest", &body, Some(TRACEPARENT));
        assert!(
            matches!(outcome, Outcome::Succeeded { .. }),
            "{:#?}",
            ingest.lines()
        );
    }

    /// The digest of the champion, once there is one.
    #[track_caller]
    fn champion(&self, instances: &[Instance]) -> String {
        let begun = Instant::now();
        loop {
            let models = self.septet(&["models"]);
            let text = models.to_string();
            if text.contains("champion") {
                let shown = self.septet(&["models", "show", "penguins"]);
                return shown["versions"][0]["digest"].as_str().unwrap().to_owned();
            }
            if begun.elapsed() > LONGEST {
                let lines: Vec<_> = instances.iter().map(|i| i.host.lines()).collect();
                panic!("no model came of it: {lines:#?}");
            }
            thread::sleep(Duration::from_millis(300));
        }
    }
}

/// What a run in one process makes of the same file.
fn local(data: &std::path::Path) -> String {
    let place = Workplace::new();
    let arguments = [
        "run",
        data.to_str().unwrap(),
        "--target",
        "sex",
        "--name",
        "penguins",
        "--json",
    ];
    let ran = place.septet(&arguments).json();
    ran["model"]["digest"].as_str().unwrap().to_owned()
}

#[test]
fn seven_apps_make_the_model_of_one_process() {
    let Some(apps) = Apps::new() else { return };
    let mut instances: Vec<Instance> = Stage::ALL
        .into_iter()
        .filter(|stage| *stage != Stage::Train)
        .map(|stage| apps.start(stage.name(), &[]))
        .collect();
    // The first instance of train dies with its machine when it has begun: the message stays hidden
    // for ten minutes, and nobody deletes it.
    let lost = apps.start("train", &[("SEPTET_FAILPOINT", "executed:1")]);
    lost.host.lose_together();
    let data = demo("penguins.csv");
    let ingest = instances[0].host.clone();
    apps.arrive_traced(
        &ingest,
        "train/penguins.csv",
        &std::fs::read(&data).unwrap(),
    );
    let begun = Instant::now();
    while !lost.host.is_over() {
        assert!(
            begun.elapsed() < LONGEST,
            "train was never asked for: {:#?}",
            lost.host.lines()
        );
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(lost.host.starts(), 1);
    let gone = Instant::now();
    instances.push(apps.start("train", &[]));
    let made = apps.champion(&instances);
    let took = gone.elapsed();
    assert!(
        took < Duration::from_mins(1),
        "the lost instance cost {took:?}"
    );
    assert_eq!(made, local(&data));

    // New data go through the other two.
    let new = std::fs::read(demo("penguins-2009.csv")).unwrap();
    apps.arrive_traced(&ingest, "new/penguins-2009.csv", &new);
    let services = Stage::ALL.map(|stage| format!("septet-{stage}"));
    let got = apps.traces.wait(|got| {
        let invocations = got.invocations();
        let there: BTreeSet<_> = invocations.values().map(|span| &span.service).collect();
        services.iter().all(|service| there.contains(service))
    });
    for (invocation, span) in got.invocations() {
        assert_eq!(span.trace, TRACE, "{invocation}");
    }

    // What is not fit to be learnt from ends in our own poison queue, by an invocation that went well.
    let failed = |instances: &[Instance]| -> usize {
        let failed = instances
            .iter()
            .map(|i| i.listener.counts.failed.load(Ordering::SeqCst));
        failed.sum()
    };
    let before = failed(&instances);
    apps.arrive("train/bad.csv", b"species,sex\n");
    let begun = Instant::now();
    let reason = loop {
        let poison = apps.storage.peek("ingest-poison");
        if let Some(message) = poison.first() {
            let event = BASE64_STANDARD.decode(&message.text).unwrap();
            let event: Value = serde_json::from_slice(&event).unwrap();
            break event["data"]["reason"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < LONGEST, "nothing was set aside");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(!reason.is_empty());
    assert_eq!(
        failed(&instances),
        before,
        "a bad file is no fault of the host"
    );
}
