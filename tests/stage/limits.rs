//! Each limit with a guest that goes over it: the error names the limit, its value and what was
//! asked for.

use septet::{
    contract::{Digest, Stage},
    stage::Limits,
};

use super::bench::{Bench, With};

fn blamed(limits: Limits, stage: Stage, what: &str) -> String {
    let bench = Bench::with_limits(limits);
    let input = bench.input("source", b"a,b\n", "text/csv");
    bench.blamed(bench.call(stage, what).given(vec![input]))
}

#[test]
fn memory_is_bounded() {
    let limits = Limits {
        guarded_memory_bytes: 32 << 20,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "hoard-memory");
    assert!(
        reason.starts_with("limit guarded_memory_bytes allows 33554432; 3"),
        "{reason}"
    );
    let limits = Limits {
        memory_bytes: 32 << 20,
        ..Limits::default()
    };
    let bench = Bench::trusted(Stage::Train, limits);
    let reason = bench.blamed(bench.call(Stage::Train, "hoard-memory"));
    assert!(reason.starts_with("limit memory_bytes allows"), "{reason}");
}

#[test]
fn a_component_that_needs_more_than_its_memory_does_not_start() {
    let limits = Limits {
        guarded_memory_bytes: 1 << 16,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "copy");
    assert!(reason.starts_with("limit guarded_memory_bytes"), "{reason}");
}

#[test]
fn processor_time_is_bounded_where_the_engine_can_interrupt() {
    let limits = Limits {
        cpu_seconds: 1,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "loop");
    assert_eq!(reason, "limit cpu_seconds allows 1; 2 was asked for");
}

#[test]
fn wall_clock_is_bounded_on_both_engines() {
    let limits = Limits {
        wall_seconds: 1,
        ..Limits::default()
    };
    let reason = blamed(limits.clone(), Stage::Train, "loop");
    assert_eq!(reason, "limit wall_seconds allows 1; 2 was asked for");
    let bench = Bench::trusted(Stage::Train, limits);
    let reason = bench.blamed(bench.call(Stage::Train, "loop-with-progress"));
    assert_eq!(reason, "limit wall_seconds allows 1; 2 was asked for");
}

