//! The life of one call: when it last did something, and whether it is to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Control, ended::Stopped, limits::Exceeded};

/// Shared by a call, its watcher and the sandboxes that it has opened.
pub(crate) struct Pulse {
    control: Control,
    made: Instant,
    wall_seconds: u64,
    /// When the call began, in milliseconds after `made`.
    begun: AtomicU64,
    /// When it last did something, likewise.
    last: AtomicU64,
    /// Calls of the host that are under way: the host is at work, not the component.
    busy: AtomicU32,
}

/// A call of the host under way.
pub(crate) struct Busy(Arc<Pulse>);

impl Pulse {
    pub(crate) fn new(control: Control, wall_seconds: u64) -> Self {
        Self {
            control,
            made: Instant::now(),
            wall_seconds,
            begun: AtomicU64::new(0),
            last: AtomicU64::new(0),
            busy: AtomicU32::new(0),
        }
    }

    pub(crate) const fn control(&self) -> &Control {
        &self.control
    }

    /// Begins anew: for an instance that is called again and again.
    pub(crate) fn restart(&self) {
        self.begun.store(self.now(), Ordering::Relaxed);
        self.beat();
    }

    fn now(&self) -> u64 {
        self.made.elapsed().as_millis() as u64
    }

    fn begun(&self) -> Instant {
        self.made + Duration::from_millis(self.begun.load(Ordering::Relaxed))
    }

    /// When the call must have ended.
    pub(crate) fn deadline(&self) -> Instant {
        let limit = self.begun() + Duration::from_secs(self.wall_seconds);
        self.control.deadline().map_or(limit, |own| own.min(limit))
    }

    /// Why the call can't go on, if it can't.
    pub(crate) fn check(&self) -> wasmtime::Result<()> {
        if let Some(reason) = self.control.stopped() {
            return Err(wasmtime::Error::new(Stopped(reason)));
        }
        if Instant::now() >= self.deadline() {
            return Err(self.overdue());
        }
        Ok(())
    }

    /// The error of a call that is past its deadline.
    pub(crate) fn overdue(&self) -> wasmtime::Error {
        let elapsed = self.begun().elapsed().as_secs();
        if elapsed >= self.wall_seconds {
            wasmtime::Error::new(Exceeded {
                limit: "wall_seconds",
                value: self.wall_seconds,
                asked: elapsed + 1,
            })
        } else {
            wasmtime::Error::new(Stopped("its deadline has passed".to_owned()))
        }
    }

    /// Marks life. Called where a component is seen to work.
    pub(crate) fn beat(&self) {
        self.last.store(self.now(), Ordering::Relaxed);
    }

    /// Enters a call of the host: checks that the component may go on.
    pub(crate) fn enter(self: &Arc<Self>) -> wasmtime::Result<Busy> {
        self.check()?;
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.beat();
        Ok(Busy(Arc::clone(self)))
    }

    /// How long the component has computed without a word.
    pub(crate) fn silence(&self) -> Duration {
        if self.busy.load(Ordering::Relaxed) > 0 {
            return Duration::ZERO;
        }
        let last = self.last.load(Ordering::Relaxed);
        Duration::from_millis(self.now().saturating_sub(last))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.beat();
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_and_a_deadline_end_the_next_step() {
        let control = Control::new();
        let pulse = Arc::new(Pulse::new(control.clone(), 60));
        drop(pulse.enter().unwrap());
        control.stopper().stop("cancelled");
        let error = pulse.enter().err().unwrap();
        assert_eq!(error.to_string(), "the call was stopped: cancelled");

        let pulse = Arc::new(Pulse::new(Control::new(), 0));
        let error = pulse.enter().err().unwrap();
        assert!(error.to_string().contains("wall_seconds"), "{error}");

        let passed = Control::new().with_deadline(Instant::now());
        let error = Pulse::new(passed, 60).check().err().unwrap();
        assert!(error.to_string().contains("deadline"), "{error}");
    }

    #[test]
    fn the_host_at_work_is_not_silence() {
        let pulse = Arc::new(Pulse::new(Control::new(), 60));
        let busy = pulse.enter().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(pulse.silence(), Duration::ZERO);
        drop(busy);
        std::thread::sleep(Duration::from_millis(20));
        assert!(pulse.silence() >= Duration::from_millis(10));
    }
}
