//! The time of day set back and forth by hours: nothing is done twice, nothing waits for the old
//! time to come again.

use std::time::{Duration, Instant};

use super::server::{Site, undisturbed, until};

/// A training that takes long enough to set the clock in.
const LONG: [&str; 4] = [
    "--algorithm",
    "random-forest",
    "--param",
    "n_estimators=6000",
];

fn set(hours: i64, concurrency: &str) {
    let Some(site) = Site::faulty() else { return };
    let long = site.queue(7, &LONG);
    // These wait behind it when the clock is set.
    let waiting = [(1, site.queue(1, &[])), (2, site.queue(2, &[]))];
    let server = site.serve(&["--concurrency", concurrency]);
    until("the training runs", || {
        let runs = server.lines(&[" started ", "stage=train"]);
        (!runs.is_empty()).then_some(()).ok_or_else(|| server.log())
    });
    site.faults().set_clock(hours);
    assert_eq!(site.show(&long).status(), "running");
    let begun = Instant::now();
    let seen = site.done(&long);
    assert_eq!(seen.attempts(), 1, "{}", seen.0);
    for (seed, run) in &waiting {
        assert_eq!(site.done(run).outputs(), *undisturbed(*seed));
    }
    // And with nothing to do.
    site.faults().set_clock(-hours);
    std::thread::sleep(Duration::from_millis(300));
    site.faults().set_clock(0);
    let last = site.queue(3, &[]);
    assert_eq!(site.done(&last).outputs(), *undisturbed(3));
    assert!(begun.elapsed() < Duration::from_secs(40));
    let log = server.stop();
    for run in waiting.iter().map(|(_, run)| run).chain([&long, &last]) {
        for stage in ["ingest", "preprocess", "train", "evaluate", "deploy"] {
            let stage = format!("stage={stage} ");
            for what in [" started ", " done "] {
                let told = |line: &&str| [run, what, &stage].iter().all(|word| line.contains(word));
                assert_eq!(log.lines().filter(told).count(), 1, "{stage}{run}: {log}");
            }
        }
    }
    site.is_whole();
}

#[test]
fn a_clock_set_back_hides_no_work() {
    set(-2, "1");
}

#[test]
fn a_clock_set_forward_takes_no_work_away() {
    // One more looks for work while the training runs.
    set(2, "2");
}
