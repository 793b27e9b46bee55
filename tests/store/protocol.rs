//! A run whose process is stopped between any two steps is done all the same: each invocation
//! committed once, nothing registered, promoted or said twice, nothing left.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use septet::{
    contract::{Digest, Stage},
    pipeline::{Pipeline, RunState, Silent, Status, Worker},
    store::Store,
};

use super::{
    backends::{ALL, Factory, Fresh, all, block_on, in_account},
    faults::{Fault, Faults, Then},
    stages::{Account, Stages, train},
};
use crate::support::azurite;

const RESTART: Duration = Duration::from_mins(10);

/// A worker as a process would have it.
fn worker(fresh: &Fresh, store: &Store, account: &Arc<Account>) -> Worker {
    let pipeline = Pipeline::with_clock(store.clone(), fresh.clock.clone());
    let policy = septet::pipeline::Policy {
        concurrency: 1,
        ..Default::default()
    };
    Worker::new(pipeline, Stages::over(store, account), Arc::new(Silent)).with_policy(policy)
}

/// What a whole run comes to.
/// The outputs come last, because they are long.
#[derive(Debug, PartialEq)]
struct Result {
    versions: usize,
    champion: (u32, u64),
    log: usize,
    queues: Vec<(String, u64)>,
    published: usize,
    active: usize,
    outputs: BTreeMap<(Stage, u32, String), Digest>,
}

async fn result(fresh: &Fresh, state: &RunState) -> Result {
    assert_eq!(state.status(), Status::Done);
    let mut outputs = BTreeMap::new();
    for commit in state.commits() {
        let invocation = &commit.invocation;
        assert_eq!(invocation.replay, 0);
        for output in &commit.outcome().unwrap().outputs {
            let key = (invocation.stage, invocation.unit, output.name.clone());
            assert!(outputs.insert(key, output.digest).is_none());
            let size = fresh.one.blobs.touch(&output.digest).await.unwrap();
            assert_eq!(size, Some(output.size));
        }
    }
    let pipeline = Pipeline::new(fresh.one.clone());
    let registry = pipeline.registry();
    // To read it is to check its chain.
    let model = registry.state("iris").await.unwrap();
    let champion = &model.aliases["champion"];
    let records = &fresh.one.records;
    let commits = records.list("commits/", None, 1000).await.unwrap();
    assert_eq!(commits.len(), state.commits().count());
    Result {
        outputs,
        versions: model.versions.len(),
        champion: (champion.version, champion.revision),
        log: registry.log("iris").await.unwrap().len(),
        queues: fresh.one.queues.counts().await.unwrap(),
        published: records.list("published/", None, 1000).await.unwrap().len(),
        active: records.list("active/", None, 1000).await.unwrap().len(),
    }
}

/// Starts and drains a run on a store with a fault; the run's failure is the fault's.
async fn disturbed(fresh: &Fresh, fault: Option<Fault>, then: Then) -> (usize, String) {
    let request = train(&fresh.one, 1.0).await;
    let (store, faults) = Faults::over(&fresh.one, fault, then);
    let worker = worker(fresh, &store, &Arc::default());
    let pipeline = Pipeline::with_clock(store, fresh.clock.clone());
    if let Ok(run) = pipeline.start(request).await {
        for _ in 0..3 {
            if worker.drain(&run).await.is_ok() {
                break;
            }
        }
    }
    let failed = faults.failed.lock().unwrap().clone();
    (faults.count(), failed)
}

/// The process is started again: it recovers, and drains.
async fn restarted(fresh: &Fresh, fault: Option<Fault>) -> anyhow::Result<Result> {
    fresh.clock.advance(RESTART);
    let (store, _) = Faults::over(&fresh.one, fault, Then::Stop);
    let worker = worker(fresh, &store, &Arc::default());
    let pipeline = Pipeline::with_clock(store, fresh.clock.clone());
    let recovered = pipeline.recover().await?;
    if let Some((_, reason)) = recovered.failed.first() {
        anyhow::bail!("{reason}");
    }
    let runs = pipeline.runs(10).await?;
    assert!(runs.len() <= 1);
    let run = match runs.first() {
        Some(run) => run.id.clone(),
        // It was stopped before there was a run: the user starts one.
        None => pipeline.start(train(&fresh.one, 1.0).await).await?,
    };
    let state = worker.drain(&run).await?;
    Ok(result(fresh, &state).await)
}

/// What an undisturbed run comes to, and how many operations it takes.
fn undisturbed(fresh: Factory) -> (Result, usize) {
    let fresh = fresh();
    block_on(async {
        let (count, _) = disturbed(&fresh, None, Then::Stop).await;
        (restarted(&fresh, None).await.unwrap(), count)
    })
}

