//! The pipeline against a simple model: whatever is done to it in whatever order, each run comes to
//! its one end, each work is committed once for each run, and nothing is left.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;
use septet::{
    contract::Stage,
    pipeline::{Pipeline, Policy, Silent, Status, Worker},
    store::Received,
};

use super::{
    backends::{ALL, Fresh, block_on},
    faults::{Fault, Faults, Then},
    stages::{Account, Stages, train},
};

#[derive(Clone, Debug)]
enum Step {
    /// A run for a model of this quality, begun by this cause.
    Start {
        quality: u8,
        cause: u8,
    },
    /// A worker takes a message and does what it asks for.
    Work,
    /// A worker takes a message, and its process ends after so many operations of the store.
    Crash {
        after: u8,
    },
    /// A worker takes a message and hands it back.
    HandBack,
    /// A message is taken, and answered much later.
    Freeze,
    /// The one that was taken longest ago is answered now, whoever has it meanwhile.
    Thaw,
    /// A message is sent a second time.
    Duplicate,
    /// The recoverer comes by.
    Recover,
    /// The run with this number is cancelled.
    Cancel {
        which: usize,
    },
    Wait {
        seconds: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8, 0..4_u8).prop_map(|(quality, cause)| Step::Start { quality, cause }),
        10 => Just(Step::Work),
        5 => (0..40_u8).prop_map(|after| Step::Crash { after }),
        2 => Just(Step::HandBack),
        2 => Just(Step::Freeze),
        2 => Just(Step::Thaw),
        2 => Just(Step::Duplicate),
        1 => Just(Step::Recover),
        1 => (0..4_usize).prop_map(|which| Step::Cancel { which }),
        2 => (1..40_u8).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What the pipeline promises, and nothing of how it does it.
#[derive(Default)]
struct Model {
    /// The run of each cause, and the quality that it was begun with.
    runs: BTreeMap<u8, (String, u8)>,
    cancelled: BTreeSet<String>,
}

struct Machine<'a> {
    fresh: &'a Fresh,
    account: Arc<Account>,
    model: Model,
    frozen: Vec<Received>,
}

