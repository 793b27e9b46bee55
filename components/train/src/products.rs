//! Products of columns: all that ridge, lasso and elastic net have to know of the rows.

use crate::{
    algorithm::{Progress, Rows},
    least_squares::Means,
};

/// Products between two reports: some milliseconds.
const STEP: usize = 1 << 24;

/// Operations for the sums over so many rows.
pub(crate) const fn effort(rows: u64, columns: u64) -> u64 {
    // Only one triangle of the square is summed.
    rows.saturating_mul(columns.saturating_mul(columns) / 2)
}

/// Sums over the centred, weighted rows.
pub(crate) struct Products {
    /// Of each column with each other: a square, row after row.
    pub(crate) left: Vec<f64>,
    /// Of each column with the target.
    pub(crate) right: Vec<f64>,
    /// Of the target with itself.
    pub(crate) target: f64,
}

impl Products {
    /// Sums over all rows, reported on the way.
    pub(crate) fn of(rows: Rows<'_>, means: &Means, progress: &mut Progress<'_>) -> Self {
        let columns = rows.features.columns;
        let width = columns + 1;
        // The upper triangle is filled, row after row; the target is the last column.
        let mut squares = vec![0.0; width * width];
        let mut centred = Vec::with_capacity(width);
        let total = rows.features.rows;
        let step = (STEP / (width * width)).max(1);
        for row in 0..total {
            centred.clear();
            centred.extend(means.centred(rows, row));
            let mut others = &centred[..];
            for (index, sums) in squares.chunks_exact_mut(width).enumerate() {
                let (Some((value, rest)), Some(sums)) =
                    (others.split_first(), sums.get_mut(index..))
                else {
                    break;
                };
                for (sum, other) in sums.iter_mut().zip(others) {
                    *sum += value * other;
                }
                others = rest;
            }
            if (row + 1) % step == 0 || row + 1 == total {
                progress((row + 1) as u64, Some(total as u64));
            }
        }
        let at = |row: usize, column: usize| squares.get(row * width + column).copied();
        let square = |row: usize, column: usize| at(row.min(column), row.max(column));
        let left =
            (0..columns).flat_map(|row| (0..columns).filter_map(move |column| square(row, column)));
        Self {
            left: left.collect(),
            right: (0..columns).filter_map(|row| at(row, columns)).collect(),
            target: at(columns, columns).unwrap_or_default(),
        }
    }
}
