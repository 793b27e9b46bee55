//! Parts to one table.

use std::collections::BTreeMap;

use septet_kit::{
    schema::{Schema, SchemaColumn, SchemaKind},
    show::shown,
    table::{Column, Kind, ROW, Table, Values},
};

use super::rules::{Misfit, Rule, Rules};
use crate::notes::listed;

/// Bytes of rows in memory at most: the stage holds them about three times over, and a
/// component's memory ends at 4 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// What becomes of a part that does not fit.
pub const ACCEPT: &str = "mend the file or `septet schema accept NAME`";

/// What parts became.
#[derive(Debug)]
pub struct Parts {
    /// The rows of the parts that fit.
    pub table: Table,
    /// The rows for the test, where they come from files of their own.
    pub tests: Option<Table>,
    /// The schema in force and what was found against it.
    pub rules: Rules,
    /// Parts that were set apart.
    pub apart: usize,
    /// For the reader of the report.
    pub notes: Vec<String>,
}

/// The batches of `parts`, one list after the other, as one table of the columns of the pinned
/// schema, or of the first part, and those of `tests` as another. A part whose columns do not fit
/// is set apart with a note; that no part is left, or that one of `tests` does not fit, is an
/// error. `size` is how many bytes all the files have.
pub fn read<I, J, B>(
    parts: I,
    tests: J,
    pinned: Option<Schema>,
    size: u64,
    progress: impl FnMut(u64),
) -> Result<Parts, String>
where
    I: IntoIterator<Item = Result<B, String>>,
    J: IntoIterator<Item = Result<B, String>>,
    B: Iterator<Item = Result<Table, String>>,
{
    let mut room = Room {
        size,
        used: 0,
        rows: 0,
        apart: 0,
        progress,
    };
    let mut rules = Rules::new(pinned);
    let mut notes = Vec::new();
    let (mut whole, mut apart) = (None, Vec::new());
    for (number, part) in (1..).zip(parts) {
        let part = room.load(part, &format!("part {number}"))?;
        let misfits = rules.admit(&part, number);
        if misfits.is_empty() {
            append(&mut whole, part, &rules, &mut room)?;
        } else {
            room.leave(&part);
            notes.push(format!(
                "part {number} is set apart, {} with it: {}; {ACCEPT}",
                crate::notes::rows(part.rows),
                told(&misfits)
            ));
            apart.push(number);
        }
    }
    let mut test_table = None;
    for (number, part) in (1..).zip(tests) {
        let part = room.load(part, &format!("test part {number}"))?;
        let misfits = rules.admit(&part, number);
        if !misfits.is_empty() {
            return Err(format!(
                "test part {number} does not fit the data: {}; mend the file",
                told(&misfits)
            ));
        }
        append(&mut test_table, part, &rules, &mut room)?;
    }
    let mut table = whole.unwrap_or_default();
    if table.rows == 0 {
        return Err(match notes.first() {
            Some(note) => format!("no part is left: {note}"),
            None => "the tables have no rows".to_owned(),
        });
    }
    if let Some(schema) = rules.schema() {
        conform(&mut table, schema, &mut room)?;
        if let Some(tests) = &mut test_table {
            conform(tests, schema, &mut room)?;
        }
    }
    if rules.new_columns().len() > 0 {
        notes.push(format!(
            "columns that the schema does not have are ignored: {}; `septet schema accept NAME` \
             takes them in",
            listed(rules.new_columns())
        ));
    }
    Ok(Parts {
        table,
        tests: test_table,
        rules,
        apart: apart.len(),
        notes,
    })
}

fn told(misfits: &[Misfit]) -> String {
    const SHOWN: usize = 5;
    let mut told: Vec<_> = misfits
        .iter()
        .take(SHOWN)
        .map(|misfit| {
            let column = shown(&misfit.column, 80);
            match misfit.rule {
                Rule::MissingColumn => format!("column '{column}' is missing"),
                Rule::RetypedColumn => format!("column '{column}' has the kind {}", misfit.raw),
            }
        })
        .collect();
    if misfits.len() > SHOWN {
        told.push(format!("and {} more", misfits.len() - SHOWN));
    }
    told.join(", ")
}

