//! Garbage collection: what is needed stays, what is not goes, whoever works and whatever crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use septet::{
    contract::{Digest, Disposition, Stage},
    pipeline::{Collect, Collected, Pipeline, RunState, Status, Worker},
    store::{BlobError, BlobReader, BlobWriter, Blobs, Listed, Store},
};

use super::{
    backends::{ALL, Factory, Fresh, all, block_on},
    bench,
    faults::{Fault, Faults, Then},
    stages::{Account, Instead, monitor, train},
};

const DAY: Duration = Duration::from_hours(24);
const YEARS: Duration = Duration::from_hours(24 * 365 * 30);

const GRACE: Collect = Collect {
    grace: DAY,
    forget: None,
    dry_run: false,
};

const FORGET: Collect = Collect {
    forget: Some(Duration::from_hours(24 * 90)),
    ..GRACE
};

struct Bench {
    fresh: Fresh,
    pipeline: Pipeline,
    account: Arc<Account>,
    worker: Worker,
}

impl Bench {
    /// The clock is past the real one, from which runs have their identifiers.
    fn new(fresh: Factory) -> Self {
        let fresh = fresh();
        fresh.later(YEARS);
        let bench::Bench {
            fresh,
            pipeline,
            worker,
            account,
        } = bench::Bench::over(fresh);
        Self {
            fresh,
            pipeline,
            account,
            worker,
        }
    }

    async fn train(&self, quality: f64) -> RunState {
        let request = train(&self.fresh.one, quality).await;
        let run = self.pipeline.start(request).await.unwrap();
        self.worker.drain(&run).await.unwrap()
    }

    async fn blobs(&self) -> BTreeSet<Digest> {
        let listed = self.fresh.two.blobs.list(None, 100_000).await.unwrap();
        listed.iter().map(|listed| listed.digest).collect()
    }

    async fn keys(&self) -> BTreeSet<String> {
        let records = self.fresh.two.records.list("", None, 100_000).await;
        records.unwrap().into_iter().map(|e| e.key).collect()
    }

    /// Every record and blob is as it should be.
    async fn is_whole(&self) {
        let components = Stage::ALL.map(|stage| Digest::of(stage.name().as_bytes()));
        let verified = self.pipeline.verify(&components.into()).await.unwrap();
        assert_eq!(verified.problems, []);
        for run in self.pipeline.runs(10_000).await.unwrap() {
            let state = self.pipeline.state(&run.id).await.unwrap();
            for commit in state.commits() {
                let outputs = commit.outcome().map(|outcome| &outcome.outputs);
                for output in outputs.into_iter().flatten() {
                    let blobs = &self.fresh.two.blobs;
                    let bytes = blobs.get(&output.digest, 1 << 20).await.unwrap();
                    assert_eq!(bytes.len() as u64, output.size);
                }
            }
        }
    }
}

#[test]
fn what_is_needed_stays_and_what_is_not_goes() {
    for (name, fresh) in all() {
        println!("backend {name}");
        let bench = Bench::new(fresh);
        block_on(async {
            let blobs = &bench.fresh.one.blobs;
            bench.train(1.0).await;
            let needed = bench.blobs().await;
            let stray = blobs.put(b"nobody needs it").await.unwrap();
            bench.fresh.later(2 * DAY);
            let young = blobs.put(b"who needs it comes later").await.unwrap();
            let mut unfinished = blobs.create().await.unwrap();
            unfinished.write(b"on its way").await.unwrap();

            let (keys, all) = (bench.keys().await, bench.blobs().await);
            let dry = Collect {
                dry_run: true,
                ..GRACE
            };
            let counted = bench.pipeline.collect(&dry).await.unwrap();
            assert_eq!(bench.blobs().await, all);
            let collected = bench.pipeline.collect(&GRACE).await.unwrap();
            assert_eq!(collected, counted);
            // What it takes on a disk, which is more where it is encrypted.
            assert_eq!(collected.blobs, 1);
            assert!((15..100).contains(&collected.bytes), "{collected:?}");
            assert_eq!((collected.runs, collected.records), (0, 0));
            assert_eq!(collected.young_blobs, 1);
            assert_eq!(collected.kept_blobs, needed.len() as u64 + 1);
            let mut expected = needed.clone();
            expected.insert(young);
            assert!(!expected.contains(&stray));
            assert_eq!(bench.blobs().await, expected);
            assert_eq!(bench.keys().await, keys);
            bench.is_whole().await;

            let again = bench.pipeline.collect(&GRACE).await.unwrap();
            assert_eq!((again.blobs, again.records), (0, 0));
            let (finished, _) = unfinished.finish().await.unwrap();
            assert_eq!(blobs.get(&finished, 99).await.unwrap(), b"on its way");
            // A second identical run finds all of its work, after as well as before.
            bench.account.take();
            bench.train(1.0).await;
            assert_eq!(bench.account.take(), []);
        });
    }
}

