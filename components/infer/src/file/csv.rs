//! Rows as comma-separated lines.

use std::io::Write;

use septet_kit::table::{Column, Field, Table, Values};

use super::writer::unwritable;

/// Comma-separated lines, with a header.
pub struct Csv<W: Write> {
    inner: csv::Writer<W>,
}

impl<W: Write> Csv<W> {
    pub(super) fn new(writer: W, fields: &[Field]) -> Result<Self, String> {
        let mut inner = csv::Writer::from_writer(writer);
        inner
            .write_record(fields.iter().map(|field| &field.name))
            .map_err(|error| unwritable(&error))?;
        Ok(Self { inner })
    }

    pub(super) fn write(&mut self, table: &Table) -> Result<(), String> {
        for row in 0..table.rows {
            for column in &table.columns {
                self.put(column, row).map_err(|error| unwritable(&error))?;
            }
            self.inner
                .write_record(None::<&[u8]>)
                .map_err(|error| unwritable(&error))?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<W, String> {
        self.inner
            .into_inner()
            .map_err(|error| unwritable(error.error()))
    }

    /// A field: a text without a copy, any other value in its canonical spelling, a null as
    /// nothing.
    fn put(&mut self, column: &Column, row: usize) -> csv::Result<()> {
        match &column.values {
            Values::Texts(_) | Values::Categories { .. } => {
                self.inner.write_field(column.text(row).unwrap_or_default())
            }
            _ => self
                .inner
                .write_field(column.label(row).unwrap_or_default()),
        }
    }
}
