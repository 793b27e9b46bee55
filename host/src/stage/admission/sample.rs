//! Rows made up from what a transform says that it needs.
//!
//! They are always the same: a verdict must not depend on chance.

use septet_kit::table::{Column, Table, Values};

use crate::capability::{bindings::exports::septet::transform::transform::Field, tables::Kind};

/// Ordinary rows: enough that a batch's mean, order or size would show.
const ROWS: usize = 160;

/// Every so many rows one lacks a value, another row in each column.
const NULL_EVERY: usize = 9;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Rows as they might stand in a file: moderate numbers, short texts, some without a value, and two
/// columns that the transform did not ask for.
pub(super) fn ordinary(needs: &[Field]) -> Table {
    let column = |(place, field): (usize, &Field)| Column {
        name: field.name.clone(),
        values: ordinary_values(field.kind, place),
        nulls: (0..ROWS as u32)
            // Some rows are whole, however many columns there are.
            .filter(|row| {
                row % 4 != 0 && (*row as usize + place * 4) % NULL_EVERY == NULL_EVERY - 1
            })
            .collect(),
    };
    let others = [
        ("septet_other_number", Kind::Floats),
        ("septet_other_text", Kind::Texts),
    ];
    let others = others.map(|(name, kind)| Field {
        name: name.to_owned(),
        kind,
    });
    let others = others
        .iter()
        .filter(|other| needs.iter().all(|field| field.name != other.name));
    Table {
        rows: ROWS,
        columns: needs.iter().chain(others).enumerate().map(column).collect(),
    }
}

/// A number from 0 to 1 that row and column stand for: a multiplication that spreads (Knuth's).
fn spread(row: usize, place: usize) -> f64 {
    let mixed = ((row * 31 + place * 17 + 1) as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn ordinary_values(kind: Kind, place: usize) -> Values {
    const WORDS: [&str; 7] = ["red", "Blue", "dark green", "Ärger", "日本", "x-1", "7"];
    let word = |row: usize| (spread(row, place) * WORDS.len() as f64) as usize;
    let text = |row| WORDS.get(word(row)).copied().unwrap_or_default().to_owned();
    let rows = 0..ROWS;
    match kind {
        // Of two and more digits, positive and not, whole and not.
        Kind::Floats => Values::Floats(
            rows.map(|row| match row % 4 {
                0 => (spread(row, place) * 100.0).round(),
                1 => spread(row, place) * -10.0,
                _ => spread(row, place).mul_add(50.0, 0.5),
            })
            .collect(),
        ),
        Kind::Integers => {
            let value = |row| spread(row, place).mul_add(200.0, -50.0) as i64;
            Values::Integers(rows.map(value).collect())
        }
        Kind::Booleans => Values::Booleans(rows.map(|row| spread(row, place) < 0.4).collect()),
        Kind::Texts => Values::Texts(rows.map(text).collect()),
        Kind::Categories => Values::Categories {
            dictionary: WORDS.map(str::to_owned).to_vec(),
            codes: rows.map(|row| word(row) as u32).collect(),
        },
        Kind::Timestamps => {
            // Within some thirty years around 2010, to the second.
            let value = |row| {
                14_600 * DAY + (spread(row, place) * 11e3) as i64 * DAY + row as i64 * 1_000_000
            };
            Values::Timestamps(rows.map(value).collect())
        }
    }
}

/// Rows with values that are seldom seen, each value in each needed column; the last row has none.
pub(super) fn unusual(needs: &[Field]) -> Table {
    let most = needs.iter().map(|field| unusual_values(field.kind).len());
    let rows = most.max().unwrap_or(0);
    let column = |(place, field): (usize, &Field)| {
        let values = unusual_values(field.kind);
        let count = values.len().max(1);
        // Columns out of step, so that not all are odd in the same way in one row.
        let order: Vec<u32> = (0..rows)
            .map(|row| ((row + place) % count) as u32)
            .collect();
        let column = Column {
            name: field.name.clone(),
            values,
            nulls: Vec::new(),
        };
        let mut column = column.take(&order);
        column.nulls = (rows.saturating_sub(1) as u32..rows as u32).collect();
        column
    };
    Table {
        rows,
        columns: needs.iter().enumerate().map(column).collect(),
    }
}

fn unusual_values(kind: Kind) -> Values {
    let texts = || -> Vec<String> {
        let texts = [
            "",
            " ",
            "\u{0}",
            "a,b\"c\n",
            "-1.5",
            "2020-02-30",
            "e\u{301}",
            "🦀",
            "NaN",
        ];
        let long = "x".repeat(10_000);
        texts.map(str::to_owned).into_iter().chain([long]).collect()
    };
    match kind {
        Kind::Floats => Values::Floats(vec![
            0.0,
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            -1e300,
            9_007_199_254_740_993.0,
            0.1,
        ]),
        Kind::Integers => {
            Values::Integers(vec![0, -1, i64::MAX, i64::MIN, 1 << 53, -(1 << 53) - 1, 10])
        }
        Kind::Booleans => Values::Booleans(vec![true, false]),
        Kind::Texts => Values::Texts(texts()),
        Kind::Categories => {
            let dictionary = texts();
            Values::Categories {
                codes: (0..dictionary.len() as u32).collect(),
                dictionary,
            }
        }
        Kind::Timestamps => Values::Timestamps(vec![
            0,
            -1,
            253_402_300_799_999_999,
            -62_135_596_800_000_000,
            DAY,
        ]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 6] = [
        Kind::Floats,
        Kind::Integers,
        Kind::Booleans,
        Kind::Texts,
        Kind::Categories,
        Kind::Timestamps,
    ];

    #[test]
    fn samples_are_sound_whatever_is_needed() {
        for count in 0..=KINDS.len() {
            let needs: Vec<Field> = (0..)
                .zip(KINDS)
                .take(count)
                .map(|(number, kind)| Field {
                    name: format!("c{number}"),
                    kind,
                })
                .collect();
            for table in [ordinary(&needs), unusual(&needs)] {
                table.validate().unwrap();
            }
            assert_eq!(ordinary(&needs).columns.len(), count + 2);
        }
    }

    #[test]
    fn values_differ_from_row_to_row_and_from_column_to_column() {
        let needs = ["a", "b"].map(|name| Field {
            name: name.to_owned(),
            kind: Kind::Floats,
        });
        let table = ordinary(&needs);
        let texts: std::collections::BTreeSet<_> = table
            .columns
            .iter()
            .map(|column| {
                (0..ROWS)
                    .map(|row| super::super::rows::shown(column, row))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(texts.len(), 4);
        assert!(
            texts
                .iter()
                .all(|rows| rows.iter().any(|text| text != &rows[0]))
        );
        assert!(table.columns.iter().all(|column| !column.nulls.is_empty()));
    }
}
