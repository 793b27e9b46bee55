//! Progress, stops and silence.

use std::{
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};

use septet::{
    contract::{Blame, Disposition, Executed, Stage},
    stage::{Control, Limits},
};

use super::bench::{Bench, Options, With};
use crate::support::guests::guest;

fn stopped(executed: &Executed) -> &str {
    match &executed.disposition {
        Disposition::Failed {
            reason,
            blame: Blame::Host,
        } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn progress_is_reported() {
    let bench = Bench::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = Arc::clone(&seen);
    let control = Control::new().with_progress(Arc::new(move |done, total| {
        own.lock().unwrap().push((done, total));
    }));
    let call = bench.call(Stage::Train, "progress");
    bench.wait(bench.executor.execute(call, &control)).unwrap();
    let expected: Vec<_> = (0..=10).map(|done| (done, Some(10))).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_stop_ends_a_guarded_guest_anywhere_and_a_trusted_one_at_its_next_word() {
    for (bench, what) in [
        (Bench::new(), "loop"),
        (
            Bench::trusted(Stage::Train, Limits::default()),
            "loop-with-progress",
        ),
    ] {
        let control = Control::new();
        let stopper = control.stopper();
        let call = bench.call(Stage::Train, what);
        let executor = Arc::clone(&bench.executor);
        let running = bench.spawn(async move { executor.execute(call, &control).await });
        std::thread::sleep(Duration::from_millis(300));
        stopper.stop("the lease was lost");
        let executed = bench.wait(running).unwrap().unwrap();
        assert_eq!(
            stopped(&executed),
            "the call was stopped: the lease was lost"
        );
    }
}

#[test]
fn a_stop_ends_a_wait_for_the_store() {
    let bench = Bench::new();
    bench
        .blobs
        .delay
        .store(600_000, std::sync::atomic::Ordering::Relaxed);
    let input = bench.input("source", b"x", "text/csv");
    let call = bench.call(Stage::Train, "read-input").given(vec![input]);
    let control = Control::new();
    control.stopper().stop("cancelled");
    let executed = bench.wait(bench.executor.execute(call, &control)).unwrap();
    assert_eq!(stopped(&executed), "the call was stopped: cancelled");
}

#[test]
fn a_callers_deadline_ends_the_call() {
    let bench = Bench::new();
    let control = Control::new().with_deadline(Instant::now() + Duration::from_millis(500));
    let call = bench.call(Stage::Train, "loop");
    let executed = bench.wait(bench.executor.execute(call, &control)).unwrap();
    assert_eq!(
        stopped(&executed),
        "the call was stopped: its deadline has passed"
    );
}

#[test]
fn a_caller_that_goes_away_leaves_nothing_running() {
    let bench = Bench::with_limits(Limits {
        concurrent_calls: 1,
        ..Limits::default()
    });
    let call = bench.call(Stage::Train, "loop");
    let control = Control::new();
    let executing = bench.executor.execute(call, &control);
    let short = Duration::from_millis(300);
    let gone = bench.wait(async { tokio::time::timeout(short, executing).await });
    assert!(gone.is_err());
    bench.outcome(bench.call(Stage::Train, "progress"));
}

#[test]
fn a_trusted_guest_that_is_silent_for_too_long_is_told_of() {
    let (sender, receiver) = mpsc::channel();
    let sender = Mutex::new(sender);
    let bench = Bench::with(Options {
        limits: Limits {
            silence_seconds: 1,
            ..Limits::default()
        },
        embedded: vec![(Stage::Train, guest("train"))],
        on_silence: Some(Box::new(move |reason| {
            sender.lock().unwrap().send(reason.to_owned()).unwrap();
        })),
        ..Options::default()
    });
    // It ends by itself some time, because nobody can end it but the process.
    let call = bench.call(Stage::Train, "spin").with("steps", "2000000000");
    let reason = bench.blamed(call);
    assert!(reason.contains("limit silence_seconds"), "{reason}");
    assert_eq!(receiver.recv().unwrap(), reason);
}
