//! Rejections, faults, hostile messages: where they end, and how they are put back to work.

use std::time::Duration;

use septet::{
    contract::{Blame, Disposition, Stage},
    pipeline::{Replayed, Status},
    store::Message,
};

use super::{
    backends::block_on,
    bench::Bench,
    stages::{Instead, train},
};

#[test]
fn a_rejection_is_told_once_and_can_be_replayed() {
    let bench = Bench::new();
    block_on(async {
        let reason = "line 3 is no CSV".to_owned();
        let rejected = || Disposition::Rejected {
            reason: reason.clone(),
        };
        bench
            .account
            .plan(Stage::Ingest, [Instead::Answer(rejected())]);
        let state = bench.run(train(&bench.fresh.one, 1.0).await).await;
        assert_eq!(state.status(), Status::Rejected);
        assert_eq!(state.failure().unwrap().reason(), Some(reason.as_str()));
        assert_eq!(
            bench.pipeline.runs(9).await.unwrap()[0].reason,
            Some(reason.clone())
        );
        let poisoned = bench.pipeline.poisoned(Stage::Ingest, 9).await.unwrap();
        let [(id, message)] = poisoned.as_slice() else {
            panic!("{poisoned:?}");
        };
        assert_eq!(
            (&message.reason, message.blame, message.attempt),
            (&reason, None, 1)
        );
        let model = bench.pipeline.registry().state("iris").await.unwrap();
        assert_eq!(model.versions.len(), 0);
        let active = async || {
            bench
                .fresh
                .one
                .records
                .list("active/", None, 9)
                .await
                .unwrap()
                .len()
        };
        assert_eq!(active().await, 0);

        let replayed = bench.pipeline.replay(Stage::Ingest, id).await.unwrap();
        let Replayed::Reopened(invocation) = replayed else {
            panic!("{replayed:?}");
        };
        assert_eq!((invocation.stage, invocation.replay), (Stage::Ingest, 1));
        assert_eq!(active().await, 1);
        let state = bench.worker.drain(&state.id).await.unwrap();
        assert_eq!(state.status(), Status::Done);
        let failed_first = state.commit(Stage::Ingest, invocation.unit).unwrap();
        assert_eq!(failed_first.invocation, invocation);
        assert_eq!((bench.counts().await, active().await), (vec![], 0));
        assert!(bench.pipeline.replay(Stage::Ingest, id).await.is_err());
    });
}

#[test]
fn a_replay_of_what_was_replayed_is_out_of_date() {
    let bench = Bench::new();
    block_on(async {
        let rejected = Disposition::Rejected {
            reason: "no".to_owned(),
        };
        bench
            .account
            .plan(Stage::Train, [Instead::Answer(rejected)]);
        let state = bench.run(train(&bench.fresh.one, 1.0).await).await;
        let queues = &bench.fresh.one.queues;
        let message = queues.peek("train-poison", 1).await.unwrap().remove(0);
        let replay = async || {
            bench
                .pipeline
                .replay(Stage::Train, &message.id)
                .await
                .unwrap()
        };
        assert!(matches!(replay().await, Replayed::Reopened(_)));
        // The message comes back, as after a crash before its removal: the replay goes on.
        queues
            .send("train-poison", &message, Duration::ZERO)
            .await
            .unwrap();
        assert!(matches!(replay().await, Replayed::Reopened(_)));
        let state = bench.worker.drain(&state.id).await.unwrap();
        assert_eq!(state.status(), Status::Done);
        queues
            .send("train-poison", &message, Duration::ZERO)
            .await
            .unwrap();
        assert!(matches!(replay().await, Replayed::OutOfDate(_)));
        assert_eq!(bench.counts().await, []);
        assert_eq!(bench.champion().await, (1, 1));
    });
}

#[test]
fn two_failed_parts_are_replayed_together() {
    let bench = Bench::new();
    block_on(async {
        let fault = || {
            Instead::Answer(Disposition::Rejected {
                reason: "no".to_owned(),
            })
        };
        let run = bench
            .pipeline
            .start(train(&bench.fresh.one, 1.0).await)
            .await
            .unwrap();
        // Both are received before either is done, as two workers would.
        let lease = Duration::from_secs(9);
        let queues = &bench.fresh.one.queues;
        let one = queues.receive(&["ingest"], lease).await.unwrap().unwrap();
        let two = queues.receive(&["ingest"], lease).await.unwrap().unwrap();
        bench.account.plan(
            Stage::Ingest,
            [fault(), Instead::Sleep(Duration::from_millis(50))],
        );
        bench.account.plan(Stage::Ingest, [fault()]);
        let worker = bench.worker.clone();
        bench.worker.handle(&one).await.unwrap();
        // The run has ended: the second is given up, and the third too.
        worker.handle(&two).await.unwrap();
        let state = bench.worker.drain(&run).await.unwrap();
        assert_eq!(state.status(), Status::Rejected);
        bench.account.script.lock().unwrap().clear();
        let id = bench.pipeline.poisoned(Stage::Ingest, 9).await.unwrap()[0]
            .0
            .clone();
        bench.pipeline.replay(Stage::Ingest, &id).await.unwrap();
        let state = bench.worker.drain(&run).await.unwrap();
        assert_eq!(
            (state.status(), bench.counts().await),
            (Status::Done, vec![])
        );
    });
}

