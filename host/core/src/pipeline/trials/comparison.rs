//! What two answers to the same call differ in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tolerance::Tolerance;
use crate::contract::{Executed, Metric, Outcome};

/// Differences that are kept; the others are counted.
pub(super) const KEPT: usize = 20;

/// Columns that are told of; the others only make a call different.
const COLUMNS: usize = 100;

/// The longest text of a difference, in characters.
const MAX_TEXT: usize = 200;

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
        let [place, in_force, shadow] = [place, in_force, shadow].map(bounded);
        Self {
            place,
            in_force,
            shadow,
        }
    }
}

fn bounded(text: &str) -> String {
    crate::text::clean(&text.chars().take(MAX_TEXT).collect::<String>(), 1000)
}

/// Adds differences, as far as they are kept.
pub(super) fn keep(to: &mut Vec<Difference>, more: impl IntoIterator<Item = Difference>) {
    to.extend(more.into_iter().take(KEPT));
    to.truncate(KEPT);
}

/// A column, a metric or a value of an object that is not alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unlike {
    /// Rows in which it is not.
    pub rows: u64,
    /// How many of these have two numbers.
    pub numbers: u64,
    /// The greatest difference of two numbers.
    pub absolute: f64,
    /// The greatest difference in proportion to the greater of the two.
    pub relative: f64,
}

impl Unlike {
    /// Counts a row: of two numbers, what they are.
    pub fn count(&mut self, numbers: Option<(f64, f64)>) {
        self.rows = self.rows.saturating_add(1);
        let Some((one, other)) = numbers else {
            return;
        };
        let apart = (one - other).abs();
        // What is no number has no figure: a record could not hold it.
        if apart.is_finite() && apart > 0.0 {
            self.numbers = self.numbers.saturating_add(1);
            self.absolute = self.absolute.max(apart);
            let greater = one.abs().max(other.abs());
            self.relative = self.relative.max(apart / greater);
        }
    }

    /// Whether all rows would be alike for sure within this tolerance.
    pub fn within(&self, tolerance: f64) -> bool {
        self.rows == self.numbers && (self.absolute <= tolerance || self.relative <= tolerance)
    }

    /// Adds what was seen of a column; what is one too many is left out.
    pub(super) fn enter(columns: &mut BTreeMap<String, Self>, name: String, more: &Self) {
        if columns.len() >= COLUMNS && !columns.contains_key(&name) {
            return;
        }
        let own = columns.entry(name).or_default();
        own.rows = own.rows.saturating_add(more.rows);
        own.numbers = own.numbers.saturating_add(more.numbers);
        own.absolute = own.absolute.max(more.absolute);
        own.relative = own.relative.max(more.relative);
    }
}

/// What two answers to one call differ in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// The first differences; none where it is a match.
    pub(super) differences: Vec<Difference>,
    /// Columns, metrics and values that are not alike.
    pub(super) columns: BTreeMap<String, Unlike>,
    /// What was seen and is no difference.
    pub(super) notes: Vec<String>,
}

impl Comparison {
    /// Whether nothing differs.
    pub const fn is_match(&self) -> bool {
        self.differences.is_empty()
    }

    /// The first differences.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Columns, metrics and values that are not alike.
    pub const fn columns(&self) -> &BTreeMap<String, Unlike> {
        &self.columns
    }

    /// What was seen and is no difference.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Takes note of a difference.
    pub fn differ(&mut self, difference: Difference) {
        keep(&mut self.differences, [difference]);
    }

    /// Takes note of a row of a column that is not alike: of two numbers, what they are.
    pub fn unlike(&mut self, column: &str, numbers: Option<(f64, f64)>) {
        let mut more = Unlike::default();
        more.count(numbers);
        self.enter(column, &more);
    }

    /// Takes note of all rows of a column that are not alike, if any.
    pub fn enter(&mut self, column: &str, unlike: &Unlike) {
        if unlike.rows > 0 {
            Unlike::enter(&mut self.columns, bounded(column), unlike);
        }
    }

    /// Whether no more differences are kept, so that none need be looked for.
    pub const fn is_full(&self) -> bool {
        self.differences.len() >= KEPT
    }

    /// Takes note of something that is no difference.
    pub fn note(&mut self, note: impl AsRef<str>) {
        if self.notes.len() < KEPT {
            self.notes.push(bounded(note.as_ref()));
        }
    }

    /// Compares the figures of two outcomes by name. One that only the shadow gives is no difference.
    pub fn metrics(&mut self, tolerance: &Tolerance, in_force: &Outcome, shadow: &Outcome) {
        let find = |outcome: &Outcome, name: &str| {
            let mut metrics = outcome.metrics.iter();
            metrics.find(|metric| metric.name == name).map(|m| m.value)
        };
        for Metric { name, value } in &in_force.metrics {
            let place = format!("metric {name}");
            match find(shadow, name) {
                Some(other) if tolerance.floats(name, *value, other) => {}
                Some(other) => {
                    self.unlike(&place, Some((*value, other)));
                    let (one, other) = (value.to_string(), other.to_string());
                    self.differ(Difference::new(&place, &one, &other));
                }
                None => self.differ(Difference::new(&place, &value.to_string(), "nothing")),
            }
        }
        for metric in &shadow.metrics {
            if find(in_force, &metric.name).is_none() {
                self.note(format!("only the shadow gives metric {}", metric.name));
            }
        }
    }

