//! All attacks in one process, beside another customer's calls, and what is left of them.
//!
//! It is a process of its own, because what others do in this one would be counted too.

use std::{
    env, fs,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use septet::{
    contract::{Call, Stage},
    stage::{Compiler, Control},
};

use super::{
    attacks::{ATTACKS, CPU, limits},
    evil::evil,
};
use crate::{
    stage::bench::{Bench, Options, With, outcome},
    support::{guests::guest, septet::binary},
};

/// What the attacks may leave behind in the machine's memory: the code of some dozen transforms and
/// what an allocator keeps.
const MEMORY_LEFT: u64 = 64 << 20;

/// What they may leave behind a second time: nothing grows with the number of attacks.
const MEMORY_LEFT_AGAIN: u64 = 16 << 20;

/// What they may leave behind when the executor is gone.
const MEMORY_LEFT_CLOSED: u64 = 24 << 20;

/// By how much a call of another customer may be held up, on two processors that do other things
/// too.
const DELAY: Duration = Duration::from_secs(2);

/// How long all of it may take.
const MOST: Duration = Duration::from_mins(5);

/// Bytes of this process in the machine's memory.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.unwrap().parse::<u64>().unwrap() << 10
}

fn apply(bench: &Bench, component: &[u8], what: &str) -> Call {
    let transform = bench.blobs.insert(component);
    let mut call = bench.call(Stage::Preprocess, what);
    call.transforms = vec![transform];
    call.with("digest", &transform.to_string())
}

/// A customer whose transform is good, and who asks again and again.
struct Neighbour {
    ends: Arc<AtomicBool>,
    slowest: Arc<Mutex<Duration>>,
    calling: tokio::task::JoinHandle<u64>,
}

impl Neighbour {
    fn begin(bench: &Bench) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let slowest = Arc::new(Mutex::new(Duration::ZERO));
        let (executor, call) = (
            Arc::clone(&bench.executor),
            apply(bench, guest("transform"), "apply"),
        );
        let (told, kept) = (Arc::clone(&ends), Arc::clone(&slowest));
        let calling = bench.spawn(async move {
            let mut calls = 0;
            while !told.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let executed = executor.execute(call.clone(), &Control::new()).await;
                // The guest asserts that the rows are the right ones.
                outcome(executed.unwrap());
                let took = begun.elapsed();
                calls += 1;
                {
                    let mut slowest = kept.lock().unwrap();
                    *slowest = took.max(*slowest);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            calls
        });
        Self {
            ends,
            slowest,
            calling,
        }
    }

    /// The slowest call since the last time this was asked.
    fn slowest(&self) -> Duration {
        std::mem::take(&mut *self.slowest.lock().unwrap())
    }
}

#[test]
#[ignore = "run in a process of its own, by the test below"]
fn all_attacks_in_this_process() {
    let cache = tempfile::tempdir().unwrap();
    let bench = Bench::with(Options {
        limits: limits(),
        cache: Some(cache.path().to_owned()),
        compiler: Some(Compiler::process(binary().to_owned())),
        ..Options::default()
    });
    let good = || apply(&bench, guest("transform"), "apply");
    for _ in 0..20 {
        bench.outcome(good());
    }
    let attacks: Vec<(&str, &str, Vec<u8>)> = ATTACKS
        .iter()
        .map(|(name, told)| (*name, *told, evil(name)))
        .collect();
    let before = resident();
    let neighbour = Neighbour::begin(&bench);
    let mut wrong = Vec::new();
    let mut slowest = Duration::ZERO;
    for (name, expected, component) in &attacks {
        neighbour.slowest();
        let begun = Instant::now();
        let told = bench.blamed(apply(&bench, component, "apply-show"));
        let took = begun.elapsed();
        let delay = neighbour.slowest();
        slowest = slowest.max(delay);
        println!(
            "{name}: {took:.1?}, another's call {delay:.1?}: {:.200}",
            told.escape_debug().to_string()
        );
        if !told.contains(expected) || told.contains(|c: char| c.is_control()) || told.len() > 5000
        {
            wrong.push(format!("{name}: {told:.300}"));
        }
        // What was sent once must not be drawn another time.
        if *name == "random" {
            assert_eq!(told, bench.blamed(apply(&bench, component, "apply-show")));
        }
    }
    neighbour.ends.store(true, Ordering::Relaxed);
    let calls = bench.wait(neighbour.calling).unwrap();
    bench.outcome(good());
    let after = resident();
    for (_, expected, component) in &attacks {
        // Those that take a second each hold nothing meanwhile.
        if *expected != CPU {
            bench.blamed(apply(&bench, component, "apply-show"));
        }
    }
    bench.outcome(good());
    let again = resident();
    println!(
        "{} attacks, {calls} calls of another, the slowest {slowest:.0?}; memory {} MiB before, {} MiB after, {} MiB after all once more",
        attacks.len(),
        before >> 20,
        after >> 20,
        again >> 20
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(slowest < DELAY, "another's call took {slowest:?}");
    assert!(
        after < before + MEMORY_LEFT,
        "{before} before, {after} after"
    );
    assert!(
        again < after + MEMORY_LEFT_AGAIN,
        "{after} after the first time, {again} after the second"
    );
    assert!(calls > 100, "{calls} calls of another");
    // What was left was kept on purpose: code, and instances to be used again.
    drop(bench);
    let closed = resident();
    assert!(
        closed < before + MEMORY_LEFT_CLOSED,
        "{before} before, {closed} when the executor was gone"
    );
}

#[test]
fn no_attack_harms_the_host_or_a_neighbour() {
    let name = "sandbox::together::all_attacks_in_this_process";
    let mut child = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--ignored", "--nocapture"])
        // The system's allocator keeps what was freed, as much as it likes. It is told to give it
        // back, so that what is measured is what the host holds.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .env("MALLOC_TRIM_THRESHOLD_", "65536")
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > MOST {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the attacks took more than {MOST:?}");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success(), "{status}");
}
