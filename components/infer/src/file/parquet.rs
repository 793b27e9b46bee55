//! Rows as Apache Parquet.
//!
//! Columns are written one by one, not through the crate's Arrow writer: that one brings the code
//! for every type of Arrow, which doubles the component, and predictions have three.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::{Compression, LogicalType, Repetition, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{Type, TypePtr},
};
use septet_kit::table::{Column, Field, Kind, Table, Values};

use super::writer::unwritable;

/// Rows of a group: they are in memory until it is full.
const GROUP_ROWS: usize = 1 << 17;
/// Bytes of a group in memory, about.
const GROUP_BYTES: usize = 32 << 20;

/// Parquet, compressed with snappy, whose decoder every reader has.
pub struct Parquet<W: Write + Send> {
    inner: SerializedFileWriter<W>,
    group: Table,
    bytes: usize,
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn new(writer: W, fields: &[Field]) -> Result<Self, String> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let inner = schema(fields)
            .and_then(|schema| SerializedFileWriter::new(writer, schema, Arc::new(properties)));
        Ok(Self {
            inner: inner.map_err(|error| unwritable(&error))?,
            group: Table::empty(fields),
            bytes: 0,
        })
    }

    pub(super) fn write(&mut self, table: &Table) -> Result<(), String> {
        self.bytes += table.bytes();
        self.group.append(table.clone())?;
        if self.group.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<W, String> {
        self.flush()?;
        self.inner.into_inner().map_err(|error| unwritable(&error))
    }

    /// Writes the rows in memory as a group.
    fn flush(&mut self) -> Result<(), String> {
        let empty = Table::empty(&self.group.fields());
        let group = std::mem::replace(&mut self.group, empty);
        self.bytes = 0;
        if group.rows == 0 {
            return Ok(());
        }
        self.write_group(&group).map_err(|error| unwritable(&error))
    }

    fn write_group(&mut self, group: &Table) -> Result<(), ParquetError> {
        let mut writer = self.inner.next_row_group()?;
        for column in &group.columns {
            if let Some(mut slot) = writer.next_column()? {
                put(&mut slot, column)?;
                slot.close()?;
            }
        }
        writer.close().map(drop)
    }
}

/// The columns: all may be null.
fn schema(fields: &[Field]) -> Result<TypePtr, ParquetError> {
    let columns = fields.iter().map(|field| {
        let (physical, logical) = match field.kind {
            Kind::Floats => (Physical::DOUBLE, None),
            Kind::Integers => (Physical::INT64, None),
            _ => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        Type::primitive_type_builder(&field.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()
            .map(Arc::new)
    });
    let columns = columns.collect::<Result<_, _>>()?;
    let schema = Type::group_type_builder("schema").with_fields(columns);
    schema.build().map(Arc::new)
}

/// Writes a column's values: those that are not null, and for each row whether it has one.
fn put(slot: &mut SerializedColumnWriter<'_>, column: &Column) -> Result<(), ParquetError> {
    let nulls = column.null_mask();
    let levels: Vec<i16> = nulls.iter().map(|null| i16::from(!null)).collect();
    let levels = Some(levels.as_slice());
    match (slot.untyped(), &column.values) {
        (ColumnWriter::DoubleColumnWriter(writer), Values::Floats(values)) => {
            writer.write_batch(&present(values, &nulls), levels, None)?;
        }
        (ColumnWriter::Int64ColumnWriter(writer), Values::Integers(values)) => {
            writer.write_batch(&present(values, &nulls), levels, None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), Values::Categories { dictionary, codes }) => {
            // A dictionary's texts are shared by the rows.
            let texts = dictionary.iter();
            let texts: Vec<ByteArray> = texts
                .map(|text| ByteArray::from(text.clone().into_bytes()))
                .collect();
            let rows = present(codes, &nulls).into_iter();
            let rows: Vec<ByteArray> = rows
                .map(|code| texts.get(code as usize).cloned().unwrap_or_default())
                .collect();
            writer.write_batch(&rows, levels, None)?;
        }
        (ColumnWriter::ByteArrayColumnWriter(writer), _) => {
            let rows = 0..nulls.len();
            let rows: Vec<ByteArray> = rows
                .filter_map(|row| column.label(row))
                .map(|text| ByteArray::from(text.into_bytes()))
                .collect();
            writer.write_batch(&rows, levels, None)?;
        }
        _ => {
            return Err(ParquetError::General(format!(
                "column '{}' has {}, which the file has not",
                column.name,
                column.values.kind().name()
            )));
        }
    }
    Ok(())
}

/// The values that are not null.
fn present<T: Copy>(values: &[T], nulls: &[bool]) -> Vec<T> {
    let values = values.iter().zip(nulls);
    values
        .filter(|(_, null)| !**null)
        .map(|(value, _)| *value)
        .collect()
}
