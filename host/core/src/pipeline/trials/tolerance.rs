//! How far two values may be apart and still be alike, and how often a shadow must answer alike.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::streak::MOST;

/// What counts as the same answer, and how many of them a shadow needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Tolerance {
    /// For all floats: absolute, or relative to the greater of the two.
    pub floats: f64,
    /// For one column, metric or key of an object, by its name: absolute, in the column's own unit. It
    /// holds for whole numbers too, which are otherwise alike only where they are equal.
    pub columns: BTreeMap<String, f64>,
    /// The column that says which row it is, where the call's own parameters name none.
    pub key: Option<String>,
    /// Matches in a row from which on a shadow may be promoted.
    pub matches: u64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            floats: 1e-9,
            columns: BTreeMap::new(),
            key: None,
            matches: 3,
        }
    }
}

impl Tolerance {
    /// Refuses what is no tolerance, with a line for a user that names the setting.
    pub fn check(&self) -> anyhow::Result<()> {
        let usable = |value: f64| value.is_finite() && value >= 0.0;
        ensure!(
            usable(self.floats),
            "tolerance of [shadow] is {}: it is to be a number from 0 on",
            self.floats
        );
        for (column, value) in &self.columns {
            ensure!(
                usable(*value),
                "'{}' of [shadow.columns] is {value}: it is to be a number from 0 on",
                crate::text::clean(column, 80)
            );
        }
        ensure!(
            (1..=MOST as u64).contains(&self.matches),
            "matches of [shadow] is {}: it is to be from 1 to {MOST}",
            self.matches
        );
        Ok(())
    }

    /// Whether two floats of a column are alike: NaN is NaN, and an infinity is itself.
    #[expect(
        clippy::float_cmp,
        reason = "what is equal is alike, whatever the tolerance"
    )]
    pub fn floats(&self, column: &str, one: f64, other: f64) -> bool {
        if one == other || one.is_nan() && other.is_nan() {
            return true;
        }
        let apart = (one - other).abs();
        match self.columns.get(column) {
            Some(own) => apart <= *own,
            None if one.is_infinite() || other.is_infinite() => false,
            None => apart <= self.floats || apart <= self.floats * one.abs().max(other.abs()),
        }
    }

    /// Whether two whole numbers of a column are alike.
    pub fn integers(&self, column: &str, one: i64, other: i64) -> bool {
        one == other
            || self
                .columns
                .get(column)
                .is_some_and(|own| one.abs_diff(other) as f64 <= *own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_alike_by_either_measure_and_whole_numbers_by_none() {
        let tolerance = Tolerance {
            columns: [("age".to_owned(), 0.5)].into(),
            ..Tolerance::default()
        };
        for (one, other, alike) in [
            (1.0, 1.0 + 1e-12, true),
            (1.0, 1.0 + 1e-6, false),
            (1e12, 1e12 + 1.0, true),
            (0.0, -0.0, true),
            (f64::NAN, f64::NAN, true),
            (f64::NAN, 1.0, false),
            (f64::INFINITY, f64::INFINITY, true),
            (f64::INFINITY, f64::NEG_INFINITY, false),
            (f64::INFINITY, 1e308, false),
        ] {
            assert_eq!(tolerance.floats("x", one, other), alike, "{one} {other}");
            assert_eq!(tolerance.floats("x", other, one), alike, "{one} {other}");
        }
        assert!(tolerance.floats("age", 1.0, 1.5) && !tolerance.floats("age", 1.0, 1.6));
        // A column's own is absolute.
        assert!(!tolerance.floats("age", 1e12, 1e12 + 1.0));
        assert!(!tolerance.floats("age", f64::INFINITY, 1.0));
        assert!(!tolerance.integers("id", 10_000_000_000, 10_000_000_001));
        assert!(!tolerance.integers("age", i64::MIN, i64::MAX) && tolerance.integers("x", 1, 1));
        let whole = Tolerance {
            columns: [("age".to_owned(), 1.0)].into(),
            ..Tolerance::default()
        };
        assert!(whole.integers("age", 4, 5) && !whole.integers("age", 4, 6));
    }

    #[test]
    fn what_is_no_tolerance_is_refused_by_name() {
        assert!(Tolerance::default().check().is_ok());
        let refused = |tolerance: Tolerance| tolerance.check().unwrap_err().to_string();
        for floats in [-1.0, f64::NAN, f64::INFINITY] {
            let line = refused(Tolerance {
                floats,
                ..Tolerance::default()
            });
            assert!(line.contains("tolerance of [shadow]"), "{line}");
        }
        let line = refused(Tolerance {
            columns: [("age".to_owned(), -0.1)].into(),
            ..Tolerance::default()
        });
        assert!(line.contains("'age' of [shadow.columns]"), "{line}");
        for matches in [0, MOST as u64 + 1] {
            let line = refused(Tolerance {
                matches,
                ..Tolerance::default()
            });
            assert!(line.contains("matches of [shadow]"), "{line}");
        }
    }
}
