//! What a shadow answered, held against the answers that counted.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    comparison::{Comparison, Difference, KEPT, Unlike, keep},
    streak::Streak,
};
use crate::contract::Digest;

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

/// Calls that a shadow was given copies of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// Columns, metrics and values that differ.
    #[serde(default)]
    pub columns: BTreeMap<String, Unlike>,
    /// What was seen and is no difference.
    #[serde(default)]
    pub notes: Vec<String>,
    /// When calls were answered alike.
    #[serde(default)]
    streak: Streak,
}

impl Compared {
    /// Counts a call that both answered; `in_force` is the component whose answer counted.
    pub fn answered(&mut self, in_force: Digest, comparison: Comparison) {
        if comparison.is_match() {
            self.same = self.same.saturating_add(1);
            self.streak.matched(in_force, now());
        } else {
            self.different = self.different.saturating_add(1);
            self.streak.breaks(now());
        }
        self.merge(comparison);
    }

    /// Counts a call that the shadow failed at, and why.
    pub fn fail(&mut self, place: &str, why: &str) {
        self.failed = self.failed.saturating_add(1);
        self.streak.breaks(now());
        keep(
            &mut self.differences,
            [Difference::new(place, "answered", why)],
        );
    }

    /// Counts a call that it was not given.
    pub fn skip(&mut self) {
        self.skipped = self.skipped.saturating_add(1);
    }

    /// How many of the last calls, in a row, were answered alike, since the trial began or since the last
    /// one that was not. What was skipped counts for nothing.
    pub fn in_a_row(&self) -> u64 {
        self.streak.length()
    }

    /// What programs are told: all of it, with the matches in a row as a number.
    pub fn shown(&self) -> Value {
        let mut shown = json!(self);
        if let Some(object) = shown.as_object_mut() {
            object.remove("streak");
            object.insert("in_a_row".to_owned(), json!(self.in_a_row()));
        }
        shown
    }

    /// Adds what another has compared.
    pub fn add(&mut self, other: &Self) {
        self.same = self.same.saturating_add(other.same);
        self.different = self.different.saturating_add(other.different);
        self.failed = self.failed.saturating_add(other.failed);
        self.skipped = self.skipped.saturating_add(other.skipped);
        self.in_force.add(&other.in_force);
        self.shadow.add(&other.shadow);
        self.streak.add(&other.streak);
        self.merge(Comparison {
            differences: other.differences.clone(),
            columns: other.columns.clone(),
            notes: other.notes.clone(),
        });
    }

    fn merge(&mut self, comparison: Comparison) {
        keep(&mut self.differences, comparison.differences);
        for (name, unlike) in comparison.columns {
            Unlike::enter(&mut self.columns, name, &unlike);
        }
        for note in comparison.notes {
            if self.notes.len() < KEPT && !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded_and_what_is_counted_is_not() {
        let mut compared = Compared::default();
        let in_force = Digest::of(b"in force");
        for round in 0..100 {
            let difference = Difference::new("record 1", &"x".repeat(9000), "\u{1b}[2J");
            assert!(difference.in_force.len() <= 200 && !difference.shadow.contains('\u{1b}'));
            let mut comparison = Comparison::default();
            for column in 0..3 {
                comparison.differ(difference.clone());
                let name = format!("column {round} {column}");
                comparison.unlike(&name, Some((1.0, 2.0)));
            }
            comparison.note("y".repeat(9000));
            compared.answered(in_force, comparison);
            compared.answered(in_force, Comparison::default());
            compared.skip();
            assert_eq!(compared.in_a_row(), 1);
            compared.fail("record 1", "it trapped");
            assert_eq!(compared.in_a_row(), 0);
        }
        let mut sum = compared.clone();
        sum.add(&compared);
        assert_eq!(
            (sum.same, sum.different, sum.failed, sum.skipped),
            (200, 200, 200, 200)
        );
        assert_eq!(sum.differences.len(), KEPT);
        assert!(sum.columns.len() <= 100 && sum.notes.len() == 1);
        sum.shadow.note(Duration::from_millis(3), 7);
        sum.shadow.note(Duration::from_millis(1), 5);
        assert_eq!(
            (sum.shadow.mean_ms(), sum.shadow.peak_memory_bytes),
            (Some(2.0), 7)
        );
        sum.answered(in_force, Comparison::default());
        assert_eq!(sum.shown()["in_a_row"], 1);
        // A record that an earlier program wrote is read.
        let old = r#"{"same":1,"different":0,"failed":0,"skipped":0,
            "in_force":{"calls":0,"micros":0,"peak_memory_bytes":0},
            "shadow":{"calls":0,"micros":0,"peak_memory_bytes":0},"differences":[]}"#;
        let old: Compared = serde_json::from_str(old).unwrap();
        assert_eq!((old.same, old.in_a_row()), (1, 0));
        let again = serde_json::to_string(&sum).unwrap();
        assert_eq!(serde_json::from_str::<Compared>(&again).unwrap(), sum);
    }
}
