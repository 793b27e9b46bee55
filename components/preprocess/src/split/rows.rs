//! By hash of the whole row: a threshold for each class.
//!
//! A row that is appended moves no other one, equal rows stay together, and a row that was for
//! the test once is so for every later version.

use std::collections::BTreeMap;

use septet_kit::{
    preprocessing::Task,
    split::{ClassThreshold, RESOLUTION, Rule},
    table::{Column, Kind},
};

use super::decide::Side;
use crate::identity::{Digest, label};

/// The rule of version 1: of each class, `share` of its distinct rows are for the test.
pub(super) fn rule(
    columns: &[&Column],
    digests: &[Digest],
    target: &Column,
    task: Task,
    share: f64,
) -> Rule {
    let default = (share * RESOLUTION as f64) as u64;
    let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for (row, digest) in digests.iter().enumerate() {
        let class = match task {
            Task::Classification => label(target, row).unwrap_or_default(),
            Task::Regression => String::new(),
        };
        places.entry(class).or_default().push(digest.place());
    }
    let mut classes: Vec<_> = places
        .into_iter()
        .map(|(class, places)| ClassThreshold {
            class,
            threshold: threshold(places, share).unwrap_or(default),
        })
        .collect();
    let threshold = match task {
        Task::Classification => default,
        Task::Regression => classes.pop().map_or(default, |class| class.threshold),
    };
    let names = |columns: &mut dyn Iterator<Item = &&Column>| {
        columns.map(|column| column.name.clone()).collect()
    };
    let is_float = |column: &&&Column| column.values.kind() == Kind::Floats;
    Rule::Rows {
        columns: names(&mut columns.iter()),
        floats: names(&mut columns.iter().filter(is_float)),
        target: target.name.clone(),
        classes,
        threshold,
    }
}

/// Between the places of the last row that is for the test and of the first that is not; none for
/// less than two rows.
fn threshold(mut places: Vec<u64>, share: f64) -> Option<u64> {
    places.sort_unstable();
    places.dedup();
    if places.len() < 2 {
        return None;
    }
    let count = ((places.len() as f64 * share).round() as usize).clamp(1, places.len() - 1);
    let (last, first) = (places.get(count - 1)?, places.get(count)?);
    Some(last + (first - last).div_ceil(2))
}

/// The side of each row.
pub(super) fn sides(
    digests: &[Digest],
    target: &Column,
    classes: &[ClassThreshold],
    threshold: u64,
) -> Vec<Side> {
    digests
        .iter()
        .enumerate()
        .map(|(row, digest)| {
            let of_class = if classes.is_empty() {
                None
            } else {
                label(target, row)
                    .and_then(|label| {
                        let at = classes.binary_search_by(|class| class.class.cmp(&label));
                        classes.get(at.ok()?)
                    })
                    .map(|class| class.threshold)
            };
            Side::of(digest.place() < of_class.unwrap_or(threshold))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Values;

    use super::*;
    use crate::identity::digests;

    #[test]
    fn each_class_has_its_share_of_distinct_rows() {
        let number = |values: Vec<i64>| Column {
            name: "n".to_owned(),
            values: Values::Integers(values),
            nulls: vec![],
        };
        // Every row comes twice; every tenth is of the rarer class.
        let values: Vec<i64> = (0..500).chain(0..500).collect();
        let target = number(values.iter().map(|n| i64::from(n % 10 == 0)).collect());
        let rows = digests(&[&number(values)], 1_000);
        let rule = rule(&[], &rows, &target, Task::Classification, 0.3);
        let Rule::Rows {
            classes, threshold, ..
        } = rule
        else {
            panic!("it is by rows");
        };
        let sides = sides(&rows, &target, &classes, threshold);
        let tested = |class: &str| {
            let of = |row: &usize| label(&target, *row).as_deref() == Some(class);
            (0..1_000)
                .filter(of)
                .filter(|row| sides[*row] == Side::Test)
                .count()
        };
        assert_eq!((tested("0"), tested("1")), (270, 30));
        assert_eq!(sides[..500], sides[500..]);
    }

    #[test]
    fn few_rows_are_on_both_sides() {
        assert_eq!(threshold(vec![7], 0.2), None);
        assert_eq!(threshold(vec![7, 7], 0.2), None);
        assert_eq!(threshold(vec![7, 8], 0.2), Some(8));
        assert_eq!(threshold(vec![10, 0], 0.9), Some(5));
    }
}
