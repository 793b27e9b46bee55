//! What could not be done yet: it is said once, and tried again after a while that grows.

use std::collections::BTreeSet;

/// The first wait, and the longest, in milliseconds.
const FIRST: u64 = 2_000;
const LONGEST: u64 = 5 * 60_000;

/// So many things are known to have been said; then it is forgotten, and said again.
const MOST: usize = 10_000;

/// When something is tried again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Later {
    failures: u32,
    due: u64,
}

impl Later {
    /// Whether it is time, in milliseconds since 1970. A clock that was put back does not make it
    /// wait for longer than ever.
    pub(super) const fn is_due(&self, now: u64) -> bool {
        now >= self.due || self.due - now > LONGEST
    }

    /// It was tried at `now`, and came to nothing.
    pub(super) fn failed(&mut self, now: u64) {
        let wait = FIRST << self.failures.min(16);
        self.failures += 1;
        self.due = now + wait.min(LONGEST);
    }
}

/// What a person was told already. Many files may suffer from one thing.
#[derive(Debug, Default)]
pub(super) struct Said(BTreeSet<String>);

impl Said {
    /// Warns, unless the same was said before; gives whether it was said now.
    pub(super) fn warn(&mut self, text: &str) -> bool {
        // Names of files come from whoever may write into the folder.
        let harmless = |c: char| if c.is_control() { ' ' } else { c };
        let text: String = text.chars().map(harmless).collect();
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let new = self.0.insert(text.clone());
        if new {
            tracing::warn!("{text}");
        } else {
            tracing::debug!("{text}");
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end() {
        let mut later = Later::default();
        assert!(later.is_due(0));
        later.failed(1_000);
        assert!(!later.is_due(2_999) && later.is_due(3_000));
        later.failed(3_000);
        assert!(!later.is_due(6_999) && later.is_due(7_000));
        for _ in 0..100 {
            later.failed(10_000);
        }
        assert!(!later.is_due(309_999) && later.is_due(310_000));
        // The clock is put back by a year.
        later.failed(40_000_000_000);
        assert!(later.is_due(1_000));
    }

    #[test]
    fn the_same_is_said_once() {
        let mut said = Said::default();
        assert!(said.warn("a\nb"));
        assert!(!said.warn("a b"));
        assert!(said.warn("c"));
    }
}
