//! Several processes on one store.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::process::{Process, assert_whole, bundles, commits, keys, place, queue};

const RUNS: usize = 200;
const PROCESSES: usize = 4;

#[test]
fn four_processes_do_two_hundred_runs_once() {
    let place = place();
    let runs: Vec<String> = (0..RUNS)
        .map(|number| queue(&place, number % 150))
        .collect();
    let start = || {
        let mut process = Process::start(&place, &["work", "--concurrency", "1"], None);
        process.ready();
        process
    };
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    let begun = Instant::now();
    let (mut kills, mut killed) = (0, Instant::now());
    while !keys(&place, "active/").is_empty() {
        assert!(begun.elapsed() < Duration::from_mins(10), "nothing moves");
        if killed.elapsed() >= Duration::from_secs(1) {
            processes.remove(0).kill();
            processes.push(start());
            kills += 1;
            killed = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(processes);
    bundles(&place, &runs);
    assert_whole(&place);

    // Of each work there is one outcome that was executed; who was killed at it left none.
    let commits = commits(&place.path(".septet"));
    let mut executed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for commit in &commits {
        let work = commit["work"].as_str().unwrap();
        done.insert(work);
        // A deploy is answered by the registry, and may find it changed.
        let deploys = commit["invocation"]["stage"] == "deploy";
        if commit["cached"].is_null() && !deploys {
            *executed.entry(work).or_default() += 1;
        }
    }
    let twice: Vec<_> = executed.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.len() <= kills, "{kills} kills, twice: {twice:?}");
    println!(
        "{RUNS} runs, {} commits, {} works, {kills} kills, {} works twice, {:?}",
        commits.len(),
        done.len(),
        twice.len(),
        begun.elapsed()
    );
}

#[test]
fn four_processes_share_the_work() {
    let place = place();
    for number in 0..40 {
        queue(&place, number);
    }
    let mut processes: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Process::start(
                &place,
                &["work", "--concurrency", "1", "--until-empty"],
                None,
            )
        })
        .collect();
    for process in &mut processes {
        process.ready();
    }
    let mut shares = Vec::new();
    for mut process in processes {
        let ended = process.wait(Duration::from_mins(5));
        assert!(ended.is_some_and(|status| status.success()));
        shares.push(process.stderr().matches(" done ").count());
    }
    let all: usize = shares.iter().sum();
    assert!(all >= 40 * 5, "{shares:?}");
    // Undisturbed, nothing at all is executed twice.
    let commits = commits(&place.path(".septet"));
    let executed: Vec<_> = commits
        .iter()
        .filter(|c| c["cached"].is_null() && c["invocation"]["stage"] != "deploy")
        .map(|commit| commit["work"].as_str().unwrap())
        .collect();
    let distinct: BTreeSet<_> = executed.iter().collect();
    assert_eq!(distinct.len(), executed.len());
    // No one is idle while others work: each has at least a third of an even share.
    assert!(
        shares.iter().all(|share| share * 3 * PROCESSES >= all),
        "{shares:?}"
    );
    assert_whole(&place);
}
