//! How a guest can end, and what is made of it.

use septet::contract::{Disposition, Stage};

use super::bench::{Bench, With, foreign};

fn disposition(what: &str) -> Disposition {
    let bench = Bench::new();
    bench
        .run(bench.call(Stage::Train, what))
        .unwrap()
        .disposition
}

fn blamed(what: &str) -> String {
    let bench = Bench::new();
    bench.blamed(bench.call(Stage::Train, what))
}

#[test]
fn a_stages_own_verdict_is_passed_on_in_one_line() {
    assert_eq!(
        disposition("reject"),
        Disposition::Rejected {
            reason: "row 3: no such column".to_owned()
        }
    );
    assert_eq!(
        disposition("retry"),
        Disposition::Retry {
            after: 7 * 24 * 3600 * 1000,
            reason: "busy".to_owned()
        }
    );
}

#[test]
fn a_panic_is_told_by_its_last_words() {
    let reason = blamed("panic");
    assert!(
        reason.starts_with("the component ended early: it trapped"),
        "{reason}"
    );
    assert!(reason.contains("index out of bounds"), "{reason}");
    assert!(
        !reason.contains('\n') && !reason.contains("RUST_BACKTRACE"),
        "{reason}"
    );
}

#[test]
fn an_exit_is_told() {
    let reason = blamed("exit");
    assert!(reason.contains("exit("), "{reason}");
}

#[test]
fn rubbish_in_an_answer_is_refused() {
    for (what, told) in [
        ("answer-nan", "metric 'accuracy' is NaN"),
        (
            "answer-metric-twice",
            "metric 'accuracy' comes more than once",
        ),
        ("answer-output-twice", "output 'out' comes more than once"),
        ("answer-bad-name", "output '../out' is badly named"),
        ("answer-other-size", "was not written by this call"),
        ("answer-other-type", "was not written by this call"),
    ] {
        let reason = blamed(what);
        assert!(reason.contains(told), "{what}: {reason}");
    }
    let bench = Bench::new();
    let call = bench.call(Stage::Train, "answer-foreign-output");
    let call = call.with("digest", &foreign(&bench).to_string());
    let reason = bench.blamed(call);
    assert!(reason.contains("was not written by this call"), "{reason}");
}

#[test]
fn what_a_guest_does_not_know_is_its_failure() {
    assert_eq!(blamed("dance"), "nothing is known of 'dance'");
}
