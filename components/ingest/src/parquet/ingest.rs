//! The two passes over a Parquet file.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    io::{Read, Seek, Write},
};

use arrow_array::RecordBatch;
use parquet::arrow::{
    ProjectionMask, arrow_reader::ParquetRecordBatchReader, parquet_to_arrow_field_levels,
};
use septet_kit::{
    arrow::BATCH,
    schema::{Schema, SchemaKind},
    table::{Column, ROW, Table, Values},
};

use super::{
    arrays,
    file::File,
    footer::{Footer, open, told},
    pages::Groups,
};
use crate::{
    fill::{fill, push_null},
    output::{Ingested, Output},
    parameters::Parameters,
    quarantine::{BadRow, Rule},
    target::{Finder, Target},
    value::{Cell, Class},
};

/// Values of a batch at most, so that a wide file does not need more memory than a long one.
const CELLS: usize = 4 << 20;

/// Reads a Parquet file as [`crate::passes::ingest`] does; `progress` hears rows.
pub fn ingest<R: Read + Seek + Send + 'static, W: Write>(
    source: R,
    schema: Option<&Schema>,
    parameters: &Parameters,
    create: &mut dyn FnMut(&str) -> Result<W, String>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Ingested<W>, String> {
    let file = File::new(source).map_err(|error| format!("can't read the source: {error}"))?;
    let footer = open(&file)?;
    let total = footer.rows;
    let names: Vec<String> = footer
        .fields
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut finder = Finder::new(schema);
    finder.know(&names);
    let mut natives = vec![Native::default(); names.len()];
    let mut done = 0;
    for batch in reader(&file, &footer)? {
        let batch = Rows::new(&batch.map_err(|error| unreadable(&error))?, &names)?;
        for (number, (column, native)) in batch.columns.iter().zip(&mut natives).enumerate() {
            native.add(column);
            if matches!(column.values, Values::Texts(_) | Values::Categories { .. }) {
                for row in 0..batch.count {
                    if !batch.is_not_utf8(number, row as u32) {
                        finder.add_cell(number, |_| text_cell(column.text(row)));
                    }
                }
            } else if schema.is_some() && finder.wants(number) {
                // Numbers may be declared to be a category.
                for row in 0..batch.count {
                    let label = column.label(row);
                    finder.add_cell(number, |_| text_cell(label.as_deref()));
                }
            }
        }
        done += batch.count as u64;
        progress(done, total * 2);
    }
    let (targets, notes) = finder.targets(&names, parameters.max_quarantine, |number| {
        natives.get(number).and_then(|native| native.kind())
    })?;

    let mut output = Output::new(&targets, create)?;
    let mut done = 0;
    for batch in reader(&file, &footer)? {
        let batch = Rows::new(&batch.map_err(|error| unreadable(&error))?, &names)?;
        let rows = batch.count;
        let (table, bad) = batch.read(&targets, done as i64)?;
        for bad in bad {
            output.set_apart(bad)?;
        }
        output.write(&table)?;
        done += rows as u64;
        progress(total + done, total * 2);
    }
    output.end(parameters.max_quarantine, notes)
}

fn reader<R: Read + Seek + Send + 'static>(
    file: &File<R>,
    footer: &Footer,
) -> Result<ParquetRecordBatchReader, String> {
    let levels = parquet_to_arrow_field_levels(
        footer.metadata.file_metadata().schema_descr(),
        ProjectionMask::all(),
        Some(&footer.fields),
    )
    .map_err(told)?;
    let rows = BATCH.min(CELLS / footer.fields.len().max(1));
    let groups = Groups::new(file, &footer.metadata);
    ParquetRecordBatchReader::try_new_with_row_groups(&levels, &groups, rows, None).map_err(told)
}

fn unreadable(error: &arrow_schema::ArrowError) -> String {
    let error = error.to_string();
    let error = error
        .strip_prefix("Parquet argument error: ")
        .unwrap_or(&error);
    format!(
        "can't read the file as Parquet: {}",
        septet_kit::show::shown(error, 300)
    )
}

fn text_cell(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::NULL, |text| Cell {
        class: Class::Text,
        bytes: text.as_bytes(),
    })
}

/// What the file says of a column.
#[derive(Clone, Copy, Default)]
struct Native {
    kind: Option<SchemaKind>,
    has_values: bool,
}

impl Native {
    fn add(&mut self, column: &Column) {
        self.has_values |= column.nulls.len() < column.values.len();
        let kind = match column.values {
            Values::Floats(_) => SchemaKind::Float,
            Values::Integers(_) => SchemaKind::Integer,
            Values::Booleans(_) => SchemaKind::Boolean,
            Values::Timestamps(_) => SchemaKind::Timestamp,
            Values::Texts(_) | Values::Categories { .. } => SchemaKind::Text,
        };
        // Some batches of unsigned numbers may be floats.
        if self.kind != Some(SchemaKind::Float) {
            self.kind = Some(kind);
        }
    }

    /// The kind, unless the texts are to be looked at.
    fn kind(self) -> Option<SchemaKind> {
        if !self.has_values {
            return Some(SchemaKind::Null);
        }
        self.kind.filter(|kind| *kind != SchemaKind::Text)
    }
}

/// Some rows of the file, as it has them.
struct Rows {
    count: usize,
    columns: Vec<Column>,
    /// By column and row.
    not_utf8: Vec<Vec<u32>>,
}

