//! Tables to a file of predictions, in memory that does not grow with them.
//!
//! Every row of the source has a row in the file, in the source's order: one that ingest set apart
//! and one that can't be predicted have no prediction but a sentence in the column `error`.

use std::io::{Read, Write};

use septet_kit::{arrow::MAX_COLUMNS, table::Table};
use serde::Deserialize;

use crate::{file::Format, output::Output, predictor::Predictor};

/// The stage's parameters.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// Of the predictions.
    #[serde(default)]
    pub format: Format,
    /// Whether the features of the rows that have a prediction are written too.
    #[serde(default)]
    pub features: bool,
}

/// A part of the data.
pub struct Part<B, Q> {
    /// Its rows, in batches; an error where they can't be opened.
    pub batches: Result<B, String>,
    /// Those that ingest set apart.
    pub quarantine: Option<Q>,
}

/// Where to write.
pub struct Sinks<W> {
    /// The format of the predictions.
    pub format: Format,
    /// The predictions.
    pub predictions: W,
    /// The features, as Arrow.
    pub features: Option<W>,
}

/// What was written.
#[derive(Debug)]
pub struct Predicted<W> {
    /// The predictions.
    pub predictions: W,
    /// The features.
    pub features: Option<W>,
    /// Rows in the file of predictions.
    pub rows: u64,
    /// Those of them that have none.
    pub failed: u64,
    /// Those of these that ingest set apart.
    pub quarantined: u64,
    /// The first that has none and why; with its part, where there are several.
    pub first_failed: Option<String>,
}

/// Writes the predictions for the batches of `parts`, one part after the other, each row with its
/// line. `call` passes a batch through a transform. An error names the part, from 1, where there
/// are several.
pub fn predict<W, B, Q>(
    predictor: &Predictor,
    parts: impl ExactSizeIterator<Item = Part<B, Q>>,
    sinks: Sinks<W>,
    mut call: impl FnMut(&str, Table) -> Result<Table, String>,
    mut progress: impl FnMut(u64),
) -> Result<Predicted<W>, String>
where
    W: Write + Send,
    B: Iterator<Item = Result<Table, String>>,
    Q: Read,
{
    let several = parts.len() > 1;
    let mut output = Output::new(predictor, sinks)?;
    for (number, part) in (1..).zip(parts) {
        output.part = several.then_some(number);
        let in_part = |reason: String| {
            if several {
                format!("part {number}: {reason}")
            } else {
                reason
            }
        };
        output
            .add(part, &mut call, &mut progress)
            .map_err(in_part)?;
    }
    output.finish()
}

impl<W> Predicted<W> {
    /// Sentences for the reader of the run's report.
    pub fn notes(&self) -> Vec<String> {
        let first = self.first_failed.iter();
        first
            .map(|first| {
                format!(
                    "{} of {} rows have no prediction, the first is {first}",
                    self.failed, self.rows
                )
            })
            .collect()
    }
}

/// Why the features of a model can't be written; none where they can.
pub fn too_wide(predictor: &Predictor) -> Option<String> {
    let features = predictor.features().len();
    (features > MAX_COLUMNS).then(|| {
        format!(
            "the model takes {features} features, more than the {MAX_COLUMNS} columns of a table: \
             they are not compared"
        )
    })
}

#[cfg(test)]
mod tests {
    use std::{io::Cursor, vec::IntoIter};

    use proptest::{collection::vec, prelude::*};
    use septet_kit::{
        arrow,
        preprocessing::Task,
        table::{ERROR, LINE, ROW, Values},
    };

    use super::*;
    use crate::predictor::tests::{load, rows, same};

    type Given = Part<IntoIter<Result<Table, String>>, Cursor<String>>;

    fn part(batches: Vec<Table>, quarantine: Option<&str>) -> Given {
        let batches: Vec<_> = batches.into_iter().map(Ok).collect();
        Part {
            batches: Ok(batches.into_iter()),
            quarantine: quarantine.map(|lines| Cursor::new(lines.to_owned())),
        }
    }

    fn run(task: Task, parts: Vec<Given>, format: Format) -> Result<Predicted<Vec<u8>>, String> {
        let sinks = Sinks {
            format,
            predictions: Vec::new(),
            features: Some(Vec::new()),
        };
        predict(&load(task, &[]), parts.into_iter(), sinks, same, |_| {})
    }

    fn csv(task: Task, parts: Vec<Given>) -> (String, Predicted<Vec<u8>>) {
        let predicted = run(task, parts, Format::Csv).unwrap();
        let text = String::from_utf8(predicted.predictions.clone()).unwrap();
        (text, predicted)
    }

    /// Rows that begin on these lines.
    fn on(lines: &[i64]) -> Table {
        let mut table = rows(&vec![1.0; lines.len()]);
        table.columns[0].values = Values::Integers(lines.to_vec());
        table
    }

    fn quarantine(lines: &[i64]) -> String {
        let line = |row| format!("{{\"row\":{row},\"column\":null,\"rule\":\"too-long\"}}\n");
        lines.iter().map(line).collect()
    }

    #[test]
    fn predictions_are_written_as_csv() {
        let parts = vec![
            part(vec![rows(&[1.0]), rows(&[2.0])], None),
            part(vec![rows(&[0.25])], None),
        ];
        let (text, predicted) = csv(Task::Regression, parts);
        assert_eq!((predicted.rows, predicted.failed), (3, 0));
        assert!(predicted.notes().is_empty());
        assert_eq!(text, "row,prediction,error\n2,3.0,\n2,5.0,\n2,1.5,\n");
        let parts = vec![part(vec![rows(&[-0.5])], None)];
        assert_eq!(
            csv(Task::Classification, parts).0,
            "row,prediction,probability_no,probability_yes,error\n2,no,0.5,0.5,\n"
        );
    }

