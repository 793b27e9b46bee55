//! Rows as JSON objects, one a line.

use std::io::Write;

use septet_kit::table::{Column, Field, Table, Values};

use super::writer::unwritable;

/// One JSON object a row, each with all columns in their order; a null where there is no value.
pub struct JsonLines<W: Write> {
    writer: W,
    /// `,"name":` of each column; the first begins with a brace.
    keys: Vec<Vec<u8>>,
    line: Vec<u8>,
}

impl<W: Write> JsonLines<W> {
    pub(super) fn new(writer: W, fields: &[Field]) -> Result<Self, String> {
        let mut keys = Vec::with_capacity(fields.len());
        for field in fields {
            let mut key = vec![if keys.is_empty() { b'{' } else { b',' }];
            serde_json::to_writer(&mut key, &field.name).map_err(|error| unwritable(&error))?;
            key.push(b':');
            keys.push(key);
        }
        Ok(Self {
            writer,
            keys,
            line: Vec::new(),
        })
    }

    pub(super) fn write(&mut self, table: &Table) -> Result<(), String> {
        for row in 0..table.rows {
            self.line.clear();
            for (key, column) in self.keys.iter().zip(&table.columns) {
                self.line.extend_from_slice(key);
                put(&mut self.line, column, row).map_err(|error| unwritable(&error))?;
            }
            self.line.extend_from_slice(b"}\n");
            self.writer
                .write_all(&self.line)
                .map_err(|error| unwritable(&error))?;
        }
        Ok(())
    }

    pub(super) fn finish(self) -> W {
        self.writer
    }
}

/// A value. A float has the fewest digits that name it exactly, so that every reader gets the same.
fn put(line: &mut Vec<u8>, column: &Column, row: usize) -> serde_json::Result<()> {
    if column.is_null(row) {
        return serde_json::to_writer(line, &());
    }
    match &column.values {
        Values::Floats(values) => serde_json::to_writer(line, &values.get(row)),
        Values::Integers(values) => serde_json::to_writer(line, &values.get(row)),
        Values::Booleans(values) => serde_json::to_writer(line, &values.get(row)),
        Values::Texts(_) | Values::Categories { .. } => {
            serde_json::to_writer(line, &column.text(row))
        }
        Values::Timestamps(_) => serde_json::to_writer(line, &column.label(row)),
    }
}
