//! Runs that are begun once, ended early, handed back, or need the same work at once.

use std::{sync::Arc, time::Duration};

use septet::{
    contract::Stage,
    pipeline::{Pipeline, Policy, Silent, Status, Worker},
    store::{Clock as _, ManualClock, Message, memory_with},
};

use super::{
    backends::{ALL, Fresh, all, block_on},
    bench::Bench,
    faults::{Fault, Faults, Then},
    stages::{Account, Instead, Stages, train},
};

fn worker(fresh: &Fresh, account: &Arc<Account>, policy: Policy) -> Worker {
    let pipeline = Pipeline::with_clock(fresh.one.clone(), fresh.clock.clone());
    let stages = Stages::over(&fresh.one, account);
    Worker::new(pipeline, stages, Arc::new(Silent)).with_policy(policy)
}

#[test]
fn a_cancelled_run_is_at_its_end() {
    for (_, fresh) in all() {
        let fresh = fresh();
        block_on(async {
            let account: Arc<Account> = Arc::default();
            let worker = worker(&fresh, &account, Policy::default());
            let pipeline = worker.pipeline().clone();
            let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
            let one = worker.receive_of(|_| true).await.unwrap().unwrap();
            worker.handle(&one).await.unwrap();
            let status = pipeline.cancel(&run, "a person").await.unwrap();
            assert_eq!(status, Status::Cancelled);
            // Nothing of it is left, nothing more is done, and it stays so.
            assert!(fresh.one.queues.counts().await.unwrap().is_empty());
            let state = worker.drain(&run).await.unwrap();
            assert_eq!(state.status(), Status::Cancelled);
            let reason = state.failure().unwrap().reason().unwrap();
            assert_eq!(reason, "cancelled by a person");
            assert_eq!(account.take().len(), 1);
            assert!(pipeline.recover().await.unwrap().active.is_empty());
            let again = pipeline.cancel(&run, "another").await.unwrap();
            assert_eq!(again, Status::Cancelled);
            // One that is done stays done.
            let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
            worker.drain(&run).await.unwrap();
            let status = pipeline.cancel(&run, "a person").await.unwrap();
            assert_eq!(status, Status::Done);
        });
    }
}

#[test]
fn what_is_worked_on_is_stopped_when_its_run_is_cancelled() {
    block_on(async {
        let fresh = ALL[0].1();
        let account: Arc<Account> = Arc::default();
        let policy = Policy {
            watch: Duration::from_millis(20),
            ..Policy::default()
        };
        let worker = worker(&fresh, &account, policy);
        let pipeline = worker.pipeline().clone();
        account.plan(Stage::Train, [Instead::Sleep(Duration::from_mins(5))]);
        let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
        let draining = {
            let (worker, run) = (worker.clone(), run.clone());
            tokio::spawn(async move { worker.drain(&run).await.unwrap().status() })
        };
        let begun = || {
            account
                .executed
                .lock()
                .unwrap()
                .contains(&(Stage::Train, 0))
        };
        while !begun() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        pipeline.cancel(&run, "a person").await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(20), draining).await;
        assert_eq!(ended.unwrap().unwrap(), Status::Cancelled);
        assert!(fresh.one.queues.counts().await.unwrap().is_empty());
    });
}

#[test]
fn one_cause_begins_one_run() {
    let fresh = ALL[0].1;
    // How many operations it takes to begin one.
    let count = block_on(async {
        let fresh = fresh();
        let (store, faults) = Faults::over(&fresh.one, None, Then::Stop);
        let pipeline = Pipeline::with_clock(store, fresh.clock.clone());
        let request = train(&fresh.one, 1.0).await;
        pipeline.start_once("tick", request).await.unwrap();
        faults.count()
    });
    for number in 0..count {
        for fault in [Fault::Before(number), Fault::After(number)] {
            let fresh = fresh();
            block_on(async {
                let (store, _) = Faults::over(&fresh.one, Some(fault), Then::Stop);
                let stopped = Pipeline::with_clock(store, fresh.clock.clone());
                let request = || train(&fresh.one, 1.0);
                stopped
                    .start_once("tick", request().await)
                    .await
                    .unwrap_err();
                // Whoever comes next finds it, or begins it for good.
                let account: Arc<Account> = Arc::default();
                let worker = worker(&fresh, &account, Policy::default());
                let pipeline = worker.pipeline();
                let (run, _) = pipeline.start_once("tick", request().await).await.unwrap();
                let (again, new) = pipeline.start_once("tick", request().await).await.unwrap();
                assert_eq!((&again, new), (&run, false), "{fault:?}");
                assert_eq!(pipeline.started("tick").await.unwrap(), Some(run.clone()));
                assert_eq!(pipeline.started("tack").await.unwrap(), None);
                pipeline.recover().await.unwrap();
                let state = worker.drain(&run).await.unwrap();
                assert_eq!(state.status(), Status::Done, "{fault:?}");
                assert_eq!(pipeline.runs(9).await.unwrap().len(), 1, "{fault:?}");
            });
        }
    }
}

