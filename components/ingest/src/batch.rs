//! Rows to columns: the part of the table that is being written.

use septet_kit::{
    arrow::BATCH,
    table::{Field, Table, Values},
};

use crate::{
    fill::{cut, fill},
    quarantine::Rule,
    target::{Target, fields},
    value::Cell,
};

/// Values of a batch at most, so that a wide table does not need more memory than a long one.
const CELLS: usize = 4 << 20;

/// Bytes of texts in a batch at most.
const TEXT: usize = 32 << 20;

/// Rows on their way to the table.
pub struct Batch<'a> {
    targets: &'a [Target],
    fields: Vec<Field>,
    table: Table,
    text: usize,
}

impl<'a> Batch<'a> {
    /// For these columns, after that of the row's line.
    pub fn new(targets: &'a [Target]) -> Self {
        let fields = fields(targets);
        Self {
            table: empty(&fields, targets),
            targets,
            fields,
            text: 0,
        }
    }

    /// Adds a row, whose value in a column of the source `cell` gives, or says which target (from
    /// 0) does not fit, and why.
    pub fn push<'c>(
        &mut self,
        line: i64,
        cell: impl Fn(usize) -> Cell<'c>,
    ) -> Result<(), (usize, Rule)> {
        let rows = self.table.rows;
        let mut columns = self.table.columns.iter_mut();
        if let Some(Values::Integers(lines)) = columns.next().map(|column| &mut column.values) {
            lines.push(line);
        }
        let mut bad = None;
        for (number, (column, target)) in columns.zip(self.targets).enumerate() {
            let cell = target.from.map_or(Cell::NULL, &cell);
            match fill(column, target, cell, rows as u32) {
                Ok(bytes) => self.text += bytes,
                Err(rule) => {
                    bad = Some((number, rule));
                    break;
                }
            }
        }
        if let Some(bad) = bad {
            for column in &mut self.table.columns {
                cut(column, rows);
            }
            return Err(bad);
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
        std::mem::replace(&mut self.table, empty(&self.fields, self.targets))
    }
}

/// No rows, with the dictionaries that hold for the whole table.
fn empty(fields: &[Field], targets: &[Target]) -> Table {
    let mut table = Table::empty(fields);
    for (column, target) in table.columns.iter_mut().skip(1).zip(targets) {
        if let (Values::Categories { dictionary, .. }, Some(categories)) =
            (&mut column.values, &target.categories)
        {
            *dictionary = categories.texts().to_vec();
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use septet_kit::schema::SchemaKind;

    use super::*;
    use crate::value::{Class, MAX_VALUE};

    fn targets() -> Vec<Target> {
        [
            ("i", SchemaKind::Integer),
            ("f", SchemaKind::Float),
            ("b", SchemaKind::Boolean),
            ("t", SchemaKind::Text),
        ]
        .into_iter()
        .enumerate()
        .map(|(number, (name, kind))| Target {
            name: name.to_owned(),
            kind,
            from: Some(number),
            declared: false,
            categories: None,
        })
        .collect()
    }

    fn push(batch: &mut Batch<'_>, values: [&[u8]; 4]) -> Result<(), (usize, Rule)> {
        batch.push(2, |number| Cell {
            class: Class::Bare,
            bytes: values[number],
        })
    }

    #[test]
    fn a_row_goes_in_whole_or_not_at_all() {
        let targets = targets();
        let mut batch = Batch::new(&targets);
        assert!(push(&mut batch, [b"1", b"2", b"TRUE", b" x"]).is_ok());
        assert!(push(&mut batch, [b"?", b"", b"null", b"NA"]).is_ok());
        for (bad, why) in [
            ([b"".as_slice(), b"2", b"yes", b"x"], (2, Rule::NotABoolean)),
            ([b"a", b"2", b"true", b"x"], (0, Rule::NotANumber)),
            ([b"1", b"inf", b"true", b"x"], (1, Rule::NotFinite)),
            ([b"1", b"1", b"true", b"\xff"], (3, Rule::NotUtf8)),
            ([b"1", b"1", b"true", b"a\0"], (3, Rule::NulByte)),
        ] {
            assert_eq!(push(&mut batch, bad), Err(why));
        }
        let long = vec![b'x'; MAX_VALUE + 1];
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
        let targets = targets();
        let mut batch = Batch::new(&targets);
        let long = vec![b'x'; MAX_VALUE];
        let mut rows = 0;
        while !batch.is_full() {
            push(&mut batch, [b"1", b"1", b"true", &long]).unwrap();
            rows += 1;
        }
        assert_eq!(rows, 32);
    }
}
