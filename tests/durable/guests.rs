//! Stages that trap, loop, or answer rubbish, in runs beside a good one: each ends in its
//! disposition, on record and in the poison queue, and harms no other.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use septet::{
    components::EMBEDDED,
    contract::{Blame, Stage},
    pipeline::{Pipeline, Policy, RunRequest, Silent, Status},
    stage::{Grants, Limits, StageExecutor},
    store::{Local, Mode},
    trigger::{Concurrency, QueueTrigger, Stages, Stop},
};
use serde_json::json;

use super::server::{Site, undisturbed};
use crate::support::guests::guest;

/// How a run with a bad train stage ends.
struct Bad {
    does: &'static str,
    status: Status,
    attempts: u32,
    blame: Option<Blame>,
    reason: &'static str,
}

const FAILED: Bad = Bad {
    does: "",
    status: Status::Failed,
    attempts: 2,
    blame: Some(Blame::Guest),
    reason: "",
};

/// What bad guests do, and what comes of it.
const BAD: [Bad; 11] = [
    Bad {
        does: "panic",
        reason: "index out of bounds",
        ..FAILED
    },
    Bad {
        does: "exit",
        reason: "it called exit(",
        ..FAILED
    },
    Bad {
        does: "loop",
        reason: "limit cpu_seconds allows 1",
        ..FAILED
    },
    Bad {
        does: "recurse",
        reason: "limit stack_bytes allows 1048576",
        ..FAILED
    },
    Bad {
        does: "hoard-memory",
        reason: "limit guarded_memory_bytes allows",
        ..FAILED
    },
    Bad {
        does: "fail",
        reason: "xxx",
        ..FAILED
    },
    Bad {
        does: "answer-nan",
        reason: "accuracy",
        ..FAILED
    },
    Bad {
        does: "answer-other-size",
        reason: "out",
        ..FAILED
    },
    Bad {
        does: "copy",
        reason: "gave no 'bundle'",
        ..FAILED
    },
    Bad {
        does: "retry",
        attempts: 3,
        reason: "it asked to be tried again too often: busy",
        ..FAILED
    },
    Bad {
        does: "reject",
        status: Status::Rejected,
        attempts: 1,
        blame: None,
        reason: "no such column",
    },
];

#[test]
fn bad_stages_end_in_their_dispositions() {
    let site = Site::new();
    let good = site.queue(1, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let local = Local::open(&site.store(), Mode::Existing).await.unwrap();
        let store = local.store();
        let pipeline = Pipeline::new(store.clone());
        let like = pipeline.state(&good).await.unwrap().request;
        let component = store.blobs.put(guest("train")).await.unwrap();
        let rubbish = store.blobs.put(b"no component").await.unwrap();
        let with = |does: &str, component| RunRequest {
            name: format!("bad-{does}"),
            components: {
                let mut components = like.components.clone();
                components.insert(Stage::Train, component);
                components
            },
            parameters: {
                let mut parameters = like.parameters.clone();
                parameters.insert(Stage::Train, json!({ "do": does }));
                for stage in [Stage::Evaluate, Stage::Deploy] {
                    parameters.remove(&stage);
                }
                parameters
            },
            ..RunRequest::clone(&like)
        };
        let mut runs = Vec::new();
        for bad in BAD {
            let run = pipeline.start(with(bad.does, component)).await.unwrap();
            runs.push((run, bad));
        }
        let run = pipeline.start(with("nothing", rubbish)).await.unwrap();
        let no_component = Bad {
            does: "nothing",
            status: Status::Rejected,
            attempts: 1,
            blame: None,
            reason: "component",
        };
        runs.push((run, no_component));

        work(&pipeline).await;

        let poisoned = pipeline.poisoned(Stage::Train, 99).await.unwrap();
        assert_eq!(poisoned.len(), runs.len());
        let poisoned: BTreeMap<_, _> = poisoned
            .into_iter()
            .map(|(_, message)| (message.invocation.clone().unwrap().run, message))
            .collect();
        for (run, bad) in &runs {
            let state = pipeline.state(run).await.unwrap();
            let failure = state.failure().unwrap();
            let reason = failure.reason().unwrap();
            assert_eq!(state.status(), bad.status, "{}: {reason}", bad.does);
            assert!(reason.contains(bad.reason), "{}: {reason}", bad.does);
            assert_eq!(reason.lines().count(), 1, "{reason}");
            let message = &poisoned[run];
            assert_eq!(message.reason, reason);
            assert_eq!(message.blame, bad.blame, "{}: {reason}", bad.does);
            assert_eq!(message.attempt, bad.attempts, "{}: {reason}", bad.does);
        }
    });
    assert_eq!(site.done(&good).outputs(), *undisturbed(1));
    let mut queues = site.queues();
    assert_eq!(queues.remove("train-poison"), Some(BAD.len() as u64 + 1));
    queues.remove("alerts");
    assert_eq!(queues, BTreeMap::new());
}

/// Works until no run is unfinished, with the embedded stages and small limits.
async fn work(pipeline: &Pipeline) {
    let limits = Limits {
        cpu_seconds: 1,
        guarded_memory_bytes: 64 << 20,
        ..Limits::default()
    };
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    let blobs = Arc::clone(&pipeline.store().blobs);
    let stages = StageExecutor::new(&EMBEDDED, Some(&cache), limits, Grants::default(), blobs);
    let policy = Policy {
        lease: Duration::from_secs(1),
        failures: 2,
        attempts: 3,
        backoff: Duration::from_millis(1),
        longest_delay: Duration::from_millis(1),
        ..Policy::default()
    };
    let concurrency = Concurrency {
        total: 4,
        stages: BTreeMap::new(),
        memory: None,
    };
    let trigger = QueueTrigger::new(
        pipeline.clone(),
        Arc::new(Stages(Arc::new(stages.unwrap()))),
        Arc::new(Silent),
        (policy, Stage::ALL.to_vec()),
        concurrency,
        Duration::from_secs(1),
    );
    let stop = Stop::new();
    let asked = stop.clone();
    let idle = async {
        let begun = Instant::now();
        while !pipeline.is_idle().await.unwrap() {
            assert!(begun.elapsed() < Duration::from_mins(1), "not all ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        asked.ask();
    };
    tokio::join!(trigger.work(&stop), idle);
}
