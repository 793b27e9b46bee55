//! What is predicted, and as what.

use std::collections::{BTreeMap, BTreeSet};

use septet_kit::{
    preprocessing::Task,
    show::shown,
    table::{Column, Kind, RESERVED, Table, Values},
};

use crate::{notes::listed, parameters::AskedTask};

/// Classes at most.
pub const MAX_CLASSES: usize = 1_000;

/// Bytes of a class's label at most: predictions have a column `probability_<label>`, and the name
/// of a column has at most 255 bytes where it crosses a component's border.
const MAX_LABEL: usize = 255 - "probability_".len();

/// Distinct numbers, at most, that may be meant as classes.
const FEW: usize = 20;

/// Rows that each of them should then have on average.
const ROWS_EACH: usize = 10;

/// The column that a parameter names, or which one may have been meant.
pub fn find<'a>(table: &'a Table, parameter: &str, name: &str) -> Result<&'a Column, String> {
    table.column(name).ok_or_else(|| {
        let names: Vec<_> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .filter(|name| !name.starts_with(RESERVED))
            .collect();
        let start = format!("the {parameter} '{}' is not a column", shown(name, 80));
        match nearest(name, &names) {
            Some(near) => format!("{start}: did you mean '{}'?", shown(near, 80)),
            None => format!("{start}: the columns are {}", listed(names.into_iter())),
        }
    })
}

/// The name that is fewest typing errors away, if they are few.
fn nearest<'a>(name: &str, names: &[&'a str]) -> Option<&'a str> {
    let lower = name.trim().to_lowercase();
    let (distance, near) = names
        .iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&lower, &candidate.to_lowercase());
            (distance, *candidate)
        })
        .min_by_key(|(distance, _)| *distance)?;
    let length = lower.chars().count().max(near.chars().count());
    (distance * 5 <= length * 2).then_some(near)
}

/// The task for a target without nulls, and why, where it was not asked for.
pub fn decide(target: &Column, asked: AskedTask) -> Result<(Task, Option<String>), String> {
    let name = shown(&target.name, 80);
    let kind = target.values.kind();
    let rows = target.values.len();
    let distinct = distinct(target);
    if kind == Kind::Timestamps {
        return Err(format!(
            "the target '{name}' has timestamps: only numbers, texts and booleans are predicted"
        ));
    }
    if distinct < 2 {
        return Err(format!(
            "the target '{name}' has only one value, '{}': there is nothing to learn",
            shown(&target.label(0).unwrap_or_default(), 40)
        ));
    }
    let whole = match &target.values {
        Values::Integers(_) => true,
        Values::Floats(values) => values.iter().all(|value| value.fract() == 0.0),
        _ => false,
    };
    let numeric = matches!(kind, Kind::Integers | Kind::Floats);
    let (task, why) = match asked {
        AskedTask::Regression if !numeric => {
            return Err(format!(
                "the task is regression but the target '{name}' has {}: ask for classification",
                kind.name()
            ));
        }
        AskedTask::Regression => (Task::Regression, None),
        AskedTask::Classification => (Task::Classification, None),
        AskedTask::Auto if !numeric => (Task::Classification, Some(kind.name().to_owned())),
        AskedTask::Auto => {
            let classes =
                whole && (distinct == 2 || distinct <= FEW && distinct * ROWS_EACH <= rows);
            let task = if classes {
                Task::Classification
            } else {
                Task::Regression
            };
            let numbers = if whole { "whole numbers" } else { "numbers" };
            (task, Some(format!("{distinct} different {numbers}")))
        }
    };
    if task == Task::Classification
        && (distinct > MAX_CLASSES || distinct > FEW && distinct * ROWS_EACH > rows)
    {
        let instead = if numeric {
            "ask for regression"
        } else {
            "choose another target"
        };
        return Err(format!(
            "the task is classification but the target '{name}' has {distinct} different values \
             in {rows} rows: {instead}"
        ));
    }
    if task == Task::Classification {
        let long = class_counts(target)
            .into_keys()
            .find(|label| label.len() > MAX_LABEL);
        if let Some(label) = long {
            return Err(format!(
                "the target '{name}' has a class of {} bytes, '{}': at most {MAX_LABEL} are taken, \
                 so shorten it or choose another target",
                label.len(),
                shown(&label, 40)
            ));
        }
    }
    let note = why.map(|why| {
        format!(
            "task {}, because the target '{name}' has {why} in {rows} rows",
            task.name()
        )
    });
    Ok((task, note))
}

