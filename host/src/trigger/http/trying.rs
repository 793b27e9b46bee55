//! Models of components that are only tried: which are being loaded now, and which can't be.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::model::What;

/// How long what could not be loaded is not tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// What is remembered at most: the oldest is forgotten, and tried again when it is asked for.
const MOST: usize = 64;

/// What became of models that are tried.
#[derive(Default)]
pub(super) struct Trying(Mutex<VecDeque<Attempt>>);

struct Attempt {
    what: Arc<What>,
    /// None while it is loaded.
    failed: Option<Instant>,
}

impl Trying {
    /// Whether it could not be loaded, not long ago.
    pub(super) fn is_broken(&self, what: &What) -> bool {
        let attempts = self.attempts();
        let attempt = attempts.iter().find(|attempt| attempt.what.is(what));
        let failed = attempt.and_then(|attempt| attempt.failed);
        failed.is_some_and(|when| when.elapsed() < AGAIN)
    }

    /// Begins to load it; false where somebody does.
    pub(super) fn begin(&self, what: &Arc<What>) -> bool {
        let mut attempts = self.attempts();
        let there = attempts.iter().position(|attempt| attempt.what.is(what));
        if let Some(at) = there {
            if attempts
                .get(at)
                .is_some_and(|attempt| attempt.failed.is_none())
            {
                return false;
            }
            attempts.remove(at);
        }
        if attempts.len() >= MOST {
            attempts.pop_front();
        }
        attempts.push_back(Attempt {
            what: Arc::clone(what),
            failed: None,
        });
        true
    }

    /// It is loaded, or can't be.
    pub(super) fn end(&self, what: &What, well: bool) {
        let mut attempts = self.attempts();
        attempts.retain_mut(|attempt| {
            if attempt.what.is(what) {
                attempt.failed = Some(Instant::now());
                return !well;
            }
            true
        });
    }

    fn attempts(&self) -> MutexGuard<'_, VecDeque<Attempt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
