//! Rows to columns, as a model takes them.

use super::records::{Datum, Row};
use crate::{
    capability::{
        bindings::septet::transform::tables::Kind,
        tables::{Column, Table, Values},
    },
    stage::{Feature, Signature},
};

/// A table of `rows`. What a row has not is null.
pub(super) fn table(rows: &[Row], signature: &Signature) -> Table {
    let inputs = signature.inputs.iter().enumerate();
    let mut columns: Vec<Column> = inputs.map(|(at, input)| blank(input, rows, at)).collect();
    // The first row of each column that no value was seen for yet.
    let mut next = vec![0; columns.len()];
    for (number, row) in (0_u32..).zip(rows) {
        for (at, datum) in row {
            let (Some(column), Some(next)) = (columns.get_mut(*at), next.get_mut(*at)) else {
                continue;
            };
            column.nulls.extend(*next..number);
            *next = number + 1;
            put(&mut column.values, number as usize, datum);
        }
    }
    for (column, next) in columns.iter_mut().zip(next) {
        column.nulls.extend(next..rows.len() as u32);
    }
    Table {
        rows: rows.len() as u32,
        columns,
    }
}

fn blank(input: &Feature, rows: &[Row], at: usize) -> Column {
    let count = rows.len();
    let fraction = |row: &Row| {
        row.iter()
            .any(|(of, d)| *of == at && matches!(d, Datum::Float(_)))
    };
    let values = match input.kind {
        Kind::Floats => Values::Floats(vec![0.0; count]),
        // Whether fractions may stand here is the model's to say: to most it is a number.
        Kind::Integers if rows.iter().any(fraction) => Values::Floats(vec![0.0; count]),
        Kind::Integers => Values::Integers(vec![0; count]),
        Kind::Booleans => Values::Booleans(vec![false; count]),
        Kind::Texts | Kind::Categories => Values::Texts(vec![String::new(); count]),
        Kind::Timestamps => Values::Timestamps(vec![0; count]),
    };
    Column {
        name: input.name.clone(),
        values,
        nulls: Vec::new(),
    }
}

fn put(values: &mut Values, row: usize, datum: &Datum) {
    fn set<T>(values: &mut [T], row: usize, value: T) {
        if let Some(slot) = values.get_mut(row) {
            *slot = value;
        }
    }
    match (values, datum) {
        (Values::Floats(values), Datum::Float(value)) => set(values, row, *value),
        (Values::Floats(values), Datum::Integer(value)) => set(values, row, *value as f64),
        (Values::Integers(values), Datum::Integer(value))
        | (Values::Timestamps(values), Datum::Time(value)) => set(values, row, *value),
        (Values::Booleans(values), Datum::Boolean(value)) => set(values, row, *value),
        (Values::Texts(values), Datum::Text(value)) => set(values, row, value.clone()),
        // `records` gives each input values of its own kind.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        let input = |name: &str, kind| Feature {
            name: name.to_owned(),
            kind,
            nullable: true,
        };
        let signature = Signature {
            inputs: vec![
                input("n", Kind::Integers),
                input("t", Kind::Texts),
                input("f", Kind::Floats),
            ],
            outputs: Vec::new(),
        };
        let text = |text: &str| Datum::Text(text.to_owned());
        let rows = [
            vec![(0, Datum::Integer(1))],
            vec![],
            vec![(1, text("x")), (0, Datum::Integer(3))],
        ];
        let given = table(&rows, &signature);
        assert_eq!(given.columns[0].values, Values::Integers(vec![1, 0, 3]));
        assert_eq!(given.columns[0].nulls, [1]);
        assert_eq!(given.columns[1].nulls, [0, 1]);
        assert_eq!(given.columns[2].nulls, [0, 1, 2]);
        let rows = [vec![(0, Datum::Integer(1))], vec![(0, Datum::Float(1.5))]];
        let given = table(&rows, &signature);
        assert_eq!(given.columns[0].values, Values::Floats(vec![1.0, 1.5]));
    }
}
