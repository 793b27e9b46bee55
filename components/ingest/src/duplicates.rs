//! How many rows are exact copies of others, in bounded memory.
//!
//! Distinct sampling (P. B. Gibbons, "Distinct sampling for highly-accurate answers to distinct
//! values queries and event reports", VLDB 2001): only rows whose hash begins with `level` zero
//! bits are counted, and a level is added whenever there are too many of them. A row is in the
//! sample or not whatever the order, and with it all of its copies, so that a source without
//! copies always gives none.

use septet_kit::table::{Table, Values};
use twox_hash::XxHash3_64;

use crate::categories::ByHash;

/// Distinct rows that are held at most: up to so many, the count is exact.
const HELD: usize = 1 << 16;

/// Counts copies.
#[derive(Default)]
pub struct Duplicates {
    /// How often each row of the sample came.
    held: ByHash<u64>,
    level: u32,
    hashes: Vec<u64>,
}

impl Duplicates {
    /// Counts the rows of a table, whose first column is left out.
    pub fn add(&mut self, table: &Table) {
        let mut hashes = std::mem::take(&mut self.hashes);
        row_hashes(table, &mut hashes);
        for hash in &hashes {
            self.add_hash(*hash);
        }
        self.hashes = hashes;
    }

    fn add_hash(&mut self, hash: u64) {
        if !self.samples(hash) {
            return;
        }
        *self.held.entry(hash).or_default() += 1;
        while self.held.len() > HELD {
            self.level += 1;
            let level = self.level;
            self.held.retain(|hash, _| hash.leading_zeros() >= level);
        }
    }

    const fn samples(&self, hash: u64) -> bool {
        hash.leading_zeros() >= self.level
    }

    /// Rows that have a copy before them.
    pub fn count(&self) -> u64 {
        let copies: u64 = self.held.values().map(|count| count - 1).sum();
        copies << self.level
    }

    /// Whether the count is exact, not an estimate.
    pub const fn is_exact(&self) -> bool {
        self.level == 0
    }
}

/// A hash of each row's values.
fn row_hashes(table: &Table, hashes: &mut Vec<u64>) {
    hashes.clear();
    hashes.resize(table.rows, 0);
    for column in table.columns.iter().skip(1) {
        match &column.values {
            Values::Floats(values) => mix_all(hashes, values.iter().map(|value| value.to_bits())),
            Values::Integers(values) | Values::Timestamps(values) => {
                mix_all(hashes, values.iter().map(|value| *value as u64));
            }
            Values::Booleans(values) => {
                mix_all(hashes, values.iter().map(|value| u64::from(*value)));
            }
            Values::Texts(values) => mix_all(
                hashes,
                values
                    .iter()
                    .map(|text| XxHash3_64::oneshot(text.as_bytes())),
            ),
            // One dictionary holds for the whole file, so that codes are as good as texts.
            Values::Categories { codes, .. } => {
                mix_all(hashes, codes.iter().map(|code| u64::from(*code)));
            }
        }
        for row in &column.nulls {
            if let Some(hash) = hashes.get_mut(*row as usize) {
                *hash = mix(*hash, 0x6e75_6c6c);
            }
        }
    }
}

fn mix_all(hashes: &mut [u64], values: impl Iterator<Item = u64>) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        *hash = mix(*hash, value);
    }
}

/// The finalizer of splitmix64 (<https://prng.di.unimi.it/splitmix64.c>): every bit of both hangs
/// on every bit of the result.
const fn mix(hash: u64, value: u64) -> u64 {
    let mut mixed = hash.rotate_left(23).wrapping_add(0x9e37_79b9_7f4a_7c15) ^ value;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use septet_kit::table::Column;

    use super::*;

    fn table(numbers: &(impl Iterator<Item = i64> + Clone)) -> Table {
        let column = |name: &str, values| Column {
            name: name.to_owned(),
            values,
            nulls: vec![],
        };
        let rows = numbers.clone().count();
        let texts = numbers.clone().map(|number| (number % 7).to_string());
        Table {
            rows,
            columns: vec![
                column("septet:row", Values::Integers((0..rows as i64).collect())),
                column("n", Values::Integers(numbers.clone().collect())),
                column("t", Values::Texts(texts.collect())),
            ],
        }
    }

    fn count(numbers: &(impl Iterator<Item = i64> + Clone)) -> Duplicates {
        let mut duplicates = Duplicates::default();
        duplicates.add(&table(numbers));
        duplicates
    }

    #[test]
    fn few_rows_are_counted_exactly() {
        let duplicates = count(&(0..1_000).chain(10..20).chain(15..20));
        assert_eq!((duplicates.count(), duplicates.is_exact()), (15, true));
        let full = count(&(0..HELD as i64).chain(0..1));
        assert_eq!((full.count(), full.is_exact()), (1, true));
    }

    #[test]
    fn many_rows_are_estimated_and_no_copies_stay_none() {
        let none = count(&(0..1_000_000));
        assert_eq!((none.count(), none.is_exact()), (0, false));
        let tenth = count(&(0..1_000_000).chain(0..100_000));
        assert!(
            tenth.count().abs_diff(100_000) < 10_000,
            "{}",
            tenth.count()
        );
        assert!(tenth.held.len() <= HELD);
    }

    #[test]
    fn a_null_is_no_zero() {
        let mut one = table(&[0, 0].into_iter());
        one.columns[1].nulls = vec![1];
        let mut duplicates = Duplicates::default();
        duplicates.add(&one);
        assert_eq!(duplicates.count(), 0);
    }
}
