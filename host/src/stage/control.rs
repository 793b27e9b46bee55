//! What a caller may do with a running call: hear of its progress and stop it.

use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::sync::Notify;

/// Hears of progress: steps done, and all steps where the component knows.
pub type Progress = Arc<dyn Fn(u64, Option<u64>) + Send + Sync>;

/// One call's line to its caller.
#[derive(Clone, Default)]
pub struct Control {
    progress: Option<Progress>,
    deadline: Option<Instant>,
    stop: Arc<Stop>,
}

#[derive(Default)]
struct Stop {
    reason: Mutex<Option<String>>,
    asked: Notify,
}

/// Stops a call, from wherever it is kept.
#[derive(Clone)]
pub struct Stopper(Arc<Stop>);

impl Control {
    /// Nobody listens, nobody stops.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports progress to `progress`. It is called on the call's own thread: be quick.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Stops the call at `deadline`, if that comes before the limit of wall clock.
    #[must_use]
    pub const fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// A handle that stops the call: for a cancel, or a lost lease.
    pub fn stopper(&self) -> Stopper {
        Stopper(Arc::clone(&self.stop))
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn report(&self, done: u64, total: Option<u64>) {
        if let Some(progress) = &self.progress {
            progress(done, total);
        }
    }

    /// Why the call is to stop, once somebody asked for it.
    pub(crate) fn stopped(&self) -> Option<String> {
        self.stop.reason()
    }

    /// Returns when somebody has asked to stop.
    pub(crate) async fn wait_for_stop(&self) -> String {
        loop {
            let mut asked = pin!(self.stop.asked.notified());
            // Enabled before the look, so that no request falls in between.
            asked.as_mut().enable();
            if let Some(reason) = self.stopped() {
                return reason;
            }
            asked.await;
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("deadline", &self.deadline)
            .field("stopped", &self.stopped())
            .finish_non_exhaustive()
    }
}

impl Stop {
    fn reason(&self) -> Option<String> {
        let reason = self.reason.lock();
        reason.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Stopper {
    /// Stops the call for `reason`; the first reason stays.
    pub fn stop(&self, reason: &str) {
        let guard = self.0.reason.lock();
        guard
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(|| reason.to_owned());
        self.0.asked.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_heard_before_and_after() {
        let control = Control::new();
        let stopper = control.stopper();
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let waiting = {
                let control = control.clone();
                tokio::spawn(async move { control.wait_for_stop().await })
            };
            tokio::task::yield_now().await;
            stopper.stop("lease lost");
            stopper.stop("something later");
            assert_eq!(waiting.await.unwrap(), "lease lost");
            assert_eq!(control.wait_for_stop().await, "lease lost");
        });
    }
}
