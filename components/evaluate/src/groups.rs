//! Test rows told apart by a column's values.

use std::{cmp::Reverse, collections::BTreeMap};

use septet_kit::{
    show::shown,
    table::{Column, Values},
};

/// Values that have a group of their own; the rows of others share one.
const MAX_VALUES: usize = 20;
/// Distinct texts that are told from each other, and their bytes; later ones are among the others.
const MAX_TEXTS: usize = 100_000;
const MAX_BYTES: usize = 64 << 20;
/// Code of a row without a value.
const NULL: u32 = u32::MAX;
/// Code of a text that came after too many others.
const LATE: u32 = u32::MAX - 1;
/// Characters of a value that are shown.
const SHOWN: usize = 200;

/// Rows of one group: its name for a reader, and the rows' numbers among those that were scored.
pub(crate) type Group = (String, Vec<u32>);

/// Collects a column's values of the rows that are scored.
#[derive(Debug)]
pub(crate) struct Groups {
    column: String,
    seen: Seen,
}

#[derive(Debug)]
enum Seen {
    Nothing,
    Texts {
        codes: BTreeMap<String, u32>,
        bytes: usize,
        rows: Vec<u32>,
    },
    /// Integers and timestamps; none for a null.
    Whole {
        rows: Vec<Option<i64>>,
        timestamps: bool,
    },
    /// NaN for a null.
    Floats(Vec<f64>),
}

impl Groups {
    pub(crate) fn new(column: &str) -> Self {
        Self {
            column: column.to_owned(),
            seen: Seen::Nothing,
        }
    }

    pub(crate) fn column(&self) -> &str {
        &self.column
    }

    /// Adds the rows `scored` of the column, counted from `start`.
    pub(crate) fn add(
        &mut self,
        column: &Column,
        start: usize,
        scored: &[u32],
    ) -> Result<(), String> {
        if matches!(self.seen, Seen::Nothing) {
            self.seen = match column.values {
                Values::Floats(_) => Seen::Floats(vec![]),
                Values::Integers(_) | Values::Timestamps(_) => Seen::Whole {
                    rows: vec![],
                    timestamps: matches!(column.values, Values::Timestamps(_)),
                },
                _ => Seen::Texts {
                    codes: BTreeMap::new(),
                    bytes: 0,
                    rows: vec![],
                },
            };
        }
        let numbers = scored.iter().map(|row| start.saturating_add(*row as usize));
        match (&mut self.seen, &column.values) {
            (Seen::Floats(rows), Values::Floats(_)) => {
                rows.extend(numbers.map(|row| column.number(row).unwrap_or(f64::NAN)));
            }
            (
                Seen::Whole {
                    rows,
                    timestamps: false,
                },
                Values::Integers(values),
            )
            | (
                Seen::Whole {
                    rows,
                    timestamps: true,
                },
                Values::Timestamps(values),
            ) => {
                rows.extend(numbers.map(|row| {
                    let value = values.get(row).copied();
                    value.filter(|_| !column.is_null(row))
                }));
            }
            (
                Seen::Texts { codes, bytes, rows },
                Values::Texts(_) | Values::Categories { .. } | Values::Booleans(_),
            ) => {
                rows.extend(numbers.map(|row| {
                    let Some(label) = column.label(row) else {
                        return NULL;
                    };
                    if let Some(code) = codes.get(&label) {
                        return *code;
                    }
                    let size = bytes.saturating_add(label.len());
                    if codes.len() >= MAX_TEXTS || size > MAX_BYTES {
                        return LATE;
                    }
                    *bytes = size;
                    let code = codes.len() as u32;
                    codes.insert(label, code);
                    code
                }));
            }
            (_, values) => {
                return Err(format!(
                    "column '{}' has {} in some batches of the test rows and not in others",
                    shown(&self.column, SHOWN),
                    values.kind().name()
                ));
            }
        }
        Ok(())
    }

    /// The groups: of texts, booleans and at most 20 integers one a value, of other numbers the
    /// quarters.
    pub(crate) fn finish(self) -> Vec<Group> {
        match self.seen {
            Seen::Nothing => vec![],
            Seen::Texts { codes, rows, .. } => {
                let mut names = vec![String::new(); codes.len()];
                for (name, code) in codes {
                    if let Some(slot) = names.get_mut(code as usize) {
                        *slot = name;
                    }
                }
                values(&names, &rows)
            }
            Seen::Whole { rows, timestamps } => whole(&rows, timestamps),
            Seen::Floats(rows) => {
                let value = |row: &f64| (!row.is_nan()).then_some(*row);
                let rows: Vec<Option<f64>> = rows.iter().map(value).collect();
                quarters(&rows, &|value| label(Values::Floats(vec![value])))
            }
        }
    }
}

