//! Test rows in the sizes that a predictor takes.
//!
//! The sizes are bounds of what crosses a component's border. What a model does with a row may cost
//! more memory than the row; infer knows that, and cuts what it is asked by cost once more.

use septet_kit::table::{Column, Table, Values};

/// Rows of a batch at most.
pub const MAX_ROWS: usize = 8_192;
/// Bytes of a batch, about; a single row may have more.
pub const MAX_BYTES: usize = 8 << 20;

/// The table in pieces of at most [`MAX_ROWS`] rows and, but for single rows, [`MAX_BYTES`], both
/// of the rows and of their predictions: one number and one for each of `classes`.
pub fn pieces(table: &Table, classes: usize) -> impl Iterator<Item = Table> {
    let bytes: usize = table.columns.iter().map(size).sum();
    let parts = bytes.div_ceil(MAX_BYTES).max(1);
    let predictions = MAX_BYTES / classes.saturating_add(1).saturating_mul(8);
    let rows = (table.rows / parts).clamp(1, predictions.clamp(1, MAX_ROWS));
    (0..table.rows)
        .step_by(rows)
        .map(move |start| table.slice(start, rows))
}

/// Bytes of a column as it crosses a component's border, about.
fn size(column: &Column) -> usize {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + 8).sum();
    let values: usize = match &column.values {
        Values::Floats(values) => values.len() * 8,
        Values::Integers(values) | Values::Timestamps(values) => values.len() * 8,
        Values::Booleans(values) => values.len(),
        Values::Texts(values) => texts(values),
        Values::Categories { dictionary, codes } => texts(dictionary) + codes.len() * 4,
    };
    values + column.nulls.len() * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Values) -> Table {
        Table {
            rows: values.len(),
            columns: vec![Column {
                name: "x".to_owned(),
                values,
                nulls: vec![],
            }],
        }
    }

    #[test]
    fn pieces_are_bounded_and_keep_all_rows() {
        let long = table(Values::Integers((0..20_000).collect()));
        let rows: Vec<usize> = pieces(&long, 2).map(|piece| piece.rows).collect();
        assert_eq!(rows, [8192, 8192, 3616]);
        let wide = table(Values::Texts(vec!["x".repeat(1 << 20); 20]));
        let rows: Vec<usize> = pieces(&wide, 0).map(|piece| piece.rows).collect();
        assert_eq!(rows.iter().sum::<usize>(), 20);
        assert!(rows.iter().all(|rows| *rows <= 7), "{rows:?}");
        let rows: Vec<usize> = pieces(&long, 1_023).map(|piece| piece.rows).collect();
        assert!(rows.iter().all(|rows| *rows <= 1_024), "{rows:?}");
        assert_eq!(rows.iter().sum::<usize>(), 20_000);
        assert_eq!(pieces(&long, usize::MAX).count(), 20_000);
        assert_eq!(pieces(&Table::default(), 2).count(), 0);
    }
}
