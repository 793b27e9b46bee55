//! Parts to one table: equal columns, kinds that fit all of them.

use septet_kit::{
    show::shown,
    table::{Column, Kind, ROW, Table, Values},
};

/// Bytes of rows in memory at most: the stage holds them about three times over, and a
/// component's memory ends at 4 GiB.
pub const MAX_BYTES: usize = 1 << 30;

/// The batches of `parts`, one list after the other, as one table in the first part's order of
/// columns. Integers widen to floats, categories to texts, and a column without a value fits
/// every kind. An error names the column and the part, from 1.
pub fn unify<I, B>(parts: I, mut progress: impl FnMut(u64)) -> Result<Table, String>
where
    I: IntoIterator<Item = Result<B, String>>,
    B: Iterator<Item = Result<Table, String>>,
{
    let mut whole: Option<Table> = None;
    let mut rows = 0_u64;
    for (number, batches) in (1..).zip(parts) {
        let in_part = |reason: String| format!("part {number}: {reason}");
        let used = whole.as_ref().map_or(0, Table::bytes);
        let mut part: Option<Table> = None;
        let mut bytes = used;
        for batch in batches.map_err(in_part)? {
            let batch = batch.map_err(in_part)?;
            rows += batch.rows as u64;
            bytes += batch.bytes();
            if bytes > MAX_BYTES {
                return Err(format!(
                    "the rows need more than {} MiB of memory, which is reached in part {number} \
                     after {rows} rows: take fewer rows or columns",
                    MAX_BYTES >> 20
                ));
            }
            match &mut part {
                Some(part) => part.append(batch)?,
                None => part = Some(batch),
            }
            progress(rows);
        }
        let Some(mut part) = part else {
            continue;
        };
        if part.column(ROW).is_none() {
            number_rows(&mut part);
        }
        match &mut whole {
            Some(whole) => join(whole, part, number)?,
            None => whole = Some(part),
        }
    }
    whole
        .filter(|table| table.rows > 0)
        .ok_or_else(|| "the tables have no rows".to_owned())
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

/// Adds a part, its columns in whatever order.
fn join(whole: &mut Table, mut part: Table, number: usize) -> Result<(), String> {
    for column in &part.columns {
        if whole.column(&column.name).is_none() {
            return Err(format!(
                "part {number} has the column '{}', which the parts before have not",
                shown(&column.name, 80)
            ));
        }
    }
    let (before, rows) = (whole.rows, part.rows);
    for column in &mut whole.columns {
        let mut other = part.remove(&column.name).ok_or_else(|| {
            format!(
                "part {number} has no column '{}', which the parts before have",
                shown(&column.name, 80)
            )
        })?;
        let (old, new) = (column.values.kind(), other.values.kind());
        let kind = common(column, &other).ok_or_else(|| {
            format!(
                "column '{}' has {} in part {number}, and {} in the parts before",
                shown(&column.name, 80),
                new.name(),
                old.name()
            )
        })?;
        convert(column, kind, before);
        convert(&mut other, kind, rows);
        column.append(other)?;
    }
    whole.rows += rows;
    Ok(())
}

/// The kind that both columns can have.
fn common(left: &Column, right: &Column) -> Option<Kind> {
    let blank = |column: &Column| column.nulls.len() == column.values.len();
    match (left.values.kind(), right.values.kind()) {
        (left, right) if left == right => Some(left),
        (left, _) if blank(right) => Some(left),
        (_, right) if blank(left) => Some(right),
        (Kind::Integers, Kind::Floats) | (Kind::Floats, Kind::Integers) => Some(Kind::Floats),
        (Kind::Texts, Kind::Categories) | (Kind::Categories, Kind::Texts) => Some(Kind::Texts),
        _ => None,
    }
}

/// To a kind that `common` gave.
fn convert(column: &mut Column, kind: Kind, rows: usize) {
    if column.values.kind() == kind {
        return;
    }
    column.values = match (&column.values, kind) {
        (Values::Integers(values), Kind::Floats) => {
            Values::Floats(values.iter().map(|value| *value as f64).collect())
        }
        (Values::Categories { .. }, Kind::Texts) => Values::Texts(
            (0..rows)
                .map(|row| column.text(row).unwrap_or_default().to_owned())
                .collect(),
        ),
        (_, kind) => kind.blank(rows),
    };
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

    fn all(parts: Vec<Table>) -> Result<Table, String> {
        unify(
            parts.into_iter().map(|part| Ok(std::iter::once(Ok(part)))),
            |_| {},
        )
    }

    fn texts(values: &[&str]) -> Values {
        Values::Texts(values.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn integers_widen_and_order_does_not_count() {
        let table = all(vec![
            part(vec![
                column("a", Values::Integers(vec![1, 2]), &[]),
                column("b", texts(&["", ""]), &[0, 1]),
            ]),
            part(vec![
                column("b", Values::Booleans(vec![true]), &[]),
                column("a", Values::Floats(vec![2.5]), &[]),
            ]),
        ])
        .unwrap();
        assert_eq!(table.rows, 3);
        assert_eq!(
            table.column("a").unwrap().values,
            Values::Floats(vec![1.0, 2.0, 2.5])
        );
        let b = table.column("b").unwrap();
        assert_eq!(b.values, Values::Booleans(vec![false, false, true]));
        assert_eq!(b.nulls, [0, 1]);
        assert_eq!(
            table.column(ROW).unwrap().values,
            Values::Integers(vec![1, 2, 1])
        );
        table.validate().unwrap();
    }

    #[test]
    fn other_differences_name_column_and_part() {
        let a = || part(vec![column("a", Values::Integers(vec![1]), &[])]);
        let told = |other| all(vec![a(), other]).unwrap_err();
        assert_eq!(
            told(part(vec![column("a", texts(&["x"]), &[])])),
            "column 'a' has texts in part 2, and integers in the parts before"
        );
        let b = column("b", Values::Integers(vec![1]), &[]);
        assert!(told(part(vec![b.clone()])).contains("part 2 has the column 'b'"));
        let both = part(vec![column("a", Values::Integers(vec![1]), &[]), b]);
        assert_eq!(
            all(vec![both, a()]).unwrap_err(),
            "part 2 has no column 'b', which the parts before have"
        );
        assert!(all(vec![]).unwrap_err().contains("no rows"));
    }
}