#[test]
fn what_is_touched_when_it_is_about_to_be_deleted_stays() {
    for (_, fresh) in all() {
        let bench = Bench::new(fresh);
        block_on(async {
            let digest = bench.fresh.one.blobs.put(b"old").await.unwrap();
            bench.fresh.later(2 * DAY);
            let store = Store {
                blobs: Arc::new(Touching(bench.fresh.one.blobs.clone())),
                ..bench.fresh.one.clone()
            };
            let pipeline = Pipeline::with_clock(store, bench.fresh.clock.clone());
            let collected = pipeline.collect(&GRACE).await.unwrap();
            assert_eq!((collected.blobs, collected.kept_blobs), (0, 1));
            assert!(bench.blobs().await.contains(&digest));
        });
    }
}

/// Another process touches each blob just before it is deleted.
struct Touching(Arc<dyn Blobs>);

#[async_trait]
impl Blobs for Touching {
    async fn create(&self) -> anyhow::Result<Box<dyn BlobWriter>> {
        self.0.create().await
    }

    async fn open(&self, digest: &Digest) -> Result<Box<dyn BlobReader>, BlobError> {
        self.0.open(digest).await
    }

    async fn touch(&self, digest: &Digest) -> anyhow::Result<Option<u64>> {
        self.0.touch(digest).await
    }

    async fn list(&self, after: Option<&Digest>, limit: usize) -> anyhow::Result<Vec<Listed>> {
        self.0.list(after, limit).await
    }

    async fn remove(&self, listed: &Listed) -> anyhow::Result<bool> {
        self.0.touch(&listed.digest).await?;
        self.0.remove(listed).await
    }
}

#[test]
fn a_record_that_cannot_be_read_ends_it() {
    for (key, value) in [
        ("runs/x", "{}"),
        ("active/x", "[]"),
        ("commits/x/train/000000", "{\"half\""),
        ("work/x", "{}"),
        ("models/iris/log/000000000001", "{}"),
        ("models/iris/log/000000000007", "{}"),
    ] {
        let bench = Bench::new(ALL[0].1);
        block_on(async {
            bench.fresh.one.blobs.put(b"stray").await.unwrap();
            let records = &bench.fresh.one.records;
            records.create(key, value.as_bytes()).await.unwrap();
            bench.fresh.later(200 * DAY);
            let before = (bench.blobs().await, bench.keys().await);
            let error = bench.pipeline.collect(&FORGET).await.unwrap_err();
            let line = format!("{error:#}");
            assert!(line.contains(key) || line.contains("iris"), "{line}");
            assert_eq!((bench.blobs().await, bench.keys().await), before);
            let verified = bench.pipeline.verify(&BTreeSet::new()).await.unwrap();
            assert!(!verified.is_whole());
        });
    }
}

