//! Rows through the user's transforms, in batches that a transform takes.
//!
//! It owns the batches and the checks of what comes back. Who runs a transform is a callback's
//! matter.

use crate::{
    arrow::BATCH,
    show::shown,
    table::{RESERVED, Table},
};

/// Bytes of a batch, about: half of what the contract allows, because columns may be added.
const BYTES: usize = 8 << 20;

/// `table` through the transforms `digests`, one after the other. `call` passes a batch through
/// one of them. `table` must hold neither the target nor reserved columns, and `target` must not
/// come back either.
pub fn apply(
    table: Table,
    digests: &[String],
    target: &str,
    mut call: impl FnMut(&str, Table) -> Result<Table, String>,
) -> Result<Table, String> {
    if digests.is_empty() {
        return Ok(table);
    }
    let size = batch_rows(&table);
    let mut whole: Option<Table> = None;
    let mut start = 0;
    // A table without rows passes once, so that its columns are those of every other.
    while start < table.rows || whole.is_none() {
        let mut batch = table.slice(start, size);
        let rows = batch.rows;
        for digest in digests {
            batch = call(digest, batch)?;
            check(&batch, rows, digest, target)?;
        }
        start += size;
        match &mut whole {
            Some(whole) => whole.append(batch).map_err(|reason| {
                format!("the transforms gave other columns for other rows: {reason}")
            })?,
            None => whole = Some(batch),
        }
    }
    Ok(whole.unwrap_or(table))
}

/// Rows of a batch: at most [`BATCH`] and about [`BYTES`].
fn batch_rows(table: &Table) -> usize {
    let row = table.bytes().div_ceil(table.rows.max(1)).max(1);
    (BYTES / row).clamp(1, BATCH)
}

fn check(batch: &Table, rows: usize, digest: &str, target: &str) -> Result<(), String> {
    let named = || format!("transform {}", shown(digest, 12));
    if batch.rows != rows {
        return Err(format!(
            "{} gave {} rows for {rows}: rows must keep their number and order",
            named(),
            batch.rows
        ));
    }
    batch
        .validate()
        .map_err(|reason| format!("{} gave a table that is not valid: {reason}", named()))?;
    for column in &batch.columns {
        if column.name.starts_with(RESERVED) {
            return Err(format!(
                "{} gave the reserved column '{}'",
                named(),
                shown(&column.name, 80)
            ));
        }
        if column.name == target {
            return Err(format!(
                "{} gave a column with the target's name '{}'",
                named(),
                shown(target, 80)
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{Column, Values};

    fn table(rows: usize) -> Table {
        Table {
            rows,
            columns: vec![Column {
                name: "x".to_owned(),
                values: Values::Integers((0..rows as i64).collect()),
                nulls: vec![],
            }],
        }
    }

    fn digests() -> Vec<String> {
        vec!["first".to_owned(), "second".to_owned()]
    }

    #[test]
    fn batches_pass_all_transforms_in_order() {
        let mut calls = Vec::new();
        let rows = BATCH + 1;
        let out = apply(table(rows), &digests(), "y", |digest, batch| {
            calls.push((digest.to_owned(), batch.rows));
            Ok(batch)
        })
        .unwrap();
        assert_eq!(out, table(rows));
        let call = |digest: &str, rows| (digest.to_owned(), rows);
        assert_eq!(
            calls,
            [
                call("first", BATCH),
                call("second", BATCH),
                call("first", 1),
                call("second", 1)
            ]
        );
        assert_eq!(
            apply(table(0), &digests(), "y", |_, t| Ok(t)).unwrap().rows,
            0
        );
    }

    #[test]
    fn wide_rows_make_small_batches() {
        let mut wide = table(100);
        wide.columns.push(Column {
            name: "t".to_owned(),
            values: Values::Texts(vec!["x".repeat(1 << 20); 100]),
            nulls: vec![],
        });
        apply(wide, &digests(), "y", |_, batch| {
            assert!(batch.rows <= 8);
            Ok(batch)
        })
        .unwrap();
    }

    #[test]
    fn what_comes_back_is_checked() {
        let told = |give: fn(Table) -> Table| {
            apply(table(3), &digests(), "y", |_, batch| Ok(give(batch))).unwrap_err()
        };
        assert!(told(|table| table.slice(0, 2)).contains("gave 2 rows for 3"));
        let renamed = |mut table: Table, name: &str| {
            table.columns[0].name = name.to_owned();
            table
        };
        assert!(
            apply(table(3), &digests(), "y", |_, t| Ok(renamed(t, "y")))
                .unwrap_err()
                .contains("target's name")
        );
        assert!(
            apply(table(3), &digests(), "y", |_, t| Ok(renamed(
                t,
                "septet:row"
            )))
            .unwrap_err()
            .contains("reserved")
        );
        assert!(
            told(|mut table| {
                table.columns[0].nulls = vec![9];
                table
            })
            .contains("not valid")
        );
    }
}
