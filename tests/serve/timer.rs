//! Timers: see the tests beside them for single ticks.

use std::{collections::BTreeSet, time::Duration};

use septet::{
    pipeline::{Collect, RunKind, Status},
    trigger::{Retrain, Schedule, Timer, TimerRule},
};
use serde_json::Map;
use tempfile::TempDir;

use super::asks::{Asks, Watching, runs, until, until_runs};
use crate::store::{backends::block_on, bench::Bench};

#[test]
fn a_tick_is_at_most_one_run_of_all_who_serve() {
    let bench = Bench::new();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    block_on(async {
        let clock = bench.pipeline.clock();
        let start = clock.now();
        let rule = TimerRule {
            name: "often".to_owned(),
            schedule: Schedule::parse("*/5 * * * *", start).unwrap(),
            kind: RunKind::Train,
            model: None,
            data: vec![file],
            options: Map::new(),
            catch_up: Duration::from_hours(1),
            retrain: None,
        };
        let mut watching = Watching::new();
        for _ in 0..4 {
            let asks = Asks::of(&bench);
            let timer = Timer::new(bench.pipeline.clone(), asks, rule.clone());
            let stop = watching.stop();
            watching.watch(timer.watch(stop));
        }
        // A day, or more, of this clock. The runs are done between looks.
        until(async || {
            for run in runs(&bench).await {
                if !run.status.is_final() {
                    bench.worker.drain(&run.id).await.unwrap();
                }
            }
            clock.now() >= start + 86_400_000
        })
        .await;
        let end = clock.now();
        watching.end().await;
        let ticks = (end - start) / 300_000 + 2;
        let all = bench.pipeline.runs(100_000).await.unwrap();
        assert!(
            !all.is_empty() && all.len() as u64 <= ticks,
            "{}",
            all.len()
        );
        // Each run is a tick's own.
        let mut causes = BTreeSet::new();
        let mut tick = rule_tick(start);
        while tick <= end + 300_000 {
            let time = std::time::UNIX_EPOCH + Duration::from_millis(tick);
            let shown = humantime_seconds(time);
            let cause = format!("timer:often:{shown}");
            causes.extend(bench.pipeline.started(&cause).await.unwrap());
            tick += 300_000;
        }
        assert_eq!(causes.len(), all.len());
        let done = all.iter().filter(|run| run.status == Status::Done).count();
        assert!(done > 0);
    });
}

#[test]
fn a_forgotten_run_is_not_in_the_way() {
    let bench = Bench::new();
    // Past the real time, from which runs have their identifiers.
    bench.fresh.later(Duration::from_hours(24 * 365 * 30));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, "a\n1\n").unwrap();
    block_on(async {
        let trained = bench.train(1.0).await.id;
        let clock = bench.pipeline.clock();
        let start = clock.now();
        let rule = TimerRule {
            name: "daily".to_owned(),
            schedule: Schedule::parse("0 12 * * *", start).unwrap(),
            kind: RunKind::Monitor,
            model: Some("iris".to_owned()),
            data: vec![file.clone()],
            options: Map::new(),
            catch_up: Duration::from_hours(24),
            retrain: Some(Retrain {
                data: vec![file],
                options: Map::new(),
            }),
        };
        let mut watching = Watching::new();
        let timer = Timer::new(bench.pipeline.clone(), Asks::of(&bench), rule);
        let stop = watching.stop();
        watching.watch(timer.watch(stop));
        until_runs(&bench, 2).await;
        let first = runs(&bench).await.pop().unwrap().id;
        bench.worker.drain(&first).await.unwrap();
        let drained = clock.now();
        until(async || clock.now() >= drained + 2 * 3_600_000).await;
        let hour = Duration::from_hours(1);
        let collect = Collect {
            grace: hour,
            forget: Some(hour),
            dry_run: false,
        };
        assert_eq!(bench.pipeline.collect(&collect).await.unwrap().runs, 1);
        assert!(bench.pipeline.is_forgotten(&first).await.unwrap());
        // The next tick comes to a run.
        let other = |id: &String| *id != first && *id != trained;
        until(async || runs(&bench).await.iter().any(|run| other(&run.id))).await;
        watching.end().await;
    });
}

/// The tick up to this time, of every five minutes.
const fn rule_tick(time: u64) -> u64 {
    time / 300_000 * 300_000
}

/// RFC 3339 to the second.
fn humantime_seconds(time: std::time::SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}
