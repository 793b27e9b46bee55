//! A warning where one column alone almost predicts the target: it may be known only afterwards.
//!
//! The measure is cheap: at most [`ROWS`] train rows, spread evenly.
//!
//! - Two classes and a number: the area under the ROC curve, either way round (ties count half).
//! - Numbers and a number: Pearson's correlation, squared.
//! - Else the number is cut at its deciles, and the cuts, like categories, are judged by what the
//!   target is in each: for classes the share of rows of the most frequent class of their
//!   category, on the way from that of the most frequent class of all to 1; for numbers the share
//!   of the variance between the categories. Only rows of categories with [`EACH`] rows count, and
//!   they must be half of all: an identifier tells nothing.
//! - To be missing is a category too, and of every column it is also looked at alone: what is noted
//!   only after the event is missing before.

use std::collections::BTreeMap;

use septet_kit::{
    preprocessing::{Fitted, Task},
    table::{Column, Table, Values},
};

use crate::notes::listed;

/// Train rows that are looked at, at most.
const ROWS: usize = 20_000;

/// Rows of a category that counts.
const EACH: usize = 10;

/// Rows from which something can be said.
const LEAST: usize = 30;

/// The area, or the share of the variance, that is almost a prediction.
const ALMOST: f64 = 0.99;

/// The share of a guess's errors that categories spare where they almost predict a class.
const SPARED: f64 = 0.9;

/// The category of rows without a value.
const MISSING: u32 = u32::MAX;

/// The warning; none where no column is suspect. `target` has a number a row of `train`.
pub fn warning(train: &Table, columns: &[Fitted], task: Task, target: &[f64]) -> Option<String> {
    let step = train.rows.div_ceil(ROWS).max(1);
    let rows: Vec<u32> = (0..train.rows as u32).step_by(step).collect();
    if rows.len() < LEAST {
        return None;
    }
    let target: Vec<f64> = target.iter().copied().step_by(step).collect();
    let suspects: Vec<&str> = columns
        .iter()
        .filter_map(|fitted| train.column(&fitted.column))
        .filter(|column| is_suspect(&column.take(&rows), task, &target))
        .map(|column| column.name.as_str())
        .collect();
    (!suspects.is_empty()).then(|| {
        format!(
            "look whether it is known when a prediction is made: {} alone almost predicts the \
             target; leave it out (drop) if it is not",
            listed(suspects.into_iter())
        )
    })
}

fn is_suspect(column: &Column, task: Task, target: &[f64]) -> bool {
    let presence: Vec<Option<u32>> = column
        .null_mask()
        .into_iter()
        .map(|null| Some(if null { MISSING } else { 0 }))
        .collect();
    by_group(&presence, task, target) || by_value(column, task, target)
}

/// Whether the values of a column alone almost predict the target.
fn by_value(column: &Column, task: Task, target: &[f64]) -> bool {
    let two = task == Task::Classification && target.iter().all(|class| *class < 2.0);
    let groups: Vec<Option<u32>> = match (&column.values, column.numbers()) {
        (Values::Booleans(values), _) => groups_of(column, values.iter().map(|b| u32::from(*b))),
        (Values::Categories { codes, .. }, _) => groups_of(column, codes.iter().copied()),
        (Values::Texts(values), _) => {
            let mut known: BTreeMap<&str, u32> = BTreeMap::new();
            let numbered: Vec<u32> = values
                .iter()
                .map(|text| {
                    let next = known.len() as u32;
                    *known.entry(text).or_insert(next)
                })
                .collect();
            groups_of(column, numbered.into_iter())
        }
        (_, Some(numbers)) => {
            let mut pairs: Vec<(f64, f64)> = numbers
                .iter()
                .zip(target)
                .filter_map(|(number, target)| Some(((*number)?, *target)))
                .collect();
            // A column that is there in a few rows only says nothing of the others.
            if pairs.len() * 2 < target.len() {
                return false;
            }
            match task {
                Task::Regression => return correlation(&pairs) >= ALMOST,
                Task::Classification if two => return area(&mut pairs) >= ALMOST,
                Task::Classification => deciles(&numbers),
            }
        }
        _ => return false,
    };
    by_group(&groups, task, target)
}

/// Whether the groups of rows alone almost predict the target.
fn by_group(groups: &[Option<u32>], task: Task, target: &[f64]) -> bool {
    let mut members: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (group, target) in groups.iter().zip(target) {
        if let Some(group) = group {
            members.entry(*group).or_default().push(*target);
        }
    }
    members.retain(|_, members| members.len() >= EACH);
    let all: Vec<f64> = members.values().flatten().copied().collect();
    if all.len() * 2 < target.len() {
        return false;
    }
    match task {
        Task::Regression => {
            let total = squares(&all);
            let within: f64 = members.values().map(|members| squares(members)).sum();
            total > 0.0 && 1.0 - within / total >= ALMOST
        }
        Task::Classification => {
            let base = most(&all) as f64 / all.len() as f64;
            let hits: usize = members.values().map(|members| most(members)).sum();
            let hit = hits as f64 / all.len() as f64;
            base < 1.0 && (hit - base) / (1.0 - base) >= SPARED
        }
    }
}

