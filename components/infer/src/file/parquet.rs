//! Rows as Apache Parquet.

use std::io::Write;

use parquet::{arrow::ArrowWriter, basic::Compression, file::properties::WriterProperties};
use septet_kit::{
    arrow::{record_batch, schema},
    table::{Field, Table},
};

use super::writer::unwritable;

/// Rows of a group: they are in memory, encoded, until it is full.
const GROUP_ROWS: usize = 1 << 17;
/// Bytes of a group, encoded.
const GROUP_BYTES: usize = 32 << 20;

/// Parquet, compressed with snappy, whose decoder every reader has.
pub struct Parquet<W: Write + Send> {
    inner: ArrowWriter<W>,
    fields: Vec<Field>,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(writer: W, fields: &[Field]) -> Result<Self, String> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        Ok(Self {
            inner: ArrowWriter::try_new(writer, schema(fields), Some(properties))
                .map_err(|error| unwritable(&error))?,
            fields: fields.to_vec(),
        })
    }

    pub(super) fn write(&mut self, table: &Table) -> Result<(), String> {
        if table.rows == 0 {
            return Ok(());
        }
        let batch = record_batch(&schema(&self.fields), table)?;
        self.inner.write(&batch).map_err(|error| unwritable(&error))
    }

    pub(super) fn finish(self) -> Result<W, String> {
        self.inner.into_inner().map_err(|error| unwritable(&error))
    }
}
