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
mod tests;
