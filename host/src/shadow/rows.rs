//! An output as rows, whatever its format.

use std::io::{Read, Seek};

use septet_kit::{
    arrow,
    table::{Field, Table},
};

use super::lines::{Csv, JsonLines};

/// The format of an output that has rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// An Arrow file: its columns have kinds.
    Arrow,
    /// CSV with a header: all its columns are texts.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

impl Format {
    /// The format that a media type names; none where it has no rows, or none that are read here.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match essence(media_type).as_str() {
            arrow::MEDIA_TYPE => Some(Self::Arrow),
            "text/csv" => Some(Self::Csv),
            "application/x-ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// A media type without its parameters.
pub(super) fn essence(media_type: &str) -> String {
    let essence = media_type.split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// Rows, some at a time.
pub(super) enum Rows<R> {
    Arrow(Box<arrow::Reader<R>>),
    Csv(Csv<R>),
    JsonLines(JsonLines<R>),
    /// One table.
    Table(Vec<Field>, Option<Table>),
}

impl<R: Read + Seek> Rows<R> {
    /// Opens a file. An error says why it is none of that format.
    pub(super) fn open(file: R, format: Format) -> Result<Self, String> {
        let rows = match format {
            Format::Arrow => Self::Arrow(Box::new(arrow::Reader::open(file)?)),
            Format::Csv => Self::Csv(Csv::open(file)?),
            Format::JsonLines => Self::JsonLines(JsonLines::open(file)?),
        };
        // Two columns of one name could not be told apart.
        Table::empty(rows.fields()).validate()?;
        Ok(rows)
    }

    /// Names and kinds of the columns.
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Arrow(rows) => rows.fields(),
            Self::Csv(rows) => rows.fields(),
            Self::JsonLines(rows) => rows.fields(),
            Self::Table(fields, _) => fields,
        }
    }

    /// Whether its texts may be numbers.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Csv(_) | Self::JsonLines(_))
    }

    /// The next rows; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Table>, String> {
        match self {
            Self::Arrow(rows) => rows.next_table(),
            Self::Csv(rows) => rows.next(),
            Self::JsonLines(rows) => rows.next(),
            Self::Table(_, table) => Ok(table.take()),
        }
    }
}

impl<R> From<Table> for Rows<R> {
    fn from(table: Table) -> Self {
        Self::Table(table.fields(), Some(table))
    }
}