fn whole(rows: &[Option<i64>], timestamps: bool) -> Vec<Group> {
    let mut distinct = BTreeMap::new();
    for value in rows.iter().flatten() {
        distinct.insert(*value, 0_u32);
        if distinct.len() > MAX_VALUES {
            break;
        }
    }
    let spell = |value: i64| {
        label(if timestamps {
            Values::Timestamps(vec![value])
        } else {
            Values::Integers(vec![value])
        })
    };
    if distinct.len() > MAX_VALUES || timestamps {
        let values: Vec<Option<Whole>> = rows.iter().map(|row| row.map(Whole)).collect();
        return quarters(&values, &|Whole(value)| spell(value));
    }
    for (code, slot) in distinct.values_mut().enumerate() {
        *slot = code as u32;
    }
    let names: Vec<String> = distinct.keys().map(|value| spell(*value)).collect();
    let code = |row: &Option<i64>| row.and_then(|value| distinct.get(&value).copied());
    let codes: Vec<u32> = rows.iter().map(|row| code(row).unwrap_or(NULL)).collect();
    values(&names, &codes)
}

/// An integer among numbers.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
struct Whole(i64);

/// A group a name, the most frequent ones; then the others together, and the rows without a value.
fn values(names: &[String], codes: &[u32]) -> Vec<Group> {
    let mut counts = vec![0_u64; names.len()];
    for code in codes {
        if let Some(count) = counts.get_mut(*code as usize) {
            *count += 1;
        }
    }
    let mut order: Vec<(&String, u64, u32)> = names
        .iter()
        .zip(counts)
        .zip(0..)
        .map(|((name, count), code)| (name, count, code))
        .collect();
    order.sort_by_key(|(name, count, _)| (Reverse(*count), *name));
    let others = order.len().saturating_sub(MAX_VALUES);
    order.truncate(MAX_VALUES);
    let places: BTreeMap<u32, usize> = order.iter().map(|entry| entry.2).zip(0..).collect();
    let (other, null) = (order.len(), order.len() + 1);
    let named = order.iter().map(|(name, ..)| shown(name, SHOWN));
    let mut groups: Vec<Group> = named
        .chain([format!("({others} other values)"), "(no value)".to_owned()])
        .map(|name| (name, vec![]))
        .collect();
    let late = codes.contains(&LATE);
    for (code, row) in codes.iter().zip(0..) {
        let place = match *code {
            NULL => null,
            code => places.get(&code).copied().unwrap_or(other),
        };
        if let Some((_, rows)) = groups.get_mut(place) {
            rows.push(row);
        }
    }
    if late && let Some((name, _)) = groups.get_mut(other) {
        *name = format!("({others} other values and more)");
    }
    groups.retain(|(_, rows)| !rows.is_empty());
    groups
}

/// Up to four groups of nearly equal size by value, equal values together; then the rows without
/// one.
fn quarters<T: Copy + PartialOrd>(rows: &[Option<T>], spell: &dyn Fn(T) -> String) -> Vec<Group> {
    let mut order: Vec<(T, u32)> = rows
        .iter()
        .zip(0..)
        .filter_map(|(value, row)| Some(((*value)?, row)))
        .collect();
    // There is no NaN among them, so any two compare.
    order.sort_unstable_by(|left, right| {
        let values = left.0.partial_cmp(&right.0);
        values
            .unwrap_or(std::cmp::Ordering::Equal)
            .then(left.1.cmp(&right.1))
    });
    let mut groups = vec![];
    let mut start = 0;
    for quarter in 1..=4 {
        let end = order.len() * quarter / 4;
        // The last one's equals come along.
        let last = end.checked_sub(1).and_then(|at| order.get(at));
        let Some((last, _)) = last else { continue };
        let end = order.partition_point(|(value, _)| value <= last);
        let Some(group) = order.get(start..end).filter(|group| !group.is_empty()) else {
            continue;
        };
        start = end;
        if let (Some((low, _)), Some((high, _))) = (group.first(), group.last()) {
            let (low, high) = (spell(*low), spell(*high));
            let name = if low == high {
                low
            } else {
                format!("{low} to {high}")
            };
            groups.push((name, group.iter().map(|(_, row)| *row).collect()));
        }
    }
    let nulls = rows.iter().zip(0..).filter(|(value, _)| value.is_none());
    let nulls: Vec<u32> = nulls.map(|(_, row)| row).collect();
    if !nulls.is_empty() {
        groups.push(("(no value)".to_owned(), nulls));
    }
    groups
}

