//! What the pipeline itself costs: invocations of stages that do nothing, single operations of a
//! queue with few and with many messages in it, and real stages' time against all time.
//!
//! `cargo bench --bench queues` (about two minutes).

use std::{
    collections::BTreeMap,
    error::Error,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use septet::{
    pipeline::{Pipeline, Policy, Silent, Worker},
    store::{Local, Message, Mode, Store, memory},
};
use serde_json::Value;
use stages::{Stages, train};

#[allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "it is shared with tests"
)]
#[path = "../tests/store/stages.rs"]
mod stages;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Operations that each figure is the mean of.
const OPERATIONS: u32 = 500;

/// Runs of which each has seven invocations.
const RUNS: u32 = 40;

/// Invocations a second, no two of them the same work.
async fn invocations(store: &Store, concurrency: usize) -> Result<f64> {
    let policy = Policy {
        concurrency,
        ..Policy::default()
    };
    let pipeline = Pipeline::new(store.clone());
    let stages = Stages::over(store, &Arc::default());
    let worker = Worker::new(pipeline.clone(), stages, Arc::new(Silent)).with_policy(policy);
    let mut requests = Vec::new();
    for run in 0..RUNS {
        let mut request = train(store, 1.0).await;
        request.seed = u64::from(run);
        // A model of its own each: a log of many versions is another matter.
        request.name = format!("model-{concurrency}-{run}");
        requests.push(request);
    }
    let begun = Instant::now();
    let mut runs = Vec::new();
    for request in requests {
        runs.push(pipeline.start(request).await?);
    }
    let mut done = 0;
    for run in runs {
        done += worker.drain(&run).await?.commits().count();
    }
    Ok(done as f64 / begun.elapsed().as_secs_f64())
}

/// Microseconds of sending, of receiving and of acknowledging with `waiting` messages in the queue,
/// of which half are not due yet.
async fn operations(store: &Store, waiting: u32) -> Result<[f64; 3]> {
    let queues = &store.queues;
    let queue = format!("q{waiting}");
    let message = |name: String| Message::new(name, vec![b'x'; 400]).in_group("run/0");
    for number in 0..waiting {
        let delay = Duration::from_hours(u64::from(number % 2));
        let message = message(format!("waiting-{number}"));
        queues.send(&queue, &message, delay).await?;
    }
    let mut taken = [Duration::ZERO; 3];
    for number in 0..OPERATIONS {
        let [send, receive, acknowledge] = &mut taken;
        let begun = Instant::now();
        let message = message(format!("measured-{number}"));
        queues.send(&queue, &message, Duration::ZERO).await?;
        *send += begun.elapsed();
        let begun = Instant::now();
        let received = queues.receive(&[&queue], Duration::from_mins(1)).await?;
        *receive += begun.elapsed();
        let received = received.ok_or("there is no message")?;
        let begun = Instant::now();
        queues.acknowledge(&received).await?;
        *acknowledge += begun.elapsed();
    }
    let mean = |all: Duration| all.as_secs_f64() * 1e6 / f64::from(OPERATIONS);
    Ok(taken.map(mean))
}

/// Runs the binary in `folder`.
fn septet(folder: &Path, arguments: &[&str]) -> Result<Vec<u8>> {
    let output = Command::new(env!("CARGO_BIN_EXE_septet"))
        .args(arguments)
        .current_dir(folder)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(output.stdout)
}

/// Real runs: the seconds that the stages took, and all seconds of one worker at a time.
fn overhead(folder: &Path) -> Result<(f64, f64, usize)> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo/penguins.csv");
    std::fs::copy(data, folder.join("penguins.csv"))?;
    let run = ["run", "penguins.csv", "--target", "sex", "--json", "--seed"];
    septet(folder, &[&run[..], &["1000"]].concat())?;
    let mut runs = Vec::new();
    for seed in 0..RUNS {
        let seed = seed.to_string();
        let queued = septet(folder, &[&run[..], &[&seed, "--detach"]].concat())?;
        let queued: Value = serde_json::from_slice(&queued)?;
        runs.push(
            queued
                .get("run")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        );
    }
    let begun = Instant::now();
    septet(folder, &["work", "--until-empty", "--concurrency", "1"])?;
    let all = begun.elapsed().as_secs_f64();
    let (mut stages, mut executed) = (0.0, 0);
    for run in runs {
        let shown: Value =
            serde_json::from_slice(&septet(folder, &["runs", "show", &run, "--json"])?)?;
        let rows = shown.get("stages").and_then(Value::as_array);
        for row in rows.into_iter().flatten() {
            if row.get("cached").and_then(Value::as_bool) == Some(false) {
                stages += row
                    .get("seconds")
                    .and_then(Value::as_f64)
                    .unwrap_or_default();
            }
            executed += 1;
        }
    }
    Ok((stages, all, executed))
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store");
    let local = runtime.block_on(Local::open(&path, Mode::Create))?.store();
    println!("invocations a second, stages that do nothing ({RUNS} runs of 7):");
    let backends = BTreeMap::from([("memory", memory()), ("local", local.clone())]);
    for (name, store) in &backends {
        for concurrency in [1, 2, 4] {
            let rate = runtime.block_on(invocations(store, concurrency))?;
            println!("  {name:<7} {concurrency} at once {rate:>9.0}/s");
        }
    }
    println!("\nmicroseconds an operation of the local store, by messages in the queue:");
    println!(
        "  {:>8} {:>8} {:>8} {:>12}",
        "waiting", "send", "receive", "acknowledge"
    );
    for waiting in [10, 1_000, 10_000, 100_000] {
        let [send, receive, acknowledge] = runtime.block_on(operations(&local, waiting))?;
        println!("  {waiting:>8} {send:>8.0} {receive:>8.0} {acknowledge:>12.0}");
    }
    let (stages, all, executed) = overhead(folder.path())?;
    let each = (all - stages) * 1e3 / executed as f64;
    println!("\n{RUNS} real runs of the demo's data, {executed} invocations, one at a time:");
    println!("  {all:.2} s in all, {stages:.2} s in stages: {each:.1} ms an invocation besides");
    Ok(())
}