/// What memory is left, and how far the reading is.
struct Room<P> {
    size: u64,
    used: usize,
    rows: u64,
    /// Rows that were read and are not kept.
    apart: u64,
    progress: P,
}

impl<P: FnMut(u64)> Room<P> {
    /// A whole part, if it still fits.
    fn load<B>(&mut self, batches: Result<B, String>, name: &str) -> Result<Table, String>
    where
        B: Iterator<Item = Result<Table, String>>,
    {
        let in_part = |reason: String| format!("{name}: {reason}");
        let before = self.used;
        let mut part: Option<Table> = None;
        for batch in batches.map_err(in_part)? {
            let batch = batch.map_err(in_part)?;
            let (rows, bytes) = (batch.rows as u64, added(part.as_ref(), &batch));
            // The first rows tell how many more there can be, before they are read.
            self.fits(bytes, rows, batch.columns.len())?;
            self.used += bytes;
            self.rows += rows;
            match &mut part {
                Some(part) => part.append(batch).map_err(in_part)?,
                None => part = Some(batch),
            }
            (self.progress)(self.rows + self.apart);
        }
        let mut part = part.unwrap_or_default();
        if part.column(ROW).is_none() {
            number_rows(&mut part);
        }
        self.used = before.saturating_add(part.bytes());
        Ok(part)
    }

    /// A part that is not kept takes no room.
    fn leave(&mut self, part: &Table) {
        let rows = part.rows as u64;
        self.used = self.used.saturating_sub(part.bytes());
        self.rows = self.rows.saturating_sub(rows);
        self.apart += rows;
    }

    /// Whether there is room for so many bytes more, of `rows` rows that are not counted yet.
    fn fits(&self, bytes: usize, rows: u64, columns: usize) -> Result<(), String> {
        let held = self.used.saturating_add(bytes);
        if self.size <= MAX_BYTES as u64 && held <= MAX_BYTES {
            return Ok(());
        }
        let rows = (self.rows + rows).max(1);
        let row = (held as u64 / rows).max(1);
        let fit = MAX_BYTES as u64 / row;
        let there = rows.max(self.size / row);
        Err(format!(
            "about {there} rows × {columns} columns are too many: at most {} MiB are held in \
             memory, which is about {fit} such rows, so take fewer rows (fewer or smaller parts) \
             or columns",
            MAX_BYTES >> 20
        ))
    }
}

/// Bytes that a batch adds to its part: every batch brings the categories, but they are kept once.
fn added(part: Option<&Table>, batch: &Table) -> usize {
    let known = |number| part.and_then(|part| part.columns.get(number));
    let columns = batch.columns.iter().enumerate();
    columns
        .map(
            |(number, column)| match (known(number).map(|known| &known.values), &column.values) {
                (
                    Some(Values::Categories { dictionary, .. }),
                    Values::Categories {
                        dictionary: again,
                        codes,
                    },
                ) if dictionary == again => (codes.len() + column.nulls.len()) * 4,
                _ => column.bytes(),
            },
        )
        .sum()
}

/// A table that is not ingest's has no lines: its rows are numbered.
fn number_rows(part: &mut Table) {
    let numbers = Column {
        name: ROW.to_owned(),
        values: Values::Integers((1..).take(part.rows).collect()),
        nulls: Vec::new(),
    };
    part.columns.insert(0, numbers);
}