    /// Compares outputs by name and digest alone, and figures. One that only the shadow gives is no
    /// difference.
    pub fn by_bytes(
        tolerance: &Tolerance,
        in_force: (&Outcome, &Executed),
        shadow: (&Outcome, &Executed),
    ) -> Self {
        let mut comparison = Self::default();
        let [one, other] = [in_force.0, shadow.0];
        for output in &one.outputs {
            let place = format!("output {}", output.name);
            let mut others = other.outputs.iter();
            let told = format!("{} ({})", output.digest.short(), output.media_type);
            match others.find(|there| there.name == output.name) {
                Some(there) if there.is_same(output) => {}
                Some(there) => {
                    let there = format!("{} ({})", there.digest.short(), there.media_type);
                    comparison.differ(Difference::new(&place, &told, &there));
                }
                None => comparison.differ(Difference::new(&place, &told, "nothing")),
            }
        }
        comparison.only(one, other);
        comparison.metrics(tolerance, one, other);
        for (what, one, other) in [
            (
                "proposals",
                in_force.1.proposals.len(),
                shadow.1.proposals.len(),
            ),
            (
                "messages",
                in_force.1.messages.len(),
                shadow.1.messages.len(),
            ),
        ] {
            if one != other {
                let (one, other) = (one.to_string(), other.to_string());
                comparison.differ(Difference::new(what, &one, &other));
            }
        }
        comparison
    }

    /// Takes note of the outputs that only the shadow gives.
    pub fn only(&mut self, in_force: &Outcome, shadow: &Outcome) {
        for output in &shadow.outputs {
            let mut others = in_force.outputs.iter();
            if !others.any(|there| there.name == output.name) {
                self.note(format!("only the shadow gives output {}", output.name));
            }
        }
    }

    /// The differences, at a place.
    #[must_use]
    pub fn at(mut self, place: &str) -> Self {
        for difference in &mut self.differences {
            difference.place = bounded(&format!("{place}: {}", difference.place));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Artifact, Blame, Digest};

    fn outcome(outputs: &[(&str, &[u8])], metrics: &[(&str, f64)]) -> Outcome {
        let output = |(name, bytes): &(&str, &[u8])| Artifact {
            name: (*name).to_owned(),
            digest: Digest::of(bytes),
            size: 1,
            media_type: "text/csv".to_owned(),
        };
        let metric = |(name, value): &(&str, f64)| Metric {
            name: (*name).to_owned(),
            value: *value,
        };
        Outcome {
            outputs: outputs.iter().map(output).collect(),
            metrics: metrics.iter().map(metric).collect(),
            notes: vec![],
        }
    }

    #[test]
    fn outputs_and_figures_are_compared() {
        let executed = Executed::failed(String::new(), Blame::Host);
        let compare = |one: &Outcome, other: &Outcome| {
            Comparison::by_bytes(&Tolerance::default(), (one, &executed), (other, &executed))
        };
        let one = outcome(&[("table", b"a")], &[("rows", 1.0)]);
        let other = outcome(&[("table", b"b")], &[("rows", 2.0)]);
        assert!(compare(&one, &one).is_match());
        let told = compare(&one, &other).at("ingest of run 1");
        assert_eq!(told.differences().len(), 2);
        assert_eq!(told.differences()[0].place, "ingest of run 1: output table");
        assert_eq!(
            (
                told.differences()[1].in_force.as_str(),
                told.differences()[1].shadow.as_str()
            ),
            ("1", "2")
        );
        let rows = told.columns()["metric rows"];
        assert_eq!((rows.absolute, rows.relative), (1.0, 0.5));
        assert!(rows.within(0.5) && !rows.within(0.4));
        let mut words = rows;
        words.count(None);
        assert!(!words.within(1e9));
        let nothing = Outcome::default();
        assert_eq!(compare(&one, &nothing).differences().len(), 2);
        // What only the shadow gives is told.
        let more = compare(&nothing, &one);
        assert!(more.is_match() && more.notes().len() == 2, "{more:?}");
        let near = outcome(&[("table", b"a")], &[("rows", 1.0 + 1e-12)]);
        assert!(compare(&one, &near).is_match());
        let message = crate::contract::StageMessage {
            label: "alerts".to_owned(),
            body: vec![],
            claim: None,
        };
        let loud = Executed {
            messages: vec![message],
            ..executed.clone()
        };
        let told = Comparison::by_bytes(&Tolerance::default(), (&one, &executed), (&one, &loud));
        assert_eq!(told.differences()[0].place, "messages");
    }
}