#[test]
fn an_undisturbed_run_is_whole() {
    for (_, fresh) in all() {
        let (result, count) = undisturbed(fresh);
        assert!(count > 100, "{count}");
        assert_eq!(
            (result.versions, result.champion, result.log),
            (1, (1, 1), 2)
        );
        assert_eq!(result.queues, [("alerts".to_owned(), 1)]);
        assert_eq!((result.published, result.active), (7, 0));
        assert_eq!(result.outputs.len(), 3 * 2 + 5 + 1 + 1 + 1);
    }
}

fn check_every(fresh: Factory, stride: usize, then: Then) {
    let (expected, count) = undisturbed(fresh);
    for number in (0..count).step_by(stride) {
        for fault in [Fault::Before(number), Fault::After(number)] {
            let fresh = fresh();
            block_on(async {
                let (_, failed) = disturbed(&fresh, Some(fault), then).await;
                assert!(!failed.is_empty(), "{fault:?} was never met");
                let result = restarted(&fresh, None).await.unwrap();
                assert_eq!(result, expected, "{fault:?}: {failed}");
            });
        }
    }
}

#[test]
fn a_process_stopped_at_any_step_is_recovered_from() {
    check_every(ALL[0].1, 1, Then::Stop);
}

#[test]
fn a_process_stopped_on_a_real_folder_is_recovered_from() {
    check_every(ALL[1].1, 13, Then::Stop);
}

#[test]
fn a_process_stopped_on_a_storage_account_is_recovered_from() {
    if azurite::is_there() {
        check_every(in_account, 67, Then::Stop);
    }
}

#[test]
fn a_store_that_fails_once_at_any_step_is_got_over() {
    check_every(ALL[0].1, 1, Then::GoOn);
}

#[test]
fn a_recovery_that_is_stopped_is_recovered_from() {
    let fresh = ALL[0].1;
    let (expected, count) = undisturbed(fresh);
    for first in (0..count).step_by(5) {
        // Both kinds and all distances are met in turn, if not in every combination.
        for second in (first % 4..count).step_by(11) {
            let (first, second) = match (first + second) % 4 {
                0 => (Fault::Before(first), Fault::Before(second)),
                1 => (Fault::Before(first), Fault::After(second)),
                2 => (Fault::After(first), Fault::Before(second)),
                _ => (Fault::After(first), Fault::After(second)),
            };
            let fresh = fresh();
            block_on(async {
                disturbed(&fresh, Some(first), Then::Stop).await;
                let _ = restarted(&fresh, Some(second)).await;
                let result = restarted(&fresh, None).await.unwrap();
                assert_eq!(result, expected, "{first:?}, then {second:?}");
            });
        }
    }
}

#[test]
fn messages_that_come_twice_or_late_change_nothing() {
    for (_, fresh) in all() {
        let (expected, _) = undisturbed(fresh);
        let fresh = fresh();
        block_on(async {
            let account = Arc::default();
            let worker = worker(&fresh, &fresh.one, &account);
            let pipeline = Pipeline::with_clock(fresh.one.clone(), fresh.clock.clone());
            let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
            let ingest = fresh.one.queues.peek("ingest", 9).await.unwrap();
            let state = worker.drain(&run).await.unwrap();
            assert_eq!(result(&fresh, &state).await, expected);
            let executed = account.take().len();
            assert_eq!(executed, 7);
            // The same again, as a queue without memory would deliver it.
            for message in ingest {
                let queues = &fresh.one.queues;
                queues
                    .send("ingest", &message, Duration::ZERO)
                    .await
                    .unwrap();
            }
            let lease = Duration::from_secs(9);
            while let Some(received) = fresh.two.queues.receive(&["ingest"], lease).await.unwrap() {
                worker.handle(&received).await.unwrap();
            }
            assert_eq!(account.take(), []);
            assert_eq!(result(&fresh, &state).await, expected);
        });
    }
}

#[test]
fn two_workers_on_one_store_do_it_once() {
    for (_, fresh) in all() {
        let (expected, _) = undisturbed(fresh);
        let fresh = fresh();
        block_on(async {
            let account = Arc::default();
            let workers = [&fresh.one, &fresh.two].map(|store| worker(&fresh, store, &account));
            let pipeline = Pipeline::with_clock(fresh.one.clone(), fresh.clock.clone());
            let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
            let draining = workers.map(|worker| {
                let run = run.clone();
                tokio::spawn(async move { worker.drain(&run).await.unwrap() })
            });
            let [one, two] = draining;
            let states = [one.await.unwrap(), two.await.unwrap()];
            // Both have ended: one may see the run done while the other still deletes its message.
            for state in states {
                assert_eq!(result(&fresh, &state).await, expected);
            }
        });
    }
}
