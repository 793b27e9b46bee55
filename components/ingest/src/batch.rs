//! Values to columns: the rows of the table that is being written.

use septet_kit::{
    arrow::BATCH,
    table::{Column, Field, Kind, ROW, Table, Values},
};

use crate::{
    kind::{Misfit, boolean, float, integer, is_null},
    quarantine::Rule,
};

/// Bytes of a field at most.
pub const MAX_FIELD: usize = 1 << 20;

/// Values of a batch at most, so that a wide table does not need more memory than a long one.
const CELLS: usize = 4 << 20;

/// Bytes of texts in a batch at most.
const TEXT: usize = 32 << 20;

#[derive(Clone, Copy)]
enum Cell<'a> {
    Null,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(&'a str),
}

/// Rows on their way to the table.
pub struct Batch {
    fields: Vec<Field>,
    table: Table,
    text: usize,
}

/// The text of a field, or why it has none.
pub fn text(field: &[u8]) -> Result<&str, Rule> {
    if field.len() > MAX_FIELD {
        return Err(Rule::TooLong);
    }
    let text = std::str::from_utf8(field).map_err(|_| Rule::NotUtf8)?;
    if text.contains('\0') {
        return Err(Rule::NulByte);
    }
    Ok(text)
}

impl Batch {
    /// For columns of these names and kinds, after that of the row's line.
    pub fn new(columns: impl IntoIterator<Item = Field>) -> Self {
        let line = Field {
            name: ROW.to_owned(),
            kind: Kind::Integers,
        };
        let fields: Vec<_> = std::iter::once(line).chain(columns).collect();
        Self {
            table: Table::empty(&fields),
            fields,
            text: 0,
        }
    }

    /// Names and kinds of the columns, that of the line first.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Adds a row with as many values as there are columns, or says which of them (from 0) does
    /// not fit, and why.
    pub fn push<'a>(
        &mut self,
        line: i64,
        values: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), (usize, Rule)> {
        let kinds = self.fields.iter().skip(1).map(|field| field.kind);
        let cells = kinds
            .zip(values)
            .enumerate()
            .map(|(at, (kind, value))| cell(kind, value).map_err(|rule| (at, rule)))
            .collect::<Result<Vec<_>, _>>()?;
        let row = self.table.rows as u32;
        let cells = std::iter::once(Cell::Integer(line)).chain(cells);
        for (column, cell) in self.table.columns.iter_mut().zip(cells) {
            self.text += put(column, cell, row);
        }
        self.table.rows += 1;
        Ok(())
    }

    /// Whether the rows should be written now.
    pub fn is_full(&self) -> bool {
        self.table.rows >= BATCH
            || self.table.rows * self.table.columns.len() >= CELLS
            || self.text >= TEXT
    }

    /// The rows, to be written; none are left.
    pub fn take(&mut self) -> Table {
        self.text = 0;
        std::mem::replace(&mut self.table, Table::empty(&self.fields))
    }
}

fn cell(kind: Kind, value: &[u8]) -> Result<Cell<'_>, Rule> {
    let value = text(value)?;
    if is_null(value) {
        return Ok(Cell::Null);
    }
    Ok(match kind {
        Kind::Integers => match integer(value) {
            Some(value) => Cell::Integer(value),
            // What the float's check says of it tells more.
            None => return Err(float(value).err().unwrap_or(Misfit::NotANumber).into()),
        },
        Kind::Floats => Cell::Float(float(value)?),
        Kind::Booleans => Cell::Boolean(boolean(value).ok_or(Rule::NotABoolean)?),
        Kind::Texts | Kind::Categories | Kind::Timestamps => Cell::Text(value),
    })
}

/// Adds a value and gives the bytes of its text.
fn put(column: &mut Column, cell: Cell<'_>, row: u32) -> usize {
    if matches!(cell, Cell::Null) {
        column.nulls.push(row);
    }
    match &mut column.values {
        Values::Integers(values) => values.push(match cell {
            Cell::Integer(value) => value,
            _ => 0,
        }),
        Values::Floats(values) => values.push(match cell {
            Cell::Float(value) => value,
            _ => 0.0,
        }),
        Values::Booleans(values) => values.push(matches!(cell, Cell::Boolean(true))),
        Values::Texts(values) => {
            let text = match cell {
                Cell::Text(text) => text,
                _ => "",
            };
            values.push(text.to_owned());
            return text.len();
        }
        Values::Categories { .. } | Values::Timestamps(_) => {}
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> Batch {
        let field = |name: &str, kind| Field {
            name: name.to_owned(),
            kind,
        };
        Batch::new([
            field("i", Kind::Integers),
            field("f", Kind::Floats),
            field("b", Kind::Booleans),
            field("t", Kind::Texts),
        ])
    }

    fn push(batch: &mut Batch, values: [&[u8]; 4]) -> Result<(), (usize, Rule)> {
        batch.push(2, values.into_iter())
    }

    #[test]
    fn a_row_goes_in_whole_or_not_at_all() {
        let mut batch = batch();
        assert!(push(&mut batch, [b"1", b"2", b"TRUE", b" x"]).is_ok());
        assert!(push(&mut batch, [b"?", b"", b"null", b"NA"]).is_ok());
        for (bad, why) in [
            (
                [b"1".as_slice(), b"2", b"yes", b"x"],
                (2, Rule::NotABoolean),
            ),
            ([b"a", b"2", b"true", b"x"], (0, Rule::NotANumber)),
            ([b"1", b"inf", b"true", b"x"], (1, Rule::NotFinite)),
            ([b"1", b"1", b"true", b"\xff"], (3, Rule::NotUtf8)),
            ([b"1", b"1", b"true", b"a\0"], (3, Rule::NulByte)),
        ] {
            assert_eq!(push(&mut batch, bad), Err(why));
        }
        let long = vec![b'x'; MAX_FIELD + 1];
        assert_eq!(
            push(&mut batch, [b"1", b"1", b"true", &long]),
            Err((3, Rule::TooLong))
        );
        let table = batch.take();
        table.validate().unwrap();
        assert_eq!(table.rows, 2);
        assert_eq!(table.columns[4].label(0).unwrap(), " x");
        assert!(table.columns[1..].iter().all(|column| column.nulls == [1]));
        assert_eq!(table.columns[0].values, Values::Integers(vec![2, 2]));
    }

    #[test]
    fn long_texts_fill_a_batch_too() {
        let mut batch = batch();
        let long = vec![b'x'; MAX_FIELD];
        let mut rows = 0;
        while !batch.is_full() {
            push(&mut batch, [b"1", b"1", b"true", &long]).unwrap();
            rows += 1;
        }
        assert_eq!(rows, 32);
    }
}
