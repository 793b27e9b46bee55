//! The log of the stages on every backend: two processes, races, damage, and what runs are given.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use septet::{
    contract::{Digest, Stage},
    pipeline::{Admitted, ArmKind, Changed, Collect, Pipeline, Status, Undone},
    store::Store,
    trust::Trust,
};

use super::{
    backends::{Fresh, block_on, everywhere},
    bench::Bench,
    stages::{monitor, train},
};

/// A component whose bytes are in the store.
async fn admitted(store: &Store, bytes: &[u8]) -> Admitted {
    Admitted {
        wished: None,
        component: store.blobs.put(bytes).await.unwrap(),
        size: bytes.len() as u64,
        signature: None,
        key: None,
        report: "{}".to_owned(),
    }
}

fn pipeline(fresh: &Fresh, store: &Store) -> Pipeline {
    Pipeline::with_clock(store.clone(), fresh.clock.clone())
}

#[test]
fn what_one_process_swaps_the_other_sees() {
    everywhere(|fresh| async move {
        let (one, two) = (pipeline(&fresh, &fresh.one), pipeline(&fresh, &fresh.two));
        let (one, two) = (one.swaps(), two.swaps());
        let [a, b, c] = [b"a", b"b", b"c"].map(|bytes| admitted(&fresh.one, bytes));
        let [a, b, c] = [a.await, b.await, c.await];
        let current = async || two.state(Stage::Train).await.unwrap().current;
        assert_eq!(current().await, None);
        let done = one.swap(Stage::Train, Some(&a), "me").await.unwrap();
        assert_eq!(done, Changed::Done(1));
        assert_eq!(current().await, Some(a.component));
        let again = two.swap(Stage::Train, Some(&a), "me").await.unwrap();
        assert_eq!(again, Changed::Already);
        two.swap(Stage::Train, Some(&b), "me").await.unwrap();

        // A share of the calls, and none of them once it is withdrawn.
        let share = "50%".parse().unwrap();
        let canary = (Stage::Train, &c);
        one.attempt(ArmKind::Canary, canary, share, "me")
            .await
            .unwrap();
        one.attempt(ArmKind::Shadow, canary, share, "me")
            .await
            .unwrap();
        let state = two.state(Stage::Train).await.unwrap();
        let routed = |key: u32| state.route(&key.to_le_bytes()).unwrap();
        assert!((0..100).any(|key| routed(key) == c.component));
        assert!((0..100).any(|key| routed(key) == b.component));
        let arm = state.canary.clone().unwrap();
        let which = (Stage::Train, ArmKind::Canary);
        assert!(!two.withdraw(which, 1, "it", "worse").await.unwrap());
        assert!(
            two.withdraw(which, arm.revision, "it", "worse")
                .await
                .unwrap()
        );
        assert!(
            !one.withdraw(which, arm.revision, "it", "worse")
                .await
                .unwrap()
        );
        assert_eq!(
            one.promote(Stage::Train, "me", "").await.unwrap(),
            c.component
        );
        assert!(one.promote(Stage::Train, "me", "").await.is_err());

        // Back, step by step, and no farther than there is.
        for (from, to) in [(&c, Some(&b)), (&b, Some(&a)), (&a, None)] {
            let undone = two.rollback(Stage::Train, "me", "").await.unwrap();
            let to = to.map(|to| to.component);
            let from = Some(from.component);
            assert_eq!(undone, Undone::Back { from, to });
            assert_eq!(one.state(Stage::Train).await.unwrap().current, to);
        }
        let error = two.rollback(Stage::Train, "me", "").await.unwrap_err();
        assert!(error.to_string().contains("nothing to roll back to"));
        assert_eq!(one.state(Stage::Infer).await.unwrap().revision, 0);
        assert_eq!(one.log().await.unwrap(), two.log().await.unwrap());
    });
}

