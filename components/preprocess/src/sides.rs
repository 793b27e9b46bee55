//! The two sides of the split, and whether each can do its work.

use std::collections::BTreeSet;

use septet_kit::{
    arrow::MAX_COLUMNS,
    preprocessing::{Task, UNIT},
    show::shown,
    split::Rule,
    table::{Column, Table, Values},
};

use crate::{
    notes::{listed, rows},
    parameters::Parameters,
    split::decide::Side,
    target::{class_counts, find},
    weights::without_zero_weights,
    window,
};

/// Rows without a target teach nothing and test nothing.
fn without_null_targets(
    table: &mut Table,
    target: &str,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    let column = find(table, "target", target)?;
    let mask = column.null_mask();
    let mut kept = Vec::with_capacity(table.rows);
    for (row, null) in (0_u32..).zip(mask) {
        let value = match &column.values {
            Values::Floats(values) => values.get(row as usize).copied().unwrap_or(0.0),
            _ => 0.0,
        };
        if value.is_infinite() && !null {
            return Err(format!(
                "the target '{}' is infinite in row {}",
                shown(target, 80),
                table.line(row as usize)
            ));
        }
        if !null && !value.is_nan() {
            kept.push(row);
        }
    }
    let missing = table.rows - kept.len();
    if kept.is_empty() {
        return Err(format!(
            "the target '{}' has no value in any row",
            shown(target, 80)
        ));
    }
    if missing > 0 {
        notes.push(format!("{} without a target left out", rows(missing)));
        *table = table.take(&kept);
    }
    Ok(())
}

/// Why a side of the split can't do its work, and what to do.
pub(crate) struct Split<'a> {
    /// The rule in force.
    pub(crate) rule: &'a Rule,
    /// The share that is for the test.
    pub(crate) share: f64,
    /// Whether it was made now, so that it can still be made otherwise.
    pub(crate) made: bool,
    /// The target's name.
    pub(crate) target: &'a str,
}

impl Split<'_> {
    fn few(&self, side: &str, what: &str, hint: &str, total: usize) -> String {
        let instead = match (self.rule, self.made) {
            (Rule::File { .. }, _) => "bring more rows".to_owned(),
            (_, false) => "bring more rows or use another model name".to_owned(),
            (Rule::Rows { .. }, true) => {
                format!(
                    "bring more rows or choose a {hint} test_share (equal rows stay on one side)"
                )
            }
            (rule, true) => format!(
                "bring more rows or choose a {hint} test_share, or another column than '{}'",
                shown(rule.column().unwrap_or_default(), 80)
            ),
        };
        format!(
            "{what} on the {side} side of the split {} (test_share {} of {}): {instead}",
            self.rule.told(),
            self.share,
            rows(total)
        )
    }
}

/// Checks that there is something to learn and something to test; gives the test rows whose class
/// can be known.
pub(crate) fn check_sides(
    train: &Table,
    mut test: Table,
    task: Task,
    classes: &[String],
    split: &Split<'_>,
    notes: &mut Vec<String>,
) -> Result<Table, String> {
    let total = train.rows + test.rows;
    let few = |side: &str, what: String, hint: &str| split.few(side, &what, hint, total);
    for (side, count, hint) in [
        ("train", train.rows, "smaller"),
        ("test", test.rows, "larger"),
    ] {
        if count < 2 {
            let what = if count == 0 {
                "no row is"
            } else {
                "only 1 row is"
            };
            return Err(few(side, what.to_owned(), hint));
        }
    }
    if task == Task::Regression {
        let target = find(train, "target", split.target)?;
        let first = target.number(0);
        if (1..train.rows).all(|row| target.number(row) == first) {
            let what = "all values of the target are equal".to_owned();
            return Err(few("train", what, "smaller"));
        }
        return Ok(test);
    }
    if let [only] = classes {
        let what = format!("only the class '{}' is", shown(only, 40));
        return Err(few("train", what, "smaller"));
    }
    // A row that is for the test stays so for good: it can't be moved to the train side.
    let target = find(&test, "target", split.target)?;
    let mut kept = Vec::with_capacity(test.rows);
    let mut unknown = BTreeSet::new();
    for row in 0..test.rows as u32 {
        match target.label(row as usize) {
            Some(label) if classes.binary_search(&label).is_ok() => kept.push(row),
            label => {
                unknown.extend(label);
            }
        }
    }
    if kept.len() < test.rows {
        notes.push(format!(
            "{} left out of the test, because no train row has the class {}",
            rows(test.rows - kept.len()),
            listed(unknown.iter().map(String::as_str))
        ));
        test = test.take(&kept);
    }
    let tested = class_counts(find(&test, "target", split.target)?);
    if tested.len() < 2 {
        let what = match tested.keys().next() {
            Some(only) => format!("only the class '{}' is", shown(only, 40)),
            None => "no row of a known class is".to_owned(),
        };
        return Err(few("test", what, "larger"));
    }
    Ok(test)
}

