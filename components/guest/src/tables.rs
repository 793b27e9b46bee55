//! The contract's tables to the kit's and back. Nothing is copied; what comes in is checked.

use septet_kit::table as kit;

use crate::bindings::septet::transform::tables as wit;

/// A table from across the border, checked.
pub fn to_kit(table: wit::Table) -> Result<kit::Table, String> {
    let table = kit::Table {
        rows: table.rows as usize,
        columns: table
            .columns
            .into_iter()
            .map(|column| kit::Column {
                name: column.name,
                values: match column.values {
                    wit::Values::Floats(values) => kit::Values::Floats(values),
                    wit::Values::Integers(values) => kit::Values::Integers(values),
                    wit::Values::Booleans(values) => kit::Values::Booleans(values),
                    wit::Values::Texts(values) => kit::Values::Texts(values),
                    wit::Values::Categories(values) => kit::Values::Categories {
                        dictionary: values.dictionary,
                        codes: values.codes,
                    },
                    wit::Values::Timestamps(values) => kit::Values::Timestamps(values),
                },
                nulls: column.nulls,
            })
            .collect(),
    };
    table.validate()?;
    Ok(table)
}

/// A table for across the border; it has at most 2^32 - 1 rows, as every table of the kit.
pub fn to_wit(table: kit::Table) -> wit::Table {
    wit::Table {
        rows: table.rows as u32,
        columns: table
            .columns
            .into_iter()
            .map(|column| wit::Column {
                name: column.name,
                values: match column.values {
                    kit::Values::Floats(values) => wit::Values::Floats(values),
                    kit::Values::Integers(values) => wit::Values::Integers(values),
                    kit::Values::Booleans(values) => wit::Values::Booleans(values),
                    kit::Values::Texts(values) => wit::Values::Texts(values),
                    kit::Values::Categories { dictionary, codes } => {
                        wit::Values::Categories(wit::Categories { dictionary, codes })
                    }
                    kit::Values::Timestamps(values) => wit::Values::Timestamps(values),
                },
                nulls: column.nulls,
            })
            .collect(),
    }
}

/// A kind for across the border.
pub const fn kind(kind: kit::Kind) -> wit::Kind {
    match kind {
        kit::Kind::Floats => wit::Kind::Floats,
        kit::Kind::Integers => wit::Kind::Integers,
        kit::Kind::Booleans => wit::Kind::Booleans,
        kit::Kind::Texts => wit::Kind::Texts,
        kit::Kind::Categories => wit::Kind::Categories,
        kit::Kind::Timestamps => wit::Kind::Timestamps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_crosses_and_comes_back() {
        let table = kit::Table {
            rows: 2,
            columns: vec![kit::Column {
                name: "c".to_owned(),
                values: kit::Values::Categories {
                    dictionary: vec!["a".to_owned()],
                    codes: vec![0, 9],
                },
                nulls: vec![1],
            }],
        };
        assert_eq!(to_kit(to_wit(table.clone())).unwrap(), table);
    }

    #[test]
    fn a_broken_table_does_not_get_in() {
        let table = wit::Table {
            rows: 2,
            columns: vec![wit::Column {
                name: "f".to_owned(),
                values: wit::Values::Floats(vec![1.0]),
                nulls: vec![],
            }],
        };
        assert!(to_kit(table).is_err());
    }
}