/// How many values a column has that differ.
fn distinct(column: &Column) -> usize {
    match &column.values {
        Values::Floats(values) => values
            .iter()
            // The two zeros are one number.
            .map(|value| (value + 0.0).to_bits())
            .collect::<BTreeSet<_>>()
            .len(),
        Values::Integers(values) | Values::Timestamps(values) => {
            values.iter().collect::<BTreeSet<_>>().len()
        }
        Values::Booleans(values) => values.iter().collect::<BTreeSet<_>>().len(),
        Values::Texts(values) => values.iter().collect::<BTreeSet<_>>().len(),
        Values::Categories { .. } => (0..column.values.len())
            .filter_map(|row| column.text(row))
            .collect::<BTreeSet<_>>()
            .len(),
    }
}

/// Rows of each class, by label.
pub fn class_counts(target: &Column) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for label in (0..target.values.len()).filter_map(|row| target.label(row)) {
        *counts.entry(label).or_insert(0) += 1;
    }
    counts
}

/// Of two classes, the one that is looked for: the one asked for, else the rarer one, of equally
/// frequent ones the last; with what is to be said of it. None of more classes, or for regression.
pub fn positive(
    asked: Option<&str>,
    task: Task,
    classes: &[String],
    counts: &[u64],
) -> Result<(Option<String>, Option<String>), String> {
    let (first, second) = match (task, classes) {
        (Task::Classification, [first, second]) => (first, second),
        _ if asked.is_none() => return Ok((None, None)),
        (Task::Regression, _) => {
            return Err(
                "positive is set, but the task is regression: it is of two classes".to_owned(),
            );
        }
        _ => {
            return Err(format!(
                "positive is set, but there are {} classes: it is of two",
                classes.len()
            ));
        }
    };
    if let Some(asked) = asked {
        // A class of whole floats is spelled 1.0.
        let same = |class: &&&String| {
            let number = |text: &str| text.parse::<f64>().ok().filter(|n| n.is_finite());
            class.as_str() == asked
                || number(class)
                    .is_some_and(|class| number(asked).is_some_and(|n| class - n == 0.0))
        };
        let found = [first, second].iter().find(same).copied();
        return match found {
            Some(class) => Ok((Some(class.clone()), None)),
            None => Err(format!(
                "positive is '{}', which is none of the classes {}",
                shown(asked, 80),
                listed([first.as_str(), second.as_str()].into_iter())
            )),
        };
    }
    let rarer = match counts {
        [left, right] if left < right => first,
        _ => second,
    };
    let note = format!(
        "positive class '{}', because it is the rarer one (set positive for the other)",
        shown(rarer, 40)
    );
    Ok((Some(rarer.clone()), Some(note)))
}