#[test]
fn faults_are_tried_again_and_counted() {
    let bench = Bench::new();
    block_on(async {
        let trap = || {
            Instead::Answer(Disposition::Failed {
                reason: "trap".to_owned(),
                blame: Blame::Guest,
            })
        };
        bench
            .account
            .plan(Stage::Train, [trap(), Instead::HostError, trap()]);
        let state = bench.train(1.0).await;
        assert_eq!(state.commit(Stage::Train, 0).unwrap().attempt, 4);

        bench.account.plan(Stage::Train, (0..4).map(|_| trap()));
        bench.account.plan(Stage::Train, [Instead::HostError]);
        let state = bench.run(train(&bench.fresh.one, 2.0).await).await;
        assert_eq!(state.status(), Status::Failed);
        let poisoned = bench.pipeline.poisoned(Stage::Train, 9).await.unwrap();
        let message = &poisoned[0].1;
        assert_eq!((message.attempt, message.blame), (5, Some(Blame::Host)));
        assert!(message.reason.contains("on fire"));
        assert_eq!(bench.champion().await, (1, 1));
    });
}

#[test]
fn an_outcome_that_cannot_be_used_is_a_fault() {
    let bench = Bench::new();
    block_on(async {
        bench
            .account
            .plan(Stage::Preprocess, (0..9).map(|_| Instead::Nothing));
        let state = bench.run(train(&bench.fresh.one, 1.0).await).await;
        assert_eq!(state.status(), Status::Failed);
        let reason = state.failure().unwrap().reason().unwrap();
        assert!(reason.contains("gave no 'train'"), "{reason}");
    });
}

#[test]
fn a_stage_may_ask_for_later_but_not_for_ever() {
    let bench = Bench::new();
    block_on(async {
        let later = || {
            Instead::Answer(Disposition::Retry {
                after: 60_000,
                reason: "busy".to_owned(),
            })
        };
        let before = bench.pipeline.timestamp();
        bench.account.plan(Stage::Train, (0..7).map(|_| later()));
        let state = bench.train(1.0).await;
        assert_eq!(state.commit(Stage::Train, 0).unwrap().attempt, 8);
        assert!(bench.pipeline.timestamp() > before.replace("T22:13", "T22:19"));

        bench.account.plan(Stage::Train, (0..99).map(|_| later()));
        let state = bench.run(train(&bench.fresh.one, 2.0).await).await;
        assert_eq!(state.status(), Status::Failed);
        assert_eq!(state.failure().unwrap().attempt, 20);
    });
}

#[test]
fn a_message_that_nobody_survives_is_given_up() {
    let bench = Bench::new();
    block_on(async {
        let run = bench
            .pipeline
            .start(train(&bench.fresh.one, 1.0).await)
            .await
            .unwrap();
        let lease = Duration::from_secs(30);
        // The run's three parts in turn.
        for _ in 0..3 * 10 {
            // Received and never answered: the process is gone.
            let queues = &bench.fresh.one.queues;
            assert!(queues.receive(&["ingest"], lease).await.unwrap().is_some());
            bench.fresh.later(Duration::from_mins(1));
        }
        let state = bench.worker.drain(&run).await.unwrap();
        assert_eq!(state.status(), Status::Failed);
        let reason = state.failure().unwrap().reason().unwrap();
        assert!(
            reason.contains("no answer came from 10 attempts"),
            "{reason}"
        );
    });
}

#[test]
fn hostile_messages_are_set_aside() {
    let bench = Bench::new();
    block_on(async {
        let state = bench.train(1.0).await;
        let run = &state.id;
        let queues = &bench.fresh.one.queues;
        let event = |data: String| {
            format!(
                r#"{{"specversion":"1.0","id":"x","source":"septet","type":"septet.invocation",
                "time":"t","datacontenttype":"application/json","data":{data}}}"#
            )
        };
        let asks = |run: &str, stage: &str, unit: u32| {
            event(format!(
                r#"{{"run":"{run}","stage":"{stage}","unit":{unit},"attempt":1}}"#
            ))
        };
        let second = bench
            .pipeline
            .start(train(&bench.fresh.one, 2.0).await)
            .await
            .unwrap();
        let hostile = [
            "\u{0}rubbish".to_owned(),
            event("{}".to_owned()),
            asks("01890a5d-ac96-774b-bcce-b302099a8057", "train", 0),
            asks("../../etc/passwd", "train", 0),
            asks(run, "deploy", 0),
            // Of a run that is under way, but not yet due.
            asks(&second, "train", 0),
        ];
        for (number, body) in hostile.iter().enumerate() {
            let message = Message::new(number.to_string(), body.clone());
            queues
                .send("train", &message, Duration::ZERO)
                .await
                .unwrap();
        }
        let state = bench.worker.drain(&second).await.unwrap();
        assert_eq!(state.status(), Status::Done);
        let poisoned = bench.pipeline.poisoned(Stage::Train, 99).await.unwrap();
        assert_eq!(poisoned.len(), hostile.len());
        for (id, message) in poisoned {
            assert!(message.invocation.is_none() && !message.reason.is_empty());
            assert!(bench.pipeline.replay(Stage::Train, &id).await.is_err());
            assert!(bench.pipeline.discard(Stage::Train, &id).await.unwrap());
        }
        assert_eq!(bench.counts().await, []);
    });
}