#[test]
fn old_runs_that_nobody_needs_are_forgotten() {
    for (name, fresh) in all() {
        println!("backend {name}");
        let bench = Bench::new(fresh);
        block_on(async {
            let pipeline = &bench.pipeline;
            let first = bench.train(1.0).await;
            let second = bench.train(2.0).await;
            let again = bench.train(1.0).await;
            let request = monitor(pipeline).await;
            let caused = pipeline.start_once("a file", request.clone()).await;
            let (watched, true) = caused.unwrap() else {
                panic!("it is not new")
            };
            bench.worker.drain(&watched).await.unwrap();
            let reason = "no".to_owned();
            let rejected = Instead::Answer(Disposition::Rejected { reason });
            bench.account.plan(Stage::Train, [rejected]);
            let rejected = bench.train(3.0).await;
            assert_eq!(rejected.status(), Status::Rejected);
            let all = bench.keys().await;

            // Young runs stay.
            assert_eq!(pipeline.collect(&FORGET).await.unwrap().runs, 0);
            assert_eq!(bench.keys().await, all);
            bench.fresh.later(100 * DAY);
            // A run that reuses an old one's work needs it.
            let same = pipeline.start(request.clone()).await.unwrap();
            let same = bench.worker.drain(&same).await.unwrap();
            assert!(same.commits().all(|commit| commit.cached.is_some()));
            let dry = Collect {
                dry_run: true,
                ..FORGET
            };
            let counted = pipeline.collect(&dry).await.unwrap();
            let collected = pipeline.collect(&FORGET).await.unwrap();
            assert_eq!(collected, counted);
            let ids = |runs: Vec<septet::pipeline::RunSummary>| -> BTreeSet<String> {
                runs.into_iter().map(|run| run.id).collect()
            };
            let kept = [&first.id, &second.id, &watched, &rejected.id, &same.id];
            let kept: BTreeSet<String> = kept.into_iter().cloned().collect();
            assert!(!kept.contains(&again.id));
            assert_eq!(ids(pipeline.runs(99).await.unwrap()), kept);
            assert_eq!(collected.runs, 1);
            bench.is_whole().await;

            bench.fresh.later(100 * DAY);
            let counted = pipeline.collect(&dry).await.unwrap();
            let collected = pipeline.collect(&FORGET).await.unwrap();
            assert_eq!(collected, counted);
            assert_eq!(collected.runs, 2);
            assert!(collected.blobs > 0);
            bench.is_whole().await;
            let again = pipeline.collect(&FORGET).await.unwrap();
            assert_eq!((again.runs, again.records, again.blobs), (0, 0, 0));
            // Its cause does not begin it again; and who asks is told that it was begun.
            let caused = pipeline.start_once("a file", request.clone()).await;
            assert_eq!(caused.unwrap(), (watched.clone(), false));
            assert!(pipeline.state(&watched).await.is_err());
            let left: Vec<_> = bench.keys().await.into_iter().collect();
            let left = left.iter().filter(|key| key.contains(&watched));
            assert_eq!(left.collect::<Vec<_>>(), [&format!("forgotten/{watched}")]);
            // Without a cause it is begun afresh, and done again.
            bench.account.take();
            let anew = pipeline.start(request).await.unwrap();
            let anew = bench.worker.drain(&anew).await.unwrap();
            assert_eq!(anew.status(), Status::Done);
            assert!(!bench.account.take().is_empty());

            // What came to nothing can be replayed as long as its message is there.
            let poisoned = pipeline.poisoned(Stage::Train, 9).await.unwrap();
            pipeline
                .discard(Stage::Train, &poisoned[0].0)
                .await
                .unwrap();
            assert_eq!(pipeline.collect(&FORGET).await.unwrap().runs, 1);
            assert!(pipeline.state(&rejected.id).await.is_err());
            bench.is_whole().await;
        });
    }
}

/// A store with something to forget and to delete.
fn prepared(fresh: Factory) -> Bench {
    let bench = Bench::new(fresh);
    block_on(async {
        bench.train(1.0).await;
        let request = monitor(&bench.pipeline).await;
        let caused = bench.pipeline.start_once("tick", request).await.unwrap();
        bench.worker.drain(&caused.0).await.unwrap();
        bench.fresh.one.blobs.put(b"stray").await.unwrap();
        bench.fresh.later(100 * DAY);
    });
    bench
}

