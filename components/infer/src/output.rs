//! Predictions and features on their way to files, with the rows that ingest set apart between
//! them.

use std::io::{Read, Write};

use septet_kit::{
    arrow::{self, BATCH},
    matrix::Matrix,
    table::{Column, ERROR, Field, Kind, LINE, ROW, Table, Values},
};

use crate::{
    apart::{Apart, BadRow},
    batch::{Part, Predicted, Sinks},
    file::File,
    predictor::{Answer, Predictor},
};

/// Files that are being written, and what is in them.
pub(crate) struct Output<'a, W: Write + Send> {
    predictor: &'a Predictor,
    predictions: File<W>,
    features: Option<arrow::Writer<W>>,
    /// The number of the part, where there are several.
    pub(crate) part: Option<u32>,
    rows: u64,
    failed: u64,
    quarantined: u64,
    first_failed: Option<String>,
}

impl<'a, W: Write + Send> Output<'a, W> {
    /// Begins the files.
    pub(crate) fn new(predictor: &'a Predictor, sinks: Sinks<W>) -> Result<Self, String> {
        let field = |name: &str, kind| Field {
            name: name.to_owned(),
            kind,
        };
        let fields = std::iter::once(field(LINE, Kind::Integers))
            .chain(predictor.outputs())
            .chain([field(ERROR, Kind::Texts)]);
        let features = predictor.features();
        let features = features.iter().map(|name| field(name, Kind::Floats));
        Ok(Self {
            predictor,
            predictions: File::new(sinks.predictions, sinks.format, fields.collect())?,
            features: sinks
                .features
                .map(|writer| arrow::Writer::new(writer, features.collect()))
                .transpose()?,
            part: None,
            rows: 0,
            failed: 0,
            quarantined: 0,
            first_failed: None,
        })
    }

    /// Writes the rows of a part.
    pub(crate) fn add<B, Q>(
        &mut self,
        part: Part<B, Q>,
        call: &mut impl FnMut(&str, Table) -> Result<Table, String>,
        progress: &mut impl FnMut(u64),
    ) -> Result<(), String>
    where
        B: Iterator<Item = Result<Table, String>>,
        Q: Read,
    {
        let mut apart = Apart::new(part.quarantine)?;
        let mut in_part = 0;
        for batch in part.batches? {
            let batch = batch?;
            let lines = lines(&batch, in_part);
            in_part += batch.rows as i64;
            let before = self.rows;
            let answer = self.predictor.answer(&batch, &mut *call, &mut |rows| {
                progress(before + rows as u64);
            })?;
            self.write_features(&answer)?;
            let errors = errors(answer.predictions.rows, |row| {
                answer.errors.get(&row).map(String::as_str)
            });
            self.merge(
                &lines,
                &framed(&lines, answer.predictions, errors),
                &mut apart,
            )?;
            progress(self.rows);
        }
        loop {
            let mut bad = Vec::new();
            while bad.len() < BATCH
                && let Some(row) = apart.pop()?
            {
                bad.push(row);
            }
            if bad.is_empty() {
                return Ok(());
            }
            let order: Vec<u32> = (0..bad.len() as u32).collect();
            self.write(&self.blank(&[]), &order, &bad)?;
            progress(self.rows);
        }
    }

    /// Writes the rows of `table`, which have these lines, and between them those that were set
    /// apart.
    fn merge<Q: Read>(
        &mut self,
        lines: &[i64],
        table: &Table,
        apart: &mut Apart<Q>,
    ) -> Result<(), String> {
        let (mut order, mut bad): (Vec<u32>, Vec<BadRow>) = (Vec::new(), Vec::new());
        for (row, line) in (0..).zip(lines) {
            while let Some(set_apart) = apart.before(*line)? {
                order.push((table.rows + bad.len()) as u32);
                bad.push(set_apart);
                // Of rows that were set apart there may be any number before the next that was not.
                if bad.len() >= BATCH {
                    self.write(table, &order, &bad)?;
                    order.clear();
                    bad.clear();
                }
            }
            order.push(row);
        }
        self.write(table, &order, &bad)
    }

