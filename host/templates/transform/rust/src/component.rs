//! What the transform says of itself, and how columns pass through it.

wit_bindgen::generate!({
    path: "wit",
    world: "septet:transform/user-transform",
});

use exports::septet::transform::transform::{Description, Error, Guest, Mismatch};
use septet::transform::tables::{Column, Field, Kind, Table, Values};

use crate::ratio::ratio;

/// Columns that are read: a batch without them is not passed.
const LENGTH: &str = "bill_length_mm";
const DEPTH: &str = "bill_depth_mm";
/// The column that is added.
const RATIO: &str = "bill_ratio";

struct Component;

export!(Component);

impl Guest for Component {
    fn describe() -> Description {
        let floats = |name: &str| Field {
            name: name.to_owned(),
            kind: Kind::Floats,
        };
        Description {
            name: "{{name}}".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            needs: vec![floats(LENGTH), floats(DEPTH)],
            adds: vec![floats(RATIO)],
            removes: Vec::new(),
        }
    }

    fn apply(mut batch: Table) -> Result<Table, Error> {
        let lengths = floats(&batch, LENGTH)?;
        let depths = floats(&batch, DEPTH)?;
        let mut ratios = Vec::with_capacity(lengths.len());
        let mut nulls = Vec::new();
        for (row, (length, depth)) in (0..).zip(lengths.into_iter().zip(depths)) {
            // The slot of a row without a value holds anything, and is named in `nulls`.
            ratios.push(ratio(length, depth).unwrap_or_else(|| {
                nulls.push(row);
                0.0
            }));
        }
        batch.columns.push(Column {
            name: RATIO.to_owned(),
            values: Values::Floats(ratios),
            nulls,
        });
        Ok(batch)
    }
}

/// The values of a column of floats, none for each row without one.
fn floats(batch: &Table, name: &str) -> Result<Vec<Option<f64>>, Error> {
    let column = batch
        .columns
        .iter()
        .find(|column| column.name == name)
        .ok_or_else(|| Error::MissingColumn(name.to_owned()))?;
    let Values::Floats(values) = &column.values else {
        return Err(Error::WrongKind(Mismatch {
            column: name.to_owned(),
            expected: Kind::Floats,
            found: kind(&column.values),
        }));
    };
    let mut values: Vec<_> = values.iter().copied().map(Some).collect();
    for row in &column.nulls {
        values[*row as usize] = None;
    }
    Ok(values)
}

fn kind(values: &Values) -> Kind {
    match values {
        Values::Floats(_) => Kind::Floats,
        Values::Integers(_) => Kind::Integers,
        Values::Booleans(_) => Kind::Booleans,
        Values::Texts(_) => Kind::Texts,
        Values::Categories(_) => Kind::Categories,
        Values::Timestamps(_) => Kind::Timestamps,
    }
}
