//! Which test rows belong together, as preprocess tells in [`UNIT`].
//!
//! It owns how the column is read. Where the split is by time there is no unit: the column holds
//! times, and rows are drawn one by one. The same holds for a test table without the column.

use septet_kit::{
    metrics::Units,
    preprocessing::{Folds, UNIT},
    table::{Column, Values},
};

/// Collects the units of the rows that are scored.
#[derive(Debug)]
pub(crate) struct Together {
    folds: Folds,
    rows: usize,
    /// A number for each row; equal ones belong together. None where nothing tells.
    numbers: Option<Vec<f64>>,
}

impl Together {
    /// Of test rows whose split keeps together what `folds` says.
    pub(crate) const fn new(folds: Folds) -> Self {
        Self {
            folds,
            rows: 0,
            numbers: None,
        }
    }

    /// Adds the rows `scored` of a batch with this column, counted from `start`.
    pub(crate) fn add(
        &mut self,
        unit: Option<&Column>,
        start: usize,
        scored: &[u32],
    ) -> Result<(), String> {
        let before = self.rows;
        self.rows += scored.len();
        if self.folds == Folds::Time || scored.is_empty() {
            return Ok(());
        }
        let Some(unit) = unit else {
            return match self.numbers {
                Some(_) => Err(mixed()),
                None => Ok(()),
            };
        };
        if before > 0 && self.numbers.is_none() {
            return Err(mixed());
        }
        let values = match &unit.values {
            Values::Floats(values) if unit.nulls.is_empty() => values.as_slice(),
            _ => return Err(format!("{UNIT} of the test rows is not all numbers")),
        };
        let numbers = self.numbers.get_or_insert_default();
        for row in scored {
            let number = values.get(start.saturating_add(*row as usize));
            let number = number.filter(|number| number.is_finite());
            numbers.push(*number.ok_or_else(|| {
                format!("{UNIT} of the test rows is not a finite number in each row")
            })?);
        }
        Ok(())
    }

    /// The units of all rows.
    pub(crate) fn units(&self) -> Units {
        match &self.numbers {
            Some(numbers) => Units::by(numbers),
            None => Units::single(self.rows),
        }
    }

    /// The units of some rows, by their number among those that were scored.
    pub(crate) fn part(&self, rows: &[u32]) -> Units {
        let Some(numbers) = &self.numbers else {
            return Units::single(rows.len());
        };
        let picked = rows.iter().map(|row| numbers.get(*row as usize).copied());
        Units::by(&picked.flatten().collect::<Vec<_>>())
    }
}

fn mixed() -> String {
    format!("{UNIT} is in some batches of the test rows and not in others")
}

/// What the units are, in the plural: equal rows and rows of one key have no better word.
pub(crate) const fn noun(folds: Folds) -> &'static str {
    match folds {
        Folds::Groups => "groups",
        Folds::Rows | Folds::Time => "units",
    }
}

