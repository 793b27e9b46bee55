//! Tables across a component's border and back, and where two of them differ.

use septet_kit::table::{Column, Table, Values};

use crate::capability::{clean, tables as wit};

/// The longest value that is shown of a difference.
const SHOWN: u64 = 60;

/// A table for across the border; it has fewer than 2^32 rows.
pub(crate) fn to_wit(table: &Table) -> wit::Table {
    let values = |values: &Values| match values.clone() {
        Values::Floats(values) => wit::Values::Floats(values),
        Values::Integers(values) => wit::Values::Integers(values),
        Values::Booleans(values) => wit::Values::Booleans(values),
        Values::Texts(values) => wit::Values::Texts(values),
        Values::Categories { dictionary, codes } => {
            wit::Values::Categories(wit::Categories { dictionary, codes })
        }
        Values::Timestamps(values) => wit::Values::Timestamps(values),
    };
    let column = |column: &Column| wit::Column {
        name: column.name.clone(),
        values: values(&column.values),
        nulls: column.nulls.clone(),
    };
    wit::Table {
        rows: table.rows as u32,
        columns: table.columns.iter().map(column).collect(),
    }
}

/// A table from across the border, which has been checked. Categories are spelled out: which codes
/// they have may depend on the batch, and what they say may not.
pub(crate) fn to_kit(table: wit::Table) -> Table {
    let column = |column: wit::Column| {
        let mut values = match column.values {
            wit::Values::Floats(values) => Values::Floats(values),
            wit::Values::Integers(values) => Values::Integers(values),
            wit::Values::Booleans(values) => Values::Booleans(values),
            wit::Values::Texts(values) => Values::Texts(values),
            wit::Values::Categories(categories) => Values::Categories {
                dictionary: categories.dictionary,
                codes: categories.codes,
            },
            wit::Values::Timestamps(values) => Values::Timestamps(values),
        };
        values.spell_out();
        Column {
            name: column.name,
            values,
            nulls: column.nulls,
        }
    };
    Table {
        rows: table.rows as usize,
        columns: table.columns.into_iter().map(column).collect(),
    }
}

/// A value for people; `none` for a null.
pub(super) fn shown(column: &Column, row: usize) -> String {
    if column.is_null(row) {
        return "none".to_owned();
    }
    let text = match &column.values {
        Values::Floats(values) => values.get(row).map(|value| format!("{value:?}")),
        Values::Integers(values) | Values::Timestamps(values) => {
            values.get(row).map(ToString::to_string)
        }
        Values::Booleans(values) => values.get(row).map(ToString::to_string),
        Values::Texts(values) => values.get(row).map(|value| format!("{value:?}")),
        Values::Categories { .. } => column.text(row).map(|value| format!("{value:?}")),
    };
    clean(&text.unwrap_or_default(), SHOWN)
}

/// Whether two columns have the same value in these rows. Floats are compared by their bits: what is
/// trained on must be what is served, to the last one.
fn same(one: &Column, row: usize, other: &Column, at: usize) -> bool {
    let (null, also) = (one.is_null(row), other.is_null(at));
    if null || also {
        return null && also;
    }
    match (&one.values, &other.values) {
        (Values::Floats(a), Values::Floats(b)) => {
            a.get(row).map(|v| v.to_bits()) == b.get(at).map(|v| v.to_bits())
        }
        (Values::Integers(a), Values::Integers(b))
        | (Values::Timestamps(a), Values::Timestamps(b)) => a.get(row) == b.get(at),
        (Values::Booleans(a), Values::Booleans(b)) => a.get(row) == b.get(at),
        (Values::Texts(a), Values::Texts(b)) => a.get(row) == b.get(at),
        _ => false,
    }
}

/// The first place where row `order[i]` of `one` is not row `i` of `other`, for people: row, column
/// and both values.
pub(super) fn difference(one: &Table, order: &[u32], other: &Table) -> Option<String> {
    first(one, order, other, ["in the whole batch", "then"])
}

/// As `difference`, between what went into a transform and what came back.
pub(super) fn changed(before: &Table, order: &[u32], after: &Table) -> Option<String> {
    first(before, order, after, ["went in", "came back"])
}

fn first(one: &Table, order: &[u32], other: &Table, [here, then]: [&str; 2]) -> Option<String> {
    for (at, row) in order.iter().map(|row| *row as usize).enumerate() {
        for column in &one.columns {
            let there = other.column(&column.name);
            let equal = there.is_some_and(|there| same(column, row, there, at));
            if !equal {
                let name = clean(&column.name, 80);
                let now = there.map_or("nothing".to_owned(), |there| shown(there, at));
                let before = shown(column, row);
                return Some(format!(
                    "row {} of the sample, column '{name}': {before} {here}, {now} {then}",
                    row + 1
                ));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(values: Values, nulls: &[u32]) -> Table {
        Table {
            rows: values.len(),
            columns: vec![Column {
                name: "x".to_owned(),
                values,
                nulls: nulls.to_vec(),
            }],
        }
    }

    #[test]
    fn tables_cross_and_come_back() {
        let categories = Values::Categories {
            dictionary: vec!["b".to_owned(), "a".to_owned()],
            codes: vec![1, 0, 7],
        };
        let back = to_kit(to_wit(&table(categories, &[2])));
        let texts = Values::Texts(vec!["a".to_owned(), "b".to_owned(), String::new()]);
        assert_eq!(back, table(texts, &[2]));
    }

    #[test]
    fn a_difference_is_named_by_row_column_and_values() {
        let one = table(Values::Floats(vec![1.0, 2.0, f64::NAN]), &[]);
        let same = table(Values::Floats(vec![f64::NAN, 1.0]), &[]);
        assert_eq!(difference(&one, &[2, 0], &same), None);
        let other = table(Values::Floats(vec![1.0, 2.5]), &[]);
        let told = difference(&one, &[0, 1], &other).unwrap();
        assert!(
            told.contains("row 2") && told.contains("'x': 2.0") && told.contains("2.5"),
            "{told}"
        );
        let null = table(Values::Floats(vec![1.0]), &[0]);
        assert!(difference(&one, &[0], &null).unwrap().contains("none then"));
        // A zero with a sign is another zero.
        let zeros = table(Values::Floats(vec![0.0]), &[]);
        let signed = table(Values::Floats(vec![-0.0]), &[]);
        assert!(difference(&zeros, &[0], &signed).is_some());
        let kind = table(Values::Integers(vec![1]), &[]);
        assert!(difference(&one, &[0], &kind).is_some());
        assert!(difference(&one, &[0], &Table::default()).is_some());
    }
}
