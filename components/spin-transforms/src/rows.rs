//! Checks of the rows that cross a component's border, as our own host makes them.
//!
//! Every table is checked before use: one component's rubbish must not become another's panic.

use std::collections::BTreeSet;

use septet_core::{
    limits::{Exceeded, Limits},
    text::clean,
};
use septet_guest::bindings::septet::transform::tables::{Column, Kind, Table, Values};

/// What is wrong with a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// It is too large.
    Limit(Exceeded),
    /// It breaks the contract; one line.
    Malformed(String),
}

impl From<Exceeded> for Problem {
    fn from(limit: Exceeded) -> Self {
        Self::Limit(limit)
    }
}

/// Which case of `values` it is.
pub(crate) const fn kind(values: &Values) -> Kind {
    match values {
        Values::Floats(_) => Kind::Floats,
        Values::Integers(_) => Kind::Integers,
        Values::Booleans(_) => Kind::Booleans,
        Values::Texts(_) => Kind::Texts,
        Values::Categories(_) => Kind::Categories,
        Values::Timestamps(_) => Kind::Timestamps,
    }
}

/// A kind as WIT spells it.
pub(crate) const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Floats => "floats",
        Kind::Integers => "integers",
        Kind::Booleans => "booleans",
        Kind::Texts => "texts",
        Kind::Categories => "categories",
        Kind::Timestamps => "timestamps",
    }
}

fn len(values: &Values) -> usize {
    match values {
        Values::Floats(values) => values.len(),
        Values::Integers(values) | Values::Timestamps(values) => values.len(),
        Values::Booleans(values) => values.len(),
        Values::Texts(values) => values.len(),
        Values::Categories(categories) => categories.codes.len(),
    }
}

/// Bytes of the values; a text counts its bytes and eight for where it begins and ends.
fn size(values: &Values) -> u64 {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() as u64 + 8).sum::<u64>();
    match values {
        Values::Floats(values) => 8 * values.len() as u64,
        Values::Integers(values) | Values::Timestamps(values) => 8 * values.len() as u64,
        Values::Booleans(values) => values.len() as u64,
        Values::Texts(values) => texts(values),
        Values::Categories(categories) => {
            texts(&categories.dictionary) + 4 * categories.codes.len() as u64
        }
    }
}

/// Whether the table keeps the contract and the limits of a batch.
pub(crate) fn check(table: &Table, limits: &Limits) -> Result<(), Problem> {
    Exceeded::check("batch_rows", limits.batch_rows, table.rows.into())?;
    let columns = table.columns.len() as u64;
    Exceeded::check("batch_columns", limits.batch_columns, columns)?;
    let mut names = BTreeSet::new();
    let mut bytes: u64 = 0;
    for column in &table.columns {
        check_column(column, table.rows, limits)?;
        if !names.insert(column.name.as_str()) {
            return malformed(&column.name, "comes more than once");
        }
        bytes += size(&column.values) + 4 * column.nulls.len() as u64;
        Exceeded::check("batch_bytes", limits.batch_bytes, bytes)?;
    }
    Ok(())
}

fn check_column(column: &Column, rows: u32, limits: &Limits) -> Result<(), Problem> {
    let name = &column.name;
    if name.is_empty() {
        return Err(Problem::Malformed("a column has no name".to_owned()));
    }
    Exceeded::check("name_bytes", limits.name_bytes, name.len() as u64)?;
    let values = len(&column.values);
    if values != rows as usize {
        return malformed(
            name,
            &format!("has {values} values in a table of {rows} rows"),
        );
    }
    let mut least = 0;
    for null in &column.nulls {
        if *null >= rows || *null < least {
            return malformed(
                name,
                &format!("lists null {null}; nulls ascend and are less than {rows}"),
            );
        }
        least = null + 1;
    }
    let texts: &[String] = match &column.values {
        Values::Texts(texts) => texts,
        Values::Categories(categories) => &categories.dictionary,
        _ => &[],
    };
    let longest = texts.iter().map(String::len).max().unwrap_or_default();
    Exceeded::check("string_bytes", limits.string_bytes, longest as u64)?;
    if let Values::Categories(categories) = &column.values {
        let known = categories.dictionary.len();
        let mut nulls = column.nulls.iter().copied().peekable();
        for (row, code) in (0..rows).zip(&categories.codes) {
            // The slot of a null row holds any value.
            if nulls.next_if_eq(&row).is_none() && *code as usize >= known {
                return malformed(
                    name,
                    &format!("has code {code}; its dictionary has {known} entries"),
                );
            }
        }
    }
    Ok(())
}

