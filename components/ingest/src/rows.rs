//! What the formats of records have in common: rows of named cells.

use std::io::Read;

use crate::{
    header,
    lines::Lines,
    quarantine::{BadRow, Rule},
    records::Records,
    value::{Cell, Class},
};

/// A row of a source.
pub enum Row<'a> {
    /// One whose values can be looked at.
    Whole(Fields<'a>),
    /// One that does not fit whatever the columns' kinds.
    Bad(BadRow),
}

/// The values of a row.
pub struct Fields<'a> {
    /// The line of the source on which the row began.
    pub line: i64,
    /// The names of the columns that are known so far.
    pub names: &'a [String],
    bytes: &'a [u8],
    spans: Spans<'a>,
}

enum Spans<'a> {
    /// Where each field ends; the next begins there.
    Ends(&'a [usize]),
    Typed(&'a [Span]),
}

/// A value in the bytes of a row.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// What the format says of it.
    pub class: Class,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
}

impl<'a> Fields<'a> {
    /// Of a format that tells kinds: `spans` of `bytes`, one a column.
    pub const fn typed(line: i64, names: &'a [String], bytes: &'a [u8], spans: &'a [Span]) -> Self {
        let spans = Spans::Typed(spans);
        Self {
            line,
            names,
            bytes,
            spans,
        }
    }

    /// The value in a column, by the column's number.
    pub fn cell(&self, column: usize) -> Cell<'a> {
        let (class, start, end) = match self.spans {
            Spans::Ends(ends) => {
                let start = match column.checked_sub(1) {
                    None => Some(0),
                    Some(before) => ends.get(before).copied(),
                };
                match (start, ends.get(column)) {
                    (Some(start), Some(end)) => (Class::Bare, start, *end),
                    _ => return Cell::NULL,
                }
            }
            Spans::Typed(spans) => match spans.get(column) {
                Some(span) => (span.class, span.start, span.end),
                None => return Cell::NULL,
            },
        };
        let bytes = self.bytes.get(start..end).unwrap_or_default();
        Cell { class, bytes }
    }
}

/// A source of rows.
pub trait Rows {
    /// The next row; none at the end. An error ends the source.
    fn next_row(&mut self) -> Result<Option<Row<'_>>, String>;

    /// Bytes read so far.
    fn consumed(&self) -> u64;

    /// The names of the columns that are known so far.
    fn names(&self) -> &[String];
}

/// The rows of CSV.
pub struct CsvRows<R> {
    records: Records<R>,
    names: Vec<String>,
    delimiter: u8,
}

impl<R: Read> CsvRows<R> {
    /// Reads the header from where `reader` is.
    pub fn new(reader: R, delimiter: u8) -> Result<Self, String> {
        let mut records = Records::new(reader, delimiter);
        let header = records
            .next_record()?
            .ok_or_else(|| "the file is empty: it has only blank lines".to_owned())?;
        let names = header::names(&header)?;
        Ok(Self {
            records,
            names,
            delimiter,
        })
    }
}

impl<R: Read> Rows for CsvRows<R> {
    fn next_row(&mut self) -> Result<Option<Row<'_>>, String> {
        let Some(record) = self.records.next_record()? else {
            return Ok(None);
        };
        if record.len() != self.names.len() {
            return Ok(Some(Row::Bad(BadRow::new(
                record.line,
                None,
                Rule::WrongFieldCount,
                record.fields(),
                self.delimiter,
            ))));
        }
        Ok(Some(Row::Whole(Fields {
            line: record.line,
            names: &self.names,
            bytes: record.bytes,
            spans: Spans::Ends(record.ends),
        })))
    }

    fn consumed(&self) -> u64 {
        self.records.consumed()
    }

    fn names(&self) -> &[String] {
        &self.names
    }
}

impl<R: Read> Rows for Lines<R> {
    fn next_row(&mut self) -> Result<Option<Row<'_>>, String> {
        self.next_line()
    }

    fn consumed(&self) -> u64 {
        self.consumed
    }

    fn names(&self) -> &[String] {
        self.columns.names()
    }
}
