//! Runs that do not go straight: replays, rollbacks, races for the alias, leases.

use std::{sync::Arc, time::Duration};

use septet::{
    contract::Stage,
    pipeline::{AliasResult, Pipeline, Policy, Silent, Status, Worker},
    store::{Mode, SystemClock},
};

use super::{
    backends::block_on,
    bench::Bench,
    stages::{Account, Instead, Stages, monitor, train},
};

const EVALUATE: (Stage, u32) = (Stage::Evaluate, 0);
const DEPLOY: (Stage, u32) = (Stage::Deploy, 0);

#[test]
fn a_second_identical_run_executes_nothing() {
    let bench = Bench::new();
    block_on(async {
        bench.train(1.0).await;
        assert_eq!(bench.account.take().len(), 7);
        let state = bench.train(1.0).await;
        assert_eq!(bench.account.take(), []);
        assert!(state.commits().all(|commit| commit.cached.is_some()));
        assert_eq!(bench.champion().await, (1, 1));
        // This run's own messages are sent all the same.
        let alerts = bench.fresh.one.queues.peek("alerts", 9).await.unwrap();
        assert_eq!(alerts.len(), 2);
        let deploy = state.last_commit(Stage::Deploy).unwrap();
        let change = state.change(&deploy.invocation).unwrap();
        assert_eq!(change.version, 1);
        assert_eq!(
            change.alias,
            Some(("champion".to_owned(), AliasResult::Set))
        );

        // Other grants are other work.
        "less".clone_into(&mut bench.account.grants.lock().unwrap());
        bench.train(1.0).await;
        assert_eq!(bench.account.take().len(), 7);
    });
}

#[test]
fn a_candidate_meets_the_champion_of_its_time() {
    let bench = Bench::new();
    block_on(async {
        bench.train(1.0).await;
        bench.train(2.0).await;
        assert_eq!(bench.champion().await, (2, 2));
        bench.account.take();
        // The second again: answered by the evaluation that promoted it.
        bench.train(2.0).await;
        assert_eq!(bench.account.take(), []);
        // The first again: it has not met this champion yet, and loses.
        bench.train(1.0).await;
        assert_eq!(bench.account.take(), [EVALUATE, DEPLOY]);
        bench.train(1.0).await;
        assert_eq!(bench.account.take(), []);
        // One that loses is a version, and is not promoted.
        let lost = bench.train(0.5).await;
        assert_eq!(bench.account.take().len(), 3);
        let deploy = lost.last_commit(Stage::Deploy).unwrap();
        let change = lost.change(&deploy.invocation).unwrap();
        assert_eq!((change.version, &change.alias), (3, &None));
        bench.train(0.5).await;
        assert_eq!(bench.account.take(), []);
        assert_eq!(bench.champion().await, (2, 2));
    });
}

#[test]
fn after_a_rollback_the_same_run_is_evaluated_afresh_and_promoted_by_hand() {
    let bench = Bench::new();
    block_on(async {
        let registry = bench.pipeline.registry();
        bench.train(1.0).await;
        bench.train(2.0).await;
        bench.account.take();
        let back = registry.rollback("iris", "champion", "a person", "w").await;
        assert_eq!(back.unwrap(), 1);
        assert_eq!(bench.champion().await, (1, 3));
        // It passes the gate again, but only a person brings back what a person took away.
        let barred = bench.train(2.0).await;
        assert_eq!(bench.account.take(), [EVALUATE, DEPLOY]);
        assert_eq!(bench.champion().await, (1, 3));
        let deploy = barred.last_commit(Stage::Deploy).unwrap();
        let change = barred.change(&deploy.invocation).unwrap();
        let alias = "champion".to_owned();
        assert_eq!(change.alias, Some((alias, AliasResult::Barred)));
        let rows = bench.pipeline.rows(&barred.id).await.unwrap();
        let note = rows.last().unwrap().notes.last().unwrap();
        assert!(note.contains("`septet models promote iris@2`"), "{note}");
        let promoted = registry.promote("iris", "champion", 2, "a person", "w");
        promoted.await.unwrap();
        assert_eq!(bench.champion().await, (2, 4));
        bench.train(2.0).await;
        assert_eq!(bench.account.take(), []);

        // And the one that was gone back to is still answered by its own evaluation.
        registry
            .rollback("iris", "champion", "a person", "w")
            .await
            .unwrap();
        bench.train(1.0).await;
        assert_eq!(bench.account.take(), []);
        assert_eq!(bench.champion().await, (1, 5));
        assert_eq!(registry.state("iris").await.unwrap().versions.len(), 2);
    });
}

