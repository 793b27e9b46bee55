//! What is kept of the rows until their predictions come, and which prediction is of which row.

use septet_kit::{
    show::shown,
    table::{Column, ERROR, LINE, QUARANTINED, ROW, Table, Values},
};

/// Characters of a name that a sentence shows.
const SHOWN: usize = 60;

/// Lines and labels of the rows.
#[derive(Default)]
pub(crate) struct Kept {
    labels: Option<Column>,
    /// The source's lines, where all tables tell them.
    lines: Vec<i64>,
    rows: usize,
    /// Rows whose predictions came.
    at: usize,
    /// Those of them that could not be predicted.
    pub(crate) failed: u64,
    /// Predictions without a row: ingest set it apart.
    pub(crate) quarantined: u64,
}

impl Kept {
    /// Keeps what is needed of a table.
    pub(crate) fn add(&mut self, mut table: Table, labels: Option<&str>) -> Result<(), String> {
        if let Some(Values::Integers(lines)) = table.remove(ROW).map(|column| column.values)
            && self.lines.len() == self.rows
        {
            self.lines.extend(lines);
        }
        self.rows = self.rows.saturating_add(table.rows);
        let Some(name) = labels else { return Ok(()) };
        let column = table.remove(name).ok_or_else(|| {
            let names: Vec<String> = table
                .columns
                .iter()
                .take(20)
                .map(|c| shown(&c.name, SHOWN))
                .collect();
            format!(
                "the rows have no column '{}' of labels: they have {}",
                shown(name, SHOWN),
                names.join(", ")
            )
        })?;
        match &mut self.labels {
            Some(labels) => labels.append(column),
            empty => {
                *empty = Some(column);
                Ok(())
            }
        }
    }

    /// The labels, where there are any.
    pub(crate) const fn labels(&self) -> Option<&Column> {
        self.labels.as_ref()
    }

    /// The next predictions without those of rows that have none, and the labels of the rest. An
    /// error where they are of other rows.
    pub(crate) fn answered(&mut self, batch: Table) -> Result<(Table, Option<Column>), String> {
        let errors = batch.column(ERROR);
        let no_errors = errors.is_none_or(|errors| errors.nulls.len() == batch.rows);
        let told = match batch.column(LINE).map(|column| &column.values) {
            Some(Values::Integers(told)) => told.as_slice(),
            _ => &[],
        };
        let (mut good, mut of) = (Vec::new(), Vec::new());
        for row in 0..batch.rows {
            let error = errors.filter(|_| !no_errors).and_then(|e| e.text(row));
            if error.is_some_and(|error| error.starts_with(QUARANTINED)) {
                self.quarantined += 1;
                continue;
            }
            if self.at >= self.rows {
                return Err(format!(
                    "there are {} rows but more predictions: they must be of the same rows",
                    self.rows
                ));
            }
            if let (Some(line), Some(told)) = (self.lines.get(self.at), told.get(row))
                && self.lines.len() == self.rows
                && line != told
            {
                return Err("the predictions are of other rows: their lines differ".to_owned());
            }
            if error.is_some() {
                self.failed += 1;
            } else {
                good.push(row as u32);
                of.push(self.at as u32);
            }
            self.at += 1;
        }
        let labels = self.labels.as_ref().map(|labels| labels.take(&of));
        let whole = good.len() == batch.rows;
        Ok((if whole { batch } else { batch.take(&good) }, labels))
    }

    /// An error where rows are left whose predictions never came.
    pub(crate) fn end(&self) -> Result<(), String> {
        if self.at == self.rows {
            return Ok(());
        }
        Err(format!(
            "there are {} rows but {} predictions: they must be of the same rows",
            self.rows, self.at
        ))
    }
}
