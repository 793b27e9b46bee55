//! What this process has seen of each trial, and whether that is written down.

use std::collections::BTreeMap;

use crate::contract::Stage;

/// A trial: a stage, and the entry of the log that began it.
pub(super) type Trial = (Stage, u64);

/// What this process has seen of the trials of one kind.
#[derive(Debug)]
pub(super) struct Own<T>(BTreeMap<Trial, Seen<T>>);

#[derive(Debug)]
struct Seen<T> {
    /// All of it, since the trial began.
    all: T,
    /// How often it was written down.
    written: u64,
    /// Whether there is more than was written.
    more: bool,
}

impl<T> Default for Own<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Clone + Default> Own<T> {
    /// Takes note of something.
    pub(super) fn note(&mut self, trial: Trial, note: impl FnOnce(&mut T)) {
        let seen = self.0.entry(trial).or_insert_with(|| Seen {
            all: T::default(),
            written: 0,
            more: false,
        });
        note(&mut seen.all);
        seen.more = true;
    }

    /// The trials of which anything was seen.
    pub(super) fn trials(&self) -> Vec<Trial> {
        self.0.keys().copied().collect()
    }

    /// What is to be written of a trial, and as what number; none where all is written.
    pub(super) fn due(&mut self, trial: Trial) -> Option<(T, u64)> {
        let seen = self.0.get_mut(&trial).filter(|seen| seen.more)?;
        seen.more = false;
        seen.written += 1;
        Some((seen.all.clone(), seen.written))
    }

    /// It could not be written: the next one holds it too.
    pub(super) fn put_off(&mut self, trial: Trial) {
        if let Some(seen) = self.0.get_mut(&trial) {
            seen.more = true;
        }
    }

    /// The trial has ended.
    pub(super) fn forget(&mut self, trial: Trial) {
        self.0.remove(&trial);
    }
}
