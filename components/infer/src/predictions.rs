//! Predictions to a file.

use std::io::Write;

use septet_kit::{
    arrow::{self, Writer},
    table::{Column, Field, Kind, Table, Values},
};
use serde::Deserialize;

/// The format of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated, with a header.
    #[default]
    Csv,
    /// Arrow IPC.
    Arrow,
}

impl Format {
    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Arrow => arrow::MEDIA_TYPE,
        }
    }
}

/// A file of predictions that is being written.
pub enum File<W: Write> {
    /// Comma-separated.
    Csv(Box<csv::Writer<W>>),
    /// Arrow IPC.
    Arrow(Box<Writer<W>>),
}

impl<W: Write> File<W> {
    /// Begins a file of these columns.
    pub fn new(writer: W, format: Format, fields: Vec<Field>) -> Result<Self, String> {
        match format {
            Format::Arrow => Ok(Self::Arrow(Box::new(Writer::new(writer, fields)?))),
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(writer);
                csv.write_record(fields.iter().map(|field| &field.name))
                    .map_err(|error| unwritable(&error))?;
                Ok(Self::Csv(Box::new(csv)))
            }
        }
    }

    /// Adds rows.
    pub fn write(&mut self, table: &Table) -> Result<(), String> {
        match self {
            Self::Arrow(file) => file.write(table),
            Self::Csv(file) => {
                for row in 0..table.rows {
                    for column in &table.columns {
                        put(file, column, row).map_err(|error| unwritable(&error))?;
                    }
                    file.write_record(None::<&[u8]>)
                        .map_err(|error| unwritable(&error))?;
                }
                Ok(())
            }
        }
    }

    /// Ends the file.
    pub fn finish(self) -> Result<W, String> {
        match self {
            Self::Arrow(file) => file.finish(),
            Self::Csv(file) => file
                .into_inner()
                .map_err(|error| format!("can't write the predictions: {}", error.error())),
        }
    }
}

/// A field: a text without a copy, any other value in its canonical spelling, a null as nothing.
fn put<W: Write>(file: &mut csv::Writer<W>, column: &Column, row: usize) -> csv::Result<()> {
    match &column.values {
        Values::Texts(_) | Values::Categories { .. } => {
            file.write_field(column.text(row).unwrap_or_default())
        }
        _ => file.write_field(column.label(row).unwrap_or_default()),
    }
}

fn unwritable(error: &csv::Error) -> String {
    format!("can't write the predictions: {error}")
}

/// A column of whole numbers.
pub(crate) fn integers(name: &str) -> Field {
    Field {
        name: name.to_owned(),
        kind: Kind::Integers,
    }
}