#[test]
fn what_is_handed_back_goes_on_at_once_and_counts_for_nothing() {
    let bench = Bench::new();
    block_on(async {
        let request = train(&bench.fresh.one, 1.0).await;
        let run = bench.pipeline.start(request).await.unwrap();
        for _ in 0..40 {
            let received = bench.worker.receive_of(|_| true).await.unwrap().unwrap();
            assert_eq!(received.dequeue_count, 1);
            bench.worker.hand_back(&received).await.unwrap();
        }
        assert_eq!(bench.counts().await, [("ingest".to_owned(), 3)]);
        let state = bench.worker.drain(&run).await.unwrap();
        assert_eq!(state.status(), Status::Done);
        assert_eq!(bench.account.take().len(), 7);
    });
}

#[test]
fn runs_that_need_the_same_work_at_once_have_it_done_once() {
    block_on(async {
        let store = memory_with(Arc::new(ManualClock::new(1_700_000_000_000)));
        let account: Arc<Account> = Arc::default();
        let pipeline = Pipeline::new(store.clone());
        // Each takes long enough for the others to come.
        let slow = || (0..20).map(|_| Instead::Sleep(Duration::from_millis(60)));
        account.plan(Stage::Ingest, slow());
        account.plan(Stage::Preprocess, slow());
        account.plan(Stage::Train, slow());
        let mut runs = Vec::new();
        for _ in 0..4 {
            runs.push(pipeline.start(train(&store, 1.0).await).await.unwrap());
        }
        let draining: Vec<_> = runs
            .into_iter()
            .map(|run| {
                let stages = Stages::over(&store, &account);
                let worker = Worker::new(Pipeline::new(store.clone()), stages, Arc::new(Silent));
                tokio::spawn(async move { worker.drain(&run).await.unwrap().status() })
            })
            .collect();
        for status in draining {
            assert_eq!(status.await.unwrap(), Status::Done);
        }
        let executed = account.take();
        let of = |stage| executed.iter().filter(|(s, _)| *s == stage).count();
        assert_eq!(
            (of(Stage::Ingest), of(Stage::Preprocess), of(Stage::Train)),
            (3, 1, 1)
        );
        assert!(
            store
                .records
                .list("doing/", None, 9)
                .await
                .unwrap()
                .is_empty()
        );
    });
}

#[test]
fn who_died_at_a_work_does_not_keep_others_from_it() {
    let bench = Bench::new();
    block_on(async {
        let store = &bench.fresh.one;
        bench.pipeline.start(train(store, 1.0).await).await.unwrap();
        // Begun and never ended: its process is gone.
        bench
            .account
            .plan(Stage::Ingest, [Instead::Sleep(Duration::from_mins(5))]);
        let received = bench.worker.receive_of(|_| true).await.unwrap().unwrap();
        let begun = bench.worker.handle(&received);
        let _ = tokio::time::timeout(Duration::from_millis(100), begun).await;
        assert_eq!(
            store.records.list("doing/", None, 9).await.unwrap().len(),
            1
        );
        let before = bench.fresh.clock.now();
        bench.fresh.later(Duration::from_mins(1));
        assert!(bench.fresh.clock.now() > before);
        let state = bench.train(1.0).await;
        assert_eq!(state.status(), Status::Done);
    });
}

#[test]
fn a_failure_without_a_lease_is_not_committed() {
    block_on(async {
        let fresh = ALL[0].1();
        let account: Arc<Account> = Arc::default();
        let worker = worker(&fresh, &account, Policy::default());
        let pipeline = worker.pipeline().clone();
        let run = pipeline.start(train(&fresh.one, 1.0).await).await.unwrap();
        let received = worker.receive_of(|_| true).await.unwrap().unwrap();
        // Another has it now, and does it well.
        fresh.later(Duration::from_mins(1));
        let mut other = None;
        while other
            .as_ref()
            .is_none_or(|o: &septet::store::Received| o.message.id != received.message.id)
        {
            other = worker.receive_of(|_| true).await.unwrap();
        }
        let no = septet::contract::Disposition::Rejected {
            reason: "out of memory".to_owned(),
        };
        account.plan(Stage::Ingest, [Instead::Answer(no)]);
        worker.handle(&received).await.unwrap();
        assert_eq!(account.take().len(), 1);
        let state = pipeline.state(&run).await.unwrap();
        assert_eq!(state.status(), Status::Pending);
        worker.handle(&other.unwrap()).await.unwrap();
        fresh.later(Duration::from_mins(1));
        let state = worker.drain(&run).await.unwrap();
        assert_eq!(state.status(), Status::Done);
    });
}

#[test]
fn a_large_message_of_a_stage_leaves_a_claim() {
    let bench = Bench::new();
    block_on(async {
        *bench.account.alert.lock().unwrap() = vec![b'x'; 100_000];
        bench.train(1.0).await;
        let alerts = bench.fresh.one.queues.peek("alerts", 9).await.unwrap();
        let Message { body, .. } = &alerts[0];
        let event: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(event["type"], "septet.claim");
        assert_eq!(event["data"]["size"], 100_000);
        assert!(event["traceparent"].as_str().unwrap().starts_with("00-"));
        let digest = event["data"]["digest"].as_str().unwrap().parse().unwrap();
        let claimed = bench.fresh.one.blobs.get(&digest, 1 << 20).await.unwrap();
        assert_eq!(claimed, vec![b'x'; 100_000]);
    });
}