fn groups_of(column: &Column, groups: impl Iterator<Item = u32>) -> Vec<Option<u32>> {
    groups
        .zip(column.null_mask())
        .map(|(group, null)| Some(if null { MISSING } else { group }))
        .collect()
}

fn deciles(numbers: &[Option<f64>]) -> Vec<Option<u32>> {
    let mut sorted: Vec<f64> = numbers.iter().copied().flatten().collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let edges: Vec<f64> = (1..10)
        .filter_map(|tenth| sorted.get(sorted.len() * tenth / 10).copied())
        .collect();
    numbers
        .iter()
        .map(|number| number.map(|n| edges.partition_point(|edge| *edge <= n) as u32))
        .collect()
}

/// Rows of the most frequent class.
fn most(classes: &[f64]) -> usize {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    for class in classes {
        *counts.entry(*class as u32).or_default() += 1;
    }
    counts.into_values().max().unwrap_or_default()
}

/// Sum of the squared differences from the mean.
fn squares(numbers: &[f64]) -> f64 {
    let mean = numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
    numbers.iter().map(|number| (number - mean).powi(2)).sum()
}

/// Pearson's correlation, squared.
fn correlation(pairs: &[(f64, f64)]) -> f64 {
    let (left, right): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let mean = |numbers: &[f64]| numbers.iter().sum::<f64>() / numbers.len().max(1) as f64;
    let (a, b) = (mean(&left), mean(&right));
    let both: f64 = pairs.iter().map(|(x, y)| (x - a) * (y - b)).sum();
    let squared = both * both / (squares(&left) * squares(&right));
    if squared.is_finite() { squared } else { 0.0 }
}

/// The area under the ROC curve, either way round.
fn area(pairs: &mut [(f64, f64)]) -> f64 {
    pairs.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
    let positives = pairs.iter().filter(|(_, class)| *class > 0.5).count() as f64;
    let negatives = pairs.len() as f64 - positives;
    let (mut below, mut area) = (0.0, 0.0);
    for run in pairs.chunk_by(|left, right| left.0 >= right.0) {
        let yes = run.iter().filter(|(_, class)| *class > 0.5).count() as f64;
        let no = run.len() as f64 - yes;
        area += yes * (below + no / 2.0);
        below += no;
    }
    let area = area / (positives * negatives);
    // One class with a few rows is told apart by chance.
    if area.is_finite() && positives >= EACH as f64 && negatives >= EACH as f64 {
        area.max(1.0 - area)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: impl Iterator<Item = i64>) -> Column {
        Column {
            name: "n".to_owned(),
            values: Values::Integers(values.collect()),
            nulls: vec![],
        }
    }

    fn texts(values: impl Iterator<Item = String>) -> Column {
        Column {
            name: "t".to_owned(),
            values: Values::Texts(values.collect()),
            nulls: vec![],
        }
    }

    #[test]
    fn a_column_that_tells_the_target_is_suspect() {
        let classes: Vec<f64> = (0..300).map(|row| f64::from(row % 3)).collect();
        let binary: Vec<f64> = (0..300).map(|row| f64::from(u8::from(row < 150))).collect();
        let values: Vec<f64> = (0..300).map(|row| f64::from(row * 2)).collect();
        let (class, value) = (Task::Classification, Task::Regression);
        let rows = numbers(0..300);
        assert!(is_suspect(&rows, class, &binary));
        assert!(is_suspect(&rows, value, &values));
        assert!(!is_suspect(&rows, class, &classes));
        let other = numbers((0..300).map(|n| n * 7 % 11));
        assert!(!is_suspect(&other, class, &binary));
        assert!(!is_suspect(&other, value, &values));
        let third = texts((0..300).map(|row| format!("c{}", row % 3)));
        assert!(is_suspect(&third, class, &classes));
        assert!(!is_suspect(&third, class, &binary));
        assert!(is_suspect(&third, value, &classes));
    }

    #[test]
    fn what_is_missing_before_the_event_is_suspect() {
        let binary: Vec<f64> = (0..300).map(|row| f64::from(u8::from(row < 150))).collect();
        // A lifeboat's name, of those who were saved, but for a few of them.
        let mut boat = texts((0..300).map(|row| format!("boat {}", row % 5)));
        boat.nulls = (147..300).collect();
        assert!(is_suspect(&boat, Task::Classification, &binary));
        let mut number = numbers((0..300).map(|row| row * 7 % 11));
        number.nulls = (150..300).collect();
        assert!(is_suspect(&number, Task::Classification, &binary));
        number.nulls = (0..300).step_by(2).collect();
        assert!(!is_suspect(&number, Task::Classification, &binary));
    }

    #[test]
    fn an_identifier_tells_nothing() {
        let classes: Vec<f64> = (0..300).map(|row| f64::from(row % 3)).collect();
        let names = texts((0..300).map(|row| format!("name {row}")));
        assert!(!is_suspect(&names, Task::Classification, &classes));
        let few: Vec<f64> = (0..300)
            .map(|row| f64::from(u8::from(row == 299)))
            .collect();
        assert!(!is_suspect(&numbers(0..300), Task::Classification, &few));
    }
}
