//! What a shadow answered, held against the answers that counted.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Differences that are kept; the others are counted.
const KEPT: usize = 20;

/// The longest text of a difference, in characters.
const MAX_TEXT: usize = 200;

/// What calls of one component took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Used {
    /// Calls that came to an answer.
    pub calls: u64,
    /// Microseconds of all of them.
    pub micros: u64,
    /// The most memory of one.
    pub peak_memory_bytes: u64,
}

impl Used {
    /// Counts a call.
    pub fn note(&mut self, took: Duration, memory: u64) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.add(&Self {
            calls: 1,
            micros,
            peak_memory_bytes: memory,
        });
    }

    /// Milliseconds of a call, on average; none where there was none.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.calls > 0).then(|| self.micros as f64 / 1e3 / self.calls as f64)
    }

    fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.micros = self.micros.saturating_add(other.micros);
        self.peak_memory_bytes = self.peak_memory_bytes.max(other.peak_memory_bytes);
    }
}

/// A value that the two gave otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    /// Where: a record and a column, or a run and an output of it.
    pub place: String,
    /// What counted.
    pub in_force: String,
    /// What the shadow gave.
    pub shadow: String,
}

impl Difference {
    /// A difference, its texts bounded.
    pub fn new(place: &str, in_force: &str, shadow: &str) -> Self {
        let [place, in_force, shadow] = [place, in_force, shadow]
            .map(|text| crate::text::clean(&text.chars().take(MAX_TEXT).collect::<String>(), 1000));
        Self {
            place,
            in_force,
            shadow,
        }
    }
}

/// Calls that a shadow was given copies of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// Answered alike.
    pub same: u64,
    /// Answered otherwise.
    pub different: u64,
    /// Not answered: it trapped, or came to a limit.
    pub failed: u64,
    /// Not given to it, because it was at another.
    pub skipped: u64,
    /// What the answers that counted took.
    pub in_force: Used,
    /// What its own took.
    pub shadow: Used,
    /// The first differences.
    pub differences: Vec<Difference>,
}

impl Compared {
    /// Counts a call that both answered.
    pub fn answered(&mut self, differences: Vec<Difference>) {
        if differences.is_empty() {
            self.same = self.same.saturating_add(1);
        } else {
            self.different = self.different.saturating_add(1);
        }
        self.keep(differences);
    }

    /// Counts a call that the shadow failed at, and why.
    pub fn fail(&mut self, place: &str, why: &str) {
        self.failed = self.failed.saturating_add(1);
        self.keep(vec![Difference::new(place, "answered", why)]);
    }

    /// Counts a call that it was not given.
    pub fn skip(&mut self) {
        self.skipped = self.skipped.saturating_add(1);
    }

    /// Adds what another has compared.
    pub fn add(&mut self, other: &Self) {
        self.same = self.same.saturating_add(other.same);
        self.different = self.different.saturating_add(other.different);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.in_force.add(&other.in_force);
        self.shadow.add(&other.shadow);
        self.keep(other.differences.clone());
    }

    fn keep(&mut self, differences: Vec<Difference>) {
        self.differences.extend(differences);
        self.differences.truncate(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_what_is_counted_is_not() {
        let mut compared = Compared::default();
        for _ in 0..100 {
            let difference = Difference::new("record 1", &"x".repeat(9000), "\u{1b}[2J");
            assert!(difference.in_force.len() <= MAX_TEXT && !difference.shadow.contains('\u{1b}'));
            compared.answered(vec![difference; 3]);
            compared.answered(vec![]);
            compared.skip();
            compared.fail("record 1", "it trapped");
        }
        let mut sum = compared.clone();
        sum.add(&compared);
        assert_eq!(
            (sum.same, sum.different, sum.failed, sum.skipped),
            (200, 200, 200, 200)
        );
        assert_eq!(sum.differences.len(), KEPT);
        sum.shadow.note(Duration::from_millis(3), 7);
        sum.shadow.note(Duration::from_millis(1), 5);
        assert_eq!(
            (sum.shadow.mean_ms(), sum.shadow.peak_memory_bytes),
            (Some(2.0), 7)
        );
    }
}