#[test]
fn wall_clock_counts_a_slow_store() {
    let limits = Limits {
        wall_seconds: 1,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    bench
        .blobs
        .delay
        .store(60_000, std::sync::atomic::Ordering::Relaxed);
    let input = bench.input("source", b"a,b\n", "text/csv");
    let reason = bench.blamed(bench.call(Stage::Train, "read-input").given(vec![input]));
    assert!(reason.contains("wall_seconds"), "{reason}");
}

#[test]
fn calls_of_the_host_are_bounded() {
    let limits = Limits {
        host_calls: 100,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "loop-with-progress");
    assert_eq!(reason, "limit host_calls allows 100; 101 was asked for");
}

#[test]
fn bytes_in_a_call_of_the_host_are_bounded() {
    let limits = Limits {
        host_call_bytes: 1 << 16,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "flood-host-call");
    assert_eq!(
        reason,
        "limit host_call_bytes allows 65536; more was asked for"
    );
}

#[test]
fn stack_is_bounded() {
    let reason = blamed(Limits::default(), Stage::Train, "recurse");
    assert_eq!(
        reason,
        "limit stack_bytes allows 1048576; more was asked for"
    );
    // What is set is what holds: a component that needs little of it goes on.
    let small = Limits {
        stack_bytes: 128 << 10,
        ..Limits::default()
    };
    let reason = blamed(small.clone(), Stage::Train, "recurse");
    assert_eq!(
        reason,
        "limit stack_bytes allows 131072; more was asked for"
    );
    let bench = Bench::with_limits(small);
    bench.outcome(bench.call(Stage::Train, "progress"));
    let reason = blamed(Limits::default(), Stage::Train, "recurse-in-memory");
    assert!(reason.contains("run out of stack"), "{reason}");
}

#[test]
fn handles_are_bounded() {
    let limits = Limits {
        handles: 16,
        ..Limits::default()
    };
    let reason = blamed(limits, Stage::Train, "hoard-handles");
    assert_eq!(reason, "limit handles allows 16; 17 was asked for");
}

#[test]
fn reads_and_writes_are_bounded() {
    let limits = Limits {
        read_bytes: 1 << 16,
        blob_bytes: 1000,
        written_bytes: 1500,
        blobs: 3,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let input = bench.input("source", b"x", "text/csv");
    bench.outcome(bench.call(Stage::Train, "read-too-much").given(vec![input]));
    let call = bench.call(Stage::Train, "write-too-much");
    bench.outcome(call.with("blob", "1000").with("all", "1500"));
    bench.outcome(bench.call(Stage::Train, "write-too-many").with("most", "3"));
    bench.outcome(bench.call(Stage::Train, "write-badly"));
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let bench = Bench::new();
    let call = bench.call(Stage::Train, "leave-unfinished");
    let before = bench.blobs.count();
    bench.outcome(call);
    assert_eq!(bench.blobs.count(), before);
}

#[test]
fn messages_are_bounded() {
    let limits = Limits {
        messages: 5,
        message_bytes: 16 << 10,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let executed = bench.run(bench.call(Stage::Train, "send-too-much").with("most", "5"));
    assert_eq!(executed.unwrap().messages.len(), 5);
}

#[test]
fn log_floods_are_dropped_and_harm_nobody() {
    let bench = Bench::new();
    bench.outcome(bench.call(Stage::Train, "flood-log"));
    bench.outcome(bench.call(Stage::Train, "flood-output"));
}

#[test]
fn parameters_are_bounded() {
    let bench = Bench::new();
    let call = bench
        .call(Stage::Train, "copy")
        .with("x", &"x".repeat(2 << 20));
    let told = format!("{:?}", bench.run(call).unwrap().disposition);
    assert!(told.starts_with("Rejected"), "{told}");
    assert!(told.contains("parameters_bytes"), "{told}");
}

#[test]
fn a_component_is_bounded() {
    let limits = Limits {
        component_bytes: 1000,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let executed = bench.run(bench.call(Stage::Train, "copy")).unwrap();
    let told = format!("{:?}", executed.disposition);
    assert!(told.contains("component_bytes allows 1000"), "{told}");
}

#[test]
fn answers_are_bounded() {
    for (what, told) in [
        (
            "answer-outputs",
            "limit outputs allows 64; 1000 was asked for",
        ),
        (
            "answer-metrics",
            "limit metrics allows 4096; 10000 was asked for",
        ),
        (
            "answer-notes",
            "limit notes allows 256; 10000 was asked for",
        ),
        (
            "answer-long-note",
            "limit text_bytes allows 4096; 100000 was asked for",
        ),
    ] {
        assert_eq!(blamed(Limits::default(), Stage::Train, what), told);
    }
    let reason = blamed(Limits::default(), Stage::Train, "fail");
    assert!(reason.len() <= 4096 && reason.ends_with('…'));
}

#[test]
fn a_guest_can_work_right_after_another_was_stopped() {
    // A pool's slot is used again: nothing of the last one may be left.
    let limits = Limits {
        guarded_memory_bytes: 32 << 20,
        concurrent_calls: 1,
        ..Limits::default()
    };
    let bench = Bench::with_limits(limits);
    let input = bench.input("source", b"a,b\n", "text/csv");
    for _ in 0..3 {
        bench.blamed(bench.call(Stage::Train, "hoard-memory"));
        bench.blamed(bench.call(Stage::Train, "panic"));
        let outcome = bench.outcome(bench.call(Stage::Train, "copy").given(vec![input.clone()]));
        assert_eq!(outcome.outputs[0].digest, Digest::of(b"a,b\n"));
    }
}
