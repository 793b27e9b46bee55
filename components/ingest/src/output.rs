//! What a source becomes: the table, its schema, the rows that were set apart, the figures.

use std::io::Write;

use septet_kit::{
    arrow::{self, Writer},
    schema::{FORMAT, Schema, SchemaColumn},
    table::Table,
};

use crate::{
    duplicates::Duplicates,
    quarantine::BadRow,
    target::{Target, fields},
};

/// The media type of JSON Lines.
pub const JSON_LINES: &str = "application/x-ndjson";

/// What a source became.
pub struct Ingested<W> {
    /// The Arrow file.
    pub table: W,
    /// JSON of the kit's schema.
    pub schema: Vec<u8>,
    /// JSON Lines; none where every row fits.
    pub quarantine: Option<W>,
    /// Rows of the table.
    pub rows: u64,
    /// Columns of the table, without that of the row's line.
    pub columns: usize,
    /// Rows that were set apart.
    pub quarantined: u64,
    /// Rows that have an exact copy before them.
    pub duplicates: u64,
    /// Sentences for a reader.
    pub notes: Vec<String>,
}

/// The outputs while they are written.
pub struct Output<'a, W: Write> {
    targets: &'a [Target],
    create: &'a mut dyn FnMut(&str) -> Result<W, String>,
    writer: Writer<W>,
    /// For each target.
    nulls: Vec<u64>,
    quarantine: Option<W>,
    rows: u64,
    quarantined: u64,
    first_bad: Option<BadRow>,
    duplicates: Duplicates,
}

impl<'a, W: Write> Output<'a, W> {
    /// Begins the table; `create` gives a writer for a media type.
    pub fn new(
        targets: &'a [Target],
        create: &'a mut dyn FnMut(&str) -> Result<W, String>,
    ) -> Result<Self, String> {
        Ok(Self {
            targets,
            writer: Writer::new(create(arrow::MEDIA_TYPE)?, fields(targets))?,
            create,
            nulls: vec![0; targets.len()],
            quarantine: None,
            rows: 0,
            quarantined: 0,
            first_bad: None,
            duplicates: Duplicates::default(),
        })
    }

    /// Adds rows to the table.
    pub fn write(&mut self, table: &Table) -> Result<(), String> {
        self.rows += table.rows as u64;
        for (sum, column) in self.nulls.iter_mut().zip(table.columns.iter().skip(1)) {
            *sum += column.nulls.len() as u64;
        }
        self.duplicates.add(table);
        self.writer.write(table)
    }

    /// Sets a row apart.
    pub fn set_apart(&mut self, bad: BadRow) -> Result<(), String> {
        let writer = match &mut self.quarantine {
            Some(writer) => writer,
            none => none.insert((self.create)(JSON_LINES)?),
        };
        let mut line = serde_json::to_vec(&bad).map_err(|error| error.to_string())?;
        line.push(b'\n');
        writer
            .write_all(&line)
            .map_err(|error| format!("can't write the quarantine: {error}"))?;
        self.quarantined += 1;
        self.first_bad.get_or_insert(bad);
        Ok(())
    }

    /// Ends the outputs, unless more than a share of `max_quarantine` of the rows was set apart.
    pub fn end(self, max_quarantine: f64, mut notes: Vec<String>) -> Result<Ingested<W>, String> {
        let total = self.rows + self.quarantined;
        let first = self
            .first_bad
            .as_ref()
            .map(BadRow::told)
            .unwrap_or_default();
        if self.quarantined as f64 > max_quarantine * total as f64 {
            return Err(format!(
                "{} of {total} rows do not fit, and max_quarantine {max_quarantine} allows {}: \
                 the first is {first}",
                self.quarantined,
                (max_quarantine * total as f64).floor(),
            ));
        }
        if self.rows == 0 {
            return Err(format!(
                "no rows are left: none of {total} fits, the first is {first}"
            ));
        }
        if self.quarantined > 0 {
            notes.push(format!(
                "{} of {total} rows do not fit and were set apart: the first is {first}",
                self.quarantined
            ));
        }
        let duplicates = self.duplicates.count();
        if duplicates > 0 {
            let about = if self.duplicates.is_exact() {
                ""
            } else {
                "about "
            };
            notes.push(format!(
                "{about}{duplicates} of {} rows are exact copies of a row before them; they are \
                 kept, and no split parts a row from its copies",
                self.rows
            ));
        }
        Ok(Ingested {
            schema: schema(self.targets, &self.nulls, self.rows)?,
            table: self.writer.finish()?,
            quarantine: self.quarantine,
            rows: self.rows,
            columns: self.targets.len(),
            quarantined: self.quarantined,
            duplicates,
            notes,
        })
    }
}

fn schema(targets: &[Target], nulls: &[u64], rows: u64) -> Result<Vec<u8>, String> {
    let columns = targets
        .iter()
        .zip(nulls)
        .map(|(target, nulls)| SchemaColumn {
            name: target.name.clone(),
            kind: target.kind,
            optional: false,
            nulls: Some(*nulls),
        })
        .collect();
    serde_json::to_vec(&Schema {
        format: FORMAT,
        declared: false,
        columns,
        rows: Some(rows),
    })
    .map_err(|error| error.to_string())
}
