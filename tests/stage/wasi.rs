//! WASI is inert: nothing can be learnt from it, and nothing of it is in an output.

use septet::{contract::Stage, stage::Inert};

use super::bench::{Bench, Options, With};

fn report(inert: Inert) -> String {
    let bench = Bench::with(Options {
        inert,
        ..Options::default()
    });
    let outcome = bench.outcome(bench.call(Stage::Train, "wasi"));
    String::from_utf8(bench.blobs.bytes(&outcome.outputs[0].digest)).unwrap()
}

#[test]
fn what_wasi_tells_is_the_same_each_time_and_set_by_the_host() {
    let first = report(Inert::default());
    assert_eq!(first, report(Inert::default()));
    let other_seed = Inert {
        seed: 1,
        ..Inert::default()
    };
    assert_ne!(first, report(other_seed));
    let clock = 1_000_000_000;
    let other_clock = Inert {
        clock,
        ..Inert::default()
    };
    assert!(report(other_clock).ends_with(&format!("{clock}s")));
}

#[test]
fn outputs_do_not_depend_on_seed_or_clock() {
    let mut digests = Vec::new();
    for (seed, clock) in [(0, 0), (1, 0), (0, 2_000_000_000)] {
        let bench = Bench::with(Options {
            inert: Inert { seed, clock },
            ..Options::default()
        });
        let input = bench.input("source", b"a,b\n1,2\n", "text/csv");
        let call = bench.call(Stage::Train, "copy").given(vec![input]);
        digests.push(bench.outcome(call).outputs[0].digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn a_sleep_takes_no_time() {
    let begun = std::time::Instant::now();
    let bench = Bench::new();
    bench.outcome(bench.call(Stage::Train, "sleep"));
    assert!(begun.elapsed().as_secs() < 600);
}
