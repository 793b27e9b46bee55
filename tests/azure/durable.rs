//! Processes on one account: killed at any moment, and sharing the work.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use septet::{failpoint::PLACES, store::Store};
use serde_json::Value;

use super::commands::Cloud;
use crate::{
    durable::process::{Process, queue_with},
    store::backends::block_on,
    support::{draw::Draw, septet::demo},
};

/// A killed process's work is taken up soon. The service counts leases in whole seconds.
const IMPATIENT: &str = "
[work]
lease = \"2s\"
recover = \"1s\"
deliveries = 100000
failures = 1000
backoff = \"10ms\"
longest_backoff = \"200ms\"
";

/// Kills whenever it is, besides one at each place of the protocol.
const KILLS: usize = 4;

/// Runs that four processes share.
const RUNS: usize = 100;

/// Of so many kinds: the others find the work done.
const KINDS: usize = 10;

const LIMIT: Duration = Duration::from_mins(8);

impl Cloud {
    fn ready() -> Option<Self> {
        let cloud = Self::new()?;
        fs::copy(demo("penguins.csv"), cloud.place.path("penguins.csv")).unwrap();
        cloud.place.write("septet.toml", IMPATIENT);
        Some(cloud)
    }

    fn queue(&self, seed: usize) -> String {
        queue_with(seed, 5, |arguments| self.septet(arguments))
    }

    fn work(&self, failpoint: Option<&str>) -> Process {
        let mut command = self.command(&["work", "--concurrency", "1"]);
        if let Some(failpoint) = failpoint {
            command.env("SEPTET_FAILPOINT", failpoint);
        }
        let mut process = Process::spawn(command);
        process.ready();
        process
    }

    fn work_off(&self) {
        self.septet(&["work", "--until-empty"]).ok();
    }

    /// The digests of what the runs trained, in their order. All must be done.
    fn bundles(&self, runs: &[String]) -> Vec<String> {
        let bundle = |run: &String| {
            let shown = self.septet(&["runs", "show", run, "--json"]).json();
            assert_eq!(shown["status"], "done", "{shown}");
            let stages = shown["stages"].as_array().unwrap();
            let train = stages
                .iter()
                .find(|stage| stage["stage"] == "train")
                .unwrap();
            let outputs = train["outputs"].as_array().unwrap();
            let bundle = outputs.iter().find(|output| output["name"] == "bundle");
            bundle.unwrap()["digest"].as_str().unwrap().to_owned()
        };
        runs.iter().map(bundle).collect()
    }

    /// Nothing is damaged, nothing is left to do, and nothing was given up.
    fn assert_whole(&self) {
        assert!(self.septet(&["store", "verify", "--json"]).json()["whole"] == true);
        let left = block_on(async {
            let store = self.store().await;
            assert!(all(&store, "active/").await.is_empty());
            store.queues.counts().await.unwrap()
        });
        let left: Vec<_> = left.iter().filter(|(queue, _)| queue != "alerts").collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// All records that begin so.
async fn all(store: &Store, prefix: &str) -> BTreeMap<String, Value> {
    let entries = store.records.list(prefix, None, 100_000).await.unwrap();
    let read = |value: &[u8]| serde_json::from_slice(value).unwrap_or_default();
    let entries = entries.into_iter();
    entries
        .map(|entry| (entry.key, read(&entry.value)))
        .collect()
}

#[test]
fn kills_at_every_place_and_at_any_moment_change_nothing() {
    let (Some(disturbed), Some(undisturbed)) = (Cloud::ready(), Cloud::ready()) else {
        return;
    };
    let mut expected = vec![undisturbed.queue(0)];
    undisturbed.work_off();
    let mut runs = vec![disturbed.queue(0)];
    disturbed.work_off();
    let (begun, mut draw) = (Instant::now(), Draw(20_261_123));
    for place in PLACES {
        runs.push(disturbed.queue(runs.len()));
        let mut process = disturbed.work(Some(&format!("{place}:2")));
        let ended = process.wait(Duration::from_mins(1));
        assert!(ended.is_some(), "{place} was not met");
    }
    for _ in 0..KILLS {
        runs.push(disturbed.queue(runs.len() / 2));
        let process = disturbed.work(None);
        thread::sleep(Duration::from_millis(draw.next() % 1500));
        process.kill();
    }
    disturbed.work_off();
    for number in 1..runs.len() {
        let seed = if number <= PLACES.len() {
            number
        } else {
            number / 2
        };
        expected.push(undisturbed.queue(seed));
    }
    undisturbed.work_off();
    assert_eq!(disturbed.bundles(&runs), undisturbed.bundles(&expected));
    disturbed.assert_whole();
    println!("{} kills in {:?}", PLACES.len() + KILLS, begun.elapsed());
}

#[test]
fn four_processes_do_a_hundred_runs_once() {
    let Some(cloud) = Cloud::ready() else { return };
    // One makes the containers and the model, so that all others are given the same split.
    let mut runs = vec![cloud.queue(0)];
    cloud.work_off();
    let begun = Instant::now();
    runs.extend((1..RUNS).map(|number| cloud.queue(number % KINDS)));
    println!("queued in {:?}", begun.elapsed());
    let mut processes: Vec<_> = (0..4).map(|_| cloud.work(None)).collect();
    let (mut kills, mut killed) = (0, Instant::now());
    let commits = block_on(async {
        let store = cloud.store().await;
        while !store
            .records
            .list("active/", None, 1)
            .await
            .unwrap()
            .is_empty()
        {
            assert!(begun.elapsed() < LIMIT, "nothing moves");
            if killed.elapsed() >= Duration::from_secs(3) {
                processes.remove(0).kill();
                processes.push(cloud.work(None));
                (kills, killed) = (kills + 1, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        all(&store, "commits/").await
    });
    drop(processes);
    // Each unit of each run has one commit, and each work one that was executed: who was killed at
    // it left none.
    let mut executed: BTreeMap<&str, usize> = BTreeMap::new();
    let mut done = BTreeSet::new();
    for commit in commits.values() {
        assert!(commit["ending"].get("ok").is_some(), "{commit}");
        let work = commit["work"].as_str().unwrap();
        done.insert(work);
        // A deploy is answered by the registry, and may find it changed.
        if commit["cached"].is_null() && commit["invocation"]["stage"] != "deploy" {
            *executed.entry(work).or_default() += 1;
        }
    }
    let twice = executed.values().filter(|&&count| count > 1).count();
    assert!(twice <= kills, "{kills} kills, {twice} twice");
    assert_eq!(cloud.bundles(&runs[RUNS - KINDS..]).len(), KINDS);
    cloud.assert_whole();
    println!(
        "{RUNS} runs, {} commits, {} works, {kills} kills, {twice} twice, {:?}",
        commits.len(),
        done.len(),
        begun.elapsed()
    );
}