    #[test]
    fn predictions_are_written_as_arrow() {
        let parts = vec![part(
            vec![rows(&[1.0, -2.0]), rows(&[3.0])],
            Some(&quarantine(&[3])),
        )];
        let predicted = run(Task::Classification, parts, Format::Arrow).unwrap();
        let table = arrow::read(Cursor::new(predicted.predictions)).unwrap();
        assert_eq!(table.rows, 4);
        let names: Vec<_> = table.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names,
            [
                LINE,
                "prediction",
                "probability_no",
                "probability_yes",
                ERROR
            ]
        );
        assert_eq!(table.columns[1].label(1).unwrap(), "no");
        assert_eq!(table.columns[4].nulls, [0, 1, 2]);
    }

    #[test]
    fn no_rows_give_a_header_and_foreign_tables_are_numbered() {
        let (text, predicted) = csv(Task::Regression, vec![part(vec![], None)]);
        assert_eq!(
            (text.as_str(), predicted.rows),
            ("row,prediction,error\n", 0)
        );
        let foreign = || {
            let mut table = rows(&[0.0]);
            table.remove(ROW);
            table
        };
        let parts = vec![part(vec![foreign(), foreign()], None)];
        let (text, _) = csv(Task::Regression, parts);
        assert_eq!(text, "row,prediction,error\n1,1.0,\n2,1.0,\n");
    }

    #[test]
    fn every_row_of_the_source_is_there_in_its_order() {
        let apart = "{\"row\":3,\"column\":\"x\",\"rule\":\"not-a-number\",\"raw\":\"?\"}\n\
                     {\"row\":6,\"column\":null,\"rule\":\"too-long\",\"raw\":\"a\"}\n";
        let mut bad = on(&[2, 4, 5]);
        bad.columns[1].values = Values::Floats(vec![1.0, f64::INFINITY, f64::MAX]);
        let parts = vec![part(vec![rows(&[0.0])], None), part(vec![bad], Some(apart))];
        let (text, predicted) = csv(Task::Regression, parts);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "row,prediction,error",
                "2,1.0,",
                "2,3.0,",
                "3,,quarantined: column 'x': not a number ('?')",
                "4,,column 'x' is infinite",
                "5,,the prediction is not finite: a value is far out of the range that the model \
                 was trained on",
                "6,,quarantined: too long ('a')",
            ]
        );
        assert_eq!(
            (predicted.rows, predicted.failed, predicted.quarantined),
            (6, 4, 2)
        );
        assert_eq!(
            predicted.notes(),
            [
                "4 of 6 rows have no prediction, the first is part 2, row 3: quarantined: column \
              'x': not a number ('?')"
            ]
        );
        // Features are those of the rows that have a prediction.
        let features = arrow::read(Cursor::new(predicted.features.unwrap())).unwrap();
        assert_eq!(features.columns.len(), 1);
        assert_eq!(features.columns[0].values, Values::Floats(vec![0.0, 1.0]));
    }

    #[test]
    fn the_part_is_named() {
        let mut bad = rows(&[1.0]);
        bad.remove("x");
        let parts = vec![part(vec![rows(&[1.0])], None), part(vec![bad], None)];
        let told = run(Task::Regression, parts, Format::Csv).unwrap_err();
        assert!(told.starts_with("part 2: column 'x'"), "{told}");
        let parts = vec![part(vec![rows(&[1.0])], Some("{"))];
        let told = run(Task::Regression, parts, Format::Csv).unwrap_err();
        assert!(told.contains("line 1 of the quarantine"), "{told}");
    }

    #[test]
    fn a_long_quarantine_is_written_in_pieces() {
        let lines: Vec<i64> = (3..20_003).collect();
        let parts = vec![part(vec![on(&[2, 20_003])], Some(&quarantine(&lines)))];
        let predicted = run(Task::Classification, parts, Format::Arrow).unwrap();
        assert_eq!((predicted.rows, predicted.quarantined), (20_002, 20_000));
        let table = arrow::read(Cursor::new(predicted.predictions)).unwrap();
        assert_eq!(
            table.columns[0].values,
            Values::Integers((2..20_004).collect())
        );
    }

    proptest! {
        #[test]
        fn rows_that_were_set_apart_come_back_in_order(
            good in vec(any::<bool>(), 1..60),
            cut in 0_usize..60,
        ) {
            let lines = |which: bool| -> Vec<i64> {
                let rows = (2..).zip(&good).filter(|(_, good)| **good == which);
                rows.map(|(line, _)| line).collect()
            };
            let kept = lines(true);
            let cut = cut.min(kept.len());
            let batches = vec![on(&kept[..cut]), on(&kept[cut..])];
            let parts = vec![part(batches, Some(&quarantine(&lines(false))))];
            let predicted = run(Task::Classification, parts, Format::Arrow).unwrap();
            prop_assert_eq!(predicted.rows, good.len() as u64);
            let table = arrow::read(Cursor::new(predicted.predictions)).unwrap();
            let all: Vec<i64> = (2..).take(good.len()).collect();
            prop_assert_eq!(&table.columns[0].values, &Values::Integers(all));
            for (row, good) in good.iter().enumerate() {
                prop_assert_eq!(table.columns[1].label(row).is_some(), *good);
                prop_assert_eq!(table.columns[4].label(row).is_none(), *good);
            }
        }
    }
}
