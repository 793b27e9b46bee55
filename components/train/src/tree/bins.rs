//! Columns as small numbers: a value's bin says where it stands among the column's values.
//!
//! Up to 20,000 rows each value has a bin of its own, so that the splits are exact. Beyond, a
//! column of more than 256 values has 256 bins of about equally many rows, a value of many rows
//! one of its own.

use septet_kit::matrix::Matrix;

/// Rows up to which each value has its own bin; a bin is a 16-bit number.
const EXACT_ROWS: usize = 20_000;
/// Bins of a column with more rows.
const BINS: usize = 256;

/// The table, column after column.
pub(crate) struct Bins {
    rows: usize,
    codes: Vec<u16>,
    columns: Vec<Column>,
}

/// Ends of each bin, ascending.
struct Column {
    least: Vec<f64>,
    greatest: Vec<f64>,
}

impl Bins {
    /// Bins of all columns; `tick` is called after each.
    pub(crate) fn of(features: &Matrix, tick: &mut dyn FnMut()) -> Self {
        let mut codes = Vec::with_capacity(features.values.len());
        let mut columns = Vec::with_capacity(features.columns);
        let mut values = Vec::with_capacity(features.rows);
        for index in 0..features.columns {
            values.clear();
            values.extend(features.values.iter().skip(index).step_by(features.columns));
            values.sort_unstable_by(f64::total_cmp);
            let column = Column::of(&values, features.rows <= EXACT_ROWS);
            let row = features.values.iter().skip(index).step_by(features.columns);
            codes.extend(row.map(|value| column.bin(*value)));
            columns.push(column);
            tick();
        }
        Self {
            rows: features.rows,
            codes,
            columns,
        }
    }

    /// Number of rows.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub(crate) const fn columns(&self) -> usize {
        self.columns.len()
    }

    /// The bin of each row in a column.
    pub(crate) fn codes(&self, column: usize) -> &[u16] {
        let start = column * self.rows;
        self.codes.get(start..start + self.rows).unwrap_or_default()
    }

    /// Number of bins of a column.
    pub(crate) fn count(&self, column: usize) -> usize {
        self.columns.get(column).map_or(0, |c| c.least.len())
    }

    /// The threshold between two bins: rows of `left` are not above it, those of `right` are.
    pub(crate) fn threshold(&self, column: usize, left: usize, right: usize) -> Option<f64> {
        let column = self.columns.get(column)?;
        let (low, high) = (*column.greatest.get(left)?, *column.least.get(right)?);
        // Halves, so that the sum can't overflow; of neighbouring numbers the lower one.
        let middle = low / 2.0 + high / 2.0;
        Some(if middle >= low && middle < high {
            middle
        } else {
            low
        })
    }
}

impl Column {
    /// Bins of sorted values.
    fn of(values: &[f64], exact: bool) -> Self {
        let (mut least, mut greatest) = (vec![], vec![]);
        // Zeros of both signs are one value; sorted, equal values stand together.
        let runs = || values.chunk_by(|left, right| left >= right);
        let all = exact || runs().take(BINS + 1).count() <= BINS;
        let (mut open, mut left) = (0, values.len());
        for run in runs() {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            // A bin takes its share of the rows that are left; a run that is as much by itself
            // does not go into a bin that was begun.
            let share = left / BINS.saturating_sub(least.len()).max(1);
            let full = all || open >= share || (run.len() >= share && BINS > least.len() + 1);
            if least.is_empty() || (full && (all || least.len() < BINS)) {
                left -= open;
                open = 0;
                least.push(*first);
                greatest.push(*last);
            } else if let Some(end) = greatest.last_mut() {
                *end = *last;
            }
            open += run.len();
        }
        Self { least, greatest }
    }

    fn bin(&self, value: f64) -> u16 {
        self.greatest.partition_point(|end| *end < value) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rows_have_a_bin_each() {
        let features = Matrix::new(5, 1, vec![3.0, -0.0, 0.0, 7.0, 3.0]).unwrap();
        let bins = Bins::of(&features, &mut || {});
        assert_eq!(bins.codes(0), [1, 0, 0, 2, 1]);
        assert_eq!(bins.count(0), 3);
        assert_eq!(bins.threshold(0, 0, 1), Some(1.5));
        assert_eq!(bins.threshold(0, 0, 2), Some(3.5));
        assert_eq!(bins.threshold(0, 0, 3), None);
    }

    #[test]
    fn thresholds_part_neighbouring_and_huge_numbers() {
        let next = 1.0f64.next_up();
        let values = vec![1.0, next, -f64::MAX, f64::MAX];
        let bins = Bins::of(&Matrix::new(4, 1, values).unwrap(), &mut || {});
        assert_eq!(bins.codes(0), [1, 2, 0, 3]);
        assert_eq!(bins.threshold(0, 1, 2), Some(1.0));
        assert_eq!(bins.threshold(0, 0, 3), Some(0.0));
    }

    #[test]
    fn many_rows_share_bins_evenly_and_heavy_values_have_their_own() {
        let rows = EXACT_ROWS * 2;
        let value = |row| {
            if row % 2 == 0 {
                0.5
            } else {
                (row as f64).sin()
            }
        };
        let features = Matrix::new(rows, 1, (0..rows).map(value).collect()).unwrap();
        let bins = Bins::of(&features, &mut || {});
        let mut counts = vec![0; bins.count(0)];
        for code in bins.codes(0) {
            counts[usize::from(*code)] += 1;
        }
        assert!((150..=BINS).contains(&counts.len()), "{}", counts.len());
        counts.sort_unstable();
        assert_eq!(counts.pop(), Some(rows / 2));
        assert!(counts.last().unwrap() < &400, "{counts:?}");
        for (code, value) in bins.codes(0).iter().zip(&features.values) {
            let column = &bins.columns[0];
            let code = usize::from(*code);
            assert!(column.least[code] <= *value && *value <= column.greatest[code]);
        }
    }
}