    /// Writes rows in this order: a number is one of `table`'s, or after them one of `bad`.
    fn write(&mut self, table: &Table, order: &[u32], bad: &[BadRow]) -> Result<(), String> {
        if bad.is_empty() && order.len() == table.rows {
            self.count(table);
            return self.predictions.write(table);
        }
        let mut all = table.clone();
        all.append(self.blank(bad))?;
        let all = all.take(order);
        self.quarantined += bad.len() as u64;
        self.count(&all);
        self.predictions.write(&all)
    }

    /// Rows of the file for those that were set apart.
    fn blank(&self, bad: &[BadRow]) -> Table {
        let lines: Vec<i64> = bad.iter().map(|row| row.line).collect();
        let errors = errors(bad.len(), |row| bad.get(row).map(|row| row.error.as_str()));
        framed(&lines, self.predictor.blank(bad.len()), errors)
    }

    fn count(&mut self, table: &Table) {
        self.rows += table.rows as u64;
        let Some(errors) = table.column(ERROR) else {
            return;
        };
        let failed = table.rows.saturating_sub(errors.nulls.len());
        self.failed += failed as u64;
        if failed > 0 && self.first_failed.is_none() {
            let first = (0..table.rows).find_map(|row| Some((row, errors.text(row)?)));
            self.first_failed = first.map(|(row, error)| {
                let line = table.column(LINE).and_then(|lines| lines.label(row));
                let part = self.part.map(|part| format!("part {part}, "));
                format!(
                    "{}row {}: {error}",
                    part.unwrap_or_default(),
                    line.unwrap_or_default()
                )
            });
        }
    }

    fn write_features(&mut self, answer: &Answer) -> Result<(), String> {
        let Some(writer) = &mut self.features else {
            return Ok(());
        };
        let good: Vec<usize> = (0..answer.features.rows)
            .filter(|row| !answer.errors.contains_key(row))
            .collect();
        let names = self.predictor.features().iter();
        let columns = names.enumerate().map(|(at, name)| Column {
            name: name.clone(),
            values: Values::Floats(chosen(&answer.features, &good, at)),
            nulls: Vec::new(),
        });
        writer.write(&Table {
            rows: good.len(),
            columns: columns.collect(),
        })
    }

    /// Ends the files.
    pub(crate) fn finish(self) -> Result<Predicted<W>, String> {
        Ok(Predicted {
            predictions: self.predictions.finish()?,
            features: self.features.map(arrow::Writer::finish).transpose()?,
            rows: self.rows,
            failed: self.failed,
            quarantined: self.quarantined,
            first_failed: self.first_failed,
        })
    }
}

/// The numbers of a feature in some rows.
fn chosen(features: &Matrix, rows: &[usize], at: usize) -> Vec<f64> {
    let numbers = rows.iter().filter_map(|row| features.get(*row, at));
    numbers.collect()
}

/// Predictions with their lines before and their errors behind.
fn framed(lines: &[i64], predictions: Table, errors: Column) -> Table {
    let line = Column {
        name: LINE.to_owned(),
        values: Values::Integers(lines.to_vec()),
        nulls: Vec::new(),
    };
    let columns = std::iter::once(line).chain(predictions.columns);
    Table {
        rows: predictions.rows,
        columns: columns.chain([errors]).collect(),
    }
}

/// The column of errors; null where there is none.
fn errors<'e>(rows: usize, error: impl Fn(usize) -> Option<&'e str>) -> Column {
    let texts = (0..rows).map(|row| error(row).unwrap_or_default().to_owned());
    let without = (0..rows).filter(|row| error(*row).is_none());
    Column {
        name: ERROR.to_owned(),
        nulls: without.map(|row| row as u32).collect(),
        values: Values::Texts(texts.collect()),
    }
}

/// The lines of the rows; a table that is not ingest's has none, and its rows are numbered.
fn lines(batch: &Table, before: i64) -> Vec<i64> {
    match batch.column(ROW).map(|column| &column.values) {
        Some(Values::Integers(lines)) => lines.clone(),
        _ => (before + 1..).take(batch.rows).collect(),
    }
}