/// The one canonical spelling of a column's only value.
fn label(values: Values) -> String {
    let column = Column {
        name: String::new(),
        values,
        nulls: vec![],
    };
    column.label(0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};

    use super::*;

    fn groups(values: Values, nulls: &[u32], scored: &[u32]) -> Vec<Group> {
        let mut groups = Groups::new("c");
        let column = Column {
            name: "c".to_owned(),
            values,
            nulls: nulls.to_vec(),
        };
        groups.add(&column, 0, scored).unwrap();
        groups.finish()
    }

    fn group(name: &str, rows: &[u32]) -> Group {
        (name.to_owned(), rows.to_vec())
    }

    #[test]
    fn values_have_groups_and_rare_ones_share_one() {
        let texts = ["b", "a", "b", "", "c"].map(str::to_owned).to_vec();
        assert_eq!(
            groups(Values::Texts(texts), &[3], &[0, 1, 2, 3]),
            [
                group("b", &[0, 2]),
                group("a", &[1]),
                group("(no value)", &[3])
            ]
        );
        let many: Vec<String> = (0..30).map(|text| format!("{text:02}")).collect();
        let all: Vec<u32> = (0..30).collect();
        let many = groups(Values::Texts(many), &[], &all);
        assert_eq!(many.len(), 21);
        assert_eq!(
            many[20],
            group("(10 other values)", &(20..30).collect::<Vec<_>>())
        );
        assert_eq!(
            groups(Values::Integers(vec![3, 1, 3]), &[], &[0, 1, 2]),
            [group("3", &[0, 2]), group("1", &[1])]
        );
    }

    #[test]
    fn numbers_have_quarters() {
        let all: Vec<u32> = (0..8).collect();
        let floats = Values::Floats(vec![8.0, 1.0, 2.0, 2.0, 2.0, 6.0, 7.0, f64::NAN]);
        assert_eq!(
            groups(floats, &[], &all),
            [
                group("1.0", &[1]),
                group("2.0", &[2, 3, 4]),
                group("6.0", &[5]),
                group("7.0 to 8.0", &[6, 0]),
                group("(no value)", &[7]),
            ]
        );
        let day = 86_400_000_000;
        let times = groups(Values::Timestamps(vec![0, day]), &[], &[0, 1]);
        assert_eq!(times[0].0, "1970-01-01T00:00:00.000000Z");
        assert_eq!(times.len(), 2);
    }

    #[test]
    fn a_column_keeps_its_kind() {
        let mut groups = Groups::new("c");
        let column = |values| Column {
            name: "c".to_owned(),
            values,
            nulls: vec![],
        };
        groups
            .add(&column(Values::Booleans(vec![true])), 0, &[0])
            .unwrap();
        let told = groups.add(&column(Values::Floats(vec![0.5])), 0, &[0]);
        assert!(told.unwrap_err().contains("floats"));
        assert_eq!(groups.finish(), [group("true", &[0])]);
    }

    proptest! {
        /// Each row is in exactly one group.
        #[test]
        fn groups_are_a_partition(rows in vec(option::of(-30_i64..30), 0..200)) {
            let all: Vec<u32> = (0..rows.len() as u32).collect();
            let nulls: Vec<u32> =
                all.iter().copied().filter(|row| rows[*row as usize].is_none()).collect();
            let plain: Vec<i64> = rows.iter().map(|row| row.unwrap_or(0)).collect();
            let texts = plain.iter().map(ToString::to_string).collect();
            let floats = plain.iter().map(|value| *value as f64).collect();
            for values in [Values::Integers(plain), Values::Texts(texts), Values::Floats(floats)] {
                let mut seen: Vec<u32> =
                    groups(values, &nulls, &all).into_iter().flat_map(|group| group.1).collect();
                seen.sort_unstable();
                prop_assert_eq!(&seen, &all);
            }
        }
    }
}