/// The target as numbers: for classification each label's place among the sorted `classes`.
pub fn numbers(target: &Column, task: Task, classes: &[String]) -> Result<Vec<f64>, String> {
    let wrong = |row: usize| {
        format!(
            "the target '{}' has a value that can't be used in row {row}",
            shown(&target.name, 80)
        )
    };
    (0..target.values.len())
        .map(|row| match task {
            Task::Regression => target.number(row).ok_or_else(|| wrong(row)),
            Task::Classification => target
                .label(row)
                .and_then(|label| classes.binary_search(&label).ok())
                .map(|class| class as f64)
                .ok_or_else(|| wrong(row)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: Values) -> Column {
        Column {
            name: "y".to_owned(),
            values,
            nulls: vec![],
        }
    }

    fn texts(values: &[&str]) -> Column {
        column(Values::Texts(
            values.iter().map(ToString::to_string).collect(),
        ))
    }

    #[test]
    fn the_nearest_column_is_suggested() {
        let table = Table {
            rows: 0,
            columns: ["septet:row", "species", "bill_length_mm", "sex"]
                .map(|name| Column {
                    name: name.to_owned(),
                    ..texts(&[])
                })
                .to_vec(),
        };
        let told = |name: &str| find(&table, "target", name).unwrap_err();
        assert!(told("Specie").ends_with("did you mean 'species'?"));
        assert!(told("bill_lenght_mm").ends_with("did you mean 'bill_length_mm'?"));
        assert_eq!(
            told("price"),
            "the target 'price' is not a column: the columns are 'species', 'bill_length_mm', 'sex'"
        );
    }

    #[test]
    fn the_task_is_found() {
        let task = |column: Column| decide(&column, AskedTask::Auto).unwrap().0;
        assert_eq!(task(texts(&["a", "b"])), Task::Classification);
        assert_eq!(
            task(column(Values::Booleans(vec![true, false]))),
            Task::Classification
        );
        let three = |rows: i64| Values::Integers((0..rows).map(|n| n % 3).collect());
        assert_eq!(task(column(three(150))), Task::Classification);
        assert_eq!(task(column(three(12))), Task::Regression);
        assert_eq!(
            task(column(Values::Integers((0..300).collect()))),
            Task::Regression
        );
        let floats = |step: f64| Values::Floats((0..99).map(|n| f64::from(n % 3) * step).collect());
        assert_eq!(task(column(floats(0.5))), Task::Regression);
        assert_eq!(task(column(floats(1.0))), Task::Classification);
        let (_, note) = decide(&column(three(150)), AskedTask::Auto).unwrap();
        assert_eq!(
            note.unwrap(),
            "task classification, because the target 'y' has 3 different whole numbers in 150 rows"
        );
    }

    #[test]
    fn a_wrong_task_is_told() {
        let told = |column, asked| decide(&column, asked).unwrap_err();
        assert!(told(texts(&["a", "b"]), AskedTask::Regression).contains("has texts"));
        let many = || {
            column(Values::Floats(
                (0..300).map(|n| f64::from(n) / 7.0).collect(),
            ))
        };
        assert!(told(many(), AskedTask::Classification).contains("ask for regression"));
        assert!(told(texts(&["a", "a"]), AskedTask::Auto).contains("only one value, 'a'"));
        let long = |bytes| ["x".repeat(bytes), "y".to_owned()].to_vec();
        assert!(decide(&column(Values::Texts(long(243))), AskedTask::Auto).is_ok());
        assert!(
            told(column(Values::Texts(long(244))), AskedTask::Auto)
                .contains("a class of 244 bytes")
        );
        let names: Vec<String> = (0..100).map(|n| format!("name {n}")).collect();
        let names = column(Values::Texts(names));
        assert!(told(names, AskedTask::Auto).contains("choose another target"));
    }

    #[test]
    fn classes_are_places_among_the_sorted_labels() {
        let target = texts(&["b", "a", "b"]);
        let classes: Vec<_> = class_counts(&target).into_keys().collect();
        assert_eq!(
            numbers(&target, Task::Classification, &classes).unwrap(),
            [1.0, 0.0, 1.0]
        );
    }

    #[test]
    fn the_positive_class_is_the_rarer_one() {
        let classes = ["0.0", "1.0"].map(str::to_owned);
        let of = |asked, counts: [u64; 2]| {
            positive(asked, Task::Classification, &classes, &counts).map(|found| found.0.unwrap())
        };
        assert_eq!(of(None, [3, 9]).unwrap(), "0.0");
        assert_eq!(of(None, [9, 9]).unwrap(), "1.0");
        assert_eq!(of(Some("0"), [9, 3]).unwrap(), "0.0");
        assert!(
            of(Some("yes"), [9, 3])
                .unwrap_err()
                .contains("'0.0', '1.0'")
        );
        let three = ["a", "b", "c"].map(str::to_owned);
        let of = |asked| positive(asked, Task::Classification, &three, &[1, 1, 1]);
        assert_eq!(of(None).unwrap(), (None, None));
        assert!(of(Some("a")).unwrap_err().contains("3 classes"));
        assert!(positive(Some("a"), Task::Regression, &[], &[]).is_err());
    }
}
