//! How much memory the stages of a process may take together, and what a stage is likely to take.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use std::sync::Arc;

use crate::{
    contract::Stage,
    pipeline::{Commit, Invocation, Observer},
};

/// What a stage is taken to need before one was seen, in bytes.
const UNKNOWN: u64 = 256 << 20;

/// What an instance takes besides its linear memory, in bytes.
const BESIDES: u64 = 16 << 20;

/// The share of what there is that is given to stages, in percent: the rest is the host's.
const SHARE: u64 = 75;

/// What stages took lately. It hears of them as an observer, and passes on what it hears.
pub(super) struct Memory {
    total: u64,
    seen: Mutex<BTreeMap<Stage, u64>>,
    inner: Arc<dyn Observer>,
}

impl Memory {
    /// At most `total` bytes for all stages together; none asks the machine.
    pub(super) fn new(total: Option<u64>, inner: Arc<dyn Observer>) -> Self {
        Self {
            total: total.unwrap_or_else(|| available() / 100 * SHARE),
            seen: Mutex::default(),
            inner,
        }
    }

    /// Whether one more of `stage` fits beside those that run. One alone always may: there is
    /// nothing to wait for.
    pub(super) fn fits(&self, running: &BTreeMap<Stage, usize>, stage: Stage) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let need = |stage| seen.get(&stage).copied().unwrap_or(UNKNOWN) + BESIDES;
        let taken: u64 = running.iter().map(|(s, n)| need(*s) * *n as u64).sum();
        taken == 0 || taken.saturating_add(need(stage)) <= self.total
    }

    /// The largest of the last ones counts, and is forgotten slowly: an eighth with each that
    /// took less.
    fn learn(&self, stage: Stage, peak: u64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.get(&stage).copied().unwrap_or(peak);
        seen.insert(stage, peak.max(before - before / 8));
    }
}

impl Observer for Memory {
    fn started(&self, invocation: &Invocation, attempt: u32) {
        self.inner.started(invocation, attempt);
    }

    fn progress(&self, invocation: &Invocation, done: u64, total: Option<u64>) {
        self.inner.progress(invocation, done, total);
    }

    fn finished(&self, commit: &Commit) {
        if commit.peak_memory_bytes > 0 {
            self.learn(commit.invocation.stage, commit.peak_memory_bytes);
        }
        self.inner.finished(commit);
    }

    fn retried(&self, invocation: &Invocation, attempt: u32, delay: Duration, reason: &str) {
        self.inner.retried(invocation, attempt, delay, reason);
    }

    fn refused(&self, queue: &str, reason: &str) {
        self.inner.refused(queue, reason);
    }
}

/// Bytes that this process may take: what the machine has free, or what its control group leaves.
fn available() -> u64 {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let machine = meminfo(&read("/proc/meminfo")).unwrap_or(u64::MAX);
    // Version 2 of the interface; where there is no limit, the file says "max".
    let limit: Option<u64> = read("/sys/fs/cgroup/memory.max").trim().parse().ok();
    let used: u64 = read("/sys/fs/cgroup/memory.current")
        .trim()
        .parse()
        .unwrap_or(0);
    let group = limit.map_or(u64::MAX, |limit| limit.saturating_sub(used));
    match machine.min(group) {
        // Neither is told: a small machine's worth.
        u64::MAX => 2 << 30,
        bytes => bytes,
    }
}

/// `MemAvailable` of `/proc/meminfo`, which is in KiB.
fn meminfo(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::Silent;

    #[test]
    fn what_was_seen_bounds_how_many_run() {
        let memory = Memory::new(Some(1 << 30), Arc::new(Silent));
        let running = |count| BTreeMap::from([(Stage::Train, count)]);
        assert!(memory.fits(&BTreeMap::new(), Stage::Train));
        assert!(memory.fits(&running(2), Stage::Train));
        assert!(!memory.fits(&running(3), Stage::Train));
        memory.learn(Stage::Train, 1 << 20);
        assert!(memory.fits(&running(40), Stage::Train));
        memory.learn(Stage::Train, 2 << 30);
        assert!(!memory.fits(&running(1), Stage::Train));
        assert!(memory.fits(&BTreeMap::new(), Stage::Train));
        // A large one is forgotten in time.
        for _ in 0..40 {
            memory.learn(Stage::Train, 1 << 20);
        }
        assert!(memory.fits(&running(1), Stage::Train));
    }

    #[test]
    fn the_machine_is_asked() {
        let text = "MemTotal:  100 kB\nMemFree: 1 kB\nMemAvailable:   52 kB\n";
        assert_eq!(meminfo(text), Some(52 << 10));
        assert_eq!(meminfo("MemAvailable: x"), None);
        assert!(available() > 1 << 20);
    }
}
