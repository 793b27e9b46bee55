//! Copies of calls that are under way in this process.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use super::{book::Trials, compared::Compared};
use crate::contract::Stage;

/// Copies that may wait for their turn in a process that waits for them.
const MOST: usize = 64;

/// How a process gives shadows their copies. A clone is the same.
#[derive(Clone, Default)]
pub(in crate::pipeline) struct Mirrors {
    /// Of a process that waits for them at its end; none in one that goes on.
    waited_for: Option<Arc<Mutex<JoinSet<()>>>>,
}

/// A copy that was made, and is counted as passed over where it comes to no end.
pub(super) struct Copy {
    trials: Trials,
    trial: (Stage, u64),
    ended: bool,
}

impl Copy {
    /// A copy for what the entry of the log began.
    pub(super) const fn new(trials: Trials, trial: (Stage, u64)) -> Self {
        Self {
            trials,
            trial,
            ended: false,
        }
    }

    /// Takes note of what it came to.
    pub(super) fn end(mut self, note: impl FnOnce(&mut Compared)) {
        self.ended = true;
        self.trials.compare(self.trial.0, self.trial.1, note);
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        if !self.ended {
            let (stage, revision) = self.trial;
            self.trials.compare(stage, revision, Compared::skip);
        }
    }
}

impl Mirrors {
    /// Those of a process that waits for them at its end: so none is passed over because another is under
    /// way.
    pub(in crate::pipeline) fn waited_for() -> Self {
        Self {
            waited_for: Some(Arc::default()),
        }
    }

    /// Whether a copy waits for its turn.
    pub(super) const fn wait(&self) -> bool {
        self.waited_for.is_some()
    }

    /// Begins on a copy. One too many is dropped, and with it counted as passed over.
    pub(super) fn begin(&self, copy: impl Future<Output = ()> + Send + 'static) {
        match &self.waited_for {
            None => drop(tokio::spawn(copy)),
            Some(copies) => {
                let mut copies = locked(copies);
                while copies.try_join_next().is_some() {}
                if copies.len() < MOST {
                    copies.spawn(copy);
                }
            }
        }
    }

    /// How many are under way.
    pub(in crate::pipeline) fn under_way(&self) -> usize {
        let Some(copies) = &self.waited_for else {
            return 0;
        };
        let mut copies = locked(copies);
        while copies.try_join_next().is_some() {}
        copies.len()
    }

    /// Waits until all have come to an end, but no longer than `within`: then they are given up.
    pub(in crate::pipeline) async fn end(&self, within: Duration) {
        let Some(copies) = &self.waited_for else {
            return;
        };
        let mut copies = std::mem::take(&mut *locked(copies));
        let deadline = Instant::now() + within;
        while let Ok(Some(_)) = tokio::time::timeout_at(deadline, copies.join_next()).await {}
        copies.shutdown().await;
    }
}

fn locked(copies: &Mutex<JoinSet<()>>) -> MutexGuard<'_, JoinSet<()>> {
    copies.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_waited_for_ends_or_is_given_up() {
        let mirrors = Mirrors::waited_for();
        let ended = Arc::new(Mutex::new(0));
        for milliseconds in [1, 20, 1_000_000] {
            let ended = Arc::clone(&ended);
            mirrors.begin(async move {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                *ended.lock().unwrap() += 1;
            });
        }
        assert_eq!(mirrors.under_way(), 3);
        mirrors.end(Duration::from_secs(1)).await;
        assert_eq!((mirrors.under_way(), *ended.lock().unwrap()), (0, 2));
        for _ in 0..2 * MOST {
            mirrors.begin(std::future::pending());
        }
        assert_eq!(mirrors.under_way(), MOST);
        mirrors.end(Duration::ZERO).await;
        assert_eq!(Mirrors::default().under_way(), 0);
    }
}