/// Test rows and, where they are fewer, what they belong to: `2000 test rows of 10 groups`.
pub(crate) fn counted(rows: u64, units: u64, noun: &str) -> String {
    match units {
        1 if rows > 1 => format!("{rows} test rows of 1 {}", noun.trim_end_matches('s')),
        units if units < rows => format!("{rows} test rows of {units} {noun}"),
        _ => format!("{rows} test rows"),
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::evaluation::{Evaluation, Verdict};

    use super::*;
    use crate::{
        judgement::{
            evaluate,
            tests::{batches, manifest, predict},
        },
        outside::Outside,
    };

    fn column(values: Vec<f64>) -> Column {
        Column {
            name: UNIT.to_owned(),
            values: Values::Floats(values),
            nulls: vec![],
        }
    }

    /// The evaluation of "bad", which is wrong where x is 0, on 40 rows whose units are made of a
    /// row's number and its x.
    fn run(folds: Folds, unit: fn(i64, i64) -> f64) -> (Evaluation, Vec<String>) {
        let json = r#"{"model":"m","metric":"accuracy","slice":"x","resamples":4000}"#;
        let parameters = serde_json::from_str(json).unwrap();
        let mut candidate = manifest("y");
        candidate.preprocessing.folds = folds;
        let mut outside = Outside {
            test: &mut || {
                let with = move |(at, batch)| {
                    let mut batch: septet_kit::table::Table = Result::<_, String>::unwrap(batch);
                    let Values::Integers(x) = &batch.column("x").unwrap().values else {
                        panic!("x is whole")
                    };
                    let rows = x.iter().zip(20 * at..);
                    let units = rows.map(|(x, row)| unit(row, *x)).collect();
                    batch.columns.push(column(units));
                    Ok(batch)
                };
                Ok(Box::new((0_i64..).zip(batches()).map(with)))
            },
            predict: &mut |bundle, batch| {
                assert!(batch.column(UNIT).is_none(), "the model got the unit");
                predict(bundle, &batch)
            },
            progress: &mut |_| {},
        };
        evaluate(&parameters, 1, "bad", &candidate, None, &mut outside).unwrap()
    }

    fn width(evaluation: &Evaluation) -> f64 {
        let interval = evaluation.intervals["accuracy"];
        interval.high - interval.low
    }

    #[test]
    fn intervals_are_of_units_and_wider() {
        // Eight groups of five rows that are all right or all wrong.
        let groups = |row: i64, x: i64| (row / 10 * 2 + x) as f64;
        let (together, notes) = run(Folds::Groups, groups);
        let (alone, _) = run(Folds::Groups, |row, _| row as f64);
        assert_eq!((together.units, alone.units), (8, 40));
        let ratio = width(&together) / width(&alone);
        assert!((ratio - 5.0_f64.sqrt()).abs() < 0.4, "{ratio}");
        let reason = &together.gate.reasons[0];
        assert!(reason.ends_with("on 40 test rows of 8 groups"), "{reason}");
        assert!(alone.gate.reasons[0].ends_with("on 40 test rows"));
        let rough = "the intervals are rough: there are only 40 test rows of 8 groups";
        assert!(notes.contains(&rough.to_owned()), "{notes:?}");
        // The same of a key's rows; times are no units.
        let (keyed, _) = run(Folds::Rows, groups);
        assert_eq!(keyed.intervals, together.intervals);
        assert!(keyed.gate.reasons[0].ends_with("of 8 units"));
        let (timed, _) = run(Folds::Time, groups);
        assert_eq!((timed.units, timed.intervals), (40, alone.intervals));
    }

    #[test]
    fn one_unit_has_no_interval() {
        let (evaluation, notes) = run(Folds::Groups, |_, _| 0.5);
        assert_eq!((evaluation.units, evaluation.resamples), (1, 0));
        assert_eq!(evaluation.gate.verdict, Verdict::NoPolicy);
        assert!(evaluation.intervals.is_empty());
        let note = "there are no intervals: there are only 40 test rows of 1 group";
        assert!(notes.contains(&note.to_owned()), "{notes:?}");
        let slices = evaluation.slices.unwrap().slices;
        assert!(slices.iter().all(|slice| slice.intervals.is_empty()));
    }

    #[test]
    fn a_column_that_is_not_sound_is_told() {
        let mut together = Together::new(Folds::Rows);
        let some = column(vec![0.5, f64::NAN]);
        together.add(Some(&some), 0, &[0]).unwrap();
        let told = together.add(Some(&some), 1, &[0]).unwrap_err();
        assert!(told.contains("finite"), "{told}");
        assert!(together.add(None, 0, &[0]).unwrap_err().contains("batches"));
        let mut together = Together::new(Folds::Rows);
        together.add(None, 0, &[0, 1]).unwrap();
        assert!(together.add(Some(&some), 0, &[0]).is_err());
        let texts = Column {
            values: Values::Texts(vec!["a".to_owned()]),
            ..some
        };
        assert!(
            Together::new(Folds::Rows)
                .add(Some(&texts), 0, &[0])
                .is_err()
        );
        assert!(
            Together::new(Folds::Time)
                .add(Some(&texts), 0, &[0])
                .is_ok()
        );
    }
}