/// Leaves out the rows that are neither trained nor tested on, whatever the split.
pub(crate) fn in_use(
    table: &mut Table,
    parameters: &Parameters,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    find(table, "target", &parameters.target)?;
    for (what, name) in parameters.roles() {
        find(table, what, name)?;
    }
    usable(table, parameters, notes)?;
    if let (Some(span), Some(time)) = (&parameters.window, &parameters.time) {
        window::keep(span, time, table, notes)?;
    }
    Ok(())
}

/// The values of these rows.
pub(crate) fn picked(values: &[f64], rows: &[u32]) -> Vec<f64> {
    let values = rows.iter().map(|row| values.get(*row as usize).copied());
    values.flatten().collect()
}

/// The test rows with their units, so that what is measured on them can tell which of them belong
/// together.
pub(crate) fn with_units(mut test: Table, units: Vec<f64>, notes: &mut Vec<String>) -> Table {
    // A table has a bound, up to which a user's columns may fill it.
    if test.columns.len() >= MAX_COLUMNS {
        notes.push(format!(
            "the table has as many columns as are taken, so the test rows do not tell which of \
             them belong together: intervals may be too narrow; leave out a column of the {}",
            test.columns.len()
        ));
        return test;
    }
    test.columns.push(Column {
        name: UNIT.to_owned(),
        values: Values::Floats(units),
        nulls: Vec::new(),
    });
    test
}

/// Leaves out the rows that can be neither trained nor tested on.
pub(crate) fn usable(
    table: &mut Table,
    parameters: &Parameters,
    notes: &mut Vec<String>,
) -> Result<(), String> {
    without_null_targets(table, &parameters.target, notes)?;
    match &parameters.weight {
        Some(weight) => without_zero_weights(table, weight, notes),
        None => Ok(()),
    }
}

/// The rows of one side.
pub(crate) fn rows_of(sides: &[Side], wanted: Side) -> Vec<u32> {
    (0_u32..)
        .zip(sides)
        .filter(|(_, side)| **side == wanted)
        .map(|(row, _)| row)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        parameters::AskedSplit,
        prepare::{
            prepare,
            tests::{no_transform, parameters, table},
        },
    };

    #[test]
    fn a_files_rows_of_one_key_are_one_unit() {
        // Rows without a key are each one of their own.
        let mut all = table(400);
        all.columns[2].nulls = vec![0, 1, 2, 3, 396, 397, 398, 399];
        let tests = all.take(&(0..100).collect::<Vec<_>>());
        let keyed = Parameters {
            split: Some(AskedSplit::File),
            key: Some("group".to_owned()),
            ..parameters()
        };
        let prepared = prepare(all, Some(tests), &keyed, None, no_transform).unwrap();
        let count = |mut units: Vec<f64>| {
            units.sort_unstable_by(f64::total_cmp);
            units.dedup();
            units.len()
        };
        let tested = prepared.test.column(UNIT).unwrap().numbers().unwrap();
        assert_eq!(count(tested.into_iter().flatten().collect()), 4 + 24);
        assert_eq!(count(prepared.units.clone()), 74 + 4);
    }

    #[test]
    fn a_full_table_has_no_room_for_units() {
        let column = |at: usize| Column {
            name: at.to_string(),
            values: Values::Floats(vec![0.0]),
            nulls: vec![],
        };
        let mut notes = vec![];
        let mut with = |columns: usize| {
            let test = Table {
                rows: 1,
                columns: (0..columns).map(column).collect(),
            };
            with_units(test, vec![0.5], &mut notes).columns.len()
        };
        assert_eq!(with(MAX_COLUMNS - 1), MAX_COLUMNS);
        assert_eq!(with(MAX_COLUMNS), MAX_COLUMNS);
        assert_eq!(notes.len(), 1);
    }
}