fn malformed<T>(column: &str, what: &str) -> Result<T, Problem> {
    let column = clean(column, 80);
    Err(Problem::Malformed(format!("column '{column}' {what}")))
}

/// Gives every table of the same rows the same bytes. A NaN has one pattern of bits, because theirs
/// differ between processors and hosts; the slot of a null row holds zero, false, an empty text or
/// the first code, because what stands there may be anything: the value that was taken out, or
/// words that one component would pass to another.
pub(crate) fn canonicalize(table: &mut Table) {
    for Column { values, nulls, .. } in &mut table.columns {
        match values {
            Values::Floats(values) => {
                blank(values, nulls);
                for value in values.iter_mut().filter(|value| value.is_nan()) {
                    *value = f64::NAN;
                }
            }
            Values::Integers(values) | Values::Timestamps(values) => blank(values, nulls),
            Values::Booleans(values) => blank(values, nulls),
            Values::Texts(values) => blank(values, nulls),
            Values::Categories(categories) => blank(&mut categories.codes, nulls),
        }
    }
}

/// Leaves in a dictionary what a row has, in the order in which rows first have it: so it says nothing
/// of other batches or of values that were taken out, and a component that takes a code for a value
/// gives other answers for other batches, which its trial shows.
pub(crate) fn compact(table: &mut Table) {
    for Column { values, nulls, .. } in &mut table.columns {
        let Values::Categories(categories) = values else {
            continue;
        };
        let mut old = std::mem::take(&mut categories.dictionary);
        let mut new: Vec<Option<u32>> = vec![None; old.len()];
        let mut nulls = nulls.iter().copied().peekable();
        for (row, code) in (0_u32..).zip(&mut categories.codes) {
            if nulls.next_if_eq(&row).is_some() {
                *code = 0;
                continue;
            }
            // The table was checked: each code is one of the dictionary.
            let at = *code as usize;
            let (Some(place), Some(text)) = (new.get_mut(at), old.get_mut(at)) else {
                continue;
            };
            *code = *place.get_or_insert_with(|| {
                categories.dictionary.push(std::mem::take(text));
                categories.dictionary.len() as u32 - 1
            });
        }
        // So that the code of a null row says something, too.
        if categories.dictionary.is_empty() {
            categories.dictionary.push(String::new());
        }
    }
}

fn blank<T: Default>(values: &mut [T], nulls: &[u32]) {
    for null in nulls {
        // The table was checked: each is there.
        if let Some(value) = values.get_mut(*null as usize) {
            *value = T::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use septet_guest::bindings::septet::transform::tables::Categories;

    use super::*;

    fn column(name: &str, values: Values, nulls: &[u32]) -> Column {
        Column {
            name: name.to_owned(),
            values,
            nulls: nulls.to_vec(),
        }
    }

    #[test]
    fn what_breaks_the_contract_is_named() {
        let of = |rows, column| {
            let columns = vec![column];
            check(&Table { rows, columns }, &Limits::default()).unwrap_err()
        };
        let floats = |count| Values::Floats(vec![0.0; count]);
        for column in [
            column("", floats(1), &[]),
            column("x", floats(2), &[]),
            column("x", floats(1), &[1]),
        ] {
            assert!(matches!(of(1, column), Problem::Malformed(_)));
        }
        assert!(matches!(
            of(8193, column("x", floats(1), &[])),
            Problem::Limit(_)
        ));
    }

    #[test]
    fn what_counts_for_nothing_carries_nothing() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let categories = Values::Categories(Categories {
            dictionary: texts(&["secret", "b"]),
            codes: vec![0, 1],
        });
        let odd = f64::from_bits(0xfff8_0000_0000_0001);
        let columns = vec![
            column("c", categories, &[0]),
            column("f", Values::Floats(vec![7.0, odd]), &[0]),
        ];
        let mut rows = Table { rows: 2, columns };
        canonicalize(&mut rows);
        compact(&mut rows);
        let shown = format!("{rows:?}");
        assert!(!shown.contains("secret") && !shown.contains('7'), "{shown}");
        let Some(Values::Floats(values)) = rows.columns.last().map(|column| &column.values) else {
            unreachable!()
        };
        assert_eq!(values[1].to_bits(), f64::NAN.to_bits());
    }
}
