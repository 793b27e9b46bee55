//! A server that is told to stop.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use super::process::{Process, assert_whole, keys, place, queue, work_off};

const SOON: Duration = Duration::from_secs(20);

/// Enough rows and trees for some seconds of training.
fn slow(place: &crate::support::septet::Workplace) -> String {
    let mut csv = "a,b,c,y\n".to_owned();
    let mut draw = crate::support::draw::Draw(5);
    for _ in 0..40_000 {
        let mut share = || draw.next() % 10_000;
        let (a, b, c) = (share(), share(), share());
        writeln!(csv, "{a},{b},{c},{}", u8::from(a + b > c + 5000)).unwrap();
    }
    place.write("slow.csv", csv);
    let queued = place.septet(&[
        "run",
        "slow.csv",
        "--target",
        "y",
        "--algorithm",
        "random-forest",
        "--param",
        "n_estimators=600",
        "--detach",
        "--json",
    ]);
    queued.json()["run"].as_str().unwrap().to_owned()
}

/// A process that is training, and on which run.
fn training(place: &crate::support::septet::Workplace, command: &str) -> (String, Process) {
    let run = slow(place);
    let mut process = Process::start(place, &[command], None);
    process.ready();
    let before = format!("commits/{run}/preprocess");
    wait_for(|| !keys(place, &before).is_empty());
    (run, process)
}

fn wait_for(mut ready: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(2);
    while !ready() {
        assert!(Instant::now() < until, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn at_sigterm_what_is_begun_is_finished() {
    let place = place();
    for seed in 0..4 {
        queue(&place, seed);
    }
    let mut process = Process::start(&place, &["work"], None);
    process.ready();
    wait_for(|| !keys(&place, "commits/").is_empty());
    process.signal("TERM");
    assert!(process.wait(SOON).unwrap().success());
    let log = process.stderr();
    assert!(log.contains("stopping"), "{log}");
    // Nothing is on lease: another goes on at once.
    let begun = Instant::now();
    work_off(&place);
    assert!(begun.elapsed() < SOON);
    assert_whole(&place);
}

#[test]
fn what_takes_longer_than_the_grace_is_handed_back() {
    let place = place();
    place.write("septet.toml", "[work]\ngrace = \"200ms\"\n");
    let (run, mut process) = training(&place, "work");
    std::thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    process.signal("TERM");
    let status = process.wait(SOON).unwrap();
    assert!(status.success(), "{status:?}: {}", process.stderr());
    assert!(begun.elapsed() < Duration::from_secs(10));
    // With a lease of 30 s, only what was handed back is taken up at once.
    let begun = Instant::now();
    let mut other = Process::start(&place, &["work"], None);
    other.ready();
    wait_for(|| keys(&place, "doing/").len() == 1);
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "it was not handed back"
    );
    // And cancelled, it ends at the kernel's next progress.
    let cancelled = place.septet(&["runs", "cancel", &run]).ok();
    assert!(
        cancelled.stdout.contains("cancelled"),
        "{}",
        cancelled.stdout
    );
    wait_for(|| keys(&place, "doing/").is_empty());
    other.signal("INT");
    assert!(other.wait(SOON).unwrap().success());
    assert_whole(&place);
}

#[test]
fn the_second_signal_ends_it_at_once() {
    let place = place();
    let (run, mut process) = training(&place, "serve");
    std::thread::sleep(Duration::from_millis(200));
    process.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    let begun = Instant::now();
    process.signal("TERM");
    let status = process.wait(SOON).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert_eq!(status.code(), Some(128 + 15));
    // What it had begun is taken up when its lease has run out.
    place.septet(&["runs", "cancel", &run]).ok();
    work_off(&place);
    assert_whole(&place);
}

#[test]
fn a_frozen_worker_comes_back_to_nothing() {
    let place = place();
    let (run, mut frozen) = training(&place, "work");
    std::thread::sleep(Duration::from_millis(200));
    frozen.signal("STOP");
    // Its lease of 400 ms runs out, and another does the work.
    work_off(&place);
    frozen.signal("CONT");
    std::thread::sleep(Duration::from_secs(1));
    frozen.signal("TERM");
    assert!(frozen.wait(SOON).unwrap().success());
    let commits = keys(&place, &format!("commits/{run}/train"));
    assert_eq!(commits.len(), 1);
    assert_whole(&place);
}

#[test]
fn a_stage_that_is_silent_for_too_long_ends_its_process() {
    let place = place();
    place.write("septet.toml", "[limits]\nsilence_seconds = 1\n");
    // One step of linear algebra, in which nothing is reported, takes most of a minute.
    let columns = 700;
    let mut csv = String::new();
    for column in 0..columns {
        write!(csv, "c{column},").unwrap();
    }
    csv.push_str("y\n");
    let mut draw = crate::support::draw::Draw(9);
    for _ in 0..2500 {
        for _ in 0..=columns {
            write!(csv, "{:.4},", draw.share()).unwrap();
        }
        csv.pop();
        csv.push('\n');
    }
    place.write("wide.csv", csv);
    let queued = place.septet(&[
        "run",
        "wide.csv",
        "--target",
        "y",
        "--algorithm",
        "linear-regression",
        "--detach",
        "--json",
    ]);
    let run = queued.json()["run"].as_str().unwrap().to_owned();
    let mut process = Process::start(&place, &["work"], None);
    process.ready();
    let status = process.wait(Duration::from_mins(2)).unwrap();
    assert_eq!(status.code(), Some(75));
    let log = process.stderr();
    assert!(log.contains("limit silence_seconds"), "{log}");
    // Its work is as if it had never begun.
    assert!(keys(&place, &format!("commits/{run}/train")).is_empty());
    place.septet(&["runs", "cancel", &run]).ok();
    work_off(&place);
    assert_whole(&place);
}