#[test]
fn a_lost_swap_is_evaluated_again() {
    let bench = Bench::new();
    block_on(async {
        bench.train(1.0).await;
        bench.train(2.0).await;
        bench.account.take();
        // While the third deploys, a person goes back to the first: its comparison is void.
        bench.account.plan(Stage::Deploy, [Instead::Promote(1)]);
        let state = bench.train(3.0).await;
        let rounds = [EVALUATE, (Stage::Evaluate, 1), DEPLOY, (Stage::Deploy, 1)];
        assert_eq!(bench.account.take()[1..], rounds);
        assert_eq!(bench.champion().await, (3, 4));
        let first = state.commit(Stage::Deploy, 0).unwrap();
        assert!(state.change(&first.invocation).unwrap().is_lost());
        let rows = bench.pipeline.rows(&state.id).await.unwrap();
        let notes: Vec<_> = rows.iter().flat_map(|row| &row.notes).collect();
        assert_eq!(notes.len(), 1);
        assert!(
            notes[0].contains("moved meanwhile (it is version 1)"),
            "{notes:?}"
        );
        assert_eq!(bench.counts().await, []);

        bench.train(3.0).await;
        assert_eq!(bench.account.take(), []);
    });
}

#[test]
fn a_candidate_that_is_always_overtaken_ends() {
    let bench = Bench::new();
    block_on(async {
        bench.train(1.0).await;
        bench.train(2.0).await;
        let overtaken = (0..9).map(|round| Instead::Promote(1 + round % 2));
        bench.account.plan(Stage::Deploy, overtaken);
        let state = bench.train(3.0).await;
        let rounds = state
            .commits()
            .filter(|c| c.invocation.stage == Stage::Deploy);
        assert_eq!(rounds.count(), 5);
        assert_ne!(bench.champion().await.0, 3);
        let rows = bench.pipeline.rows(&state.id).await.unwrap();
        let note = rows.last().unwrap().notes.last().unwrap();
        assert!(note.contains("5 evaluations were overtaken"), "{note}");
    });
}

#[test]
fn work_whose_output_is_gone_is_done_again() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("store");
    block_on(async {
        let local = septet::store::Local::open(&path, Mode::Create)
            .await
            .unwrap();
        let store = local.store();
        let account: Arc<Account> = Arc::default();
        let pipeline = Pipeline::new(store.clone());
        let stages = Stages::over(&store, &account);
        let worker = Worker::new(pipeline.clone(), stages, Arc::new(Silent));
        let run = async || {
            let run = pipeline.start(train(&store, 1.0).await).await.unwrap();
            let state = worker.drain(&run).await.unwrap();
            assert_eq!(state.status(), Status::Done);
            (state, account.take())
        };
        let (state, _) = run().await;
        let place = |stage, name| {
            let hex = state.output(stage, name).unwrap().digest.to_string();
            path.join("blobs").join(&hex[..2]).join(&hex[2..])
        };
        std::fs::remove_file(place(Stage::Preprocess, "test")).unwrap();
        std::fs::write(place(Stage::Train, "bundle"), "damaged").unwrap();
        let (_, executed) = run().await;
        assert_eq!(executed, [(Stage::Preprocess, 0), (Stage::Train, 0)]);
        let (_, executed) = run().await;
        assert_eq!(executed, []);
    });
}

