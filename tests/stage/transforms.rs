//! User transforms in their sandboxes.

use septet::{
    contract::{Call, Stage},
    stage::Limits,
};

use super::bench::{Bench, With, foreign};
use crate::support::guests::guest;

fn call(bench: &Bench, what: &str) -> Call {
    let transform = bench.blobs.insert(guest("transform"));
    let mut call = bench.call(Stage::Preprocess, what);
    call.transforms = vec![transform];
    call.with("digest", &transform.to_string())
}

/// What the stage is told when the transform does `what`.
fn told(bench: &Bench, what: &str) -> String {
    bench.blamed(call(bench, "apply").with("what", what))
}

#[test]
fn a_declared_transform_is_applied() {
    let bench = Bench::new();
    let executed = bench
        .run(call(&bench, "apply").with("what", "double"))
        .unwrap();
    assert_eq!(executed.used["transforms"], 1);
    super::bench::outcome(executed);
}

#[test]
fn every_batch_has_a_fresh_instance_and_that_is_cheap() {
    let bench = Bench::new();
    let many = call(&bench, "apply-many").with("times", "1000");
    let executed = bench.run(many).unwrap();
    assert_eq!(executed.used["transforms"], 1000);
    println!("1000 batches of two rows: {:.3} s", executed.seconds);
    // Half a millisecond each with a host that is not optimized.
    assert!(executed.seconds < 5.0, "{} s", executed.seconds);
    super::bench::outcome(executed);
}

/// What a component that is no part of this repository costs: `SEPTET_TRANSFORM` is its file, which
/// doubles `x`.
#[test]
#[ignore = "measures a component that is named"]
fn a_named_transform_is_measured() {
    let bench = Bench::new();
    let file = std::env::var_os("SEPTET_TRANSFORM").unwrap();
    let transform = bench.blobs.insert(&std::fs::read(file).unwrap());
    for times in ["1", "1", "101"] {
        let mut call = bench.call(Stage::Preprocess, "apply-many");
        call.transforms = vec![transform];
        let call = call
            .with("digest", &transform.to_string())
            .with("times", times);
        let executed = bench.run(call).unwrap();
        println!("{times} batches: {:.4} s", executed.seconds);
        super::bench::outcome(executed);
    }
}

#[test]
fn an_undeclared_transform_is_denied() {
    let bench = Bench::new();
    let transform = bench.blobs.insert(guest("transform")).to_string();
    bench.outcome(
        bench
            .call(Stage::Preprocess, "apply-foreign")
            .with("digest", &transform),
    );
    bench.outcome(
        bench
            .call(Stage::Preprocess, "apply-foreign")
            .with("digest", "no digest"),
    );
    bench.outcome(bench.call(Stage::Infer, "apply-nothing"));
}

#[test]
fn a_transform_that_is_not_there_or_is_none_is_told() {
    let bench = Bench::new();
    let mut call = bench.call(Stage::Preprocess, "apply");
    let gone = septet::contract::Digest::of(b"gone");
    call.transforms = vec![gone];
    assert_eq!(
        bench.blamed(call.with("digest", &gone.to_string())),
        "unknown"
    );

    let mut call = bench.call(Stage::Preprocess, "apply");
    let other = foreign(&bench);
    call.transforms = vec![other];
    let reason = bench.blamed(call.with("digest", &other.to_string()));
    assert!(reason.contains("does not fit a user transform"), "{reason}");

    // A stage has capabilities, and a transform has none.
    let mut call = bench.call(Stage::Preprocess, "apply");
    call.transforms = vec![call.component];
    let digest = call.component.to_string();
    let reason = bench.blamed(call.with("digest", &digest));
    assert!(
        reason.contains("a user transform is given no capability"),
        "{reason}"
    );
}

#[test]
fn what_breaks_the_contract_does_not_reach_the_stage() {
    let bench = Bench::new();
    for (what, expected) in [
        (
            "reject",
            "rejected: row 1 of the batch, column 'x': too small",
        ),
        ("drop-rows", "gave 0 rows for 2"),
        (
            "undeclared",
            "gave column 'else', which it does not declare",
        ),
        ("uneven", "column 'else' has 1 values in a table of 2 rows"),
        ("same-name", "column 'x' comes more than once"),
        ("bad-nulls", "column 'x' lists null 7"),
        (
            "many-rows",
            "limit: limit batch_rows allows 8192; 100000 was asked for",
        ),
        (
            "long-name",
            "limit: limit name_bytes allows 255; 1000 was asked for",
        ),
        ("trap", "other: the transform ended early"),
    ] {
        let reason = told(&bench, what);
        assert!(reason.contains(expected), "{what}: {reason}");
    }
}

#[test]
fn a_transform_is_bounded_and_the_stage_lives_on() {
    let bench = Bench::with_limits(Limits {
        transform_cpu_seconds: 1,
        transform_memory_bytes: 32 << 20,
        ..Limits::default()
    });
    let reason = told(&bench, "loop");
    assert!(
        reason.contains("limit transform_cpu_seconds allows 1"),
        "{reason}"
    );
    let reason = told(&bench, "hoard");
    assert!(
        reason.contains("limit transform_memory_bytes allows"),
        "{reason}"
    );
    let reason = bench.blamed(call(&bench, "apply-too-many-rows"));
    assert!(reason.starts_with("limit: limit batch_rows"), "{reason}");
    bench.outcome(call(&bench, "apply-again-after-a-trap"));
}

#[test]
fn the_wall_clock_of_a_call_ends_its_transform_too() {
    let bench = Bench::with_limits(Limits {
        wall_seconds: 1,
        ..Limits::default()
    });
    let reason = told(&bench, "loop");
    assert!(reason.starts_with("limit wall_seconds"), "{reason}");
}

#[test]
fn transforms_of_a_call_are_bounded() {
    let bench = Bench::with_limits(Limits {
        transforms: 1,
        ..Limits::default()
    });
    // One may be open, and it is the same one both times.
    bench.outcome(call(&bench, "apply-again-after-a-trap"));
}