impl Rows {
    fn new(batch: &RecordBatch, names: &[String]) -> Result<Self, String> {
        let mut not_utf8 = Vec::with_capacity(names.len());
        let mut columns = Vec::with_capacity(names.len());
        for (array, name) in batch.columns().iter().zip(names) {
            let mut rows = Vec::new();
            let mut column = arrays::column(name, array, &mut rows)?;
            forget_nans(&mut column);
            columns.push(column);
            not_utf8.push(rows);
        }
        Ok(Self {
            count: batch.num_rows(),
            columns,
            not_utf8,
        })
    }

    fn is_not_utf8(&self, column: usize, row: u32) -> bool {
        self.not_utf8
            .get(column)
            .is_some_and(|rows| rows.binary_search(&row).is_ok())
    }

    /// The rows as the table has them, after `before` others, and those that do not fit.
    fn read(&self, targets: &[Target], before: i64) -> Result<(Table, Vec<BadRow>), String> {
        let rows = self.count as i64;
        let mut columns = vec![Column {
            name: ROW.to_owned(),
            values: Values::Integers((before + 1..=before + rows).collect()),
            nulls: Vec::new(),
        }];
        let mut bad: BTreeMap<u32, BadRow> = BTreeMap::new();
        for target in targets {
            let mut misfit = |row: u32, rule, raw: Cow<'_, str>| {
                bad.entry(row).or_insert_with(|| {
                    BadRow::new(
                        before + 1 + i64::from(row),
                        Some(&target.name),
                        rule,
                        std::iter::once(raw.as_bytes()),
                        b',',
                    )
                });
            };
            columns.push(if let Some(number) = target.from {
                self.read_column(number, target, &mut misfit)?
            } else {
                let mut column = blank(target);
                for row in 0..self.count as u32 {
                    push_null(&mut column, row);
                }
                column
            });
        }
        let table = Table {
            rows: self.count,
            columns,
        };
        let table = if bad.is_empty() {
            table
        } else {
            let good: Vec<u32> = (0..self.count as u32)
                .filter(|row| !bad.contains_key(row))
                .collect();
            table.take(&good)
        };
        Ok((table, bad.into_values().collect()))
    }

    fn read_column(
        &self,
        number: usize,
        target: &Target,
        misfit: &mut dyn FnMut(u32, Rule, Cow<'_, str>),
    ) -> Result<Column, String> {
        let column = self
            .columns
            .get(number)
            .ok_or_else(|| format!("column {number} is not in the file"))?;
        let values = match (&column.values, target.kind) {
            (Values::Floats(values), SchemaKind::Float) => {
                for (row, value) in (0..).zip(values) {
                    if !value.is_finite() {
                        misfit(row, Rule::NotFinite, Cow::Owned(value.to_string()));
                    }
                }
                Values::Floats(values.clone())
            }
            (Values::Integers(values), SchemaKind::Float) => {
                Values::Floats(values.iter().map(|value| *value as f64).collect())
            }
            (Values::Integers(_), SchemaKind::Integer)
            | (Values::Booleans(_), SchemaKind::Boolean)
            | (Values::Timestamps(_), SchemaKind::Timestamp) => column.values.clone(),
            _ => return Ok(self.spell_column(number, column, target, misfit)),
        };
        Ok(Column {
            name: target.name.clone(),
            values,
            nulls: column.nulls.clone(),
        })
    }

    /// A column of another kind than the file's, by the text of each value.
    fn spell_column(
        &self,
        number: usize,
        column: &Column,
        target: &Target,
        misfit: &mut dyn FnMut(u32, Rule, Cow<'_, str>),
    ) -> Column {
        let class = match column.values {
            Values::Floats(_) | Values::Integers(_) => Class::Number,
            Values::Booleans(_) => Class::Boolean,
            Values::Texts(_) | Values::Categories { .. } | Values::Timestamps(_) => Class::Text,
        };
        let mut read = blank(target);
        for row in 0..self.count {
            let text = match &column.values {
                Values::Texts(_) | Values::Categories { .. } => column.text(row).map(Cow::Borrowed),
                _ => column.label(row).map(Cow::Owned),
            };
            let row = row as u32;
            let Some(text) = text else {
                push_null(&mut read, row);
                continue;
            };
            let cell = Cell {
                class,
                bytes: text.as_bytes(),
            };
            let filled = if self.is_not_utf8(number, row) {
                Err(Rule::NotUtf8)
            } else {
                fill(&mut read, target, cell, row)
            };
            if let Err(rule) = filled {
                push_null(&mut read, row);
                misfit(row, rule, text);
            }
        }
        read
    }
}

fn blank(target: &Target) -> Column {
    let mut values = target.table_kind().empty();
    if let (Values::Categories { dictionary, .. }, Some(categories)) =
        (&mut values, &target.categories)
    {
        *dictionary = categories.texts().to_vec();
    }
    Column {
        name: target.name.clone(),
        values,
        nulls: Vec::new(),
    }
}

/// A NaN is how a column of floats says that there is no value.
fn forget_nans(column: &mut Column) {
    let Values::Floats(values) = &mut column.values else {
        return;
    };
    if !values.iter().any(|value| value.is_nan()) {
        return;
    }
    let mut nulls = column.nulls.iter().copied().peekable();
    let mut all = Vec::with_capacity(column.nulls.len() + 1);
    for (row, value) in (0..).zip(values) {
        if nulls.next_if_eq(&row).is_some() || value.is_nan() {
            *value = 0.0;
            all.push(row);
        }
    }
    column.nulls = all;
}
