//! Numbers in rows and columns: what models take and give.
//!
//! It owns the shape. It must not know what a column means.

/// Row-major numbers: `values.len() == rows * columns`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Row after row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// Zeros.
    pub fn zeros(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            values: vec![0.0; rows.saturating_mul(columns)],
        }
    }

    /// The numbers, if they have this shape.
    pub fn new(rows: usize, columns: usize, values: Vec<f64>) -> Option<Self> {
        (rows.checked_mul(columns) == Some(values.len())).then_some(Self {
            rows,
            columns,
            values,
        })
    }

    /// A row, or an empty slice where there is none.
    pub fn row(&self, row: usize) -> &[f64] {
        let start = row.saturating_mul(self.columns);
        self.values
            .get(start..start.saturating_add(self.columns))
            .unwrap_or_default()
    }

    /// A row to write to, or an empty slice where there is none.
    pub fn row_mut(&mut self, row: usize) -> &mut [f64] {
        let start = row.saturating_mul(self.columns);
        self.values
            .get_mut(start..start.saturating_add(self.columns))
            .unwrap_or_default()
    }

    /// A number, if it is there.
    pub fn get(&self, row: usize, column: usize) -> Option<f64> {
        if column < self.columns {
            self.row(row).get(column).copied()
        } else {
            None
        }
    }

    /// A copy of these rows, in this order; a row that is not there is left out.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        let mut values = Vec::with_capacity(rows.len().saturating_mul(self.columns));
        let there = rows.iter().filter(|row| (**row as usize) < self.rows);
        let mut taken = 0;
        for row in there {
            values.extend_from_slice(self.row(*row as usize));
            taken += 1;
        }
        Self {
            rows: taken,
            columns: self.columns,
            values,
        }
    }

    /// A copy of a column; empty where there is none.
    pub fn column(&self, column: usize) -> Vec<f64> {
        (0..self.rows)
            .filter_map(|row| self.get(row, column))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_is_checked() {
        assert!(Matrix::new(2, 2, vec![1.0; 3]).is_none());
        assert!(Matrix::new(usize::MAX, 2, vec![]).is_none());
        let matrix = Matrix::new(2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(matrix.row(1), [3.0, 4.0]);
        assert_eq!(matrix.column(1), [2.0, 4.0]);
        assert_eq!(matrix.take(&[1, 2, 1]).values, [3.0, 4.0, 3.0, 4.0]);
        assert_eq!(matrix.get(0, 2), None);
        assert!(matrix.row(2).is_empty());
    }
}