/// Adds a part that fits: its columns in the schema's order, and in kinds that both have.
fn append<P: FnMut(u64)>(
    whole: &mut Option<Table>,
    mut part: Table,
    rules: &Rules,
    room: &mut Room<P>,
) -> Result<(), String> {
    let Some(schema) = rules.schema() else {
        return Ok(());
    };
    conform(&mut part, schema, room)?;
    match whole {
        None => *whole = Some(part),
        Some(whole) => {
            conform(whole, schema, room)?;
            // A column without any value has the kind that the other part gives it.
            for (to, from) in whole.columns.iter_mut().zip(&mut part.columns) {
                let (kind, other) = (to.values.kind(), from.values.kind());
                if kind != other && to.is_blank() {
                    to.values = other.blank(to.values.len());
                } else if kind != other && from.is_blank() {
                    from.values = kind.blank(from.values.len());
                }
            }
            whole.append(part)?;
        }
    }
    Ok(())
}

/// The lines and the columns of the schema, in its order and kinds; a column that is not there is
/// null.
fn conform<P: FnMut(u64)>(
    table: &mut Table,
    schema: &Schema,
    room: &mut Room<P>,
) -> Result<(), String> {
    room.fits(growth(table, schema), 0, schema.columns.len() + 1)?;
    let names = || schema.columns.iter().map(|column| column.name.as_str());
    let ordered = std::iter::once(ROW)
        .chain(names())
        .eq(table.columns.iter().map(|column| column.name.as_str()));
    if !ordered {
        let rows = table.rows;
        let mut there: BTreeMap<String, Column> = std::mem::take(&mut table.columns)
            .into_iter()
            .map(|column| (column.name.clone(), column))
            .collect();
        table.columns = there.remove(ROW).into_iter().collect();
        for wanted in &schema.columns {
            let column = there.remove(&wanted.name).unwrap_or_else(|| {
                let blank = Column {
                    name: wanted.name.clone(),
                    values: kind(wanted.kind).unwrap_or(Kind::Texts).blank(rows),
                    nulls: (0..rows as u32).collect(),
                };
                room.used += blank.bytes();
                blank
            });
            table.columns.push(column);
        }
        let dropped: usize = there.values().map(Column::bytes).sum();
        room.used = room.used.saturating_sub(dropped);
    }
    let columns = table.columns.iter_mut().skip(1);
    for (column, wanted) in columns.zip(&schema.columns) {
        if let Some(kind) = kind(wanted.kind)
            && column.values.kind() != kind
        {
            let before = column.bytes();
            column.values = column.convert(kind).map_err(|_| {
                format!(
                    "column '{}' can't be read as {}",
                    shown(&wanted.name, 80),
                    wanted.kind.name()
                )
            })?;
            room.used = room.used.saturating_sub(before) + column.bytes();
        }
    }
    Ok(())
}

/// Bytes that [`conform`] adds at most, about.
fn growth(table: &Table, schema: &Schema) -> usize {
    // A text's own room, and the longest spelling of a value that is none, which is a time's.
    const TEXT: usize = 32;
    const SPELLED: usize = 27;
    let columns = table.columns.iter();
    let there: BTreeMap<_, _> = columns
        .map(|column| (column.name.as_str(), &column.values))
        .collect();
    let row = |wanted: &SchemaColumn| {
        let kind = kind(wanted.kind);
        match (kind, there.get(wanted.name.as_str())) {
            (Some(Kind::Texts) | None, None) => TEXT + 4,
            (_, None) => 8 + 4,
            (Some(Kind::Texts | Kind::Categories), Some(Values::Texts(_))) => 0,
            (Some(Kind::Texts), Some(Values::Categories { dictionary, .. })) => {
                TEXT + dictionary.iter().map(String::len).max().unwrap_or(0)
            }
            (Some(Kind::Texts | Kind::Categories), Some(values)) if kind != Some(values.kind()) => {
                TEXT + SPELLED
            }
            _ => 0,
        }
    };
    let bytes: usize = schema.columns.iter().map(row).sum();
    bytes.saturating_mul(table.rows)
}

