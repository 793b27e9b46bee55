//! Which rows are for the test: a matter of the row alone.
//!
//! No state and no order: a row that is appended moves no other one, equal rows stay together,
//! and a row that was for the test once is so for every later version of the model.

use septet_kit::table::{Column, Kind, ROW, Table};
use sha2::{Digest, Sha256};

/// For each row, whether it is for the test: the first 8 bytes of the sha-256 of its bytes,
/// as a share of 2^64, are below `test_share`. Its bytes are those of the column `key`, or else
/// of all columns but the row's line, in the order of their names.
pub fn test_rows(table: &Table, key: Option<&str>, test_share: f64) -> Vec<bool> {
    let mut columns: Vec<&Column> = table
        .columns
        .iter()
        .filter(|column| match key {
            Some(key) => column.name == key,
            None => column.name != ROW,
        })
        .collect();
    columns.sort_by(|left, right| left.name.cmp(&right.name));
    let mut bytes = Vec::new();
    (0..table.rows)
        .map(|row| {
            bytes.clear();
            for column in &columns {
                put(column, row, &mut bytes);
            }
            share(&bytes) < test_share
        })
        .collect()
}

/// The share of 2^64 that the bytes' digest begins with.
fn share(bytes: &[u8]) -> f64 {
    const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;
    let digest = Sha256::digest(bytes);
    let first = digest
        .iter()
        .take(8)
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    first as f64 / TWO_TO_64
}

/// A value with its length before it; a null is a length that no value has.
fn put(column: &Column, row: usize, bytes: &mut Vec<u8>) {
    let mut value = |value: &[u8]| {
        bytes.extend((value.len() as u64).to_be_bytes());
        bytes.extend(value);
    };
    match column.values.kind() {
        Kind::Floats => match column.number(row) {
            // A column of integers becomes one of floats as soon as one such row is appended;
            // whole numbers keep their bytes.
            Some(number) if number.fract() == 0.0 && number.abs() < 9.0e15 => {
                value((number as i64).to_string().as_bytes());
            }
            Some(number) => value(format!("{number:?}").as_bytes()),
            None => bytes.extend(u64::MAX.to_be_bytes()),
        },
        Kind::Texts | Kind::Categories => match column.text(row) {
            Some(text) => value(text.as_bytes()),
            None => bytes.extend(u64::MAX.to_be_bytes()),
        },
        Kind::Integers | Kind::Booleans | Kind::Timestamps => match column.label(row) {
            Some(label) => value(label.as_bytes()),
            None => bytes.extend(u64::MAX.to_be_bytes()),
        },
    }
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Values;

    use super::*;

    fn column(name: &str, values: Values) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: vec![],
        }
    }

    fn table(numbers: &[i64]) -> Table {
        Table {
            rows: numbers.len(),
            columns: vec![
                column(ROW, Values::Integers((2..).take(numbers.len()).collect())),
                column("n", Values::Integers(numbers.to_vec())),
                column(
                    "t",
                    Values::Texts(numbers.iter().map(|n| format!("t{}", n % 7)).collect()),
                ),
            ],
        }
    }

    #[test]
    fn appended_rows_move_no_other() {
        let numbers: Vec<_> = (0..1_000).collect();
        let all = test_rows(&table(&numbers), None, 0.2);
        let first = test_rows(&table(&numbers[..600]), None, 0.2);
        assert_eq!(all[..600], first);
        let count = all.iter().filter(|test| **test).count();
        assert!((150..250).contains(&count), "{count}");
    }

    #[test]
    fn equal_rows_stay_together_and_order_does_not_count() {
        let numbers: Vec<_> = (0..200).chain(0..200).collect();
        let sides = test_rows(&table(&numbers), None, 0.5);
        assert_eq!(sides[..200], sides[200..]);
        let mut reversed = table(&numbers);
        reversed.columns.reverse();
        assert_eq!(test_rows(&reversed, None, 0.5), sides);
    }

    #[test]
    fn widening_moves_no_row() {
        let numbers: Vec<_> = (0..200).collect();
        let mut floats = table(&numbers);
        floats.columns[1].values = Values::Floats(numbers.iter().map(|n| *n as f64).collect());
        assert_eq!(
            test_rows(&floats, None, 0.3),
            test_rows(&table(&numbers), None, 0.3)
        );
    }

    #[test]
    fn a_key_keeps_its_rows_together() {
        let numbers: Vec<_> = (0..500).collect();
        let sides = test_rows(&table(&numbers), Some("t"), 0.5);
        for remainder in 0..7 {
            let first = sides[remainder];
            assert!(sides.iter().skip(remainder).step_by(7).all(|s| *s == first));
        }
    }

    #[test]
    fn a_null_is_no_text() {
        let mut null = table(&[1]);
        null.columns[2].nulls = vec![0];
        let bytes = |table: &Table| {
            let mut bytes = Vec::new();
            put(&table.columns[2], 0, &mut bytes);
            bytes
        };
        let mut empty = table(&[1]);
        empty.columns[2].values = Values::Texts(vec![String::new()]);
        assert_ne!(bytes(&null), bytes(&empty));
    }
}
