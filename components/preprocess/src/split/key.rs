//! By hash of a key or group: one threshold, so that a corrected label moves no row.

use std::collections::BTreeMap;

use septet_kit::{
    preprocessing::Task,
    show::shown,
    split::{RESOLUTION, SALTS},
    table::{Column, Table, Values},
};

use super::decide::Side;
use crate::identity::{Digest, digests};

/// The digests of a key; an error names a row whose value can't be told from others.
pub(super) fn keys(table: &Table, column: &Column, what: &str) -> Result<Vec<Digest>, String> {
    if let Some(row) = blurred(column) {
        return Err(format!(
            "the {what} '{}' is a float of more than 15 digits in row {}: declare it as text in a \
             schema",
            shown(&column.name, 80),
            table.line(row)
        ));
    }
    Ok(digests(&[column], table.rows))
}

/// The first row whose float may stand for more than one whole number.
pub(super) fn blurred(column: &Column) -> Option<usize> {
    let Values::Floats(values) = &column.values else {
        return None;
    };
    let large = |(value, null): (&f64, bool)| !null && value.abs() >= RESOLUTION as f64;
    values.iter().zip(column.null_mask()).position(large)
}

/// The salt under which the classes have the most even shares of test rows, and the threshold.
pub(super) fn rule(
    keys: &[Digest],
    column: &Column,
    target: &Column,
    task: Task,
    share: f64,
) -> (u32, u64) {
    let threshold = (share * RESOLUTION as f64) as u64;
    // How many rows each key has of each class. Labels are numbers, because they are many.
    let mut classes: BTreeMap<String, usize> = BTreeMap::new();
    let mut counts: BTreeMap<(Digest, usize), usize> = BTreeMap::new();
    let nulls = column.null_mask();
    for (row, key) in keys.iter().enumerate() {
        if nulls.get(row) != Some(&false) {
            continue;
        }
        let class = match task {
            Task::Classification => target.label(row).unwrap_or_default(),
            Task::Regression => String::new(),
        };
        let next = classes.len();
        let class = *classes.entry(class).or_insert(next);
        *counts.entry((*key, class)).or_default() += 1;
    }
    let mut totals = vec![0_usize; classes.len()];
    for ((_, class), count) in &counts {
        if let Some(total) = totals.get_mut(*class) {
            *total += count;
        }
    }
    let uneven = |salt: u32| {
        let mut tested = vec![0_usize; totals.len()];
        for ((key, class), count) in &counts {
            if key.salted(salt) < threshold
                && let Some(tested) = tested.get_mut(*class)
            {
                *tested += count;
            }
        }
        tested
            .iter()
            .zip(&totals)
            .map(|(tested, total)| (*tested as f64 / *total as f64 - share).abs())
            .fold(0.0, f64::max)
    };
    let best = (0..SALTS)
        .map(|salt| (uneven(salt), salt))
        .min_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    (best.map_or(0, |(_, salt)| salt), threshold)
}

/// The side of each row; one without a key is on none.
pub(super) fn sides(keys: &[Digest], column: &Column, salt: u32, threshold: u64) -> Vec<Side> {
    keys.iter()
        .zip(column.null_mask())
        .map(|(key, null)| {
            if null {
                Side::Out
            } else {
                Side::of(key.salted(salt) < threshold)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_groups_are_still_split_evenly() {
        let column = |name: &str, values: Vec<i64>| Column {
            name: name.to_owned(),
            values: Values::Integers(values),
            nulls: vec![],
        };
        let groups = column("g", (0..1_000).map(|row| row % 20).collect());
        let target = column("y", (0..1_000).map(|row| row / 20 % 5 / 4).collect());
        let table = Table {
            rows: 1_000,
            columns: vec![],
        };
        let keys = keys(&table, &groups, "group").unwrap();
        let (salt, threshold) = rule(&keys, &groups, &target, Task::Classification, 0.2);
        let sides = sides(&keys, &groups, salt, threshold);
        let tested = sides.iter().filter(|side| **side == Side::Test).count();
        assert_eq!(tested, 200);
        assert_eq!(sides[..20], sides[20..40]);
    }

    #[test]
    fn a_float_that_lost_digits_is_no_key() {
        let column = Column {
            name: "id".to_owned(),
            values: Values::Floats(vec![1.0, 1e17, 1e17]),
            nulls: vec![1],
        };
        let table = Table {
            rows: 3,
            columns: vec![],
        };
        let told = keys(&table, &column, "key").unwrap_err();
        assert!(told.contains("'id'") && told.contains("row 3"), "{told}");
    }
}