impl Machine<'_> {
    fn worker(&self, fault: Option<Fault>) -> Worker {
        let (store, _) = Faults::over(&self.fresh.one, fault, Then::Stop);
        let pipeline = Pipeline::with_clock(store.clone(), self.fresh.clock.clone());
        let policy = Policy {
            deliveries: 1000,
            failures: 1000,
            poll: Duration::from_millis(1),
            watch: Duration::from_millis(2),
            ..Policy::default()
        };
        let stages = Stages::over(&store, &self.account);
        Worker::new(pipeline, stages, Arc::new(Silent)).with_policy(policy)
    }

    /// Another may be taken to be at the work, and it takes time to find out that it is not.
    async fn handle(&self, worker: &Worker, received: &Received) {
        let handling = worker.handle(received);
        let _ = tokio::time::timeout(Duration::from_millis(40), handling).await;
    }

    async fn step(&mut self, step: Step) {
        let worker = self.worker(None);
        let pipeline = worker.pipeline().clone();
        match step {
            Step::Start { quality, cause } => {
                let request = train(&self.fresh.one, f64::from(quality)).await;
                let key = format!("cause {cause}");
                let (run, new) = pipeline.start_once(&key, request).await.unwrap();
                let known = self.model.runs.get(&cause).map(|(run, _)| run);
                assert_eq!(known.is_none(), new);
                assert!(known.is_none_or(|known| *known == run));
                self.model.runs.entry(cause).or_insert((run, quality));
            }
            Step::Work => {
                if let Some(received) = worker.receive_of(|_| true).await.unwrap() {
                    self.handle(&worker, &received).await;
                }
            }
            Step::Crash { after } => {
                let worker = self.worker(Some(Fault::Before(after.into())));
                if let Ok(Some(received)) = worker.receive_of(|_| true).await {
                    self.handle(&worker, &received).await;
                }
            }
            Step::HandBack => {
                if let Some(received) = worker.receive_of(|_| true).await.unwrap() {
                    worker.hand_back(&received).await.unwrap();
                }
            }
            Step::Freeze => {
                let received = worker.receive_of(|_| true).await.unwrap();
                self.frozen.extend(received);
            }
            Step::Thaw => {
                if !self.frozen.is_empty() {
                    let received = self.frozen.remove(0);
                    self.handle(&worker, &received).await;
                }
            }
            Step::Duplicate => {
                for stage in Stage::ALL {
                    let queues = &self.fresh.one.queues;
                    for mut message in queues.peek(stage.name(), 1).await.unwrap() {
                        // As a queue does that delivers twice.
                        message.id.push_str("-again");
                        queues
                            .send(stage.name(), &message, Duration::ZERO)
                            .await
                            .unwrap();
                    }
                }
            }
            Step::Recover => {
                let recovered = pipeline.recover().await.unwrap();
                assert_eq!(recovered.failed, []);
            }
            Step::Cancel { which } => {
                if let Some((run, _)) = self.model.runs.values().nth(which) {
                    let status = pipeline.cancel(run, "a person").await.unwrap();
                    assert!(matches!(status, Status::Done | Status::Cancelled));
                    if status == Status::Cancelled {
                        self.model.cancelled.insert(run.clone());
                    }
                }
            }
            Step::Wait { seconds } => self.fresh.later(Duration::from_secs(seconds.into())),
        }
    }

    /// All processes are started again and left alone.
    async fn settle(&self) {
        self.fresh.later(Duration::from_mins(10));
        let worker = self.worker(None);
        worker.pipeline().recover().await.unwrap();
        let mut idle = 0;
        while idle < 3 {
            self.fresh.later(Duration::from_mins(1));
            match worker.receive_of(|_| true).await.unwrap() {
                Some(received) => {
                    worker.handle(&received).await.unwrap();
                    idle = 0;
                }
                None => idle += 1,
            }
        }
    }

    async fn check(&self) {
        let worker = self.worker(None);
        let pipeline = worker.pipeline();
        let mut trained = BTreeSet::new();
        for (run, quality) in self.model.runs.values() {
            let state = pipeline.state(run).await.unwrap();
            let cancelled = self.model.cancelled.contains(run);
            let expected = if cancelled {
                Status::Cancelled
            } else {
                Status::Done
            };
            assert_eq!(state.status(), expected, "{:?}", state.failure());
            if !cancelled {
                trained.insert(*quality);
                // Three parts, preprocess, train, and a round or more.
                assert!(state.commits().count() >= 7);
            }
        }
        assert_eq!(
            pipeline.runs(99).await.unwrap().len(),
            self.model.runs.len()
        );
        // Identical content is one version, whoever made it and however often. A run that was
        // cancelled when it had deployed would be done; one before that has none.
        let versions = pipeline.registry().state("iris").await.unwrap().versions;
        assert_eq!(versions.len(), trained.len());
        let records = &self.fresh.one.records;
        for left in ["active/", "doing/"] {
            let left = records.list(left, None, 9).await.unwrap();
            // What a process was at when it ended runs out, and is swept with the rest.
            let open = left.iter().filter(|e| !e.key.starts_with("doing/"));
            assert_eq!(open.count(), 0);
        }
        let counts = self.fresh.one.queues.counts().await.unwrap();
        let left: Vec<_> = counts
            .iter()
            .filter(|(queue, _)| queue != "alerts")
            .collect();
        assert!(left.is_empty(), "{left:?}");
        // One alert for each train that was committed, not one for each time it was said.
        let alerts = counts.iter().find(|(queue, _)| queue == "alerts");
        let alerts = alerts.map_or(0, |(_, count)| *count);
        let trains = records.list("commits/", None, 9999).await.unwrap();
        let trains = trains.iter().filter(|e| e.key.contains("/train/"));
        let trains =
            trains.filter(|e| !String::from_utf8_lossy(&e.value).contains("\"cancelled\""));
        assert_eq!(alerts, trains.count() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..Default::default() })]

    #[test]
    fn the_pipeline_keeps_its_promises(steps in proptest::collection::vec(step(), 1..60)) {
        for (name, fresh) in ALL.into_iter().take(2) {
            println!("backend {name}");
            let fresh = fresh();
            block_on(async {
                let mut machine = Machine {
                    fresh: &fresh,
                    account: Arc::default(),
                    model: Model::default(),
                    frozen: Vec::new(),
                };
                for step in steps.clone() {
                    machine.step(step).await;
                }
                machine.settle().await;
                machine.check().await;
            });
        }
    }
}