#[test]
fn a_lease_is_renewed_while_the_stage_runs() {
    block_on(async {
        let store = septet::store::memory();
        let account: Arc<Account> = Arc::default();
        let pipeline = Pipeline::with_clock(store.clone(), Arc::new(SystemClock));
        let policy = Policy {
            lease: Duration::from_millis(300),
            ..Policy::default()
        };
        account.plan(Stage::Train, [Instead::Sleep(Duration::from_secs(1))]);
        let run = pipeline.start(train(&store, 1.0).await).await.unwrap();
        let workers = [0, 1].map(|_| {
            let stages = Stages::over(&store, &account);
            let worker = Worker::new(pipeline.clone(), stages, Arc::new(Silent));
            let (worker, run) = (worker.with_policy(policy), run.clone());
            tokio::spawn(async move { worker.drain(&run).await.unwrap().status() })
        });
        for worker in workers {
            assert_eq!(worker.await.unwrap(), Status::Done);
        }
        let trained = account
            .take()
            .into_iter()
            .filter(|(s, _)| *s == Stage::Train);
        assert_eq!(trained.count(), 1);
    });
}

#[test]
fn a_call_whose_lease_is_lost_is_dropped() {
    block_on(async {
        let store = septet::store::memory();
        let account: Arc<Account> = Arc::default();
        let pipeline = Pipeline::new(store.clone());
        let policy = Policy {
            lease: Duration::from_millis(300),
            ..Policy::default()
        };
        let stages = Stages::over(&store, &account);
        let worker = Worker::new(pipeline.clone(), stages, Arc::new(Silent)).with_policy(policy);
        account.plan(Stage::Ingest, [Instead::Sleep(Duration::from_mins(1))]);
        let run = pipeline.start(train(&store, 1.0).await).await.unwrap();
        let lease = Duration::from_millis(1);
        let received = store
            .queues
            .receive(&["ingest"], lease)
            .await
            .unwrap()
            .unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Another has it now: it comes behind the other parts.
        for part in [false, false, true] {
            let other = store.queues.receive(&["ingest"], policy.lease).await;
            let other = other.unwrap().unwrap();
            assert_eq!(other.message.id == received.message.id, part);
        }
        worker.handle(&received).await.unwrap();
        assert_eq!(
            pipeline.state(&run).await.unwrap().status(),
            Status::Pending
        );
        let state = worker.drain(&run).await.unwrap();
        assert_eq!(state.status(), Status::Done);
    });
}

#[test]
fn a_model_is_predicted_with_and_monitored() {
    let bench = Bench::new();
    block_on(async {
        bench.train(1.0).await;
        bench.account.take();
        let state = bench.run(monitor(&bench.pipeline).await).await;
        assert_eq!(state.status(), Status::Done);
        // The parts were ingested before, for the training.
        assert_eq!(
            bench.account.take(),
            [(Stage::Infer, 0), (Stage::Monitor, 0)]
        );
        let monitor = state.last_commit(Stage::Monitor).unwrap();
        let names: Vec<_> = monitor.inputs.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["bundle", "table", "table", "table", "predictions"]);
        let (artifact, bytes) = bench
            .pipeline
            .artifact(&state, Stage::Monitor, "drift", 1 << 20)
            .await
            .unwrap();
        assert_eq!(artifact.size, bytes.len() as u64);
        let usage = bench.pipeline.usage().await.unwrap();
        assert_eq!(usage[&Stage::Ingest]["blob-read"], 6);
        let rows = bench.pipeline.rows(&state.id).await.unwrap();
        assert_eq!(rows.len(), 5);
        assert!(rows[..3].iter().all(|row| row.cached && row.status == "ok"));
        let found = bench.pipeline.find(&state.id[..30]).await.unwrap();
        assert_eq!(found, state.id);
        assert!(bench.pipeline.find("zz").await.is_err());
        assert!(bench.pipeline.find("").await.is_err());
    });
}

#[test]
fn a_dataset_may_have_many_parts() {
    let bench = Bench::new();
    block_on(async {
        let mut request = train(&bench.fresh.one, 1.0).await;
        let parts = request.sources.iter().cycle().take(300);
        request.sources = parts.cloned().collect();
        let state = bench.run(request).await;
        assert_eq!(state.status(), Status::Done);
        let preprocess = state.last_commit(Stage::Preprocess).unwrap();
        assert_eq!(preprocess.inputs.len(), 300);
        // Equal parts are one work, though two of them may be begun at once.
        let ingested = bench.account.take().into_iter();
        assert!(
            ingested
                .filter(|(stage, _)| *stage == Stage::Ingest)
                .count()
                <= 6
        );
        assert_eq!(bench.counts().await, []);
    });
}