const fn kind(kind: SchemaKind) -> Option<Kind> {
    match kind {
        SchemaKind::Integer => Some(Kind::Integers),
        SchemaKind::Float => Some(Kind::Floats),
        SchemaKind::Boolean => Some(Kind::Booleans),
        SchemaKind::Category => Some(Kind::Categories),
        SchemaKind::Text => Some(Kind::Texts),
        SchemaKind::Timestamp => Some(Kind::Timestamps),
        SchemaKind::Null => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    fn part(columns: Vec<Column>) -> Table {
        Table {
            rows: columns[0].values.len(),
            columns,
        }
    }

    type Batches = std::iter::Once<Result<Table, String>>;

    fn batches(parts: Vec<Table>) -> impl Iterator<Item = Result<Batches, String>> {
        parts.into_iter().map(|part| Ok(std::iter::once(Ok(part))))
    }

    fn all(parts: Vec<Table>) -> Result<Parts, String> {
        read(batches(parts), batches(vec![]), None, 0, |_| {})
    }

    fn texts(values: &[&str]) -> Values {
        Values::Texts(values.iter().map(ToString::to_string).collect())
    }

    fn integers(name: &str, values: &[i64]) -> Column {
        column(name, Values::Integers(values.to_vec()), &[])
    }

    #[test]
    fn kinds_widen_and_order_does_not_count() {
        let parts = all(vec![
            part(vec![
                integers("a", &[1, 2]),
                column("b", texts(&["", ""]), &[0, 1]),
                column("c", texts(&["x", "y"]), &[]),
            ]),
            part(vec![
                column("c", Values::Integers(vec![7]), &[]),
                column("b", Values::Booleans(vec![true]), &[]),
                column("a", Values::Floats(vec![2.5]), &[]),
            ]),
        ])
        .unwrap();
        let table = parts.table;
        assert_eq!((table.rows, parts.apart), (3, 0));
        assert_eq!(
            table.column("a").unwrap().values,
            Values::Floats(vec![1.0, 2.0, 2.5])
        );
        let b = table.column("b").unwrap();
        assert_eq!(b.values, Values::Booleans(vec![false, false, true]));
        assert_eq!(b.nulls, [0, 1]);
        assert_eq!(table.column("c").unwrap().values, texts(&["x", "y", "7"]));
        assert_eq!(
            table.column(ROW).unwrap().values,
            Values::Integers(vec![1, 2, 1])
        );
        table.validate().unwrap();
    }

    #[test]
    fn a_part_that_does_not_fit_is_set_apart_as_a_whole() {
        let parts = all(vec![
            part(vec![integers("a", &[1]), integers("b", &[1])]),
            part(vec![column("a", texts(&["x"]), &[]), integers("b", &[2])]),
            part(vec![integers("a", &[3])]),
            part(vec![
                integers("b", &[4]),
                integers("a", &[4]),
                integers("new", &[4]),
            ]),
        ])
        .unwrap();
        assert_eq!((parts.table.rows, parts.apart), (2, 2));
        assert_eq!(parts.table.columns.len(), 3);
        assert_eq!(
            parts.notes,
            [
                "part 2 is set apart, 1 row with it: column 'a' has the kind text; mend the file \
                 or `septet schema accept NAME`",
                "part 3 is set apart, 1 row with it: column 'b' is missing; mend the file or \
                 `septet schema accept NAME`",
                "columns that the schema does not have are ignored: 'new'; `septet schema accept \
                 NAME` takes them in",
            ]
        );
        assert_eq!(parts.rules.misfits().len(), 2);
        assert!(parts.rules.proposed().is_some());
    }

    #[test]
    fn without_a_part_there_is_nothing() {
        assert!(all(vec![]).unwrap_err().contains("no rows"));
        let first = all(vec![part(vec![integers("a", &[1])])]).unwrap();
        let told = read(
            batches(vec![part(vec![integers("b", &[1])])]),
            batches(vec![]),
            first.rules.schema().cloned(),
            0,
            |_| {},
        )
        .unwrap_err();
        assert!(told.starts_with("no part is left: part 1"), "{told}");
    }

    #[test]
    fn an_optional_column_may_be_missing_and_tests_must_fit() {
        let first = all(vec![part(vec![integers("a", &[1]), integers("b", &[1])])]).unwrap();
        let mut schema = first.rules.schema().cloned().unwrap();
        schema.columns[1].optional = true;
        let run = |tests| {
            let parts = batches(vec![part(vec![integers("a", &[1, 2])])]);
            read(parts, batches(tests), Some(schema.clone()), 0, |_| {})
        };
        let parts = run(vec![part(vec![integers("b", &[1]), integers("a", &[1])])]).unwrap();
        assert_eq!(parts.table.column("b").unwrap().nulls, [0, 1]);
        assert_eq!(parts.tests.unwrap().fields(), parts.table.fields());
        let told = run(vec![part(vec![integers("b", &[1])])]).unwrap_err();
        assert!(told.contains("test part 1") && told.contains("'a' is missing"));
    }

    fn room(used: usize) -> Room<impl FnMut(u64)> {
        Room {
            size: 0,
            used,
            rows: 0,
            apart: 0,
            progress: |_| {},
        }
    }

    #[test]
    fn categories_are_counted_once_a_part() {
        let category = |codes: Vec<u32>| {
            let dictionary = ["a", "b"].map(|text| text.repeat(10_000)).to_vec();
            part(vec![column(
                "c",
                Values::Categories { dictionary, codes },
                &[],
            )])
        };
        let mut room = room(MAX_BYTES - 50_000);
        let batches = (0..10).map(|code| Ok(category(vec![code % 2])));
        let part = room.load(Ok(batches), "part 1").unwrap();
        assert_eq!(part.rows, 10);
        assert_eq!(room.used, MAX_BYTES - 50_000 + part.bytes());
    }

    #[test]
    fn columns_that_are_missing_or_read_as_texts_take_room() {
        let both = part(vec![
            column("a", texts(&["x"]), &[]),
            column("b", Values::Floats(vec![0.5]), &[]),
        ]);
        let mut schema = all(vec![both]).unwrap().rules.schema().cloned().unwrap();
        schema.columns[1].optional = true;
        let narrow = || {
            part(vec![
                integers(ROW, &[1; 100]),
                integers("a", &[7; 100]),
                integers("new", &[7; 100]),
            ])
        };
        let mut table = narrow();
        let mut left = room(table.bytes());
        conform(&mut table, &schema, &mut left).unwrap();
        assert_eq!(left.used, table.bytes());
        let told = conform(&mut narrow(), &schema, &mut room(MAX_BYTES - 6_000)).unwrap_err();
        assert!(told.contains("too many"), "{told}");
    }

    #[test]
    fn what_is_set_apart_takes_no_room() {
        let mut room = room(0);
        let batches = || Ok((0..3).map(|row| Ok(part(vec![integers("a", &[row])]))));
        let first = room.load(batches(), "part 1").unwrap();
        room.leave(&first);
        assert_eq!((room.used, room.rows, room.apart), (0, 0, 3));
        let second = room.load(batches(), "part 2").unwrap();
        assert_eq!((room.used, room.rows), (second.bytes(), 3));
    }

    #[test]
    fn too_much_is_told_in_rows_and_columns() {
        let parts = batches(vec![part(vec![integers("a", &[1]), integers("b", &[1])])]);
        let told = read(parts, batches(vec![]), None, 3 << 30, |_| {}).unwrap_err();
        assert!(told.contains("rows × 2 columns"), "{told}");
        assert!(told.contains("1024 MiB"), "{told}");
        // A window is of rows that are read already.
        assert!(!told.contains("window"), "{told}");
    }
}