#[test]
fn of_two_swaps_at_once_both_are_in_the_log_and_one_is_in_force() {
    everywhere(|fresh| async move {
        let mut racers = Vec::new();
        for racer in 0..8_u8 {
            let store = [&fresh.one, &fresh.two][usize::from(racer % 2)].clone();
            let pipeline = pipeline(&fresh, &store);
            racers.push(tokio::spawn(async move {
                let component = admitted(&store, &[racer]).await;
                pipeline
                    .swaps()
                    .swap(Stage::Infer, Some(&component), "me")
                    .await
            }));
        }
        let mut numbers = Vec::new();
        for racer in racers {
            let Changed::Done(number) = racer.await.unwrap().unwrap() else {
                panic!("each one is another component");
            };
            numbers.push(number);
        }
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=8).collect::<Vec<_>>());
        let one = pipeline(&fresh, &fresh.one);
        let log = one.swaps().log().await.unwrap();
        let last = log.last().unwrap().event.admitted().unwrap().component;
        let state = one.swaps().state(Stage::Infer).await.unwrap();
        assert_eq!(state.current, Some(last));
    });
}

#[test]
fn refusals_are_kept_and_the_oldest_go() {
    everywhere(|fresh| async move {
        let (one, two) = (pipeline(&fresh, &fresh.one), pipeline(&fresh, &fresh.two));
        let component = Digest::of(b"bad");
        for reason in ["first", "second"] {
            let why = ("world", reason, "me");
            one.swaps()
                .refuse(Stage::Train, Some(component), why)
                .await
                .unwrap();
        }
        let refusals = two.swaps().refusals(Stage::Train).await.unwrap();
        let told: Vec<_> = refusals
            .iter()
            .map(|r| (r.step.as_str(), r.reason.as_str()))
            .collect();
        assert_eq!(told, [("world", "first"), ("world", "second")]);
        assert_eq!(refusals[0].component, Some(component));
        assert!(two.swaps().refusals(Stage::Infer).await.unwrap().is_empty());
        assert_eq!(two.swaps().all().await.unwrap().revision(), 0);
    });
    let fresh = Bench::new().fresh;
    block_on(async {
        let one = pipeline(&fresh, &fresh.one);
        for number in 0..1051 {
            let reason = number.to_string();
            let why = ("size", reason.as_str(), "me");
            one.swaps().refuse(Stage::Train, None, why).await.unwrap();
        }
        let kept = fresh
            .one
            .records
            .list("refused/", None, 9999)
            .await
            .unwrap();
        assert_eq!(kept.len(), 1000);
        let newest = one.swaps().refusals(Stage::Train).await.unwrap();
        assert_eq!(newest.last().unwrap().reason, "1050");
    });
}

#[test]
fn a_run_keeps_what_it_was_given() {
    let bench = Bench::new();
    block_on(async {
        let store = &bench.fresh.one;
        let swaps = bench.pipeline.swaps();
        let builtin = |stage: Stage| Digest::of(stage.name().as_bytes());
        let begun = bench.pipeline.start(train(store, 1.0).await).await.unwrap();
        let other = admitted(store, b"another train").await;
        swaps.swap(Stage::Train, Some(&other), "me").await.unwrap();
        let state = bench.worker.drain(&begun).await.unwrap();
        assert_eq!(state.status(), Status::Done);
        assert_eq!(
            state.commit(Stage::Train, 0).unwrap().component,
            builtin(Stage::Train)
        );

        // The next one has it, and so is other work; without it, nothing is done again.
        bench.account.take();
        let state = bench.train(1.0).await;
        assert_eq!(
            state.commit(Stage::Train, 0).unwrap().component,
            other.component
        );
        let executed = bench.account.take();
        assert!(executed.contains(&(Stage::Train, 0)), "{executed:?}");
        swaps.rollback(Stage::Train, "me", "").await.unwrap();
        let state = bench.train(1.0).await;
        assert_eq!(
            state.commit(Stage::Train, 0).unwrap().component,
            builtin(Stage::Train)
        );
        assert_eq!(bench.account.take(), []);
    });
}

