//! Tables to an Arrow IPC file.

use std::{io::Write, sync::Arc};

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, TimestampMicrosecondArray, UInt32Array, types::UInt32Type,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field as ArrowField, Schema, SchemaRef, TimeUnit};

use super::BATCH;
use crate::table::{Column, Field, Kind, Table, Values};

/// The zone that timestamps are marked with.
const UTC: &str = "UTC";

/// Writes tables of the same columns to an Arrow IPC file.
pub struct Writer<W: Write> {
    inner: FileWriter<W>,
    schema: SchemaRef,
    fields: Vec<Field>,
}

impl<W: Write> Writer<W> {
    /// Begins a file of these columns.
    pub fn new(writer: W, fields: Vec<Field>) -> Result<Self, String> {
        let schema = Arc::new(Schema::new(
            fields
                .iter()
                .map(|field| ArrowField::new(&field.name, data_type(field.kind), true))
                .collect::<Vec<_>>(),
        ));
        let inner = FileWriter::try_new(writer, &schema).map_err(told)?;
        Ok(Self {
            inner,
            schema,
            fields,
        })
    }

    /// Adds rows, in batches of at most [`BATCH`]. The columns must be those of the file. The
    /// dictionary of a column of categories must be the same in every batch.
    pub fn write(&mut self, table: &Table) -> Result<(), String> {
        let same = self.fields.len() == table.columns.len()
            && self
                .fields
                .iter()
                .zip(&table.columns)
                .all(|(field, column)| {
                    field.name == column.name && field.kind == column.values.kind()
                });
        if !same {
            return Err("the columns differ from those the file was begun with".to_owned());
        }
        if table.rows <= BATCH {
            return self.batch(table);
        }
        for start in (0..table.rows).step_by(BATCH) {
            self.batch(&table.slice(start, BATCH))?;
        }
        Ok(())
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, String> {
        self.inner.into_inner().map_err(told)
    }

    fn batch(&mut self, table: &Table) -> Result<(), String> {
        if table.rows == 0 {
            return Ok(());
        }
        let arrays = table
            .columns
            .iter()
            .map(array)
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(table.rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(told)?;
        self.inner.write(&batch).map_err(told)
    }
}

/// A whole table as a file.
pub fn write<W: Write>(writer: W, table: &Table) -> Result<W, String> {
    let mut file = Writer::new(writer, table.fields())?;
    file.write(table)?;
    file.finish()
}

fn told(error: ArrowError) -> String {
    match error {
        ArrowError::IoError(_, error) => format!("can't write the table: {error}"),
        error => format!("can't write the table as Arrow: {error}"),
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Floats => DataType::Float64,
        Kind::Integers => DataType::Int64,
        Kind::Booleans => DataType::Boolean,
        Kind::Texts => DataType::Utf8,
        Kind::Categories => {
            DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8))
        }
        Kind::Timestamps => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
    }
}

/// A column as an array: the slots of nulls are zero or empty, NaNs have one form.
fn array(column: &Column) -> Result<ArrayRef, String> {
    fn filled<T: Copy>(values: &[T], mask: Option<&[bool]>, zero: T) -> Vec<T> {
        match mask {
            None => values.to_vec(),
            Some(mask) => values
                .iter()
                .zip(mask)
                .map(|(value, null)| if *null { zero } else { *value })
                .collect(),
        }
    }
    let mask = (!column.nulls.is_empty()).then(|| column.null_mask());
    let mask = mask.as_deref();
    let nulls =
        mask.map(|mask| NullBuffer::new(mask.iter().map(|null| !null).collect::<BooleanBuffer>()));
    Ok(match &column.values {
        Values::Floats(values) => {
            let mut values = filled(values, mask, 0.0);
            for value in &mut values {
                if value.is_nan() {
                    *value = f64::NAN;
                }
            }
            Arc::new(Float64Array::try_new(values.into(), nulls).map_err(told)?)
        }
        Values::Integers(values) => {
            Arc::new(Int64Array::try_new(filled(values, mask, 0).into(), nulls).map_err(told)?)
        }
        Values::Timestamps(values) => Arc::new(
            TimestampMicrosecondArray::try_new(filled(values, mask, 0).into(), nulls)
                .map_err(told)?
                .with_timezone(UTC),
        ),
        Values::Booleans(values) => Arc::new(BooleanArray::new(
            filled(values, mask, false).into_iter().collect(),
            nulls,
        )),
        Values::Texts(values) => {
            let bytes: usize = values.iter().map(String::len).sum();
            if i32::try_from(bytes).is_err() {
                return Err(format!(
                    "the texts of column '{}' are too long",
                    column.name
                ));
            }
            Arc::new(match mask {
                None => StringArray::from_iter_values(values),
                Some(mask) => values
                    .iter()
                    .zip(mask)
                    .map(|(text, null)| (!null).then_some(text))
                    .collect(),
            })
        }
        Values::Categories { dictionary, codes } => {
            let keys = UInt32Array::try_new(filled(codes, mask, 0).into(), nulls).map_err(told)?;
            let texts = StringArray::from_iter_values(dictionary);
            Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, Arc::new(texts)).map_err(told)?)
        }
    })
}