/// What is there, without the runs' identifiers.
async fn shape(bench: &Bench) -> (BTreeSet<Digest>, BTreeMap<String, usize>) {
    let mut kinds = BTreeMap::new();
    for key in bench.keys().await {
        let kind = key.split('/').next().unwrap().to_owned();
        *kinds.entry(kind).or_default() += 1;
    }
    (bench.blobs().await, kinds)
}

fn check_every(fresh: Factory, step: usize) {
    let bench = prepared(fresh);
    let (expected, count) = block_on(async {
        let (store, faults) = Faults::over(&bench.fresh.one, None, Then::Stop);
        let pipeline = Pipeline::with_clock(store, bench.fresh.clock.clone());
        let collected = pipeline.collect(&FORGET).await.unwrap();
        assert_eq!(collected.runs, 1);
        assert!(collected.blobs > 2);
        (shape(&bench).await, faults.count())
    });
    for number in (0..count).step_by(step) {
        for fault in [Fault::Before(number), Fault::After(number)] {
            let bench = prepared(fresh);
            block_on(async {
                let (store, faults) = Faults::over(&bench.fresh.one, Some(fault), Then::Stop);
                let pipeline = Pipeline::with_clock(store, bench.fresh.clock.clone());
                assert!(pipeline.collect(&FORGET).await.is_err());
                let failed = faults.failed.lock().unwrap().clone();
                // Nobody stumbles over what is left, and the same file begins nothing.
                bench.is_whole().await;
                let request = monitor(&bench.pipeline).await;
                let caused = bench.pipeline.start_once("tick", request).await;
                assert!(!caused.unwrap().1, "{fault:?}: {failed}");
                bench.fresh.later(2 * DAY);
                bench.pipeline.collect(&FORGET).await.unwrap();
                assert_eq!(shape(&bench).await, expected, "{fault:?}: {failed}");
                bench.is_whole().await;
            });
        }
    }
}

#[test]
fn a_collection_that_is_stopped_is_finished_by_the_next() {
    check_every(ALL[0].1, 1);
}

#[test]
fn a_collection_that_is_stopped_on_a_real_folder_is_finished_by_the_next() {
    check_every(ALL[1].1, 11);
}

#[test]
fn it_runs_beside_workers() {
    for (name, fresh) in all() {
        println!("backend {name}");
        let bench = Bench::new(fresh);
        let ended = Arc::new(AtomicBool::new(false));
        block_on(async {
            let collecting = {
                let (store, clock) = (bench.fresh.two.clone(), bench.fresh.clock.clone());
                let ended = Arc::clone(&ended);
                tokio::spawn(async move {
                    let pipeline = Pipeline::with_clock(store, clock);
                    let short = Collect {
                        grace: Duration::from_mins(10),
                        forget: Some(Duration::from_mins(30)),
                        dry_run: false,
                    };
                    let mut sum = Collected::default();
                    while !ended.load(Ordering::SeqCst) {
                        let collected = pipeline.collect(&short).await.unwrap();
                        sum.blobs += collected.blobs;
                        sum.runs += collected.runs;
                        tokio::task::yield_now().await;
                    }
                    sum
                })
            };
            for round in 0..30_u32 {
                // New ones, better ones, the same again, and old ones whose work is gone.
                let state = bench.train(f64::from(round % 7)).await;
                assert_eq!(state.status(), Status::Done, "{:?}", state.failure());
                let mut request = monitor(&bench.pipeline).await;
                request.seed = u64::from(round % 5);
                let run = bench.pipeline.start(request).await.unwrap();
                let state = bench.worker.drain(&run).await.unwrap();
                assert_eq!(state.status(), Status::Done, "{:?}", state.failure());
                let stray = format!("stray {round}");
                bench.fresh.one.blobs.put(stray.as_bytes()).await.unwrap();
                bench.fresh.later(Duration::from_mins(3));
            }
            ended.store(true, Ordering::SeqCst);
            let sum = collecting.await.unwrap();
            bench.fresh.later(DAY);
            bench.pipeline.collect(&GRACE).await.unwrap();
            bench.is_whole().await;
            println!("{sum:?}");
            assert!(sum.blobs > 0 && sum.runs > 0, "{sum:?}");
        });
    }
}