#[test]
fn infer_predicts_for_every_version_while_it_is_in_force() {
    let bench = Bench::new();
    block_on(async {
        let store = &bench.fresh.one;
        let swaps = bench.pipeline.swaps();
        let builtin = Digest::of(b"infer");
        bench.train(1.0).await;
        let used = async || {
            let state = bench.run(monitor(&bench.pipeline).await).await;
            state.commit(Stage::Infer, 0).unwrap().component
        };
        let compared = async |quality: f64| {
            let state = bench.train(quality).await;
            let evaluate = state.last_commit(Stage::Evaluate).unwrap();
            let champion = evaluate.aliases[0].version.as_ref().unwrap().infer;
            (champion, state.request.components[&Stage::Infer])
        };
        assert_eq!(used().await, builtin);
        let other = admitted(store, b"another infer").await;
        let tried = (Stage::Infer, &other);
        swaps
            .attempt(ArmKind::Canary, tried, "100%".parse().unwrap(), "me")
            .await
            .unwrap();
        // What is only tried predicts for its share, and is registered with no version.
        assert_eq!(used().await, other.component);
        assert_eq!(compared(2.0).await, (builtin, builtin));
        swaps.promote(Stage::Infer, "me", "").await.unwrap();
        assert_eq!(used().await, other.component);
        assert_eq!(compared(3.0).await, (other.component, other.component));
        // The version that it was registered with does not keep it alive.
        swaps.rollback(Stage::Infer, "me", "").await.unwrap();
        assert_eq!(used().await, builtin);
        assert_eq!(compared(4.0).await, (builtin, builtin));
    });
}

#[test]
fn a_process_that_does_not_take_it_begins_no_run_with_it() {
    let bench = Bench::new();
    block_on(async {
        let store = &bench.fresh.one;
        let other = admitted(store, b"another train").await;
        let swaps = bench.pipeline.swaps();
        let pins = BTreeMap::from([(Stage::Train, Digest::of(b"the only one"))]);
        let strict = pipeline(&bench.fresh, &bench.fresh.two);
        let strict = strict.trusting(Arc::new(Trust::new(&[], false, pins).unwrap()));
        strict.start(train(store, 1.0).await).await.unwrap();
        swaps.swap(Stage::Train, Some(&other), "me").await.unwrap();
        let error = strict.start(train(store, 2.0).await).await.unwrap_err();
        let line = format!("{error:#}");
        assert!(
            line.contains("does not take") && line.contains("trust.pins"),
            "{line}"
        );
        let key = ["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".to_owned()];
        let signed = Trust::new(&key, true, BTreeMap::new()).unwrap();
        let strict = strict.trusting(Arc::new(signed));
        let error = strict.start(train(store, 2.0).await).await.unwrap_err();
        assert!(format!("{error:#}").contains("not signed"), "{error:#}");
        swaps.rollback(Stage::Train, "me", "").await.unwrap();
        strict.start(train(store, 2.0).await).await.unwrap();
    });
}

#[test]
fn what_the_log_names_stays_and_its_damage_is_seen() {
    let bench = Bench::new();
    block_on(async {
        let store = &bench.fresh.one;
        let swaps = bench.pipeline.swaps();
        let [a, b] = [b"a", b"b"].map(|bytes| admitted(store, bytes));
        let [a, b] = [a.await, b.await];
        swaps.swap(Stage::Train, Some(&a), "me").await.unwrap();
        swaps.swap(Stage::Train, Some(&b), "me").await.unwrap();
        bench.fresh.later(Duration::from_hours(1000));
        let collect = Collect {
            grace: Duration::ZERO,
            forget: None,
            dry_run: false,
        };
        bench.pipeline.collect(&collect).await.unwrap();
        for component in [a.component, b.component] {
            assert!(store.blobs.touch(&component).await.unwrap().is_some());
        }
        let none = [].into();
        assert!(bench.pipeline.verify(&none).await.unwrap().is_whole());
        store.records.delete("stages/00000001").await.unwrap();
        let verified = bench.pipeline.verify(&none).await.unwrap();
        let problem = &verified.problems[0].what;
        assert!(problem.contains("log of the stages"), "{problem}");
        let fresh = pipeline(&bench.fresh, &bench.fresh.two);
        assert!(fresh.start(train(store, 1.0).await).await.is_err());
        assert!(fresh.collect(&collect).await.is_err());
    });
}
