//! Tables to a file of predictions, in memory that does not grow with them.

use std::io::Write;

use septet_kit::table::{Column, Kind, LINE, ROW, Table, Values};
use serde::Deserialize;

use crate::{
    predictions::{File, Format, integers},
    predictor::Predictor,
};

/// The stage's parameters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Of the predictions.
    #[serde(default)]
    pub format: Format,
}

/// Writes the predictions for the batches of `parts`, one part after the other, each row with its
/// line; gives the file and its rows. `call` passes a batch through a transform. An error names
/// the part, from 1, where there are several.
pub fn predict<W, B>(
    predictor: &Predictor,
    parts: Vec<Result<B, String>>,
    format: Format,
    writer: W,
    mut call: impl FnMut(&str, Table) -> Result<Table, String>,
    mut progress: impl FnMut(u64),
) -> Result<(W, u64), String>
where
    W: Write,
    B: Iterator<Item = Result<Table, String>>,
{
    let fields = std::iter::once(integers(LINE))
        .chain(predictor.outputs())
        .collect();
    let mut file = File::new(writer, format, fields)?;
    let mut rows = 0;
    let several = parts.len() > 1;
    for (number, batches) in (1..).zip(parts) {
        let in_part = |reason: String| {
            if several {
                format!("part {number}: {reason}")
            } else {
                reason
            }
        };
        let mut in_file = 0;
        for batch in batches.map_err(in_part)? {
            let batch = batch.map_err(in_part)?;
            let mut predicted = predictor.predict(&batch, &mut call).map_err(in_part)?;
            predicted.columns.insert(0, lines(&batch, in_file));
            in_file += batch.rows as i64;
            file.write(&predicted)?;
            rows += batch.rows as u64;
            progress(rows);
        }
    }
    Ok((file.finish()?, rows))
}

/// The lines of the rows; a table that is not ingest's has none, and its rows are numbered.
fn lines(batch: &Table, before: i64) -> Column {
    match batch.column(ROW) {
        Some(column) if column.values.kind() == Kind::Integers => Column {
            name: LINE.to_owned(),
            ..column.clone()
        },
        _ => Column {
            name: LINE.to_owned(),
            values: Values::Integers((before + 1..).take(batch.rows).collect()),
            nulls: Vec::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use septet_kit::{arrow, preprocessing::Task};

    use super::*;
    use crate::predictor::tests::{load, rows, same};

    fn run(task: Task, parts: Vec<Vec<Table>>, format: Format) -> Result<(Vec<u8>, u64), String> {
        let parts = parts
            .into_iter()
            .map(|batches| Ok(batches.into_iter().map(Ok)))
            .collect();
        predict(&load(task, &[]), parts, format, Vec::new(), same, |_| {})
    }

    #[test]
    fn predictions_are_written_as_csv() {
        let parts = vec![vec![rows(&[1.0]), rows(&[2.0])], vec![rows(&[0.25])]];
        let (bytes, count) = run(Task::Regression, parts, Format::Csv).unwrap();
        assert_eq!(count, 3);
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "row,prediction\n2,3.0\n2,5.0\n2,1.5\n"
        );
        let (bytes, _) = run(Task::Classification, vec![vec![rows(&[-0.5])]], Format::Csv).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "row,prediction,probability_no,probability_yes\n2,no,0.5,0.5\n"
        );
    }

    #[test]
    fn predictions_are_written_as_arrow() {
        let parts = vec![vec![rows(&[1.0, -2.0]), rows(&[3.0])]];
        let (bytes, _) = run(Task::Classification, parts, Format::Arrow).unwrap();
        let table = arrow::read(Cursor::new(bytes)).unwrap();
        assert_eq!(table.rows, 3);
        let names: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            [LINE, "prediction", "probability_no", "probability_yes"]
        );
        assert_eq!(table.columns[1].label(1).unwrap(), "no");
    }

    #[test]
    fn no_rows_give_a_header_and_foreign_tables_are_numbered() {
        let (bytes, count) = run(Task::Regression, vec![vec![]], Format::Csv).unwrap();
        assert_eq!(
            (bytes.as_slice(), count),
            (b"row,prediction\n".as_slice(), 0)
        );
        let foreign = || {
            let mut table = rows(&[0.0]);
            table.remove(ROW);
            table
        };
        let parts = vec![vec![foreign(), foreign()]];
        let (bytes, _) = run(Task::Regression, parts, Format::Csv).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "row,prediction\n1,1.0\n2,1.0\n"
        );
    }

    #[test]
    fn the_part_is_named() {
        let mut bad = rows(&[1.0]);
        bad.remove("x");
        let reason = run(
            Task::Regression,
            vec![vec![rows(&[1.0])], vec![bad]],
            Format::Csv,
        );
        assert!(reason.unwrap_err().starts_with("part 2: column 'x'"));
    }
}
