//! Timers: a run at each tick of a schedule, for monitoring and for training again.
//!
//! A tick is one run over all processes that have the timer, because the tick is its cause. What
//! was missed while no process ran is made up for once, if it was not long ago. A tick that comes
//! while the timer's run before is not done is left out.

mod look;
mod schedule;

use std::{
    future::Future,
    path::PathBuf,
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use anyhow::ensure;
use serde_json::{Map, Value};

pub use self::schedule::Schedule;
use super::{
    follow::{Follow, Retrain},
    later::{Later, Said},
    wanted::{Part, Requests, Wanted},
};
use crate::pipeline::{Pipeline, RunKind};

/// The longest time between two looks at the clock: it may be put on or back meanwhile.
const SELDOM: u64 = 20_000;

/// A tick of a process that runs is fired up to so long after its time, whatever is said of those
/// that were missed: a machine may be busy or may have slept.
const GRACE: u64 = 60_000;

/// How many ticks back are looked through for the run before.
const LOOK_BACK: usize = 100;

/// What is run, and when.
#[derive(Clone, Debug)]
pub struct TimerRule {
    /// What it is known by in the store; no other timer of the store may have it.
    pub name: String,
    /// When.
    pub schedule: Schedule,
    /// What the runs are for.
    pub kind: RunKind,
    /// The model; for a training its name.
    pub model: Option<String>,
    /// Files, folders and patterns, looked at when it ticks.
    pub data: Vec<PathBuf>,
    /// The flags of the command that does the same.
    pub options: Map<String, Value>,
    /// For how long after its time a tick is fired that was missed.
    pub catch_up: Duration,
    /// What is trained when monitor finds drift.
    pub retrain: Option<Retrain>,
}

/// Watches the clock.
pub struct Timer {
    pipeline: Pipeline,
    requests: Arc<dyn Requests>,
    rule: TimerRule,
    /// Ticks up to this time are dealt with; none before the first look.
    passed: Option<u64>,
    /// The tick that is to be fired.
    due: Option<Due>,
    /// The last run that is known, and the tick up to which was looked for it.
    last: Option<(u64, Option<String>)>,
    follow: Follow,
    said: Said,
}

/// A tick that is to be fired.
struct Due {
    tick: u64,
    later: Later,
    /// Why it could not be fired when that was last tried.
    why: String,
}

impl Due {
    /// The tick, if it is to be tried at this time.
    fn now(&self, now: u64) -> Option<u64> {
        self.later.is_due(now).then_some(self.tick)
    }
}

impl Timer {
    /// A timer that starts runs in `pipeline`, on its clock.
    pub fn new(pipeline: Pipeline, requests: Arc<dyn Requests>, rule: TimerRule) -> Self {
        let follow = Follow::new(
            pipeline.clone(),
            Arc::clone(&requests),
            None,
            rule.retrain.clone(),
        );
        Self {
            pipeline,
            requests,
            rule,
            passed: None,
            due: None,
            last: None,
            follow,
            said: Said::default(),
        }
    }

    /// Fires until `stop`. What was begun is safe to be dropped at any point: the tick is found
    /// again.
    pub async fn watch(mut self, stop: impl Future<Output = ()> + Send) {
        let clock = Arc::clone(self.pipeline.clock());
        let watching = async {
            loop {
                let now = clock.now();
                self.step(now).await;
                clock.sleep(self.pause(clock.now())).await;
            }
        };
        tokio::select! {
            biased;
            () = stop => {}
            () = watching => {}
        }
    }

    /// What is to be done at this time.
    async fn step(&mut self, now: u64) {
        if self.passed.is_none() && self.rule.retrain.is_some() {
            // The run before may have ended while nobody was there to look what it found.
            if let Err(error) = self.running(now + 1).await {
                let name = &self.rule.name;
                self.said.warn(&format!("timer {name}: {error:#}"));
            }
        }
        if let Some(tick) = self.tick(now) {
            let due = Due {
                tick,
                later: Later::default(),
                why: String::new(),
            };
            if let Some(Due { tick: old, why, .. }) = self.due.replace(due) {
                let (name, old, tick) = (&self.rule.name, shown(old), shown(tick));
                self.said.warn(&format!(
                    "timer {name}: its tick of {old} could not be run and is dropped for the \
                     newer one of {tick}: {why}"
                ));
            }
        }
        if let Some(tick) = self.due.as_ref().and_then(|due| due.now(now)) {
            match self.fire(tick).await {
                Ok(()) => self.due = None,
                Err(error) => {
                    let (name, why) = (&self.rule.name, format!("{error:#}"));
                    self.said.warn(&format!("timer {name}: {why}"));
                    if let Some(due) = &mut self.due {
                        due.later.failed(now);
                        due.why = why;
                    }
                }
            }
        }
        self.follow.step(now, &mut self.said).await;
    }

    /// The tick that came since the last look: of several the last one.
    fn tick(&mut self, now: u64) -> Option<u64> {
        let catch_up = u64::try_from(self.rule.catch_up.as_millis()).unwrap_or(u64::MAX);
        let since = match self.passed {
            None => now.saturating_sub(catch_up),
            // The clock was put back: what comes again has a run already and gets no other.
            Some(passed) if passed > now => now,
            Some(passed) => passed.max(now.saturating_sub(catch_up.max(GRACE))),
        };
        self.passed = Some(now);
        let last = self.rule.schedule.last(now);
        last.filter(|tick| *tick > since)
    }

    /// How long nothing will happen.
    fn pause(&self, now: u64) -> Duration {
        let next = self.rule.schedule.next(now).map_or(SELDOM, |next| {
            // Just behind it.
            next.saturating_sub(now) + 1
        });
        let busy = self.due.is_some() || !self.follow.is_idle();
        let longest = if busy { 1_000 } else { SELDOM };
        Duration::from_millis(next.min(longest))
    }

    /// Starts the run of a tick, unless it is there or the one before is not done.
    async fn fire(&mut self, tick: u64) -> anyhow::Result<()> {
        let cause = self.cause(tick);
        if let Some(run) = self.pipeline.started(&cause).await? {
            self.began(tick, run);
            return Ok(());
        }
        if let Some(run) = self.running(tick).await? {
            let (name, tick) = (&self.rule.name, shown(tick));
            tracing::warn!("timer {name}: left out at {tick}, because run {run} is not done");
            return Ok(());
        }
        let rule = &self.rule;
        let wanted = Wanted {
            kind: rule.kind,
            model: rule.model.clone(),
            data: rule.data.iter().cloned().map(Part::Path).collect(),
            options: rule.options.clone(),
            trace: None,
        };
        let request = self.requests.request(wanted).await?;
        ensure!(request.kind == rule.kind, "it is another kind of run");
        let (run, new) = self.pipeline.start_once(&cause, request).await?;
        if new {
            let (name, kind) = (&rule.name, rule.kind.name());
            tracing::info!("timer {name}: {}: {kind} run {run}", shown(tick));
        }
        self.began(tick, run);
        Ok(())
    }

    fn began(&mut self, tick: u64, run: String) {
        self.last = Some((tick, Some(run.clone())));
        self.follow.add(run, format!("timer {}", self.rule.name));
    }

    fn cause(&self, tick: u64) -> String {
        format!("timer:{}:{}", self.rule.name, shown(tick))
    }

    /// The timer's last run before a tick, whoever started it, if it is not done.
    async fn running(&mut self, tick: u64) -> anyhow::Result<Option<String>> {
        let known = self.last.clone().filter(|(until, _)| *until < tick);
        let (until, mut last) = known.unwrap_or_default();
        // Another process may have fired since, and this one may not have run.
        let mut earlier = self.rule.schedule.before(tick);
        for _ in 0..LOOK_BACK {
            let Some(before) = earlier.filter(|before| *before > until) else {
                break;
            };
            if let Some(run) = self.pipeline.started(&self.cause(before)).await? {
                self.follow
                    .add(run.clone(), format!("timer {}", self.rule.name));
                last = Some(run);
                break;
            }
            earlier = self.rule.schedule.before(before);
        }
        // Not the tick before: another process may fire that still.
        let looked = earlier.filter(|earlier| *earlier > until).unwrap_or(until);
        self.last = Some((looked, last.clone()));
        let Some(run) = last else {
            return Ok(None);
        };
        match self.pipeline.state(&run).await {
            Ok(state) => Ok((!state.status().is_final()).then_some(run)),
            // Only runs that have ended are forgotten.
            Err(_) if self.pipeline.is_forgotten(&run).await? => Ok(None),
            Err(error) => {
                // What is known of it may be no longer right: the next look finds it anew.
                self.last = None;
                Err(error)
            }
        }
    }
}

/// A tick as RFC 3339.
fn shown(tick: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(tick);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::atomic::{AtomicU32, Ordering},
    };

    use async_trait::async_trait;

    use super::*;
    use crate::{
        contract::{Artifact, Digest, Stage},
        pipeline::{Pinned, RunRequest, Source},
        store::{Clock, ManualClock, memory_with},
    };

    const MINUTE: u64 = 60_000;

    /// 2023-11-14, 22:13:20 UTC.
    const START: u64 = 1_700_000_000_000;

    /// Makes a run of anything, once it is not to fail any more.
    #[derive(Default)]
    struct Asked {
        asked: AtomicU32,
        failures: AtomicU32,
    }

    #[async_trait]
    impl Requests for Asked {
        async fn request(&self, wanted: Wanted) -> anyhow::Result<RunRequest> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let fail = |left: u32| left.checked_sub(1);
            let left = self
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, fail);
            ensure!(left.is_err(), "there is no model yet");
            let artifact = Artifact {
                name: "source".to_owned(),
                digest: Digest::of(b"a"),
                size: 1,
                media_type: "text/csv".to_owned(),
            };
            let component = |stage: &Stage| (*stage, Digest::of(stage.name().as_bytes()));
            Ok(RunRequest {
                kind: wanted.kind,
                name: "iris".to_owned(),
                sources: vec![Source {
                    label: "a.csv".to_owned(),
                    artifact,
                }],
                parameters: BTreeMap::new(),
                seed: 0,
                components: Stage::ALL.iter().map(component).collect(),
                model: None,
                transforms: vec![],
                created: String::new(),
                tests: 0,
                declared: None,
                pinned: Pinned::default(),
                trace: wanted.trace,
            })
        }
    }

    struct Process {
        pipeline: Pipeline,
        asked: Arc<Asked>,
    }

    impl Process {
        async fn new() -> Self {
            let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(START));
            let store = memory_with(clock.clone());
            // What each run is given.
            store.blobs.put(b"a").await.unwrap();
            Self {
                pipeline: Pipeline::with_clock(store, clock),
                asked: Arc::default(),
            }
        }

        fn timer(&self, cron: &str) -> Timer {
            let rule = TimerRule {
                name: "t".to_owned(),
                schedule: Schedule::parse(cron, START).unwrap(),
                kind: RunKind::Train,
                model: None,
                data: vec!["a.csv".into()],
                options: Map::new(),
                catch_up: Duration::from_hours(1),
                retrain: None,
            };
            Timer::new(self.pipeline.clone(), self.asked.clone(), rule)
        }

        async fn runs(&self) -> usize {
            self.pipeline.runs(1000).await.unwrap().len()
        }

        /// Ends what there is.
        async fn finish(&self) {
            for run in self.pipeline.runs(1000).await.unwrap() {
                self.pipeline.cancel(&run.id, "a test").await.unwrap();
            }
        }
    }

    fn block_on(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(work);
    }

    #[test]
    fn a_tick_is_one_run_of_two_processes() {
        block_on(async {
            let process = Process::new().await;
            let (mut one, mut two) = (process.timer("*/5 * * * *"), process.timer("*/5 * * * *"));
            // The tick of 22:10 was missed, and is made up for by one of them.
            for timer in [&mut one, &mut two] {
                timer.step(START).await;
            }
            assert_eq!(process.runs().await, 1);
            for minute in 1..=10 {
                process.finish().await;
                for timer in [&mut two, &mut one] {
                    timer.step(START + minute * MINUTE).await;
                }
            }
            // 22:15 and 22:20.
            assert_eq!(process.runs().await, 3);
            assert_eq!(process.asked.asked.load(Ordering::SeqCst), 3);
            // Started again: nothing is missing.
            process.timer("*/5 * * * *").step(START + 10 * MINUTE).await;
            assert_eq!(process.runs().await, 3);
        });
    }

    #[test]
    fn of_missed_ticks_the_last_one_counts_if_it_is_not_long_ago() {
        block_on(async {
            let process = Process::new().await;
            process.timer("* * * * *").step(START).await;
            assert_eq!(process.runs().await, 1);
            process.finish().await;
            // 21:00 is more than an hour ago.
            let mut late = process.timer("0 21 * * *");
            late.step(START).await;
            assert_eq!(process.runs().await, 1);
            // Not so short that a tick could be missed by who watches.
            let mut none = process.timer("* * * * *");
            none.rule.catch_up = Duration::ZERO;
            none.step(START + MINUTE).await;
            assert_eq!(process.runs().await, 1);
            none.step(START + MINUTE + MINUTE / 3).await;
            assert_eq!(process.runs().await, 1);
            none.step(START + 2 * MINUTE).await;
            assert_eq!(process.runs().await, 2);
        });
    }

    #[test]
    fn a_clock_that_jumps_starts_no_storm() {
        block_on(async {
            let process = Process::new().await;
            let mut timer = process.timer("* * * * *");
            timer.step(START).await;
            process.finish().await;
            // A year on: one tick, not half a million.
            let year = 525_600 * MINUTE;
            timer.step(START + year).await;
            assert_eq!(process.runs().await, 2);
            process.finish().await;
            // And back: what has a run gets no other.
            timer.step(START + 1).await;
            assert_eq!(process.runs().await, 2);
            timer.step(START + MINUTE).await;
            process.finish().await;
            timer.step(START + 2 * MINUTE).await;
            process.finish().await;
            timer.step(START + MINUTE).await;
            timer.step(START + 2 * MINUTE).await;
            assert_eq!(process.runs().await, 4);
        });
    }

    #[test]
    fn a_tick_is_left_out_while_the_run_before_is_not_done() {
        block_on(async {
            let process = Process::new().await;
            let (mut one, mut two) = (process.timer("* * * * *"), process.timer("* * * * *"));
            one.step(START).await;
            for minute in 1..=20 {
                one.step(START + minute * MINUTE).await;
                // This one has not seen who started it.
                two.step(START + minute * MINUTE).await;
            }
            assert_eq!(process.runs().await, 1);
            assert_eq!(process.asked.asked.load(Ordering::SeqCst), 1);
            process.finish().await;
            two.step(START + 21 * MINUTE).await;
            one.step(START + 21 * MINUTE).await;
            assert_eq!(process.runs().await, 2);
        });
    }

    #[test]
    fn what_can_not_be_asked_for_yet_is_tried_again() {
        block_on(async {
            let process = Process::new().await;
            process.asked.failures.store(3, Ordering::SeqCst);
            let mut timer = process.timer("0 * * * *");
            let asked = || process.asked.asked.load(Ordering::SeqCst);
            timer.step(START).await;
            timer.step(START + 1_000).await;
            assert_eq!((asked(), process.runs().await), (1, 0));
            assert_eq!(timer.pause(START), Duration::from_secs(1));
            for second in 2..30 {
                timer.step(START + second * 1_000).await;
            }
            assert_eq!((asked(), process.runs().await), (4, 1));
            assert_eq!(timer.pause(START), Duration::from_millis(SELDOM));
        });
    }
}
