//! The demo as seven apps, one stage each, on one storage account: what comes out is what a run in one
//! process makes, whatever happens to an instance on the way.

use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    handler::{cache, on_clock, on_queue, write_app},
    simulator::{app::App, process::Host, queue::Listener, storage::Storage, timer::Timer},
};
use crate::support::{
    azurite,
    septet::{Workplace, demo},
};

const STAGES: [&str; 7] = [
    "ingest",
    "preprocess",
    "train",
    "evaluate",
    "deploy",
    "infer",
    "monitor",
];

/// Short, so that the test is: a package has the default of 30 s and a sweep each minute.
const SETTINGS: &str = "[work]\nlease = '4s'\n\
    [[container]]\ncontainer = 'incoming'\nrun = 'train'\nmodel = 'penguins'\n\
    options = { target = 'sex' }\n";
const SWEEP: Duration = Duration::from_secs(3);

/// No run takes longer.
const LONGEST: Duration = Duration::from_mins(3);

/// An instance of an app, and what invokes it.
struct Instance {
    host: Host,
    listener: Listener,
    _timer: Option<Timer>,
}

struct Apps {
    place: Workplace,
    storage: Storage,
}

impl Apps {
    fn new() -> Option<Self> {
        let storage = Storage::new(azurite::account()?);
        let place = Workplace::new();
        for stage in STAGES {
            let mut functions = vec![(stage, on_queue(stage, "binary"))];
            if stage == "deploy" {
                functions.push(("sweep", on_clock()));
            }
            let queues = json!({"batchSize": 1, "newBatchThreshold": 0, "maxDequeueCount": 100,
                "visibilityTimeout": "00:00:01"});
            write_app(&place.path(stage), &functions, queues, SETTINGS);
            storage.make_queue(stage);
        }
        Some(Self { place, storage })
    }

    fn start(&self, stage: &str, settings: &[(&str, &str)]) -> Instance {
        let connection = self.storage.connection_string();
        let mut all = vec![
            ("PipelineStorage", connection.as_str()),
            ("SEPTET_CACHE", cache()),
        ];
        all.extend(settings);
        let host = Host::start(App::read(&self.place.path(stage)), &all);
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

    /// A file of the demo arrives in the container.
    fn arrive(&self, name: &str, bytes: &[u8]) {
        let (url, etag) = self.storage.put_blob("incoming", name, bytes);
        let event = json!({"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "id": name,
            "source": "/subscriptions/x", "data": {"api": "PutBlob", "url": url, "eTag": etag}});
        self.storage
            .put("ingest", &BASE64_STANDARD.encode(event.to_string()));
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
    let mut instances: Vec<Instance> = STAGES
        .iter()
        .filter(|stage| **stage != "train")
        .map(|stage| apps.start(stage, &[]))
        .collect();
    // The first instance of train dies with its machine when it has begun: the message stays hidden
    // for ten minutes, and nobody deletes it.
    let lost = apps.start("train", &[("SEPTET_FAILPOINT", "executed:1")]);
    lost.host.lose_together();
    let data = demo("penguins.csv");
    apps.arrive("penguins.csv", &std::fs::read(&data).unwrap());
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

    // What is not fit to be learnt from ends in our own poison queue, by an invocation that went well.
    let failed = |instances: &[Instance]| -> usize {
        let failed = instances
            .iter()
            .map(|i| i.listener.counts.failed.load(Ordering::SeqCst));
        failed.sum()
    };
    let before = failed(&instances);
    apps.arrive("bad.csv", b"species,sex\n");
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
